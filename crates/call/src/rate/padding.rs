//! Makes a probe's packets: filler in the stream of pictures.
//!
//! What is sent must be new to the receiver, or SRTP takes it for a replay and its feedback misses it, and the crate
//! writes at most four bytes of RTP padding. So probes are NAL units of type 12 (filler data, ITU-T H.264 §7.3.2.7),
//! which every decoder passes over, behind the last packet of a picture and with its time. They take sequence numbers
//! of the stream; those of later packets move up by as many. Therefore this stands application-ward of everything that
//! looks at numbers of packets that leave (`peer::chain`).

use super::probe::{Probe, Sent};
use super::target::SharedTarget;
use crate::interceptor::{Onward, Rule, tagged};
use bytes::Bytes;
use rtc::interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket};
use rtc::rtp::header::Header;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Filler data, of no importance (`nal_ref_idc` 0).
const FILLER: u8 = 12;
/// A probe waits this long for a picture that it can follow, then it goes alone.
const NO_PICTURE: Duration = Duration::from_millis(150);

/// See the module's text.
pub(crate) struct Padder {
    target: SharedTarget,
    /// The stream of pictures.
    ssrc: Option<u32>,
    /// By how much its numbers have moved up.
    moved: u16,
    /// Header of its newest packet, and when that came.
    last: Option<(Header, Instant)>,
}

impl Padder {
    pub(crate) fn new(target: SharedTarget) -> Self {
        Self { target, ssrc: None, moved: 0, last: None }
    }

    fn pad(&mut self, now: Instant, on: &mut Onward) {
        let Some((header, _)) = &self.last else { return };
        let Some(probe) = self.target.take_probe() else { return };
        let (count, payload) = probe.packets();
        let mut bytes = vec![0xff; payload];
        (bytes[0], bytes[payload - 1]) = (FILLER, 0x80);
        let (payload, probe_tag) = (Bytes::from(bytes), Arc::new(probe));
        let first = header.sequence_number.wrapping_add(1);
        for i in 0..count as u16 {
            let sequence_number = first.wrapping_add(i);
            let header = Header { sequence_number, marker: i + 1 == count as u16, ..header.clone() };
            let packet = Packet::Rtp(rtc::rtp::Packet { header, payload: payload.clone() });
            let message = AttributedPacket::new(packet).with(Attribute::Custom(probe_tag.clone()));
            on.outwards(tagged(now, message));
        }
        self.target.probe_sent(Sent { probe, ssrc: header.ssrc, first, count: count as u16 });
        self.moved = self.moved.wrapping_add(count as u16);
        if let Some((header, _)) = &mut self.last {
            header.sequence_number = header.sequence_number.wrapping_add(count as u16);
        }
    }
}

/// Whether a payload is what probes are made of: filler data, or RTP padding alone.
pub(crate) fn is_filler(payload: &[u8]) -> bool {
    payload.first().is_none_or(|first| first & 0x1f == FILLER)
}

/// The probe that a packet belongs to.
pub(super) fn probe_of(packet: &TaggedPacket) -> Option<&Probe> {
    packet.message.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Custom(any) => any.downcast_ref(),
        _ => None,
    })
}

impl Rule for Padder {
    fn outgoing(&mut self, mut packet: TaggedPacket, on: &mut Onward) {
        let (now, mut complete) = (packet.now, false);
        if let Packet::Rtp(rtp) = &mut packet.message.packet
            && Some(rtp.header.ssrc) == self.ssrc
        {
            rtp.header.sequence_number = rtp.header.sequence_number.wrapping_add(self.moved);
            complete = rtp.header.marker;
            self.last = Some((rtp.header.clone(), now));
        }
        on.outwards(packet);
        if complete {
            self.pad(now, on);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        // Only between pictures: behind a packet without a marker more of its picture follows.
        let (_, at) = self.last.as_ref().filter(|(header, _)| header.marker)?;
        self.target.probe_wanted().then(|| *at + NO_PICTURE)
    }

    fn due(&mut self, now: Instant, on: &mut Onward) {
        if self.deadline().is_some_and(|due| due <= now) {
            self.pad(now, on);
        }
    }

    fn sends(&mut self, stream: &StreamInfo) {
        if stream.mime_type.eq_ignore_ascii_case("video/h264") {
            self.ssrc.get_or_insert(stream.ssrc);
        }
    }

    fn sends_no_more(&mut self, stream: &StreamInfo) {
        if self.ssrc == Some(stream.ssrc) {
            (self.ssrc, self.last) = (None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interceptor::{By, made};
    use rtc::interceptor::Interceptor;
    use rtc::sansio::Protocol;
    use visavis_media::BitsPerSecond;

    fn packet(sequence: u16, marker: bool, now: Instant) -> TaggedPacket {
        let mut rtp = rtc::rtp::Packet::default();
        (rtp.header.ssrc, rtp.header.sequence_number, rtp.header.marker) = (1, sequence, marker);
        rtp.payload = Bytes::from_static(&[0x41; 100]);
        made(now, Packet::Rtp(rtp))
    }

    fn out(padder: &mut By<Padder>) -> Vec<(u16, u8)> {
        let packets = std::iter::from_fn(|| padder.poll_write());
        let rtp = packets.filter_map(|p| match p.message.packet {
            Packet::Rtp(rtp) => Some((rtp.header.sequence_number, rtp.payload[0])),
            _ => None,
        });
        rtp.collect()
    }

    fn padder() -> (By<Padder>, SharedTarget) {
        let target = SharedTarget::new(BitsPerSecond::kilo(1000));
        let mut padder = By::new(Padder::new(target.clone()));
        padder.bind_local_stream(&StreamInfo { ssrc: 1, mime_type: "video/H264".into(), ..Default::default() });
        (padder, target)
    }

    #[test]
    fn filler_follows_a_picture_and_numbers_have_neither_gaps_nor_doubles_across_a_wrap() {
        let ((mut padder, target), now) = (padder(), Instant::now());
        let mut all = Vec::new();
        for i in 0..20u16 {
            if i == 7 {
                target.want_probe(Probe { id: 1, rate: BitsPerSecond::kilo(2000) });
            }
            padder.handle_write(packet(65_520u16.wrapping_add(i), i % 2 == 1, now)).expect("passed");
            all.extend(out(&mut padder));
        }
        let sent = target.sent_probe().expect("made");
        assert!(sent.count >= 5 && all.len() == 20 + usize::from(sent.count));
        assert!(all.iter().zip(&all[1..]).all(|(a, b)| b.0 == a.0.wrapping_add(1)), "{all:?}");
        let filler: Vec<_> = all.iter().filter(|p| p.1 == FILLER).map(|p| p.0.wrapping_sub(sent.first)).collect();
        assert_eq!(filler, (0..sent.count).collect::<Vec<_>>());
    }

    #[test]
    fn where_no_picture_comes_a_probe_goes_alone() {
        let ((mut padder, target), now) = (padder(), Instant::now());
        assert_eq!(padder.poll_timeout(), None);
        padder.handle_write(packet(5, true, now)).expect("passed");
        out(&mut padder);
        target.want_probe(Probe { id: 1, rate: BitsPerSecond::kilo(200) });
        let due = padder.poll_timeout().expect("a probe waits");
        padder.handle_timeout(due).expect("made");
        assert!(out(&mut padder).len() >= 5 && padder.poll_timeout().is_none());
    }
}
