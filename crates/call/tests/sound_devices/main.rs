//! Sound devices that come and go under a call, against a real sound server: a PulseAudio daemon of our own. A program
//! of its own, with one test, since a process has one environment and one connection to its sound server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../common/mod.rs"]
mod common;
mod headsets;
#[path = "../../../capture/tests/support/pulse.rs"]
mod pulse;

use common::{Server, Side, call, hang_up, in_call, options, share_at};
use pulse::{Player, Recorder, Server as Pulse};
use std::time::{Duration, Instant};
use visavis_call::{Command, Event, Options};
use visavis_capture::{CameraSpec, DeviceState, MicrophoneSpec, Replaced, SpeakerSpec, WhyReplaced};
use visavis_media::FRAME_SAMPLES;

/// A device that vanishes, or is no longer the default, is replaced within this time, and taken back likewise.
const REPLACED: Duration = Duration::from_secs(1);
/// Sound is back within this time after a sound server that was restarted answers.
const MENDED: Duration = Duration::from_secs(3);
/// Devices are closed within this time after hanging up.
const LIGHTS_OUT: Duration = Duration::from_millis(300);
/// What is played into the microphones.
const PITCH_ONE: f32 = 1000.0;
const PITCH_TWO: f32 = 600.0;
const PITCH_THREE: f32 = 1400.0;

const SPEAKER_TWO: &str =
    "module-null-sink sink_name=spk2 rate=48000 channels=2 norewinds=1 sink_properties=device.description=SpeakerTwo";
const MICROPHONE_TWO: &str =
    "module-remap-source source_name=mic2 master=feed2.monitor source_properties=device.description=MicTwo";

fn modules() -> Vec<&'static str> {
    vec![
        "module-null-sink sink_name=spk1 rate=48000 channels=2 norewinds=1 sink_properties=device.description=SpeakerOne",
        SPEAKER_TWO,
        "module-null-sink sink_name=feed1 rate=48000 channels=1 norewinds=1",
        "module-null-sink sink_name=feed2 rate=48000 channels=1 norewinds=1",
        "module-remap-source source_name=mic1 master=feed1.monitor source_properties=device.description=MicOne",
        MICROPHONE_TWO,
        "module-null-sink sink_name=feed3 rate=48000 channels=1 norewinds=1",
    ]
}

/// Ann speaks, Bob listens; both microphones have a tone before them.
struct Scene {
    pulse: Pulse,
    ann: Side,
    bob: Side,
    tones: Vec<Player>,
}

impl Scene {
    fn play(&mut self) {
        let tones = [("feed1", PITCH_ONE), ("feed2", PITCH_TWO), ("feed3", PITCH_THREE)];
        self.tones = tones.map(|(sink, pitch)| self.pulse.play(sink, pitch)).into();
    }

    /// How long after `since` the tone at this pitch set in at a sink.
    fn reaches(&mut self, what: &str, recorder: &Recorder, pitch: f32, since: Instant) -> Duration {
        let at = self.bob.until(what, |_| recorder.first_tone(pitch, since));
        report(what, at - since)
    }

    /// How long after `since` Bob has heard 100 ms of the tone that came after it.
    fn hears(&mut self, what: &str, pitch: f32, since: Instant) -> Duration {
        let from = self.bob.ear.count().saturating_sub(100);
        let took = self.bob.until(what, |side| {
            let mut frames = side.ear.since(from);
            frames.retain(|frame| frame.at >= since);
            let last: Vec<f32> = frames.iter().rev().take(10).rev().flat_map(|f| f.samples).collect();
            let tone = last.len() == 10 * FRAME_SAMPLES && pulse::rms(&last) > 0.03 && share_at(&last, pitch) > 0.8;
            tone.then(|| since.elapsed())
        });
        report(what, took)
    }

