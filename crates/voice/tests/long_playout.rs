//! An hour of sound through the playout buffer, in emulated time: clocks that drift apart, a path that jitters.

#[path = "../examples/voice_bench/random.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod random;

use bytes::Bytes;
use random::Random;
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use visavis_voice::playout::{PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

const FRAME: usize = 960;

/// A vowel of 200 Hz without end.
#[derive(Default)]
struct Vowel(usize);

impl Vowel {
    fn write(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        out.extend((self.0..self.0 + samples).map(|n| 0.3 * ((n % 240) as f32 / 240.0 * std::f32::consts::TAU).sin()));
        self.0 = (self.0 + samples) % 240;
        true
    }
}

impl SpeechDecoder for Vowel {
    fn decode(&mut self, _: &[u8], out: &mut Vec<f32>) -> bool {
        self.write(FRAME, out)
    }

    fn recover(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        self.write(samples, out)
    }
}

/// Bytes of this process that lie in memory; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(pages * 4096)
}

#[test]
fn an_hour_of_drift_and_jitter_keeps_the_delay_the_sound_and_the_memory() {
    for ppm in [-200.0, 200.0] {
        let start = Instant::now();
        let mut random = Random::new(6);
        let (mut buffer, mut decoder) = (PlayoutBuffer::new(PlayoutSettings::default()), Vowel::default());
        // Packets overtake each other by less than 60 ms, so the next four are all that can be on the way.
        let (mut wire, mut sent, mut early) = (Vec::new(), 0u64, PlayoutStats::default());
        let (mut longest, mut memory) = (Duration::ZERO, None);
        for tick in 0..360_000u64 {
            let now = Duration::from_millis(tick * 10 + 3);
            while sent as f64 * 0.02 * (1.0 + ppm * 1e-6) <= now.as_secs_f64() {
                let jitter = (random.unit() + random.unit()) * 0.03;
                let at = Duration::from_secs_f64(sent as f64 * 0.02 * (1.0 + ppm * 1e-6) + 0.02 + jitter);
                wire.push((at, sent));
                sent += 1;
            }
            wire.sort_unstable();
            let due = wire.partition_point(|(at, _)| *at <= now);
            for (at, n) in wire.drain(..due) {
                let rtp = RtpTicks((n as u32).wrapping_mul(FRAME as u32));
                buffer.push(n as u16, rtp, start + at, Bytes::from_static(&[0; 80]));
            }
            let played = buffer.pull(start + now, &mut decoder);
            assert!(played.samples.iter().all(|s| s.abs() <= 0.5));
            if tick == 30_000 {
                (early, memory) = (buffer.stats(), resident());
            }
            if tick > 30_000 {
                longest = longest.max(buffer.stats().delay);
            }
        }
        let stats = buffer.stats();
        let samples = (stats.total_samples - early.total_samples) as f64;
        let concealed = (stats.concealed_samples - early.concealed_samples) as f64 * 100.0 / samples;
        let mean = stats.mean_delay_since(&early).expect("sound came");
        println!("{ppm} ppm: {concealed:.3} % concealed, {mean:?} held back on average, {longest:?} at most");
        assert!(concealed <= 0.5, "{ppm}: {concealed} %");
        assert!(
            mean < Duration::from_millis(90) && longest < Duration::from_millis(150),
            "{ppm}: {mean:?} {longest:?}"
        );
        if let (Some(before), Some(after)) = (memory, resident()) {
            assert!(after < before + (4 << 20), "{ppm}: grew by {} kB", after.saturating_sub(before) / 1024);
        }
    }
}
