//! Speech over a bad network: Opus, loss, jitter and drift, the playout buffer.

use super::pesq::pesq;
use super::random::Random;
use anyhow::Result;
use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings, SAMPLES_20_MS};
use visavis_media::{BitsPerSecond, RtpTicks};
use visavis_voice::playout::{PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

/// A network in one direction, and the other side's clock.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    pub name: &'static str,
    /// Mean of a delay that comes on top; up to twice as much.
    pub jitter_ms: f64,
    pub loss: f64,
    /// Mean length of a burst of losses.
    pub burst: f64,
    pub drift_ppm: f64,
    /// Rate of Opus.
    pub kbps: u32,
    /// Each packet brings the one sent so many before (RFC 2198); 0 for none.
    pub copy: usize,
}

/// What became of it.
pub struct Played {
    pub mean_buffer_ms: f64,
    /// Share of samples invented with nothing to go by; percent.
    pub concealed_pct: f64,
    /// Sound left out or repeated to follow the delay, in ms.
    pub stretched_ms: f64,
    /// Once the stream has begun.
    pub pesq: Option<f64>,
}

/// The first seconds, in which the buffer learns about the path, are judged by ear.
const BEGUN: usize = 96_000;

/// The decoder of calls.
pub struct Opus(pub OpusDecoder);

impl SpeechDecoder for Opus {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        self.0.decode(packet, out).is_ok()
    }

    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        self.0.decode_fec(next_packet, samples, out).is_ok()
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        self.0.conceal(samples, out).is_ok()
    }
}

/// PESQ of Opus alone, at its settings of a good path.
pub fn codec_alone(voice: &[f32]) -> Result<Option<f64>> {
    let mut encoder = OpusEncoder::new(OpusSettings { fec: false, expected_loss_pct: 0, ..OpusSettings::default() })?;
    let (mut decoder, mut heard) = (OpusDecoder::with_complexity(5)?, Vec::with_capacity(voice.len()));
    for chunk in voice.chunks_exact(SAMPLES_20_MS) {
        decoder.decode(&encoder.encode(chunk)?, &mut heard)?;
    }
    Ok(pesq(&voice[BEGUN..], &heard[BEGUN..]))
}

/// Sends `voice` along a path.
pub fn send(voice: &[f32], path: Path) -> Result<Played> {
    let expected_loss_pct = (path.loss * 100.0).round() as u8;
    let bitrate = BitsPerSecond::kilo(path.kbps);
    let settings = OpusSettings { bitrate, fec: path.loss > 0.0, expected_loss_pct, ..OpusSettings::default() };
    let mut encoder = OpusEncoder::new(settings)?;
    let mut random = Random::new(5);
    let (mut wire, mut lost, mut sent_before) = (Vec::new(), false, Vec::new());
    for (n, chunk) in (0u32..).zip(voice.chunks_exact(SAMPLES_20_MS)) {
        let packet = encoder.encode(chunk)?;
        // Gilbert's model: of the wanted share and mean length.
        let begin = path.loss / (path.burst * (1.0 - path.loss));
        lost = if lost { random.unit() >= 1.0 / path.burst } else { random.unit() < begin };
        let jitter = (random.unit() + random.unit()) * path.jitter_ms;
        let copy = (n as usize).checked_sub(path.copy.max(1)).filter(|_| path.copy > 0);
        let copy = copy.map(|then: usize| (then, Bytes::clone(&sent_before[then])));
        sent_before.push(packet.clone());
        if !lost {
            let sent = f64::from(n) * 0.02 * (1.0 + path.drift_ppm * 1e-6);
            wire.push((Duration::from_secs_f64(sent + jitter / 1000.0), n, packet, copy));
        }
    }
    wire.sort_by_key(|packet| packet.0);
    let start = Instant::now();
    let mut buffer = PlayoutBuffer::new(PlayoutSettings::default());
    let mut decoder = Opus(OpusDecoder::with_complexity(5)?);
    let (mut wire, mut heard) = (wire.into_iter().peekable(), Vec::with_capacity(voice.len()));
    for tick in 0..voice.len() as u64 / 480 {
        let now = Duration::from_millis(tick * 10 + 3);
        while let Some((at, n, packet, copy)) = wire.next_if(|(at, ..)| *at <= now) {
            buffer.push(n as u16, RtpTicks(n * SAMPLES_20_MS as u32), start + at, packet);
            if let Some((then, packet)) = copy {
                buffer.push_copy(then as u16, RtpTicks((then * SAMPLES_20_MS) as u32), start + at, packet);
            }
        }
        heard.extend(buffer.pull(start + now, &mut decoder).samples);
    }
    let stats = buffer.stats();
    Ok(Played {
        mean_buffer_ms: stats.mean_delay_since(&PlayoutStats::default()).map_or(0.0, |d| d.as_secs_f64() * 1000.0),
        concealed_pct: stats.concealed_samples as f64 * 100.0 / stats.total_samples.max(1) as f64,
        stretched_ms: (stats.inserted_samples + stats.removed_samples) as f64 / 48.0,
        pesq: pesq(&voice[BEGUN..], &heard[BEGUN..]),
    })
}
