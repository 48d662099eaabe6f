//! A camera and its encoder, made up: pictures of sizes that scatter around what the target allows.

use crate::rate::SharedTarget;
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};
use visavis_codec::rtp_h264::packetize;

/// As in a call: the payload of a packet, what its headers add to it, and the least that pictures get.
const MAX_PAYLOAD: usize = 1160;
const WITH_HEADERS: f64 = 1.08;
const LEAST: u32 = 20_000;
/// Pictures a second.
pub(super) const FPS: u32 = 30;
/// A keyframe is so much larger than other pictures.
const KEYFRAME: f64 = 5.0;

/// See the module's text.
pub(super) struct Camera {
    random: StdRng,
    begun: Instant,
    next: u32,
    /// How far the encoder is ahead of its rate, in seconds.
    debt: f64,
    /// What the scene needs at most.
    most: f64,
    pub(super) dropped: u32,
}

impl Camera {
    /// `most`: bits per second beyond which the scene does not get any better.
    pub(super) fn new(begun: Instant, most: f64, seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), begun, next: 0, debt: 0.0, most, dropped: 0 }
    }

    /// When the next picture is captured.
    pub(super) fn due(&self) -> Instant {
        self.begun + Duration::from_secs(1) * self.next / FPS
    }

    /// The packets of a picture; `None`: too much is made or waits already, and this one is left out.
    pub(super) fn picture(&mut self, target: &SharedTarget, keyframe: bool) -> Option<Vec<Bytes>> {
        let first = self.next == 0;
        self.next += 1;
        // Sound and repair go first.
        let left = target.get().0.saturating_sub(target.beside().0).max(LEAST);
        let rate = (f64::from(left) / WITH_HEADERS).min(self.most);
        let interval = 1.0 / f64::from(FPS);
        self.debt = (self.debt - interval).max(0.0);
        if self.debt > interval || target.backlog().as_secs_f64() > interval {
            self.dropped += 1;
            return None;
        }
        let keyframe = keyframe || first;
        let scatter = self.random.random_range(0.6..1.4) * if keyframe { KEYFRAME } else { 1.0 };
        let bytes = (rate * interval * scatter / 8.0) as usize;
        self.debt = (self.debt + bytes as f64 * 8.0 / rate).min(3.0 * interval);
        let mut unit = if keyframe { vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 5] } else { Vec::new() };
        unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
        unit.resize(unit.len() + bytes, 0x55);
        Some(packetize(&unit, MAX_PAYLOAD))
    }
}
