//! Turns a voice down that comes in too loud.
//!
//! WebRTC's second gain controller only ever makes louder: in browsers the microphone's own gain, which we do not
//! touch, is what is lowered. Here the level of who speaks is followed, and what is above the level that the
//! controller brings quiet voices to is turned down to it, slowly enough that nobody hears it happen.

use super::Frame;
use crate::gain::Gain;

/// Speech above this is turned down to it, in dBFS: where the gain controller's own result ends.
const LOUDEST_DB: f32 = -20.0;
/// A voice is turned down by at most this, in dB: full scale comes down to the wanted level.
const MOST_DB: f32 = 20.0;
/// Frames so much quieter than the voice are its pauses, in dB.
const PAUSE_DB: f32 = 20.0;
/// How much of a frame's level is believed, of louder and of quieter ones: about 0.5 s and 4 s of speech. The level
/// itself is a mean of decibels, which a bump against the desk moves by little.
const BELIEVE_LOUDER: f32 = 0.02;
const BELIEVE_QUIETER: f32 = 0.0025;
/// Change in a frame, in dB: 12 dB/s down, 2 dB/s up.
const DOWN: f32 = 0.12;
const UP: f32 = 0.02;
/// Voices quieter than this, in dBFS, are all alike: far from too loud. Also where it begins, so that a loud first word
/// is noticed soon.
const FLOOR_DB: f32 = LOUDEST_DB - PAUSE_DB;

/// See the module's text.
pub(super) struct TurnDown {
    /// Level of the voice, its pauses left out.
    level_db: f32,
    gain_db: f32,
    gain: Gain,
}

impl TurnDown {
    /// Turns nothing down at first.
    pub fn new() -> Self {
        Self { level_db: FLOOR_DB, gain_db: 0.0, gain: Gain::new(1.0) }
    }

    /// Treats 10 ms in place.
    pub fn process(&mut self, frame: &mut Frame) {
        let power = frame.iter().map(|s| s * s).sum::<f32>() / frame.len() as f32;
        let now_db = 10.0 * power.log10();
        if now_db > self.level_db - PAUSE_DB {
            let believe = if now_db > self.level_db { BELIEVE_LOUDER } else { BELIEVE_QUIETER };
            self.level_db = (self.level_db + (now_db - self.level_db) * believe).max(FLOOR_DB);
        }
        let wanted = (LOUDEST_DB - self.level_db).clamp(-MOST_DB, 0.0);
        self.gain_db += (wanted - self.gain_db).clamp(-DOWN, UP);
        self.gain.apply(frame, 10f32.powf(self.gain_db / 20.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;
    use visavis_media::FRAME_SAMPLES;

    /// Seconds of a voice of this loudness: syllables of 150 ms with pauses of 50 ms. Gives the level of the last
    /// second's syllables, in dBFS.
    fn voice(treat: &mut TurnDown, dbfs: f32, seconds: usize) -> f32 {
        let amplitude = 10f32.powf(dbfs / 20.0) * 2f32.sqrt();
        let (mut power, mut count) = (0.0, 0);
        for n in 0..100 * seconds {
            let speaks = n % 20 < 15;
            let mut frame: Frame = std::array::from_fn(|i| {
                let t = (n * FRAME_SAMPLES + i) as f32 / 48_000.0;
                if speaks { amplitude * (TAU * 200.0 * t).sin() } else { 0.0 }
            });
            treat.process(&mut frame);
            if speaks && n >= 100 * (seconds - 1) {
                power += frame.iter().map(|s| s * s).sum::<f32>();
                count += frame.len();
            }
        }
        10.0 * (power / count as f32).log10()
    }

    #[test]
    fn a_loud_voice_is_brought_down_and_let_up_again() {
        let mut treat = TurnDown::new();
        let loud = voice(&mut treat, -6.0, 5);
        assert!((loud - LOUDEST_DB).abs() < 1.0, "{loud}");
        let later = voice(&mut treat, -22.0, 30);
        assert!((later + 22.0).abs() < 0.5, "{later}");
    }

    #[test]
    fn a_voice_that_is_not_too_loud_is_left_as_it_is() {
        let mut treat = TurnDown::new();
        assert!((voice(&mut treat, -21.0, 10) + 21.0).abs() < 0.01);
        assert_eq!(treat.gain_db, 0.0);
    }

    #[test]
    fn a_bump_against_the_desk_turns_the_voice_down_by_next_to_nothing() {
        let mut treat = TurnDown::new();
        voice(&mut treat, -22.0, 5);
        (0..5).for_each(|_| treat.process(&mut [0.7; FRAME_SAMPLES]));
        let after = voice(&mut treat, -22.0, 2);
        assert!((after + 22.0).abs() < 1.0, "{after}");
    }

    #[test]
    fn it_is_slow_enough_not_to_be_heard() {
        let mut treat = TurnDown::new();
        for _ in 0..100 {
            let before = treat.gain_db;
            treat.process(&mut [0.7; FRAME_SAMPLES]);
            assert!(before - treat.gain_db < 0.15, "{}", before - treat.gain_db);
        }
        assert!(treat.gain_db < -3.0);
    }

    #[test]
    fn nothing_steps() {
        let mut treat = TurnDown::new();
        let (mut last, mut largest) = (0.9, 0.0f32);
        for _ in 0..300 {
            let mut frame = [0.9; FRAME_SAMPLES];
            treat.process(&mut frame);
            for sample in frame {
                largest = largest.max((sample - last).abs());
                last = sample;
            }
        }
        assert!(last < 0.2 && largest < 0.001, "{last} {largest}");
    }
}
