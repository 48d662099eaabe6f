//! Random meddling with everything that passes between two honest people: no wrong key, no fourth guess, no growth, and
//! afterwards everybody can call.

use super::super::*;
use super::invitation;
use super::lone::{code, other_code};
use super::world::{Leg, World};
use crate::api::{EndReason, Phase};
use proptest::prelude::*;
use serde_json::Value;

/// What is done to one message.
#[derive(Clone, Debug)]
enum Deed {
    Pass,
    Drop,
    Double,
    /// Back to its sender.
    Reflect,
    /// To the other of the two.
    Divert,
    /// Kept, and put before a later one.
    Hold,
    /// An earlier one is said again after it.
    Replay(usize),
    Change(usize, Change),
}

#[derive(Clone, Debug)]
enum Change {
    Remove,
    Text(String),
    Number(u64),
    /// The value of the same field in an earlier message.
    Earlier(usize),
    Truncate,
    SwapEnds,
}

const FIELDS: [&str; 10] = ["type", "roomId", "from", "to", "callId", "n", "sealed", "pake", "peerId", "code"];

fn deed() -> impl Strategy<Value = Deed> {
    let change = prop_oneof![
        Just(Change::Remove),
        "(offer|answer|ice-candidate|peer-joined|peer-left|opened|joined|resumed|error|room-taken|seat-gone|dismissed|\\PC{0,8})"
            .prop_map(Change::Text),
        any::<u64>().prop_map(Change::Number),
        (0usize..20).prop_map(Change::Earlier),
        Just(Change::Truncate),
        Just(Change::SwapEnds),
    ];
    prop_oneof![
        8 => Just(Deed::Pass),
        1 => Just(Deed::Drop),
        1 => Just(Deed::Double),
        1 => Just(Deed::Reflect),
        1 => Just(Deed::Divert),
        1 => Just(Deed::Hold),
        2 => (0usize..20).prop_map(Deed::Replay),
        3 => (0..FIELDS.len(), change).prop_map(|(field, change)| Deed::Change(field, change)),
    ]
}

fn change(message: &Value, field: usize, how: &Change, heard: &[(Leg, Value)]) -> Value {
    let mut message = message.clone();
    let field = FIELDS[field];
    match how {
        Change::Remove => {
            message.as_object_mut().map(|m| m.remove(field));
        }
        Change::Text(text) => message[field] = text.as_str().into(),
        Change::Number(number) => message[field] = (*number).into(),
        Change::Earlier(i) => {
            if let Some((_, earlier)) = heard.get(*i) {
                message[field] = earlier[field].clone();
            }
        }
        Change::Truncate => {
            let short = message[field].as_str().map(|t| t.chars().take(t.chars().count() / 2).collect::<String>());
            if let Some(short) = short {
                message[field] = short.into();
            }
        }
        Change::SwapEnds => {
            let (from, to) = (message["from"].clone(), message["to"].clone());
            (message["from"], message["to"]) = (to, from);
        }
    }
    message
}

fn mallory(deeds: Vec<Deed>) -> impl FnMut(Leg, &Value) -> Vec<(Leg, Value)> {
    let mut heard: Vec<(Leg, Value)> = Vec::new();
    let mut held = Vec::new();
    let mut deeds = deeds.into_iter();
    move |leg, message| {
        let this = (leg, message.clone());
        let there = vec![this.clone()];
        let mut made = std::mem::take(&mut held);
        // When the deeds are done, everything passes.
        made.extend(match deeds.next().unwrap_or(Deed::Pass) {
            Deed::Pass => there,
            Deed::Drop => Vec::new(),
            Deed::Double => [there.clone(), there].concat(),
            Deed::Reflect => {
                let (Leg::From(i) | Leg::To(i)) = leg;
                vec![(Leg::To(i), message.clone())]
            }
            Deed::Divert => {
                let (Leg::From(i) | Leg::To(i)) = leg;
                vec![(Leg::To(1 - i), message.clone())]
            }
            Deed::Hold => {
                held.push(this.clone());
                Vec::new()
            }
            Deed::Replay(i) => there.into_iter().chain(heard.get(i).cloned()).collect(),
            Deed::Change(field, how) => vec![(leg, change(message, field, &how, &heard))],
        });
        if heard.len() < 20 {
            heard.push(this);
        }
        made
    }
}

/// The fingerprints that somebody's connections were told to expect.
fn trusted(w: &World, i: usize) -> Vec<Option<Vec<u8>>> {
    let described = |c: PeerCommand| match c {
        PeerCommand::AcceptOffer(sdp) | PeerCommand::AcceptAnswer(sdp) => Some(fingerprint_of(&sdp)),
        _ => None,
    };
    w.commands_of(i).into_iter().filter_map(described).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_meddling_makes_a_call_with_a_wrong_key_or_a_fourth_guess(
        rounds in proptest::collection::vec(proptest::collection::vec(deed(), 0..24), 1..4),
    ) {
        let mut w = World::new(2);
        for deeds in rounds {
            w.mallory = Some(Box::new(mallory(deeds)));
            w.command(0, Command::Start(Some(code())));
            w.command(1, Command::Join(invitation(&code())));
            for step in [1, 5, 16, 31] {
                w.pass(Duration::from_secs(step));
                for i in 0..2 {
                    for print in trusted(&w, i) {
                        prop_assert_eq!(print, Some(vec![w.people[1 - i].fingerprint; 32]), "person {}", i);
                    }
                    prop_assert!(w.peer_count(i) <= 3);
                    prop_assert!(w.people[i].session.book.counter(&code()).unproven() <= 3);
                    prop_assert_ne!(w.reason(i), Some(EndReason::Intercepted));
                }
                if let (Phase::InCall(a), Phase::InCall(b)) = (w.phase(0), w.phase(1)) {
                    prop_assert_eq!(a.verification, b.verification);
                }
            }
            for i in [0, 1] {
                w.command(i, Command::HangUp);
                w.command(i, Command::HangUp);
                prop_assert!(matches!(w.phase(i), Phase::Home), "person {}: {:?}", i, w.phase(i));
                prop_assert_eq!(w.peer_count(i), 0);
            }
            w.mallory = None;
            w.pass(Duration::from_secs(60));
        }
        w.command(0, Command::Start(Some(other_code())));
        w.command(1, Command::Join(invitation(&other_code())));
        prop_assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    }
}
