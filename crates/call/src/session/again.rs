//! A guest whose page is loaded again: their connection and their keys are gone, and they are back within seconds.
//!
//! A page that goes says so (`bye` with `again`) without knowing whether it will be back. So the call is over as far as
//! media goes, and we keep our seat in the room for a while: whoever comes is answered like any newcomer and has to prove
//! the code, attempts counted, and whoever proves it goes on with the call. The code is not shown again, and nobody else is
//! invited.

use super::links::LinkKind;
use super::talk::Transport;
use super::waiting::Waiting;
use super::{Output, Session, Stage, later};
use crate::api::{ChatLine, EndReason, Event};
use std::time::{Duration, Instant};
use visavis_signaling::ClientMessage;

/// A page that is loaded again asks for camera and microphone first, and a person may have to answer that.
const BACK: Duration = Duration::from_secs(30);

/// Who is waited for, and what is left of the call with them.
pub(super) struct Awaited {
    pub(super) name: String,
    /// How long media flowed.
    pub(super) duration: Duration,
    pub(super) chat: Vec<ChatLine>,
    pub(super) until: Instant,
}

impl Session {
    /// The other side says that it goes; `again`: and may be back.
    pub(super) fn goodbye(&mut self, now: Instant, again: bool) {
        if again && self.may_wait_again() {
            self.wait_again(now);
        } else {
            self.end(now, EndReason::PeerHungUp);
        }
    }

    /// They are gone, and nothing was said. A page that goes does not always get its goodbye out, and may be in the room
    /// again by now.
    pub(super) fn gone_without_a_word(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let (newcomer, link, guest) = (talk.newcomer.take(), talk.link, talk.view.guest.is_some());
        self.goodbye(now, guest);
        if let Some((peer, share)) = newcomer {
            // Nobody is answered where the call is over.
            self.newcomer(now, link, peer, share);
        }
    }

    /// Whether the room of this call can be waited in: on a server that serves pages, and where we still have our seat.
    fn may_wait_again(&self) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        let link = self.links.get(talk.link);
        let by_server = link.is_some_and(|link| link.up && matches!(link.info.kind, LinkKind::Configured { .. }));
        by_server && talk.is_connected() && talk.seats.is_ours() && talk.code.is_some()
    }

    /// Goes back to waiting, for the one who was there.
    fn wait_again(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let (Some(code), Transport::Connected { since, .. }) = (talk.code.clone(), &talk.transport) else { return };
        let awaited = Awaited {
            name: talk.view.name.clone(),
            duration: now.saturating_duration_since(*since),
            chat: std::mem::take(&mut talk.chat),
            until: later(now, BACK),
        };
        let (key, link, them) = (talk.key, talk.link, talk.seats.them().clone());
        self.output(Output::MediaStop);
        self.output(Output::PeerDrop(key));
        // Their old connection to the server may seem alive for a while, and the room has two seats.
        self.output(Output::Send(link, ClientMessage::dismiss(them)));
        if self.secret_for(&code).is_none() {
            self.output(Output::Derive(code.clone()));
        }
        self.stage = Stage::Waiting(Waiting::for_them_again(code, awaited));
        self.tell(Event::PeerAway);
    }

    /// Ends the call once they had their time.
    pub(super) fn awaited_timeout(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        if !waiting.is_answering() && waiting.awaited.as_ref().is_some_and(|awaited| awaited.until <= now) {
            self.end(now, EndReason::PeerHungUp);
        }
    }
}
