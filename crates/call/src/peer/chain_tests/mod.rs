//! The chain of interceptors as a whole, as `chain` builds it: what two of them make of a path that loses packets.

pub(super) mod wire;

use super::tap::Feedback;
use crate::media::assembler::{FrameAssembler, VideoPacket};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtc::interceptor::{NackGeneratorBuilder, NackResponderBuilder, Packet};
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::shared::marshal::Unmarshal;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use visavis_codec::rtp_h264::packetize;
use visavis_media::time::{RtpStamper, SenderClock};
use visavis_media::{ClockRate, RtpTicks};
use webrtc::peer_connection::{Registry, Slot};
use wire::{AUDIO, End, Path, VIDEO, Wire, ms, rtp};

const SECONDS: u64 = 7;
const FRAMES: u64 = 30 * SECONDS;

/// Every `interval`, without an end, and an answer to each request: as the crate does it.
fn fixed(interval: Duration) -> impl Fn(Registry) -> Registry {
    move |registry| {
        registry
            .with(Slot::from(8_600), NackGeneratorBuilder::new().with_interval(interval).build())
            .with(Slot::NackResponder, NackResponderBuilder::new().build())
    }
}

fn ours(registry: Registry) -> Registry {
    registry
}

/// What came of some seconds of video.
#[derive(Debug, Default)]
struct Outcome {
    /// Packets that the path lost, copies included.
    lost: usize,
    /// Sequence numbers asked for, each as often as it was.
    asked: usize,
    /// Of these, after the packet had come.
    asked_in_vain: usize,
    received: usize,
    doubled: usize,
    shown: u64,
    /// Longest time between two pictures.
    gap: Duration,
    keyframes_wanted: usize,
}

impl Outcome {
    fn storm(&self) -> bool {
        self.asked as f64 > 1.5 * self.lost as f64 || self.doubled as f64 > 0.03 * self.received as f64
    }
}

/// Packets of a picture: 2 Mb/s at 30 pictures a second.
fn picture(keyframe: bool, random: &mut StdRng) -> Vec<bytes::Bytes> {
    let size = if keyframe { 45_000 } else { random.random_range(4000..12_500) };
    let mut unit = if keyframe { vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 5] } else { Vec::new() };
    unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
    unit.resize(unit.len() + size, 0x55);
    packetize(&unit, 1160)
}

/// Seven seconds of 720p video over a path of 50 ms and `queue` more on the way there, from two seconds on.
fn call(seed: u64, loss: f64, queue: Duration, how: impl Fn(Registry) -> Registry) -> Outcome {
    let begun = Instant::now();
    let (there, back) = (Path::new(ms(25), loss, seed), Path::new(ms(25), loss, seed + 1000));
    // Behind the queue pictures are given up, and keyframes come on top of the rate.
    let end = || if queue.is_zero() { End::new(begun, &how) } else { End::roomy(begun, &how) };
    let mut wire = Wire::new(end(), end(), begun, there, back);
    let mut random = StdRng::seed_from_u64(seed + 2000);
    let (mut assembler, mut out) = (FrameAssembler::new(), Outcome::default());
    let (mut sequence, mut sound, mut last_shown) = (65_000 + seed as u16, 0u16, None);
    let mut last_request: Option<Instant> = None;
    for end in [&wire.a, &wire.b] {
        // Connectivity checks have measured the path before there is media.
        end.shared.round_trip.sample(ms(50));
    }
    while wire.ms() < 1000 * SECONDS + 1500 {
        wire.step();
        let (now, at) = (wire.now, wire.ms());
        if at == 2000 {
            wire.there.delay += queue;
        }
        if at.is_multiple_of(20) {
            for (end, ssrc) in [(&mut wire.a, AUDIO), (&mut wire.b, AUDIO + 1)] {
                let ticks = u32::from(sound) * 960;
                end.shared.clocks.set(ssrc, now, RtpTicks(ticks));
                end.write(now, rtp(ssrc, sound, ticks, false, vec![0; 60].into()));
            }
            sound = sound.wrapping_add(1);
        }
        if at.is_multiple_of(500) {
            // As the checks that keep the path alive measure it.
            let trip = wire.there.delay + wire.back.delay;
            wire.a.shared.round_trip.sample(trip);
            wire.b.shared.round_trip.sample(trip);
        }
        let frame = at * 30 / 1000;
        if frame < FRAMES && frame != (at - 1) * 30 / 1000 || at == 1 {
            let wanted = wire.a.news().contains(&Feedback::KeyframeWanted);
            let packets = picture(frame == 0 || wanted, &mut random);
            let ticks = RtpTicks(frame as u32 * 3000);
            wire.a.shared.clocks.set(VIDEO, now, ticks);
            for (i, payload) in packets.iter().enumerate() {
                let marker = i + 1 == packets.len();
                wire.a.write(now, rtp(VIDEO, sequence, ticks.0, marker, payload.clone()));
                sequence = sequence.wrapping_add(1);
            }
        }
        for (arrival, packet) in wire.b.heard.drain(..) {
            let Packet::Rtp(packet) = packet else { continue };
            if packet.header.ssrc == VIDEO {
                assembler.push(VideoPacket {
                    sequence: packet.header.sequence_number,
                    ticks: RtpTicks(packet.header.timestamp),
                    marker: packet.header.marker,
                    payload: packet.payload,
                    arrival,
                });
            }
        }
        assembler.follow(&wire.b.shared.round_trip.get());
        while assembler.poll(now).is_some() {
            out.shown += 1;
            out.gap = out.gap.max(now - last_shown.replace(now).unwrap_or(now));
        }
        if assembler.keyframe_wanted(now) && last_request.is_none_or(|last| now - last >= ms(300)) {
            last_request = Some(now);
            out.keyframes_wanted += 1;
            let request = PictureLossIndication { sender_ssrc: 9, media_ssrc: VIDEO };
            wire.b.write(now, Packet::Rtcp(vec![Box::new(request)]));
        }
    }
    count(&wire, &mut out);
    println!("{out:?}");
    out
}

