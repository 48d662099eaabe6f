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
fn lost_filler_delays_nothing() {
    // Behind the first picture five packets of filler, of which these get lost; its last one with the picture behind it
    // could be a picture.
    for lost in [vec![0], vec![1, 2], vec![0, 1, 2, 3]] {
        let (now, mut a, mut seen) = (Instant::now(), FrameAssembler::new(), Vec::new());
        for p in stream(&FRAMES, 65_533, now) {
            let first = p.ticks.0 == 0;
            let (sequence, ticks, end) = (p.sequence, p.ticks, p.marker);
            let sequence = if first { sequence } else { sequence.wrapping_add(5) };
            a.push(VideoPacket { sequence, ..p });
            for i in (0..5u16).filter(|i| first && end && !lost.contains(i)) {
                let (sequence, payload) = (sequence.wrapping_add(1 + i), Bytes::from_static(&[12, 0xff, 0x80]));
                a.push(VideoPacket { sequence, ticks, marker: i == 4, payload, arrival: now });
            }
            seen.extend(drain(&mut a, now));
        }
        assert_eq!(seen, [0, 1, 2, 3, 4], "{lost:?}");
        assert!(a.poll_timeout().is_none() && !a.keyframe_wanted(now));
    }
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
            let keyframe = stream(&[(true, 3000), (false, 100)], a.arrivals.highest() as u16 + 1, after(250));
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
    let after = a.arrivals.highest() as u16 + 2 + MAX_MISSING as u16;
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
        prop_assert!(a.arrivals.len() <= MAX_PACKETS);
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
