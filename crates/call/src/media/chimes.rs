//! Chimes on their way to the loudspeaker: one at a time, over whatever else is heard.

use std::time::{Duration, Instant};
use visavis_capture::{Chime, chime};
use visavis_media::FRAME_SAMPLES;

/// A loudspeaker may take a moment to open; a chime that still waits then tells no news any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who tries out a loudspeaker waits for it: opening one is given up after 6 s, and Bluetooth may take three.
const TRIAL_PATIENCE: Duration = Duration::from_secs(7);
/// In so many samples (5 ms) a chime fades that another one replaces.
const FADE: usize = 240;

/// How long a chime waits for a loudspeaker.
pub(crate) fn patience(which: Chime) -> Duration {
    if which == Chime::Trial { TRIAL_PATIENCE } else { PATIENCE }
}

/// What is to be heard, and how much of it has been.
#[derive(Debug, Default)]
pub(super) struct Chimes {
    sound: Vec<f32>,
    played: usize,
    ordered: Option<Instant>,
    /// Heard whatever is set: that is what a trial is for.
    trial: bool,
}

impl Chimes {
    /// Begins this one as soon as there is a loudspeaker, in the place of any other.
    pub(super) fn order(&mut self, which: Chime, now: Instant) {
        let mut sound = chime(which);
        let rest = self.sound.get(self.played..).unwrap_or_default();
        if self.played > 0 {
            for (i, (new, old)) in sound.iter_mut().zip(rest).take(FADE).enumerate() {
                *new += old * (1.0 - i as f32 / FADE as f32);
            }
        }
        *self = Self { sound, played: 0, ordered: Some(now), trial: which == Chime::Trial };
    }

    /// Adds the next 10 ms to a frame, this loud; a trial as loud as it is.
    pub(super) fn mix(&mut self, frame: &mut [f32; FRAME_SAMPLES], now: Instant, factor: f32) {
        let patience = if self.trial { TRIAL_PATIENCE } else { PATIENCE };
        if self.ordered.take().is_some_and(|at| now.saturating_duration_since(at) > patience) {
            self.sound.clear();
        }
        let Some(rest) = self.sound.get(self.played..).filter(|rest| !rest.is_empty()) else { return };
        let factor = if self.trial { 1.0 } else { factor };
        for (sample, add) in frame.iter_mut().zip(rest) {
            *sample = (*sample + factor * add).clamp(-1.0, 1.0);
        }
        self.played += FRAME_SAMPLES;
        if self.played >= self.sound.len() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(chimes: &mut Chimes, now: Instant, frames: usize) -> Vec<f32> {
        (0..frames)
            .flat_map(|_| {
                let mut frame = [0.0; FRAME_SAMPLES];
                chimes.mix(&mut frame, now, 1.0);
                frame
            })
            .collect()
    }

    fn largest_step(sound: &[f32]) -> f32 {
        sound.windows(2).fold(0.0, |step, w| step.max((w[1] - w[0]).abs()))
    }

    #[test]
    fn a_chime_is_heard_once_and_whole_as_loud_as_it_is_set() {
        let (mut chimes, now) = (Chimes::default(), Instant::now());
        chimes.order(Chime::Joined, now);
        let whole = chime(Chime::Joined);
        let sound = heard(&mut chimes, now, 200);
        assert_eq!(sound[..whole.len()], whole[..]);
        assert!(sound[whole.len()..].iter().all(|s| *s == 0.0));
        chimes.order(Chime::Joined, now);
        let mut frame = [0.0; FRAME_SAMPLES];
        chimes.mix(&mut frame, now, 0.25);
        assert_eq!(frame[300], 0.25 * whole[300]);
        chimes.order(Chime::Trial, now);
        let mut frame = [0.0; FRAME_SAMPLES];
        chimes.mix(&mut frame, now, 0.0);
        assert!(frame.iter().any(|s| *s != 0.0), "a trial is heard whatever is set");
    }

    #[test]
    fn what_found_no_loudspeaker_in_time_is_not_heard_later() {
        let (mut chimes, now) = (Chimes::default(), Instant::now());
        chimes.order(Chime::Over, now);
        assert!(heard(&mut chimes, now + Duration::from_secs(3), 100).iter().all(|s| *s == 0.0));
        chimes.order(Chime::Over, now);
        assert!(heard(&mut chimes, now + Duration::from_secs(1), 100).iter().any(|s| *s != 0.0));
        for (seconds, is_heard) in [(6, true), (8, false)] {
            chimes.order(Chime::Trial, now);
            let sound = heard(&mut chimes, now + Duration::from_secs(seconds), 100);
            assert_eq!(sound.iter().any(|s| *s != 0.0), is_heard, "a trial that waited {seconds} s");
        }
    }

    #[test]
    fn one_that_replaces_another_does_so_without_a_click() {
        let (mut chimes, now) = (Chimes::default(), Instant::now());
        chimes.order(Chime::Ring, now);
        let mut sound = heard(&mut chimes, now, 5);
        chimes.order(Chime::Left, now);
        sound.extend(heard(&mut chimes, now, 20));
        assert!(largest_step(&sound) < 0.06, "{}", largest_step(&sound));
    }
}
