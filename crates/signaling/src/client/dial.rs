//! From an address to a WebSocket: names, several addresses at once, TLS, the upgrade.

use super::trust::trust;
use super::{ClientConfig, ClientError, Trouble};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

/// For looking up a name, for a TCP connection, and for TLS and upgrade together.
const STEP: Duration = Duration::from_secs(5);
/// Head start of one address over the next (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses tried for one name.
const MOST_ADDRESSES: usize = 8;
/// Messages of a server are small; this leaves room for long lists of peers and TURN servers.
const LONGEST_FROM_SERVER: usize = 256 * 1024;

/// A WebSocket to a server.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An address, checked, and what is needed to reach it.
pub(super) struct Target {
    uri: Uri,
    host: String,
    port: u16,
    /// Given ones; none: the host's name is looked up.
    addresses: Vec<SocketAddr>,
    connector: Connector,
}

impl Target {
    /// Checks the address and loads the certificates to trust, off the async threads.
    pub(super) async fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let bad = || ClientError::Address(config.url.chars().filter(|c| !c.is_control()).take(100).collect());
        let (uri, secure) = parse(&config.url).ok_or_else(bad)?;
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let connector = if secure {
            let ca = config.ca.clone();
            let tls = tokio::task::spawn_blocking(move || trust(ca)).await;
            Connector::Rustls(tls.map_err(|panic| ClientError::Roots(panic.to_string()))??)
        } else {
            Connector::Plain
        };
        Ok(Self { uri, host, port, addresses: config.addresses.clone(), connector })
    }

    /// Connects once; tells from which address of this machine.
    pub(super) async fn dial(&self) -> Result<(Socket, Option<SocketAddr>), Trouble> {
        let tcp = self.connect().await?;
        let _ = tcp.set_nodelay(true);
        let local = tcp.local_addr().ok();
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0)
            .max_message_size(Some(LONGEST_FROM_SERVER))
            .max_frame_size(Some(LONGEST_FROM_SERVER));
        let upgrade = client_async_tls_with_config(self.uri.clone(), tcp, Some(config), Some(self.connector.clone()));
        match timeout(STEP, upgrade).await {
            Ok(Ok((socket, _))) => Ok((socket, local)),
            Ok(Err(error)) => Err(Trouble::from_websocket(&error, &self.name())),
            Err(_) => Err(Trouble::TimedOut),
        }
    }

    /// Host and port, for reading.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn connect(&self) -> Result<TcpStream, Trouble> {
        let unknown = || Trouble::UnknownHost { host: self.host.clone() };
        let (addresses, head_start) = if self.addresses.is_empty() {
            // tokio asks the system on a thread of its own pool, so a slow name server holds up nobody else.
            let lookup = timeout(STEP, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
            (in_turns(lookup.map_err(|_| Trouble::TimedOut)?.map_err(|_| unknown())?), HEAD_START)
        } else {
            // Nobody has put these in order.
            (in_turns(self.addresses.iter().copied()), Duration::ZERO)
        };
        let mut attempts: FuturesUnordered<_> = addresses
            .into_iter()
            .enumerate()
            .map(|(i, address)| async move {
                sleep(head_start * u32::try_from(i).unwrap_or(u32::MAX)).await;
                timeout(STEP, TcpStream::connect(address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            })
            .collect();
        let mut trouble = unknown();
        while let Some(attempt) = attempts.next().await {
            match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => trouble = Trouble::from_io(&error, &self.name()),
            }
        }
        Err(trouble)
    }
}

/// Reads an address; `http` and `https` are taken for `ws` and `wss`.
fn parse(url: &str) -> Option<(Uri, bool)> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "wss" | "https" => true,
        "ws" | "http" => false,
        _ => return None,
    };
    let uri: Uri = format!("{}://{rest}", if secure { "wss" } else { "ws" }).parse().ok()?;
    let authority = uri.authority()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let port_makes_sense = port.is_empty() || uri.port_u16().is_some_and(|port| port != 0);
    (!authority.host().is_empty() && port_makes_sense).then_some((uri, secure))
}

/// Addresses with IPv6 and IPv4 taking turns, the system's first choice first.
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let all: Vec<_> = addresses.take(64).collect();
    let first_kind = all.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| address.is_ipv6() == first_kind);
    let longest = one.len().max(other.len());
    one.reverse();
    other.reverse();
    (0..longest).flat_map(|_| [one.pop(), other.pop()]).flatten().take(MOST_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nonsense_is_refused() {
        let read = |url| parse(url).map(|(uri, secure)| (uri.to_string(), secure));
        assert_eq!(read("ws://127.0.0.1:8080"), Some(("ws://127.0.0.1:8080/".into(), false)));
        assert_eq!(read(" https://call.example/x "), Some(("wss://call.example/x".into(), true)));
        assert_eq!(read("wss://[2001:db8::1]:7"), Some(("wss://[2001:db8::1]:7/".into(), true)));
        for bad in [
            "",
            "call.example",
            "ftp://call.example",
            "ws://",
            "ws://a b",
            "ws://user@host",
            "ws://host:0",
            "ws://host:99999",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn both_families_get_their_turn() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"].map(|a| a.parse::<SocketAddr>().unwrap());
        let [a, b, c, d] = addresses;
        assert_eq!(in_turns(addresses.into_iter()), [a, d, b, c]);
        assert_eq!(in_turns([d].into_iter()), [d]);
        assert!(in_turns([].into_iter()).is_empty());
    }
}
