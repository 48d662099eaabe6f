//! A real loudspeaker: the audio thread fills a ring, the callback empties it.
//!
//! Here is the audio thread's side; the other one is in `callback.rs`.

use super::appetite::Appetite;
use super::beat::{Beat, LEAD};
use super::callback::{Drain, Told, build};
use super::margin::Margin;
use crate::sound::connection::Lane;
use crate::sound::fade::Fade;
use crate::sound::fault::{Faults, open_error};
use crate::sound::host::{self, Direction};
use crate::sound::resample::{Frames, Resampler};
use crate::{Counters, DeviceError, Worker, list::DeviceInfo};
use cpal::Stream;
use cpal::traits::StreamTrait;
use rtrb::{Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// What the ring can hold.
const RING: Duration = Duration::from_millis(400);
/// Longest period that the queue follows; a device that asks for more at once runs dry rather than lag.
const MAX_PERIOD: Duration = Duration::from_millis(60);
/// A device that takes nothing for so long has failed.
const STALL: Duration = Duration::from_secs(4);
/// How long closing may take before it is left to itself.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// A cpal output stream and what goes into it.
pub(crate) struct DeviceSpeaker {
    info: DeviceInfo,
    stream: Option<(Stream, Lane)>,
    samples: Producer<f32>,
    capacity: usize,
    rate: u32,
    /// Period asked for at opening, in samples.
    period: u32,
    resampler: Resampler,
    margin: Margin,
    appetite: Appetite,
    opened: Instant,
    beat: Beat,
    /// Samples written, and taken by the device until it was asked last.
    written: u64,
    taken: u64,
    underruns: u64,
    told: Arc<Told>,
    faults: Arc<Faults>,
    seen: u64,
    last_seen: Instant,
}

impl DeviceSpeaker {
    /// Opens the default loudspeaker or the one that `wanted` names.
    pub fn open(wanted: Option<&str>) -> Result<Self, DeviceError> {
        let found = host::find(Direction::Output, wanted)?;
        let layout = host::layout(&found, Direction::Output)?;
        let (channels, rate) = (usize::from(layout.config.channels), layout.config.sample_rate);
        let resampler = Resampler::new(rate, Frames::In).ok_or(DeviceError::UnsupportedFormat)?;
        let (faults, told) = (Arc::new(Faults::default()), Arc::new(Told::default()));
        let capacity = (RING.as_secs_f64() * f64::from(rate)) as usize;

        let opened = Instant::now();
        let mut ring = None;
        let stream = host::open_stream(layout, |layout| {
            let (samples, from) = RingBuffer::new(capacity);
            ring = Some(samples);
            let (told, watched) = (told.clone(), faults.clone());
            let (fade, faults) = (Fade::new(rate), faults.clone());
            let drain = Drain { samples: from, channels, fade, opened, told, faults };
            build(&found.device, layout, drain, &watched)
        });
        let stream = stream.map_err(|error| open_error(&error, &found.info.name))?;
        stream.play().map_err(|error| open_error(&error, &found.info.name))?;
        let samples = ring.ok_or(DeviceError::UnsupportedFormat)?;
        tracing::info!(device = %found.info.name, rate, channels, format = %layout.format, "loudspeaker opened");
        let now = Instant::now();
        Ok(Self {
            info: found.info,
            stream: Some((stream, found.lane)),
            samples,
            capacity,
            rate,
            period: rate / 100,
            resampler,
            margin: Margin::new(now),
            appetite: Appetite::new(now),
            opened,
            beat: Beat::default(),
            written: 0,
            taken: 0,
            underruns: 0,
            told,
            faults,
            seen: 0,
            last_seen: now,
        })
    }

    /// Frames to write so that what it takes until it is asked again, and the margin, are queued.
    pub fn wants(&mut self) -> usize {
        let now = Instant::now();
        let callbacks = self.told.callbacks.load(Ordering::Relaxed);
        if callbacks != self.seen {
            (self.seen, self.last_seen) = (callbacks, now);
            let came = self.opened + Duration::from_micros(self.told.came_us.load(Ordering::Relaxed));
            self.beat.on_callback(came, self.period());
        }
        let underruns = self.faults.counters().underruns;
        let margin = self.margin.update(underruns, now);
        if underruns != std::mem::replace(&mut self.underruns, underruns) {
            self.appetite.ran_dry(now);
        }
        let queued = self.queued();
        let taken = self.written - queued as u64;
        let lately = taken - std::mem::replace(&mut self.taken, taken);
        let longest = (MAX_PERIOD.as_secs_f64() * f64::from(self.rate)) as usize;
        let period = self.told.period.load(Ordering::Relaxed).max(self.period) as usize;
        let need = self.appetite.fed(now, lately as usize, period.min(longest));
        // Who is fed at the right moment needs that much less of a margin.
        let early = if self.ask_at(now).is_some() { LEAD.as_secs_f64() } else { 0.0 };
        let target = need + ((margin - early).max(0.0) * f64::from(self.rate)) as usize;
        let frame = FRAME_SAMPLES * self.rate as usize / SAMPLE_RATE as usize;
        target.saturating_sub(queued).div_ceil(frame.max(1))
    }

    /// When it is best asked again, where that is known.
    pub fn ask_at(&self, now: Instant) -> Option<Instant> {
        self.beat.feed_at(now, self.period())
    }

    /// What it takes at a time, of late.
    fn period(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.told.period.load(Ordering::Relaxed)) / f64::from(self.rate))
    }

    /// Queues a frame.
    pub fn write(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        let sound = self.resampler.process(frame);
        match self.samples.push_entire_slice(sound) {
            Ok(()) => self.written += sound.len() as u64,
            Err(_) => self.faults.overrun(),
        }
    }

    fn queued(&self) -> usize {
        self.capacity - self.samples.slots()
    }

    /// How long until a frame written now is heard.
    pub fn delay(&self) -> Duration {
        let queued = Duration::from_secs_f64(self.queued() as f64 / f64::from(self.rate));
        let device = Duration::from_micros(u64::from(self.told.latency_us.load(Ordering::Relaxed)));
        queued + device + self.resampler.delay()
    }

    /// The device's id.
    pub fn id(&self) -> &str {
        &self.info.id
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        self.faults.counters()
    }

    /// Why the stream has ended, if it has.
    pub fn failed(&self) -> Option<DeviceError> {
        let silent = self.told.callbacks.load(Ordering::Relaxed) == self.seen && self.last_seen.elapsed() > STALL;
        self.faults.fatal(&self.info.name).or_else(|| silent.then_some(DeviceError::Stalled))
    }
}

impl Drop for DeviceSpeaker {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // A sound server that hangs must not take the audio thread with it.
        Worker::spawn("close speaker", move |_| drop(stream)).join_within(CLOSE_LIMIT);
    }
}
