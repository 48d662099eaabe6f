//! Their picture: packets → whole pictures → decoder's thread ([`super::screen`]).

use super::assembler::{FrameAssembler, VideoPacket};
use super::screen::DecoderInput;
use crate::stats::Counters;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// A keyframe is asked for at most this often while the picture is broken.
const KEYFRAME_REQUESTS: Duration = Duration::from_millis(300);

/// Reads a remote track until it ends.
pub(crate) async fn receive(track: Arc<dyn TrackRemote>, decoder: Arc<DecoderInput>, counters: Counters) {
    let mut assembler = FrameAssembler::new();
    let mut last_request: Option<Instant> = None;
    let mut ssrc: Option<u32> = None;
    loop {
        let wake = wake(&assembler, last_request);
        tokio::select! {
            event = track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    let stream = packet.header.ssrc;
                    let before = ssrc.replace(stream);
                    if before != Some(stream) {
                        decoder.stream(stream);
                        if before.is_some() {
                            assembler = FrameAssembler::new();
                        }
                    }
                    assembler.follow(&decoder.round_trip());
                    take(&mut assembler, packet, &counters);
                }
                Some(TrackRemoteEvent::OnEnded) | None => return,
                Some(_) => {}
            },
            () = decoder.lost() => assembler.give_up(),
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        while let Some(picture) = assembler.poll(Instant::now()) {
            counters.update(|s| s.inbound_video.frames_received += 1);
            if !decoder.send(picture).await {
                return;
            }
        }
        let now = Instant::now();
        let due = last_request.is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_REQUESTS);
        if let Some(media_ssrc) = ssrc.filter(|_| due && assembler.keyframe_wanted(now)) {
            last_request = Some(now);
            let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
            match track.write_rtcp(vec![Box::new(request)]).await {
                Ok(()) => counters.update(|s| s.inbound_video.pli_count += 1),
                Err(error) => tracing::debug!(%error, "keyframe request not sent"),
            }
        }
    }
}

/// When there is something to do though no packet comes.
fn wake(assembler: &FrameAssembler, last_request: Option<Instant>) -> Instant {
    let (now, allowed) = (Instant::now(), last_request.map(|at| at + KEYFRAME_REQUESTS));
    let keyframe = assembler.keyframe_due().map(|due| allowed.map_or(due, |at| at.max(due)));
    let soonest = assembler.poll_timeout().into_iter().chain(keyframe.filter(|at| *at > now)).min();
    soonest.unwrap_or(now + KEYFRAME_REQUESTS).min(now + KEYFRAME_REQUESTS)
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
