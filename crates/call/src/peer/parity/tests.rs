//! Writer and reader against each other, and the reader against anything.

use super::*;
use crate::interceptor::{By, made};
use crate::rate::{PathLoss, SharedParityPlan, SharedRepair, SharedTarget};
use proptest::prelude::*;
use rtc::interceptor::{Attribute, Packet};
use std::time::Duration;
use visavis_media::BitsPerSecond;

const VIDEO: u32 = 1;
const PARITY: u32 = 77;
const FORMAT: u8 = 119;

fn video() -> StreamInfo {
    StreamInfo { ssrc: VIDEO, mime_type: "video/H264".into(), ..Default::default() }
}

/// A plan as a long path makes it that loses so many of every forty packets in a row.
fn plan(lost: usize) -> SharedParityPlan {
    let shared = SharedParityPlan::default();
    shared.negotiated(Some(FORMAT));
    let mut loss = PathLoss::default();
    for i in 0..1500 {
        let number = loss.sent();
        loss.reported(number, i % 40 >= lost);
    }
    shared.set(loss.plan(Some(Duration::from_millis(300))), false);
    shared
}

fn packet(rtp: rtc::rtp::Packet, now: Instant) -> TaggedPacket {
    made(now, Packet::Rtp(rtp))
}

fn rtp(out: TaggedPacket) -> rtc::rtp::Packet {
    match out.message.packet {
        Packet::Rtp(rtp) => rtp,
        _ => panic!("only RTP was written"),
    }
}

/// One picture of packets of these lengths, and what leaves for it.
fn picture(writer: &mut By<ParityWriter>, first: u16, lengths: &[usize], now: Instant) -> Vec<rtc::rtp::Packet> {
    for (i, length) in lengths.iter().enumerate() {
        let mut rtp = rtc::rtp::Packet::default();
        rtp.header.version = 2;
        rtp.header.ssrc = VIDEO;
        rtp.header.payload_type = 102;
        rtp.header.sequence_number = first.wrapping_add(i as u16);
        rtp.header.timestamp = 90_000 + u32::from(first);
        rtp.header.marker = i + 1 == lengths.len();
        rtp.payload = std::iter::once(0x41).chain((1..*length).map(|b| (b * 7 + i) as u8)).collect::<Vec<_>>().into();
        writer.handle_write(packet(rtp, now)).expect("passed");
    }
    std::iter::from_fn(|| writer.poll_write()).map(rtp).collect()
}

fn ends(lost: usize) -> (By<ParityWriter>, By<ParityReader>, SharedRepair) {
    let (plan, repair) = (plan(lost), SharedRepair::default());
    let target = SharedTarget::new(BitsPerSecond::kilo(20_000));
    let mut writer = By::new(ParityWriter::new(plan.clone(), target, repair.clone(), PARITY));
    let mut reader = By::new(ParityReader::new(plan, repair.clone()));
    writer.bind_local_stream(&video());
    reader.bind_remote_stream(&video());
    (writer, reader, repair)
}

/// The first parity tells the reader that packets are worth keeping; from the next on it keeps them.
fn warm(writer: &mut By<ParityWriter>, reader: &mut By<ParityReader>, now: Instant) {
    for first in [65_000, 65_001] {
        let sent = picture(writer, first, &[100], now);
        assert_eq!(sent.len(), 2);
        read(reader, sent, now);
    }
}

/// What the reader hands on of these.
fn read(
    reader: &mut By<ParityReader>,
    packets: impl IntoIterator<Item = rtc::rtp::Packet>,
    now: Instant,
) -> Vec<(bool, rtc::rtp::Packet)> {
    packets.into_iter().for_each(|p| reader.handle_read(packet(p, now)).expect("taken"));
    let out = std::iter::from_fn(|| reader.poll_read());
    out.map(|p| (p.message.has(&Attribute::RecoveredByFec), rtp(p))).collect()
}

