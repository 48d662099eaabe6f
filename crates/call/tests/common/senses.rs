//! What comes out at the far end: pictures by their clock strip, sound by its loudness and pitch.

use std::f32::consts::TAU;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use visavis_call::{PictureTap, ReceivedPicture, SoundTap};
use visavis_capture::wall_clock;
use visavis_media::{AudioFrame, FRAME_SAMPLES, SAMPLE_RATE, Size, strip};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A received picture whose strip could be read.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Unix time in milliseconds at which it was captured, by its strip.
    pub captured: u64,
    pub submitted: Instant,
    pub size: Size,
}

#[derive(Default)]
struct Gallery {
    seen: Vec<Seen>,
    unreadable: usize,
}

/// Watches received pictures.
pub struct Eye {
    gallery: Arc<Mutex<Gallery>>,
    poke: SyncSender<()>,
}

impl Eye {
    pub fn new(poke: SyncSender<()>) -> Self {
        Self { gallery: Arc::default(), poke }
    }

    pub fn tap(&self) -> PictureTap {
        let (gallery, poke) = (self.gallery.clone(), self.poke.clone());
        Arc::new(move |picture: &ReceivedPicture| {
            let now = wall_clock().unix_ms(picture.submitted) as u64;
            let mut gallery = lock(&gallery);
            match strip::read(&picture.picture) {
                Some(ms) => gallery.seen.push(Seen {
                    captured: strip::resolve(ms, now),
                    submitted: picture.submitted,
                    size: picture.picture.size(),
                }),
                None => gallery.unreadable += 1,
            }
            let _ = poke.try_send(());
        })
    }

    /// All pictures with a strip so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.gallery).seen.clone()
    }

    pub fn forget(&self) {
        *lock(&self.gallery) = Gallery::default();
    }

    /// How many pictures came without one.
    pub fn unreadable(&self) -> usize {
        lock(&self.gallery).unreadable
    }

    pub fn first_captured_after(&self, unix_ms: u64) -> Option<Seen> {
        lock(&self.gallery).seen.iter().copied().find(|seen| seen.captured > unix_ms)
    }
}

/// Listens to what goes to the loudspeaker.
pub struct Ear {
    frames: Arc<Mutex<Vec<AudioFrame>>>,
    poke: SyncSender<()>,
}

impl Ear {
    pub fn new(poke: SyncSender<()>) -> Self {
        Self { frames: Arc::default(), poke }
    }

    pub fn tap(&self) -> SoundTap {
        let (frames, poke) = (self.frames.clone(), self.poke.clone());
        Arc::new(move |frame: &AudioFrame| {
            lock(&frames).push(frame.clone());
            let _ = poke.try_send(());
        })
    }

    pub fn forget(&self) {
        *lock(&self.frames) = Vec::new();
    }

    /// How many frames of 10 ms have come so far.
    pub fn count(&self) -> usize {
        lock(&self.frames).len()
    }

    /// The frames from this one on.
    pub fn since(&self, count: usize) -> Vec<AudioFrame> {
        lock(&self.frames).get(count..).unwrap_or_default().to_vec()
    }

    /// Runs of sound after silence, of at least 50 ms, from this frame on; one that has not ended does not count.
    pub fn bursts_since(&self, count: usize) -> Vec<Vec<f32>> {
        let (mut bursts, mut run) = (Vec::new(), Vec::new());
        for frame in self.since(count) {
            if frame.rms() > 0.02 {
                run.extend_from_slice(&frame.samples);
            } else {
                let burst = std::mem::take(&mut run);
                if burst.len() >= 5 * FRAME_SAMPLES {
                    bursts.push(burst);
                }
            }
        }
        bursts
    }
}

/// Root mean square of the loudest 100 ms among these frames.
pub fn loudest(frames: &[AudioFrame]) -> f32 {
    let power: Vec<f32> = frames.iter().map(|f| f.rms().powi(2)).collect();
    power.windows(10).map(|w| (w.iter().sum::<f32>() / 10.0).sqrt()).fold(0.0, f32::max)
}

/// The share of the sound's power that lies at a frequency (Goertzel), 0…1.
pub fn share_at(samples: &[f32], hertz: f32) -> f32 {
    let turn = TAU * hertz / SAMPLE_RATE as f32;
    let k = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0f64, 0.0f64);
    for &sample in samples {
        let next = f64::from(sample) + f64::from(k) * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - f64::from(k) * last * before;
    let total: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    if total == 0.0 { 0.0 } else { (2.0 * power / (total * samples.len() as f64)) as f32 }
}

/// The same, taken over pieces of 20 ms: what the playout buffer stretches or conceals is out of step with itself.
pub fn share_in_pieces(samples: &[f32], hertz: f32) -> f32 {
    let energy = |piece: &[f32]| piece.iter().map(|s| s * s).sum::<f32>();
    let pieces: Vec<_> = samples.chunks_exact(2 * FRAME_SAMPLES).collect();
    let total: f32 = pieces.iter().map(|p| energy(p)).sum();
    pieces.iter().map(|p| share_at(p, hertz) * energy(p)).sum::<f32>() / total.max(f32::MIN_POSITIVE)
}
