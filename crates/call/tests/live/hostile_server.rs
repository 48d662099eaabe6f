//! A server may say what it likes: the attempt comes to a clear end, and the next call works.

use crate::between::Meddled;
use crate::common::{Server, Side, call, connects, hang_up, invitation, knows, opens, options, without_devices};
use crate::impostor::{Impostor, text};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use visavis_call::{Command, EndReason, Event, Options, Phase};
use visavis_signaling::RoomCode;

/// A point that is not on the curve, of the right length.
fn off_the_curve() -> String {
    format!("BP{}", "_".repeat(85))
}

fn envelope(kind: &str, n: u64, sealed: &str) -> Value {
    json!({"type": kind, "roomId": "00", "from": "x", "to": "me", "callId": "c", "n": n, "sealed": sealed})
}

/// Everything that is no sensible message at this moment.
fn nonsense() -> Vec<Message> {
    let mut messages: Vec<Message> = ["", "{", "null", "[]", "7", "\"opened\"", "{}", "{\"type\":5}", "\u{202e}"]
        .iter()
        .map(|t| Message::text(*t))
        .collect();
    messages.push(Message::text("[".repeat(30_000)));
    messages.push(Message::text(format!("{{\"type\":{}", "{\"a\":".repeat(10_000))));
    messages.push(Message::binary(vec![0u8; 1000]));
    messages.push(Message::Ping(Bytes::from_static(b"?")));
    let values = [
        json!({"type": "weather", "sun": true}),
        json!({"type": "opened"}),
        json!({"type": "joined", "peerId": 7, "resume": []}),
        json!({"type": "resumed", "peerId": "me", "resume": "r", "received": 1u64 << 60, "missed": 1u64 << 60}),
        json!({"type": "peer-joined", "peerId": "no share"}),
        json!({"type": "peer-joined", "peerId": "bad share", "pake": "%%%"}),
        json!({"type": "peer-joined", "peerId": "off", "pake": off_the_curve()}),
        json!({"type": "peer-joined", "peerId": "x".repeat(50_000), "pake": ""}),
        json!({"type": "peer-left", "peerId": "nobody", "reason": "abducted"}),
        json!({"type": "offer"}),
        json!({"type": "error", "code": "full-moon", "message": "x".repeat(50_000)}),
        json!({"type": "error", "code": "not-in-room", "message": ""}),
    ];
    messages.extend(values.iter().map(text));
    for kind in ["offer", "answer", "ice-candidate"] {
        messages.push(text(&envelope(kind, 0, "")));
        messages.push(text(&envelope(kind, u64::MAX, "AAAA")));
        messages.push(text(&envelope(kind, 1, &"A".repeat(60_000))));
    }
    messages
}

fn seat(kind: &str) -> Value {
    json!({"type": kind, "peerId": "me", "resume": "r", "peers": [{"peerId": "x"}],
        "iceServers": [{"urls": ["nonsense", "", "turn:", "stun:[::1"]}]})
}

fn victim(server: &Impostor) -> Side {
    Side::start("Ann", Options { servers: vec![server.url()], ..without_devices(None) })
}

/// After whatever happened, the endpoint takes commands, uses another server and places a call.
fn recovers(side: &mut Side) {
    side.until("the home screen", |side| match side.state().phase {
        Phase::Home => Some(()),
        _ => {
            side.send(Command::HangUp);
            None
        }
    });
    let server = Server::start();
    side.send(Command::SetServers(vec![server.url()]));
    side.hears(&Event::ServerConnected(server.address().to_string()));
    let mut other = Side::start("Bob", without_devices(Some(&server)));
    call(side, &mut other);
    hang_up(side, &mut other);
}

