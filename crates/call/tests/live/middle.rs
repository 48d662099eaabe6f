//! A man in the middle: a server with a change to it, between two whole endpoints over real sockets. Whatever it does is
//! refused and named; what changes nothing leaves the call as it was.
//!
//! Most deeds need no knowledge of the code; an [`Insider`] has it. `examples/middle.rs` does the same deeds to programs.

use crate::between::{Meddled, kind_of};
use crate::common::{Server, Side, connects, hang_up, invitation, knows, opens, without_devices};
use crate::impostor::Impostor;
use crate::insider::{Insider, other_fingerprint};
use std::any::Any;
use std::sync::{Mutex, PoisonError};
use visavis_call::{Command, EndReason, Options, Phase};
use visavis_signaling::{Kind, RoomCode};

/// Two people whose server is this one.
fn people(between: &Impostor) -> (Side, Side) {
    let options = || Options { servers: vec![between.url()], ..without_devices(None) };
    (Side::start("Ann", options()), Side::start("Bob", options()))
}

/// Two people with everything between them through an insider that does this; servers last as long as what is last.
fn through_insider(change: fn(Kind, &str) -> String) -> (Side, Side, RoomCode, [Box<dyn Any>; 2]) {
    let real = Server::start();
    let code = RoomCode::random();
    let insider = Mutex::new(Insider::new(&code, change));
    let between = Impostor::between(real.address(), move |message, from_client| {
        insider.lock().unwrap_or_else(PoisonError::into_inner).meddle(message, from_client)
    });
    let (ann, bob) = people(&between);
    (ann, bob, code, [Box::new(real), Box::new(between)])
}

#[test]
fn fingerprints_that_a_server_which_knows_the_code_swaps_end_the_call_with_a_plain_warning() {
    let (mut ann, mut bob, code, _servers) = through_insider(|_, description| other_fingerprint(description));
    ann.send(Command::Start(Some(code.clone())));
    ann.shows("a room", |s| matches!(&s.phase, Phase::Waiting(w) if !w.reach.is_empty()));
    bob.send(Command::Join(invitation(&code)));
    let reasons = [ann.ends(), bob.ends()];
    // Who compares first ends it; the other one comes to the same, or is told nothing more.
    assert!(reasons.contains(&EndReason::Intercepted), "{reasons:?}");
    let clear = |reason: &EndReason| matches!(reason, EndReason::Intercepted | EndReason::PeerHungUp);
    assert!(reasons.iter().all(clear), "{reasons:?}");
    assert!(EndReason::Intercepted.to_string().contains("tried to listen in"));
}

#[test]
fn a_server_that_knows_the_code_and_changes_nothing_is_betrayed_by_the_numbers() {
    let (mut ann, mut bob, code, _servers) = through_insider(|_, description| description.to_owned());
    ann.send(Command::Start(Some(code.clone())));
    ann.shows("a room", |s| matches!(&s.phase, Phase::Waiting(w) if !w.reach.is_empty()));
    bob.send(Command::Join(invitation(&code)));
    let number = |side: &mut Side| match &side.shows("a call", |s| matches!(s.phase, Phase::InCall(_))).phase {
        Phase::InCall(call) => call.verification.clone(),
        other => panic!("{other:?}"),
    };
    assert_ne!(number(&mut ann), number(&mut bob), "what the two read to each other");
}

#[test]
fn candidates_that_a_server_sends_ahead_of_the_answer_and_twice_change_nothing() {
    let real = Server::start();
    let held = Mutex::new(Vec::new());
    let between = Impostor::between(real.address(), move |message, from_client| {
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        match kind_of(message) {
            Some(Kind::Answer) if from_client => {
                held.push(message.clone());
                Meddled { on: Vec::new(), back: Vec::new() }
            }
            Some(Kind::IceCandidate) if from_client => {
                let mut on = vec![message.clone()];
                on.append(&mut held);
                on.push(message.clone());
                Meddled { on, back: Vec::new() }
            }
            Some(_) | None => Meddled::passed(message),
        }
    });
    let (mut ann, mut bob) = people(&between);
    let code = opens(&mut ann);
    bob.send(Command::Join(invitation(&code)));
    connects(&mut ann, &mut bob);
    knows(&mut ann, "Bob");
    hang_up(&mut ann, &mut bob);
}

#[test]
fn a_server_that_keeps_the_answer_back_ends_nothing_in_silence() {
    let real = Server::start();
    let between = Impostor::between(real.address(), |message, _| match kind_of(message) {
        Some(Kind::Answer) => Meddled { on: Vec::new(), back: Vec::new() },
        Some(_) | None => Meddled::passed(message),
    });
    let (mut ann, mut bob) = people(&between);
    let code = opens(&mut ann);
    bob.send(Command::Join(invitation(&code)));
    // Ann turns away who does not prove the code in time, and waits on.
    assert_eq!(bob.ends(), EndReason::WrongCode);
    ann.shows("the room", |s| matches!(&s.phase, Phase::Waiting(w) if w.code == code));
}
