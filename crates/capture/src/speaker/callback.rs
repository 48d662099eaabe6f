//! The loudspeaker's callback, in the system's audio thread.
//!
//! It pops, fades, converts the sample format, counts and marks the moment; it takes no lock, allocates nothing, logs
//! nothing.

use crate::sound::fade::Fade;
use crate::sound::fault::Faults;
use crate::sound::host::{Layout, OPEN_LIMIT};
use cpal::traits::DeviceTrait;
use cpal::{FromSample, OutputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};
use rtrb::{Consumer, Producer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A system that claims a longer delay than this is not believed.
const MAX_LATENCY: Duration = Duration::from_secs(1);

/// What a callback tells. Samples are counted at the device's rate since the stream was opened, silence included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Samples that the device took before.
    pub first: u64,
    /// Samples that it took now.
    pub samples: u64,
    /// How many of all of them were silence, because there was no sound.
    pub gaps: u64,
    /// Samples that it left in the queue.
    pub left: u64,
    /// When it came.
    pub came: Instant,
    /// When the first of its samples will be heard, as the system says.
    pub heard: Instant,
}

/// The callback's side.
pub(super) struct Drain {
    /// Mono, at the device's rate.
    pub samples: Consumer<f32>,
    /// Of the device; each gets the same.
    pub channels: usize,
    /// In and out of silence.
    pub fade: Fade,
    /// Told to the audio thread; where it does not listen, the newest are lost.
    pub marks: Producer<Mark>,
    /// Samples taken so far, and how many of them were silence.
    pub taken: u64,
    pub gaps: u64,
    /// Counted for the audio thread.
    pub faults: Arc<Faults>,
}

impl Drain {
    /// A side that has taken nothing yet.
    pub fn new(samples: Consumer<f32>, channels: usize, rate: u32, marks: Producer<Mark>, faults: Arc<Faults>) -> Self {
        Self { samples, channels, fade: Fade::new(rate), marks, taken: 0, gaps: 0, faults }
    }

    /// Runs in the system's audio thread, which called at `came`.
    pub(super) fn fill<T: Sample + FromSample<f32>>(
        &mut self,
        data: &mut [T],
        info: &OutputCallbackInfo,
        came: Instant,
    ) {
        let times = info.timestamp();
        let latency = times.playback.saturating_duration_since(times.callback).min(MAX_LATENCY);
        let asked = data.len() / self.channels;
        let queued = self.samples.slots();
        let n = asked.min(queued);
        let (first, samples) = (self.taken, asked as u64);
        self.taken += samples;
        self.gaps += (asked - n) as u64;
        let left = (queued - n) as u64;
        let _ = self.marks.push(Mark { first, samples, gaps: self.gaps, left, came, heard: came + latency });

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
        move |data: &mut [T], info| drain.fill(data, info, Instant::now()),
        move |error| faults.stream_error(error.kind()),
        Some(OPEN_LIMIT),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::{OutputStreamTimestamp, StreamInstant};
    use rtrb::RingBuffer;

    fn drain(channels: usize) -> (Producer<f32>, Consumer<Mark>, Drain) {
        let ((to, samples), (marks, told)) = (RingBuffer::new(4800), RingBuffer::new(4));
        (to, told, Drain::new(samples, channels, 48_000, marks, Arc::default()))
    }

    fn info() -> OutputCallbackInfo {
        let at = StreamInstant::from_millis;
        OutputCallbackInfo::new(OutputStreamTimestamp { callback: at(5), playback: at(25) })
    }

    #[test]
    fn the_callback_gives_every_channel_the_same_and_fades_out_when_dry() {
        let (mut to, _told, mut drain) = drain(2);
        to.push_entire_slice(&[0.5; 600]).expect("room");
        let (mut out, now) = (vec![i16::MAX; 960], Instant::now());
        drain.fill(&mut out, &info(), now);
        assert!(out.chunks(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(out[959], 16_384);
        drain.fill(&mut out, &info(), now);
        assert_eq!(drain.faults.counters().underruns, 1);
        assert!(out[241] > 10_000 && out[959].abs() < 5);
        drain.fill(&mut out, &info(), now);
        assert_eq!((drain.faults.counters().underruns, out[100]), (1, 0));
    }

    #[test]
    fn one_to_eight_channels_hold_what_was_written_at_any_rate_and_nothing_of_the_frame_that_is_not_whole() {
        for rate in [8000, 16_000, 44_100, 48_000, 96_000, 192_000] {
            for channels in 1..=8 {
                let ((mut to, samples), (marks, _told)) = (RingBuffer::new(4800), RingBuffer::new(4));
                let mut drain = Drain::new(samples, channels, rate, marks, Arc::default());
                let said: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.1).sin()).collect();
                to.push_entire_slice(&said).expect("room");
                // A device that asks for a piece of a frame at the end.
                let mut out = vec![9.0f32; 4000 * channels + channels - 1];
                drain.fill(&mut out, &info(), Instant::now());
                // It comes in gently within 10 ms.
                for (i, (frame, said)) in out.chunks_exact(channels).zip(&said).enumerate() {
                    let right = if i < rate as usize / 100 { frame[0] } else { *said };
                    assert!(frame.iter().all(|s| *s == right), "{rate} Hz, {channels} channels, sample {i}");
                }
                assert!(out[4000 * channels..].iter().all(|s| *s == 0.0), "{rate} Hz, {channels} channels");
            }
        }
    }

    #[test]
    fn each_call_marks_what_it_took_what_of_it_was_silence_and_when_it_is_heard() {
        let (mut to, mut told, mut drain) = drain(2);
        to.push_entire_slice(&[0.5; 600]).expect("room");
        let (mut out, now) = (vec![0.0f32; 960], Instant::now());
        let heard = now + Duration::from_millis(20);
        let mark = |first, gaps, left| Mark { first, samples: 480, gaps, left, came: now, heard };
        for expected in [mark(0, 0, 120), mark(480, 360, 0), mark(960, 840, 0)] {
            drain.fill(&mut out, &info(), now);
            assert_eq!(told.pop(), Ok(expected));
        }
        // Where nobody listens the count goes on.
        (0..10).for_each(|_| drain.fill(&mut out, &info(), now));
        while told.pop().is_ok() {}
        drain.fill(&mut out, &info(), now);
        assert_eq!(told.pop(), Ok(mark(13 * 480, 14 * 480 - 600, 0)));
    }

    #[test]
    fn unsigned_silence_is_the_middle_and_a_broken_length_does_no_harm() {
        let (_to, _told, mut drain) = drain(2);
        let mut out = vec![0u8; 7];
        drain.fill(&mut out, &info(), Instant::now());
        assert_eq!(out, [128; 7]);
        drain.fill::<f32>(&mut [], &info(), Instant::now());
    }
}