#[test]
fn nonsense_at_any_moment_is_survived() {
    for (answer, waits) in [(None, true), (Some("opened"), true), (None, false), (Some("joined"), false)] {
        let server = Impostor::greeting(nonsense(), move |said| {
            let mut out: Vec<_> =
                if said["type"] == "leave-room" { None } else { answer }.iter().map(|k| text(&seat(k))).collect();
            out.extend(nonsense());
            out
        });
        let mut side = victim(&server);
        if waits {
            side.send(Command::Start(None));
            match answer {
                Some(_) => {
                    side.event("a room", |e| matches!(e, Event::Joined { opened: true, .. }).then_some(()));
                }
                None => assert!(matches!(side.ends(), EndReason::SignalingUnreachable(_))),
            }
        } else {
            side.send(Command::Join(invitation(&RoomCode::random())));
            let reason = side.ends();
            // An offer that does not open is what a wrong code looks like. What the server says is shown, but no page
            // of it. Which of its messages counts depends on how far the attempt is when it comes.
            let expected = match &reason {
                EndReason::WrongCode | EndReason::PeerLeft => answer.is_some(),
                EndReason::SignalingUnreachable(why) => why.len() < 500,
                _ => false,
            };
            assert!(expected, "{reason:?}");
        }
        recovers(&mut side);
    }
}

#[test]
fn messages_too_large_to_be_any_are_survived() {
    let huge = || vec![Message::text("x".repeat(30 << 20)), Message::binary(vec![0u8; 30 << 20])];
    let server = Impostor::start(move |_| huge());
    let mut side = victim(&server);
    side.send(Command::Join(invitation(&RoomCode::random())));
    assert!(matches!(side.ends(), EndReason::SignalingUnreachable(_)));
    recovers(&mut side);
}

/// What a room comes to whose server tells of so many newcomers, each of whom takes our offer and leaves, and how many
/// offers it got.
fn flooded(newcomers: usize) -> (EndReason, usize) {
    let code = RoomCode::random();
    let secret = visavis_signaling::PakeSecret::derive(&code);
    let (_, share) = visavis_signaling::Newcomer::start(&secret);
    let share = share.as_str().to_owned();
    let offers = Arc::new(AtomicUsize::new(0));
    let counted = offers.clone();
    let server = Impostor::start(move |said| match said["type"].as_str() {
        Some("open") => {
            let newcomer = |i| text(&json!({"type": "peer-joined", "peerId": format!("p{i}"), "pake": share}));
            std::iter::once(text(&seat("opened"))).chain((0..newcomers).map(newcomer)).collect()
        }
        Some("offer") => {
            counted.fetch_add(1, Ordering::Relaxed);
            vec![text(&json!({"type": "peer-left", "peerId": said["to"], "reason": "left"}))]
        }
        _ => Vec::new(),
    });
    let mut side = victim(&server);
    side.send(Command::Start(Some(code)));
    let reason = side.ends();
    recovers(&mut side);
    (reason, offers.load(Ordering::Relaxed))
}

#[test]
fn a_flood_of_newcomers_costs_three_guesses_a_code_and_ends_after_four_codes_with_a_word() {
    // Each guess was taken up with an offer and then dropped: a new code is drawn, and the same happens to it. The
    // share is for another room then, which nobody can tell. A server that could go on like this would guess right.
    // These are few enough to be heard at once.
    let (reason, offers) = flooded(300);
    assert_eq!(reason, EndReason::Guessing);
    // Some newcomers had left before their offer was made.
    assert!((4..=12).contains(&offers), "{offers} offers");
}

#[test]
fn thousands_of_newcomers_are_heard_at_a_pace_and_get_no_more_guesses_for_it() {
    let (reason, offers) = flooded(3000);
    // At that pace the next room may not be open in time: the server counts as one that does not answer.
    assert!(matches!(reason, EndReason::Guessing | EndReason::SignalingUnreachable(_)), "{reason:?}");
    assert!((1..=12).contains(&offers), "{offers} offers");
}

#[test]
fn a_server_that_takes_every_message_and_says_nothing_does_not_hold_anybody_up() {
    let server = Impostor::start(|_| Vec::new());
    let mut side = victim(&server);
    side.send(Command::Join(invitation(&RoomCode::random())));
    side.ends();
    side.send(Command::Start(None));
    assert!(matches!(side.ends(), EndReason::SignalingUnreachable(_)));
    recovers(&mut side);
}

