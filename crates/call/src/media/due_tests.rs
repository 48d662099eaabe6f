use super::*;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// One picture: filmed, whole, shown; milliseconds.
#[derive(Clone, Copy, Debug)]
struct Seen {
    filmed: f64,
    whole: f64,
    shown: f64,
}

impl Seen {
    fn waited(&self) -> f64 {
        self.shown - self.whole
    }

    fn latency(&self) -> f64 {
        self.shown - self.filmed
    }
}

/// Pictures through an emulated network that keeps their order.
struct Path {
    start: Instant,
    first: u32,
    rule: DueTimes,
    /// Parts per million by which the sender's clock is slow.
    drift: f64,
    last: f64,
    seen: Vec<Seen>,
}

impl Path {
    fn new() -> Self {
        let (start, rule) = (Instant::now() + Duration::from_secs(100), DueTimes::default());
        Self { start, first: u32::MAX - 90_000 * 7, rule, drift: 0.0, last: 0.0, seen: Vec::new() }
    }

    fn at(&self, ms: f64) -> Instant {
        self.start + Duration::from_micros((ms * 1000.0) as u64)
    }

    fn picture(&mut self, filmed: f64, delay: f64, repaired: bool, sound: Option<f64>) -> Seen {
        let clock = filmed * (1.0 - self.drift * 1e-6);
        let ticks = RtpTicks(self.first.wrapping_add((clock * 90.0) as u32));
        self.last = self.last.max(filmed + delay);
        let (whole, sound) = (self.at(self.last), sound.map(|later| self.at(filmed + later)));
        let due = self.rule.picture(ticks, whole, repaired, sound);
        let shown = self.last + (due - whole).as_secs_f64() * 1000.0;
        let seen = Seen { filmed, whole: self.last, shown };
        self.seen.push(seen);
        seen
    }

    /// From one second to another, so many a second.
    fn run(&mut self, seconds: std::ops::Range<f64>, fps: f64, mut delay: impl FnMut(f64) -> f64) -> Vec<Seen> {
        let count = ((seconds.end - seconds.start) * fps).round() as u32;
        let times = (0..count).map(|i| (seconds.start + f64::from(i) / fps) * 1000.0);
        times.map(|filmed| self.picture(filmed, delay(filmed), false, None)).collect()
    }
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count().max(1) as f64
}

fn waited(seen: &[Seen]) -> f64 {
    mean(seen.iter().map(Seen::waited))
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MIN, f64::max)
}

/// Standard deviation of the intervals between moments.
fn unevenness(moments: &[f64]) -> f64 {
    let intervals: Vec<f64> = moments.windows(2).map(|w| w[1] - w[0]).collect();
    let usual = mean(intervals.iter().copied());
    mean(intervals.iter().map(|i| (i - usual).powi(2))).sqrt()
}

fn uniform(seed: u64, spread: f64) -> impl FnMut(f64) -> f64 {
    let mut random = StdRng::seed_from_u64(seed);
    move |_| 20.0 + random.random_range(0.0..=spread)
}

#[test]
fn a_calm_path_costs_no_wait_at_all() {
    for (seed, spread) in [(1, 0.0), (2, 5.0), (3, 9.0)] {
        let mut path = Path::new();
        let seen = path.run(0.0..20.0, 30.0, uniform(seed, spread));
        assert!(most(seen.iter().map(Seen::waited)) < 0.5, "{spread} ms of jitter");
    }
}

#[test]
fn under_jitter_pictures_are_shown_evenly_at_no_more_than_its_cost() {
    for (seed, spread) in [(1, 20.0), (2, 60.0), (3, 160.0)] {
        let mut path = Path::new();
        let seen = &path.run(0.0..40.0, 30.0, uniform(seed, spread))[100..];
        let whole: Vec<f64> = seen.iter().map(|s| s.whole).collect();
        let shown: Vec<f64> = seen.iter().map(|s| s.shown).collect();
        let (came, went) = (unevenness(&whole), unevenness(&shown));
        let latency = most(seen.iter().map(Seen::latency));
        println!(
            "{spread} ms: intervals vary by {came:.1} as they come, {went:.1} as shown; at most {latency:.0} ms late"
        );
        assert!(went < 0.55 * came || went < 7.0, "{spread} ms: {came:.1} became {went:.1}");
        assert!(latency < 20.0 + spread + 5.0, "{spread} ms: {latency:.0}");
        let late = seen.iter().filter(|s| s.waited() < 0.1).count();
        assert!(spread < 30.0 || late * 2 < seen.len(), "{spread} ms: {late} of {} shown as they came", seen.len());
    }
}

