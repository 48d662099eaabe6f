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
/// Where feedback that was late is about what has only just left, the messages before it got lost, and the path is as quick
/// as ever. It tells of nothing that left later than is usual for the newest of a message, and this much.
const FRESH: Duration = Duration::from_millis(30);
/// On a path that loses them, for this long…
const DOUBTED: Duration = Duration::from_secs(20);
/// …it has to be later by this much: two more messages.
const DOUBT: Duration = Duration::from_millis(100);
/// Share by which what is usual falls with each message, and by which one that was late raises it.
const FALLS: f64 = 0.03;
const RISES: f64 = 0.3;

/// Told of departures and of feedback.
#[derive(Debug, Default)]
pub(super) struct FeedbackWatch {
    unheard: VecDeque<Instant>,
    /// How old what left usually gets before it is heard of.
    usual: Option<Duration>,
    /// How old the newest that a message tells of usually is.
    newest: Option<Duration>,
    /// When it was seen that messages got lost.
    doubted: Option<Instant>,
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
        let newest = now.saturating_duration_since(departure);
        let fresh = self.newest.is_some_and(|usually| newest <= usually + FRESH);
        self.newest = Some(
            self.newest.map_or(newest, |usually| newest.min(usually + newest.saturating_sub(usually).mul_f64(FALLS))),
        );
        let late = self.usual.is_some_and(|usual| age > usual + Self::margin(usual));
        if late && fresh {
            self.doubted = Some(now);
        }
        self.usual = Some(match self.usual {
            None => age,
            Some(usual) if age <= usual => usual - (usual - age).mul_f64(FALLS),
            Some(usual) if late && fresh => usual,
            Some(usual) if late => usual + (age - usual).mul_f64(RISES),
            Some(_) => age,
        });
        while self.unheard.front().is_some_and(|at| *at <= departure) {
            self.unheard.pop_front();
        }
    }

    fn margin(usual: Duration) -> Duration {
        LATE.max(usual / 2)
    }

    /// How late it may be beyond that, where messages get lost.
    fn doubt(&self, now: Instant) -> Duration {
        let doubted = self.doubted.is_some_and(|at| now.saturating_duration_since(at) < DOUBTED);
        if doubted { DOUBT } else { Duration::ZERO }
    }

    /// Whether feedback should have come.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        let oldest = self.unheard.front().map(|at| now.saturating_duration_since(*at));
        let allowed = self.usual.map(|usual| usual + Self::margin(usual) + self.doubt(now));
        oldest.zip(allowed).is_some_and(|(age, allowed)| age > allowed && age < FORGOTTEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet every 10 ms, feedback every 50 ms about what is older than 50 ms; `lost` says which messages are lost.
    /// The times at which feedback was late.
    fn missed(until: u64, lost: impl Fn(u64) -> bool) -> Vec<u64> {
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
        let late = missed(3000, |ms| ms >= 2000);
        assert!(late.first().is_some_and(|first| (2010..=2110).contains(first)), "{late:?}");
    }

    #[test]
    fn one_lost_message_now_and_then_is_nothing() {
        assert_eq!(missed(20_000, |ms| ms % 1000 == 0), Vec::<u64>::new());
    }

    #[test]
    fn where_messages_get_lost_and_the_path_is_as_quick_as_ever_more_of_them_are_waited_for() {
        let two = |ms: u64| ms > 1000 && [0, 50].contains(&(ms % 2000));
        let late = missed(18_000, two);
        assert!(!late.is_empty() && late.iter().all(|ms| (2000..2200).contains(ms)), "{late:?}");
        // Feedback that stops after all is missed no more than those two messages later…
        let late = missed(9000, |ms| two(ms) || ms >= 7000);
        assert!(late.iter().find(|ms| **ms > 2200).is_some_and(|first| (7110..=7210).contains(first)), "{late:?}");
        // …and as soon as ever when none have got lost for a while.
        let late = missed(30_000, |ms| [2000, 2050].contains(&ms) || ms >= 26_000);
        assert!(late.iter().find(|ms| **ms > 2200).is_some_and(|first| (26_010..=26_110).contains(first)), "{late:?}");
    }

    #[test]
    fn a_path_that_has_become_slow_is_no_path_that_loses_messages() {
        let (begun, mut watch, mut late) = (Instant::now(), FeedbackWatch::default(), 0);
        let at = |ms| begun + Duration::from_millis(ms);
        for ms in (0..4000u64).step_by(10) {
            watch.left(at(ms));
            // A queue of a third of a second, all at once.
            let queue = if ms < 2000 { 0 } else { 300 };
            if ms % 50 == 0 && ms > 50 + queue {
                watch.heard(at(ms), at(ms - 50 - queue));
            }
            late += u32::from(watch.is_late(at(ms)));
        }
        assert!(late > 20 && watch.doubted.is_none(), "{late} {:?}", watch.doubted);
    }

    #[test]
    fn where_there_never_was_feedback_nothing_is_late() {
        assert_eq!(missed(10_000, |_| true), Vec::<u64>::new());
    }
}
