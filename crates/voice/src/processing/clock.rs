//! How fast a device's clock runs, from the moments of its frames.
//!
//! Moments are jittery (callbacks come late, queues are read between two of them), drift is tiny and steady. A Kalman
//! filter over a moment and a drift is the best that can be made of that: it begins with what is known of crystals and
//! believes more the longer it has seen them.

use std::time::Instant;

/// Seconds in a frame.
const FRAME_S: f64 = 0.01;
/// Before anything is known: crystals are within so much of their rate (standard deviation)…
const DRIFT: f64 = 80e-6;
/// …and moments within so many seconds (squared). That is adapted, but not below a tenth of a millisecond, and not above
/// this: where errors stay large it is the clock that is wrong, and to get used to them would make it deaf.
const JITTER2: f64 = 0.0013 * 0.0013;
const MIN_JITTER2: f64 = 1e-8;
/// What a clock may wander in each frame (squared), so that the filter never stops listening: about a minute's memory.
const WANDER2: f64 = 1e-16;
const DRIFT_WANDER2: f64 = 4e-17;
/// A frame that is this much (seconds) off was not continuous with the one before: the device stood still, or sound was
/// dropped.
const JUMP: f64 = 0.08;
/// So are as many frames in a row that are off the same way by more than this, and by more than this many standard
/// deviations of what is usual. One or two were only told wrong, and teach nothing.
const SHIFT: f64 = 0.001;
const SHIFT_SIGMAS: f64 = 6.0;
const SHIFT_FRAMES: i32 = 3;
/// And frames that are off on average (over some 16) by more than this, and by more than so many standard deviations:
/// that is no jitter any more.
const BIAS: f64 = 0.0012;
const BIAS_SIGMAS: f64 = 3.0;
const BIAS_FRAMES: f64 = 16.0;

/// Follows one device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Option<Instant>,
    /// Moment of the next frame, seconds after `origin`.
    at: f64,
    /// How much longer its frames last than 10 ms, as a share.
    drift: f64,
    /// Covariance: of the moment, of both, of the drift.
    p: [f64; 3],
    jitter2: f64,
    /// Mean of the errors of late.
    bias: f64,
    /// Frames in a row that came too late by far; below zero, too early.
    off: i32,
    frames: u64,
}

impl Clock {
    /// A clock that is right, for all we know.
    pub fn new() -> Self {
        let p = [JITTER2, 0.0, DRIFT * DRIFT];
        Self { origin: None, at: 0.0, drift: 0.0, p, jitter2: JITTER2, bias: 0.0, off: 0, frames: 0 }
    }

    /// A frame of 10 ms began at `moment` by the machine's clock (seconds after `origin`, which must not change). Says
    /// the moment at which it really began, and whether it follows the one before without a jump.
    pub fn frame(&mut self, moment: Instant, origin: Instant) -> (f64, bool) {
        let seen = signed(moment, origin);
        if self.origin != Some(origin) {
            (self.origin, self.at) = (Some(origin), seen);
        }
        let error = seen - self.at;
        let far_off = error.abs() > self.tolerance();
        self.off = if !far_off {
            0
        } else if (self.off > 0) == (error > 0.0) {
            self.off + error.signum() as i32
        } else {
            error.signum() as i32
        };
        let jumped = error.abs() >= JUMP || self.off.abs() >= SHIFT_FRAMES;
        if !jumped {
            self.expect_jitter(error);
        }
        let crept = self.bias.abs() > BIAS.max(BIAS_SIGMAS * self.jitter2.sqrt());
        let continuous = !jumped && !crept;
        if !continuous {
            // What is known of the drift stays true.
            let moment = if jumped { seen } else { self.at + self.bias };
            (self.at, self.p[0], self.p[1]) = (moment, self.jitter2, 0.0);
            (self.off, self.bias) = (0, 0.0);
        } else if !far_off {
            self.learn(error);
        }
        let began = self.at;
        self.frames += 1;
        self.at += FRAME_S * (1.0 + self.drift);
        let [p00, p01, p11] = self.p;
        self.p =
            [p00 + 2.0 * FRAME_S * p01 + FRAME_S * FRAME_S * p11 + WANDER2, p01 + FRAME_S * p11, p11 + DRIFT_WANDER2];
        (began, continuous)
    }

