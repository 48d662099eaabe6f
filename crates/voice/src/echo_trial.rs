//! What a microphone hears of the loudspeaker beside it, and what is left of that behind the echo canceller.
//!
//! A sweep (sine rising exponentially, Farina 2000) is played; correlating what came back with what was played gives the
//! delay, and how strong the echo is, also where it is quieter than the room. The first second is silent: what correlates
//! then is the room's own noise. Between the two are three seconds of chirps, for the canceller to learn from: it learns
//! little from a tone, and a slow sweep is one at any moment.

use realfft::RealFftPlanner;
use std::f32::consts::TAU;
use std::time::Duration;
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// One round: a sweep, and silence in which its echo may still come.
const ROUND: usize = SAMPLE_RATE as usize;
/// Length of a sweep: half a second.
const SWEEP: usize = ROUND / 2;
const LOWEST_HZ: f32 = 200.0;
const HIGHEST_HZ: f32 = 7_000.0;
/// Clearly heard and not unpleasant.
const PEAK: f32 = 0.2;
/// Samples in which a sweep fades in and out: 10 ms.
const FADE: usize = 480;
/// A silent one, those to learn from, and the one that counts.
const ROUNDS: usize = 5;
const LAST: usize = ROUNDS - 1;
/// Length of a chirp: 50 ms, in which it passes all that a canceller looks at in a few of its blocks.
const CHIRP: usize = 2_400;
/// Echoes that come later are not looked for: Bluetooth takes some 0.3 s.
const MOST_DELAY: usize = ROUND / 2;
/// A room's reverberation that counts as the same echo: 150 ms, from 2 ms before its strongest part on.
const TAIL: usize = 7_200;
const HEAD: usize = 96;
/// An echo stands so far out of what the room's noise makes by itself.
const OUTSTANDING: f32 = 6.0;
/// Quieter than this, relative to what was played, nobody hears it: headphones.
const UNHEARD_DB: f32 = -55.0;
/// What is left is so much quieter than the echo was: the other side hears none.
const REMOVED_DB: f32 = -25.0;

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EchoOutcome {
    /// The microphone gave nothing but zeros.
    Silent,
    /// Nothing of the loudspeaker is heard: headphones, or it is off.
    Headphones,
    /// The microphone hears the loudspeaker.
    Echo(Echo),
}

/// An echo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Echo {
    /// From handing sound to the loudspeaker to having it from the microphone.
    pub delay: Duration,
    /// How loud it is, relative to what was played, in dB.
    pub level_db: f32,
    /// What is left behind the canceller, relative to the echo, in dB; zero or less.
    pub left_db: f32,
}

impl Echo {
    /// Whether the other side hears nothing of it.
    pub fn is_removed(&self) -> bool {
        self.left_db <= REMOVED_DB
    }
}

/// One trial; some 5.5 s long.
#[derive(Debug)]
pub struct EchoTrial {
    sweep: Vec<f32>,
    chirps: Vec<f32>,
    played: usize,
    raw: Vec<f32>,
    clean: Vec<f32>,
}

impl Default for EchoTrial {
    fn default() -> Self {
        let all = ROUNDS * ROUND + MOST_DELAY;
        Self {
            sweep: sweep(SWEEP),
            chirps: chirps(),
            played: 0,
            raw: Vec::with_capacity(all),
            clean: Vec::with_capacity(all),
        }
    }
}

impl EchoTrial {
    /// The next 10 ms for the loudspeaker; `None` once everything was played.
    pub fn play(&mut self) -> Option<[f32; FRAME_SAMPLES]> {
        if self.played >= ROUNDS * ROUND {
            return None;
        }
        let (round, within) = (self.played / ROUND, self.played % ROUND);
        self.played += FRAME_SAMPLES;
        let mut frame = [0.0; FRAME_SAMPLES];
        let sound = match round {
            0 => &[],
            LAST => &self.sweep[..],
            _ => &self.chirps[..],
        };
        if let Some(piece) = sound.get(within..within + FRAME_SAMPLES) {
            frame.copy_from_slice(piece);
        }
        Some(frame)
    }

