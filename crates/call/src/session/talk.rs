//! Two peers with keys: all that is known of the other side, of the connection to it, and of what was said.

use super::ahead::Ahead;
use super::links::{LinkId, Links};
use super::negotiation::Negotiation;
use super::roaming::{Exchange, Interruption};
use super::seats::Seats;
use super::{Output, PeerKey};
use crate::api::{ChatLine, Path, PeerView};
use crate::peer::PeerEvent;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use visavis_media::{CallId, PeerId};
use visavis_signaling::{Attempt, Budget, Envelope, Keys, Kind, Opener, RoomCode, Sealer, Share, Transcript};

/// From keys to media.
pub(super) const CONNECTING: Duration = Duration::from_secs(20);
/// Candidates that may come before their sender has proved the code.
const MAX_EARLY: usize = 32;
/// Connections that one call may use up, one after the other.
pub(super) const MAX_CONNECTIONS: u32 = 6;
/// Lines of chat that are kept.
pub(super) const MAX_CHAT_LINES: usize = 500;

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
        /// The TURN server on the path.
        relay: Option<String>,
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
    /// Ours and theirs on the server.
    pub(super) seats: Seats,
    pub(super) call: CallId,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    pub transcript: Transcript,
    /// Our share, to go with the first offer.
    pub(super) share: Option<Share>,
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
    /// How media travels, or would as soon as it may.
    pub(super) way: (Path, Option<String>),
    /// A TURN server of ours does not serve, in words.
    pub(super) relay_trouble: Option<String>,
    /// The other side can be told something by way of the server, as was last said.
    pub(super) signaling: bool,
    /// Made with the first description.
    pub(super) descriptions: Option<Budget>,
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
    /// Who came after they left, with their share: the same guest with the page loaded anew, perhaps.
    pub(super) newcomer: Option<(PeerId, Share)>,
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
            seats: Seats::new(me, them, !negotiation.is_polite()),
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
            way: (Path::Direct, None),
            relay_trouble: None,
            signaling: true,
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
            newcomer: None,
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
        transport.into_iter().chain(self.closed).chain(self.seats.deadline()).min()
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

    pub(super) fn keep_early(&mut self, envelope: Envelope) {
        if self.early.len() < MAX_EARLY {
            self.early.push(envelope);
        }
    }

    pub(super) fn take_early(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.early)
    }

    /// What descriptions and candidates of our own connection lead to. `true`: it failed.
    pub(super) fn attempt_event(&mut self, outputs: &mut VecDeque<Output>, links: &Links, event: PeerEvent) -> bool {
        match event {
            PeerEvent::Offer(sdp) => {
                if self.negotiation.offer_wanted() {
                    // One that is built anew does without whatever may have kept the last from standing.
                    let sdp = if self.connection == 0 { sdp } else { crate::peer::untold(&sdp) };
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
            // Mostly before the other side has proved anything; it is told when the call begins.
            PeerEvent::RelayTrouble(trouble) => self.relay_trouble = Some(trouble),
            PeerEvent::Closed
            | PeerEvent::TheyClosed
            | PeerEvent::Connected { .. }
            | PeerEvent::Control(_)
            | PeerEvent::ControlOpen
            | PeerEvent::Staged(..)
            | PeerEvent::Nudged
            | PeerEvent::Uses(_)
            | PeerEvent::Way(..)
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
