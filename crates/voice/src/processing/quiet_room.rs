//! In a quiet room some of the voice goes past the noise suppressor, which always takes a little of the voice with it.
//!
//! How much follows from the quietest moments of the last seconds (minimum statistics, Martin 2001), which voices leave
//! between their words: where there is no noise, nothing is lost by letting it through; where there is some, all of the
//! voice goes through the suppressor.

use super::Frame;
use visavis_media::FRAME_SAMPLES;

/// Noise of this level, in dBFS, and less is as good as none…
const SILENT_DB: f32 = -75.0;
/// …and from this on all of it is to go.
const NOISY_DB: f32 = -63.0;
/// Part of the sound that goes past, at most.
const MOST: f32 = 0.25;
/// The quietest moments are looked for in so many spans of so many frames: two seconds in all.
const SPANS: usize = 4;
const SPAN: u32 = 50;
/// Level of digital silence, in dBFS.
const FLOOR_DB: f32 = -96.0;

/// See the module's text.
pub(super) struct QuietRoom {
    /// Quietest frames of the spans, in dBFS, that of the present span last.
    quietest_db: [f32; SPANS],
    frames: u32,
    share: f32,
    /// What the suppressor gives now went in as this, 10 ms ago.
    before: Box<Frame>,
}

impl QuietRoom {
    /// A room of which nothing is known counts as noisy.
    pub fn new() -> Self {
        Self { quietest_db: [NOISY_DB; SPANS], frames: 0, share: 0.0, before: Box::new([0.0; FRAME_SAMPLES]) }
    }

    /// Adds to what the suppressor gave, now that `input` went in.
    pub fn add(&mut self, frame: &mut Frame, input: &Frame) {
        let power = input.iter().map(|s| s * s).sum::<f32>() / input.len() as f32;
        let now_db = (10.0 * power.log10()).max(FLOOR_DB);
        if self.frames.is_multiple_of(SPAN) {
            self.quietest_db.rotate_left(1);
            self.quietest_db[SPANS - 1] = now_db;
        }
        self.frames = self.frames.wrapping_add(1);
        self.quietest_db[SPANS - 1] = self.quietest_db[SPANS - 1].min(now_db);
        let noise_db = self.quietest_db.iter().copied().fold(f32::MAX, f32::min);
        let wanted = MOST * ((NOISY_DB - noise_db) / (NOISY_DB - SILENT_DB)).clamp(0.0, 1.0);
        let (from, step) = (self.share, (wanted - self.share) / FRAME_SAMPLES as f32);
        for (i, (sample, past)) in frame.iter_mut().zip(self.before.iter()).enumerate() {
            let share = from + step * (i + 1) as f32;
            *sample += share * (past - *sample);
        }
        (self.share, *self.before) = (wanted, *input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A suppressor that gives nothing, in a room with sound of this amplitude; what is let past, relative to it.
    fn past(room: &mut QuietRoom, amplitude: f32, frames: usize) -> f32 {
        let input: Frame = std::array::from_fn(|i| if i % 2 == 0 { amplitude } else { -amplitude });
        let mut frame = [0.0; FRAME_SAMPLES];
        for _ in 0..frames {
            frame = [0.0; FRAME_SAMPLES];
            room.add(&mut frame, &input);
        }
        frame[FRAME_SAMPLES - 1].abs() / amplitude
    }

    #[test]
    fn in_a_quiet_room_some_goes_past_and_in_a_noisy_one_nothing() {
        let mut room = QuietRoom::new();
        assert_eq!(past(&mut room, 0.003, 200), 0.0, "-50 dBFS is noise");
        assert!((past(&mut room, 0.0001, 3) - MOST).abs() < 0.001, "-80 dBFS is none");
        assert_eq!(past(&mut room, 0.003, 201), 0.0, "noise that begins is noticed within two seconds");
    }

    #[test]
    fn a_voice_with_pauses_between_its_words_is_no_noise() {
        let mut room = QuietRoom::new();
        for _ in 0..5 {
            past(&mut room, 0.0001, 3);
            assert!((past(&mut room, 0.3, 140) - MOST).abs() < 0.001);
        }
    }

    #[test]
    fn what_goes_past_is_in_time_with_what_the_suppressor_gives() {
        let mut room = QuietRoom::new();
        past(&mut room, 0.0001, 3);
        // The suppressor takes nothing away, and gives it 10 ms later.
        let inputs: Vec<Frame> =
            (0..20).map(|n| std::array::from_fn(|i| ((n * 480 + i) as f32 * 0.05).sin())).collect();
        room.add(&mut [0.0; FRAME_SAMPLES], &inputs[0]);
        for pair in inputs.windows(2) {
            let mut frame = pair[0];
            room.add(&mut frame, &pair[1]);
            assert!(frame.iter().zip(&pair[0]).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
