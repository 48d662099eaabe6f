//! Learns from transport-wide feedback which of our packets got lost (draft-holmer-rmcat-transport-wide-cc-01).
//!
//! Receiver reports say once a second how many; that tells neither bursts from single losses nor in time. The feedback
//! names each packet, ten times a second. What follows from it is decided in `rate::sound_loss`
//! and `rate::path_loss`.

use crate::interceptor::{Onward, Rule};
use crate::rate::{PathLoss, SharedParityPlan, SharedRoundTrip, SharedSoundPlan, SharedTarget, SoundLoss};
use rtc::interceptor::{Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Names the header extension that carries transport-wide numbers.
const TRANSPORT_WIDE: &str = "transport-wide-cc-extensions";
/// Transport-wide numbers that are remembered: three seconds of 5 Mb/s. A power of two, since they wrap.
const KEPT: usize = 2048;
/// Streams that are watched; a call sends one of sound and one of pictures. A description could name any number.
const MAX_STREAMS: usize = 8;
/// A plan is made anew this often.
const INTERVAL: Duration = Duration::from_millis(200);
/// Below the first rate sound has no room for a copy of itself, below the second for one only.
const ROOM: (BitsPerSecond, BitsPerSecond) = (BitsPerSecond::kilo(110), BitsPerSecond::kilo(300));

/// Below this rate pictures are a packet or two, and parity would be half of them.
const PARITY_ROOM: BitsPerSecond = BitsPerSecond::kilo(200);

/// A stream of ours.
#[derive(Clone, Copy, Debug)]
struct Stream {
    /// The id of the header extension.
    extension: u8,
    sound: bool,
}

/// A packet that left.
#[derive(Clone, Copy, Debug)]
struct Kept {
    number: u16,
    /// Its number in `path`, and in `loss` where it is sound.
    packet: u64,
    sound: Option<u64>,
}

/// See the module's text. Wire-most, so that it sees the numbers that packets leave under.
pub(crate) struct LossWatch {
    target: SharedTarget,
    round_trip: SharedRoundTrip,
    plan: SharedSoundPlan,
    parity: SharedParityPlan,
    streams: HashMap<u32, Stream>,
    /// By transport-wide number modulo [`KEPT`].
    kept: Vec<Option<Kept>>,
    loss: SoundLoss,
    path: PathLoss,
    planned: Option<Instant>,
}

impl LossWatch {
    pub(crate) fn new(
        target: SharedTarget,
        round_trip: SharedRoundTrip,
        plan: SharedSoundPlan,
        parity: SharedParityPlan,
    ) -> Self {
        Self {
            target,
            round_trip,
            plan,
            parity,
            streams: HashMap::new(),
            kept: vec![None; KEPT],
            loss: SoundLoss::default(),
            path: PathLoss::default(),
            planned: None,
        }
    }

    fn reported(&mut self, number: u16, came: bool) {
        if let Some(kept) = self.kept[usize::from(number) % KEPT]
            && kept.number == number
        {
            // What a queue of ours had no room for is no loss of the path, and parity would make it longer.
            if came || !self.target.congested() {
                self.path.reported(kept.packet, came);
            }
            if let Some(sound) = kept.sound {
                self.loss.reported(sound, came);
            }
        }
    }

    fn feedback(&mut self, now: Instant, feedback: &TransportLayerCc) {
        // No more than is kept: a chunk of two bytes may claim to speak of thousands.
        let count = usize::from(feedback.packet_status_count).min(KEPT);
        let numbers = (0..count).map(|i| feedback.base_sequence_number.wrapping_add(i as u16));
        let symbols = feedback.packet_chunks.iter().flat_map(symbols);
        for (number, symbol) in numbers.zip(symbols) {
            self.reported(number, symbol != SymbolTypeTcc::PacketNotReceived);
        }
        if self.planned.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL) {
            self.planned = Some(now);
            let target = self.target.get();
            let allowed = usize::from(target >= ROOM.0) + usize::from(target >= ROOM.1);
            let before = self.plan.get();
            let plan = self.loss.plan(allowed);
            if plan.copies != before.copies {
                tracing::debug!(?plan, "redundancy of sound");
            }
            self.plan.set(plan);
            let plan = self.path.plan(self.round_trip.get().shortest());
            let plan = if target >= PARITY_ROOM { plan } else { Default::default() };
            if plan != self.parity.get() {
                tracing::debug!(?plan, "parity of pictures");
            }
            self.parity.set(plan, self.path.heavy());
        }
    }
}

fn symbols(chunk: &PacketStatusChunk) -> Box<dyn Iterator<Item = SymbolTypeTcc> + '_> {
    match chunk {
        PacketStatusChunk::RunLengthChunk(run) => {
            Box::new(std::iter::repeat_n(run.packet_status_symbol, usize::from(run.run_length)))
        }
        PacketStatusChunk::StatusVectorChunk(vector) => Box::new(vector.symbol_list.iter().copied()),
    }
}

