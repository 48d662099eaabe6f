//! Two peers with keys: descriptions, candidates, and what they tell each other.

use super::links::{LinkId, Links};
use super::negotiation::Negotiation;
use super::{Output, PeerKey, fingerprint_of};
use crate::api::{ChatLine, Path, PeerView};
use crate::peer::{PeerCommand, PeerEvent};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::{CallId, PeerId};
use visavis_signaling::{Attempt, ClientMessage, Envelope, Keys, Kind, Opener, RoomCode, Sealer, Share, Transcript};

/// From keys to media.
pub(super) const CONNECTING: Duration = Duration::from_secs(20);
/// Without a packet for so long, the call is over.
pub(super) const INTERRUPTED: Duration = Duration::from_secs(30);
/// Another ICE restart is tried after this long.
pub(super) const RESTART: Duration = Duration::from_secs(5);
/// Candidates that may come before their sender has proved the code.
const MAX_EARLY: usize = 32;
/// Lines of chat that are kept.
pub(super) const MAX_CHAT_LINES: usize = 500;

/// A description as it is sealed.
#[derive(Serialize, Deserialize)]
struct Description {
    sdp: String,
}

/// A candidate as it is sealed.
#[derive(Serialize, Deserialize)]
struct Candidate {
    candidate: serde_json::Value,
}

/// How far the path is.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    /// Not yet.
    Connecting {
        /// Given up then.
        limit: Instant,
    },
    /// Media may flow.
    Connected {
        since: Instant,
        path: Path,
        verification: String,
        /// Nothing gets through since then, and when the next restart is due.
        interrupted: Option<(Instant, Instant)>,
    },
}

/// See the module's text.
pub(crate) struct Talk {
    pub key: PeerKey,
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
    pub transport: Transport,
    pub code: Option<RoomCode>,
    pub view: PeerView,
    pub control_open: bool,
    /// They have said who they are.
    pub greeted: bool,
    /// Lines of chat that wait for that: the control channel opens a moment after media may flow.
    pub unsent: Vec<String>,
    pub chat: Vec<ChatLine>,
    /// They left the room: unless they say goodbye themselves, the call ends then.
    pub left: Option<Instant>,
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
            transport: Transport::Connecting { limit },
            code: None,
            view: PeerView { video_on: true, has_camera: true, ..PeerView::default() },
            control_open: false,
            greeted: false,
            unsent: Vec::new(),
            chat: Vec::new(),
            left: None,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.transport, Transport::Connected { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let transport = match &self.transport {
            Transport::Connecting { limit } => Some(*limit),
            Transport::Connected { interrupted, .. } => {
                interrupted.map(|(since, restart)| restart.min(since + INTERRUPTED))
            }
        };
        transport.into_iter().chain(self.left).min()
    }

    /// Whether a message is for us, from them, about this call.
    fn belongs(&self, envelope: &Envelope) -> bool {
        envelope.from == self.them && envelope.to == self.me && envelope.call_id == self.call
    }

    /// Opens a sealed description and remembers the fingerprint in it; `None` where it does not open or has none.
    pub(super) fn open_description(&mut self, kind: Kind, envelope: &Envelope) -> Option<String> {
        if !self.belongs(envelope) {
            return None;
        }
        let plain = self.opener.open(kind, envelope).ok()?;
        let Description { sdp } = serde_json::from_slice(&plain).ok()?;
        self.announced = Some(fingerprint_of(&sdp)?);
        Some(sdp)
    }

    /// Opens a sealed candidate.
    pub(super) fn open_candidate(&mut self, links: &Links, envelope: &Envelope) -> Option<String> {
        if !self.belongs(envelope) {
            return None;
        }
        let plain = self.opener.open(Kind::IceCandidate, envelope).ok()?;
        let Candidate { candidate } = serde_json::from_slice(&plain).ok()?;
        // Somebody elsewhere has no business making us send packets to our own loopback addresses.
        let text = candidate.get("candidate").and_then(|c| c.as_str()).unwrap_or_default();
        if is_loopback(text) && !links.get(self.link).is_some_and(|l| l.info.on_this_machine()) {
            return None;
        }
        Some(candidate.to_string())
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
        let plain = serde_json::to_vec(&Description { sdp }).expect("a string serializes");
        let share = self.share.take();
        let envelope = self.sealer.seal(kind, &self.me, &self.them, &self.call, share, &plain);
        outputs.push_back(Output::Send(self.link, ClientMessage::sealed(kind, envelope)));
    }

    fn candidate(&mut self, outputs: &mut VecDeque<Output>, json: &str) {
        let Ok(candidate) = serde_json::from_str(json) else { return };
        let plain = serde_json::to_vec(&Candidate { candidate }).expect("JSON serializes");
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
            PeerEvent::Failed(error) => {
                tracing::debug!(error, "peer connection failed");
                return true;
            }
            PeerEvent::Closed
            | PeerEvent::Connected { .. }
            | PeerEvent::Control(_)
            | PeerEvent::ControlOpen
            | PeerEvent::IceConnected
            | PeerEvent::IceDisconnected
            | PeerEvent::IceFailed => {}
        }
        false
    }

    /// Begins ICE anew, unless an offer is under way.
    pub(super) fn restart_ice(&mut self, outputs: &mut VecDeque<Output>) {
        if self.negotiation.begin_offer() {
            outputs.push_back(Output::PeerDo(self.key, PeerCommand::CreateOffer { restart: true }));
        }
    }
}

/// The address of a candidate line (RFC 8839 §5.1) is a loopback one.
fn is_loopback(candidate: &str) -> bool {
    let address = candidate.split_ascii_whitespace().nth(4).unwrap_or_default();
    address.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_candidates_are_known() {
        assert!(is_loopback("candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host"));
        assert!(is_loopback("candidate:1 1 udp 2130706431 ::1 50000 typ host"));
        assert!(!is_loopback("candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"));
        assert!(!is_loopback(""));
    }
}
