//! The sound that tries out a loudspeaker.

use std::f32::consts::TAU;
use visavis_media::SAMPLE_RATE;

const RATE: f32 = SAMPLE_RATE as f32;
/// Loudest sample: clearly heard, and harmless on headphones.
const PEAK: f32 = 0.24;
/// E5 and B5, a fifth apart, the second while the first rings.
const NOTES: [(f32, f32); 2] = [(659.26, 0.0), (987.77, 0.16)];
const LENGTH_S: f32 = 0.9;
const ATTACK_S: f32 = 0.008;
const DECAY_S: f32 = 0.18;
const RELEASE_S: f32 = 0.05;

/// Two notes, 0.9 s, 48 kHz mono, peak below 0.25, fading in and out without a click.
pub fn chime() -> Vec<f32> {
    let length = (LENGTH_S * RATE) as usize;
    let mut sound: Vec<f32> = (0..length).map(|i| sample(i as f32 / RATE)).collect();
    let peak = sound.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
    sound.iter_mut().for_each(|s| *s *= PEAK / peak);
    sound
}

fn sample(t: f32) -> f32 {
    let release = ((LENGTH_S - t) / RELEASE_S).min(1.0);
    let note = |(pitch, start): (f32, f32)| {
        let t = t - start;
        if t < 0.0 {
            return 0.0;
        }
        let envelope = (t / ATTACK_S).min(1.0) * (-t / DECAY_S).exp();
        // A soft second and third partial make it a bell rather than a beep.
        let partial = |n: f32, level: f32| level * (TAU * pitch * n * t).sin() * (-t * n / DECAY_S / 2.0).exp();
        envelope * (partial(1.0, 1.0) + partial(2.0, 0.3) + partial(3.0, 0.1))
    };
    release * NOTES.into_iter().map(note).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chime_is_short_soft_and_without_a_click() {
        let sound = chime();
        assert!(sound.len() < SAMPLE_RATE as usize);
        assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 0.25));
        assert!(sound[0].abs() < 1e-6 && sound[sound.len() - 1].abs() < 1e-3);
        let step = sound.windows(2).fold(0.0f32, |step, w| step.max((w[1] - w[0]).abs()));
        assert!(step < 0.06, "{step}");
    }
}
