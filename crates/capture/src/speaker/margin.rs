//! How much to keep queued beyond the device's own periods; pure.

use std::time::{Duration, Instant};

/// Queued beyond two periods, for the audio thread's own lateness: at first, at least, at most.
const MARGIN: f64 = 0.010;
const MIN_MARGIN: f64 = 0.005;
const MAX_MARGIN: f64 = 0.020;
/// Each time it runs dry the margin grows by this…
const WIDEN: f64 = 0.005;
/// …and after this long without it shrinks by [`NARROW`].
const CALM: Duration = Duration::from_secs(20);
const NARROW: f64 = 0.001;

/// Grows when the loudspeaker runs dry, shrinks while it does not.
pub(super) struct Margin {
    seconds: f64,
    underruns: u64,
    calm_since: Instant,
}

impl Margin {
    /// The margin of a stream that is opened now.
    pub fn new(now: Instant) -> Self {
        Self { seconds: MARGIN, underruns: 0, calm_since: now }
    }

    /// The margin in seconds, given how often the stream has run dry so far.
    pub fn update(&mut self, underruns: u64, now: Instant) -> f64 {
        if underruns > self.underruns {
            self.underruns = underruns;
            self.calm_since = now;
            self.seconds = (self.seconds + WIDEN).min(MAX_MARGIN);
        } else if now.saturating_duration_since(self.calm_since) > CALM {
            self.calm_since = now;
            self.seconds = (self.seconds - NARROW).max(MIN_MARGIN);
        }
        self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_grows_with_underruns_and_shrinks_slowly() {
        let now = Instant::now();
        let mut margin = Margin::new(now);
        assert_eq!(margin.update(0, now), MARGIN);
        assert!((1..9).map(|n| margin.update(n, now)).all(|m| m <= MAX_MARGIN));
        assert_eq!(margin.update(8, now + CALM), MAX_MARGIN);
        for n in 1..100 {
            margin.update(8, now + CALM * 2 * n);
        }
        assert_eq!(margin.update(8, now), MIN_MARGIN);
    }
}
