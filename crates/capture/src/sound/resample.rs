//! Sample-rate conversion at a device's edge.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler as _, SincInterpolationParameters, WindowFunction};
use std::time::Duration;
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// Taps of the filter: transparent for speech at 0.7…1.4 ms of delay.
const TAPS: usize = 128;
/// Lowest and highest rates of devices and files.
pub(crate) const RATES: std::ops::RangeInclusive<u32> = 4_000..=768_000;

/// Which end is made of 10 ms frames at 48 kHz.
#[derive(Clone, Copy)]
pub(crate) enum Frames {
    /// Frames come out: the device is a source.
    Out,
    /// Frames go in: the device is a sink.
    In,
}

/// Converts mono sound between a device's rate and 48 kHz, one 10 ms frame a call; does nothing at 48 kHz.
pub(crate) struct Resampler {
    inner: Option<Async<f32>>,
    output: Vec<f32>,
    output_rate: u32,
}

impl Resampler {
    /// A converter for a device of `rate`; `None` where the rate is out of bounds.
    pub fn new(rate: u32, frames: Frames) -> Option<Self> {
        if !RATES.contains(&rate) {
            return None;
        }
        let (from, to, fixed) = match frames {
            Frames::Out => (rate, SAMPLE_RATE, FixedAsync::Output),
            Frames::In => (SAMPLE_RATE, rate, FixedAsync::Input),
        };
        if rate == SAMPLE_RATE {
            return Some(Self { inner: None, output: vec![0.0; FRAME_SAMPLES], output_rate: to });
        }
        let filter = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2);
        let ratio = f64::from(to) / f64::from(from);
        let inner = Async::new_sinc(ratio, 1.01, &filter, FRAME_SAMPLES, 1, fixed).ok()?;
        let output = vec![0.0; inner.output_frames_max()];
        Some(Self { inner: Some(inner), output, output_rate: to })
    }

    /// Samples that the next call of [`process`](Self::process) takes.
    pub fn needs(&self) -> usize {
        self.inner.as_ref().map_or(FRAME_SAMPLES, |inner| inner.input_frames_next())
    }

    /// Most samples that a call can ever take.
    pub fn needs_max(&self) -> usize {
        self.inner.as_ref().map_or(FRAME_SAMPLES, |inner| inner.input_frames_max())
    }

    /// How late a sample comes out.
    pub fn delay(&self) -> Duration {
        let samples = self.inner.as_ref().map_or(0, |inner| inner.output_delay());
        Duration::from_secs_f64(samples as f64 / f64::from(self.output_rate))
    }

    /// Converts exactly [`needs`](Self::needs) samples; silence where fewer are given. Allocates nothing.
    pub fn process<'a>(&'a mut self, input: &'a [f32]) -> &'a [f32] {
        let Some(inner) = &mut self.inner else { return input };
        let (room, n) = (self.output.len(), input.len());
        let made = InterleavedSlice::new(input, 1, n).ok().and_then(|input| {
            let mut output = InterleavedSlice::new_mut(&mut self.output, 1, room).ok()?;
            inner.process_into_buffer(&input, &mut output, None).ok()
        });
        let n = match made {
            Some((_, n)) => n,
            None => {
                let n = inner.output_frames_next().min(room);
                self.output[..n].fill(0.0);
                n
            }
        };
        &self.output[..n]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::measure::{frequency, sine};

    /// Converts a sine of a second and gives what comes out.
    fn converted(rate: u32, frames: Frames, pitch: f32) -> Vec<f32> {
        let from = match frames {
            Frames::Out => rate,
            Frames::In => SAMPLE_RATE,
        };
        let mut resampler = Resampler::new(rate, frames).expect("a valid rate");
        let (input, mut out, mut at) = (sine(pitch, from, from as usize), Vec::new(), 0);
        while at + resampler.needs() <= input.len() {
            let n = resampler.needs();
            assert!(n <= resampler.needs_max());
            out.extend_from_slice(resampler.process(&input[at..at + n]));
            at += n;
        }
        out
    }

    #[test]
    fn frequency_and_level_are_kept_from_8_to_192_khz_both_ways() {
        for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000] {
            for frames in [Frames::Out, Frames::In] {
                let out = converted(rate, frames, 997.0);
                let to = if matches!(frames, Frames::Out) { SAMPLE_RATE } else { rate };
                let settled = &out[to as usize / 10..];
                let pitch = frequency(settled, to);
                assert!((pitch - 997.0).abs() < 1.0, "{rate}: {pitch}");
                let peak = settled.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
                assert!((0.45..0.52).contains(&peak), "{rate}: {peak}");
                assert!(out.iter().all(|s| s.is_finite()));
            }
        }
    }

    #[test]
    fn frames_out_always_have_480_samples() {
        let mut resampler = Resampler::new(44_100, Frames::Out).expect("a valid rate");
        for _ in 0..100 {
            let input = vec![0.0; resampler.needs()];
            assert_eq!(resampler.process(&input).len(), FRAME_SAMPLES);
        }
    }

    #[test]
    fn too_little_input_gives_silence_and_absurd_rates_are_refused() {
        let mut resampler = Resampler::new(44_100, Frames::Out).expect("a valid rate");
        assert!(resampler.process(&[1.0; 3]).iter().all(|s| *s == 0.0));
        assert!(Resampler::new(0, Frames::In).is_none() && Resampler::new(u32::MAX, Frames::Out).is_none());
    }
}
