//! What both sides begin ICE anew with when the path breaks, agreed on while it stands.
//!
//! Each side makes an offer that begins ICE anew, does not apply it, and tells the other over the control channel. When
//! the path breaks, each applies its own and takes the other's for the answer. So neither needs a server, or a word from
//! the other side: whoever moved sends its checks to where the other one is, and they say by their user name what is to
//! be done (`peer::nudge`). The keys are those of the call: another fingerprint is refused as over signaling.
//!
//! The control channel lies within DTLS, so what comes over it is the other side's and needs no further seal.

use super::sdp::{self, SdpFault};
use super::sealed::Unread;
use super::talk::{Talk, Transport};
use super::{Output, Session, Stage};
use crate::control::ControlMessage;
use crate::peer::PeerCommand;
use std::time::Instant;
use visavis_signaling::Budget;

/// Offers of theirs that are looked at, at once and each second; further ones are passed over. An honest side makes one
/// for each path that broke, and may live on a network that never comes to rest.
const LOOKED_AT: (u32, u32) = (4, 1);

/// What we hold of theirs.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub generation: String,
    pub candidates: usize,
    pub sdp: String,
}

/// Ours.
#[derive(Clone, Debug, Default)]
enum Mine {
    #[default]
    None,
    /// Being made.
    Asked,
    /// Told, under the name of this ICE generation.
    Told(String),
    /// And they hold it.
    Held(String),
}

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    /// Of our last one; those before are of no use any more.
    number: u64,
    mine: Mine,
    theirs: Option<Held>,
    /// Made with the first offer of theirs.
    looked_at: Option<Budget>,
}

impl Ahead {
    /// Whether we may begin.
    pub(super) fn is_agreed(&self) -> bool {
        matches!(self.mine, Mine::Held(_)) && self.theirs.is_some()
    }

    /// Whether we can go along when they begin; that they know ours shows in that they do.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.mine, Mine::Told(_) | Mine::Held(_)) && self.theirs.is_some()
    }

    /// Whether this is the generation that they would go over to.
    pub(super) fn is_theirs(&self, generation: &str) -> bool {
        self.theirs.as_ref().is_some_and(|held| held.generation == generation)
    }

    /// They say that they hold ours.
    pub(super) fn held_by_them(&mut self, generation: &str) {
        if let Mine::Told(told) = &self.mine
            && told == generation
        {
            self.mine = Mine::Held(generation.to_owned());
        }
    }

    /// ICE begins anew otherwise, which makes both of no use.
    pub(super) fn forget(&mut self) {
        (self.mine, self.theirs) = (Mine::None, None);
    }

    /// Both, to be used now: the generation of ours, and theirs.
    pub(super) fn take(&mut self) -> Option<(String, Held)> {
        let (Mine::Told(mine) | Mine::Held(mine)) = std::mem::take(&mut self.mine) else { return None };
        Some((mine, self.theirs.take()?))
    }
}

impl Talk {
    /// Looks through an offer made ahead, as through any other, and holds it; its ICE generation.
    fn hold_ahead(&mut self, sdp: &str) -> Result<String, Unread> {
        let facts = sdp::check(sdp).map_err(Unread::Unusable)?;
        if self.announced.as_ref() != Some(&facts.fingerprint) {
            return Err(Unread::Unusable(SdpFault::OtherKeys));
        }
        let (generation, candidates) = (facts.generation, facts.candidates);
        if generation.is_empty() || generation == self.generation.0 {
            return Err(Unread::Unusable(SdpFault::Garbage));
        }
        self.ahead.theirs = Some(Held { generation: generation.clone(), candidates, sdp: sdp.to_owned() });
        Ok(generation)
    }
}

impl Session {
    /// Makes ours, where there is none; with the first word of the other side, and whenever the last one was used.
    pub(super) fn agree_ahead(&mut self) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let stands = matches!(talk.transport, Transport::Connected { interrupted: None, .. });
        if !stands || !talk.greeted || !matches!(talk.ahead.mine, Mine::None) {
            return;
        }
        talk.ahead.number += 1;
        talk.ahead.mine = Mine::Asked;
        let (key, number) = (talk.key, talk.ahead.number);
        self.output(Output::PeerDo(key, PeerCommand::Stage(number)));
    }

    /// Ours is made.
    pub(super) fn staged(&mut self, number: u64, sdp: String) {
        let sdp = self.fit(sdp);
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Some(generation) = sdp::generation_of(&sdp) else { return };
        if number == talk.ahead.number && matches!(talk.ahead.mine, Mine::Asked) {
            talk.ahead.mine = Mine::Told(generation.to_owned());
            let connection = talk.connection;
            self.send_control(&ControlMessage::Ahead { connection, sdp });
        }
    }

    /// Theirs came.
    pub(super) fn hold_ahead(&mut self, now: Instant, connection: u32, sdp: String) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if !talk.is_connected() || connection != talk.connection {
            return;
        }
        let (most, per_second) = LOOKED_AT;
        if !talk.ahead.looked_at.get_or_insert_with(|| Budget::new(now, most, per_second)).take(now) {
            return tracing::debug!("too many offers ahead");
        }
        let sdp = self.fit(sdp);
        let Stage::Talking(talk) = &mut self.stage else { return };
        match talk.hold_ahead(&sdp) {
            Ok(generation) => self.send_control(&ControlMessage::AheadHeld { generation }),
            Err(why) => self.unread(now, why, "an offer ahead that is of no use"),
        }
    }
}
