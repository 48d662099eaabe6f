//! How long a driver may take, and who notices that it takes longer.

use std::time::{Duration, Instant};

/// How long a driver may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Until the first picture: opening, and webcams that take seconds to set their exposure.
    pub start: Duration,
    /// Between pictures afterwards; the slowest cameras, in the dark, give one a second.
    pub stall: Duration,
    /// A driver thread that has not ended by then is woken; it watches its flag from picture to picture.
    pub ask: Duration,
    /// And after this long it is left behind.
    pub wake: Duration,
}

/// What real cameras get; a light is to be out 300 ms after its camera was closed.
pub(super) const LIMITS: Limits = Limits {
    start: Duration::from_secs(8),
    stall: Duration::from_secs(4),
    ask: Duration::from_millis(100),
    wake: Duration::from_millis(130),
};

/// Notices that no pictures come; told the time.
pub(super) struct Watchdog {
    limits: Limits,
    last: Instant,
    fed: bool,
}

impl Watchdog {
    /// It barks unless it is fed from now on.
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, last: now, fed: false }
    }

    /// A picture came.
    pub fn feed(&mut self, now: Instant) {
        (self.last, self.fed) = (now, true);
    }

    /// Whether it waits in vain.
    pub fn barks(&self, now: Instant) -> bool {
        let limit = if self.fed { self.limits.stall } else { self.limits.start };
        now.saturating_duration_since(self.last) > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_picture_may_take_longer_than_the_next() {
        let begun = Instant::now();
        let mut watchdog = Watchdog::new(LIMITS, begun);
        assert!(!watchdog.barks(begun + LIMITS.start) && watchdog.barks(begun + LIMITS.start + MS));
        let fed = begun + LIMITS.start;
        watchdog.feed(fed);
        assert!(!watchdog.barks(fed + LIMITS.stall) && watchdog.barks(fed + LIMITS.stall + MS));
    }
}
