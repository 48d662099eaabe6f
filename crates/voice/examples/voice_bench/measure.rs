//! Levels, likeness and delay of sounds.

use realfft::RealFftPlanner;
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// Mean power.
pub fn power(sound: &[f32]) -> f64 {
    sound.iter().map(|s| f64::from(s * s)).sum::<f64>() / sound.len().max(1) as f64
}

/// Of a power, or of a ratio of two.
pub fn db(power: f64) -> f64 {
    10.0 * power.max(1e-20).log10()
}

/// Mean level in dBFS of the frames within 30 dB of the loudest: of speech without its pauses.
pub fn active_level(sound: &[f32]) -> f32 {
    let frames: Vec<f64> = sound.chunks(2 * FRAME_SAMPLES).map(power).collect();
    let loudest = frames.iter().copied().fold(0.0, f64::max);
    let active: Vec<f64> = frames.into_iter().filter(|p| *p > loudest / 1000.0).collect();
    db(active.iter().sum::<f64>() / active.len().max(1) as f64) as f32
}

/// How much of `wanted` is in `sound` (a factor), and how much stronger that is than the rest (a ratio of powers).
pub fn fitted(wanted: &[f32], sound: &[f32]) -> (f64, f64) {
    let (mut both, mut own) = (0.0, 1e-12);
    for (w, s) in wanted.iter().zip(sound) {
        both += f64::from(w * s);
        own += f64::from(w * w);
    }
    let gain = both / own;
    let rest: f64 = wanted.iter().zip(sound).map(|(w, s)| (f64::from(*s) - gain * f64::from(*w)).powi(2)).sum();
    (gain, gain * gain * own / rest.max(1e-20))
}

/// The same where `sound` is `wanted` through any filter of `taps` samples (as BSS Eval does; Vincent, Gribonval,
/// Févotte 2006): the ratio of powers. What a fixed filter explains (a high-pass, a delay) is no distortion.
pub fn fitted_filter(wanted: &[f32], sound: &[f32], taps: usize) -> f64 {
    let n = wanted.len().min(sound.len());
    let (wanted, sound) = (&wanted[..n], &sound[..n]);
    let own = correlation(wanted, wanted, taps);
    let both = correlation(wanted, sound, taps);
    let filter = levinson(&own, &both);
    let (mut explained, mut rest) = (0.0, 0.0);
    let filter: Vec<f32> = filter.into_iter().map(|t| t as f32).collect();
    for (estimate, s) in super::room::convolved(wanted, &filter).into_iter().zip(sound) {
        explained += f64::from(estimate * estimate);
        rest += f64::from(s - estimate).powi(2);
    }
    explained / rest.max(1e-20)
}

/// Σ a(n) · b(n + lag) for each lag below `lags`.
pub fn correlation(a: &[f32], b: &[f32], lags: usize) -> Vec<f64> {
    let size = (a.len() + lags).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, backward) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |sound: &[f32]| {
        let mut padded = vec![0.0; size];
        padded.iter_mut().zip(sound).for_each(|(p, s)| *p = f64::from(*s));
        let mut bins = forward.make_output_vec();
        forward.process(&mut padded, &mut bins).expect("sizes are the plan's");
        bins
    };
    let (mut bins, other) = (spectrum(a), spectrum(b));
    bins.iter_mut().zip(other).for_each(|(a, b)| *a = a.conj() * b);
    (bins[0].im, bins[size / 2].im) = (0.0, 0.0);
    let mut lagged = vec![0.0; size];
    backward.process(&mut bins, &mut lagged).expect("sizes are the plan's");
    lagged.truncate(lags);
    lagged.iter_mut().for_each(|l| *l /= size as f64);
    lagged
}

/// Samples by which `late` comes after `early`, below `most`: where they are most alike.
pub fn delay(early: &[f32], late: &[f32], most: usize) -> usize {
    let alike = correlation(early, late, most);
    alike.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map_or(0, |best| best.0)
}

/// Solves the symmetric Toeplitz system with first row `row` (Levinson's recursion).
fn levinson(row: &[f64], right: &[f64]) -> Vec<f64> {
    // A trace of white noise keeps it solvable.
    let first = row[0] * (1.0 + 1e-9) + 1e-12;
    let mut predictor = vec![1.0];
    let mut solution = vec![right[0] / first];
    let mut error = first;
    for n in 1..row.len() {
        let miss: f64 = predictor.iter().enumerate().map(|(i, p)| p * row[n - i]).sum();
        let reflection = -miss / error;
        let mut next = predictor.clone();
        next.push(0.0);
        for i in 0..n {
            next[n - i] += reflection * predictor[i];
        }
        error *= 1.0 - reflection * reflection;
        predictor = next;
        let miss: f64 = right[n] - solution.iter().enumerate().map(|(i, s)| s * row[n - i]).sum::<f64>();
        solution.push(0.0);
        for i in 0..=n {
            solution[i] += miss / error * predictor[n - i];
        }
    }
    solution
}

/// Mean power in each third of an octave from 100 Hz to 16 kHz, in dB.
pub fn thirds(sound: &[f32]) -> Vec<f64> {
    const SIZE: usize = 4096;
    let plan = RealFftPlanner::<f32>::new().plan_fft_forward(SIZE);
    let mut bins = plan.make_output_vec();
    let mut powers = vec![0.0; SIZE / 2 + 1];
    for piece in sound.chunks_exact(SIZE) {
        let window = |i: usize| 0.5 - 0.5 * (i as f32 / SIZE as f32 * std::f32::consts::TAU).cos();
        let mut windowed: Vec<f32> = piece.iter().enumerate().map(|(i, s)| s * window(i)).collect();
        plan.process(&mut windowed, &mut bins).expect("sizes are the plan's");
        powers.iter_mut().zip(&bins).for_each(|(p, b)| *p += f64::from(b.norm_sqr()));
    }
    let bin = |hz: f64| (hz / f64::from(SAMPLE_RATE) * SIZE as f64).round() as usize;
    let edge = |n: u32| 100.0 * 2f64.powf((f64::from(n) - 0.5) / 3.0);
    (0..22).map(|n| db(powers[bin(edge(n))..bin(edge(n + 1)).max(bin(edge(n)) + 1)].iter().sum())).collect()
}

/// The value below which a share of all lies.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let nth = ((values.len().max(1) - 1) as f64 * share).round() as usize;
    values.get(nth).copied().unwrap_or(0.0)
}

/// Arithmetic mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
