//! Whether the time that packets take grows: a line through the smoothed delays of the last packet groups, and a
//! detector whose threshold follows what is usual on the path (libwebrtc's `TrendlineEstimator`;
//! draft-ietf-rmcat-gcc-02 §5.3–5.4 for the detector).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that leave within this time belong together: their differences say nothing.
const GROUP: Duration = Duration::from_millis(5);
/// Groups that the line is laid through.
const WINDOW: usize = 20;
/// Share of the old value in a smoothed one.
const SMOOTHING: f64 = 0.9;
/// The threshold is for a slope times this, and times the number of groups, up to [`MAX_DELTAS`].
const GAIN: f64 = 4.0;
const MAX_DELTAS: u32 = 60;
/// Limits of the threshold, where it begins, and how quickly it follows upward and downward.
const THRESHOLDS: (f64, f64) = (6.0, 600.0);
const FIRST_THRESHOLD: f64 = 12.5;
const FOLLOWS: (f64, f64) = (0.0087, 0.039);
/// A slope that is this much above the threshold is an outlier that the threshold does not follow.
const OUTLIER: f64 = 15.0;
/// Milliseconds that a slope has to be above the threshold.
const OVERUSE_MS: f64 = 10.0;
/// Groups further apart than this have nothing to do with each other: a pause, or a clock that jumped.
const APART: Duration = Duration::from_secs(3);

/// What the slope says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// A queue grows.
    Over,
    /// Neither.
    Normal,
    /// A queue shrinks.
    Under,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_departure: Instant,
    departure: Instant,
    arrival: Duration,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Trend {
    group: Option<Group>,
    previous: Option<Group>,
    deltas: u32,
    accumulated: f64,
    smoothed: f64,
    /// Arrival and smoothed delay of each group, in milliseconds.
    line: VecDeque<(f64, f64)>,
    threshold: f64,
    above_ms: f64,
    above: u32,
    slope: f64,
    usage: Usage,
}

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            group: None,
            previous: None,
            deltas: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            line: VecDeque::with_capacity(WINDOW),
            threshold: FIRST_THRESHOLD,
            above_ms: 0.0,
            above: 0,
            slope: 0.0,
            usage: Usage::Normal,
        }
    }

    /// A packet left and arrived, in the order in which they left.
    pub(super) fn add(&mut self, departure: Instant, arrival: Duration) {
        let Some(group) = &mut self.group else {
            self.group = Some(Group { first_departure: departure, departure, arrival });
            return;
        };
        let jumped = arrival.abs_diff(group.arrival) > APART
            || departure.saturating_duration_since(group.departure) > APART
            || departure < group.first_departure;
        if jumped {
            *self = Self { threshold: self.threshold, ..Self::new() };
            self.group = Some(Group { first_departure: departure, departure, arrival });
            return;
        }
        if departure.saturating_duration_since(group.first_departure) <= GROUP {
            group.departure = group.departure.max(departure);
            group.arrival = group.arrival.max(arrival);
            return;
        }
        let complete = *group;
        self.group = Some(Group { first_departure: departure, departure, arrival });
        if let Some(before) = self.previous.replace(complete) {
            self.compare(&before, &complete);
        }
    }

    fn compare(&mut self, before: &Group, group: &Group) {
        let left_ms = group.departure.saturating_duration_since(before.departure).as_secs_f64() * 1e3;
        let arrived_ms = (group.arrival.as_secs_f64() - before.arrival.as_secs_f64()) * 1e3;
        self.deltas = (self.deltas + 1).min(MAX_DELTAS);
        self.accumulated += arrived_ms - left_ms;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        if self.line.len() == WINDOW {
            self.line.pop_front();
        }
        self.line.push_back((group.arrival.as_secs_f64() * 1e3, self.smoothed));
        let slope = if self.line.len() == WINDOW { self.fit().unwrap_or(self.slope) } else { 0.0 };
        self.detect(slope, left_ms);
        self.slope = slope;
    }

    /// Least squares. `None` where everything arrived at once.
    fn fit(&self) -> Option<f64> {
        let count = self.line.len() as f64;
        let (x, y) = self.line.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / count, y + p.1 / count));
        let (over, under) = self
            .line
            .iter()
            .fold((0.0, 0.0), |(over, under), p| (over + (p.0 - x) * (p.1 - y), under + (p.0 - x) * (p.0 - x)));
        (under > 1e-6).then(|| over / under)
    }

    fn detect(&mut self, slope: f64, elapsed_ms: f64) {
        let scaled = slope * f64::from(self.deltas) * GAIN;
        self.usage = if scaled > self.threshold {
            self.above_ms += if self.above == 0 { elapsed_ms / 2.0 } else { elapsed_ms };
            self.above += 1;
            // A slope that falls is the end of something.
            if self.above_ms > OVERUSE_MS && self.above > 1 && slope >= self.slope {
                (self.above_ms, self.above) = (0.0, 0);
                Usage::Over
            } else {
                self.usage
            }
        } else {
            (self.above_ms, self.above) = (0.0, 0);
            if scaled < -self.threshold { Usage::Under } else { Usage::Normal }
        };
        let size = scaled.abs();
        if size <= self.threshold + OUTLIER {
            let pace = if size < self.threshold { FOLLOWS.1 } else { FOLLOWS.0 };
            let moved = self.threshold + pace * (size - self.threshold) * elapsed_ms.min(100.0);
            self.threshold = moved.clamp(THRESHOLDS.0, THRESHOLDS.1);
        }
    }

    /// As of the newest complete group.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of packets every 10 ms whose delay is `delay(ms)`.
    fn said(delay: impl Fn(u64) -> f64) -> Vec<Usage> {
        let (begun, mut trend) = (Instant::now(), Trend::new());
        let one = |i: u64| {
            let left = begun + Duration::from_millis(10 * i);
            trend.add(left, Duration::from_secs_f64(500.0 + i as f64 / 100.0 + delay(10 * i) / 1e3));
            trend.usage()
        };
        (0..400).map(one).collect()
    }

    #[test]
    fn an_even_path_is_neither_over_nor_under_used() {
        assert!(said(|_| 30.0).iter().all(|u| *u == Usage::Normal));
    }

    #[test]
    fn a_queue_that_grows_by_a_twentieth_of_the_time_is_noticed_before_it_is_thirty_milliseconds_long() {
        let said = said(|ms| if ms < 2000 { 30.0 } else { 30.0 + (ms - 2000) as f64 / 20.0 });
        let first = said.iter().position(|u| *u == Usage::Over).expect("noticed") as u64 * 10;
        assert!((2000..2600).contains(&first), "{first} ms");
    }

    #[test]
    fn a_queue_that_shrinks_is_noticed() {
        assert!(said(|ms| 300.0 - (ms as f64 / 15.0).min(250.0)).contains(&Usage::Under));
    }

    #[test]
    fn clocks_that_jump_and_run_backwards_say_nothing_and_break_nothing() {
        let (begun, mut trend) = (Instant::now(), Trend::new());
        for i in 0..5000u64 {
            let arrival = match i % 5 {
                0 => Duration::ZERO,
                1 => Duration::from_secs(u64::from(u32::MAX)),
                2 => Duration::MAX,
                _ => Duration::from_millis(5000 - i),
            };
            trend.add(begun + Duration::from_millis(10 * (i / 3)), arrival);
        }
        assert!(trend.line.len() <= WINDOW && trend.threshold.is_finite());
    }
}
