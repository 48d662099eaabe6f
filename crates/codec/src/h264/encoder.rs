//! The video encoder: a picture in, an access unit out.

use super::native::{Code, Native, Target};
use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_media::{BitsPerSecond, EncodedVideo, Size, VideoFrame};

/// Of the bitrate, this share counts for the keyframe of a new size.
const FIRST_KEYFRAME: f64 = 0.3;

/// What to encode for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderSettings {
    /// Size of the pictures to come. A frame of another size changes it.
    pub size: Size,
    /// Pictures per second that will be put in; the rate control divides the bitrate by it. 1…60.
    pub fps: f32,
    /// Wanted rate, 16 kb/s to 16 Mb/s; what lies outside is clamped.
    pub bitrate: BitsPerSecond,
}

/// Counts since the encoder was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncoderStats {
    /// Pictures encoded.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Pictures that the rate control left out.
    pub skipped: u64,
    /// Bytes that came out.
    pub bytes: u64,
    /// Time spent encoding.
    pub encode_time: Duration,
}

/// Why a picture was not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The size cannot be encoded: scale the picture.
    #[error("{0} cannot be encoded: sides must be at least 16, at most 3840x2160")]
    UnsupportedSize(Size),
    /// The encoder failed: drop it and make a new one.
    #[error("the H.264 encoder failed with code {0}")]
    Failed(i32),
}

impl From<Code> for EncodeError {
    fn from(Code(code): Code) -> Self {
        Self::Failed(code)
    }
}

/// H.264 constrained baseline for real-time calls: one thread, one slice, one reference picture.
///
/// Keyframes come first, at a new size, and when asked for; never by themselves. Each carries its parameter sets.
pub struct VideoEncoder {
    native: Native,
    target: Target,
    epoch: Option<Instant>,
    stats: EncoderStats,
    grey: Bytes,
}

impl VideoEncoder {
    const MIN_BITRATE: u32 = 16_000;
    // Just below the limit of level 3.1 (14 Mb/s × 1.2), above which openh264 refuses a change.
    const MAX_BITRATE: u32 = 16_000_000;

    /// Makes an encoder that is warm: it has encoded a grey picture, so the first real one takes no longer than others.
    ///
    /// Takes 12–20 ms at 1280x720, so make it before it is needed.
    ///
    /// # Errors
    /// [`EncodeError::UnsupportedSize`], [`EncodeError::Failed`].
    pub fn new(settings: EncoderSettings) -> Result<Self, EncodeError> {
        let target = Target {
            size: supported(settings.size)?,
            bitrate: Self::clamp_bitrate(settings.bitrate),
            fps: Self::clamp_fps(settings.fps),
        };
        let (native, grey) = Native::new(target)?;
        Ok(Self { native, target, epoch: None, stats: EncoderStats::default(), grey: Bytes::from(grey) })
    }

    /// The grey picture that it warmed up with: a keyframe of the size given, for [`VideoDecoder::warm_up`].
    ///
    /// [`VideoDecoder::warm_up`]: super::VideoDecoder::warm_up
    pub fn grey(&self) -> Bytes {
        self.grey.clone()
    }

    /// Encodes a picture. `None` where the rate control left it out (then a forced keyframe is still to come).
    ///
    /// A picture of another size than the last changes the size of the stream, begins with a keyframe and costs about
    /// 6 ms more; bitrate and frame rate stay as set.
    ///
    /// # Errors
    /// [`EncodeError::UnsupportedSize`] leaves the encoder as it was; [`EncodeError::Failed`].
    pub fn encode(&mut self, frame: &VideoFrame, force_keyframe: bool) -> Result<Option<EncodedVideo>, EncodeError> {
        let started = Instant::now();
        let size = supported(frame.picture.size())?;
        let (rates, mut restore) = (self.rate(), None);
        if size != self.target.size {
            // The first keyframe's quantizer follows from rate and size alone; at the true rate it would take as long
            // as ten pictures. The ones after it soon make up for what it lacks.
            let bitrate = Self::clamp_bitrate(self.target.bitrate.scaled(FIRST_KEYFRAME));
            self.native.configure(Target { size, bitrate, ..self.target })?;
            self.target = Target { size, bitrate, ..self.target };
            restore = Some(rates);
        }
        if force_keyframe {
            self.native.force_keyframe()?;
        }
        let epoch = *self.epoch.get_or_insert(frame.at);
        let at_ms = frame.at.saturating_duration_since(epoch).as_millis() as i64;
        let output = self.native.encode(&frame.picture, at_ms)?;
        if let Some((bitrate, fps)) = restore {
            self.set_rate(bitrate, fps)?;
        }
        self.stats.encode_time += started.elapsed();
        let Some(output) = output else {
            self.stats.skipped += 1;
            return Ok(None);
        };
        self.stats.frames += 1;
        self.stats.keyframes += u64::from(output.keyframe);
        self.stats.bytes += output.data.len() as u64;
        Ok(Some(EncodedVideo { data: Bytes::from(output.data), at: frame.at, keyframe: output.keyframe }))
    }

    /// Changes the rates of the running stream, from the next picture on; no keyframe comes of it.
    ///
    /// # Errors
    /// [`EncodeError::Failed`] where the encoder did not take them.
    pub fn set_rate(&mut self, bitrate: BitsPerSecond, fps: f32) -> Result<(), EncodeError> {
        let (bitrate, fps) = (Self::clamp_bitrate(bitrate), Self::clamp_fps(fps));
        if (bitrate, fps) == self.rate() {
            return Ok(());
        }
        self.native.set_rates(bitrate, fps)?;
        self.target = Target { bitrate, fps, ..self.target };
        self.check_rates()
    }

    /// Bitrate and frame rate that the rate control works towards.
    pub fn rate(&self) -> (BitsPerSecond, f32) {
        (self.target.bitrate, self.target.fps)
    }

    /// Size of the stream.
    pub fn size(&self) -> Size {
        self.target.size
    }

    /// Counts since construction.
    pub fn stats(&self) -> EncoderStats {
        self.stats
    }

    // openh264 answers 0 to some changes that it then ignores, so what it took is read back.
    fn check_rates(&mut self) -> Result<(), EncodeError> {
        const NOT_TAKEN: i32 = -1;
        let (bitrate, fps) = self.native.rates()?;
        let near = |a: f32, b: f32| (a - b).abs() <= 0.01 * b;
        if near(bitrate.0 as f32, self.target.bitrate.0 as f32) && near(fps, self.target.fps) {
            Ok(())
        } else {
            tracing::warn!(%bitrate, fps, wanted = ?self.target, "the encoder did not take its rate");
            Err(EncodeError::Failed(NOT_TAKEN))
        }
    }

    fn clamp_bitrate(bitrate: BitsPerSecond) -> BitsPerSecond {
        BitsPerSecond(bitrate.0.clamp(Self::MIN_BITRATE, Self::MAX_BITRATE))
    }

    fn clamp_fps(fps: f32) -> f32 {
        if fps.is_finite() { fps.clamp(1.0, 60.0) } else { 30.0 }
    }
}

fn supported(size: Size) -> Result<Size, EncodeError> {
    let (long, short) = (size.width().max(size.height()), size.width().min(size.height()));
    if short >= 16 && long <= 3840 && short <= 2160 { Ok(size) } else { Err(EncodeError::UnsupportedSize(size)) }
}
