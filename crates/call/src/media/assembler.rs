//! From RTP packets to whole H.264 access units, in decoding order.
//!
//! A missing packet is waited for as long as a retransmission may take; then everything up to the next keyframe is
//! given up, because what depends on a lost picture would only smear. Where several answers have failed to come, a
//! keyframe is asked for beside the wait, and whichever is whole first goes on.

use crate::rate::{MAX_MISSING, RESTART_DISTANCE, RoundTrip};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use visavis_codec::rtp_h264::{Depacketizer, starts_keyframe};
use visavis_media::RtpTicks;

/// Packets kept at most: some four seconds at 5 Mb/s.
const MAX_PACKETS: usize = 2048;

/// When as many requests for a packet should have been answered and it is still missing, a keyframe is asked for as
/// well: the next may be lost like those before it, and a picture that stands still is seen.
const ANSWERS: u32 = 4;
/// Not sooner than this, however short the path: a hiccup of the other side's machine is no loss.
const SOONEST_KEYFRAME: Duration = Duration::from_millis(200);
/// What came out of order by less than this, on a path that has not been measured, was overtaken and not sent again.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// A packet of the stream.
#[derive(Clone, Debug)]
pub(crate) struct VideoPacket {
    pub sequence: u16,
    pub ticks: RtpTicks,
    pub marker: bool,
    pub payload: Bytes,
    pub arrival: Instant,
}

/// A whole encoded picture.
#[derive(Clone, Debug)]
pub(crate) struct AssembledPicture {
    /// Annex B.
    pub data: Bytes,
    pub ticks: RtpTicks,
    pub keyframe: bool,
    pub first_packet: Instant,
    pub last_packet: Instant,
    /// Whether a packet of it came so late after ones that were sent later that it must have been sent again.
    pub repaired: bool,
}

/// See the module's text.
#[derive(Default)]
pub(crate) struct FrameAssembler {
    packets: BTreeMap<i64, VideoPacket>,
    highest: Option<i64>,
    /// First packet of the next picture; `None`: a keyframe must come first.
    next: Option<i64>,
    /// The missing packet that is waited for, and since when.
    gap: Option<(i64, Instant)>,
    /// How long: a retransmission that takes longer comes too late to be worth a picture that stands still.
    patience: Duration,
    /// And how long before a keyframe is asked for as well.
    hurry: Duration,
    /// What comes this late has been sent again.
    again: Duration,
    /// Those that did.
    resent: BTreeSet<i64>,
    keyframe_wanted: bool,
    depacketizer: Option<Depacketizer>,
    received: u64,
    first: Option<i64>,
}

impl FrameAssembler {
    pub(crate) fn new() -> Self {
        let mut assembler = Self { depacketizer: Some(Depacketizer::new()), ..Self::default() };
        assembler.follow(&RoundTrip::default());
        assembler
    }

    /// Waits as long as this path is worth.
    pub(crate) fn follow(&mut self, path: &RoundTrip) {
        self.patience = path.patience();
        self.hurry = (path.answer_within() * ANSWERS).clamp(SOONEST_KEYFRAME, self.patience);
        self.again = path.shortest().map_or(OVERTAKEN, |trip| trip * 3 / 4);
    }

    /// Takes a packet; old and doubled ones are ignored.
    pub(crate) fn push(&mut self, packet: VideoPacket) {
        let extended = self.extend(packet.sequence);
        if self.next.is_some_and(|next| extended < next) || self.packets.contains_key(&extended) {
            return;
        }
        self.received += 1;
        if self.next.is_none() && !self.keyframe_wanted && !starts_keyframe(&packet.payload) {
            let continues = self.packets.values().any(|p| p.ticks == packet.ticks);
            self.keyframe_wanted |= !continues;
        }
        // Those right behind it came when it should have.
        let behind = self.packets.range(extended + 1..).take(4).map(|(_, p)| p.arrival).min();
        if behind.is_some_and(|at| packet.arrival.saturating_duration_since(at) >= self.again) {
            self.resent.insert(extended);
        }
        self.packets.insert(extended, packet);
        if self.packets.len() > MAX_PACKETS || self.missing() > MAX_MISSING {
            self.give_up();
        }
    }

