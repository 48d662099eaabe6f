//! A real microphone: the callback fills a ring, the audio thread takes frames out of it.
//!
//! The callback converts the sample format, pushes and counts; it takes no lock, allocates nothing, logs nothing.
//! Channels are averaged, the rate is converted and moments are worked out on the audio thread.

use crate::sound::fault::{Faults, open_error};
use crate::sound::host::{self, Direction, Layout, OPEN_LIMIT};
use crate::sound::resample::{Frames, Resampler};
use crate::sound::timeline::Timeline;
use crate::{Counters, DeviceError, Worker, list::DeviceInfo};
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, InputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::AudioFrame;

/// What the ring holds: enough for a stall that the sound would not survive anyway.
const RING: Duration = Duration::from_millis(500);
/// Above this the oldest sound is thrown away: late sound is worse than a gap.
const MAX_BACKLOG: Duration = Duration::from_millis(200);
/// How much of it is kept then.
const KEEP: Duration = Duration::from_millis(20);
/// Callbacks whose moments wait to be read.
const MARKS: usize = 256;
/// A system that claims a longer delay than this is not believed.
const MAX_AGE: Duration = Duration::from_millis(500);
/// A device that gives nothing for so long has failed; starting may take a second on Bluetooth.
const STALL: Duration = Duration::from_secs(4);
/// How long closing may take before it is left to itself.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Where in the stream a callback began, and when that was captured; when it came, and when the next one should.
struct Mark {
    first: u64,
    at: Instant,
    came: Instant,
    samples: u64,
}

/// The callback's side.
struct Tap {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    channels: usize,
    first: u64,
    faults: Arc<Faults>,
}

impl Tap {
    /// Runs in the system's audio thread.
    fn take<T: Copy>(&mut self, data: &[T], info: &InputCallbackInfo)
    where
        f32: FromSample<T>,
    {
        let times = info.timestamp();
        let age = times.callback.saturating_duration_since(times.capture).min(MAX_AGE);
        let now = Instant::now();
        // Where nobody reads, moments are lost together with the sound.
        let whole = data.len() - data.len() % self.channels;
        let (at, samples) = (now.checked_sub(age).unwrap_or(now), (whole / self.channels) as u64);
        let _ = self.marks.push(Mark { first: self.first, at, came: now, samples });
        let room = self.samples.slots() - self.samples.slots() % self.channels;
        let n = whole.min(room);
        if let Ok(chunk) = self.samples.write_chunk_uninit(n) {
            chunk.fill_from_iter(data[..n].iter().map(|s| f32::from_sample_(*s)));
        }
        if n < whole {
            self.faults.overrun();
        }
        self.first += (n / self.channels) as u64;
    }
}

/// A cpal input stream and what comes out of it.
pub(crate) struct DeviceMicrophone {
    info: DeviceInfo,
    stream: Option<Stream>,
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    channels: usize,
    rate: u32,
    /// Number of the next sample to be read.
    next: u64,
    timeline: Timeline,
    resampler: Resampler,
    mono: Vec<f32>,
    faults: Arc<Faults>,
    last_sound: Instant,
    next_at: Option<Instant>,
}

impl DeviceMicrophone {
    /// Opens the default microphone or the one that `wanted` names.
    pub fn open(wanted: Option<&str>) -> Result<Self, DeviceError> {
        let found = host::find(Direction::Input, wanted)?;
        let layout = host::layout(&found, Direction::Input)?;
        let (channels, rate) = (usize::from(layout.config.channels), layout.config.sample_rate);
        let resampler = Resampler::new(rate, Frames::Out).ok_or(DeviceError::UnsupportedFormat)?;
        let faults = Arc::new(Faults::default());

        let mut rings = None;
        let opened = host::open_stream(layout, |layout| {
            let (to, samples) = RingBuffer::new(in_samples(RING, rate) * channels);
            let (to_marks, marks) = RingBuffer::new(MARKS);
            rings = Some((samples, marks));
            let tap = Tap { samples: to, marks: to_marks, channels, first: 0, faults: faults.clone() };
            build(&found.device, layout, tap, &faults)
        });
        let stream = opened.map_err(|error| open_error(&error, &found.info.name))?;
        stream.play().map_err(|error| open_error(&error, &found.info.name))?;
        let (samples, marks) = rings.ok_or(DeviceError::UnsupportedFormat)?;
        tracing::info!(device = %found.info.name, rate, channels, format = %layout.format, "microphone opened");
        Ok(Self {
            info: found.info,
            stream: Some(stream),
            samples,
            marks,
            channels,
            rate,
            next: 0,
            timeline: Timeline::new(rate),
            mono: Vec::with_capacity(resampler.needs_max()),
            resampler,
            faults,
            last_sound: Instant::now(),
            next_at: None,
        })
    }

