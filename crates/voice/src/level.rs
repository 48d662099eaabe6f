//! How loud a sound is, for a moving bar.

use visavis_media::SAMPLE_RATE;

/// Seconds in which a level falls to a tenth (20 dB), as meters usually do.
const DECAY_S: f32 = 0.3;

/// Peak and mean level with decay.
///
/// ```
/// let mut meter = visavis_voice::level::Meter::new();
/// meter.add(&[0.5; 480]);
/// assert!(meter.peak() > 0.49 && meter.rms() > 0.1);
/// meter.add(&[0.0; 48_000]);
/// assert!(meter.peak() < 0.001);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    peak: f32,
    square: f32,
}

impl Meter {
    /// A meter that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens to samples of any number; those that are no numbers are passed over.
    pub fn add(&mut self, samples: &[f32]) {
        if samples.is_empty() {
            return;
        }
        let seconds = samples.len() as f32 / SAMPLE_RATE as f32;
        let decay = 0.1f32.powf(seconds / DECAY_S);
        let finite = || samples.iter().copied().filter(|s| s.is_finite());
        let loudest = finite().fold(0.0, |peak: f32, s| peak.max(s.abs())).min(1.0);
        let square = finite().map(|s| s.clamp(-1.0, 1.0).powi(2)).sum::<f32>() / samples.len() as f32;
        self.peak = (self.peak * decay).max(loudest);
        // It follows what comes within about 50 ms.
        let follow = 1.0 - (-seconds / 0.05).exp();
        self.square += (square - self.square) * follow;
    }

    /// The loudest sample of late, decaying by 20 dB in 0.3 s; 0…1.
    pub fn peak(&self) -> f32 {
        self.peak
    }

    /// Root mean square over the last 50 ms or so; 0…1.
    pub fn rms(&self) -> f32 {
        self.square.max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_tone_reads_its_root_mean_square() {
        let mut meter = Meter::new();
        for frame in 0..50 {
            let tone: Vec<f32> = (0..480).map(|i| 0.5 * ((frame * 480 + i) as f32 * 0.05).sin()).collect();
            meter.add(&tone);
        }
        assert!((meter.rms() - 0.3535).abs() < 0.01, "{}", meter.rms());
        assert!((meter.peak() - 0.5).abs() < 0.01);
    }

    #[test]
    fn the_peak_falls_by_20_db_in_300_ms() {
        let mut meter = Meter::new();
        meter.add(&[1.0; 480]);
        for _ in 0..30 {
            meter.add(&[0.0; 480]);
        }
        assert!((meter.peak() - 0.1).abs() < 0.005, "{}", meter.peak());
    }

    #[test]
    fn nonsense_samples_leave_the_meter_sane() {
        let mut meter = Meter::new();
        meter.add(&[f32::NAN, f32::INFINITY, -9.0, 0.1]);
        meter.add(&[]);
        assert!(meter.peak() <= 1.0 && meter.rms() <= 1.0);
    }
}
