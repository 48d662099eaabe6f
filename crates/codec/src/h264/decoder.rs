//! The video decoder: shows whole pictures or none.

use super::sps;
use crate::nal::{unit, unit_type, units};
use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig};
use openh264::formats::YUVSource;
use std::time::{Duration, Instant};
use visavis_media::{I420, Size};

/// What came of an access unit.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// A picture, complete and right.
    Picture(I420),
    /// No picture, and none was due: only parameter sets or other side information.
    Nothing,
    /// The unit was damaged, refers to a picture that is missing, or nothing to start from has come yet. Ask the
    /// sender for a keyframe; until one decodes every other unit answers this.
    NeedsKeyframe,
}

/// The decoder could not be made: out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the H.264 decoder could not be made")]
pub struct DecodeError;

/// Counts since the decoder was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecoderStats {
    /// Pictures decoded.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Units that failed to decode (those merely passed over while waiting for a keyframe are not counted).
    pub failures: u64,
    /// Time spent decoding.
    pub decode_time: Duration,
}

/// Decodes H.264 as openh264 can: constrained baseline, and Main and High without interlacing.
///
/// Error concealment is off: a smeared picture is worse than the last good one. Takes anything without panicking; a
/// stream can make it hold about 100 MB at most (the memory of level 5.2).
pub struct VideoDecoder {
    decoder: Decoder,
    state: State,
    stats: DecoderStats,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has been decoded yet.
    Fresh,
    Running,
    /// openh264 has seen damage; it is replaced before the next keyframe, so that none of it survives.
    Damaged,
}

impl VideoDecoder {
    /// Largest access unit taken, in bytes; what the depacketizer lets through.
    pub const MAX_UNIT: usize = crate::rtp_h264::MAX_ACCESS_UNIT;

    /// Makes a decoder that waits for a keyframe.
    ///
    /// # Errors
    /// [`DecodeError`] where memory is short.
    pub fn new() -> Result<Self, DecodeError> {
        Ok(Self { decoder: make()?, state: State::Fresh, stats: DecoderStats::default() })
    }

    /// Decodes a picture that nobody is to see, so that memory is in place and the first real one takes no longer than
    /// others. It goes on waiting for a keyframe, and its counts stay as they are.
    pub fn warm_up(&mut self, keyframe: &[u8]) {
        let stats = self.stats;
        let usable = matches!(self.decode(keyframe), Decoded::Picture(_));
        self.state = if usable { State::Fresh } else { State::Damaged };
        self.stats = stats;
    }

    /// Decodes one whole access unit in Annex B form. Units must come in decoding order.
    pub fn decode(&mut self, annexb: &[u8]) -> Decoded {
        let started = Instant::now();
        let content = Content::of(annexb);
        if annexb.len() > Self::MAX_UNIT || !content.acceptable {
            return self.failed();
        }
        if self.state != State::Running && content.slices && !content.keyframe {
            return Decoded::NeedsKeyframe;
        }
        if self.state == State::Damaged {
            match make() {
                Ok(fresh) => self.decoder = fresh,
                Err(DecodeError) => return Decoded::NeedsKeyframe,
            }
            self.state = State::Fresh;
        }
        let picture = match self.decoder.decode(annexb) {
            Ok(Some(decoded)) => copy(&decoded),
            // A unit of parameter sets alone gives no picture. One with slices must: there is no reordering in a call.
            Ok(None) if !content.slices => return Decoded::Nothing,
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, "a video frame could not be decoded");
                None
            }
        };
        self.stats.decode_time += started.elapsed();
        match picture {
            Some(picture) if content.slices => {
                self.state = State::Running;
                self.stats.frames += 1;
                self.stats.keyframes += u64::from(content.keyframe);
                Decoded::Picture(picture)
            }
            _ => self.failed(),
        }
    }

    /// Whether only a keyframe gives the next picture.
    pub fn needs_keyframe(&self) -> bool {
        self.state != State::Running
    }

    /// Counts since construction.
    pub fn stats(&self) -> DecoderStats {
        self.stats
    }

    fn failed(&mut self) -> Decoded {
        self.stats.failures += 1;
        self.state = State::Damaged;
        Decoded::NeedsKeyframe
    }
}

fn make() -> Result<Decoder, DecodeError> {
    // `DecoderConfig::new()`: error concealment off, no threads.
    Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new()).map_err(|_| DecodeError)
}

/// What is in an access unit.
struct Content {
    slices: bool,
    keyframe: bool,
    /// It asks for no more memory than we give.
    acceptable: bool,
}

impl Content {
    fn of(annexb: &[u8]) -> Self {
        let mut content = Self { slices: false, keyframe: false, acceptable: true };
        for nal in units(annexb) {
            match unit_type(nal[0]) {
                unit::IDR => (content.slices, content.keyframe) = (true, true),
                unit::SLICE..unit::IDR => content.slices = true,
                unit::SPS => content.acceptable &= sps::acceptable(nal),
                _ => {}
            }
        }
        content
    }
}

/// Copies a picture out of openh264's buffers, cropped to even sides; `None` where its size is none for us.
fn copy(decoded: &DecodedYUV<'_>) -> Option<I420> {
    let (width, height) = decoded.dimensions();
    let even = |side: usize| u32::try_from(side & !1).ok();
    let size = Size::new(even(width)?, even(height)?).ok()?;
    let (w, h) = (size.width() as usize, size.height() as usize);
    let (sy, su, sv) = decoded.strides();
    let mut data = Vec::with_capacity(size.i420_len());
    for (plane, stride, w, h) in
        [(decoded.y(), sy, w, h), (decoded.u(), su, w / 2, h / 2), (decoded.v(), sv, w / 2, h / 2)]
    {
        if stride == w {
            data.extend_from_slice(plane.get(..w * h)?);
        } else {
            for row in 0..h {
                data.extend_from_slice(plane.get(row * stride..)?.get(..w)?);
            }
        }
    }
    I420::new(size, data).ok()
}
