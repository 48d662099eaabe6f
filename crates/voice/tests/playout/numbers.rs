//! Sequence numbers and timestamps: order, wraps, pauses, other streams, and what no network does.

use super::call::{Call, FRAME, Random, Vowel, concealed_pct, largest, ms};
use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use visavis_voice::playout::{PlayedKind, PlayoutBuffer, PlayoutSettings};

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
