//! When each sample of a microphone was captured: a smooth line through jittery callbacks.
//!
//! Pure. Callbacks come late when the machine is busy, never early; so a moment earlier than expected is believed
//! sooner than a later one. A stream's first moments are the least reliable and weigh no more than those that follow.

use std::time::{Duration, Instant};

/// Beyond this the line is drawn anew: the device paused, or the machine slept.
const JUMP_S: f64 = 0.1;
const BELIEVE_EARLIER: f64 = 0.1;
const BELIEVE_LATER: f64 = 0.02;

/// Maps sample numbers of one stream to moments.
pub(crate) struct Timeline {
    rate: f64,
    /// A sample and its moment.
    known: Option<(u64, Instant)>,
    /// Moments noted since the line was drawn.
    notes: u32,
}

impl Timeline {
    /// For a device of `rate` samples a second.
    pub fn new(rate: u32) -> Self {
        Self { rate: f64::from(rate), known: None, notes: 0 }
    }

    /// Sample number `first` seems to have been captured at `at`.
    pub fn note(&mut self, first: u64, at: Instant) {
        let Some(expected) = self.at(first) else {
            self.known = Some((first, at));
            return;
        };
        let error = signed(at, expected);
        let moment = if error.abs() > JUMP_S {
            self.notes = 0;
            at
        } else {
            self.notes = self.notes.saturating_add(1);
            let believe = if error < 0.0 { BELIEVE_EARLIER } else { BELIEVE_LATER };
            shifted(expected, error * believe.max(1.0 / f64::from(self.notes)))
        };
        self.known = Some((first, moment));
    }

    /// When a sample was captured; `None` before the first note.
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
    fn after_a_pause_the_line_is_drawn_anew() {
        let (start, mut line) = (Instant::now(), Timeline::new(48_000));
        assert_eq!(line.at(0), None);
        line.note(0, start);
        line.note(480, start + 5000 * MS);
        assert_eq!(line.at(480), Some(start + 5000 * MS));
    }
}
