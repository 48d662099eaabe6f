use crate::bench::{Bench, Say as _, show};
use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use visavis_app::sample;
use visavis_app::settings::{Change, Settings};
use visavis_call::{Command, Phase};
use visavis_capture::{CameraSpec, CameraState, DeviceError, DeviceState, SpeakerSpec};

fn home() -> Bench {
    Bench::new(Phase::Home)
}

#[test]
fn everything_on_the_first_screen_has_a_name() {
    let screen = show(home());
    for label in ["Start a call", "Join", "Code or link", "Your name", "Camera", "Microphone", "Loudspeaker", "Test"] {
        assert!(screen.has(label), "{label}");
    }
    for label in ["Mute", "Video off", "Settings…", "Microphone level"] {
        assert!(screen.has(label), "{label}");
    }
}

#[test]
fn start_opens_a_room_under_a_new_code() {
    let mut screen = show(home());
    screen.press("Start a call");
    assert!(matches!(screen.state_mut().command(), Command::Start(None)));
}

#[test]
fn a_room_that_was_kept_is_shown_by_its_words_and_opened() {
    let mut bench = home();
    bench.settings.room = Some(sample::room());
    let mut screen = show(bench);
    assert!(screen.has("My room") && screen.has(sample::ROOM));
    screen.press("Open my room");
    assert!(matches!(screen.state_mut().command(), Command::Start(Some(code)) if code == sample::room()));
    assert!(!show(home()).has("My room"));
}

#[test]
fn words_that_others_may_have_are_given_up_after_a_second_press_only() {
    for (first, sure) in [("New words…", "Change them"), ("Forget…", "Forget them")] {
        let mut bench = home();
        bench.settings.room = Some(sample::room());
        let mut screen = show(bench);
        screen.press(first);
        assert!(screen.says("cannot call you any more") && !screen.state_mut().asked_anything());
        screen.press("Keep them");
        assert!(!screen.says("cannot call you any more") && !screen.state_mut().asked_anything());
        screen.press(first);
        screen.press(sure);
        match first {
            "Forget…" => assert_eq!(screen.state_mut().changes(), [Change::Room(None)]),
            _ => assert!(screen.state_mut().keeps_a_room()),
        }
    }
}

#[test]
fn six_words_are_joined_like_four() {
    let mut screen = show(home());
    screen.write("Code or link", "velvet canyon orbit zero garden knock");
    screen.press("Join");
    let commands = screen.state_mut().commands();
    assert!(matches!(commands.last(), Some(Command::Join(to)) if to.code == sample::room()), "{commands:?}");
}

#[test]
fn a_code_is_joined_with_the_button_or_with_enter() {
    let mut screen = show(home());
    screen.write("Code or link", "velvet canyon orbit zero");
    assert!(matches!(screen.state_mut().command(), Command::Prepare(_)), "keys are derived while one still types");
    screen.press("Join");
    let Command::Join(invitation) = screen.state_mut().command() else { panic!("no join") };
    assert_eq!(invitation.code.to_string(), "velvet-canyon-orbit-zero");

    let mut screen = show(home());
    screen.write("Code or link", "https://calls.example/#velvet-canyon-orbit-zero");
    assert!(matches!(screen.state_mut().command(), Command::Prepare(_)));
    screen.key(Key::Enter);
    let Command::Join(invitation) = screen.state_mut().command() else { panic!("no join") };
    assert_eq!(invitation.server.as_deref(), Some("wss://calls.example"));
}

#[test]
fn a_link_names_its_server_under_the_field_and_a_code_none() {
    let mut screen = show(home());
    screen.write("Code or link", "https://calls.example:8443/#velvet-canyon-orbit-zero");
    assert!(screen.says("Over calls.example:8443, as the link says"));
    let mut screen = show(home());
    screen.write("Code or link", "velvet canyon orbit zero");
    assert!(!screen.says("as the link says"));
}

