//! Levels, likeness and delay of sounds.

use visavis_media::FRAME_SAMPLES;

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

/// Samples by which `late` comes after `early`, up to `most`: where they are most alike.
pub fn delay(early: &[f32], late: &[f32], most: usize) -> usize {
    let n = early.len().min(late.len().saturating_sub(most));
    let likeness = |lag: usize| (0..n).map(|i| f64::from(early[i] * late[i + lag])).sum::<f64>().abs();
    (0..=most).map(|lag| (lag, likeness(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
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

/// The value below which a share of all lies.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let nth = ((values.len().max(1) - 1) as f64 * share).round() as usize;
    values.get(nth).copied().unwrap_or(0.0)
}
