//! The values that flow through a call: pictures, sound, time, rates, and the newest-wins slot.
//!
//! This crate does no I/O, starts no thread and reads no clock; everything else in Visavis speaks in its types.
//!
//! ```
//! use std::time::Instant;
//! use visavis_media::{I420, Size, VideoFrame, slot};
//!
//! let (writer, reader) = slot::newest_wins();
//! let grey = I420::filled(Size::new(64, 36)?, [128, 128, 128]);
//! writer.put(VideoFrame { picture: grey, at: Instant::now() });
//! assert_eq!(reader.try_take().map(|f| f.picture.size().width()), Some(64));
//! # Ok::<(), visavis_media::SizeError>(())
//! ```

mod ids;
mod picture;
mod rate;
pub mod slot;
mod sound;
pub mod strip;
pub mod time;

pub use ids::{CallId, PeerId, RoomId};
pub use picture::{I420, PictureError, Size, SizeError};
pub use rate::BitsPerSecond;
pub use sound::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};
pub use time::{ClockRate, RtpTicks, WallClock};

use bytes::Bytes;
use std::time::Instant;

/// A picture and its moment: captured at, or due on screen at.
#[derive(Clone, Debug)]
pub struct VideoFrame {
    /// The pixels.
    pub picture: I420,
    /// When it was captured (sending side) or is due (receiving side).
    pub at: Instant,
}

/// One encoded picture: H.264 access unit in Annex B form (RFC 6184 and ITU-T H.264 Annex B).
#[derive(Clone, Debug)]
pub struct EncodedVideo {
    /// NAL units, each behind a start code.
    pub data: Bytes,
    /// Moment of capture of the picture inside.
    pub at: Instant,
    /// Whether a decoder can start here.
    pub keyframe: bool,
}

/// One encoded Opus packet (RFC 6716) of 10 or 20 ms, mono, 48 kHz.
#[derive(Clone, Debug)]
pub struct EncodedAudio {
    /// The packet.
    pub data: Bytes,
    /// Moment of capture of its first sample.
    pub at: Instant,
}
