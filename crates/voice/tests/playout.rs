//! The playout buffer against an emulated network, in emulated time.

use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use visavis_voice::playout::{Played, PlayedKind, PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

const FRAME: u64 = 960;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0…1
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A codec whose packets say which part of an endless vowel (period 5 ms) they hold. A packet can repair the one before.
#[derive(Default)]
struct Vowel {
    at: u64,
    concealed: usize,
}

impl Vowel {
    fn packet(n: u64) -> Bytes {
        Bytes::copy_from_slice(&n.to_be_bytes())
    }

    fn sample(at: u64) -> f32 {
        let phase = (at % 240) as f32 / 240.0 * std::f32::consts::TAU;
        0.3 * phase.sin() + 0.15 * (3.0 * phase).sin()
    }

    fn number(packet: &[u8]) -> Option<u64> {
        packet.try_into().ok().map(u64::from_be_bytes)
    }

    fn write(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.extend((0..samples as u64).map(|i| Self::sample(self.at + i)));
        self.at += samples as u64;
    }
}

impl SpeechDecoder for Vowel {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        if packet.len() <= 2 {
            out.extend([0.0; FRAME as usize]);
            return true;
        }
        let Some(n) = Self::number(packet) else { return false };
        self.at = n.wrapping_mul(FRAME);
        self.write(FRAME as usize, out);
        true
    }

    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        let Some(n) = Self::number(next_packet) else { return false };
        self.at = n.wrapping_mul(FRAME).wrapping_sub(samples as u64);
        self.write(samples, out);
        true
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        assert!(samples > 0 && samples <= 960 && samples.is_multiple_of(120), "{samples}");
        self.concealed += samples;
        self.write(samples, out);
        true
    }
}

/// One call in emulated time: packet `n` is sent at 20 ms · n by a clock that may drift.
struct Call {
    start: Instant,
    buffer: PlayoutBuffer,
    decoder: Vowel,
    /// (arrival, n), to be sorted.
    wire: Vec<(Duration, u64)>,
    first_seq: u16,
    first_rtp: u32,
    played: Vec<(Duration, Played)>,
}

impl Call {
    /// `network` gives each packet's delay in ms, or loses it.
    fn new(packets: u64, drift_ppm: f64, mut network: impl FnMut(u64) -> Option<f64>) -> Self {
        let mut wire = Vec::new();
        for n in 0..packets {
            if let Some(delay) = network(n) {
                let sent = n as f64 * 0.02 * (1.0 + drift_ppm * 1e-6);
                wire.push((Duration::from_secs_f64(sent + delay / 1000.0), n));
            }
        }
        Self {
            start: Instant::now(),
            buffer: PlayoutBuffer::new(PlayoutSettings::default()),
            decoder: Vowel::default(),
            wire,
            first_seq: 65_000,
            first_rtp: u32::MAX - 200_000,
            played: Vec::new(),
        }
    }

    /// Runs to the end; the reader's ticks lie 3 ms behind the sender's.
    fn run(&mut self, length: Duration) -> PlayoutStats {
        self.wire.sort();
        let mut wire = std::mem::take(&mut self.wire).into_iter().peekable();
        let ticks = length.as_millis() as u64 / 10;
        for tick in 0..ticks {
            let now = ms(tick * 10 + 3);
            while let Some((arrival, n)) = wire.next_if(|(arrival, _)| *arrival <= now) {
                self.push(arrival, n);
            }
            let played = self.buffer.pull(self.start + now, &mut self.decoder);
            assert!(played.samples.iter().all(|s| s.abs() <= 0.5), "tick {tick}");
            self.played.push((now, played));
        }
        self.buffer.stats()
    }

    fn push(&mut self, arrival: Duration, n: u64) {
        let seq = self.first_seq.wrapping_add(n as u16);
        let rtp = RtpTicks(self.first_rtp.wrapping_add((n * FRAME) as u32));
        self.buffer.push(seq, rtp, self.start + arrival, Vowel::packet(n));
    }

