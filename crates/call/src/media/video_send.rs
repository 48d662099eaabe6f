//! Our picture: newest capture → encoder's thread → packets → the connection.

use super::first_picture::{self, FirstPicture};
use super::timestamps::VideoClock;
use crate::options::{SentPicture, SentTap};
use crate::peer::CaptureClocks;
use crate::rate::{CpuLimit, Due, Ladder, PictureBudget, SharedTarget, Step};
use crate::stats::Counters;
use bytes::Bytes;
use rtc::rtp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use visavis_capture::{StopFlag, Worker};
use visavis_codec::h264::{EncoderSettings, VideoEncoder};
use visavis_codec::rtp_h264::packetize;
use visavis_codec::scale::{Scaler, fit};
use visavis_media::slot::{Reader, Taken};
use visavis_media::{BitsPerSecond, EncodedVideo, RtpTicks, Size, VideoFrame};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

/// Payload of a packet: with RTP header, extensions, SRTP tag, UDP and IPv6 it stays below 1280 bytes, which every
/// path carries unbroken.
const MAX_PAYLOAD: usize = 1160;
/// Encoded pictures that may wait for the network; the encoder waits when it is full.
const QUEUE: usize = 2;
/// Keyframes are made no more often than this, whoever asks: one is under way then, and a peer that asks all the time
/// must not spoil its own picture and our processor.
const KEYFRAMES: Duration = Duration::from_millis(250);

/// What the encoder's thread needs once the path stands.
pub(crate) struct Start {
    pub target: SharedTarget,
    pub counters: Counters,
    pub out: mpsc::Sender<Outgoing>,
    pub keyframe: Arc<AtomicBool>,
}

/// An encoded picture on its way to the network, and how it fared.
pub(crate) struct Outgoing {
    picture: EncodedVideo,
    taken: Instant,
    encoded: Instant,
}

/// What the encoder's thread is told.
enum Word {
    Soon,
    Start(Start),
}

/// The encoder's thread; warm before there is anybody to see the picture.
pub(crate) struct VideoSender {
    words: Option<SyncSender<Word>>,
    worker: Option<Worker>,
}

impl VideoSender {
    /// Makes the encoder and encodes nothing yet. A grey picture goes to `grey`, for a decoder to warm up with.
    pub(crate) fn prepare(frames: Reader<VideoFrame>, size: Size, fps: f32, grey: SyncSender<Bytes>) -> Self {
        let (words, inbox) = sync_channel(2);
        let worker = Worker::spawn("video-encoder", move |stop| match make_encoder(size, fps) {
            Some(encoder) => {
                let _ = grey.try_send(encoder.grey());
                drop(grey);
                run(&frames, encoder, fps, &inbox, stop);
            }
            None => tracing::error!("no H.264 encoder could be made; no picture is sent"),
        });
        Self { words: Some(words), worker: Some(worker) }
    }

    /// Pictures will soon be wanted: the first one is encoded now.
    pub(crate) fn soon(&self) {
        self.tell(Word::Soon);
    }

    /// Lets pictures flow.
    pub(crate) fn start(&self, start: Start) {
        self.tell(Word::Start(start));
    }

    fn tell(&self, word: Word) {
        if let Some(words) = &self.words {
            let _ = words.try_send(word);
        }
    }
}

impl Drop for VideoSender {
    fn drop(&mut self) {
        self.words = None;
        if let Some(worker) = self.worker.take() {
            worker.join_within(Duration::from_secs(1));
        }
    }
}

fn make_encoder(size: Size, fps: f32) -> Option<VideoEncoder> {
    VideoEncoder::new(EncoderSettings { size, fps, bitrate: BitsPerSecond::kilo(1000) })
        .inspect_err(|error| tracing::error!(%error, "encoder"))
        .ok()
}

