//! Servers that say what is not so: nothing is done that was not asked for, nothing grows, and what they keep from
//! happening is named.

use super::super::*;
use super::lone::{HOME, Lone, Other, code, seat};
use super::world::{sdp, secret};
use super::{invitation, other_password};
use crate::api::EndReason;
use serde_json::{Value, json};
use visavis_signaling::{Kind, Newcomer};

const ELSEWHERE: LinkId = LinkId(2);

fn joining(servers: u32) -> Lone {
    let mut lone = Lone::new(servers);
    lone.input(Input::Command(Command::Join(invitation(&code()))));
    lone
}

fn error(code: &str) -> Value {
    json!({"type": "error", "code": code, "message": "because"})
}

#[test]
fn guesses_count_over_servers_names_and_reconnects() {
    let mut lone = Lone::waiting(2);
    let wrong = other_password(&code());
    for (link, name) in [(HOME, "first"), (ELSEWHERE, "second"), (HOME, "third")] {
        assert_eq!(lone.waits().expect("waiting").0, code());
        Other::comes(&mut lone, link, name, &wrong).expect("each attempt is answered");
        lone.hears(link, &json!({"type": "peer-left", "peerId": name, "reason": "lost"}));
    }
    let (new, notice) = lone.waits().expect("waiting");
    assert!(new != code() && notice.expect("a word").contains("three times"));
}

#[test]
fn a_code_that_was_used_up_stays_used_up_when_its_room_is_opened_again() {
    let mut lone = Lone::waiting(1);
    let wrong = other_password(&code());
    for _ in 0..2 {
        Other::comes(&mut lone, HOME, "x", &wrong).expect("an answer");
        lone.input(Input::Command(Command::HangUp));
        lone.input(Input::Command(Command::Start(Some(code()))));
        lone.hears(HOME, &seat("opened"));
    }
    assert_eq!(lone.waits().expect("waiting").0, code());
    Other::comes(&mut lone, HOME, "x", &wrong).expect("an answer");
    lone.input(Input::Command(Command::HangUp));
    lone.input(Input::Command(Command::Start(Some(code()))));
    let (new, notice) = lone.waits().expect("waiting");
    assert!(new != code() && notice.is_some());
}

#[test]
fn a_flood_of_newcomers_is_three_attempts_a_code_and_four_codes() {
    let mut lone = Lone::waiting(1);
    let (_, share) = Newcomer::start(&secret(&code()));
    for round in 0..4 {
        for i in 0..3000 {
            let name = format!("{round}-{i}");
            lone.hears(HOME, &json!({"type": "peer-joined", "peerId": name, "pake": share.as_str()}));
        }
        assert_eq!((lone.made, lone.peers.len()), ((round + 1) * 3, 3));
        // Nobody answers the offers that they took.
        lone.pass(Duration::from_secs(16));
        assert!(lone.peers.is_empty());
        lone.hears(HOME, &seat("opened"));
    }
    assert_eq!(lone.reason(), Some(EndReason::Guessing));
}

#[test]
fn newcomers_before_the_keys_are_ready_do_not_pile_up() {
    let mut lone = Lone::new(1);
    let (_, share) = Newcomer::start(&secret(&code()));
    lone.session.handle(lone.now, Input::Command(Command::Start(Some(code()))));
    // The keys are still being derived: nothing of what the session says is carried out yet.
    let opened = serde_json::from_value(seat("opened")).expect("a message");
    lone.session.handle(lone.now, Input::Received(HOME, opened));
    for i in 0..3000 {
        let joined = json!({"type": "peer-joined", "peerId": format!("{i}"), "pake": share.as_str()});
        let joined = serde_json::from_value(joined).expect("a message");
        lone.session.handle(lone.now, Input::Received(HOME, joined));
    }
    lone.input(Input::SearchOver);
    assert_eq!(lone.made, 3);
}

#[test]
fn a_server_that_calls_every_code_taken_is_named_and_codes_are_not_drawn_for_ever() {
    let mut lone = Lone::new(1);
    lone.input(Input::Command(Command::Start(None)));
    for _ in 0..200 {
        lone.hears(HOME, &error("room-taken"));
    }
    assert!(lone.derived <= 7, "{} codes were drawn", lone.derived);
    lone.pass(Duration::from_secs(6));
    let Some(EndReason::SignalingUnreachable(why)) = lone.reason() else { panic!("{:?}", lone.session.phase()) };
    assert!(why.contains("s1.example") && why.contains("every code is taken"), "{why}");
    // The next wish is heard anew.
    lone.input(Input::Command(Command::HangUp));
    lone.input(Input::Command(Command::Start(None)));
    lone.hears(HOME, &seat("opened"));
    assert!(lone.waits().is_some());
}