    /// From being said to being played, by the timestamps that come with the sound.
    fn mouth_to_ear(&self, from: Duration) -> Vec<f64> {
        let late = |(now, played): &(Duration, Played)| {
            let said = played.first_sample?.since(RtpTicks(self.first_rtp)) as f64 / 48_000.0;
            (*now >= from).then_some((now.as_secs_f64() - said) * 1000.0)
        };
        self.played.iter().filter_map(late).collect()
    }

    fn sound(&self, from: usize) -> Vec<f32> {
        self.played[from..].iter().flat_map(|(_, played)| played.samples).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

/// Steeper than the vowel anywhere is a click.
fn clicks(sound: &[f32]) -> usize {
    let steepest = (0..240).map(|i| (Vowel::sample(i + 1) - Vowel::sample(i)).abs()).fold(0.0, f32::max);
    sound.windows(2).filter(|w| (w[1] - w[0]).abs() > 2.5 * steepest).count()
}

fn concealed_pct(stats: &PlayoutStats) -> f64 {
    stats.concealed_samples as f64 * 100.0 / stats.total_samples as f64
}

#[test]
fn a_calm_network_costs_little_and_loses_nothing() {
    let mut call = Call::new(1000, 0.0, |_| Some(10.0));
    let stats = call.run(Duration::from_secs(20));
    assert_eq!((stats.concealed_samples, stats.packets_missing, stats.packets_late), (0, 0, 0));
    let delays = call.mouth_to_ear(Duration::from_secs(3));
    println!("calm: {:.1} ms from mouth to ear, 10 of them in the network", mean(&delays));
    assert!(mean(&delays) < 34.0 && largest(&delays) < 37.0);
    assert_eq!(stats.inserted_samples, 0);
    assert_eq!(clicks(&call.sound(10)), 0);
    assert!((5..=25).contains(&stats.delay.as_millis()) && stats.target_delay < ms(16), "{stats:?}");
    let held = stats.mean_delay_since(&PlayoutStats::default()).expect("emitted");
    assert!((8..35).contains(&held.as_millis()), "{held:?}");
}

/// Once settled, each sample follows the last one of the sender's: none left out, none twice, none changed.
#[test]
fn sound_is_untouched_when_nothing_goes_wrong_and_its_timestamps_are_exact() {
    let mut call = Call::new(500, 0.0, |_| Some(25.0));
    call.run(Duration::from_secs(9));
    for (now, played) in &call.played[300..] {
        assert_eq!(played.kind, PlayedKind::Speech, "{now:?}");
        let at = played.first_sample.expect("speech").since(RtpTicks(call.first_rtp)) as u64;
        for (i, sample) in played.samples.iter().enumerate() {
            assert!((sample - Vowel::sample(at + i as u64)).abs() < 1e-6, "{now:?}");
        }
    }
}

#[test]
fn jitter_of_30_ms_and_loss_of_2_percent_are_hardly_heard() {
    let mut random = Random(1);
    let mut call = Call::new(3000, 0.0, |_| {
        let jitter = (random.unit() + random.unit()) * 30.0;
        (random.unit() >= 0.02).then_some(20.0 + jitter)
    });
    let stats = call.run(Duration::from_secs(60));
    let delays = call.mouth_to_ear(Duration::from_secs(5));
    println!(
        "jitter: buffer {:.0} ms, concealed {:.2} %, {} of {} missing recovered, {} late, -{} +{} samples",
        stats.mean_delay_since(&PlayoutStats::default()).expect("emitted").as_secs_f64() * 1000.0,
        concealed_pct(&stats),
        stats.fec_recovered,
        stats.packets_missing,
        stats.packets_late,
        stats.removed_samples,
        stats.inserted_samples,
    );
    assert!(concealed_pct(&stats) <= 1.0, "{stats:?}");
    assert!(stats.fec_recovered * 10 >= stats.packets_missing * 7, "{stats:?}");
    assert!(mean(&delays) < 20.0 + 110.0);
    assert_eq!(clicks(&call.sound(50)), 0);
}

#[test]
fn bursts_of_loss_fade_out_and_come_back() {
    let mut call = Call::new(500, 0.0, |n| (!(200..215).contains(&n)).then_some(15.0));
    let stats = call.run(Duration::from_secs(10));
    assert_eq!(stats.packets_missing, 15);
    let concealed = stats.concealed_samples as f64 / 48.0;
    assert!((270.0..340.0).contains(&concealed), "{concealed} ms");
    assert!(stats.silent_concealed_samples as f64 / 48.0 > 100.0, "{stats:?}");
    assert_eq!(stats.concealment_events, 1);
    assert!(largest(&call.mouth_to_ear(Duration::from_secs(6))) < 60.0);
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn after_a_stall_of_two_seconds_old_sound_is_dropped_and_the_delay_is_back_at_once() {
    let mut call = Call::new(800, 0.0, |n| {
        let (sent, opens) = (n as f64 * 20.0, 6000.0);
        Some(if (4000.0..opens).contains(&sent) { opens - sent + 15.0 } else { 15.0 })
    });
    let stats = call.run(Duration::from_secs(16));
    println!("stall: {stats:?}");
    assert!(stats.packets_discarded > 60);
    let back = call.mouth_to_ear(ms(6300));
    assert!(back[0] < 330.0 && largest(&call.mouth_to_ear(ms(9000))) < 120.0, "{} then {}", back[0], largest(&back));
    assert!(stats.concealed_samples as f64 / 48.0 > 1800.0, "the stall counts as concealed");
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn a_short_stall_delays_and_then_catches_up() {
    let mut call = Call::new(600, 0.0, |n| {
        let sent = n as f64 * 20.0;
        Some(if (4000.0..4140.0).contains(&sent) { 4140.0 - sent + 15.0 } else { 15.0 })
    });
    let stats = call.run(Duration::from_secs(12));
    assert_eq!((stats.packets_missing, stats.packets_discarded), (0, 0), "{stats:?}");
    assert!(stats.removed_samples > 100 * 48);
    assert!(largest(&call.mouth_to_ear(ms(6500))) < 90.0);
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn clock_drift_of_200_ppm_for_ten_minutes_changes_nothing() {
    for ppm in [200.0, -200.0] {
        let mut random = Random(3);
        let mut call = Call::new(30_000, ppm, |_| Some(15.0 + random.unit() * 4.0));
        let stats = call.run(Duration::from_secs(598));
        let delays: Vec<f64> = call
            .played
            .iter()
            .skip(500)
            .filter_map(|(now, played)| {
                let said = played.first_sample?.since(RtpTicks(call.first_rtp)) as f64 / 48_000.0;
                Some((now.as_secs_f64() - said * (1.0 + ppm * 1e-6)) * 1000.0)
            })
            .collect();
        let stretched = (stats.inserted_samples + stats.removed_samples) as f64 / 48.0;
        println!("{ppm} ppm: {:.1} ms, at most {:.1}, {stretched:.0} ms stretched", mean(&delays), largest(&delays));
        assert!(largest(&delays) < 70.0 && delays.iter().all(|d| *d > 15.0));
        assert!(concealed_pct(&stats) < 0.2 && (60.0..400.0).contains(&stretched), "{stats:?}");
    }
}

#[test]
fn reordered_and_repeated_packets_are_put_right() {
    let mut call = Call::new(500, 0.0, |n| Some(if n % 10 == 4 { 42.0 } else { 15.0 }));
    for n in (0..500).step_by(7) {
        call.wire.push((Duration::from_millis(n * 20 + 16), n));
    }
    let stats = call.run(Duration::from_secs(9));
    assert!(stats.packets_duplicate > 50);
    assert!(concealed_pct(&stats) < 0.7, "{stats:?}");
    // The buffer learnt to wait for the slow ones.
    assert!(call.played[400..].iter().all(|(_, played)| played.kind == PlayedKind::Speech));
}

#[test]
fn numbers_wrap_unheard() {
    let mut call = Call::new(70_000, 0.0, |_| Some(15.0));
    call.first_rtp = u32::MAX - 960 * 300;
    let stats = call.run(Duration::from_secs(1399));
    assert_eq!((stats.concealed_samples, stats.packets_missing, stats.packets_late), (0, 0, 0));
}

#[test]
fn a_lost_packet_is_recovered_from_the_next_once_loss_is_known() {
    let mut call = Call::new(1500, 0.0, |n| (n % 25 != 12).then_some(15.0));
    let stats = call.run(Duration::from_secs(29));
    println!(
        "4 % loss: {} missing, {} recovered, {:.2} % concealed",
        stats.packets_missing,
        stats.fec_recovered,
        concealed_pct(&stats)
    );
    assert!(stats.fec_recovered >= stats.packets_missing - 8, "{stats:?}");
}

#[test]
fn a_pause_of_the_sender_is_no_loss_and_its_end_is_not_cut_off() {
    // Announced (a packet of one byte, then nothing) and not: seven seconds are left out of both.
    for announced in [true, false] {
        let mut call = Call::new(0, 0.0, |_| None);
        let paused = 2000..9000;
        let mut seq = 0u16;
        for tick in 0..1500u64 {
            let at = tick * 10;
            if at % 20 == 0 && !paused.contains(&at) {
                let payload = Vowel::packet(at / 20);
                push_at(&mut call, at, seq, payload);
                seq += 1;
            } else if announced && at % 400 == 0 && paused.contains(&at) {
                push_at(&mut call, at, seq, Bytes::from_static(&[7]));
                seq += 1;
            }
            let played = call.buffer.pull(call.start + ms(at + 3), &mut call.decoder);
            call.played.push((ms(at + 3), played));
        }
        let stats = call.buffer.stats();
        assert_eq!(stats.packets_missing + stats.packets_late + stats.packets_discarded, 0, "{announced}: {stats:?}");
        assert_eq!((stats.concealed_samples, stats.concealment_events), (0, 0), "{announced}: {stats:?}");
        // The first word after the pause is there whole: its first sample follows within the usual delay.
        let word = call.played.iter().find(|(now, played)| *now > ms(9000) && played.kind == PlayedKind::Speech);
        let (now, _) = word.expect("speech again");
        assert!(*now < ms(9070), "{announced}: {now:?}");
        assert!(largest(&call.mouth_to_ear(ms(9500))) < 70.0);
    }
}

fn push_at(call: &mut Call, at: u64, seq: u16, payload: Bytes) {
    let rtp = RtpTicks(call.first_rtp.wrapping_add((at * 48) as u32));
    call.buffer.push(seq, rtp, call.start + ms(at), payload);
}

#[test]
fn a_longer_path_is_accepted_within_three_seconds() {
    let mut call = Call::new(1000, 0.0, |n| Some(if n < 400 { 20.0 } else { 520.0 }));
    let stats = call.run(Duration::from_secs(19));
    println!("path 500 ms longer: {stats:?}");
    let settled = call.played.iter().filter(|(now, _)| *now > ms(12_500));
    assert!(settled.clone().all(|(_, played)| played.kind == PlayedKind::Speech));
    let delays = call.mouth_to_ear(ms(14_000));
    assert!(largest(&delays) < 620.0, "{}", largest(&delays));
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn another_stream_is_played_after_a_reset_and_without_one() {
    for told in [true, false] {
        let mut call = Call::new(200, 0.0, |_| Some(15.0));
        call.run(Duration::from_secs(4));
        if told {
            call.buffer.reset();
        }
        for n in 0..100u64 {
            let at = ms(4000 + n * 20);
            let rtp = RtpTicks(77_000 + (n * FRAME) as u32);
            call.buffer.push(20_000 + n as u16, rtp, call.start + at, Vowel::packet(n));
            for half in [3, 13] {
                let played = call.buffer.pull(call.start + at + ms(half), &mut call.decoder);
                if n > 20 {
                    assert_eq!(played.kind, PlayedKind::Speech, "told {told}, packet {n}");
                    let at = played.first_sample.expect("speech").since(RtpTicks(77_000));
                    assert!((0..96_000).contains(&at));
                }
            }
        }
        assert_eq!(call.buffer.stats().packets_missing, 0);
    }
}

#[test]
fn the_delay_can_be_held_up_for_the_picture() {
    let mut call = Call::new(500, 0.0, |_| Some(10.0));
    call.buffer.set_minimum_delay(ms(150));
    call.run(Duration::from_secs(9));
    let delays = call.mouth_to_ear(Duration::from_secs(5));
    assert!(delays.iter().all(|d| (140.0..195.0).contains(d)), "{} {}", mean(&delays), largest(&delays));
}

/// Each packet brings copies of those before it, as RFC 2198 does.
fn run_with_copies(distance: u64, packets: u64, arrives: impl Fn(u64) -> bool) -> (Call, PlayoutStats) {
    let mut call = Call::new(0, 0.0, |_| None);
    for tick in 0..packets * 2 {
        let (n, now) = (tick / 2, ms(tick * 10 + 3));
        if tick % 2 == 0 && arrives(n) {
            let arrival = ms(tick * 10 + 2);
            call.push(arrival, n);
            for back in (1..=distance.min(n)).rev() {
                let (seq, rtp) = (call.first_seq.wrapping_add((n - back) as u16), (n - back) * FRAME);
                let rtp = RtpTicks(call.first_rtp.wrapping_add(rtp as u32));
                call.buffer.push_copy(seq, rtp, call.start + arrival, Vowel::packet(n - back));
            }
        }
        let played = call.buffer.pull(call.start + now, &mut call.decoder);
        call.played.push((now, played));
    }
    let stats = call.buffer.stats();
    (call, stats)
}

#[test]
fn bursts_are_bridged_by_copies_once_the_buffer_waits_as_long_as_they_reach() {
    // Three of forty in a row: redundancy in the next packet alone repairs one of them.
    let (call, stats) = run_with_copies(3, 3000, |n| n % 40 > 2);
    let later = |from: Duration| call.played.iter().filter(move |(now, _)| *now > from);
    let concealed = later(ms(10_000)).filter(|(_, played)| played.kind == PlayedKind::Concealed).count();
    assert_eq!(concealed, 0, "{stats:?}");
    assert!(stats.copies_used > 200 && stats.packets_missing >= 220, "{stats:?}");
    let delays = call.mouth_to_ear(ms(10_000));
    assert!((60.0..105.0).contains(&mean(&delays)), "{}", mean(&delays));
    assert_eq!(clicks(&call.sound(20)), 0);
}

#[test]
fn a_packet_that_comes_after_its_copy_is_played_itself() {
    let mut call = Call::new(0, 0.0, |_| None);
    call.push(ms(0), 0);
    call.push(ms(40), 2);
    let (seq, rtp) = (call.first_seq.wrapping_add(1), RtpTicks(call.first_rtp.wrapping_add(FRAME as u32)));
    call.buffer.push_copy(seq, rtp, call.start + ms(40), Vowel::packet(1));
    call.push(ms(41), 1);
    let stats = call.run(ms(200));
    assert_eq!((stats.packets_duplicate, stats.copies_used, stats.packets_missing), (0, 0, 0));
}

/// The whole process stood still, and the network's packets of that time come in one burst or not at all.
#[test]
fn after_a_stop_of_ten_seconds_nothing_old_is_played() {
    for kept in [0, 60, 200, 500] {
        let mut call = Call::new(0, 0.0, |_| None);
        let mut push_until = 0;
        let mut tick = |call: &mut Call, now: u64, arrives: &dyn Fn(u64) -> Option<u64>| {
            while push_until * 20 <= now {
                if let Some(at) = arrives(push_until) {
                    call.push(ms(at), push_until);
                }
                push_until += 1;
            }
            let played = call.buffer.pull(call.start + ms(now + 3), &mut call.decoder);
            call.played.push((ms(now + 3), played));
        };
        (0..500).for_each(|t| tick(&mut call, t * 10, &|n| Some(n * 20)));
        // The socket kept the first of what came, and lost the rest.
        let stood = |n: u64| if n * 20 > 15_000 { Some(n * 20) } else { (n < 250 + kept).then_some(15_000) };
        (1500..2000).for_each(|t| tick(&mut call, t * 10, &stood));
        let old = call.played.iter().filter(|(now, played)| {
            let said = played.first_sample.map(|ts| ts.since(RtpTicks(call.first_rtp)) as f64 / 48.0);
            let heard = matches!(played.kind, PlayedKind::Speech | PlayedKind::Recovered);
            *now > ms(15_000) && heard && said.is_some_and(|said| now.as_secs_f64() * 1000.0 - said > 1000.0)
        });
        assert!(old.clone().count() <= 12, "{kept} kept: {} ms of old sound", old.count() * 10);
        let back = call.mouth_to_ear(ms(16_500));
        assert!(!back.is_empty() && largest(&back) < 120.0, "{kept} kept: {}", largest(&back));
    }
}

/// The sound thread alone stood still (a device that hung), and packets came all the while.
#[test]
fn after_the_reader_stood_still_it_goes_on_with_the_newest_sound_at_once() {
    let mut call = Call::new(0, 0.0, |_| None);
    let mut next = 0;
    for tick in (0..300).chain(480..800u64) {
        while next * 20 <= tick * 10 {
            call.push(ms(next * 20), next);
            next += 1;
        }
        let played = call.buffer.pull(call.start + ms(tick * 10 + 3), &mut call.decoder);
        call.played.push((ms(tick * 10 + 3), played));
    }
    let after = call.mouth_to_ear(ms(4800));
    assert!(largest(&after[1..]) < 80.0, "{} ms", largest(&after[1..]));
    assert!(call.buffer.stats().packets_discarded > 60);
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn a_reader_that_comes_in_pairs_is_given_the_time_it_needs() {
    let mut call = Call::new(1000, 0.0, |_| Some(10.0));
    call.wire.sort();
    let mut wire = std::mem::take(&mut call.wire).into_iter().peekable();
    for pair in 0..950u64 {
        let now = ms(pair * 20 + 3);
        while let Some((arrival, n)) = wire.next_if(|(arrival, _)| *arrival <= now) {
            call.push(arrival, n);
        }
        for _ in 0..2 {
            let played = call.buffer.pull(call.start + now, &mut call.decoder);
            call.played.push((now, played));
        }
    }
    let stats = call.buffer.stats();
    assert_eq!((stats.concealed_samples, stats.packets_late), (0, 0), "{stats:?}");
    assert!((7..25).contains(&stats.target_delay.as_millis()), "{stats:?}");
}

/// Everything at random, also what no network does: nothing panics, no sound is out of range, memory stays small.
#[test]
fn hostile_packets_do_no_harm() {
    let start = Instant::now();
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut buffer = PlayoutBuffer::new(PlayoutSettings::default());
        let mut decoder = Vowel::default();
        let (mut seq, mut rtp) = (0u16, 0u32);
        for tick in 0..2000u64 {
            let now = start + ms(tick * 10);
            for _ in 0..random.bits() % 4 {
                (seq, rtp) = match random.bits() % 8 {
                    0 => (random.bits() as u16, random.bits() as u32),
                    1 => (seq.wrapping_add(random.bits() as u16 % 4000), rtp),
                    2 => (seq.wrapping_add(1), random.bits() as u32),
                    3 => (seq, rtp.wrapping_sub(96_000)),
                    _ => (seq.wrapping_add(1), rtp.wrapping_add(960)),
                };
                let length = [0, 1, 2, 8, 8, 8, 500, 20_000][random.bits() as usize % 8];
                let at = now.checked_sub(ms(random.bits() % 5000)).unwrap_or(now);
                let at = if random.bits().is_multiple_of(2) { now } else { at };
                buffer.push(seq, RtpTicks(rtp), at, Bytes::from(vec![0; length]));
                let (back, ago) = (random.bits() as u16 % 70, random.bits() as u32 % 60_000);
                let ago = if random.bits().is_multiple_of(8) { random.bits() as u32 } else { ago };
                buffer.push_copy(seq.wrapping_sub(back), RtpTicks(rtp.wrapping_sub(ago)), at, Bytes::from(vec![0; 8]));
            }
            let played = buffer.pull(now + ms(random.bits() % 30), &mut decoder);
            assert!(played.samples.iter().all(|s| s.abs() <= 1.0));
            if random.bits().is_multiple_of(300) {
                buffer.reset();
            }
        }
        let stats = buffer.stats();
        assert!(stats.concealed_samples <= stats.total_samples + 48_000);
    }
}

/// Plays 20 s of a stream that loses `lost` in every 25 packets; each that comes brings a copy of the one `back` before.
fn with_copies(lost: u64, back: u64) -> PlayoutStats {
    let start = Instant::now();
    let (mut buffer, mut decoder) = (PlayoutBuffer::new(PlayoutSettings::default()), Vowel::default());
    let mut at_half = PlayoutStats::default();
    for tick in 0..2000u64 {
        let now = start + ms(10 * tick);
        if tick % 2 == 0 && (tick / 2) % 25 >= lost {
            let n = tick / 2;
            buffer.push(n as u16, RtpTicks((n * FRAME) as u32), now, Vowel::packet(n));
            if let Some(copy) = n.checked_sub(back).filter(|copy| *copy != n) {
                buffer.push_copy(copy as u16, RtpTicks((copy * FRAME) as u32), now, Vowel::packet(copy));
            }
        }
        buffer.pull(now, &mut decoder);
        if tick == 1000 {
            at_half = buffer.stats();
        }
    }
    let end = buffer.stats();
    PlayoutStats { concealed_samples: end.concealed_samples - at_half.concealed_samples, ..end }
}

#[test]
fn copies_fill_bursts_of_losses_and_sound_is_held_back_as_far_as_they_reach() {
    for lost in 1..=4 {
        let stats = with_copies(lost, lost);
        assert_eq!(stats.concealed_samples, 0, "{lost} in a row: {stats:?}");
        assert!(stats.delay >= ms(20 * lost) && stats.delay <= ms(20 * lost + 40), "{lost} in a row: {stats:?}");
    }
    assert!(with_copies(3, 0).concealed_samples > 0, "without copies there is something to conceal");
}

#[test]
fn copies_of_what_is_there_or_of_the_future_change_nothing_but_the_delay() {
    let stats = with_copies(0, 2);
    assert_eq!((stats.concealed_samples, stats.packets_duplicate, stats.packets_late), (0, 0, 0));
    assert!(stats.copies_discarded > 900);
    let start = Instant::now();
    let mut buffer = PlayoutBuffer::new(PlayoutSettings::default());
    buffer.push_copy(5, RtpTicks(0), start, Vowel::packet(5));
    buffer.push(10, RtpTicks(9600), start, Vowel::packet(10));
    buffer.push_copy(11, RtpTicks(10_560), start, Vowel::packet(11));
    buffer.push_copy(9, RtpTicks(10_560), start, Vowel::packet(9));
    buffer.push_copy(9, RtpTicks(9600u32.wrapping_sub(48_000)), start, Vowel::packet(9));
    assert!(buffer.stats().target_delay <= PlayoutSettings::default().first_delay);
}
