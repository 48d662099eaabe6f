//! The command line of `visavis-server`.

use anyhow::Context as _;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error, Parser};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use visavis_server::{
    AddressLimits, MetricsFor, RedisUrl, RedisUrlError, ServerConfig, TlsFiles, TurnConfig, check_stun_url,
    check_turn_url,
};
use visavis_signaling::{IceServer, OriginLimits, RelayConfig};

/// Shortest life of TURN credentials: between joining and the last relayed address some time passes.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(60);
/// Longest life of TURN credentials: they cannot be taken back before.
const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// Helps two people who know the same four words to find each other. It can neither see nor hear what they say.
#[derive(Parser, Debug)]
#[command(name = "visavis-server", version)]
pub(crate) struct Options {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,
    /// PEM file with the certificate chain, for wss://.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Rooms at a time.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_rooms: u32,
    /// People in a room.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=16))]
    room_size: u32,
    /// Connections at a time.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Connections at a time from one address (IPv6: network of 64 bits); 0: without limit.
    #[arg(long, value_name = "N", default_value_t = AddressLimits::default().connections)]
    connections_per_address: u32,
    /// New connections a minute from one address; 0: without limit.
    #[arg(long, value_name = "N", default_value_t = AddressLimits::default().connections_per_minute)]
    connections_per_minute: u32,
    /// Rooms entered a minute from one address; 0: without limit.
    #[arg(long, value_name = "N", default_value_t = OriginLimits::default().entries_per_minute)]
    joins_per_minute: u32,
    /// Of those, how many may lead nowhere; 0: without limit. It is this that slows down who searches for rooms.
    #[arg(long, value_name = "N", default_value_t = OriginLimits::default().misses_per_minute)]
    misses_per_minute: u32,
    /// Messages a second from one address, each 4 KiB counted as one; 0: without limit.
    #[arg(long, value_name = "N", default_value_t = OriginLimits::default().messages_per_second)]
    messages_per_second: u32,
    /// Take addresses from the last entry of X-Forwarded-For; only where a proxy before this server writes it.
    #[arg(long)]
    trust_proxy: bool,
    /// Show /metrics to everybody, not only over loopback.
    #[arg(long)]
    open_metrics: bool,
    /// Log the addresses of those who are refused.
    #[arg(long)]
    log_addresses: bool,
    /// Threads; one carries some thousand calls set up a second, more help where many connect over TLS at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: u32,
    /// JSON file with STUN and TURN servers to hand out: [{"urls": ["turn:…"], "username": "…", "credential": "…"}].
    #[arg(long, value_name = "FILE")]
    ice_servers: Option<PathBuf>,
    /// STUN server to hand out: stun:HOST[:PORT]; repeatable.
    #[arg(long, value_name = "URL", value_parser = stun_url)]
    stun: Vec<String>,
    /// TURN server to hand out, with credentials that end by themselves: turn:HOST[:PORT][?transport=tcp] or turns:…;
    /// repeatable.
    #[arg(long, value_name = "URL", value_parser = turn_url, requires = "turn_secret_file")]
    turn: Vec<String>,
    /// File with the secret that the TURN server shares (coturn: static-auth-secret); read again when it changes.
    #[arg(long, value_name = "FILE", requires = "turn")]
    turn_secret_file: Option<PathBuf>,
    /// How long TURN credentials can be used, such as 90m, 24h or 2d. A call that outlasts them goes on.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = lifetime)]
    turn_lifetime: Duration,
    /// Serve no page for guests without the app: for a relay whose page is hosted apart, or nowhere.
    #[arg(long)]
    no_guest_page: bool,
    /// Share rooms with all servers that have the same Redis: redis://[:PASSWORD@]HOST[:PORT][/DATABASE], or rediss://.
    #[arg(long, value_name = "URL", value_parser = RedisAddress)]
    redis: Option<RedisUrl>,
    /// File with the password of Redis, which then need not stand in the command line.
    #[arg(long, value_name = "FILE", requires = "redis")]
    redis_password_file: Option<PathBuf>,
}

impl Options {
    /// What the server is told by them.
    pub(crate) fn config(self) -> anyhow::Result<ServerConfig> {
        let (mut ice_servers, redis) = (self.listed_ice_servers()?, self.redis_with_password()?);
        if !self.stun.is_empty() {
            ice_servers.push(IceServer { urls: self.stun, username: None, credential: None });
        }
        let (max_rooms, room_size) = (self.max_rooms as usize, self.room_size as usize);
        let (urls, lifetime) = (self.turn, self.turn_lifetime);
        let per_origin = OriginLimits {
            entries_per_minute: self.joins_per_minute,
            misses_per_minute: self.misses_per_minute,
            messages_per_second: self.messages_per_second,
        };
        let per_address = AddressLimits {
            connections: self.connections_per_address,
            connections_per_minute: self.connections_per_minute,
        };
        Ok(ServerConfig {
            relay: RelayConfig { max_rooms, room_size, ice_servers, turn: None, per_origin },
            turn: self.turn_secret_file.map(|secret_file| TurnConfig { urls, secret_file, lifetime }),
            max_connections: self.max_connections as usize,
            tls: self.tls_cert.zip(self.tls_key).map(|(cert, key)| TlsFiles { cert, key }),
            per_address,
            trust_proxy: self.trust_proxy,
            metrics: if self.open_metrics { MetricsFor::Everybody } else { MetricsFor::ThisMachine },
            log_addresses: self.log_addresses,
            guest_page: !self.no_guest_page,
            redis,
            ..ServerConfig::default()
        })
    }

    fn redis_with_password(&self) -> anyhow::Result<Option<RedisUrl>> {
        let (Some(url), Some(file)) = (&self.redis, &self.redis_password_file) else { return Ok(self.redis.clone()) };
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        anyhow::ensure!(text.trim().lines().count() == 1, "{} has to hold the password, in one line", file.display());
        Ok(Some(url.clone().with_password(text.trim())))
    }

    /// Those of the file.
    fn listed_ice_servers(&self) -> anyhow::Result<Vec<IceServer>> {
        let Some(file) = &self.ice_servers else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not as it should be", file.display()))
    }
}

/// Reads the address of Redis. Errors of clap's own parsers quote what they met, which may hold a password.
#[derive(Clone)]
struct RedisAddress;

impl TypedValueParser for RedisAddress {
    type Value = RedisUrl;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<RedisUrl, Error> {
        let read = value.to_str().ok_or(RedisUrlError::Unreadable).and_then(RedisUrl::parse);
        read.map_err(|error| Error::raw(ErrorKind::ValueValidation, format!("--redis: {error}\n")))
    }
}

fn stun_url(text: &str) -> Result<String, String> {
    check_stun_url(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

fn turn_url(text: &str) -> Result<String, String> {
    check_turn_url(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let (number, seconds) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => return Err("write a number with its unit, such as 90m, 24h or 2d".to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| "write a number with its unit, such as 90m, 24h or 2d".to_owned())?;
    let lifetime = Duration::from_secs(u64::from(number) * seconds);
    if (SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err("it has to be between a minute and 30 days".to_owned())
    }
}
