//! Sound with copies of earlier sound (RFC 2198): made at one edge of a call, taken apart at the other.

use super::audio_call::{AudioPacket, Origin};
use bytes::Bytes;
use rtc::rtp::Packet;
use std::collections::VecDeque;
use std::time::Instant;
use visavis_codec::opus::packet_duration;
use visavis_codec::rtp_red::{self, Earlier};
use visavis_media::RtpTicks;

/// Packets kept for copies, and how far back copies of the other side are taken: sound older than this has been played.
const KEPT: usize = 16;
/// Bytes of a packet at most: with every header it must fit into what any path carries whole.
const MAX_BYTES: usize = 1100;

/// Payload types of sound, as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SoundFormats {
    pub opus: u8,
    /// `None` where the other side does not know redundant sound.
    pub red: Option<u8>,
}

/// Adds copies to what is sent.
pub(crate) struct RedWriter {
    formats: SoundFormats,
    /// Newest last.
    sent: VecDeque<Sent>,
}

/// A packet that left.
struct Sent {
    ticks: RtpTicks,
    data: Bytes,
    samples: usize,
}

/// A payload to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SoundPayload {
    pub payload_type: u8,
    pub payload: Bytes,
    /// Bytes of it that are copies.
    pub copied: usize,
}

impl RedWriter {
    pub(crate) fn new(formats: SoundFormats) -> Self {
        Self { formats, sent: VecDeque::with_capacity(KEPT) }
    }

    /// The payload for a packet, with copies of those sent so many `distances` before. Only what was said without a pause
    /// and in packets of one length is copied: else the other side could not tell by the times which packet a copy is of.
    pub(crate) fn payload(
        &mut self,
        ticks: RtpTicks,
        data: Bytes,
        distances: impl Iterator<Item = usize>,
    ) -> SoundPayload {
        let mut wanted: Vec<usize> = distances.filter(|back| (1..=self.sent.len()).contains(back)).collect();
        wanted.sort_unstable();
        let (mut earlier, mut room) = (Vec::new(), MAX_BYTES.saturating_sub(data.len()));
        for back in wanted {
            let since = self.sent.range(self.sent.len() - back..);
            let Some(then) = self.sent.get(self.sent.len() - back) else { continue };
            let offset = (back * then.samples) as u32;
            let of_one_length = since.clone().all(|sent| sent.samples == then.samples);
            if of_one_length && ticks.0.wrapping_sub(then.ticks.0) == offset && then.data.len() <= room {
                room -= then.data.len();
                earlier.push(Earlier { offset, payload: then.data.clone() });
            }
        }
        earlier.reverse();
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        let samples = packet_duration(&data).unwrap_or(0);
        self.sent.push_back(Sent { ticks, data: data.clone(), samples });
        match self.formats.red.filter(|_| !earlier.is_empty()) {
            Some(payload_type) => {
                let payload = rtp_red::pack(self.formats.opus, &earlier, &data);
                SoundPayload { payload_type, copied: payload.len() - data.len(), payload }
            }
            None => SoundPayload { payload_type: self.formats.opus, payload: data, copied: 0 },
        }
    }
}

