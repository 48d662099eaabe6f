//! Sound: always 48 kHz, mono, 10 ms. Devices are converted at their edge.

use std::time::{Duration, Instant};

/// Samples per second of every [`AudioFrame`].
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in an [`AudioFrame`].
pub const FRAME_SAMPLES: usize = 480;
/// Time that an [`AudioFrame`] covers.
pub const FRAME_DURATION: Duration = Duration::from_millis(10);

/// 10 ms of sound; samples lie in −1…1.
#[derive(Clone, Debug)]
pub struct AudioFrame {
    /// The samples.
    pub samples: [f32; FRAME_SAMPLES],
    /// Moment of the first sample: captured at, or due at the loudspeaker.
    pub at: Instant,
}

impl AudioFrame {
    /// 10 ms of silence.
    pub fn silence(at: Instant) -> Self {
        Self { samples: [0.0; FRAME_SAMPLES], at }
    }

    /// Root mean square of the samples, 0…1.
    pub fn rms(&self) -> f32 {
        (self.samples.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32).sqrt()
    }
}
