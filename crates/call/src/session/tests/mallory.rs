//! A man in the middle: two honest people, and somebody who does what they like with every message between them.

use super::super::*;
use super::invitation;
use super::lone::{code, other_code};
use super::world::{Leg, World};
use crate::api::{EndReason, Phase};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

const SEALED: [&str; 3] = ["offer", "answer", "ice-candidate"];

fn is(message: &Value, kinds: &[&str]) -> bool {
    message["type"].as_str().is_some_and(|t| kinds.contains(&t))
}

/// Two people, one of whom waits, and the other joins.
fn attempt(mallory: impl FnMut(Leg, &Value) -> Vec<(Leg, Value)> + 'static) -> World {
    let mut w = World::new(2);
    w.mallory = Some(Box::new(mallory));
    try_once(&mut w);
    w
}

fn try_once(w: &mut World) {
    w.command(0, Command::Start(Some(code())));
    w.command(1, Command::Join(invitation(&code())));
}

fn numbers(w: &World) -> [Option<String>; 2] {
    [0, 1].map(|i| match w.phase(i) {
        Phase::InCall(call) => Some(call.verification),
        _ => None,
    })
}

/// Both are in the call, and read the same number.
fn together(w: &World) -> bool {
    let [a, b] = numbers(w);
    w.in_call(0) && w.in_call(1) && a.is_some() && a == b
}

fn oddities(w: &World) -> u32 {
    w.people.iter().map(|p| p.session.patience.oddities()).sum()
}

/// After whatever happened, and without Mallory: everybody can go home and call.
fn recovers(w: &mut World) {
    w.mallory = None;
    for i in 0..2 {
        w.command(i, Command::HangUp);
        w.command(i, Command::HangUp);
        assert!(matches!(w.phase(i), Phase::Home), "{:?}", w.phase(i));
    }
    w.pass(Duration::from_secs(60));
    w.command(0, Command::Start(Some(other_code())));
    w.command(1, Command::Join(invitation(&other_code())));
    assert!(together(w), "{:?} / {:?}", w.phase(0), w.phase(1));
}

fn changed(message: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut message = message.clone();
    message[field] = value.into();
    message
}

#[test]
fn somebody_between_who_knows_the_code_is_betrayed_by_the_numbers() {
    // Ann calls Mallory, Mallory calls Bob, both under the code that Ann gave Bob. Even where Mallory could use Ann's and
    // Bob's own certificates (it cannot: it has no key for them), the numbers would differ.
    for (as_bob, as_ann) in [(9, 9), (2, 1)] {
        let (mut near, mut far) = (World::new(2), World::new(2));
        (near.people[0].fingerprint, near.people[1].fingerprint) = (1, as_bob);
        (far.people[0].fingerprint, far.people[1].fingerprint) = (as_ann, 2);
        try_once(&mut near);
        try_once(&mut far);
        assert!(together(&near) && together(&far));
        let ([ann, _], [_, bob]) = (numbers(&near), numbers(&far));
        assert_ne!(ann, bob);
    }
}

#[test]
fn a_certificate_that_is_not_the_announced_one_ends_the_call_as_intercepted() {
    let mut w = World::new(2);
    w.people[0].forged = Some(vec![9; 32]);
    try_once(&mut w);
    // The other side is told nothing but that the connection is closed, and waits a moment for another.
    w.pass(Duration::from_secs(1));
    assert_eq!((w.reason(0), w.reason(1)), (Some(EndReason::Intercepted), Some(EndReason::PeerHungUp)));
    assert!(!w.people[0].media && !w.people[1].media);
    w.people[0].forged = None;
    recovers(&mut w);
}

