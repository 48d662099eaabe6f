//! Two peers with keys: descriptions, candidates, and what they tell each other.

use super::ahead::Ahead;
use super::links::{LinkId, Links};
use super::negotiation::Negotiation;
use super::roaming::{Exchange, Interruption};
use super::sdp::{self, Facts, MOST_CANDIDATES, SdpFault};
use super::{Output, PeerKey};
use crate::api::{ChatLine, Path, PeerView};
use crate::peer::PeerEvent;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::{Duration, Instant};
use visavis_media::{CallId, PeerId};
use visavis_signaling::{
    Attempt, Budget, ClientMessage, Envelope, Keys, Kind, Opener, RoomCode, Sealer, Share, Transcript,
};

/// From keys to media.
pub(super) const CONNECTING: Duration = Duration::from_secs(20);
/// Candidates that may come before their sender has proved the code.
const MAX_EARLY: usize = 32;
/// Connections that one call may use up, one after the other.
const MAX_CONNECTIONS: u32 = 6;
/// Lines of chat that are kept.
pub(super) const MAX_CHAT_LINES: usize = 500;
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

/// How far the path is.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    /// Not yet.
    Connecting {
        /// Given up then.
        limit: Instant,
        /// Packets get through; unless it is ready by then, the connection is built anew.
        ready_by: Option<Instant>,
    },
    /// Media may flow.
    Connected {
        since: Instant,
        path: Path,
        verification: String,
        /// Nothing gets through.
        interrupted: Option<Interruption>,
    },
}

/// See the module's text.
pub(crate) struct Talk {
    pub key: PeerKey,
    /// How often the connection was built anew. Both sides say with everything which one they mean.
    pub(super) connection: u32,
    pub link: LinkId,
    me: PeerId,
    pub them: PeerId,
    call: CallId,
    sealer: Sealer,
    opener: Opener,
    pub transcript: Transcript,
    /// Our share, to go with the first offer.
    share: Option<Share>,
    /// What the newcomer's attempt costs until it proves the code.
    pub guess: Option<Attempt>,
    /// Of an attempt: when it is given up.
    pub limit: Instant,
    early: Vec<Envelope>,
    pub negotiation: Negotiation,
    /// The fingerprint that came sealed.
    pub announced: Option<Vec<u8>>,
    /// Their ICE generation, and how many candidates of it we took.
    pub(super) generation: (String, usize),
    /// The exchange of descriptions that is under way.
    pub(super) exchange: Exchange,
    /// What both begin ICE anew with when the path breaks.
    pub(super) ahead: Ahead,
    /// The address of this machine that the path leads from, where it is known.
    pub(super) local: Option<IpAddr>,
    /// What we say over the link is passed on: our seat is known to be ours.
    pub(super) seated: bool,
    /// Made with the first description.
    descriptions: Option<Budget>,
    /// Of descriptions that we make in mid-call; made with the first one.
    pub(super) said: Option<Budget>,
    pub transport: Transport,
    pub code: Option<RoomCode>,
    pub view: PeerView,
    pub control_open: bool,
    /// They have said who they are.
    pub greeted: bool,
    /// Lines of chat that wait for that: the control channel opens a moment after media may flow.
    pub unsent: Vec<String>,
    pub chat: Vec<ChatLine>,
    /// The server says that they left the room. It may lie, so the call ends only when nothing gets through either.
    pub left: bool,
    /// They closed the connection before they said anything; unless a new one is offered, the call ends then.
    pub closed: Option<Instant>,
}

impl Talk {
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and there is one caller")]
    pub(super) fn host(
        key: PeerKey,
        link: LinkId,
        me: PeerId,
        them: PeerId,
        keys: Keys,
        share: Share,
        guess: Attempt,
        limit: Instant,
    ) -> Self {
        let mut talk = Self::new(key, link, me, them, CallId::random(), keys, Negotiation::new(false), limit);
        talk.negotiation.begin_offer();
        (talk.share, talk.guess) = (Some(share), Some(guess));
        talk
    }

