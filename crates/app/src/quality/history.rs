//! The last minute, second by second.

use super::Sample;
use std::collections::VecDeque;

/// Seconds that are looked back.
pub const SPAN: f64 = 60.0;
/// Samples kept: a second each, and one at either end of the minute.
const KEPT: usize = 62;

/// Samples of the last minute; never more than 62, whatever the clocks say.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<Sample>);

impl History {
    /// Adds a second and forgets what is older than a minute.
    pub fn push(&mut self, sample: Sample) {
        while self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Sample> {
        let newest = self.newest().map_or(0.0, |newest| newest.t);
        self.0.iter().filter(move |sample| newest - sample.t <= SPAN && sample.t <= newest)
    }

    /// The last second.
    pub fn newest(&self) -> Option<&Sample> {
        self.0.back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_a_minute_or_from_the_future_is_not_shown() {
        let mut history = History::default();
        for t in [0.0, 10.0, 500.0, 60.5, 70.0] {
            history.push(Sample { t, ..Sample::default() });
        }
        assert_eq!(history.iter().map(|sample| sample.t).collect::<Vec<_>>(), [10.0, 60.5, 70.0]);
        (0..1000).for_each(|_| history.push(Sample { t: 70.0, ..Sample::default() }));
        assert_eq!(history.iter().count(), KEPT);
    }
}
