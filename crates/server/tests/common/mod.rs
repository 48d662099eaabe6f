//! A server on loopback, and clients that wait for no longer than a test may take.
#![allow(dead_code, reason = "each test file uses its own part")]

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use visavis_server::{ServerConfig, run};
use visavis_signaling::{Client, ClientConfig, ClientEvent, ServerMessage};

pub const ROOM: &str = "0123456789abcdef0123456789abcdef";
/// Longer than anything here takes, even on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

pub struct Server {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(config: ServerConfig) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), config).await
    }

    pub async fn start_at(address: SocketAddr, config: ServerConfig) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            run(listener, config, async { drop(stopped.await) }).await.unwrap();
        });
        Self { address, stop: Some(stop), task }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub async fn stop(mut self) {
        self.stop = None;
        timeout(LONG, self.task).await.expect("the server ends").unwrap();
    }
}

/// What a server answers to a request, as text.
pub async fn http(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// The same to a request for a path.
pub async fn get(server: &Server, path: &str) -> String {
    http(server, &format!("GET {path} HTTP/1.1\r\nHost: call.example\r\nConnection: close\r\n\r\n")).await
}

/// A WebSocket without any of the client's manners.
pub struct Raw(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Raw {
    pub async fn connect(server: &Server) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(server.url()).await.unwrap();
        Self(socket)
    }

    /// From another address of this machine, perhaps through a proxy that says where it really comes from; refused with
    /// an HTTP status.
    pub async fn connect_from(server: &Server, source: &str, forwarded: Option<&str>) -> Result<Self, u16> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(server.address).await.unwrap());
        let mut request = server.url().into_client_request().unwrap();
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message; `None` at the end of the connection, however it ends.
    pub async fn hear(&mut self) -> Option<Value> {
        loop {
            match timeout(LONG, self.0.next()).await.expect("something comes") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(Error::Io(_) | Error::Protocol(_))) | None => return None,
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error}"),
            }
        }
    }

    /// Sends a message and hears the answer.
    pub async fn ask(&mut self, message: &Value) -> Value {
        self.say(message).await;
        self.hear().await.expect("an answer")
    }

    pub async fn open(&mut self, room: &str) -> Value {
        self.ask(&json!({"type": "open", "version": 1, "roomId": room})).await
    }

    pub async fn join(&mut self, room: &str) -> Value {
        self.ask(&json!({"type": "join", "version": 1, "roomId": room, "pake": "x"})).await
    }
}

pub fn offer(room: &str, from: &Value, to: &Value, sealed: &str) -> Value {
    json!({"type": "offer", "roomId": room, "from": from["peerId"], "to": to["peerId"], "n": 1, "callId": "c", "sealed": sealed})
}

pub fn client(url: &str) -> Client {
    Client::spawn(ClientConfig::new(url))
}

/// The next event.
pub async fn event(client: &mut Client) -> ClientEvent {
    timeout(LONG, client.next()).await.expect("an event comes").expect("the client goes on")
}

/// The next message, whatever comes between.
pub async fn message(client: &mut Client) -> ServerMessage {
    loop {
        if let ClientEvent::Message(message) = event(client).await {
            return message;
        }
    }
}
