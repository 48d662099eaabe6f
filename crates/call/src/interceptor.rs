//! What each interceptor of ours is made of: a rule of its own, and the two queues on which packets go on.
//!
//! The webrtc crate's chain hands a packet over and asks afterwards what is ready, so even who only looks at what passes
//! by has to keep it for a moment. That is done once, here; a [`Rule`] says what becomes of a packet.

use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::time::Instant;

/// What one interceptor does; where it says nothing, packets pass unchanged. It never waits, and packets that it neither
/// keeps nor hands on are gone.
pub(crate) trait Rule: Send + Sync {
    /// A packet on its way from the wire to the application.
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        on.inwards(packet);
    }

    /// A packet on its way from the application to the wire.
    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        on.outwards(packet);
    }

    /// When [`Rule::due`] is to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Time has passed; the deadline may lie ahead still.
    fn due(&mut self, _now: Instant, _on: &mut Onward) {}

    /// A stream that we send begins.
    fn sends(&mut self, _stream: &StreamInfo) {}

    /// A stream that we sent is over.
    fn sends_no_more(&mut self, _stream: &StreamInfo) {}

    /// A stream of the other side begins, as negotiated.
    fn receives(&mut self, _stream: &StreamInfo) {}

    /// A stream of the other side is over.
    fn receives_no_more(&mut self, _stream: &StreamInfo) {}
}

/// Packets that go on from an interceptor, in order.
#[derive(Default)]
pub(crate) struct Onward {
    inwards: VecDeque<TaggedPacket>,
    outwards: VecDeque<TaggedPacket>,
}

impl Onward {
    /// Hands a packet on to the application.
    pub(crate) fn inwards(&mut self, packet: TaggedPacket) {
        self.inwards.push_back(packet);
    }

    /// Hands a packet on to the wire.
    pub(crate) fn outwards(&mut self, packet: TaggedPacket) {
        self.outwards.push_back(packet);
    }
}

/// An interceptor that goes by a rule.
pub(crate) struct By<R> {
    pub rule: R,
    on: Onward,
}

impl<R: Rule> By<R> {
    pub(crate) fn new(rule: R) -> Self {
        Self { rule, on: Onward::default() }
    }
}

/// A packet as chains pass it on, of now.
pub(crate) fn tagged(now: Instant, message: AttributedPacket) -> TaggedPacket {
    TaggedPacket { now, transport: Default::default(), message }
}

/// A packet of our own.
pub(crate) fn made(now: Instant, packet: Packet) -> TaggedPacket {
    tagged(now, AttributedPacket::new(packet))
}

/// Whether a stream is one of pictures.
pub(crate) fn is_video(stream: &StreamInfo) -> bool {
    stream.mime_type.to_ascii_lowercase().starts_with("video/")
}

impl<R: Rule> Protocol<TaggedPacket, TaggedPacket, ()> for By<R> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.rule.incoming(packet, &mut self.on);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.on.inwards.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.rule.outgoing(packet, &mut self.on);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.on.outwards.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.rule.due(now, &mut self.on);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.rule.deadline()
    }
}

impl<R: Rule> Interceptor for By<R> {
    fn bind_local_stream(&mut self, stream: &StreamInfo) {
        self.rule.sends(stream);
    }

    fn unbind_local_stream(&mut self, stream: &StreamInfo) {
        self.rule.sends_no_more(stream);
    }

    fn bind_remote_stream(&mut self, stream: &StreamInfo) {
        self.rule.receives(stream);
    }

    fn unbind_remote_stream(&mut self, stream: &StreamInfo) {
        self.rule.receives_no_more(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Says nothing.
    struct Silent;

    impl Rule for Silent {}

    /// Hands what comes back to the wire, keeps what leaves until it is due, and counts streams each way.
    #[derive(Default)]
    struct Turns {
        kept: Option<TaggedPacket>,
        streams: [i32; 2],
    }

    impl Rule for Turns {
        fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
            on.outwards(packet);
        }

        fn outgoing(&mut self, packet: TaggedPacket, _: &mut Onward) {
            self.kept = Some(packet);
        }

        fn deadline(&self) -> Option<Instant> {
            self.kept.as_ref().map(|kept| kept.now + Duration::from_millis(5))
        }

        fn due(&mut self, _: Instant, on: &mut Onward) {
            self.kept.take().into_iter().for_each(|kept| on.outwards(kept));
        }

        fn sends(&mut self, _: &StreamInfo) {
            self.streams[0] += 1;
        }

        fn sends_no_more(&mut self, _: &StreamInfo) {
            self.streams[0] -= 10;
        }

        fn receives(&mut self, _: &StreamInfo) {
            self.streams[1] += 1;
        }

        fn receives_no_more(&mut self, _: &StreamInfo) {
            self.streams[1] -= 10;
        }
    }

    fn packet(sequence_number: u16, now: Instant) -> TaggedPacket {
        let header = rtc::rtp::header::Header { sequence_number, ..Default::default() };
        made(now, Packet::Rtp(rtc::rtp::Packet { header, payload: Default::default() }))
    }

    fn number(packet: Option<TaggedPacket>) -> Option<u16> {
        match packet?.message.packet {
            Packet::Rtp(rtp) => Some(rtp.header.sequence_number),
            _ => None,
        }
    }

    #[test]
    fn without_a_word_from_the_rule_packets_pass_in_order_each_on_its_own_way() {
        let (mut passed, now) = (By::new(Silent), Instant::now());
        for i in 0..3 {
            passed.handle_read(packet(i, now)).expect("taken");
            passed.handle_write(packet(10 + i, now)).expect("taken");
        }
        assert_eq!(passed.poll_timeout(), None);
        let read: Vec<_> = std::iter::from_fn(|| number(passed.poll_read())).collect();
        let written: Vec<_> = std::iter::from_fn(|| number(passed.poll_write())).collect();
        assert_eq!((read, written), (vec![0, 1, 2], vec![10, 11, 12]));
    }

    #[test]
    fn a_rule_turns_packets_round_and_keeps_them_until_they_are_due() {
        let (mut turns, now) = (By::new(Turns::default()), Instant::now());
        turns.handle_read(packet(1, now)).expect("taken");
        turns.handle_write(packet(2, now)).expect("taken");
        assert_eq!((number(turns.poll_read()), number(turns.poll_write())), (None, Some(1)));
        let due = turns.poll_timeout().expect("one is kept");
        turns.handle_timeout(due).expect("handed on");
        assert_eq!((number(turns.poll_write()), turns.poll_timeout()), (Some(2), None));
    }

    #[test]
    fn a_rule_is_told_which_way_a_stream_goes_and_when_it_ends() {
        let (mut turns, stream) = (By::new(Turns::default()), StreamInfo::default());
        turns.bind_local_stream(&stream);
        assert_eq!(turns.rule.streams, [1, 0]);
        turns.unbind_local_stream(&stream);
        assert_eq!(turns.rule.streams, [-9, 0]);
        turns.bind_remote_stream(&stream);
        assert_eq!(turns.rule.streams, [-9, 1]);
        turns.unbind_remote_stream(&stream);
        assert_eq!(turns.rule.streams, [-9, -9]);
    }
}
