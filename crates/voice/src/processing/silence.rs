//! A microphone that gives nothing but zeros: switched off at its cable, muted in the system, or unplugged without the
//! sound system saying so (PulseAudio does not). A real one always hears some noise.

use visavis_media::FRAME_DURATION;

/// Zeros for this long are no pause in a noise gate.
const LIMIT_MS: u32 = 3000;

/// Counts zeros.
///
/// ```
/// let mut watch = visavis_voice::processing::SilentMicrophone::new();
/// (0..300).for_each(|_| watch.listen(&[0.0; 480]));
/// assert!(watch.is_silent());
/// watch.listen(&[0.001; 480]);
/// assert!(!watch.is_silent());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentMicrophone {
    frames: u32,
}

impl SilentMicrophone {
    /// Nothing heard yet, which is not silence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hears 10 ms, as they came from the device.
    pub fn listen(&mut self, samples: &[f32]) {
        let zeros = samples.iter().all(|s| *s == 0.0);
        self.frames = if zeros { self.frames.saturating_add(1) } else { 0 };
    }

    /// Whether there were only zeros in the last 3 s.
    pub fn is_silent(&self) -> bool {
        self.frames >= LIMIT_MS / FRAME_DURATION.as_millis() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_three_seconds_of_zeros_and_one_sample_ends_it() {
        let mut watch = SilentMicrophone::new();
        for n in 0..300 {
            assert!(!watch.is_silent(), "{n}");
            watch.listen(&[0.0; 480]);
        }
        assert!(watch.is_silent());
        let mut frame = [0.0; 480];
        frame[479] = -1.0 / 32768.0;
        watch.listen(&frame);
        assert!(!watch.is_silent());
    }
}