    /// How long after `since` somebody's state shows this device, standing in for another or not.
    fn shows(side: &mut Side, speaker: bool, name: &str, instead_of: Option<&str>, since: Instant) -> Duration {
        let instead_of = instead_of.map(|name| Replaced { name: name.to_owned(), why: WhyReplaced::Away });
        let state = DeviceState::Running { name: name.into(), instead_of };
        side.shows(&format!("{state:?}"), |s| *if speaker { &s.speaker } else { &s.microphone } == state);
        report(&format!("{state:?} is shown"), since.elapsed())
    }
}

fn report(what: &str, took: Duration) -> Duration {
    println!("  {what}: after {} ms", took.as_millis());
    took
}

fn stage(name: &str, run: impl FnOnce()) {
    println!("{name}");
    let begun = Instant::now();
    run();
    println!("  ({:.1} s)", begun.elapsed().as_secs_f32());
}

#[test]
fn sound_devices_come_and_go_under_a_call() {
    let pulse = Pulse::start(&modules());
    // Safe: no other thread of this process reads the environment yet.
    unsafe { std::env::set_var("PULSE_SERVER", pulse.address()) };
    unsafe { std::env::set_var("XDG_RUNTIME_DIR", pulse.folder()) };
    let server = Server::start();
    let base = Options { camera: CameraSpec::None, preview: false, ..options(Some(&server)) };
    let speaks = Options { microphone: MicrophoneSpec::Default, speaker: SpeakerSpec::None, ..base.clone() };
    let listens = Options { microphone: MicrophoneSpec::None, speaker: SpeakerSpec::Default, ..base };
    let (ann, bob) = (Side::start("Ann", speaks), Side::start("Bob", listens));
    let mut scene = Scene { pulse, ann, bob, tones: Vec::new() };
    scene.play();
    let begun = Instant::now();
    call(&mut scene.ann, &mut scene.bob);
    scene.hears("the first tone of the call", PITCH_ONE, begun);

    stage("another default loudspeaker", || the_default_loudspeaker_is_followed(&mut scene));
    stage("the chosen loudspeaker goes", || a_chosen_loudspeaker_goes_and_comes(&mut scene));
    stage("another default microphone", || the_default_microphone_is_followed(&mut scene));
    stage("the chosen microphone goes", || a_chosen_microphone_goes_and_comes(&mut scene));
    stage("a headset is plugged in", || headsets::a_headset_is_offered_and_taken_from_then_on(&mut scene));
    stage("a Bluetooth headset connects", || headsets::its_microphone_stays_closed_until_it_is_chosen(&mut scene));
    stage("a microphone that is switched off", || headsets::a_silent_microphone_is_named(&mut scene));
    stage("no microphone at all", || without_any_device_it_says_so(&mut scene));
    stage("the sound server is killed", || a_restarted_server_is_found_again(&mut scene));
    stage("fifty changes", || fifty_changes_leave_nothing_behind(&mut scene));
    stage("hanging up", || devices_are_closed_when_hanging_up(&mut scene));
    stage("the sound server hangs", || a_server_that_hangs_holds_nobody_up(scene));
}

fn the_default_loudspeaker_is_followed(scene: &mut Scene) {
    let recorder = scene.pulse.record("spk2");
    let since = Instant::now();
    assert!(scene.pulse.pactl(&["set-default-sink", "spk2"]));
    assert!(scene.reaches("the tone at the new default", &recorder, PITCH_ONE, since) <= REPLACED);
    Scene::shows(&mut scene.bob, true, "SpeakerTwo", None, since);
    assert!(scene.pulse.pactl(&["set-default-sink", "spk1"]));
    Scene::shows(&mut scene.bob, true, "SpeakerOne", None, since);
}

