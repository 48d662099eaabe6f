//! The estimator on emulated paths (`emulation`).

use super::emulation::Call;
use super::{Estimator, SharedTarget};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtc::interceptor::{BandwidthEstimator, PacketReport};
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

#[test]
fn on_a_narrow_link_with_a_long_queue_the_target_settles_at_its_rate_and_the_queue_stays_short() {
    for seed in 0..6 {
        let mut call = Call::new(4000, 1.2e6);
        call.random = StdRng::seed_from_u64(seed);
        call.run(60.0);
        let [low, middle, high] = [0.05, 0.5, 0.95].map(|share| call.target(10.0, 60.0, share));
        let queue = (call.queued(10.0, 60.0, 0.5), call.queued(10.0, 60.0, 0.95));
        let latency = (call.latency(5.0, 60.0, 0.5), call.latency(5.0, 60.0, 0.95));
        println!("target {low:.2} {middle:.2} {high:.2} Mb/s, queue {queue:.3?} s, latency {latency:.3?}");
        assert!(low >= 0.8 && (0.9..=1.3).contains(&middle) && high <= 1.35, "{low} {middle} {high} Mb/s");
        assert!(queue.0 < 0.06 && queue.1 < 0.15, "{queue:?} s");
    }
}

#[test]
fn links_of_every_rate_are_used_without_a_long_queue_whatever_its_bound() {
    for rate in [0.15, 0.2, 0.35, 0.5, 0.7, 1.0, 1.7, 3.0, 5.0] {
        for longest in [0.06, 0.15, 0.3, 1.0] {
            let mut call = Call::new(6000, rate * 1e6);
            call.link.longest = longest;
            call.run(60.0);
            let (used, queue) = (call.sent(15.0, 60.0) / rate, call.queued(15.0, 60.0, 0.95));
            let (middle, high) = (call.latency(5.0, 60.0, 0.5), call.latency(5.0, 60.0, 0.95));
            println!("{rate} Mb/s {longest}: {used:.2} of it, queue {queue:.3} s, latency {middle:.3} {high:.3} s");
            assert!((0.85..1.02).contains(&used) && queue < 0.09, "{rate} Mb/s, {longest} s: {used} of it, {queue} s");
            assert!(middle < 0.085 && high < 0.13, "{rate} Mb/s, {longest} s: {middle} {high} s");
        }
    }
}

#[test]
fn a_drop_of_the_path_is_followed_at_once_and_its_end_within_five_seconds() {
    // Of a call that used all of it, and of one whose pictures took a third; with the way back as narrow, or not.
    for (limited, symmetric, most) in [(1e6, true, 0.6), (1e6, false, 0.6), (3e6, true, 1.0), (3e6, false, 1.0)] {
        let mut call = Call::new(2500, 3e6);
        (call.link.longest, call.link.symmetric, call.limited) = (0.5, symmetric, limited);
        call.run(15.0);
        let before = call.sent(10.0, 15.0);
        call.link.rate = 0.5e6;
        call.run(35.0);
        let (peak, after, gap) = (call.latency(14.9, 35.0, 1.0), call.latency(18.0, 35.0, 0.95), call.gap(15.0, 35.0));
        let narrow = call.sent(18.0, 35.0);
        call.link.rate = 3e6;
        call.run(60.0);
        let back = (70..118).map(|i| f64::from(i) / 2.0).find(|t| call.sent(*t, t + 0.5) >= 0.8 * before);
        println!(
            "before {before:.2}, peak {peak:.3} s, after {after:.3} s, gap {gap:.2} s, {narrow:.2}, back {back:?} s"
        );
        assert!(peak < most && after < 0.12 && gap < 0.7, "{peak} {after} {gap} s");
        assert!((0.42..0.51).contains(&narrow) && back.is_some_and(|t| t < 40.0), "{narrow} Mb/s, {back:?} s");
    }
}

#[test]
fn jitter_is_not_taken_for_a_queue() {
    let used = |jitter: f64, rate: f64| {
        let mut call = Call::new(2500, rate);
        (call.link.jitter, call.link.delay) = (jitter, 0.03f64.max(jitter));
        call.run(60.0);
        let target = [0.0, 0.05, 0.5].map(|share| call.target(5.0, 60.0, share));
        println!("±{jitter} s at {rate}: {target:.2?}, queue {:.3}", call.queued(5.0, 60.0, 0.95));
        target
    };
    for jitter in [0.01, 0.03] {
        assert!(used(jitter, 50e6)[1] > 2.3);
        assert!(used(jitter, 3e6)[2] > 2.2);
        assert!(used(jitter, 1e6)[2] > 0.75);
    }
    assert!(used(0.06, 50e6)[2] > 2.2);
}

