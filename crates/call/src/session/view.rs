//! What a person is shown of the session.

use super::door::Outside;
use super::joining::Joining;
use super::links::{LinkKind, Seat};
use super::talk::Transport;
use super::waiting::Waiting;
use super::{Session, Stage};
use crate::api::{Again, Away, EndReason, Ended, Figures, InCall, Phase, Reach, Waiting as WaitingView};
use std::time::{Duration, Instant};
use visavis_signaling::{RoomCode, link};

impl Session {
    /// The stage as the front end shows it; `figures` are filled in by whoever measures.
    pub(crate) fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Home => Phase::Home,
            Stage::Waiting(waiting) => Phase::Waiting(WaitingView {
                code: waiting.code.clone(),
                reach: self.reach(waiting),
                notice: waiting.notice.clone(),
                asks: self.asks(),
                away: waiting.awaited.as_ref().map(|of| Away { name: of.name.clone(), until: of.until }),
            }),
            Stage::Joining(Joining { outside: Some(outside), code, .. }) => {
                let Outside { owner, since, .. } = outside;
                Phase::Outside { code: code.clone(), owner: owner.clone(), since: *since }
            }
            Stage::Joining(joining) => {
                let (code, since, host) = (joining.code.clone(), joining.since, joining.host().map(str::to_owned));
                match self.links.seated() {
                    false => Phase::Joining { code, since, host },
                    true => Phase::Connecting { code, since, host },
                }
            }
            Stage::Talking(talk) => match (&talk.transport, &talk.code) {
                (Transport::Connected { since, path, relay, verification, interrupted }, _) => Phase::InCall(InCall {
                    peer: talk.view.clone(),
                    since: *since,
                    path: *path,
                    relay: relay.clone(),
                    verification: verification.clone(),
                    interrupted: interrupted.map(|i| i.since),
                    chat: talk.chat.clone(),
                    figures: Figures::default(),
                }),
                (Transport::Connecting { limit, .. }, Some(code)) => {
                    let since = *limit - super::talk::CONNECTING;
                    Phase::Connecting { code: code.clone(), since, host: None }
                }
                (Transport::Connecting { .. }, None) => Phase::Home,
            },
            Stage::Ended(ended) => Phase::Ended(ended.clone()),
        }
    }

    fn reach(&self, waiting: &Waiting) -> Vec<Reach> {
        let view = |l: &super::links::Link| match (&l.info.kind, &l.seat) {
            (LinkKind::Own { addresses }, Seat::Taken(_)) => Some(Reach::LocalNetwork { addresses: addresses.clone() }),
            (LinkKind::Configured { url }, Seat::Taken(_)) if l.up => {
                Some(Reach::Server { host: l.info.host.clone(), link: link(url, &waiting.code) })
            }
            (LinkKind::Configured { .. }, _) => {
                let why = l.trouble.clone()?;
                Some(Reach::Unreachable { host: l.info.host.clone(), why })
            }
            (LinkKind::Own { .. } | LinkKind::ThisMachine | LinkKind::LocalNetwork | LinkKind::Echo, _) => None,
        };
        self.links.iter().filter_map(|(_, l)| view(l)).collect()
    }

    pub(super) fn ended(&self, now: Instant, reason: EndReason) -> Ended {
        let (duration, peer_name) = match &self.stage {
            Stage::Talking(talk) => {
                let duration = match &talk.transport {
                    Transport::Connected { since, .. } => now.saturating_duration_since(*since),
                    Transport::Connecting { .. } => Duration::ZERO,
                };
                (duration, talk.view.name.clone())
            }
            Stage::Waiting(Waiting { awaited: Some(awaited), .. }) => (awaited.duration, awaited.name.clone()),
            Stage::Home | Stage::Waiting(_) | Stage::Joining(_) | Stage::Ended(_) => (Duration::ZERO, String::new()),
        };
        let again = self.again(&reason, !duration.is_zero());
        Ended { reason, duration, peer_name, again }
    }

    /// Codes of four words are used once: that of a call which somebody ended is not offered again. One that broke is gone on with
    /// under its code, from both sides, and one that never came about is tried again. A lasting room
    /// stays one.
    fn again(&self, reason: &EndReason, met: bool) -> Again {
        let broke = matches!(reason, EndReason::ConnectionLost | EndReason::PeerLeft | EndReason::Internal(_));
        let lasting =
            matches!(&self.stage, Stage::Talking(talk) if talk.code.as_ref().is_some_and(RoomCode::is_lasting));
        if matches!(reason, EndReason::Intercepted) || (met && !broke && !lasting) {
            return Again::Start;
        }
        let joined = self.last_invitation.clone().map_or(Again::Start, Again::Join);
        match &self.stage {
            Stage::Talking(talk) if talk.negotiation.is_polite() => joined,
            Stage::Joining(_) => joined,
            Stage::Talking(talk) if met || lasting => talk.code.clone().map_or(Again::Start, Again::Open),
            Stage::Talking(_) | Stage::Home | Stage::Waiting(_) | Stage::Ended(_) => Again::Start,
        }
    }
}
