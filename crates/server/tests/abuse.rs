//! Clients that misbehave: each is told, and nobody else notices.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{LONG, ROOM, Raw, Server, client, event, offer};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, client_async};
use visavis_server::ServerConfig;
use visavis_signaling::{ClientEvent, OriginLimits, RelayConfig, Trouble};

/// Two who talk with each other, and notice when anything disturbs them.
struct Bystanders {
    a: (Raw, Value),
    b: (Raw, Value),
}

impl Bystanders {
    async fn meet(server: &Server, room: &str) -> Self {
        let (mut a, mut b) = (Raw::connect(server).await, Raw::connect(server).await);
        let (seat_a, seat_b) = (a.open(room).await, b.join(room).await);
        assert_eq!(a.hear().await.unwrap()["type"], "peer-joined");
        Self { a: (a, seat_a), b: (b, seat_b) }
    }

    async fn talk(&mut self, room: &str) {
        let message = offer(room, &self.a.1, &self.b.1, "hello");
        self.a.0.say(&message).await;
        assert_eq!(self.b.0.hear().await, Some(message));
    }
}

#[tokio::test]
async fn nonsense_is_answered_and_disturbs_nobody() {
    let server = Server::start(ServerConfig::default()).await;
    let mut bystanders = Bystanders::meet(&server, ROOM).await;
    let mut raw = Raw::connect(&server).await;
    for (text, code) in [
        ("", "bad-message"),
        ("{", "bad-message"),
        ("null", "bad-message"),
        (r#"{"type":7}"#, "bad-message"),
        (r#"{"type":"open","type":"open"}"#, "bad-message"),
        (r#"{"type":"waltz"}"#, "unknown-type"),
        (r#"{"type":"open","version":9,"roomId":"0123456789abcdef0123456789abcdef"}"#, "version"),
        (r#"{"type":"join","version":1,"roomId":"ffffffffffffffffffffffffffffffff","pake":"x"}"#, "nobody-here"),
        (r#"{"type":"offer","roomId":"x","from":"y","to":"z"}"#, "not-in-room"),
    ] {
        raw.0.send(Message::text(text)).await.unwrap();
        assert_eq!(raw.hear().await.unwrap()["code"], code, "{text}");
    }
    raw.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(raw.hear().await.unwrap()["code"], "bad-message");
    assert_eq!(raw.join(ROOM).await["code"], "room-full");
    bystanders.talk(ROOM).await;
}

#[tokio::test]
async fn a_large_message_is_refused_and_a_huge_one_ends_the_connection() {
    let server = Server::start(ServerConfig::default()).await;
    let mut bystanders = Bystanders::meet(&server, ROOM).await;
    let mut raw = Raw::connect(&server).await;
    raw.0.send(Message::text("x".repeat(70_000))).await.unwrap();
    assert_eq!(raw.hear().await.unwrap()["code"], "too-large");
    assert_eq!(raw.open(&"a".repeat(32)).await["type"], "opened", "the connection goes on");
    raw.0.send(Message::text("x".repeat(140_000))).await.unwrap();
    assert_eq!(raw.hear().await.unwrap()["code"], "too-large");
    assert_eq!(raw.hear().await, None);
    bystanders.talk(ROOM).await;
}

#[tokio::test]
async fn a_flood_is_refused_then_cut_off() {
    let server = Server::start(ServerConfig::default()).await;
    let mut bystanders = Bystanders::meet(&server, ROOM).await;
    let raw = Raw::connect(&server).await;
    let (mut sink, mut stream) = raw.0.split();
    let flood = tokio::spawn(async move {
        // Until the server has had enough.
        while sink.send(Message::text("{}")).await.is_ok() {}
    });
    let (mut bad, mut fast, mut closed) = (0, 0, None);
    while let Some(Ok(message)) = timeout(LONG, stream.next()).await.unwrap() {
        match message {
            Message::Text(text) if text.contains("bad-message") => bad += 1,
            Message::Text(text) if text.contains("too-fast") => fast += 1,
            Message::Close(frame) => closed = frame.map(|frame| frame.code),
            other => panic!("{other}"),
        }
    }
    // The end may be a reset rather than a good-bye: the flood is still on its way when the server closes.
    assert!(closed.is_none_or(|code| code == CloseCode::Policy), "{closed:?}");
    assert!((100..400).contains(&bad) && (1..10).contains(&fast), "{bad} {fast}");
    bystanders.talk(ROOM).await;
    timeout(LONG, flood).await.unwrap().unwrap();
}

/// Far more than fits between the two, and than a connection may say before it is cut off.
const ENDLESS: usize = 32 * 1024 * 1024;

#[tokio::test]
async fn a_flood_of_pings_or_pongs_is_cut_off_and_what_nobody_reads_is_not_gathered() {
    for config in [ServerConfig::default(), ServerConfig::embedded()] {
        let server = Server::start(config).await;
        let mut bystanders = Bystanders::meet(&server, ROOM).await;
        for flood in [Message::Ping(vec![0; 125].into()), Message::Pong(vec![0; 125].into())] {
            // Nothing is read here, neither answers nor the good-bye.
            let (mut raw, mut sent) = (Raw::connect(&server).await, 0);
            while let Ok(()) = timeout(LONG, raw.0.send(flood.clone())).await.expect("it is ended") {
                sent += flood.len();
                assert!(sent < ENDLESS, "whatever is sent is taken");
            }
        }
        bystanders.talk(ROOM).await;
    }
}

#[tokio::test]
async fn a_ping_is_answered_at_once_and_shows_no_more_than_that_somebody_is_there() {
    let server = Server::start(ServerConfig::default()).await;
    let mut raw = Raw::connect(&server).await;
    for n in 0..50 {
        raw.0.send(Message::Ping(vec![n].into())).await.unwrap();
        let answer = timeout(LONG, raw.0.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(answer, Message::Pong(vec![n].into()));
    }
    assert_eq!(raw.open(ROOM).await["type"], "opened");
}

#[tokio::test]
async fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    // What one address may send is no matter here.
    let relay = RelayConfig { per_origin: OriginLimits::NONE, ..RelayConfig::default() };
    let server = Server::start(ServerConfig { relay, ..ServerConfig::default() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = MaybeTlsStream::Plain(socket.connect(server.address).await.unwrap());
    let (slow, _) = client_async(server.url(), stream).await.unwrap();
    let (mut a, mut slow) = (Raw::connect(&server).await, Raw(slow));
    let seat = a.open(ROOM).await;
    let seat_slow = slow.join(ROOM).await;
    assert_eq!(a.hear().await.unwrap()["type"], "peer-joined");
    let large = offer(ROOM, &seat, &seat_slow, &"x".repeat(60_000));
    for _ in 0..95 {
        a.say(&large).await;
    }
    let other = "b".repeat(32);
    Bystanders::meet(&server, &other).await.talk(&other).await;
    // Answered after all of the large ones were dealt with.
    assert_eq!(a.open(&other).await["code"], "already-in-room");
    let mut heard = 0;
    while slow.hear().await.is_some() {
        heard += 1;
    }
    assert!(heard < 95, "{heard}");
    // Its seat is kept, as after any broken connection.
    let mut again = Raw::connect(&server).await;
    let resume = json!({"type": "resume", "version": 1, "roomId": ROOM, "resume": seat_slow["resume"], "received": 95});
    assert_eq!(again.ask(&resume).await["type"], "resumed");
}

#[tokio::test]
async fn one_connection_too_many_is_told_that_the_server_is_full() {
    let config = ServerConfig { max_connections: 1, ..ServerConfig::default() };
    let server = Server::start(config).await;
    let first = Raw::connect(&server).await;
    let mut second = client(&server.url());
    let ClientEvent::Disconnected { why, .. } = event(&mut second).await else { panic!("let in") };
    assert_eq!(why, Trouble::Busy);
    drop(first);
    loop {
        if matches!(event(&mut second).await, ClientEvent::Connected) {
            break;
        }
    }
}

#[tokio::test]
async fn limits_from_the_configuration_hold() {
    let relay = RelayConfig { max_rooms: 1, room_size: 3, ..RelayConfig::default() };
    let server = Server::start(ServerConfig { relay, ..ServerConfig::default() }).await;
    let mut a = Raw::connect(&server).await;
    assert_eq!(a.open(ROOM).await["type"], "opened");
    let mut others = Vec::new();
    for expected in ["joined", "joined", "error"] {
        let mut other = Raw::connect(&server).await;
        assert_eq!(other.join(ROOM).await["type"], expected);
        others.push(other);
    }
    assert_eq!(others[2].open(&"c".repeat(32)).await["code"], "server-full");
}

#[tokio::test]
async fn plain_requests_are_answered() {
    let server = Server::start(ServerConfig::default()).await;
    let health = common::get(&server, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("\r\n\r\nok\n"), "{health}");
    assert!(common::get(&server, "/").await.contains("<title>Visavis</title>"));
    assert!(common::get(&server, "/nothing").await.starts_with("HTTP/1.1 404"));
    assert!(common::http(&server, "rubbish\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!common::http(&server, &long).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_server_inside_the_app_is_not_for_web_pages() {
    for (config, allowed) in [(ServerConfig::embedded(), false), (ServerConfig::default(), true)] {
        let server = Server::start(config).await;
        let mut request = server.url().into_client_request().unwrap();
        request.headers_mut().insert("origin", "https://page.example".parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => assert!(allowed),
            Err(Error::Http(response)) => assert!(!allowed && response.status() == 403),
            Err(error) => panic!("{error}"),
        }
        let _ = Raw::connect(&server).await;
    }
}