    /// How much longer its seconds are than the machine's, as a share.
    pub fn drift(&self) -> f64 {
        self.drift
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The device went on without sound for so many seconds, before the next frame.
    pub fn paused(&mut self, seconds: f64) {
        self.at += seconds * (1.0 + self.drift);
    }

    /// Errors up to this many seconds are of the kind that is seen all the time.
    pub fn tolerance(&self) -> f64 {
        SHIFT.max(SHIFT_SIGMAS * self.jitter2.sqrt())
    }

    /// What is out of the ordinary makes a little more ordinary; but not what is off the same way all the time.
    fn expect_jitter(&mut self, error: f64) {
        let most = 2.0 * self.tolerance();
        let error = error.clamp(-most, most);
        self.bias += (error - self.bias) / BIAS_FRAMES;
        let scatter = error - self.bias;
        self.jitter2 = (self.jitter2 + (scatter * scatter - self.jitter2) / 200.0).clamp(MIN_JITTER2, JITTER2);
    }

    fn learn(&mut self, error: f64) {
        let [p00, p01, p11] = self.p;
        let s = p00 + self.jitter2;
        let (k0, k1) = (p00 / s, p01 / s);
        self.at += k0 * error;
        self.drift = (self.drift + k1 * error).clamp(-5e-4, 5e-4);
        self.p = [p00 * (1.0 - k0), p01 * (1.0 - k0), p11 - k1 * p01];
    }
}

fn signed(a: Instant, b: Instant) -> f64 {
    match a.checked_duration_since(b) {
        Some(later) => later.as_secs_f64(),
        None => -b.duration_since(a).as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;
    use std::time::Duration;

    /// A clock that is `ppm` slow, seen with up to `jitter_ms` of lateness; the drift found after each second.
    fn seen(ppm: f64, jitter_ms: f64, seconds: usize) -> Vec<f64> {
        let (origin, mut clock, mut seed) = (Instant::now(), Clock::new(), 1u64);
        let mut found = Vec::new();
        for n in 0..seconds * 100 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let late = (seed >> 40) as f64 / (1u64 << 24) as f64 * jitter_ms / 1000.0;
            let moment = origin + Duration::from_secs_f64(n as f64 * FRAME_S * (1.0 + ppm * 1e-6) + late);
            assert!(clock.frame(moment, origin).1, "{n}");
            if n % 100 == 99 {
                found.push(clock.drift() * 1e6);
            }
        }
        found
    }

    #[test]
    fn drift_is_known_to_10_ppm_within_20_seconds_of_jitter() {
        for ppm in [-200.0, -50.0, 0.0, 200.0] {
            let found = seen(ppm, 6.0, 120);
            assert!((found[29] - ppm).abs() < 25.0, "{ppm}: {found:?}");
            assert!(found[60..].iter().all(|f| (f - ppm).abs() < 8.0), "{ppm}: {found:?}");
            let calm = seen(ppm, 0.2, 20);
            assert!((calm[19] - ppm).abs() < 3.0, "{ppm}: {calm:?}");
        }
    }

    #[test]
    fn a_jump_and_a_small_shift_are_noticed_and_leave_the_drift_alone() {
        for (shift_ms, within) in [(300, 0), (12, 2), (2, 2)] {
            let (origin, mut clock) = (Instant::now(), Clock::new());
            let moment = |n: u64| origin + Duration::from_micros(n * 10_001);
            (0..6000).for_each(|n| assert!(clock.frame(moment(n), origin).1));
            let before = clock.drift();
            let later = |n: u64| moment(n) + Duration::from_millis(shift_ms);
            let noticed = (6000..6200).position(|n| !clock.frame(later(n), origin).1);
            assert!(noticed.is_some_and(|frames| frames <= within), "{shift_ms} ms: {noticed:?}");
            (6200..7000).for_each(|n| {
                clock.frame(later(n), origin);
            });
            assert!((clock.drift() - before).abs() < 1e-6, "{shift_ms} ms: {before} {}", clock.drift());
        }
    }

    #[test]
    fn a_stream_that_stumbles_at_its_beginning_is_known_as_soon_as_it_runs() {
        // Two gaps, each crept up to for a while (what follows callbacks believes a later moment slowly), and jitter.
        let real = |n: u64| n as f64 * 0.010_001;
        let stumbled = |n: u64| match n {
            0..35 => 0.0,
            35..53 => 0.0107 - 0.0107 * 0.97f64.powi(n as i32 - 34),
            53..60 => 0.0107,
            60..150 => 0.045,
            _ => 0.045 + 0.03 * (1.0 - 0.9f64.powi(n as i32 - 149)),
        };
        let (origin, mut clock, mut seed) = (Instant::now(), Clock::new(), 1u64);
        for n in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let jitter = (seed >> 40) as f64 / (1u64 << 24) as f64 * 0.000_5;
            let (began, _) = clock.frame(origin + Duration::from_secs_f64(real(n) + stumbled(n) + jitter), origin);
            let off = began - real(n) - stumbled(n);
            assert!(n < 500 || off.abs() < 0.001, "{n}: {off}");
            assert!(n < 1000 || (clock.drift() - 100e-6).abs() < 70e-6, "{n}: {}", clock.drift() * 1e6);
        }
        assert!((clock.drift() - 100e-6).abs() < 15e-6 && clock.tolerance() < 0.002, "{clock:?}");
    }

