//! Quiet where nobody speaks: what the noise suppressor leaves of keys, doors and dishes is turned down by another 14
//! dB, until it hears speech again.
//!
//! The suppressor gives sound 10 ms after it has heard it, so the gate knows of speech before its first sample is due.

use super::Frame;
use visavis_media::FRAME_SAMPLES;

/// From this probability on, in two frames in a row, somebody speaks; a click is shorter.
const SPEECH: f32 = 0.5;
/// Frames for which it stays open: pauses between words (0.3 s).
const HOLD: u32 = 30;
/// Gain while closed.
const CLOSED: f32 = 0.2;
/// It opens within a frame and closes within twenty.
const OPENING: f32 = (1.0 - CLOSED) / FRAME_SAMPLES as f32;
const CLOSING: f32 = OPENING / 20.0;

pub(super) struct Gate {
    gain: f32,
    before: f32,
    hold: u32,
}

impl Gate {
    /// Open, until it knows better.
    pub fn new() -> Self {
        Self { gain: 1.0, before: 0.0, hold: HOLD }
    }

    /// Turns a frame down, given the probability of speech in the frame that follows it.
    pub fn apply(&mut self, frame: &mut Frame, next: f32) {
        let speech = next.min(self.before) >= SPEECH;
        self.before = next;
        self.hold = if speech { HOLD } else { self.hold.saturating_sub(1) };
        for sample in frame {
            self.gain = if self.hold > 0 { (self.gain + OPENING).min(1.0) } else { (self.gain - CLOSING).max(CLOSED) };
            *sample *= self.gain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(gate: &mut Gate, probability: f32, frames: usize) -> f32 {
        let mut frame = [0.0; FRAME_SAMPLES];
        for _ in 0..frames {
            frame = [1.0; FRAME_SAMPLES];
            gate.apply(&mut frame, probability);
        }
        frame[FRAME_SAMPLES - 1]
    }

    #[test]
    fn it_closes_after_speech_opens_within_20_ms_and_not_for_a_click() {
        let mut gate = Gate::new();
        assert_eq!(after(&mut gate, 0.9, 10), 1.0);
        assert_eq!(after(&mut gate, 0.0, 29), 1.0);
        assert_eq!(after(&mut gate, 0.0, 22), CLOSED);
        assert_eq!(after(&mut gate, 0.9, 1), CLOSED);
        assert_eq!(after(&mut gate, 0.1, 1), CLOSED);
        assert!(after(&mut gate, 0.9, 2) > 0.99);
    }
}
