//! Which devices are open when: all in a call, camera and microphone before it where a preview is wanted.

use super::chime_time::ChimeTime;
use crate::api::DeviceOffer;
use crate::check::Mirror;
use crate::media::{
    AudioCommand, AudioDevices, AudioEngine, AudioNews, CameraDeck, DeviceBoard, DeviceNews, EchoLine, Trial,
};
use crate::options::Options;
use crate::sound::{SoundChoices, Volume};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;
use tokio::sync::watch;
use visavis_capture::{
    CameraSpec, CameraState, CameraWish, Chime, DeviceLists, DeviceState, MicrophoneSpec, SpeakerSpec,
};
use visavis_media::{VideoFrame, slot};

/// What is true of the devices, as the front end shows it.
pub(super) struct Board {
    pub camera: CameraState,
    pub microphone: DeviceState,
    pub speaker: DeviceState,
    pub lists: Arc<DeviceLists>,
    pub offer: Option<DeviceOffer>,
    pub sound: AudioNews,
}

/// See the module's text.
pub(super) struct Devices {
    camera: CameraDeck,
    engine: AudioEngine,
    opener: AudioDevices,
    camera_state: watch::Receiver<CameraState>,
    microphone_state: watch::Receiver<DeviceState>,
    speaker_state: watch::Receiver<DeviceState>,
    lists: watch::Receiver<Arc<DeviceLists>>,
    offer: watch::Receiver<Option<DeviceOffer>>,
    news: watch::Receiver<AudioNews>,
    camera_spec: CameraSpec,
    microphone_spec: MicrophoneSpec,
    speaker_spec: SpeakerSpec,
    preview: bool,
    /// What was last asked for.
    camera_open: Option<CameraSpec>,
    microphone_open: Option<MicrophoneSpec>,
    speaker_open: Option<SpeakerSpec>,
    chimes: Volume,
    chime_time: ChimeTime,
    /// An echo peer's camera.
    mirror: Option<Mirror>,
}

impl Devices {
    /// With a mirror these are an echo peer's: it shows what it sees and says what it hears.
    pub(super) fn new(options: &Options, preview: slot::Writer<VideoFrame>, mirror: Option<Mirror>) -> Self {
        let (camera_tx, camera_state) = watch::channel(CameraState::Off);
        let (microphone, microphone_state) = watch::channel(DeviceState::Off);
        let (speaker, speaker_state) = watch::channel(DeviceState::Off);
        let (lists_tx, lists) = watch::channel(Arc::new(DeviceLists::default()));
        let (offer_tx, offer) = watch::channel(None);
        let (news_tx, news) = watch::channel(AudioNews::default());
        let wish = CameraWish { size: options.size, fps: options.fps };
        let (to_opener, inbox) = AudioDevices::channel();
        let engine = AudioEngine::start(Arc::new(news_tx), to_opener.clone());
        engine.command(AudioCommand::Choices(options.sound));
        if mirror.is_some() {
            engine.command(AudioCommand::Echo(Box::new(EchoLine::new())));
        }
        let board = Arc::new(DeviceBoard { microphone, speaker, lists: lists_tx, offer: offer_tx });
        let opener = AudioDevices::start(board, engine.commands(), (to_opener, inbox), options.preview);
        opener.order(DeviceNews::Microphone { spec: options.microphone.clone(), open: false });
        opener.order(DeviceNews::Speaker { spec: options.speaker.clone(), open: false });
        Self {
            camera: CameraDeck::new(wish, preview, Arc::new(camera_tx)),
            opener,
            engine,
            camera_state,
            microphone_state,
            speaker_state,
            lists,
            offer,
            news,
            camera_spec: options.camera.clone(),
            microphone_spec: options.microphone.clone(),
            speaker_spec: options.speaker.clone(),
            preview: options.preview,
            camera_open: None,
            microphone_open: None,
            speaker_open: None,
            chimes: options.sound.chimes,
            chime_time: ChimeTime::default(),
            mirror,
        }
    }

    pub(super) fn use_camera(&mut self, spec: CameraSpec) {
        self.camera_spec = spec;
        // Asked for again: a camera that failed is tried again.
        self.camera_open = None;
    }

