//! Voices for measuring: spoken at test time by espeak-ng and flite, or made up where neither is installed.

use super::random::Random;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use visavis_media::SAMPLE_RATE;

/// Sentences of the Harvard lists (IEEE 1969), a list for each voice.
const TEXTS: [&str; 4] = [
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It's easy to tell \
     the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round bowls. The \
     juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs were fed chopped \
     corn and garbage.",
    "The boy was there when the sun rose. A rod is used to catch pink salmon. The source of the huge river is \
     the clear spring. Kick the ball straight and follow through. Help the woman get back to her feet. A pot \
     of tea helps to pass the evening. Smoky fires lack flame and heat. The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea. The girl at the booth sold fifty bonds. The small pup gnawed a \
     hole in the sock. The fish twisted and turned on the bent hook. Press the pants and sew a button on the \
     vest. The swan dive was far short of perfect. The beauty of the view stunned the young boy. Two blue fish \
     swam in the tank.",
    "Four hours of steady work faced us. A large size in stockings is hard to sell. The boy was mad at his \
     dog. The young kid jumped the rusty gate. Guess the results from the first scores. A salt pickle tastes \
     fine with ham. The just claim got the right verdict. These thistles bend in a high wind.",
];

/// Who speaks: program, its option for the voice, the voice.
const VOICES: [(&str, &str, &str); 4] = [
    ("espeak-ng", "-v", "en-us+f3"),
    ("flite", "-voice", "rms"),
    ("espeak-ng", "-v", "en-gb"),
    ("flite", "-voice", "slt"),
];

/// What they are called in tables.
pub const NAMES: [&str; 4] = ["espeak-ng en-us+f3", "flite rms", "espeak-ng en-gb", "flite slt"];

/// Each voice for about 25 s, 48 kHz mono, at −26 dBFS while it speaks; and whether they are real programs' voices.
pub fn voices() -> (Vec<Vec<f32>>, bool) {
    let spoken: Result<Vec<_>> = VOICES.iter().zip(TEXTS).map(|(voice, text)| speak(*voice, text)).collect();
    match spoken {
        Ok(voices) => (voices, true),
        Err(error) => {
            eprintln!(
                "No spoken voices ({error:#}); using made-up ones. `scripts/setup --tests` installs the programs."
            );
            ((0..4).map(|n| invented(n, 25.0)).collect(), false)
        }
    }
}

fn speak((program, option, voice): (&str, &str, &str), text: &str) -> Result<Vec<f32>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("speech.wav");
    let mut command = Command::new(program);
    command.args([option, voice]);
    match program {
        "flite" => command.arg("-t").arg(text).arg("-o").arg(&file),
        _ => command.arg("-w").arg(&file).arg(text),
    };
    let status = command.output().with_context(|| format!("{program} is not installed"))?.status;
    ensure!(status.success(), "{program} failed: {status}");
    let (samples, rate) = read_wav(&file)?;
    ensure!(samples.len() as u32 > rate, "{program} said nothing");
    let mut speech = resampled(&samples, f64::from(rate) / f64::from(SAMPLE_RATE));
    set_level(&mut speech, -26.0);
    Ok(speech)
}

fn read_wav(path: &Path) -> Result<(Vec<f32>, u32)> {
    let mut wav = hound::WavReader::open(path)?;
    let samples: Result<Vec<f32>, _> = wav.samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32768.0)).collect();
    Ok((samples?, wav.spec().sample_rate))
}

/// Reads `sound` at `step` samples for each of the result, through a windowed sinc.
pub fn resampled(sound: &[f32], step: f64) -> Vec<f32> {
    const HALF: i64 = 24;
    // Cut off below the lower of both Nyquist frequencies.
    let cut = 0.95 / step.max(1.0);
    let length = (sound.len() as f64 / step) as usize;
    let mut out = Vec::with_capacity(length);
    for n in 0..length {
        let at = n as f64 * step;
        let centre = at.floor() as i64;
        let mut sum = 0.0;
        for i in centre - HALF + 1..=centre + HALF {
            let Some(sample) = usize::try_from(i).ok().and_then(|i| sound.get(i)) else { continue };
            let x = at - i as f64;
            let window = (std::f64::consts::FRAC_PI_2 * x / HALF as f64).cos().powi(2);
            let turn = std::f64::consts::PI * x * cut;
            let sinc = if turn.abs() < 1e-9 { 1.0 } else { turn.sin() / turn };
            sum += f64::from(*sample) * sinc * window * cut;
        }
        out.push(sum as f32);
    }
    out
}

/// Scales to a mean level in dBFS over the frames that are within 30 dB of the loudest.
pub fn set_level(sound: &mut [f32], dbfs: f32) {
    let gain = 10f32.powf((dbfs - super::measure::active_level(sound)) / 20.0);
    sound.iter_mut().for_each(|s| *s *= gain);
}

/// A voice-like sound: pulses through three resonances that move from syllable to syllable, hisses, pauses.
pub fn invented(seed: u64, seconds: f64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let total = (seconds * f64::from(SAMPLE_RATE)) as usize;
    let pitch = 90.0 + 40.0 * seed as f64;
    let mut out = Vec::with_capacity(total);
    let mut phase = 0.0;
    let mut resonators = [[0.0f64; 2]; 3];
    while out.len() < total {
        let length = ((0.08 + 0.2 * random.unit()) * f64::from(SAMPLE_RATE)) as usize;
        let hiss = random.unit() < 0.25;
        let loud = 0.3 + 0.7 * random.unit();
        let bend = 0.9 + 0.2 * random.unit();
        let formants = [300.0 + 500.0 * random.unit(), 900.0 + 1300.0 * random.unit(), 2300.0 + 900.0 * random.unit()];
        for i in 0..length {
            let envelope = (std::f64::consts::PI * i as f64 / length as f64).sin();
            phase += pitch * (bend + 0.1 * i as f64 / length as f64) / f64::from(SAMPLE_RATE);
            let pulse = if phase >= 1.0 {
                phase -= 1.0;
                1.0
            } else {
                0.0
            };
            let drive = if hiss { 0.1 * random.gauss() } else { pulse + 0.01 * random.gauss() };
            let mut sound = if hiss { drive } else { 0.0 };
            for (state, formant) in resonators.iter_mut().zip(formants) {
                let turn = std::f64::consts::TAU * formant / f64::from(SAMPLE_RATE);
                let radius: f64 = 0.99;
                let y = drive + 2.0 * radius * turn.cos() * state[0] - radius * radius * state[1];
                *state = [y, state[0]];
                sound += y * (1.0 - radius);
            }
            out.push((sound * envelope * loud) as f32);
        }
        if random.unit() < 0.3 {
            let pause = ((0.1 + 0.5 * random.unit()) * f64::from(SAMPLE_RATE)) as usize;
            out.extend(std::iter::repeat_n(0.0, pause));
        }
    }
    out.truncate(total);
    set_level(&mut out, -26.0);
    out
}
