//! One call's part of the sound thread: Opus both ways, and the playout buffer.

use super::lip_sync::SharedLipSync;
use super::speech::OpusSpeech;
use crate::options::SoundTap;
use crate::rate::{PacketLength, SoundEffort, SoundSettings};
use crate::stats::Counters;
use bytes::Bytes;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use visavis_codec::opus::{
    OpusDecoder, OpusEncoder, OpusError, OpusSettings, SAMPLES_20_MS, announce_longer, announces_longer, is_dtx,
};
use visavis_media::{AudioFrame, ClockRate, EncodedAudio, FRAME_DURATION, FRAME_SAMPLES, RtpTicks};
use visavis_voice::playout::{PlayedKind, PlayoutBuffer, PlayoutSettings};
use visavis_voice::processing::{VoiceProcessor, VoiceSettings};
use visavis_voice::ramp::Ramp;

/// A pause is announced by so many packets that say nothing, since one may get lost; the rest of it is not sent.
const ANNOUNCEMENTS: u32 = 2;
/// Before packets become longer, so many short ones say so (0.3 s): the other side stretches its sound by the 10 ms that the
/// first long one comes later.
const NOTICES: u32 = 30;
/// Packets taken from the network each tick at most.
const PACKETS_PER_TICK: usize = 64;

/// An Opus packet as it came.
#[derive(Debug)]
pub(crate) struct AudioPacket {
    pub sequence: u16,
    pub ticks: RtpTicks,
    pub payload: Bytes,
    pub arrival: Instant,
    pub origin: Origin,
}

/// How a packet of sound came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Itself,
    /// As a copy in a later one.
    Copy,
}

/// What a call brings to the sound thread.
pub(crate) struct AudioCall {
    /// From the network; dropped packets are concealed like lost ones.
    pub packets: Receiver<AudioPacket>,
    /// To the network.
    pub out: mpsc::Sender<EncodedAudio>,
    pub counters: Counters,
    pub codec: SpeechCodec,
    /// Whether pauses are left out.
    pub dtx: bool,
    pub tap: Option<SoundTap>,
    pub lips: SharedLipSync,
}

/// Encoder, decoder and voice processing of one call. Making them takes longer than a tick, so it is not done on the
/// sound thread.
pub(crate) struct SpeechCodec {
    voice: Box<VoiceProcessor>,
    encoder: OpusEncoder,
    decoder: OpusDecoder,
}

impl SpeechCodec {
    pub(crate) fn new(dtx: bool, voice: VoiceSettings) -> Result<Self, OpusError> {
        let encoder = OpusEncoder::new(OpusSettings { dtx, ..OpusSettings::default() })?;
        Ok(Self { voice: Box::new(VoiceProcessor::new(voice)), encoder, decoder: OpusDecoder::new()? })
    }
}

/// What the sound thread does for the call it is attached to.
pub(super) struct Call {
    /// What is done to the microphone's sound.
    pub(super) voice: Box<VoiceProcessor>,
    encoder: OpusEncoder,
    playout: PlayoutBuffer,
    decoder: OpusSpeech,
    length: PacketLength,
    /// Short packets that are still to announce longer ones.
    notices: u32,
    effort: SoundEffort,
    /// A packet's samples being gathered, and the capture moment of the first.
    gathered: Vec<f32>,
    gathered_at: Option<Instant>,
    /// The microphone's sound comes in gently, at the call's beginning and after a silence.
    ramp: Ramp,
    /// The last sample that was sent.
    last: f32,
    packets: Receiver<AudioPacket>,
    out: mpsc::Sender<EncodedAudio>,
    counters: Counters,
    dtx: bool,
    /// Packets in a row that say nothing.
    paused: u32,
    pub(super) tap: Option<SoundTap>,
    lips: SharedLipSync,
}

impl Call {
    pub(super) fn new(call: AudioCall) -> Self {
        let AudioCall { codec: SpeechCodec { voice, mut encoder, decoder }, packets, out, counters, dtx, tap, lips } =
            call;
        // It was made before it was known what the other side takes.
        let _ = encoder.set_dtx(dtx);
        Self {
            voice,
            encoder,
            playout: PlayoutBuffer::new(PlayoutSettings::default()),
            decoder: OpusSpeech(decoder),
            length: PacketLength::default(),
            notices: 0,
            effort: SoundEffort::default(),
            gathered: Vec::with_capacity(SAMPLES_20_MS),
            gathered_at: None,
            ramp: Ramp::new(false),
            last: 0.0,
            packets,
            out,
            counters,
            dtx,
            paused: 0,
            tap,
            lips,
        }
    }

    /// Sends a frame of the microphone.
    pub(super) fn speak(&mut self, frame: &AudioFrame) {
        // Samples that do not follow each other (an overrun, a changed device) must not share a packet.
        if let Some(at) = self.gathered_at
            && frame.at.saturating_duration_since(at) > 3 * FRAME_DURATION
        {
            self.gathered.clear();
        }
        if self.gathered.is_empty() {
            self.gathered_at = Some(frame.at);
        }
        let mut samples = frame.samples;
        self.ramp.apply(&mut samples, true);
        self.gathered.extend_from_slice(&samples);
        while self.gathered.len() >= self.length.samples() {
            self.encode();
        }
    }