fn count(wire: &Wire, out: &mut Outcome) {
    let video = |packet: &Packet| match packet {
        Packet::Rtp(rtp) if rtp.header.ssrc == VIDEO => Some(rtp.header.sequence_number),
        _ => None,
    };
    out.lost = wire.there.lost.iter().filter_map(video).count();
    let mut came: HashMap<u16, (Instant, usize)> = HashMap::new();
    for (at, packet) in &wire.b.arrived {
        if let Some(sequence) = video(packet) {
            came.entry(sequence).or_insert((*at, 0)).1 += 1;
            out.received += 1;
        }
    }
    out.doubled = came.values().map(|(_, times)| times - 1).sum();
    for (at, nack) in nacks(&wire.b) {
        for sequence in nack.nacks.iter().flat_map(|pair| pair.packet_list()) {
            out.asked += 1;
            out.asked_in_vain += usize::from(came.get(&sequence).is_some_and(|(first, _)| *first < at));
        }
    }
}

fn nacks(end: &End) -> Vec<(Instant, TransportLayerNack)> {
    let rtcp = end.sent.iter().filter_map(|(at, packet)| match packet {
        Packet::Rtcp(all) => Some((at, all)),
        _ => None,
    });
    let all = rtcp.flat_map(|(at, all)| all.iter().map(|p| (*at, p.as_any().downcast_ref().cloned())));
    all.filter_map(|(at, nack)| Some((at, nack?))).collect()
}

#[test]
fn at_five_percent_loss_every_picture_is_shown_and_hardly_a_packet_is_asked_for_twice() {
    for seed in 0..8 {
        let out = call(seed, 0.05, ms(0), ours);
        assert!(out.lost > 40, "{out:?}");
        assert!(!out.storm(), "seed {seed}: {out:?}");
        assert_eq!((out.shown, out.asked_in_vain, out.keyframes_wanted), (FRAMES, 0, 0), "seed {seed}: {out:?}");
        assert!(out.gap <= ms(300), "seed {seed}: {out:?}");
    }
}

#[test]
fn a_queue_that_grows_to_a_quarter_of_a_second_makes_no_storm() {
    for seed in 0..8 {
        let out = call(seed, 0.05, ms(250), ours);
        assert!(!out.storm(), "seed {seed}: {out:?}");
        // Two requests fit into the time that a picture is waited for: one in a hundred losses is not made good.
        assert!(out.shown > FRAMES * 8 / 10, "seed {seed}: {out:?}");
        assert_eq!(out.asked_in_vain, 0, "seed {seed}: {out:?}");
    }
}

#[test]
fn repeating_after_a_fixed_time_makes_a_storm_behind_a_queue() {
    // What the test before is worth: the crate's own interceptors fail it.
    for interval in [ms(20), ms(100)] {
        let out = call(1, 0.05, ms(250), fixed(interval));
        assert!(out.storm(), "every {interval:?}: {out:?}");
    }
}