    /// Takes 10 ms of the microphone, as they came and behind the canceller. What came before the first
    /// [`play`](Self::play), or after the end, does not count.
    pub fn hear(&mut self, raw: &[f32; FRAME_SAMPLES], clean: &[f32; FRAME_SAMPLES]) {
        if self.played > 0 && !self.is_over() {
            let sane = |s: &f32| if s.is_finite() { s.clamp(-1.0, 1.0) } else { 0.0 };
            self.raw.extend(raw.iter().map(sane));
            self.clean.extend(clean.iter().map(sane));
        }
    }

    /// Everything was played, and its echo had time to come.
    pub fn is_over(&self) -> bool {
        self.raw.len() >= ROUNDS * ROUND + MOST_DELAY
    }

    /// How much of it is done, 0…1.
    pub fn progress(&self) -> f32 {
        self.raw.len() as f32 / (ROUNDS * ROUND + MOST_DELAY) as f32
    }

    /// What came out; `None` before the end. Takes some tens of milliseconds.
    pub fn outcome(&self) -> Option<EchoOutcome> {
        if !self.is_over() {
            return None;
        }
        if self.raw.iter().all(|s| *s == 0.0) {
            return Some(EchoOutcome::Silent);
        }
        let response = |sound: &[f32], from: usize| correlate(&sound[from..from + ROUND + MOST_DELAY], &self.sweep);
        let last = LAST * ROUND;
        let (noise, noise_clean) = (response(&self.raw, 0), response(&self.clean, 0));
        let (raw, clean) = (response(&self.raw, last), response(&self.clean, last));
        let (at, peak) = strongest(&raw);
        let heard = peak > OUTSTANDING * rms(&noise[..MOST_DELAY]).max(f32::MIN_POSITIVE);
        let window = at.saturating_sub(HEAD)..(at + TAIL).min(raw.len());
        let energy = |of: &[f32]| of[window.clone()].iter().map(|s| s * s).sum::<f32>();
        // A copy of what was played has this energy: the sweep's own correlation is not a single point.
        let copy: Vec<f32> = [0.0; HEAD].into_iter().chain(self.sweep.iter().copied()).collect();
        let whole: f32 = correlate(&copy, &self.sweep)[..HEAD + TAIL].iter().map(|s| s * s).sum();
        let echo = (energy(&raw) - energy(&noise)).max(0.0);
        let level_db = decibels(echo / whole);
        if !heard || level_db < UNHEARD_DB {
            return Some(EchoOutcome::Headphones);
        }
        let left = (energy(&clean) - energy(&noise_clean)).max(0.0);
        let delay = Duration::from_secs_f32(at as f32 / SAMPLE_RATE as f32);
        Some(EchoOutcome::Echo(Echo { delay, level_db, left_db: decibels(left / echo).min(0.0) }))
    }
}

/// In dB, with a floor of −100.
fn decibels(ratio: f32) -> f32 {
    10.0 * ratio.max(1e-10).log10()
}

/// A second of chirps, rising and falling.
fn chirps() -> Vec<f32> {
    let rising = sweep(CHIRP);
    let falling = rising.iter().rev().copied();
    let pair: Vec<f32> = rising.iter().copied().chain(falling).collect();
    pair.into_iter().cycle().take(ROUND).collect()
}

/// A sweep of so many samples.
fn sweep(samples: usize) -> Vec<f32> {
    let length = samples as f32 / SAMPLE_RATE as f32;
    let rate = (HIGHEST_HZ / LOWEST_HZ).ln();
    let sample = |i: usize| {
        let t = i as f32 / SAMPLE_RATE as f32;
        let phase = TAU * LOWEST_HZ * length / rate * ((t / length * rate).exp() - 1.0);
        let edge = i.min(samples - 1 - i) as f32 / FADE as f32;
        PEAK * edge.min(1.0) * phase.sin()
    };
    (0..samples).map(sample).collect()
}

/// How much of the sweep is in the sound at each delay; 1 where it is a copy of it.
fn correlate(sound: &[f32], sweep: &[f32]) -> Vec<f32> {
    let size = (sound.len() + sweep.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, back) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |of: &[f32]| {
        let mut input = of.to_vec();
        input.resize(size, 0.0);
        let mut output = forward.make_output_vec();
        // Fails on lengths that do not fit only; these do.
        let _ = forward.process(&mut input, &mut output);
        output
    };
    let mut product = spectrum(sound);
    for (s, w) in product.iter_mut().zip(spectrum(sweep)) {
        *s *= w.conj();
    }
    // The ends of a real spectrum are real, but for rounding.
    for end in [0, product.len() - 1] {
        product[end].im = 0.0;
    }
    let mut result = back.make_output_vec();
    let _ = back.process(&mut product, &mut result);
    let scale = sweep.iter().map(|s| s * s).sum::<f32>() * size as f32;
    result.truncate(MOST_DELAY);
    result.iter_mut().for_each(|s| *s /= scale);
    result
}

