//! The first picture of a call: encoded while the keys are still being agreed on, so that it leaves the moment it may.

use crate::rate::Ladder;
use std::time::{Duration, Instant};
use visavis_codec::h264::VideoEncoder;
use visavis_codec::scale::{Scaler, fit};
use visavis_media::{EncodedVideo, Size, VideoFrame};

/// Older than this it is not worth being shown: keys take three round trips, and packets may have been lost.
const STALE: Duration = Duration::from_secs(1);

/// It is encoded at this share of the rate: nothing else is on screen yet, so sooner is better than sharper, and the next
/// pictures soon make up for what it lacks.
const SHARE: f64 = 0.25;

/// A keyframe that waits for its path.
pub(super) struct FirstPicture {
    pub picture: EncodedVideo,
    pub size: Size,
    /// When the encoder's thread took it, and was done with it.
    pub taken: Instant,
    pub encoded: Instant,
}

impl FirstPicture {
    /// Encodes it for the rate that the encoder was made for; `None` where that fails.
    pub(super) fn encode(encoder: &mut VideoEncoder, scaler: &mut Scaler, frame: &VideoFrame) -> Option<Self> {
        let taken = Instant::now();
        let (rate, fps) = encoder.rate();
        let step = Ladder::new(fps).update(frame.at, rate);
        let size = fit(frame.picture.size(), step.max_pixels);
        let picture = VideoFrame { picture: scaler.scale(&frame.picture, size), at: frame.at };
        encoder.set_rate(rate.scaled(SHARE), fps).ok()?;
        let picture = encoder.encode(&picture, true).inspect_err(|error| tracing::debug!(%error, "first picture"));
        encoder.set_rate(rate, fps).ok()?;
        Some(Self { picture: picture.ok()??, size, taken, encoded: Instant::now() })
    }

    /// Whether it may still be sent.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.picture.at) < STALE
    }
}
