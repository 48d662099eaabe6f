//! Asks for missing packets (RFC 4585 §6.2.1), and answers where the other side asks.
//!
//! In place of the crate's two interceptors: its generator repeats every 100 ms without an end, whatever the round
//! trip, so that behind a queue most of what arrives are copies; its responder answers every request, so that anybody
//! could make us send at many times our rate. While a tenth of everything gets lost, one answer in ten is lost, too, and
//! the picture waits for another round trip; then each answer leaves twice. What is asked when, and what is sent again, is decided in `rate`.

use crate::interceptor::{Onward, Rule, made, tagged};
use crate::rate::{
    NackList, Repair, ResendBudget, ResendHistory, RoundTrip, SharedParityPlan, SharedRepair, SharedRoundTrip,
    SharedTarget, is_filler,
};
use rtc::interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Streams that are kept track of; a call has one that asks. A description could name any number.
const MAX_STREAMS: usize = 8;

/// Pairs of a number and the sixteen after it in one message; the crate refuses to write more than 253.
const MAX_PAIRS: usize = 128;

/// Numbers of one message that are looked at: more than an honest receiver waits for at once. A flood of requests must
/// not keep the connection's task from everything else.
const MAX_ASKED: usize = 512;

/// While much gets lost, what is sent again is sent once more half a round trip later, as far as possible from the first
/// time and from the next that it could be asked for; at least and at most so much later, beyond the end of most bursts.
const SECOND_COPY: (Duration, Duration) = (Duration::from_millis(15), Duration::from_millis(30));

/// Second copies that may wait; the budget bounds them, too.
const MAX_WAITING: usize = 512;

/// Whether generic NACK was negotiated for a stream.
fn negotiated(info: &StreamInfo) -> bool {
    info.rtcp_feedback.iter().any(|f| f.typ == "nack" && f.parameter.is_empty())
}

/// A stream that asks.
#[derive(Default)]
struct Watched {
    list: NackList,
    /// Time of the newest picture whose end has come.
    ended: Option<u32>,
}

impl Watched {
    fn received(&mut self, now: Instant, packet: &rtc::rtp::Packet, path: &RoundTrip) {
        let header = &packet.header;
        if is_filler(&packet.payload) {
            if self.ended == Some(header.timestamp) {
                // Between a picture's end and its filler is nothing but filler.
                self.list.skip_to(header.sequence_number);
            }
        } else if header.marker {
            self.ended = Some(header.timestamp);
        }
        self.list.received(now, header.sequence_number, path);
    }
}

/// Asks: watches what arrives, application-ward of whatever repairs it.
pub(crate) struct NackGenerator {
    round_trip: SharedRoundTrip,
    streams: HashMap<u32, Watched>,
    ssrc: u32,
}

impl NackGenerator {
    pub(crate) fn new(round_trip: SharedRoundTrip) -> Self {
        Self { round_trip, streams: HashMap::new(), ssrc: rand::random() }
    }

    fn ask(&mut self, now: Instant, on: &mut Onward) {
        let path = self.round_trip.get();
        for (media_ssrc, Watched { list, .. }) in &mut self.streams {
            if list.poll_timeout().is_none_or(|due| due > now) {
                continue;
            }
            let nacks = nack_pairs_from_sequence_numbers(&list.ask(now, &path));
            let messages = nacks.chunks(MAX_PAIRS).map(|nacks| -> Box<dyn rtc::rtcp::Packet> {
                let (sender_ssrc, media_ssrc, nacks) = (self.ssrc, *media_ssrc, nacks.to_vec());
                Box::new(TransportLayerNack { sender_ssrc, media_ssrc, nacks })
            });
            let all: Vec<_> = messages.collect();
            // An empty one has a meaning of its own in the chain.
            if !all.is_empty() {
                on.outwards(made(now, Packet::Rtcp(all)));
            }
        }
    }
}

impl Rule for NackGenerator {
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get_mut(&rtp.header.ssrc)
        {
            stream.received(packet.now, rtp, &self.round_trip.get());
            self.ask(packet.now, on);
        }
        on.inwards(packet);
    }

    fn deadline(&self) -> Option<Instant> {
        self.streams.values().filter_map(|stream| stream.list.poll_timeout()).min()
    }

    fn due(&mut self, now: Instant, on: &mut Onward) {
        self.ask(now, on);
    }

    fn receives(&mut self, stream: &StreamInfo) {
        if negotiated(stream) && self.streams.len() < MAX_STREAMS {
            self.streams.entry(stream.ssrc).or_default();
        }
    }

    fn receives_no_more(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
    }
}