    /// Packets that are missing before the next pictures are whole. More than the list of requests holds are not
    /// asked for: then there is nothing to wait for.
    fn missing(&self) -> usize {
        let wanted = self.next.zip(self.highest).map_or(0, |(next, highest)| (highest + 1 - next).max(0) as usize);
        wanted.saturating_sub(self.packets.len())
    }

    fn extend(&mut self, sequence: u16) -> i64 {
        let extended = match self.highest {
            None => i64::from(sequence),
            Some(highest) => {
                let distance = i64::from(sequence.wrapping_sub(highest as u16) as i16);
                if distance.abs() > RESTART_DISTANCE {
                    self.give_up();
                    self.first = None;
                    // Far ahead of everything before, so that nothing old is mistaken for new.
                    let base = highest + 2 * RESTART_DISTANCE;
                    self.highest = None;
                    base + (i64::from(sequence) - base).rem_euclid(65_536)
                } else {
                    highest + distance
                }
            }
        };
        self.highest = Some(self.highest.map_or(extended, |h| h.max(extended)));
        self.first.get_or_insert(extended);
        extended
    }

    /// The next whole picture that can be decoded.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<AssembledPicture> {
        loop {
            let start = match self.next {
                Some(next) => next,
                None => self.seek_keyframe()?,
            };
            match self.extent(start) {
                Extent::Whole(end) => {
                    if let Some(picture) = self.assemble(start, end) {
                        return Some(picture);
                    }
                }
                Extent::Missing(missing) => {
                    let newest = self.packets.range(missing..).next().map(|(_, p)| p.arrival)?;
                    let since = match self.gap {
                        Some((gap, since)) if gap == missing => since,
                        _ => newest,
                    };
                    self.gap = Some((missing, since));
                    if self.skip_to_keyframe(missing) {
                        continue;
                    }
                    if now.saturating_duration_since(since) < self.patience {
                        return None;
                    }
                    self.give_up();
                }
            }
        }
    }

    /// When [`FrameAssembler::poll`] should be called again though no packet came.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.gap.map(|(_, since)| since + self.patience)
    }

    /// When [`FrameAssembler::keyframe_wanted`] should be asked again though no packet came.
    pub(crate) fn keyframe_due(&self) -> Option<Instant> {
        self.gap.map(|(_, since)| since + self.hurry)
    }

    /// Whether nothing can be decoded before a keyframe comes, or a repair has been waited for so long that a keyframe
    /// may be sooner.
    pub(crate) fn keyframe_wanted(&self, now: Instant) -> bool {
        self.keyframe_wanted || self.keyframe_due().is_some_and(|due| due <= now)
    }

    /// A whole keyframe behind a gap ends the wait: nothing after it needs what is missing.
    fn skip_to_keyframe(&mut self, missing: i64) -> bool {
        let begins = |(i, p): &(&i64, &VideoPacket)| starts_keyframe(&p.payload) && self.begins_picture(**i, p);
        let newest = self.packets.range(missing + 1..).rev().find(begins).map(|(i, _)| *i);
        let Some(start) = newest.filter(|start| matches!(self.extent(*start), Extent::Whole(_))) else { return false };
        self.packets = self.packets.split_off(&start);
        (self.next, self.gap, self.keyframe_wanted) = (Some(start), None, false);
        true
    }

    /// The decoder lost its way: everything up to the next keyframe is given up.
    pub(crate) fn give_up(&mut self) {
        self.keyframe_wanted = true;
        self.gap = None;
        self.resent.clear();
        let after = self.next.take();
        // A keyframe that has begun to arrive is kept.
        let keep = self
            .packets
            .range(after.map_or(i64::MIN, |a| a + 1)..)
            .find(|(i, p)| starts_keyframe(&p.payload) && self.begins_picture(**i, p))
            .map(|(i, _)| *i);
        match keep {
            Some(keep) if self.packets.len() <= MAX_PACKETS => self.packets = self.packets.split_off(&keep),
            _ => self.packets.clear(),
        }
    }

    /// Packets that never came, of all that were sent since the first that did.
    pub(crate) fn lost(&self) -> u64 {
        let span = self.highest.zip(self.first).map_or(0, |(h, f)| (h - f + 1).max(0) as u64);
        span.saturating_sub(self.received)
    }

    fn begins_picture(&self, extended: i64, packet: &VideoPacket) -> bool {
        self.packets.get(&(extended - 1)).is_none_or(|before| before.ticks != packet.ticks)
    }

    fn seek_keyframe(&mut self) -> Option<i64> {
        let found = self.packets.iter().find(|(i, p)| starts_keyframe(&p.payload) && self.begins_picture(**i, p));
        let start = *found?.0;
        self.packets = self.packets.split_off(&start);
        self.next = Some(start);
        self.keyframe_wanted = false;
        Some(start)
    }

    fn extent(&self, start: i64) -> Extent {
        let Some(first) = self.packets.get(&start) else { return Extent::Missing(start) };
        let mut at = start;
        loop {
            let Some(packet) = self.packets.get(&at) else { return Extent::Missing(at) };
            if packet.ticks != first.ticks {
                // The marker was lost in transit of somebody else's making: the picture ended before.
                return Extent::Whole(at - 1);
            }
            if packet.marker {
                return Extent::Whole(at);
            }
            at += 1;
        }
    }

    fn assemble(&mut self, start: i64, end: i64) -> Option<AssembledPicture> {
        let rest = self.packets.split_off(&(end + 1));
        let picture = std::mem::replace(&mut self.packets, rest);
        (self.next, self.gap) = (Some(end + 1), None);
        let first = picture.get(&start)?;
        let (ticks, keyframe) = (first.ticks, starts_keyframe(&first.payload));
        let first_packet = picture.values().map(|p| p.arrival).min()?;
        let last_packet = picture.values().map(|p| p.arrival).max()?;
        let repaired = self.resent.range(..=end).next_back().is_some_and(|newest| *newest >= start);
        self.resent = self.resent.split_off(&(end + 1));
        if picture.values().all(|p| is_padding(&p.payload)) {
            return None;
        }
        let depacketizer = self.depacketizer.get_or_insert_with(Depacketizer::new);
        depacketizer.reset();
        for packet in picture.values().filter(|p| !is_padding(&p.payload)) {
            if let Err(error) = depacketizer.push(&packet.payload) {
                tracing::debug!(%error, "broken picture");
                self.give_up();
                return None;
            }
        }
        match depacketizer.finish() {
            Ok(data) if !data.is_empty() => {
                Some(AssembledPicture { data, ticks, keyframe, first_packet, last_packet, repaired })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, "broken picture");
                self.give_up();
                None
            }
        }
    }
}