fn run(frames: &Reader<VideoFrame>, mut encoder: VideoEncoder, fps: f32, words: &Receiver<Word>, stop: &StopFlag) {
    let (mut first, mut scaler) = (None, Scaler::new());
    let start = loop {
        match words.recv() {
            Ok(Word::Soon) => {
                let newest = if first.is_none() { frames.try_take() } else { None };
                first = newest.and_then(|frame| FirstPicture::encode(&mut encoder, &mut scaler, &frame)).or(first);
            }
            Ok(Word::Start(start)) => break start,
            // The sender was dropped before a call came about.
            Err(_) => return,
        }
    };
    let mut sender = Sending::new(encoder, fps, start);
    if let Some(first) = first.filter(|first| first.is_fresh(Instant::now())) {
        sender.begin_with(first);
    }
    let mut replaced = frames.replaced();
    while !stop.is_set() && !sender.start.out.is_closed() {
        match frames.take_for(Duration::from_millis(100)) {
            Taken::Value(frame) => {
                let missed = frames.replaced() - std::mem::replace(&mut replaced, frames.replaced());
                sender.picture(&frame, missed);
            }
            Taken::TimedOut => {}
            Taken::Closed => break,
        }
    }
}

struct Sending {
    encoder: VideoEncoder,
    scaler: Scaler,
    ladder: Ladder,
    cpu: CpuLimit,
    budget: PictureBudget,
    rate: (BitsPerSecond, f32),
    fps: f32,
    /// When the first picture was captured.
    begun: Option<Instant>,
    /// When the newest keyframe was asked of the encoder.
    keyframe_at: Option<Instant>,
    /// When the newest picture came, limited by what.
    limited: Option<(Instant, Limit)>,
    start: Start,
}

/// What keeps pictures smaller than they could be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    None,
    Cpu,
    Bandwidth,
}

impl Sending {
    fn new(encoder: VideoEncoder, fps: f32, start: Start) -> Self {
        let rate = encoder.rate();
        Self {
            encoder,
            scaler: Scaler::new(),
            ladder: Ladder::new(fps),
            cpu: CpuLimit::new(),
            budget: PictureBudget::default(),
            rate,
            fps,
            begun: None,
            keyframe_at: None,
            limited: None,
            start,
        }
    }

    /// Sends a picture that was encoded ahead.
    fn begin_with(&mut self, first: FirstPicture) {
        let FirstPicture { picture, size, taken, encoded } = first;
        let interval = Duration::from_secs_f32(1.0 / self.fps.max(1.0));
        let _ = self.budget.due(picture.at, interval, Duration::ZERO);
        self.budget.made(picture.data.len(), true, PictureBudget::for_pictures(&self.start.target), interval);
        (self.begun, self.keyframe_at) = (Some(picture.at), Some(picture.at));
        self.count(&picture, size, encoded - taken);
        let _ = self.start.out.blocking_send(Outgoing { picture, taken, encoded });
    }

    /// What is sent of a picture captured `at`. Pictures stay small until the path has been tried.
    fn step(&mut self, at: Instant) -> Step {
        let begun = *self.begun.get_or_insert(at);
        let untried = !self.start.target.tried() && at.saturating_duration_since(begun) < first_picture::UNTRIED;
        if untried {
            Step { max_pixels: first_picture::PIXELS, fps: Some(self.fps) }
        } else {
            self.ladder.update(at, self.start.target.get())
        }
    }

