//! Playing a little faster or slower without changing the pitch: one period of the voice is left out or repeated, where
//! sound before and after the seam is alike (WSOLA).

use super::arrival::MS;

/// Shortest and longest piece: periods of voices (66 to 400 Hz).
pub(super) const MIN_LAG: usize = (MS * 5 / 2) as usize;
pub(super) const MAX_LAG: usize = (MS * 15) as usize;
/// Below this likeness (normalized correlation) a seam would be heard.
const ALIKE: f32 = 0.75;
/// Below this mean level (about −60 dBFS) any seam is inaudible.
const SILENCE: f32 = 0.001;
/// The search first runs on every fourth sample.
const COARSE: usize = 4;

/// Leaves out one period at the beginning of `sound`, at most `max` samples; says how many went.
pub(super) fn shorten(sound: &mut Vec<f32>, max: usize) -> Option<usize> {
    let max = max.min(MAX_LAG).min(sound.len() / 2);
    let lag = find_lag(sound, max, |lag| (0, lag))?;
    for i in 0..lag {
        let w = (i as f32 + 0.5) / lag as f32;
        sound[i] = sound[i] * (1.0 - w) + sound[lag + i] * w;
    }
    sound.drain(lag..2 * lag);
    Some(lag)
}

/// Puts one period before `sound`, at most `max` samples, made of what was played last and what comes; says how many.
pub(super) fn lengthen(history: &[f32], sound: &mut Vec<f32>, max: usize) -> Option<usize> {
    let max = max.min(MAX_LAG).min(sound.len()).min(history.len());
    let joint: Vec<f32> = history[history.len() - max..].iter().chain(&sound[..max]).copied().collect();
    let lag = find_lag(&joint, max, |lag| (max - lag, max))?;
    let last = &history[history.len() - lag..];
    let piece: Vec<f32> = (0..lag)
        .map(|i| {
            let w = (i as f32 + 0.5) / lag as f32;
            sound[i] * (1.0 - w) + last[i] * w
        })
        .collect();
    sound.splice(0..0, piece);
    Some(lag)
}

/// The lag at which the two pieces of that length, whose beginnings `pieces` gives, are most alike.
fn find_lag(sound: &[f32], max: usize, pieces: impl Fn(usize) -> (usize, usize)) -> Option<usize> {
    if max < MIN_LAG {
        return None;
    }
    let (a, b) = pieces(max);
    let window = &sound[a.min(b)..a.max(b) + max];
    if window.iter().map(|s| s * s).sum::<f32>() < SILENCE * SILENCE * window.len() as f32 {
        return Some(max);
    }
    let likeness = |lag: usize, step: usize| {
        let (a, b) = pieces(lag);
        let (mut ab, mut aa, mut bb) = (0.0, 1e-9, 1e-9);
        for i in (0..lag).step_by(step) {
            let (x, y) = (sound[a + i], sound[b + i]);
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        ab / f32::sqrt(aa * bb)
    };
    let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
        lags.map(|lag| (lag, likeness(lag, step))).max_by(|x, y| x.1.total_cmp(&y.1))
    };
    let (rough, _) = best(&mut (MIN_LAG..=max).step_by(COARSE), COARSE)?;
    let (lag, alike) = best(&mut (rough.saturating_sub(COARSE).max(MIN_LAG)..=(rough + COARSE).min(max)), 1)?;
    (alike > ALIKE).then_some(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(period: f32, length: usize) -> Vec<f32> {
        (0..length).map(|i| 0.5 * (i as f32 * std::f32::consts::TAU / period).sin()).collect()
    }

    fn largest_step(sound: &[f32]) -> f32 {
        sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_voice_is_shortened_and_lengthened_by_whole_periods_without_a_step() {
        for period in [130.0, 240.0, 400.0] {
            let whole = tone(period, 3000);
            let mut short = whole[720..].to_vec();
            let removed = shorten(&mut short, MAX_LAG).expect("periodic");
            assert_eq!(short.len(), 2280 - removed);
            let periods = removed as f32 / period;
            assert!((periods - periods.round()).abs() < 0.03, "{removed} of {period}");
            let mut long = whole[720..].to_vec();
            let added = lengthen(&whole[..720], &mut long, MAX_LAG).expect("periodic");
            assert_eq!(long.len(), 2280 + added);
            let joined: Vec<f32> = whole[..720].iter().chain(&long).copied().collect();
            let step = largest_step(&whole) * 1.1;
            assert!(largest_step(&joined) < step && largest_step(&short) < step, "{period}");
        }
    }

    #[test]
    fn silence_is_cut_as_far_as_wanted() {
        let mut silence = vec![0.0; 2000];
        assert_eq!(shorten(&mut silence, 300), Some(300));
        assert_eq!(lengthen(&[0.0; 720], &mut silence, 700), Some(700));
        assert_eq!(silence.len(), 2000 - 300 + 700);
    }

    #[test]
    fn noise_and_snippets_are_left_alone() {
        let mut seed = 1u32;
        let mut noise: Vec<f32> = (0..2000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        assert_eq!(shorten(&mut noise, MAX_LAG), None);
        assert_eq!(noise.len(), 2000);
        assert_eq!(shorten(&mut vec![0.0; 200], MAX_LAG), None);
        assert_eq!(lengthen(&[], &mut vec![0.0; 200], MAX_LAG), None);
    }
}