    fn encode(&mut self) {
        let samples = self.length.samples().min(self.gathered.len());
        let sound = ClockRate::AUDIO.duration(samples as u32);
        let began = Instant::now();
        let mut encoded = self.encoder.encode(&self.gathered[..samples]);
        let ended = Instant::now();
        if let Some(complexity) = self.effort.encoded(ended, ended - began, sound) {
            tracing::debug!(complexity, "the encoder of sound works otherwise");
            let _ = self.encoder.set_complexity(complexity);
        }
        if self.notices > 0 {
            encoded = encoded.map(announce_longer);
            self.notices -= 1;
            if self.notices == 0 {
                self.length = PacketLength::Long;
            }
        }
        self.last = samples.checked_sub(1).map_or(self.last, |last| self.gathered[last]);
        self.gathered.drain(..samples);
        let at = self.gathered_at.take().unwrap_or(began);
        self.gathered_at = (!self.gathered.is_empty()).then(|| at + sound);
        match encoded {
            Ok(data) => {
                self.paused = if is_dtx(&data) && self.dtx { self.paused.saturating_add(1) } else { 0 };
                if self.paused > ANNOUNCEMENTS {
                    return;
                }
                // A network that does not take a packet of sound at once is down: what was said then is not sent later.
                let _ = self.out.try_send(EncodedAudio { data, at });
            }
            Err(error) => tracing::debug!(%error, "sound was not encoded"),
        }
    }

    /// From now on no sample of the microphone is sent; what had been gathered is replaced by a glide from the last sample
    /// that was sent to silence, which also lets the far end's decoder fade out.
    pub(super) fn mute(&mut self) {
        if self.gathered_at.is_none() {
            self.gathered_at = Some(Instant::now());
        }
        let mut glide = vec![self.last; self.length.samples()];
        Ramp::new(true).apply(&mut glide, false);
        self.gathered = glide;
        self.ramp = Ramp::new(false);
        self.encode();
    }

    /// Lets the playout buffer have what the network brought.
    pub(super) fn take_packets(&mut self) {
        for packet in self.packets.try_iter().take(PACKETS_PER_TICK) {
            let AudioPacket { sequence, ticks, payload, arrival, origin } = packet;
            match origin {
                Origin::Itself => {
                    if announces_longer(&payload) {
                        self.playout.expect_length(SAMPLES_20_MS, arrival);
                    }
                    self.playout.push(sequence, ticks, arrival, payload);
                }
                Origin::Copy => self.playout.push_copy(sequence, ticks, arrival, payload),
            }
        }
    }

    /// The next 10 ms for the loudspeaker, to be heard at this moment.
    pub(super) fn listen(&mut self, now: Instant, heard: Instant) -> [f32; FRAME_SAMPLES] {
        let played = self.playout.pull(now, &mut self.decoder);
        if let (Some(ticks), PlayedKind::Speech | PlayedKind::Recovered) = (played.first_sample, played.kind) {
            self.lips.heard(ticks, heard);
        }
        played.samples
    }

    /// Holds sound back for the picture where it has to be.
    pub(super) fn keep_lips(&mut self, now: Instant) {
        let playing = self.playout.stats();
        let held = playing.delay.saturating_sub(playing.network_delay);
        let wait = self.lips.sound_wait(now, held);
        self.playout.set_minimum_delay(if wait.is_zero() { wait } else { playing.network_delay + wait });
    }

    /// Opus spends its redundancy on what is expected to be lost, in percent.
    pub(super) fn expect_loss(&mut self, percent: u8) {
        let _ = self.encoder.set_expected_loss(percent);
    }

    /// Encodes otherwise from the next packet on; in longer packets a little later, so that these can be announced.
    pub(super) fn encode_as(&mut self, settings: SoundSettings) {
        match (self.length, settings.length) {
            (PacketLength::Short, PacketLength::Long) if self.notices == 0 => self.notices = NOTICES,
            (PacketLength::Short, PacketLength::Long) => {}
            (_, length) => (self.length, self.notices) = (length, 0),
        }
        let _ = self.encoder.set_bitrate(settings.bitrate);
        let _ = self.encoder.set_fec(settings.redundant);
    }

    /// How long sound is held back after the fastest packet's way.
    pub(super) fn held(&self) -> Duration {
        self.playout.stats().delay
    }

    /// Tells the statistics.
    pub(super) fn count(&self) {
        let played = self.playout.stats();
        let microphone = self.voice.report().into();
        self.counters.update(|s| {
            s.microphone = microphone;
            let audio = &mut s.inbound_audio;
            audio.jitter_buffer_delay = played.jitter_buffer_delay;
            audio.jitter_buffer_target_delay = played.target_delay_sum;
            audio.jitter_buffer_minimum_delay = played.network_delay_sum;
            audio.jitter_buffer_emitted_count = played.jitter_buffer_emitted_count;
            audio.concealed_samples = played.concealed_samples;
            audio.silent_concealed_samples = played.silent_concealed_samples;
            audio.concealment_events = played.concealment_events;
            audio.inserted_samples_for_deceleration = played.inserted_samples;
            audio.removed_samples_for_acceleration = played.removed_samples;
            audio.total_samples_received = played.total_samples;
            audio.fec_packets_discarded = played.copies_discarded;
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.count();
    }
}

#[cfg(test)]
#[path = "audio_call_tests.rs"]
mod tests;
