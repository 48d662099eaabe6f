use super::*;
use crate::sample;
use std::sync::Arc;
use std::time::Duration;
use visavis_call::{EndReason, Figures, IceServer};
use visavis_capture::{DeviceError, DeviceInfo, DeviceState, Replaced, WhyReplaced};

fn said(state: &State, settings: &Settings, recent: &Recent) -> String {
    let system = System { name: "Debian GNU/Linux 12, x86_64".into(), renderer: "llvmpipe, pictures by shader".into() };
    report(Facts { system: &system, state, settings, recent, now: Instant::now() })
}

/// Settings and states full of what must not be in a report.
fn known() -> (Settings, Vec<State>) {
    let settings = Settings {
        name: "Ada Lovelace".into(),
        servers: vec!["wss://signal.kestrel.example".into()],
        ice_servers: vec![IceServer {
            urls: vec!["turn:relay.kestrel.example:3478".into(), "stun:203.0.113.9:3478".into()],
            username: "lovelace".into(),
            credential: "hunter2hunter2".into(),
        }],
        room: Some(sample::room()),
        camera: "file:/home/ada/film.y4m".parse().expect("a file"),
        ..Settings::default()
    };
    let now = Instant::now();
    let mut call = sample::in_call(now, Duration::from_secs(60));
    call.peer.name = "Grace Hopper".into();
    let mut ended = sample::ended(EndReason::SignalingUnreachable("signal.kestrel.example".into()));
    ended.peer_name = "Grace Hopper".into();
    let phases = [
        Phase::Home,
        Phase::Waiting(sample::waiting()),
        Phase::Joining { code: sample::code(), since: now, host: None },
        Phase::Connecting { code: sample::code(), since: now, host: None },
        Phase::InCall(call),
        Phase::Ended(ended),
        Phase::Waiting(sample::asked(now)),
        Phase::Outside { code: sample::room(), since: now, owner: "Grace Hopper".into() },
        Phase::Ended(sample::ended(EndReason::Internal("bind 192.0.2.7:7460 failed".into()))),
    ];
    let states = phases.map(|phase| {
        let mut state = sample::state(phase);
        let mut lists = sample::devices();
        lists.speakers.push(DeviceInfo { id: "x".into(), name: "Ada's AirPods Pro".into(), default: false });
        state.devices = Arc::new(lists);
        let instead_of = Some(Replaced { name: "Ada's Phone".into(), why: WhyReplaced::Away });
        state.speaker = DeviceState::Running { name: "Ada's AirPods Pro".into(), instead_of };
        state.microphone =
            DeviceState::Failed(DeviceError::Other("open /run/user/1000/pulse from 10.1.2.3: refused".into()));
        state
    });
    (settings, states.into())
}

#[test]
fn a_report_names_nobody_and_no_place() {
    let (settings, states) = known();
    for state in states {
        let text = said(&state, &settings, &Recent::default()).to_lowercase();
        for secret in [
            "ada",
            "lovelace",
            "grace",
            "hopper",
            "velvet",
            "canyon",
            "orbit",
            "zero",
            "garden",
            "knock",
            "kestrel",
            "hunter2",
            "calls.example",
            "192.0.2",
            "203.0.113",
            "10.1.2.3",
            "3478",
            "7460",
            "film",
            "/home",
            "/run",
            "moth",
            "compiler",
            "31415",
            "ada's",
        ] {
            assert!(!text.contains(secret), "{secret} is in:\n{text}");
        }
    }
}

#[test]
fn a_report_says_what_helps() {
    let (settings, states) = known();
    let mut recent =
        Recent { path: Some(Path::Relayed), statistics: Some(StatsSnapshot::default()), ..Recent::default() };
    recent.happenings.push_back(visavis_call::Happening {
        at: Instant::now() - Duration::from_millis(2500),
        what: "reconnecting",
        times: 3,
    });
    let text = said(&states[4], &settings, &recent);
    let version = concat!("Visavis ", env!("CARGO_PKG_VERSION"), " on Debian GNU/Linux 12");
    for words in [
        version,
        "webrtc 0.",
        "openh264 0.",
        "cpal 0.",
        "llvmpipe",
        "state: in a call for 1:00",
        "camera: a file chosen; running: Built-in camera, 1280x720, 30.0 fps",
        "microphone: the default chosen; failed: open … from … refused",
        "running: … AirPods Pro, in place of one that is gone",
        "servers set: 1 signaling, 1 STUN, 1 TURN",
        "path: relayed",
        "round trip 23 ms",
        "video in: 0 packets",
        "-2.5 reconnecting ×3",
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    assert!(said(&states[5], &settings, &recent).contains("state: ended signaling-unreachable after 12:34"));
}

#[test]
fn figures_that_are_no_numbers_spoil_nothing() {
    let (settings, mut states) = known();
    let Phase::InCall(call) = &mut states[4].phase else { panic!("a call") };
    call.figures = Figures { lost: f32::NAN, received_fps: f32::INFINITY, round_trip: None, ..Figures::default() };
    assert!(said(&states[4], &settings, &Recent::default()).contains("round trip unknown"));
}