#[test]
fn a_path_without_loss_is_asked_for_nothing() {
    let out = call(3, 0.0, ms(0), ours);
    assert_eq!((out.asked, out.doubled, out.shown), (0, 0, FRAMES), "{out:?}");
}

#[test]
fn each_request_that_leaves_is_counted() {
    let begun = Instant::now();
    let path = || Path::new(ms(10), 0.0, 1);
    let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(), path());
    for sequence in [1, 2, 4, 5, 9, 10] {
        wire.a.write(wire.now, rtp(VIDEO, sequence, 0, false, vec![1; 100].into()));
        (0..30).for_each(|_| wire.step());
    }
    while nacks(&wire.b).last().is_some_and(|(at, _)| wire.now < *at + ms(11)) {
        wire.step();
    }
    let left = nacks(&wire.b).len();
    let counted = wire.b.news().iter().filter(|f| **f == Feedback::NackSent).count();
    let heard = wire.a.news().iter().filter(|f| matches!(f, Feedback::Nack { .. })).count();
    assert!(left >= 2, "{left}");
    assert_eq!((counted, heard), (left, left));
}

#[test]
fn somebody_who_asks_for_everything_all_the_time_gets_half_our_rate_at_most() {
    let begun = Instant::now();
    let path = || Path::new(ms(1), 0.0, 1);
    let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(), path());
    let mut sequence = 0u16;
    while wire.ms() < 5000 {
        if wire.ms().is_multiple_of(10) {
            wire.a.write(wire.now, rtp(VIDEO, sequence, 0, true, vec![1; 1000].into()));
            sequence = sequence.wrapping_add(1);
        }
        let all: Vec<_> = (1..400).rev().map(|back| sequence.wrapping_sub(back)).collect();
        let nacks = rtc::rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers(&all);
        wire.b.write(
            wire.now,
            Packet::Rtcp(vec![Box::new(TransportLayerNack { sender_ssrc: 9, media_ssrc: VIDEO, nacks })]),
        );
        wire.step();
    }
    let bytes = |(_, packet): &(Instant, Packet)| match packet {
        Packet::Rtp(rtp) if rtp.header.ssrc == VIDEO => rtp.payload.len() as f64,
        _ => 0.0,
    };
    let again = wire.a.sent.iter().map(bytes).sum::<f64>() - f64::from(sequence) * 1000.0;
    let half = 2_500_000.0 / 8.0 * 0.5;
    assert!(again <= half * 5.5 && again > half * 4.0, "{again} bytes again in 5 s");
}

#[test]
fn keyframe_requests_and_sender_reports_get_past_the_chain_that_would_swallow_them() {
    let begun = Instant::now();
    let path = || Path::new(ms(20), 0.0, 1);
    let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(), path());
    let stamper = RtpStamper::new(begun, 70, ClockRate::VIDEO);
    wire.a.shared.clocks.set(VIDEO, begun, stamper.stamp(begun));
    wire.a.write(begun, rtp(VIDEO, 1, 70, true, vec![1; 100].into()));
    let pli = PictureLossIndication { sender_ssrc: 3, media_ssrc: VIDEO };
    let fir =
        FullIntraRequest { sender_ssrc: 3, media_ssrc: VIDEO, fir: vec![FirEntry { ssrc: VIDEO, sequence_number: 1 }] };
    wire.b.write(begun, Packet::Rtcp(vec![Box::new(pli)]));
    wire.b.write(begun, Packet::Rtcp(vec![Box::new(fir)]));
    (0..60).for_each(|_| wire.step());
    assert_eq!(wire.a.news(), [Feedback::KeyframeWanted, Feedback::KeyframeWanted]);
    let report = wire.b.news().into_iter().find_map(|f| match f {
        Feedback::SenderReport { ssrc: VIDEO, ntp, rtp, .. } => Some((ntp, rtp)),
        _ => None,
    });
    let (ntp, rtp) = report.expect("the sender report reached us");
    let mut clock = SenderClock::new(ClockRate::VIDEO);
    clock.on_sender_report(ntp, rtp);
    let later = clock.remote_time(stamper.stamp(begun + ms(500))).expect("reported");
    let first = clock.remote_time(RtpTicks(70)).expect("reported");
    assert!((later.seconds_since(first) - 0.5).abs() < 1e-4);
    // Why the tap is needed: nothing of this comes out at the chain's other end.
    let rtcp = |end: &End| end.heard.iter().filter(|(_, p)| matches!(p, Packet::Rtcp(_))).count();
    assert_eq!((rtcp(&wire.a), rtcp(&wire.b)), (0, 0));
}

