//! How early a loudspeaker of even callbacks is fed; pure.
//!
//! What is queued before a callback needs it is heard as delay, and where it comes too late there is a gap. How late the
//! feeding thread is woken, and how early callbacks come, is seen in how much time each feeding had to spare. So it is
//! fed as much earlier as was needed of late, and a little more; and for a while earlier still when it ran dry. A
//! millisecond earlier costs a millisecond, not the ten of a whole frame.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// In seconds: before anything is known; at least; at most.
const FIRST: f64 = 0.008;
const LEAST: f64 = 0.004;
const MOST: f64 = 0.028;
/// Added to what was needed of late.
const SAFETY: f64 = 0.002;
/// The most that was needed in the last one to two of these spans counts.
const SPAN: Duration = Duration::from_secs(5);
/// Each time it runs dry it is fed so much earlier…
const WIDEN: f64 = 0.005;
/// …and after this long without it, [`NARROW`] later again.
const CALM: Duration = Duration::from_secs(10);
const NARROW: f64 = 0.001;
/// It is fed no later than this before a callback; what must be earlier than a period is a frame more in the queue.
const SHORTEST: f64 = 0.002;
/// Feedings whose callbacks may still be heard of.
const FEEDINGS: usize = 8;

/// Follows the feedings and callbacks of one stream.
pub(super) struct Lead {
    /// How long before a callback its sound is queued, in seconds.
    seconds: f64,
    /// Not less, since it ran dry.
    floor: f64,
    calm_since: Instant,
    /// Most of the lead that was used up, in this span and in the one before.
    begun: Instant,
    lately: f64,
    before: f64,
    /// When it was fed, and how early that was meant to be.
    fed: VecDeque<(Instant, f64)>,
}

impl Lead {
    /// Of a stream that is opened now.
    pub fn new(now: Instant) -> Self {
        let fed = VecDeque::with_capacity(FEEDINGS);
        let needed = FIRST - SAFETY;
        Self { seconds: FIRST, floor: 0.0, calm_since: now, begun: now, lately: needed, before: needed, fed }
    }

    /// A callback came, and left so many whole periods of `period` seconds in the queue.
    pub fn on_callback(&mut self, came: Instant, left: u64, period: f64) {
        let Some((at, meant)) = self.fed.iter().rev().find(|(at, _)| *at <= came) else { return };
        let spare = left as f64 * period + came.duration_since(*at).as_secs_f64();
        self.lately = self.lately.max(meant - spare);
    }

    /// It ran dry.
    pub fn ran_dry(&mut self, now: Instant) {
        (self.floor, self.calm_since) = (self.floor.max(self.seconds) + WIDEN, now);
    }

    /// It is fed now.
    pub fn feed(&mut self, now: Instant) {
        if now.saturating_duration_since(self.begun) >= SPAN {
            (self.begun, self.before, self.lately) = (now, self.lately, 0.0);
        }
        if now.saturating_duration_since(self.calm_since) > CALM {
            (self.floor, self.calm_since) = ((self.floor - NARROW).max(0.0), now);
        }
        self.floor = self.floor.min(MOST);
        let meant = self.seconds;
        self.seconds = (self.lately.max(self.before) + SAFETY).max(self.floor).clamp(LEAST, MOST);
        if self.fed.len() == FEEDINGS {
            self.fed.pop_front();
        }
        // Whichever was less decided when it was fed or how much.
        self.fed.push_back((now, meant.min(self.seconds)));
    }

    /// So long before a callback of a device of this period it is fed.
    pub fn before(&self, period: Duration) -> Duration {
        let rest = self.seconds - f64::from(self.reserve(period)) * period.as_secs_f64();
        Duration::from_secs_f64(rest.max(SHORTEST))
    }

    /// Periods in the queue that this callback does not need.
    pub fn reserve(&self, period: Duration) -> u32 {
        (self.seconds / period.as_secs_f64().max(0.001)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    /// A stream whose feeding is late by what is said, for so many periods; how early it is fed in the end.
    fn fed(lead: &mut Lead, start: Instant, periods: std::ops::Range<u32>, late_ms: impl Fn(u32) -> u64) -> f64 {
        for n in periods {
            let callback = start + PERIOD * (n + 10);
            let at = callback - lead.before(PERIOD) + Duration::from_millis(late_ms(n));
            let reserve = lead.reserve(PERIOD);
            lead.feed(at);
            if at <= callback {
                lead.on_callback(callback, reserve.into(), 0.01);
            } else if reserve == 0 {
                lead.ran_dry(callback);
            }
        }
        lead.before(PERIOD).as_secs_f64() + f64::from(lead.reserve(PERIOD)) * 0.01
    }

    #[test]
    fn who_is_always_in_time_is_fed_4_ms_early() {
        let start = Instant::now();
        let mut lead = Lead::new(start);
        assert_eq!(lead.before(PERIOD), Duration::from_millis(8));
        assert_eq!(fed(&mut lead, start, 0..1200, |_| 0), LEAST);
    }

    #[test]
    fn who_is_woken_late_is_fed_as_much_earlier_and_no_gap_is_needed_to_learn_it() {
        let start = Instant::now();
        for late in 1..6 {
            let mut lead = Lead::new(start);
            let early = fed(&mut lead, start, 0..3000, |n| if n % 100 == 7 { late } else { 0 });
            assert!((early - (late as f64 / 1000.0 + SAFETY).max(LEAST)).abs() < 1e-6, "{late}: {early}");
            assert_eq!(lead.floor, 0.0);
        }
    }

    #[test]
    fn after_gaps_it_is_fed_earlier_for_a_while_but_never_by_more_than_28_ms() {
        let start = Instant::now();
        let mut lead = Lead::new(start);
        fed(&mut lead, start, 0..1200, |_| 0);
        let early = fed(&mut lead, start, 1200..1210, |n| if n == 1205 { 9 } else { 0 });
        assert!((0.009..0.0121).contains(&early), "{early}");
        assert!(fed(&mut lead, start, 1210..12_000, |_| 0) <= LEAST + 0.001);
        for n in 0..20 {
            lead.ran_dry(start + PERIOD * (12_000 + n));
            lead.feed(start + PERIOD * (12_000 + n));
        }
        assert_eq!((lead.reserve(PERIOD), lead.before(PERIOD).as_millis()), (2, 8));
    }
}