#[test]
fn jitter_is_learnt_within_two_seconds_and_forgotten_unseen() {
    let mut path = Path::new();
    path.run(0.0..5.0, 30.0, uniform(1, 0.0));
    path.run(5.0..7.0, 30.0, uniform(2, 60.0));
    assert!(path.rule.hold() > Duration::from_millis(25), "{:?}", path.rule.hold());
    path.run(7.0..15.0, 30.0, uniform(3, 60.0));
    let after = path.run(15.0..25.0, 30.0, uniform(4, 0.0));
    assert!(waited(&after[210..]) < 3.0, "{} ms after seven seconds of calm", waited(&after[210..]));
    let steps = after[30..].windows(2).map(|w| (w[1].shown - w[0].shown - 1000.0 / 30.0).abs());
    assert!(most(steps) < 5.0, "pictures were seen to hurry");
}

#[test]
fn rare_spikes_and_slow_keyframes_are_shown_late_and_hold_nothing_back() {
    let mut path = Path::new();
    let seen = path.run(0.0..60.0, 30.0, |at| if (at as u64 / 33).is_multiple_of(150) { 140.0 } else { 20.0 });
    assert!(waited(&seen) < 1.0, "{}", waited(&seen));
}

#[test]
fn a_queue_that_grows_and_drains_is_no_jitter() {
    let mut path = Path::new();
    let triangle = |at: f64| 20.0 + (600.0 - (at - 10_000.0).abs() * 0.3).max(0.0);
    let seen = path.run(0.0..20.0, 30.0, triangle);
    let late: Vec<Seen> = seen.iter().copied().filter(|s| s.filmed > 10_000.0).collect();
    assert!(waited(&seen) < 15.0 && most(late.iter().map(Seen::waited)) <= 200.0, "{}", waited(&seen));
    assert!(waited(&late[100..]) < 4.0, "{}", waited(&late[100..]));
}

#[test]
fn a_path_that_becomes_longer_or_shorter_is_followed() {
    for (before, after) in [(20.0, 120.0), (120.0, 20.0), (20.0, 520.0), (520.0, 20.0)] {
        let mut path = Path::new();
        path.run(0.0..10.0, 30.0, |_| before);
        let changed = path.run(10.0..20.0, 30.0, |_| after);
        assert!(most(changed.iter().map(Seen::waited)) <= 200.0);
        assert!(waited(&changed[120..]) < 3.0, "{before} to {after}: {}", waited(&changed[120..]));
    }
}

#[test]
fn clocks_that_drift_apart_change_nothing() {
    for drift in [200.0, -200.0] {
        let mut path = Path::new();
        path.drift = drift;
        let seen = path.run(0.0..600.0, 30.0, uniform(5, 3.0));
        assert!(most(seen.iter().map(Seen::waited)) < 0.5);
        let mut jittery = Path::new();
        jittery.drift = drift;
        let seen = &jittery.run(0.0..600.0, 30.0, uniform(6, 60.0))[300..];
        assert!(most(seen.iter().map(Seen::latency)) < 86.0 && waited(seen) < 45.0, "{}", waited(seen));
    }
}

#[test]
fn another_frame_rate_is_no_jitter_and_jitter_is_known_at_each() {
    let mut path = Path::new();
    for (from, fps) in [(0.0, 30.0), (10.0, 10.0), (20.0, 30.0), (30.0, 60.0), (40.0, 5.0)] {
        let seen = path.run(from..from + 10.0, fps, uniform(7, 4.0));
        assert!(most(seen.iter().map(Seen::waited)) < 0.5, "{fps} fps");
    }
    let mut path = Path::new();
    for (from, fps) in [(0.0, 30.0), (20.0, 10.0), (40.0, 30.0)] {
        let seen = path.run(from..from + 20.0, fps, uniform(8, 80.0));
        let known = &seen[seen.len() / 2..];
        assert!(waited(known) > 12.0 && most(known.iter().map(Seen::latency)) < 105.0, "{fps} fps: {}", waited(known));
    }
}

#[test]
fn after_the_picture_was_off_the_first_ones_are_not_held_back() {
    let mut path = Path::new();
    path.run(0.0..10.0, 30.0, uniform(9, 2.0));
    path.picture(70_000.0, 90.0, false, None);
    let seen = path.run(70.04..75.0, 30.0, uniform(10, 2.0));
    assert!(most(seen.iter().map(Seen::waited)) < 3.0, "the slow keyframe became the measure");
}

