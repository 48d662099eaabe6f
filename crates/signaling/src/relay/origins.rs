//! What connections that come from one place may do together.

use super::budget::Budget;
use super::{Origin, OriginLimits};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Origins remembered that have no connection: who has so many addresses is not held up by limits of one.
const MOST_REMEMBERED: usize = 65_536;
/// So many bytes of a message count as a message of their own.
const BYTES_EACH: usize = 4 * 1024;
/// How often those are forgotten of whom nothing is held against.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// All origins that were heard of lately.
pub(super) struct Origins {
    limits: OriginLimits,
    known: BTreeMap<Origin, Known>,
    forgot: Option<Instant>,
}

struct Known {
    connections: usize,
    entries: Budget,
    misses: Budget,
    messages: Budget,
}

impl Origins {
    /// None yet.
    pub(super) fn new(limits: OriginLimits) -> Self {
        Self { limits, known: BTreeMap::new(), forgot: None }
    }

    /// A connection of it is there.
    pub(super) fn arrived(&mut self, now: Instant, origin: Origin) {
        let OriginLimits { entries_per_minute, misses_per_minute, messages_per_second } = self.limits;
        let known = self.known.entry(origin).or_insert_with(|| Known {
            connections: 0,
            entries: Budget::per_minute(now, entries_per_minute),
            misses: Budget::per_minute(now, misses_per_minute),
            messages: Budget::new(now, messages_per_second.saturating_mul(2), messages_per_second),
        });
        known.connections += 1;
    }

    /// A connection of it is gone.
    pub(super) fn left(&mut self, origin: Origin) {
        if let Some(known) = self.known.get_mut(&origin) {
            known.connections = known.connections.saturating_sub(1);
        }
    }

    /// Counts a message of so many bytes; false where it is one too many.
    pub(super) fn may_speak(&mut self, now: Instant, origin: Origin, bytes: usize) -> bool {
        let counts_for = u32::try_from(1 + bytes / BYTES_EACH).unwrap_or(u32::MAX);
        let unlimited = self.limits.messages_per_second == 0;
        unlimited || self.known.get_mut(&origin).is_none_or(|known| known.messages.take_many(now, counts_for))
    }

    /// Counts an attempt to enter a room; false where it is one too many, or where too many before led nowhere.
    pub(super) fn may_enter(&mut self, now: Instant, origin: Origin) -> bool {
        let limits = self.limits;
        self.known.get_mut(&origin).is_none_or(|known| {
            (limits.misses_per_minute == 0 || known.misses.has_one(now))
                && (limits.entries_per_minute == 0 || known.entries.take(now))
        })
    }

    /// An attempt showed whether a room exists in which somebody else sits, or does not.
    pub(super) fn missed(&mut self, now: Instant, origin: Origin) {
        if let Some(known) = self.known.get_mut(&origin) {
            known.misses.take(now);
        }
    }

    /// Forgets those of whom nothing is held against, or all without a connection where they are too many.
    pub(super) fn forget(&mut self, now: Instant) {
        let idle = |known: &Known| known.connections == 0;
        if self.known.len() > MOST_REMEMBERED {
            self.known.retain(|_, known| !idle(known));
        } else if self.forgot.is_none_or(|at| now.saturating_duration_since(at) >= FORGET_EVERY) {
            self.forgot = Some(now);
            self.known.retain(|_, known| !(idle(known) && known.entries.is_full(now) && known.misses.is_full(now)));
        }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_place_does_counts_together_and_for_nobody_else() {
        let (mut origins, now) = (Origins::new(OriginLimits::default()), Instant::now());
        [1, 1, 2].iter().for_each(|&n| origins.arrived(now, Origin(n)));
        assert_eq!((0..100).filter(|_| origins.may_enter(now, Origin(1))).count(), 60);
        assert!(origins.may_enter(now, Origin(2)));
        assert_eq!((0..9000).filter(|_| origins.may_speak(now, Origin(1), 100)).count(), 600);
        assert_eq!(
            (0..9000).filter(|_| origins.may_speak(now, Origin(2), 64 * 1024)).count(),
            35,
            "long ones count more"
        );
    }

    #[test]
    fn misses_slow_down_until_time_has_passed_and_going_away_does_not_help() {
        let (mut origins, now) = (Origins::new(OriginLimits::default()), Instant::now());
        origins.arrived(now, Origin(1));
        (0..20).for_each(|_| origins.missed(now, Origin(1)));
        assert!(!origins.may_enter(now, Origin(1)));
        origins.left(Origin(1));
        origins.forget(now);
        origins.arrived(now, Origin(1));
        assert!(!origins.may_enter(now, Origin(1)));
        assert!(origins.may_enter(now + Duration::from_secs(4), Origin(1)));
    }

    #[test]
    fn nothing_is_limited_where_limits_are_off() {
        let (mut origins, now) = (Origins::new(OriginLimits::NONE), Instant::now());
        origins.arrived(now, Origin(1));
        for _ in 0..10_000 {
            assert!(origins.may_enter(now, Origin(1)) && origins.may_speak(now, Origin(1), 64 * 1024));
            origins.missed(now, Origin(1));
        }
    }

    #[test]
    fn memory_is_bounded_and_those_who_behave_are_forgotten() {
        let (mut origins, now) = (Origins::new(OriginLimits::default()), Instant::now());
        for n in 0..1000 {
            origins.arrived(now, Origin(n));
            origins.may_enter(now, Origin(n));
            origins.left(Origin(n));
        }
        origins.arrived(now, Origin(5000));
        origins.forget(now);
        assert_eq!(origins.len(), 1001, "those of whom something is held against, and who is connected");
        origins.forget(now + Duration::from_secs(120));
        assert_eq!(origins.len(), 1, "who is connected");
        for n in 0..200_000 {
            origins.arrived(now, Origin(n));
            origins.may_enter(now, Origin(n));
            origins.left(Origin(n));
            origins.forget(now + Duration::from_secs(120));
            assert!(origins.len() <= MOST_REMEMBERED + 2);
        }
    }
}
