//! Makes lost packets of pictures from what came of them and their parity.

use super::{Parity, block, opened};
use crate::interceptor::{Onward, Rule, is_video, tagged};
use crate::rate::{MOST_PACKETS, SharedParityPlan, SharedRepair};
use bytes::Bytes;
use rtc::interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use visavis_codec::erasure;

/// Streams that can be protected; a call has one. A description could name any number.
const MAX_STREAMS: usize = 2;
/// Packets that are kept to be added up: a second of 4 Mb/s. A power of two, since numbers wrap.
const KEPT: usize = 512;
/// Pictures that parity has come for and that are not whole: those of half a second.
const MAX_PICTURES: usize = 16;
/// Packets of parity of one picture that are looked at: as many as the largest can need.
const MAX_PARITY: usize = MOST_PACKETS / 2;
/// Longer sums are none of any packet that a path carries.
const MAX_SUM: usize = 1500;
/// Packets are kept this long after parity last came: without it they are of no use here.
const STAYS: Duration = Duration::from_secs(10);

/// See the module's text. Below whatever asks for lost packets, which what is made here must reach as if it had come.
pub(crate) struct ParityReader {
    plan: SharedParityPlan,
    repair: SharedRepair,
    pub(super) streams: HashMap<u32, Protected>,
}

#[derive(Debug, Default)]
pub(super) struct Protected {
    /// When parity last came.
    last: Option<Instant>,
    /// The first packet that is kept since then, until parity for it comes: what came before would seem lost.
    begins: Option<u16>,
    kept: Vec<Option<Kept>>,
    pub(super) pictures: VecDeque<Picture>,
    /// Packets of parity from which nothing was made or will be, since they were last counted.
    discarded: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload_type: u8,
    payload: Bytes,
}

/// A picture, or a part of a large one.
#[derive(Debug)]
pub(super) struct Picture {
    base: u16,
    count: usize,
    timestamp: u32,
    pub(super) sums: Vec<(usize, Vec<u8>)>,
    whole: bool,
}

impl Protected {
    fn take(&mut self, header: &rtc::rtp::header::Header, payload: Bytes) {
        if self.kept.is_empty() {
            self.kept = vec![None; KEPT];
            self.begins = Some(header.sequence_number);
        }
        let sequence = header.sequence_number;
        self.kept[usize::from(sequence) % KEPT] = Some(Kept {
            sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            payload_type: header.payload_type,
            payload,
        });
    }

    /// Puts parity to its picture; says where that is, or nothing where it is of no use.
    fn parity(&mut self, parity: Parity) -> Option<usize> {
        let place = self.place(parity);
        self.discarded += usize::from(place.is_none());
        place
    }

    fn place(&mut self, parity: Parity) -> Option<usize> {
        let Parity { base, count, index, timestamp, sum, .. } = parity;
        if !(1..=MOST_PACKETS).contains(&count) || index >= MAX_PARITY || sum.len() > MAX_SUM {
            return None;
        }
        if self.kept.is_empty() || self.begins.is_some_and(|first| (base.wrapping_sub(first) as i16) < 0) {
            return None;
        }
        self.begins = None;
        let same = |p: &Picture| p.base == base && p.count == count && p.timestamp == timestamp;
        let place = self.pictures.iter().position(same).unwrap_or_else(|| {
            if self.pictures.len() == MAX_PICTURES
                && let Some(oldest) = self.pictures.pop_front()
            {
                self.discarded += oldest.sums.len();
            }
            self.pictures.push_back(Picture { base, count, timestamp, sums: Vec::new(), whole: false });
            self.pictures.len() - 1
        });
        let picture = &mut self.pictures[place];
        if picture.whole || picture.sums.iter().any(|(known, _)| *known == index) {
            return None;
        }
        picture.sums.push((index, sum.to_vec()));
        Some(place)
    }

    /// As before the first packet; what waited for the rest of its picture waits in vain.
    fn forget(&mut self) {
        let waiting: usize = self.pictures.iter().map(|picture| picture.sums.len()).sum();
        *self = Self { discarded: self.discarded + waiting, ..Self::default() };
    }

    /// The pictures that a packet is part of and that are not whole.
    fn of(&self, sequence: u16) -> Vec<usize> {
        let within = |p: &Picture| !p.whole && usize::from(sequence.wrapping_sub(p.base)) < p.count;
        (0..self.pictures.len()).filter(|place| within(&self.pictures[*place])).collect()
    }

