//! Opens and closes microphones and loudspeakers as [`DeviceChoice`] says.
//!
//! One thread decides and never waits. Opening and closing may take seconds, or for ever where a sound server hangs,
//! so each is done on a thread of its own: neither the other direction nor the lists nor the sound wait for it.

use super::audio::{AudioCommand, Held};
use super::device_choice::{DeviceChoice, Step, Target, Wish};
use super::device_lists::{DeviceLists as Lister, Pace};
use super::device_offer::{DeviceOffers, Used};
use super::sound_end::{Opening, SoundEnd};
use crate::api::DeviceOffer;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use visavis_capture::{
    DefaultMicrophone, DeviceError, DeviceInfo, DeviceLists, DeviceState, Microphone, MicrophoneSpec, SoundLists,
    Speaker, SpeakerSpec, StopFlag, Worker,
};

/// An opening that takes longer has failed; Bluetooth may take three seconds.
const OPEN_LIMIT: Duration = Duration::from_secs(6);
/// Openings that hang, of one direction; with more nothing is opened until one of them ends.
const MAX_HANGING: usize = 3;
/// What is under way when the app closes has this long.
const CLOSING: Duration = Duration::from_secs(1);
/// The inbox: two directions, their devices coming back, and lists.
const INBOX: usize = 64;
/// Without news the thread still looks whether it should end.
const LOOK: Duration = Duration::from_secs(1);

/// What happens to the devices.
pub(crate) enum DeviceNews {
    /// Use this microphone; with `open`, now.
    Microphone {
        spec: MicrophoneSpec,
        open: bool,
    },
    /// Use this loudspeaker; with `open`, now.
    Speaker {
        spec: SpeakerSpec,
        open: bool,
    },
    /// An opening ended.
    MicrophoneOpened(u64, Result<Microphone, DeviceError>),
    SpeakerOpened(u64, Result<Speaker, DeviceError>),
    /// The sound thread gives one back: it was replaced, or has failed.
    MicrophoneBack(Held<Microphone>, Option<DeviceError>),
    SpeakerBack(Held<Speaker>, Option<DeviceError>),
    /// What there is now.
    Listed(Result<SoundLists, DeviceError>),
    Cameras(Vec<DeviceInfo>),
    /// What is offered is not wanted.
    DismissOffer,
    /// End the thread; others may still hold the channel.
    Stop,
}

/// What is true of the devices.
pub(crate) struct DeviceBoard {
    pub microphone: watch::Sender<DeviceState>,
    pub speaker: watch::Sender<DeviceState>,
    pub lists: watch::Sender<Arc<DeviceLists>>,
    pub offer: watch::Sender<Option<DeviceOffer>>,
}

/// The thread.
pub(crate) struct AudioDevices {
    news: SyncSender<DeviceNews>,
    worker: Option<Worker>,
}

impl AudioDevices {
    /// The channel to the thread, which devices also come back through.
    pub(crate) fn channel() -> (SyncSender<DeviceNews>, Receiver<DeviceNews>) {
        sync_channel(INBOX)
    }

    /// With `list`, the lists are kept up to date also where no device is wanted.
    pub(crate) fn start(
        board: Arc<DeviceBoard>,
        audio: SyncSender<AudioCommand>,
        (news, inbox): (SyncSender<DeviceNews>, Receiver<DeviceNews>),
        list: bool,
    ) -> Self {
        let own = news.clone();
        let worker = Worker::spawn("audio-devices", move |stop| Desk::new(board, &audio, own, list).run(&inbox, stop));
        Self { news, worker: Some(worker) }
    }

    /// Tells the thread what is wanted.
    pub(crate) fn order(&self, order: DeviceNews) {
        if self.news.try_send(order).is_err() {
            tracing::warn!("a change of sound devices was not taken");
        }
    }
}

impl Drop for AudioDevices {
    fn drop(&mut self) {
        let _ = self.news.try_send(DeviceNews::Stop);
        if let Some(worker) = self.worker.take() {
            worker.join_within(CLOSING + LOOK);
        }
    }
}

/// What the thread owns.
struct Desk {
    board: Arc<DeviceBoard>,
    lister: Lister,
    list: bool,
    pace: Pace,
    microphone: Side<Microphone>,
    speaker: Side<Speaker>,
    default_microphone: DefaultMicrophone,
    offers: DeviceOffers,
}

