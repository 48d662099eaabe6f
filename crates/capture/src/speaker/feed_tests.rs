//! Whether a loudspeaker tells true moments, whatever its clock and its callbacks do.

use super::super::simulated::{Device, Outcome, Written, play};
use super::Feed;
use crate::sound::measure::frequency;
use crate::sound::resample::{Frames, Resampler};
use crate::speaker::callback::Mark;
use rtrb::RingBuffer;
use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::FRAME_SAMPLES;

/// Frames that were written from this second on.
fn settled(outcome: &Outcome, from_s: f64) -> impl Iterator<Item = &Written> {
    outcome.frames.iter().filter(move |frame| frame.at_s > from_s)
}

fn silence(_: usize) -> [f32; FRAME_SAMPLES] {
    [0.0; FRAME_SAMPLES]
}

/// By how many millionths the line through all moments that were told is steeper than that through the true ones.
fn slope_ppm<'a>(frames: impl Iterator<Item = &'a Written>) -> f64 {
    let points: Vec<(f64, f64)> = frames.map(|frame| (frame.truth_s, frame.said_s - frame.truth_s)).collect();
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (xx, xy) = points.iter().fold((0.0, 0.0), |(xx, xy), p| (xx + (p.0 - x).powi(2), xy + (p.0 - x) * (p.1 - y)));
    xy / xx * 1e6
}

/// Largest error, in milliseconds.
fn worst_ms<'a>(frames: impl Iterator<Item = &'a Written>) -> f64 {
    frames.map(|frame| (frame.said_s - frame.truth_s).abs() * 1000.0).fold(0.0, f64::max)
}

#[test]
fn moments_are_true_to_a_millisecond_and_as_fast_as_the_devices_clock() {
    for ppm in [-200.0, -50.0, 0.0, 50.0, 200.0] {
        for period in [128, 441, 480, 512, 1024, 2048] {
            for knows_lateness in [true, false] {
                let device = Device { ppm, period, knows_lateness, ..Device::USUAL };
                let outcome = play(device, 80.0, silence);
                let (worst, slope) = (worst_ms(settled(&outcome, 5.0)), slope_ppm(settled(&outcome, 20.0)));
                println!("{device:?}: within {worst:.2} ms, {slope:.1} ppm, {} underruns", outcome.underruns);
                assert!(worst < 1.0, "{device:?}: {worst}");
                assert!(slope.abs() < 3.0, "{device:?}: {slope}");
            }
        }
    }
}

#[test]
fn a_device_that_takes_another_rate_than_it_says_is_soon_heard_at_the_right_pitch_and_moment() {
    for (told, takes) in [(48_000u32, 44_100u32), (44_100, 48_000), (48_000, 16_000), (16_000, 48_000)] {
        let ppm = (f64::from(takes) / f64::from(told) - 1.0) * 1e6;
        let period = (takes / 100) as usize;
        let device = Device { rate: told, ppm, period, ..Device::USUAL };
        let tone = |n: usize| std::array::from_fn(|i| 0.5 * (((n * FRAME_SAMPLES + i) % 96) as f32 / 96.0 * TAU).sin());
        let outcome = play(device, 30.0, tone);
        let last = &outcome.played[outcome.played.len() - takes as usize * 5..];
        let pitch = frequency(last, takes);
        assert!((pitch - 500.0).abs() < 1.0, "{told} {takes}: {pitch} Hz");
        let longest = outcome.frames.iter().map(|frame| frame.said_s - frame.at_s).fold(0.0, f64::max);
        assert!(longest < 1.0, "{told} {takes}: {longest} s");
        let worst = worst_ms(settled(&outcome, 15.0));
        assert!(worst < 2.0, "{told} {takes}: {worst} ms");
    }
}

#[test]
fn what_a_device_put_in_while_it_was_dry_moves_what_comes_after() {
    for (stall_s, period) in [(0.06, 128), (0.06, 480), (0.15, 480), (0.15, 1024), (0.2, 2048)] {
        let device = Device { stall_s, stall_every_s: 3.0, period, ppm: 100.0, ..Device::USUAL };
        let outcome = play(device, 40.0, silence);
        let wrong = settled(&outcome, 5.0).filter(|frame| (frame.said_s - frame.truth_s).abs() > 0.001).count();
        println!(
            "{device:?}: {} underruns, {wrong} frames wrong, {:.1} ms",
            outcome.underruns,
            worst_ms(settled(&outcome, 5.0))
        );
        assert!(outcome.underruns >= 10, "{}", outcome.underruns);
        assert_eq!(wrong, 0, "{device:?}");
    }
}

