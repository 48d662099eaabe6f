//! What is seen and heard of the other side while a call runs.

use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use visavis_call::{PictureTap, ReceivedPicture, SoundTap};
use visavis_capture::wall_clock;
use visavis_media::{AudioFrame, strip};

/// Rhythm of the synthetic speech, which begins with the Unix epoch: its phase tells how old a sound is.
const SYLLABLE_HZ: f64 = 4.0;
/// Frames of 10 ms of sound from which a phase is taken: whole syllables.
const PHASE_FRAMES: usize = 100;
/// Weaker than this there is no rhythm to be found: silence, or something else.
const CLEAR: f64 = 0.25;

/// A picture that was shown and could be read; times are Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) captured: f64,
    pub(crate) submitted: f64,
    pub(crate) width: u32,
    /// How many were shown so far, read or not.
    pub(crate) count: u64,
}

/// How old the sound of one second was: `delay` modulo one syllable, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// When the second ended, Unix milliseconds.
    pub(crate) at: f64,
    pub(crate) delay: f64,
}

/// Length of a syllable, the unit in which the age of sound is ambiguous.
pub(crate) const SYLLABLE_MS: f64 = 1000.0 / SYLLABLE_HZ;

#[derive(Default)]
struct Notes {
    shown: Vec<Shown>,
    heard: Vec<Heard>,
    frames: usize,
    level: f64,
    /// Sum of levels as pointers that turn with the rhythm.
    pointer: (f64, f64),
}

/// Filled by the taps.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Notes>>);

impl Watch {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be told of each picture received.
    pub(crate) fn eye(&self) -> PictureTap {
        let watch = self.clone();
        Arc::new(move |picture: &ReceivedPicture| {
            let submitted = wall_clock().unix_ms(picture.submitted);
            let Some(ms) = strip::read(&picture.picture) else { return };
            let captured = strip::resolve(ms, submitted as u64) as f64;
            let (width, count) = (picture.picture.size().width(), picture.count);
            watch.notes().shown.push(Shown { captured, submitted, width, count });
        })
    }

    /// To be told of each 10 ms of sound that is heard.
    pub(crate) fn ear(&self) -> SoundTap {
        let watch = self.clone();
        Arc::new(move |frame: &AudioFrame| {
            let level = frame.samples.iter().map(|s| f64::from(s.abs())).sum::<f64>() / frame.samples.len() as f64;
            watch.notes().hear(wall_clock().unix_ms(frame.at), level);
        })
    }

    /// What was seen and heard so far.
    pub(crate) fn take(&self) -> (Vec<Shown>, Vec<Heard>) {
        let mut notes = self.notes();
        (std::mem::take(&mut notes.shown), std::mem::take(&mut notes.heard))
    }
}

impl Notes {
    fn hear(&mut self, at: f64, level: f64) {
        // The middle of the frame stands for it.
        let angle = TAU * SYLLABLE_HZ * (at + 5.0) / 1000.0;
        self.pointer.0 += level * angle.cos();
        self.pointer.1 += level * angle.sin();
        self.level += level;
        self.frames += 1;
        if self.frames < PHASE_FRAMES {
            return;
        }
        let (x, y) = self.pointer;
        if x.hypot(y) > CLEAR * self.level {
            // The loudness of speech is 1 + sin(angle): its pointer stands a quarter turn ahead of no delay.
            let delay = (y.atan2(x) / TAU - 0.25) * SYLLABLE_MS;
            self.heard.push(Heard { at, delay: delay.rem_euclid(SYLLABLE_MS) });
        }
        (self.frames, self.level, self.pointer) = (0, 0.0, (0.0, 0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(delay: f64, level: impl Fn(f64) -> f64) -> Vec<Heard> {
        let mut notes = Notes::default();
        for frame in 0..300 {
            let at = 1.8e12 + 10.0 * f64::from(frame);
            notes.hear(at, level((at + 5.0 - delay) / 1000.0));
        }
        notes.heard
    }

    #[test]
    fn the_age_of_speech_is_told_by_its_rhythm() {
        let speech = |seconds: f64| 1.0 + (TAU * SYLLABLE_HZ * seconds).sin();
        for delay in [1.0, 60.0, 180.0, 249.0, 310.0] {
            let all = heard(delay, speech);
            assert_eq!(all.len(), 3);
            assert!(all.iter().all(|h| (h.delay - delay % SYLLABLE_MS).abs() < 0.1), "{delay}: {all:?}");
        }
    }

    #[test]
    fn silence_and_an_even_noise_tell_nothing() {
        assert!(heard(0.0, |_| 0.0).is_empty());
        assert!(heard(0.0, |_| 0.3).is_empty());
    }
}
