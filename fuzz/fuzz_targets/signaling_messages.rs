//! Whatever a server says to a client, and whatever a client says to a relay.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};
use visavis_signaling::{ConnectionId, Input, Relay, RelayConfig, ServerMessage};

fuzz_target!(|text: &str| {
    if let Ok(message) = ServerMessage::parse(text) {
        let again = ServerMessage::parse(&message.to_json());
        assert!(message == ServerMessage::Unknown || again.is_ok_and(|again| again == message));
    }
    // Each line is a message; two connections take turns.
    let (mut relay, mut now) = (Relay::new(RelayConfig::default(), [7; 32]), Instant::now());
    for id in [0, 1] {
        relay.handle(now, ConnectionId(id), Input::Connected);
    }
    for (i, line) in text.lines().enumerate().take(50) {
        relay.handle(now, ConnectionId(i as u64 % 2), Input::Text(line));
        now += Duration::from_millis(100);
        while relay.poll_output().is_some() {}
    }
    for id in [0, 1] {
        relay.handle(now, ConnectionId(id), Input::Closed);
    }
    assert_eq!((relay.connections(), relay.rooms()), (0, 0));
});
