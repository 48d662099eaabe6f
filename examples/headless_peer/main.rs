//! A whole peer without a window, for scripts: joins a room, sends what it is told to, reports what it received.
//!
//! ```text
//! cargo run --release --example headless_peer -- --server ws://127.0.0.1:8080 --room abandon-abandon-abandon-absurd \
//!     --camera pattern --microphone speech --seconds 10
//! ```
//! Events are lines of JSON on standard output. Exit codes: 0 done, 2 bad options, 3 the call never connected,
//! 4 no signaling server could be reached.

mod options;
#[path = "../shared/process.rs"]
mod process;
mod report;

use clap::Parser;
use options::Cli;
use report::Report;
use std::io::IsTerminal as _;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use visavis_call::{Command, EndReason, Endpoint, Event, Path};
use visavis_capture::{CameraState, DeviceState, WhyReplaced, wall_clock};
use visavis_signaling::Invitation;

/// With `--wait`, devices and server have this long before `ready` is said all the same.
const READY_PATIENCE: Duration = Duration::from_secs(5);

enum Signal {
    /// The endpoint has something new.
    Wake,
    Line(String),
    EndOfInput,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return bad(error.to_string().lines().next().unwrap_or("bad options")),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| visavis_call::DEFAULT_LOG_FILTER.into()),
        )
        .init();
    if let Some(dump) = &cli.dump_pattern {
        return match options::dump_pattern(dump) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => bad(&error),
        };
    }
    match run(&cli) {
        Ok(code) => code,
        Err(error) => bad(&error),
    }
}

fn bad(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}

fn say(event: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{event}").and_then(|()| out.flush());
}

/// Lines of standard input and SIGINT, as signals.
fn watch_input(out: &SyncSender<Signal>, from_stdin: bool) -> Result<(), String> {
    let interrupted = out.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.into()).spawn(work).map_err(|e| e.to_string())
    };
    spawn(
        "signals",
        Box::new(move || {
            runtime.block_on(async {
                let _ = tokio::signal::ctrl_c().await;
            });
            let _ = interrupted.send(Signal::EndOfInput);
        }),
    )?;
    if from_stdin {
        let lines = out.clone();
        spawn(
            "stdin",
            Box::new(move || {
                for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                    if lines.send(Signal::Line(line)).is_err() {
                        return;
                    }
                }
                let _ = lines.send(Signal::EndOfInput);
            }),
        )?;
    }
    Ok(())
}

struct Peer {
    cli: Cli,
    endpoint: Endpoint,
    report: Report,
    connected: Option<Instant>,
    ended: Option<EndReason>,
    server_up: bool,
    stopping: bool,
    /// Microphone and loudspeaker, as last told.
    sound: [DeviceState; 2],
}

fn run(cli: &Cli) -> Result<ExitCode, String> {
    let (out, signals) = sync_channel(256);
    watch_input(&out, cli.wait)?;
    let report = Report::new();
    let mut options = cli.endpoint_options()?;
    options.on_picture = Some(report.tap());
    let endpoint = Endpoint::start(options, move || {
        let _ = out.try_send(Signal::Wake);
    })
    .map_err(|e| e.to_string())?;
    let mut peer = Peer {
        cli: cli.clone(),
        endpoint,
        report,
        connected: None,
        ended: None,
        server_up: cli.server.is_none(),
        stopping: false,
        sound: [DeviceState::Off, DeviceState::Off],
    };
    if cli.wait {
        peer.wait_until_ready(&signals);
    } else {
        peer.join();
    }
    peer.serve(&signals);
    peer.finish()
}

impl Peer {
    fn wait_until_ready(&mut self, signals: &Receiver<Signal>) {
        self.endpoint.send(Command::Prepare(Invitation { code: self.cli.room.clone(), server: None }));
        let limit = Instant::now() + READY_PATIENCE;
        while !(self.server_up && self.devices_settled()) && Instant::now() < limit {
            let signal = signals.recv_timeout(Duration::from_millis(100));
            if let Ok(Signal::EndOfInput) = signal {
                self.stopping = true;
                return;
            }
            self.take_events();
        }
        println!("ready");
        let _ = std::io::stdout().flush();
    }

