//! How much a loudspeaker takes between two times it is fed; pure.

use std::time::{Duration, Instant};

/// The most of the last one to two of these spans counts.
const SPAN: Duration = Duration::from_secs(5);

/// Remembers how much was taken at once. Twice the device's period would always do, since two of its callbacks may fall
/// between two feedings; but mostly only one does, and what is queued beyond need is heard as delay.
pub(super) struct Appetite {
    begun: Instant,
    lately: usize,
    before: usize,
}

impl Appetite {
    /// Of a stream that is opened now: until something is known, twice the period counts.
    pub fn new(now: Instant) -> Self {
        Self { begun: now, lately: usize::MAX, before: usize::MAX }
    }

    /// Samples to have queued after this feeding, where `taken` were taken since the last one, by a device that takes
    /// up to `period` at once; between one period and two.
    pub fn fed(&mut self, now: Instant, taken: usize, period: usize) -> usize {
        if now.saturating_duration_since(self.begun) >= SPAN {
            (self.begun, self.before, self.lately) = (now, self.lately, 0);
        }
        self.lately = self.lately.max(taken);
        self.lately.max(self.before).clamp(period, 2 * period)
    }

    /// It ran dry, so it would have taken more: what is known is forgotten.
    pub fn ran_dry(&mut self, now: Instant) {
        *self = Self::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    /// What is wanted after each tick of ten seconds and more.
    fn wanted(ticks: u32, taken: impl Fn(u32) -> usize) -> Vec<usize> {
        let (begun, mut appetite) = (Instant::now(), Appetite::new(Instant::now()));
        (0..ticks).map(|i| appetite.fed(begun + TICK * i, taken(i), 480)).collect()
    }

    #[test]
    fn an_even_device_is_given_one_period_once_it_is_known() {
        let wanted = wanted(1500, |_| 480);
        assert!(wanted[..900].iter().all(|w| *w == 960));
        assert!(wanted[1100..].iter().all(|w| *w == 480));
    }

    #[test]
    fn one_that_takes_two_periods_between_two_feedings_is_given_as_much_for_a_while() {
        let wanted = wanted(4000, |i| if i == 2000 { 960 } else { 480 });
        assert_eq!((wanted[1999], wanted[2000]), (480, 960));
        assert!(wanted[2000..2450].iter().all(|w| *w == 960) && wanted[3100] == 480);
    }

    #[test]
    fn whatever_it_takes_one_to_two_periods_are_wanted() {
        assert!(wanted(3000, |i| (i as usize * 7919) % 5000).iter().all(|w| (480..=960).contains(w)));
        assert_eq!(wanted(3000, |_| 0)[2999], 480);
    }

    #[test]
    fn after_it_ran_dry_nothing_is_taken_for_granted() {
        let (begun, mut appetite) = (Instant::now(), Appetite::new(Instant::now()));
        for i in 0..2000 {
            appetite.fed(begun + TICK * i, 480, 480);
        }
        appetite.ran_dry(begun + TICK * 2000);
        assert_eq!(appetite.fed(begun + TICK * 2000, 480, 480), 960);
    }
}
