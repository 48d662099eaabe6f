//! The first picture of a call: encoded while the keys are still being agreed on, so that it leaves the moment it may,
//! and small, since nobody knows yet what the path carries. Full size comes as soon as the other side has told.

use std::time::{Duration, Instant};
use visavis_codec::h264::VideoEncoder;
use visavis_codec::scale::{Scaler, fit};
use visavis_media::{EncodedVideo, Size, VideoFrame};

/// Older than this it is not worth being shown: keys take three round trips, and packets may have been lost.
const STALE: Duration = Duration::from_secs(1);

/// It has at most so many pixels, and so do those after it until the path has been tried: some four packets, which take
/// a thirtieth of a second at 1 Mb/s where full size would take a ninth, and of which one is seldom lost.
pub(super) const PIXELS: usize = 480 * 270;
/// Where the other side tells nothing, full size comes after this long all the same.
pub(super) const UNTRIED: Duration = Duration::from_millis(500);
/// It is encoded at this share of the rate: nothing else is on screen yet, so sooner is better than sharper. (For a new
/// size the encoder takes a third of that.)
const SHARE: f64 = 0.33;

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
        let size = fit(frame.picture.size(), PIXELS);
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
