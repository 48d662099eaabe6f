//! What is missing comes from redundancy, from copies, from concealment, or is silence.

use super::call::{Call, FRAME, Vowel, clicks, concealed_pct, largest, mean, ms};
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use visavis_voice::playout::{PlayedKind, PlayoutBuffer, PlayoutSettings, PlayoutStats};

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

/// The rest of a burst is concealed while nothing is here, and its last packet comes back with the one behind it.
#[test]
fn of_each_burst_the_last_packet_is_recovered_and_only_the_others_are_concealed() {
    for burst in 1..=4 {
        let mut call = Call::new(1500, 0.0, |n| (n % 30 >= burst).then_some(15.0));
        let stats = call.run(Duration::from_secs(29));
        let bursts = stats.packets_missing / burst;
        println!(
            "bursts of {burst}: {} of {bursts} recovered, {} concealed",
            stats.fec_recovered, stats.concealed_samples
        );
        assert!(bursts >= 46 && stats.fec_recovered + 4 >= bursts, "bursts of {burst}: {stats:?}");
        let most = (bursts * (burst - 1) + 8) * FRAME;
        assert!(stats.concealed_samples <= most, "bursts of {burst}: {} of {most}", stats.concealed_samples);
        assert!(mean(&call.mouth_to_ear(ms(10_000))) < 70.0);
        assert_eq!(clicks(&call.sound(20)), 0);
    }
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
