//! What is behind which path.

use crate::guest;
use crate::hub::Hub;
use crate::socket;
use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::header::{CACHE_CONTROL, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// What somebody sees who opens the address in a browser, where no guest's page is served.
const ABOUT: &str = "This is a Visavis signaling server.

It helps two people who know the same four words to find each other; it can neither see nor hear what they say.
To use it, give its address to the Visavis app: --server wss://HOST, or ws://HOST:PORT where it runs without TLS.
";

/// One of the connections that a server allows; the last clone gives it back.
#[derive(Clone, Debug)]
pub(crate) struct Seat(#[expect(dead_code, reason = "held for its end")] Arc<OwnedSemaphorePermit>);

impl Seat {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(permit))
    }
}

#[derive(Clone)]
struct Server {
    hub: Hub,
    browsers: bool,
    guest_page: bool,
}

/// All paths.
pub(crate) fn router(hub: Hub, browsers: bool, guest_page: bool) -> Router {
    let guest = if guest_page { guest::router() } else { Router::new() };
    Router::new()
        .route("/", get(websocket))
        .route("/ws", get(websocket))
        .route("/healthz", get(|| async { ([(CACHE_CONTROL, "no-store")], "ok\n") }))
        .merge(guest)
        .with_state(Server { hub, browsers, guest_page })
}

async fn websocket(
    State(Server { hub, browsers, guest_page }): State<Server>,
    Extension(seat): Extension<Seat>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Err(_) if guest_page => guest::page(&headers),
        Err(_) => ABOUT.into_response(),
        Ok(_) if !browsers && headers.contains_key(ORIGIN) => {
            (StatusCode::FORBIDDEN, "this server is not for web pages\n").into_response()
        }
        Ok(upgrade) => socket::accept(upgrade, hub, seat),
    }
}