impl Desk {
    fn new(
        board: Arc<DeviceBoard>,
        audio: &SyncSender<AudioCommand>,
        news: SyncSender<DeviceNews>,
        list: bool,
    ) -> Self {
        let lister = Lister::start(&news, list);
        let pace = if list { Pace::Slow } else { Pace::Never };
        lister.set(pace);
        Self {
            board,
            lister,
            list,
            pace,
            microphone: Side::new(MicrophoneSpec::None, audio.clone(), news.clone()),
            speaker: Side::new(SpeakerSpec::None, audio.clone(), news),
            default_microphone: DefaultMicrophone::default(),
            offers: DeviceOffers::default(),
        }
    }

    fn run(mut self, inbox: &Receiver<DeviceNews>, stop: &StopFlag) {
        while !stop.is_set() {
            let now = Instant::now();
            let sides = [self.microphone.poll_timeout(now), self.speaker.poll_timeout(now)];
            let at = sides.into_iter().flatten().chain(self.offers.poll_timeout(now)).min();
            let wait = at.map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
            match inbox.recv_timeout(wait) {
                Ok(DeviceNews::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(news) => self.take(news, Instant::now()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            self.microphone.act(now);
            self.speaker.act(now);
            self.show(now);
        }
        // What is under way is given its time, all together.
        let deadline = Instant::now() + CLOSING;
        let workers = [self.lister.stop(), self.microphone.end(), self.speaker.end()].into_iter().flatten();
        let workers: Vec<Worker> = workers.inspect(Worker::stop).collect();
        while let Ok(news) = inbox.recv_timeout(Duration::ZERO) {
            drop(news);
        }
        for worker in workers {
            worker.join_within(deadline.saturating_duration_since(Instant::now()));
        }
    }

    fn take(&mut self, news: DeviceNews, now: Instant) {
        match news {
            DeviceNews::Microphone { spec, open } => {
                if self.microphone.wish(spec, open) {
                    self.offers.dismiss();
                }
            }
            DeviceNews::Speaker { spec, open } => {
                if self.speaker.wish(spec, open) {
                    self.offers.dismiss();
                }
            }
            DeviceNews::MicrophoneOpened(serial, result) => self.microphone.opened(serial, result, now),
            DeviceNews::SpeakerOpened(serial, result) => self.speaker.opened(serial, result, now),
            DeviceNews::MicrophoneBack(held, failed) => self.microphone.back(held, failed, now),
            DeviceNews::SpeakerBack(held, failed) => self.speaker.back(held, failed, now),
            DeviceNews::Listed(lists) => self.listed(lists, now),
            DeviceNews::Cameras(cameras) => self.publish(|lists| lists.cameras = cameras),
            DeviceNews::DismissOffer => self.offers.dismiss(),
            DeviceNews::Stop => {}
        }
    }

    fn listed(&mut self, mut lists: Result<SoundLists, DeviceError>, now: Instant) {
        if let Ok(lists) = &mut lists {
            self.default_microphone.mark(&mut lists.microphones);
        }
        self.offers.listed(lists.as_ref().cloned(), now);
        let (microphones, speakers) = match lists {
            Ok(lists) => (Ok(lists.microphones), Ok(lists.speakers)),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        let offered = |list: &Result<visavis_capture::SoundDevices, DeviceError>| {
            list.as_ref().map(|list| list.offered.clone()).unwrap_or_default()
        };
        let (shown_microphones, shown_speakers) = (offered(&microphones), offered(&speakers));
        self.publish(|lists| {
            lists.microphones = shown_microphones;
            lists.speakers = shown_speakers;
        });
        self.microphone.choice.listed(microphones);
        self.speaker.choice.listed(speakers);
    }

    fn publish(&self, change: impl FnOnce(&mut DeviceLists)) {
        self.board.lists.send_if_modified(|old| {
            let mut new = (**old).clone();
            change(&mut new);
            let changed = **old != new;
            if changed {
                *old = Arc::new(new);
            }
            changed
        });
    }

    fn show(&mut self, now: Instant) {
        let offer = self.offers.offer(&self.microphone.used(), &self.speaker.used(), now);
        self.board.offer.send_if_modified(|old| {
            let changed = *old != offer;
            *old = offer;
            changed
        });
        let pace = match (self.microphone.choice.wants_device() || self.speaker.choice.wants_device(), self.list) {
            (true, _) => Pace::Quick,
            (false, true) => Pace::Slow,
            (false, false) => Pace::Never,
        };
        if pace != self.pace {
            self.pace = pace;
            self.lister.set(pace);
        }
        for (board, state) in [
            (&self.board.microphone, self.microphone.choice.state()),
            (&self.board.speaker, self.speaker.choice.state()),
        ] {
            board.send_if_modified(|old| {
                let changed = *old != state;
                if changed {
                    tracing::debug!(?state, "sound device");
                    *old = state;
                }
                changed
            });
        }
    }
}

/// One direction.
struct Side<T: SoundEnd> {
    choice: DeviceChoice,
    spec: T::Spec,
    audio: SyncSender<AudioCommand>,
    news: SyncSender<DeviceNews>,
    /// The newest opening, while it is under way, and when it will have failed.
    opening: Option<(u64, Instant)>,
    /// What the sound thread has.
    lent: Option<u64>,
    serial: u64,
    /// Openings, also those that were given up, and closings.
    openings: Vec<Worker>,
    closings: Vec<Worker>,
}

impl<T: SoundEnd> Side<T> {
    fn new(spec: T::Spec, audio: SyncSender<AudioCommand>, news: SyncSender<DeviceNews>) -> Self {
        Self {
            choice: DeviceChoice::new(),
            spec,
            audio,
            news,
            opening: None,
            lent: None,
            serial: 0,
            openings: Vec::new(),
            closings: Vec::new(),
        }
    }

    /// Whether something else is chosen than before.
    fn wish(&mut self, spec: T::Spec, open: bool) -> bool {
        let (before, wish) = (T::wish(&self.spec), T::wish(&spec));
        let changed = before != wish;
        self.choice.wish(if open { wish } else { Wish::Off });
        self.spec = spec;
        changed
    }

    fn used(&self) -> Used<'_> {
        Used { wish: T::wish(&self.spec), open: self.choice.open_id() }
    }

    fn opened(&mut self, serial: u64, result: Result<T, DeviceError>, now: Instant) {
        if self.opening.is_none_or(|(awaited, _)| awaited != serial) {
            // It was given up before it came.
            return result.into_iter().for_each(|device| self.close(device));
        }
        self.opening = None;
        match result {
            Ok(device) => {
                self.choice.opened(device.name(), now);
                self.lent = Some(serial);
                let _ = self.audio.send(T::command(Some(Held { serial, device })));
            }
            Err(error) => self.choice.not_opened(error, now),
        }
    }

    fn back(&mut self, held: Held<T>, failed: Option<DeviceError>, now: Instant) {
        if self.lent == Some(held.serial)
            && let Some(error) = failed
        {
            tracing::debug!(device = held.device.name(), %error, "a sound device stopped working");
            self.lent = None;
            self.choice.broke(error, now);
        }
        self.close(held.device);
    }

    fn close(&mut self, device: T) {
        self.closings.push(Worker::spawn(T::CLOSE, move |stop| {
            // What was written last is played out: cut off, it would click.
            stop.wait_for(device.rest());
            drop(device);
        }));
    }

    /// Does what there is to do.
    fn act(&mut self, now: Instant) {
        self.openings.retain(|worker| !worker.is_finished());
        self.closings.retain(|worker| !worker.is_finished());
        if self.opening.is_some_and(|(_, deadline)| deadline <= now) {
            self.opening = None;
            self.choice.not_opened(DeviceError::Stalled, now);
        }
        loop {
            match self.choice.next(now) {
                Step::Nothing => return,
                Step::Close => {
                    self.lent = None;
                    let _ = self.audio.send(T::command(None));
                    self.choice.closed();
                }
                Step::Open(target) => self.open(target, now),
            }
        }
    }

    fn open(&mut self, target: Target, now: Instant) {
        self.choice.begun(target.clone());
        if self.openings.len() >= MAX_HANGING {
            return self.choice.not_opened(DeviceError::Stalled, now);
        }
        self.serial += 1;
        self.opening = Some((self.serial, now + OPEN_LIMIT));
        let opening = Opening { serial: self.serial, spec: T::spec(target, &self.spec), out: self.news.clone() };
        self.openings.push(Worker::spawn(T::OPEN, move |_| opening.run::<T>()));
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.opening.map(|(_, deadline)| deadline).into_iter().chain(self.choice.poll_timeout(now)).min()
    }

    fn end(self) -> Vec<Worker> {
        let _ = self.audio.try_send(T::command(None));
        self.openings.into_iter().chain(self.closings).collect()
    }
}
