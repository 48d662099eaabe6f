//! From the target rate to the size and frame rate of what is encoded.
//!
//! Down soon, but not at once: while a queue is drained the target is low for a moment, and a change of size costs a
//! keyframe. Up only when the target has carried the wider picture for a while, and the longer the more often that
//! failed. Contains no I/O and reads no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::{BitsPerSecond, Size};

/// What to encode.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Step {
    /// Pixels at most.
    pub max_pixels: usize,
    /// Frames per second at most; `None`: no pictures, the rate suffices for sound only.
    pub fps: Option<f32>,
}

/// Rungs, widest first: pixels, and the rate from which they are worth having, in kb/s on the wire, with the sound.
const RUNGS: [(usize, f64); 5] =
    [(1280 * 720, 600.0), (960 * 540, 380.0), (640 * 360, 230.0), (480 * 270, 150.0), (320 * 180, 0.0)];
/// Below these many kb/s, pictures come at most this often: few of fair quality are better than many of none.
const SLOWER: [(f64, f32); 3] = [(100.0, 4.0), (130.0, 10.0), (160.0, 15.0)];
/// Below the first there are no pictures, from the second on there are again.
const SOUND_ONLY: (f64, f64) = (60.0, 80.0);
/// The target has to be too low for this long.
const DOWN: Duration = Duration::from_millis(800);
/// A wider rung is taken only when the target is this much above its rate…
const UP_MARGIN: f64 = 1.2;
/// …for this long, and when a wider one was left again soon, for longer, up to…
const UP: Duration = Duration::from_secs(2);
const LONGEST_UP: Duration = Duration::from_secs(16);
/// …where "soon" is less than this.
const SOON: Duration = Duration::from_secs(10);
/// Pictures that are hard to encode take more: for this long their rungs need this much more, once…
const HARD_FOR: Duration = Duration::from_secs(20);
const HARD: f64 = 1.6;
/// …over this long, this share of the pictures had to be left out.
const HARD_WINDOW: Duration = Duration::from_secs(2);
const HARD_SHARE: f64 = 0.25;

/// Chooses the rung for a target.
#[derive(Debug)]
pub(crate) struct Ladder {
    rung: usize,
    sound_only: bool,
    max_fps: f32,
    /// Targets of the last [`LONGEST_UP`], in kb/s, one per [`SPAN`].
    recent: VecDeque<(Instant, f64, f64)>,
    changed: Option<Instant>,
    went_up: Option<Instant>,
    patience: Duration,
    /// Of the last [`HARD_WINDOW`]: when, and whether it was left out.
    pictures: VecDeque<(Instant, bool)>,
    hard_until: Option<(usize, Instant)>,
}

/// Targets within this time are kept as their least and greatest.
const SPAN: Duration = Duration::from_millis(100);
/// Pictures that are counted at most.
const MAX_PICTURES: usize = 256;

impl Ladder {
    pub(crate) fn new(max_fps: f32) -> Self {
        Self {
            rung: 0,
            sound_only: false,
            max_fps,
            recent: VecDeque::new(),
            changed: None,
            went_up: None,
            patience: UP,
            pictures: VecDeque::new(),
            hard_until: None,
        }
    }

