//! How long the loudspeaker is open outside a call for a chime: a rule without I/O or clock.
//!
//! A loudspeaker may take seconds to open, and a chime lasts less than one. So its time counts from when the loudspeaker
//! runs.

use crate::media::patience;
use std::time::{Duration, Instant};
use visavis_capture::{Chime, DeviceState};

/// The loudspeaker stays open for so much longer than a chime lasts, as its first sound takes a moment.
const MARGIN: Duration = Duration::from_secs(1);
/// Whoever tries out a loudspeaker has so long to read why it does not work: once closed, it tells nothing.
const READ: Duration = Duration::from_secs(10);

/// What is to be heard, and until when.
#[derive(Debug, Default)]
pub(super) struct ChimeTime {
    awaited: Option<Awaited>,
    /// What is being played is over then.
    played: Option<Instant>,
}

/// A chime that waits for the loudspeaker.
#[derive(Debug)]
struct Awaited {
    which: Chime,
    until: Instant,
    /// That it fails has been seen.
    failed: bool,
}

impl ChimeTime {
    /// This one is to be heard.
    pub(super) fn order(&mut self, which: Chime, now: Instant) {
        self.awaited = Some(Awaited { which, until: now + patience(which), failed: false });
    }

    /// Takes how the loudspeaker fares.
    pub(super) fn see(&mut self, speaker: &DeviceState, now: Instant) {
        self.played.take_if(|over| *over <= now);
        match speaker {
            DeviceState::Running { .. } => {
                let over = self.awaited.take().map(|awaited| now + awaited.which.duration() + MARGIN);
                self.played = self.played.max(over);
            }
            DeviceState::Failed(_) => {
                if let Some(awaited) = &mut self.awaited
                    && awaited.which == Chime::Trial
                    && !awaited.failed
                {
                    (awaited.failed, awaited.until) = (true, now + READ);
                }
            }
            DeviceState::Off | DeviceState::Opening => {}
        }
        self.awaited.take_if(|awaited| awaited.until <= now);
    }

    /// When to [`see`](Self::see) again; `None` where the loudspeaker is not needed any more.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.awaited.as_ref().map(|awaited| awaited.until).max(self.played)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_capture::DeviceError;

    fn running() -> DeviceState {
        DeviceState::Running { name: "Buds".into(), instead_of: None }
    }

    /// Whether the loudspeaker is wanted, so many milliseconds from the order on.
    struct Desk(ChimeTime, Instant);

    impl Desk {
        fn new(which: Chime) -> Self {
            let now = Instant::now();
            let mut time = ChimeTime::default();
            time.order(which, now);
            Self(time, now)
        }

        fn wants(&mut self, ms: u64, speaker: &DeviceState) -> bool {
            self.0.see(speaker, self.1 + Duration::from_millis(ms));
            self.0.poll_timeout().is_some()
        }
    }

    #[test]
    fn a_trial_is_heard_whole_from_a_loudspeaker_that_opens_slowly() {
        let mut desk = Desk::new(Chime::Trial);
        assert!(desk.wants(0, &DeviceState::Off) && desk.wants(3000, &DeviceState::Opening));
        let lasts = Chime::Trial.duration().as_millis() as u64;
        assert!(desk.wants(3500, &running()) && desk.wants(3500 + lasts + 900, &running()));
        assert!(!desk.wants(3500 + lasts + 1001, &running()));
    }

    #[test]
    fn what_is_no_trial_tells_no_news_after_two_seconds() {
        let mut desk = Desk::new(Chime::Left);
        assert!(desk.wants(1900, &DeviceState::Opening) && !desk.wants(2000, &DeviceState::Opening));
    }

    #[test]
    fn why_a_loudspeaker_does_not_work_stays_to_be_read() {
        let failed = DeviceState::Failed(DeviceError::Stalled);
        let mut desk = Desk::new(Chime::Trial);
        assert!(desk.wants(6000, &failed) && desk.wants(15_900, &failed));
        assert!(!desk.wants(16_000, &failed), "once, however often it is tried again");
        let mut desk = Desk::new(Chime::Left);
        assert!(desk.wants(100, &failed) && !desk.wants(2000, &failed));
    }
}
