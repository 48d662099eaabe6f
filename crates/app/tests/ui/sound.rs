//! What a person sets of sound, and what the window says about it.

use crate::bench::{Bench, Say as _, Screen, show};
use egui::{Event, Key, Modifiers, PointerButton};
use egui_kittest::kittest::Queryable as _;
use std::time::Duration;
use visavis_app::sample;
use visavis_app::settings::{Change, Settings};
use visavis_call::{Command, Phase, Volume};

const TALK: &str = "Microphone on only while I hold Space";
const REMIND: &str = "Tell me when I speak and am muted";
const PUT_AWAY: &str = "Don't remind me now";

fn call(change: impl FnOnce(&mut Bench)) -> Screen {
    let mut bench = Bench::new(Phase::Home);
    bench.state.phase = Phase::InCall(sample::in_call(bench.now, Duration::from_secs(754)));
    change(&mut bench);
    show(bench)
}

/// Somebody speaks who is muted.
fn in_vain(bench: &mut Bench) {
    (bench.state.muted, bench.state.speaks_muted) = (true, true);
}

fn switched(screen: &mut Screen) -> Vec<bool> {
    let commands = screen.state_mut().commands();
    commands.into_iter().filter_map(|c| if let Command::SetMuted(muted) = c { Some(muted) } else { None }).collect()
}

#[test]
fn the_microphone_is_on_while_space_is_held_and_presses_no_button_then() {
    let mut screen = call(|bench| bench.settings.push_to_talk = true);
    screen.pass(1);
    assert_eq!(switched(&mut screen), [true], "a call begins muted");
    screen.get_by_label("Hang up").focus();
    screen.pass(1);
    screen.key_down(Key::Space);
    screen.pass(4);
    assert_eq!(switched(&mut screen), [false]);
    screen.key_up(Key::Space);
    screen.pass(4);
    assert_eq!(switched(&mut screen), [true]);
    assert!(screen.state_mut().commands().is_empty(), "nothing was hung up");
}

#[test]
fn what_is_clicked_in_the_frame_in_which_the_microphone_goes_off_is_done_too() {
    let mut screen = call(|bench| bench.settings.push_to_talk = true);
    screen.key_down(Key::Space);
    screen.pass(4);
    let pos = screen.get_by_label("Hang up").rect().center();
    let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
    screen.input_mut().events.push(Event::PointerMoved(pos));
    screen.input_mut().events.push(Event::PointerButton { pos, button, pressed: true, modifiers });
    screen.pass(1);
    screen.state_mut().commands();
    screen.input_mut().events.push(Event::PointerButton { pos, button, pressed: false, modifiers });
    let (key, physical_key) = (Key::Space, None);
    screen.input_mut().events.push(Event::Key { key, physical_key, pressed: false, repeat: false, modifiers });
    screen.step();
    let commands = screen.state_mut().commands();
    assert!(matches!(commands[..], [Command::SetMuted(true), Command::HangUp]), "{commands:?}");
}

#[test]
fn outside_a_call_nobody_unmutes_who_talks_by_a_key() {
    let mut bench = Bench::new(Phase::Home);
    bench.settings.push_to_talk = true;
    let mut screen = show(bench);
    assert_eq!(switched(&mut screen), [true]);
    screen.press("Unmute");
    assert_eq!(switched(&mut screen), [] as [bool; 0]);
    assert!(screen.says("Hold Space in a call to talk"));
}

#[test]
fn who_talks_by_a_key_no_more_is_told_that_they_are_still_muted() {
    let mut bench = Bench::new(Phase::Home);
    bench.settings.push_to_talk = true;
    let mut screen = show(bench);
    screen.press("Settings…");
    let now = screen.state().now;
    screen.state_mut().state.phase = Phase::InCall(sample::in_call(now, Duration::from_secs(754)));
    screen.pass(1);
    screen.get_by_label(TALK).scroll_to_me();
    screen.pass(4);
    screen.press(TALK);
    assert!(screen.state().state.muted && screen.says("You stay muted until you press Unmute"));
}

#[test]
fn a_space_in_a_message_is_a_space() {
    let mut screen = call(|bench| bench.settings.push_to_talk = true);
    screen.press("Chat");
    screen.state_mut().commands();
    screen.key_down(Key::Space);
    screen.pass(2);
    assert_eq!(switched(&mut screen), [] as [bool; 0]);
}

#[test]
fn without_that_choice_space_presses_what_has_the_focus() {
    let mut screen = call(|_| {});
    screen.get_by_label("Hang up").focus();
    screen.pass(1);
    screen.key(Key::Space);
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
}

#[test]
fn who_speaks_while_muted_is_told_until_that_is_put_away() {
    let mut screen = call(in_vain);
    assert!(screen.has("You are muted") && screen.has(PUT_AWAY));
    screen.press(PUT_AWAY);
    assert!(!screen.has(PUT_AWAY));
    screen.state_mut().state.muted = false;
    screen.pass(1);
    screen.state_mut().state.muted = true;
    screen.pass(1);
    assert!(screen.has(PUT_AWAY), "the next time is another one");
    let off = |bench: &mut Bench| {
        in_vain(bench);
        bench.settings.remind_muted = false;
    };
    assert!(!call(off).has(PUT_AWAY));
}

#[test]
fn switches_and_volumes_are_remembered() {
    let mut screen = show(Bench::new(Phase::Home));
    screen.press("Settings…");
    for words in [TALK, REMIND] {
        screen.get_by_label(words).scroll_to_me();
        screen.pass(4);
        screen.press(words);
    }
    assert_eq!(screen.state_mut().changes(), [Change::PushToTalk(true), Change::RemindMuted(false)]);
    screen.get_by_label("Visavis' own sounds").focus();
    screen.pass(1);
    screen.key(Key::ArrowLeft);
    let changes = screen.state_mut().changes();
    assert_eq!(changes, [Change::ChimeVolume(Volume::percent(95))]);
    let after = Settings { chime_volume: Volume::percent(95), ..Settings::default() };
    assert!(matches!(changes[0].command(&after), Some(Command::SetSound(sound)) if sound == after.sound()));
}

#[test]
fn the_other_person_is_made_louder_in_the_call() {
    let mut screen = call(|_| {});
    screen.press("Devices…");
    screen.get_by_label("How loud Grace is").focus();
    screen.pass(1);
    screen.key(Key::ArrowRight);
    assert_eq!(screen.state_mut().changes(), [Change::OtherVolume(Volume::percent(105))]);
}
