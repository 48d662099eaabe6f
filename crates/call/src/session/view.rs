//! What a person is shown of the session.

use super::links::{LinkKind, Seat};
use super::talk::Transport;
use super::waiting::Waiting;
use super::{Session, Stage};
use crate::api::{Again, EndReason, Ended, Figures, InCall, Phase, Reach, Waiting as WaitingView};
use std::time::{Duration, Instant};
use visavis_signaling::link;

impl Session {
    /// The stage as the front end shows it; `figures` are filled in by whoever measures.
    pub(crate) fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Home => Phase::Home,
            Stage::Waiting(waiting) => Phase::Waiting(WaitingView {
                code: waiting.code.clone(),
                reach: self.reach(waiting),
                notice: waiting.notice.clone(),
            }),
            Stage::Joining(joining) => match self.links.seated() {
                false => Phase::Joining { code: joining.code.clone(), since: joining.since },
                true => Phase::Connecting { code: joining.code.clone(), since: joining.since },
            },
            Stage::Talking(talk) => match (&talk.transport, &talk.code) {
                (Transport::Connected { since, path, verification, interrupted }, _) => Phase::InCall(InCall {
                    peer: talk.view.clone(),
                    since: *since,
                    path: *path,
                    verification: verification.clone(),
                    interrupted: interrupted.map(|i| i.since),
                    chat: talk.chat.clone(),
                    figures: Figures::default(),
                }),
                (Transport::Connecting { limit, .. }, Some(code)) => {
                    Phase::Connecting { code: code.clone(), since: *limit - super::talk::CONNECTING }
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
            Stage::Home | Stage::Waiting(_) | Stage::Joining(_) | Stage::Ended(_) => (Duration::ZERO, String::new()),
        };
        let joined = match &self.stage {
            Stage::Joining(_) => true,
            Stage::Talking(talk) => talk.negotiation.is_polite(),
            Stage::Home | Stage::Waiting(_) | Stage::Ended(_) => false,
        };
        let again = match &self.last_invitation {
            Some(invitation) if joined => Again::Join(invitation.clone()),
            _ => Again::Start,
        };
        Ended { reason, duration, peer_name, again }
    }
}
