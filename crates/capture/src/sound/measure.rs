//! Measuring sound in tests.

/// A sine of half the full level.
pub(crate) fn sine(pitch: f32, rate: u32, samples: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU * f64::from(pitch) / f64::from(rate);
    (0..samples).map(|i| 0.5 * (step * i as f64).sin() as f32).collect()
}

/// Pitch of a steady tone, from its upward zero crossings, in Hz; zero where there are fewer than two.
pub(crate) fn frequency(sound: &[f32], rate: u32) -> f32 {
    let crossing = |i: &usize| sound[*i] <= 0.0 && sound[i + 1] > 0.0;
    let at = |i: usize| i as f64 + f64::from(sound[i] / (sound[i] - sound[i + 1]));
    let crossings: Vec<f64> = (0..sound.len().saturating_sub(1)).filter(crossing).map(at).collect();
    match crossings.as_slice() {
        [first, .., last] => ((crossings.len() - 1) as f64 * f64::from(rate) / (last - first)) as f32,
        _ => 0.0,
    }
}
