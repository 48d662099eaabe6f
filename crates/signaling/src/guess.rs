//! Counting who tried a code and did not prove to know it.
//!
//! Each answered share lets somebody try one of the 2¹⁸ passwords of a code. So an attempt is spent the moment a share is
//! answered, and given back only when that peer's first sealed message opens: who takes the sealed offer and leaves has
//! used one up. Both sides count, per code, over all servers and reconnects.
//!
//! Nothing here reads a clock or talks to anybody: the caller spends, gives back, and closes the room.

use crate::code::RoomCode;
use std::time::{Duration, Instant};

/// Unproven attempts after which a one-time room closes.
pub const ATTEMPTS: u32 = 3;
/// Wait after the third unproven attempt on a lasting room; doubled by each further one.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait of a lasting room.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Codes that a [`GuessBook`] remembers.
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

/// Counters of the codes that this app tried or opened, the 64 used last.
///
/// Kept for as long as the app runs, so that neither another server nor "call again" starts the count anew.
#[derive(Debug, Default)]
pub struct GuessBook {
    counters: Vec<(RoomCode, GuessCounter)>,
}

impl GuessBook {
    /// The counter of a code; a code that is not known yet counts as one-time.
    pub fn counter(&mut self, code: &RoomCode) -> &mut GuessCounter {
        let at = self.counters.iter().position(|(known, _)| known == code);
        let entry = at.map_or_else(|| (code.clone(), GuessCounter::one_time()), |at| self.counters.remove(at));
        if self.counters.len() >= CODES_KEPT {
            self.counters.remove(0);
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
}
