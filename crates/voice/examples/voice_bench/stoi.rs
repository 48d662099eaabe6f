//! How much of speech is understood: short-time objective intelligibility (Taal, Hendriks, Heusdens, Jensen 2011), 0…1.

use super::speech::resampled;
use realfft::RealFftPlanner;

/// It works at 10 kHz, in windows of 25.6 ms, over 15 thirds of an octave from 150 Hz, 30 windows (384 ms) at a time.
const RATE: f64 = 10_000.0;
const WINDOW: usize = 256;
const SIZE: usize = 512;
const BANDS: usize = 15;
const SPAN: usize = 30;
/// Windows this far below the loudest are pauses.
const PAUSE_DB: f64 = 40.0;
/// How far noise counts: −15 dB.
const CLIP: f64 = 5.623_413;

/// Of `heard`, which should be `said` and in time with it; both at 48 kHz.
pub fn stoi(said: &[f32], heard: &[f32]) -> f64 {
    let n = said.len().min(heard.len());
    let (said, heard) = (resampled(&said[..n], 4.8), resampled(&heard[..n], 4.8));
    let (said, heard) = without_pauses(&said, &heard);
    let (x, y) = (bands(&said), bands(&heard));
    let (mut sum, mut count) = (0.0, 0.0);
    for end in SPAN..=x.len() {
        for band in 0..BANDS {
            let part = |z: &[[f64; BANDS]]| -> Vec<f64> { z[end - SPAN..end].iter().map(|w| w[band]).collect() };
            let (x, mut y) = (part(&x), part(&y));
            let norm = |z: &[f64]| z.iter().map(|v| v * v).sum::<f64>().sqrt();
            let scale = norm(&x) / norm(&y).max(1e-12);
            y.iter_mut().zip(&x).for_each(|(y, x)| *y = (*y * scale).min(x * (1.0 + CLIP)));
            sum += likeness(&x, &y);
            count += 1.0;
        }
    }
    if count == 0.0 { 0.0 } else { sum / count }
}

fn likeness(x: &[f64], y: &[f64]) -> f64 {
    let mean = |z: &[f64]| z.iter().sum::<f64>() / z.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 1e-12, 1e-12);
    for (x, y) in x.iter().zip(y) {
        xy += (x - mx) * (y - my);
        xx += (x - mx).powi(2);
        yy += (y - my).powi(2);
    }
    xy / (xx * yy).sqrt()
}

fn window(i: usize) -> f32 {
    0.5 - 0.5 * ((i + 1) as f32 / (WINDOW + 1) as f32 * std::f32::consts::TAU).cos()
}

fn without_pauses(said: &[f32], heard: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let starts: Vec<usize> = (0..said.len().saturating_sub(WINDOW)).step_by(WINDOW / 2).collect();
    let level = |at: usize| super::measure::db(super::measure::power(&said[at..at + WINDOW]));
    let loudest = starts.iter().map(|at| level(*at)).fold(f64::MIN, f64::max);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for at in starts.into_iter().filter(|at| level(*at) > loudest - PAUSE_DB) {
        // Overlapping windows add up to one again.
        let begin = x.len().saturating_sub(WINDOW / 2);
        for (out, sound) in [(&mut x, said), (&mut y, heard)] {
            out.resize(begin + WINDOW, 0.0);
            (0..WINDOW).for_each(|i| out[begin + i] += sound[at + i] * window(i));
        }
    }
    (x, y)
}

/// Amplitudes in each band of each window.
fn bands(sound: &[f32]) -> Vec<[f64; BANDS]> {
    let plan = RealFftPlanner::<f32>::new().plan_fft_forward(SIZE);
    let mut bins = plan.make_output_vec();
    let edge = |band: f64| (150.0 * 2f64.powf((band - 0.5) / 3.0) / RATE * SIZE as f64).round() as usize;
    (0..sound.len().saturating_sub(WINDOW))
        .step_by(WINDOW / 2)
        .map(|at| {
            let mut input = vec![0.0; SIZE];
            (0..WINDOW).for_each(|i| input[i] = sound[at + i] * window(i));
            plan.process(&mut input, &mut bins).expect("sizes are the plan's");
            std::array::from_fn(|band| {
                let (from, to) = (edge(band as f64), edge(band as f64 + 1.0));
                bins[from..to].iter().map(|b| f64::from(b.norm_sqr())).sum::<f64>().sqrt()
            })
        })
        .collect()
}
