//! What is behind which path.

use crate::config::{MetricsFor, ServerConfig};
use crate::guard::{Guard, Refusal, Visit};
use crate::guest;
use crate::hub::Hub;
use crate::metrics::{self, Counters};
use crate::network::{Network, last_hop};
use crate::socket;
use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, info};

/// What somebody sees who opens the address in a browser, where no guest's page is served.
const ABOUT: &str = "This is a Visavis signaling server.

It helps two people who know the same four words to find each other; it can neither see nor hear what they say.
To use it, give its address to the Visavis app: --server wss://HOST, or ws://HOST:PORT where it runs without TLS.
";
/// What a proxy says about where a request comes from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// One of the connections that a server allows; the last clone gives it back.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    #[expect(dead_code, reason = "held for its end")]
    permit: Arc<OwnedSemaphorePermit>,
    /// From where, unless only a proxy knows.
    visit: Option<Arc<Visit>>,
    /// The other end of the connection; a proxy's where there is one.
    peer: IpAddr,
}

impl Seat {
    pub(crate) fn new(permit: OwnedSemaphorePermit, visit: Option<Visit>, peer: IpAddr) -> Self {
        Self { permit: Arc::new(permit), visit: visit.map(Arc::new), peer }
    }
}

/// What answers need.
pub(crate) struct Server {
    pub(crate) hub: Hub,
    pub(crate) guard: Guard,
    pub(crate) counters: Arc<Counters>,
    pub(crate) since: Instant,
    pub(crate) config: ServerConfig,
}

/// All paths.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let guest = if server.config.guest_page { guest::router() } else { Router::new() };
    Router::new()
        .route("/", get(websocket))
        .route("/ws", get(websocket))
        .route("/healthz", get(health))
        .route("/metrics", get(figures))
        .merge(guest)
        .with_state(server)
}

/// Whether rooms can be opened and found here: for whoever spreads connections over several servers.
async fn health(State(server): State<Arc<Server>>) -> Response {
    let (status, words) = match server.hub.can_serve() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "no connection to Redis\n"),
    };
    (status, [(CACHE_CONTROL, "no-store")], words).into_response()
}

async fn websocket(
    State(server): State<Arc<Server>>,
    Extension(seat): Extension<Seat>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Err(_) if server.config.guest_page => return guest::page(&headers),
        Err(_) => return ABOUT.into_response(),
        Ok(_) if !server.config.browsers && headers.contains_key(ORIGIN) => {
            return (StatusCode::FORBIDDEN, "this server is not for web pages\n").into_response();
        }
        Ok(upgrade) => upgrade,
    };
    let visit = match &seat.visit {
        Some(visit) => visit.clone(),
        None => {
            let network = Network::from(behind_proxy(&headers).unwrap_or(seat.peer));
            match server.guard.admit(Instant::now(), network) {
                Ok(visit) => Arc::new(visit),
                Err(refusal) => {
                    server.refused(refusal, network);
                    let words = format!("{refusal}\n");
                    return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "60")], words).into_response();
                }
            }
        }
    };
    socket::accept(upgrade, server.hub.clone(), seat, visit)
}

async fn figures(State(server): State<Arc<Server>>, Extension(seat): Extension<Seat>, headers: HeaderMap) -> Response {
    let local = seat.peer.to_canonical().is_loopback() && !headers.contains_key(FORWARDED_FOR);
    let allowed = match server.config.metrics {
        MetricsFor::Nobody => false,
        MetricsFor::ThisMachine => local,
        MetricsFor::Everybody => true,
    };
    if !allowed {
        return StatusCode::NOT_FOUND.into_response();
    }
    let page = metrics::render(&server.counters, &server.hub, &server.guard, server.since);
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE), (CACHE_CONTROL, "no-store")], page).into_response()
}

/// Where a request comes from, as the proxy before us says.
fn behind_proxy(headers: &HeaderMap) -> Option<IpAddr> {
    last_hop(headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?)
}

impl Server {
    /// Counts a refusal, and logs it with its address only where that was asked for.
    pub(crate) fn refused(&self, refusal: Refusal, network: Network) {
        match refusal {
            Refusal::TooMany => self.counters.too_many.count(),
            Refusal::TooOften => self.counters.too_often.count(),
        }
        if self.config.log_addresses {
            info!(address = %network, %refusal, "a connection was refused");
        } else {
            debug!(%refusal, "a connection was refused");
        }
    }
}