    /// A picture was encoded, or left out because too much had been made.
    pub(crate) fn picture(&mut self, now: Instant, left_out: bool) {
        self.pictures.push_back((now, left_out));
        while self.pictures.len() > MAX_PICTURES
            || self.pictures.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > HARD_WINDOW)
        {
            self.pictures.pop_front();
        }
    }

    fn needed(&self, now: Instant, rung: usize) -> f64 {
        let hard = self.hard_until.is_some_and(|(hard, until)| rung <= hard && now < until);
        RUNGS[rung].1 * if hard { HARD } else { 1.0 }
    }

    /// The widest rung from that one down that so much suffices for.
    fn fitting(&self, now: Instant, from: usize, kbps: f64) -> usize {
        (from..RUNGS.len()).find(|rung| kbps >= self.needed(now, *rung)).unwrap_or(RUNGS.len() - 1)
    }

    fn note(&mut self, now: Instant, kbps: f64) {
        match self.recent.back_mut() {
            Some((at, least, most)) if now.saturating_duration_since(*at) < SPAN => {
                (*least, *most) = (least.min(kbps), most.max(kbps));
            }
            _ => self.recent.push_back((now, kbps, kbps)),
        }
        while self.recent.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) > LONGEST_UP + SPAN) {
            self.recent.pop_front();
        }
    }

    /// Least and greatest target of the last `window`; `None` where that is not known yet.
    fn extremes(&self, now: Instant, window: Duration) -> Option<(f64, f64)> {
        let from = now.checked_sub(window)?;
        self.recent.front().filter(|(at, ..)| *at <= from)?;
        let within = self.recent.iter().rev().take_while(|(at, ..)| *at + SPAN >= from);
        Some(within.fold((f64::INFINITY, 0.0), |(l, m), (_, least, most)| (l.min(*least), f64::max(m, *most))))
    }

    fn change(&mut self, now: Instant, rung: usize) {
        if rung < self.rung {
            self.went_up = Some(now);
        } else {
            let soon = self.went_up.is_some_and(|at| now.saturating_duration_since(at) < SOON);
            self.patience = if soon { (self.patience * 2).min(LONGEST_UP) } else { UP };
        }
        (self.rung, self.changed) = (rung, Some(now));
        self.pictures.clear();
    }

    /// Once for each picture that could be encoded.
    pub(crate) fn update(&mut self, now: Instant, target: BitsPerSecond) -> Step {
        let kbps = target.as_kilo();
        if self.recent.is_empty() {
            // There is no picture yet that would change its size.
            self.rung = self.fitting(now, 0, kbps);
        }
        self.note(now, kbps);
        if let Some((_, most)) = self.extremes(now, DOWN) {
            let lower = self.fitting(now, self.rung, most);
            if lower > self.rung {
                self.change(now, lower);
            }
            self.sound_only |= most < SOUND_ONLY.0;
        }
        self.look_for_hard_pictures(now);
        if let Some((least, _)) = self.extremes(now, self.patience) {
            let settled = self.changed.is_none_or(|at| now.saturating_duration_since(at) >= self.patience);
            let higher = (0..self.rung).find(|rung| least > self.needed(now, *rung) * UP_MARGIN);
            if let Some(higher) = higher.filter(|_| settled) {
                self.change(now, higher);
            }
        }
        if self.sound_only && self.extremes(now, UP).is_some_and(|(least, _)| least >= SOUND_ONLY.1) {
            self.sound_only = false;
        }
        let slower = SLOWER.iter().find(|(below, _)| kbps < *below).map_or(self.max_fps, |(_, fps)| *fps);
        let max_pixels = if self.rung == 0 { Size::MAX_SIDE.pow(2) as usize } else { RUNGS[self.rung].0 };
        Step { max_pixels, fps: (!self.sound_only).then_some(self.max_fps.min(slower)) }
    }

    fn look_for_hard_pictures(&mut self, now: Instant) {
        let long =
            self.pictures.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > HARD_WINDOW * 3 / 4);
        let left_out = self.pictures.iter().filter(|(_, left_out)| *left_out).count() as f64;
        if long && left_out > HARD_SHARE * self.pictures.len() as f64 && self.rung + 1 < RUNGS.len() {
            self.hard_until = Some((self.rung, now + HARD_FOR));
            self.change(now, self.rung + 1);
        }
    }

    /// Whether less than everything is sent for want of bandwidth.
    pub(crate) fn limited(&self) -> bool {
        self.rung > 0 || self.sound_only
    }

    /// Whether there is room for sound only.
    pub(crate) fn sound_only(&self) -> bool {
        self.sound_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Time(Ladder, Instant);

    impl Time {
        fn new() -> Self {
            Self(Ladder::new(30.0), Instant::now())
        }

        /// Each picture's step over so many seconds, at the target for each.
        fn pass(&mut self, seconds: f64, kbps: impl Fn(u32) -> u32) -> Vec<Step> {
            let one = |i| {
                self.1 += Duration::from_secs(1) / 30;
                self.0.update(self.1, BitsPerSecond::kilo(kbps(i)))
            };
            (0..(seconds * 30.0) as u32).map(one).collect()
        }

        fn at(&mut self, seconds: f64, kbps: u32) -> Step {
            self.pass(seconds, |_| kbps).pop().expect("some")
        }
    }

    #[test]
    fn a_falling_rate_lowers_the_size_within_a_second_and_a_rising_one_raises_it_after_two() {
        let mut time = Time::new();
        assert!(time.at(3.0, 1000).max_pixels >= 1280 * 720);
        assert_eq!(time.at(1.0, 300).max_pixels, 640 * 360);
        assert_eq!(time.at(1.8, 1000).max_pixels, 640 * 360);
        assert!(time.at(0.4, 1000).max_pixels >= 1280 * 720);
    }

    #[test]
    fn the_first_target_decides_at_once() {
        for (kbps, pixels) in [(250, 640 * 360), (400, 960 * 540), (90, 320 * 180)] {
            assert_eq!(Time::new().at(0.04, kbps).max_pixels, pixels);
        }
        assert!(Time::new().at(0.04, 800).max_pixels >= 1280 * 720);
    }

    #[test]
    fn a_moment_of_draining_a_queue_changes_no_size() {
        let mut time = Time::new();
        let steps = time.pass(20.0, |i| if i % 150 >= 130 { 150 } else { 900 });
        assert!(steps.iter().all(|step| step.max_pixels >= 1280 * 720 || step.fps != Some(30.0)));
        assert!(steps.iter().all(|step| step.max_pixels >= 1280 * 720));
    }

    #[test]
    fn a_rate_at_a_rungs_edge_does_not_pump() {
        let mut time = Time::new();
        time.at(2.0, 500);
        let sizes: std::collections::HashSet<_> =
            time.pass(60.0, |i| 590 + i % 130).iter().map(|step| step.max_pixels).collect();
        assert_eq!(sizes.len(), 1);
    }

    #[test]
    fn a_rate_that_comes_and_goes_is_followed_less_and_less_often() {
        let mut time = Time::new();
        let steps = time.pass(120.0, |i| if i % 180 < 120 { 1000 } else { 400 });
        let changes = steps.windows(2).filter(|w| w[0].max_pixels != w[1].max_pixels).count();
        assert!(changes < 12, "{changes} changes");
    }

    #[test]
    fn very_low_rates_show_few_pictures_and_the_lowest_none_until_there_is_room_again() {
        let mut time = Time::new();
        assert_eq!(time.at(2.0, 90), Step { max_pixels: 320 * 180, fps: Some(4.0) });
        assert_eq!(time.at(2.0, 55).fps, None);
        assert!(time.0.sound_only() && time.0.limited());
        assert_eq!(time.at(5.0, 70).fps, None);
        assert_eq!(time.at(3.0, 85).fps, Some(4.0));
    }

    #[test]
    fn pictures_that_are_hard_to_encode_are_made_smaller_for_a_while() {
        let mut time = Time::new();
        let mut widths = Vec::new();
        for i in 0..30 * 60u32 {
            let step = time.at(0.034, 700);
            // At full size every other picture is too much.
            time.0.picture(time.1, step.max_pixels > 1280 * 720 - 1 && i % 2 == 0);
            widths.push(step.max_pixels);
        }
        let full = widths.iter().filter(|pixels| **pixels >= 1280 * 720).count();
        assert!(widths[75] == 960 * 540 && full < widths.len() / 4, "{full} of {}", widths.len());
    }
}
