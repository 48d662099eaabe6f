//! `headless_peer` as checks use it: a process with exit codes, lines of JSON and a report.
//!
//! `cargo test` builds the package's examples beside its tests; that is where the program is looked for.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "a process's lines are read by plain threads, which end with it")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use visavis_server::ServerConfig;
use visavis_signaling::RoomCode;

/// Longer than anything here takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(40);

fn program() -> PathBuf {
    // target/release/deps/headless-… → target/release/examples/headless_peer
    let release = std::env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().to_owned();
    let program = release.join("examples").join("headless_peer");
    assert!(program.exists(), "{} is missing: cargo build --release -p visavis-call --examples", program.display());
    program
}

fn server() -> String {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            tell.send(format!("ws://{}", listener.local_addr().unwrap())).unwrap();
            visavis_server::run(listener, ServerConfig::default(), std::future::pending()).await.unwrap();
        });
    });
    told.recv_timeout(LONG).unwrap()
}

fn code() -> String {
    RoomCode::random().to_string()
}

/// A running peer; it is killed with the test.
struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
    /// Events that came while another was waited for: which of two independent ones is first is not ours to say.
    passed_over: Vec<Value>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (out, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = out.send(line);
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, seen: Vec::new(), passed_over: Vec::new() }
    }

    /// With small pictures, on loopback.
    fn calling(server: &str, room: &str, more: &[&str]) -> Self {
        let mut arguments = vec![
            "--server",
            server,
            "--room",
            room,
            "--bind",
            "127.0.0.1",
            "--size",
            "320x180",
            "--camera",
            "pattern",
            "--microphone",
            "tone",
        ];
        arguments.extend(more);
        Self::start(&arguments)
    }

    fn line(&mut self, what: &str) -> String {
        match self.lines.recv_timeout(LONG) {
            Ok(line) => {
                self.seen.push(line.clone());
                line
            }
            Err(error) => panic!("waiting for {what}: {error}; so far: {:#?}", self.seen),
        }
    }

    /// The oldest event of this kind that was not taken yet; waits for it.
    fn event(&mut self, name: &str) -> Value {
        if let Some(i) = self.passed_over.iter().position(|event| event["event"] == name) {
            return self.passed_over.remove(i);
        }
        loop {
            let line = self.line(name);
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            assert!(event["t"].as_f64().is_some_and(|t| t > 1.6e12) || event.get("impl").is_some(), "{event}");
            if event["event"] == name {
                return event;
            }
            self.passed_over.push(event);
        }
    }

    fn ready(&mut self) {
        while self.line("ready") != "ready" {}
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        let limit = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < limit, "it does not end; so far: {:#?}", self.seen);
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// The last line, where the report goes to standard output.
    fn report(&mut self) -> Value {
        while let Ok(line) = self.lines.recv_timeout(LONG) {
            self.seen.push(line);
        }
        serde_json::from_str(self.seen.last().expect("a report")).unwrap()
    }
}

fn refused(arguments: &[&str]) -> String {
    let out = Command::new(program()).args(arguments).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "{arguments:?}");
    assert!(out.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(out.stderr).unwrap()
}

