//! Which rate a device really has: some say 48 kHz and give 44.1. A rule without I/O or clock.
//!
//! Believed, such a device would be heard at another pitch, and for each second too much or too little sound would come.

use std::time::{Duration, Instant};

/// Rates that hardware has; the nearest two are 9 % apart.
const REAL: [u32; 13] =
    [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
/// How far a measured rate may be from a real one: callbacks come in lumps of up to 50 ms.
const TOLERANCE: f64 = 0.02;
/// Measured over so long at a time…
const WINDOW: Duration = Duration::from_secs(3);
/// …and believed when so many in a row agree.
const AGREEING: u32 = 3;
/// After a longer pause it is measured anew: the device or the machine rested.
const PAUSE: Duration = Duration::from_millis(150);

/// Counts what comes against the time in which it comes.
pub(crate) struct TrueRate {
    rate: u32,
    /// Since when, and how many samples have come since.
    window: Option<(Instant, u64)>,
    last: Option<Instant>,
    /// The rate that the last windows agree on, and how many they are.
    seems: Option<(u32, u32)>,
}

impl TrueRate {
    /// For a device that says it has this rate.
    pub fn new(told: u32) -> Self {
        Self { rate: told, window: None, last: None, seems: None }
    }

    /// So many samples came at `now`; another rate than is used now, once it is certain.
    pub fn note(&mut self, samples: u64, now: Instant) -> Option<u32> {
        let rested = self.last.is_none_or(|last| now.saturating_duration_since(last) > PAUSE);
        self.last = Some(now);
        if rested {
            // What comes first was captured before.
            self.window = Some((now, 0));
            return None;
        }
        let (since, count) = self.window.as_mut()?;
        *count += samples;
        let span = now.saturating_duration_since(*since);
        if span < WINDOW {
            return None;
        }
        let measured = *count as f64 / span.as_secs_f64();
        self.window = Some((now, 0));
        let off = |rate: u32| (measured / f64::from(rate) - 1.0).abs();
        let real = REAL.into_iter().find(|real| off(*real) < TOLERANCE);
        let Some(other) = real.filter(|_| off(self.rate) > 2.0 * TOLERANCE) else {
            self.seems = None;
            return None;
        };
        let agreeing = self.seems.filter(|(seems, _)| *seems == other).map_or(1, |(_, n)| n + 1);
        self.seems = Some((other, agreeing));
        if agreeing < AGREEING {
            return None;
        }
        (self.rate, self.seems) = (other, None);
        Some(other)
    }

    /// Sound was lost: what is being measured says nothing.
    pub fn lost(&mut self) {
        (self.window, self.last, self.seems) = (None, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What is found out about a device that says `told` and gives `real`, in pieces of this many milliseconds, and
    /// after how many seconds.
    fn found(told: u32, real: f64, piece: u64, seconds: u64) -> Vec<(u32, u64)> {
        let (start, mut rate, mut given) = (Instant::now(), TrueRate::new(told), 0);
        let mut found = Vec::new();
        for n in 1..seconds * 1000 / piece {
            let due = (real * (n * piece) as f64 / 1000.0) as u64;
            // Late by up to half a piece.
            let late = (n * 7919 % 11) * piece / 22;
            let now = start + MS * ((n * piece + late) as u32);
            let other = rate.note(due - given, now);
            given = due;
            found.extend(other.map(|other| (other, n * piece / 1000)));
        }
        found
    }

    #[test]
    fn an_honest_device_is_believed_whatever_its_rate_its_drift_and_its_pieces() {
        for told in [8_000, 16_000, 44_100, 48_000, 96_000, 192_000, 47_000] {
            for piece in [5, 10, 20, 50] {
                for drift in [0.998, 1.0, 1.002] {
                    assert_eq!(found(told, f64::from(told) * drift, piece, 60), [], "{told} {piece} {drift}");
                }
            }
        }
    }

    #[test]
    fn a_device_that_lies_is_found_out_within_ten_seconds_and_only_once() {
        for (told, real) in [(48_000, 44_100), (44_100, 48_000), (48_000, 16_000), (8_000, 192_000), (48_000, 96_000)] {
            for piece in [10, 50] {
                let found = found(told, f64::from(real), piece, 60);
                assert!(
                    matches!(found[..], [(rate, after)] if rate == real && after <= 10),
                    "{told} {real}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_rate_that_no_hardware_has_is_not_believed() {
        assert_eq!(found(48_000, 46_000.0, 10, 60), []);
        assert_eq!(found(48_000, 0.0, 10, 60), []);
    }

    #[test]
    fn pauses_and_losses_are_not_taken_for_a_slow_device() {
        let (mut now, mut rate) = (Instant::now(), TrueRate::new(48_000));
        for n in 0..60_000u32 {
            // A tenth of the time nothing comes, or what came is lost.
            now += if n % 200 == 0 { 200 * MS } else { 10 * MS };
            if n % 200 == 100 {
                rate.lost();
            }
            assert_eq!(rate.note(if n % 200 == 100 { 0 } else { 480 }, now), None);
        }
    }
}
