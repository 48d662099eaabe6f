//! What has left lately: the bound on it, and how much of it was beside new pictures.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Over any time of this length…
const WINDOW: Duration = Duration::from_millis(200);
/// …no more leaves than this multiple of the target.
const MULTIPLE: f64 = 1.2;
/// Departures within this time are counted as one, so that any rate takes as much memory.
const SPAN: Duration = Duration::from_millis(2);
/// A rate is measured over about this long.
const MEMORY_S: f64 = 0.5;

/// Bounds what leaves in any [`WINDOW`].
#[derive(Debug, Default)]
pub(super) struct Outflow {
    left: VecDeque<(Instant, f64)>,
    bits: f64,
}

impl Outflow {
    fn forget(&mut self, now: Instant) {
        while let Some((_, bits)) = self.left.front().filter(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.bits = (self.bits - bits).max(0.0);
            self.left.pop_front();
        }
    }

    /// So much left.
    pub(super) fn add(&mut self, now: Instant, bits: f64) {
        self.forget(now);
        self.bits += bits;
        match self.left.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < SPAN => {
                // Counted from the newest of them: the bound holds for every window.
                (*at, *sum) = (now.max(*at), *sum + bits);
            }
            _ => self.left.push_back((now, bits)),
        }
    }

    /// When so much may leave at this target. A packet that is larger than the bound may leave alone.
    pub(super) fn room(&self, now: Instant, bits: f64, target: f64) -> Instant {
        let most = target * MULTIPLE * WINDOW.as_secs_f64();
        let (mut sum, mut room) = (self.bits, now);
        for (at, left) in &self.left {
            if sum + bits <= most {
                break;
            }
            (sum, room) = (sum - left, *at + WINDOW);
        }
        room.max(now)
    }
}

/// A rate that fades.
#[derive(Debug, Default)]
pub(super) struct Meter {
    bits: f64,
    at: Option<Instant>,
}

impl Meter {
    /// So much passed.
    pub(super) fn add(&mut self, now: Instant, bits: f64) {
        let since = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.bits = self.bits * (-since / MEMORY_S).exp() + bits;
        self.at = Some(now);
    }

    /// The rate of the last moments.
    pub(super) fn rate(&self) -> BitsPerSecond {
        BitsPerSecond((self.bits / MEMORY_S) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_whenever_there_is_room_stays_within_the_bound_over_every_window() {
        let (begun, mut outflow, mut left) = (Instant::now(), Outflow::default(), Vec::new());
        let mut now = begun;
        while now < begun + Duration::from_secs(5) {
            let room = outflow.room(now, 9600.0, 1e6);
            if room > now {
                now = room;
                continue;
            }
            outflow.add(now, 9600.0);
            left.push(now);
            now += Duration::from_micros(300);
        }
        for (i, from) in left.iter().enumerate() {
            let within = left[i..].iter().take_while(|at| **at - *from < WINDOW).count();
            assert!(within as f64 * 9600.0 <= 1e6 * MULTIPLE * 0.2, "{within} packets");
        }
        assert!(left.len() as f64 * 9600.0 > 5.0 * 1e6 * 1.1, "{}", left.len());
    }

    #[test]
    fn a_packet_larger_than_the_bound_leaves_alone() {
        let (now, mut outflow) = (Instant::now(), Outflow::default());
        assert_eq!(outflow.room(now, 1e5, 1e5), now);
        outflow.add(now, 1e5);
        assert_eq!(outflow.room(now, 1e5, 1e5), now + WINDOW);
    }

    #[test]
    fn a_meter_shows_the_rate_and_forgets_it() {
        let (begun, mut meter) = (Instant::now(), Meter::default());
        (0..300u64).for_each(|i| meter.add(begun + Duration::from_millis(10 * i), 1000.0));
        assert!((95_000..105_000).contains(&meter.rate().0), "{}", meter.rate());
        meter.add(begun + Duration::from_secs(6), 0.0);
        assert!(meter.rate().0 < 1000);
    }
}
