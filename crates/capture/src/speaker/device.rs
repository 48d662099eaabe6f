//! A real loudspeaker: the audio thread fills a ring, the callback empties it.
//!
//! The callback pops, fades, converts the sample format and counts; it takes no lock, allocates nothing, logs nothing.

use crate::sound::fade::Fade;
use crate::sound::fault::{Faults, open_error};
use crate::sound::host::{self, Direction, Layout, OPEN_LIMIT};
use crate::sound::resample::{Frames, Resampler};
use crate::{Counters, DeviceError, Worker, list::DeviceInfo};
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, OutputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// What the ring can hold.
const RING: Duration = Duration::from_millis(400);
/// Queued beyond two periods, for the audio thread's own lateness: at first, at least, at most.
const MARGIN: f64 = 0.010;
const MIN_MARGIN: f64 = 0.005;
const MAX_MARGIN: f64 = 0.020;
/// Each time it runs dry the margin grows by this…
const WIDEN: f64 = 0.005;
/// …and after this long without it shrinks by [`NARROW`].
const CALM: Duration = Duration::from_secs(20);
const NARROW: f64 = 0.001;
/// Longest period that the queue follows; a device that asks for more at once runs dry rather than lag.
const MAX_PERIOD: Duration = Duration::from_millis(60);
/// A system that claims a longer delay than this is not believed.
const MAX_LATENCY: Duration = Duration::from_secs(1);
/// A device that takes nothing for so long has failed.
const STALL: Duration = Duration::from_secs(4);
/// How long closing may take before it is left to itself.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// What the callback tells.
#[derive(Default)]
struct Pulse {
    callbacks: AtomicU64,
    /// Samples asked for at once, of late.
    period: AtomicU32,
    /// The device's own delay in microseconds.
    latency_us: AtomicU32,
}

/// The callback's side.
struct Drain {
    samples: Consumer<f32>,
    channels: usize,
    fade: Fade,
    pulse: Arc<Pulse>,
    faults: Arc<Faults>,
}

impl Drain {
    /// Runs in the system's audio thread.
    fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T], info: &OutputCallbackInfo) {
        let times = info.timestamp();
        let latency = times.playback.saturating_duration_since(times.callback).min(MAX_LATENCY);
        let asked = data.len() / self.channels;
        let period = self.pulse.period.load(Ordering::Relaxed);
        let slowly_down = period - period / 64;
        self.pulse.period.store(slowly_down.max(asked as u32), Ordering::Relaxed);
        self.pulse.latency_us.store(latency.as_micros() as u32, Ordering::Relaxed);
        self.pulse.callbacks.fetch_add(1, Ordering::Relaxed);

        let n = asked.min(self.samples.slots());
        if n < asked && self.fade.playing() {
            self.faults.underrun();
        }
        let (sound, rest) = data.split_at_mut(n * self.channels);
        if let Ok(chunk) = self.samples.read_chunk(n) {
            for (out, sample) in sound.chunks_exact_mut(self.channels).zip(chunk) {
                out.fill(T::from_sample(self.fade.sound(sample)));
            }
        }
        let (gap, odd) = rest.split_at_mut((asked - n) * self.channels);
        for out in gap.chunks_exact_mut(self.channels) {
            out.fill(T::from_sample(self.fade.gap()));
        }
        odd.fill(T::EQUILIBRIUM);
    }
}

/// How much to keep queued; pure but for the counters it is given.
struct Margin {
    seconds: f64,
    underruns: u64,
    calm_since: Instant,
}

impl Margin {
    fn new(now: Instant) -> Self {
        Self { seconds: MARGIN, underruns: 0, calm_since: now }
    }

    fn update(&mut self, underruns: u64, now: Instant) -> f64 {
        if underruns > self.underruns {
            self.underruns = underruns;
            self.calm_since = now;
            self.seconds = (self.seconds + WIDEN).min(MAX_MARGIN);
        } else if now.saturating_duration_since(self.calm_since) > CALM {
            self.calm_since = now;
            self.seconds = (self.seconds - NARROW).max(MIN_MARGIN);
        }
        self.seconds
    }
}

/// A cpal output stream and what goes into it.
pub(crate) struct DeviceSpeaker {
    info: DeviceInfo,
    stream: Option<Stream>,
    samples: Producer<f32>,
    capacity: usize,
    rate: u32,
    /// Period asked for at opening, in samples.
    period: u32,
    resampler: Resampler,
    margin: Margin,
    pulse: Arc<Pulse>,
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
        let (faults, pulse) = (Arc::new(Faults::default()), Arc::new(Pulse::default()));
        let capacity = (RING.as_secs_f64() * f64::from(rate)) as usize;

