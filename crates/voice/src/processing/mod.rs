//! What is done to the microphone's sound before it is encoded: echo, noise and level.
//!
//! In this order: high-pass, echo cancellation, noise suppression, automatic gain, limiter. Each but the limiter can be
//! switched at any time, and fades in and out over 10 ms. A [`VoiceProcessor`] has no thread, no device and no clock of
//! its own: it is handed what the loudspeaker plays ([`render`](VoiceProcessor::render)) and what the microphone heard
//! ([`capture`](VoiceProcessor::capture)), each with its moment, and answers with sound.
//!
//! **Clocks.** Microphone and loudspeaker count time by crystals of their own, and an echo canceller loses its grip at
//! 50 parts per million. The microphone is the master: both clocks are estimated from the frames' moments, and what was
//! played is resampled to the microphone's clock before the canceller sees it (`reference`).
//!
//! **Failure.** The signal processing is other people's; it is kept behind `catch_unwind`. A part that panics, or gives
//! sound that cannot be, is built anew at once, and 40 ms of sound go without it (`slot`).

mod clock;
mod echo;
mod gain;
mod gate;
mod high_pass;
mod limiter;
mod noise;
mod quiet_room;
mod reference;
mod report;
mod silence;
mod sinc;
mod slot;
#[cfg(test)]
mod slot_tests;
mod speech;
mod turn_down;

#[cfg(test)]
mod tests;

pub use noise::NoiseSuppression;
pub use report::VoiceReport;
pub use silence::SilentMicrophone;
pub use speech::MutedSpeech;

use crate::level::Meter;
use echo::EchoCanceller;
use gain::AutomaticGain;
use high_pass::HighPass;
use limiter::Limiter;
use noise::NoiseReducer;
use reference::Reference;
use slot::{Context, Slot};
use speech::SpeechDetector;
use std::time::Duration;
use visavis_media::{AudioFrame, FRAME_SAMPLES};

/// 10 ms of sound.
type Frame = [f32; FRAME_SAMPLES];

/// Which parts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceSettings {
    /// Takes away rumble below 80 Hz.
    pub high_pass: bool,
    /// Takes away what the microphone hears of the loudspeaker.
    pub echo_cancellation: bool,
    /// Takes away fans, keyboards and the like.
    pub noise_suppression: NoiseSuppression,
    /// Brings speech to about −21 dBFS.
    pub automatic_gain: bool,
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self {
            high_pass: true,
            echo_cancellation: true,
            noise_suppression: NoiseSuppression::Full,
            automatic_gain: true,
        }
    }
}

impl VoiceSettings {
    /// Nothing but the limiter.
    pub const OFF: Self = Self {
        high_pass: false,
        echo_cancellation: false,
        noise_suppression: NoiseSuppression::Off,
        automatic_gain: false,
    };
}

/// The chain. See the [module](self).
///
/// ```
/// use std::time::{Duration, Instant};
/// use visavis_media::AudioFrame;
/// use visavis_voice::processing::{VoiceProcessor, VoiceSettings};
///
/// let mut voice = VoiceProcessor::new(VoiceSettings::default());
/// let start = Instant::now();
/// for n in 0..10 {
///     let at = start + Duration::from_millis(10 * n);
///     voice.render(&AudioFrame::silence(at)); // goes to the loudspeaker
///     let to_send = voice.capture(&AudioFrame::silence(at)); // came from the microphone
///     assert!(to_send.rms() < 0.001);
/// }
/// ```
pub struct VoiceProcessor {
    muted: bool,
    last_good: f32,
    reference: Reference,
    high_pass: Slot<HighPass>,
    echo: Slot<EchoCanceller>,
    noise: Slot<NoiseReducer>,
    gain: Slot<AutomaticGain>,
    limiter: Limiter,
    detector: SpeechDetector,
    muted_speech: MutedSpeech,
    silent: SilentMicrophone,
    heard: Meter,
    sent: Meter,
    speech: Option<f32>,
    behind_canceller: Frame,
}

impl VoiceProcessor {
    /// A chain that has heard nothing yet.
    pub fn new(settings: VoiceSettings) -> Self {
        Self {
            muted: false,
            last_good: 0.0,
            reference: Reference::new(),
            high_pass: Slot::new(settings.high_pass.then_some(())),
            echo: Slot::new(settings.echo_cancellation.then_some(())),
            noise: Slot::new(settings.noise_suppression.kind()),
            gain: Slot::new(settings.automatic_gain.then_some(())),
            limiter: Limiter::new(),
            detector: SpeechDetector::new(),
            muted_speech: MutedSpeech::new(),
            silent: SilentMicrophone::new(),
            heard: Meter::new(),
            sent: Meter::new(),
            speech: None,
            behind_canceller: [0.0; FRAME_SAMPLES],
        }
    }

