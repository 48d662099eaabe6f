//! WAV files as a microphone: loaded whole, as 48 kHz mono.

use super::resample::{Frames, RATES, Resampler};
use std::io::Read;
use visavis_media::FRAME_SAMPLES;

/// Longest file that is loaded; bounds memory at 115 MB.
pub(crate) const MAX_SECONDS: u32 = 600;
const MAX_CHANNELS: u16 = 64;

/// Why a file is no sound that we can play.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not a WAV file, or a damaged one.
    #[error("it is not a WAV file that can be read: {0}")]
    Wav(#[from] hound::Error),
    /// More than ten minutes.
    #[error("it is longer than ten minutes")]
    TooLong,
    /// A rate or channel count that no device has.
    #[error("its {rate} Hz with {channels} channels are not supported")]
    Layout {
        /// Samples per second.
        rate: u32,
        /// Channels.
        channels: u16,
    },
    /// Not one sample.
    #[error("it holds no sound")]
    Empty,
}

/// Loads a file: any rate, channels averaged, 8 to 32 bit integers or 32 bit floats; a cut-off file as far as it goes.
///
/// # Errors
/// [`WavError`] where it is no such file, empty, or too long.
pub(crate) fn load(source: impl Read) -> Result<Vec<f32>, WavError> {
    let mut reader = hound::WavReader::new(source)?;
    let spec = reader.spec();
    let (rate, channels) = (spec.sample_rate, spec.channels);
    if !RATES.contains(&rate) || !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(WavError::Layout { rate, channels });
    }
    let mut mono = Mono::new(rate, channels).ok_or(WavError::Layout { rate, channels })?;
    match spec.sample_format {
        hound::SampleFormat::Float => mono.take(reader.samples::<f32>())?,
        hound::SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
            mono.take(reader.samples::<i32>().map(|s| s.map(|s| s as f32 / full)))?;
        }
    }
    mono.finish()
}

/// Averages channels and converts the rate as samples come in, so that only the result is held.
struct Mono {
    resampler: Resampler,
    channels: usize,
    /// Samples at the file's rate that wait to be converted.
    waiting: Vec<f32>,
    taken: u64,
    rate: u32,
    out: Vec<f32>,
}

impl Mono {
    fn new(rate: u32, channels: u16) -> Option<Self> {
        let resampler = Resampler::new(rate, Frames::Out)?;
        let waiting = Vec::with_capacity(resampler.needs_max());
        Some(Self { resampler, channels: usize::from(channels), waiting, taken: 0, rate, out: Vec::new() })
    }