#[test]
fn a_click_is_heard_when_it_was_said_to_be_at_any_rate() {
    for rate in [8_000, 44_100, 48_000, 96_000] {
        let device = Device { rate, period: rate as usize / 100, ..Device::USUAL };
        let click = |n: usize| std::array::from_fn(|i| if n == 2000 && i == 0 { 0.9 } else { 0.0 });
        let outcome = play(device, 25.0, click);
        let loudest =
            outcome.played.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).expect("sound").0;
        let heard = device.latency_s + loudest as f64 / f64::from(rate);
        let said = outcome.frames[2000].said_s;
        println!("{rate}: said {said:.5}, heard {heard:.5}");
        assert!((heard - said).abs() < 0.001, "{rate}: said {said:.5}, heard {heard:.5}");
    }
}

#[test]
fn the_later_the_machine_the_more_is_queued_and_gaps_stay_rare() {
    // Latency is 20 ms when callbacks come; the rest is the queue.
    for (wake_s, late_s, most_ms) in
        [(0.0005, 0.001, 6.0), (0.003, 0.004, 9.0), (0.008, 0.004, 16.0), (0.015, 0.009, 26.0)]
    {
        for ppm in [-200.0, 100.0] {
            let device = Device { wake_s, late_s, ppm, ..Device::USUAL };
            let outcome = play(device, 120.0, silence);
            let queued = (outcome.delay_s - device.latency_s) * 1000.0;
            println!("{wake_s} {late_s} {ppm}: {queued:.1} ms, {} underruns", outcome.underruns);
            assert!(queued < most_ms, "{device:?}: {queued:.1} ms");
            assert!(outcome.underruns <= 6, "{device:?}: {}", outcome.underruns);
        }
    }
}

#[test]
fn devices_of_other_periods_queue_two_of_them_at_most() {
    for period in [128, 1024, 2048] {
        let device = Device { period, ..Device::USUAL };
        let outcome = play(device, 120.0, silence);
        let queued = (outcome.delay_s - device.latency_s) * 48_000.0;
        println!("{period}: {queued:.0} samples, {} underruns", outcome.underruns);
        assert!(queued < 1.5 * period as f64 + 960.0 && outcome.underruns == 0, "{period}: {queued}");
    }
}

#[test]
fn what_the_sound_server_missed_is_noticed_within_a_fifth_of_a_second() {
    for shift_s in [0.004, 0.02, 0.06] {
        for period in [128, 480, 1024] {
            let device = Device { shift_s, shift_at_s: 30.0, period, ppm: -50.0, ..Device::USUAL };
            let outcome = play(device, 60.0, silence);
            let wrong = settled(&outcome, 5.0).filter(|frame| (frame.said_s - frame.truth_s).abs() > 0.001).count();
            println!("{device:?}: {wrong} frames wrong");
            assert!(wrong <= 20, "{device:?}: {wrong}");
        }
    }
}

#[test]
fn what_a_sound_server_had_to_wait_for_is_known_from_the_callback_that_says_it_waits_no_more() {
    let start = Instant::now();
    let (to, mut from) = RingBuffer::new(48_000);
    let (mut tell, marks) = RingBuffer::new(256);
    let resampler = Resampler::new(48_000, Frames::In).expect("a rate within bounds");
    let mut feed = Feed::new(to, marks, 48_000, resampler, Arc::default(), start);
    let (period, waits) = (Duration::from_millis(10), Duration::from_millis(12));
    // How long it was dry, and by how much the callback that ends it is off.
    let (dry, dim) = (Duration::from_micros(7_300), Duration::from_micros(1_200));
    for n in 0..200u32 {
        let expected = start + period * n;
        // From here on it was dry for a while, and nothing is in its queue.
        let (came, heard) = match n {
            0..100 => (expected, expected + waits),
            100 => (expected + waits + dry - dim, expected + waits + dry - dim),
            _ => (expected + dry, expected + waits + dry),
        };
        feed.write(&[0.0; FRAME_SAMPLES]);
        from.read_chunk(480).expect("what was written").commit_all();
        let mark = Mark { first: u64::from(n) * 480, samples: 480, gaps: 0, left: 0, came, heard };
        tell.push(mark).expect("room");
        let said = feed.heard_at(came);
        let truth = expected + period + waits + if n < 100 { Duration::ZERO } else { dry };
        let wrong = said.max(truth) - said.min(truth);
        let allowed = if n < 100 { dim / 12 } else { dim / (n - 99).min(8) };
        assert!(wrong <= allowed + Duration::from_micros(1), "{n}: {wrong:?}");
    }
}