    /// `missed` pictures came and went since the last one.
    fn picture(&mut self, frame: &VideoFrame, missed: u64) {
        let taken = Instant::now();
        let step = self.step(frame.at);
        let pixels = self.cpu.pixels(frame.picture.size().pixels());
        self.tell(
            frame.at,
            if pixels < step.max_pixels.min(frame.picture.size().pixels()) {
                Limit::Cpu
            } else if step.max_pixels < frame.picture.size().pixels() || self.ladder.limited() {
                Limit::Bandwidth
            } else {
                Limit::None
            },
        );
        let Some(fps) = step.fps else { return };
        let interval = Duration::from_secs_f32(1.0 / fps.clamp(1.0, 240.0));
        match self.budget.due(frame.at, interval, self.start.target.backlog()) {
            Due::Early => return,
            Due::LeftOut => return self.ladder.picture(frame.at, true),
            Due::Encode => self.ladder.picture(frame.at, false),
        }
        let wire = PictureBudget::for_pictures(&self.start.target);
        self.follow(self.budget.wish(wire, fps), fps);
        let size = fit(frame.picture.size(), step.max_pixels.min(pixels));
        let begun = Instant::now();
        let picture = self.scaler.scale(&frame.picture, size);
        let forced = self.keyframe_due(frame.at, size);
        let encoding = Instant::now();
        let encoded = self.encoder.encode(&VideoFrame { picture, at: frame.at }, forced);
        let done = Instant::now();
        self.cpu.picture(frame.at, done - begun, Duration::from_secs_f32(1.0 / self.fps.max(1.0)), missed);
        match encoded {
            Ok(Some(encoded)) => {
                self.budget.made(encoded.data.len(), encoded.keyframe, wire, interval);
                self.count(&encoded, size, done - encoding);
                // Waits while the network's queue is full: encoded pictures are never dropped.
                let _ = self.start.out.blocking_send(Outgoing { picture: encoded, taken, encoded: done });
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a picture was not encoded"),
        }
    }

    /// Whether this picture is to be a keyframe: the first one and one of a new size, and when one is wanted and the
    /// last is old enough. A wish that comes too soon is granted later.
    fn keyframe_due(&mut self, at: Instant, size: Size) -> bool {
        let due = match self.keyframe_at {
            None => true,
            Some(_) if size != self.encoder.size() => true,
            Some(last) if at.saturating_duration_since(last) < KEYFRAMES => false,
            Some(_) => self.start.keyframe.load(Ordering::Relaxed),
        };
        if due {
            self.start.keyframe.store(false, Ordering::Relaxed);
            self.keyframe_at = Some(at);
        }
        due
    }

    fn follow(&mut self, bitrate: BitsPerSecond, fps: f32) {
        let (now, at_fps) = self.rate;
        let changed = bitrate.0.abs_diff(now.0) > now.0 / 50 || (fps - at_fps).abs() > 0.5;
        if changed && self.encoder.set_rate(bitrate, fps).is_ok() {
            self.rate = (bitrate, fps);
        }
    }

    /// Says what limits the picture, and for how long each has.
    fn tell(&mut self, at: Instant, limit: Limit) {
        let before = self.limited.replace((at, limit));
        let since = before.map_or(0.0, |(before, _)| at.saturating_duration_since(before).as_secs_f64());
        let (target, sound_only) = (f64::from(self.start.target.get().0), self.ladder.sound_only());
        self.start.counters.update(|s| {
            let video = &mut s.outbound_video;
            let (reason, seconds) = match limit {
                Limit::None => ("none", &mut video.quality_limitation_durations.none),
                Limit::Cpu => ("cpu", &mut video.quality_limitation_durations.cpu),
                Limit::Bandwidth => ("bandwidth", &mut video.quality_limitation_durations.bandwidth),
            };
            *seconds += since;
            video.quality_limitation_reason = reason;
            video.sound_only = sound_only;
            video.target_bitrate = target;
            s.candidate_pair.available_outgoing_bitrate = target;
        });
    }

    fn count(&self, encoded: &EncodedVideo, size: Size, took: Duration) {
        self.start.counters.update(|s| {
            let video = &mut s.outbound_video;
            video.frames_encoded += 1;
            video.key_frames_encoded += u64::from(encoded.keyframe);
            video.total_encode_time += took.as_secs_f64();
            (video.frame_width, video.frame_height) = (size.width(), size.height());
        });
    }
}

/// Packets of one stream: consecutive numbers, given times.
pub(crate) struct RtpWriter {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    clocks: CaptureClocks,
    sequence: u16,
}

impl RtpWriter {
    pub(crate) fn new(track: Arc<TrackLocalStaticRTP>, ssrc: u32, payload_type: u8, clocks: CaptureClocks) -> Self {
        Self { track, ssrc, payload_type, clocks, sequence: rand::random() }
    }

