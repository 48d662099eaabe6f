//! Sound, on one thread with a tick each 10 ms: microphone → Opus → network, and network → playout → loudspeaker.

use super::speech::OpusSpeech;
use crate::options::SoundTap;
use crate::stats::Counters;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use visavis_capture::{Microphone, Speaker, Worker, chime};
use visavis_codec::opus::{OpusDecoder, OpusEncoder, OpusError, OpusSettings, SAMPLES_20_MS, is_dtx};
use visavis_media::{AudioFrame, EncodedAudio, FRAME_DURATION, FRAME_SAMPLES, RtpTicks};
use visavis_voice::level::Meter;
use visavis_voice::playout::{PlayoutBuffer, PlayoutSettings};

/// Without a device and a call there is nothing to tick for.
const IDLE: Duration = Duration::from_secs(1);
/// A tick that is this late was no tick: the machine slept or was overloaded; what was missed is not made up for.
const STALL: Duration = Duration::from_millis(200);
/// The level is told this often.
const LEVEL_INTERVAL: u32 = 5;
/// Packets taken from the network each tick at most.
const PACKETS_PER_TICK: usize = 64;

/// An Opus packet as it came.
pub(crate) struct AudioPacket {
    pub sequence: u16,
    pub ticks: RtpTicks,
    pub payload: Bytes,
    pub arrival: Instant,
}

/// What a call brings to the sound thread.
pub(crate) struct AudioCall {
    /// From the network; dropped packets are concealed like lost ones.
    pub packets: Receiver<AudioPacket>,
    /// To the network.
    pub out: mpsc::Sender<EncodedAudio>,
    pub counters: Counters,
    pub codec: SpeechCodec,
    pub dtx: bool,
    pub tap: Option<SoundTap>,
}

/// Encoder and decoder of one call. Making them takes longer than a tick, so it is not done on the sound thread.
pub(crate) struct SpeechCodec {
    encoder: OpusEncoder,
    decoder: OpusDecoder,
}

impl SpeechCodec {
    pub(crate) fn new(dtx: bool) -> Result<Self, OpusError> {
        let encoder = OpusEncoder::new(OpusSettings { dtx, ..OpusSettings::default() })?;
        Ok(Self { encoder, decoder: OpusDecoder::new()? })
    }
}

/// What the sound thread is told.
pub(crate) enum AudioCommand {
    Microphone(Option<Microphone>),
    Speaker(Option<Speaker>),
    Muted(bool),
    Attach(Box<AudioCall>),
    Detach,
    Chime,
    /// Expected loss of what we send, percent.
    ExpectedLoss(u8),
    /// End the thread; others may still hold the command channel.
    Stop,
}

/// What the sound thread tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct AudioNews {
    /// Peak of the microphone, 0…1.
    pub level: f32,
    pub microphone_failed: bool,
    pub speaker_failed: bool,
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
    pub(crate) fn start(news: Arc<watch::Sender<AudioNews>>) -> Self {
        let (commands, inbox) = sync_channel(64);
        let worker = Worker::spawn("audio", move |_| Thread::new(inbox, news).run());
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
    microphone: Option<Microphone>,
    speaker: Option<Speaker>,
    muted: bool,
    call: Option<Call>,
    chime: Vec<f32>,
    meter: Meter,
    ticks: u32,
}

impl Thread {
    fn new(inbox: Receiver<AudioCommand>, news: Arc<watch::Sender<AudioNews>>) -> Self {
        Self {
            inbox,
            news,
            microphone: None,
            speaker: None,
            muted: false,
            call: None,
            chime: Vec::new(),
            meter: Meter::new(),
            ticks: 0,
        }
    }

