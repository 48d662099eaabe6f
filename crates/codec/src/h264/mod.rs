//! H.264 constrained baseline (ITU-T H.264, profile-level-id 42e01f) by openh264.

mod decoder;
mod encoder;
mod native;
mod sps;

pub use decoder::{DecodeError, Decoded, DecoderStats, VideoDecoder};
pub use encoder::{EncodeError, EncoderSettings, EncoderStats, VideoEncoder};

use crate::nal::{unit, unit_type, units};

/// Whether an Annex B access unit holds an IDR slice, so that a decoder can start with it.
pub fn contains_keyframe(annexb: &[u8]) -> bool {
    units(annexb).any(|nal| unit_type(nal[0]) == unit::IDR)
}
