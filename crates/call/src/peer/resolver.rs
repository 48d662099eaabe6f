//! Name look-ups that never hold up a connection.
//!
//! The webrtc crate resolves one STUN URL after the other inside the connection's own loop, where a resolver that
//! does not answer would stop everything. So names are looked up beforehand, side by side, and the connection's
//! `Runtime` answers from what is known at that moment.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use webrtc::runtime::TokioRuntime;
use webrtc::runtime::{AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime};

/// A look-up that has not answered by then is not waited for; its answer is used by the next connection.
const PATIENCE: Duration = Duration::from_millis(500);

/// What names are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameCache(Arc<Mutex<HashMap<String, Vec<SocketAddr>>>>);

impl NameCache {
    /// Looks all `host:port` up side by side; returns when all have answered or the patience is over.
    pub(crate) async fn fill(&self, hosts: impl IntoIterator<Item = String>) {
        let mut lookups = tokio::task::JoinSet::new();
        for host in hosts {
            let known = self.clone();
            lookups.spawn(async move {
                if let Ok(found) = tokio::net::lookup_host(&host).await {
                    let found = found.collect();
                    known.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), found);
                }
            });
        }
        let all = async { while lookups.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            // Slow answers still land in the cache, for the next connection.
            lookups.detach_all();
        }
    }

    fn get(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<SocketAddr>() {
            return Ok(vec![address]);
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(host).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "name not resolved yet"))
    }
}

/// `host:port` of a `stun:`, `turn:` or `turns:` URL (RFC 7064, RFC 7065), with the default port where none is given.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let default = match scheme {
        "stun" | "turn" => 3478,
        "stuns" | "turns" => 5349,
        _ => return None,
    };
    let host = rest.split('?').next().filter(|h| !h.is_empty())?;
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(head, port)| port.parse::<u16>().is_ok() && (!head.contains(':') || head.ends_with(']')));
    Some(if has_port { host.to_owned() } else { format!("{host}:{default}") })
}

/// Tokio, but for look-ups.
#[derive(Debug)]
pub(crate) struct CachedNames(pub(crate) NameCache);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for CachedNames {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, remote: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async move { TokioRuntime.connect_tcp(remote).await })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        let answer = self.0.get(host);
        Box::pin(async move { answer })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn name(&self) -> &'static str {
        "tokio with cached names"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_ice_urls() {
        assert_eq!(host_of("stun:stun.example.org").as_deref(), Some("stun.example.org:3478"));
        assert_eq!(host_of("turn:10.0.0.1:99?transport=udp").as_deref(), Some("10.0.0.1:99"));
        assert_eq!(host_of("turns:relay.example.org?transport=tcp").as_deref(), Some("relay.example.org:5349"));
        assert_eq!(host_of("stun:[2001:db8::1]").as_deref(), Some("[2001:db8::1]:3478"));
        assert_eq!(host_of("http://example.org"), None);
    }

    #[tokio::test]
    async fn an_unknown_name_is_refused_at_once_and_an_address_needs_no_look_up() {
        let runtime = CachedNames(NameCache::default());
        assert!(runtime.resolve_host("never.invalid:3478").await.is_err());
        assert_eq!(runtime.resolve_host("127.0.0.1:1").await.expect("an address").len(), 1);
    }
}
