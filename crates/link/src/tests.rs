//! Links in emulated time.

use super::{Bin, Link, LinkChange, LinkSpec, SpecError, TimedChange};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

/// When each packet arrived, in milliseconds since the beginning; packets of `size` bytes come every `every_ms`.
fn carry(spec: &str, seed: u64, count: u32, size: usize, every_ms: f64) -> (Vec<(u32, f64)>, Bin) {
    let begun = Instant::now();
    let mut link = Link::new(begun, spec.parse().expect("a link"), seed);
    for number in 0..count {
        link.push(begun + ms(every_ms * f64::from(number)), size, number);
    }
    let end = begun + ms(every_ms * f64::from(count)) + Duration::from_secs(600);
    let arrivals = std::iter::from_fn(|| link.poll(end));
    let all = arrivals.map(|a| (a.packet, (a.at - begun).as_secs_f64() * 1000.0)).collect();
    (all, link.figures().total())
}

fn near(value: f64, wanted: f64, tolerance: f64) {
    assert!((value - wanted).abs() <= tolerance, "{value} instead of {wanted} ± {tolerance}");
}

#[test]
fn nothing_is_done_to_packets_where_nothing_is_asked_for() {
    let (arrivals, total) = carry("", 1, 100, 1200, 1.0);
    assert!(arrivals.iter().all(|(number, at)| (*at - f64::from(*number)).abs() < 1e-6), "{arrivals:?}");
    assert_eq!((total.out_packets, total.out_bytes, total.lost, total.queue_drops), (100, 120_000, 0, 0));
}

#[test]
fn a_packet_takes_its_length_at_the_rate_and_the_delay() {
    let (arrivals, _) = carry("rate=1M,delay=25,queue=1000", 1, 10, 1250, 0.0);
    for (number, at) in arrivals {
        near(at, 10.0 * f64::from(number + 1) + 25.0, 1e-3);
    }
}

#[test]
fn a_full_link_delivers_its_rate_and_its_queue_stays_within_its_bound() {
    for (spec, bound) in [("rate=1M,queue=300", 300.0), ("rate=1M,qbytes=25000", 200.0)] {
        // Twice of what fits.
        let (arrivals, total) = carry(spec, 1, 2000, 1250, 5.0);
        let last = arrivals.last().expect("some").1;
        near(arrivals.len() as f64 * 10_000.0 / last, 1000.0, 2.0);
        near(total.queue_max.as_secs_f64() * 1000.0, bound, 20.0);
        assert_eq!(arrivals.len() as u64 + total.queue_drops, 2000);
    }
}

#[test]
fn there_is_room_for_one_packet_in_the_shortest_queue() {
    let (arrivals, _) = carry("rate=100k,queue=0", 1, 10, 1250, 100.5);
    assert_eq!(arrivals.len(), 10);
}

#[test]
fn jitter_keeps_the_order_unless_it_is_told_not_to() {
    for (spec, spacing, ordered) in [("delay=30,jitter=30", 60.5, true), ("delay=30,jitter=30,reorder=1", 1.0, false)] {
        let (arrivals, _) = carry(spec, 5, 4000, 100, spacing);
        let delays: Vec<_> = arrivals.iter().map(|(number, at)| at - spacing * f64::from(*number)).collect();
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        let deviation = (delays.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / delays.len() as f64).sqrt();
        assert_eq!(arrivals.is_sorted_by_key(|(number, _)| *number), ordered);
        // Evenly from 0 to 60: a deviation of 60 / √12.
        near(mean, 30.0, 2.0);
        near(deviation, 17.3, 1.0);
        assert!(delays.iter().all(|delay| (-1e-6..=60.0 + 1e-6).contains(delay)));
    }
}

#[test]
fn one_draw_of_the_jitter_holds_for_all_packets_of_its_time() {
    let (arrivals, _) = carry("delay=30,jitter=30,jcorr=20", 5, 1000, 100, 1.0);
    let delays: Vec<_> = arrivals.iter().map(|(number, at)| (at - f64::from(*number)).round() as i64).collect();
    let changes = delays.windows(2).filter(|pair| pair[1] > pair[0]).count();
    // A rise is a new draw, of which there are 50; a fall is stretched by the order that is kept.
    assert!((15..=35).contains(&changes), "{changes}");
}

