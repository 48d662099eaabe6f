//! Whether somebody speaks, in particular while the microphone is muted.

use super::Frame;
use nnnoiseless::DenoiseState;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// From this probability on a frame counts as speech.
const SPEECH: f32 = 0.8;
/// So many frames of speech, less half of those without, are somebody speaking: a syllable or two, not a cough…
const ENOUGH: f32 = 30.0;
/// …and once somebody spoke, a second without is the end of it.
const MOST: f32 = 50.0;

/// Says whether somebody speaks into a muted microphone, from the probability of each 10 ms.
///
/// ```
/// let mut muted = visavis_voice::processing::MutedSpeech::new();
/// (0..40).for_each(|_| muted.hear(0.95));
/// assert!(muted.speaking());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MutedSpeech {
    score: f32,
    speaking: bool,
}

impl MutedSpeech {
    /// Nobody speaks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The probability of speech in the next 10 ms.
    pub fn hear(&mut self, probability: f32) {
        let step = if probability >= SPEECH { 1.0 } else { -0.5 };
        self.score = (self.score + step).clamp(0.0, MOST);
        self.speaking = self.score >= ENOUGH || self.speaking && self.score > 0.0;
    }

    /// Whether somebody has spoken for a third of a second, until a second after the last word.
    pub fn speaking(&self) -> bool {
        self.speaking
    }
}

/// RNNoise's network, for its probability of speech only.
pub(super) struct SpeechDetector {
    network: Option<Box<DenoiseState<'static>>>,
    failures: u64,
}

impl SpeechDetector {
    /// Built when it is first needed.
    pub fn new() -> Self {
        Self { network: None, failures: 0 }
    }

    /// Probability of speech in 10 ms; 0 where the network fails, which is then built anew.
    pub fn listen(&mut self, frame: &Frame) -> f32 {
        let network = &mut self.network;
        let heard = catch_unwind(AssertUnwindSafe(|| {
            let mut unused = [0.0; DenoiseState::FRAME_SIZE];
            let input = frame.map(|s| s * 32768.0);
            network.get_or_insert_with(DenoiseState::new).process_frame(&mut unused, &input)
        }));
        match heard {
            Ok(probability) if probability.is_finite() => probability,
            _ => {
                (self.network, self.failures) = (None, self.failures + 1);
                0.0
            }
        }
    }

    /// Failures so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cough_is_no_speech_and_words_are_until_a_second_after_the_last() {
        let mut muted = MutedSpeech::new();
        for n in 0..400 {
            muted.hear(if n % 100 < 25 { 0.9 } else { 0.1 });
            assert!(!muted.speaking(), "{n}");
        }
        (0..60).for_each(|_| muted.hear(0.9));
        let mut left = 0;
        while muted.speaking() {
            muted.hear(0.0);
            left += 1;
        }
        assert_eq!(left, 100);
        muted.hear(f32::NAN);
        assert!(!muted.speaking());
    }
}