#[test]
fn a_room_that_is_taken_and_empty_in_turn_is_given_up() {
    let mut lone = Lone::new(1);
    lone.input(Input::Command(Command::Meet(code())));
    for _ in 0..200 {
        lone.hears(HOME, &error("nobody-here"));
        lone.hears(HOME, &error("room-taken"));
    }
    lone.pass(Duration::from_secs(20));
    assert!(matches!(lone.reason(), Some(EndReason::SignalingUnreachable(_))), "{:?}", lone.session.phase());
    assert!(lone.said.len() < 40, "{} messages", lone.said.len());
}

#[test]
fn seats_that_were_not_asked_for_change_nothing() {
    let mut lone = Lone::waiting(1);
    for _ in 0..1000 {
        lone.hears(HOME, &json!({"type": "opened", "peerId": "other", "resume": "r"}));
        lone.hears(HOME, &json!({"type": "joined", "peerId": "other", "resume": "r"}));
    }
    assert_eq!(lone.events.iter().filter(|e| matches!(e, Event::Joined { .. })).count(), 1);
    assert_eq!(lone.oddities(), 1000);
    let mut lone = joining(1);
    lone.hears(HOME, &seat("joined"));
    for _ in 0..1000 {
        lone.hears(HOME, &seat("joined"));
        lone.pass(Duration::from_millis(20));
    }
    assert_eq!(lone.reason(), Some(EndReason::Meddled), "repeating it puts the end off for nobody");
}

#[test]
fn lists_of_thousands_lead_to_a_few_servers_at_most() {
    let mut lone = Lone::new(1);
    lone.input(Input::Command(Command::Start(Some(code()))));
    let peers: Vec<_> = (0..5000).map(|i| json!({"peerId": format!("p{i}")})).collect();
    let urls: Vec<_> = (0..100).map(|i| format!("stun:s{i}.example.org")).collect();
    let servers: Vec<_> = (0..100).map(|_| json!({"urls": urls})).chain([json!({"urls": ["nonsense"]})]).collect();
    let opened = json!({"type": "opened", "peerId": "me", "resume": "r", "peers": peers, "iceServers": servers});
    lone.hears(HOME, &opened);
    Other::comes(&mut lone, HOME, "x", &code()).expect("an offer");
    assert!(lone.looked_up <= 8, "{} names are looked up", lone.looked_up);
    assert!(lone.ice.len() <= 4 && lone.ice.iter().map(|s| s.urls.len()).sum::<usize>() <= 8);
    let mut resumed = opened;
    resumed["type"] = "resumed".into();
    lone.hears(HOME, &resumed);
    assert!(lone.peers.is_empty(), "who is not in the list has left");
    assert_eq!(lone.waits().expect("waiting").0, code());
}

#[test]
fn a_goodbye_that_only_the_server_tells_does_not_end_a_call() {
    let mut lone = joining(1);
    let (mut other, share) = Other::found(&mut lone, HOME, &code());
    let offer = other.seal(Kind::Offer, Some(share), &json!({"sdp": sdp(2)}));
    lone.hears(HOME, &offer);
    let key = lone.session.stage_key().expect("a call");
    let event = PeerEvent::Connected { mine: vec![1; 32], theirs: vec![2; 32], path: crate::api::Path::Direct };
    lone.input(Input::Peer(key, event));
    for reason in ["left", "dismissed", "lost", "abducted"] {
        lone.hears(HOME, &json!({"type": "peer-left", "peerId": "x", "reason": reason}));
    }
    for code in ["dismissed", "seat-gone", "room-full", "version", "server-full", "full-moon"] {
        lone.hears(HOME, &error(code));
    }
    lone.pass(Duration::from_secs(120));
    assert!(matches!(lone.session.phase(), crate::api::Phase::InCall(_)), "{:?}", lone.session.phase());
    // Before they are connected, there is nothing else to go by.
    let mut lone = joining(1);
    lone.hears(HOME, &seat("joined"));
    lone.hears(HOME, &json!({"type": "peer-left", "peerId": "x", "reason": "left"}));
    assert_eq!(lone.reason(), Some(EndReason::PeerLeft));
}

