//! Where one microphone's sound ends and another's begins: no click between them.

/// Length of the seam in samples: 5 ms.
const SEAM: f32 = 240.0;
/// After as long, the remains of the sound before have died away by 60 dB.
const DECAY: f32 = 0.001;

/// Glides from the last sample before a [`cut`](Self::cut) to the sound after it; passes everything else unchanged.
pub(super) struct Seam {
    last: f32,
    remains: f32,
    gain: f32,
    decay: f32,
}

impl Seam {
    /// Before any sound: the first begins at nothing.
    pub(super) fn new() -> Self {
        Self { last: 0.0, remains: 0.0, gain: 0.0, decay: DECAY.powf(1.0 / SEAM) }
    }

    /// What comes next does not go on from what was.
    pub(super) fn cut(&mut self) {
        (self.remains, self.gain) = (self.last, 0.0);
    }

    /// Passes sound on.
    pub(super) fn pass(&mut self, samples: &mut [f32]) {
        for sample in samples.iter_mut() {
            if self.gain < 1.0 {
                *sample = *sample * self.gain + self.remains * (1.0 - self.gain);
                self.gain += 1.0 / SEAM;
                self.remains *= self.decay;
            }
            self.last = *sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_beginning_nor_a_change_of_microphone_makes_a_step() {
        let mut seam = Seam::new();
        let mut sound = vec![0.8; 960];
        seam.pass(&mut sound[..480]);
        seam.cut();
        sound[480..].fill(-0.8);
        seam.pass(&mut sound[480..]);
        let step = sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(sound[0].abs(), f32::max);
        assert!(step < 0.04, "{step}");
        assert_eq!((sound[479], sound[959]), (0.8, -0.8));
    }

    #[test]
    fn sound_without_a_cut_passes_unchanged() {
        let mut seam = Seam::new();
        seam.pass(&mut [0.0; 480]);
        let mut sound = [0.5, -0.25, 0.125];
        seam.pass(&mut sound);
        assert_eq!(sound, [0.5, -0.25, 0.125]);
    }
}