#[test]
fn bad_options_end_with_2_and_one_line_that_says_what_is_wrong() {
    for (arguments, named) in [
        (&["--no-such-option"][..], "--no-such-option"),
        (&["--room", "velvet-canyon"], "velvet-canyon"),
        (&["--server", "http://127.0.0.1:1"], "http://127.0.0.1:1"),
        (&["--size", "13"], "13"),
        (&["--bind", "nowhere"], "nowhere"),
        (&["--camera", "file:"], "file:"),
        (&["--dump-pattern", "cat", "0", "64x64", "/dev/null"], "cat"),
    ] {
        let said = refused(arguments);
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn a_picture_of_the_pattern_has_the_bytes_of_its_size_and_shows_its_moment() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |content: &str, t: &str| {
        let file = folder.path().join("picture.i420");
        let path = file.to_str().unwrap();
        let status = Command::new(program()).args(["--dump-pattern", content, t, "320x180", path]).status().unwrap();
        assert_eq!(status.code(), Some(0));
        std::fs::read(&file).unwrap()
    };
    let cam = dump("cam", "1700000000123");
    assert_eq!(cam.len(), 320 * 180 * 3 / 2);
    let size = visavis_media::Size::new(320, 180).unwrap();
    let picture = visavis_media::I420::new(size, cam.clone()).unwrap();
    assert_eq!(visavis_media::strip::read(&picture), Some((1_700_000_000_123u64 % (1 << 24)) as u32));
    assert_eq!(cam, dump("cam", "1700000000123"), "the same moment gives the same picture");
    assert_ne!(cam, dump("cam", "1700000000923"));
    assert_ne!(cam, dump("pan", "1700000000123"));
}

#[test]
fn a_server_that_is_not_there_ends_with_4() {
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let mut peer = Peer::calling(&format!("ws://{nobody}"), &code(), &["--open"]);
    assert_eq!(peer.exit_code(), Some(4));
    let report = peer.report();
    assert!(report["errors"][0].as_str().is_some_and(|e| e.contains(&nobody.to_string())), "{report}");
}

#[test]
fn a_call_that_nobody_joins_ends_with_3() {
    let mut peer = Peer::calling(&server(), &code(), &["--open"]);
    peer.event("joined");
    let pid = peer.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(peer.exit_code(), Some(3));
}

#[test]
fn a_lasting_room_lets_everybody_in_who_knows_its_words_unless_it_is_to_ask() {
    let server = server();
    for asks in [false, true] {
        let room = RoomCode::random_lasting().to_string();
        let how: &[&str] = if asks { &["--wait", "--open", "--ask"] } else { &["--wait", "--open"] };
        let mut owner = Peer::calling(&server, &room, &[how, &["--name", "Ann"]].concat());
        owner.ready();
        owner.say("join");
        owner.event("joined");
        let mut caller = Peer::calling(&server, &room, &["--join", "--wait", "--name", "Bob"]);
        caller.ready();
        caller.say("join");
        assert_eq!(owner.event("asks")["name"], "Bob");
        assert_eq!(caller.event("holds")["name"], "Ann");
        if asks {
            owner.say("accept");
        }
        assert_eq!(owner.event("connected")["verification"], caller.event("connected")["verification"]);
        caller.say("stop");
        assert_eq!(caller.exit_code(), Some(0));
    }
}

#[test]
fn two_peers_obey_their_lines_tell_events_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let report_file = folder.path().join("report.json");
    let (server, room) = (server(), code());
    let mut a = Peer::calling(&server, &room, &["--wait", "--open", "--report", report_file.to_str().unwrap()]);
    let mut b = Peer::calling(&server, &room, &["--wait"]);
    a.ready();
    b.ready();
    a.say("join");
    assert_eq!(a.event("joined")["opened"], true);
    b.say("join");
    assert_eq!(b.event("joined")["opened"], false);
    a.event("peer-joined");
    b.event("peer-joined");
    let (at_a, at_b) = (a.event("connected"), b.event("connected"));
    assert_eq!(at_a["verification"], at_b["verification"]);
    assert_eq!((at_a["path"].as_str(), at_b["path"].as_str()), (Some("direct"), Some("direct")));
    // At once, as a script would: nothing of it may be lost.
    b.say("chat first words");
    assert_eq!(a.event("chat")["text"], "first words");
    a.event("first-frame");
    b.event("first-frame");
    a.say("mute on");
    assert_eq!(b.event("peer-muted")["muted"], true);
    a.say("mute off");
    assert_eq!(b.event("peer-muted")["muted"], false);
    b.say("video off");
    assert_eq!(a.event("peer-video")["on"], false);
    b.say("video on");
    assert_eq!(a.event("peer-video")["on"], true);
    b.say("what is this?");
    b.say("chat grüß dich, \"Ann\"");
    assert_eq!(a.event("chat")["text"], "grüß dich, \"Ann\"");
    b.say("stop");
    a.event("peer-left");
    assert_eq!(b.exit_code(), Some(0));
    assert_eq!(a.exit_code(), Some(0));

    let at_a: Value = serde_json::from_slice(&std::fs::read(report_file).unwrap()).unwrap();
    for report in [at_a, b.report()] {
        checks_out(&report);
    }
}