    /// What can be made of a picture's missing packets now.
    fn mend(&mut self, place: usize, ssrc: u32) -> Vec<rtc::rtp::Packet> {
        let Picture { base, count, timestamp, sums, whole } = &mut self.pictures[place];
        let number = |i: usize| base.wrapping_add(i as u16);
        let kept = |i: usize| {
            let kept = self.kept.get(usize::from(number(i)) % KEPT)?.as_ref();
            kept.filter(|k| k.sequence == number(i) && k.timestamp == *timestamp)
        };
        let missing = (0..*count).filter(|i| kept(*i).is_none()).count();
        if *whole || missing > sums.len() {
            return Vec::new();
        }
        // Tried once: where that fails the sums are of something else.
        *whole = true;
        let sums = std::mem::take(sums);
        // Each missing packet takes one of them.
        self.discarded += sums.len() - missing;
        if missing == 0 {
            return Vec::new();
        }
        let blocks: Vec<_> =
            (0..*count).map(|i| kept(i).map(|k| block(k.marker, k.payload_type, &k.payload))).collect();
        let found = erasure::recover(&blocks, &sums).unwrap_or_default();
        let packets = found.into_iter().filter_map(|(i, bytes)| {
            let (marker, payload_type, payload) = opened(bytes)?;
            let header = rtc::rtp::header::Header {
                version: 2,
                marker,
                payload_type,
                sequence_number: number(i),
                timestamp: *timestamp,
                ssrc,
                ..Default::default()
            };
            Some(rtc::rtp::Packet { header, payload })
        });
        let packets: Vec<_> = packets.collect();
        self.discarded += missing - packets.len();
        packets
    }
}

impl ParityReader {
    pub(crate) fn new(plan: SharedParityPlan, repair: SharedRepair) -> Self {
        Self { plan, repair, streams: HashMap::new() }
    }

    fn parity(&mut self, now: Instant, payload: Bytes, on: &mut Onward) {
        self.repair.parity_came(payload.len());
        let parity = Parity::read(payload);
        let Some((parity, stream)) = parity.and_then(|p| self.streams.get_mut(&p.ssrc).map(|stream| (p, stream)))
        else {
            self.repair.parity_discarded(1);
            return;
        };
        let ssrc = parity.ssrc;
        stream.last = Some(now);
        let place = stream.parity(parity);
        let made = place.map(|place| stream.mend(place, ssrc)).unwrap_or_default();
        self.made(now, made, on);
        self.count(ssrc);
    }

    /// Tells how much parity of a stream was of no use.
    fn count(&mut self, ssrc: u32) {
        let discarded = self.streams.get_mut(&ssrc).map_or(0, |stream| std::mem::take(&mut stream.discarded));
        if discarded > 0 {
            self.repair.parity_discarded(discarded);
        }
    }

    fn made(&mut self, now: Instant, packets: Vec<rtc::rtp::Packet>, on: &mut Onward) {
        for packet in packets {
            self.repair.recovered();
            if let Some(stream) = self.streams.get_mut(&packet.header.ssrc) {
                stream.take(&packet.header, packet.payload.clone());
            }
            on.inwards(tagged(now, AttributedPacket::new(Packet::Rtp(packet)).with(Attribute::RecoveredByFec)));
        }
    }
}

impl Rule for ParityReader {
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        let now = packet.now;
        let Packet::Rtp(rtp) = &packet.message.packet else {
            on.inwards(packet);
            return;
        };
        let (header, payload) = (rtp.header.clone(), rtp.payload.clone());
        let known = self.streams.get_mut(&header.ssrc);
        if known.is_none() && self.plan.payload_type() == Some(header.payload_type) {
            self.parity(now, payload, on);
            return;
        }
        on.inwards(packet);
        let Some(stream) = known else { return };
        if stream.last.is_none_or(|at| now.saturating_duration_since(at) > STAYS) {
            stream.forget();
            self.count(header.ssrc);
            return;
        }
        stream.take(&header, payload);
        let mended: Vec<_> =
            stream.of(header.sequence_number).into_iter().flat_map(|place| stream.mend(place, header.ssrc)).collect();
        self.made(now, mended, on);
        self.count(header.ssrc);
    }

    fn receives(&mut self, stream: &StreamInfo) {
        if is_video(stream) && self.streams.len() < MAX_STREAMS {
            self.streams.entry(stream.ssrc).or_default();
        }
    }

    fn receives_no_more(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
    }
}
