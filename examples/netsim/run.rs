//! One call on one link.

use crate::figures::Notes;
use crate::options::Cli;
use crate::scenarios::Scenario;
use crate::shared::side::{Side, meet};
use crate::shared::{percentile, process};
use crate::signaling;
use crate::watch::Watch;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use visavis_call::link::LinkSpec;
use visavis_call::{Connecting, EmulatedLink, Options};
use visavis_capture::{MicrophoneSpec, SpeakerSpec, wall_clock};
use visavis_signaling::RoomCode;

/// A message goes there and back so often.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Seeds of the two directions, as `bench/linkemu` makes them.
fn seeds(seed: u64) -> (u64, u64) {
    let base = seed.wrapping_mul(1_000_003);
    (base.wrapping_add(7919), base.wrapping_add(3 * 7919))
}

struct Peer {
    side: Side,
    /// What it sends goes through this.
    link: EmulatedLink,
    watch: Watch,
}

impl Peer {
    fn start(url: &str, cli: &Cli, scenario: &Scenario, link: LinkSpec, seed: u64) -> anyhow::Result<Self> {
        let (watch, defaults) = (Watch::default(), Side::options(url));
        let link = EmulatedLink::new(link, scenario.changes.clone(), seed);
        let side = Side::start(Options {
            camera: cli.camera().map_err(anyhow::Error::msg)?,
            microphone: MicrophoneSpec::Speech,
            speaker: SpeakerSpec::None,
            size: cli.size,
            fps: cli.fps,
            max_bitrate: cli.max_bitrate().unwrap_or(defaults.max_bitrate),
            on_picture: Some(watch.eye()),
            on_sound: Some(watch.ear()),
            connecting: Connecting { link: Some(link.clone()), ..Connecting::default() },
            ..defaults
        })?;
        Ok(Self { side, link, watch })
    }
}

/// Makes a call and gives its figures.
///
/// # Errors
/// Where there was none, or where it ended early.
pub(crate) fn run(
    runtime: &tokio::runtime::Runtime,
    server: SocketAddr,
    cli: &Cli,
    scenario: &Scenario,
) -> anyhow::Result<Value> {
    let url = format!("ws://{}", signaling::delayed(runtime, server, scenario.signaling)?);
    let (code, (there, back)) = (RoomCode::random(), seeds(cli.seed));
    let mut a = Peer::start(&url, cli, scenario, scenario.there, there)?;
    let mut b = Peer::start(&url, cli, scenario, scenario.back, back)?;
    for peer in [&mut a, &mut b] {
        peer.side.prepare(&code)?;
    }
    let joined = meet(&mut a.side, &mut b.side, &code)?;

    let (begun, cpu) = (Instant::now(), process::cpu_seconds()?);
    a.link.start();
    b.link.start();
    let end = begun + Duration::from_secs_f64(scenario.seconds);
    let mut next_ping = begun;
    while Instant::now() < end && a.side.ended.is_none() && b.side.ended.is_none() {
        if Instant::now() >= next_ping {
            a.side.ping();
            next_ping += PING_EVERY;
        }
        let left = end.min(next_ping).saturating_duration_since(Instant::now());
        let _ = a.side.wake.recv_timeout(left.min(Duration::from_millis(50)));
        a.side.take_events(|_| false);
        b.side.take_events(|_| false);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = process::cpu_seconds()? - cpu;
    for side in [&a.side, &b.side] {
        if let Some(reason) = &side.ended {
            bail!("the call ended early: {reason}");
        }
    }
    let since = |at: Option<Instant>| at.map(|at| ((at - joined).as_secs_f64() * 10_000.0).round() / 10.0);
    // Drawing the pictures is the camera's work, not the call's.
    let camera = process::pattern_cost(cli.size) * 2.0 * f64::from(cli.fps);
    Ok(json!({
        "scenario": scenario.name,
        "a_to_b": direction(&a, &b, begun, cli, scenario),
        "b_to_a": direction(&b, &a, begun, cli, scenario),
        "join_to_first_frame_ms": since(b.side.first_frame),
        "join_ms": {
            "peer_joined": since(b.side.peer_joined),
            "ice": since(b.side.ice),
            "connected": since(b.side.connected),
        },
        "message_round_trip_ms": percentile(&a.side.round_trips, 0.5),
        "cpu_s_per_s": used / seconds - camera,
        "rss_mb": process::peak_rss_mb().context("process memory")?,
        // How much later than due packets left the emulated link: where it is not far below a millisecond, the machine
        // was too busy for the figures to be trusted.
        "link_late_us": {"p50": a.link.lateness(0.5).as_micros(), "p99": a.link.lateness(0.99).as_micros()},
        "seconds": scenario.seconds,
        "seed": cli.seed,
    }))
}

fn direction(from: &Peer, to: &Peer, begun: Instant, cli: &Cli, scenario: &Scenario) -> Value {
    let (shown, heard) = to.watch.take();
    let happened: Vec<f64> =
        scenario.changes.iter().map(|c| c.after.as_secs_f64()).filter(|at| *at < scenario.seconds).collect();
    let notes = Notes {
        begun: wall_clock().unix_ms(begun),
        seconds: scenario.seconds,
        full_width: cli.size.width(),
        shown,
        heard,
        link: from.link.figures(),
        received: to.side.statistics.clone(),
        sent: from.side.statistics.clone(),
        changes: happened.first().copied().zip(happened.last().copied()),
    };
    notes.result()
}

/// Whether this direction carried picture and sound.
pub(crate) fn carried(direction: &Value) -> bool {
    direction["pictures"]["shown"].as_u64() > Some(0) && direction["audio"]["packets_received"].as_u64() > Some(0)
}
