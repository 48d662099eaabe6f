//! The loudspeaker's callback, in the system's audio thread.
//!
//! It pops, fades, converts the sample format and counts; it takes no lock, allocates nothing, logs nothing.

use crate::sound::fade::Fade;
use crate::sound::fault::Faults;
use crate::sound::host::{Layout, OPEN_LIMIT};
use cpal::traits::DeviceTrait;
use cpal::{FromSample, OutputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};
use rtrb::Consumer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A system that claims a longer delay than this is not believed.
const MAX_LATENCY: Duration = Duration::from_secs(1);

/// What the callback tells.
#[derive(Default)]
pub(super) struct Told {
    /// Callbacks so far.
    pub callbacks: AtomicU64,
    /// When the newest came, in microseconds since the stream was opened.
    pub came_us: AtomicU64,
    /// Samples asked for at once, of late.
    pub period: AtomicU32,
    /// The device's own delay in microseconds.
    pub latency_us: AtomicU32,
}

/// The callback's side.
pub(super) struct Drain {
    /// Mono, at the device's rate.
    pub samples: Consumer<f32>,
    /// Of the device; each gets the same.
    pub channels: usize,
    /// In and out of silence.
    pub fade: Fade,
    /// When the stream was opened.
    pub opened: Instant,
    /// Told to the audio thread.
    pub told: Arc<Told>,
    /// Counted for it.
    pub faults: Arc<Faults>,
}

impl Drain {
    /// Runs in the system's audio thread.
    fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T], info: &OutputCallbackInfo) {
        let times = info.timestamp();
        let latency = times.playback.saturating_duration_since(times.callback).min(MAX_LATENCY);
        let asked = data.len() / self.channels;
        let period = self.told.period.load(Ordering::Relaxed);
        let slowly_down = period - period / 64;
        self.told.period.store(slowly_down.max(asked as u32), Ordering::Relaxed);
        self.told.latency_us.store(latency.as_micros() as u32, Ordering::Relaxed);
        self.told.came_us.store(self.opened.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.told.callbacks.fetch_add(1, Ordering::Relaxed);

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

/// Opens a stream of the layout's sample format whose callback is `drain`.
pub(super) fn build(
    device: &cpal::Device,
    layout: Layout,
    drain: Drain,
    faults: &Arc<Faults>,
) -> Result<Stream, cpal::Error> {
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

fn build_as<T>(
    device: &cpal::Device,
    layout: Layout,
    mut drain: Drain,
    faults: &Arc<Faults>,
) -> Result<Stream, cpal::Error>
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
    use rtrb::{Producer, RingBuffer};

    fn drain(channels: usize) -> (Producer<f32>, Drain) {
        let (to, samples) = RingBuffer::new(4800);
        let (told, faults) = Default::default();
        (to, Drain { samples, channels, fade: Fade::new(48_000), opened: Instant::now(), told, faults })
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
        assert_eq!(drain.told.latency_us.load(Ordering::Relaxed), 20_000);
        assert_eq!(drain.told.period.load(Ordering::Relaxed), 480);
    }

    #[test]
    fn unsigned_silence_is_the_middle_and_a_broken_length_does_no_harm() {
        let (_to, mut drain) = drain(2);
        let mut out = vec![0u8; 7];
        drain.fill(&mut out, &info());
        assert_eq!(out, [128; 7]);
        drain.fill::<f32>(&mut [], &info());
    }
}