/// Answers: keeps what was sent, and sends it again within a budget.
pub(crate) struct NackResponder {
    round_trip: SharedRoundTrip,
    target: SharedTarget,
    repair: SharedRepair,
    path: SharedParityPlan,
    /// Second copies, and when they are due.
    waiting: VecDeque<(Instant, rtc::rtp::Packet)>,
    streams: HashMap<u32, ResendHistory>,
    budget: ResendBudget,
}

impl NackResponder {
    pub(crate) fn new(
        round_trip: SharedRoundTrip,
        target: SharedTarget,
        repair: SharedRepair,
        path: SharedParityPlan,
    ) -> Self {
        Self {
            round_trip,
            target,
            repair,
            path,
            waiting: VecDeque::new(),
            streams: HashMap::new(),
            budget: ResendBudget::new(),
        }
    }

    fn answer(&mut self, now: Instant, nack: &TransportLayerNack, on: &mut Onward) {
        let Some(history) = self.streams.get_mut(&nack.media_ssrc) else { return };
        let path = self.round_trip.get();
        self.budget.follow(now, self.target.get());
        // Where asking again takes no longer than that, a second copy is never the quicker one.
        let trip = path.shortest().filter(|trip| self.path.heavy() && *trip > SECOND_COPY.0 * 2);
        let second = trip.map(|trip| now + (trip / 2).clamp(SECOND_COPY.0, SECOND_COPY.1));
        for sequence in nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(MAX_ASKED) {
            if let Some(packet) = history.asked(now, sequence, &path, &mut self.budget) {
                if let Some(due) = second.filter(|_| self.waiting.len() < MAX_WAITING) {
                    self.waiting.push_back((due, packet.clone()));
                }
                on.outwards(again(now, packet, &self.repair));
            }
        }
    }

    /// Sends second copies that are due.
    fn copy(&mut self, now: Instant, on: &mut Onward) {
        while let Some((_, packet)) = self.waiting.pop_front_if(|(due, _)| *due <= now) {
            if self.budget.spend(now, packet.payload.len()) {
                on.outwards(again(now, packet, &self.repair));
            }
        }
    }
}

/// A packet that leaves again.
fn again(now: Instant, packet: rtc::rtp::Packet, repair: &SharedRepair) -> TaggedPacket {
    repair.sent(Repair::Again, packet.payload.len());
    tagged(now, AttributedPacket::new(Packet::Rtp(packet)).with(Attribute::Retransmission))
}

