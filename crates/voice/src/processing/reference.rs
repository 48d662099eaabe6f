//! What the loudspeaker played, in time with the microphone.
//!
//! Frames come with the moments at which they should be heard, in the machine's clock, and so do the microphone's.
//! Both devices' own clocks are worked out from that (`clock`), and what was played is read at the pace of the
//! microphone's: the read position moves by what both drifts say, and only very slowly by what is left of an error. So
//! the echo's delay stays the same to a sample over minutes, which an adaptive filter needs.
//!
//! A loudspeaker that runs dry goes on counting: what is written next is heard later by as much. That much silence is
//! put in here as well, so that the canceller sees what was heard, at the moment at which it was, and need not find the
//! delay again.

use super::Frame;
use super::clock::Clock;
use super::sinc::{self, TAPS};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::{FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// The canceller is shown what is played so long before it should be heard: moments are not exact, and an echo that
/// came before its sound could not be cancelled. Longer than this the loudspeaker's queue may not reach.
pub(super) const LEAD: Duration = Duration::from_millis(10);
/// Most that is remembered: 1 s.
const MOST: usize = SAMPLE_RATE as usize;
/// Clocks further apart than this are not of crystals.
const MAX_DRIFT: f64 = 300e-6;
/// An error is made up for in about 30 s, and never faster than 30 ppm…
const PULL: f64 = 1.0 / 3000.0;
const MAX_PULL: f64 = 30e-6 * FRAME_SAMPLES as f64;
/// …unless it is larger than this (10 ms): then the position jumps, and the canceller finds the echo's delay again.
const JUMP: f64 = 480.0;
/// Drift is told once both clocks have been watched for this long (10 s).
const KNOWN: u64 = 1000;

pub(super) struct Reference {
    origin: Option<Instant>,
    speaker: Clock,
    microphone: Clock,
    /// What was played and not yet read; before it, the taps that a value needs.
    played: VecDeque<f32>,
    /// Number of the first sample of `played`, counted from the first that was ever played.
    first: i64,
    /// A sample's number, and the moment at which it is heard (seconds after `origin`).
    heard: Option<(f64, f64)>,
    /// What was said of the newest frame's moment.
    newest: Option<Instant>,
    /// Where the next frame is read.
    at: Option<f64>,
    last_good: f32,
}

impl Reference {
    /// Nothing has been played.
    pub fn new() -> Self {
        sinc::prepare();
        Self {
            origin: None,
            speaker: Clock::new(),
            microphone: Clock::new(),
            played: VecDeque::new(),
            first: 0,
            heard: None,
            newest: None,
            at: None,
            last_good: 0.0,
        }
    }

    /// 10 ms that will be heard at `at`.
    pub fn render(&mut self, samples: &Frame, at: Instant) {
        let origin = *self.origin.get_or_insert(at);
        let pause = self.pause(at);
        self.speaker.paused(pause as f64 / f64::from(SAMPLE_RATE));
        self.played.extend(std::iter::repeat_n(0.0, pause));
        let (heard, continuous) = self.speaker.frame(at, origin);
        if !continuous {
            self.at = None;
        }
        let end = self.first + self.played.len() as i64;
        self.heard = Some((end as f64, heard));
        for sample in samples {
            let clean = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { self.last_good };
            self.last_good = if clean.abs() < 1e-12 { 0.0 } else { clean };
            self.played.push_back(self.last_good);
        }
        if self.played.len() > MOST {
            let surplus = self.played.len() - MOST;
            self.played.drain(..surplus);
            self.first += surplus as i64;
        }
    }

    /// Samples of silence between the newest frame and one that will be heard at `at`. What is found out of a device's
    /// clock meanwhile moves moments by far less.
    fn pause(&mut self, at: Instant) -> usize {
        let Some(newest) = self.newest.replace(at) else { return 0 };
        let late = at.saturating_duration_since(newest).as_secs_f64() / (1.0 + self.speaker.drift())
            - FRAME_DURATION.as_secs_f64();
        let samples = (late * f64::from(SAMPLE_RATE)).round() as usize;
        if late > self.speaker.tolerance() && samples < MOST { samples } else { 0 }
    }

    /// What is heard while the microphone captures a frame that began at `at`; silence where nothing is known of it, and
    /// where nobody needs it.
    pub fn capture(&mut self, at: Instant, needed: bool) -> Frame {
        let origin = *self.origin.get_or_insert(at);
        let (began, continuous) = self.microphone.frame(at, origin);
        if !continuous {
            self.at = None;
        }
        let Some((number, heard)) = self.heard else { return [0.0; FRAME_SAMPLES] };
        let rate = f64::from(SAMPLE_RATE) / (1.0 + self.speaker.drift());
        let wanted = number + (began - heard) * rate + LEAD.as_secs_f64() * rate;
        let from = match self.at {
            Some(at) if (wanted - at).abs() < JUMP => at,
            _ => wanted,
        };
        let pull = ((wanted - from) * PULL).clamp(-MAX_PULL, MAX_PULL);
        let step = 1.0 + self.drift() + pull / FRAME_SAMPLES as f64;
        self.at = Some(from + step * FRAME_SAMPLES as f64);
        let frame = if needed { self.read(from, step) } else { [0.0; FRAME_SAMPLES] };
        self.forget(from as i64);
        frame
    }

    /// How much faster the loudspeaker's clock runs than the microphone's, in parts per million; `None` in the first
    /// 10 s.
    pub fn drift_ppm(&self) -> Option<f32> {
        let known = self.speaker.frames() >= KNOWN && self.microphone.frames() >= KNOWN;
        known.then(|| (self.drift() * 1e6) as f32)
    }

    /// Another microphone has another clock.
    pub fn microphone_changed(&mut self) {
        (self.microphone, self.at) = (Clock::new(), None);
    }

    /// Another loudspeaker likewise; what the old one still had queued is not heard any more.
    pub fn speaker_changed(&mut self) {
        (self.speaker, self.at) = (Clock::new(), None);
        (self.heard, self.newest) = (None, None);
        self.first += self.played.len() as i64;
        self.played.clear();
    }

    /// Samples played in a sample of the microphone, less one.
    fn drift(&self) -> f64 {
        ((1.0 + self.microphone.drift()) / (1.0 + self.speaker.drift()) - 1.0).clamp(-MAX_DRIFT, MAX_DRIFT)
    }

    /// Values from a position on, so many samples apart.
    fn read(&self, from: f64, step: f64) -> Frame {
        let begin = from.floor() as i64 - (TAPS as i64 / 2 - 1);
        // What is read lies within these, since both clocks are within MAX_DRIFT and MAX_PULL.
        let mut around = [0.0; FRAME_SAMPLES + TAPS + 2];
        let skipped = usize::try_from(begin.saturating_sub(self.first)).unwrap_or(0);
        let before = usize::try_from(self.first.saturating_sub(begin)).unwrap_or(0).min(around.len());
        for (value, played) in around[before..].iter_mut().zip(self.played.iter().skip(skipped)) {
            *value = *played;
        }
        std::array::from_fn(|i| {
            let at = from - from.floor() + step * i as f64;
            let (whole, rest) = (at as usize, at.fract());
            let taps = around.get(whole..).and_then(|around| around.first_chunk::<TAPS>());
            taps.map_or(0.0, |taps| sinc::between(taps, rest))
        })
    }

    fn forget(&mut self, read: i64) {
        let keep = read - TAPS as i64 - FRAME_SAMPLES as i64;
        let surplus = usize::try_from(keep - self.first).unwrap_or(0).min(self.played.len());
        self.played.drain(..surplus);
        self.first += surplus as i64;
    }
}
