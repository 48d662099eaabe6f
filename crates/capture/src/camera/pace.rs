//! When a stand-in camera takes its next picture: absolute moments, none made up for.

use std::time::{Duration, Instant};

/// Moments `start + n/fps`. A thread that is late skips those it missed, so that pictures never come in a burst.
pub(crate) struct Pace {
    start: Instant,
    fps: f64,
    next: u64,
}

impl Pace {
    /// The first moment is `start`; `fps` must be above zero.
    pub fn new(start: Instant, fps: f32) -> Self {
        Self { start, fps: f64::from(fps), next: 0 }
    }

    /// The next moment that is not past at `now`, or just being missed by less than an interval.
    pub fn next(&mut self, now: Instant) -> Instant {
        let due = (now.saturating_duration_since(self.start).as_secs_f64() * self.fps).floor() as u64;
        self.next = self.next.max(due);
        let moment = self.start + Duration::from_secs_f64(self.next as f64 / self.fps);
        self.next += 1;
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_hour_of_pictures_ends_on_the_right_moment() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 30.0);
        let last = (0..=108_000).map(|_| pace.next(start)).last().expect("some");
        assert!((last - start).abs_diff(Duration::from_secs(3600)) < MS);
    }

    #[test]
    fn a_late_thread_skips_and_does_not_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 10.0);
        assert_eq!(pace.next(start), start);
        assert_eq!(pace.next(start + 1050 * MS), start + 1000 * MS);
        assert_eq!(pace.next(start + 1060 * MS), start + 1100 * MS);
    }
}
