//! A signaling server that says whatever a test wants it to say, and one that meddles with a real one's messages.

use crate::between::{Meddled, stand_between};
use crate::common::runtime;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::Message;

/// What it answers to each message; connections share it.
type Script = Box<dyn FnMut(&Value) -> Vec<Message> + Send>;

/// A listener on loopback; it ends with the test.
pub struct Impostor {
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub fn text(value: &Value) -> Message {
    Message::text(value.to_string())
}

/// What a server of another version says to everything.
pub fn version_error() -> Message {
    text(&json!({"type": "error", "code": "version", "message": "this server speaks version 99"}))
}

impl Impostor {
    /// Speaks WebSocket and follows the script.
    pub fn start(script: impl FnMut(&Value) -> Vec<Message> + Send + 'static) -> Self {
        Self::greeting(Vec::new(), script)
    }

    /// Says something at once to whoever connects, too.
    pub fn greeting(hello: Vec<Message>, script: impl FnMut(&Value) -> Vec<Message> + Send + 'static) -> Self {
        let (listener, address) = listen();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let task = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, hello.clone(), script.clone()));
            }
        });
        Self { address, task: task.abort_handle() }
    }

    /// Speaks no WebSocket: says these bytes and listens for ever.
    pub fn start_raw(bytes: &'static [u8]) -> Self {
        let (listener, address) = listen();
        let task = runtime().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.write_all(bytes).await;
                    let mut sink = [0; 1024];
                    while stream.read(&mut sink).await.is_ok_and(|n| n > 0) {}
                });
            }
        });
        Self { address, task: task.abort_handle() }
    }

    /// Stands between clients and a real server; `meddle` is asked about each message, and whether a client sent it.
    pub fn between(server: SocketAddr, meddle: impl Fn(&Value, bool) -> Meddled + Send + Sync + 'static) -> Self {
        let (listener, address) = listen();
        let meddle = Arc::new(meddle);
        let task = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(stand_between(stream, server.to_string(), meddle.clone()));
            }
        });
        Self { address, task: task.abort_handle() }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

async fn play(stream: TcpStream, hello: Vec<Message>, script: Arc<Mutex<Script>>) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    for message in hello {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(said) = message else { continue };
        let said = serde_json::from_str(&said).expect("clients send JSON");
        let answers = script.lock().unwrap_or_else(PoisonError::into_inner)(&said);
        for answer in answers {
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    }
}
