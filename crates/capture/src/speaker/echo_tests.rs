//! Whether the echo canceller can live on the moments that a loudspeaker tells: a device's callbacks, the queue, a room, a
//! microphone with another clock, and voice processing, in emulated time.

use super::simulated::{Device, Outcome, Random, Written, play};
use crate::sound::timeline::Timeline;
use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_SAMPLES};
use visavis_voice::processing::{NoiseSuppression, VoiceProcessor, VoiceReport, VoiceSettings};

const RATE: usize = 48_000;
/// Without noise suppression and gain, what comes out can be compared with what went in.
const AEC: VoiceSettings = VoiceSettings {
    high_pass: true,
    echo_cancellation: true,
    noise_suppression: NoiseSuppression::Off,
    automatic_gain: false,
};

/// Pulses and breath through two resonances that move from syllable to syllable, with pauses.
fn voice(seed: u64, seconds: usize) -> Vec<f32> {
    let mut random = Random(seed);
    let (mut sound, mut phase) = (Vec::new(), 0.0);
    let mut states = [[0.0f64; 2]; 2];
    while sound.len() < seconds * RATE {
        let length = ((0.08 + 0.2 * random.unit()) * RATE as f64) as usize;
        let (pitch, loud) = (90.0 + 90.0 * random.unit(), 0.3 + 0.7 * random.unit());
        let formants = [300.0 + 600.0 * random.unit(), 1000.0 + 2200.0 * random.unit()];
        for i in 0..length {
            phase += pitch / RATE as f64;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase -= pulse;
            let drive = pulse + 0.03 * (random.unit() - 0.5);
            let mut sum = 0.0;
            for (state, formant) in states.iter_mut().zip(formants) {
                let turn = std::f64::consts::TAU * formant / RATE as f64;
                let y = drive + 2.0 * 0.985 * turn.cos() * state[0] - 0.985 * 0.985 * state[1];
                *state = [y, state[0]];
                sum += y * 0.02;
            }
            let envelope = (std::f64::consts::PI * i as f64 / length as f64).sin();
            sound.push((sum * envelope * loud) as f32);
        }
        let pause = if random.unit() < 0.3 { 0.05 + 0.3 * random.unit() } else { 0.0 };
        sound.extend(std::iter::repeat_n(0.0, (pause * RATE as f64) as usize));
    }
    sound.truncate(seconds * RATE);
    let gain = 0.05 / power(&sound).sqrt() as f32;
    sound.iter().map(|s| s * gain).collect()
}

fn power(sound: &[f32]) -> f64 {
    sound.iter().map(|s| f64::from(s * s)).sum::<f64>() / sound.len().max(1) as f64
}

fn db(power: f64) -> f64 {
    10.0 * power.max(1e-20).log10()
}

/// `sound` at a position between its samples.
fn between(sound: &[f32], at: f64) -> f32 {
    const HALF: i64 = 16;
    let (centre, turn) = (at.floor() as i64, (std::f64::consts::PI * (at - at.floor())).sin());
    let value = |i: i64| {
        let sample = usize::try_from(i).ok().and_then(|i| sound.get(i)).copied().unwrap_or(0.0);
        let x = at - i as f64;
        let sine = if (i - centre) % 2 == 0 { turn } else { -turn };
        let sinc = if x.abs() < 1e-6 { 1.0 } else { sine / (std::f64::consts::PI * x) };
        sample * (sinc * (1.0 - (x / HALF as f64).powi(2)).max(0.0)) as f32
    };
    (centre - HALF + 1..=centre + HALF).map(value).sum()
}

/// What the microphone hears of the loudspeaker: sample `n` at the moment n / 48 000 s. The sound is 5 ms on its way, is
/// reflected forty times, and comes back as loud as it was.
fn echo(device: Device, outcome: &Outcome, seconds: usize) -> Vec<f32> {
    let pace = f64::from(device.rate) * (1.0 + device.ppm * 1e-6);
    let dry: Vec<f32> = (0..seconds * RATE)
        .map(|n| between(&outcome.played, (n as f64 / RATE as f64 - device.latency_s) * pace))
        .collect();
    let mut random = Random(3);
    let mut way = vec![(240usize, 1.0f32)];
    way.extend((0..40).map(|n| {
        (260 + n * 65 + (60.0 * random.unit()) as usize, 0.5 * (0.9f32).powi(n as i32) * (random.unit() as f32 - 0.5))
    }));
    let energy: f32 = way.iter().map(|(_, gain)| gain * gain).sum::<f32>().sqrt();
    (0..dry.len())
        .map(|n| way.iter().map(|(late, gain)| if n >= *late { dry[n - late] * gain / energy } else { 0.0 }).sum())
        .collect()
}