#[test]
fn whatever_is_changed_in_a_sealed_message_it_gets_nobody_in_and_costs_at_most_an_attempt() {
    let alter = |field: &'static str, message: &Value| match field {
        "sealed-bit" => {
            let sealed = message["sealed"].as_str().expect("text");
            let flipped = if sealed.starts_with('A') { "B" } else { "A" };
            changed(message, "sealed", format!("{flipped}{}", &sealed[1..]))
        }
        "truncated" => {
            let sealed = message["sealed"].as_str().expect("text");
            changed(message, "sealed", &sealed[..sealed.len() / 2])
        }
        "n" => changed(message, "n", message["n"].as_u64().expect("a number") + 1),
        "huge-n" => changed(message, "n", u64::MAX),
        "type" => {
            let other = if is(message, &["offer"]) { "answer" } else { "offer" };
            changed(message, "type", other)
        }
        "share" => changed(message, "pake", "AAAA"),
        field => changed(message, field, "0123456789abcdef"),
    };
    for kind in ["offer", "answer"] {
        for field in ["sealed-bit", "truncated", "n", "huge-n", "type", "from", "to", "callId", "roomId", "share"] {
            if (kind, field) == ("answer", "share") {
                continue;
            }
            let mut w = attempt(move |leg, message| {
                let meddled = matches!(leg, Leg::To(_)) && is(message, &[kind]);
                vec![(leg, if meddled { alter(field, message) } else { message.clone() })]
            });
            w.pass(Duration::from_secs(60));
            assert!(!w.in_call(0) && !w.in_call(1), "{kind} with another {field}");
            let reason = w.reason(1);
            let clear = matches!(
                reason,
                Some(EndReason::WrongCode | EndReason::Meddled | EndReason::ConnectFailed | EndReason::PeerLeft)
            );
            assert!(clear, "{kind} with another {field}: {reason:?}");
            assert!(w.people[0].session.book.counter(&code()).unproven() <= 1, "{kind} with another {field}");
            assert!(matches!(w.phase(0), Phase::Waiting(_)), "{kind} with another {field}: {:?}", w.phase(0));
            recovers(&mut w);
        }
    }
}

#[test]
fn changed_candidates_are_passed_over_and_counted() {
    for field in ["sealed", "from", "to", "callId", "roomId", "n"] {
        let w = attempt(move |leg, message| {
            let meddled = matches!(leg, Leg::To(_)) && is(message, &["ice-candidate"]);
            let value = if field == "n" { json!(0) } else { json!("0123456789abcdef") };
            vec![(leg, if meddled { changed(message, field, value) } else { message.clone() })]
        });
        assert!(together(&w), "{field}: {:?} / {:?}", w.phase(0), w.phase(1));
        assert!(oddities(&w) > 0, "{field}");
    }
}

#[test]
fn doubled_and_reflected_messages_change_nothing_and_are_counted() {
    let mut w = attempt(|leg, message| {
        let there = (leg, message.clone());
        let swapped = || changed(&changed(message, "from", message["to"].clone()), "to", message["from"].clone());
        match leg {
            // Back to its sender, as it was and as if the other had said it.
            Leg::From(i) if is(message, &SEALED) => vec![there, (Leg::To(i), message.clone()), (Leg::To(i), swapped())],
            // To where it was going, three times; and to the other side.
            Leg::To(i) if is(message, &SEALED) => {
                vec![there.clone(), there.clone(), there, (Leg::To(1 - i), message.clone()), (Leg::To(i), swapped())]
            }
            _ => vec![there],
        }
    });
    assert!(together(&w), "{:?} / {:?}", w.phase(0), w.phase(1));
    assert!(oddities(&w) >= 4, "{}", oddities(&w));
    w.command(1, Command::SetMuted(true));
    assert!(w.people[0].events.contains(&Event::PeerMuted(true)));
    assert_eq!((w.people[0].starts, w.people[1].starts), (1, 1));
}

#[test]
fn messages_of_an_older_call_mean_nothing_in_the_next() {
    let heard: Rc<RefCell<Vec<(usize, Value)>>> = Rc::default();
    let keep = heard.clone();
    let mut w = attempt(move |leg, message| {
        if let (Leg::To(i), true) = (leg, is(message, &SEALED)) {
            keep.borrow_mut().push((i, message.clone()));
        }
        vec![(leg, message.clone())]
    });
    assert!(together(&w) && heard.borrow().len() >= 3);
    w.command(0, Command::HangUp);
    w.command(0, Command::HangUp);
    w.command(1, Command::HangUp);
    let old: Vec<_> = heard.borrow().clone();
    // Each of them before whatever is said in the next call, and all of them after it.
    let again = old.clone();
    w.mallory = Some(Box::new(move |leg, message| {
        let old = again.iter().map(|(i, m)| (Leg::To(*i), m.clone()));
        old.chain([(leg, message.clone())]).collect()
    }));
    try_once(&mut w);
    assert!(together(&w), "{:?} / {:?}", w.phase(0), w.phase(1));
    for (i, message) in old {
        w.put(Leg::To(i), &message.to_string());
    }
    w.settle();
    assert!(together(&w));
    assert!(oddities(&w) > 0);
}

