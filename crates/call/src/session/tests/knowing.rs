//! Somebody who knows the code and sends what no app of ours sends: named as such, bounded, and never a wrong code.

use super::super::*;
use super::invitation;
use super::lone::{HOME, Lone, Other, code};
use super::world::sdp;
use crate::api::EndReason;
use serde_json::json;
use visavis_signaling::Kind;

fn joining() -> Lone {
    let mut lone = Lone::new(1);
    lone.input(Input::Command(Command::Join(invitation(&code()))));
    lone
}

/// Somebody who joined, and whoever waited there; the offer was taken.
fn in_touch() -> (Lone, Other) {
    let mut lone = joining();
    let (mut other, share) = Other::found(&mut lone, HOME, &code());
    let offer = other.seal(Kind::Offer, Some(share), &json!({"sdp": sdp(2)}));
    lone.hears(HOME, &offer);
    assert!(lone.session.stage_key().is_some());
    (lone, other)
}

pub(super) fn connected() -> (Lone, Other) {
    let (mut lone, other) = in_touch();
    let key = lone.session.stage_key().expect("a call");
    let event = PeerEvent::Connected { mine: vec![1; 32], theirs: vec![2; 32], path: crate::api::Path::Direct };
    lone.input(Input::Peer(key, event));
    assert!(matches!(lone.session.phase(), crate::api::Phase::InCall(_)));
    (lone, other)
}

#[test]
fn an_offer_without_a_fingerprint_is_named_and_is_no_wrong_code() {
    for (sdp, word) in [("v=0\r\n".to_owned(), "fingerprint"), (format!("{}s=\u{7}\r\n", sdp(2)), "none")] {
        let mut lone = joining();
        let (mut other, share) = Other::found(&mut lone, HOME, &code());
        let offer = other.seal(Kind::Offer, Some(share), &json!({"sdp": sdp}));
        lone.hears(HOME, &offer);
        let Some(EndReason::Unusable(why)) = lone.reason() else { panic!("{:?}", lone.reason()) };
        assert!(why.contains(word), "{why}");
        assert_eq!(lone.made, 0, "the webrtc crate never sees it");
        assert_eq!(lone.session.book.counter(&code()).unproven(), 0, "they know the code");
    }
}

#[test]
fn an_answer_that_is_none_is_turned_away_with_a_word_and_the_room_stays_open() {
    let mut lone = Lone::waiting(1);
    let mut other = Other::comes(&mut lone, HOME, "x", &code()).expect("an offer");
    let answer = other.seal(Kind::Answer, None, &json!({"sdp": "v=0\r\n"}));
    lone.hears(HOME, &answer);
    let (same, notice) = lone.waits().expect("still waiting");
    assert!(same == code() && notice.expect("a word").contains("fingerprint"));
    assert!(lone.peers.is_empty());
    assert!(lone.said.iter().any(|(_, m)| matches!(m, ClientMessage::Dismiss { .. })));
    // Neither they nor others like them can come for ever.
    for _ in 0..2 {
        let mut other = Other::comes(&mut lone, HOME, "y", &code()).expect("an offer");
        let answer = other.seal(Kind::Answer, None, &json!({"sdp": 7}));
        lone.hears(HOME, &answer);
    }
    assert_ne!(lone.waits().expect("waiting").0, code());
}

#[test]
fn other_keys_in_mid_call_end_it_with_a_word() {
    let (mut lone, mut other) = connected();
    let offer = other.seal(Kind::Offer, None, &json!({"sdp": sdp(3)}));
    lone.hears(HOME, &offer);
    let Some(EndReason::Unusable(why)) = lone.reason() else { panic!("{:?}", lone.reason()) };
    assert!(why.contains("other keys"), "{why}");
}

#[test]
fn descriptions_are_taken_at_a_pace() {
    let (mut lone, mut other) = connected();
    let offers = |lone: &Lone| lone.commands.iter().filter(|c| matches!(c, PeerCommand::AcceptOffer(_))).count();
    // Beginning anew every five seconds, as an honest side may, is no haste.
    for _ in 0..100 {
        let offer = other.seal(Kind::Offer, None, &json!({"sdp": sdp(2)}));
        lone.hears(HOME, &offer);
        lone.pass(Duration::from_secs(5));
    }
    assert_eq!(offers(&lone), 101);
    for _ in 0..1000 {
        let offer = other.seal(Kind::Offer, None, &json!({"sdp": sdp(2)}));
        lone.hears(HOME, &offer);
    }
    assert!(offers(&lone) <= 101 + 10, "{} offers were looked at", offers(&lone));
    assert_eq!(lone.reason(), Some(EndReason::Unusable("too many descriptions".into())));
}

