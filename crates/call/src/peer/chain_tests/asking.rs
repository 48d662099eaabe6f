//! What is asked for again, and how often.

use super::wire::{End, Path, VIDEO, Wire, ms, rtp};
use super::{Camera, Feedback, Screen, measured, nacks, ours, quiet, talk};
use rtc::interceptor::{NackGeneratorBuilder, NackResponderBuilder, Packet};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use webrtc::peer_connection::{Registry, Slot};

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

/// Seven seconds of 720p video, 2 Mb/s, over a path of 50 ms and `queue` more on the way there, from two seconds on.
fn call(seed: u64, loss: f64, queue: Duration, how: impl Fn(Registry) -> Registry) -> Outcome {
    let begun = Instant::now();
    let (there, back) = (Path::new(ms(25), loss, seed), Path::new(ms(25), loss, seed + 1000));
    // Behind the queue pictures are given up, and keyframes come on top of the rate.
    let end = || if queue.is_zero() { End::new(begun, &how) } else { End::roomy(begun, &how) };
    let mut wire = Wire::new(end(), end(), begun, there, back);
    let (mut camera, mut screen) = (Camera::new(seed, SECONDS, 45_000, 4000..12_500), Screen::default());
    let (mut out, mut last_shown) = (Outcome::default(), None);
    measured(&wire, 50);
    while wire.ms() < 1000 * SECONDS + 1500 {
        wire.step();
        let (now, at) = (wire.now, wire.ms());
        if at == 2000 {
            wire.there.delay += queue;
        }
        talk(&mut wire);
        if at.is_multiple_of(500) {
            measured(&wire, (wire.there.delay + wire.back.delay).as_millis() as u64);
        }
        camera.film(&mut wire);
        for _ in screen.show(&mut wire) {
            out.shown += 1;
            out.gap = out.gap.max(now - last_shown.replace(now).unwrap_or(now));
        }
        screen.ask(&mut wire);
    }
    out.keyframes_wanted = screen.keyframes_wanted;
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
    let mut wire = quiet(Instant::now(), 10);
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