    fn run(mut self) {
        let mut next = Instant::now();
        loop {
            let idle = self.microphone.is_none() && self.speaker.is_none();
            let wait = if idle { IDLE } else { next.saturating_duration_since(Instant::now()) };
            match self.inbox.recv_timeout(wait) {
                Ok(AudioCommand::Stop) => return,
                Ok(command) => {
                    self.obey(command);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            self.tick(now);
            next += FRAME_DURATION;
            if now.saturating_duration_since(next) > STALL {
                next = now + FRAME_DURATION;
            }
        }
    }

    fn obey(&mut self, command: AudioCommand) {
        match command {
            AudioCommand::Microphone(microphone) => self.microphone = microphone,
            AudioCommand::Speaker(speaker) => self.speaker = speaker,
            AudioCommand::Muted(muted) => {
                self.muted = muted;
                if let Some(call) = self.call.as_mut().filter(|_| muted) {
                    call.mute();
                }
            }
            AudioCommand::Attach(call) => self.call = Some(Call::new(*call)),
            AudioCommand::Detach => self.call = None,
            AudioCommand::Chime => self.chime = chime(),
            AudioCommand::ExpectedLoss(percent) => {
                if let Some(call) = &mut self.call {
                    let _ = call.encoder.set_expected_loss(percent);
                }
            }
            AudioCommand::Stop => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        self.ticks = self.ticks.wrapping_add(1);
        if let Some(microphone) = &mut self.microphone {
            while let Some(frame) = microphone.read() {
                self.meter.add(&frame.samples);
                match &mut self.call {
                    Some(call) if !self.muted => call.speak(&frame),
                    _ => {}
                }
            }
        }
        if let Some(call) = &mut self.call {
            call.take_packets();
        }
        if let Some(speaker) = &mut self.speaker {
            for _ in 0..speaker.wants() {
                let mut samples = match &mut self.call {
                    Some(call) => call.listen(now),
                    None => [0.0; FRAME_SAMPLES],
                };
                mix(&mut self.chime, &mut samples);
                if let Some(tap) = self.call.as_ref().and_then(|c| c.tap.as_ref()) {
                    tap(&AudioFrame { samples, at: now + speaker.delay() });
                }
                speaker.write(&samples);
            }
        }
        if self.ticks.is_multiple_of(LEVEL_INTERVAL) {
            self.tell();
        }
        if self.ticks.is_multiple_of(100)
            && let Some(call) = &self.call
        {
            call.count();
        }
    }

    fn tell(&self) {
        let level = if self.microphone.is_some() { self.meter.peak() } else { 0.0 };
        let news = AudioNews {
            level,
            microphone_failed: self.microphone.as_ref().is_some_and(|m| m.failed().is_some()),
            speaker_failed: self.speaker.as_ref().is_some_and(|s| s.failed().is_some()),
        };
        self.news.send_if_modified(|old| {
            let changed = *old != news && (news.level - old.level).abs() > 0.002
                || (news.microphone_failed, news.speaker_failed) != (old.microphone_failed, old.speaker_failed);
            if changed {
                *old = news;
            }
            changed
        });
    }
}

/// Adds the head of `source` to the frame and takes it away.
fn mix(source: &mut Vec<f32>, frame: &mut [f32; FRAME_SAMPLES]) {
    let count = source.len().min(FRAME_SAMPLES);
    for (sample, add) in frame.iter_mut().zip(source.drain(..count)) {
        *sample = (*sample + add).clamp(-1.0, 1.0);
    }
}

struct Call {
    encoder: OpusEncoder,
    playout: PlayoutBuffer,
    decoder: OpusSpeech,
    /// 20 ms being gathered, and the capture moment of its first sample.
    gathered: Vec<f32>,
    gathered_at: Option<Instant>,
    packets: Receiver<AudioPacket>,
    out: mpsc::Sender<EncodedAudio>,
    counters: Counters,
    dtx: bool,
    tap: Option<SoundTap>,
}

impl Call {
    fn new(call: AudioCall) -> Self {
        let AudioCall { codec: SpeechCodec { encoder, decoder }, packets, out, counters, dtx, tap } = call;
        Self {
            encoder,
            playout: PlayoutBuffer::new(PlayoutSettings::default()),
            decoder: OpusSpeech(decoder),
            gathered: Vec::with_capacity(SAMPLES_20_MS),
            gathered_at: None,
            packets,
            out,
            counters,
            dtx,
            tap,
        }
    }

    fn speak(&mut self, frame: &AudioFrame) {
        // Samples that do not follow each other (an overrun, a changed device) must not share a packet.
        if let Some(at) = self.gathered_at
            && frame.at.saturating_duration_since(at) > 3 * FRAME_DURATION
        {
            self.gathered.clear();
        }
        if self.gathered.is_empty() {
            self.gathered_at = Some(frame.at);
        }
        self.gathered.extend_from_slice(&frame.samples);
        if self.gathered.len() >= SAMPLES_20_MS {
            self.encode();
        }
    }

    fn encode(&mut self) {
        let Some(at) = self.gathered_at.take() else { return };
        let mut samples = [0.0; SAMPLES_20_MS];
        samples.copy_from_slice(&self.gathered[..SAMPLES_20_MS]);
        self.gathered.clear();
        match self.encoder.encode(&samples) {
            Ok(data) if is_dtx(&data) && self.dtx => {}
            Ok(data) => {
                // A network that does not take 20 ms of sound at once is down: what was said then is not sent later.
                let _ = self.out.try_send(EncodedAudio { data, at });
            }
            Err(error) => tracing::debug!(%error, "20 ms were not encoded"),
        }
    }

    /// From now on no sample of the microphone is sent; what had been gathered is replaced by silence, which also
    /// lets the far end's decoder fade out.
    fn mute(&mut self) {
        if self.gathered_at.is_none() {
            self.gathered_at = Some(Instant::now());
        }
        self.gathered.clear();
        self.gathered.resize(SAMPLES_20_MS, 0.0);
        self.encode();
    }

    fn take_packets(&mut self) {
        for packet in self.packets.try_iter().take(PACKETS_PER_TICK) {
            self.playout.push(packet.sequence, packet.ticks, packet.arrival, packet.payload);
        }
    }

    fn listen(&mut self, now: Instant) -> [f32; FRAME_SAMPLES] {
        self.playout.pull(now, &mut self.decoder).samples
    }

    fn count(&self) {
        let played = self.playout.stats();
        self.counters.update(|s| {
            let audio = &mut s.inbound_audio;
            audio.jitter_buffer_delay = played.jitter_buffer_delay;
            audio.jitter_buffer_emitted_count = played.jitter_buffer_emitted_count;
            audio.concealed_samples = played.concealed_samples;
            audio.silent_concealed_samples = played.silent_concealed_samples;
            audio.concealment_events = played.concealment_events;
            audio.inserted_samples_for_deceleration = played.inserted_samples;
            audio.removed_samples_for_acceleration = played.removed_samples;
            audio.total_samples_received = played.total_samples;
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.count();
    }
}