#[test]
fn thousands_of_candidates_are_sixty_four_until_ice_begins_anew() {
    let (mut lone, mut other) = in_touch();
    let taken = |lone: &Lone| lone.commands.iter().filter(|c| matches!(c, PeerCommand::AddCandidate(_))).count();
    let flood = |lone: &mut Lone, other: &mut Other| {
        for i in 0..2000 {
            let line = format!("candidate:{i} 1 udp {i} 192.0.2.1 {} typ host", 1024 + i);
            let candidate = other.seal(Kind::IceCandidate, None, &json!({"candidate": {"candidate": line}}));
            lone.hears(HOME, &candidate);
        }
    };
    flood(&mut lone, &mut other);
    assert_eq!(taken(&lone), 64);
    let offer = other.seal(Kind::Offer, None, &json!({"sdp": format!("{}a=ice-ufrag:next\r\n", sdp(2))}));
    lone.hears(HOME, &offer);
    flood(&mut lone, &mut other);
    assert_eq!(taken(&lone), 128);
    // The same generation again brings no new ones.
    let more = format!("{}a=ice-ufrag:next\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", sdp(2));
    let offer = other.seal(Kind::Offer, None, &json!({"sdp": more}));
    lone.hears(HOME, &offer);
    assert_eq!(lone.reason(), Some(EndReason::Unusable("too many network addresses".into())));
}

#[test]
fn garbage_where_a_candidate_should_be_is_passed_over() {
    let (mut lone, mut other) = in_touch();
    for garbage in [json!(7), json!({}), json!({"candidate": null}), json!({"candidate": {"candidate": [1]}})] {
        let message = other.seal(Kind::IceCandidate, None, &garbage);
        lone.hears(HOME, &message);
    }
    assert!(!lone.commands.iter().any(|c| matches!(c, PeerCommand::AddCandidate(_))));
    assert!(lone.reason().is_none() && lone.oddities() == 0);
}

#[test]
fn a_channel_or_description_that_no_app_of_ours_makes_ends_the_call_with_a_word() {
    let (mut lone, _) = connected();
    let key = lone.session.stage_key().expect("a call");
    lone.input(Input::Peer(key, PeerEvent::Misbehaves("a data channel that no app of ours opens".into())));
    assert!(matches!(lone.reason(), Some(EndReason::Unusable(why)) if why.contains("channel")));
    assert!(lone.peers.is_empty());
}

#[test]
fn intercepted_is_said_only_where_fingerprints_really_differ() {
    let (mut lone, _) = in_touch();
    let key = lone.session.stage_key().expect("a call");
    let event = PeerEvent::Connected { mine: vec![1; 32], theirs: vec![3; 32], path: crate::api::Path::Direct };
    lone.input(Input::Peer(key, event));
    assert_eq!(lone.reason(), Some(EndReason::Intercepted));
}

#[test]
fn chat_names_and_events_of_a_flood_are_bounded() {
    let (mut lone, _) = connected();
    let key = lone.session.stage_key().expect("a call");
    for i in 0..5000 {
        let line = json!({"type": "chat", "text": format!("{i}{}", "x".repeat(10_000))}).to_string();
        lone.input(Input::Peer(key, PeerEvent::Control(line)));
        let hello = json!({"type": "hello", "name": "x".repeat(10_000), "muted": i % 2 == 0, "videoOn": true});
        lone.input(Input::Peer(key, PeerEvent::Control(hello.to_string())));
    }
    let crate::api::Phase::InCall(call) = lone.session.phase() else { panic!("in a call") };
    assert_eq!(call.chat.len(), 500);
    assert!(call.chat.iter().all(|l| l.text.chars().count() <= 2000) && call.peer.name.len() <= 64);
    assert!(call.chat[499].text.starts_with("4999"), "the newest are kept");
}
