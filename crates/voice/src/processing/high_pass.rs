//! Rumble of desks and rooms, below any voice, taken away.

use super::Frame;
use super::slot::{Context, Part};
use std::time::Duration;
use visavis_media::SAMPLE_RATE;

/// Corner frequency in Hz: the deepest voices begin at about 85.
const CORNER: f64 = 80.0;

/// A second-order Butterworth high-pass (R. Bristow-Johnson, *Audio EQ Cookbook*), in transposed direct form II.
pub(super) struct HighPass {
    /// b0, b1, b2, a1, a2.
    taps: [f64; 5],
    state: [f64; 2],
}

impl Part for HighPass {
    type Kind = ();
    const STAND_IN: super::slot::StandIn = super::slot::StandIn::Through;

    fn build((): ()) -> Self {
        let omega = std::f64::consts::TAU * CORNER / f64::from(SAMPLE_RATE);
        let (sin, cos) = omega.sin_cos();
        // Q = 1/√2.
        let alpha = sin / std::f64::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        let b = (1.0 + cos) / 2.0 / a0;
        Self { taps: [b, -2.0 * b, b, -2.0 * cos / a0, (1.0 - alpha) / a0], state: [0.0; 2] }
    }

    fn kind(&self) {}

    fn delay((): ()) -> Duration {
        Duration::ZERO
    }

    fn process(&mut self, frame: &mut Frame, _: &Context<'_>) {
        let [b0, b1, b2, a1, a2] = self.taps;
        for sample in frame {
            let x = f64::from(*sample);
            let y = b0 * x + self.state[0];
            self.state = [b1 * x - a1 * y + self.state[1], b2 * x - a2 * y];
            *sample = y as f32;
        }
        // Denormals would make it slow in silence.
        self.state = self.state.map(|s| if s.abs() < 1e-20 { 0.0 } else { s });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain_at(hz: f32) -> f32 {
        let mut filter = HighPass::build(());
        let silence = [0.0; 480];
        let mut square = 0.0f32;
        for n in 0..100 {
            let mut frame: Frame =
                std::array::from_fn(|i| ((n * 480 + i) as f32 * hz * std::f32::consts::TAU / 48_000.0).sin());
            filter.process(&mut frame, &Context { reference: &silence });
            if n > 50 {
                square += frame.iter().map(|s| s * s).sum::<f32>() / 480.0 / 49.0;
            }
        }
        10.0 * (2.0 * square).log10()
    }

    #[test]
    fn rumble_goes_and_voices_stay() {
        assert!(gain_at(20.0) < -22.0, "{}", gain_at(20.0));
        assert!((gain_at(80.0) + 3.0).abs() < 0.2, "{}", gain_at(80.0));
        assert!(gain_at(200.0) > -0.3 && gain_at(8000.0).abs() < 0.05);
    }
}
