//! The sounds of the synthetic microphone, each a table that repeats; pure.
//!
//! A sound is asked for by its sample number since the Unix epoch, so that two machines with the same clock make the
//! same sound at the same moment.

use std::f64::consts::TAU;
use visavis_media::SAMPLE_RATE;

const RATE: f64 = SAMPLE_RATE as f64;

const TONE_HZ: f64 = 440.0;
/// 100 ms: 44 whole waves, so that a burst ends at zero as it began.
const TONE_SAMPLES: usize = SAMPLE_RATE as usize / 10;
const TONE_LEVEL: f64 = 0.5;

/// Pitch of the voice; its period is a whole number of samples.
const VOICE_HZ: usize = 120;
const VOICE_PERIOD: usize = SAMPLE_RATE as usize / VOICE_HZ;
/// Formants: frequency and quality.
const FORMANTS: [(f64, f64); 3] = [(700.0, 8.0), (1220.0, 10.0), (2600.0, 12.0)];
/// Syllables a second.
const SYLLABLE_HZ: f64 = 4.0;
const SYLLABLE_PERIOD: usize = 12_000;
/// Until the filters have forgotten that they were empty: their longest ring is some 10 ms.
const WARM_UP_PERIODS: usize = 60;

/// A sound that repeats, by sample number since the Unix epoch.
pub(crate) struct Loop {
    /// The samples that are not silent.
    sound: Vec<f32>,
    /// After how many samples it begins anew.
    period: u64,
}

impl Loop {
    /// 440 Hz for 100 ms at every whole second, silence between.
    pub fn tone() -> Self {
        let wave = |i: usize| (TONE_LEVEL * (TAU * TONE_HZ * i as f64 / RATE).sin()) as f32;
        Self { sound: (0..TONE_SAMPLES).map(wave).collect(), period: u64::from(SAMPLE_RATE) }
    }

    /// Speech-like: a sawtooth of 120 Hz through three formants, in a slow rhythm of 4 Hz.
    pub fn speech() -> Self {
        let voice = voice();
        let gain = |i: usize| 0.25 + 0.25 * (TAU * SYLLABLE_HZ * i as f64 / RATE).sin();
        let sound = (0..SYLLABLE_PERIOD).map(|i| (gain(i) * voice[i % VOICE_PERIOD]) as f32).collect();
        Self { sound, period: SYLLABLE_PERIOD as u64 }
    }

    /// Any sound, repeated without a gap; `None` where there is none.
    pub fn of(sound: Vec<f32>) -> Option<Self> {
        let period = sound.len() as u64;
        (period > 0).then_some(Self { sound, period })
    }

    /// Fills `out` from sample number `from` on.
    pub fn fill(&self, from: u64, out: &mut [f32]) {
        for (number, out) in (from..).zip(out) {
            *out = self.sound.get((number % self.period) as usize).copied().unwrap_or(0.0);
        }
    }
}

/// One period of the steady voice: what the filters give once they have settled.
fn voice() -> Vec<f64> {
    let saw = sawtooth();
    let mut filters = FORMANTS.map(|(frequency, quality)| BandPass::new(frequency, quality));
    let mut last = vec![0.0; VOICE_PERIOD];
    for _ in 0..WARM_UP_PERIODS {
        for (out, input) in last.iter_mut().zip(&saw) {
            *out = filters.iter_mut().map(|filter| filter.next(*input)).sum();
        }
    }
    last
}

