use crate::bench::{Bench, Say as _, Screen, show, show_in};
use egui::{Key, Modifiers, ViewportCommand, pos2, vec2};
use egui_kittest::kittest::Queryable as _;
use std::time::Duration;
use visavis_app::sample;
use visavis_app::settings::{Change, Corner, ThemeChoice};
use visavis_call::{Command, InCall, Path, Phase};
use visavis_capture::CameraSpec;

const BUTTONS: [&str; 6] = ["Mute", "Video off", "Devices…", "Chat", "Full screen", "Hang up"];

fn bench(change: impl FnOnce(&mut InCall)) -> Bench {
    let mut bench = Bench::new(Phase::Home);
    let mut call = sample::in_call(bench.now, Duration::from_secs(754));
    change(&mut call);
    bench.state.phase = Phase::InCall(call);
    bench
}

fn call(change: impl FnOnce(&mut InCall)) -> Screen {
    show(bench(change))
}

#[test]
fn a_call_shows_name_time_path_verification_number_and_every_control() {
    let screen = call(|_| {});
    for label in ["Grace", "12:34", "Direct", "31415 92653 58979 32384 62643", "Picture of Grace", "Your picture"] {
        assert!(screen.has(label), "{label}");
    }
    for label in BUTTONS {
        assert!(screen.has(label), "{label}");
    }
    assert!(call(|call| call.path = Path::Relayed).has("Relayed"));
}

#[test]
fn a_guest_is_named_as_such_with_what_that_means() {
    let trust = "A guest trusts whoever serves the page";
    let mut screen = call(|call| call.peer.guest = Some(sample::guest(false)));
    assert!(screen.says("guest, through calls.example") && !screen.says(trust));
    screen.press("Direct");
    screen.pass(2);
    let word = "their page says so itself";
    assert!(screen.says("Guest, through calls.example") && screen.says(trust) && !screen.says(word));
    let mut screen = call(|call| call.peer.guest = Some(sample::guest(true)));
    screen.press("Direct");
    screen.pass(2);
    assert!(screen.says("Guest, through calls.example") && screen.says(word));
    let mut screen = call(|_| {});
    screen.press("Direct");
    screen.pass(2);
    assert!(!screen.says("uest, through") && !screen.says(trust));
}

#[test]
fn buttons_ask_for_what_they_say() {
    let mut screen = call(|_| {});
    screen.press("Mute");
    assert!(matches!(screen.state_mut().command(), Command::SetMuted(true)));
    screen.press("Video off");
    assert!(matches!(screen.state_mut().command(), Command::SetVideo(false)));
    screen.press("Hang up");
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
    screen.asked_of_system();
    screen.press("Full screen");
    assert!(screen.asked_of_system().contains(&ViewportCommand::Fullscreen(true)));
}

#[test]
fn keys_do_the_same() {
    let mut screen = call(|_| {});
    screen.key(Key::M);
    assert!(matches!(screen.state_mut().command(), Command::SetMuted(true)));
    screen.key(Key::V);
    assert!(matches!(screen.state_mut().command(), Command::SetVideo(false)));
    screen.key_press_modifiers(Modifiers::COMMAND, Key::M);
    screen.pass(1);
    screen.key(Key::H);
    assert!(screen.state_mut().commands().is_empty(), "other modifiers mean something else");
    screen.key_press_modifiers(Modifiers::COMMAND, Key::H);
    screen.pass(2);
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
    screen.asked_of_system();
    screen.key(Key::F11);
    assert!(screen.asked_of_system().contains(&ViewportCommand::Fullscreen(true)));
}

#[test]
fn keys_write_while_the_chat_has_the_focus() {
    let mut screen = call(|_| {});
    screen.press("Chat");
    screen.get_by_label("Message").type_text("mv");
    screen.pass(1);
    screen.key(Key::M);
    screen.key_press_modifiers(Modifiers::COMMAND, Key::H);
    screen.pass(2);
    assert!(screen.state_mut().commands().is_empty());
}

#[test]
fn bars_leave_after_three_seconds_and_come_back_with_a_movement() {
    let mut screen = call(|_| {});
    screen.hover_at(pos2(300.0, 300.0));
    screen.pass(11);
    assert!(screen.has("Hang up"), "2.75 s");
    screen.pass(4);
    for label in BUTTONS {
        assert!(!screen.has(label), "{label} is still there");
    }
    assert!(!screen.says("31415") && screen.has("Picture of Grace"));
    screen.hover_at(pos2(310.0, 300.0));
    screen.pass(2);
    assert!(screen.has("Hang up"));
}

