//! When a loudspeaker's callback comes next; pure.
//!
//! Callbacks are as even as the device, but may be late when the machine is busy. So one that comes early is believed at
//! once, and one that comes late only in part.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// How far a late callback moves what is expected.
const BELIEVE_LATER: f64 = 0.05;
/// Devices of other periods are not waited for: a loudspeaker is fed every 10 ms.
const ABOUT_10_MS: RangeInclusive<Duration> = Duration::from_millis(8)..=Duration::from_millis(12);

/// Follows the callbacks of one stream.
#[derive(Default)]
pub(super) struct Beat {
    /// When a callback came, but for its lateness.
    came: Option<Instant>,
}

impl Beat {
    /// The newest callback came at this moment, of a device that takes so much at a time.
    pub fn on_callback(&mut self, came: Instant, period: Duration) {
        let expected = self.next(came.checked_sub(period / 2).unwrap_or(came), period);
        self.came = Some(match expected {
            Some(expected) if came > expected => expected + (came - expected).mul_f64(BELIEVE_LATER),
            _ => came,
        });
    }

    /// When to feed it next, so long before a callback; `None` where its callbacks are not known or do not come every
    /// 10 ms.
    pub fn feed_at(&self, now: Instant, period: Duration, lead: Duration) -> Option<Instant> {
        self.next(now + lead, period)?.checked_sub(lead)
    }

    /// Callbacks that should have come by now, one or two; they will still take their share.
    pub fn pending(&self, now: Instant, period: Duration) -> u32 {
        let since = self.came.map_or(Duration::ZERO, |came| now.saturating_duration_since(came));
        (since.as_nanos() / period.as_nanos().max(1)).min(2) as u32
    }

    /// The first callback expected after `now`.
    fn next(&self, now: Instant, period: Duration) -> Option<Instant> {
        let came = self.came.filter(|_| ABOUT_10_MS.contains(&period))?;
        let periods = now.saturating_duration_since(came).as_nanos() / period.as_nanos() + 1;
        came.checked_add(period * u32::try_from(periods).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PERIOD: Duration = Duration::from_millis(10);
    const LEAD: Duration = Duration::from_millis(4);

    #[test]
    fn it_is_fed_so_long_before_each_callback() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        assert_eq!(beat.feed_at(start, PERIOD, LEAD), None);
        for n in 0..100 {
            let came = start + PERIOD * n;
            beat.on_callback(came, PERIOD);
            for lead in 2..10 {
                assert_eq!(beat.feed_at(came, PERIOD, MS * lead), Some(came + PERIOD - MS * lead));
            }
            assert_eq!(beat.feed_at(came + 6 * MS, PERIOD, LEAD), Some(came + 16 * MS));
        }
    }

    #[test]
    fn a_callback_that_should_have_come_is_reckoned_with() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        assert_eq!(beat.pending(start, PERIOD), 0);
        beat.on_callback(start, PERIOD);
        let pending = |ms: u32| beat.pending(start + MS * ms, PERIOD);
        assert_eq!([9, 11, 19, 21, 5000].map(pending), [0, 1, 1, 2, 2]);
    }

    #[test]
    fn late_callbacks_move_it_by_little_and_a_slow_clock_is_followed() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        // 300 millionths too slow, and every third callback up to 4 ms late.
        let true_time = |n: u32| start + Duration::from_nanos(u64::from(n) * 10_003_000);
        for n in 0..6000 {
            let late = if n % 3 == 0 { MS * (n % 5) } else { Duration::ZERO };
            beat.on_callback(true_time(n) + late, PERIOD);
            let ideal = true_time(n) + 6 * MS;
            let fed = beat.feed_at(true_time(n), PERIOD, LEAD).expect("known");
            let error = fed.max(ideal) - fed.min(ideal);
            assert!(error < MS / 2, "{error:?} at callback {n}");
        }
    }

    #[test]
    fn one_early_callback_is_believed_at_once() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        (0..10).for_each(|n| beat.on_callback(start + PERIOD * n, PERIOD));
        beat.on_callback(start + 96 * MS, PERIOD);
        assert_eq!(beat.feed_at(start + 96 * MS, PERIOD, LEAD), Some(start + 102 * MS));
    }

    #[test]
    fn devices_of_other_periods_are_fed_at_any_moment() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        for period in [Duration::ZERO, 5 * MS, 20 * MS, Duration::from_secs(3)] {
            beat.on_callback(start, period);
            assert_eq!(beat.feed_at(start, period, LEAD), None);
        }
    }
}
