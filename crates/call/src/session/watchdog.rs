//! A connection that packets get through and that is not ready all the same is given up for a new one.
//!
//! DTLS can be stuck for good (see `peer::flights`), and whoever is stuck can't tell the other side on that path. So a
//! new connection is offered over signaling; keys, codes and what was said stay. Each description and candidate says
//! which connection of the call it is about, so what is late is not taken for what is new.

use super::talk::{CONNECTING, Talk, Transport};
use super::{Output, Session, Stage, later};
use crate::peer::PeerCommand;
use std::time::{Duration, Instant};

/// From the first packet that gets through to media; at a round trip of half a second it takes 2 s. The second connection
/// has twice as long, the third three times: where everything takes long, patience helps and beginning anew does not.
const READY: Duration = Duration::from_secs(3);
/// The host begins, so that both seldom do; but only the newcomer knows when the very last message was lost.
const COURTESY: Duration = Duration::from_secs(1);

impl Talk {
    /// When the connection must be ready that packets get through since `now`.
    pub(super) fn ready_by(&self, now: Instant) -> Instant {
        let courtesy = if self.negotiation.is_polite() { COURTESY } else { Duration::ZERO };
        later(now, READY * (self.connection + 1) + courtesy)
    }

    /// Whether packets get through on a connection that is not ready, and somebody watches it.
    pub(super) fn packets_get_through(&self) -> bool {
        matches!(self.transport, Transport::Connecting { ready_by: Some(_), .. })
    }
}

impl Session {
    /// Both sides build new connections; ours makes the offer. A few times in a call, then the one that there is has
    /// until the end of its time.
    pub(super) fn build_anew(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.count_connection() {
            tracing::info!("the connection is not ready in time and is built anew");
            self.turn_to_new_connection(now, PeerCommand::CreateOffer { restart: false });
            if let Stage::Talking(talk) = &mut self.stage {
                talk.negotiation.begin_offer();
            }
        }
    }

    /// The connection failed though packets get through. The newcomer waits for what the host will do about it.
    pub(super) fn failed_early(&mut self, now: Instant) {
        let Stage::Talking(talk) = &self.stage else { return };
        if talk.negotiation.is_polite() {
            return;
        }
        let before = talk.key;
        self.build_anew(now);
        if matches!(&self.stage, Stage::Talking(talk) if talk.key == before) {
            self.end(now, self.no_way());
        }
    }

    /// Gives up the connection that there is for one that begins with this.
    pub(super) fn turn_to_new_connection(&mut self, now: Instant, first: PeerCommand) {
        let key = self.new_key();
        let Stage::Talking(talk) = &mut self.stage else { return };
        let (link, was_connected) = (talk.link, talk.is_connected());
        let old = talk.turn_to(key, later(now, CONNECTING));
        if was_connected {
            self.output(Output::MediaStop);
        }
        self.output(Output::PeerDrop(old));
        self.output(Output::PeerNew(key, self.links.ice_servers(link)));
        self.output(Output::PeerDo(key, first));
    }
}
