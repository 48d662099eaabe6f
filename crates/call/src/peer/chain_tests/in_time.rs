//! How soon pictures are whole, where parity and second copies spare waiting for what is asked for again.

use super::wire::{End, Path, VIDEO, Wire, ms, rtp};
use super::{Camera, Screen, measured, ours, talk};
use rtc::interceptor::Packet;
use std::time::Instant;
use visavis_media::BitsPerSecond;

/// Ten seconds of video over a path of 150 ms each way that loses one in twenty packets: how many pictures were whole
/// within 200 ms of their capture, of the last eight seconds, what the chain made itself, and bits sent for a bit of
/// picture.
fn long_path(seed: u64, parity: bool) -> (u64, u64, f64) {
    let begun = Instant::now();
    let path = |seed| Path::new(ms(150), 0.05, seed);
    let mut wire = Wire::new(End::roomy(begun, ours), End::roomy(begun, ours), begun, path(seed), path(seed + 1000));
    let (mut camera, mut screen) = (Camera::new(seed, 10, 45_000, 4000..12_500), Screen::default());
    measured(&wire, 300);
    for end in [&wire.a, &wire.b] {
        end.shared.parity.negotiated(parity.then_some(119));
    }
    let mut in_time = 0;
    while wire.ms() < 10_500 {
        wire.step();
        camera.film(&mut wire);
        for ticks in screen.show(&mut wire) {
            let captured = camera.captured[&ticks];
            in_time += u64::from(captured >= 2000 && wire.ms() - captured <= 200);
        }
    }
    let sent: usize = wire.a.sent.iter().map(|(_, p)| if let Packet::Rtp(p) = p { p.payload.len() } else { 0 }).sum();
    (in_time, wire.b.shared.repair.total().recovered, sent as f64 / camera.bytes as f64)
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
    let mut wire = Wire::new(End::roomy(begun, ours), End::roomy(begun, ours), begun, path(seed), path(seed + 1000));
    let (mut camera, mut screen, mut late) = (Camera::new(seed, 30, 30_000, 2000..6000), Screen::default(), Vec::new());
    measured(&wire, 50);
    for end in [&wire.a, &wire.b] {
        end.shared.target.set(BitsPerSecond::kilo(1200));
    }
    while wire.ms() < 30_500 {
        wire.step();
        talk(&mut wire);
        let sent = camera.captured.len();
        camera.film(&mut wire);
        if camera.captured.len() > sent {
            // The other side sends pictures, too: its requests and reports share bursts with them.
            for i in 0..4 {
                let sequence = camera.sequence.wrapping_add(i);
                wire.b.write(wire.now, rtp(VIDEO + 10, sequence, 0, i == 3, vec![1; 1000].into()));
            }
        }
        late.extend(screen.show(&mut wire).iter().map(|ticks| wire.ms() - camera.captured[ticks]));
        screen.ask(&mut wire);
    }
    (late, wire.a.shared.repair.total().again_bytes as f64 / camera.bytes as f64)
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
