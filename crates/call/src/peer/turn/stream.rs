//! Streams to TURN servers: TCP from one local address, and TLS over it.

use super::super::resolver::NameCache;
use super::doors::Door;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// For the name, for the TCP connection, and for TLS, each: ICE gives an allocation up after eight seconds.
const STEP: Duration = Duration::from_secs(4);
/// What the system holds of what was not sent yet: a few packets, so that it is we who choose what is dropped.
const UNSENT: u32 = 16 * 1024;
/// What the system holds of what was not read yet: as much as a fast path with a long round trip needs.
const UNREAD: u32 = 512 * 1024;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// Its name leads nowhere.
    #[error("its name is not known")]
    UnknownName,
    /// TCP failed.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The certificate is not one that is trusted, or there are no certificates to trust.
    #[error("its certificate is not trusted: {0}")]
    Certificate(String),
    /// TLS failed for another reason.
    #[error("no encrypted connection came about: {0}")]
    Tls(io::Error),
}

impl StreamError {
    /// Whether this machine has no way to the server from one of its addresses (loopback, a network of containers).
    /// There may be one from another.
    pub(super) fn is_of_the_interface(&self) -> bool {
        use io::ErrorKind as E;
        match self {
            Self::Unreachable(error) => matches!(
                error.kind(),
                E::InvalidInput | E::NetworkUnreachable | E::HostUnreachable | E::AddrNotAvailable | E::NetworkDown
            ),
            Self::UnknownName | Self::Certificate(_) | Self::Tls(_) => false,
        }
    }
}

/// The certificates that are trusted, loaded once they are needed. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    ca: Option<PathBuf>,
    loaded: Arc<OnceCell<Arc<rustls::ClientConfig>>>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// Of this PEM file, or the system's.
    pub(crate) fn new(ca: Option<PathBuf>) -> Self {
        Self { ca, ..Self::default() }
    }

    /// Begins loading them. Must be called on a tokio runtime.
    pub(crate) fn prepare(&self) {
        if !self.loaded.initialized() {
            let trust = self.clone();
            tokio::spawn(async move {
                let _ = trust.get().await;
            });
        }
    }

    /// # Errors
    /// In words, where there are none.
    async fn get(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        let load = || async {
            let ca = self.ca.clone();
            let loaded = tokio::task::spawn_blocking(move || visavis_signaling::trust(ca)).await;
            loaded.map_err(|panic| panic.to_string())?.map_err(|error| error.to_string())
        };
        self.loaded.get_or_try_init(load).await.cloned()
    }
}

/// Where a stream's bytes come from and go to.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects from a local address, at any port of it.
pub(super) async fn connect(
    local: SocketAddr,
    door: &Door,
    names: &NameCache,
    trust: &Trust,
) -> Result<Box<dyn Stream>, StreamError> {
    let known = timeout(STEP, names.known(&door.host)).await.map_err(|_| StreamError::UnknownName)?;
    let same = |address: &SocketAddr| address.is_ipv6() == local.is_ipv6();
    let remote = known.into_iter().find(same).ok_or(StreamError::UnknownName)?;
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let tcp = timeout(STEP, tcp(local, remote)).await.map_err(late).flatten().map_err(StreamError::Unreachable)?;
    if !door.tls {
        return Ok(Box::new(tcp));
    }
    let config = trust.get().await.map_err(StreamError::Certificate)?;
    let name = ServerName::try_from(door.name().to_owned()).map_err(|_| StreamError::UnknownName)?;
    let tls = timeout(STEP, TlsConnector::from(config).connect(name, tcp)).await.map_err(late).flatten();
    Ok(Box::new(tls.map_err(tls_error)?))
}

async fn tcp(local: SocketAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let mut from = local;
    from.set_port(0);
    socket.bind(from)?;
    let _ = socket.set_recv_buffer_size(UNREAD);
    let stream = socket.connect(remote).await?;
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = socket2::SockRef::from(&stream).set_send_buffer_size(4 * UNSENT as usize);
    Ok(stream)
}

fn tls_error(error: io::Error) -> StreamError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => StreamError::Certificate(format!("{why:?}")),
        _ => StreamError::Tls(error),
    }
}