#[test]
fn loss_of_the_path_itself_is_not_punished() {
    for (loss, bursts) in [(0.02, None), (0.05, None), (0.1, None), (0.0, Some((0.1, 5.0)))] {
        for seed in 0..4 {
            let mut call = Call::new(2500, 20e6);
            (call.link.loss, call.link.bursts, call.random) = (loss, bursts, StdRng::seed_from_u64(seed));
            call.run(60.0);
            let target = [0.0, 0.05, 0.5].map(|share| call.target(5.0, 60.0, share));
            println!("{loss} {bursts:?}: {target:.2?} Mb/s");
            assert!(target[0] > 1.5 && target[1] > 2.4, "{loss} {bursts:?}: {target:?} Mb/s");
        }
    }
}

#[test]
fn heavy_loss_lowers_the_rate() {
    let mut call = Call::new(1000, 5e6);
    call.link.loss = 0.4;
    call.run(15.0);
    assert!(call.target(10.0, 15.0, 0.5) < 0.7, "{}", call.target(10.0, 15.0, 0.5));
}

#[test]
fn a_link_that_loses_two_percent_is_used_like_one_that_loses_none() {
    let mut call = Call::new(4000, 1.5e6);
    (call.link.loss, call.link.longest) = (0.02, 0.3);
    call.run(60.0);
    let (used, queue) = (call.sent(10.0, 60.0) / 1.5, call.queued(10.0, 60.0, 0.95));
    assert!((0.85..1.02).contains(&used) && queue < 0.09, "{used} of it, {queue} s");
}

#[test]
fn somebody_elses_traffic_is_given_its_room_and_takes_not_all_of_ours() {
    let mut call = Call::new(4000, 3e6);
    call.run(15.0);
    call.link.others = 2e6;
    call.run(45.0);
    let (beside, queue) = (call.sent(20.0, 45.0), call.queued(18.0, 45.0, 0.95));
    call.link.others = 0.0;
    call.run(60.0);
    let after = call.sent(52.0, 60.0);
    println!("beside others {beside:.2} Mb/s, queue {queue:.3} s; after {after:.2} Mb/s");
    assert!((0.75..1.02).contains(&beside) && queue < 0.12, "{beside} Mb/s, {queue} s");
    assert!(after > 2.4, "{after} Mb/s");
}

#[test]
fn an_encoder_with_little_to_do_makes_the_estimate_neither_fall_nor_dream() {
    let mut call = Call::new(6000, 2e6);
    call.run(20.0);
    let before = call.target(15.0, 20.0, 0.5);
    call.limited = 100_000.0;
    call.run(80.0);
    let still = [0.0, 0.5, 1.0].map(|share| call.target(30.0, 80.0, share));
    call.limited = f64::INFINITY;
    call.run(100.0);
    let queue = call.queued(80.0, 100.0, 1.0);
    println!("{before:.2}, still {still:.2?} Mb/s, then queue {queue:.3} s");
    assert!(still[0] > 0.9 * before && still[2] < 2.05, "{before} {still:?} Mb/s");
    assert!(queue < 0.15, "{queue} s");
}

#[test]
fn sound_alone_keeps_the_estimate_and_pictures_have_it_at_once_when_they_begin() {
    let mut call = Call::new(2500, 10e6);
    call.run(10.0);
    assert!(call.target(8.0, 10.0, 0.5) > 2.4);
    call.sound_only = true;
    call.run(70.0);
    assert!(call.target(10.0, 70.0, 0.0) > 2.4, "{}", call.target(10.0, 70.0, 0.0));
    call.sound_only = false;
    call.run(75.0);
    assert!(call.sent(71.0, 75.0) > 2.0, "{}", call.sent(71.0, 75.0));
}

#[test]
fn on_a_wide_link_the_maximum_is_reached_within_a_second() {
    for limited in [f64::INFINITY, 300_000.0] {
        let mut call = Call::new(2500, 50e6);
        call.limited = limited;
        call.run(1.5);
        assert_eq!(call.estimator.target_bitrate(), 2.5e6);
    }
}

#[test]
fn a_probe_makes_no_queue_that_could_be_noticed() {
    for rate in [0.3, 0.5, 1.0, 2.0] {
        let mut call = Call::new(6000, rate * 1e6);
        // What is sent is far less than what the path carries or exactly that; the queue is the probe's.
        (call.limited, call.variation) = (rate * 1e6 * 0.8, 0.0);
        call.run(60.0);
        let (usual, longest) = (call.queued(10.0, 60.0, 0.5), call.queued(10.0, 60.0, 1.0));
        println!("{rate} Mb/s: {} probes, queue {usual:.3}, at most {longest:.3} s", call.probes);
        assert!(call.probes > 5 && longest < 0.075, "{rate} Mb/s: {} probes, {longest} s", call.probes);
    }
}

