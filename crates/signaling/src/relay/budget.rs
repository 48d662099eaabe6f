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

    /// `most` at once, and as many again in each minute; at least one each.
    pub fn per_minute(now: Instant, most: u32) -> Self {
        Self { per_second: f64::from(most.max(1)) / 60.0, ..Self::new(now, most, 1) }
    }

    /// Whether nothing was taken for so long that nothing is missing.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= self.most
    }

    /// Whether there is one, which stays.
    pub fn has_one(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= 1.0
    }

    /// Takes so many, if there are as many.
    pub fn take_many(&mut self, now: Instant, many: u32) -> bool {
        self.refill(now);
        let enough = self.left >= f64::from(many);
        if enough {
            self.left -= f64::from(many);
        }
        enough
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.take_many(now, 1)
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
    fn a_minutes_budget_comes_back_in_a_minute() {
        let start = Instant::now();
        let mut budget = Budget::per_minute(start, 30);
        let passed = |budget: &mut Budget, at| (0..1000).filter(|_| budget.take(at)).count();
        assert_eq!(passed(&mut budget, start), 30);
        assert!(!budget.has_one(start + Duration::from_secs(1)) && budget.has_one(start + Duration::from_secs(3)));
        assert_eq!(passed(&mut budget, start + Duration::from_secs(20)), 10);
        assert!(!budget.is_full(start + Duration::from_secs(79)) && budget.is_full(start + Duration::from_secs(81)));
        assert!(!budget.take_many(start + Duration::from_secs(81), 31));
        assert!(budget.take_many(start + Duration::from_secs(81), 30));
    }

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
