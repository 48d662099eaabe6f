//! From a listening socket to HTTP: connections accepted, limited, encrypted, served, ended.

use crate::config::{ServerConfig, ServerError, TlsFiles};
use crate::http::{Seat, router};
use crate::hub::Hub;
use crate::reload::Reloader;
use crate::tls;
use crate::turn::Turn;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

/// For a TLS handshake, and for the headers of a request: who connects and says nothing is not kept.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest headers of a request; also what an idle connection may cost.
const HEADER_BYTES: usize = 16 * 1024;
/// Pause after a failed accept: mostly too many open files, which others have to close first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long open connections may take to end.
const GOODBYE: Duration = Duration::from_secs(2);
/// What somebody hears for whom there is no room.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves until `shutdown` is done, then tells every client, closes all connections, and returns.
///
/// The caller brings the socket: bind port 0 to let the system choose one, and read it from the listener before.
/// WebSockets are accepted at `/` and `/ws`; `/healthz` answers `ok`; a browser that opens `/` is given the guest's page.
///
/// # Errors
/// Where certificate or key cannot be used. Whatever clients do is no error of the server.
pub async fn run(
    listener: TcpListener,
    mut config: ServerConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServerError> {
    let mut reloader = Reloader::default();
    let tls = config.tls.as_ref().map(|files| watched_tls(files, &mut reloader)).transpose()?;
    if let Some(turn) = &config.turn {
        let turn = Arc::new(Turn::new(turn)?);
        config.relay.turn = Some(turn.clone());
        reloader.add(&[&turn.file().to_owned()], move || turn.reread());
    }
    let hub = Hub::new(config.relay.clone());
    let most = u32::try_from(config.max_connections).unwrap_or(u32::MAX);
    let seats = Arc::new(Semaphore::new(most as usize));
    let router = router(hub.clone(), config.browsers, config.guest_page);
    let mut connections = JoinSet::new();
    connections.spawn(reloader.run(config.reload_every));
    connections.spawn(hub.clone().watch_time());
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let Ok(seat) = seats.clone().try_acquire_owned() else {
                        refuse(&stream);
                        continue;
                    };
                    let tls = tls.as_ref().map(|tls| tls.borrow().clone());
                    connections.spawn(connection(stream, tls, router.clone(), Seat::new(seat)));
                }
                Err(error) => {
                    debug!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    // Refuse from here on, instead of letting newcomers hang.
    drop((listener, router));
    hub.stop();
    let _ = timeout(GOODBYE, seats.acquire_many(most)).await;
    connections.shutdown().await;
    Ok(())
}

/// TLS from files, and from the same files when they have changed; connections that stand keep what they began with.
fn watched_tls(files: &TlsFiles, reloader: &mut Reloader) -> Result<watch::Receiver<TlsAcceptor>, ServerError> {
    let (current, seen) = watch::channel(tls::acceptor(files)?);
    let again = files.clone();
    reloader.add(&[&files.cert, &files.key], move || tls::acceptor(&again).map(|tls| drop(current.send(tls))));
    Ok(seen)
}

/// One connection, up to its end or its upgrade to a WebSocket.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, seat: Seat) {
    let _ = stream.set_nodelay(true);
    let done = match tls {
        None => http(stream, router, seat).await,
        Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(stream, router, seat).await,
            Ok(Err(error)) => return debug!(%error, "no TLS came about"),
            Err(_) => return debug!("TLS took too long"),
        },
    };
    if let Err(error) = done {
        debug!(%error, "a request could not be served");
    }
}

async fn http<S>(stream: S, router: Router, seat: Seat) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let seated = service_fn(move |mut request: Request<Incoming>| {
        // A WebSocket outlives this task; its seat goes with it.
        request.extensions_mut().insert(seat.clone());
        service.call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), seated)
        .with_upgrades()
        .await
}

/// Says that there is no room, as far as that goes without waiting.
fn refuse(stream: &TcpStream) {
    let said: io::Result<usize> = stream.try_write(BUSY);
    debug!(said = said.is_ok(), "no room for another connection");
}
