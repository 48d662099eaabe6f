//! The loudspeaker's edge between sound and silence: no click when it runs dry, none when sound comes back.

/// Length of a fade: too short to be heard as one, long enough not to click.
const FADE_S: f32 = 0.0025;

/// Turns samples, or their absence, into what the device gets. Used in an audio callback: a few operations a sample.
pub(crate) struct Fade {
    step: f32,
    decay: f32,
    gain: f32,
    last: f32,
}

impl Fade {
    /// For a device of `rate` samples a second; silent at first.
    pub fn new(rate: u32) -> Self {
        let samples = (FADE_S * rate as f32).max(1.0);
        // After the fade's length the last sample has decayed by 60 dB.
        Self { step: 1.0 / samples, decay: 0.001f32.powf(1.0 / samples), gain: 0.0, last: 0.0 }
    }

    /// Whether sound was going out when last asked.
    pub fn playing(&self) -> bool {
        self.gain > 0.0
    }

    /// The next sample of sound; broken ones become silence, loud ones are cut off.
    pub fn sound(&mut self, sample: f32) -> f32 {
        let sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        // Between the remains of the sound before a gap and the one after.
        self.last = self.last * self.decay * (1.0 - self.gain) + sample * self.gain;
        let out = self.last;
        self.gain = (self.gain + self.step).min(1.0);
        out
    }

    /// What goes out where there is no sound: the last sample, dying away.
    pub fn gap(&mut self) -> f32 {
        self.gain = 0.0;
        self.last *= self.decay;
        if self.last.abs() < 1e-5 {
            self.last = 0.0;
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_loud_sound_makes_no_step() {
        let mut fade = Fade::new(48_000);
        let mut out = Vec::new();
        for sounding in [true, false, true, false, true] {
            out.extend((0..300).map(|_| if sounding { fade.sound(0.9) } else { fade.gap() }));
        }
        let step = out.windows(2).fold(0.0f32, |step, w| step.max((w[1] - w[0]).abs()));
        assert!(step < 0.06, "{step}");
        assert!(out[599].abs() < 1e-4 && (out[899] - 0.9).abs() < 1e-3);
    }

    #[test]
    fn settled_sound_passes_unchanged() {
        let mut fade = Fade::new(48_000);
        (0..200).for_each(|_| {
            fade.sound(0.0);
        });
        assert_eq!([0.5, -0.25, 0.125].map(|s| fade.sound(s)), [0.5, -0.25, 0.125]);
        assert!(fade.playing());
    }

    #[test]
    fn broken_samples_become_silence_and_loud_ones_are_cut_off() {
        let mut fade = Fade::new(8_000);
        (0..100).for_each(|_| {
            fade.sound(0.0);
        });
        assert_eq!([f32::NAN, f32::INFINITY, 7.0, -7.0].map(|s| fade.sound(s)), [0.0, 0.0, 1.0, -1.0]);
    }
}
