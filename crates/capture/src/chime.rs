//! Short sounds of our own: one that tries out a loudspeaker, and two that say how a call fares.

use std::f32::consts::TAU;
use visavis_media::SAMPLE_RATE;

const RATE: f32 = SAMPLE_RATE as f32;
/// Loudest sample: clearly heard, and harmless on headphones.
const PEAK: f32 = 0.24;
const LENGTH_S: f32 = 0.9;
const ATTACK_S: f32 = 0.008;
const DECAY_S: f32 = 0.18;
const RELEASE_S: f32 = 0.05;

/// Which sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chime {
    /// The loudspeaker is tried out: two notes, rising.
    Trial,
    /// Nothing gets through just now: two notes, falling.
    Reconnecting,
    /// The call is over, though nobody hung up: three notes, falling lower.
    Over,
}

impl Chime {
    /// Pitches in Hz and when they begin in seconds, each while the one before rings.
    fn notes(self) -> &'static [(f32, f32)] {
        match self {
            // E5 and B5, a fifth apart.
            Self::Trial => &[(659.26, 0.0), (987.77, 0.16)],
            // E5 and C sharp 5, a third: something is amiss, and nothing is lost.
            Self::Reconnecting => &[(659.26, 0.0), (554.37, 0.16)],
            // E5, B4 and E4.
            Self::Over => &[(659.26, 0.0), (493.88, 0.16), (329.63, 0.32)],
        }
    }
}

/// 0.9 s, 48 kHz mono, peak below 0.25, fading in and out without a click.
pub fn chime(which: Chime) -> Vec<f32> {
    let length = (LENGTH_S * RATE) as usize;
    let mut sound: Vec<f32> = (0..length).map(|i| sample(which.notes(), i as f32 / RATE)).collect();
    let peak = sound.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
    sound.iter_mut().for_each(|s| *s *= PEAK / peak);
    sound
}

fn sample(notes: &[(f32, f32)], t: f32) -> f32 {
    let release = ((LENGTH_S - t) / RELEASE_S).min(1.0);
    let note = |&(pitch, start): &(f32, f32)| {
        let t = t - start;
        if t < 0.0 {
            return 0.0;
        }
        let envelope = (t / ATTACK_S).min(1.0) * (-t / DECAY_S).exp();
        // A soft second and third partial make it a bell rather than a beep.
        let partial = |n: f32, level: f32| level * (TAU * pitch * n * t).sin() * (-t * n / DECAY_S / 2.0).exp();
        envelope * (partial(1.0, 1.0) + partial(2.0, 0.3) + partial(3.0, 0.1))
    };
    release * notes.iter().map(note).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chimes_are_short_soft_and_without_a_click() {
        for which in [Chime::Trial, Chime::Reconnecting, Chime::Over] {
            let sound = chime(which);
            assert!(sound.len() < SAMPLE_RATE as usize);
            assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 0.25));
            assert!(sound[0].abs() < 1e-6 && sound[sound.len() - 1].abs() < 1e-3);
            let step = sound.windows(2).fold(0.0f32, |step, w| step.max((w[1] - w[0]).abs()));
            assert!(step < 0.06, "{which:?}: {step}");
        }
    }
}