#[test]
fn bars_stay_while_the_pointer_is_on_one_or_the_keyboard_in_it() {
    let mut screen = call(|_| {});
    screen.get_by_label("Mute").hover();
    screen.pass(40);
    assert!(screen.has("Hang up"));

    let mut screen = call(|_| {});
    screen.get_by_label("Chat").focus();
    screen.pass(40);
    assert!(screen.has("Hang up"));
}

#[test]
fn hidden_bars_ask_for_no_frames() {
    let mut screen = call(|_| {});
    screen.pass(20);
    let delay = screen.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > Duration::from_secs(60), "{delay:?}");
}

#[test]
fn muted_and_video_off_show_on_both_sides_and_stay_when_the_bars_are_gone() {
    let mut bench = bench(|call| (call.peer.muted, call.peer.video_on) = (true, false));
    (bench.state.muted, bench.state.video_on) = (true, false);
    let mut screen = show(bench);
    assert!(screen.has("Unmute") && screen.has("Video on"));
    screen.pass(20);
    for label in ["Grace is muted", "Grace: Camera is off", "You are muted", "Your camera is off"] {
        assert!(screen.has(label), "{label}");
    }
    assert!(!screen.has("Picture of Grace"), "no frozen picture");
}

#[test]
fn somebody_without_a_name_is_called_the_other_side() {
    let screen = call(|call| {
        call.peer.name.clear();
        call.peer.muted = true;
    });
    assert!(screen.has("The other side is muted"));
}

#[test]
fn an_interrupted_call_says_that_it_is_being_mended() {
    assert!(!call(|_| {}).has("Reconnecting…"));
    let mut screen = call(|call| call.interrupted = Some(call.since));
    screen.pass(20);
    assert!(screen.has("Reconnecting…"));
}

#[test]
fn devices_change_in_the_call() {
    let mut screen = call(|_| {});
    screen.press("Devices…");
    screen.press("Camera");
    screen.press("HD Webcam C920");
    assert_eq!(screen.state_mut().changes(), [Change::Camera(CameraSpec::Device("/dev/video2".into()))]);
    assert!(screen.has("Loudspeaker"), "the panel stays open");
    screen.press("Test");
    assert!(matches!(screen.state_mut().command(), Command::TestSpeaker));
    screen.key(Key::Escape);
    assert!(!screen.has("Loudspeaker"));
}

#[test]
fn a_message_is_sent_with_enter_or_the_button() {
    let mut screen = call(|_| {});
    screen.press("Chat");
    assert!(screen.has("Yes, and the moth."));
    screen.write("Message", " hello ");
    screen.key(Key::Enter);
    assert!(matches!(screen.state_mut().command(), Command::Chat(text) if text == "hello"));
    assert!(screen.get_by_label("Message").is_focused(), "one writes on");
    screen.get_by_label("Message").type_text("again");
    screen.pass(1);
    screen.press("Send");
    assert!(matches!(screen.state_mut().command(), Command::Chat(text) if text == "again"));
    screen.key(Key::Enter);
    assert!(screen.state_mut().commands().is_empty(), "nothing is nothing");
    screen.press("Chat");
    assert!(!screen.has("Message"));
}

#[test]
fn ones_own_picture_is_dragged_to_the_nearest_corner() {
    let mut screen = call(|_| {});
    let from = screen.get_by_label("Your picture").rect().center();
    assert!(from.x > 640.0 && from.y > 360.0);
    screen.drag_at(from);
    screen.pass(1);
    screen.hover_at(pos2(200.0, 150.0));
    screen.pass(2);
    screen.drop_at(pos2(200.0, 150.0));
    screen.pass(4);
    assert_eq!(screen.state_mut().changes(), [Change::SelfView(Corner::TopLeft)]);
    let there = screen.get_by_label("Your picture").rect().center();
    assert!(there.x < 640.0 && there.y < 360.0);
}

#[test]
fn ones_own_picture_moves_by_keyboard_too() {
    let mut screen = call(|_| {});
    screen.get_by_label("Your picture").focus();
    screen.pass(1);
    screen.key(Key::Enter);
    assert_eq!(screen.state_mut().changes(), [Change::SelfView(Corner::BottomLeft)]);
}

#[test]
fn a_call_is_dark_in_a_light_theme_and_the_rest_is_not() {
    let mut bright = bench(|_| {});
    bright.settings.theme = ThemeChoice::Light;
    let mut screen = show_in(bright, vec2(900.0, 600.0));
    screen.pass(1);
    assert_eq!(screen.ctx.theme(), egui::Theme::Dark);
    screen.state_mut().state.phase = Phase::Home;
    screen.pass(2);
    assert_eq!(screen.ctx.theme(), egui::Theme::Light);
}