#[test]
fn timestamps_that_jump_or_stand_still_cost_at_most_the_limit_for_a_moment() {
    for jump in [90_000 * 60, 90_000 * 2, 0u32.wrapping_sub(90_000 * 3), 1 << 31] {
        let mut path = Path::new();
        path.run(0.0..10.0, 30.0, uniform(11, 4.0));
        path.first = path.first.wrapping_add(jump);
        let seen = path.run(10.0..20.0, 30.0, uniform(12, 4.0));
        assert!(most(seen.iter().map(Seen::waited)) <= 200.0);
        assert!(waited(&seen[60..]) < 2.0, "{jump}: {}", waited(&seen[60..]));
    }
}

#[test]
fn a_stall_of_ten_seconds_teaches_nothing() {
    let mut path = Path::new();
    path.run(0.0..10.0, 30.0, uniform(13, 2.0));
    // Everything of ten seconds comes at once.
    let burst = path.run(10.0..20.0, 30.0, |at| 20_000.0 - at);
    let after = path.run(20.0..30.0, 30.0, uniform(14, 2.0));
    assert!(waited(&burst) < 3.0 && waited(&after) < 3.0, "{} {}", waited(&burst), waited(&after));
}

#[test]
fn frequent_quick_repairs_go_unseen_and_slow_ones_hold_nothing_back() {
    for (repair, goes_unseen) in [(30.0, true), (80.0, false), (200.0, false)] {
        let mut path = Path::new();
        let mut seen = Vec::new();
        for i in 0..600u32 {
            let repaired = i % 14 == 5;
            let delay = if repaired { 20.0 + repair } else { 20.0 };
            // Those behind are whole, and only wait for their turn.
            path.last = 0.0;
            seen.push(path.picture(f64::from(i) * 100.0 / 3.0, delay, repaired, None));
        }
        let shown: Vec<f64> = seen[200..].iter().map(|s| s.shown).collect();
        let wait = waited(&seen[200..]);
        if goes_unseen {
            assert!(unevenness(&shown) < 5.0 && wait < 25.0, "{repair} ms: {wait}");
        } else {
            assert!(wait < 1.0, "{repair} ms: {wait}");
        }
    }
}

#[test]
fn for_the_sound_pictures_are_held_back_in_steps_that_nobody_sees() {
    let mut path = Path::new();
    let film = |path: &mut Path, pictures: std::ops::Range<u32>, sound: Option<f64>| -> Vec<Seen> {
        pictures.map(|i| path.picture(f64::from(i) * 100.0 / 3.0, 20.0, false, sound)).collect()
    };
    let before = film(&mut path, 0..100, None);
    assert!(waited(&before) < 0.1);
    let held = film(&mut path, 100..300, Some(60.0));
    assert!(held.windows(2).all(|w| (-0.01..1.2).contains(&(w[1].waited() - w[0].waited()))));
    assert!(held[80..].iter().all(|s| (s.latency() - 60.0).abs() < 1.0), "{}", held[80].latency());
    let released = film(&mut path, 300..600, None);
    assert!(released.windows(2).all(|w| (-4.0..0.1).contains(&(w[1].waited() - w[0].waited()))));
    assert!(waited(&released[200..]) < 1.0);
    let absurd = film(&mut path, 600..1200, Some(100_000.0));
    assert!(most(absurd.iter().map(Seen::waited)) <= 200.0);
}

proptest! {
    #[test]
    fn whatever_comes_no_picture_waits_longer_than_the_limit(
        pictures in proptest::collection::vec((any::<u32>(), 0u64..100_000, any::<bool>(), proptest::option::of(0u64..200_000)), 1..300),
        steady: bool,
    ) {
        let start = Instant::now();
        let mut rule = DueTimes::default();
        for (i, (ticks, at, repaired, sound)) in pictures.into_iter().enumerate() {
            let ticks = if steady { (i as u32).wrapping_mul(3000) } else { ticks };
            let whole = start + Duration::from_millis(at);
            let due = rule.picture(RtpTicks(ticks), whole, repaired, sound.map(|ms| start + Duration::from_millis(ms)));
            prop_assert!(due >= whole && due - whole <= Duration::from_millis(200));
            prop_assert!(rule.arrivals.len() <= MAX_PICTURES && rule.repairs.len() <= MAX_PICTURES);
        }
    }
}
