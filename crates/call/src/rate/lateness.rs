//! Notices that feedback is late: the quickest sign of a path that has become narrow, or is gone.
//!
//! A queue that fills in a tenth of a second is full before feedback can tell of it, the more so where the way back
//! has become narrow, too. But feedback comes regularly; when what left is not heard of for clearly longer than is usual
//! on this path, less is sent until it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Departures within this time are one entry.
const SPAN: Duration = Duration::from_millis(10);
/// What has not been heard of after this long never will be: the estimator's history forgets it, too.
const FORGOTTEN: Duration = Duration::from_secs(2);
/// Feedback is late when it takes this much longer than usual, or half as long again: one lost message is not enough.
const LATE: Duration = Duration::from_millis(60);
/// Share by which what is usual falls with each message, and by which one that was late raises it.
const FALLS: f64 = 0.03;
const RISES: f64 = 0.3;

/// Told of departures and of feedback.
#[derive(Debug, Default)]
pub(super) struct FeedbackWatch {
    unheard: VecDeque<Instant>,
    /// How old what left usually gets before it is heard of.
    usual: Option<Duration>,
}

impl FeedbackWatch {
    /// A packet that feedback will be about leaves.
    pub(super) fn left(&mut self, now: Instant) {
        if self.unheard.back().is_none_or(|last| now.saturating_duration_since(*last) >= SPAN) {
            self.unheard.push_back(now);
        }
        while self.unheard.front().is_some_and(|at| now.saturating_duration_since(*at) > FORGOTTEN) {
            self.unheard.pop_front();
        }
    }

    /// Everything that left until `departure` has been heard of.
    pub(super) fn heard(&mut self, now: Instant, departure: Instant) {
        let Some(age) =
            self.unheard.front().filter(|at| **at <= departure).map(|at| now.saturating_duration_since(*at))
        else {
            return;
        };
        self.usual = Some(match self.usual {
            None => age,
            Some(usual) if age <= usual => usual - (usual - age).mul_f64(FALLS),
            Some(usual) if age > usual + Self::margin(usual) => usual + (age - usual).mul_f64(RISES),
            Some(_) => age,
        });
        while self.unheard.front().is_some_and(|at| *at <= departure) {
            self.unheard.pop_front();
        }
    }

    fn margin(usual: Duration) -> Duration {
        LATE.max(usual / 2)
    }

    /// Whether feedback should have come.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        let oldest = self.unheard.front().map(|at| now.saturating_duration_since(*at));
        self.usual.zip(oldest).is_some_and(|(usual, age)| age > usual + Self::margin(usual) && age < FORGOTTEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet every 10 ms, feedback every 50 ms about what is older than 50 ms; `lost` says which messages are lost.
    /// The times at which feedback was late.
    fn late(until: u64, lost: impl Fn(u64) -> bool) -> Vec<u64> {
        let (begun, mut watch, mut late) = (Instant::now(), FeedbackWatch::default(), Vec::new());
        let at = |ms| begun + Duration::from_millis(ms);
        for ms in (0..until).step_by(10) {
            watch.left(at(ms));
            if ms % 50 == 0 && ms > 50 && !lost(ms) {
                watch.heard(at(ms), at(ms - 50));
            }
            late.extend(watch.is_late(at(ms)).then_some(ms));
        }
        assert!(watch.unheard.len() <= 202, "{}", watch.unheard.len());
        late
    }

    #[test]
    fn feedback_that_stops_is_missed_within_a_tenth_of_a_second() {
        let late = late(3000, |ms| ms >= 2000);
        assert!(late.first().is_some_and(|first| (2010..=2110).contains(first)), "{late:?}");
    }

    #[test]
    fn one_lost_message_now_and_then_is_nothing() {
        assert_eq!(late(20_000, |ms| ms % 1000 == 0), Vec::<u64>::new());
    }

    #[test]
    fn where_there_never_was_feedback_nothing_is_late() {
        assert_eq!(late(10_000, |_| true), Vec::<u64>::new());
    }
}