#[test]
fn any_packets_of_a_picture_that_get_lost_are_made_again_across_the_wrap() {
    let begun = Instant::now();
    let (mut writer, mut reader, repair) = ends(3);
    warm(&mut writer, &mut reader, begun);
    for (round, gone) in [[0, 1, 2], [3, 4, 5], [0, 2, 5], [1, 3, 4]].into_iter().enumerate() {
        let now = begun + Duration::from_secs(1 + round as u64);
        let sent = picture(&mut writer, 65_533u16.wrapping_add(round as u16 * 6), &[1160, 1160, 30, 1160, 500, 7], now);
        let parity = sent.iter().filter(|p| p.header.ssrc == PARITY).count();
        assert_eq!(parity, 3, "of six packets half");
        let came = sent.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, p)| p.clone());
        let mut heard = read(&mut reader, came, now);
        assert_eq!(heard.iter().filter(|(made, _)| *made).count(), 3);
        heard.sort_by_key(|(_, p)| p.header.sequence_number.wrapping_sub(sent[0].header.sequence_number));
        let heard: Vec<_> = heard.into_iter().map(|(_, p)| p).collect();
        assert_eq!(heard, sent[..6], "round {round}");
    }
    assert_eq!((repair.total().recovered, repair.total().parity_received), (12, 14));
}

#[test]
fn parity_that_comes_before_what_it_covers_waits_for_it_and_nothing_is_made_twice() {
    let now = Instant::now();
    let (mut writer, mut reader, _) = ends(1);
    warm(&mut writer, &mut reader, now);
    let mut sent = picture(&mut writer, 10, &[200, 300, 400, 500], now);
    sent.reverse();
    // Parity, then the last packet, which gets lost.
    let lost = sent.remove(1);
    let heard = read(&mut reader, sent.clone(), now);
    assert_eq!(heard.iter().filter(|(made, _)| *made).map(|(_, p)| p).collect::<Vec<_>>(), [&lost]);
    let again = read(&mut reader, sent, now);
    assert!(again.iter().all(|(made, _)| !made), "{again:?}");
}

#[test]
fn parity_never_reaches_the_application_and_without_a_plan_there_is_none() {
    let now = Instant::now();
    let (mut writer, mut reader, repair) = ends(2);
    let sent = picture(&mut writer, 10, &[200; 10], now);
    let heard = read(&mut reader, sent, now);
    assert!(heard.len() == 10 && heard.iter().all(|(made, p)| !made && p.header.ssrc == VIDEO));
    assert_eq!(repair.total().recovered, 0);
    let (mut quiet, ..) = ends(0);
    assert_eq!(picture(&mut quiet, 10, &[200; 10], now).len(), 10);
    let (mut unknown, ..) = ends(2);
    unknown.rule.plan.negotiated(None);
    assert_eq!(picture(&mut unknown, 10, &[200; 10], now).len(), 10);
}

#[test]
fn filler_behind_a_picture_gets_none() {
    let now = Instant::now();
    let (mut writer, ..) = ends(2);
    assert_eq!(picture(&mut writer, 10, &[200; 4], now).len(), 6);
    let mut rtp = rtc::rtp::Packet::default();
    (rtp.header.ssrc, rtp.header.sequence_number, rtp.header.timestamp) = (VIDEO, 14, 90_010);
    (rtp.header.marker, rtp.payload) = (true, vec![12, 0xff, 0x80].into());
    writer.handle_write(packet(rtp, now)).expect("passed");
    assert_eq!(std::iter::from_fn(|| writer.poll_write()).count(), 1);
}

#[test]
fn parity_takes_a_third_of_the_target_at_most() {
    let begun = Instant::now();
    let (mut writer, _, repair) = ends(8);
    writer.rule.target.set(BitsPerSecond::kilo(600));
    for i in 0..300u16 {
        let now = begun + Duration::from_millis(u64::from(i) * 33);
        picture(&mut writer, i * 10, &[1000; 10], now);
    }
    let allowed = 600_000.0 / 8.0 / 3.0 * 10.5;
    let spent = repair.total().parity_bytes as f64;
    assert!(spent <= allowed && spent > 0.8 * allowed, "{spent} of {allowed}");
}

/// What of the parity that came was of no use.
fn discarded(repair: &SharedRepair) -> u64 {
    repair.total().parity_discarded
}

