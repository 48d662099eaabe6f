//! How much work the encoder of sound does: less of it where the machine is too busy for more.
//!
//! Contains no I/O and reads no clock. What counts is time on the clock, so a machine that others keep busy counts as
//! slow. Sound costs so little that this seldom happens; where it does, a plainer voice is better than one with gaps.

use std::time::{Duration, Instant};

/// Opus's complexity, from the best downward. 9 costs about 0.3 ms for 20 ms of sound, 5 half of it, 2 a quarter.
const COMPLEXITY: [u8; 3] = [9, 5, 2];
/// Encoding is to take less than this share of the time that the sound lasts…
const BUSY: f64 = 0.12;
/// …and more work is tried where it takes less than this.
const EASY: f64 = 0.04;
/// The load is that of about this many seconds.
const MEMORY_S: f64 = 1.0;
/// It has to be low for this long before more work is tried, twice as long after each failure, up to…
const UP: Duration = Duration::from_secs(10);
const LONGEST_UP: Duration = Duration::from_secs(160);
/// …where a failure is more work that was too much within this time.
const SOON: Duration = Duration::from_secs(20);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct SoundEffort {
    level: usize,
    load: f64,
    easy_since: Option<Instant>,
    changed: Option<Instant>,
    went_up: Option<Instant>,
    patience: Duration,
}

impl Default for SoundEffort {
    fn default() -> Self {
        Self { level: 0, load: 0.0, easy_since: None, changed: None, went_up: None, patience: UP }
    }
}

impl SoundEffort {
    /// Encoding so much sound took this long. Says the complexity from now on where it changes.
    pub(crate) fn encoded(&mut self, now: Instant, took: Duration, sound: Duration) -> Option<u8> {
        let sound = sound.as_secs_f64().max(1e-3);
        // A process that stood still says nothing about the encoder.
        let share = (took.as_secs_f64() / sound).min(1.0);
        self.load += (share - self.load) * (sound / MEMORY_S).min(1.0);
        let settled = self.changed.is_none_or(|at| now.saturating_duration_since(at).as_secs_f64() > 2.0 * MEMORY_S);
        self.easy_since = (self.load < EASY).then(|| self.easy_since.unwrap_or(now));
        let easy = self.easy_since.is_some_and(|at| now.saturating_duration_since(at) >= self.patience);
        if self.load > BUSY && settled && self.level + 1 < COMPLEXITY.len() {
            let soon = self.went_up.is_some_and(|at| now.saturating_duration_since(at) < SOON);
            self.patience = if soon { (self.patience * 2).min(LONGEST_UP) } else { UP };
            self.change(now, self.level + 1)
        } else if easy && self.level > 0 {
            self.went_up = Some(now);
            self.change(now, self.level - 1)
        } else {
            None
        }
    }

    fn change(&mut self, now: Instant, level: usize) -> Option<u8> {
        (self.level, self.changed, self.easy_since) = (level, Some(now), None);
        Some(COMPLEXITY[level])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Complexity after each second, on a machine on which 20 ms of sound take `ms(second, complexity)`.
    fn complexity(seconds: u32, ms: impl Fn(u32, u8) -> f64) -> Vec<u8> {
        let (begun, mut effort, mut now, mut out) = (Instant::now(), SoundEffort::default(), COMPLEXITY[0], Vec::new());
        let sound = Duration::from_millis(20);
        for i in 0..seconds * 50 {
            let took = Duration::from_secs_f64(ms(i / 50, now) / 1000.0);
            now = effort.encoded(begun + sound * i, took, sound).unwrap_or(now);
            if i % 50 == 49 {
                out.push(now);
            }
        }
        out
    }

    fn changes(complexity: &[u8]) -> usize {
        complexity.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn a_machine_that_keeps_up_does_all_the_work() {
        assert!(complexity(120, |_, _| 0.3).iter().all(|c| *c == 9));
        // Now and then an encoding waits for another process.
        assert!(complexity(120, |second, _| if second % 10 == 0 { 0.9 } else { 0.3 }).iter().all(|c| *c == 9));
    }

    #[test]
    fn a_slow_machine_does_as_little_as_it_takes() {
        let slow = |_, complexity| f64::from(complexity) * 0.4;
        let seen = complexity(300, slow);
        assert_eq!(seen[5], 5);
        assert!(seen.iter().all(|c| *c >= 5), "{seen:?}");
        assert_eq!(complexity(60, |_, _| 6.0)[59], 2);
    }

    #[test]
    fn work_is_taken_up_again_when_the_machine_is_free() {
        let seen = complexity(120, |second, _| if second < 20 { 8.0 } else { 0.3 });
        assert_eq!((seen[19], seen[119]), (2, 9));
    }

    #[test]
    fn work_that_is_too_much_again_and_again_is_tried_less_and_less() {
        let seen = complexity(3600, |_, complexity| if complexity == 9 { 4.0 } else { 0.5 });
        assert!(changes(&seen) < 60, "{} changes in an hour", changes(&seen));
        assert!(seen.iter().filter(|c| **c == 5).count() > 3400);
    }

    #[test]
    fn a_process_that_stood_still_once_changes_nothing() {
        let (begun, mut effort) = (Instant::now(), SoundEffort::default());
        let sound = Duration::from_millis(10);
        for i in 0..1000u32 {
            let took = if i == 500 { Duration::from_secs(30) } else { Duration::from_micros(200) };
            assert_eq!(effort.encoded(begun + sound * i, took, sound), None);
        }
    }
}
