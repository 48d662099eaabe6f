//! Two whole peers in one process: synthetic devices, real sockets on loopback, a signaling server of their own.
//!
//! ```text
//! cargo run --release --example loopback_call -- --seconds 10 --size 1280x720 --fps 30
//! ```
//! Prints a summary, with `--json` one line. Exits with 0 only when both directions carried picture, sound and a
//! message.

mod measure;
mod resources;
#[path = "../shared/mod.rs"]
mod shared;
mod stages;

use anyhow::{Context, bail};
use clap::Parser;
use measure::{Ear, Eye};
use resources::Resources;
use serde_json::{Value, json};
use shared::side::{Side, meet};
use shared::{log_to_stderr, percentile, process, serve};
use stages::Stages;
use std::time::{Duration, Instant};
use visavis_call::Options;
use visavis_capture::{CameraSpec, Content, MicrophoneSpec, SpeakerSpec};
use visavis_media::Size;
use visavis_signaling::RoomCode;

/// Buffers and caches have their size after this time; what grows later, grows for ever.
const SETTLING: Duration = Duration::from_secs(60);
/// Pings over the control channel, evenly over the run.
const PINGS: u32 = 20;

#[derive(Parser)]
#[command(name = "loopback_call", version)]
struct Cli {
    /// How long the call lasts.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Size of both pictures.
    #[arg(long, default_value = "1280x720")]
    size: Size,
    /// Frames per second of both pictures.
    #[arg(long, default_value_t = 30.0)]
    fps: f32,
    /// One line of JSON instead of a summary.
    #[arg(long)]
    json: bool,
    /// Also say where the time goes: each stage from joining to the first picture, and from capture to display.
    #[arg(long)]
    stages: bool,
    /// Compare every N-th picture with its original (0: none).
    #[arg(long, default_value_t = 15)]
    psnr_every: u64,
}

/// A peer and those who watch what it receives.
struct Watched {
    side: Side,
    eye: Eye,
    ear: Ear,
}

impl Watched {
    /// Starts one. What it sends goes through `outgoing`, what it receives is matched in `incoming`.
    fn start(url: &str, cli: &Cli, outgoing: &Stages, incoming: &Stages) -> anyhow::Result<Self> {
        let (eye, ear) = (Eye::new(cli.size, cli.psnr_every), Ear::new());
        let side = Side::start(Options {
            camera: CameraSpec::Pattern(Content::Cam),
            microphone: MicrophoneSpec::Tone,
            speaker: SpeakerSpec::None,
            size: cli.size,
            fps: cli.fps,
            on_picture: Some(eye.tap(incoming.clone())),
            on_sent: cli.stages.then(|| outgoing.tap()),
            on_sound: Some(ear.tap()),
            ..Side::options(url)
        })?;
        Ok(Self { side, eye, ear })
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let url = format!("ws://{}", serve(&runtime)?);
    let code = RoomCode::random();

    let (from_a, from_b) = (Stages::default(), Stages::default());
    let mut a = Watched::start(&url, &cli, &from_a, &from_b)?;
    let mut b = Watched::start(&url, &cli, &from_b, &from_a)?;
    for watched in [&mut a, &mut b] {
        watched.side.prepare(&code)?;
    }
    let joined = meet(&mut a.side, &mut b.side, &code)?;

    let (begun, cpu) = (Instant::now(), process::cpu_seconds().context("process times")?);
    a.eye.begin();
    b.eye.begin();
    let settled = begun + Duration::from_secs_f64(cli.seconds / 4.0).min(SETTLING);
    let mut early = None;
    let step = Duration::from_secs_f64(cli.seconds / f64::from(PINGS));
    for i in 1..=PINGS {
        a.side.ping();
        b.side.ping();
        let next = begun + step * i;
        while Instant::now() < next && a.side.ended.is_none() && b.side.ended.is_none() {
            let _ =
                a.side.wake.recv_timeout(next.saturating_duration_since(Instant::now()).min(Duration::from_millis(50)));
            a.side.take_events(|_| false);
            b.side.take_events(|_| false);
            if early.is_none() && Instant::now() >= settled {
                early = Some(Resources::now()?);
            }
        }
    }
    let late = Resources::now()?;
    let elapsed = begun.elapsed().as_secs_f64();
    let used = process::cpu_seconds().context("process times")? - cpu;
    let rss_mb = process::peak_rss_mb().context("process memory")?;
    for side in [&a.side, &b.side] {
        if let Some(reason) = &side.ended {
            bail!("the call ended early: {reason}");
        }
    }

    let counted_apart = (a.eye.comparing() + b.eye.comparing()) / elapsed;
    let pattern = process::pattern_cost(cli.size) * 2.0 * f64::from(cli.fps);
    let round_trips: Vec<f64> = a.side.round_trips.iter().chain(&b.side.round_trips).copied().collect();
    let (to_b, to_a) = (direction(&a, &b, elapsed), direction(&b, &a, elapsed));
    let since = |at: Option<Instant>| at.map(|at| (at - joined).as_secs_f64() * 1000.0);
    let mut result = json!({
        "join_to_connected_ms": since(b.side.connected),
        "join_to_first_frame_ms": since(b.side.first_frame),
        "a_to_b": to_b,
        "b_to_a": to_a,
        "data": {"round_trip_ms": percentile(&round_trips, 0.5)},
        "cpu_s_per_s": used / elapsed - counted_apart - pattern,
        "cpu_counted_apart": {"psnr_s_per_s": counted_apart, "pattern_s_per_s": pattern},
        "rss_mb": rss_mb,
        "resources": {"early": early.as_ref().map(Resources::json), "end": late.json()},
    });
    if cli.stages {
        result["a_to_b"]["stages_ms"] = from_a.result();
        result["b_to_a"]["stages_ms"] = from_b.result();
        result["setup_ms"] = json!({
            "peer_joined": since(b.side.peer_joined),
            "ice": since(b.side.ice),
            "dtls": since(b.side.connected),
            "first_frame": since(b.side.first_frame),
        });
    }
    if cli.json {
        println!("{result}")
    } else {
        print_summary(&result)
    }

    let carried =
        |d: &Value| d["video"]["frames_decoded"].as_u64() > Some(0) && d["audio"]["bursts"].as_u64() > Some(0);
    if !carried(&result["a_to_b"]) || !carried(&result["b_to_a"]) || round_trips.is_empty() {
        bail!("not everything came through: {result}");
    }
    Ok(())
}

fn direction(from: &Watched, to: &Watched, seconds: f64) -> Value {
    let (sent, received) = (from.side.statistics.last(), to.side.statistics.last());
    let audio = received.map(|s| &s.inbound_audio);
    let concealed = audio.map(|a| 100.0 * a.concealed_samples as f64 / a.total_samples_received.max(1) as f64);
    json!({
        "video": to.eye.result(seconds, sent.map_or(0, |s| s.outbound_video.frames_encoded)),
        "audio": {
            "delay_ms": {"p50": percentile(&to.ear.delays(), 0.5), "p95": percentile(&to.ear.delays(), 0.95)},
            "bursts": to.ear.delays().len(),
            "concealed_pct": concealed,
        },
    })
}

fn number(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |n| format!("{n:.1}"))
}