#[test]
fn join_does_nothing_before_the_code_is_whole() {
    let mut screen = show(home());
    assert!(screen.get_by_label("Join").accesskit_node().is_disabled());
    screen.write("Code or link", "velvet canyon orbit");
    screen.press("Join");
    assert!(screen.state_mut().commands().is_empty());
}

#[test]
fn a_word_is_completed_with_tab() {
    let mut screen = show(home());
    screen.write("Code or link", "velv");
    assert!(screen.has("velvet"), "the word is proposed");
    screen.key(Key::Tab);
    assert_eq!(screen.get_by_label("Code or link").value().as_deref(), Some("velvet-"));
}

#[test]
fn a_mistyped_word_is_named_with_the_likely_one() {
    let mut screen = show(home());
    screen.write("Code or link", "velvet canyom orbit zero");
    assert!(screen.says("canyom") && screen.says("canyon"));
}

#[test]
fn keys_switch_microphone_and_camera_but_not_while_a_field_has_the_focus() {
    let mut screen = show(home());
    screen.key(Key::M);
    assert!(matches!(screen.state_mut().command(), Command::SetMuted(true)));
    screen.key(Key::V);
    assert!(matches!(screen.state_mut().command(), Command::SetVideo(false)));
    screen.get_by_label("Your name").focus();
    screen.pass(1);
    screen.key(Key::M);
    screen.key(Key::V);
    assert!(screen.state_mut().commands().is_empty());
}

#[test]
fn switches_show_what_is_and_ask_for_the_opposite() {
    let mut bench = home();
    (bench.state.muted, bench.state.video_on) = (true, false);
    bench.state.camera = CameraState::Off;
    let mut screen = show(bench);
    assert!(screen.says("Your camera is off"));
    screen.press("Unmute");
    assert!(matches!(screen.state_mut().command(), Command::SetMuted(false)));
    screen.press("Video on");
    assert!(matches!(screen.state_mut().command(), Command::SetVideo(true)));
}

#[test]
fn devices_are_chosen_from_lists_and_the_loudspeaker_can_be_tried() {
    let mut screen = show(home());
    screen.press("Camera");
    screen.press("HD Webcam C920");
    assert_eq!(screen.state_mut().changes(), [Change::Camera(CameraSpec::Device("/dev/video2".into()))]);
    screen.press("Loudspeaker");
    screen.press("No loudspeaker");
    assert_eq!(screen.state_mut().changes(), [Change::Speaker(SpeakerSpec::None)]);
    screen.press("Test");
    assert!(matches!(screen.state_mut().command(), Command::TestSpeaker));
}

#[test]
fn a_name_is_remembered_as_it_is_typed() {
    let mut screen = show(home());
    screen.write("Your name", "!");
    let changes = screen.state_mut().changes();
    assert_eq!(changes.len(), 1);
    let heard = changes[0].command(&Settings::default());
    assert!(matches!(heard, Some(Command::SetName(name)) if name.contains('!')));
}

#[test]
fn what_is_wrong_with_a_device_is_said() {
    let mut bench = home();
    bench.state.camera = CameraState::Failed(DeviceError::Busy { name: "HD Webcam".into() });
    bench.state.microphone = DeviceState::Failed(DeviceError::NoDevice);
    let screen = show(bench);
    assert!(screen.says("HD Webcam is in use by another program"));
    assert!(screen.says("No device was found"));
}

#[test]
fn the_sentence_about_stun_servers_stays_until_it_was_read() {
    let mut bench = home();
    bench.settings = Settings::default();
    let mut screen = show(bench);
    assert!(screen.says("stun.l.google.com"));
    screen.press("All right");
    assert_eq!(screen.state_mut().changes(), [Change::NoticeSeen]);
    assert!(!screen.says("stun.l.google.com"));
}

#[test]
fn an_idle_home_asks_for_no_further_frames() {
    let mut screen = show(home());
    screen.run();
    let delay = screen.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::from_secs(60), "{delay:?}");
}