    #[test]
    fn a_shift_that_is_crept_up_to_is_made_good_and_the_clock_stays_sharp() {
        for shift in [-0.0026, 0.0026] {
            let (origin, mut clock, mut seed) = (Instant::now(), Clock::new(), 1u64);
            for n in 0..3000u64 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let jitter = (seed >> 40) as f64 / (1u64 << 24) as f64 * 0.000_1;
                let crept = if n < 1000 { 0.0 } else { shift * (1.0 - 0.98f64.powi(n as i32 - 1000)) };
                let (began, _) =
                    clock.frame(origin + Duration::from_secs_f64(1.0 + n as f64 * FRAME_S + crept + jitter), origin);
                let off = began - 1.0 - n as f64 * FRAME_S - crept;
                assert!(n < 50 || off.abs() < BIAS + 0.000_3, "{shift} {n}: {off}");
                assert!(n < 1300 || off.abs() < 0.000_5, "{shift} {n}: {off}");
            }
            assert!(clock.drift().abs() < 20e-6 && clock.tolerance() < 0.002, "{shift}: {clock:?}");
        }
    }

    #[test]
    fn moments_that_a_busy_machine_tells_later_for_a_second_or_two_are_no_shift() {
        let (origin, mut clock) = (Instant::now(), Clock::new());
        for n in 0..6000u64 {
            let wander = if n < 1000 { 0.0 } else { 0.000_7 * (TAU * n as f64 / 400.0).sin() };
            let (began, continuous) =
                clock.frame(origin + Duration::from_secs_f64(1.0 + n as f64 * FRAME_S + wander), origin);
            let off = began - 1.0 - n as f64 * FRAME_S;
            assert!(n == 0 || continuous && off.abs() < 0.001, "{n}: {off}");
        }
    }

    #[test]
    fn a_moment_that_was_told_wrong_once_teaches_nothing() {
        let (origin, mut clock) = (Instant::now(), Clock::new());
        for n in 0..6000u64 {
            let wrong = if n > 1000 && n % 50 == 0 { 20 } else { 0 };
            let moment = origin + Duration::from_micros(n * 10_001) + Duration::from_millis(wrong);
            let (began, continuous) = clock.frame(moment, origin);
            assert!(continuous && (began - n as f64 * 0.010_001).abs() < 0.000_5, "{n}: {began}");
        }
        assert!((clock.drift() - 100e-6).abs() < 2e-6, "{}", clock.drift());
    }
}
