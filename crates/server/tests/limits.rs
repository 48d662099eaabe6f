//! What one address may do, and that others do not notice.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{LONG, ROOM, Raw, Server, client, event};
use serde_json::json;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use visavis_server::{AddressLimits, ServerConfig};
use visavis_signaling::{ClientEvent, OriginLimits, RelayConfig, Trouble};

const HERE: &str = "127.0.0.1";
const ELSEWHERE: &str = "127.0.0.2";

fn at_most(connections: u32) -> ServerConfig {
    let per_address = AddressLimits { connections, ..AddressLimits::NONE };
    ServerConfig { per_address, ..ServerConfig::default() }
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_others_are_let_in() {
    let server = Server::start(at_most(2)).await;
    let first = Raw::connect_from(&server, HERE, None).await.unwrap();
    let _second = Raw::connect_from(&server, HERE, None).await.unwrap();
    assert_eq!(Raw::connect_from(&server, HERE, None).await.err(), Some(429));
    Raw::connect_from(&server, ELSEWHERE, None).await.unwrap();
    let mut waits = client(&server.url());
    let ClientEvent::Disconnected { why, .. } = event(&mut waits).await else { panic!("let in") };
    assert_eq!(why, Trouble::Busy);
    drop(first);
    while !matches!(event(&mut waits).await, ClientEvent::Connected) {}
}

#[tokio::test]
async fn who_connects_again_and_again_has_to_wait() {
    let per_address = AddressLimits { connections: 0, connections_per_minute: 30 };
    let server = Server::start(ServerConfig { per_address, ..ServerConfig::default() }).await;
    let begun = Instant::now();
    let mut let_in = 0;
    while Raw::connect_from(&server, HERE, None).await.is_ok() {
        let_in += 1;
        assert!(let_in < 1000);
    }
    // More only where a slow machine takes longer for it.
    assert!(let_in >= 30 && let_in <= 31 + begun.elapsed().as_secs() / 2, "{let_in}");
    Raw::connect_from(&server, ELSEWHERE, None).await.unwrap();
}

#[tokio::test]
async fn behind_a_proxy_the_last_hop_counts_and_what_stands_before_it_does_not() {
    let server = Server::start(ServerConfig { trust_proxy: true, ..at_most(1) }).await;
    let via = async |forwarded| Raw::connect_from(&server, HERE, Some(forwarded)).await;
    let _first = via("192.0.2.1").await.unwrap();
    assert_eq!(via("192.0.2.1").await.err(), Some(429));
    assert_eq!(via("203.0.113.5, 192.0.2.1").await.err(), Some(429), "the first one, anybody can write");
    let _second = via("192.0.2.1, 192.0.2.2").await.unwrap();
    let _third = via("2001:db8:0:1::1").await.unwrap();
    assert_eq!(via("2001:db8:0:1::2").await.err(), Some(429), "one network");
    let _fourth = via("2001:db8:0:2::2").await.unwrap();
    let _nonsense = via("nonsense").await.unwrap();
    assert_eq!(via("other nonsense").await.err(), Some(429), "counted as the proxy itself");
}

#[tokio::test]
async fn without_a_proxy_nobody_can_say_that_they_come_from_elsewhere() {
    let server = Server::start(at_most(1)).await;
    let _first = Raw::connect_from(&server, HERE, Some("192.0.2.1")).await.unwrap();
    assert_eq!(Raw::connect_from(&server, HERE, Some("192.0.2.2")).await.err(), Some(429));
}

#[tokio::test]
async fn searching_for_rooms_slows_down_for_one_address_alone() {
    let per_origin = OriginLimits { misses_per_minute: 5, ..OriginLimits::default() };
    let relay = RelayConfig { per_origin, ..RelayConfig::default() };
    let server = Server::start(ServerConfig { relay, ..ServerConfig::default() }).await;
    let mut opener = Raw::connect_from(&server, ELSEWHERE, None).await.unwrap();
    assert_eq!(opener.open(ROOM).await["type"], "opened");
    let mut refused = 0;
    for n in 0..10 {
        let mut raw = Raw::connect_from(&server, HERE, None).await.unwrap();
        refused += usize::from(raw.join(&format!("{n:032x}")).await["code"] == "too-fast");
    }
    // One comes back in 12 s, should this take so long.
    assert!((4..=5).contains(&refused), "{refused}");
    let mut friend = Raw::connect_from(&server, "127.0.0.3", None).await.unwrap();
    assert_eq!(friend.join(ROOM).await["type"], "joined");
}

#[tokio::test]
async fn what_one_address_sends_over_many_connections_counts_together() {
    let per_origin = OriginLimits { messages_per_second: 20, ..OriginLimits::default() };
    let relay = RelayConfig { per_origin, ..RelayConfig::default() };
    let server = Server::start(ServerConfig { relay, ..ServerConfig::default() }).await;
    let (begun, mut refused) = (Instant::now(), 0);
    for _ in 0..20 {
        let mut raw = Raw::connect_from(&server, HERE, None).await.unwrap();
        for _ in 0..5 {
            refused += u64::from(raw.ask(&json!({"type": "waltz"})).await["code"] == "too-fast");
            if refused > 0 {
                break;
            }
        }
    }
    // Forty at once and twenty a second: none is refused only where each takes 50 ms.
    assert!(refused > 0 || begun.elapsed().as_secs() >= 2, "{refused}");
    let mut friend = Raw::connect_from(&server, ELSEWHERE, None).await.unwrap();
    assert_eq!(friend.open(ROOM).await["type"], "opened");
}

#[tokio::test]
async fn one_connection_is_answered_fifty_times_and_then_ended() {
    for config in [ServerConfig::default(), ServerConfig::embedded()] {
        let server = Server::start(config).await;
        let all = common::http(&server, &"GET /healthz HTTP/1.1\r\nHost: call.example\r\n\r\n".repeat(51)).await;
        assert_eq!(all.matches("HTTP/1.1 200").count(), 50);
        assert_eq!(all.matches("connection: close").count(), 1, "the last one says so");
        // A WebSocket as the last thing that is asked for lasts.
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let upgrade = "GET /ws HTTP/1.1\r\nHost: call.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let asked = "GET /healthz HTTP/1.1\r\nHost: call.example\r\n\r\n".repeat(49) + upgrade;
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut heard = String::new();
        while !heard.contains("101 Switching Protocols") || !heard.ends_with("\r\n\r\n") {
            let mut some = [0; 4096];
            let n = timeout(LONG, stream.read(&mut some)).await.unwrap().unwrap();
            assert!(n > 0, "{heard}");
            heard.push_str(std::str::from_utf8(&some[..n]).unwrap());
        }
        assert!(!heard.contains("connection: close"), "{heard}");
    }
}

/// Takes ten seconds of real time: that is how long the server waits.
#[tokio::test]
async fn half_open_connections_are_ended_and_their_places_are_free_again() {
    let server = Server::start(at_most(3)).await;
    let mut held = Vec::new();
    for said in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: call.example\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        held.push(stream);
    }
    assert_eq!(Raw::connect_from(&server, HERE, None).await.err(), Some(429));
    for mut stream in held {
        timeout(LONG, stream.read_to_end(&mut Vec::new())).await.expect("ended").unwrap();
    }
    let mut again = client(&server.url());
    while !matches!(event(&mut again).await, ClientEvent::Connected) {}
}