#[test]
fn what_leaves_stays_within_one_and_a_fifth_of_the_target_over_any_fifth_of_a_second() {
    let mut call = Call::new(1000, 20e6);
    (call.variation, call.overshoot) = (0.9, 1.2);
    call.run(5.0);
    for _ in 0..10 {
        call.picture(30_000.0);
        call.run(call.clock + 2.0);
    }
    let paced: Vec<_> = call.left.iter().filter(|l| !l.2 && l.0 > 1.1).collect();
    let mut worst = 0.0f64;
    for (i, first) in paced.iter().enumerate() {
        let bits: f64 = paced[i..].iter().take_while(|l| l.0 < first.0 + 0.199).map(|l| l.1).sum();
        worst = worst.max(bits / 0.2);
    }
    // Sound, which waits for nothing, may come on top: two packets in the window's last moments.
    assert!(worst < 1.2e6 + 2.0 * 1200.0 * 5.0 && worst > 1.1e6, "{worst}");
}

#[test]
fn a_path_that_becomes_longer_is_not_taken_for_a_queue_for_long() {
    let mut call = Call::new(2500, 5e6);
    call.run(20.0);
    assert!(call.target(10.0, 20.0, 0.5) > 2.4);
    call.link.delay += 0.15;
    call.run(60.0);
    let (least, later) = (call.target(20.0, 60.0, 0.0), call.target(30.0, 60.0, 0.05));
    println!("least {least:.2}, later {later:.2} Mb/s");
    assert!(least > 0.7 && later > 2.2, "{least} {later} Mb/s");
}

#[test]
fn after_a_minute_without_anything_the_call_goes_on_where_it_was() {
    let mut call = Call::new(2500, 2e6);
    call.run(15.0);
    let before = call.target(10.0, 15.0, 0.5);
    call.pause(60.0);
    call.run(90.0);
    let (after, queue) = (call.target(76.0, 90.0, 0.5), call.queued(76.0, 90.0, 0.95));
    assert!(after > 0.9 * before && queue < 0.09, "{before} {after} Mb/s, {queue} s");
}

#[test]
fn nonsense_reports_keep_the_target_within_its_limits() {
    let shared = SharedTarget::new(BitsPerSecond::kilo(1000));
    let (min, max) = (BitsPerSecond::kilo(50), BitsPerSecond::kilo(3000));
    let mut e = Estimator::new(BitsPerSecond::kilo(1000), min, max, shared.clone());
    let now = Instant::now();
    for i in 0..2000u64 {
        let report = PacketReport {
            ssrc: 1,
            id: i,
            rtp_sequence_number: (i * 7919) as u16,
            is_twcc: true,
            twcc_sequence_number: (i * 104_729) as u16,
            size: if i % 3 == 0 { usize::MAX / 4096 } else { 0 },
            arrived: i % 2 == 0,
            departure: now + Duration::from_millis(i * 37 % 501),
            arrival: (i % 2 == 0).then(|| Duration::from_secs(i * 6007 % 100_000)),
            ecn: Default::default(),
        };
        e.on_reports(now + Duration::from_millis(i * 3), &[report]);
        assert!(shared.get() >= min && shared.get() <= max);
    }
}

/// Everything that a liar could say, one kind after the other; the target stays within its limits, and an honest path
/// is found again afterwards.
#[test]
fn lies_about_arrival_are_survived_and_forgotten() {
    type Lie = fn(u64, Duration) -> (bool, Option<Duration>);
    let lies: [Lie; 8] = [
        |_, _| (true, Some(Duration::ZERO)),
        |_, _| (true, Some(Duration::MAX)),
        |_, _| (true, None),
        |_, _| (false, None),
        |i, at| (true, Some(at.saturating_sub(Duration::from_millis(i * 20)))),
        |i, at| (true, Some(at + Duration::from_secs(i * 977 % 40_000))),
        |i, at| (i % 7 != 0, Some(at * (i % 3) as u32)),
        // The reference time of the feedback wraps.
        |i, at| (true, Some(if i < 500 { at + Duration::from_secs(1_073_741) } else { at })),
    ];
    for (kind, lie) in lies.into_iter().enumerate() {
        let mut call = Call::new(2500, 5e6);
        call.run(5.0);
        for i in 0..2000u64 {
            let (arrived, arrival) = lie(i, Duration::from_millis(1000 + 10 * i));
            let lied = PacketReport {
                ssrc: if i % 11 == 0 { 77 } else { 1 },
                id: i,
                rtp_sequence_number: (i * 7919) as u16,
                is_twcc: true,
                twcc_sequence_number: i as u16,
                size: 1200,
                arrived,
                departure: call.now(),
                arrival,
                ecn: Default::default(),
            };
            call.estimator.on_reports(call.now(), &[lied]);
            assert!((40_000..=2_500_000).contains(&call.shared.get().0), "{kind}: {}", call.shared.get());
            if i % 2 == 0 {
                call.run(call.clock + 0.002);
            }
        }
        let from = call.clock;
        call.run(from + 60.0);
        let found = call.target(from + 45.0, from + 60.0, 0.5);
        println!("lie {kind}: {found:.2} Mb/s afterwards");
        assert!(found > 2.0, "lie {kind}: {found} Mb/s afterwards");
    }
}