fn a_chosen_loudspeaker_goes_and_comes(scene: &mut Scene) {
    scene.bob.send(Command::SetSpeaker(SpeakerSpec::Device("pulseaudio:spk2".into())));
    Scene::shows(&mut scene.bob, true, "SpeakerTwo", None, Instant::now());
    let recorder = scene.pulse.record("spk1");
    let since = Instant::now();
    scene.pulse.unload("sink_name=spk2");
    assert!(Scene::shows(&mut scene.bob, true, "SpeakerOne", Some("SpeakerTwo"), since) <= REPLACED);
    assert!(scene.reaches("the tone at the default", &recorder, PITCH_ONE, since) <= REPLACED);
    let since = Instant::now();
    scene.pulse.load(SPEAKER_TWO);
    let recorder = scene.pulse.record("spk2");
    assert!(scene.reaches("the tone at the chosen one again", &recorder, PITCH_ONE, since) <= REPLACED);
    Scene::shows(&mut scene.bob, true, "SpeakerTwo", None, since);
}

fn the_default_microphone_is_followed(scene: &mut Scene) {
    let since = Instant::now();
    assert!(scene.pulse.pactl(&["set-default-source", "mic2"]));
    assert!(scene.hears("the tone before the new default", PITCH_TWO, since) <= REPLACED);
    Scene::shows(&mut scene.ann, false, "MicTwo", None, since);
    let since = Instant::now();
    assert!(scene.pulse.pactl(&["set-default-source", "mic1"]));
    assert!(scene.hears("the tone before the old one", PITCH_ONE, since) <= REPLACED);
}

fn a_chosen_microphone_goes_and_comes(scene: &mut Scene) {
    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Device("MicTwo".into())));
    scene.hears("the tone before the chosen one", PITCH_TWO, Instant::now());
    let since = Instant::now();
    scene.pulse.unload("source_name=mic2");
    assert!(scene.hears("the tone before the default", PITCH_ONE, since) <= REPLACED);
    Scene::shows(&mut scene.ann, false, "MicOne", Some("MicTwo"), since);
    let since = Instant::now();
    scene.pulse.load(MICROPHONE_TWO);
    assert!(scene.hears("the tone before the chosen one again", PITCH_TWO, since) <= REPLACED);
    Scene::shows(&mut scene.ann, false, "MicTwo", None, since);
}

fn without_any_device_it_says_so(scene: &mut Scene) {
    for source in ["source_name=mic1", "source_name=mic2"] {
        scene.pulse.unload(source);
    }
    let no_device = DeviceState::Failed(visavis_capture::DeviceError::NoDevice);
    scene.ann.shows("that there is no microphone", |s| s.microphone == no_device);
    let since = Instant::now();
    scene.pulse.load(MICROPHONE_TWO);
    assert!(scene.hears("the tone before the only one", PITCH_TWO, since) <= REPLACED);
}

fn a_restarted_server_is_found_again(scene: &mut Scene) {
    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Default));
    scene.bob.send(Command::SetSpeaker(SpeakerSpec::Default));
    Scene::shows(&mut scene.bob, true, "SpeakerOne", None, Instant::now());
    for _ in 0..2 {
        scene.tones.clear();
        scene.pulse.kill();
        let failed = |state: &DeviceState| matches!(state, DeviceState::Failed(_));
        scene.ann.shows("that the microphone is gone", |s| failed(&s.microphone));
        scene.bob.shows("that the loudspeaker is gone", |s| failed(&s.speaker));
        scene.bob.shows("that nothing is known of any device", |s| s.devices.speakers.is_empty());
        scene.pulse.run();
        let since = Instant::now();
        scene.play();
        let recorder = scene.pulse.record("spk1");
        // Heard at the far loudspeaker means: both ways are mended.
        assert!(scene.reaches("the tone from microphone to loudspeaker", &recorder, PITCH_ONE, since) <= MENDED);
        // And it is the server's own devices again, not ALSA's way to them.
        assert!(Scene::shows(&mut scene.ann, false, "MicOne", None, since) <= MENDED);
        assert!(Scene::shows(&mut scene.bob, true, "SpeakerOne", None, since) <= MENDED);
    }
    assert!(in_call(&scene.ann.state()).is_some() && in_call(&scene.bob.state()).is_some());
}

