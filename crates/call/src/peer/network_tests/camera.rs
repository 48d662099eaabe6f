//! A camera and its encoder, made up: pictures of sizes that scatter around what a call's own rules ask for.

use crate::rate::{Due, Ladder, PictureBudget, SharedTarget};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};
use visavis_codec::rtp_h264::packetize;

/// As in a call: the payload of a packet.
const MAX_PAYLOAD: usize = 1160;
/// Pictures a second.
pub(super) const FPS: u32 = 30;
/// A keyframe is so much larger than other pictures.
const KEYFRAME: f64 = 5.0;
/// Bytes of the first picture and of those after it at most, while pictures are small; and for how long, if nothing is heard.
const FIRST: usize = 4_500;
const SMALL: usize = 900;
const UNTRIED: Duration = Duration::from_millis(500);

/// See the module's text.
pub(super) struct Camera {
    random: StdRng,
    begun: Instant,
    next: u32,
    /// It begins with small pictures.
    small: bool,
    budget: PictureBudget,
    /// How many pictures the rate suffices for; that their size follows it, too, is left out.
    ladder: Ladder,
    /// What the scene needs at most.
    most: f64,
    pub(super) dropped: u32,
}

impl Camera {
    /// `most`: bits per second beyond which the scene does not get any better.
    pub(super) fn new(begun: Instant, most: f64, seed: u64) -> Self {
        let (random, budget) = (StdRng::seed_from_u64(seed), PictureBudget::default());
        let ladder = Ladder::new(FPS as f32);
        Self { random, begun, next: 0, small: true, budget, ladder, most, dropped: 0 }
    }

    /// When the next picture is captured.
    pub(super) fn due(&self) -> Instant {
        self.begun + Duration::from_secs(1) * self.next / FPS
    }

    /// The packets of a picture; `None`: too much is made or waits already, and this one is left out.
    pub(super) fn picture(&mut self, target: &SharedTarget, keyframe: bool) -> Option<Vec<Bytes>> {
        let (first, captured) = (self.next == 0, self.due());
        self.next += 1;
        // Small until the path has been tried, as in a call.
        let untried = self.small && !target.tried() && captured - self.begun < UNTRIED;
        let fps = if untried { Some(FPS as f32) } else { self.ladder.update(captured, target.get()).fps };
        let interval = Duration::from_secs_f32(1.0 / fps?);
        match self.budget.due(captured, interval, target.backlog()) {
            Due::Encode => {}
            Due::Early => return None,
            Due::LeftOut => {
                self.dropped += 1;
                return None;
            }
        }
        let wire = PictureBudget::for_pictures(target);
        let rate = f64::from(self.budget.wish(wire, fps?).0).min(self.most);
        let grows = self.small && !untried;
        self.small &= !grows;
        let keyframe = keyframe || first || grows;
        let scatter = self.random.random_range(0.6..1.4) * if keyframe { KEYFRAME } else { 1.0 };
        let bytes = (rate * interval.as_secs_f64() * scatter / 8.0) as usize;
        let bytes = if self.small { bytes.min(if keyframe { FIRST } else { SMALL }) } else { bytes };
        self.budget.made(bytes, keyframe, wire, interval);
        let mut unit = if keyframe { vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 5] } else { Vec::new() };
        unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
        unit.resize(unit.len() + bytes, 0x55);
        Some(packetize(&unit, MAX_PAYLOAD))
    }
}
