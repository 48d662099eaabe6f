//! Counting who tried a code and did not prove to know it.
//!
//! Each answered share lets somebody try one of the 2¹⁸ passwords of a code. So an attempt is spent the moment a share is
//! answered, and given back only when that peer's first sealed message opens: who takes the sealed offer and leaves has
//! used one up. Both sides count, per code, over all servers and reconnects.
//!
//! A lasting room's code has 40 free bits of password instead of 18, and closing it for good would hand anybody who finds
//! it a way to take it from its owner. So from the third unproven attempt on it waits, twice as long each time, up to a
//! minute. Then 525 600 attempts a year are answered at most, of 2⁴⁰ passwords: somebody who never rests hits once in two million
//! years. Who merely wants to keep others out has to come back each minute for it.
//!
//! Nothing here reads a clock or talks to anybody: the caller spends, gives back, and closes the room.

use crate::code::RoomCode;
use std::time::{Duration, Instant};

/// Unproven attempts after which a one-time room closes.
pub const ATTEMPTS: u32 = 3;
/// Wait after the third unproven attempt on a lasting room; doubled by each further one.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait of a lasting room. Longer ones would make guesses rarer that hit never as it is, and would make it
/// cheaper to keep the room's true callers waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Codes of each kind that a [`GuessBook`] remembers.
const CODES_KEPT: usize = 64;

/// An attempt that is spent until it is given back. Dropped, it stays spent.
#[must_use = "an attempt that is not given back stays spent"]
#[derive(Debug)]
pub struct Attempt(());

/// Unproven attempts on one code.
#[derive(Clone, Debug)]
pub struct GuessCounter {
    spent: u32,
    policy: Policy,
}

#[derive(Clone, Debug)]
enum Policy {
    OneTime,
    Lasting { not_before: Option<Instant> },
}

impl GuessCounter {
    /// As the code is: lasting, or used once.
    pub fn of(code: &RoomCode) -> Self {
        if code.is_lasting() { Self::lasting() } else { Self::one_time() }
    }

    /// For a code that is used once: [`ATTEMPTS`], then no more.
    pub fn one_time() -> Self {
        Self { spent: 0, policy: Policy::OneTime }
    }

    /// For a room that stays: attempts are never refused for good, but wait longer and longer.
    pub fn lasting() -> Self {
        Self { spent: 0, policy: Policy::Lasting { not_before: None } }
    }

    /// Spends an attempt. Call it before a share is answered (host) or an answer is used (newcomer).
    pub fn spend(&mut self, now: Instant) -> Result<Attempt, Refused> {
        match &mut self.policy {
            Policy::OneTime if self.spent >= ATTEMPTS => return Err(Refused::Exhausted),
            Policy::OneTime => {}
            Policy::Lasting { not_before } => {
                if let Some(until) = not_before.filter(|until| *until > now) {
                    return Err(Refused::Wait { until });
                }
                let doublings = (self.spent + 1).checked_sub(ATTEMPTS);
                *not_before = doublings.map(|n| now + FIRST_WAIT.saturating_mul(1 << n.min(20)).min(LONGEST_WAIT));
            }
        }
        self.spent = self.spent.saturating_add(1);
        Ok(Attempt(()))
    }

    /// Takes an attempt back: its peer's first sealed message opened.
    #[expect(clippy::needless_pass_by_value, reason = "so that an attempt is given back once")]
    pub fn give_back(&mut self, attempt: Attempt) {
        let Attempt(()) = attempt;
        self.spent = self.spent.saturating_sub(1);
        if let Policy::Lasting { not_before } = &mut self.policy {
            *not_before = None;
        }
    }

    /// Attempts that are not proven: failed ones and those under way.
    pub fn unproven(&self) -> u32 {
        self.spent
    }

    /// Whether no further attempt will be answered. While one is still under way it may yet prove itself, so a room
    /// closes when this holds and nobody is left whose first sealed message is awaited.
    pub fn exhausted(&self) -> bool {
        matches!(self.policy, Policy::OneTime) && self.spent >= ATTEMPTS
    }
}

/// Why an attempt is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many did not prove themselves: this code is to be given up.
    #[error("too many wrong codes were tried; use a new code")]
    Exhausted,
    /// A lasting room takes the next attempt later.
    #[error("too many wrong codes were tried; wait a while")]
    Wait {
        /// When.
        until: Instant,
    },
}

/// Counters of the codes that this app tried or opened: the 64 used last, of each kind.
///
/// Kept for as long as the app runs, so that neither another server nor "call again" starts the count anew. Strangers can
/// have an app draw codes that are used once, so those never push out the count of a lasting room, whose words no stranger
/// can make it use.
#[derive(Debug, Default)]
pub struct GuessBook {
    counters: Vec<(RoomCode, GuessCounter)>,
}