#[test]
fn both_ends_know_the_round_trip_from_their_reports() {
    let begun = Instant::now();
    let path = |delay| Path::new(ms(delay), 0.0, 1);
    let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(40), path(70));
    let mut sound = 0u16;
    while wire.ms() < 4000 {
        if wire.ms().is_multiple_of(20) {
            for (end, ssrc) in [(&mut wire.a, AUDIO), (&mut wire.b, AUDIO + 1)] {
                end.shared.clocks.set(ssrc, wire.now, RtpTicks(u32::from(sound) * 960));
                end.write(wire.now, rtp(ssrc, sound, u32::from(sound) * 960, false, vec![0; 60].into()));
            }
            sound += 1;
        }
        wire.step();
    }
    for end in [&wire.a, &wire.b] {
        let trip = end.shared.round_trip.get().shortest().expect("measured");
        assert!(trip.abs_diff(ms(110)) <= ms(3), "{trip:?}");
    }
}

/// Ten seconds of video over a path of 150 ms each way that loses one in twenty packets: how many pictures were whole
/// within 200 ms of their capture, of the last eight seconds, what the chain made itself, and bits sent for a bit of
/// picture.
fn long_path(seed: u64, parity: bool) -> (u64, u64, f64) {
    let begun = Instant::now();
    let path = |seed| Path::new(ms(150), 0.05, seed);
    let mut wire = Wire::new(End::roomy(begun, ours), End::roomy(begun, ours), begun, path(seed), path(seed + 1000));
    let (mut random, mut assembler) = (StdRng::seed_from_u64(seed + 2000), FrameAssembler::new());
    for end in [&wire.a, &wire.b] {
        end.shared.round_trip.sample(ms(300));
        end.shared.parity.negotiated(parity.then_some(119));
    }
    let (mut sequence, mut in_time, mut bytes) = (65_000u16, 0, 0);
    let mut captured: HashMap<RtpTicks, u64> = HashMap::new();
    while wire.ms() < 10_500 {
        wire.step();
        let (now, at) = (wire.now, wire.ms());
        let frame = at * 30 / 1000;
        if (frame < 300 && frame != (at - 1) * 30 / 1000) || at == 1 {
            let wanted = wire.a.news().contains(&Feedback::KeyframeWanted);
            let (packets, ticks) = (picture(frame == 0 || wanted, &mut random), RtpTicks(frame as u32 * 3000));
            captured.insert(ticks, at);
            for (i, payload) in packets.iter().enumerate() {
                bytes += payload.len();
                let marker = i + 1 == packets.len();
                wire.a.write(now, rtp(VIDEO, sequence, ticks.0, marker, payload.clone()));
                sequence = sequence.wrapping_add(1);
            }
        }
        for (arrival, packet) in wire.b.heard.drain(..) {
            let Packet::Rtp(packet) = packet else { continue };
            assert_eq!(packet.header.ssrc, VIDEO, "parity stays in the chain");
            let (header, payload) = (packet.header, packet.payload);
            let ticks = RtpTicks(header.timestamp);
            assembler.push(VideoPacket {
                sequence: header.sequence_number,
                ticks,
                marker: header.marker,
                payload,
                arrival,
            });
        }
        assembler.follow(&wire.b.shared.round_trip.get());
        while let Some(picture) = assembler.poll(now) {
            let late = at - captured[&picture.ticks];
            in_time += u64::from(captured[&picture.ticks] >= 2000 && late <= 200);
        }
    }
    let sent: usize = wire.a.sent.iter().map(|(_, p)| if let Packet::Rtp(p) = p { p.payload.len() } else { 0 }).sum();
    (in_time, wire.b.shared.repair.total().recovered, sent as f64 / bytes as f64)
}

#[test]
fn on_a_long_path_that_loses_packets_parity_brings_pictures_in_time_that_asking_again_cannot() {
    for seed in 0..4 {
        let (without, none, asking) = long_path(seed, false);
        let (with, made, parity) = long_path(seed, true);
        println!(
            "{without} of 240 pictures in time without parity, {with} with; {asking:.2} and {parity:.2} times the bits"
        );
        assert_eq!(none, 0);
        assert!(made > 50, "seed {seed}: {made} packets made");
        // Each lost packet holds up the pictures of a round trip: ten of them.
        assert!(without < 60 && with > 200, "seed {seed}: {without} without, {with} with parity");
        assert!(parity < 1.6, "seed {seed}: {parity} times the bits");
    }
}