#[test]
fn a_message_that_never_comes_ends_in_words_that_fit() {
    let reason = |w: &World, i: usize| w.reason(i);
    for kind in ["opened", "joined", "peer-joined", "offer", "answer", "ice-candidate"] {
        let mut w = attempt(move |leg, message| {
            let dropped = matches!(leg, Leg::To(_)) && is(message, &[kind]);
            if dropped { Vec::new() } else { vec![(leg, message.clone())] }
        });
        w.pass(Duration::from_secs(60));
        let ends = (reason(&w, 0), reason(&w, 1));
        let fits = match kind {
            "opened" => matches!(ends, (Some(EndReason::SignalingUnreachable(_)), Some(_))),
            "joined" => matches!(ends, (None, Some(EndReason::SignalingUnreachable(_)))),
            "peer-joined" | "offer" => matches!(ends, (None, Some(EndReason::PeerLeft))),
            // The newcomer hears from the host's server that it was turned away, or finds no way.
            "answer" => {
                matches!(ends, (None, Some(EndReason::ConnectFailed | EndReason::WrongCode | EndReason::PeerLeft)))
            }
            // These connections need none.
            _ => ends == (None, None) && together(&w),
        };
        assert!(fits, "without {kind}: {ends:?}");
        recovers(&mut w);
    }
}

#[test]
fn candidates_that_overtake_or_trail_change_nothing() {
    let held: Rc<RefCell<Vec<(Leg, Value)>>> = Rc::default();
    let keep = held.clone();
    let mut w = attempt(move |leg, message| {
        if matches!(leg, Leg::To(_)) && is(message, &["ice-candidate"]) {
            keep.borrow_mut().insert(0, (leg, message.clone()));
            return Vec::new();
        }
        vec![(leg, message.clone())]
    });
    assert!(together(&w));
    w.pass(Duration::from_secs(120));
    for (leg, message) in held.take() {
        w.put(leg, &message.to_string());
    }
    w.settle();
    assert!(together(&w));
}

#[test]
fn an_answer_that_is_held_back_too_long_costs_an_attempt() {
    for (held_for, comes) in [(10, true), (40, false)] {
        let held: Rc<RefCell<Option<Value>>> = Rc::default();
        let keep = held.clone();
        let mut w = attempt(move |leg, message| {
            if leg == Leg::To(0) && is(message, &["answer"]) {
                *keep.borrow_mut() = Some(message.clone());
                return Vec::new();
            }
            vec![(leg, message.clone())]
        });
        w.pass(Duration::from_secs(held_for));
        let message = held.take().expect("an answer");
        w.put(Leg::To(0), &message.to_string());
        w.settle();
        assert_eq!(together(&w), comes, "after {held_for} s: {:?} / {:?}", w.phase(0), w.phase(1));
        let unproven = w.people[0].session.book.counter(&code()).unproven();
        assert_eq!(unproven, u32::from(!comes));
    }
}

#[test]
fn an_answer_in_somebody_elses_name_gets_nobody_in() {
    let mut w = attempt(|leg, message| {
        if leg == Leg::To(0) && is(message, &["answer"]) {
            // Somebody else was announced meanwhile, and answers with what the newcomer sealed.
            let share = visavis_signaling::Newcomer::start(&super::world::secret(&code())).1;
            let other = json!({"type": "peer-joined", "peerId": "other", "pake": share.as_str()});
            return vec![(leg, other), (leg, changed(message, "from", "other"))];
        }
        vec![(leg, message.clone())]
    });
    assert!(!w.in_call(0));
    w.pass(Duration::from_secs(60));
    assert!(!w.in_call(0) && !w.in_call(1));
    assert_eq!(w.people[0].session.book.counter(&code()).unproven(), 2);
    recovers(&mut w);
}

#[test]
fn a_connection_that_meddling_kept_from_coming_about_is_blamed_on_the_server() {
    let mut w = World::new(2);
    w.mallory = Some(Box::new(|leg, message| match leg {
        // The newcomer's proof is kept, and it hears its own words instead.
        Leg::From(1) if is(message, &["answer"]) => vec![(Leg::To(1), message.clone())],
        _ => vec![(leg, message.clone())],
    }));
    try_once(&mut w);
    w.pass(Duration::from_secs(14));
    assert!(matches!(w.phase(1), Phase::Connecting { .. }));
    // The host's server sends it away after that; this one keeps even that to itself.
    w.mallory =
        Some(Box::new(|leg, message| if leg == Leg::To(1) { Vec::new() } else { vec![(leg, message.clone())] }));
    w.pass(Duration::from_secs(20));
    assert_eq!(w.reason(1), Some(EndReason::Meddled));
    assert!(w.reason(1).expect("a reason").to_string().contains("server sent something that does not belong"));
    recovers(&mut w);
}
