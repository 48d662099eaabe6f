//! What a screen reader finds: names for everything, states, and word of what changes.

use crate::bench::{Say as _, Screen};
use crate::scenes::{call, scenes};
use egui::accesskit::{Action, Live, Role, Toggled};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::time::{Duration, Instant};
use visavis_app::sample;
use visavis_call::{EndReason, Phase};
use visavis_capture::{DeviceError, DeviceState};

#[test]
fn whatever_can_have_the_focus_or_is_a_picture_has_a_name() {
    for scene in scenes() {
        let screen = (scene.make)();
        let mut found = 0;
        for node in screen.root().children_recursive() {
            let node = node.accesskit_node();
            let focusable = node.data().supports_action(Action::Focus);
            if !focusable && node.role() != Role::Image {
                continue;
            }
            found += 1;
            let name = node.label().unwrap_or_default();
            assert!(
                !name.trim().is_empty(),
                "{}: {:?} at {:?} has no name",
                scene.name,
                node.role(),
                node.raw_bounds()
            );
        }
        assert!(found > 0, "{}", scene.name);
    }
}

fn toggled(screen: &Screen, label: &str) -> Option<Toggled> {
    screen.get_by_label(label).accesskit_node().toggled()
}

#[test]
fn what_shows_and_hides_says_whether_it_is_shown() {
    let mut screen = call();
    for label in ["Chat", "Devices…", "Direct", "Good connection"] {
        assert_eq!(toggled(&screen, label), Some(Toggled::False), "{label}");
        screen.press(label);
        assert_eq!(toggled(&screen, label), Some(Toggled::True), "{label}");
    }
    assert_eq!(toggled(&screen, "Mute"), None, "its name says what a press does, so it has no state beside it");
}

#[test]
fn the_chosen_colours_say_that_they_are_chosen() {
    let mut screen = (scenes().swap_remove(2).make)();
    screen.press("Light");
    assert_eq!(toggled(&screen, "Light"), Some(Toggled::True));
    assert_eq!(toggled(&screen, "Dark"), Some(Toggled::False));
}

fn live(screen: &Screen, words: &str) -> bool {
    let found = screen.query_all_by_label_contains(words).any(|node| node.accesskit_node().live() == Live::Polite);
    // The name of a label is its text.
    found
        || screen.root().children_recursive().any(|node| {
            let node = node.accesskit_node();
            node.live() == Live::Polite && node.value().is_some_and(|value| value.contains(words))
        })
}

#[test]
fn what_changes_in_a_call_is_said_without_being_asked_for() {
    let mut screen = call();
    for words in ["Reconnecting…", "is muted", "Loudspeaker: unplugged", "You are muted"] {
        assert!(!live(&screen, words), "{words}");
    }
    let state = &mut screen.state_mut().state;
    state.speaker = DeviceState::Failed(DeviceError::Unplugged);
    state.muted = true;
    let Phase::InCall(call) = &mut state.phase else { panic!("a call") };
    (call.interrupted, call.peer.muted) = (Some(call.since), true);
    screen.pass(2);
    for words in ["Reconnecting…", "is muted", "Loudspeaker: unplugged", "You are muted"] {
        assert!(live(&screen, words), "{words}");
    }
}

#[test]
fn every_step_on_the_way_into_a_call_and_out_of_it_is_said() {
    let mut screen = call();
    let since = Instant::now();
    let mut show = |phase| {
        screen.state_mut().state.phase = phase;
        screen.pass(3);
        ["Looking for the other side…", "Connecting…", "Connection lost"].map(|words| live(&screen, words))
    };
    assert_eq!(show(Phase::Joining { code: sample::code(), since, host: None }), [true, false, false]);
    assert_eq!(show(Phase::Connecting { code: sample::code(), since, host: None }), [false, true, false]);
    let mut ended = sample::ended(EndReason::ConnectionLost);
    ended.duration = Duration::from_secs(3);
    assert_eq!(show(Phase::Ended(ended)), [false, false, true]);
}