#[test]
fn losses_have_their_share_and_bursts_their_length() {
    let (arrivals, total) = carry("loss=0.02", 3, 50_000, 100, 1.0);
    near(1.0 - arrivals.len() as f64 / 50_000.0, 0.02, 0.003);
    assert_eq!(total.lost + total.out_packets, 50_000);
    let (arrivals, _) = carry("ge=0.10/5", 3, 50_000, 100, 1.0);
    near(1.0 - arrivals.len() as f64 / 50_000.0, 0.10, 0.015);
    let bursts: Vec<_> = arrivals.windows(2).map(|p| p[1].0 - p[0].0 - 1).filter(|lost| *lost > 0).collect();
    near(f64::from(bursts.iter().sum::<u32>()) / bursts.len() as f64, 5.0, 0.5);
}

#[test]
fn some_packets_come_twice_and_some_are_overtaken() {
    let (arrivals, total) = carry("dup=0.05,delay=10", 3, 10_000, 100, 1.0);
    near(arrivals.len() as f64 / 10_000.0, 1.05, 0.01);
    assert_eq!(total.out_packets as usize, arrivals.len());
    let (arrivals, _) = carry("late=0.05/30,delay=10", 3, 10_000, 100, 1.0);
    let late = arrivals.iter().filter(|(number, at)| at - f64::from(*number) > 39.0).count();
    near(late as f64 / 10_000.0, 0.05, 0.01);
    // The others are not held up.
    assert!(arrivals.iter().all(|(number, at)| [10, 40].contains(&((at - f64::from(*number)).round() as i32))));
}