        let mut ring = None;
        let opened = host::open_stream(layout, |layout| {
            let (samples, from) = RingBuffer::new(capacity);
            ring = Some(samples);
            let (pulse, faults) = (pulse.clone(), faults.clone());
            let drain = Drain { samples: from, channels, fade: Fade::new(rate), pulse, faults: faults.clone() };
            build(&found.device, layout, drain, &faults)
        });
        let stream = opened.map_err(|error| open_error(&error, &found.info.name))?;
        stream.play().map_err(|error| open_error(&error, &found.info.name))?;
        let samples = ring.ok_or(DeviceError::UnsupportedFormat)?;
        tracing::info!(device = %found.info.name, rate, channels, format = %layout.format, "loudspeaker opened");
        let now = Instant::now();
        Ok(Self {
            info: found.info,
            stream: Some(stream),
            samples,
            capacity,
            rate,
            period: rate / 100,
            resampler,
            margin: Margin::new(now),
            pulse,
            faults,
            seen: 0,
            last_seen: now,
        })
    }

    /// Frames to write so that two periods and the margin are queued.
    pub fn wants(&mut self) -> usize {
        let now = Instant::now();
        let callbacks = self.pulse.callbacks.load(Ordering::Relaxed);
        if callbacks != self.seen {
            (self.seen, self.last_seen) = (callbacks, now);
        }
        let margin = self.margin.update(self.faults.counters().underruns, now);
        let longest = (MAX_PERIOD.as_secs_f64() * f64::from(self.rate)) as usize;
        let period = self.pulse.period.load(Ordering::Relaxed).max(self.period) as usize;
        let target = 2 * period.min(longest) + (margin * f64::from(self.rate)) as usize;
        let frame = FRAME_SAMPLES * self.rate as usize / SAMPLE_RATE as usize;
        target.saturating_sub(self.queued()).div_ceil(frame.max(1))
    }

    /// Queues a frame.
    pub fn write(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        let sound = self.resampler.process(frame);
        if self.samples.push_entire_slice(sound).is_err() {
            self.faults.overrun();
        }
    }

    fn queued(&self) -> usize {
        self.capacity - self.samples.slots()
    }

    /// How long until a frame written now is heard.
    pub fn delay(&self) -> Duration {
        let queued = Duration::from_secs_f64(self.queued() as f64 / f64::from(self.rate));
        let device = Duration::from_micros(u64::from(self.pulse.latency_us.load(Ordering::Relaxed)));
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
        let silent = self.pulse.callbacks.load(Ordering::Relaxed) == self.seen && self.last_seen.elapsed() > STALL;
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

fn build(device: &cpal::Device, layout: Layout, drain: Drain, faults: &Arc<Faults>) -> Result<Stream, cpal::Error> {
    match layout.format {
        SampleFormat::F32 => build_as::<f32>(device, layout, drain, faults),
        SampleFormat::F64 => build_as::<f64>(device, layout, drain, faults),
        SampleFormat::I8 => build_as::<i8>(device, layout, drain, faults),
        SampleFormat::I16 => build_as::<i16>(device, layout, drain, faults),
        SampleFormat::I24 => build_as::<cpal::I24>(device, layout, drain, faults),
        SampleFormat::I32 => build_as::<i32>(device, layout, drain, faults),
        SampleFormat::U8 => build_as::<u8>(device, layout, drain, faults),
        SampleFormat::U16 => build_as::<u16>(device, layout, drain, faults),
        SampleFormat::U24 => build_as::<cpal::U24>(device, layout, drain, faults),
        SampleFormat::U32 => build_as::<u32>(device, layout, drain, faults),
        _ => Err(cpal::ErrorKind::UnsupportedConfig.into()),
    }
}

fn build_as<T>(device: &cpal::Device, layout: Layout, mut drain: Drain, faults: &Arc<Faults>) -> Result<Stream, cpal::Error>
where
    T: SizedSample + Sample + FromSample<f32>,
{
    let faults = faults.clone();
    device.build_output_stream(
        layout.config,
        move |data: &mut [T], info| drain.fill(data, info),
        move |error| faults.stream_error(error.kind()),
        Some(OPEN_LIMIT),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::{OutputStreamTimestamp, StreamInstant};

    fn drain(channels: usize) -> (Producer<f32>, Drain) {
        let (to, samples) = RingBuffer::new(4800);
        let (pulse, faults) = Default::default();
        (to, Drain { samples, channels, fade: Fade::new(48_000), pulse, faults })
    }

    fn info() -> OutputCallbackInfo {
        let at = StreamInstant::from_millis;
        OutputCallbackInfo::new(OutputStreamTimestamp { callback: at(5), playback: at(25) })
    }

    #[test]
    fn the_callback_gives_every_channel_the_same_and_fades_out_when_dry() {
        let (mut to, mut drain) = drain(2);
        to.push_entire_slice(&[0.5; 600]).expect("room");
        let mut out = vec![i16::MAX; 960];
        drain.fill(&mut out, &info());
        assert!(out.chunks(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(out[959], 16_384);
        drain.fill(&mut out, &info());
        assert_eq!(drain.faults.counters().underruns, 1);
        assert!(out[241] > 10_000 && out[959].abs() < 5);
        drain.fill(&mut out, &info());
        assert_eq!((drain.faults.counters().underruns, out[100]), (1, 0));
        assert_eq!(drain.pulse.latency_us.load(Ordering::Relaxed), 20_000);
        assert_eq!(drain.pulse.period.load(Ordering::Relaxed), 480);
    }

    #[test]
    fn unsigned_silence_is_the_middle_and_a_broken_length_does_no_harm() {
        let (_to, mut drain) = drain(2);
        let mut out = vec![0u8; 7];
        drain.fill(&mut out, &info());
        assert_eq!(out, [128; 7]);
        drain.fill::<f32>(&mut [], &info());
    }

    #[test]
    fn the_margin_grows_with_underruns_and_shrinks_slowly() {
        let now = Instant::now();
        let mut margin = Margin::new(now);
        assert_eq!(margin.update(0, now), MARGIN);
        assert!((1..9).map(|n| margin.update(n, now)).all(|m| m <= MAX_MARGIN));
        assert_eq!(margin.update(8, now + CALM), MAX_MARGIN);
        for n in 1..100 {
            margin.update(8, now + CALM * 2 * n);
        }
        assert_eq!(margin.update(8, now), MIN_MARGIN);
    }
}
