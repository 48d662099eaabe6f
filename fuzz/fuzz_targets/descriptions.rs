//! Descriptions and candidates as they come out of a seal, before the webrtc crate sees them.
#![no_main]
#![allow(dead_code, reason = "a module of `call`, of which this uses what looks through things")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/call/src/session/sdp.rs"]
mod sdp;

fuzz_target!(|text: &str| {
    if let Ok(facts) = sdp::check(text) {
        assert!(facts.fingerprint.len() == 32 && facts.candidates <= sdp::MOST_CANDIDATES);
        assert!(text.len() <= 32 * 1024 && facts.generation.len() <= 256);
    }
    let _ = sdp::is_loopback(text);
    assert!(sdp::without_loopback(text).len() <= text.len());
    if let Ok(sent) = serde_json::from_str(text)
        && let Some(kept) = sdp::candidate(&sent)
    {
        assert!(kept["candidate"].as_str().is_some_and(|line| line.len() <= 512 && line.is_ascii()));
        assert_eq!(sdp::candidate(&kept), Some(kept.clone()));
    }
});