impl Rule for LossWatch {
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtcp(all) = &packet.message.packet {
            for feedback in all.iter().filter_map(|p| p.as_any().downcast_ref()) {
                self.feedback(packet.now, feedback);
            }
        }
        on.inwards(packet);
    }

    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get(&rtp.header.ssrc)
            && let Some(&[high, low]) = rtp.header.get_extension(stream.extension).as_deref()
        {
            let number = u16::from_be_bytes([high, low]);
            let sound = stream.sound.then(|| self.loss.sent());
            self.kept[usize::from(number) % KEPT] = Some(Kept { number, packet: self.path.sent(), sound });
        }
        on.outwards(packet);
    }

    fn sends(&mut self, stream: &StreamInfo) {
        let id = stream.rtp_header_extensions.iter().find(|e| e.uri.contains(TRANSPORT_WIDE));
        let id = id.and_then(|e| u8::try_from(e.id).ok());
        if let Some(extension) = id
            && self.streams.len() < MAX_STREAMS
        {
            let sound = stream.mime_type.to_ascii_lowercase().starts_with("audio/");
            self.streams.insert(stream.ssrc, Stream { extension, sound });
        }
    }

    fn sends_no_more(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interceptor::{By, made};
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{RunLengthChunk, StatusChunkTypeTcc};
    use rtc::sansio::Protocol;

    fn watch() -> By<LossWatch> {
        let target = SharedTarget::new(BitsPerSecond::kilo(1000));
        let mut watch = LossWatch::new(target, Default::default(), Default::default(), Default::default());
        watch.streams.insert(2, Stream { extension: 3, sound: true });
        By::new(watch)
    }

    fn run(symbol: SymbolTypeTcc, length: u16) -> PacketStatusChunk {
        PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            type_tcc: StatusChunkTypeTcc::RunLengthChunk,
            packet_status_symbol: symbol,
            run_length: length,
        })
    }

    fn read(watch: &mut By<LossWatch>, now: Instant, base: u16, count: u16, chunks: Vec<PacketStatusChunk>) {
        let feedback = TransportLayerCc {
            base_sequence_number: base,
            packet_status_count: count,
            packet_chunks: chunks,
            ..Default::default()
        };
        watch.handle_read(made(now, Packet::Rtcp(vec![Box::new(feedback)]))).expect("taken");
    }

    fn send(watch: &mut By<LossWatch>, now: Instant, number: u16) {
        let mut rtp = rtc::rtp::Packet::default();
        rtp.header.ssrc = 2;
        rtp.header.set_extension(3, number.to_be_bytes().to_vec().into()).expect("an extension");
        watch.handle_write(made(now, Packet::Rtp(rtp))).expect("passed");
    }

    #[test]
    fn pairs_that_get_lost_bring_a_copy_that_travels_two_packets_later() {
        let (mut watch, now) = (watch(), Instant::now());
        // Every third packet is sound, every tenth feedback tells of two of them lost; numbers wrap on the way.
        let first = 65_000u16;
        for i in 0..1500u16 {
            if i % 3 == 0 {
                send(&mut watch, now, first.wrapping_add(i));
            }
        }
        for block in 0..25u16 {
            let lost = run(SymbolTypeTcc::PacketNotReceived, 6);
            let came = run(SymbolTypeTcc::PacketReceivedSmallDelta, 54);
            let at = now + INTERVAL * u32::from(block);
            read(&mut watch, at, first.wrapping_add(block * 60), 60, vec![lost, came]);
        }
        assert_eq!(watch.rule.plan.get().copies, [0, 2]);
    }

    #[test]
    fn parity_is_for_what_the_path_loses_not_for_what_a_queue_of_ours_drops_or_where_there_is_no_room() {
        let parity = |kilo, congested| {
            let (mut watch, now) = (watch(), Instant::now());
            watch.rule.round_trip.sample(Duration::from_millis(300));
            watch.rule.target.set(BitsPerSecond::kilo(kilo));
            watch.rule.target.set_congested(congested);
            for block in 0..10u16 {
                (0..60).for_each(|i| send(&mut watch, now, block * 60 + i));
                let chunks = [(SymbolTypeTcc::PacketNotReceived, 6), (SymbolTypeTcc::PacketReceivedSmallDelta, 54)];
                let chunks = chunks.map(|(symbol, length)| run(symbol, length)).into();
                read(&mut watch, now + INTERVAL * u32::from(block), block * 60, 60, chunks);
            }
            watch.rule.parity.get().parity(10)
        };
        assert!(parity(1000, false) > 0);
        assert_eq!((parity(1000, true), parity(150, false)), (0, 0));
    }

    #[test]
    fn feedback_about_everything_and_about_what_was_never_sent_changes_nothing() {
        let (mut watch, now) = (watch(), Instant::now());
        (0..300).for_each(|i| send(&mut watch, now, i));
        read(&mut watch, now, 0, 300, vec![run(SymbolTypeTcc::PacketReceivedSmallDelta, 300)]);
        for base in (0..60_000).step_by(500) {
            let endless = vec![run(SymbolTypeTcc::PacketNotReceived, u16::MAX); 600];
            read(&mut watch, now + INTERVAL * 2, 1000 + base % 50_000, u16::MAX, endless);
        }
        assert_eq!(watch.rule.plan.get().copies, [0, 0]);
    }
}