    /// Takes interleaved samples up to the first that cannot be read: the end of a cut-off file.
    ///
    /// # Errors
    /// [`WavError::TooLong`]: by what is there, as a header may say anything.
    fn take(&mut self, samples: impl Iterator<Item = hound::Result<f32>>) -> Result<(), WavError> {
        let most = u64::from(self.rate) * u64::from(MAX_SECONDS);
        let (mut sum, mut channel) = (0.0, 0);
        for sample in samples.map_while(Result::ok) {
            sum += if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
            channel += 1;
            if channel == self.channels {
                self.push(sum / self.channels as f32);
                (sum, channel) = (0.0, 0);
                if self.taken > most {
                    return Err(WavError::TooLong);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, sample: f32) {
        self.taken += 1;
        self.waiting.push(sample);
        if self.waiting.len() == self.resampler.needs() {
            // The converter rings a little beyond full scale.
            self.out.extend(self.resampler.process(&self.waiting).iter().map(|s| s.clamp(-1.0, 1.0)));
            self.waiting.clear();
        }
    }

    /// Flushes the converter, cuts off its delay and gives exactly as much sound as came in.
    fn finish(mut self) -> Result<Vec<f32>, WavError> {
        if self.taken == 0 {
            return Err(WavError::Empty);
        }
        let delay = (self.resampler.delay().as_secs_f64() * 48_000.0).round() as usize;
        let length = (self.taken as f64 * 48_000.0 / f64::from(self.rate)).round().max(1.0) as usize;
        while self.out.len() < length + delay {
            self.waiting.resize(self.resampler.needs(), 0.0);
            let made = self.resampler.process(&self.waiting);
            debug_assert_eq!(made.len(), FRAME_SAMPLES);
            self.out.extend(made.iter().map(|s| s.clamp(-1.0, 1.0)));
            self.waiting.clear();
        }
        self.out.drain(..delay);
        self.out.truncate(length);
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::measure::{frequency, sine};
    use hound::{SampleFormat, WavSpec, WavWriter};
    use proptest::prelude::*;
    use std::io::Cursor;

    fn file(rate: u32, channels: u16, bits: u16, format: SampleFormat, mono: &[f32]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
        let mut writer = WavWriter::new(&mut bytes, spec).expect("a spec that exists");
        for sample in mono {
            for _ in 0..channels {
                match format {
                    SampleFormat::Float => writer.write_sample(*sample),
                    SampleFormat::Int => writer.write_sample((sample * (2f32.powi(i32::from(bits) - 1) - 1.0)) as i32),
                }
                .expect("memory");
            }
        }
        writer.finalize().expect("memory");
        bytes.into_inner()
    }

    #[test]
    fn rates_channels_and_widths_all_give_the_same_tone_of_the_same_length() {
        for (rate, channels, bits, format) in [
            (8_000, 1, 8, SampleFormat::Int),
            (11_025, 2, 16, SampleFormat::Int),
            (44_100, 8, 24, SampleFormat::Int),
            (48_000, 1, 32, SampleFormat::Int),
            (96_000, 2, 32, SampleFormat::Float),
            (192_000, 3, 16, SampleFormat::Int),
        ] {
            let sound =
                load(&file(rate, channels, bits, format, &sine(500.0, rate, rate as usize))[..]).expect("valid");
            assert_eq!(sound.len(), 48_000, "{rate}");
            let pitch = frequency(&sound[4800..43_200], 48_000);
            assert!((pitch - 500.0).abs() < 0.5, "{rate}: {pitch}");
            let peak = sound.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
            assert!((0.45..0.53).contains(&peak), "{rate}: {peak}");
        }
    }

    #[test]
    fn a_cut_off_file_plays_as_far_as_it_goes() {
        let mut bytes = file(48_000, 1, 16, SampleFormat::Int, &[0.5; 1000]);
        bytes.truncate(bytes.len() - 501);
        assert_eq!(load(&bytes[..]).expect("half").len(), 749);
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        assert!(matches!(load(&b"RIFF"[..]), Err(WavError::Wav(_))));
        assert!(matches!(load(&file(48_000, 1, 16, SampleFormat::Int, &[])[..]), Err(WavError::Empty)));
        assert!(matches!(load(&file(100, 1, 16, SampleFormat::Int, &[0.0; 9])[..]), Err(WavError::Layout { .. })));
        let long = file(4_000, 1, 8, SampleFormat::Int, &vec![0.0; 4_000 * 601]);
        assert!(matches!(load(&long[..]), Err(WavError::TooLong)));
    }

    /// Where its fields lie in a file of 16 bit or less.
    const FORMAT: usize = 20;
    const CHANNELS: usize = 22;
    const RATE: usize = 24;
    const BYTES: usize = 28;
    const BLOCK: usize = 32;
    const BITS: usize = 34;
    const LENGTH: usize = 40;

    /// A second of a tone in a file of which some bytes were changed.
    fn damaged(changes: &[(usize, &[u8])]) -> Result<Vec<f32>, WavError> {
        let mut bytes = file(8_000, 1, 16, SampleFormat::Int, &sine(500.0, 8_000, 8_000));
        for (at, value) in changes {
            bytes[*at..*at + value.len()].copy_from_slice(value);
        }
        load(&bytes[..])
    }

    #[test]
    fn a_header_that_lies_is_refused_or_plays_what_is_there() {
        assert_eq!(damaged(&[]).expect("valid").len(), 48_000);
        let refused: [&[(usize, &[u8])]; 10] = [
            &[(CHANNELS, &[0, 0])],
            &[(CHANNELS, &[255, 255])],
            &[(RATE, &[0; 4]), (BYTES, &[0; 4])],
            &[(RATE, &[255; 4])],
            &[(BITS, &[0, 0])],
            &[(BITS, &[13, 0])],
            &[(BITS, &[255, 255])],
            &[(BLOCK, &[0, 0])],
            &[(FORMAT, &[2, 0])],
            &[(FORMAT - 4, &[255; 4])],
        ];
        for changes in refused {
            assert!(damaged(changes).is_err(), "{changes:?}");
        }
        // A length beyond the end, as of a file that was still being written.
        for length in [16_002u32, 1 << 20, u32::MAX - 1] {
            assert_eq!(damaged(&[(LENGTH, &length.to_le_bytes())]).expect("as far as it goes").len(), 48_000);
        }
        assert_eq!(damaged(&[(LENGTH, &8_000u32.to_le_bytes())]).expect("half").len(), 24_000);
        assert!(matches!(damaged(&[(LENGTH, &[0; 4])]), Err(WavError::Empty)));
        // The length of the whole means nothing.
        assert_eq!(damaged(&[(4, &[0; 4])]).expect("valid").len(), 48_000);
    }

    #[test]
    fn broken_floats_are_silence_or_cut_off() {
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 3.0, -7.0];
        let sound = load(&file(48_000, 1, 32, SampleFormat::Float, &bad.repeat(1000))[..]).expect("valid");
        assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
        assert_eq!(sound[..6], [0.0, 0.0, 0.0, 1.0, 1.0, -1.0]);
    }

    /// Files of every kind, damaged at ten thousand places, the same each time.
    #[test]
    fn damage_of_any_kind_gives_an_error_or_no_more_sound_than_there_are_bytes() {
        let kinds = [
            (8_000, 1, 8, SampleFormat::Int),
            (16_000, 2, 16, SampleFormat::Int),
            (44_100, 8, 24, SampleFormat::Int),
            (48_000, 1, 32, SampleFormat::Int),
            (96_000, 6, 32, SampleFormat::Float),
        ];
        let mut seed = 7u32;
        let mut below = |n: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % n.max(1)
        };
        let (mut played, mut refused) = (0, 0);
        for (rate, channels, bits, format) in kinds {
            let whole = file(rate, channels, bits, format, &sine(500.0, rate, 40));
            for _ in 0..2000 {
                let mut bytes = whole.clone();
                for _ in 0..=below(4) {
                    let at = below(bytes.len().min(90));
                    match below(4) {
                        0 => bytes[at] = below(256) as u8,
                        1 => bytes[at] ^= 1 << below(8),
                        2 => bytes.truncate(below(bytes.len()).max(1)),
                        _ => bytes.insert(at, [0, 255, 127, 128][below(4)]),
                    }
                }
                match load(&bytes[..]) {
                    Ok(sound) => {
                        played += 1;
                        assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
                        assert!(sound.len() <= 12 * bytes.len() + FRAME_SAMPLES, "{} of {}", sound.len(), bytes.len());
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(played > 1000 && refused > 1000, "{played} played, {refused} refused");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            noise in prop::collection::vec(any::<u8>(), 0..2000),
            flips in prop::collection::vec((0usize..60, any::<u8>()), 0..8),
            begins_well in any::<bool>(),
        ) {
            let mut bytes = if begins_well { file(8_000, 1, 16, SampleFormat::Int, &[0.1; 20]) } else { b"RIFF".to_vec() };
            for (at, value) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.extend(noise);
            if let Ok(sound) = load(&bytes[..]) {
                prop_assert!(sound.iter().all(|s| s.is_finite() && s.abs() < 2.0));
            }
        }
    }
}
