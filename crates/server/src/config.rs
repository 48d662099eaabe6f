//! What a server is told, and why it may not start.

use crate::guard::AddressLimits;
use crate::spread::RedisUrl;
use std::path::PathBuf;
use std::time::Duration;
use visavis_signaling::RelayConfig;

/// What a server allows and uses.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Limits on rooms, and the STUN and TURN servers handed out.
    pub relay: RelayConfig,
    /// TURN servers whose credentials are made for each seat; [`RelayConfig::turn`] is set from it.
    pub turn: Option<TurnConfig>,
    /// Connections at a time; one more is refused with HTTP 503.
    pub max_connections: usize,
    /// Limits of connections from one address. What they may do together is in [`RelayConfig::per_origin`].
    pub per_address: AddressLimits,
    /// Whether a proxy stands before this server and writes the address that a request came from as the last one into
    /// `X-Forwarded-For`. Without a proxy anybody could write there.
    pub trust_proxy: bool,
    /// Who may read `/metrics`.
    pub metrics: MetricsFor,
    /// Whether refusals are logged with the address that they meet, for tools that shut it out.
    pub log_addresses: bool,
    /// Certificate and key, for `wss://`; without them the server speaks `ws://`.
    pub tls: Option<TlsFiles>,
    /// Whether web pages may connect. Where they may not, a page open in somebody's browser cannot use it to reach
    /// their rooms.
    pub browsers: bool,
    /// Whether the page is served with which a guest without the app joins a call in a browser.
    pub guest_page: bool,
    /// How often files are looked at for changes: certificate, key and secret are used anew without a restart.
    pub reload_every: Duration,
    /// Where rooms are shared with other servers that have the same Redis; none: all rooms are here.
    pub redis: Option<RedisUrl>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            relay: RelayConfig::default(),
            turn: None,
            max_connections: 20_000,
            per_address: AddressLimits::default(),
            trust_proxy: false,
            metrics: MetricsFor::ThisMachine,
            log_addresses: false,
            tls: None,
            browsers: true,
            guest_page: true,
            reload_every: Duration::from_secs(5),
            redis: None,
        }
    }
}

impl ServerConfig {
    /// For the server inside the app: a few rooms for the local network, and no web pages.
    pub fn embedded() -> Self {
        let relay = RelayConfig { max_rooms: 16, ..RelayConfig::default() };
        Self {
            relay,
            max_connections: 64,
            metrics: MetricsFor::Nobody,
            browsers: false,
            guest_page: false,
            ..Self::default()
        }
    }
}

/// Who may read a server's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFor {
    /// Nobody.
    Nobody,
    /// Whoever connects over loopback, and not through a proxy.
    ThisMachine,
    /// Everybody who can reach the server.
    Everybody,
}

/// Where certificate and key lie.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM file with the server's certificate and those that vouch for it.
    pub cert: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// TURN servers that share a secret with us (coturn: `use-auth-secret`, `static-auth-secret`).
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// `turn:` and `turns:` addresses; see [`check_turn_url`](crate::check_turn_url).
    pub urls: Vec<String>,
    /// File with the secret, in one line.
    pub secret_file: PathBuf,
    /// How long credentials can be used, from the moment when a seat is taken.
    pub lifetime: Duration,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A file cannot be used.
    #[error("{} cannot be used: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
}
