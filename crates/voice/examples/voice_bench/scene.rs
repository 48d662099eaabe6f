//! One machine in a call: a loudspeaker and a microphone, each with its own clock, in one room, in emulated time.

use super::random::Random;
use super::room::Room;
use super::speech::resampled;
use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_SAMPLES, SAMPLE_RATE};
use visavis_voice::processing::{VoiceProcessor, VoiceReport, VoiceSettings};

/// From being written to being heard, as the loudspeaker says itself.
const SPEAKER_QUEUE_S: f64 = 0.03;
/// A device's buffer: a captured frame is read so much after its last sample.
const MICROPHONE_AGE_S: f64 = 0.005;

/// What is said, and where.
pub struct Scene<'a> {
    /// Of the other side.
    pub far: &'a [f32],
    /// Of this one, and its noises.
    pub near: &'a [f32],
    pub room: Room,
    /// The echo's gain: 1 leaves it as loud as `far`.
    pub echo_gain: f32,
    /// By how much the loudspeaker's clock runs fast.
    pub drift_ppm: f64,
    /// How late moments are told at most.
    pub jitter_ms: f64,
    /// From this second on everything moves: another room.
    pub moved: Option<(f64, Room)>,
}

impl<'a> Scene<'a> {
    /// Both in an office with an echo after 40 ms as loud as the voice, and clocks that agree.
    pub fn new(far: &'a [f32], near: &'a [f32]) -> Self {
        let room = Room::office(1, 40.0);
        Self { far, near, room, echo_gain: 1.0, drift_ppm: 0.0, jitter_ms: 2.0, moved: None }
    }
}

/// What came of a scene.
pub struct Heard {
    /// What the microphone heard of the loudspeaker.
    pub echo: Vec<f32>,
    /// What is sent.
    pub sent: Vec<f32>,
    pub report: VoiceReport,
    /// Frames in which somebody spoke though muted.
    pub speaking_frames: usize,
    /// Microseconds that each microphone frame took.
    pub costs_us: Vec<f64>,
    /// By how many samples `sent` is late.
    pub delay: usize,
}

/// Plays a scene to its end (the longer of both voices).
pub fn play(scene: &Scene<'_>, settings: VoiceSettings) -> Heard {
    play_on(&mut VoiceProcessor::new(settings), scene)
}

/// Likewise, with a processor that may know something already.
pub fn play_on(voice: &mut VoiceProcessor, scene: &Scene<'_>) -> Heard {
    let echo = echo(scene);
    let start = Instant::now() + Duration::from_secs(1);
    let mut random = Random::new(99);
    let mut late = |seconds: f64| Duration::from_secs_f64(seconds + random.unit() * scene.jitter_ms / 1000.0);
    let (mut sent, mut costs_us) = (Vec::with_capacity(echo.len()), Vec::new());
    let speaker_frame = 0.01 / (1.0 + scene.drift_ppm * 1e-6);
    let (mut written, mut speaking_frames) = (0, 0);
    for (n, heard) in echo.chunks_exact(FRAME_SAMPLES).enumerate() {
        // Everything that was written until the microphone's frame is read.
        let read_at = (n + 1) as f64 * 0.01 + MICROPHONE_AGE_S;
        while written as f64 * speaker_frame - SPEAKER_QUEUE_S <= read_at {
            let samples = frame(scene.far, written);
            voice.render(&AudioFrame { samples, at: start + late(written as f64 * speaker_frame) });
            written += 1;
        }
        let mut samples = frame(scene.near, n);
        samples.iter_mut().zip(heard).for_each(|(s, e)| *s = (*s + e).clamp(-1.0, 1.0));
        let captured = AudioFrame { samples, at: start + late(n as f64 * 0.01) };
        let began = Instant::now();
        let out = voice.capture(&captured);
        costs_us.push(began.elapsed().as_secs_f64() * 1e6);
        sent.extend(out.samples);
        speaking_frames += usize::from(voice.report().speaking_while_muted);
    }
    let delay = (voice.delay().as_secs_f64() * f64::from(SAMPLE_RATE)).round() as usize;
    Heard { echo, sent, report: voice.report(), speaking_frames, costs_us, delay }
}

/// The loudspeaker's sound as the microphone hears it, by the microphone's clock.
fn echo(scene: &Scene<'_>) -> Vec<f32> {
    let length = scene.far.len().max(scene.near.len());
    let played =
        if scene.drift_ppm == 0.0 { scene.far.to_vec() } else { resampled(scene.far, 1.0 + scene.drift_ppm * 1e-6) };
    let mut echo = scene.room.echo(&played);
    if let Some((second, room)) = &scene.moved {
        let from = (second * f64::from(SAMPLE_RATE)) as usize;
        let other = room.echo(&played);
        for (sample, other) in echo.iter_mut().zip(other).skip(from) {
            *sample = other;
        }
    }
    echo.iter_mut().for_each(|s| *s *= scene.echo_gain);
    echo.resize(length, 0.0);
    echo
}

fn frame(sound: &[f32], n: usize) -> [f32; FRAME_SAMPLES] {
    std::array::from_fn(|i| sound.get(n * FRAME_SAMPLES + i).copied().unwrap_or(0.0))
}
