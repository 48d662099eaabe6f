//! A real microphone's callback, in the system's audio thread.
//!
//! It converts the sample format, pushes and counts; it takes no lock, allocates nothing, logs nothing.

use crate::sound::fault::Faults;
use crate::sound::host::{Layout, OPEN_LIMIT};
use cpal::traits::DeviceTrait;
use cpal::{FromSample, InputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the ring holds: enough for a stall that the sound would not survive anyway.
const RING: Duration = Duration::from_millis(500);
/// Callbacks whose moments wait to be read.
const MARKS: usize = 256;
/// A system that claims a longer delay than this is not believed.
pub(super) const MAX_AGE: Duration = Duration::from_millis(500);

/// Where in the stream a callback began, and when that was captured; when it came, and how much it brought.
pub(super) struct Mark {
    pub first: u64,
    pub at: Instant,
    pub came: Instant,
    /// For each channel.
    pub samples: u64,
}

/// What the audio thread takes out.
pub(super) struct Outlet {
    /// Interleaved.
    pub samples: Consumer<f32>,
    pub marks: Consumer<Mark>,
}

/// The callback's side.
pub(super) struct Tap {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    channels: usize,
    first: u64,
    faults: Arc<Faults>,
}

/// A tap for a device of this layout, and what comes out of it.
pub(super) fn tap(channels: usize, rate: u32, faults: &Arc<Faults>) -> (Tap, Outlet) {
    let ring = (RING.as_secs_f64() * f64::from(rate)) as usize;
    let (to, samples) = RingBuffer::new(ring * channels);
    let (to_marks, marks) = RingBuffer::new(MARKS);
    let tap = Tap { samples: to, marks: to_marks, channels, first: 0, faults: faults.clone() };
    (tap, Outlet { samples, marks })
}

impl Tap {
    /// Takes what the device gives: whole frames of all channels, whatever their number; what was captured `age` ago.
    pub fn take<T: Copy>(&mut self, data: &[T], age: Duration, now: Instant)
    where
        f32: FromSample<T>,
    {
        // Where nobody reads, moments are lost together with the sound.
        let whole = data.len() - data.len() % self.channels;
        let (at, samples) = (now.checked_sub(age.min(MAX_AGE)).unwrap_or(now), (whole / self.channels) as u64);
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

/// Opens a stream of the layout's sample format that goes through the tap.
pub(super) fn build(
    device: &cpal::Device,
    layout: Layout,
    tap: Tap,
    faults: &Arc<Faults>,
) -> Result<Stream, cpal::Error> {
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
    let callback = move |data: &[T], info: &InputCallbackInfo| {
        let times = info.timestamp();
        tap.take(data, times.callback.saturating_duration_since(times.capture), Instant::now());
    };
    let failed = move |error: cpal::Error| faults.stream_error(error.kind());
    device.build_input_stream(layout.config, callback, failed, Some(OPEN_LIMIT))
}
