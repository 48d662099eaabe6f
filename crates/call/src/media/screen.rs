//! The decoder's thread: whole pictures → decoder → the moment when they are due → the display slot.
//!
//! A picture is decoded as soon as it is whole and shown when it is due; the thread sleeps between, and decoding never
//! waits for showing.

use super::assembler::AssembledPicture;
use super::capture_clock::SharedCaptureClock;
use super::due::DueTimes;
use super::lip_sync::SharedLipSync;
use super::show_queue::ShowQueue;
use crate::options::{PictureTap, ReceivedPicture};
use crate::rate::{RoundTrip, SharedRoundTrip};
use crate::stats::{Counters, FreezeMeter, IntervalMeter};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use visavis_capture::Worker;
use visavis_codec::h264::{Decoded, VideoDecoder};
use visavis_media::{I420, RtpTicks, VideoFrame, slot};

/// Whole pictures that may wait for the decoder.
const QUEUE: usize = 8;
/// More than this between two captures: the picture was off, not frozen.
const OFF: u32 = 2 * 90_000;
/// How slowly the time that decoding takes is followed, in pictures.
const USUAL: u32 = 16;

/// What is shared between the network's side and the decoder's thread.
pub(crate) struct Screen {
    pub display: slot::Writer<VideoFrame>,
    pub tap: Option<PictureTap>,
    pub counters: Counters,
    /// How long a missing packet is worth waiting for follows from it.
    pub round_trip: SharedRoundTrip,
    /// Pictures are held back for the sound by it.
    pub lips: SharedLipSync,
    /// How old pictures are follows from it.
    pub clock: SharedCaptureClock,
    /// Told once, with the first picture.
    pub first: Box<dyn FnOnce() + Send>,
}

/// The network's end of the decoder.
pub(crate) struct DecoderInput {
    pictures: SyncSender<AssembledPicture>,
    /// Places in the queue, which the network's side waits for without blocking its thread.
    free: Arc<Semaphore>,
    /// The decoder needs a keyframe.
    lost: Arc<Notify>,
    round_trip: SharedRoundTrip,
    lips: SharedLipSync,
}

impl DecoderInput {
    /// Waits for a place in the queue; `false` once the decoder is gone.
    pub(crate) async fn send(&self, picture: AssembledPicture) -> bool {
        let Ok(place) = self.free.acquire().await else { return false };
        place.forget();
        self.pictures.try_send(picture).is_ok()
    }

    /// Waits until the decoder needs a keyframe.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }

    /// The path's round trip.
    pub(crate) fn round_trip(&self) -> RoundTrip {
        self.round_trip.get()
    }

    /// The stream that pictures come from now.
    pub(crate) fn stream(&self, ssrc: u32) {
        self.lips.picture_stream(ssrc);
    }
}

/// What the decoder's thread gets to work with.
struct Begin {
    screen: Screen,
    inbox: Receiver<AssembledPicture>,
    free: Arc<Semaphore>,
    lost: Arc<Notify>,
}

/// The decoder's thread; warm before anybody's picture comes.
pub(crate) struct PreparedScreen {
    begin: SyncSender<Begin>,
    worker: Worker,
}

impl PreparedScreen {
    /// Makes the decoder, which warms up with the picture that comes from `warmth`, if one does.
    pub(crate) fn new(warmth: Receiver<Bytes>) -> Self {
        let (begin, inbox) = sync_channel::<Begin>(1);
        let worker = Worker::spawn("video-decoder", move |_| {
            let decoder = VideoDecoder::new().map(|mut decoder| {
                if let Ok(picture) = warmth.recv() {
                    decoder.warm_up(&picture);
                }
                decoder
            });
            // Nobody came: the call is not to be.
            let Ok(Begin { screen, inbox, free, lost }) = inbox.recv() else { return };
            let _closed = CloseOnDrop(free.clone());
            match decoder {
                Ok(decoder) => Show::new(screen, decoder, free, lost).run(&inbox),
                Err(error) => tracing::error!(%error, "no H.264 decoder could be made; no picture is shown"),
            }
        });
        Self { begin, worker }
    }

    /// Lets pictures come. The thread ends when its input is dropped.
    pub(crate) fn start(self, screen: Screen) -> (Worker, DecoderInput) {
        let (pictures, inbox) = sync_channel(QUEUE);
        let (free, lost) = (Arc::new(Semaphore::new(QUEUE)), Arc::new(Notify::new()));
        let (round_trip, lips) = (screen.round_trip.clone(), screen.lips.clone());
        let input = DecoderInput { pictures, free: free.clone(), lost: lost.clone(), round_trip, lips };
        let _ = self.begin.try_send(Begin { screen, inbox, free, lost });
        (self.worker, input)
    }
}

