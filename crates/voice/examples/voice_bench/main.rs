//! How good the sound is that a call sends: echo, both speaking at once, noise, level, and what it costs.
//!
//! `cargo run --release --example voice_bench` (`--json` for one line)

mod measure;
mod random;
mod room;
mod scene;
mod speech;

use clap::Parser;
use measure::{db, fitted, power};
use scene::{Scene, play};
use visavis_voice::processing::{NoiseSuppression, VoiceSettings};

/// Options.
#[derive(Parser)]
struct Options {
    /// One line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let _options = Options::parse();
    let (voices, _) = speech::voices();
    let aec =
        VoiceSettings { noise_suppression: NoiseSuppression::Off, automatic_gain: false, ..VoiceSettings::default() };
    let ns = VoiceSettings { automatic_gain: false, ..VoiceSettings::default() };
    for (name, settings) in [
        ("hp", VoiceSettings { echo_cancellation: false, ..aec }),
        ("aec", aec),
        ("aec ns", ns),
        ("light", VoiceSettings { noise_suppression: NoiseSuppression::Light, ..aec }),
        ("all", VoiceSettings::default()),
    ] {
        let near = &voices[0];
        let out = play(&Scene::new(&[], near), settings);
        let d = measure::delay(&near[48_000..144_000], &out.sent[48_000..], 2400);
        println!("{name}: delay {} samples, said {}", d, out.delay);
        let n = out.sent.len() - d;
        let (g, sdr) = fitted(&near[..n], &out.sent[d..]);
        println!("   near alone: gain {:.2} sdr {:.1}", db(g * g), db(sdr));
    }
    for drift in [0.0, 50.0, 200.0] {
        for delay in [10.0, 40.0, 150.0] {
            let mut scene = Scene::new(&voices[1], &[]);
            scene.drift_ppm = drift;
            scene.room.delay_ms = delay;
            for (name, s) in [("aec", aec), ("aec ns", ns)] {
                let out = play(&scene, s);
                let erle = |a: usize, b: usize| {
                    db(power(&out.echo[a * 48000..b * 48000]) / power(&out.sent[a * 48000..b * 48000]))
                };
                println!(
                    "{name} drift {drift} delay {delay}: ERLE 0-1 {:.1} 1-2 {:.1} 2-5 {:.1} 5-10 {:.1} 10-20 {:.1} cost {:.0} {:?}",
                    erle(0, 1),
                    erle(1, 2),
                    erle(2, 5),
                    erle(5, 10),
                    erle(10, 20),
                    out.costs_us.iter().sum::<f64>() / out.costs_us.len() as f64,
                    out.report
                );
            }
        }
    }
    // double talk
    for drift in [0.0, 50.0, 200.0] {
        for below in [9.0f32, 3.0, 0.0] {
            let near = &voices[0];
            let mut scene = Scene::new(&voices[1], near);
            scene.drift_ppm = drift;
            scene.echo_gain = 10f32.powf(-below / 20.0);
            let out = play(&scene, aec);
            let alone = play(&Scene::new(&[], near), aec);
            let from = 10 * 48000;
            let to = 20 * 48000;
            let (g, sdr) = fitted(&alone.sent[from..to], &out.sent[from..to]);
            println!("double talk drift {drift} echo {below} below: near {:.1} dB, sdr {:.1}", db(g * g), db(sdr));
        }
    }
    Ok(())
}
