//! Where Redis is.

use redis::IntoConnectionInfo as _;
use redis::{ConnectionInfo, ProtocolVersion};
use std::fmt;

/// The address of a Redis that servers share: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS
/// with the system's trust roots. Redis 6 or later, since one connection is both asked and told (RESP3). Neither password
/// nor user shows in debug output.
#[derive(Clone)]
pub struct RedisUrl(ConnectionInfo);

/// What is wrong with an address of Redis. It is not quoted, since it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// Another beginning.
    #[error("write redis://HOST:PORT, or rediss://HOST:PORT for TLS")]
    Scheme,
    /// Something else cannot be read.
    #[error("this is no address of Redis; write redis://:PASSWORD@HOST:PORT/DATABASE")]
    Unreadable,
}

impl RedisUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Where it does not begin with `redis://` or `rediss://`, or cannot be read.
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        if !text.starts_with("redis://") && !text.starts_with("rediss://") || text.contains('#') {
            return Err(RedisUrlError::Scheme);
        }
        let mut info = text.into_connection_info().map_err(|_| RedisUrlError::Unreadable)?;
        info.redis.protocol = ProtocolVersion::RESP3;
        Ok(Self(info))
    }

    /// The same with this password, which then need not stand on a command line.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.0.redis.password = Some(password.to_owned());
        self
    }

    /// As the library takes it.
    pub(super) fn info(&self) -> ConnectionInfo {
        self.0.clone()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({}, …)", self.0.addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_tls_password_and_database_are_read() {
        for url in ["redis://localhost", "redis://:secret@10.0.0.1:6380/3", "rediss://user:secret@redis.example"] {
            let read = RedisUrl::parse(url).unwrap();
            assert!(!format!("{read:?}").contains("secret"), "{read:?}");
            assert_eq!(read.info().redis.protocol, ProtocolVersion::RESP3);
        }
        let url = RedisUrl::parse("redis://localhost").unwrap().with_password("secret");
        assert_eq!(url.info().redis.password.as_deref(), Some("secret"));
    }

    #[test]
    fn anything_else_is_refused_without_quoting_it() {
        for url in
            ["", "localhost:6379", "http://:secret@localhost", "unix:///run/redis", "rediss://:secret@h#insecure"]
        {
            assert_eq!(RedisUrl::parse(url).unwrap_err(), RedisUrlError::Scheme, "{url}");
        }
        for url in ["redis://", "redis://:secret@host:port", "redis://:secret@host/x", "redis://[::1"] {
            let error = RedisUrl::parse(url).unwrap_err();
            assert!(error == RedisUrlError::Unreadable && !error.to_string().contains("secret"), "{url}");
        }
    }
}
