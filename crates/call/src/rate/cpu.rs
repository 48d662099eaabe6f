//! Whether the machine keeps up with the encoder, and by how much pictures have to be smaller so that it does.
//!
//! Size goes before frame rate: a quarter less of each side is hardly seen, a third of the pictures less is. What counts
//! is time on the clock, so a machine that others keep busy counts as slow. Contains no I/O and reads no clock.

use std::time::{Duration, Instant};

/// Encoding is to take less than this share of the time between pictures.
const BUSY: f64 = 0.7;
/// A wider picture is tried where it would probably take less than this.
const EASY: f64 = 0.5;
/// How many pixels a step has of the one before.
const STEP: f64 = 0.5625;
/// Steps at most: to a third of each side.
const STEPS: u32 = 4;
/// The load is that of about this many seconds.
const MEMORY_S: f64 = 1.0;
/// It has to be too high for this long…
const DOWN: Duration = Duration::from_millis(1500);
/// …and low for this long before a wider picture is tried, twice as long after each failure, up to…
const UP: Duration = Duration::from_secs(8);
const LONGEST_UP: Duration = Duration::from_secs(120);
/// …where a failure is a wider picture that was too much within this time.
const SOON: Duration = Duration::from_secs(20);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct CpuLimit {
    steps: u32,
    load: f64,
    last: Option<Instant>,
    busy_since: Option<Instant>,
    easy_since: Option<Instant>,
    went_up: Option<Instant>,
    patience: Duration,
}

impl CpuLimit {
    pub(crate) fn new() -> Self {
        Self { steps: 0, load: 0.0, last: None, busy_since: None, easy_since: None, went_up: None, patience: UP }
    }

    /// A picture took this long, where one comes every `interval`; `missed` came and went meanwhile unseen.
    pub(crate) fn picture(&mut self, now: Instant, took: Duration, interval: Duration, missed: u64) {
        let share = (took.as_secs_f64() / interval.as_secs_f64().max(1e-3)).min(4.0);
        let share = if missed > 0 { share.max(1.0) } else { share };
        let since = self.last.map_or(interval, |last| now.saturating_duration_since(last)).as_secs_f64();
        self.last = Some(now);
        let weight = 1.0 - (-since.min(MEMORY_S) / MEMORY_S).exp();
        self.load += weight * (share - self.load);
        self.busy_since = (self.load > BUSY).then(|| self.busy_since.unwrap_or(now));
        self.easy_since = (self.load < EASY * STEP).then(|| self.easy_since.unwrap_or(now));
        let for_at_least =
            |since: Option<Instant>, time| since.is_some_and(|at| now.saturating_duration_since(at) >= time);
        if for_at_least(self.busy_since, DOWN) && self.steps < STEPS {
            let soon = self.went_up.is_some_and(|at| now.saturating_duration_since(at) < SOON);
            self.patience = if soon { (self.patience * 2).min(LONGEST_UP) } else { UP };
            self.change(self.steps + 1);
        } else if for_at_least(self.easy_since, self.patience) && self.steps > 0 {
            self.went_up = Some(now);
            self.change(self.steps - 1);
        }
    }

    fn change(&mut self, steps: u32) {
        // What the new size takes is not known yet.
        self.load *= if steps > self.steps { STEP } else { 1.0 / STEP };
        (self.steps, self.busy_since, self.easy_since) = (steps, None, None);
    }

    /// Of the pixels that could be sent, this many are encoded at most.
    pub(crate) fn pixels(&self, full: usize) -> usize {
        (full as f64 * STEP.powi(self.steps as i32)).ceil() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 30);

    /// Steps after each second, on a machine that takes `full_ms(second)` for a picture of full size.
    fn steps(seconds: u32, full_ms: impl Fn(u32) -> f64, missed: impl Fn(u32) -> u64) -> Vec<u32> {
        let (begun, mut limit, mut out) = (Instant::now(), CpuLimit::new(), Vec::new());
        for i in 0..seconds * 30 {
            let pixels = limit.pixels(921_600) as f64 / 921_600.0;
            let took = Duration::from_secs_f64(full_ms(i / 30) * pixels / 1e3);
            limit.picture(begun + INTERVAL * i, took, INTERVAL, missed(i));
            if i % 30 == 29 {
                out.push(limit.steps);
            }
        }
        out
    }

    #[test]
    fn a_machine_that_keeps_up_is_left_alone() {
        assert!(steps(60, |_| 20.0, |_| 0).iter().all(|s| *s == 0));
    }

    #[test]
    fn one_that_is_too_slow_gets_smaller_pictures_within_seconds_and_they_fit() {
        let steps = steps(30, |_| 50.0, |_| 0);
        assert_eq!((steps[0], steps[10], steps[29]), (0, 2, 2), "{steps:?}");
    }

    #[test]
    fn when_it_is_free_again_the_size_comes_back_one_step_at_a_time() {
        let steps = steps(60, |second| if second < 15 { 50.0 } else { 6.0 }, |_| 0);
        assert_eq!((steps[14], steps[59]), (2, 0), "{steps:?}");
        assert!(steps[18..].windows(2).all(|w| w[1] <= w[0]), "{steps:?}");
    }

    #[test]
    fn a_load_between_two_sizes_does_not_pump() {
        let steps = steps(600, |_| 25.0, |_| 0);
        let changes = steps.windows(2).filter(|w| w[0] != w[1]).count();
        assert!(changes <= 2, "{changes}: {steps:?}");
    }

    #[test]
    fn pictures_that_nobody_had_time_for_count_as_load() {
        assert!(steps(10, |_| 10.0, |_| 1).last().is_some_and(|s| *s > 0));
        assert_eq!(steps(60, |_| 10.0, |i| u64::from(i % 90 == 0)).last(), Some(&0));
    }
}