/// Threads and open files of this process.
fn resources() -> (usize, usize) {
    let count = |folder| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

fn fifty_changes_leave_nothing_behind(scene: &mut Scene) {
    let mut change = |n: usize| {
        let (sink, source) = [("spk1", "mic1"), ("spk2", "mic2")][n % 2];
        let (speaker, microphone) = [("SpeakerOne", "MicOne"), ("SpeakerTwo", "MicTwo")][n % 2];
        assert!(scene.pulse.pactl(&["set-default-sink", sink]) && scene.pulse.pactl(&["set-default-source", source]));
        let runs =
            |state: &DeviceState, wanted: &str| matches!(state, DeviceState::Running { name, .. } if name == wanted);
        scene.bob.shows(speaker, |s| runs(&s.speaker, speaker));
        scene.ann.shows(microphone, |s| runs(&s.microphone, microphone));
    };
    change(1);
    change(0);
    let before = resources();
    (1..=26).for_each(&mut change);
    // What is being closed has a moment.
    let limit = Instant::now() + common::LONG;
    while resources().0 > before.0 || resources().1 > before.1 {
        assert!(Instant::now() < limit, "(threads, files): {before:?} before, {:?} after", resources());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    println!("  (threads, files): {before:?} before, {:?} after", resources());
}

/// Streams that this process has open at the sound server.
fn streams(pulse: &Pulse) -> Vec<String> {
    let ours = format!("application.process.id = \"{}\"", std::process::id());
    let told = pulse.asks(&["list", "clients"]);
    let clients = told.split("Client #").filter(|client| client.contains(&ours));
    let clients: Vec<&str> = clients.filter_map(|client| client.lines().next()).collect();
    assert!(!clients.is_empty(), "we are connected");
    let lines = pulse.asks(&["list", "short", "source-outputs"]) + &pulse.asks(&["list", "short", "sink-inputs"]);
    let ours = |line: &&str| line.split('\t').nth(2).is_some_and(|client| clients.contains(&client));
    lines.lines().filter(ours).map(str::to_owned).collect()
}

fn devices_are_closed_when_hanging_up(scene: &mut Scene) {
    let limit = Instant::now() + common::LONG;
    while streams(&scene.pulse).len() != 2 {
        assert!(Instant::now() < limit, "not Ann's microphone and Bob's loudspeaker: {:?}", streams(&scene.pulse));
    }
    let since = Instant::now();
    scene.ann.send(Command::HangUp);
    let mut last = since.elapsed();
    // What is seen open was open when asked, not when the answer was read.
    while !streams(&scene.pulse).is_empty() {
        last = since.elapsed();
        assert!(last < common::LONG);
    }
    report("microphone and loudspeaker were last seen open", last);
    assert!(last <= LIGHTS_OUT);
    scene.ann.ends();
    scene.bob.ends();
    for side in [&mut scene.ann, &mut scene.bob] {
        side.send(Command::HangUp);
        side.shows("the home screen", |s| matches!(s.phase, visavis_call::Phase::Home));
    }
}

fn a_server_that_hangs_holds_nobody_up(mut scene: Scene) {
    call(&mut scene.ann, &mut scene.bob);
    scene.hears("the tone", PITCH_ONE, Instant::now());
    scene.pulse.signal("-STOP");
    scene.ann.send(Command::Chat("can you hear me?".into()));
    scene.bob.hears(&Event::Chat("can you hear me?".into()));
    scene.ann.shows("that the microphone is stuck", |s| matches!(s.microphone, DeviceState::Failed(_)));
    scene.bob.shows("that the loudspeaker is stuck", |s| matches!(s.speaker, DeviceState::Failed(_)));
    scene.pulse.signal("-CONT");
    let since = Instant::now();
    scene.hears("the tone, once the server goes on", PITCH_ONE, since);
    scene.pulse.signal("-STOP");
    hang_up(&mut scene.ann, &mut scene.bob);
    let begun = Instant::now();
    drop(scene.ann);
    drop(scene.bob);
    let took = report("both are closed", begun.elapsed());
    assert!(took < Duration::from_secs(8), "two times the four seconds that closing may take");
    scene.pulse.signal("-CONT");
}
