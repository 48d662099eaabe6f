//! How long the path takes there and back, and what follows from it for asking again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Measurements that count: those of two to three seconds.
const RECENT: usize = 8;
/// What an answer may take where nothing has been measured yet.
const UNKNOWN: Duration = Duration::from_millis(100);
/// Added to the round trip at least: timers, queues of the other side's threads.
const MARGIN: Duration = Duration::from_millis(10);
/// An answer is not waited for longer than this.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);
/// Longer trips are broken clocks or lies of the other side.
const LONGEST_TRIP: Duration = Duration::from_secs(10);
/// A missing packet is waited for this long on a path of ordinary length…
const PATIENCE: Duration = Duration::from_millis(400);
/// …and at most this long on any: a picture that stands still longer is better mended by a keyframe.
const LONGEST_PATIENCE: Duration = Duration::from_secs(1);

/// The newest measurements of a round trip. Their extremes are gone by, not their mean: who asks again before the longest
/// has passed asks twice for the same, and what takes less than the shortest is no answer. So one measurement through a
/// queue that has grown is enough to be patient.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrip {
    recent: [Duration; RECENT],
    count: usize,
}

impl RoundTrip {
    /// Takes a measurement. Absurd ones are ignored.
    pub(crate) fn sample(&mut self, trip: Duration) {
        if !trip.is_zero() && trip <= LONGEST_TRIP {
            self.recent[self.count % RECENT] = trip;
            self.count += 1;
        }
    }

    fn recent(&self) -> &[Duration] {
        &self.recent[..self.count.min(RECENT)]
    }

    /// The last measurement.
    pub(crate) fn newest(&self) -> Option<Duration> {
        self.count.checked_sub(1).map(|last| self.recent[last % RECENT])
    }

    /// The least that a way there and back takes, once something has been measured.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.recent().iter().min().copied()
    }

    fn longest(&self) -> Option<Duration> {
        self.recent().iter().max().copied()
    }

    /// How long an answer may take before asking again makes sense: never less than the round trip.
    pub(crate) fn answer_within(&self) -> Duration {
        self.longest().map_or(UNKNOWN, |trip| trip + MARGIN).min(LONGEST_ANSWER)
    }

    /// How long a missing packet is worth waiting for: long enough on any path that it can be asked for twice.
    pub(crate) fn patience(&self) -> Duration {
        let twice = self.longest().map_or(PATIENCE, |trip| 2 * trip + 10 * MARGIN);
        twice.clamp(PATIENCE, LONGEST_PATIENCE)
    }
}

/// The path's round trip, written by those who measure it, read by those who ask and answer for packets.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedRoundTrip(Arc<Mutex<RoundTrip>>);

impl SharedRoundTrip {
    /// Takes a measurement.
    pub(crate) fn sample(&self, trip: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sample(trip);
    }

    /// A copy as of now.
    pub(crate) fn get(&self) -> RoundTrip {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn before_anything_is_measured_an_answer_may_take_a_tenth_of_a_second() {
        let trip = RoundTrip::default();
        assert_eq!((trip.shortest(), trip.answer_within(), trip.patience()), (None, UNKNOWN, PATIENCE));
    }

    #[test]
    fn an_answer_is_waited_for_a_little_longer_than_the_trip_takes() {
        let mut trip = RoundTrip::default();
        (0..20).for_each(|_| trip.sample(ms(50)));
        assert_eq!((trip.shortest(), trip.answer_within()), (Some(ms(50)), ms(60)));
    }

    #[test]
    fn one_trip_through_a_grown_queue_is_enough_to_wait_for_the_next() {
        let mut trip = RoundTrip::default();
        (0..20).for_each(|_| trip.sample(ms(50)));
        trip.sample(ms(300));
        assert_eq!((trip.shortest(), trip.newest(), trip.answer_within()), (Some(ms(50)), Some(ms(300)), ms(310)));
        (0..RECENT).for_each(|_| trip.sample(ms(70)));
        assert_eq!((trip.shortest(), trip.answer_within()), (Some(ms(70)), ms(80)), "and the queue is forgotten");
    }

    #[test]
    fn a_long_path_gets_more_patience_within_limits() {
        let patience = |trip| {
            let mut path = RoundTrip::default();
            path.sample(ms(trip));
            path.patience()
        };
        assert_eq!(
            [patience(20), patience(150), patience(300), patience(3000)].map(|d| d.as_millis()),
            [400, 400, 700, 1000]
        );
    }

    #[test]
    fn absurd_measurements_change_nothing() {
        let mut trip = RoundTrip::default();
        trip.sample(ms(40));
        let before = trip.answer_within();
        trip.sample(Duration::ZERO);
        trip.sample(Duration::MAX);
        assert_eq!((trip.shortest(), trip.answer_within()), (Some(ms(40)), before));
    }
}
