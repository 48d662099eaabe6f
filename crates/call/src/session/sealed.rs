//! Descriptions and candidates as they travel: sealed for the other side, opened, looked through.

use super::Output;
use super::at_door::AtDoor;
use super::links::Links;
use super::sdp::{self, Facts, MOST_CANDIDATES, SdpFault};
use super::talk::{MAX_CONNECTIONS, Talk};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::Deref;
use std::time::Instant;
use visavis_media::PeerId;
use visavis_signaling::{Budget, ClientMessage, Envelope, Kind, Share};

/// Descriptions that one side may send at once, and each second: each is a lot of work, and an honest
/// side begins ICE anew a few times within seconds at most.
const DESCRIPTIONS: (u32, u32) = (10, 1);

/// Why something of the other side's is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It does not open, or is of another call, sender or recipient: not theirs, or played back.
    Foreign,
    /// It is about a connection that was given up meanwhile.
    Outdated,
    /// They sealed it, and no app of ours sends such a thing.
    Unusable(SdpFault),
}

/// A description as it is sealed.
#[derive(Serialize, Deserialize)]
struct Description {
    sdp: String,
    /// Which connection of the call it is about.
    #[serde(default, skip_serializing_if = "is_first")]
    connection: u32,
    /// Of an answer: the ICE generation of the offer that it answers; older apps do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answers: Option<String>,
}

/// A candidate as it is sealed.
#[derive(Serialize, Deserialize)]
struct Candidate {
    candidate: serde_json::Value,
    /// Which connection of the call it belongs to.
    #[serde(default, skip_serializing_if = "is_first")]
    connection: u32,
    /// And which ICE generation of it; older apps do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_first(connection: &u32) -> bool {
    *connection == 0
}

/// What an offer in mid-call wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// To talk about the connection that there is.
    Same(String),
    /// To begin with a new one.
    Anew(String),
}

impl Talk {
    /// Whether a message is for us, from them, about this call.
    fn belongs(&self, envelope: &Envelope) -> bool {
        self.seats.may_be_them(&envelope.from) && envelope.to == *self.seats.me() && envelope.call_id == self.call
    }

    /// Whether somebody in the room, who is not known to be the other side, offers us a call of their own.
    pub(super) fn is_of_another_call(&self, offer: &Envelope) -> bool {
        let stranger = self.seats.is_stranger(&offer.from) && !self.seats.are_good();
        stranger && offer.pake.is_some() && offer.call_id != self.call
    }

    /// Opens something sealed: the bytes in it.
    fn open(&mut self, kind: Kind, envelope: &Envelope) -> Result<impl Deref<Target = Vec<u8>> + use<>, Unread> {
        if !self.belongs(envelope) {
            return Err(Unread::Foreign);
        }
        let plain = self.opener.open(kind, envelope).map_err(|_| Unread::Foreign)?;
        self.seats.recognise(&envelope.from);
        Ok(plain)
    }

    /// Opens a sealed description and looks through it.
    fn read_description(
        &mut self,
        now: Instant,
        kind: Kind,
        envelope: &Envelope,
    ) -> Result<(Description, Facts), Unread> {
        let plain = self.open(kind, envelope)?;
        self.look_through(now, &plain)
    }

    /// Looks through a description that opened.
    fn look_through(&mut self, now: Instant, plain: &[u8]) -> Result<(Description, Facts), Unread> {
        let (most, per_second) = DESCRIPTIONS;
        if !self.descriptions.get_or_insert_with(|| Budget::new(now, most, per_second)).take(now) {
            return Err(Unread::Unusable(SdpFault::TooMany));
        }
        let description: Description =
            serde_json::from_slice(plain).map_err(|_| Unread::Unusable(SdpFault::Garbage))?;
        let facts = sdp::check(&description.sdp).map_err(Unread::Unusable)?;
        Ok((description, facts))
    }

    /// Remembers what a description says about its sender, whose keys stay the same as long as the connection does.
    fn remember(&mut self, facts: Facts) -> Result<(), Unread> {
        let Facts { fingerprint, generation, candidates } = facts;
        if self.is_connected() && self.announced.as_ref() != Some(&fingerprint) {
            return Err(Unread::Unusable(SdpFault::OtherKeys));
        }
        // Candidates add up until ICE begins anew.
        let before = if self.generation.0 == generation { self.generation.1 } else { 0 };
        if before + candidates > MOST_CANDIDATES {
            return Err(Unread::Unusable(SdpFault::TooManyCandidates));
        }
        self.generation = (generation, before + candidates);
        self.announced = Some(fingerprint);
        Ok(())
    }

    /// Opens a sealed description of the connection that there is, looks through it, and remembers the fingerprint in
    /// it.
    pub(super) fn open_description(&mut self, now: Instant, kind: Kind, envelope: &Envelope) -> Result<String, Unread> {
        let (description, facts) = self.read_description(now, kind, envelope)?;
        self.take_description(description, facts)
    }

    /// Opens what is said at the door of a lasting room, or the description that is said instead.
    pub(super) fn open_at_door(&mut self, now: Instant, kind: Kind, envelope: &Envelope) -> Result<AtDoor, Unread> {
        let plain = self.open(kind, envelope)?;
        if let Some(said) = AtDoor::read(&plain) {
            return Ok(said);
        }
        let (description, facts) = self.look_through(now, &plain)?;
        self.take_description(description, facts).map(AtDoor::Description)
    }

