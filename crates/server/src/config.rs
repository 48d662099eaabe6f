//! What a server is told, and why it may not start.

use std::path::PathBuf;
use visavis_signaling::RelayConfig;

/// What a server allows and uses.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Limits on rooms, and the STUN and TURN servers handed out.
    pub relay: RelayConfig,
    /// Connections at a time; one more is refused with HTTP 503.
    pub max_connections: usize,
    /// Certificate and key, for `wss://`; without them the server speaks `ws://`.
    pub tls: Option<TlsFiles>,
    /// Whether web pages may connect. Where they may not, a page open in somebody's browser cannot use it to reach
    /// their rooms.
    pub browsers: bool,
    /// Whether the page is served with which a guest without the app joins a call in a browser.
    pub guest_page: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { relay: RelayConfig::default(), max_connections: 20_000, tls: None, browsers: true, guest_page: true }
    }
}

impl ServerConfig {
    /// For the server inside the app: a few rooms for the local network, and no web pages.
    pub fn embedded() -> Self {
        let relay = RelayConfig { max_rooms: 16, ..RelayConfig::default() };
        Self { relay, max_connections: 64, tls: None, browsers: false, guest_page: false }
    }
}

/// Where certificate and key lie.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM file with the server's certificate and those that vouch for it.
    pub cert: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A file cannot be used.
    #[error("{} cannot be used: {why}", file.display())]
    Tls {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
}
