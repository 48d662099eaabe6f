//! Simulated rooms: what a microphone hears of a loudspeaker, and noises.

use super::random::Random;
use realfft::RealFftPlanner;
use visavis_media::SAMPLE_RATE;

/// A room between a loudspeaker and a microphone.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub seed: u64,
    /// Until the echo begins.
    pub delay_ms: f64,
    /// Seconds in which reverberation falls by 60 dB.
    pub rt60: f64,
    /// How much stronger the direct sound is than the reverberation.
    pub direct_db: f64,
    /// Share of the cube in a loudspeaker that is driven hard; 0 for one that is linear.
    pub distortion: f32,
}

impl Room {
    /// An office: 0.3 s of reverberation, 6 dB weaker than the direct sound.
    pub fn office(seed: u64, delay_ms: f64) -> Self {
        Self { seed, delay_ms, rt60: 0.3, direct_db: 6.0, distortion: 0.0 }
    }

    /// Its impulse response, of energy 1.
    pub fn response(&self) -> Vec<f32> {
        let mut random = Random::new(self.seed);
        let rate = f64::from(SAMPLE_RATE);
        let start = (self.delay_ms / 1000.0 * rate) as usize;
        let tail = (self.rt60 * 0.9 * rate) as usize;
        let mut response = vec![0.0; start + tail + 1];
        // A few early reflections, then a tail of noise; loudspeaker and microphone are deaf at both ends.
        let mut late: Vec<f64> =
            (0..tail).map(|n| random.gauss() * 10f64.powf(-3.0 * n as f64 / (self.rt60 * rate))).collect();
        for _ in 0..6 {
            let at = ((0.001 + 0.012 * random.unit()) * rate) as usize;
            if let Some(sample) = late.get_mut(at) {
                *sample += 8.0 * (random.unit() - 0.3);
            }
        }
        let energy: f64 = late.iter().map(|s| s * s).sum();
        let direct = (energy * 10f64.powf(self.direct_db / 10.0)).sqrt();
        response[start] = direct;
        for (sample, late) in response[start + 1..].iter_mut().zip(&late) {
            *sample = *late;
        }
        let mut smooth = (0.0, 0.0);
        for sample in &mut response {
            // 120 Hz to 9 kHz, 6 dB per octave.
            smooth.0 += (*sample - smooth.0) * 0.69;
            smooth.1 += (smooth.0 - smooth.1) * 0.0156;
            *sample = smooth.0 - smooth.1;
        }
        let energy: f64 = response.iter().map(|s| s * s).sum();
        response.iter().map(|s| (s / energy.sqrt()) as f32).collect()
    }

    /// What the microphone hears of `played`.
    pub fn echo(&self, played: &[f32]) -> Vec<f32> {
        let driven: Vec<f32> = played
            .iter()
            .map(|s| {
                if self.distortion == 0.0 {
                    *s
                } else {
                    (s * 4.0).tanh() / 4.0 * self.distortion + s * (1.0 - self.distortion)
                }
            })
            .collect();
        convolved(&driven, &self.response())
    }
}

/// As long as `sound`.
pub fn convolved(sound: &[f32], response: &[f32]) -> Vec<f32> {
    let size = (4 * response.len()).next_power_of_two().max(4096);
    let step = size - response.len() + 1;
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, backward) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |samples: &[f32]| {
        let mut padded = vec![0.0; size];
        padded[..samples.len()].copy_from_slice(samples);
        let mut bins = forward.make_output_vec();
        forward.process(&mut padded, &mut bins).expect("sizes are the plan's");
        bins
    };
    let filter = spectrum(response);
    let mut out = vec![0.0; sound.len() + size];
    for (n, chunk) in sound.chunks(step).enumerate() {
        let mut bins = spectrum(chunk);
        bins.iter_mut().zip(&filter).for_each(|(a, b)| *a *= b);
        // Rounding leaves a trace of an imaginary part where there can be none.
        (bins[0].im, bins[size / 2].im) = (0.0, 0.0);
        let mut piece = vec![0.0; size];
        backward.process(&mut bins, &mut piece).expect("sizes are the plan's");
        for (sample, add) in out[n * step..].iter_mut().zip(&piece) {
            *sample += add / size as f32;
        }
    }
    out.truncate(sound.len());
    out
}

/// A fan: noise that falls towards high frequencies, with a hum of its blades.
pub fn fan(seed: u64, samples: usize, dbfs: f32) -> Vec<f32> {
    let mut random = Random::new(seed);
    let (mut low, mut lower) = (0.0, 0.0);
    let mut sound: Vec<f32> = (0..samples)
        .map(|n| {
            let white = random.gauss();
            low += (white - low) * 0.1;
            lower += (white - lower) * 0.01;
            let hum = (n as f64 * std::f64::consts::TAU * 118.0 / f64::from(SAMPLE_RATE)).sin();
            (low + 2.0 * lower + 0.02 * white + 0.05 * hum) as f32
        })
        .collect();
    scale(&mut sound, dbfs);
    sound
}

/// A keyboard: clicks of a few milliseconds, four to eight a second, each with a softer one as the key comes up.
pub fn keyboard(seed: u64, samples: usize, dbfs: f32) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut sound = vec![0.0f32; samples];
    let mut at = 2400;
    while at + 9600 < samples {
        let up = 2900 + (2000.0 * random.unit()) as usize;
        for (start, loud) in [(at, 1.0), (at + up, 0.4)] {
            let pitch = 1500.0 + 3000.0 * random.unit();
            for i in 0..960 {
                let fall = (-(i as f64) / 130.0).exp();
                let ring = (i as f64 * std::f64::consts::TAU * pitch / f64::from(SAMPLE_RATE)).sin();
                sound[start + i] += (loud * fall * (random.gauss() + 0.7 * ring)) as f32;
            }
        }
        at += 6000 + (6000.0 * random.unit()) as usize;
    }
    scale(&mut sound, dbfs);
    sound
}

fn scale(sound: &mut [f32], dbfs: f32) {
    let power = sound.iter().map(|s| f64::from(s * s)).sum::<f64>() / sound.len() as f64;
    let gain = (10f64.powf(f64::from(dbfs) / 10.0) / power).sqrt() as f32;
    sound.iter_mut().for_each(|s| *s *= gain);
}
