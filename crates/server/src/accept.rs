//! From a listening socket to HTTP: connections accepted, limited, encrypted, served, ended.

use crate::config::{ServerConfig, ServerError, TlsFiles};
use crate::guard::Guard;
use crate::http::{Seat, Server, router};
use crate::hub::Hub;
use crate::metrics::Counters;
use crate::network::Network;
use crate::reload::Reloader;
use crate::spread::{self, Exchange};
use crate::tls;
use crate::turn::Turn;
use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

/// For a TLS handshake, and for the headers of a request: who connects and says nothing is not kept.
const PATIENCE: Duration = Duration::from_secs(10);
/// For everything before a connection becomes a WebSocket, answers that are slowly read included.
const PAGE_WITHIN: Duration = Duration::from_secs(120);
/// Requests that one connection may make; the page for guests and its files are half as many. So what one address asks
/// for is bounded by its new connections.
const MOST_REQUESTS: usize = 50;
/// Longest headers of a request; also what an idle connection may cost.
const HEADER_BYTES: usize = 16 * 1024;
/// Pause after a failed accept: mostly too many open files, which others have to close first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long open connections may take to end.
const GOODBYE: Duration = Duration::from_secs(10);
/// What somebody hears for whom there is no room, and who has too much of it already.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves until `shutdown` is done, then tells every client, closes all connections within 10 s, and returns.
///
/// The caller brings the socket: bind port 0 to let the system choose one, and read it from the listener before.
/// WebSockets are accepted at `/` and `/ws`; `/healthz` answers `ok`, `/metrics` figures for Prometheus; a browser that
/// opens `/` is given the guest's page.
///
/// # Errors
/// Where certificate, key or secret cannot be used. Whatever clients do is no error of the server.
pub async fn run(
    listener: TcpListener,
    mut config: ServerConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServerError> {
    let counters = Arc::new(Counters::default());
    let mut reloader = Reloader::new(counters.clone());
    let tls = config.tls.as_ref().map(|files| watched_tls(files, &mut reloader)).transpose()?;
    if let Some(turn) = &config.turn {
        let turn = Arc::new(Turn::new(turn)?);
        config.relay.turn = Some(turn.clone());
        let again = turn.clone();
        reloader.add(&[turn.file()], move || again.reread());
    }
    let (guard, (stop, stopping)) = (Guard::new(config.per_address), watch::channel(()));
    let (mut tasks, mut sharing) = (JoinSet::new(), JoinSet::new());
    let hub = match config.redis.clone() {
        None => Hub::new(config.relay.clone()),
        Some(redis) => {
            let (line, directory, exchange) = Exchange::new();
            let hub = Hub::sharing(config.relay.clone(), config.max_connections, line, directory);
            sharing.spawn(spread::serve(redis, hub.clone(), guard.clone(), exchange, stopping.clone()));
            hub
        }
    };
    tasks.spawn(reloader.run(config.reload_every));
    tasks.spawn(hub.clone().watch_time());
    let most = config.max_connections.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
    let seats = Arc::new(Semaphore::new(most));
    let server = Server { hub: hub.clone(), guard, counters, since: Instant::now(), config };
    let door = Door { server: Arc::new(server), tls, seats: seats.clone(), stopping };
    let router = router(door.server.clone());
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => if let Some(seat) = door.let_in(&stream, peer) {
                    tasks.spawn(door.clone().connection(stream, router.clone(), seat));
                },
                Err(error) => {
                    debug!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    // Refuse from here on, instead of letting newcomers hang.
    drop((listener, router, door));
    hub.stop();
    drop(stop);
    while sharing.join_next().await.is_some() {}
    let _ = timeout(GOODBYE, seats.acquire_many(u32::try_from(most).unwrap_or(u32::MAX))).await;
    tasks.shutdown().await;
    Ok(())
}

/// TLS from files, and from the same files when they have changed; connections that stand keep what they began with.
fn watched_tls(files: &TlsFiles, reloader: &mut Reloader) -> Result<watch::Receiver<TlsAcceptor>, ServerError> {
    let (current, seen) = watch::channel(tls::acceptor(files)?);
    let again = files.clone();
    reloader.add(&[&files.cert, &files.key], move || tls::acceptor(&again).map(|tls| drop(current.send(tls))));
    Ok(seen)
}

/// What each new connection needs.
#[derive(Clone)]
struct Door {
    server: Arc<Server>,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    seats: Arc<Semaphore>,
    /// Closed when the server stops.
    stopping: watch::Receiver<()>,
}

impl Door {
    /// Counts a connection that has just come; none where it may not stay.
    fn let_in(&self, stream: &TcpStream, peer: SocketAddr) -> Option<Seat> {
        self.server.counters.accepted.count();
        let visit = match self.server.config.trust_proxy {
            // The proxy's own address says nothing.
            true => None,
            false => {
                let network = Network::from(peer.ip());
                match self.server.guard.admit(Instant::now(), network) {
                    Ok(visit) => Some(visit),
                    Err(refusal) => {
                        self.server.refused(refusal, network);
                        refuse(stream, TOO_MANY, self.tls.is_none());
                        return None;
                    }
                }
            }
        };
        let Ok(permit) = self.seats.clone().try_acquire_owned() else {
            self.server.counters.full.count();
            refuse(stream, BUSY, self.tls.is_none());
            return None;
        };
        Some(Seat::new(permit, visit, peer.ip()))
    }

    /// One connection, up to its end or its upgrade to a WebSocket.
    async fn connection(self, stream: TcpStream, router: Router, seat: Seat) {
        let _ = stream.set_nodelay(true);
        let counters = self.server.counters.clone();
        let tls = self.tls.as_ref().map(|tls| tls.borrow().clone());
        let done = match tls {
            None => http(stream, router, seat, self.stopping).await,
            Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
                Ok(Ok(stream)) => http(stream, router, seat, self.stopping).await,
                Ok(Err(error)) => {
                    counters.no_tls.count();
                    return debug!(%error, "no TLS came about");
                }
                Err(_) => {
                    counters.no_tls.count();
                    return debug!("TLS took too long");
                }
            },
        };
        if let Err(error) = done {
            counters.no_request.count();
            debug!(error, "a request could not be served");
        }
    }
}

async fn http<S>(stream: S, router: Router, seat: Seat, mut stopping: watch::Receiver<()>) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let asked = AtomicUsize::new(0);
    let seated = service_fn(move |mut request: Request<Incoming>| {
        // A WebSocket outlives this task; its seat goes with it.
        request.extensions_mut().insert(seat.clone());
        let last = asked.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_REQUESTS;
        let answer = service.call(request);
        async move {
            let mut answer = answer.await?;
            if last && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), seated)
        .with_upgrades();
    tokio::pin!(connection);
    let served = async {
        tokio::select! {
            served = connection.as_mut() => return served,
            _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    match timeout(PAGE_WITHIN, served).await {
        Ok(served) => served.map_err(|error| error.to_string()),
        Err(_) => Err("it took too long".to_owned()),
    }
}

/// Says why somebody is not served, as far as that goes without waiting; under TLS there is no way to.
fn refuse(stream: &TcpStream, why: &[u8], in_the_clear: bool) {
    if in_the_clear {
        let said: io::Result<usize> = stream.try_write(why);
        debug!(said = said.is_ok(), "somebody was not let in");
    }
}
