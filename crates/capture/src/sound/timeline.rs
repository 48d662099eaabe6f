//! When each sample of a device was captured or is heard: a smooth line through jittery callbacks.
//!
//! Pure. Callbacks come late when the machine is busy, never early; so a moment earlier than expected is believed
//! sooner than a later one. A stream's first moments are the least reliable and weigh no more than those that follow.
//! Moments that are off by far move nothing, unless they stay so: a sound server that missed a period of ours says
//! nothing of it, but all that follows is later by as much.

use std::time::{Duration, Instant};

/// Beyond this the line is drawn anew: the device paused, or the machine slept.
const JUMP_S: f64 = 0.1;
/// What is earlier than expected is made up for in about so many seconds, what is later in so many: callbacks of a busy
/// machine are late for seconds, and the line shall not follow them.
const EARLIER_S: f64 = 0.1;
const LATER_S: f64 = 2.0;
/// Off by far is what is off by more than this and by many times what is usual (in the last few hundred), once so many
/// moments are known…
const FAR_S: f64 = 0.002;
const FAR: f64 = 4.0;
const USUAL_NOTES: f64 = 256.0;
const KNOWN: u32 = 20;
/// …and it stays so if all moments of such a span, and so many, are off the same way.
const STAYS: Duration = Duration::from_millis(100);
const STAYS_NOTES: u32 = 3;

/// Maps sample numbers of one stream to moments.
pub(crate) struct Timeline {
    rate: f64,
    /// A sample and its moment.
    known: Option<(u64, Instant)>,
    /// Moments noted since the line was drawn.
    notes: u32,
    /// By how much they are off on average, in seconds.
    usual: f64,
    off: Option<Off>,
}

/// Moments in a row that are off by far, the same way.
struct Off {
    since: Instant,
    notes: u32,
    /// The least of their errors, in seconds.
    error: f64,
}

impl Timeline {
    /// For a device of `rate` samples a second.
    pub fn new(rate: u32) -> Self {
        Self { rate: f64::from(rate), known: None, notes: 0, usual: 0.0, off: None }
    }

    /// Sample number `first` seems to have been captured, or to be heard, at `at`.
    pub fn note(&mut self, first: u64, at: Instant) {
        let Some(expected) = self.at(first) else {
            self.known = Some((first, at));
            return;
        };
        let error = signed(at, expected);
        let far = FAR_S.max(FAR * self.usual);
        self.usual += (error.abs().min(2.0 * far) - self.usual) / USUAL_NOTES;
        let moment = if error.abs() > JUMP_S {
            (self.notes, self.off) = (0, None);
            at
        } else if self.notes > KNOWN && error.abs() > far {
            shifted(expected, self.far_off(at, error))
        } else {
            self.off = None;
            self.notes = self.notes.saturating_add(1);
            let believe = 1.0 - (-self.since(first) / if error < 0.0 { EARLIER_S } else { LATER_S }).exp();
            shifted(expected, error * believe.max(1.0 / f64::from(self.notes)))
        };
        self.known = Some((first, moment));
    }

    /// Sample number `first` is heard at about `at`, whatever was expected; the moments that follow tell it better.
    pub fn begin_anew(&mut self, first: u64, at: Instant) {
        (self.known, self.off, self.notes) = (Some((first, at)), None, 1);
    }

    /// Seconds from the sample noted last to this one.
    fn since(&self, first: u64) -> f64 {
        self.known.map_or(0.0, |(known, _)| first.saturating_sub(known) as f64 / self.rate)
    }

    /// By how much the line moves for a moment that is off by far.
    fn far_off(&mut self, at: Instant, error: f64) -> f64 {
        let begun = Off { since: at, notes: 0, error };
        let before = self.off.take().filter(|off| (off.error > 0.0) == (error > 0.0)).unwrap_or(begun);
        let least = if error.abs() < before.error.abs() { error } else { before.error };
        let off = Off { notes: before.notes + 1, error: least, ..before };
        if off.notes >= STAYS_NOTES && at.saturating_duration_since(off.since) >= STAYS {
            return off.error;
        }
        self.off = Some(off);
        0.0
    }

    /// When a sample was captured or is heard; `None` before the first note.
    pub fn at(&self, sample: u64) -> Option<Instant> {
        let (first, at) = self.known?;
        Some(shifted(at, (sample as i64 - first as i64) as f64 / self.rate))
    }
}

