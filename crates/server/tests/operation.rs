//! What whoever runs a server relies on: figures, and an end that is told.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{LONG, ROOM, Raw, Server, get, http};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use visavis_server::{MetricsFor, ServerConfig};

/// The value of one figure.
fn figure(page: &str, name: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

#[tokio::test]
async fn figures_say_how_much_there_is_and_nothing_about_whom() {
    let server = Server::start(ServerConfig::default()).await;
    let (mut a, mut b) = (Raw::connect(&server).await, Raw::connect(&server).await);
    let (seat_a, seat_b) = (a.open(ROOM).await, b.join(ROOM).await);
    assert_eq!(a.hear().await.unwrap()["type"], "peer-joined");
    a.say(&common::offer(ROOM, &seat_a, &seat_b, "x")).await;
    assert_eq!(b.hear().await.unwrap()["type"], "offer");
    assert_eq!(b.join(ROOM).await["code"], "already-in-room");
    let page = get(&server, "/metrics").await;
    assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
    for (name, value) in [
        ("visavis_connections", 2),
        ("visavis_rooms", 1),
        ("visavis_accepted_total", 3),
        ("visavis_seats_total{how=\"opened\"}", 1),
        ("visavis_seats_total{how=\"joined\"}", 1),
        ("visavis_messages_passed_total", 1),
        ("visavis_refused_messages_total{code=\"already-in-room\"}", 1),
        ("visavis_refused_connections_total{reason=\"address_rate\"}", 0),
        ("visavis_remembered_addresses{limit=\"rooms\"}", 1),
    ] {
        assert_eq!(figure(&page, name), value, "{name}");
    }
    for secret in [ROOM, seat_a["peerId"].as_str().unwrap(), seat_a["resume"].as_str().unwrap(), "127.0.0.1"] {
        assert!(!page.contains(secret), "{secret}");
    }
    let body = page.split_once("\r\n\r\n").unwrap().1;
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("visavis_") && value.parse::<f64>().is_ok(), "{line}");
        let family = name.split('{').next().unwrap();
        assert!(body.contains(&format!("# TYPE {family} ")) && body.contains(&format!("# HELP {family} ")), "{line}");
    }
}

#[tokio::test]
async fn figures_are_shown_to_whom_they_are_meant_for() {
    let through_a_proxy = "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n";
    for (metrics, here, from_outside) in [
        (MetricsFor::Nobody, "404", "404"),
        (MetricsFor::ThisMachine, "200", "404"),
        (MetricsFor::Everybody, "200", "200"),
    ] {
        let server = Server::start(ServerConfig { metrics, ..ServerConfig::default() }).await;
        assert_eq!(get(&server, "/metrics").await.split(' ').nth(1), Some(here), "{metrics:?}");
        assert_eq!(http(&server, through_a_proxy).await.split(' ').nth(1), Some(from_outside), "{metrics:?}");
    }
}

#[tokio::test]
async fn everybody_is_told_that_the_server_stops_and_nobody_holds_it_up() {
    let server = Server::start(ServerConfig::default()).await;
    let (mut a, mut b) = (Raw::connect(&server).await, Raw::connect(&server).await);
    let (seat_a, seat_b) = (a.open(ROOM).await, b.join(ROOM).await);
    assert_eq!(a.hear().await.unwrap()["type"], "peer-joined");
    a.say(&common::offer(ROOM, &seat_a, &seat_b, "the last word")).await;
    assert_eq!(b.hear().await.unwrap()["sealed"], "the last word");
    // A browser that keeps its connection, and one who never says anything.
    let mut browser = TcpStream::connect(server.address).await.unwrap();
    browser.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    browser.read_exact(&mut [0; 12]).await.unwrap();
    let mut mute = TcpStream::connect(server.address).await.unwrap();
    let stopped = tokio::spawn(server.stop());
    for raw in [&mut a, &mut b] {
        let Some(Ok(Message::Close(Some(frame)))) = timeout(LONG, raw.0.next()).await.unwrap() else {
            panic!("not told")
        };
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "the server is stopping"));
    }
    timeout(LONG, stopped).await.unwrap().unwrap();
    let _ = browser.read_to_end(&mut Vec::new()).await;
    let _ = mute.read_to_end(&mut Vec::new()).await;
}
