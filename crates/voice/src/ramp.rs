//! Switching sound on and off without a click.

/// Samples from full to nothing: 10 ms.
const RAMP: f32 = 480.0;

/// A gain that glides between 0 and 1 in 10 ms.
///
/// Once it has arrived at off, samples are exactly 0: nothing of a muted microphone goes through.
#[derive(Clone, Copy, Debug)]
pub struct Ramp {
    gain: f32,
}

impl Ramp {
    /// A ramp that has long been on or off.
    pub fn new(on: bool) -> Self {
        Self { gain: if on { 1.0 } else { 0.0 } }
    }

    /// Applies the gain on its way to on or off.
    pub fn apply(&mut self, samples: &mut [f32], on: bool) {
        let (target, step) = if on { (1.0, 1.0 / RAMP) } else { (0.0, -1.0 / RAMP) };
        for sample in samples {
            if self.gain != target {
                self.gain = (self.gain + step).clamp(0.0, 1.0);
            }
            // Not `*= gain`: 0 · NaN would not be silence.
            *sample = if self.gain == 0.0 { 0.0 } else { *sample * self.gain };
        }
    }

    /// Whether nothing at all goes through.
    pub fn is_silent(&self) -> bool {
        self.gain == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switching_makes_no_step_larger_than_a_480th() {
        let mut ramp = Ramp::new(true);
        let mut sound = [1.0; 2000];
        ramp.apply(&mut sound[..500], true);
        ramp.apply(&mut sound[500..1200], false);
        ramp.apply(&mut sound[1200..], true);
        assert!(sound.windows(2).all(|w| (w[1] - w[0]).abs() < 1.01 / 480.0));
        assert_eq!((sound[499], sound[985], sound[1199], sound[1999]), (1.0, 0.0, 0.0, 1.0));
    }

    #[test]
    fn off_is_exactly_nothing_whatever_comes() {
        let mut ramp = Ramp::new(false);
        let mut sound = [f32::NAN, 1e30, -1.0];
        ramp.apply(&mut sound, false);
        assert_eq!(sound, [0.0; 3]);
        assert!(ramp.is_silent());
    }
}