/// What voice processing makes of the echo and of `near`.
fn processed(frames: &[Written], far: &[f32], echo: &[f32], near: &[f32]) -> (Vec<f32>, VoiceReport) {
    let start = Instant::now() + Duration::from_secs(1);
    let (mut voice, mut line, mut random) = (VoiceProcessor::new(AEC), Timeline::new(RATE as u32), Random(11));
    let (mut sent, mut next) = (Vec::with_capacity(echo.len()), 0);
    for (n, heard) in echo.chunks_exact(FRAME_SAMPLES).enumerate() {
        // The microphone's callback comes late, and so does what it tells.
        let read_s = (n + 1) as f64 * 0.01 + random.late(0.004);
        line.note((n * FRAME_SAMPLES) as u64, start + Duration::from_secs_f64(read_s - 0.01));
        while let Some(frame) = frames.get(next).filter(|frame| frame.at_s <= read_s) {
            let at = start + Duration::from_secs_f64(frame.said_s.max(0.0));
            voice.render(&AudioFrame { samples: frame_of(far, next), at });
            next += 1;
        }
        let mut samples = frame_of(near, n);
        samples.iter_mut().zip(heard).for_each(|(s, e)| *s += e);
        let at = line.at((n * FRAME_SAMPLES) as u64).expect("noted");
        sent.extend(voice.capture(&AudioFrame { samples, at }).samples);
    }
    (sent, voice.report())
}

fn frame_of(sound: &[f32], n: usize) -> [f32; FRAME_SAMPLES] {
    std::array::from_fn(|i| sound.get(n * FRAME_SAMPLES + i).copied().unwrap_or(0.0))
}

/// How much weaker the echo is in what is sent than at the microphone, between two seconds.
fn erle(echo: &[f32], sent: &[f32], from: usize, to: usize) -> f64 {
    db(power(&echo[from * RATE..to * RATE]) / power(&sent[from * RATE..to * RATE]).max(1e-14))
}

/// The share of `wanted` in `sound`, in dB.
fn share(wanted: &[f32], sound: &[f32]) -> f64 {
    let both: f64 = wanted.iter().zip(sound).map(|(w, s)| f64::from(w * s)).sum();
    db((both / (power(wanted) * wanted.len() as f64)).powi(2))
}

#[test]
fn clocks_that_drift_apart_cost_the_canceller_little() {
    const SECONDS: usize = 34;
    let (far, near) = (voice(1, SECONDS), voice(2, SECONDS));
    let alone = processed(&[], &[], &vec![0.0; SECONDS * RATE], &near).0;
    let of = |ppm, period| {
        let device = Device { ppm, period, ..Device::USUAL };
        let outcome = play(device, SECONDS as f64 + 1.0, |n| frame_of(&far, n));
        let echo = echo(device, &outcome, SECONDS);
        let (sent, report) = processed(&outcome.frames, &far, &echo, &[]);
        let weaker: Vec<f32> = echo.iter().map(|s| s * 0.355).collect();
        let both = processed(&outcome.frames, &far, &weaker, &near).0;
        let figures = (erle(&echo, &sent, 22, SECONDS), share(&alone[22 * RATE..], &both[22 * RATE..]));
        println!(
            "{ppm} ppm, periods of {period}: ERLE {:.1} dB, near voice {:.1} dB, {report:?}",
            figures.0, figures.1
        );
        (figures, report.drift_ppm.expect("long enough"))
    };
    let ((together, near_together), _) = of(0.0, 480);
    assert!(together > 40.0, "{together:.1}");
    for (ppm, period) in [(50.0, 480), (-100.0, 1024), (200.0, 128)] {
        let ((erle, near), found) = of(ppm, period);
        assert!((f64::from(found) - ppm).abs() < 10.0, "{ppm}: {found}");
        assert!(erle > 40.0, "{ppm}: {erle:.1} of {together:.1}");
        assert!(near > near_together - 1.0, "{ppm}: {near:.1} of {near_together:.1}");
    }
}

#[test]
fn a_loudspeaker_that_runs_dry_does_not_make_the_canceller_begin_anew() {
    const SECONDS: usize = 31;
    let far = voice(1, SECONDS);
    let device = Device { ppm: 50.0, stall_s: 0.08, stall_every_s: 9.0, ..Device::USUAL };
    let outcome = play(device, SECONDS as f64 + 1.0, |n| frame_of(&far, n));
    let echo = echo(device, &outcome, SECONDS);
    let (sent, report) = processed(&outcome.frames, &far, &echo, &[]);
    let seconds: Vec<f64> = (0..SECONDS).map(|s| erle(&echo, &sent, s, s + 1)).collect();
    println!("{} underruns, each second: {seconds:.0?}, {report:?}", outcome.underruns);
    assert!(outcome.underruns >= 3);
    assert!(seconds[9..].iter().all(|erle| *erle > 35.0), "{seconds:.0?}");
    assert!((report.drift_ppm.expect("long enough") - 50.0).abs() < 10.0, "{report:?}");
}
