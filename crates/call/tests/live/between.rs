//! What stands between one client and a real server, and meddles with the messages. What is no WebSocket is passed on as
//! it is, so that the page for guests can be loaded through it.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use visavis_signaling::Kind;

/// Longer than a request's head of any browser.
const LONGEST_HEAD: usize = 16 * 1024;

/// What is made of a message: what goes on to where it was going, and what goes back to its sender.
pub struct Meddled {
    pub on: Vec<Value>,
    pub back: Vec<Value>,
}

impl Meddled {
    pub fn passed(message: &Value) -> Self {
        Self { on: vec![message.clone()], back: Vec::new() }
    }
}

/// The kind of a sealed message.
pub fn kind_of(message: &Value) -> Option<Kind> {
    match message["type"].as_str()? {
        "offer" => Some(Kind::Offer),
        "answer" => Some(Kind::Answer),
        "ice-candidate" => Some(Kind::IceCandidate),
        _ => None,
    }
}

/// Until one of the two closes. `server`: `host:port`; `meddle` is asked about each message, and whether a client sent it.
pub async fn stand_between(
    client: TcpStream,
    server: String,
    meddle: Arc<impl Fn(&Value, bool) -> Meddled + Send + Sync + 'static>,
) {
    if !is_upgrade(&client).await {
        let (mut client, Ok(mut server)) = (client, TcpStream::connect(server).await) else { return };
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
    let Ok(mut client) = tokio_tungstenite::accept_async(client).await else { return };
    let Ok((mut server, _)) = tokio_tungstenite::connect_async(format!("ws://{server}")).await else { return };
    loop {
        let (message, from_client) = tokio::select! {
            message = client.next() => (message, true),
            message = server.next() => (message, false),
        };
        let Some(Ok(message)) = message else { return };
        let Message::Text(said) = message else { continue };
        let meddled = meddle(&serde_json::from_str(&said).expect("both send JSON"), from_client);
        let (to_server, to_client) = if from_client { (meddled.on, meddled.back) } else { (meddled.back, meddled.on) };
        for message in to_server {
            if server.send(Message::text(message.to_string())).await.is_err() {
                return;
            }
        }
        for message in to_client {
            if client.send(Message::text(message.to_string())).await.is_err() {
                return;
            }
        }
    }
}

/// Whether a WebSocket is asked for; nothing is taken from the stream. On loopback a head comes in one piece.
async fn is_upgrade(client: &TcpStream) -> bool {
    let mut head = vec![0; LONGEST_HEAD];
    let length = client.peek(&mut head).await.unwrap_or(0);
    String::from_utf8_lossy(&head[..length]).to_ascii_lowercase().contains("upgrade: websocket")
}