    /// Switches parts on and off; each fades over 10 ms, once the new one has warmed up for 20 ms.
    pub fn set(&mut self, settings: VoiceSettings) {
        self.high_pass.want(settings.high_pass.then_some(()));
        self.echo.want(settings.echo_cancellation.then_some(()));
        self.noise.want(settings.noise_suppression.kind());
        self.gain.want(settings.automatic_gain.then_some(()));
    }

    /// Whether the microphone is muted: then speech is listened for, to say so. What [`capture`](Self::capture) gives
    /// is processed all the same, so that nothing has to find its way again when the microphone is switched on; to send
    /// none of it is up to the caller.
    pub fn set_muted(&mut self, muted: bool) {
        if self.muted != muted {
            self.muted = muted;
            self.muted_speech = MutedSpeech::new();
        }
    }

    /// 10 ms that go to the loudspeaker, after mixing and volume; `at` is when they will be heard, as far as is known.
    /// A constant lateness up to 100 ms does no harm, nor does jitter of some milliseconds; but it should follow from
    /// the device's own count of samples. The moment of a tick plus what is queued then stands still for as long as
    /// both clocks agree to a period, and jumps: the drift in it cannot be found. A frame that is heard later than the
    /// one before ended is taken for the first after a pause, in which the loudspeaker was silent.
    pub fn render(&mut self, frame: &AudioFrame) {
        self.reference.render(&frame.samples, frame.at);
    }

    /// 10 ms of the microphone, captured at `at`; gives as much sound to be sent, [`delay`](Self::delay) older, and
    /// says so in its moment. Whatever comes, what it gives is finite and within ±1.
    pub fn capture(&mut self, frame: &AudioFrame) -> AudioFrame {
        self.silent.listen(&frame.samples);
        let mut samples = self.cleaned(&frame.samples);
        self.heard.add(&samples);
        let reference = self.reference.capture(frame.at, !self.echo.idle());
        let context = Context { reference: &reference };
        self.high_pass.process(&mut samples, &context);
        self.echo.process(&mut samples, &context);
        self.behind_canceller = samples;
        self.noise.process(&mut samples, &context);
        self.speech = self.noise.part().and_then(NoiseReducer::speech);
        if self.muted {
            let heard = self.speech.unwrap_or_else(|| self.detector.listen(&self.behind_canceller));
            self.speech = Some(heard);
            self.muted_speech.hear(heard);
        }
        self.gain.process(&mut samples, &context);
        self.limiter.process(&mut samples);
        self.sent.add(&samples);
        AudioFrame { samples, at: frame.at.checked_sub(self.delay()).unwrap_or(frame.at) }
    }

    /// What was left of the last 10 ms behind the canceller, before noise suppression and gain: how well the canceller
    /// does shows here, whatever the parts behind it do.
    pub fn behind_canceller(&self) -> &[f32; FRAME_SAMPLES] {
        &self.behind_canceller
    }

    /// How much older sound comes out than it went in, with the parts that are switched on.
    pub fn delay(&self) -> Duration {
        self.high_pass.delay() + self.echo.delay() + self.noise.delay() + self.gain.delay()
    }

    /// Another microphone: the echo takes another way, and its level is another. What was learnt is forgotten without a
    /// click.
    pub fn microphone_changed(&mut self) {
        self.reference.microphone_changed();
        self.silent = SilentMicrophone::new();
        self.echo.renew();
        self.noise.renew();
        self.gain.renew();
    }

    /// Another loudspeaker: the echo takes another way.
    pub fn speaker_changed(&mut self) {
        self.reference.speaker_changed();
        self.echo.renew();
    }

    /// What is known at present.
    pub fn report(&self) -> VoiceReport {
        let echo = self.echo.part().map(EchoCanceller::metrics);
        VoiceReport {
            heard: self.heard.peak(),
            sent: self.sent.peak(),
            speech: self.speech,
            speaking_while_muted: self.muted && self.muted_speech.speaking(),
            microphone_is_silent: self.silent.is_silent(),
            echo_return_loss_db: echo.map(|e| e.return_loss_db),
            echo_enhancement_db: echo.map(|e| e.enhancement_db),
            echo_delay: echo.map(|e| e.delay.saturating_sub(reference::LEAD)),
            gain_db: self.gain.part().map(AutomaticGain::gain_db),
            drift_ppm: self.reference.drift_ppm(),
            failures: self.high_pass.failures()
                + self.echo.failures()
                + self.noise.failures()
                + self.gain.failures()
                + self.detector.failures(),
        }
    }

    /// Samples that are no numbers become the last that was one, fading; what is out of range is clipped. Denormals,
    /// with which processors are slow, become zero.
    fn cleaned(&mut self, samples: &Frame) -> Frame {
        samples.map(|sample| {
            let clean = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { self.last_good * 0.98 };
            self.last_good = if clean.abs() < 1e-12 { 0.0 } else { clean };
            self.last_good
        })
    }
}
