//! Two readings of the feedback by the receiver's clock: the rate at which packets arrive, and how long they wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Arrivals that count for the rate.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// How long a least delay is remembered: long enough for a queue to have been empty once, short enough for a change of
/// route and for clocks that drift.
const BASE_WINDOW: Duration = Duration::from_secs(30);
/// Bound of what is kept of arrivals: 500 ms at 50 Mb/s.
const MAX_ARRIVALS: usize = 4096;

/// The rate at which packets arrived lately.
#[derive(Debug, Default)]
pub(super) struct AcknowledgedRate {
    arrivals: VecDeque<(Duration, usize)>,
}

impl AcknowledgedRate {
    /// A packet of `size` bytes arrived at `at`, by the receiver's clock.
    pub(super) fn add(&mut self, at: Duration, size: usize) {
        // A clock that jumped, or a report of long ago, begins a new measurement.
        if self.arrivals.back().is_some_and(|(last, _)| at + RATE_WINDOW < *last || at > *last + 4 * RATE_WINDOW) {
            self.arrivals.clear();
        }
        self.arrivals.push_back((at, size));
        while self.arrivals.len() > MAX_ARRIVALS
            || self.arrivals.front().is_some_and(|(first, _)| *first + RATE_WINDOW < at)
        {
            self.arrivals.pop_front();
        }
    }

    /// `None` until a tenth of a second has been seen.
    pub(super) fn bits_per_second(&self) -> Option<f64> {
        let (first, first_size) = self.arrivals.front()?;
        let (last, _) = self.arrivals.back()?;
        let span = last.checked_sub(*first)?;
        let bytes: usize = self.arrivals.iter().map(|(_, size)| size).fold(0, |sum: usize, s| sum.saturating_add(*s));
        (span >= RATE_WINDOW / 5).then(|| bytes.saturating_sub(*first_size) as f64 * 8.0 / span.as_secs_f64())
    }
}

/// How much longer packets take than they took at best.
#[derive(Debug, Default)]
pub(super) struct StandingQueue {
    origin: Option<Instant>,
    /// Least transit of each second, in seconds; the two clocks' difference is in it and cancels out.
    base: VecDeque<(Instant, f64)>,
    /// Least transit of the newest batch.
    newest: Option<f64>,
}

impl StandingQueue {
    /// What comes now is one feedback message.
    pub(super) fn begin_batch(&mut self) {
        self.newest = None;
    }

    /// A packet left at `departure` and arrived at `arrival`.
    pub(super) fn add(&mut self, now: Instant, departure: Instant, arrival: Duration) {
        let origin = *self.origin.get_or_insert(departure);
        let left = match departure.checked_duration_since(origin) {
            Some(after) => after.as_secs_f64(),
            None => -origin.duration_since(departure).as_secs_f64(),
        };
        let transit = arrival.as_secs_f64() - left;
        self.newest = Some(self.newest.map_or(transit, |n| n.min(transit)));
        match self.base.back_mut() {
            Some((since, least)) if now.saturating_duration_since(*since) < Duration::from_secs(1) => {
                *least = least.min(transit);
            }
            _ => self.base.push_back((now, transit)),
        }
        while self.base.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) > BASE_WINDOW) {
            self.base.pop_front();
        }
    }

    /// The newest delay is the least that this path has now.
    pub(super) fn rebase(&mut self) {
        let newest = self.newest.zip(self.base.back()).map(|(newest, (since, _))| (*since, newest));
        self.base = newest.into_iter().collect();
    }

    /// What even the quickest packet of the newest feedback waited.
    pub(super) fn length(&self) -> Duration {
        let base = self.base.iter().map(|(_, least)| *least).fold(f64::INFINITY, f64::min);
        let excess = self.newest.map_or(0.0, |n| n - base);
        Duration::try_from_secs_f64(excess.clamp(0.0, 60.0)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_arrivals() {
        let mut rate = AcknowledgedRate::default();
        assert_eq!(rate.bits_per_second(), None);
        for i in 0..100u64 {
            rate.add(Duration::from_secs(5) + Duration::from_millis(10 * i), 1250);
        }
        assert!((rate.bits_per_second().expect("measured") - 1e6).abs() < 1.0);
    }

    #[test]
    fn a_queue_is_what_is_above_the_least_delay_whatever_the_clocks_say() {
        let (mut queue, start) = (StandingQueue::default(), Instant::now());
        for i in 0..100u64 {
            let at = start + Duration::from_millis(50 * i);
            queue.begin_batch();
            let wait = if i < 50 { 0 } else { 120 };
            queue.add(at, at, Duration::from_secs(9000) + Duration::from_millis(50 * i + 20 + wait));
        }
        assert!(queue.length().abs_diff(Duration::from_millis(120)) < Duration::from_millis(1));
        queue.rebase();
        assert_eq!(queue.length(), Duration::ZERO);
    }
}