    pub(super) fn use_microphone(&mut self, spec: MicrophoneSpec) {
        if self.microphone_open.is_none() {
            self.opener.order(DeviceNews::Microphone { spec: spec.clone(), open: false });
        }
        self.microphone_spec = spec;
        self.microphone_open = None;
    }

    pub(super) fn use_speaker(&mut self, spec: SpeakerSpec) {
        if self.speaker_open.is_none() {
            self.opener.order(DeviceNews::Speaker { spec: spec.clone(), open: false });
        }
        self.speaker_spec = spec;
        self.speaker_open = None;
    }

    pub(super) fn dismiss_offer(&self) {
        self.opener.order(DeviceNews::DismissOffer);
    }

    pub(super) fn mute(&self, muted: bool) {
        self.engine.command(AudioCommand::Muted(muted));
    }

    pub(super) fn treat_sound(&mut self, choices: SoundChoices) {
        self.chimes = choices.chimes;
        self.engine.command(AudioCommand::Choices(choices));
    }

    pub(super) fn chime(&mut self, which: Chime) {
        // No loudspeaker stays open for what nobody is to hear.
        if self.chimes == Volume::OFF && which != Chime::Trial {
            return;
        }
        self.chime_time.order(which, Instant::now());
        self.engine.command(AudioCommand::Chime(which));
    }

    /// Finds out what the microphone hears of the loudspeaker.
    pub(super) fn try_echo(&self, trial: Box<Trial>) {
        self.engine.command(AudioCommand::Trial(trial));
    }

    pub(super) fn audio(&self) -> SyncSender<AudioCommand> {
        self.engine.commands()
    }

    /// Gives the next call the camera's pictures.
    pub(super) fn look_through(&mut self) -> slot::Reader<VideoFrame> {
        match &self.mirror {
            Some(mirror) => mirror.look_into(),
            None => self.camera.attach(),
        }
    }

    /// Opens and closes what the moment wants; does nothing where nothing changes.
    pub(super) fn arrange(&mut self, active: bool, video_on: bool) {
        let now = Instant::now();
        let wanted = (video_on && (active || self.preview) && self.camera_spec != CameraSpec::None)
            .then(|| self.camera_spec.clone());
        if wanted != self.camera_open {
            match &wanted {
                Some(spec) => self.camera.open(spec.clone()),
                None => self.camera.close(),
            }
            self.camera_open = wanted;
        }

        let wanted = (active || self.preview).then(|| self.microphone_spec.clone());
        if wanted != self.microphone_open {
            let (spec, open) = (self.microphone_spec.clone(), wanted.is_some());
            self.opener.order(DeviceNews::Microphone { spec, open });
            self.microphone_open = wanted;
        }

        self.chime_time.see(&self.speaker_state.borrow(), now);
        let wanted = (active || self.chime_time.poll_timeout().is_some()).then(|| self.speaker_spec.clone());
        if wanted != self.speaker_open {
            let (spec, open) = (self.speaker_spec.clone(), wanted.is_some());
            self.opener.order(DeviceNews::Speaker { spec, open });
            self.speaker_open = wanted;
        }
    }

    /// Waits until something about the devices is worth showing.
    pub(super) async fn changed(&mut self) {
        let chime = async {
            match self.chime_time.poll_timeout() {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.camera_state.changed() => {}
            Ok(()) = self.microphone_state.changed() => {}
            Ok(()) = self.speaker_state.changed() => {}
            Ok(()) = self.lists.changed() => {}
            Ok(()) = self.offer.changed() => {}
            Ok(()) = self.news.changed() => {}
            () = chime => {}
        }
    }

    /// How the camera fares.
    pub(super) fn camera_state(&self) -> CameraState {
        self.camera_state.borrow().clone()
    }

    /// A camera is chosen and, as far as is known, works.
    pub(super) fn has_camera(&self) -> bool {
        let works = !matches!(*self.camera_state.borrow(), CameraState::Failed(_));
        self.mirror.is_some() || (self.camera_spec != CameraSpec::None && works)
    }

    pub(super) fn board(&self) -> Board {
        Board {
            camera: self.camera_state(),
            microphone: self.microphone_state.borrow().clone(),
            speaker: self.speaker_state.borrow().clone(),
            lists: self.lists.borrow().clone(),
            offer: self.offer.borrow().clone(),
            sound: *self.news.borrow(),
        }
    }
}
