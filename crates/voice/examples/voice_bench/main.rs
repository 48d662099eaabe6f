//! How good the sound of a call is, measured on speech in simulated rooms: echo, both speaking at once, noise, level,
//! what it costs, and playout over bad networks.
//!
//! `cargo run --release --example voice_bench` prints each figure with its goal; `--json` prints one line.

mod chain;
mod cleaning;
mod echoes;
#[allow(dead_code, reason = "tests use the rest")]
mod measure;
mod pesq;
mod playout;
mod random;
mod room;
#[allow(dead_code, reason = "tests use the rest")]
mod scene;
mod speech;
mod stoi;
mod table;

use clap::Parser;
use echoes::{AEC, AEC_NS, double_talk, far_alone};
use measure::{mean, quantile};
use playout::Path;
use room::Room;
use scene::{Scene, play};
use serde_json::{Map, Value, json};
use std::time::Instant;
use table::Table;
use visavis_codec::opus::{SAMPLES_10_MS, SAMPLES_20_MS};
use visavis_media::SAMPLE_RATE;
use visavis_voice::processing::{VoiceProcessor, VoiceSettings};

/// Each voice is repeated to this length.
const SECONDS: usize = 30;

/// Options.
#[derive(Parser)]
#[command(about = "Measures echo cancellation, noise suppression, gain and playout on speech in simulated rooms")]
struct Options {
    /// One line of JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Measure only this part; may be repeated.
    #[arg(long)]
    part: Vec<Section>,
}

/// A part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Section {
    Echo,
    Near,
    Cost,
    Playout,
    Delay,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (mut voices, spoken) = speech::voices();
    for voice in &mut voices {
        *voice = voice.iter().copied().cycle().take(SECONDS * SAMPLE_RATE as usize).collect();
    }
    let mut table = Table::new(!options.json);
    let mut report = Map::new();
    report.insert("spoken_voices".to_owned(), json!(spoken));
    for section in [Section::Echo, Section::Near, Section::Cost, Section::Playout, Section::Delay] {
        if !options.part.is_empty() && !options.part.contains(&section) {
            continue;
        }
        match section {
            Section::Echo => echo(&voices, &mut table, &mut report),
            Section::Near => near(&voices, &mut table, &mut report),
            Section::Cost => cost(&voices, &mut table, &mut report),
            Section::Playout => network(&voices, &mut table, &mut report)?,
            Section::Delay => delay(&voices, &mut table, &mut report)?,
        }
    }
    if options.json {
        println!("{}", Value::Object(report));
    }
    Ok(())
}

fn echo(voices: &[Vec<f32>], table: &mut Table, report: &mut Map<String, Value>) {
    let far: [&[f32]; 2] = [&voices[1], &voices[2]];
    let office = Room::office(1, 40.0);
    table.head("Echo, far side alone (ERLE)");
    let plain = far_alone(&far, office, 0.0, AEC);
    let with_ns = far_alone(&far, office, 0.0, AEC_NS);
    table.row("canceller alone, after 10 s", plain.settled, "dB", Some(35.0..));
    table.row("with noise suppression, after 10 s", with_ns.settled, "dB", Some(45.0..));
    let whole = far_alone(&far, office, 0.0, VoiceSettings::default());
    table.row("the whole chain, after 10 s", whole.settled, "dB", Some(45.0..));
    table.row("in the first second", plain.first_second, "dB", None);
    table.row("in the second", plain.second, "dB", Some(15.0..));
    table.row_below("until 15 dB", plain.to_15_db, "s", 1.0);
    table.row("first second after everything moved", plain.after_move, "dB", None);
    table.row("fifth second after everything moved", plain.fifth_after_move, "dB", Some(15.0..));
    for (name, room, drift) in [
        ("echo after 10 ms", Room::office(2, 10.0), 0.0),
        ("echo after 150 ms", Room::office(3, 150.0), 0.0),
        ("drift of 50 ppm", office, 50.0),
        ("drift of 200 ppm", office, 200.0),
        ("a hall, reverberation of 0.6 s", Room { rt60: 0.6, ..office }, 0.0),
        ("a loudspeaker that distorts", Room { distortion: 0.5, ..office }, 0.0),
    ] {
        let other = far_alone(&far, room, drift, VoiceSettings::default());
        table.row(&format!("{name}, the whole chain"), other.settled, "dB", Some(30.0..));
        if drift != 0.0 {
            table.row("  drift as estimated", other.drift_ppm, "ppm", None);
        }
    }
    report.insert("erle_db".to_owned(), json!(plain.settled));
    report.insert("erle_with_ns_db".to_owned(), json!(with_ns.settled));
    report.insert("s_to_15_db".to_owned(), json!(plain.to_15_db));
    report.insert("erle_after_move_db".to_owned(), json!(plain.fifth_after_move));

    table.head("Both speak at once: the near voice against itself alone");
    let pairs: [(&[f32], &[f32]); 3] = [(&voices[1], &voices[0]), (&voices[2], &voices[3]), (&voices[0], &voices[1])];
    let mut attenuations = Map::new();
    let mut ratios = Map::new();
    for (key, below, drift, goal) in [
        ("echo_9_db_below", 9.0, 0.0, Some(-3.0..)),
        ("echo_3_db_below", 3.0, 0.0, Some(-5.0..)),
        ("echo_as_loud", 0.0, 0.0, None),
        ("echo_3_db_below_50_ppm", 3.0, 50.0, Some(-5.0..)),
        ("echo_3_db_below_200_ppm", 3.0, 200.0, Some(-5.0..)),
    ] {
        for (settings, whole) in [(AEC, false), (VoiceSettings::default(), true)] {
            let both = double_talk(&pairs, below, drift, settings);
            let part = if whole { ", the whole chain" } else { "" };
            table.row(&format!("{}{part}", key.replace('_', " ")), both.near_db, "dB", goal.clone());
            table.row("  fitted SDR", both.sdr_db, "dB", None);
            if whole {
                attenuations.insert(key.to_owned(), json!(-both.near_db));
                ratios.insert(key.to_owned(), json!(both.sdr_db));
            }
        }
    }
    report.insert("double_talk_attenuation_db".to_owned(), attenuations.into());
    report.insert("double_talk_sdr_db".to_owned(), ratios.into());
}

