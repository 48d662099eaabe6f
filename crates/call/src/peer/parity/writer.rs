//! Sends parity after each picture, as the plan says.

use super::{HEADER, Parity, block};
use crate::interceptor::{Onward, Rule, is_video, tagged};
use crate::rate::{MOST_PACKETS, Repair, ResendBudget, SharedParityPlan, SharedRepair, SharedTarget};
use rtc::interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket};
use std::time::Instant;
use visavis_codec::erasure;

/// The type of a NAL unit in its first byte, and that of filler, which nobody misses.
const UNIT_TYPE: u8 = 0x1F;
const FILLER: u8 = 12;
/// Of the target rate, this share may be spent on parity.
const SHARE: f64 = 1.0 / 3.0;

/// See the module's text. Application-ward of the pacer, and of what is sent again.
pub(crate) struct ParityWriter {
    pub(super) plan: SharedParityPlan,
    pub(super) target: SharedTarget,
    repair: SharedRepair,
    budget: ResendBudget,
    /// The stream of pictures.
    video: Option<u32>,
    ssrc: u32,
    sequence: u16,
    picture: Picture,
}

/// Packets of one picture, as far as they were sent.
#[derive(Debug, Default)]
struct Picture {
    first: u16,
    timestamp: u32,
    blocks: Vec<Vec<u8>>,
}

impl ParityWriter {
    /// Parity leaves under `ssrc`.
    pub(crate) fn new(plan: SharedParityPlan, target: SharedTarget, repair: SharedRepair, ssrc: u32) -> Self {
        Self {
            plan,
            target,
            repair,
            budget: ResendBudget::of(SHARE),
            video: None,
            ssrc,
            sequence: rand::random(),
            picture: Picture::default(),
        }
    }

    /// Adds a packet to its picture; where that is whole, its packets of parity.
    fn protect(&mut self, now: Instant, rtp: &rtc::rtp::Packet, on: &mut Onward) {
        let (plan, Some(payload_type)) = (self.plan.get(), self.plan.payload_type()) else { return };
        if plan.parity(1) == 0 {
            self.picture.blocks.clear();
            return;
        }
        if rtp.payload.first().is_some_and(|first| first & UNIT_TYPE == FILLER) {
            return;
        }
        let (header, picture) = (&rtp.header, &mut self.picture);
        let next = picture.first.wrapping_add(picture.blocks.len() as u16);
        if header.sequence_number != next || header.timestamp != picture.timestamp {
            picture.blocks.clear();
        }
        if picture.blocks.is_empty() {
            (picture.first, picture.timestamp) = (header.sequence_number, header.timestamp);
        }
        picture.blocks.push(block(header.marker, header.payload_type, &rtp.payload));
        if !header.marker && picture.blocks.len() < MOST_PACKETS {
            return;
        }
        let (base, timestamp, blocks) = (picture.first, picture.timestamp, std::mem::take(&mut picture.blocks));
        self.budget.follow(now, self.target.get());
        for index in 0..plan.parity(blocks.len()) {
            let sum = erasure::sum(index, &blocks);
            if !self.budget.spend(now, HEADER + sum.len()) {
                break;
            }
            let parity = Parity { ssrc: header.ssrc, base, count: blocks.len(), index, timestamp, sum: sum.into() };
            let packet = self.packet(payload_type, &parity);
            self.repair.sent(Repair::Parity, packet.payload.len());
            // As what is sent again: paced, and counted beside pictures, so that the encoder yields to it.
            on.outwards(tagged(now, AttributedPacket::new(Packet::Rtp(packet)).with(Attribute::Retransmission)));
        }
    }

    fn packet(&mut self, payload_type: u8, parity: &Parity) -> rtc::rtp::Packet {
        let header = rtc::rtp::header::Header {
            version: 2,
            payload_type,
            sequence_number: self.sequence,
            timestamp: parity.timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        rtc::rtp::Packet { header, payload: parity.write() }
    }
}

impl Rule for ParityWriter {
    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        let (now, rtp) = match &packet.message.packet {
            Packet::Rtp(rtp) if self.video == Some(rtp.header.ssrc) => (packet.now, rtp.clone()),
            _ => {
                on.outwards(packet);
                return;
            }
        };
        on.outwards(packet);
        self.protect(now, &rtp, on);
    }

    fn sends(&mut self, stream: &StreamInfo) {
        if is_video(stream) {
            self.video.get_or_insert(stream.ssrc);
        }
    }

    fn sends_no_more(&mut self, stream: &StreamInfo) {
        self.video.take_if(|ssrc| *ssrc == stream.ssrc);
    }
}