/// The report has the fields, units and order that were agreed on.
fn checks_out(report: &Value) {
    assert!(report["impl"].as_str().is_some_and(|i| i.starts_with("visavis ")));
    assert_eq!(report["errors"], serde_json::json!([]));
    assert_eq!(report["bad_strips"], 0);
    let frames = report["frames"].as_array().unwrap();
    assert!(!frames.is_empty() && report["drawn"].as_u64() > Some(0));
    assert_eq!(report["presented"].as_u64(), Some(frames.len() as u64));
    let moments: Vec<f64> = ["join", "peer_joined", "ice", "dtls", "first_frame"]
        .iter()
        .map(|key| report["t"][key].as_f64().unwrap_or_else(|| panic!("no t.{key}: {}", report["t"])))
        .collect();
    assert!(moments.windows(2).all(|w| w[0] <= w[1]), "{moments:?}");
    for (i, frame) in frames.iter().enumerate() {
        let number = |k: usize| frame[k].as_f64().unwrap();
        let (capture, submitted, last_packet) = (number(0), number(1), number(3));
        assert!(frame[2].is_null());
        // The strip counts whole milliseconds.
        assert!(capture - 1.0 <= last_packet && last_packet <= submitted && submitted - capture < 20_000.0, "{frame}");
        assert_eq!((number(4), number(5), number(6)), (320.0, 180.0, (i + 1) as f64));
    }
    for stats in report["stats"].as_array().unwrap() {
        assert!(stats["t"].as_f64().is_some_and(|t| t > 1.6e12));
        let has = |entry: &str, names: &[&str]| {
            for name in names {
                assert!(stats[entry].get(name).is_some(), "{entry} has no {name}: {stats}");
            }
        };
        has(
            "inbound-rtp.video",
            &[
                "bytesReceived",
                "packetsLost",
                "nackCount",
                "pliCount",
                "framesDecoded",
                "keyFramesDecoded",
                "frameWidth",
                "frameHeight",
                "freezeCount",
                "totalFreezesDuration",
                "totalDecodeTime",
            ],
        );
        has(
            "inbound-rtp.audio",
            &[
                "bytesReceived",
                "packetsLost",
                "jitterBufferDelay",
                "jitterBufferEmittedCount",
                "concealedSamples",
                "silentConcealedSamples",
                "totalSamplesReceived",
            ],
        );
        has(
            "outbound-rtp.video",
            &["bytesSent", "framesEncoded", "totalEncodeTime", "targetBitrate", "qualityLimitationReason"],
        );
        has("outbound-rtp.audio", &["bytesSent"]);
        has("candidate-pair", &["currentRoundTripTime", "availableOutgoingBitrate"]);
    }
    assert!(!report["stats"].as_array().unwrap().is_empty());
}

#[test]
fn without_wait_it_joins_at_once_and_stops_after_its_seconds() {
    let (server, room) = (server(), code());
    // Neither opens explicitly: whoever comes first does.
    let mut a = Peer::calling(&server, &room, &["--seconds", "2"]);
    let mut b = Peer::calling(&server, &room, &["--seconds", "20"]);
    a.event("connected");
    assert_eq!(a.exit_code(), Some(0));
    b.event("peer-left");
    assert_eq!(b.exit_code(), Some(0));
    checks_out(&b.report());
}

#[test]
fn an_interrupt_and_the_end_of_input_hang_up_properly() {
    let (server, room) = (server(), code());
    let mut a = Peer::calling(&server, &room, &["--open"]);
    a.event("joined");
    let mut b = Peer::calling(&server, &room, &["--wait"]);
    b.ready();
    b.say("join");
    b.event("first-frame");
    // A chat line that is answered shows that both can talk; then the goodbye gets through.
    b.say("chat bye");
    a.event("chat");
    b.input = None;
    a.event("peer-left");
    assert_eq!(b.exit_code(), Some(0));
    assert_eq!(a.exit_code(), Some(0));

    let mut a = Peer::calling(&server, &room, &["--open"]);
    a.event("joined");
    let mut b = Peer::calling(&server, &room, &[]);
    b.event("first-frame");
    let pid = b.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    a.event("peer-left");
    assert_eq!(b.exit_code(), Some(0));
    checks_out_loosely(&b.report());
}

fn checks_out_loosely(report: &Value) {
    assert_eq!(report["errors"], serde_json::json!([]));
    assert!(report["presented"].as_u64() > Some(0));
}
