//! A budget of things per second, with a burst.

use std::time::{Duration, Instant};

/// A token bucket: starts full, refills evenly.
#[derive(Clone, Debug)]
pub struct Budget {
    left: f64,
    most: f64,
    per_second: f64,
    at: Instant,
}

impl Budget {
    /// `most` at once, `per_second` in the long run; at least one each.
    pub fn new(now: Instant, most: u32, per_second: u32) -> Self {
        Self {
            left: f64::from(most.max(1)),
            most: f64::from(most.max(1)),
            per_second: f64::from(per_second.max(1)),
            at: now,
        }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }

    /// How long until there is one; zero if there is one now.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.refill(now);
        Duration::from_secs_f64((1.0 - self.left).max(0.0) / self.per_second)
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.left = (self.left + elapsed.as_secs_f64() * self.per_second).min(self.most);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_only_so_many_a_second() {
        let start = Instant::now();
        let mut budget = Budget::new(start, 100, 100);
        let passed = |budget: &mut Budget, at| (0..1000).filter(|_| budget.take(at)).count();
        assert_eq!(passed(&mut budget, start), 100);
        assert_eq!(budget.wait(start), Duration::from_millis(10));
        assert_eq!(passed(&mut budget, start + Duration::from_millis(505)), 50);
        assert_eq!(passed(&mut budget, start), 0, "a clock that goes back gives nothing");
        assert_eq!(passed(&mut budget, start + Duration::from_secs(100)), 100);
        assert_eq!(Budget::new(start, 1, 1).wait(start), Duration::ZERO);
    }
}
