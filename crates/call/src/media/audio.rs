//! Sound, on one thread: microphone → Opus → network whenever 10 ms have been said, and every 10 ms, when it suits the
//! loudspeaker, network → playout → loudspeaker.
//!
//! Devices are opened and closed elsewhere (`audio_devices`), as both may take their time: they are handed in, and
//! handed back when others replace them or when they fail.

use super::audio_call::{AudioCall, Call};
use super::audio_devices::DeviceNews;
use super::chimes::Chimes;
use super::echo_line::EchoLine;
use super::seam::Seam;
use super::sound_end::SoundEnd;
use super::sound_wakes::SoundWakes;
use super::trial::Trial;
use crate::rate::SoundSettings;
use crate::sound::SoundChoices;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use visavis_capture::{Chime, Microphone, Speaker, Worker};
use visavis_media::{AudioFrame, FRAME_SAMPLES};
use visavis_voice::gain::Gain;
use visavis_voice::level::Meter;
use visavis_voice::loudness_guard::LoudnessGuard;
use visavis_voice::processing::SilentMicrophone;

/// Without a device and a call there is nothing to tick for.
const IDLE: Duration = Duration::from_secs(1);
/// The level is told, and devices are looked after, this often.
const LEVEL_INTERVAL: u32 = 5;

/// A device on loan, with the number of its opening.
pub(crate) struct Held<T> {
    pub serial: u64,
    pub device: T,
}

/// What the sound thread is told.
pub(crate) enum AudioCommand {
    /// Use this one from now on; the one before is handed back.
    Microphone(Option<Held<Microphone>>),
    /// Likewise.
    Speaker(Option<Held<Speaker>>),
    Muted(bool),
    Attach(Box<AudioCall>),
    Detach,
    Chime(Chime),
    Choices(SoundChoices),
    /// Expected loss of what we send, percent.
    ExpectedLoss(u8),
    /// How to encode what we send.
    Encode(SoundSettings),
    /// Find out what the microphone hears of the loudspeaker; only in a call.
    Trial(Box<Trial>),
    /// Be an echo: say what is heard, later.
    Echo(Box<EchoLine>),
    /// End the thread; others may still hold the command channel.
    Stop,
}

/// What the sound thread tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct AudioNews {
    /// Peak of the microphone, 0…1.
    pub level: f32,
    /// The microphone has given nothing but zeros for 3 s.
    pub silent: bool,
    /// Somebody speaks whose microphone is muted.
    pub speaks_muted: bool,
}

/// The thread and its command channel.
pub(crate) struct AudioEngine {
    commands: SyncSender<AudioCommand>,
    worker: Option<Worker>,
}

impl Drop for AudioEngine {
    fn drop(&mut self) {
        let _ = self.commands.try_send(AudioCommand::Stop);
        if let Some(worker) = self.worker.take() {
            // A sound stream that does not close must not keep the app from closing.
            worker.join_within(Duration::from_secs(1));
        }
    }
}

impl AudioEngine {
    /// Devices go back to `devices`.
    pub(crate) fn start(news: Arc<watch::Sender<AudioNews>>, devices: SyncSender<DeviceNews>) -> Self {
        let (commands, inbox) = sync_channel(64);
        let worker = Worker::spawn("audio", move |_| Thread::new(inbox, news, devices).run());
        Self { commands, worker: Some(worker) }
    }

    /// Tells the thread something; the channel is drained every tick, so it is full only if the thread is gone.
    pub(crate) fn command(&self, command: AudioCommand) {
        if self.commands.try_send(command).is_err() {
            tracing::error!("the sound thread does not answer");
        }
    }

    /// For whoever opens devices.
    pub(crate) fn commands(&self) -> SyncSender<AudioCommand> {
        self.commands.clone()
    }
}

struct Thread {
    inbox: Receiver<AudioCommand>,
    news: Arc<watch::Sender<AudioNews>>,
    devices: SyncSender<DeviceNews>,
    microphone: Option<Held<Microphone>>,
    speaker: Option<Held<Speaker>>,
    muted: bool,
    /// What was said before is not sent: voice processing may still hold some of it.
    unmuted: Option<Instant>,
    silent: SilentMicrophone,
    call: Option<Call>,
    choices: SoundChoices,
    chimes: Chimes,
    volume: Gain,
    guard: LoudnessGuard,
    meter: Meter,
    seam: Seam,
    trial: Option<Box<Trial>>,
    echo: Option<Box<EchoLine>>,
    /// Of the newest frame's first sample, when it had been processed.
    age: Duration,
    ticks: u32,
}

