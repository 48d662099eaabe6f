//! What the window says about sound devices that come, go and say nothing.

use crate::bench::{Bench, Say as _, Screen, show};
use std::time::Duration;
use visavis_app::sample;
use visavis_app::settings::{Change, Settings};
use visavis_call::{Command, DeviceOffer, Phase};
use visavis_capture::{MicrophoneSpec, SpeakerSpec, WhyReplaced};

const CONNECTED: &str = "Jabra Evolve 65 was connected";

fn call(change: impl FnOnce(&mut Bench)) -> Screen {
    let mut bench = Bench::new(Phase::Home);
    bench.state.phase = Phase::InCall(sample::in_call(bench.now, Duration::from_secs(754)));
    change(&mut bench);
    let mut screen = show(bench);
    screen.pass(1);
    screen
}

fn plugged_in(bench: &mut Bench) {
    bench.state.offer = Some(sample::offer());
}

fn headset() -> Change {
    let microphone = Some(MicrophoneSpec::Device("a:evolve".into()));
    Change::Headset { microphone, speaker: Some(SpeakerSpec::Device("a:ears".into())) }
}

#[test]
fn a_headset_is_offered_in_a_call_and_taken_with_one_press() {
    let mut screen = call(plugged_in);
    assert!(screen.has(CONNECTED));
    screen.press("Use it");
    assert_eq!(screen.state_mut().changes(), [headset()]);
    // Also when the bars have left.
    let mut screen = call(|_| {});
    screen.pass(20);
    plugged_in(screen.state_mut());
    screen.pass(20);
    screen.press("Use it");
    assert_eq!(screen.state_mut().changes(), [headset()]);
}

#[test]
fn a_headset_that_is_not_wanted_is_put_away() {
    let mut screen = call(plugged_in);
    screen.press("Not now");
    assert!(matches!(screen.state_mut().command(), Command::DismissOffer));
    screen.state_mut().state.offer = None;
    screen.pass(1);
    assert!(!screen.has(CONNECTED) && !screen.has("Use it"));
}

#[test]
fn before_a_call_it_is_offered_above_the_screen() {
    let mut bench = Bench::new(Phase::Home);
    plugged_in(&mut bench);
    let mut screen = show(bench);
    screen.pass(1);
    assert!(screen.has(CONNECTED) && screen.has("Start a call"));
    screen.press("Not now");
    assert!(matches!(screen.state_mut().command(), Command::DismissOffer));
    screen.press("Use it");
    assert_eq!(screen.state_mut().changes(), [headset()]);
}

#[test]
fn a_headset_that_was_taken_is_remembered_and_what_it_lacks_stays_chosen() {
    let mut settings = Settings::default();
    settings.apply(headset());
    assert_eq!(settings.microphone, MicrophoneSpec::Device("a:evolve".into()));
    let ears = SpeakerSpec::Device("b:ears".into());
    let only = Change::Headset { microphone: None, speaker: Some(ears.clone()) };
    settings.apply(only.clone());
    assert_eq!((&settings.microphone, &settings.speaker), (&MicrophoneSpec::Device("a:evolve".into()), &ears));
    let asked = only.command(&settings);
    assert!(matches!(asked, Some(Command::SetSoundDevices { microphone: None, speaker: Some(s) }) if s == ears));
}

#[test]
fn an_offer_with_a_long_name_leaves_its_buttons_within_the_window() {
    let name = "Ein Kopfhörer ".repeat(20);
    let mut screen = call(|bench| bench.state.offer = Some(DeviceOffer { name, ..sample::offer() }));
    screen.press("Use it");
    assert_eq!(screen.state_mut().changes(), [headset()]);
}

#[test]
fn a_silent_microphone_is_named_until_it_is_heard_or_muted() {
    let words = "Your microphone is silent";
    let mut screen = call(|bench| bench.state.microphone_silent = true);
    screen.pass(20);
    assert!(screen.says(words), "also when the bars have left");
    screen.state_mut().state.muted = true;
    screen.pass(1);
    assert!(!screen.says(words));
    (screen.state_mut().state.muted, screen.state_mut().state.microphone_silent) = (false, false);
    screen.pass(1);
    assert!(!screen.says(words));
}

#[test]
fn a_device_that_stands_in_for_another_is_named_with_it_when_that_goes() {
    let mut screen = call(|_| {});
    screen.pass(20);
    screen.state_mut().state.microphone = sample::stand_in(WhyReplaced::Away);
    screen.pass(1);
    assert!(screen.says("Headset is gone; using Built-in microphone until it is back"));
}