    pub(super) fn newcomer(
        key: PeerKey,
        link: LinkId,
        me: PeerId,
        them: PeerId,
        call: CallId,
        keys: Keys,
        limit: Instant,
    ) -> Self {
        Self::new(key, link, me, them, call, keys, Negotiation::new(true), limit)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different thing")]
    fn new(
        key: PeerKey,
        link: LinkId,
        me: PeerId,
        them: PeerId,
        call: CallId,
        keys: Keys,
        negotiation: Negotiation,
        limit: Instant,
    ) -> Self {
        let Keys { sealer, opener, transcript, .. } = keys;
        Self {
            key,
            connection: 0,
            link,
            me,
            them,
            call,
            sealer,
            opener,
            transcript,
            share: None,
            guess: None,
            limit,
            early: Vec::new(),
            negotiation,
            announced: None,
            generation: (String::new(), 0),
            exchange: Exchange::default(),
            ahead: Ahead::default(),
            local: None,
            seated: true,
            descriptions: None,
            said: None,
            transport: Transport::Connecting { limit, ready_by: None },
            code: None,
            view: PeerView { video_on: true, has_camera: true, ..PeerView::default() },
            control_open: false,
            greeted: false,
            unsent: Vec::new(),
            chat: Vec::new(),
            left: false,
            closed: None,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.transport, Transport::Connected { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let transport = match &self.transport {
            Transport::Connecting { limit, ready_by } => Some(ready_by.map_or(*limit, |at| at.min(*limit))),
            Transport::Connected { interrupted, .. } => interrupted.map(|i| i.deadline()),
        };
        transport.into_iter().chain(self.closed).min()
    }

    /// Whether a message is for us, from them, about this call.
    fn belongs(&self, envelope: &Envelope) -> bool {
        envelope.from == self.them && envelope.to == self.me && envelope.call_id == self.call
    }

    /// Opens something sealed: the bytes in it.
    fn open(&mut self, kind: Kind, envelope: &Envelope) -> Result<impl Deref<Target = Vec<u8>> + use<>, Unread> {
        if !self.belongs(envelope) {
            return Err(Unread::Foreign);
        }
        self.opener.open(kind, envelope).map_err(|_| Unread::Foreign)
    }

    /// Opens a sealed description and looks through it.
    fn read_description(
        &mut self,
        now: Instant,
        kind: Kind,
        envelope: &Envelope,
    ) -> Result<(Description, Facts), Unread> {
        let plain = self.open(kind, envelope)?;
        let (most, per_second) = DESCRIPTIONS;
        if !self.descriptions.get_or_insert_with(|| Budget::new(now, most, per_second)).take(now) {
            return Err(Unread::Unusable(SdpFault::TooMany));
        }
        let description: Description =
            serde_json::from_slice(&plain).map_err(|_| Unread::Unusable(SdpFault::Garbage))?;
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
        let (Description { sdp, connection, answers }, facts) = self.read_description(now, kind, envelope)?;
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

    /// Whether another connection may be begun; if so, it is counted.
    pub(super) fn count_connection(&mut self) -> bool {
        let more = self.connection + 1 < MAX_CONNECTIONS;
        self.connection += u32::from(more);
        more
    }

    /// Turns to a new connection, which knows nothing of the old one; keys and words spoken stay. Returns the old one.
    pub(super) fn turn_to(&mut self, key: PeerKey, limit: Instant) -> PeerKey {
        let limit = match self.transport {
            Transport::Connecting { limit, .. } => limit,
            Transport::Connected { .. } => limit,
        };
        self.transport = Transport::Connecting { limit, ready_by: None };
        self.negotiation = Negotiation::new(self.negotiation.is_polite());
        (self.exchange, self.ahead, self.local) = (Exchange::default(), Ahead::default(), None);
        (self.control_open, self.greeted, self.closed) = (false, false, None);
        std::mem::replace(&mut self.key, key)
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

    pub(super) fn keep_early(&mut self, envelope: Envelope) {
        if self.early.len() < MAX_EARLY {
            self.early.push(envelope);
        }
    }

    pub(super) fn take_early(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.early)
    }

    /// Seals a description of ours.
    pub(super) fn describe(&mut self, outputs: &mut VecDeque<Output>, kind: Kind, sdp: String) {
        let answers = self.exchange.described(kind, &sdp);
        let description = Description { sdp, connection: self.connection, answers };
        let plain = serde_json::to_vec(&description).expect("strings serialize");
        let share = self.share.take();
        let envelope = self.sealer.seal(kind, &self.me, &self.them, &self.call, share, &plain);
        outputs.push_back(Output::Send(self.link, ClientMessage::sealed(kind, envelope)));
    }

    pub(super) fn candidate(&mut self, outputs: &mut VecDeque<Output>, json: &str) {
        let Ok(candidate) = serde_json::from_str(json) else { return };
        let generation = self.exchange.mine().map(str::to_owned);
        let candidate = Candidate { candidate, connection: self.connection, generation };
        let plain = serde_json::to_vec(&candidate).expect("JSON serializes");
        let envelope = self.sealer.seal(Kind::IceCandidate, &self.me, &self.them, &self.call, None, &plain);
        outputs.push_back(Output::Send(self.link, ClientMessage::sealed(Kind::IceCandidate, envelope)));
    }

    /// What descriptions and candidates of our own connection lead to. `true`: it failed.
    pub(super) fn attempt_event(&mut self, outputs: &mut VecDeque<Output>, links: &Links, event: PeerEvent) -> bool {
        match event {
            PeerEvent::Offer(sdp) => {
                if self.negotiation.offer_wanted() {
                    self.describe(outputs, Kind::Offer, sdp);
                }
            }
            PeerEvent::Answer(sdp) => self.describe(outputs, Kind::Answer, sdp),
            PeerEvent::Candidate { json, loopback } => {
                if !loopback || links.get(self.link).is_some_and(|l| l.info.on_this_machine()) {
                    self.candidate(outputs, &json);
                }
            }
            PeerEvent::Failed(error) | PeerEvent::Broken(error) | PeerEvent::Misbehaves(error) => {
                tracing::debug!(error, "peer connection failed");
                return true;
            }
            PeerEvent::Closed
            | PeerEvent::TheyClosed
            | PeerEvent::Connected { .. }
            | PeerEvent::Control(_)
            | PeerEvent::ControlOpen
            | PeerEvent::Staged(..)
            | PeerEvent::Nudged
            | PeerEvent::Uses(_)
            | PeerEvent::IceConnected
            | PeerEvent::IceDisconnected
            | PeerEvent::IceFailed => {}
        }
        false
    }
}

#[cfg(test)]
impl Talk {
    /// As somebody who asks for one new connection after the other.
    pub(super) fn count_connection_of_a_liar(&mut self) {
        self.connection += 1;
    }
}
