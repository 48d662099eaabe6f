use super::*;

#[test]
fn a_change_of_length_is_no_change_of_the_network() {
    let (mut arrivals, mut ts) = (Arrivals::default(), 0);
    for n in 0..400u16 {
        let length = if n / 100 % 2 == 0 { 960 } else { 480 };
        // Each packet comes 15 ms after its last sample was said.
        arrivals.on_packet(n, ts as u32, ts + length + 15 * MS);
        ts += length;
        if n % 100 > 3 {
            assert_eq!((arrivals.fastest(), arrivals.spread(), arrivals.tail()), (length + 15 * MS, 0, 0), "{n}");
        }
    }
}

#[test]
fn pauses_are_no_lengths() {
    let mut arrivals = Arrivals::default();
    let (mut ts, mut last) = (0, 0);
    for n in 0..400u16 {
        ts += if n % 20 == 0 { 60 * MS } else { 20 * MS };
        arrivals.on_packet(n, ts as u32, ts + 15 * MS);
        last = arrivals.fastest();
    }
    assert_eq!((last, arrivals.spread()), (15 * MS, 0));
}

#[test]
fn what_was_learnt_while_the_path_was_tried_is_forgotten_sooner_than_later_jitter() {
    // Seconds of jitter at the beginning, or in mid-call, and how long after its end it still counts.
    let remembered = |from: i64, to: i64| {
        let (mut arrivals, mut until) = (Arrivals::default(), 0);
        for n in 0..4000i64 {
            let at = n * 960;
            let rough = (from * 50..to * 50).contains(&n) && n % 2 == 0;
            arrivals.on_packet(n as u16, at as u32, at + if rough { 150 * MS } else { 0 });
            if n >= to * 50 && arrivals.spread() > 50 * MS {
                until = n - to * 50;
            }
        }
        until / 50
    };
    assert!(remembered(0, 2) <= 3, "{} s", remembered(0, 2));
    assert!((7..=10).contains(&remembered(40, 42)), "{} s", remembered(40, 42));
}

#[test]
fn numbers_go_on_across_their_wrap() {
    let mut arrivals = Arrivals::default();
    let mut last = None;
    for n in 0..200_000u32 {
        let seq = 65_500u16.wrapping_add(n as u16);
        let rtp = (u32::MAX - 10_000).wrapping_add(n.wrapping_mul(960));
        let Verdict::Belongs(place) = arrivals.on_packet(seq, rtp, i64::from(n) * 960) else { panic!("packet {n}") };
        if let Some(Place { seq, ts }) = last.replace(place) {
            assert_eq!((place.seq, place.ts), (seq + 1, ts + 960));
        }
    }
    assert_eq!((arrivals.spread(), arrivals.experience()), (0, 501));
}

#[test]
fn one_stray_packet_is_passed_over_and_two_in_a_row_begin_anew() {
    let mut arrivals = Arrivals::default();
    for n in 0..10u16 {
        arrivals.on_packet(n, u32::from(n) * 960, i64::from(n) * 960);
    }
    assert_eq!(arrivals.on_packet(30_000, 5, 9600), Verdict::Suspect);
    assert!(matches!(arrivals.on_packet(10, 9600, 9600), Verdict::Belongs(Place { seq: 10, .. })));
    assert_eq!(arrivals.on_packet(30_000, 5, 10_560), Verdict::Suspect);
    assert!(matches!(arrivals.on_packet(30_001, 965, 11_520), Verdict::NewStream(Place { seq: 30_001, ts: 965 })));
    assert!(matches!(arrivals.on_packet(30_002, 1925, 12_480), Verdict::Belongs(_)));
}

#[test]
fn the_spread_leaves_out_the_slowest_four_in_a_hundred() {
    let mut arrivals = Arrivals::default();
    for n in 0..500i64 {
        let delay = if n % 50 == 7 { 300 } else { n % 10 } * MS;
        arrivals.on_packet(n as u16, (n * 960) as u32, n * 960 + delay);
    }
    assert!((8 * MS..=10 * MS).contains(&arrivals.spread()), "{} ms", arrivals.spread() / MS);
}

#[test]
fn a_stall_teaches_nothing_about_jitter() {
    let mut arrivals = Arrivals::default();
    for n in 0..400i64 {
        let delay = if (200..300).contains(&n) { (300 - n) * 20 } else { 10 } * MS;
        arrivals.on_packet(n as u16, (n * 960) as u32, n * 960 + delay);
    }
    assert!(arrivals.spread() < MS, "{} ms", arrivals.spread() / MS);
}

#[test]
fn a_path_that_became_longer_is_the_new_normal_after_two_seconds() {
    let mut arrivals = Arrivals::default();
    for n in 0..400i64 {
        let delay = if n < 250 { 20 } else { 320 } * MS;
        arrivals.on_packet(n as u16, (n * 960) as u32, n * 960 + delay);
        if n == 320 {
            assert!(arrivals.spread() >= 300 * MS);
        }
    }
    assert_eq!((arrivals.fastest(), arrivals.spread()), (320 * MS, 0));
}