/// Half a minute of 1 Mb/s over a path of 50 ms that loses one in ten packets, five in a row in the mean: how long after
/// its capture each picture was whole, in milliseconds.
fn bursts(seed: u64) -> (Vec<u64>, f64) {
    let begun = Instant::now();
    let path = |seed| Path::bursts(ms(25), 0.10, 5.0, seed);
    let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(seed), path(seed + 1000));
    let (mut random, mut assembler) = (StdRng::seed_from_u64(seed + 2000), FrameAssembler::new());
    for end in [&wire.a, &wire.b] {
        end.shared.round_trip.sample(ms(50));
        end.shared.target.set(visavis_media::BitsPerSecond::kilo(1200));
    }
    let (mut sequence, mut sound, mut late, mut bytes) = (65_000u16, 0u16, Vec::new(), 0);
    let mut last_request: Option<Instant> = None;
    let mut captured: HashMap<RtpTicks, u64> = HashMap::new();
    while wire.ms() < 30_500 {
        wire.step();
        let (now, at) = (wire.now, wire.ms());
        if at.is_multiple_of(20) {
            for (end, ssrc) in [(&mut wire.a, AUDIO), (&mut wire.b, AUDIO + 1)] {
                end.write(now, rtp(ssrc, sound, u32::from(sound) * 960, false, vec![0; 80].into()));
            }
            sound = sound.wrapping_add(1);
        }
        let frame = at * 30 / 1000;
        if (frame < 900 && frame != (at - 1) * 30 / 1000) || at == 1 {
            let wanted = wire.a.news().contains(&Feedback::KeyframeWanted);
            let size = if frame == 0 || wanted { 30_000 } else { random.random_range(2000..6000) };
            let mut unit = vec![0, 0, 0, 1, if frame == 0 || wanted { 0x65 } else { 0x41 }];
            unit.resize(size, 0x55);
            let (packets, ticks) = (packetize(&unit, 1160), RtpTicks(frame as u32 * 3000));
            captured.insert(ticks, at);
            for (i, payload) in packets.iter().enumerate() {
                bytes += payload.len();
                wire.a.write(now, rtp(VIDEO, sequence, ticks.0, i + 1 == packets.len(), payload.clone()));
                sequence = sequence.wrapping_add(1);
            }
            // The other side sends pictures, too: its requests and reports share bursts with them.
            for i in 0..4 {
                wire.b.write(now, rtp(VIDEO + 10, sequence.wrapping_add(i), ticks.0, i == 3, vec![1; 1000].into()));
            }
        }
        for (arrival, packet) in wire.b.heard.drain(..) {
            let Packet::Rtp(packet) = packet else { continue };
            let (header, payload) = (packet.header, packet.payload);
            let ticks = RtpTicks(header.timestamp);
            if header.ssrc == VIDEO {
                let (sequence, marker) = (header.sequence_number, header.marker);
                assembler.push(VideoPacket { sequence, ticks, marker, payload, arrival });
            }
        }
        assembler.follow(&wire.b.shared.round_trip.get());
        while let Some(picture) = assembler.poll(now) {
            late.push(at - captured[&picture.ticks]);
        }
        if assembler.keyframe_wanted(now) && last_request.is_none_or(|last| now - last >= ms(300)) {
            last_request = Some(now);
            let request = PictureLossIndication { sender_ssrc: 9, media_ssrc: VIDEO };
            wire.b.write(now, Packet::Rtcp(vec![Box::new(request)]));
        }
    }
    (late, wire.a.shared.repair.total().again_bytes as f64 / bytes as f64)
}

#[test]
fn of_pictures_that_bursts_hit_nearly_all_are_whole_within_a_few_round_trips() {
    for seed in 0..6 {
        let (late, again) = bursts(seed);
        let mut sorted = late.clone();
        sorted.sort_unstable();
        let at = |q: f64| sorted[(sorted.len() as f64 * q) as usize];
        println!(
            "{} whole; late p50 {} p90 {} p95 {} p98 {}; {again:.3} again",
            late.len(),
            at(0.5),
            at(0.9),
            at(0.95),
            at(0.98)
        );
        // A tenth is lost; each is sent again, and as much gets lost sends each answer twice.
        assert!(late.len() > 850 && again < 0.3, "seed {seed}: {} whole, {again} again", late.len());
        assert!(at(0.5) < 40 && at(0.9) < 140 && at(0.95) < 180, "seed {seed}: {} {} {}", at(0.5), at(0.9), at(0.95));
    }
}