/// Whoever waits for a place learns that there will be none.
struct CloseOnDrop(Arc<Semaphore>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A decoded picture and how it fared.
struct Waiting {
    pixels: I420,
    ticks: RtpTicks,
    first_packet: Instant,
    last_packet: Instant,
    decoding: Instant,
    took: Duration,
}

/// What the thread owns.
struct Show {
    decoder: VideoDecoder,
    encoded: VecDeque<(Instant, AssembledPicture)>,
    queue: ShowQueue<Waiting>,
    due: DueTimes,
    /// What decoding usually takes: a picture has to be whole by so much earlier.
    usual: Duration,
    freezes: FreezeMeter,
    intervals: IntervalMeter,
    last_ticks: Option<RtpTicks>,
    count: u64,
    display: slot::Writer<VideoFrame>,
    tap: Option<PictureTap>,
    counters: Counters,
    lips: SharedLipSync,
    clock: SharedCaptureClock,
    first: Option<Box<dyn FnOnce() + Send>>,
    free: Arc<Semaphore>,
    lost: Arc<Notify>,
}

impl Show {
    fn new(screen: Screen, decoder: VideoDecoder, free: Arc<Semaphore>, lost: Arc<Notify>) -> Self {
        let Screen { display, tap, counters, lips, clock, first, .. } = screen;
        Self {
            decoder,
            encoded: VecDeque::with_capacity(QUEUE),
            queue: ShowQueue::default(),
            due: DueTimes::default(),
            usual: Duration::ZERO,
            freezes: FreezeMeter::default(),
            intervals: IntervalMeter::default(),
            last_ticks: None,
            count: 0,
            display,
            tap,
            counters,
            lips,
            clock,
            first: Some(first),
            free,
            lost,
        }
    }

    fn run(&mut self, inbox: &Receiver<AssembledPicture>) {
        loop {
            while let Ok(picture) = inbox.try_recv() {
                self.take(picture);
            }
            if let Some((due, picture)) = self.encoded.pop_front() {
                self.decode(due, &picture);
                self.free.add_permits(1);
                self.show();
                continue;
            }
            let received = match self.queue.poll_timeout() {
                Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(RecvTimeoutError::from),
            };
            match received {
                Ok(picture) => self.take(picture),
                Err(RecvTimeoutError::Timeout) => self.show(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, picture: AssembledPicture) {
        let sound = self.lips.picture_not_before(picture.ticks);
        let due = self.due.picture(picture.ticks, picture.last_packet, picture.repaired, sound);
        // What need not wait is not made to.
        let due = if due > picture.last_packet { due + self.usual } else { due };
        self.encoded.push_back((due, picture));
    }

    fn decode(&mut self, due: Instant, picture: &AssembledPicture) {
        let decoding = Instant::now();
        let decoded = self.decoder.decode(&picture.data);
        let took = decoding.elapsed();
        match decoded {
            Decoded::Picture(pixels) => {
                self.usual = (self.usual * (USUAL - 1) + took) / USUAL;
                let size = pixels.size();
                self.counters.update(|s| {
                    let video = &mut s.inbound_video;
                    video.frames_decoded += 1;
                    video.key_frames_decoded += u64::from(picture.keyframe);
                    video.total_decode_time += took.as_secs_f64();
                    (video.frame_width, video.frame_height) = (size.width(), size.height());
                });
                let AssembledPicture { ticks, first_packet, last_packet, .. } = *picture;
                self.queue.push(due, Waiting { pixels, ticks, first_packet, last_packet, decoding, took });
            }
            Decoded::Nothing => {}
            Decoded::NeedsKeyframe => self.lost.notify_one(),
        }
    }

    /// Shows what is due.
    fn show(&mut self) {
        let now = Instant::now();
        let behind = self.encoded.iter().take_while(|(due, _)| *due <= now).count();
        if let Some(picture) = self.queue.poll(now, behind) {
            self.count(&picture, now);
            if let Some(tap) = &self.tap {
                tap(&ReceivedPicture {
                    picture: picture.pixels.clone(),
                    ticks: picture.ticks,
                    first_packet: picture.first_packet,
                    last_packet: picture.last_packet,
                    decoding: picture.decoding,
                    submitted: now,
                    count: self.count,
                });
            }
            self.display.put(VideoFrame { picture: picture.pixels, at: now });
            if let Some(first) = self.first.take() {
                first();
            }
        }
    }

    fn count(&mut self, picture: &Waiting, now: Instant) {
        self.count += 1;
        if self.last_ticks.is_some_and(|t| picture.ticks.since(t).unsigned_abs() > OFF) {
            self.freezes.pause();
            self.intervals.pause();
        }
        self.last_ticks = Some(picture.ticks);
        let (froze, interval) = (self.freezes.shown(now), self.intervals.shown(now));
        let held = now.saturating_duration_since(picture.first_packet).saturating_sub(picture.took);
        let (target, needed) = (self.due.hold(), self.due.needed());
        let (dropped, offset) = (self.queue.dropped(), self.lips.shown(picture.ticks, now));
        let age = self.lips.captured(picture.ticks).and_then(|captured| self.clock.since(captured, now));
        self.counters.update(|s| {
            let video = &mut s.inbound_video;
            video.frames_rendered += 1;
            video.frames_dropped = dropped;
            video.jitter_buffer_delay += held.as_secs_f64();
            video.jitter_buffer_target_delay += target.as_secs_f64();
            video.jitter_buffer_minimum_delay += needed.as_secs_f64();
            video.jitter_buffer_emitted_count += 1;
            video.lip_sync_offset = offset;
            video.capture_to_show = age;
            if let Some(interval) = interval {
                video.total_inter_frame_delay += interval.as_secs_f64();
                video.total_squared_inter_frame_delay += interval.as_secs_f64().powi(2);
            }
            if let Some(froze) = froze {
                video.freeze_count += 1;
                video.total_freezes_duration += froze.as_secs_f64();
            }
        });
    }
}