    /// The next frame, if its samples are there.
    pub fn read(&mut self) -> Option<AudioFrame> {
        while let Ok(mark) = self.marks.pop() {
            self.timeline.note(mark.first, mark.at);
            self.last_sound = Instant::now();
            let lasts = Duration::from_secs_f64(mark.samples as f64 / f64::from(self.rate)).min(MAX_AGE);
            self.next_at = Some(mark.came + lasts);
        }
        self.drop_backlog();
        let needed = self.resampler.needs();
        if !self.take_mono(needed) {
            return None;
        }
        let at = self.timeline.at(self.next).unwrap_or(self.last_sound);
        self.next += needed as u64;
        let mut frame = AudioFrame::silence(at.checked_sub(self.resampler.delay()).unwrap_or(at));
        let sound = self.resampler.process(&self.mono);
        for (out, sample) in frame.samples.iter_mut().zip(sound) {
            *out = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        }
        Some(frame)
    }

    fn drop_backlog(&mut self) {
        let there = self.samples.slots() / self.channels;
        if there <= in_samples(MAX_BACKLOG, self.rate) {
            return;
        }
        let late = there - in_samples(KEEP, self.rate);
        if let Ok(chunk) = self.samples.read_chunk(late * self.channels) {
            chunk.commit_all();
            self.next += late as u64;
            self.faults.overrun();
        }
    }

    /// Averages the channels of the next `n` samples into `mono`; `false` where there are not as many.
    fn take_mono(&mut self, n: usize) -> bool {
        let channels = self.channels;
        let Ok(chunk) = self.samples.read_chunk(n * channels) else { return false };
        let share = 1.0 / channels as f32;
        self.mono.clear();
        let mut samples = chunk.into_iter().map(|s| if s.is_finite() { s } else { 0.0 });
        self.mono.extend((0..n).map(|_| samples.by_ref().take(channels).sum::<f32>() * share));
        true
    }

    /// When its next callback should come; `None` before the first.
    pub fn next_at(&self) -> Option<Instant> {
        self.next_at
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
        let stalled = || (self.last_sound.elapsed() > STALL && self.marks.is_empty()).then_some(DeviceError::Stalled);
        self.faults.fatal(&self.info.name).or_else(stalled)
    }
}

impl Drop for DeviceMicrophone {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // A sound server that hangs must not take the audio thread with it.
        Worker::spawn("close microphone", move |_| drop(stream)).join_within(CLOSE_LIMIT);
    }
}

fn in_samples(span: Duration, rate: u32) -> usize {
    (span.as_secs_f64() * f64::from(rate)) as usize
}

fn build(device: &cpal::Device, layout: Layout, tap: Tap, faults: &Arc<Faults>) -> Result<Stream, cpal::Error> {
    match layout.format {
        SampleFormat::F32 => build_as::<f32>(device, layout, tap, faults),
        SampleFormat::F64 => build_as::<f64>(device, layout, tap, faults),
        SampleFormat::I8 => build_as::<i8>(device, layout, tap, faults),
        SampleFormat::I16 => build_as::<i16>(device, layout, tap, faults),
        SampleFormat::I24 => build_as::<cpal::I24>(device, layout, tap, faults),
        SampleFormat::I32 => build_as::<i32>(device, layout, tap, faults),
        SampleFormat::U8 => build_as::<u8>(device, layout, tap, faults),
        SampleFormat::U16 => build_as::<u16>(device, layout, tap, faults),
        SampleFormat::U24 => build_as::<cpal::U24>(device, layout, tap, faults),
        SampleFormat::U32 => build_as::<u32>(device, layout, tap, faults),
        _ => Err(cpal::ErrorKind::UnsupportedConfig.into()),
    }
}

fn build_as<T>(device: &cpal::Device, layout: Layout, mut tap: Tap, faults: &Arc<Faults>) -> Result<Stream, cpal::Error>
where
    T: SizedSample + Sample,
    f32: FromSample<T>,
{
    let faults = faults.clone();
    device.build_input_stream(
        layout.config,
        move |data: &[T], info| tap.take(data, info),
        move |error| faults.stream_error(error.kind()),
        Some(OPEN_LIMIT),
    )
}