fn near(voices: &[Vec<f32>], table: &mut Table, report: &mut Map<String, Value>) {
    table.head("The near side alone");
    let alone: Vec<_> = voices.iter().map(|voice| cleaning::near_alone(voice)).collect();
    let of = |value: fn(&cleaning::NearAlone) -> f64| mean(&alone.iter().map(value).collect::<Vec<_>>());
    let sdr = of(|n| n.sdr_db);
    table.row("fitted SDR, canceller", sdr, "dB", Some(30.0..));
    table.row("STOI, canceller", of(|n| n.stoi), "", Some(0.98..));
    table.row("STOI, with noise suppression", of(|n| n.stoi_ns), "", Some(0.98..));
    let clean: Vec<f64> = alone.iter().filter_map(|n| n.pesq_ns).collect();
    for (voice, score) in speech::NAMES.iter().zip(&clean) {
        table.row(&format!("  PESQ, with noise suppression, {voice}"), *score, "", None);
    }
    table.row("STOI, the whole chain", of(|n| n.stoi_whole), "", Some(0.98..));
    table.maybe("PESQ, with noise suppression", (!clean.is_empty()).then(|| mean(&clean)), "", 4.4);
    let delay = of(|n| n.delay_ms);
    table.row_below("delay of the chain", delay, "ms", 25.0);
    report.insert("near_end_sdr_db".to_owned(), json!(sdr));
    report.insert("near_end_stoi".to_owned(), json!(of(|n| n.stoi)));
    report.insert("added_delay_ms".to_owned(), json!(delay));

    let noises = cleaning::noises();
    table.row("a fan, weaker by", noises.fan, "dB", Some(25.0..));
    table.row("a keyboard, weaker by", noises.keyboard, "dB", Some(12.0..));
    table.row("a fan, the whole chain before its gain", noises.fan_whole, "dB", Some(25.0..));
    table.row("a keyboard, the whole chain before its gain", noises.keyboard_whole, "dB", Some(12.0..));
    table.row("a fan, light suppression", noises.fan_light, "dB", None);
    report.insert("fan_noise_db".to_owned(), json!(noises.fan));
    report.insert("keyboard_noise_db".to_owned(), json!(noises.keyboard));

    let mut levels = Map::new();
    for dbfs in [-10.0, -18.0, -26.0, -40.0, -50.0] {
        let level = cleaning::gain(&voices[0], dbfs);
        table.row_within(&format!("level after 10 s of speech at {dbfs} dBFS"), level, "dBFS", -23.0..=-19.0);
        levels.insert(format!("{dbfs:.0}"), json!(level));
    }
    report.insert("gain_dbfs".to_owned(), levels.into());
}

fn cost(voices: &[Vec<f32>], table: &mut Table, report: &mut Map<String, Value>) {
    table.head("What the microphone's side costs, per 10 ms");
    let mut costs = least_costs(&voices[1], &voices[0]);
    // Filters that ring out into silence could meet denormals, with which processors are slow.
    let mut pause = voices[1][..5 * SAMPLE_RATE as usize].to_vec();
    pause.resize(20 * SAMPLE_RATE as usize, 0.0);
    let silent = least_costs(&pause, &pause);
    let (usual, rare) = (mean(&costs), quantile(&mut costs, 0.99));
    table.row_below("mean", usual, "µs", 400.0);
    table.row_below("99 % within", rare, "µs", 600.0);
    table.row_below("mean, in silence after speech", mean(&silent[1500..]), "µs", 400.0);
    let building = (0..5).map(|_| {
        let began = Instant::now();
        std::hint::black_box(VoiceProcessor::new(VoiceSettings::default()));
        began.elapsed().as_secs_f64() * 1e6
    });
    table.row_below("building the whole chain", building.fold(f64::MAX, f64::min), "µs", 5000.0);
    report.insert("cpu_us_per_10_ms".to_owned(), json!(usual));
    report.insert("cpu_us_per_10_ms_p99".to_owned(), json!(rare));
}