/// The packets of sound that an RTP packet brings, the newest first; none where it makes no sense.
pub(crate) fn unpack(formats: SoundFormats, packet: Packet, arrival: Instant) -> Vec<AudioPacket> {
    let (sequence, ticks) = (packet.header.sequence_number, RtpTicks(packet.header.timestamp));
    if formats.red != Some(packet.header.payload_type) {
        return vec![AudioPacket { sequence, ticks, payload: packet.payload, arrival, origin: Origin::Itself }];
    }
    let Ok(found) = rtp_red::unpack(formats.opus, &packet.payload) else { return Vec::new() };
    let newest = AudioPacket { sequence, ticks, payload: found.primary, arrival, origin: Origin::Itself };
    let copies = found.earlier.into_iter().rev().filter_map(|earlier| {
        // The format names times, not numbers: packets follow each other at the length of their sound.
        let length = u32::try_from(packet_duration(&earlier.payload)?).ok()?;
        let back = earlier.offset / length;
        let whole = earlier.offset % length == 0 && (1..=KEPT as u32).contains(&back);
        whole.then(|| AudioPacket {
            sequence: sequence.wrapping_sub(back as u16),
            ticks: RtpTicks(ticks.0.wrapping_sub(earlier.offset)),
            payload: earlier.payload,
            arrival,
            origin: Origin::Copy,
        })
    });
    std::iter::once(newest).chain(copies).filter(|p| !p.payload.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMATS: SoundFormats = SoundFormats { opus: 111, red: Some(63) };

    /// 20 ms of Opus (SILK, wideband) that nobody will decode.
    fn sound(byte: u8) -> Bytes {
        vec![0x48, byte, byte].into()
    }

    fn ticks(n: u32) -> RtpTicks {
        RtpTicks((n * 960).wrapping_sub(2000))
    }

    fn rtp(sequence: u16, ticks: RtpTicks, sent: &SoundPayload) -> Packet {
        let mut packet = Packet::default();
        packet.header.sequence_number = sequence;
        packet.header.timestamp = ticks.0;
        packet.header.payload_type = sent.payload_type;
        packet.payload = sent.payload.clone();
        packet
    }

    #[test]
    fn copies_come_back_under_their_own_numbers_and_times_across_both_wraps() {
        let mut writer = RedWriter::new(FORMATS);
        for n in 0..10u32 {
            let sent = writer.payload(ticks(n), sound(n as u8), [4, 2].into_iter());
            let got = unpack(FORMATS, rtp((n as u16).wrapping_sub(3), ticks(n), &sent), Instant::now());
            let backs = [0, 2, 4].into_iter().filter(|back| *back <= n);
            let expected: Vec<_> = backs
                .map(|back| ((n as u16).wrapping_sub(3 + back as u16), ticks(n - back), sound((n - back) as u8)))
                .collect();
            assert_eq!(got.iter().map(|p| (p.sequence, p.ticks, p.payload.clone())).collect::<Vec<_>>(), expected);
            assert!(got.iter().skip(1).all(|p| p.origin == Origin::Copy) && got[0].origin == Origin::Itself);
        }
    }

    #[test]
    fn without_a_plan_or_where_the_other_side_does_not_know_it_packets_are_as_ever() {
        let mut plain = RedWriter::new(SoundFormats { opus: 111, red: None });
        let mut none = RedWriter::new(FORMATS);
        for n in 0..5 {
            let expected = SoundPayload { payload_type: 111, payload: sound(n as u8), copied: 0 };
            assert_eq!(plain.payload(ticks(n), sound(n as u8), [1].into_iter()), expected);
            assert_eq!(none.payload(ticks(n), sound(n as u8), std::iter::empty()), expected);
        }
    }

    #[test]
    fn nothing_is_copied_across_a_pause() {
        let mut writer = RedWriter::new(FORMATS);
        writer.payload(ticks(0), sound(0), [1].into_iter());
        assert_eq!(writer.payload(ticks(20), sound(1), [1].into_iter()).copied, 0);
        assert_eq!(writer.payload(ticks(21), sound(2), [1, 2].into_iter()).copied, 4 + 3 + 1);
    }

    #[test]
    fn copies_of_shorter_packets_come_back_right_and_none_reaches_across_a_change_of_length() {
        // Six packets of 20 ms, then of 10 ms (the same, but for the length in the first byte: SILK, wideband).
        let mut writer = RedWriter::new(FORMATS);
        let (mut at, mut copies) = (0u32, Vec::new());
        let mut ticks_of = Vec::new();
        for n in 0..12u32 {
            let (first, samples) = if n < 6 { (0x48, 960) } else { (0x40, 480) };
            let data = Bytes::from(vec![first, n as u8, n as u8]);
            let sent = writer.payload(RtpTicks(at), data, [1, 3].into_iter());
            ticks_of.push(at);
            for packet in unpack(FORMATS, rtp(n as u16, RtpTicks(at), &sent), Instant::now()).into_iter().skip(1) {
                assert_eq!(packet.ticks.0, ticks_of[usize::from(packet.sequence)]);
                assert_eq!(packet.payload[1], packet.sequence as u8);
                copies.push((n, n - u32::from(packet.sequence)));
            }
            at += samples;
        }
        let whole: Vec<_> = (1..12)
            .flat_map(|n| [(n, 1), (n, 3)])
            .filter(|(n, back)| back <= n && (*n <= 6 || n - back >= 6))
            .collect();
        assert_eq!(copies, whole);
    }

    #[test]
    fn copies_that_would_make_a_packet_too_large_are_left_out() {
        let mut writer = RedWriter::new(FORMATS);
        let large = Bytes::from(vec![0x48; 600]);
        writer.payload(ticks(0), large.clone(), [1].into_iter());
        assert_eq!(writer.payload(ticks(1), large, [1].into_iter()).copied, 0);
    }

    proptest! {
        #[test]
        fn any_payload_gives_few_packets_that_are_not_from_the_future(
            bytes in proptest::collection::vec(any::<u8>(), 0..1500),
        ) {
            let sent = SoundPayload { payload_type: 63, payload: bytes.into(), copied: 0 };
            let got = unpack(FORMATS, rtp(500, RtpTicks(1 << 20), &sent), Instant::now());
            prop_assert!(got.len() <= 1 + rtp_red::MAX_EARLIER);
            for packet in got {
                let back = 500 - packet.sequence;
                prop_assert!(usize::from(back) <= KEPT && packet.ticks.0 <= 1 << 20);
            }
        }
    }
}
