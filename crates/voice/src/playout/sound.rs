//! Sound that is decoded but not yet played, and the last that was.

use super::PlayedKind;
use super::stretch::{self, MAX_LAG};
use visavis_media::FRAME_SAMPLES;

/// Where sound is cut, old and new overlap for 5 ms.
const SEAM: usize = 240;

#[derive(Debug)]
pub(super) struct Sound {
    ready: Vec<f32>,
    /// What was played last, for lengthening.
    history: Vec<f32>,
    /// Old sound that fades out under the beginning of the next.
    fading: Vec<f32>,
    /// Samples invented since the last real one.
    invented: usize,
    /// Whether the newest sound was faded out, so that real sound must come back gently.
    faded: bool,
    kind: PlayedKind,
}

impl Default for Sound {
    fn default() -> Self {
        Self {
            ready: Vec::new(),
            history: vec![0.0; MAX_LAG],
            fading: Vec::new(),
            invented: 0,
            faded: true,
            kind: PlayedKind::Silence,
        }
    }
}

impl Sound {
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Where the newest sound comes from.
    pub fn kind(&self) -> PlayedKind {
        self.kind
    }

    /// Samples invented since the last real one.
    pub fn invented(&self) -> usize {
        self.invented
    }

    /// Takes 10 ms, of which there must be enough.
    pub fn take(&mut self) -> ([f32; FRAME_SAMPLES], PlayedKind) {
        let mut frame = [0.0; FRAME_SAMPLES];
        let n = self.ready.len().min(FRAME_SAMPLES);
        frame[..n].copy_from_slice(&self.ready[..n]);
        self.ready.drain(..n);
        self.history.extend_from_slice(&frame);
        self.history.drain(..FRAME_SAMPLES);
        (frame, self.kind)
    }

    /// Real sound.
    pub fn push(&mut self, samples: &[f32], kind: PlayedKind) {
        if std::mem::take(&mut self.faded) && self.fading.is_empty() {
            // The decoder goes on smoothly from its own concealment, but not from one that was faded out.
            self.fading = vec![0.0; SEAM];
        }
        self.invented = 0;
        self.kind = kind;
        self.append(samples);
    }

    /// Sound that was not sent: becomes silence between `fade_from` and `fade_to` samples in a row. Says how many of
    /// the samples are silent.
    pub fn push_invented(&mut self, samples: &mut [f32], fade_from: usize, fade_to: usize) -> usize {
        let mut silent = 0;
        for sample in samples.iter_mut() {
            self.invented = self.invented.saturating_add(1);
            if self.invented > fade_from {
                let left = fade_to.saturating_sub(self.invented) as f32 / (fade_to - fade_from) as f32;
                silent += usize::from(left == 0.0);
                *sample *= left;
            }
        }
        self.faded |= self.invented > fade_from;
        self.kind = PlayedKind::Concealed;
        self.append(samples);
        silent
    }

    /// Nothing.
    pub fn push_silence(&mut self, samples: usize) {
        self.kind = PlayedKind::Silence;
        self.append(&vec![0.0; samples]);
        self.faded = true;
    }

    /// Drops what is ready; its beginning fades out under what comes next.
    pub fn cut(&mut self) {
        let mut old = std::mem::take(&mut self.ready);
        old.resize(SEAM, 0.0);
        self.fading = old;
        self.invented = 0;
    }

    /// See [`stretch::shorten`].
    pub fn shorten(&mut self, most: usize) -> Option<usize> {
        stretch::shorten(&mut self.ready, most)
    }

    /// See [`stretch::lengthen`].
    pub fn lengthen(&mut self, most: usize) -> Option<usize> {
        stretch::lengthen(&self.history, &mut self.ready, most)
    }

    fn append(&mut self, samples: &[f32]) {
        let begin = self.ready.len();
        self.ready.extend_from_slice(samples);
        let old = std::mem::take(&mut self.fading);
        for (i, (new, old)) in self.ready[begin..].iter_mut().zip(old).enumerate() {
            let w = (i as f32 + 0.5) / SEAM as f32;
            *new = *new * w + old * (1.0 - w);
        }
    }
}