/// Microseconds that each frame takes: the least of three runs, so that other programs count for little.
fn least_costs(far: &[f32], near: &[f32]) -> Vec<f64> {
    let run = || play(&Scene::new(far, near), VoiceSettings::default()).costs_us;
    let (second, third) = (run(), run());
    run().into_iter().zip(second).zip(third).map(|((a, b), c)| a.min(b).min(c)).collect()
}

fn network(voices: &[Vec<f32>], table: &mut Table, report: &mut Map<String, Value>) -> anyhow::Result<()> {
    table.head("Playout: Opus over bad networks, at 32 kb/s where nothing else is said");
    let calm = Path { name: "calm", jitter_ms: 0.0, loss: 0.0, burst: 1.5, drift_ppm: 0.0, kbps: 32, copy: 0 };
    let rough = Path { jitter_ms: 30.0, loss: 0.02, burst: 1.0, ..calm };
    let paths = [
        (calm, Some(4.2)),
        // What the app sends from an estimate of 900 kb/s on.
        (Path { name: "jitter30_loss2", kbps: 48, ..rough }, Some(4.0)),
        (Path { name: "jitter30_loss2_32k", ..rough }, None),
        (Path { name: "loss2_32k", jitter_ms: 0.0, ..rough }, None),
        (Path { name: "jitter30_drift200", jitter_ms: 30.0, drift_ppm: 200.0, ..calm }, None),
        (Path { name: "loss10", loss: 0.10, ..calm }, Some(2.9)),
        (Path { name: "loss20", loss: 0.20, ..calm }, Some(2.3)),
        // What the app sends where the path has room: bursts need a distance.
        (Path { name: "loss10_copies", loss: 0.10, copy: 2, ..calm }, None),
        (Path { name: "loss20_copies", loss: 0.20, copy: 2, ..calm }, None),
    ];
    let mut all = Map::new();
    let alone: Vec<Option<f64>> = voices.iter().map(|v| playout::codec_alone(v)).collect::<Result<_, _>>()?;
    let alone: Vec<f64> = alone.into_iter().flatten().collect();
    for (voice, score) in speech::NAMES.iter().zip(&alone) {
        table.row(&format!("  {voice}"), *score, "", None);
    }
    table.maybe("the codec alone: PESQ", (!alone.is_empty()).then(|| mean(&alone)), "", 4.2);
    for (path, goal) in paths {
        let played: Vec<_> = voices.iter().map(|v| playout::send(v, path)).collect::<Result<_, _>>()?;
        let buffer = mean(&played.iter().map(|p| p.mean_buffer_ms).collect::<Vec<_>>());
        let concealed = mean(&played.iter().map(|p| p.concealed_pct).collect::<Vec<_>>());
        let scores: Vec<f64> = played.iter().filter_map(|p| p.pesq).collect();
        let score = (!scores.is_empty()).then(|| mean(&scores));
        for (voice, score) in speech::NAMES.iter().zip(&scores) {
            table.row(&format!("  {voice}"), *score, "", None);
        }
        table.maybe(&format!("{}: PESQ", path.name), score, "", goal.unwrap_or(0.0));
        table.row_below("  mean buffer", buffer, "ms", 80.0);
        if path.loss <= 0.02 {
            table.row_below("  concealed", concealed, "%", 0.5);
        } else {
            table.row("  concealed", concealed, "%", None);
        }
        let stretched = mean(&played.iter().map(|p| p.stretched_ms).collect::<Vec<_>>());
        table.row("  left out or repeated", stretched, "ms", None);
        all.insert(
            path.name.to_owned(),
            json!({ "mean_buffer_ms": buffer, "concealed_pct": concealed, "pesq": score }),
        );
    }
    report.insert("playout".to_owned(), all.into());
    Ok(())
}

fn delay(voices: &[Vec<f32>], table: &mut Table, report: &mut Map<String, Value>) -> anyhow::Result<()> {
    table.head("The whole chain, without devices and network: from said to handed to the loudspeaker");
    let mut all = Map::new();
    for (name, settings) in [("without voice processing", VoiceSettings::OFF), ("with it", VoiceSettings::default())] {
        for samples in [SAMPLES_10_MS, SAMPLES_20_MS] {
            let delays: Vec<_> =
                voices.iter().map(|voice| chain::delay_ms(voice, settings, samples)).collect::<Result<_, _>>()?;
            let (ms, delay) = (samples / 48, mean(&delays));
            table.row_below(&format!("packets of {ms} ms, {name}"), delay, "ms", 75.0);
            all.insert(format!("{ms}_ms_{}", name.replace(' ', "_")), json!(delay));
        }
    }
    report.insert("chain_delay_ms".to_owned(), all.into());
    Ok(())
}