    /// Sender reports say from now on that what was captured `at` has this RTP time.
    pub(crate) fn report(&self, at: Instant, ticks: RtpTicks) {
        self.clocks.set(self.ssrc, at, ticks);
    }

    /// `false`: the connection is gone.
    pub(crate) async fn write(&mut self, timestamp: u32, marker: bool, payload: Bytes) -> bool {
        self.write_as(self.payload_type, timestamp, marker, payload).await
    }

    /// …under another payload type that was negotiated for the stream.
    pub(crate) async fn write_as(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: Bytes) -> bool {
        let header = rtp::header::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.track.write_rtp(rtp::Packet { header, payload }).await.is_ok()
    }
}

/// Makes the channel that encoded pictures wait in.
pub(crate) fn queue() -> (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>) {
    mpsc::channel(QUEUE)
}

/// Sends encoded pictures as RTP (RFC 6184) until either end closes.
pub(crate) async fn pump(
    mut pictures: mpsc::Receiver<Outgoing>,
    mut writer: RtpWriter,
    counters: Counters,
    tap: Option<SentTap>,
) {
    let mut clock = VideoClock::new(Instant::now(), rand::random());
    while let Some(Outgoing { picture, taken, encoded }) = pictures.recv().await {
        let ticks = clock.stamp(picture.at);
        writer.report(picture.at, ticks);
        if let Some(tap) = &tap {
            tap(&SentPicture { ticks, captured: picture.at, taken, encoded, handed_over: Instant::now() });
        }
        let payloads = packetize(&picture.data, MAX_PAYLOAD);
        let (count, bytes) = (payloads.len(), payloads.iter().map(Bytes::len).sum::<usize>());
        for (i, payload) in payloads.into_iter().enumerate() {
            if !writer.write(ticks.0, i + 1 == count, payload).await {
                return;
            }
        }
        counters.update(|s| {
            s.outbound_video.bytes_sent += bytes as u64;
            s.outbound_video.packets_sent += count as u64;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_media::I420;

    #[test]
    fn what_was_encoded_ahead_leaves_first_and_what_follows_builds_on_it() {
        let size = Size::new(160, 90).expect("even");
        let (out, mut encoded) = mpsc::channel(4);
        let (target, keyframe) = (SharedTarget::new(BitsPerSecond::kilo(1000)), Arc::new(AtomicBool::new(false)));
        let start = Start { target, counters: Counters::default(), out, keyframe };
        let (begun, mut encoder) = (Instant::now(), make_encoder(size, 30.0).expect("an encoder"));
        let frame = |n: u32| VideoFrame {
            picture: I420::filled(size, [100 + n as u8, 128, 128]),
            at: begun + Duration::from_millis(40) * n,
        };
        let first = FirstPicture::encode(&mut encoder, &mut Scaler::new(), &frame(0)).expect("encoded");
        assert!(first.is_fresh(begun + Duration::from_millis(900)) && !first.is_fresh(begun + Duration::from_secs(1)));
        let mut sender = Sending::new(encoder, 30.0, start);
        sender.begin_with(first);
        (1..3).for_each(|n| sender.picture(&frame(n), 0));
        let sent: Vec<_> = std::iter::from_fn(|| encoded.try_recv().ok()).map(|o| o.picture).collect();
        assert_eq!(
            sent.iter().map(|p| (p.at, p.keyframe)).collect::<Vec<_>>(),
            [(begun, true), (frame(1).at, false), (frame(2).at, false)]
        );
        let mut decoder = visavis_codec::h264::VideoDecoder::new().expect("a decoder");
        for picture in &sent {
            assert!(matches!(decoder.decode(&picture.data), visavis_codec::h264::Decoded::Picture(_)));
        }
        assert_eq!(sender.start.counters.snapshot(0.0).outbound_video.key_frames_encoded, 1);
    }

    /// Sizes of the pictures sent, of a camera at full size, and whether they are keyframes; `tried` says before which
    /// picture, and with what result, the path is said to have been tried.
    fn sizes(tried: Option<(u32, BitsPerSecond)>) -> Vec<(u32, bool)> {
        let size = Size::new(1280, 720).expect("even");
        let (out, mut encoded) = mpsc::channel(4);
        let (target, keyframe) = (SharedTarget::new(BitsPerSecond::kilo(1000)), Arc::new(AtomicBool::new(false)));
        let start = Start { target: target.clone(), counters: Counters::default(), out, keyframe };
        let (begun, mut encoder) = (Instant::now(), make_encoder(size, 30.0).expect("an encoder"));
        let frame = |n: u32| VideoFrame {
            picture: I420::filled(size, [100 + n as u8, 128, 128]),
            at: begun + Duration::from_millis(40) * n,
        };
        let first = FirstPicture::encode(&mut encoder, &mut Scaler::new(), &frame(0)).expect("encoded");
        let mut sender = Sending::new(encoder, 30.0, start);
        let (mut sent, mut decoder) = (Vec::new(), visavis_codec::h264::VideoDecoder::new().expect("a decoder"));
        sender.begin_with(first);
        for n in 1..16 {
            if let Some((_, rate)) = tried.filter(|(when, _)| *when == n) {
                target.set(rate);
                target.set_tried();
            }
            sender.picture(&frame(n), 0);
            while let Ok(Outgoing { picture, .. }) = encoded.try_recv() {
                match decoder.decode(&picture.data) {
                    visavis_codec::h264::Decoded::Picture(shown) => sent.push((shown.size().width(), picture.keyframe)),
                    _ => panic!("not decoded"),
                }
            }
        }
        sent
    }

    #[test]
    fn pictures_are_small_until_the_path_has_been_tried_and_then_as_large_as_it_carries() {
        for (kbps, width) in [(2000, 1280), (1000, 1280), (250, 640)] {
            let sent = sizes(Some((4, BitsPerSecond::kilo(kbps))));
            let changes: Vec<_> = sent.iter().copied().filter(|(_, keyframe)| *keyframe).collect();
            assert_eq!(changes, [(480, true), (width, true)], "{kbps}");
            assert_eq!(sent.iter().take_while(|(width, _)| *width == 480).count(), 4, "{kbps}");
        }
    }

    #[test]
    fn where_the_other_side_tells_nothing_full_size_comes_after_half_a_second() {
        let sent = sizes(None);
        assert_eq!(sent.iter().take_while(|(width, _)| *width == 480).count(), 13, "{sent:?}");
        assert_eq!(sent[13], (1280, true));
    }

    #[test]
    fn who_asks_for_keyframes_all_the_time_gets_four_a_second_and_who_asks_too_soon_gets_one_later() {
        let size = Size::new(160, 90).expect("even");
        let (out, mut encoded) = mpsc::channel(4);
        let keyframe = Arc::new(AtomicBool::new(false));
        let target = SharedTarget::new(BitsPerSecond::kilo(2000));
        let start = Start { target, counters: Counters::default(), out, keyframe: keyframe.clone() };
        let mut sender = Sending::new(make_encoder(size, 30.0).expect("an encoder"), 30.0, start);
        let (begun, mut made) = (Instant::now(), Vec::new());
        for picture in 0..75u32 {
            // All the time for two seconds; then once, right after a keyframe.
            let wanted = picture < 60 || picture == 65;
            keyframe.fetch_or(wanted, Ordering::Relaxed);
            let at = begun + Duration::from_nanos(u64::from(picture) * 1_000_000_000 / 30);
            sender.picture(&VideoFrame { picture: I420::filled(size, [picture as u8, 128, 128]), at }, 0);
            let key = std::iter::from_fn(|| encoded.try_recv().ok()).any(|e| e.picture.keyframe);
            made.extend(key.then_some(picture));
        }
        assert_eq!(made, [0, 8, 16, 24, 32, 40, 48, 56, 64, 72]);
    }
}