fn print_summary(result: &Value) {
    println!(
        "join to connected {} ms, to first picture {} ms",
        number(&result["join_to_connected_ms"]),
        number(&result["join_to_first_frame_ms"])
    );
    for (name, d) in [("A to B", &result["a_to_b"]), ("B to A", &result["b_to_a"])] {
        let (v, a) = (&d["video"], &d["audio"]);
        println!(
            "{name}: {}x{} at {} fps, latency p50 {} p95 {} max {} ms, PSNR mean {} min {} dB",
            v["width"],
            v["height"],
            number(&v["fps"]),
            number(&v["latency_ms"]["p50"]),
            number(&v["latency_ms"]["p95"]),
            number(&v["latency_ms"]["max"]),
            number(&v["psnr_db"]["mean"]),
            number(&v["psnr_db"]["min"])
        );
        println!(
            "        {} pictures sent, {} shown; sound delay p50 {} p95 {} ms, {} % concealed",
            v["frames_sent"],
            v["frames_decoded"],
            number(&a["delay_ms"]["p50"]),
            number(&a["delay_ms"]["p95"]),
            a["concealed_pct"].as_f64().map_or("-".into(), |n| format!("{n:.2}"))
        );
    }
    println!(
        "message round trip {} ms; both peers: {:.2} cores, {} MB",
        number(&result["data"]["round_trip_ms"]),
        result["cpu_s_per_s"].as_f64().unwrap_or_default(),
        number(&result["rss_mb"])
    );
    let (early, end) = (&result["resources"]["early"], &result["resources"]["end"]);
    println!(
        "in the course of it: {} -> {} MB, {} -> {} threads, {} -> {} open files",
        number(&early["rss_mb"]),
        number(&end["rss_mb"]),
        early["threads"],
        end["threads"],
        early["fds"],
        end["fds"]
    );
    let setup = &result["setup_ms"];
    if setup.is_null() {
        return;
    }
    println!(
        "\nfrom joining, ms: the other side known {}, path (ICE) {}, keys (DTLS) {}, first picture {}",
        number(&setup["peer_joined"]),
        number(&setup["ice"]),
        number(&setup["dtls"]),
        number(&setup["first_frame"])
    );
    println!("\nfrom capture to display, ms        A to B: p50    p95  first    B to A: p50    p95  first");
    for stage in stages::NAMES {
        let value = |way: &str, share: &str| number(&result[way]["stages_ms"][stage][share]);
        println!(
            "{stage:36} {:>12} {:>6} {:>6} {:>14} {:>6} {:>6}",
            value("a_to_b", "p50"),
            value("a_to_b", "p95"),
            value("a_to_b", "first"),
            value("b_to_a", "p50"),
            value("b_to_a", "p95"),
            value("b_to_a", "first")
        );
    }
}
