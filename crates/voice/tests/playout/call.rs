//! A call in emulated time: a codec that says what it played, a network, and a reader that comes every 10 ms.

use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use visavis_voice::playout::{Played, PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

pub const FRAME: u64 = 960;

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0…1
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A codec whose packets say which part of an endless vowel (period 5 ms) they hold. A packet can repair the one before.
#[derive(Default)]
pub struct Vowel {
    pub at: u64,
    pub concealed: usize,
}

impl Vowel {
    pub fn packet(n: u64) -> Bytes {
        Bytes::copy_from_slice(&n.to_be_bytes())
    }

    pub fn sample(at: u64) -> f32 {
        let phase = (at % 240) as f32 / 240.0 * std::f32::consts::TAU;
        0.3 * phase.sin() + 0.15 * (3.0 * phase).sin()
    }

    pub fn number(packet: &[u8]) -> Option<u64> {
        packet.try_into().ok().map(u64::from_be_bytes)
    }

    fn write(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.extend((0..samples as u64).map(|i| Self::sample(self.at + i)));
        self.at += samples as u64;
    }
}

impl SpeechDecoder for Vowel {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        if packet.len() <= 2 {
            out.extend([0.0; FRAME as usize]);
            return true;
        }
        let Some(n) = Self::number(packet) else { return false };
        self.at = n.wrapping_mul(FRAME);
        self.write(FRAME as usize, out);
        true
    }

    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        let Some(n) = Self::number(next_packet) else { return false };
        self.at = n.wrapping_mul(FRAME).wrapping_sub(samples as u64);
        self.write(samples, out);
        true
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        assert!(samples > 0 && samples <= 960 && samples.is_multiple_of(120), "{samples}");
        self.concealed += samples;
        self.write(samples, out);
        true
    }
}

/// One call in emulated time: packet `n` is sent at 20 ms · n by a clock that may drift.
pub struct Call {
    pub start: Instant,
    pub buffer: PlayoutBuffer,
    pub decoder: Vowel,
    /// (arrival, n), to be sorted.
    pub wire: Vec<(Duration, u64)>,
    pub first_seq: u16,
    pub first_rtp: u32,
    pub played: Vec<(Duration, Played)>,
}

impl Call {
    /// `network` gives each packet's delay in ms, or loses it.
    pub fn new(packets: u64, drift_ppm: f64, mut network: impl FnMut(u64) -> Option<f64>) -> Self {
        let mut wire = Vec::new();
        for n in 0..packets {
            if let Some(delay) = network(n) {
                let sent = n as f64 * 0.02 * (1.0 + drift_ppm * 1e-6);
                wire.push((Duration::from_secs_f64(sent + delay / 1000.0), n));
            }
        }
        Self {
            start: Instant::now(),
            buffer: PlayoutBuffer::new(PlayoutSettings::default()),
            decoder: Vowel::default(),
            wire,
            first_seq: 65_000,
            first_rtp: u32::MAX - 200_000,
            played: Vec::new(),
        }
    }

    /// Runs to the end; the reader's ticks lie 3 ms behind the sender's.
    pub fn run(&mut self, length: Duration) -> PlayoutStats {
        self.wire.sort();
        let mut wire = std::mem::take(&mut self.wire).into_iter().peekable();
        let ticks = length.as_millis() as u64 / 10;
        for tick in 0..ticks {
            let now = ms(tick * 10 + 3);
            while let Some((arrival, n)) = wire.next_if(|(arrival, _)| *arrival <= now) {
                self.push(arrival, n);
            }
            let played = self.buffer.pull(self.start + now, &mut self.decoder);
            assert!(played.samples.iter().all(|s| s.abs() <= 0.5), "tick {tick}");
            self.played.push((now, played));
        }
        self.buffer.stats()
    }

    pub fn push(&mut self, arrival: Duration, n: u64) {
        let seq = self.first_seq.wrapping_add(n as u16);
        let rtp = RtpTicks(self.first_rtp.wrapping_add((n * FRAME) as u32));
        self.buffer.push(seq, rtp, self.start + arrival, Vowel::packet(n));
    }

    /// From being said to being played, by the timestamps that come with the sound.
    pub fn mouth_to_ear(&self, from: Duration) -> Vec<f64> {
        let late = |(now, played): &(Duration, Played)| {
            let said = played.first_sample?.since(RtpTicks(self.first_rtp)) as f64 / 48_000.0;
            (*now >= from).then_some((now.as_secs_f64() - said) * 1000.0)
        };
        self.played.iter().filter_map(late).collect()
    }

    pub fn sound(&self, from: usize) -> Vec<f32> {
        self.played[from..].iter().flat_map(|(_, played)| played.samples).collect()
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

/// Steeper than the vowel anywhere is a click.
pub fn clicks(sound: &[f32]) -> usize {
    let steepest = (0..240).map(|i| (Vowel::sample(i + 1) - Vowel::sample(i)).abs()).fold(0.0, f32::max);
    sound.windows(2).filter(|w| (w[1] - w[0]).abs() > 2.5 * steepest).count()
}

pub fn concealed_pct(stats: &PlayoutStats) -> f64 {
    stats.concealed_samples as f64 * 100.0 / stats.total_samples as f64
}
