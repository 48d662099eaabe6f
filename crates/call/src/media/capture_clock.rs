//! How long what is shown now was under way since the other side's camera saw it, though two machines' clocks differ.
//!
//! Contains no I/O and reads no clock. A sender report names a moment of the sender's clock (RFC 3550 §6.4.1), and
//! takes half the round trip to come where nothing queues: so the quickest of the last reports tells by how much the
//! clocks differ. What was learnt while the round trip was short is believed until clocks that run apart may have made
//! it worse than what is learnt now, as in NTP (RFC 5905 §10): a queue that stands on one of the two ways is no
//! difference of clocks. Where the ways themselves differ in length, it is wrong by half of that, and nothing at one end
//! could tell.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use visavis_media::time::NtpTime;

/// Reports that count: those of eight seconds of two streams. Most of them waited in no queue.
const RECENT: usize = 16;
/// By this part of the time that passes two machines' clocks may run apart.
const DRIFT: f64 = 1e-4;
/// A way that seems shorter than nothing, or longer than there and back, by more than this is a clock that was set. In
/// seconds.
const SLACK: f64 = 0.05;
/// Nothing is under way for longer than this, in seconds; what seems to be comes of lies.
const LONGEST: f64 = 20.0;

/// By how much the other side's clock differs from ours.
#[derive(Clone, Copy, Debug)]
struct Difference {
    seconds: f64,
    /// It may be wrong by so much, when it was learnt.
    doubt: f64,
    learnt: Instant,
}

/// See the module's text.
#[derive(Debug, Default)]
struct CaptureClock {
    /// A moment by both clocks, from which either is counted.
    zero: Option<(Instant, NtpTime)>,
    /// Of the newest reports: seconds from leaving to arriving, but for the difference of the clocks.
    recent: VecDeque<f64>,
    known: Option<Difference>,
}

impl CaptureClock {
    fn report(&mut self, ntp: NtpTime, arrival: Instant, round_trip: Option<Duration>) {
        if ntp.0 == 0 {
            // The sender has no clock (RFC 3550 §6.4.1).
            return;
        }
        let zero = *self.zero.get_or_insert((arrival, ntp));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(apart(zero, ntp, arrival));
        let Some((trip, quickest)) = round_trip.zip(self.recent.iter().copied().reduce(f64::min)) else { return };
        let trip = trip.as_secs_f64();
        let better = |known: &Difference| {
            let way = quickest - known.seconds;
            let age = arrival.saturating_duration_since(known.learnt).as_secs_f64();
            (-SLACK..=trip + SLACK).contains(&way) && known.doubt + DRIFT * age < trip / 2.0
        };
        if !self.known.as_ref().is_some_and(better) {
            self.known = Some(Difference { seconds: quickest - trip / 2.0, doubt: trip / 2.0, learnt: arrival });
        }
    }

    fn since(&self, captured: NtpTime, now: Instant) -> Option<f64> {
        let took = apart(self.zero?, captured, now) - self.known?.seconds;
        (0.0..=LONGEST).contains(&took).then_some(took)
    }
}

/// Seconds from a moment of the other side to one of ours, but for the difference of the clocks.
fn apart((local, remote): (Instant, NtpTime), from: NtpTime, to: Instant) -> f64 {
    let local = match to.checked_duration_since(local) {
        Some(after) => after.as_secs_f64(),
        None => -local.duration_since(to).as_secs_f64(),
    };
    local - from.seconds_since(remote)
}

/// The clock of a call's other side: written where reports come in, read where pictures are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedCaptureClock(Arc<Mutex<CaptureClock>>);

impl SharedCaptureClock {
    fn lock(&self) -> MutexGuard<'_, CaptureClock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sender report of any stream. `round_trip`: the shortest of late, where it is known.
    pub(crate) fn report(&self, ntp: NtpTime, arrival: Instant, round_trip: Option<Duration>) {
        self.lock().report(ntp, arrival, round_trip);
    }

