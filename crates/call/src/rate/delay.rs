//! Two readings of the feedback by the receiver's clock: the rate at which packets arrive, and how long they wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Arrivals that count for the rate.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// How long a least delay is remembered: long enough for a queue to have been empty once, short enough for a change of
/// route and for clocks that drift.
const BASE_WINDOW: Duration = Duration::from_secs(30);
/// The least wait within this time is the queue's length: jitter is in the others.
const RECENT: Duration = Duration::from_millis(200);
/// Packets on a busy path of more than 125 kb/s come at least this often.
const PAUSE: Duration = Duration::from_millis(80);
/// Bound of what is kept of arrivals: 500 ms at 50 Mb/s.
const MAX_ARRIVALS: usize = 4096;
/// A transit that differs this much from the one before is a clock that jumped, or nonsense.
const JUMP_S: f64 = 10.0;
/// Share of the newest change in what is taken for the path's jitter.
const JITTER_PACE: f64 = 0.05;
/// More is no jitter.
const MOST_JITTER_S: f64 = 0.1;

/// The rate at which packets arrived (or left) lately.
#[derive(Debug, Default)]
pub(super) struct PacketRate {
    passed: VecDeque<(Duration, usize)>,
}

impl PacketRate {
    /// A packet of `size` bytes passed at `at`, by whichever clock.
    pub(super) fn add(&mut self, at: Duration, size: usize) {
        // A clock that jumped, or a report of long ago, begins a new measurement.
        let jumped =
            |last: Duration| at.saturating_add(RATE_WINDOW) < last || at > last.saturating_add(4 * RATE_WINDOW);
        if self.passed.back().is_some_and(|(last, _)| jumped(*last)) {
            self.passed.clear();
        }
        self.passed.push_back((at, size));
        while self.passed.len() > MAX_ARRIVALS
            || self.passed.front().is_some_and(|(first, _)| first.saturating_add(RATE_WINDOW) < at)
        {
            self.passed.pop_front();
        }
    }

    /// Over half a second. `None` until a tenth of a second has been seen.
    pub(super) fn bits_per_second(&self) -> Option<f64> {
        self.over(RATE_WINDOW).filter(|_| self.span() >= RATE_WINDOW / 5)
    }

    fn over(&self, window: Duration) -> Option<f64> {
        let (last, _) = self.passed.back()?;
        let from = last.saturating_sub(window);
        Self::rate(self.passed.iter().skip_while(|(at, _)| *at < from))
    }

    /// Over the newest `window`, while a queue stands all the time: what the path carries. A moment without arrivals
    /// is no rate then, but a path that has become longer, and what came before it is not counted.
    pub(super) fn busy(&self, window: Duration) -> Option<f64> {
        let (last, _) = self.passed.back()?;
        let from = last.saturating_sub(window);
        let within = self.passed.iter().enumerate().skip_while(|(_, (at, _))| *at < from);
        let mut begin = within.clone().next()?.0;
        let mut before = self.passed[begin].0;
        for (i, (at, _)) in within {
            if at.saturating_sub(before) > PAUSE {
                begin = i;
            }
            before = *at;
        }
        Self::rate(self.passed.range(begin..))
    }

    fn rate<'a>(mut passed: impl Iterator<Item = &'a (Duration, usize)>) -> Option<f64> {
        let (first, _) = passed.next()?;
        let (mut last, mut bytes) = (*first, 0usize);
        for (at, size) in passed {
            (last, bytes) = (*at, bytes.saturating_add(*size));
        }
        let span = last.checked_sub(*first)?.as_secs_f64();
        (span >= 0.02).then(|| bytes as f64 * 8.0 / span)
    }

    fn span(&self) -> Duration {
        let ends = self.passed.front().zip(self.passed.back());
        ends.map_or(Duration::ZERO, |(first, last)| last.0.saturating_sub(first.0))
    }
}

/// How much longer packets take than they took at best.
#[derive(Debug, Default)]
pub(super) struct StandingQueue {
    origin: Option<Instant>,
    /// Least transit of each second, in seconds; the two clocks' difference is in it and cancels out.
    base: VecDeque<(Instant, f64)>,
    /// Least transit of each feedback message of the last [`RECENT`].
    batches: VecDeque<(Instant, f64)>,
    newest: Option<f64>,
    /// How much those differ when no queue grows or shrinks.
    jitter: f64,
    last: [f64; 2],
    seen: u32,
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
        if self.base.back().is_some_and(|(_, base)| (base - transit).abs() > JUMP_S) {
            self.base.clear();
            self.batches.clear();
            (self.newest, self.seen) = (None, 0);
        }
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