/// Any reports at all about streams that exist and such that don't.
fn nonsense(random: &mut StdRng) -> Vec<Box<dyn rtc::rtcp::Packet>> {
    use rtc::rtcp::receiver_report::ReceiverReport;
    use rtc::rtcp::reception_report::ReceptionReport;
    use rtc::rtcp::sender_report::SenderReport;
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
    let media_ssrc = [VIDEO, AUDIO, AUDIO + 1, random.random()][random.random_range(0..4)];
    let sender_ssrc = random.random();
    match random.random_range(0..6) {
        0 => {
            let numbers: Vec<u16> = (0..random.random_range(1..300)).map(|_| random.random()).collect();
            let nacks =
                rtc::rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers(&numbers);
            vec![Box::new(TransportLayerNack { sender_ssrc, media_ssrc, nacks })]
        }
        1 => {
            let report = ReceptionReport {
                ssrc: media_ssrc,
                fraction_lost: random.random(),
                total_lost: random.random_range(0..1 << 24),
                last_sequence_number: random.random(),
                jitter: random.random(),
                last_sender_report: random.random(),
                delay: random.random(),
            };
            vec![Box::new(ReceiverReport { ssrc: sender_ssrc, reports: vec![report; 20], ..Default::default() })]
        }
        2 => vec![Box::new(SenderReport {
            ssrc: media_ssrc,
            ntp_time: random.random(),
            rtp_time: random.random(),
            packet_count: random.random(),
            octet_count: random.random(),
            ..Default::default()
        })],
        3 => {
            // Bytes of transport-wide feedback: base, count, time, and chunks that do not belong together.
            let mut bytes = vec![0x8F, 205, 0, 0];
            (0..random.random_range(16..600)).for_each(|_| bytes.push(random.random()));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            let words = (bytes.len() / 4 - 1) as u16;
            bytes[2..4].copy_from_slice(&words.to_be_bytes());
            let parsed = TransportLayerCc::unmarshal(&mut &bytes[..]);
            parsed.map_or_else(|_| Vec::new(), |feedback| vec![Box::new(feedback) as Box<dyn rtc::rtcp::Packet>])
        }
        4 => vec![Box::new(PictureLossIndication { sender_ssrc, media_ssrc })],
        _ => {
            let entry = FirEntry { ssrc: media_ssrc, sequence_number: random.random() };
            vec![Box::new(FullIntraRequest { sender_ssrc, media_ssrc, fir: vec![entry; 50] })]
        }
    }
}

#[test]
fn nonsense_of_every_kind_ends_neither_the_call_nor_its_limits() {
    for seed in 0..4 {
        let begun = Instant::now();
        let path = || Path::new(ms(5), 0.02, seed);
        let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(), path());
        wire.a.shared.parity.negotiated(Some(119));
        let (mut random, mut sequence) = (StdRng::seed_from_u64(seed), 0u16);
        while wire.ms() < 3000 {
            if wire.ms().is_multiple_of(5) {
                wire.a.write(wire.now, rtp(VIDEO, sequence, u32::from(sequence) * 450, true, vec![1; 1000].into()));
                sequence = sequence.wrapping_add(1);
            }
            for _ in 0..3 {
                let all = nonsense(&mut random);
                if !all.is_empty() {
                    wire.b.write(wire.now, Packet::Rtcp(all));
                }
            }
            // …and packets from anywhere in the numbering, under known and unknown names and formats.
            let ssrc = [AUDIO + 1, VIDEO, random.random()][random.random_range(0..3)];
            let mut stray = rtp(ssrc, random.random(), random.random(), random.random(), vec![7; 40].into());
            if let Packet::Rtp(stray) = &mut stray {
                stray.header.payload_type = [111, 119, 63][random.random_range(0..3)];
            }
            wire.b.write(wire.now, stray);
            wire.step();
        }
        let target = wire.a.shared.target.get();
        assert_eq!(target, visavis_media::BitsPerSecond::kilo(2500), "the estimate stays within its limits");
        let video = |(_, p): &&(Instant, Packet)| matches!(p, Packet::Rtp(p) if p.header.ssrc == VIDEO);
        let (sent, most) = (wire.a.sent.iter().filter(video).count(), usize::from(sequence));
        assert!(sent <= most + most / 2 + 160, "{sent} packets for {most}");
        let asked = nacks(&wire.a).len();
        assert!(asked < 4 * 3000, "{asked} requests");
    }
}
