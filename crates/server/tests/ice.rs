//! STUN and TURN servers that are handed out with a seat.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{LONG, ROOM, Raw, Server};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use visavis_server::{AddressLimits, ServerConfig, TurnConfig};
use visavis_signaling::{IceServer, OriginLimits, RelayConfig};

fn config(secret_file: &Path) -> ServerConfig {
    let listed = IceServer { urls: vec!["stun:call.example".into()], username: None, credential: None };
    let (urls, lifetime) = (vec!["turn:call.example".into()], Duration::from_secs(3600));
    ServerConfig {
        // How often somebody asks anew is not what this is about.
        relay: RelayConfig { ice_servers: vec![listed], per_origin: OriginLimits::NONE, ..RelayConfig::default() },
        per_address: AddressLimits::NONE,
        turn: Some(TurnConfig { urls, secret_file: secret_file.to_owned(), lifetime }),
        reload_every: Duration::from_millis(10),
        ..ServerConfig::default()
    }
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// End, drawn name and password of the TURN server told with a seat.
fn credentials(seat: &Value) -> (u64, String, String) {
    let text = |field: &str| seat["iceServers"][1][field].as_str().unwrap().to_owned();
    let user = text("username");
    let (ends, name) = user.split_once(':').unwrap();
    (ends.parse().unwrap(), name.to_owned(), text("credential"))
}

#[tokio::test]
async fn each_seat_comes_with_turn_credentials_of_its_own_that_end_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "north").unwrap();
    let server = Server::start(config(&file)).await;
    let before = unix();
    let (mut a, mut b) = (Raw::connect(&server).await, Raw::connect(&server).await);
    let seats = [a.open(ROOM).await, b.join(ROOM).await];
    let after = unix();
    for seat in &seats {
        assert_eq!(seat["iceServers"][0], json!({"urls": ["stun:call.example"]}));
        assert_eq!(seat["iceServers"][1]["urls"], json!(["turn:call.example"]));
        assert!((before + 3600..=after + 3600).contains(&credentials(seat).0));
    }
    let [a, b] = seats.map(|seat| credentials(&seat));
    assert!(a.1 != b.1 && a.2 != b.2 && !ROOM.contains(&a.1), "{a:?} {b:?}");
}

#[tokio::test]
async fn a_secret_that_is_exchanged_is_used_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "north").unwrap();
    let server = Server::start(config(&file)).await;
    let made_with = |secret: &[u8], (ends, name, password): (u64, String, String)| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        let tag = ring::hmac::sign(&key, format!("{ends}:{name}").as_bytes());
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag) == password
    };
    let mut before = Raw::connect(&server).await;
    assert!(made_with(b"north", credentials(&before.open(&"b".repeat(32)).await)), "the old secret is in use first");
    std::fs::write(&file, "the south").unwrap();
    let begun = Instant::now();
    loop {
        let mut raw = Raw::connect(&server).await;
        if made_with(b"the south", credentials(&raw.open(ROOM).await)) {
            break;
        }
        assert!(begun.elapsed() < LONG, "the new secret is not used");
        raw.0.close(None).await.unwrap();
        assert_eq!(raw.hear().await, None, "the room is free again");
    }
}
