//! What a microphone gives, made into frames of 10 ms at 48 kHz with their moments: the audio thread's side.
//!
//! Nothing of what a device says about itself is relied on but the number of its channels. Here, before anything else,
//! samples become numbers within full scale; a rate that is not the one told is found out; and however much comes, no
//! more sound leaves than there is time.

use super::tap::{MAX_AGE, Outlet};
use crate::sound::fault::Faults;
use crate::sound::resample::{Frames, Resampler};
use crate::sound::timeline::Timeline;
use crate::sound::true_rate::TrueRate;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_DURATION};

/// Above this the oldest sound is thrown away: late sound is worse than a gap.
const MAX_BACKLOG: Duration = Duration::from_millis(200);
/// How much of it is kept then.
const KEEP: Duration = Duration::from_millis(20);
/// Frames that may come at once after a pause: a backlog, and what has come meanwhile.
const BURST: f64 = 25.0;
/// Frames for each frame's time that may come in the long run: no clock is off by as much.
const MOST: f64 = 1.02;

/// See the module's text.
pub(super) struct Intake {
    outlet: Outlet,
    channels: usize,
    rate: u32,
    /// Number of the next sample to be read.
    next: u64,
    timeline: Timeline,
    true_rate: TrueRate,
    resampler: Resampler,
    mono: Vec<f32>,
    /// Frames that may still leave, and as of when.
    allowance: (f64, Instant),
    faults: Arc<Faults>,
    hiccups: u64,
    last_sound: Instant,
    burst: Option<Burst>,
    next_at: Option<Instant>,
}

/// Callbacks that come at once. A system that has sound for several asks what moment it is only once: all of them tell
/// that of the first.
#[derive(Clone, Copy)]
struct Burst {
    came: Instant,
    /// How much sound it has brought so far, and the burst before it brought.
    lasts: Duration,
    before: Duration,
}

impl Burst {
    /// Whether a callback that came then is a part of it: sooner than half of what it has brought could be captured
    /// nothing new is captured.
    fn goes_on(&self, came: Instant) -> bool {
        came.saturating_duration_since(self.came) < self.lasts / 2
    }
}

impl Intake {
    /// For a device of this rate and so many channels, which is opened now; `None` where the rate is out of bounds.
    pub fn new(outlet: Outlet, channels: usize, rate: u32, faults: Arc<Faults>, now: Instant) -> Option<Self> {
        let resampler = Resampler::new(rate, Frames::Out)?;
        Some(Self {
            outlet,
            channels: channels.max(1),
            rate,
            next: 0,
            timeline: Timeline::new(rate),
            true_rate: TrueRate::new(rate),
            mono: Vec::with_capacity(resampler.needs_max()),
            resampler,
            allowance: (BURST, now),
            faults,
            hiccups: 0,
            last_sound: now,
            burst: None,
            next_at: None,
        })
    }

    /// The next frame, if its samples are there.
    pub fn read(&mut self, now: Instant) -> Option<AudioFrame> {
        self.take_marks(now);
        self.drop_backlog();
        while let Some(frame) = self.frame() {
            if self.may_leave(now) {
                return Some(frame);
            }
            self.faults.overrun();
        }
        None
    }

    /// When its next callback should come; `None` before the first.
    pub fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// For how long it has given nothing.
    pub fn silent_for(&self, now: Instant) -> Duration {
        if self.outlet.marks.is_empty() { now.saturating_duration_since(self.last_sound) } else { Duration::ZERO }
    }

    fn take_marks(&mut self, now: Instant) {
        // What the system lost; what is thrown away here has been counted before.
        let hiccups = self.faults.counters().underruns;
        if hiccups != std::mem::replace(&mut self.hiccups, hiccups) {
            self.true_rate.lost();
        }
        while let Ok(mark) = self.outlet.marks.pop() {
            let lasts = Duration::from_secs_f64(mark.samples as f64 / f64::from(self.rate)).min(MAX_AGE);
            let burst = match self.burst {
                Some(burst) if burst.goes_on(mark.came) => Burst { lasts: burst.lasts + lasts, ..burst },
                before => {
                    self.timeline.note(mark.first, mark.at);
                    Burst { came: mark.came, lasts, before: before.map_or(lasts, |burst| burst.lasts) }
                }
            };
            // What has piled up says nothing of how much comes at a time.
            self.next_at = Some(mark.came + burst.lasts.min(burst.before));
            (self.burst, self.last_sound) = (Some(burst), now);
            if let Some(rate) = self.true_rate.note(mark.samples, mark.came) {
                self.believe(rate);
            }
        }
    }

    /// The device gives another rate than it said.
    fn believe(&mut self, rate: u32) {
        let Some(resampler) = Resampler::new(rate, Frames::Out) else { return };
        tracing::warn!(told = self.rate, gives = rate, "a microphone has another rate than it says");
        (self.rate, self.timeline) = (rate, Timeline::new(rate));
        self.mono = Vec::with_capacity(resampler.needs_max());
        self.resampler = resampler;
    }

    fn in_samples(&self, span: Duration) -> usize {
        (span.as_secs_f64() * f64::from(self.rate)) as usize
    }

    fn drop_backlog(&mut self) {
        let there = self.outlet.samples.slots() / self.channels;
        if there <= self.in_samples(MAX_BACKLOG) {
            return;
        }
        let late = there - self.in_samples(KEEP);
        if let Ok(chunk) = self.outlet.samples.read_chunk(late * self.channels) {
            chunk.commit_all();
            self.next += late as u64;
            self.faults.overrun();
        }
    }

    fn frame(&mut self) -> Option<AudioFrame> {
        let needed = self.resampler.needs();
        if !self.take_mono(needed) {
            return None;
        }
        let at = self.timeline.at(self.next).unwrap_or(self.last_sound);
        self.next += needed as u64;
        let mut frame = AudioFrame::silence(at.checked_sub(self.resampler.delay()).unwrap_or(at));
        let sound = self.resampler.process(&self.mono);
        // The converter rings a little beyond full scale.
        frame.samples.iter_mut().zip(sound).for_each(|(out, sample)| *out = within_scale(*sample));
        Some(frame)
    }

    /// Averages the channels of the next `n` samples into `mono`; `false` where there are not as many.
    fn take_mono(&mut self, n: usize) -> bool {
        let channels = self.channels;
        let Ok(chunk) = self.outlet.samples.read_chunk(n * channels) else { return false };
        let share = 1.0 / channels as f32;
        self.mono.clear();
        let mut samples = chunk.into_iter().map(within_scale);
        self.mono.extend((0..n).map(|_| samples.by_ref().take(channels).sum::<f32>() * share));
        true
    }

    fn may_leave(&mut self, now: Instant) -> bool {
        let (left, since) = self.allowance;
        let passed = now.saturating_duration_since(since).as_secs_f64() / FRAME_DURATION.as_secs_f64();
        let left = (left + passed * MOST).min(BURST);
        let may = left >= 1.0;
        self.allowance = (if may { left - 1.0 } else { left }, now);
        may
    }
}

/// What is no number becomes silence, what is too loud is cut off.
fn within_scale(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
