//! What must never reach an ear: sound at full scale, and what is no number.
//!
//! The last thing before a loudspeaker, whatever went wrong before it. Speech and music pass unchanged, sample for
//! sample; a peak is turned down within a millisecond, and noise that stays loud is turned down until it is not.

/// No sample is louder.
const PEAK: f32 = 0.98;
/// Beyond this nothing is sound, and one such sample is no reason to turn down what follows by much.
const MOST: f32 = 2.0;
/// Nothing is louder in the mean for long (-8 dB below full scale): speech is at -20, loud music at -12.
const MEAN: f32 = 0.4;
/// The mean is taken over about this long.
const MEAN_S: f32 = 0.1;
/// Turned down within this.
const ATTACK_S: f32 = 0.001;
/// Turned up again by 6 dB in this.
const RELEASE_S: f32 = 0.2;
const RATE: f32 = visavis_media::SAMPLE_RATE as f32;

/// Keeps sound below full scale.
///
/// ```
/// let mut guard = visavis_voice::loudness_guard::LoudnessGuard::new();
/// let mut sound = [f32::NAN, 100.0, -0.5];
/// guard.apply(&mut sound);
/// assert!(sound.iter().all(|s| s.abs() < 1.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LoudnessGuard {
    gain: f32,
    /// Of what comes, squared.
    mean: f32,
}

impl Default for LoudnessGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl LoudnessGuard {
    /// A guard that has heard nothing.
    pub fn new() -> Self {
        Self { gain: 1.0, mean: 0.0 }
    }

    /// Limits samples that follow on the last ones, of any number.
    pub fn apply(&mut self, samples: &mut [f32]) {
        if samples.is_empty() {
            return;
        }
        for sample in samples.iter_mut() {
            *sample = if sample.is_finite() { sample.clamp(-MOST, MOST) } else { 0.0 };
        }
        let seconds = samples.len() as f32 / RATE;
        let square = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
        self.mean += (square - self.mean) * (1.0 - (-seconds / MEAN_S).exp());
        let peak = samples.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        let wanted = (PEAK / peak.max(PEAK)).min(MEAN / self.mean.sqrt().max(MEAN));
        let (from, to) = (self.gain, wanted.min(self.gain * 2f32.powf(seconds / RELEASE_S)));
        self.gain = to;
        if from == 1.0 && to == 1.0 {
            return;
        }
        // Down at once, up slowly.
        let steps = if to < from { (ATTACK_S * RATE).min(samples.len() as f32) } else { samples.len() as f32 };
        for (i, sample) in samples.iter_mut().enumerate() {
            let gain = from + (to - from) * ((i + 1) as f32 / steps).min(1.0);
            *sample = (*sample * gain).clamp(-PEAK, PEAK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms(sound: &[f32]) -> f32 {
        (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).sqrt()
    }

    /// Noise up to this level, the same each time.
    fn noise(level: f32, samples: usize) -> Vec<f32> {
        let mut seed = 1u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            level * ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        (0..samples).map(|_| next()).collect()
    }

    fn guarded(mut sound: Vec<f32>) -> Vec<f32> {
        let mut guard = LoudnessGuard::new();
        sound.chunks_mut(480).for_each(|frame| guard.apply(frame));
        sound
    }

    #[test]
    fn speech_and_tones_pass_unchanged() {
        let tone: Vec<f32> = (0..96_000).map(|i| 0.5 * (i as f32 * 0.06).sin()).collect();
        let bursts: Vec<f32> = noise(0.75, 96_000)
            .chunks(4800)
            .enumerate()
            .flat_map(|(i, s)| s.iter().map(move |s| if i % 4 == 0 { *s } else { 0.1 * s }))
            .collect();
        for sound in [tone, noise(0.5, 96_000), bursts] {
            assert!(guarded(sound.clone()) == sound);
        }
    }

    #[test]
    fn full_scale_noise_is_turned_down_at_once_and_stays_so() {
        let square: Vec<f32> = (0..96_000).map(|i| if i / 50 % 2 == 0 { 1.0 } else { -1.0 }).collect();
        for sound in [noise(1.0, 96_000), noise(50.0, 96_000), square] {
            let out = guarded(sound);
            assert!(out.iter().all(|s| s.abs() <= PEAK));
            assert!(rms(&out[24_000..]) < MEAN * 1.05, "{}", rms(&out[24_000..]));
        }
    }

    #[test]
    fn after_something_loud_the_rest_is_heard_as_before_within_a_second() {
        let mut sound = noise(8.0, 24_000);
        sound.extend(noise(0.3, 96_000));
        let out = guarded(sound.clone());
        assert!(out[72_000..] == sound[72_000..]);
    }

    #[test]
    fn a_loud_tone_keeps_its_shape_from_the_second_millisecond_on() {
        let out = guarded((0..480).map(|i| 1.9 * (i as f32 * 0.06).sin()).collect());
        let flat = out[48..].windows(2).filter(|w| w[0] == w[1]).count();
        assert!(flat == 0, "{flat} samples were cut off");
    }

    #[test]
    fn what_was_turned_down_comes_up_slowly() {
        let mut guard = LoudnessGuard::new();
        noise(8.0, 24_000).chunks_mut(480).for_each(|frame| guard.apply(frame));
        let (mut before, mut seconds) = (guard.gain, 0.0);
        assert!(before < 0.4, "{before}");
        while before < 1.0 {
            guard.apply(&mut [0.01; 480]);
            assert!(guard.gain <= before * 1.04, "from {before} to {} within 10 ms", guard.gain);
            (before, seconds) = (guard.gain, seconds + 0.01);
        }
        assert!((0.2..1.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_peak_makes_no_click_of_its_own() {
        let mut sound: Vec<f32> = (0..9600).map(|i| 0.3 * (i as f32 * 0.02).sin()).collect();
        sound[4900] = 40.0;
        let out = guarded(sound);
        let step = out.windows(2).enumerate().filter(|(i, _)| !(4899..=4900).contains(i));
        let step = step.map(|(_, w)| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.02, "{step}");
    }

    #[test]
    fn whatever_comes_what_leaves_is_a_number_below_full_scale() {
        let mut seed = 3u32;
        let mut bits = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed
        };
        let mut guard = LoudnessGuard::new();
        for n in 0..2000 {
            // Every bit pattern there is, and now and then something ordinary.
            let mut frame: Vec<f32> = (0..n % 700).map(|_| f32::from_bits(bits() ^ bits() << 13)).collect();
            if n % 3 == 0 {
                frame = noise(1.5, n % 700);
            }
            guard.apply(&mut frame);
            assert!(frame.iter().all(|s| s.abs() <= PEAK), "{n}");
            assert!(guard.gain.is_finite() && guard.gain > 0.1 && guard.mean.is_finite(), "{n}: {guard:?}");
        }
    }
}