impl Thread {
    fn new(
        inbox: Receiver<AudioCommand>,
        news: Arc<watch::Sender<AudioNews>>,
        devices: SyncSender<DeviceNews>,
    ) -> Self {
        Self {
            inbox,
            news,
            devices,
            microphone: None,
            speaker: None,
            muted: false,
            unmuted: None,
            silent: SilentMicrophone::new(),
            call: None,
            choices: SoundChoices::default(),
            chimes: Chimes::default(),
            volume: Gain::new(1.0),
            guard: LoudnessGuard::new(),
            meter: Meter::new(),
            seam: Seam::new(),
            trial: None,
            echo: None,
            age: Duration::ZERO,
            ticks: 0,
        }
    }

    fn run(mut self) {
        let mut wakes = SoundWakes::new(Instant::now());
        loop {
            let (now, idle) = (Instant::now(), self.microphone.is_none() && self.speaker.is_none());
            let frame = self.microphone.as_ref().and_then(|held| held.device.next_at());
            let wait = if idle { IDLE } else { wakes.next(now, frame).saturating_duration_since(now) };
            match self.inbox.recv_timeout(wait) {
                Ok(AudioCommand::Stop) => return,
                Ok(command) => {
                    self.obey(command);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.speak();
            let now = Instant::now();
            if idle || wakes.is_tick(now) {
                self.tick(now);
                wakes.ticked(now, self.speaker.as_ref().and_then(|held| held.device.ask_at(now)));
            }
        }
    }

    fn obey(&mut self, command: AudioCommand) {
        match command {
            AudioCommand::Microphone(microphone) => {
                if microphone.is_none() && !self.muted && self.microphone.is_some() {
                    self.fall_silent();
                }
                self.microphone_changed();
                let before = std::mem::replace(&mut self.microphone, microphone);
                give_back(&self.devices, before, None);
            }
            AudioCommand::Speaker(speaker) => {
                if let Some(call) = &mut self.call {
                    call.voice.speaker_changed();
                }
                let before = std::mem::replace(&mut self.speaker, speaker);
                give_back(&self.devices, before, None);
            }
            AudioCommand::Muted(muted) => {
                self.muted = muted;
                if muted {
                    self.fall_silent();
                } else {
                    self.unmuted = Some(Instant::now());
                }
                if let Some(call) = &mut self.call {
                    call.voice.set_muted(muted);
                }
            }
            AudioCommand::Attach(call) => {
                let mut call = Call::new(*call);
                call.voice.set(self.choices.voice);
                call.voice.set_muted(self.muted);
                self.call = Some(call);
            }
            AudioCommand::Detach => (self.call, self.trial) = (None, None),
            AudioCommand::Chime(which) => self.chimes.order(which, Instant::now()),
            AudioCommand::Choices(choices) => {
                self.choices = choices;
                if let Some(call) = &mut self.call {
                    call.voice.set(choices.voice);
                }
            }
            AudioCommand::ExpectedLoss(percent) => {
                if let Some(call) = &mut self.call {
                    call.expect_loss(percent);
                }
            }
            AudioCommand::Encode(settings) => {
                if let Some(call) = &mut self.call {
                    call.encode_as(settings);
                }
            }
            AudioCommand::Trial(trial) => self.trial = self.call.is_some().then_some(trial),
            AudioCommand::Echo(line) => self.echo = Some(line),
            AudioCommand::Stop => {}
        }
    }

    /// What comes next is of another microphone, or of none.
    fn microphone_changed(&mut self) {
        self.seam.cut();
        self.silent = SilentMicrophone::new();
        if let Some(call) = &mut self.call {
            call.voice.microphone_changed();
        }
    }

    fn fall_silent(&mut self) {
        if let Some(call) = &mut self.call {
            call.mute();
        }
    }

    fn tick(&mut self, now: Instant) {
        self.ticks = self.ticks.wrapping_add(1);
        if let Some(call) = &mut self.call {
            call.take_packets();
        }
        self.play(now);
        if self.ticks.is_multiple_of(LEVEL_INTERVAL) {
            self.look_after_devices();
            self.tell();
        }
        if self.ticks.is_multiple_of(10)
            && let Some(call) = &mut self.call
        {
            call.keep_lips(now);
        }
        if self.ticks.is_multiple_of(100)
            && let Some(call) = &self.call
        {
            call.count();
            let speaker = self.speaker.as_ref().map(|held| held.device.delay());
            tracing::trace!(microphone = ?self.age, playout = ?call.held(), ?speaker, "how late sound is");
        }
    }

    fn speak(&mut self) {
        let Some(Held { device: microphone, .. }) = &mut self.microphone else { return };
        while let Some(mut frame) = microphone.read() {
            self.silent.listen(&frame.samples);
            self.seam.pass(&mut frame.samples);
            self.meter.add(&frame.samples);
            let Some(call) = &mut self.call else { continue };
            // Also while muted: the canceller goes on learning, and speech is listened for.
            let mut sent = call.voice.capture(&frame);
            self.age = sent.at.elapsed();
            if let Some(trial) = &mut self.trial {
                trial.hear(&frame.samples, call.voice.behind_canceller());
                // What is played for the trial is nothing to be said.
                sent.samples.fill(0.0);
            }
            if !self.muted && self.unmuted.is_none_or(|since| sent.at >= since) {
                call.speak(&sent);
            }
        }
        self.trial = self.trial.take().and_then(Trial::goes_on);
    }

    fn play(&mut self, now: Instant) {
        let Some(Held { device: speaker, .. }) = &mut self.speaker else { return };
        for _ in 0..speaker.wants() {
            let at = speaker.heard_at();
            let mut samples = match &mut self.call {
                Some(call) => call.listen(now, at),
                None => [0.0; FRAME_SAMPLES],
            };
            if let (Some(echo), Some(call)) = (&mut self.echo, &mut self.call) {
                call.speak(&echo.pass(&samples, now));
            }
            let volume = if self.trial.is_some() { 0.0 } else { self.choices.other.factor() };
            self.volume.apply(&mut samples, volume);
            if let Some(sweep) = self.trial.as_mut().and_then(|trial| trial.play()) {
                samples.iter_mut().zip(sweep).for_each(|(sample, sweep)| *sample += sweep);
            }
            self.chimes.mix(&mut samples, now, self.choices.chimes.factor());
            self.guard.apply(&mut samples);
            if let Some(call) = &mut self.call {
                // What is heard is what the microphone hears again.
                let heard = AudioFrame { samples, at };
                call.voice.render(&heard);
                call.tap.iter().for_each(|tap| tap(&heard));
            }
            speaker.write(&samples);
        }
    }

    /// Hands back what has failed.
    fn look_after_devices(&mut self) {
        if let Some(error) = self.microphone.as_ref().and_then(|held| held.device.failed()) {
            self.fall_silent();
            self.microphone_changed();
            give_back(&self.devices, self.microphone.take(), Some(error));
        }
        if let Some(error) = self.speaker.as_ref().and_then(|held| held.device.failed()) {
            give_back(&self.devices, self.speaker.take(), Some(error));
        }
    }

    fn tell(&self) {
        let now = AudioNews {
            level: if self.microphone.is_some() { self.meter.peak() } else { 0.0 },
            silent: self.microphone.is_some() && self.silent.is_silent(),
            speaks_muted: self.call.as_ref().is_some_and(|call| call.voice.report().speaking_while_muted),
        };
        self.news.send_if_modified(|old| {
            let changed = (now.level - old.level).abs() > 0.002
                || (now.silent, now.speaks_muted) != (old.silent, old.speaks_muted);
            if changed {
                *old = now;
            }
            changed
        });
    }
}

/// Closing may take its time, so others do it. Should they be gone, it is closed here.
fn give_back<T: SoundEnd>(
    devices: &SyncSender<DeviceNews>,
    held: Option<Held<T>>,
    failed: Option<visavis_capture::DeviceError>,
) {
    if let Some(held) = held {
        let _ = devices.try_send(T::given_back(held, failed));
    }
}