#[test]
fn endless_errors_come_to_nothing() {
    let codes = ["full-moon", "bad-message", "too-fast", "not-in-room", "no-such-peer", "not-opener", "server-full"];
    let mut lone = Lone::waiting(1);
    let said = lone.said.len();
    for code in codes.iter().cycle().take(7000) {
        lone.hears(HOME, &error(code));
    }
    assert!(lone.waits().is_some() && lone.said.len() == said);
    let mut lone = joining(1);
    for code in codes.iter().cycle().take(7000) {
        lone.hears(HOME, &error(code));
    }
    assert!(matches!(lone.reason(), Some(EndReason::SignalingUnreachable(_))));
    // A server that says again and again that we are elsewhere is asked a few times.
    let mut lone = Lone::new(1);
    lone.input(Input::Command(Command::Start(Some(code()))));
    for _ in 0..1000 {
        lone.hears(HOME, &error("already-in-room"));
    }
    assert!(lone.said.len() < 20, "{} messages", lone.said.len());
}

#[test]
fn offers_for_somebody_else_cost_nothing_and_the_true_one_still_counts() {
    let mut lone = joining(1);
    let (mut other, share) = Other::found(&mut lone, HOME, &code());
    let offer = other.seal(Kind::Offer, Some(share), &json!({"sdp": sdp(2)}));
    for (field, value) in [("to", json!("you")), ("from", json!("me")), ("roomId", json!("00"))] {
        let mut changed = offer.clone();
        changed[field] = value;
        lone.hears(HOME, &changed);
    }
    let mut without = offer.clone();
    without.as_object_mut().expect("an object").remove("pake");
    lone.hears(HOME, &without);
    assert_eq!((lone.oddities(), lone.made, lone.reason()), (4, 0, None));
    assert_eq!(lone.session.book.counter(&code()).unproven(), 0);
    lone.hears(HOME, &offer);
    assert!(lone.session.stage_key().is_some(), "{:?}", lone.reason());
}

#[test]
fn shares_reflected_swapped_or_malformed_get_nobody_in() {
    let own = |lone: &Lone| lone.asked_with().expect("a share");
    let off = format!("BP{}", "_".repeat(85));
    let guess = Newcomer::start(&secret(&other_password(&code()))).1.as_str().to_owned();
    for share in [None, Some(off), Some(guess), Some(String::new()), Some("A".repeat(87))] {
        let mut lone = joining(1);
        lone.hears(HOME, &seat("joined"));
        let share = share.unwrap_or_else(|| own(&lone).as_str().to_owned());
        let offer = json!({"type": "offer", "roomId": code().room_id(), "from": "x", "to": "me", "callId": "c",
            "pake": share, "n": 1, "sealed": "A".repeat(200)});
        lone.hears(HOME, &offer);
        assert_eq!((lone.reason(), lone.made), (Some(EndReason::WrongCode), 0));
        assert_eq!(lone.session.book.counter(&code()).unproven(), 1, "counted");
    }
    // The host's own share back to it, as if somebody came with it.
    let mut lone = Lone::waiting(1);
    Other::comes(&mut lone, HOME, "x", &code()).expect("an offer");
    let share = lone.offer().and_then(|o| o.pake.clone()).expect("a share");
    lone.hears(HOME, &json!({"type": "peer-joined", "peerId": "y", "pake": share.as_str()}));
    let offer = serde_json::to_value(ClientMessage::Offer(lone.offer().expect("an offer").clone())).expect("JSON");
    let mut back = offer;
    (back["type"], back["from"], back["to"]) = ("answer".into(), "y".into(), "me".into());
    lone.hears(HOME, &back);
    assert!(lone.waits().is_some() && lone.session.stage_key().is_none());
}

#[test]
fn a_server_that_guesses_as_newcomer_and_as_host_has_three_guesses_in_all() {
    let wrong = other_password(&code());
    let mut lone = Lone::waiting(1);
    for _ in 0..2 {
        Other::comes(&mut lone, HOME, "x", &wrong).expect("an answer");
        lone.hears(HOME, &json!({"type": "peer-left", "peerId": "x", "reason": "left"}));
    }
    for _ in 0..3 {
        lone.input(Input::Command(Command::HangUp));
        lone.input(Input::Command(Command::HangUp));
        lone.input(Input::Command(Command::Join(invitation(&code()))));
        let (mut other, share) = Other::found(&mut lone, HOME, &wrong);
        let offer = other.seal(Kind::Offer, Some(share), &json!({"sdp": sdp(2)}));
        lone.hears(HOME, &offer);
        assert_eq!((lone.reason(), lone.made), (Some(EndReason::WrongCode), 2));
    }
    assert_eq!(lone.session.book.counter(&code()).unproven(), 3);
}
