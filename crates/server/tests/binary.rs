//! `visavis-server` as a process.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use futures_util::{SinkExt, StreamExt};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tokio_tungstenite::tungstenite::Message;
use visavis_signaling::{ClientMessage, RoomCode, ServerMessage};

fn server() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
    command.env_remove("RUST_LOG").stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

#[test]
fn bad_options_end_it_with_two_and_one_line() {
    for options in [
        &["--listen", "nowhere"][..],
        &["--room-size", "1"],
        &["--max-rooms", "0"],
        &["--tls-cert", "only.pem"],
        &["--dance"],
        &["--threads", "0"],
        &["--joins-per-minute", "-1"],
        &["--stun", "call.example"],
        &["--stun", "stun://call.example"],
        &["--turn", "turn:call.example:x", "--turn-secret-file", "/dev/null"],
        &["--turn", "turn:call.example"],
        &["--turn-secret-file", "/dev/null"],
        &["--turn", "turn:call.example", "--turn-secret-file", "/dev/null", "--turn-lifetime", "24"],
        &["--turn", "turn:call.example", "--turn-secret-file", "/dev/null", "--turn-lifetime", "31d"],
        &["--redis", "http://localhost"],
        &["--redis-password-file", "/dev/null"],
    ] {
        let output = server().args(options).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("visavis-server: "), "{said}");
    }
}

#[test]
fn what_cannot_work_ends_it_with_one_line() {
    for options in [
        &["--listen", "192.0.2.1:80"][..],
        &["--listen", "127.0.0.1:0", "--ice-servers", "/nonexistent"],
        &["--listen", "127.0.0.1:0", "--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"],
        &["--listen", "127.0.0.1:0", "--turn", "turn:call.example", "--turn-secret-file", "/nonexistent"],
        &["--listen", "127.0.0.1:0", "--turn", "turn:call.example", "--turn-secret-file", "/dev/null"],
        &["--listen", "127.0.0.1:0", "--redis", "redis://localhost", "--redis-password-file", "/nonexistent"],
        &["--listen", "127.0.0.1:0", "--redis", "redis://localhost", "--redis-password-file", "/dev/null"],
    ] {
        let output = server().args(options).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().last().unwrap().starts_with("visavis-server: "), "{said}");
    }
}

#[test]
fn a_bad_address_of_redis_is_refused_without_showing_its_password() {
    let output = server().args(["--redis", "redis://:north@host:port"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("redis://:PASSWORD@HOST") && !said.contains("north"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn it_says_where_it_listens_stops_when_told_and_names_nobody_in_between() {
    let mut child = server().args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let (_, port) = line.rsplit_once("listening on ws://127.0.0.1:").expect(&line);
    assert_ne!(port.parse::<u16>().unwrap(), 0);
    let url = format!("ws://127.0.0.1:{port}");
    let mut client = common::client(&url);
    client.send(ClientMessage::open(RoomCode::random().room_id())).unwrap();
    assert!(matches!(common::message(&mut client).await, ServerMessage::Opened(_)));
    client.close().await;
    let (mut raw, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    raw.send(Message::text("nonsense")).await.unwrap();
    assert!(raw.next().await.unwrap().unwrap().to_text().unwrap().contains("bad-message"));
    drop(raw);
    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(rest.len() == 1 && rest[0].ends_with("stopped"), "{rest:?}");
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn addresses_are_logged_only_where_that_was_asked_for() {
    for asked in [false, true] {
        let options = ["--listen", "127.0.0.1:0", "--connections-per-address", "1", "--log-addresses"];
        let mut child = server().args(&options[..if asked { 5 } else { 4 }]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let url = format!("ws://{}", line.rsplit_once("ws://").expect(&line).1);
        let (first, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        tokio_tungstenite::connect_async(&url).await.unwrap_err();
        drop(first);
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let rest: Vec<_> = lines.map(Result::unwrap).collect();
        assert_eq!(rest.iter().any(|line| line.contains("127.0.0.1")), asked, "{rest:?}");
        assert!(child.wait().unwrap().success());
    }
}