/// What probes are made of: RTP padding alone, or filler data (NAL unit type 12).
fn is_padding(payload: &[u8]) -> bool {
    payload.first().is_none_or(|first| first & 0x1f == 12)
}

enum Extent {
    Whole(i64),
    Missing(i64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use visavis_codec::rtp_h264::packetize;

    /// An access unit of our own: SPS, PPS and IDR, or one non-IDR slice.
    fn unit(keyframe: bool, size: usize, fill: u8) -> Vec<u8> {
        let mut data = Vec::new();
        if keyframe {
            data.extend_from_slice(&[0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 5]);
        }
        data.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
        data.extend(std::iter::repeat_n(fill | 1, size));
        data
    }

    fn stream(frames: &[(bool, usize)], first: u16, at: Instant) -> Vec<VideoPacket> {
        let mut sequence = first;
        let mut out = Vec::new();
        for (i, (keyframe, size)) in frames.iter().enumerate() {
            let packets = packetize(&unit(*keyframe, *size, i as u8), 1000);
            let count = packets.len();
            for (j, payload) in packets.into_iter().enumerate() {
                let arrival = at + Duration::from_millis(33) * i as u32;
                let ticks = RtpTicks(3000 * i as u32);
                out.push(VideoPacket { sequence, ticks, marker: j + 1 == count, payload, arrival });
                sequence = sequence.wrapping_add(1);
            }
        }
        out
    }

    fn drain(assembler: &mut FrameAssembler, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| assembler.poll(now)).map(|p| p.ticks.0 / 3000).collect()
    }

    const FRAMES: [(bool, usize); 5] = [(true, 5000), (false, 2500), (false, 800), (false, 2500), (false, 10)];

