//! The chain of interceptors as a whole, as `chain` builds it: what two of them make of a path that loses packets.

mod asking;
mod flood;
mod in_time;
mod reports;
pub(super) mod wire;

use super::tap::Feedback;
use crate::media::assembler::{FrameAssembler, VideoPacket};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtc::interceptor::Packet;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;
use visavis_codec::rtp_h264::packetize;
use visavis_media::RtpTicks;
use webrtc::peer_connection::Registry;
use wire::{AUDIO, End, VIDEO, Wire, ms, rtp};

/// A call's chain, unchanged.
fn ours(registry: Registry) -> Registry {
    registry
}

/// Two such ends, with a path between them that loses nothing and takes so many milliseconds each way.
fn quiet(begun: Instant, delay: u64) -> Wire {
    let path = || wire::Path::new(ms(delay), 0.0, 1);
    Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(), path())
}

/// Sends pictures from `a`, 30 a second.
struct Camera {
    random: StdRng,
    /// How many in all, and bytes of a keyframe and of any other.
    frames: u64,
    key: usize,
    other: Range<usize>,
    sequence: u16,
    /// When a picture was sent, in milliseconds since the beginning.
    captured: HashMap<RtpTicks, u64>,
    /// Bytes of all payloads.
    bytes: usize,
}

impl Camera {
    fn new(seed: u64, seconds: u64, key: usize, other: Range<usize>) -> Self {
        let (random, sequence) = (StdRng::seed_from_u64(seed + 2000), 65_000 + seed as u16);
        Self { random, frames: seconds * 30, key, other, sequence, captured: HashMap::new(), bytes: 0 }
    }

    /// Sends the picture that is due in this millisecond, if one is.
    fn film(&mut self, wire: &mut Wire) {
        let (now, at) = (wire.now, wire.ms());
        let frame = at * 30 / 1000;
        if (frame >= self.frames || frame == (at - 1) * 30 / 1000) && at != 1 {
            return;
        }
        let keyframe = wire.a.news().contains(&Feedback::KeyframeWanted) || frame == 0;
        let size = if keyframe { self.key } else { self.random.random_range(self.other.clone()) };
        let mut unit = if keyframe { vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 5] } else { Vec::new() };
        unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
        unit.resize(unit.len() + size, 0x55);
        let (packets, ticks) = (packetize(&unit, 1160), RtpTicks(frame as u32 * 3000));
        wire.a.shared.clocks.set(VIDEO, now, ticks);
        self.captured.insert(ticks, at);
        for (i, payload) in packets.iter().enumerate() {
            self.bytes += payload.len();
            wire.a.write(now, rtp(VIDEO, self.sequence, ticks.0, i + 1 == packets.len(), payload.clone()));
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

/// Puts together what `b` hears of pictures.
#[derive(Default)]
struct Screen {
    assembler: FrameAssembler,
    asked: Option<Instant>,
    keyframes_wanted: usize,
}

impl Screen {
    /// The pictures that became whole in this millisecond.
    fn show(&mut self, wire: &mut Wire) -> Vec<RtpTicks> {
        for (arrival, packet) in wire.b.heard.drain(..) {
            let Packet::Rtp(packet) = packet else { continue };
            let (header, payload) = (packet.header, packet.payload);
            if header.ssrc == VIDEO {
                let (sequence, ticks) = (header.sequence_number, RtpTicks(header.timestamp));
                self.assembler.push(VideoPacket { sequence, ticks, marker: header.marker, payload, arrival });
            } else {
                assert_eq!(header.ssrc, AUDIO, "parity stays in the chain");
            }
        }
        self.assembler.follow(&wire.b.shared.round_trip.get());
        std::iter::from_fn(|| self.assembler.poll(wire.now)).map(|picture| picture.ticks).collect()
    }

    /// Asks for a keyframe where nothing else helps any more.
    fn ask(&mut self, wire: &mut Wire) {
        let now = wire.now;
        if self.assembler.keyframe_wanted(now) && self.asked.is_none_or(|last| now - last >= ms(300)) {
            self.asked = Some(now);
            self.keyframes_wanted += 1;
            let request = PictureLossIndication { sender_ssrc: 9, media_ssrc: VIDEO };
            wire.b.write(now, Packet::Rtcp(vec![Box::new(request)]));
        }
    }
}

/// Both ends talk: sends the sound that is due in this millisecond.
fn talk(wire: &mut Wire) {
    if wire.ms().is_multiple_of(20) {
        let (now, number) = (wire.now, wire.ms() / 20);
        for (end, ssrc) in [(&mut wire.a, AUDIO), (&mut wire.b, AUDIO + 1)] {
            let ticks = number as u32 * 960;
            end.shared.clocks.set(ssrc, now, RtpTicks(ticks));
            end.write(now, rtp(ssrc, number as u16, ticks, false, vec![0; 80].into()));
        }
    }
}

/// What both ends know of the path before there is media, from connectivity checks, and while they go on.
fn measured(wire: &Wire, trip: u64) {
    wire.a.shared.round_trip.sample(ms(trip));
    wire.b.shared.round_trip.sample(ms(trip));
}

/// Requests that left an end, and when.
fn nacks(end: &End) -> Vec<(Instant, TransportLayerNack)> {
    let rtcp = end.sent.iter().filter_map(|(at, packet)| match packet {
        Packet::Rtcp(all) => Some((at, all)),
        _ => None,
    });
    let all = rtcp.flat_map(|(at, all)| all.iter().map(|p| (*at, p.as_any().downcast_ref().cloned())));
    all.filter_map(|(at, nack)| Some((at, nack?))).collect()
}
