//! Devices of every kind, honest or not, in emulated time.

use super::*;
use crate::microphone::tap::{Tap, tap};
use crate::sound::measure::frequency;
use proptest::prelude::*;
use std::f32::consts::TAU;

const MS: Duration = Duration::from_millis(1);
const PITCH: f32 = 500.0;

/// A device that says one rate and gives another.
struct Device {
    tap: Tap,
    intake: Intake,
    faults: Arc<Faults>,
    start: Instant,
    now: Instant,
    channels: usize,
    gives: f64,
    /// Samples given so far, of each channel.
    given: u64,
}

impl Device {
    fn new(told: u32, gives: f64, channels: usize) -> Self {
        let (faults, start) = (Arc::new(Faults::default()), Instant::now() + 10_000 * MS);
        let (tap, outlet) = tap(channels, told, &faults);
        let intake = Intake::new(outlet, channels, told, faults.clone(), start).expect("a rate within bounds");
        Self { tap, intake, faults, start, now: start, channels, gives, given: 0 }
    }

    /// Gives a tone for so long in pieces of `piece`, read every 10 ms; the frames that came.
    fn runs(&mut self, span: Duration, piece: Duration) -> Vec<AudioFrame> {
        let (end, mut frames, mut next) = (self.now + span, Vec::new(), self.now + piece);
        while self.now < end {
            self.now += 10 * MS;
            while next <= self.now {
                let due = (self.gives * (next - self.start).as_secs_f64()) as u64;
                let tone = |n: u64| 0.5 * (TAU * (f64::from(PITCH) * n as f64 / self.gives).fract() as f32).sin();
                let sound: Vec<f32> = (self.given..due).flat_map(|n| vec![tone(n); self.channels]).collect();
                self.given = due;
                self.tap.take(&sound, piece, next);
                next += piece;
            }
            frames.extend(std::iter::from_fn(|| self.intake.read(self.now)));
        }
        frames
    }
}

fn pitch(frames: &[AudioFrame]) -> f32 {
    let sound: Vec<f32> = frames.iter().flat_map(|frame| frame.samples).collect();
    frequency(&sound, 48_000)
}

fn loudest(frames: &[AudioFrame]) -> f32 {
    frames.iter().flat_map(|frame| frame.samples).fold(0.0, |most, s| s.abs().max(most))
}

#[test]
fn every_rate_and_number_of_channels_gives_the_same_sound_in_its_time() {
    for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000] {
        for channels in [1, 2, 3, 6, 8] {
            let mut device = Device::new(rate, f64::from(rate), channels);
            let frames = device.runs(2000 * MS, 10 * MS);
            assert!((195..=200).contains(&frames.len()), "{rate} {channels}: {}", frames.len());
            assert!((pitch(&frames[20..]) - PITCH).abs() < 1.0, "{rate} {channels}");
            assert!((0.47..0.53).contains(&loudest(&frames[20..])), "{rate} {channels}");
            assert_eq!(device.faults.counters(), crate::Counters::default());
            let late = device.now.saturating_duration_since(frames.last().expect("some").at);
            assert!(late < 60 * MS, "{rate} {channels}: {late:?}");
        }
    }
}

#[test]
fn a_device_that_lies_about_its_rate_is_soon_heard_at_the_right_pitch_and_in_time() {
    for (told, gives) in
        [(48_000, 44_100.0), (44_100, 48_000.0), (48_000, 16_000.0), (16_000, 48_000.0), (48_000, 96_000.0)]
    {
        let mut device = Device::new(told, gives, 2);
        let before = device.runs(12_000 * MS, 10 * MS);
        assert!(before.len() <= 1200 * 102 / 100 + 25, "{told} {gives}: {} frames", before.len());
        let after = device.runs(20_000 * MS, 10 * MS);
        assert!((1995..=2005).contains(&after.len()), "{told} {gives}: {} frames in 20 s", after.len());
        assert!((pitch(&after) - PITCH).abs() < 2.0, "{told} {gives}: {}", pitch(&after));
        let late = device.now.saturating_duration_since(after.last().expect("some").at);
        assert!(late < 150 * MS, "{told} {gives}: {late:?}");
    }
}

