//! Switching parts, and what happens when one fails.

use super::Frame;
use super::slot::{Context, Part, Slot, StandIn};
use std::time::Duration;
use visavis_media::FRAME_SAMPLES;

/// Gives half of what it hears, or a third.
struct Share(u8);

impl Part for Share {
    type Kind = u8;
    const STAND_IN: StandIn = StandIn::Through;

    fn build(kind: u8) -> Self {
        assert_ne!(kind, 99, "cannot be built");
        Self(kind)
    }

    fn kind(&self) -> u8 {
        self.0
    }

    fn delay(_: u8) -> Duration {
        Duration::ZERO
    }

    fn process(&mut self, frame: &mut Frame, _: &Context<'_>) {
        assert_ne!(frame[0], 0.125, "a frame that it cannot bear");
        frame.iter_mut().for_each(|s| *s /= f32::from(self.0));
    }
}

fn pass(slot: &mut Slot<Share>, frames: usize, level: f32) -> Vec<f32> {
    let reference = [0.0; FRAME_SAMPLES];
    let mut out = Vec::new();
    for _ in 0..frames {
        let mut frame = [level; FRAME_SAMPLES];
        slot.process(&mut frame, &Context { reference: &reference });
        out.extend(frame);
    }
    out
}

fn largest_step(sound: &[f32]) -> f32 {
    sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn switching_fades_within_40_ms_and_without_a_step() {
    let mut slot = Slot::<Share>::new(Some(2));
    let mut out = pass(&mut slot, 3, 0.6);
    assert_eq!(out[0], 0.3, "from the first sample");
    for (kind, level) in [(Some(3), 0.2), (None, 0.6), (Some(2), 0.3)] {
        slot.want(kind);
        out.extend(pass(&mut slot, 4, 0.6));
        assert!((out[out.len() - 1] - level).abs() < 1e-6, "{kind:?}");
    }
    assert!(largest_step(&out) < 0.002, "{}", largest_step(&out));
}

#[test]
fn after_a_panic_the_part_is_back_within_40_ms_without_a_step() {
    let mut slot = Slot::<Share>::new(Some(2));
    let mut out = pass(&mut slot, 2, 0.6);
    slot.panic_at = Some(0);
    out.extend(pass(&mut slot, 4, 0.6));
    assert_eq!((slot.failures(), out[out.len() - 1]), (1, 0.3));
    assert!(largest_step(&out) < 0.01, "{}", largest_step(&out));
    assert!(out.iter().all(|s| (0.1..=0.6).contains(s)));
}

#[test]
fn a_part_that_fails_again_and_again_rests_for_ten_seconds() {
    let mut slot = Slot::<Share>::new(Some(2));
    for _ in 0..500 {
        pass(&mut slot, 1, 0.125);
    }
    assert_eq!(slot.failures(), 3);
    let out = pass(&mut slot, 600, 0.6);
    assert_eq!((out[0], out[out.len() - 1]), (0.6, 0.3));
}

#[test]
fn a_part_that_cannot_be_built_leaves_the_sound_alone() {
    let mut slot = Slot::<Share>::new(Some(2));
    slot.want(Some(99));
    let out = pass(&mut slot, 10, 0.6);
    assert_eq!(slot.failures(), 1);
    assert!((out[out.len() - 1] - 0.6).abs() < 1e-6);
    assert!(pass(&mut Slot::new(Some(99)), 1, 0.6).iter().all(|s| (s - 0.6).abs() < 1e-6));
}
