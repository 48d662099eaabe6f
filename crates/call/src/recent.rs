//! What happened lately, kept for a report of trouble: kinds and figures, nothing that names a person or a place.
//!
//! Codes, names, addresses, hosts and what people write do not get in here, so they cannot get out.

use crate::api::{EndReason, Event, Path};
use crate::stats::StatsSnapshot;
use std::collections::VecDeque;
use std::time::Instant;
use visavis_capture::CameraState;

/// Happenings that are kept; the oldest go first.
const KEPT: usize = 50;

/// What an [`Endpoint`](crate::Endpoint) did lately.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// The last happenings, at most 50, oldest first.
    pub happenings: VecDeque<Happening>,
    /// How media of the running or the last call travels; `None` before the first.
    pub path: Option<Path>,
    /// The newest statistics of the running or the last call; `None` before the first.
    pub statistics: Option<StatsSnapshot>,
}

/// Something that happened, once or several times in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When, the last time.
    pub at: Instant,
    /// What, in a word or two: "connected direct".
    pub what: &'static str,
    /// How often in a row, so that a flood of one kind does not push everything else out.
    pub times: u32,
}

impl Recent {
    pub(crate) fn note(&mut self, at: Instant, event: &Event) {
        if let Event::Connected { path, .. } = event {
            self.path = Some(*path);
        }
        let what = what(event);
        if let Some(last) = self.happenings.back_mut().filter(|last| last.what == what) {
            last.at = at;
            last.times = last.times.saturating_add(1);
            return;
        }
        if self.happenings.len() >= KEPT {
            self.happenings.pop_front();
        }
        self.happenings.push_back(Happening { at, what, times: 1 });
    }
}

/// The event's kind and whatever of its content is nobody's secret.
fn what(event: &Event) -> &'static str {
    match event {
        Event::Joined { opened: true, .. } => "joined first",
        Event::Joined { opened: false, .. } => "joined second",
        Event::Connected { path: Path::Direct, .. } => "connected direct",
        Event::Connected { path: Path::Relayed, .. } => "connected relayed",
        Event::PeerMuted(true) => "peer-muted on",
        Event::PeerMuted(false) => "peer-muted off",
        Event::PeerVideo(true) => "peer-video on",
        Event::PeerVideo(false) => "peer-video off",
        Event::Signaling(true) => "signaling on",
        Event::Signaling(false) => "signaling off",
        Event::Camera(CameraState::Off) => "camera off",
        Event::Camera(CameraState::Opening) => "camera opening",
        Event::Camera(CameraState::Running { .. }) => "camera running",
        Event::Camera(CameraState::Failed(_)) => "camera failed",
        Event::Ended(reason) => reason.name(),
        Event::ServerConnected(_)
        | Event::Asks { .. }
        | Event::AsksNoMore
        | Event::Holds { .. }
        | Event::PeerJoined
        | Event::IceConnected
        | Event::FirstFrame
        | Event::Chat(_)
        | Event::Pong(_)
        | Event::Reconnecting
        | Event::Reconnected
        | Event::PeerAway
        | Event::RelayTrouble(_) => event.name(),
        Event::Path { path: Path::Direct, .. } => "path direct",
        Event::Path { path: Path::Relayed, .. } => "path relayed",
    }
}

impl EndReason {
    /// What kind it is, for logs and reports: without hosts and without what a library said.
    pub fn name(&self) -> &'static str {
        match self {
            Self::HungUp => "ended hung-up",
            Self::PeerHungUp => "ended peer-hung-up",
            Self::PeerLeft => "ended peer-left",
            Self::NobodyHere => "ended nobody-here",
            Self::WrongCode => "ended wrong-code",
            Self::CodeTaken => "ended code-taken",
            Self::RoomFull => "ended room-full",
            Self::Dismissed => "ended dismissed",
            Self::Declined => "ended declined",
            Self::NotAnswered => "ended not-answered",
            Self::Guarded => "ended guarded",
            Self::SignalingUnreachable(_) => "ended signaling-unreachable",
            Self::ConnectFailed => "ended connect-failed",
            Self::NoRelay(_) => "ended no-relay",
            Self::ConnectionLost => "ended connection-lost",
            Self::Unusable(_) => "ended unusable",
            Self::Meddled => "ended meddled",
            Self::Guessing => "ended guessing",
            Self::Intercepted => "ended intercepted",
            Self::Version => "ended version",
            Self::Internal(_) => "ended internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_counted_and_the_oldest_of_more_than_fifty_go() {
        let now = Instant::now();
        let mut recent = Recent::default();
        recent.note(now, &Event::PeerJoined);
        for _ in 0..10_000 {
            recent.note(now, &Event::Chat("flood".into()));
        }
        assert_eq!(recent.happenings.len(), 2);
        assert_eq!(recent.happenings[1], Happening { at: now, what: "chat", times: 10_000 });
        for i in 0..2 * KEPT {
            recent.note(now, &Event::PeerMuted(i % 2 == 0));
        }
        assert_eq!(recent.happenings.len(), KEPT);
        assert!(recent.happenings.iter().all(|happening| happening.what != "chat"));
    }

    #[test]
    fn nothing_that_names_somebody_is_kept() {
        let now = Instant::now();
        let mut recent = Recent::default();
        let secret = "velvet-canyon-orbit-zero";
        for event in [
            Event::ServerConnected(secret.into()),
            Event::Joined { opened: true, code: secret.into() },
            Event::Connected { verification: secret.into(), path: Path::Relayed, relay: Some(secret.into()) },
            Event::RelayTrouble(secret.into()),
            Event::Chat(secret.into()),
            Event::Ended(EndReason::SignalingUnreachable(secret.into())),
            Event::Ended(EndReason::Internal(secret.into())),
        ] {
            recent.note(now, &event);
        }
        assert_eq!((recent.happenings.len(), recent.path), (7, Some(Path::Relayed)));
        let kept = format!("{recent:?}");
        assert!(secret.split('-').all(|word| !kept.contains(word)), "{kept}");
    }
}
