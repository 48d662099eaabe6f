//! Sound between its samples: interpolation with a windowed sinc.

use std::sync::LazyLock;

/// Samples that each value is made of.
pub(super) const TAPS: usize = 32;
const LANES: usize = 8;
/// Filters between two samples; values between two filters are interpolated linearly.
const PHASES: usize = 256;
/// Kaiser's window: 80 dB.
const BETA: f64 = 8.0;

static FILTERS: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| (0..=PHASES).map(filter).collect());

/// Makes the filters, where the time it takes (a millisecond) does no harm.
pub(super) fn prepare() {
    LazyLock::force(&FILTERS);
}

/// The value `between` (0…1) the samples `TAPS / 2 - 1` and `TAPS / 2` of `around`.
pub(super) fn between(around: &[f32; TAPS], between: f64) -> f32 {
    let at = between.clamp(0.0, 1.0) * PHASES as f64;
    let phase = (at as usize).min(PHASES - 1);
    let w = (at - phase as f64) as f32;
    let (a, b) = (&FILTERS[phase], &FILTERS[phase + 1]);
    // Sums beside each other, which processors do at once.
    let mut sums = [0.0; LANES];
    for ((s, a), b) in around.chunks_exact(LANES).zip(a.chunks_exact(LANES)).zip(b.chunks_exact(LANES)) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += s[i] * (a[i] + (b[i] - a[i]) * w);
        }
    }
    sums.iter().sum()
}

fn filter(phase: usize) -> [f32; TAPS] {
    let half = TAPS as f64 / 2.0;
    let taps: [f64; TAPS] = std::array::from_fn(|i| {
        let x = i as f64 - (half - 1.0) - phase as f64 / PHASES as f64;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
        let edge = (1.0 - (x / half).powi(2)).max(0.0);
        sinc * bessel(BETA * edge.sqrt()) / bessel(BETA)
    });
    let sum: f64 = taps.iter().sum();
    taps.map(|t| (t / sum) as f32)
}

/// The modified Bessel function of the first kind and order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..40 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_between_samples_is_that_tone_70_db_clean() {
        for hz in [100.0, 1000.0, 8000.0, 14_000.0f64] {
            let step = hz * std::f64::consts::TAU / 48_000.0;
            let worst = (0..1000).map(|n| {
                let shift = f64::from(n) / 999.0;
                let start = f64::from(n) * 1.7;
                let around = std::array::from_fn(|i| ((start + i as f64) * step).sin() as f32);
                let true_one = ((start + TAPS as f64 / 2.0 - 1.0 + shift) * step).sin() as f32;
                (between(&around, shift) - true_one).abs()
            });
            let worst = worst.fold(0.0, f32::max);
            assert!(worst < 3e-4, "{hz} Hz: {worst}");
        }
    }
}
