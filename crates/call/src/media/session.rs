//! Everything that flows in one call, started when the path stands and stopped with it.

use super::audio::AudioCommand;
use super::audio_call::{AudioCall, AudioPacket, Origin, SpeechCodec};
use super::capture_clock::SharedCaptureClock;
use super::feedback::Listener;
use super::lip_sync::SharedLipSync;
use super::red::{self, RedWriter, SoundFormats};
use super::screen::{DecoderInput, PreparedScreen, Screen};
use super::timestamps::SoundClock;
use super::video_receive;
use super::video_send::{self, RtpWriter, Start, VideoSender};
use crate::options::{Options, PictureTap, SentTap, SoundPackets, SoundTap};
use crate::peer::PeerLink;
use crate::rate::{Repair, SharedRepair, SharedSoundPlan, SoundRule};
use crate::stats::Counters;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use visavis_capture::Worker;
use visavis_codec::opus::{SAMPLES_20_MS, packet_duration};
use visavis_media::{EncodedAudio, VideoFrame, slot};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// Encoded sound that may wait for the network: 80 to 160 ms.
const AUDIO_QUEUE: usize = 8;
/// Received sound that may wait for the sound thread: 2.5 to 5 s of a burst after a stall.
const AUDIO_INBOX: usize = 256;

/// Made before anybody is there: encoder and decoder are warm when they come.
pub(crate) struct PreparedMedia {
    sender: VideoSender,
    screen: PreparedScreen,
    speech: Option<SpeechCodec>,
}

impl PreparedMedia {
    pub(crate) fn new(frames: slot::Reader<VideoFrame>, options: &Options) -> Self {
        let speech = SpeechCodec::new(options.dtx, options.sound.voice)
            .inspect_err(|error| tracing::error!(%error, "no Opus codec could be made; calls are without sound"));
        let (grey, warmth) = sync_channel(1);
        let sender = VideoSender::prepare(frames, options.size, options.fps, grey);
        Self { sender, screen: PreparedScreen::new(warmth), speech: speech.ok() }
    }

    /// A path has been found: what can be done before the keys are agreed on is done now.
    pub(crate) fn soon(&self) {
        self.sender.soon();
    }
}

/// What a call's media reports to its driver.
pub(crate) struct MediaHooks {
    pub display: slot::Writer<VideoFrame>,
    pub tap: Option<PictureTap>,
    pub sent: Option<SentTap>,
    pub audio: SyncSender<AudioCommand>,
    pub first_picture: Box<dyn FnOnce() + Send>,
    pub dtx: bool,
    pub sound_packets: SoundPackets,
    pub sound_tap: Option<SoundTap>,
}

/// Dropping it stops everything; threads are joined.
pub(crate) struct MediaSession {
    pub(crate) counters: Counters,
    tasks: JoinSet<()>,
    /// Until the sound thread was told to let go: told twice, it would let go of the call after this one.
    audio: Option<SyncSender<AudioCommand>>,
    sender: Option<VideoSender>,
    decoder: Option<Worker>,
}