    /// The feedback message is complete.
    pub(super) fn end_batch(&mut self, now: Instant) {
        let Some(newest) = self.newest else { return };
        self.batches.push_back((now, newest));
        while self.batches.len() > 64
            || self.batches.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > RECENT)
        {
            self.batches.pop_front();
        }
        // Second differences: a queue that grows evenly is no jitter.
        if self.seen >= 2 {
            let bend = (newest - 2.0 * self.last[1] + self.last[0]).abs() / 2.0;
            self.jitter += JITTER_PACE * (bend.min(MOST_JITTER_S) - self.jitter);
        }
        (self.last, self.seen) = ([self.last[1], newest], self.seen.saturating_add(1));
    }

    fn above_base(&self, transit: f64) -> Duration {
        if !transit.is_finite() {
            return Duration::ZERO;
        }
        let base = self.base.iter().map(|(_, least)| *least).fold(f64::INFINITY, f64::min);
        Duration::try_from_secs_f64((transit - base).clamp(0.0, 60.0)).unwrap_or_default()
    }

    /// The newest delay is the least that this path has now.
    pub(super) fn rebase(&mut self) {
        let least = self.batches.iter().map(|(_, least)| *least).fold(f64::INFINITY, f64::min);
        let since = self.base.back().map(|(since, _)| *since);
        self.base = since.filter(|_| least.is_finite()).map(|since| (since, least)).into_iter().collect();
    }

    /// What even the quickest packet of the last [`RECENT`] waited.
    pub(super) fn length(&self) -> Duration {
        self.above_base(self.batches.iter().map(|(_, least)| *least).fold(f64::INFINITY, f64::min))
    }

    /// What even the quickest packet of the newest feedback waited.
    pub(super) fn newest(&self) -> Duration {
        self.newest.map_or(Duration::ZERO, |newest| self.above_base(newest))
    }

    /// By how much the quickest packets of feedback messages usually differ.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter.clamp(0.0, MOST_JITTER_S))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_arrivals() {
        let mut rate = PacketRate::default();
        assert_eq!(rate.bits_per_second(), None);
        for i in 0..100u64 {
            rate.add(Duration::from_secs(5) + Duration::from_millis(10 * i), if i < 80 { 1250 } else { 250 });
        }
        assert!((rate.over(Duration::from_millis(150)).expect("measured") - 2e5).abs() < 1.0);
        assert!(rate.bits_per_second().is_some_and(|r| (6e5..7e5).contains(&r)), "{:?}", rate.bits_per_second());
    }

    #[test]
    fn a_pause_is_no_rate_of_a_busy_path() {
        let mut rate = PacketRate::default();
        (0..50u64).for_each(|i| rate.add(Duration::from_millis(10 * i + if i < 40 { 0 } else { 150 }), 1250));
        let window = Duration::from_millis(300);
        assert!(rate.over(window).is_some_and(|r| r < 6e5) && rate.busy(window).is_some_and(|r| (r - 1e6).abs() < 1.0));
    }

    #[test]
    fn a_queue_is_what_is_above_the_least_delay_whatever_the_clocks_say() {
        let (mut queue, start) = (StandingQueue::default(), Instant::now());
        for i in 0..100u64 {
            let at = start + Duration::from_millis(50 * i);
            queue.begin_batch();
            let wait = if i < 50 { 0 } else { 120 };
            queue.add(at, at, Duration::from_secs(9000) + Duration::from_millis(50 * i + 20 + wait));
            queue.end_batch(at);
        }
        assert!(queue.length().abs_diff(Duration::from_millis(120)) < Duration::from_millis(1));
        queue.rebase();
        assert_eq!(queue.length(), Duration::ZERO);
    }

    #[test]
    fn jitter_is_told_from_a_queue_that_grows() {
        let jitter = |wait: fn(u64) -> u64| {
            let (mut queue, start) = (StandingQueue::default(), Instant::now());
            for i in 0..200u64 {
                let at = start + Duration::from_millis(50 * i);
                queue.begin_batch();
                queue.add(at, at, Duration::from_millis(50 * i + 20 + wait(i)));
                queue.end_batch(at);
            }
            queue.jitter().as_secs_f64()
        };
        let said = (jitter(|i| i), jitter(|i| i * i * 31 % 59));
        assert!(said.0 < 0.001 && said.1 > 0.008, "{said:?}");
    }
}