#[test]
fn parity_counts_as_discarded_where_nothing_is_made_of_it_and_not_while_it_waits() {
    let now = Instant::now();
    let (mut writer, mut reader, repair) = ends(3);
    warm(&mut writer, &mut reader, now);
    // The first came before anything was kept, the second for a picture that was there.
    assert_eq!((discarded(&repair), repair.total().parity_received), (2, 2));
    let sent = picture(&mut writer, 10, &[200; 6], now);
    let (media, parity) = sent.split_at(6);
    assert_eq!(parity.len(), 3);
    // Three are missing and two are there: they wait.
    read(&mut reader, media[..3].iter().chain(&parity[..2]).cloned(), now);
    assert_eq!(discarded(&repair), 2);
    // One of the missing comes after all: two are made of the two, and the third, which comes later, is for nothing.
    read(&mut reader, [media[3].clone()], now);
    assert_eq!((discarded(&repair), repair.total().recovered), (2, 2));
    read(&mut reader, [parity[2].clone(), parity[2].clone()], now);
    assert_eq!(discarded(&repair), 4);
    // What came of the next pictures is too little for ever; the oldest make room for newer ones.
    for i in 0..20u16 {
        let then = now + Duration::from_millis(100 * u64::from(i));
        let sent = picture(&mut writer, 100 + 10 * i, &[200; 6], then);
        read(&mut reader, [sent[0].clone(), sent[6].clone()], then);
    }
    assert_eq!(discarded(&repair), 4 + 4, "of twenty-two pictures sixteen are kept");
    // Nothing comes for long: what waited is given up.
    let later = now + Duration::from_secs(20);
    let sent = picture(&mut writer, 1000, &[200; 6], later);
    read(&mut reader, sent[..6].iter().cloned(), later);
    assert_eq!((discarded(&repair), repair.total().recovered), (repair.total().parity_received - 2, 2));
}

proptest! {
    #[test]
    fn nonsense_makes_nothing_but_what_is_handed_on_and_is_not_remembered_without_limit(
        payloads in proptest::collection::vec(
            (any::<bool>(), 0u16..40, 0u8..60, 0u8..60, proptest::collection::vec(any::<u8>(), 0..80)), 0..400),
    ) {
        let now = Instant::now();
        let (_, mut reader, repair) = ends(2);
        let count = payloads.len();
        let packets = payloads.into_iter().map(|(parity, base, count, index, bytes)| {
            let mut rtp = rtc::rtp::Packet::default();
            rtp.header.sequence_number = base;
            if parity {
                (rtp.header.ssrc, rtp.header.payload_type) = (PARITY, FORMAT);
                let sum = bytes::Bytes::from(bytes);
                let (count, index) = (usize::from(count), usize::from(index));
                rtp.payload = Parity { ssrc: VIDEO, base, count, index, timestamp: 0, sum }.write();
            } else {
                (rtp.header.ssrc, rtp.payload) = (VIDEO, bytes.into());
            }
            rtp
        });
        let heard = read(&mut reader, packets, now);
        prop_assert!(heard.iter().all(|(_, p)| p.header.ssrc == VIDEO));
        prop_assert!(heard.len() <= count + MAX_MADE);
        let stream = &reader.rule.streams[&VIDEO];
        prop_assert!(stream.pictures.len() <= 16);
        prop_assert!(stream.pictures.iter().all(|p| p.sums.len() <= 24));
        let (total, waiting) = (repair.total(), stream.pictures.iter().map(|p| p.sums.len() as u64).sum::<u64>());
        prop_assert_eq!(total.parity_received, total.recovered + total.parity_discarded + waiting);
    }

    #[test]
    fn any_bytes_are_parity_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let (_, mut reader, _) = ends(2);
        let mut rtp = rtc::rtp::Packet::default();
        (rtp.header.ssrc, rtp.header.payload_type, rtp.payload) = (PARITY, FORMAT, bytes.into());
        prop_assert!(read(&mut reader, [rtp], Instant::now()).is_empty());
    }
}

/// Each of the numbers that the test uses can be made once for each picture that it may be part of.
const MAX_MADE: usize = 400 * 48;
