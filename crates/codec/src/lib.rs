//! Bytes to media and back: H.264, Opus, colour conversion, scaling.
//!
//! Pictures are limited-range BT.601 I420, sound is 48 kHz mono. Nothing here reads a clock for its decisions, opens a
//! device or starts a thread; no type of openh264 or libopus appears outside. Whatever comes from outside (packets,
//! camera bytes) is checked: errors are values, never panics.
//!
//! ```
//! use std::time::Instant;
//! use visavis_codec::h264::{Decoded, EncoderSettings, VideoDecoder, VideoEncoder};
//! use visavis_codec::rtp_h264::{Depacketizer, packetize};
//! use visavis_media::{BitsPerSecond, I420, Size, VideoFrame};
//!
//! let size = Size::new(320, 180)?;
//! let mut encoder = VideoEncoder::new(EncoderSettings { size, fps: 30.0, bitrate: BitsPerSecond::kilo(300) })?;
//! let frame = VideoFrame { picture: I420::filled(size, [128; 3]), at: Instant::now() };
//! let encoded = encoder.encode(&frame, false)?.expect("frames are not skipped");
//!
//! let mut wire = Depacketizer::new();
//! for payload in packetize(&encoded.data, 1200) {
//!     wire.push(&payload)?;
//! }
//! let Decoded::Picture(picture) = VideoDecoder::new()?.decode(&wire.finish()?) else { panic!("a keyframe decodes") };
//! assert_eq!(picture.size(), size);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod convert;
pub mod erasure;
pub mod h264;
mod nal;
pub mod opus;
pub mod rtp_h264;
pub mod rtp_red;
pub mod scale;