#[test]
fn a_rate_between_the_real_ones_keeps_its_delay_bounded_all_the_same() {
    for gives in [40_000.0, 46_000.0, 55_000.0, 300_000.0] {
        let mut device = Device::new(48_000, gives, 1);
        let frames = device.runs(30_000 * MS, 10 * MS);
        assert!(frames.len() <= 3_000 * 102 / 100 + 25, "{gives}: {}", frames.len());
        let late = frames.iter().rev().take(100).map(|frame| device.now.saturating_duration_since(frame.at)).min();
        assert!(late.is_some_and(|late| late < 400 * MS), "{gives}: {late:?}");
        assert!(device.tap_queue() <= 48_000 * 3 / 10, "{gives}: {}", device.tap_queue());
    }
}

impl Device {
    fn tap_queue(&self) -> usize {
        self.intake.outlet.samples.slots()
    }
}

#[test]
fn what_is_no_number_is_silence_and_what_is_too_loud_is_cut_off() {
    for rate in [48_000, 44_100, 8_000] {
        let mut device = Device::new(rate, f64::from(rate), 1);
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e-45, -0.0, 3.0];
        for n in 0..200u32 {
            let piece: Vec<f32> = bad.iter().copied().cycle().take(rate as usize / 100).collect();
            device.now = device.start + 10 * MS * n;
            device.tap.take(&piece, 10 * MS, device.now);
            while let Some(frame) = device.intake.read(device.now) {
                assert!(frame.samples.iter().all(|s| s.is_finite() && s.abs() <= 1.0), "{rate}");
            }
        }
        // It leaves no trace in what comes after.
        (device.start, device.given) = (device.now, 0);
        let after = device.runs(1000 * MS, 10 * MS);
        assert!((pitch(&after[10..]) - PITCH).abs() < 1.0 && loudest(&after[10..]) < 0.55, "{rate}");
    }
}

#[test]
fn a_device_that_nobody_reads_for_a_while_goes_on_with_the_present() {
    let mut device = Device::new(48_000, 48_000.0, 2);
    device.runs(1000 * MS, 10 * MS);
    for n in 0..300u32 {
        device.tap.take(&[0.25f32; 960], 10 * MS, device.now + 10 * MS * n);
    }
    device.now += 3000 * MS;
    let frames: Vec<AudioFrame> = std::iter::from_fn(|| device.intake.read(device.now)).collect();
    assert!(frames.len() <= 20 && device.faults.counters().overruns > 0, "{} frames", frames.len());
}

proptest! {
    /// Whatever a driver hands over: pieces of any length, whole frames or not, at any moments.
    #[test]
    fn pieces_of_any_length_at_any_moment_do_no_harm(
        told in prop::sample::select(vec![8_000u32, 44_100, 48_000, 192_000]),
        channels in 1usize..=8,
        pieces in prop::collection::vec((0usize..40_000, 0u32..300, any::<bool>(), any::<f32>()), 1..60),
    ) {
        let mut device = Device::new(told, f64::from(told), channels);
        for (length, later, reads, value) in pieces {
            device.now += MS * later;
            device.tap.take(&vec![value; length], MS * later, device.now);
            if reads {
                let mut count = 0;
                while let Some(frame) = device.intake.read(device.now) {
                    prop_assert!(frame.samples.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
                    count += 1;
                }
                prop_assert!(count <= 25, "{count} frames at once");
            }
        }
    }
}

#[test]
fn callbacks_that_come_at_once_tell_one_moment_and_the_next_frame_is_expected_after_all_of_them() {
    let mut device = Device::new(48_000, 48_000.0, 1);
    let (mut first, mut worst) = (0, Duration::ZERO);
    for n in 1..3000u32 {
        // What was captured in the last 10 ms, in two or three pieces whose borders wander; all tell the age of the first.
        device.now = device.start + 10 * MS * n;
        let border = 1 + (n as usize / 7) % 470;
        for piece in [border, 475 - border, 5] {
            device.tap.take(&vec![0.25f32; piece], 10 * MS, device.now + n % 3 * MS / 50);
        }
        while let Some(frame) = device.intake.read(device.now + MS) {
            let captured = device.start + Duration::from_secs_f64(f64::from(first) / 48_000.0);
            worst = worst.max(frame.at.max(captured) - frame.at.min(captured));
            first += 480;
        }
        let next = device.intake.next_at().expect("a callback came");
        assert!(n < 2 || next.saturating_duration_since(device.now + 10 * MS) < MS / 5, "{n}");
        assert!(n < 2 || next >= device.now + 10 * MS, "{n}");
    }
    assert!(worst < MS / 5 && first == 480 * 2999, "{worst:?} {first}");
}