impl MediaSession {
    /// Must be called within the tokio runtime.
    pub(crate) fn start(prepared: PreparedMedia, link: PeerLink, hooks: MediaHooks) -> Self {
        let counters = Counters::default();
        let mut tasks = JoinSet::new();
        let keyframe = Arc::new(AtomicBool::new(false));

        let (pictures, queue) = video_send::queue();
        let writer = RtpWriter::new(link.video.clone(), link.video_ssrc, link.video_payload_type, link.clocks.clone());
        tasks.spawn(video_send::pump(queue, writer, counters.clone(), hooks.sent));
        let (target, out) = (link.target.clone(), pictures);
        prepared.sender.start(Start { target, counters: counters.clone(), out, keyframe: keyframe.clone() });

        let (lips, clock) = (SharedLipSync::default(), SharedCaptureClock::default());
        let screen = Screen {
            display: hooks.display,
            tap: hooks.tap,
            counters: counters.clone(),
            round_trip: link.round_trip.shared(),
            lips: lips.clone(),
            clock: clock.clone(),
            first: hooks.first_picture,
        };
        let (decoder, input) = prepared.screen.start(screen);

        let (sound, sound_queue) = mpsc::channel(AUDIO_QUEUE);
        let (packets_in, packets) = sync_channel(AUDIO_INBOX);
        if let Some(codec) = prepared.speech {
            let (out, counters, tap) = (sound, counters.clone(), hooks.sound_tap);
            let dtx = hooks.dtx && link.pauses_left_out;
            let call = AudioCall { packets, out, counters, codec, dtx, tap, lips: lips.clone() };
            let _ = hooks.audio.try_send(AudioCommand::Attach(Box::new(call)));
        }
        let formats = link.sound_formats;
        let outlet = SoundOutlet {
            writer: RtpWriter::new(link.audio.clone(), link.audio_ssrc, formats.opus, link.clocks),
            red: RedWriter::new(formats),
            plan: link.sound.clone(),
            repair: link.repair.clone(),
        };
        tasks.spawn(pump_sound(sound_queue, outlet, counters.clone()));

        let (input, counted, synced) = (Arc::new(input), counters.clone(), lips.clone());
        let receivers = Receivers { input, packets: packets_in, formats, counters: counted, lips: synced };
        tasks.spawn(receivers.run(link.remote_video, link.remote_audio, link.later));
        let listener = Listener {
            keyframe,
            video_ssrc: link.video_ssrc,
            audio: hooks.audio.clone(),
            plan: link.sound,
            target: link.target,
            rule: SoundRule::new(hooks.sound_packets.among(link.sound_lengths)),
            counters: counters.clone(),
            lips,
            clock,
            round_trip: link.round_trip.shared(),
        };
        tasks.spawn(listener.run(link.feedback));
        let (trip, repair, measured) = (link.round_trip, link.repair, counters.clone());
        tasks.spawn(async move {
            loop {
                let round_trip = trip.get().await.map(|d| d.as_secs_f64());
                measured.update(|s| {
                    s.candidate_pair.current_round_trip_time = round_trip;
                    s.repaired(&repair.total());
                });
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { counters, tasks, audio: Some(hooks.audio), sender: Some(prepared.sender), decoder: Some(decoder) }
    }

    /// Stops everything and waits for it, off the async threads where it may block.
    pub(crate) async fn stop(mut self) {
        self.let_go_of_sound();
        self.tasks.shutdown().await;
        let (sender, decoder) = (self.sender.take(), self.decoder.take());
        let joined = tokio::task::spawn_blocking(move || {
            drop(sender);
            if let Some(decoder) = decoder {
                decoder.join_within(Duration::from_secs(1));
            }
        });
        let _ = joined.await;
    }

    fn let_go_of_sound(&mut self) {
        if let Some(audio) = self.audio.take() {
            let _ = audio.try_send(AudioCommand::Detach);
        }
    }
}

impl Drop for MediaSession {
    fn drop(&mut self) {
        self.let_go_of_sound();
        self.tasks.abort_all();
    }
}

struct Receivers {
    input: Arc<DecoderInput>,
    packets: SyncSender<AudioPacket>,
    formats: SoundFormats,
    counters: Counters,
    lips: SharedLipSync,
}

impl Receivers {
    async fn run(
        self,
        video: Option<Arc<dyn TrackRemote>>,
        audio: Option<Arc<dyn TrackRemote>>,
        mut later: mpsc::Receiver<(RtpCodecKind, Arc<dyn TrackRemote>)>,
    ) {
        let mut tasks = JoinSet::new();
        let known = video.map(|t| (RtpCodecKind::Video, t)).into_iter().chain(audio.map(|t| (RtpCodecKind::Audio, t)));
        for (kind, track) in known {
            self.read(&mut tasks, kind, track);
        }
        while let Some((kind, track)) = later.recv().await {
            self.read(&mut tasks, kind, track);
        }
        while tasks.join_next().await.is_some() {}
    }

    fn read(&self, tasks: &mut JoinSet<()>, kind: RtpCodecKind, track: Arc<dyn TrackRemote>) {
        match kind {
            RtpCodecKind::Video => {
                tasks.spawn(video_receive::receive(track, self.input.clone(), self.counters.clone()));
            }
            RtpCodecKind::Audio => {
                let (counters, lips) = (self.counters.clone(), self.lips.clone());
                tasks.spawn(receive_sound(track, self.formats, self.packets.clone(), counters, lips));
            }
            _ => {}
        }
    }
}

async fn receive_sound(
    track: Arc<dyn TrackRemote>,
    formats: SoundFormats,
    packets: SyncSender<AudioPacket>,
    counters: Counters,
    lips: SharedLipSync,
) {
    let mut span: Option<(u16, u64)> = None;
    let mut stream = None;
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
        let header = &packet.header;
        if stream.replace(header.ssrc) != Some(header.ssrc) {
            lips.sound_stream(header.ssrc);
        }
        let (last, expected) = span.get_or_insert((header.sequence_number.wrapping_sub(1), 0));
        let ahead = header.sequence_number.wrapping_sub(*last) as i16;
        if ahead > 0 {
            (*last, *expected) = (header.sequence_number, *expected + ahead as u64);
        }
        let expected = *expected;
        counters.update(|s| {
            s.inbound_audio.bytes_received += packet.payload.len() as u64;
            s.inbound_audio.packets_received += 1;
            s.inbound_audio.packets_lost = expected.saturating_sub(s.inbound_audio.packets_received);
        });
        for packet in red::unpack(formats, packet, Instant::now()) {
            if packet.origin == Origin::Copy {
                counters.update(|s| {
                    s.inbound_audio.fec_packets_received += 1;
                    s.inbound_audio.fec_bytes_received += packet.payload.len() as u64;
                });
            }
            // When the sound thread is behind by seconds, the oldest of it is of no use to anybody.
            let _ = packets.try_send(packet);
        }
    }
}

/// Where encoded sound leaves.
struct SoundOutlet {
    writer: RtpWriter,
    red: RedWriter,
    plan: SharedSoundPlan,
    repair: SharedRepair,
}

/// Sends Opus packets as RTP (RFC 7587), with copies of earlier ones where the plan says so.
async fn pump_sound(mut sound: mpsc::Receiver<EncodedAudio>, outlet: SoundOutlet, counters: Counters) {
    let SoundOutlet { mut writer, mut red, plan, repair } = outlet;
    let mut clock = SoundClock::new(Instant::now(), rand::random());
    while let Some(packet) = sound.recv().await {
        let stamp = clock.stamp(packet.at, packet_duration(&packet.data).unwrap_or(SAMPLES_20_MS));
        writer.report(packet.at, stamp.captured);
        let sent = red.payload(stamp.ticks, packet.data, plan.get().distances());
        let bytes = sent.payload.len() as u64;
        if sent.copied > 0 {
            repair.sent(Repair::Sound, sent.copied);
        }
        if !writer.write_as(sent.payload_type, stamp.ticks.0, stamp.begins, sent.payload).await {
            return;
        }
        counters.update(|s| {
            s.outbound_audio.bytes_sent += bytes;
            s.outbound_audio.packets_sent += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sound_thread_is_told_once_to_let_go_of_a_call() {
        let (audio, told) = sync_channel(8);
        let (counters, tasks) = Default::default();
        let session = MediaSession { counters, tasks, audio: Some(audio), sender: None, decoder: None };
        session.stop().await;
        let told: Vec<_> = told.iter().collect();
        assert!(matches!(told[..], [AudioCommand::Detach]), "another one would be taken by the call after this one");
    }
}
