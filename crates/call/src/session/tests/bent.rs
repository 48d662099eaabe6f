//! Control messages, descriptions and candidates of somebody who knows the code, bent: read within bounds or refused, and
//! the call goes on. A short run of what `fuzz/` does without end.

use super::super::sdp::{MOST_CANDIDATES, candidate, check, generation_of};
use super::super::*;
use super::knowing::connected;
use crate::api::{EndReason, Phase};
use crate::control::ControlMessage;
use proptest::prelude::*;

const CONTROL: [&str; 7] = [
    r#"{"type":"hello","name":"Ann","muted":false,"videoOn":true,"hasCamera":true,"soundOnly":false,"guest":true}"#,
    r#"{"type":"chat","text":"Hello"}"#,
    r#"{"type":"bye","again":true}"#,
    r#"{"type":"ping","id":18446744073709551615}"#,
    r#"{"type":"pong","id":1}"#,
    r#"{"type":"ahead","connection":4294967295,"sdp":"v=0\r\na=ice-ufrag:x\r\n"}"#,
    r#"{"type":"ahead-held","generation":"abcd"}"#,
];
const DESCRIPTION: &str = concat!(
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 ",
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=group:BUNDLE 0 1 2\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:efgh\r\na=setup:actpass\r\n",
    "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
);
const CANDIDATE: &str = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.9 5000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"a"}"#;

/// One of these texts after a few changes: parts cut out, doubled, or replaced.
fn bent(seeds: &'static [&'static str]) -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just(String::new()),
        "[0-9]{1,30}",
        "\\PC{1,3}",
        Just("\0".to_owned()),
        Just("\r\nm=".to_owned()),
        Just("\\u202e".to_owned()),
        Just("null".to_owned()),
        Just("[".repeat(200)),
        Just("a=candidate:1 1 udp 1 192.0.2.7 9 typ host\r\n".repeat(70)),
    ];
    let change = (any::<prop::sample::Index>(), 0usize..40, any::<bool>(), odd);
    (prop::sample::select(seeds), proptest::collection::vec(change, 1..8)).prop_map(|(seed, changes)| {
        let mut text: Vec<char> = seed.chars().collect();
        for (at, length, double, odd) in changes {
            let from = at.index(text.len() + 1);
            let part: Vec<char> = text[from..(from + length).min(text.len())].to_vec();
            let put = if double { part.repeat(2) } else { odd.chars().collect() };
            text.splice(from..from + part.len(), put);
        }
        text.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn bent_control_messages_are_read_the_same_when_said_again(text in bent(&CONTROL)) {
        if let Some(message) = ControlMessage::read(&text).filter(|message| *message != ControlMessage::Unknown) {
            prop_assert_eq!(ControlMessage::read(&message.write()), Some(message));
        }
    }

    #[test]
    fn bent_descriptions_that_pass_are_within_bounds(text in bent(&[DESCRIPTION])) {
        if let Ok(facts) = check(&text) {
            prop_assert_eq!(facts.fingerprint.len(), 32);
            prop_assert!(text.len() <= 32 * 1024 && facts.candidates <= MOST_CANDIDATES);
            prop_assert!(text.matches("\nm=").count() <= 6);
            prop_assert!(generation_of(&text).is_none_or(|name| name.len() <= 256));
        }
    }

    #[test]
    fn bent_candidates_that_pass_are_made_anew_from_what_is_known_of_one(text in bent(&[CANDIDATE])) {
        let Ok(sent) = serde_json::from_str(&text) else { return Ok(()) };
        if let Some(kept) = candidate(&sent) {
            let known = ["candidate", "sdpMid", "usernameFragment", "sdpMLineIndex"];
            let kept = kept.as_object().expect("an object");
            prop_assert!(kept.keys().all(|key| known.contains(&key.as_str())));
            prop_assert!(kept["candidate"].as_str().is_some_and(|line| line.len() <= 512 && line.is_ascii()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn bent_control_messages_end_no_call_but_in_words_of_their_own(
        texts in proptest::collection::vec(bent(&CONTROL), 1..20),
    ) {
        let (mut lone, _other) = connected();
        let key = lone.session.stage_key().expect("a call");
        lone.input(Input::Peer(key, PeerEvent::ControlOpen));
        for text in texts {
            lone.input(Input::Peer(key, PeerEvent::Control(text)));
        }
        match lone.session.phase() {
            Phase::InCall(_) => {
                let hello = r#"{"type":"hello","name":"Bob","muted":true,"videoOn":true}"#;
                lone.input(Input::Peer(key, PeerEvent::Control(hello.into())));
                let Phase::InCall(call) = lone.session.phase() else { panic!("in a call") };
                prop_assert!(call.peer.muted && call.peer.name == "Bob" && call.peer.guest.is_none());
            }
            // A page that is loaded again, as far as they say.
            Phase::Waiting(waiting) => prop_assert!(waiting.away.is_some()),
            Phase::Ended(ended) => {
                prop_assert!(matches!(ended.reason, EndReason::PeerHungUp | EndReason::Unusable(_)), "{}", ended.reason);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
