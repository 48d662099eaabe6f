//! An echo trial in the sound thread: it plays and hears there, and what was heard is judged elsewhere.

use tokio::sync::{oneshot, watch};
use visavis_media::FRAME_SAMPLES;
use visavis_voice::echo_trial::EchoTrial;

/// 10 ms of sound.
type Frame = [f32; FRAME_SAMPLES];

/// The sound thread's end; dropping it gives the trial up.
#[derive(Debug)]
pub(crate) struct Trial {
    trial: EchoTrial,
    progress: watch::Sender<u8>,
    done: oneshot::Sender<EchoTrial>,
}

/// The other end; dropping it gives the trial up.
#[derive(Debug)]
pub(crate) struct TrialReport {
    /// In percent.
    pub progress: watch::Receiver<u8>,
    /// All of it, once it is over.
    pub done: oneshot::Receiver<EchoTrial>,
}

impl Trial {
    pub(crate) fn new() -> (Box<Self>, TrialReport) {
        let ((progress, percent), (done, over)) = (watch::channel(0), oneshot::channel());
        let trial = Self { trial: EchoTrial::default(), progress, done };
        (Box::new(trial), TrialReport { progress: percent, done: over })
    }

    /// The next 10 ms for the loudspeaker.
    pub(super) fn play(&mut self) -> Option<Frame> {
        self.trial.play()
    }

    /// Takes 10 ms of the microphone, as it came and behind the canceller.
    pub(super) fn hear(&mut self, raw: &Frame, clean: &Frame) {
        self.trial.hear(raw, clean);
        let percent = (100.0 * self.trial.progress()) as u8;
        self.progress.send_if_modified(|old| std::mem::replace(old, percent) != percent);
    }

    /// Whether it goes on; what is over is handed in.
    pub(super) fn goes_on(self: Box<Self>) -> Option<Box<Self>> {
        if self.done.is_closed() {
            return None;
        }
        if !self.trial.is_over() {
            return Some(self);
        }
        let Self { trial, done, .. } = *self;
        let _ = done.send(trial);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_handed_in_when_it_is_over_and_tells_how_far_it_is_before() {
        let (trial, mut report) = Trial::new();
        let mut trial = Some(trial);
        let mut told = Vec::new();
        while let Some(mut now) = trial.take() {
            now.play();
            now.hear(&[0.0; FRAME_SAMPLES], &[0.0; FRAME_SAMPLES]);
            trial = now.goes_on();
            told.push(*report.progress.borrow());
        }
        assert!(told.is_sorted() && told.contains(&50) && told.last() == Some(&100), "{told:?}");
        assert!(report.done.try_recv().is_ok_and(|trial| trial.is_over()));
    }

    #[test]
    fn one_that_nobody_waits_for_ends_at_once() {
        let (trial, report) = Trial::new();
        let trial = trial.goes_on().expect("somebody waits");
        drop(report);
        assert!(trial.goes_on().is_none());
    }
}
