//! What an observer sees and hears of the other side: latency by the clock strip, sound delay by the tone bursts,
//! likeness to the very picture that was captured.

use crate::shared::percentile;
use crate::stages::Stages;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use visavis_call::{PictureTap, ReceivedPicture, SoundTap};
use visavis_capture::pattern::Pattern;
use visavis_capture::{Content, wall_clock};
use visavis_media::{AudioFrame, SAMPLE_RATE, Size, strip};

/// A burst is louder than this; what lies between bursts is not.
const BURST: f32 = 0.04;
/// Samples of quiet that must come before a burst: half a second.
const QUIET: u32 = SAMPLE_RATE / 2;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Seen {
    counting: bool,
    latencies: Vec<f64>,
    shown: u64,
    psnr: Vec<f64>,
    size: Option<Size>,
    comparing: f64,
}

/// Watches the received pictures.
pub(crate) struct Eye {
    seen: Arc<Mutex<Seen>>,
    original: Arc<Pattern>,
    size: Size,
    every: u64,
}

impl Eye {
    pub(crate) fn new(size: Size, every: u64) -> Self {
        Self { seen: Arc::default(), original: Arc::new(Pattern::new(Content::Cam, size)), size, every }
    }

    /// From now on it counts.
    pub(crate) fn begin(&self) {
        lock(&self.seen).counting = true;
    }

    /// To be told of each picture received; those that count are passed on to `stages`.
    pub(crate) fn tap(&self, stages: Stages) -> PictureTap {
        let (seen, original, size, every) = (self.seen.clone(), self.original.clone(), self.size, self.every);
        Arc::new(move |picture: &ReceivedPicture| {
            let mut seen = lock(&seen);
            if !seen.counting {
                return;
            }
            stages.received(picture);
            seen.shown += 1;
            seen.size = Some(picture.picture.size());
            let submitted = wall_clock().unix_ms(picture.submitted);
            let Some(ms) = strip::read(&picture.picture) else { return };
            let captured = strip::resolve(ms, submitted as u64);
            seen.latencies.push(submitted - captured as f64);
            if every > 0 && picture.count.is_multiple_of(every) && picture.picture.size() == size {
                let begun = Instant::now();
                // The strip's own moment is whole milliseconds, the pattern moves less than a pixel in one.
                let psnr = original.picture_at(captured as f64).psnr_y(&picture.picture);
                seen.psnr.extend(psnr.filter(|p| p.is_finite()));
                seen.comparing += begun.elapsed().as_secs_f64();
            }
        })
    }

    /// Seconds spent on comparing, which are no part of a call.
    pub(crate) fn comparing(&self) -> f64 {
        lock(&self.seen).comparing
    }

    pub(crate) fn result(&self, seconds: f64, sent: u64) -> Value {
        let seen = lock(&self.seen);
        let at = |share| percentile(&seen.latencies, share);
        let mean = (!seen.psnr.is_empty()).then(|| seen.psnr.iter().sum::<f64>() / seen.psnr.len() as f64);
        json!({
            "fps": seen.shown as f64 / seconds,
            "latency_ms": {"p50": at(0.5), "p95": at(0.95), "max": at(1.0)},
            "frames_sent": sent,
            "frames_decoded": seen.shown,
            "psnr_db": {"mean": mean, "min": percentile(&seen.psnr, 0.0)},
            "width": seen.size.map(Size::width),
            "height": seen.size.map(Size::height),
        })
    }
}

#[derive(Default)]
struct Heard {
    quiet: u32,
    delays: Vec<f64>,
}

/// Listens for tone bursts, which begin on the whole second.
pub(crate) struct Ear(Arc<Mutex<Heard>>);

impl Ear {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn tap(&self) -> SoundTap {
        let heard = self.0.clone();
        Arc::new(move |frame: &AudioFrame| {
            let mut heard = lock(&heard);
            for (i, sample) in frame.samples.iter().enumerate() {
                if sample.abs() < BURST {
                    heard.quiet = heard.quiet.saturating_add(1);
                    continue;
                }
                if heard.quiet >= QUIET {
                    let at = wall_clock().unix_ms(frame.at) + i as f64 * 1000.0 / f64::from(SAMPLE_RATE);
                    heard.delays.push(at.rem_euclid(1000.0));
                }
                heard.quiet = 0;
            }
        })
    }

    /// Milliseconds from the microphone to the loudspeaker, one for each burst.
    pub(crate) fn delays(&self) -> Vec<f64> {
        lock(&self.0).delays.clone()
    }
}