    fn devices_settled(&self) -> bool {
        let state = self.endpoint.state();
        let camera = !matches!(state.camera, CameraState::Opening)
            && (self.cli.camera == visavis_capture::CameraSpec::None || state.camera != CameraState::Off);
        camera && !matches!(state.microphone, DeviceState::Opening)
    }

    fn join(&mut self) {
        self.report.mark_join();
        let code = self.cli.room.clone();
        self.endpoint.send(match (self.cli.open, self.cli.join) {
            (true, _) => Command::Start(Some(code)),
            (false, true) => Command::Join(Invitation { code, server: None }),
            (false, false) => Command::Meet(code),
        });
    }

    fn serve(&mut self, signals: &Receiver<Signal>) {
        while !self.stopping && self.ended.is_none() {
            let limit = match (self.connected, self.cli.seconds) {
                (Some(at), Some(seconds)) => at + Duration::from_secs_f64(seconds),
                _ => Instant::now() + Duration::from_secs(3600),
            };
            match signals.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(Signal::Wake) => self.take_events(),
                Ok(Signal::Line(line)) => self.obey(line.trim()),
                Ok(Signal::EndOfInput) | Err(RecvTimeoutError::Disconnected) => self.stopping = true,
                Err(RecvTimeoutError::Timeout) => {
                    self.stopping = self.connected.is_some() && self.cli.seconds.is_some();
                }
            }
        }
    }

    fn obey(&mut self, line: &str) {
        match line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim())) {
            ("join", "") => self.join(),
            ("mute", "on") => self.endpoint.send(Command::SetMuted(true)),
            ("mute", "off") => self.endpoint.send(Command::SetMuted(false)),
            ("video", "on") => self.endpoint.send(Command::SetVideo(true)),
            ("video", "off") => self.endpoint.send(Command::SetVideo(false)),
            ("chat", text) if !text.is_empty() => self.endpoint.send(Command::Chat(text.into())),
            ("accept", "") => self.endpoint.send(Command::LetIn(true)),
            ("decline", "") => self.endpoint.send(Command::LetIn(false)),
            ("stop", "") => self.stopping = true,
            ("", _) => {}
            _ => eprintln!(
                "`{line}` is not understood: join, mute on|off, video on|off, chat TEXT, accept, decline, stop"
            ),
        }
    }

    fn take_events(&mut self) {
        for timed in self.endpoint.events() {
            let t = wall_clock().unix_ms(timed.at);
            self.report.note(&timed.event, t);
            match &timed.event {
                Event::Connected { .. } => self.connected = Some(timed.at),
                Event::ServerConnected(_) => self.server_up = true,
                Event::Asks { .. } if !self.cli.ask => self.endpoint.send(Command::LetIn(true)),
                Event::Ended(reason) => self.ended = Some(reason.clone()),
                _ => {}
            }
            say(&as_json(&timed.event, t));
        }
        self.report.add_statistics(self.endpoint.statistics());
        let state = self.endpoint.state();
        let now = [state.microphone.clone(), state.speaker.clone()];
        for (device, (old, new)) in ["microphone", "speaker"].iter().zip(self.sound.iter().zip(&now)) {
            if old != new {
                say(&device_as_json(device, new));
            }
        }
        self.sound = now;
    }

    fn finish(mut self) -> Result<ExitCode, String> {
        self.take_events();
        if self.ended.is_none() {
            self.endpoint.send(Command::HangUp);
            // Dropping the endpoint waits until goodbye is said and every thread is joined.
            let limit = Instant::now() + Duration::from_secs(1);
            while self.connected.is_some() && self.ended.is_none() && Instant::now() < limit {
                std::thread::park_timeout(Duration::from_millis(10));
                self.take_events();
            }
        }
        let mut report = self.report.json();
        // A camera's work, not the call's; found out only now, as that costs something itself.
        report["machine"]["camera_s_per_s"] = self.cli.camera_cost().into();
        drop(self.endpoint);
        match &self.cli.report {
            Some(path) => std::fs::write(path, format!("{report}\n"))
                .map_err(|e| format!("the report could not be written to {}: {e}", path.display()))?,
            None => println!("{report}"),
        }
        Ok(match (&self.connected, &self.ended) {
            (Some(_), _) => ExitCode::SUCCESS,
            (None, Some(EndReason::SignalingUnreachable(_))) => ExitCode::from(4),
            (None, _) => ExitCode::from(3),
        })
    }
}

