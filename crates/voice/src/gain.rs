//! Louder and quieter, without a click and without clipping.

/// Of full scale: louder samples are bent towards 1 rather than cut off there.
const KNEE: f32 = 0.8;

/// A gain that glides to a new value within the samples that it is next applied to.
#[derive(Clone, Copy, Debug)]
pub struct Gain {
    factor: f32,
}

impl Gain {
    /// A gain that has long had this factor.
    pub fn new(factor: f32) -> Self {
        Self { factor }
    }

    /// Applies it, on its way to `factor`, which it has with the last sample. A factor above 1 makes nothing louder
    /// than full scale: from 0.8 on samples are bent.
    pub fn apply(&mut self, samples: &mut [f32], factor: f32) {
        if self.factor == 1.0 && factor == 1.0 {
            return;
        }
        let (from, count) = (self.factor, samples.len() as f32);
        let bend = from.max(factor) > 1.0;
        for (i, sample) in samples.iter_mut().enumerate() {
            let now = from + (factor - from) * (i + 1) as f32 / count;
            *sample *= now;
            if bend {
                *sample = bent(*sample);
            }
        }
        self.factor = factor;
    }
}

/// The sample, with what lies beyond the knee bent so that it never reaches 1.
fn bent(sample: f32) -> f32 {
    let beyond = (sample.abs() - KNEE).max(0.0) / (1.0 - KNEE);
    if beyond == 0.0 { sample } else { sample.signum() * (KNEE + (1.0 - KNEE) * beyond.tanh()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_factor_is_reached_within_the_samples_without_a_step() {
        let (mut gain, mut sound) = (Gain::new(1.0), [0.5; 1440]);
        gain.apply(&mut sound[..480], 1.0);
        gain.apply(&mut sound[480..960], 0.0);
        gain.apply(&mut sound[960..], 0.0);
        assert_eq!((sound[479], sound[959], sound[1439]), (0.5, 0.0, 0.0));
        assert!(sound.windows(2).all(|w| (w[1] - w[0]).abs() < 0.5 / 479.0));
    }

    #[test]
    fn louder_sound_stays_below_full_scale_and_keeps_its_order() {
        let mut sound: Vec<f32> = (-100..=100).map(|i| i as f32 / 100.0).collect();
        let before = sound.clone();
        let mut gain = Gain::new(2.0);
        gain.apply(&mut sound, 2.0);
        assert!(sound.iter().all(|s| s.abs() <= 1.0));
        assert!(sound.windows(2).all(|w| w[1] >= w[0]));
        let quiet = |&i: &usize| before[i].abs() <= 0.4;
        assert!((0..before.len()).filter(quiet).all(|i| sound[i] == 2.0 * before[i]), "what fits is not bent");
    }

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let mut sound = [0.9, -1.0, 0.1];
        Gain::new(1.0).apply(&mut sound, 1.0);
        assert_eq!(sound, [0.9, -1.0, 0.1]);
    }
}