    #[test]
    fn pictures_come_out_whole_and_in_order_across_a_wrap() {
        let now = Instant::now();
        let mut a = FrameAssembler::new();
        let mut seen = Vec::new();
        for p in stream(&FRAMES, 65_533, now) {
            a.push(p);
            seen.extend(drain(&mut a, now));
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert_eq!((a.lost(), a.keyframe_wanted(now)), (0, false));
    }

    #[test]
    fn filler_between_pictures_is_passed_over_and_delays_nothing() {
        let (now, mut a, mut seen, mut moved) = (Instant::now(), FrameAssembler::new(), Vec::new(), 0);
        for p in stream(&FRAMES, 65_533, now) {
            let (sequence, ticks) = (p.sequence.wrapping_add(moved), p.ticks);
            let complete = p.marker;
            a.push(VideoPacket { sequence, ..p });
            seen.extend(drain(&mut a, now));
            if complete {
                assert_eq!(seen.last(), Some(&(ticks.0 / 3000)), "the picture is there before its filler");
                for i in 1..=4 {
                    let (sequence, payload) = (sequence.wrapping_add(i), Bytes::from_static(&[12, 0xff, 0x80]));
                    a.push(VideoPacket { sequence, ticks, marker: i == 4, payload, arrival: now });
                }
                moved += 4;
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert_eq!((a.lost(), a.keyframe_wanted(now), a.poll_timeout()), (0, false, None));
    }

    #[test]
    fn a_late_packet_is_waited_for() {
        let now = Instant::now();
        let mut packets = stream(&FRAMES, 7, now);
        let late = packets.remove(7);
        let mut a = FrameAssembler::new();
        packets.into_iter().for_each(|p| a.push(p));
        assert_eq!(drain(&mut a, now + Duration::from_millis(150)), [0]);
        a.push(late);
        assert_eq!(drain(&mut a, now + Duration::from_millis(200)), [1, 2, 3, 4]);
    }

    #[test]
    fn a_long_path_is_waited_for_longer() {
        let (now, mut path) = (Instant::now(), RoundTrip::default());
        path.sample(Duration::from_millis(300));
        let mut packets = stream(&FRAMES, 7, now);
        packets.remove(7);
        let mut a = FrameAssembler::new();
        a.follow(&path);
        packets.into_iter().for_each(|p| a.push(p));
        assert_eq!(drain(&mut a, now + Duration::from_millis(550)), [0]);
        assert!(!a.keyframe_wanted(now));
        let when = a.poll_timeout().expect("a gap");
        drain(&mut a, when);
        assert!(a.keyframe_wanted(now));
    }

    #[test]
    fn a_keyframe_is_asked_for_while_a_repair_is_still_waited_for_and_ends_the_wait() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        for repaired in [true, false] {
            let mut path = RoundTrip::default();
            path.sample(Duration::from_millis(50));
            let mut packets = stream(&FRAMES, 7, now);
            packets.iter_mut().for_each(|p| p.arrival = now);
            let late = packets.remove(7);
            let mut a = FrameAssembler::new();
            a.follow(&path);
            packets.into_iter().for_each(|p| a.push(p));
            assert_eq!(drain(&mut a, now), [0]);
            assert!(!a.keyframe_wanted(after(230)) && a.keyframe_wanted(after(250)));
            assert_eq!(a.keyframe_due(), Some(after(240)));
            if repaired {
                a.push(VideoPacket { arrival: after(245), ..late });
                let pictures: Vec<_> = std::iter::from_fn(|| a.poll(after(245))).collect();
                assert_eq!(pictures.iter().map(|p| p.repaired).collect::<Vec<_>>(), [true, false, false, false]);
            } else {
                let keyframe = stream(&[(true, 3000), (false, 100)], a.highest.expect("seen") as u16 + 1, after(250));
                for p in keyframe {
                    a.push(VideoPacket { ticks: RtpTicks(p.ticks.0 + 9 * 3000), ..p });
                }
                assert_eq!(drain(&mut a, after(250)), [9, 10]);
            }
            assert!(!a.keyframe_wanted(after(1000)));
        }
    }

    #[test]
    fn what_was_merely_overtaken_is_no_repair() {
        let now = Instant::now();
        let mut packets = stream(&FRAMES, 7, now);
        packets.swap(1, 2);
        let mut a = FrameAssembler::new();
        packets.into_iter().enumerate().for_each(|(i, p)| {
            a.push(VideoPacket { arrival: now + Duration::from_millis(4 * i as u64), ..p });
        });
        assert!(std::iter::from_fn(|| a.poll(now)).all(|p| !p.repaired));
    }

    #[test]
    fn an_outage_asks_for_a_keyframe_without_waiting() {
        let now = Instant::now();
        let mut a = FrameAssembler::new();
        stream(&FRAMES, 0, now).into_iter().for_each(|p| a.push(p));
        assert_eq!(drain(&mut a, now).len(), 5);
        let after = a.highest.expect("seen") as u16 + 2 + MAX_MISSING as u16;
        let late = stream(&[(false, 3000), (true, 3000)], after, now);
        late.into_iter().for_each(|p| a.push(VideoPacket { ticks: RtpTicks(p.ticks.0 + 60 * 3000), ..p }));
        assert_eq!(drain(&mut a, now).len(), 1, "the keyframe that came by itself");
        let again = after + 40 + MAX_MISSING as u16;
        stream(&[(false, 3000)], again, now).into_iter().for_each(|p| a.push(p));
        assert!(drain(&mut a, now).is_empty() && a.keyframe_wanted(now));
    }

    #[test]
    fn after_a_lost_picture_nothing_is_shown_before_a_keyframe() {
        let now = Instant::now();
        let frames = [(true, 3000), (false, 900), (false, 900), (true, 3000), (false, 900)];
        let mut packets = stream(&frames, 0, now);
        let lost = packets.iter().position(|p| p.ticks.0 == 3000).expect("a packet of the second picture");
        packets.remove(lost);
        let mut a = FrameAssembler::new();
        packets.into_iter().for_each(|p| a.push(p));
        assert_eq!(drain(&mut a, now), [0, 3, 4]);
        assert_eq!((a.lost(), a.keyframe_wanted(now)), (1, false));
    }

    #[test]
    fn a_stream_that_begins_in_the_middle_asks_for_a_keyframe_at_once() {
        let now = Instant::now();
        let mut a = FrameAssembler::new();
        for p in stream(&FRAMES, 0, now).into_iter().filter(|p| p.ticks.0 > 0) {
            a.push(p);
        }
        assert_eq!(drain(&mut a, now), Vec::<u32>::new());
        assert!(a.keyframe_wanted(now));
    }

    #[test]
    fn a_new_sequence_far_away_is_taken_up() {
        let now = Instant::now();
        let mut a = FrameAssembler::new();
        stream(&FRAMES, 100, now).into_iter().for_each(|p| a.push(p));
        assert_eq!(drain(&mut a, now).len(), 5);
        stream(&FRAMES, 40_000, now).into_iter().for_each(|p| a.push(p));
        assert_eq!(drain(&mut a, now).len(), 5);
    }

    proptest! {
        #[test]
        fn any_order_and_any_loss_never_panics_and_stays_bounded(
            drops in proptest::collection::vec(any::<bool>(), 40),
            swaps in proptest::collection::vec((0usize..40, 0usize..40), 20),
            first: u16,
        ) {
            let now = Instant::now();
            let frames: Vec<_> = (0..12).map(|i| (i % 5 == 0, 1 + i * 300)).collect();
            let mut packets = stream(&frames, first, now);
            let n = packets.len();
            swaps.iter().for_each(|(a, b)| packets.swap(a % n, b % n));
            let mut a = FrameAssembler::new();
            let mut seen = Vec::new();
            for (i, p) in packets.into_iter().enumerate() {
                if !drops[i % drops.len()] {
                    a.push(p);
                }
                seen.extend(drain(&mut a, now + Duration::from_millis(20) * i as u32));
            }
            prop_assert!(seen.windows(2).all(|w| w[0] < w[1]), "{:?}", seen);
            prop_assert!(a.packets.len() <= MAX_PACKETS);
        }

        #[test]
        fn garbage_never_panics(payloads in proptest::collection::vec((any::<u16>(), any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..200)) {
            let now = Instant::now();
            let mut a = FrameAssembler::new();
            for (i, (sequence, ticks, marker, payload)) in payloads.into_iter().enumerate() {
                let arrival = now + Duration::from_millis(i as u64);
                a.push(VideoPacket { sequence, ticks: RtpTicks(ticks), marker, payload: payload.into(), arrival });
                while a.poll(arrival).is_some() {}
            }
        }
    }
}