impl GuessBook {
    /// The counter of a code, lasting where the code is.
    pub fn counter(&mut self, code: &RoomCode) -> &mut GuessCounter {
        let at = self.counters.iter().position(|(known, _)| known == code);
        let entry = at.map_or_else(|| (code.clone(), GuessCounter::of(code)), |at| self.counters.remove(at));
        let alike = |known: &RoomCode| known.is_lasting() == code.is_lasting();
        if self.counters.iter().filter(|(known, _)| alike(known)).count() >= CODES_KEPT
            && let Some(oldest) = self.counters.iter().position(|(known, _)| alike(known))
        {
            self.counters.remove(oldest);
        }
        self.counters.push(entry);
        let last = self.counters.len() - 1;
        &mut self.counters[last].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_who_leave_without_proof_close_the_room() {
        let (mut counter, now) = (GuessCounter::one_time(), Instant::now());
        for left in (0..3).rev() {
            let attempt = counter.spend(now).unwrap();
            drop(attempt);
            assert_eq!(counter.exhausted(), left == 0);
        }
        assert_eq!(counter.spend(now + Duration::from_secs(100_000)).unwrap_err(), Refused::Exhausted);
    }

    #[test]
    fn who_proves_to_know_the_code_costs_nothing() {
        let (mut counter, now) = (GuessCounter::one_time(), Instant::now());
        for _ in 0..100 {
            let attempt = counter.spend(now).unwrap();
            counter.give_back(attempt);
        }
        assert_eq!(counter.unproven(), 0);
    }

    #[test]
    fn attempts_under_way_count() {
        let (mut counter, now) = (GuessCounter::one_time(), Instant::now());
        let attempts: Vec<_> = (0..3).map(|_| counter.spend(now).unwrap()).collect();
        assert!(counter.spend(now).is_err());
        attempts.into_iter().for_each(|attempt| counter.give_back(attempt));
        assert!(counter.spend(now).is_ok());
    }

    #[test]
    fn a_lasting_room_waits_longer_and_longer_but_never_closes() {
        let (mut counter, mut now) = (GuessCounter::lasting(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..40 {
            if let Err(Refused::Wait { until }) = counter.spend(now).map(drop) {
                waits.push(until - now);
                now = until;
                let _ = counter.spend(now).unwrap();
            }
        }
        assert_eq!(waits[..3], [10, 20, 40].map(Duration::from_secs));
        assert_eq!(waits.last(), Some(&LONGEST_WAIT));
        assert!(!counter.exhausted());
    }

    #[test]
    fn the_book_keeps_counts_apart_and_forgets_the_oldest_code() {
        let (mut book, now) = (GuessBook::default(), Instant::now());
        let first = RoomCode::random();
        let _ = book.counter(&first).spend(now).unwrap();
        assert_eq!(book.counter(&RoomCode::random()).unproven(), 0);
        assert_eq!(book.counter(&first).unproven(), 1);
        (0..CODES_KEPT).for_each(|_| assert_eq!(book.counter(&RoomCode::random()).unproven(), 0));
        assert_eq!(book.counters.len(), CODES_KEPT);
        assert_eq!(book.counter(&first).unproven(), 0);
    }

    #[test]
    fn codes_that_are_used_once_do_not_make_the_book_forget_a_lasting_room() {
        let (mut book, now) = (GuessBook::default(), Instant::now());
        let room = RoomCode::random_lasting();
        (0..3).for_each(|_| drop(book.counter(&room).spend(now).unwrap()));
        (0..3 * CODES_KEPT).for_each(|_| assert_eq!(book.counter(&RoomCode::random()).unproven(), 0));
        assert!(matches!(book.counter(&room).spend(now), Err(Refused::Wait { .. })));
        // As many rooms as that are nobody's; the memory is bounded all the same.
        (0..3 * CODES_KEPT).for_each(|_| assert_eq!(book.counter(&RoomCode::random_lasting()).unproven(), 0));
        assert_eq!(book.counters.len(), 2 * CODES_KEPT);
    }

    #[test]
    fn a_wait_is_longer_by_what_failed_before_and_not_begun_anew_by_who_got_in() {
        let (mut counter, now) = (GuessCounter::lasting(), Instant::now());
        (0..3).for_each(|_| drop(counter.spend(now).unwrap()));
        let later = now + FIRST_WAIT;
        assert_eq!(counter.spend(later - Duration::from_millis(1)).unwrap_err(), Refused::Wait { until: later });
        // Who is answered after the wait and proves the code is let through, and the next may come at once…
        let attempt = counter.spend(later).unwrap();
        counter.give_back(attempt);
        drop(counter.spend(later).unwrap());
        // …but what failed is not forgotten.
        assert_eq!(counter.spend(later).unwrap_err(), Refused::Wait { until: later + 2 * FIRST_WAIT });
    }
}
