//! Whether to ask Pulse for sound devices, or somebody else; pure.
//!
//! A Pulse server that was there and is gone usually comes back in a moment: it was restarted. Until then nobody else
//! is asked, since ALSA would give us the very card that the server is about to open.

use std::time::{Duration, Instant};

/// How long a Pulse server that was lost is waited for.
const GRACE: Duration = Duration::from_secs(10);
/// A try that took so long was not refused, the server hangs; each such try leaves a thread behind.
const HANGS: Duration = Duration::from_secs(1);
/// The pause after such a try, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// What is known of the Pulse server.
pub(super) struct Preference {
    lost: Option<Instant>,
    not_before: Option<Instant>,
    pause: Duration,
}

impl Preference {
    /// Nothing is known yet.
    pub const fn new() -> Self {
        Self { lost: None, not_before: None, pause: FIRST_PAUSE }
    }

    /// Whether to try and connect to Pulse now.
    pub fn pulse_is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether another host than Pulse may be used meanwhile.
    pub fn others_may_serve(&self, now: Instant) -> bool {
        self.lost.is_none_or(|lost| now.saturating_duration_since(lost) >= GRACE)
    }

    /// Pulse let us in.
    pub fn answered(&mut self) {
        *self = Self::new();
    }

    /// Pulse did not let us in, and it took so long to know.
    pub fn refused(&mut self, took: Duration, now: Instant) {
        if took < HANGS {
            // Nobody listens there: asking again costs nothing.
            (self.not_before, self.pause) = (None, FIRST_PAUSE);
        } else {
            self.not_before = Some(now + self.pause);
            self.pause = (self.pause * 2).min(MAX_PAUSE);
        }
    }

    /// A connection that stood is broken.
    pub fn lost(&mut self, now: Instant) {
        self.lost = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn without_pulse_others_serve_at_once_and_pulse_is_still_looked_for() {
        let (now, mut preference) = (Instant::now(), Preference::new());
        assert!(preference.pulse_is_due(now));
        preference.refused(MS, now);
        assert!(preference.others_may_serve(now) && preference.pulse_is_due(now));
    }

    #[test]
    fn a_lost_server_is_waited_for_before_others_serve() {
        let (now, mut preference) = (Instant::now(), Preference::new());
        preference.answered();
        preference.lost(now);
        preference.refused(MS, now);
        assert!(preference.pulse_is_due(now + MS) && !preference.others_may_serve(now + 9000 * MS));
        assert!(preference.others_may_serve(now + 10_000 * MS));
        preference.answered();
        assert!(preference.others_may_serve(now), "the next loss counts from its own moment");
    }

    #[test]
    fn a_server_that_hangs_is_asked_ever_more_seldom_until_it_answers() {
        let (mut now, mut preference) = (Instant::now(), Preference::new());
        let mut tries = 0;
        let end = now + Duration::from_secs(3600);
        while now < end {
            if preference.pulse_is_due(now) {
                tries += 1;
                now += 2000 * MS;
                preference.refused(2000 * MS, now);
                assert!(!preference.pulse_is_due(now));
            }
            now += 500 * MS;
        }
        assert!(tries < 70, "{tries} in an hour, each of which leaves a thread behind");
        preference.refused(MS, now);
        assert!(preference.pulse_is_due(now), "it was replaced by one that refuses: that costs nothing");
    }
}
