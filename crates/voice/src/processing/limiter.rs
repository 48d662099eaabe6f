//! The last of the chain: nothing louder than −1 dBFS leaves it, and nothing that is no number.

use super::Frame;
use visavis_media::SAMPLE_RATE;

/// Loudest sample: −1 dBFS, which leaves Opus room to overshoot.
const CEILING: f32 = 0.891;
/// The gain is back (to 63 %) this long after a peak, in seconds.
const RELEASE_S: f32 = 0.08;

/// A peak limiter without delay: it gives way at once and comes back slowly.
pub(super) struct Limiter {
    gain: f32,
    release: f32,
}

impl Limiter {
    /// Lets everything through at first.
    pub fn new() -> Self {
        Self { gain: 1.0, release: 1.0 - (-1.0 / (RELEASE_S * SAMPLE_RATE as f32)).exp() }
    }

    /// Limits in place.
    pub fn process(&mut self, frame: &mut Frame) {
        for sample in frame {
            let x = if sample.is_finite() { *sample } else { 0.0 };
            self.gain += (1.0 - self.gain) * self.release;
            self.gain = self.gain.min(CEILING / x.abs().max(CEILING));
            *sample = (x * self.gain).clamp(-CEILING, CEILING);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_loud_is_turned_down_and_the_rest_untouched() {
        let mut limiter = Limiter::new();
        let quiet: Frame = std::array::from_fn(|i| 0.5 * (i as f32 * 0.1).sin());
        let mut frame = quiet;
        limiter.process(&mut frame);
        assert_eq!(frame, quiet);
        let mut loud = [3.0; 480];
        limiter.process(&mut loud);
        assert!(loud.iter().all(|s| (0.88..=CEILING).contains(s)));
        for _ in 0..60 {
            frame = quiet;
            limiter.process(&mut frame);
        }
        assert!(frame.iter().zip(quiet).all(|(a, b)| (a - b).abs() < 0.001));
    }

    #[test]
    fn nonsense_becomes_silence() {
        let mut limiter = Limiter::new();
        let mut frame = [f32::NAN; 480];
        frame[1] = f32::INFINITY;
        limiter.process(&mut frame);
        assert_eq!(frame, [0.0; 480]);
    }
}
