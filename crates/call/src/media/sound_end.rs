//! What microphones and loudspeakers have in common for whoever opens and closes them.

use super::audio::{AudioCommand, Held};
use super::audio_devices::DeviceNews;
use super::device_choice::{Target, Wish};
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use visavis_capture::{DeviceError, Microphone, MicrophoneSpec, Speaker, SpeakerSpec};

/// Sound that a loudspeaker has queued is waited for no longer than this when it is closed.
const MAX_REST: Duration = Duration::from_millis(80);

/// A microphone or a loudspeaker.
pub(crate) trait SoundEnd: Send + Sized + 'static {
    /// What a person names.
    type Spec: Send + 'static;
    /// Names of the threads.
    const OPEN: &'static str;
    const CLOSE: &'static str;

    fn open(spec: &Self::Spec) -> Result<Self, DeviceError>;
    fn name(&self) -> &str;
    /// How long it is still to be heard.
    fn rest(&self) -> Duration;
    fn wish(spec: &Self::Spec) -> Wish;
    /// What to open for a target; a stand-in is opened as it was chosen.
    fn spec(target: Target, chosen: &Self::Spec) -> Self::Spec;
    /// To the sound thread.
    fn command(held: Option<Held<Self>>) -> AudioCommand;
    /// From the sound thread.
    fn given_back(held: Held<Self>, failed: Option<DeviceError>) -> DeviceNews;
    /// From whoever opened it.
    fn opened(serial: u64, result: Result<Self, DeviceError>) -> DeviceNews;
}

impl SoundEnd for Microphone {
    type Spec = MicrophoneSpec;
    const OPEN: &'static str = "open microphone";
    const CLOSE: &'static str = "end microphone";

    fn open(spec: &MicrophoneSpec) -> Result<Self, DeviceError> {
        Microphone::open(spec)
    }

    fn name(&self) -> &str {
        Microphone::name(self)
    }

    fn rest(&self) -> Duration {
        Duration::ZERO
    }

    fn wish(spec: &MicrophoneSpec) -> Wish {
        match spec {
            MicrophoneSpec::Default => Wish::Default,
            MicrophoneSpec::Device(wanted) => Wish::Device(wanted.clone()),
            MicrophoneSpec::Tone | MicrophoneSpec::Speech | MicrophoneSpec::File(_) => Wish::StandIn(spec.to_string()),
            MicrophoneSpec::None => Wish::Off,
        }
    }

    fn spec(target: Target, chosen: &MicrophoneSpec) -> MicrophoneSpec {
        match target {
            Target::Device(id) => MicrophoneSpec::Device(id),
            Target::StandIn(_) => chosen.clone(),
        }
    }

    fn command(held: Option<Held<Self>>) -> AudioCommand {
        AudioCommand::Microphone(held)
    }

    fn given_back(held: Held<Self>, failed: Option<DeviceError>) -> DeviceNews {
        DeviceNews::MicrophoneBack(held, failed)
    }

    fn opened(serial: u64, result: Result<Self, DeviceError>) -> DeviceNews {
        DeviceNews::MicrophoneOpened(serial, result)
    }
}

impl SoundEnd for Speaker {
    type Spec = SpeakerSpec;
    const OPEN: &'static str = "open speaker";
    const CLOSE: &'static str = "end speaker";

    fn open(spec: &SpeakerSpec) -> Result<Self, DeviceError> {
        Speaker::open(spec)
    }

    fn name(&self) -> &str {
        Speaker::name(self)
    }

    fn rest(&self) -> Duration {
        self.delay().min(MAX_REST)
    }

    fn wish(spec: &SpeakerSpec) -> Wish {
        match spec {
            SpeakerSpec::Default => Wish::Default,
            SpeakerSpec::Device(wanted) => Wish::Device(wanted.clone()),
            SpeakerSpec::File(_) | SpeakerSpec::None => Wish::StandIn(spec.to_string()),
        }
    }

    fn spec(target: Target, chosen: &SpeakerSpec) -> SpeakerSpec {
        match target {
            Target::Device(id) => SpeakerSpec::Device(id),
            Target::StandIn(_) => chosen.clone(),
        }
    }

    fn command(held: Option<Held<Self>>) -> AudioCommand {
        AudioCommand::Speaker(held)
    }

    fn given_back(held: Held<Self>, failed: Option<DeviceError>) -> DeviceNews {
        DeviceNews::SpeakerBack(held, failed)
    }

    fn opened(serial: u64, result: Result<Self, DeviceError>) -> DeviceNews {
        DeviceNews::SpeakerOpened(serial, result)
    }
}

/// An opening, to be done where waiting does no harm.
pub(super) struct Opening<S> {
    pub serial: u64,
    pub spec: S,
    pub out: SyncSender<DeviceNews>,
}

impl<S> Opening<S> {
    /// Opens and tells; where nobody listens any more, what was opened is closed again.
    pub(super) fn run<T: SoundEnd<Spec = S>>(self) {
        let _ = self.out.send(T::opened(self.serial, T::open(&self.spec)));
    }
}