    fn take_description(&mut self, description: Description, facts: Facts) -> Result<String, Unread> {
        let Description { sdp, connection, answers } = description;
        let another = answers.is_some_and(|generation| !self.exchange.is_of(&generation));
        if connection != self.connection || another {
            return Err(Unread::Outdated);
        }
        self.remember(facts)?;
        Ok(sdp)
    }

    /// The same for an offer, which may also ask for a new connection.
    pub(super) fn open_offer(&mut self, now: Instant, envelope: &Envelope) -> Result<Offered, Unread> {
        let (Description { sdp, connection, .. }, facts) = self.read_description(now, Kind::Offer, envelope)?;
        if connection < self.connection {
            return Err(Unread::Outdated);
        }
        if connection == self.connection {
            self.remember(facts)?;
            return Ok(Offered::Same(sdp));
        }
        if connection >= MAX_CONNECTIONS {
            return Err(Unread::Unusable(SdpFault::TooMany));
        }
        let Facts { fingerprint, generation, candidates } = facts;
        (self.connection, self.announced, self.generation) = (connection, Some(fingerprint), (generation, candidates));
        Ok(Offered::Anew(sdp))
    }

    /// Opens a sealed candidate; `None` where it is not to be used. `ahead` is told where it is one of what they go over
    /// to, before it is looked at further.
    pub(super) fn open_candidate(
        &mut self,
        links: &Links,
        envelope: &Envelope,
        ahead: &mut bool,
    ) -> Result<Option<String>, Unread> {
        let plain = self.open(Kind::IceCandidate, envelope)?;
        let Ok(Candidate { candidate, connection, generation }) = serde_json::from_slice(&plain) else {
            return Ok(None);
        };
        let Some(candidate) = sdp::candidate(&candidate).filter(|_| connection == self.connection) else {
            return Ok(None);
        };
        if let Some(generation) = generation.filter(|generation| *generation != self.generation.0) {
            if !self.ahead.is_theirs(&generation) {
                return Ok(None);
            }
            *ahead = true;
            self.generation = (generation, 0);
        }
        // Somebody elsewhere has no business making us send packets to our own loopback addresses.
        let text = candidate.get("candidate").and_then(|c| c.as_str()).unwrap_or_default();
        if sdp::is_loopback(text) && !links.get(self.link).is_some_and(|l| l.info.on_this_machine()) {
            return Ok(None);
        }
        self.generation.1 += 1;
        Ok((self.generation.1 <= MOST_CANDIDATES).then(|| candidate.to_string()))
    }

    /// Seals a description of ours.
    pub(super) fn describe(&mut self, outputs: &mut VecDeque<Output>, kind: Kind, sdp: String) {
        let answers = self.exchange.described(kind, &sdp);
        let description = Description { sdp, connection: self.connection, answers };
        let plain = serde_json::to_vec(&description).expect("strings serialize");
        let share = self.share.take();
        self.say(outputs, kind, share, &plain);
    }

    /// Seals what is said at the door.
    pub(super) fn say_at_door(&mut self, outputs: &mut VecDeque<Output>, kind: Kind, said: &AtDoor) {
        let share = self.share.take();
        self.say(outputs, kind, share, &said.write());
    }

    pub(super) fn candidate(&mut self, outputs: &mut VecDeque<Output>, json: &str) {
        let Ok(candidate) = serde_json::from_str(json) else { return };
        let generation = self.exchange.mine().map(str::to_owned);
        let candidate = Candidate { candidate, connection: self.connection, generation };
        let plain = serde_json::to_vec(&candidate).expect("JSON serializes");
        self.say(outputs, Kind::IceCandidate, None, &plain);
    }

    /// Seals something for the other side; it is not said where it could not arrive.
    fn say(&mut self, outputs: &mut VecDeque<Output>, kind: Kind, share: Option<Share>, plain: &[u8]) {
        if self.seats.may_be_good() {
            let them = self.seats.them().clone();
            self.seal_for(outputs, kind, &them, share, plain);
        } else {
            tracing::debug!("without a seat, nothing is said over signaling");
        }
    }

    /// Shows somebody in the room that we are there, if they can open it: a candidate that is none.
    pub(super) fn greet(&mut self, outputs: &mut VecDeque<Output>, whom: &PeerId) {
        let candidate = Candidate { candidate: serde_json::Value::Null, connection: self.connection, generation: None };
        let plain = serde_json::to_vec(&candidate).expect("JSON serializes");
        self.seal_for(outputs, Kind::IceCandidate, whom, None, &plain);
    }

    fn seal_for(
        &mut self,
        outputs: &mut VecDeque<Output>,
        kind: Kind,
        whom: &PeerId,
        share: Option<Share>,
        plain: &[u8],
    ) {
        let envelope = self.sealer.seal(kind, self.seats.me(), whom, &self.call, share, plain);
        outputs.push_back(Output::Send(self.link, ClientMessage::sealed(kind, envelope)));
    }
}