#[test]
fn the_same_seed_makes_the_same_link_and_another_seed_another() {
    let spec = "rate=2M,delay=20,jitter=20,reorder=1,loss=0.05,ge=0.05/3,dup=0.01,late=0.02/20";
    let run = |seed| carry(spec, seed, 5000, 900, 3.0).0;
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn losses_are_those_of_the_same_seed_before() {
    // Figures of the link emulator must not change from one version to the next. Computed by another program.
    let (arrivals, _) = carry("loss=0.1", 1_000_003 + 7919, 60, 100, 1.0);
    let came: Vec<_> = arrivals.iter().map(|(number, _)| *number).collect();
    let lost: Vec<_> = (0..60).filter(|number| !came.contains(number)).collect();
    assert_eq!(lost, [40, 42]);
}

#[test]
fn changes_happen_at_their_moments_after_the_start() {
    let begun = Instant::now();
    let mut link = Link::new(begun, "rate=3M,queue=300".parse().expect("a link"), 1);
    let changes: Vec<TimedChange> = ["8:rate=3M", "4:rate=500k"].map(|text| text.parse().expect("a change")).to_vec();
    let started = begun + Duration::from_secs(2);
    link.start(started, &changes);
    for step in 0..24_000u32 {
        let now = started + Duration::from_micros(500) * step;
        link.push(now, 250, ());
        while link.poll(now).is_some() {}
    }
    let bins = link.figures().bins.clone();
    let kbps = |from: usize, to: usize| {
        bins[from..to].iter().map(|b| b.out_bytes).sum::<u64>() as f64 * 8.0 / 500.0 / (to - from) as f64
    };
    near(kbps(1, 8), 3000.0, 10.0);
    near(kbps(8, 16), 500.0, 10.0);
    near(kbps(16, 24), 3000.0, 10.0);
    assert_eq!(bins.len(), 24);
}

#[test]
fn whoever_asks_again_when_told_gets_every_packet_in_time_and_is_not_kept_busy() {
    let begun = Instant::now();
    let mut link = Link::new(begun, "rate=700k,queue=500,delay=13,jitter=9".parse().expect("a link"), 4);
    for number in 0..30 {
        link.push(begun, 1100, number);
    }
    let (mut got, mut asked) = (0, 0);
    while let Some(at) = link.poll_timeout() {
        asked += 1;
        while let Some(arrival) = link.poll(at) {
            assert_eq!((arrival.packet, arrival.at <= at, at - arrival.at < ms(0.001)), (got, true, true));
            got += 1;
        }
    }
    assert_eq!(got, 30);
    assert!(asked <= 62, "{asked}");
}

#[test]
fn a_change_of_rate_holds_for_what_waits_and_no_rate_lets_all_of_it_go() {
    let begun = Instant::now();
    let change = |text: &str| text.parse::<LinkChange>().expect("a change");
    let mut link = Link::new(begun, "rate=100k,queue=5000".parse().expect("a link"), 1);
    for number in 0..10 {
        link.push(begun, 1250, number);
    }
    link.change(begun + ms(50.0), &change("rate=1M"));
    // Half of the first packet is sent; the other half takes 5 ms now.
    assert_eq!(link.poll(begun + ms(54.9)), None);
    assert_eq!(link.poll(begun + ms(55.1)).map(|a| a.packet), Some(0));
    link.change(begun + ms(56.0), &change("rate=0"));
    assert_eq!(std::iter::from_fn(|| link.poll(begun + ms(56.0))).count(), 9);
}

#[test]
fn a_change_that_nobody_looked_at_when_it_came_still_came_at_its_moment() {
    let begun = Instant::now();
    let mut link = Link::new(begun, "rate=100k,queue=5000".parse().expect("a link"), 1);
    link.start(begun, &["0.05:rate=1M".parse().expect("a change")]);
    link.push(begun, 1250, ());
    let arrival = link.poll(begun + Duration::from_secs(5)).expect("it is there");
    near((arrival.at - begun).as_secs_f64() * 1000.0, 55.0, 1e-3);
}

#[test]
fn figures_of_a_time_are_those_of_the_bins_that_begin_in_it() {
    let begun = Instant::now();
    let mut link = Link::new(begun, LinkSpec::default(), 1);
    for half in 0..4 {
        link.push(begun + ms(500.0 * f64::from(half)), 100, ());
    }
    let counted = |from: f64, to: f64| link.figures().between(ms(from), ms(to)).in_packets;
    assert_eq!((counted(0.0, 500.0), counted(500.0, 1500.0), counted(1500.0, 9000.0)), (1, 2, 1));
}

#[test]
fn the_largest_packet_on_the_slowest_link_arrives_some_day() {
    let begun = Instant::now();
    let mut link = Link::new(begun, "rate=100".parse().expect("a link"), 1);
    link.push(begun, usize::MAX, ());
    assert!(link.poll(begun + Duration::from_secs(10_001)).is_some());
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let begun = Instant::now() + Duration::from_secs(10);
    let mut link = Link::new(begun, "rate=1M".parse().expect("a link"), 1);
    link.push(begun, 1250, 0);
    link.push(begun - Duration::from_secs(5), 1250, 1);
    assert!(link.poll(begun - Duration::from_secs(1)).is_none());
    assert_eq!(std::iter::from_fn(|| link.poll(begun + ms(21.0))).count(), 2);
}

#[test]
fn what_describes_no_link_is_refused_with_the_reason() {
    let refused = |text: &str| text.parse::<LinkSpec>().expect_err(text);
    assert_eq!(refused("rate"), SpecError::NotAPair("rate".into()));
    assert!(matches!(refused("speed=1"), SpecError::UnknownKey(key) if key == "speed"));
    for text in [
        "rate=-1",
        "rate=1",
        "rate=NaN",
        "rate=inf",
        "rate=1e300",
        "rate=",
        "rate=k",
        "rate=1T",
        "loss=1.01",
        "loss=-0.1",
        "delay=1e9",
        "delay=-1",
        "ge=1",
        "ge=0.1/0",
        "ge=0.1/x",
        "dup=2",
        "late=0.1/-1",
        "qbytes=1e30",
        "rate=1µ",
    ] {
        assert!(matches!(refused(text), SpecError::BadValue { .. }), "{text}");
    }
    for text in ["rate=1M", "x:rate=1M", "-1:rate=1M", "1e9:rate=1M", ":rate=1M"] {
        assert!(matches!(text.parse::<TimedChange>(), Err(SpecError::NotTimed(_))), "{text}");
    }
    assert_eq!("".parse::<LinkSpec>(), Ok(LinkSpec::default()));
}

proptest! {
    #[test]
    fn no_text_and_no_packet_is_too_odd(
        text in "((rate|queue|qbytes|delay|jitter|jcorr|reorder|loss|ge|dup|late|x)=[-0-9.]{1,5}[kMGe/]?[0-9]{0,3},?){0,6}",
        packets in prop::collection::vec((0u64..3_000_000, prop_oneof![0usize..70_000, Just(usize::MAX / 16)]), 0..40),
    ) {
        let begun = Instant::now();
        let Ok(spec) = text.parse::<LinkSpec>() else { return Ok(()) };
        let mut link = Link::new(begun, spec, 1);
        for (at, size) in packets.iter().copied() {
            link.push(begun + Duration::from_micros(at), size, at);
        }
        let count = std::iter::from_fn(|| link.poll(begun + Duration::from_secs(1_000_000))).count();
        prop_assert!(count <= 2 * packets.len());
        prop_assert_eq!(link.poll_timeout(), None);
    }
}
