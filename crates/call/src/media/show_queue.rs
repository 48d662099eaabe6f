//! Decoded pictures that wait for the moment when they are due.
//!
//! Contains no I/O and reads no clock. Pictures keep their order. Of several that are overdue only the newest are
//! shown: what went by unseen is no use any more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Pictures that may wait: 200 ms at 30 Hz, and memory for so many is spent on a bad network only.
const MOST: usize = 8;
/// Overdue pictures that are still shown, one shortly after the other: what a short hitch leaves behind.
const CATCH_UP: usize = 2;
/// No screen shows more: pictures nearer to each other than this would replace each other unseen.
const SPACING: Duration = Duration::from_millis(8);
/// When decoding is behind all the time, the newest decoded picture is shown this often.
const LONGEST_SKIP: Duration = Duration::from_millis(250);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct ShowQueue<T> {
    waiting: VecDeque<(Instant, T)>,
    shown: Option<Instant>,
    skipping_since: Option<Instant>,
    dropped: u64,
}

impl<T> Default for ShowQueue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), shown: None, skipping_since: None, dropped: 0 }
    }
}

impl<T> ShowQueue<T> {
    /// A picture was decoded.
    pub(crate) fn push(&mut self, due: Instant, picture: T) {
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((due, picture));
    }

    /// The picture to show now. `behind`: newer ones that are due already but not decoded yet.
    pub(crate) fn poll(&mut self, now: Instant, behind: usize) -> Option<T> {
        let mut due = self.waiting.iter().take_while(|(due, _)| *due <= now).count();
        let behind = if due == self.waiting.len() { behind } else { 0 };
        let starved = self.skipping_since.is_some_and(|since| now.saturating_duration_since(since) >= LONGEST_SKIP);
        let keep = if starved { 1 } else { CATCH_UP.saturating_sub(behind) };
        while due > keep {
            self.waiting.pop_front();
            self.dropped += 1;
            due -= 1;
            if keep == 0 {
                self.skipping_since.get_or_insert(now);
            }
        }
        if due == 0 || self.spaced().is_some_and(|at| at > now) {
            return None;
        }
        (self.shown, self.skipping_since) = (Some(now), None);
        self.waiting.pop_front().map(|(_, picture)| picture)
    }

    /// When [`ShowQueue::poll`] should be called again.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let (due, _) = self.waiting.front()?;
        Some(self.spaced().map_or(*due, |at| at.max(*due)))
    }

    /// Pictures that were decoded and never shown.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn spaced(&self) -> Option<Instant> {
        self.shown.map(|at| at + SPACING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dues: &[(u64, u64)], behind: impl Fn(u64) -> usize) -> (Vec<(u64, u64)>, u64) {
        let start = Instant::now();
        let mut queue = ShowQueue::default();
        let (mut shown, mut next) = (Vec::new(), 0);
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            while let Some((decoded, due)) = dues.get(next).filter(|(decoded, _)| *decoded <= ms) {
                queue.push(start + Duration::from_millis(*due.max(decoded)), next as u64);
                next += 1;
            }
            let at_once = queue.poll_timeout().is_some_and(|at| at <= now);
            let picture = queue.poll(now, behind(ms));
            assert!(at_once || picture.is_none(), "{ms}: shown without being announced");
            shown.extend(picture.map(|p| (ms, p)));
        }
        (shown, queue.dropped())
    }

    #[test]
    fn each_picture_is_shown_when_it_is_due() {
        let (shown, dropped) = run(&[(0, 20), (5, 53), (40, 86), (120, 119)], |_| 0);
        assert_eq!((shown, dropped), (vec![(20, 0), (53, 1), (86, 2), (120, 3)], 0));
    }

    #[test]
    fn two_overdue_pictures_follow_each_other_and_of_many_the_newest_two() {
        let (shown, dropped) = run(&[(100, 33), (100, 66), (150, 99), (150, 132), (150, 140), (150, 149)], |_| 0);
        assert_eq!((shown, dropped), (vec![(100, 0), (108, 1), (150, 4), (158, 5)], 2));
    }

    #[test]
    fn pictures_with_newer_ones_behind_them_are_not_shown_unless_decoding_never_catches_up() {
        let pictures: Vec<_> = (0..60).map(|i| (100 + i, 0)).collect();
        let (shown, dropped) = run(&pictures, |ms| 159usize.saturating_sub(ms as usize));
        assert_eq!((shown, dropped), (vec![(158, 58), (166, 59)], 58));
        let pictures: Vec<_> = (0..25).map(|i| (40 * i, 0)).collect();
        let (shown, _) = run(&pictures, |_| 8);
        assert!((2..6).contains(&shown.len()), "{shown:?}");
    }

    #[test]
    fn no_more_wait_than_memory_allows() {
        let start = Instant::now();
        let mut queue = ShowQueue::default();
        (0..100).for_each(|i| queue.push(start + Duration::from_secs(3600), i));
        assert_eq!((queue.waiting.len(), queue.dropped(), queue.poll(start, 0)), (MOST, 92, None));
    }
}
