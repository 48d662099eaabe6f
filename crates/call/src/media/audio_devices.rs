//! Opens microphones and loudspeakers, which may take seconds, on a thread that has nothing else to do.

use super::audio::AudioCommand;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use visavis_capture::list_devices;
use visavis_capture::{
    DeviceError, DeviceLists, DeviceState, Microphone, MicrophoneSpec, Speaker, SpeakerSpec, Worker,
};

/// Lists are compared this often; no platform tells of changes reliably.
const LIST_INTERVAL: Duration = Duration::from_secs(2);

/// What is wanted of the devices.
pub(crate) enum DeviceOrder {
    /// Use this one; with `open`, now.
    Microphone {
        spec: MicrophoneSpec,
        open: bool,
    },
    Speaker {
        spec: SpeakerSpec,
        open: bool,
    },
    /// It stopped working.
    MicrophoneFailed,
    SpeakerFailed,
}

/// What is true of the devices.
pub(crate) struct DeviceBoard {
    pub microphone: watch::Sender<DeviceState>,
    pub speaker: watch::Sender<DeviceState>,
    pub lists: watch::Sender<Arc<DeviceLists>>,
}

/// The thread.
pub(crate) struct AudioDevices {
    orders: Option<SyncSender<DeviceOrder>>,
    worker: Option<Worker>,
}

impl AudioDevices {
    pub(crate) fn start(board: Arc<DeviceBoard>, audio: SyncSender<AudioCommand>, list: bool) -> Self {
        let (orders, inbox) = sync_channel(16);
        let worker = Worker::spawn("audio-devices", move |_| Opener::new(board, audio, list).run(&inbox));
        Self { orders: Some(orders), worker: Some(worker) }
    }

    pub(crate) fn order(&self, order: DeviceOrder) {
        if let Some(orders) = &self.orders
            && orders.try_send(order).is_err()
        {
            tracing::warn!("the sound system does not answer; a change of device was not taken");
        }
    }
}

impl Drop for AudioDevices {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(worker) = self.worker.take() {
            // A sound server that hangs must not keep the app from closing.
            worker.join_within(Duration::from_secs(1));
        }
    }
}

struct Opener {
    board: Arc<DeviceBoard>,
    audio: SyncSender<AudioCommand>,
    list: bool,
    microphone: (MicrophoneSpec, bool),
    speaker: (SpeakerSpec, bool),
    retry_microphone: bool,
    retry_speaker: bool,
    listed: Option<Instant>,
}

impl Opener {
    fn new(board: Arc<DeviceBoard>, audio: SyncSender<AudioCommand>, list: bool) -> Self {
        Self {
            board,
            audio,
            list,
            microphone: (MicrophoneSpec::None, false),
            speaker: (SpeakerSpec::None, false),
            retry_microphone: false,
            retry_speaker: false,
            listed: None,
        }
    }

    fn run(mut self, inbox: &Receiver<DeviceOrder>) {
        loop {
            let wait = if self.listed.is_none() { Duration::ZERO } else { LIST_INTERVAL };
            match inbox.recv_timeout(wait) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, order: DeviceOrder) {
        match order {
            DeviceOrder::Microphone { spec, open } => {
                self.microphone = (spec, open);
                self.open_microphone();
            }
            DeviceOrder::Speaker { spec, open } => {
                if (&spec, open) != (&self.speaker.0, self.speaker.1) {
                    self.speaker = (spec, open);
                    self.open_speaker();
                }
            }
            DeviceOrder::MicrophoneFailed => self.open_microphone(),
            DeviceOrder::SpeakerFailed => self.open_speaker(),
        }
    }

    /// Compares the lists and tries again what failed.
    fn look(&mut self) {
        self.listed = Some(Instant::now());
        if self.list {
            let lists = list_devices();
            self.board.lists.send_if_modified(|old| {
                let changed = **old != lists;
                if changed {
                    *old = Arc::new(lists);
                }
                changed
            });
        }
        if self.retry_microphone {
            self.open_microphone();
        }
        if self.retry_speaker {
            self.open_speaker();
        }
    }

    fn open_microphone(&mut self) {
        let (spec, open) = self.microphone.clone();
        // The old device is given back before the new one is asked for: they may be the same.
        let _ = self.audio.send(AudioCommand::Microphone(None));
        self.retry_microphone = false;
        if !open || spec == MicrophoneSpec::None {
            self.board.microphone.send_replace(DeviceState::Off);
            return;
        }
        self.board.microphone.send_if_modified(opening);
        match Microphone::open(&spec) {
            Ok(microphone) => {
                let name = microphone.name().to_owned();
                let _ = self.audio.send(AudioCommand::Microphone(Some(microphone)));
                self.board.microphone.send_replace(DeviceState::Running { name, instead_of: None });
            }
            Err(error) => {
                self.retry_microphone = worth_retrying(&error);
                self.board.microphone.send_replace(DeviceState::Failed(error));
            }
        }
    }

    fn open_speaker(&mut self) {
        let (spec, open) = self.speaker.clone();
        let _ = self.audio.send(AudioCommand::Speaker(None));
        self.retry_speaker = false;
        if !open {
            self.board.speaker.send_replace(DeviceState::Off);
            return;
        }
        self.board.speaker.send_if_modified(opening);
        match Speaker::open(&spec) {
            Ok(speaker) => {
                let name = speaker.name().to_owned();
                let _ = self.audio.send(AudioCommand::Speaker(Some(speaker)));
                self.board.speaker.send_replace(DeviceState::Running { name, instead_of: None });
            }
            Err(error) => {
                self.retry_speaker = worth_retrying(&error);
                self.board.speaker.send_replace(DeviceState::Failed(error));
            }
        }
    }
}

/// While a retry is under way, the screen keeps saying what is wrong.
fn opening(state: &mut DeviceState) -> bool {
    match state {
        DeviceState::Failed(_) => false,
        DeviceState::Off | DeviceState::Opening | DeviceState::Running { .. } => {
            *state = DeviceState::Opening;
            true
        }
    }
}

fn worth_retrying(error: &DeviceError) -> bool {
    match error {
        DeviceError::File { .. } | DeviceError::UnsupportedFormat => false,
        DeviceError::NotFound { .. }
        | DeviceError::Busy { .. }
        | DeviceError::PermissionDenied
        | DeviceError::Unplugged
        | DeviceError::NoDevice
        | DeviceError::Stalled
        | DeviceError::Other(_) => true,
    }
}