fn signed(a: Instant, b: Instant) -> f64 {
    match a.checked_duration_since(b) {
        Some(later) => later.as_secs_f64(),
        None => -b.duration_since(a).as_secs_f64(),
    }
}

fn shifted(at: Instant, seconds: f64) -> Instant {
    let by = Duration::from_secs_f64(seconds.abs().min(1e6));
    let moved = if seconds < 0.0 { at.checked_sub(by) } else { at.checked_add(by) };
    moved.unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn late_callbacks_move_the_line_by_little() {
        let (start, mut line) = (Instant::now() + 1000 * MS, Timeline::new(48_000));
        for n in 0..1000u32 {
            let late = if n % 3 == 0 { 6 * MS } else { Duration::ZERO };
            line.note(u64::from(n) * 480, start + 10 * MS * n + late);
        }
        let error = signed(line.at(480_000).expect("noted"), start + 10_000 * MS);
        assert!((0.0..0.001).contains(&error), "{error}");
    }

    #[test]
    fn a_clock_that_runs_a_little_slow_is_followed() {
        let (start, mut line) = (Instant::now() + 1000 * MS, Timeline::new(48_000));
        let real = |n: u32| start + Duration::from_secs_f64(f64::from(n) * 0.010_002);
        (0..3000).for_each(|n| line.note(u64::from(n) * 480, real(n)));
        assert!(signed(line.at(3000 * 480).expect("noted"), real(3000)).abs() < 0.001);
    }

    #[test]
    fn a_wrong_first_moment_is_soon_forgotten() {
        let (start, mut line) = (Instant::now() + 1000 * MS, Timeline::new(48_000));
        line.note(0, start - 80 * MS);
        (1..4u32).for_each(|n| line.note(u64::from(n) * 480, start + 10 * MS * n));
        assert!(signed(line.at(4 * 480).expect("noted"), start + 40 * MS).abs() < 0.001);
    }

    #[test]
    fn a_period_that_was_missed_moves_the_line_within_a_tenth_of_a_second() {
        for (begins, shift) in [(500, -12.0), (500, 5.0), (500, 20.0), (30, -12.0), (30, 20.0)] {
            let (start, mut line) = (Instant::now() + 1000 * MS, Timeline::new(48_000));
            let real = |n: u32| shifted(start + 10 * MS * n, if n < begins { 0.0 } else { shift / 1000.0 });
            let known = begins + 12;
            (0..known).for_each(|n| line.note(u64::from(n) * 480, real(n)));
            let error = signed(line.at(u64::from(known) * 480).expect("noted"), real(known));
            assert!(error.abs() < 0.0001, "{begins}: {shift} ms: {error}");
        }
    }

    #[test]
    fn a_few_callbacks_that_are_very_late_move_nothing() {
        let (start, mut line) = (Instant::now() + 1000 * MS, Timeline::new(48_000));
        for n in 0..1000u32 {
            let late = if n % 100 < 4 { 30 * MS } else { Duration::ZERO };
            line.note(u64::from(n) * 480, start + 10 * MS * n + late);
            if n > 200 {
                let error = signed(line.at(u64::from(n) * 480).expect("noted"), start + 10 * MS * n);
                assert!(error.abs() < 0.0001, "{n}: {error}");
            }
        }
    }

    #[test]
    fn callbacks_in_pairs_leave_the_line_with_the_devices_clock() {
        for ppm in [-200.0, 200.0] {
            let (start, mut line) = (Instant::now() + 1000 * MS, Timeline::new(48_000));
            let real = |n: u32| start + Duration::from_secs_f64(f64::from(n) * 0.01 * (1.0 + ppm * 1e-6));
            let mut errors = Vec::new();
            for n in 0..12_000u32 {
                // Every other one comes together with the one before.
                line.note(u64::from(n) * 480, real(n - n % 2));
                errors.push(signed(line.at(u64::from(n) * 480).expect("noted"), real(n)));
            }
            let settled = &errors[2000..];
            let (low, high) = settled.iter().fold((1.0f64, -1.0f64), |(l, h), e| (l.min(*e), h.max(*e)));
            assert!(high - low < 0.0015, "{ppm}: {low} to {high}");
        }
    }

    #[test]
    fn after_a_pause_the_line_is_drawn_anew() {
        let (start, mut line) = (Instant::now(), Timeline::new(48_000));
        assert_eq!(line.at(0), None);
        line.note(0, start);
        line.note(480, start + 5000 * MS);
        assert_eq!(line.at(480), Some(start + 5000 * MS));
    }
}
