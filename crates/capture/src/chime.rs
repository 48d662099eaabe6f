//! Short sounds of our own: one that tries out a loudspeaker, the others say how a call fares without a look at it.
//!
//! What rises is good news, what falls is not; the longer, the more it matters. They are computed when they are needed.

use std::f32::consts::TAU;
use std::time::Duration;
use visavis_media::SAMPLE_RATE;

const RATE: f32 = SAMPLE_RATE as f32;
/// Loudest sample: clearly heard, and harmless on headphones.
const PEAK: f32 = 0.24;
/// From the last note to the end.
const RING_OUT_S: f32 = 0.58;
const ATTACK_S: f32 = 0.008;
const DECAY_S: f32 = 0.18;
const RELEASE_S: f32 = 0.05;

/// Which sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chime {
    /// The loudspeaker is tried out: two notes, rising.
    Trial,
    /// Somebody came to where we wait, and we may be anywhere in the room: two notes and their octave, twice.
    Ring,
    /// We came to where somebody waits: two quick notes, rising.
    Joined,
    /// The other side left: two quick notes, falling.
    Left,
    /// Nothing gets through just now: two notes, falling.
    Reconnecting,
    /// It does again: the same notes, rising.
    Reconnected,
    /// We hung up: one low note.
    Ended,
    /// The call is over, though nobody hung up: three notes, falling lower.
    Over,
}

impl Chime {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Trial,
        Self::Ring,
        Self::Joined,
        Self::Left,
        Self::Reconnecting,
        Self::Reconnected,
        Self::Ended,
        Self::Over,
    ];

    /// Pitches in Hz and when they begin in seconds, each while the one before rings; never empty.
    fn notes(self) -> &'static [(f32, f32)] {
        match self {
            // E5 and B5, a fifth apart.
            Self::Trial => &[(659.26, 0.0), (987.77, 0.16)],
            // E5, B5 and E6.
            Self::Ring => {
                &[(659.26, 0.0), (987.77, 0.13), (1318.51, 0.26), (659.26, 0.86), (987.77, 0.99), (1318.51, 1.12)]
            }
            // A4 and E5.
            Self::Joined => &[(440.0, 0.0), (659.26, 0.1)],
            Self::Left => &[(659.26, 0.0), (440.0, 0.1)],
            // E5 and C sharp 5, a third: something is amiss, and nothing is lost.
            Self::Reconnecting => &[(659.26, 0.0), (554.37, 0.16)],
            Self::Reconnected => &[(554.37, 0.0), (659.26, 0.16)],
            // A4.
            Self::Ended => &[(440.0, 0.0)],
            // E5, B4 and E4.
            Self::Over => &[(659.26, 0.0), (493.88, 0.16), (329.63, 0.32)],
        }
    }

    fn length_s(self) -> f32 {
        self.notes().last().map_or(0.0, |(_, start)| start + RING_OUT_S)
    }

    /// How long it lasts; 2 s at most.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f32(self.length_s())
    }
}

/// 48 kHz mono, peak below 0.25, fading in and out without a click.
pub fn chime(which: Chime) -> Vec<f32> {
    let length = which.length_s();
    let sample = |i: usize| sample(which.notes(), length, i as f32 / RATE);
    let mut sound: Vec<f32> = (0..(length * RATE) as usize).map(sample).collect();
    let peak = sound.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
    sound.iter_mut().for_each(|s| *s *= PEAK / peak);
    sound
}

fn sample(notes: &[(f32, f32)], length: f32, t: f32) -> f32 {
    let release = ((length - t) / RELEASE_S).min(1.0);
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
        for which in Chime::ALL {
            let sound = chime(which);
            assert!(!sound.is_empty() && which.duration() < Duration::from_secs(2));
            assert_eq!(sound.len(), (which.duration().as_secs_f32() * RATE) as usize);
            assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 0.25));
            assert!(sound[0].abs() < 1e-6 && sound[sound.len() - 1].abs() < 1e-3);
            let step = sound.windows(2).fold(0.0f32, |step, w| step.max((w[1] - w[0]).abs()));
            assert!(step < 0.06, "{which:?}: {step}");
        }
    }

    /// The pitch that is strongest at a moment, of those of the notes.
    fn strongest(sound: &[f32], at_s: f32) -> f32 {
        let piece = &sound[(at_s * RATE) as usize..][..2400];
        let power = |pitch: f32| {
            let (mut re, mut im) = (0.0, 0.0);
            for (i, s) in piece.iter().enumerate() {
                let angle = TAU * pitch * i as f32 / RATE;
                re += s * angle.cos();
                im += s * angle.sin();
            }
            re * re + im * im
        };
        let pitches = [329.63, 440.0, 493.88, 554.37, 659.26, 987.77, 1318.51f32];
        pitches.into_iter().max_by(|a, b| power(*a).total_cmp(&power(*b))).expect("some")
    }

    #[test]
    fn good_news_rises_and_bad_news_falls() {
        let rises = |which: Chime| {
            let (sound, notes) = (chime(which), which.notes());
            let (first, last) = (notes[0], notes[notes.len() - 1]);
            let heard = [strongest(&sound, first.1 + 0.02), strongest(&sound, last.1 + 0.02)];
            assert_eq!(heard, [first.0, last.0], "{which:?}");
            heard[1] > heard[0]
        };
        assert!([Chime::Trial, Chime::Ring, Chime::Joined, Chime::Reconnected].into_iter().all(rises));
        assert!(![Chime::Left, Chime::Reconnecting, Chime::Over].into_iter().any(rises));
    }
}
