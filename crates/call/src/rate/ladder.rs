//! From the target rate to the size and frame rate of what is encoded.

use visavis_media::{BitsPerSecond, Size};

/// What to encode.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Step {
    /// Pixels at most.
    pub max_pixels: usize,
    /// Frames per second at most.
    pub fps: f32,
}

/// Rungs, widest first: pixels, and the rate from which they are worth having.
const RUNGS: [(usize, u32); 5] =
    [(1280 * 720, 600), (960 * 540, 380), (640 * 360, 200), (480 * 270, 120), (320 * 180, 0)];
/// A wider rung is taken only when the target is this much above its rate…
const UP_MARGIN: f64 = 1.25;
/// …this many updates in a row, so that the picture does not pump.
const UP_PATIENCE: u32 = 60;

/// Chooses the rung for a target: down at once, up carefully.
#[derive(Debug)]
pub(crate) struct Ladder {
    rung: usize,
    above: u32,
    max_fps: f32,
}

impl Ladder {
    pub(crate) fn new(max_fps: f32) -> Self {
        Self { rung: 0, above: 0, max_fps }
    }

    /// Once for each picture.
    pub(crate) fn update(&mut self, target: BitsPerSecond) -> Step {
        let kbps = target.as_kilo();
        while self.rung + 1 < RUNGS.len() && kbps < f64::from(RUNGS[self.rung].1) {
            self.rung += 1;
            self.above = 0;
        }
        if self.rung > 0 && kbps > f64::from(RUNGS[self.rung - 1].1) * UP_MARGIN {
            self.above += 1;
            if self.above >= UP_PATIENCE {
                self.rung -= 1;
                self.above = 0;
            }
        } else {
            self.above = 0;
        }
        // Below 100 kb/s few pictures of fair quality are better than many of none.
        let fps = if kbps < 100.0 { self.max_fps.min(10.0) } else { self.max_fps };
        let max_pixels = if self.rung == 0 { Size::MAX_SIDE.pow(2) as usize } else { RUNGS[self.rung].0 };
        Step { max_pixels, fps }
    }

    /// Whether less than the full size is sent for want of bandwidth.
    pub(crate) fn limited(&self) -> bool {
        self.rung > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_rate_lowers_the_size_at_once_and_a_rising_one_raises_it_with_patience() {
        let mut ladder = Ladder::new(30.0);
        assert!(ladder.update(BitsPerSecond::kilo(1000)).max_pixels >= 1280 * 720);
        assert_eq!(ladder.update(BitsPerSecond::kilo(300)).max_pixels, 640 * 360);
        assert_eq!(ladder.update(BitsPerSecond::kilo(1000)).max_pixels, 640 * 360);
        for _ in 0..UP_PATIENCE {
            ladder.update(BitsPerSecond::kilo(1000));
        }
        assert_eq!(ladder.update(BitsPerSecond::kilo(1000)).max_pixels, 960 * 540);
    }

    #[test]
    fn a_rate_at_a_rungs_edge_does_not_pump() {
        let mut ladder = Ladder::new(30.0);
        ladder.update(BitsPerSecond::kilo(590));
        let sizes: std::collections::HashSet<_> =
            (0..1000).map(|i| ladder.update(BitsPerSecond::kilo(590 + i % 20)).max_pixels).collect();
        assert_eq!(sizes.len(), 1);
    }

    #[test]
    fn very_low_rates_show_few_pictures() {
        assert_eq!(Ladder::new(30.0).update(BitsPerSecond::kilo(80)).fps, 10.0);
    }
}
