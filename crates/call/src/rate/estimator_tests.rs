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
fn links_of_every_rate_are_used_without_a_long_queue() {
    for rate in [0.1, 0.15, 0.2, 0.35, 0.5, 0.7, 1.0, 1.7, 3.0, 5.0] {
        for longest in [0.06, 0.15, 0.3, 1.0] {
            let mut call = Call::new(6000, rate * 1e6);
            call.link.longest = longest;
            call.run(60.0);
            let (used, queue) = (call.target(15.0, 60.0, 0.5) / rate, call.queued(15.0, 60.0, 0.95));
            let (sent, gap) = (call.sent(15.0, 60.0) / rate, call.gap(15.0, 60.0));
            let latency = (call.latency(5.0, 60.0, 0.5), call.latency(5.0, 60.0, 0.95));
            println!(
                "{rate} Mb/s {longest}: {used:.2} of it, sent {sent:.2}, queue p95 {queue:.3} s, latency {latency:.3?}, \
                 gap {gap:.2}, skipped {}, probes {}",
                call.skipped, call.probes
            );
        }
    }
}

#[test]
fn a_drop_of_the_path_is_followed_at_once_and_its_end_within_five_seconds() {
    for (limited, symmetric) in [(1e6, true), (1e6, false), (3e6, true), (3e6, false)] {
        let mut call = Call::new(2500, 3e6);
        (call.link.longest, call.link.symmetric, call.limited) = (0.5, symmetric, limited);
        call.run(15.0);
        let before = call.sent(10.0, 15.0);
        call.link.rate = 0.5e6;
        call.run(35.0);
        let peak = call.latency(14.9, 35.0, 1.0);
        let after = (call.latency(18.0, 35.0, 0.5), call.latency(18.0, 35.0, 0.95), call.latency(18.0, 35.0, 1.0));
        let narrow = (call.sent(20.0, 35.0), call.queued(18.0, 35.0, 0.95), call.gap(15.0, 35.0));
        call.link.rate = 3e6;
        call.run(60.0);
        let back = (70..).map(|i| f64::from(i) / 2.0).find(|t| *t > 59.0 || call.sent(*t, t + 0.5) >= 0.8 * before);
        println!(
            "before {before:.2}, peak {peak:.3}, after {after:.3?}, narrow {narrow:.2?}, back {:.1?} s",
            back.map(|b| b - 35.0)
        );
    }
}

#[test]
fn jitter_is_not_taken_for_a_queue() {
    for jitter in [0.01, 0.03, 0.06] {
        for rate in [50e6, 3e6, 1e6] {
            let mut call = Call::new(2500, rate);
            (call.link.jitter, call.link.delay) = (jitter, 0.03f64.max(jitter));
            call.run(60.0);
            let target = [0.0, 0.05, 0.5, 0.95].map(|s| call.target(5.0, 60.0, s));
            println!("{jitter} {rate}: {target:.2?} queue {:.3}", call.queued(5.0, 60.0, 0.95));
        }
    }
}

#[test]
fn loss_of_the_path_itself_is_not_punished() {
    for (loss, bursts) in [(0.02, None), (0.0, Some((0.1, 5.0))), (0.05, None), (0.1, None)] {
        for seed in 0..4 {
            let mut call = Call::new(2500, 20e6);
            (call.link.loss, call.link.bursts, call.random) = (loss, bursts, StdRng::seed_from_u64(seed));
            call.run(60.0);
            let target = [0.0, 0.05, 0.5, 0.95].map(|s| call.target(5.0, 60.0, s));
            println!("{loss} {bursts:?}: {target:.2?}");
        }
    }
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
