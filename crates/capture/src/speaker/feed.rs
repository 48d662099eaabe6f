//! The audio thread's side of a loudspeaker: how much to queue, and when what is queued will be heard; pure.
//!
//! The device counts the samples it takes, and each of its callbacks tells when the first of them will be heard. A line
//! through these moments says when any sample is heard. A frame's own number is what was written before it and what the
//! device has put in between for want of sound; so its moment follows from the device's count and clock, neither from
//! when it was written nor from how full the queue was then.

use super::appetite::Appetite;
use super::beat::Beat;
use super::callback::Mark;
use super::lead::Lead;
use super::margin::Margin;
use crate::Counters;
use crate::sound::fault::Faults;
use crate::sound::resample::{Frames, Resampler};
use crate::sound::timeline::Timeline;
use crate::sound::true_rate::TrueRate;
use rtrb::{Consumer, Producer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// Longest period that the queue follows; a device that asks for more at once runs dry rather than lag.
const MAX_PERIOD: Duration = Duration::from_millis(60);

/// The other end of what a [`Drain`](super::callback::Drain) empties.
pub(super) struct Feed {
    samples: Producer<f32>,
    capacity: usize,
    marks: Consumer<Mark>,
    rate: u32,
    /// Samples asked for at once, of late; and as asked for at opening.
    period: u64,
    opening_period: u64,
    resampler: Resampler,
    true_rate: TrueRate,
    /// Of a device whose callbacks are foreseen.
    beat: Beat,
    lead: Lead,
    /// Of one that is fed at any moment.
    margin: Margin,
    appetite: Appetite,
    /// When which of the device's samples is heard.
    line: Timeline,
    /// The system tells how long sound waits before it is heard.
    tells_delay: bool,
    /// What the device has put in, as told by its newest callback.
    gaps: u64,
    /// Samples written, and taken out of the queue until it was asked last.
    written: u64,
    taken: u64,
    underruns: u64,
    faults: Arc<Faults>,
    /// When a new callback was last heard of.
    alive: Instant,
}

impl Feed {
    /// Of a stream that is opened now, with a device of `rate`.
    pub fn new(
        samples: Producer<f32>,
        marks: Consumer<Mark>,
        rate: u32,
        resampler: Resampler,
        faults: Arc<Faults>,
        now: Instant,
    ) -> Self {
        Self {
            capacity: samples.buffer().capacity(),
            samples,
            marks,
            rate,
            period: 0,
            opening_period: u64::from(rate / 100),
            resampler,
            true_rate: TrueRate::new(rate),
            beat: Beat::default(),
            lead: Lead::new(now),
            margin: Margin::new(now),
            appetite: Appetite::new(now),
            line: Timeline::new(rate),
            tells_delay: false,
            gaps: 0,
            written: 0,
            taken: 0,
            underruns: 0,
            faults,
            alive: now,
        }
    }

    /// Frames to write so that what it takes until it is asked again, and a margin, are queued.
    pub fn wants(&mut self, now: Instant) -> usize {
        self.take_marks(now);
        let underruns = self.faults.counters().underruns;
        let margin = self.margin.update(underruns, now);
        if underruns != std::mem::replace(&mut self.underruns, underruns) {
            self.appetite.ran_dry(now);
            self.lead.ran_dry(now);
        }
        self.lead.feed(now);
        let queued = self.queued();
        let taken = self.written - queued as u64;
        let lately = taken - std::mem::replace(&mut self.taken, taken);
        let longest = (MAX_PERIOD.as_secs_f64() * f64::from(self.rate)) as usize;
        let period = (self.period.max(self.opening_period) as usize).min(longest);
        let need = self.appetite.fed(now, lately as usize, period);
        let target = if self.ask_at(now).is_some() {
            let periods = 1 + self.beat.pending(now, self.period()) + self.lead.reserve(self.period());
            period * periods as usize
        } else {
            need + (margin * f64::from(self.rate)) as usize
        };
        let frame = FRAME_SAMPLES * self.rate as usize / SAMPLE_RATE as usize;
        target.saturating_sub(queued).div_ceil(frame.max(1))
    }

    /// When it is best asked again, where that is known.
    pub fn ask_at(&self, now: Instant) -> Option<Instant> {
        self.beat.feed_at(now, self.period(), self.lead.before(self.period()))
    }

    /// Queues a frame.
    pub fn write(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        let sound = self.resampler.process(frame);
        match self.samples.push_entire_slice(sound) {
            Ok(()) => self.written += sound.len() as u64,
            Err(_) => self.faults.overrun(),
        }
    }

    /// When the first sample of a frame written now will be heard.
    pub fn heard_at(&mut self, now: Instant) -> Instant {
        self.take_marks(now);
        self.heard(now)
    }

    /// How long until a frame written now is heard.
    pub fn delay(&self, now: Instant) -> Duration {
        self.heard(now).saturating_duration_since(now)
    }

    /// Samples written so far, at the device's rate.
    #[cfg(test)]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        self.faults.counters()
    }

    /// Whether the device has not asked for anything for so long.
    pub fn stalled(&self, now: Instant, limit: Duration) -> bool {
        self.marks.is_empty() && now.saturating_duration_since(self.alive) > limit
    }

    fn heard(&self, now: Instant) -> Instant {
        // Before the first callback nothing is known but what is queued.
        let queued = || now + Duration::from_secs_f64(self.queued() as f64 / f64::from(self.rate));
        self.line.at(self.written + self.gaps).unwrap_or_else(queued) + self.resampler.delay()
    }

    fn take_marks(&mut self, now: Instant) {
        while let Ok(mark) = self.marks.pop() {
            let slowly_down = self.period - self.period / 64;
            self.period = slowly_down.max(mark.samples);
            self.beat.on_callback(mark.came, self.period());
            self.note(mark);
            self.lead.on_callback(mark.came, mark.left / self.period.max(1), self.period().as_secs_f64());
            self.gaps = mark.gaps;
            self.alive = now;
            if let Some(rate) = self.true_rate.note(mark.samples, mark.came) {
                self.believe(rate);
            }
        }
    }

    /// A sound server that had nothing left of ours says that there is no delay. What it takes then is heard from then on,
    /// later by as much as it had to wait; nothing but that moment tells how long that was.
    fn note(&mut self, mark: Mark) {
        let waits = mark.heard > mark.came;
        let late = self.line.at(mark.first).is_some_and(|expected| mark.heard > expected);
        if !waits && self.tells_delay && late {
            self.line.begin_anew(mark.first, mark.heard);
        } else {
            self.line.note(mark.first, mark.heard);
        }
        self.tells_delay |= waits;
    }

    /// The device takes another rate than it said.
    fn believe(&mut self, rate: u32) {
        let Some(resampler) = Resampler::new(rate, Frames::In) else { return };
        tracing::warn!(told = self.rate, takes = rate, "a loudspeaker has another rate than it says");
        (self.rate, self.opening_period) = (rate, u64::from(rate / 100));
        (self.line, self.resampler) = (Timeline::new(rate), resampler);
    }

    /// What it takes at a time, of late.
    fn period(&self) -> Duration {
        Duration::from_secs_f64(self.period as f64 / f64::from(self.rate))
    }

    fn queued(&self) -> usize {
        self.capacity - self.samples.slots()
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