fn strongest(response: &[f32]) -> (usize, f32) {
    let by_size = response.iter().map(|s| s.abs()).enumerate();
    by_size.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

fn rms(of: &[f32]) -> f32 {
    (of.iter().map(|s| s * s).sum::<f32>() / of.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room with noise: what was played comes back after `delay` samples, `gain` times as loud, and `left` of that
    /// is behind the canceller.
    fn trial(delay: usize, gain: f32, left: f32, noise: f32) -> EchoOutcome {
        let mut trial = EchoTrial::default();
        let (mut air, mut seed) = (vec![0.0; delay], 1u32);
        let mut hiss = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise * (seed as f32 / u32::MAX as f32 - 0.5)
        };
        while !trial.is_over() {
            air.extend(trial.play().unwrap_or([0.0; FRAME_SAMPLES]));
            let (mut raw, mut clean) = ([0.0; FRAME_SAMPLES], [0.0; FRAME_SAMPLES]);
            for (i, sample) in air.drain(..FRAME_SAMPLES).enumerate() {
                let hiss = hiss();
                (raw[i], clean[i]) = (gain * sample + hiss, left * gain * sample + hiss);
            }
            trial.hear(&raw, &clean);
        }
        trial.outcome().expect("over")
    }

    fn echo(outcome: EchoOutcome) -> Echo {
        match outcome {
            EchoOutcome::Echo(echo) => echo,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn delay_level_and_what_is_left_are_measured() {
        for (delay, gain, left) in [(480, 1.0, 1.0), (5_000, 0.1, 0.01), (18_000, 0.02, 0.1)] {
            let echo = echo(trial(delay, gain, left, 0.0));
            let off = echo.delay.as_secs_f32() * SAMPLE_RATE as f32 - delay as f32;
            assert!(off.abs() < 2.0, "{delay}: {echo:?}");
            assert!((echo.level_db - 20.0 * gain.log10()).abs() < 0.5, "{gain}: {echo:?}");
            assert!((echo.left_db - 20.0 * left.log10()).abs() < 0.5, "{left}: {echo:?}");
        }
    }

    #[test]
    fn an_echo_quieter_than_the_room_is_found() {
        // −34 dB of a sweep of 0.2 is 14 dB below the noise.
        let echo = echo(trial(3_000, 0.02, 1.0, 0.05));
        assert!((echo.level_db + 34.0).abs() < 1.5 && echo.left_db > -1.5, "{echo:?}");
        assert!(!echo.is_removed());
    }

    #[test]
    fn where_nothing_comes_back_they_are_headphones_whatever_the_room_does() {
        for noise in [1e-5, 0.001, 0.3] {
            assert_eq!(trial(1_000, 0.0, 1.0, noise), EchoOutcome::Headphones);
        }
        assert_eq!(trial(1_000, 0.001, 1.0, 1e-5), EchoOutcome::Headphones, "−60 dB is heard by nobody");
        assert_eq!(trial(1_000, 0.0, 1.0, 0.0), EchoOutcome::Silent);
    }

    #[test]
    fn an_echo_that_the_canceller_takes_away_is_removed() {
        assert!(echo(trial(2_400, 0.3, 0.03, 1e-4)).is_removed());
        assert!(!echo(trial(2_400, 0.3, 0.1, 1e-4)).is_removed());
    }

    #[test]
    fn nonsense_of_a_device_gives_an_outcome_all_the_same() {
        let mut trial = EchoTrial::default();
        assert_eq!(trial.outcome(), None);
        trial.hear(&[1.0; FRAME_SAMPLES], &[1.0; FRAME_SAMPLES]);
        assert_eq!(trial.progress(), 0.0, "before the beginning nothing counts");
        while !trial.is_over() {
            trial.play();
            trial.hear(&[f32::NAN; FRAME_SAMPLES], &[f32::INFINITY; FRAME_SAMPLES]);
        }
        assert_eq!(trial.outcome(), Some(EchoOutcome::Silent));
    }
}
