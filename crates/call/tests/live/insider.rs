//! The worst case of a man in the middle: a server that knows the code (was told it, or hit one of 2¹⁸ with one of three
//! attempts), agrees on keys with both sides, and opens and seals what it likes.

use crate::between::{Meddled, kind_of};
use serde_json::Value;
use visavis_signaling::{ClientMessage, Envelope, Keys, Kind, Newcomer, PakeSecret, RoomCode, Share, answer};

/// Sits between two people and knows the code. One of them waits, Ann; Bob joins her.
pub struct Insider {
    secret: PakeSecret,
    /// What it does to the descriptions that it opens and seals again.
    change: fn(Kind, &str) -> String,
    newcomer: Option<Newcomer>,
    /// The share for Bob, until it went with the first offer.
    reply: Option<Share>,
    with_ann: Option<Keys>,
    with_bob: Option<Keys>,
}

impl Insider {
    pub fn new(code: &RoomCode, change: fn(Kind, &str) -> String) -> Self {
        let secret = PakeSecret::derive(code);
        Self { secret, change, newcomer: None, reply: None, with_ann: None, with_bob: None }
    }

    /// Only what they send is looked at.
    pub fn meddle(&mut self, message: &Value, from_client: bool) -> Meddled {
        if !from_client {
            return Meddled::passed(message);
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
            Some(kind) => Meddled::passed(&self.seal_again(kind, message)),
            None => Meddled::passed(&message),
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
        let plain = std::str::from_utf8(&plain).unwrap();
        let plain = match kind {
            Kind::Offer | Kind::Answer => (self.change)(kind, plain),
            Kind::IceCandidate => plain.to_owned(),
        };
        let share = self.reply.take_if(|_| from && kind == Kind::Offer);
        let Envelope { from, to: whom, call_id, .. } = envelope;
        let sealed = to.sealer.seal(kind, &from, &whom, &call_id, share, plain.as_bytes());
        serde_json::from_str(&ClientMessage::sealed(kind, sealed).to_json()).unwrap()
    }
}

/// Another fingerprint, where the certificate in DTLS stays what it is.
pub fn other_fingerprint(description: &str) -> String {
    let at = description.find("a=fingerprint:sha-256 ").expect("a fingerprint") + "a=fingerprint:sha-256 ".len();
    let digits = &description[at..at + 95];
    description.replace(digits, &["AB"; 32].join(":"))
}
