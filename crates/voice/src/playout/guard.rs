//! What came in packets is played no louder than a loud voice: a packet may hold anything, and a decoder makes a full-scale
//! noise of garbage as readily as a voice of speech.
//!
//! Ordinary speech is at −21 dBFS, and nothing is done to it, bit for bit.

use visavis_media::FRAME_SAMPLES;

/// Frames over which loudness is taken.
const WINDOW: f32 = 6.0;
/// Mean square that sound may have: −9 dBFS, a tone of half of full scale. A single frame may have a little more.
const MOST: f32 = 0.126;
const AT_ONCE: f32 = 1.25;
/// After a packet that was none, or held more or less than its place says, for so many frames: −20 dBFS.
const MOST_IF_WARY: f32 = 0.01;
const WARY: u32 = 20;
/// A gain that falls is there within half a millisecond.
const ATTACK: usize = 24;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Guard {
    loudness: f32,
    gain: f32,
    wary: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { loudness: 0.0, gain: 1.0, wary: 0 }
    }
}

impl Guard {
    /// What comes next is to be trusted less for a while.
    pub fn be_wary(&mut self) {
        self.wary = WARY;
    }

    /// Makes a frame less loud where it has to be.
    pub fn pass(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        let most = if self.wary > 0 { MOST_IF_WARY } else { MOST };
        self.wary = self.wary.saturating_sub(1);
        let power = frame.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32;
        let kept = self.loudness * (1.0 - 1.0 / WINDOW);
        let room = ((most - kept) * WINDOW).clamp(most / 4.0, AT_ONCE * most);
        let (before, wanted) = (self.gain, if power > room { (room / power).sqrt() } else { 1.0 });
        self.loudness = kept + power * wanted * wanted / WINDOW;
        self.gain = wanted;
        if before == 1.0 && wanted == 1.0 {
            return;
        }
        let slope = if wanted < before { ATTACK } else { FRAME_SAMPLES };
        for (i, sample) in frame.iter_mut().enumerate() {
            *sample *= before + (wanted - before) * ((i + 1) as f32 / slope as f32).min(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of noise of a mean square, and what becomes of it.
    fn noise(guard: &mut Guard, power: f32, frames: usize) -> Vec<f32> {
        let (mut seed, mut powers) = (1u32, Vec::new());
        for _ in 0..frames {
            let mut frame = [0.0; FRAME_SAMPLES];
            for sample in &mut frame {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = if seed >> 31 == 0 { 1.0 } else { -1.0 } * power.sqrt();
            }
            guard.pass(&mut frame);
            powers.push(frame.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32);
        }
        powers
    }

    #[test]
    fn full_scale_noise_is_no_louder_than_a_loud_voice_from_its_first_frame() {
        let powers = noise(&mut Guard::default(), 1.0, 100);
        assert!(powers[..6].iter().all(|p| *p < 1.6 * MOST), "{powers:?}");
        assert!(powers[12..].iter().all(|p| *p < 1.1 * MOST), "{powers:?}");
    }

    #[test]
    fn after_a_bad_packet_it_is_no_louder_than_ordinary_speech() {
        let mut guard = Guard::default();
        noise(&mut guard, 1e-4, 100);
        guard.be_wary();
        let powers = noise(&mut guard, 1.0, 40);
        // The gain takes half a millisecond to fall.
        assert!(powers[..18].iter().all(|p| *p < 0.05), "{powers:?}");
        assert!(powers[39] > 0.1, "{powers:?}");
    }

    #[test]
    fn loud_speech_is_untouched_and_a_bang_is_forgotten_within_a_tenth_of_a_second() {
        let mut guard = Guard::default();
        let frame: [f32; FRAME_SAMPLES] = std::array::from_fn(|i| 0.5 * (i as f32 * 0.13).sin());
        for n in 0..100 {
            let mut passed = frame;
            if n == 50 {
                passed = passed.map(f32::signum);
            }
            guard.pass(&mut passed);
            assert!(passed == frame || (50..60).contains(&n), "frame {n}");
        }
    }
}