/// How a sound device fares, said whenever that changes.
fn device_as_json(device: &str, state: &DeviceState) -> serde_json::Value {
    let mut value = match state {
        DeviceState::Off => serde_json::json!({"state": "off"}),
        DeviceState::Opening => serde_json::json!({"state": "opening"}),
        DeviceState::Running { name, instead_of } => {
            let (chosen, why) = instead_of.as_ref().map(|chosen| (&chosen.name, why_replaced(&chosen.why))).unzip();
            serde_json::json!({"state": "running", "name": name, "instead_of": chosen, "why": why})
        }
        DeviceState::Failed(error) => serde_json::json!({"state": "failed", "error": error.to_string()}),
    };
    value["event"] = device.into();
    value["t"] = wall_clock().unix_ms(Instant::now()).into();
    value
}

fn why_replaced(why: &WhyReplaced) -> &'static str {
    match why {
        WhyReplaced::Away => "away",
        WhyReplaced::Gone => "gone",
        WhyReplaced::Failed(error) => error.word(),
    }
}

fn word(path: Path) -> &'static str {
    match path {
        Path::Direct => "direct",
        Path::Relayed => "relayed",
    }
}

fn as_json(event: &Event, t: f64) -> serde_json::Value {
    let mut value = match event {
        Event::ServerConnected(host) => serde_json::json!({"host": host}),
        Event::Joined { opened, code: _ } => serde_json::json!({"opened": opened}),
        Event::Connected { verification, path, relay } => {
            serde_json::json!({"verification": verification, "path": word(*path), "relay": relay})
        }
        Event::Path { path, relay } => serde_json::json!({"path": word(*path), "relay": relay}),
        Event::RelayTrouble(what) => serde_json::json!({"what": what}),
        Event::PeerMuted(muted) => serde_json::json!({"muted": muted}),
        Event::Camera(state) => serde_json::json!({"state": state.word()}),
        Event::PeerVideo(on) => serde_json::json!({"on": on}),
        Event::Chat(text) => serde_json::json!({"text": text}),
        Event::Signaling(available) => serde_json::json!({"available": available}),
        Event::Pong(id) => serde_json::json!({"id": id}),
        Event::Ended(reason) => serde_json::json!({"reason": reason.to_string()}),
        Event::PeerAway => serde_json::json!({"reason": "The other side left, perhaps for a moment", "again": true}),
        Event::Asks { name, guest } => serde_json::json!({"name": name, "guest": guest}),
        Event::Holds { name } => serde_json::json!({"name": name}),
        Event::AsksNoMore => serde_json::json!({}),
        Event::PeerJoined | Event::IceConnected | Event::FirstFrame | Event::Reconnecting | Event::Reconnected => {
            serde_json::json!({})
        }
    };
    let they_left = matches!(event, Event::PeerAway | Event::Ended(EndReason::PeerHungUp | EndReason::PeerLeft));
    value["event"] = if they_left { "peer-left" } else { event.name() }.into();
    value["t"] = t.into();
    value
}

/// Kept here so that both files agree on what is shared.
type Shared<T> = Arc<std::sync::Mutex<T>>;
