//! A man in the middle: a server with a change to it, between two whole endpoints over real sockets. Whatever it does is
//! refused and named; what changes nothing leaves the call as it was.
//!
//! Most deeds need no knowledge of the code. `Insider` is the worst case: its server knows the code (was told it, or hit
//! one of 2¹⁸ with one of three attempts), agrees on keys with both sides, and opens and seals what it likes.

use crate::common::{Server, Side, connects, hang_up, invitation, knows, opens, without_devices};
use crate::impostor::{Impostor, Meddled};
use serde_json::Value;
use std::any::Any;
use std::sync::{Mutex, PoisonError};
use visavis_call::{Command, EndReason, Options, Phase};
use visavis_signaling::{ClientMessage, Envelope, Keys, Kind, Newcomer, PakeSecret, RoomCode, Share, answer};

fn kind_of(message: &Value) -> Option<Kind> {
    match message["type"].as_str()? {
        "offer" => Some(Kind::Offer),
        "answer" => Some(Kind::Answer),
        "ice-candidate" => Some(Kind::IceCandidate),
        _ => None,
    }
}

/// Two people whose server is this one.
fn people(between: &Impostor) -> (Side, Side) {
    let options = || Options { servers: vec![between.url()], ..without_devices(None) };
    (Side::start("Ann", options()), Side::start("Bob", options()))
}

fn passed(message: &Value) -> Meddled {
    Meddled { on: vec![message.clone()], back: Vec::new() }
}

/// Sits between two people and knows the code.
struct Insider {
    secret: PakeSecret,
    /// What it does to the descriptions that it opens and seals again.
    change: fn(&str) -> String,
    newcomer: Option<Newcomer>,
    /// The share for Bob, until it went with the first offer.
    reply: Option<Share>,
    with_ann: Option<Keys>,
    with_bob: Option<Keys>,
}

impl Insider {
    fn new(code: &RoomCode, change: fn(&str) -> String) -> Self {
        let secret = PakeSecret::derive(code);
        Self { secret, change, newcomer: None, reply: None, with_ann: None, with_bob: None }
    }

    /// Ann waits and Bob joins her; only what they send is looked at.
    fn meddle(&mut self, message: &Value, from_client: bool) -> Meddled {
        if !from_client {
            return passed(message);
        }
        let mut message = message.clone();
        if message["type"] == "join" {
            let theirs = Share::from_text(message["pake"].as_str().unwrap());
            let (reply, agreed) = answer(&self.secret, &theirs).unwrap();
            let (newcomer, ours) = Newcomer::start(&self.secret);
            (self.newcomer, self.reply, self.with_bob) = (Some(newcomer), Some(reply), Some(agreed.into_keys()));
            message["pake"] = ours.as_str().into();
        }
        match kind_of(&message) {
            Some(kind) => Meddled { on: vec![self.seal_again(kind, message)], back: Vec::new() },
            None => passed(&message),
        }
    }

    fn seal_again(&mut self, kind: Kind, message: Value) -> Value {
        let envelope: Envelope = serde_json::from_value(message).unwrap();
        if let (Some(share), Some(newcomer)) = (&envelope.pake, self.newcomer.take_if(|_| kind == Kind::Offer)) {
            self.with_ann = Some(newcomer.finish(share).unwrap().into_keys());
        }
        let (ann, bob) = (self.with_ann.as_mut().unwrap(), self.with_bob.as_mut().unwrap());
        let (from, to, plain) = match ann.opener.open(kind, &envelope) {
            Ok(plain) => (true, bob, plain),
            Err(_) => (false, ann, bob.opener.open(kind, &envelope).expect("sealed by one of the two")),
        };
        let plain = match kind {
            Kind::Offer | Kind::Answer => (self.change)(std::str::from_utf8(&plain).unwrap()),
            Kind::IceCandidate => String::from_utf8(plain.to_vec()).unwrap(),
        };
        let share = self.reply.take_if(|_| from && kind == Kind::Offer);
        let Envelope { from, to: whom, call_id, .. } = envelope;
        let sealed = to.sealer.seal(kind, &from, &whom, &call_id, share, plain.as_bytes());
        serde_json::from_str(&ClientMessage::sealed(kind, sealed).to_json()).unwrap()
    }
}

/// Two people with everything between them through an insider that does this; servers last as long as what is last.
fn through_insider(change: fn(&str) -> String) -> (Side, Side, RoomCode, [Box<dyn Any>; 2]) {
    let real = Server::start();
    let code = RoomCode::random();
    let insider = Mutex::new(Insider::new(&code, change));
    let between = Impostor::between(real.url(), move |message, from_client| {
        insider.lock().unwrap_or_else(PoisonError::into_inner).meddle(message, from_client)
    });
    let (ann, bob) = people(&between);
    (ann, bob, code, [Box::new(real), Box::new(between)])
}

/// Another fingerprint, where the certificate in DTLS stays what it is.
fn other_fingerprint(description: &str) -> String {
    let at = description.find("a=fingerprint:sha-256 ").expect("a fingerprint") + "a=fingerprint:sha-256 ".len();
    let digits = &description[at..at + 95];
    description.replace(digits, &["AB"; 32].join(":"))
}

#[test]
fn fingerprints_that_a_server_which_knows_the_code_swaps_end_the_call_with_a_plain_warning() {
    let (mut ann, mut bob, code, _servers) = through_insider(other_fingerprint);
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
    let (mut ann, mut bob, code, _servers) = through_insider(str::to_owned);
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
    let between = Impostor::between(real.url(), move |message, from_client| {
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
            Some(_) | None => passed(message),
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
    let between = Impostor::between(real.url(), |message, _| match kind_of(message) {
        Some(Kind::Answer) => Meddled { on: Vec::new(), back: Vec::new() },
        Some(_) | None => passed(message),
    });
    let (mut ann, mut bob) = people(&between);
    let code = opens(&mut ann);
    bob.send(Command::Join(invitation(&code)));
    // Ann turns away who does not prove the code in time, and waits on.
    assert_eq!(bob.ends(), EndReason::WrongCode);
    ann.shows("the room", |s| matches!(&s.phase, Phase::Waiting(w) if w.code == code));
}
