//! Their picture: packets → whole pictures → decoder's thread → the display slot.

use super::assembler::{AssembledPicture, FrameAssembler, VideoPacket};
use crate::options::{PictureTap, ReceivedPicture};
use crate::rate::SharedRoundTrip;
use crate::stats::{Counters, FreezeMeter};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use visavis_capture::Worker;
use visavis_codec::h264::{Decoded, VideoDecoder};
use visavis_media::{RtpTicks, VideoFrame, slot};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// A keyframe is asked for at most this often while the picture is broken.
const KEYFRAME_REQUESTS: Duration = Duration::from_millis(300);
/// Whole pictures that may wait for the decoder.
const QUEUE: usize = 8;

/// What is shared between the network's side and the decoder's thread.
pub(crate) struct Screen {
    pub display: slot::Writer<VideoFrame>,
    pub tap: Option<PictureTap>,
    pub counters: Counters,
    /// How long a missing packet is worth waiting for follows from it.
    pub round_trip: SharedRoundTrip,
    /// Told once, with the first picture.
    pub first: Box<dyn FnOnce() + Send>,
}

/// Starts the decoder's thread.
pub(crate) fn decoder(screen: Screen) -> (Worker, DecoderInput) {
    let (pictures, inbox) = mpsc::channel(QUEUE);
    let lost = Arc::new(Notify::new());
    let (notify, round_trip) = (lost.clone(), screen.round_trip.clone());
    let worker = Worker::spawn("video-decoder", move |_| decode_all(inbox, screen, &notify));
    (worker, DecoderInput { pictures, lost, round_trip })
}

/// The network's end of the decoder.
pub(crate) struct DecoderInput {
    pictures: mpsc::Sender<AssembledPicture>,
    /// The decoder needs a keyframe.
    lost: Arc<Notify>,
    round_trip: SharedRoundTrip,
}

fn decode_all(mut inbox: mpsc::Receiver<AssembledPicture>, screen: Screen, lost: &Notify) {
    let mut decoder = match VideoDecoder::new() {
        Ok(decoder) => decoder,
        Err(error) => {
            tracing::error!(%error, "no H.264 decoder could be made; no picture is shown");
            return;
        }
    };
    let (mut freezes, mut count, mut first) = (FreezeMeter::default(), 0, Some(screen.first));
    let mut last_ticks: Option<RtpTicks> = None;
    while let Some(picture) = inbox.blocking_recv() {
        let begun = Instant::now();
        let decoded = decoder.decode(&picture.data);
        let took = begun.elapsed();
        match decoded {
            Decoded::Picture(pixels) => {
                let submitted = Instant::now();
                count += 1;
                // More than two seconds between captures: the picture was off, not frozen.
                if last_ticks.is_some_and(|t| picture.ticks.since(t).unsigned_abs() > 180_000) {
                    freezes.pause();
                }
                last_ticks = Some(picture.ticks);
                let froze = freezes.shown(submitted);
                let size = pixels.size();
                screen.counters.update(|s| {
                    let video = &mut s.inbound_video;
                    video.frames_decoded += 1;
                    video.key_frames_decoded += u64::from(picture.keyframe);
                    video.total_decode_time += took.as_secs_f64();
                    (video.frame_width, video.frame_height) = (size.width(), size.height());
                    video.jitter_buffer_delay += (begun - picture.last_packet).as_secs_f64();
                    video.jitter_buffer_emitted_count += 1;
                    if let Some(froze) = froze {
                        video.freeze_count += 1;
                        video.total_freezes_duration += froze.as_secs_f64();
                    }
                });
                if let Some(tap) = &screen.tap {
                    tap(&ReceivedPicture {
                        picture: pixels.clone(),
                        ticks: picture.ticks,
                        first_packet: picture.first_packet,
                        last_packet: picture.last_packet,
                        decoding: begun,
                        submitted,
                        count,
                    });
                }
                screen.display.put(VideoFrame { picture: pixels, at: submitted });
                if let Some(first) = first.take() {
                    first();
                }
            }
            Decoded::Nothing => {}
            Decoded::NeedsKeyframe => lost.notify_one(),
        }
    }
}

/// Reads a remote track until it ends.
pub(crate) async fn receive(track: Arc<dyn TrackRemote>, decoder: Arc<DecoderInput>, counters: Counters) {
    let mut assembler = FrameAssembler::new();
    let mut last_request: Option<Instant> = None;
    let mut ssrc: Option<u32> = None;
    loop {
        let wake = assembler.poll_timeout().unwrap_or_else(|| Instant::now() + KEYFRAME_REQUESTS);
        tokio::select! {
            event = track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    if ssrc.replace(packet.header.ssrc).is_some_and(|before| before != packet.header.ssrc) {
                        assembler = FrameAssembler::new();
                    }
                    assembler.follow(&decoder.round_trip.get());
                    take(&mut assembler, packet, &counters);
                }
                Some(TrackRemoteEvent::OnEnded) | None => return,
                Some(_) => {}
            },
            () = decoder.lost.notified() => assembler.give_up(),
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        while let Some(picture) = assembler.poll(Instant::now()) {
            counters.update(|s| s.inbound_video.frames_received += 1);
            if decoder.pictures.send(picture).await.is_err() {
                return;
            }
        }
        let due = last_request.is_none_or(|at| at.elapsed() >= KEYFRAME_REQUESTS);
        if let Some(media_ssrc) = ssrc.filter(|_| due && assembler.keyframe_wanted()) {
            last_request = Some(Instant::now());
            let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
            match track.write_rtcp(vec![Box::new(request)]).await {
                Ok(()) => counters.update(|s| s.inbound_video.pli_count += 1),
                Err(error) => tracing::debug!(%error, "keyframe request not sent"),
            }
        }
    }
}

fn take(assembler: &mut FrameAssembler, packet: rtc::rtp::Packet, counters: &Counters) {
    let bytes = packet.payload.len() as u64;
    assembler.push(VideoPacket {
        sequence: packet.header.sequence_number,
        ticks: RtpTicks(packet.header.timestamp),
        marker: packet.header.marker,
        payload: packet.payload,
        arrival: Instant::now(),
    });
    let lost = assembler.lost();
    counters.update(|s| {
        s.inbound_video.bytes_received += bytes;
        s.inbound_video.packets_received += 1;
        s.inbound_video.packets_lost = lost;
    });
}
