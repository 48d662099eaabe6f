//! Every screen as it can be, for tests that go through all of them.

use crate::bench::{Bench, Say as _, Screen, show_in};
use egui::vec2;
use std::time::{Duration, Instant};
use visavis_app::sample;
use visavis_app::settings::Settings;
use visavis_app::window::Window;
use visavis_call::{Away, Check, EndReason, InCall, Phase, Waiting};
use visavis_capture::{CameraState, DeviceError, DeviceState, WhyReplaced};

/// A screen and how to come to it.
pub struct Scene {
    pub name: &'static str,
    pub make: Box<dyn Fn() -> Screen>,
    /// What a modal window covers, and may not be used behind it.
    pub before: Box<dyn Fn() -> Screen>,
    pub modal: bool,
}

fn bench(phase: Phase) -> Screen {
    let mut screen = show_in(Bench::new(phase), vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

fn in_call(change: impl FnOnce(&mut InCall)) -> Bench {
    let mut bench = Bench::new(Phase::Home);
    let mut call = sample::in_call(bench.now, Duration::from_secs(754));
    change(&mut call);
    bench.state.phase = Phase::InCall(call);
    bench
}

/// A call in which all is well.
pub fn call() -> Screen {
    let mut screen = show_in(in_call(|_| {}), vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

/// Somebody loads their page again.
fn away() -> Phase {
    let away = Away { name: "Grace".into(), until: Instant::now() + Duration::from_secs(24) };
    Phase::Waiting(Waiting { away: Some(away), ..sample::waiting() })
}

/// A call with somebody in a browser.
fn guest() -> Screen {
    let mut screen = show_in(in_call(|call| call.peer.guest = Some(sample::guest(false))), vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

fn offered(mut bench: Bench) -> Screen {
    bench.state.offer = Some(sample::offer());
    let mut screen = show_in(bench, vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

fn troubled_call() -> Screen {
    let mut bench = in_call(|call| {
        call.interrupted = Some(call.since);
        (call.peer.video_on, call.peer.has_camera, call.peer.muted) = (false, false, true);
    });
    bench.state.camera = CameraState::Failed(DeviceError::Unplugged);
    bench.state.microphone = sample::stand_in(WhyReplaced::Away);
    bench.state.speaker = DeviceState::Failed(DeviceError::Unplugged);
    bench.state.muted = true;
    let mut screen = show_in(bench, vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

fn first_start() -> Screen {
    let mut bench = Bench::new(Phase::Home);
    bench.settings = Settings::default();
    bench.window = Window::new(Some("The settings were damaged".into()));
    let mut screen = show_in(bench, vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

fn settings() -> Screen {
    let mut screen = bench(Phase::Home);
    screen.press("Settings…");
    screen
}

fn home_with_a_room() -> Screen {
    let mut bench = Bench::new(Phase::Home);
    bench.settings.room = Some(sample::room());
    let mut screen = show_in(bench, vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

fn after(mut screen: Screen, label: &str) -> Screen {
    screen.press(label);
    screen
}

/// Checking one's setup, with this found out.
pub fn checking(change: impl FnOnce(&mut Check)) -> Bench {
    let mut bench = in_call(|_| {});
    let mut check = sample::check();
    change(&mut check);
    bench.state.check = Some(check);
    bench
}

fn check() -> Screen {
    let mut screen = show_in(checking(|_| {}), vec2(900.0, 600.0));
    screen.pass(2);
    screen
}

/// All of them.
pub fn scenes() -> Vec<Scene> {
    let since = Instant::now();
    let plain = |name, make: Box<dyn Fn() -> Screen>| Scene { name, make, before: Box::new(call), modal: false };
    vec![
        plain("home", Box::new(|| bench(Phase::Home))),
        plain("first start", Box::new(first_start)),
        Scene { name: "settings", make: Box::new(settings), before: Box::new(|| bench(Phase::Home)), modal: true },
        plain("waiting", Box::new(|| bench(Phase::Waiting(sample::waiting())))),
        plain("room", Box::new(|| bench(Phase::Waiting(sample::room_waiting())))),
        plain("asked", Box::new(move || bench(Phase::Waiting(sample::asked(since))))),
        plain(
            "outside",
            Box::new(move || bench(Phase::Outside { code: sample::room(), since, owner: "Grace".into() })),
        ),
        plain("home with a room", Box::new(home_with_a_room)),
        plain("joining", Box::new(move || bench(Phase::Joining { code: sample::code(), since, host: None }))),
        plain("connecting", Box::new(move || bench(Phase::Connecting { code: sample::code(), since, host: None }))),
        plain("away", Box::new(|| bench(away()))),
        plain("call", Box::new(call)),
        plain("guest", Box::new(guest)),
        plain("troubled call", Box::new(troubled_call)),
        plain("headset", Box::new(|| offered(in_call(|_| {})))),
        plain("headset before a call", Box::new(|| offered(Bench::new(Phase::Home)))),
        plain("chat", Box::new(|| after(call(), "Chat"))),
        plain("devices", Box::new(|| after(call(), "Devices…"))),
        plain("connection", Box::new(|| after(call(), "Direct"))),
        plain("statistics", Box::new(|| after(call(), "Good connection"))),
        plain("check", Box::new(check)),
        plain("ended", Box::new(|| bench(Phase::Ended(sample::ended(EndReason::PeerHungUp))))),
        plain("failed", Box::new(|| bench(Phase::Ended(sample::ended(EndReason::ConnectFailed))))),
    ]
}