/// A period of a sawtooth of peak 1 without the partials above half the sample rate, as Web Audio's oscillator makes
/// it: Σ (−1)ⁿ⁺¹ 2/(nπ) sin(nωt), scaled to its peak.
fn sawtooth() -> Vec<f64> {
    let partials = VOICE_PERIOD / 2;
    let sample = |i: usize| {
        let partial = |n: usize| {
            let sign = if n % 2 == 1 { 1.0 } else { -1.0 };
            // The phase is reduced in integers, which keeps high partials exact.
            sign * 2.0 / (n as f64 * std::f64::consts::PI)
                * (TAU * (n * i % VOICE_PERIOD) as f64 / VOICE_PERIOD as f64).sin()
        };
        (1..partials).map(partial).sum::<f64>()
    };
    let mut saw: Vec<f64> = (0..VOICE_PERIOD).map(sample).collect();
    let peak = saw.iter().fold(0.0f64, |peak, s| peak.max(s.abs()));
    saw.iter_mut().for_each(|s| *s /= peak);
    saw
}

/// Web Audio's band-pass biquad (gain 1 at its centre), transposed direct form II.
struct BandPass {
    b0: f64,
    a1: f64,
    a2: f64,
    state: [f64; 2],
}

impl BandPass {
    fn new(frequency: f64, quality: f64) -> Self {
        let w0 = TAU * frequency / RATE;
        let alpha = w0.sin() / (2.0 * quality);
        let a0 = 1.0 + alpha;
        Self { b0: alpha / a0, a1: -2.0 * w0.cos() / a0, a2: (1.0 - alpha) / a0, state: [0.0; 2] }
    }

    fn next(&mut self, input: f64) -> f64 {
        let output = self.b0 * input + self.state[0];
        self.state[0] = self.state[1] - self.a1 * output;
        self.state[1] = -self.b0 * input - self.a2 * output;
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::measure::frequency;

    fn second(sound: &Loop, from: u64) -> Vec<f32> {
        let mut out = vec![0.0; SAMPLE_RATE as usize];
        sound.fill(from, &mut out);
        out
    }

    #[test]
    fn the_tone_sounds_for_100_ms_from_the_whole_second() {
        let second = second(&Loop::tone(), 1_700_000_000 * u64::from(SAMPLE_RATE));
        assert!((frequency(&second[..4800], SAMPLE_RATE) - 440.0).abs() < 0.1);
        assert!(second[0] == 0.0 && second[1] > 0.0 && second[1..4799].chunks(60).all(|c| c.iter().any(|s| *s != 0.0)));
        assert!(second[4800..].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn speech_has_formants_a_rhythm_and_room_below_full_level() {
        let second = second(&Loop::speech(), 0);
        assert!(second.iter().all(|s| s.is_finite() && s.abs() < 0.9));
        let power = |hz: f64| {
            let turn = |i: usize| TAU * hz * i as f64 / RATE;
            let (re, im) = second.iter().enumerate().fold((0.0, 0.0), |(re, im), (i, s)| {
                (re + f64::from(*s) * turn(i).cos(), im + f64::from(*s) * turn(i).sin())
            });
            re * re + im * im
        };
        // 720 and 1200 Hz are partials near the formants, 1800 Hz one in the dip between.
        assert!(power(720.0) > 10.0 * power(1800.0) && power(1200.0) > 5.0 * power(1800.0));
        let loud = |from: usize| second[from..from + 1200].iter().map(|s| s * s).sum::<f32>();
        // The envelope peaks at 1/16 s and is silent at 3/16 s.
        assert!(loud(2400) > 20.0 * loud(8400));
    }

    #[test]
    fn a_loop_goes_on_without_a_gap() {
        let sound = Loop::of(vec![0.1, 0.2, 0.3]).expect("not empty");
        let mut out = [0.0; 7];
        sound.fill(2, &mut out);
        assert_eq!(out, [0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3]);
        assert!(Loop::of(Vec::new()).is_none());
    }

    #[test]
    fn a_band_pass_has_gain_one_at_its_centre() {
        let mut filter = BandPass::new(1000.0, 8.0);
        let out: Vec<f64> = (0..9600).map(|i| filter.next((TAU * 1000.0 * i as f64 / RATE).sin())).collect();
        let peak = out[4800..].iter().fold(0.0f64, |peak, s| peak.max(s.abs()));
        assert!((peak - 1.0).abs() < 0.01, "{peak}");
    }
}
