//! The whole chain without devices and network: how much later speech is heard than it was said.

use super::measure::correlation;
use super::playout::Opus;
use anyhow::Result;
use std::time::{Duration, Instant};
use visavis_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use visavis_media::{AudioFrame, BitsPerSecond, FRAME_DURATION, FRAME_SAMPLES, RtpTicks, SAMPLE_RATE};
use visavis_voice::playout::{PlayoutBuffer, PlayoutSettings};
use visavis_voice::processing::{VoiceProcessor, VoiceSettings};

/// Within so many seconds after this one the delay is looked for: the buffer knows its path by then.
const BEGUN_S: usize = 10;
const WATCHED_S: usize = 10;
/// Longest delay that is looked for.
const MOST_S: f64 = 0.3;
/// A loudspeaker asks for sound so long after the microphone's frame was complete: half a frame is what to expect of two
/// devices that know nothing of each other.
const APART: Duration = Duration::from_millis(5);

/// Milliseconds from the moment at which something is said to the one at which it is handed to the loudspeaker, in packets
/// of so many samples, over a path that takes no time.
pub fn delay_ms(voice: &[f32], settings: VoiceSettings, packet_samples: usize) -> Result<f64> {
    let bitrate = BitsPerSecond::kilo(48);
    let mut encoder = OpusEncoder::new(OpusSettings { bitrate, fec: false, ..OpusSettings::default() })?;
    let mut decoder = Opus(OpusDecoder::with_complexity(5)?);
    let mut processor = VoiceProcessor::new(settings);
    let mut buffer = PlayoutBuffer::new(PlayoutSettings::default());
    let (start, mut packed, mut heard) = (Instant::now(), Vec::new(), Vec::new());
    let mut sent = 0u32;
    for (n, said) in (0u32..).zip(voice.as_chunks::<FRAME_SAMPLES>().0) {
        let at = start + FRAME_DURATION * n;
        packed.extend(processor.capture(&AudioFrame { samples: *said, at }).samples);
        if packed.len() == packet_samples {
            let packet = encoder.encode(&packed)?;
            buffer.push(sent as u16, RtpTicks(sent * packet_samples as u32), at + FRAME_DURATION, packet);
            (sent, packed) = (sent + 1, Vec::new());
        }
        let now = at + FRAME_DURATION + APART;
        let frame = buffer.pull(now, &mut decoder);
        processor.render(&AudioFrame { samples: frame.samples, at: now });
        heard.extend(frame.samples);
    }
    let rate = SAMPLE_RATE as usize;
    let span = BEGUN_S * rate..(BEGUN_S + WATCHED_S) * rate;
    let likeness = correlation(&voice[span.clone()], &heard[span.start..], (MOST_S * rate as f64) as usize);
    let lag = (0..likeness.len()).max_by(|a, b| likeness[*a].total_cmp(&likeness[*b])).unwrap_or(0);
    // What was heard first was asked for a frame, and half of one, after the first sample was said.
    Ok(lag as f64 * 1000.0 / f64::from(SAMPLE_RATE) + (FRAME_DURATION + APART).as_secs_f64() * 1000.0)
}