impl Rule for NackResponder {
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtcp(all) = &packet.message.packet {
            for nack in all.iter().filter_map(|p| p.as_any().downcast_ref()) {
                self.answer(packet.now, nack, on);
            }
        }
        on.inwards(packet);
    }

    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(history) = self.streams.get_mut(&rtp.header.ssrc)
        {
            history.sent(packet.now, rtp);
        }
        on.outwards(packet);
    }

    fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _)| *due)
    }

    fn due(&mut self, now: Instant, on: &mut Onward) {
        self.copy(now, on);
    }

    fn sends(&mut self, stream: &StreamInfo) {
        if negotiated(stream) && self.streams.len() < MAX_STREAMS {
            self.streams.entry(stream.ssrc).or_insert_with(ResendHistory::new);
        }
    }

    fn sends_no_more(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interceptor::By;
    use crate::rate::MAX_MISSING;
    use rtc::interceptor::{Interceptor, RTCPFeedback};
    use rtc::sansio::Protocol;
    use std::time::Duration;

    fn video(ssrc: u32, parameter: &str) -> StreamInfo {
        let rtcp_feedback = vec![RTCPFeedback { typ: "nack".into(), parameter: parameter.into() }];
        StreamInfo { ssrc, rtcp_feedback, ..Default::default() }
    }

    fn packet(ssrc: u32, sequence: u16, now: Instant) -> TaggedPacket {
        let mut rtp = rtc::rtp::Packet::default();
        (rtp.header.ssrc, rtp.header.sequence_number) = (ssrc, sequence);
        made(now, Packet::Rtp(rtp))
    }

    #[test]
    fn as_many_single_losses_as_are_kept_fit_into_one_message_that_can_be_written() {
        let (mut generator, now) = (By::new(NackGenerator::new(Default::default())), Instant::now());
        generator.bind_remote_stream(&video(1, ""));
        // A number and the sixteen after it share a pair: of eighteen packets one is missing.
        let came = (0..18 * MAX_MISSING as u16 + 2).filter(|s| *s == 0 || s % 18 != 0);
        came.for_each(|sequence| generator.handle_read(packet(1, sequence, now)).expect("taken"));
        generator.handle_timeout(now + Duration::from_millis(10)).expect("asked");
        let Some(Packet::Rtcp(all)) = generator.poll_write().map(|p| p.message.packet) else { panic!("no request") };
        let bytes = rtc::rtcp::packet::marshal(&all).expect("writable");
        assert!(bytes.len() < 1200, "{} bytes", bytes.len());
        let nacks = all.iter().filter_map(|p| p.as_any().downcast_ref::<TransportLayerNack>());
        assert_eq!(nacks.map(|n| n.nacks.len()).sum::<usize>(), MAX_MISSING);
        assert!(generator.poll_write().is_none());
    }

    #[test]
    fn lost_filler_is_not_asked_for_and_a_lost_part_of_a_picture_is() {
        // Number, time, end of a picture, first byte.
        let told = |packets: &[(u16, u32, bool, u8)]| {
            let (mut generator, now) = (By::new(NackGenerator::new(Default::default())), Instant::now());
            generator.bind_remote_stream(&video(1, ""));
            for (sequence, ticks, marker, first) in packets {
                let mut packet = packet(1, *sequence, now);
                if let Packet::Rtp(rtp) = &mut packet.message.packet {
                    (rtp.header.timestamp, rtp.header.marker) = (*ticks, *marker);
                    rtp.payload = vec![*first, 0xff].into();
                }
                generator.handle_read(packet).expect("taken");
            }
            generator.poll_timeout().is_some()
        };
        assert!(!told(&[(65_533, 9, false, 0x41), (65_534, 9, true, 0x41), (1, 9, false, 12), (3, 9, true, 12)]));
        // Its end was lost, or something before it, or another picture behind the filler.
        assert!(told(&[(1, 9, false, 0x41), (3, 9, false, 12)]));
        assert!(told(&[(1, 9, false, 0x41), (3, 9, true, 0x41), (5, 9, true, 12)]));
        assert!(told(&[(1, 9, true, 0x41), (2, 9, true, 12), (4, 12, true, 0x41)]));
    }

    fn asked(now: Instant, sequence: u16) -> TaggedPacket {
        let nacks = nack_pairs_from_sequence_numbers(&[sequence]);
        let message = TransportLayerNack { sender_ssrc: 9, media_ssrc: 1, nacks };
        made(now, Packet::Rtcp(vec![Box::new(message)]))
    }

    /// When what is asked for once leaves again, in milliseconds, on a path of this round trip.
    fn answers(heavy: bool, trip: u64) -> Vec<u128> {
        let (trips, path, begun) = (SharedRoundTrip::default(), SharedParityPlan::default(), Instant::now());
        trips.sample(Duration::from_millis(trip));
        path.set(Default::default(), heavy);
        let target = SharedTarget::new(visavis_media::BitsPerSecond::kilo(1000));
        let mut responder = By::new(NackResponder::new(trips, target, Default::default(), path));
        responder.bind_local_stream(&video(1, ""));
        responder.handle_write(packet(1, 7, begun)).expect("passed");
        assert!(responder.poll_write().is_some());
        responder.handle_read(asked(begun, 7)).expect("answered");
        if let Some(due) = responder.poll_timeout() {
            responder.handle_timeout(due).expect("timers");
        }
        assert_eq!(responder.poll_timeout(), None);
        std::iter::from_fn(|| responder.poll_write()).map(|p| (p.now - begun).as_millis()).collect()
    }

    #[test]
    fn while_much_gets_lost_an_answer_leaves_twice_unless_asking_again_is_as_quick() {
        assert_eq!(answers(false, 50), [0]);
        assert_eq!((answers(true, 50), answers(true, 200)), (vec![0, 25], vec![0, 30]));
        assert_eq!(answers(true, 20), [0]);
    }

    #[test]
    fn streams_without_generic_nack_are_not_asked_for_and_their_number_is_bounded() {
        let (mut generator, now) = (By::new(NackGenerator::new(Default::default())), Instant::now());
        generator.bind_remote_stream(&video(1, "pli"));
        [1, 5].iter().for_each(|s| generator.handle_read(packet(1, *s, now)).expect("taken"));
        assert_eq!(generator.poll_timeout(), None);
        (0..1000).for_each(|ssrc| generator.bind_remote_stream(&video(ssrc, "")));
        assert_eq!(generator.rule.streams.len(), MAX_STREAMS);
        let target = SharedTarget::new(Default::default());
        let responder = NackResponder::new(Default::default(), target, Default::default(), Default::default());
        let mut responder = By::new(responder);
        (0..1000).for_each(|ssrc| responder.bind_local_stream(&video(ssrc, "")));
        assert_eq!(responder.rule.streams.len(), MAX_STREAMS);
    }
}