#[test]
fn sealed_messages_that_a_server_repeats_reflects_or_forges_change_nothing() {
    let real = Server::start();
    let sealed = |m: &Value| matches!(m["type"].as_str(), Some("offer" | "answer" | "ice-candidate"));
    let meddler = Impostor::between(real.address(), move |message, from_client| {
        if !sealed(message) {
            return Meddled::passed(message);
        }
        let mut swapped = message.clone();
        (swapped["from"], swapped["to"]) = (message["to"].clone(), message["from"].clone());
        if from_client {
            return Meddled { on: vec![message.clone()], back: vec![message.clone(), swapped] };
        }
        let mut forged = message.clone();
        forged["n"] = json!(u64::MAX);
        forged["sealed"] = format!("A{}", &message["sealed"].as_str().unwrap()[1..]).into();
        let mut on = vec![message.clone(), message.clone(), swapped];
        if message["type"] == "ice-candidate" {
            // Ahead of the true one, under a number that would shut out all later ones if it counted.
            on.insert(0, forged);
        }
        Meddled { on, back: Vec::new() }
    });
    let options = || Options { servers: vec![meddler.url()], ..options(None) };
    let (mut a, mut b) = (Side::start("Ann", options()), Side::start("Bob", options()));
    let code = opens(&mut a);
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
    let begun = Instant::now();
    a.sees_what_was_captured_after(begun);
    b.sees_what_was_captured_after(begun);
    knows(&mut a, "Bob");
    knows(&mut b, "Ann");
    hang_up(&mut a, &mut b);
}

#[test]
fn somebody_between_two_people_who_knows_the_code_is_betrayed_by_the_numbers() {
    // Each person's server is Mallory's. One app of Mallory's joins Ann, another waits for Bob under the same code.
    let (near, far) = (Server::start(), Server::start());
    let start = |name, server| Side::start(name, without_devices(Some(server)));
    let (mut ann, mut as_bob) = (start("Ann", &near), start("Bob", &near));
    let (mut as_ann, mut bob) = (start("Ann", &far), start("Bob", &far));
    let code = opens(&mut ann);
    as_bob.send(Command::Join(invitation(&code)));
    let read_by_ann = connects(&mut ann, &mut as_bob);
    as_ann.send(Command::Start(Some(code.clone())));
    as_ann.event("a room", |e| matches!(e, Event::Joined { opened: true, .. }).then_some(()));
    bob.send(Command::Join(invitation(&code)));
    let read_by_bob = connects(&mut as_ann, &mut bob);
    assert_ne!(read_by_ann, read_by_bob, "what the two read to each other");
}

#[test]
fn hanging_up_without_a_server_and_before_a_word_was_said_is_heard_at_once() {
    let server = Server::start();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    call(&mut a, &mut b);
    // The control channel may not be open yet on either side.
    drop(b);
    server.kill();
    assert_eq!(a.ends(), EndReason::PeerHungUp);
}

#[test]
fn a_server_that_swaps_the_keys_of_the_key_agreement_gets_no_call() {
    let real = Server::start();
    // It puts a share of its own in place of the newcomer's, made with a code that it guessed wrong.
    let guess = visavis_signaling::PakeSecret::derive(&RoomCode::random());
    let (_, share) = visavis_signaling::Newcomer::start(&guess);
    let share = share.as_str().to_owned();
    let meddler = Impostor::between(real.address(), move |message, _| {
        let mut message = message.clone();
        if message["type"] == "peer-joined" {
            message["pake"] = share.clone().into();
        }
        Meddled { on: vec![message], back: Vec::new() }
    });
    let options = || Options { servers: vec![meddler.url()], ..without_devices(None) };
    let (mut a, mut b) = (Side::start("Ann", options()), Side::start("Bob", options()));
    let code = opens(&mut a);
    for _ in 0..3 {
        b.send(Command::Join(invitation(&code)));
        assert_eq!(b.ends(), EndReason::WrongCode);
    }
    a.shows("a new code", |s| matches!(&s.phase, Phase::Waiting(w) if w.code != code && w.notice.is_some()));
    recovers(&mut a);
    recovers(&mut b);
}
