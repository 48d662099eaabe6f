//! TURN credentials for a limited time, made for each seat from a secret that the TURN server shares.
//!
//! The convention is coturn's `use-auth-secret` (draft-uberti-behave-turn-rest-00): the user name is the Unix time at
//! which it ends, a colon and a name; the password is base64(HMAC-SHA1(secret, user name)). The name is drawn anew each
//! time, so that the TURN server's books tell neither rooms nor who was there before.

use crate::config::{ServerError, TurnConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use visavis_signaling::{IceServer, TurnAccess};

/// More is no secret but another file, given by mistake.
const LONGEST_SECRET: usize = 1024;

/// Hands out TURN servers with credentials.
pub(crate) struct Turn {
    urls: Vec<String>,
    lifetime: Duration,
    file: PathBuf,
    key: Mutex<Key>,
}

impl Turn {
    /// Reads the secret.
    pub(crate) fn new(config: &TurnConfig) -> Result<Self, ServerError> {
        let key = Mutex::new(key(&config.secret_file)?);
        Ok(Self { urls: config.urls.clone(), lifetime: config.lifetime, file: config.secret_file.clone(), key })
    }

    /// The file with the secret.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the secret again; where that fails, the one of before stays.
    pub(crate) fn reread(&self) -> Result<(), ServerError> {
        let key = key(&self.file)?;
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    fn grant_at(&self, unix: Duration, draw: u64) -> IceServer {
        let username = format!("{}:{draw:016x}", (unix + self.lifetime).as_secs());
        let tag = sign(&self.key.lock().unwrap_or_else(PoisonError::into_inner), username.as_bytes());
        let credential = Some(STANDARD.encode(tag));
        IceServer { urls: self.urls.clone(), username: Some(username), credential }
    }
}

impl TurnAccess for Turn {
    fn grant(&self, draw: u64) -> IceServer {
        self.grant_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), draw)
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn({:?}, for {} s)", self.urls, self.lifetime.as_secs())
    }
}

fn key(file: &Path) -> Result<Key, ServerError> {
    let unusable = |why: String| ServerError::File { file: file.to_owned(), why };
    let text = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let secret = text.trim_ascii();
    if secret.is_empty() {
        return Err(unusable("it is empty; it has to hold what follows static-auth-secret= in turnserver.conf".into()));
    }
    if secret.len() > LONGEST_SECRET || secret.contains(&b'\n') {
        return Err(unusable("it has to hold the secret alone, in one line".into()));
    }
    Ok(Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(secret: &str) -> (tempfile::TempDir, Result<Turn, ServerError>) {
        let dir = tempfile::tempdir().unwrap();
        let secret_file = dir.path().join("secret");
        std::fs::write(&secret_file, secret).unwrap();
        let urls = vec!["turn:call.example".to_owned(), "turns:call.example:443?transport=tcp".to_owned()];
        let turn = Turn::new(&TurnConfig { urls, secret_file, lifetime: Duration::from_secs(86_400) });
        (dir, turn)
    }

    #[test]
    fn credentials_are_those_that_openssl_computes() {
        let (_dir, turn) = turn("north\n");
        let server = turn.unwrap().grant_at(Duration::from_secs(1_700_000_000), 0xAB);
        assert_eq!(server.username.as_deref(), Some("1700086400:00000000000000ab"));
        // printf 1700086400:00000000000000ab | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(server.credential.as_deref(), Some("uA/Qi3HFlhudJ+6A9L6GnqeMduY="));
        assert_eq!(server.urls.len(), 2, "one entry, one pair of credentials for all addresses");
    }

    #[test]
    fn a_changed_secret_is_used_and_a_spoilt_file_changes_nothing() {
        let (dir, turn) = turn("north");
        let turn = turn.unwrap();
        let credential = || turn.grant_at(Duration::ZERO, 1).credential;
        let before = credential();
        std::fs::write(dir.path().join("secret"), "south").unwrap();
        turn.reread().unwrap();
        let after = credential();
        assert_ne!(after, before);
        std::fs::write(dir.path().join("secret"), "").unwrap();
        turn.reread().unwrap_err();
        assert_eq!(credential(), after);
    }

    #[test]
    fn files_that_hold_no_secret_are_refused_with_a_reason() {
        for (content, reason) in
            [("", "empty"), (" \n\n", "empty"), ("a\nb", "one line"), (&"a".repeat(2000), "one line")]
        {
            let error = turn(content).1.unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("secret"), "{error}");
        }
        let missing = TurnConfig { urls: Vec::new(), secret_file: "/nonexistent".into(), lifetime: Duration::ZERO };
        assert!(Turn::new(&missing).unwrap_err().to_string().starts_with("/nonexistent cannot be used"));
    }

    #[test]
    fn neither_secret_nor_credentials_show_in_debug_output() {
        let (_dir, turn) = turn("north");
        let turn = turn.unwrap();
        let server = turn.grant(7);
        let shown = format!("{turn:?} {server:?}");
        assert!(!shown.contains("north") && !shown.contains(&server.credential.unwrap()), "{shown}");
    }
}