    /// Seconds from `captured`, by the other side's clock, to now, 0…20; `None` before the first report, and where no
    /// such time can be right.
    pub(crate) fn since(&self, captured: NtpTime, now: Instant) -> Option<f64> {
        self.lock().since(captured, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(80);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The sender's clock, which has nothing to do with ours, so long after the beginning.
    fn theirs(after: Duration) -> NtpTime {
        NtpTime::from_unix(Duration::from_secs(1_234_567) + after)
    }

    #[test]
    fn a_picture_is_as_old_as_it_is_whatever_the_other_clock_says_and_though_most_reports_queued() {
        let (begun, mut clock) = (Instant::now(), CaptureClock::default());
        for i in 0..30u64 {
            let waited = if i % 8 == 5 { 0 } else { 20 + i * 37 % 300 };
            clock.report(theirs(ms(500 * i)), begun + ms(500 * i) + TRIP / 2 + ms(waited), Some(TRIP));
        }
        for age in [45, 150, 2000] {
            let took = clock.since(theirs(ms(14_000)), begun + ms(14_000 + age)).expect("known");
            assert!((took - age as f64 / 1000.0).abs() < 2e-3, "{took} s for {age} ms");
        }
    }

    #[test]
    fn a_queue_that_stands_on_the_way_back_makes_no_picture_older() {
        let (begun, mut clock) = (Instant::now(), CaptureClock::default());
        for i in 0..600u64 {
            let trip = if i < 20 { TRIP } else { TRIP + ms(600) };
            clock.report(theirs(ms(500 * i)), begun + ms(500 * i) + TRIP / 2, Some(trip));
        }
        let took = clock.since(theirs(ms(300_000)), begun + ms(300_100)).expect("known");
        assert!((took - 0.1).abs() < 2e-3, "{took} s");
    }

    #[test]
    fn clocks_that_run_apart_are_followed() {
        let (begun, mut clock) = (Instant::now(), CaptureClock::default());
        let theirs_at = |at: u64| theirs(ms(at).mul_f64(1.0 + DRIFT));
        for at in (0..3_600_000).step_by(500) {
            clock.report(theirs_at(at), begun + ms(at) + TRIP / 2, Some(TRIP));
        }
        let took = clock.since(theirs_at(3_600_000), begun + ms(3_600_100)).expect("known");
        assert!((took - 0.1).abs() < 3e-3, "{took} s");
    }

    #[test]
    fn a_clock_that_is_set_is_followed_once_the_reports_of_before_are_forgotten() {
        for forward in [true, false] {
            let (begun, mut clock) = (Instant::now(), CaptureClock::default());
            let set = |at: u64| {
                let hour = Duration::from_secs(3600);
                let by = if (at >= 8000) == forward { hour } else { Duration::ZERO };
                theirs(ms(at) + by)
            };
            for at in (0..500 * (16 + RECENT as u64)).step_by(500) {
                // The path is a little longer by then: what is learnt now is no better for itself.
                let trip = if at >= 8000 { TRIP + ms(10) } else { TRIP };
                clock.report(set(at), begun + ms(at) + trip / 2, Some(trip));
            }
            let took = clock.since(set(15_500), begun + ms(15_600)).expect("known");
            assert!((took - 0.1).abs() < 2e-3, "{took} s");
        }
    }

    #[test]
    fn nothing_is_said_before_a_report_nor_of_what_cannot_be_and_no_more_is_kept_than_counts() {
        let (begun, mut clock) = (Instant::now(), CaptureClock::default());
        assert_eq!(clock.since(theirs(TRIP), begun), None);
        clock.report(NtpTime(0), begun, Some(TRIP));
        assert_eq!(clock.since(theirs(TRIP), begun), None, "who sends it has no clock");
        clock.report(theirs(TRIP), begun, None);
        assert_eq!(clock.since(theirs(TRIP), begun), None, "the path has not been measured");
        for i in 0..1000u64 {
            clock.report(NtpTime(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), begun + ms(i), Some(ms(i * 10)));
        }
        assert_eq!(clock.recent.len(), RECENT);
        for captured in (0..1000u64).map(|i| NtpTime(i << 54)) {
            let took = clock.since(captured, begun);
            assert!(took.is_none_or(|s| (0.0..=LONGEST).contains(&s)), "{took:?}");
        }
    }
}
