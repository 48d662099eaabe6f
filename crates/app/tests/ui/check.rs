use crate::bench::{Bench, Say as _, Screen, show};
use crate::scenes::checking;
use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::time::Duration;
use visavis_app::sample;
use visavis_call::{Command, Echo, EchoOutcome, EchoTest, EndReason, Finding, Phase, Way};
use visavis_capture::{DeviceError, DeviceState};

fn tested(echo: EchoTest) -> Screen {
    show(checking(|check| check.echo = echo))
}

fn echo(left_db: f32) -> EchoTest {
    EchoTest::Over(EchoOutcome::Echo(Echo { delay: Duration::from_millis(84), level_db: -20.0, left_db }))
}

#[test]
fn the_first_screen_leads_there() {
    let mut screen = show(Bench::new(Phase::Home));
    screen.press("Check my setup");
    assert!(matches!(screen.state_mut().command(), Command::CheckSetup));
}

#[test]
fn done_and_escape_lead_back_but_escape_closes_what_lies_over_it_first() {
    let mut screen = tested(EchoTest::NotYet);
    screen.press("Done");
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
    screen.key(Key::Escape);
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
    screen.press("Settings…");
    screen.key(Key::Escape);
    screen.press("Camera");
    screen.key(Key::Escape);
    assert!(screen.state_mut().commands().is_empty());
}

#[test]
fn the_picture_that_comes_back_is_told_with_its_size() {
    assert!(tested(EchoTest::NotYet).says("This is how others see you: 1280x720, 30 pictures a second"));
    let mut bench = checking(|_| {});
    bench.state.video_on = false;
    assert!(show(bench).says("Your camera is off"));
    let mut bench = checking(|_| {});
    bench.state.phase = Phase::Joining { code: sample::code(), since: bench.now, host: None };
    let mut screen = show(bench);
    assert!(screen.says("Calling yourself…") && screen.get_by_label("Test for echo").accesskit_node().is_disabled());
    screen.key(Key::T);
    assert!(screen.state_mut().commands().is_empty(), "there is nobody yet");
}

#[test]
fn the_microphone_is_told_in_words() {
    let said = |change: fn(&mut Bench)| {
        let mut bench = checking(|_| {});
        change(&mut bench);
        show(bench)
    };
    assert!(said(|_| {}).says("You are heard. Two seconds later you hear yourself"));
    assert!(said(|b| b.state.microphone_level = 0.001).says("Say something: two seconds later you hear yourself"));
    assert!(said(|b| b.state.muted = true).says("You are muted"));
    assert!(said(|b| (b.state.muted, b.state.speaks_muted) = (true, true)).says("You speak and are muted"));
    assert!(said(|b| b.state.microphone_silent = true).says("Your microphone is silent"));
    assert!(said(|b| b.state.microphone = DeviceState::Off).says("No microphone is chosen"));
    let gone = |b: &mut Bench| b.state.microphone = DeviceState::Failed(DeviceError::NoDevice);
    assert!(said(gone).says("No device was found"));
}

#[test]
fn a_test_for_echo_is_asked_for_by_button_or_key_and_not_while_one_is_made() {
    let mut screen = tested(EchoTest::NotYet);
    screen.press("Test for echo");
    assert!(matches!(screen.state_mut().command(), Command::TestEcho));
    screen.key(Key::T);
    assert!(matches!(screen.state_mut().command(), Command::TestEcho));
    let mut screen = tested(EchoTest::Running(40));
    assert!(screen.says("Testing for echo… 40 %"));
    screen.press("Test for echo");
    screen.key(Key::T);
    assert!(screen.state_mut().commands().is_empty());
    let mut screen = tested(EchoTest::Failed);
    screen.press("Test again");
    assert!(matches!(screen.state_mut().command(), Command::TestEcho));
}

#[test]
fn what_the_test_found_is_said_with_what_to_change() {
    assert!(tested(EchoTest::Over(EchoOutcome::Headphones)).says("You seem to wear headphones: nobody hears an echo"));
    assert!(tested(EchoTest::Over(EchoOutcome::Silent)).says("The microphone gave no sound at all"));
    assert!(tested(echo(-40.0)).says("Echo is removed: the other side hears none of it (delay 84 ms)"));
    assert!(tested(echo(-18.0)).says("A little of the echo is left: turn the loudspeaker down"));
    assert!(tested(echo(-3.0)).says("or wear headphones"));
    let mut bench = checking(|check| check.echo = echo(-1.0));
    bench.settings.echo_cancellation = false;
    assert!(show(bench).says("switch on echo cancellation in the settings"));
}

#[test]
fn every_server_says_what_it_found_and_calls_what_follows() {
    let screen = tested(EchoTest::NotYet);
    assert!(screen.says("Calls will go straight from machine to machine"));
    assert!(screen.says("stun.example.org:3478: sees you as 192.0.2.7:40123, after 23 ms"));
    assert!(screen.says("relay.example.org: would relay at 198.51.100.9:50000, after 58 ms"));
    for (finding, words) in [
        (Finding::Asking, "asking…"),
        (Finding::NoAnswer, "no answer"),
        (Finding::UnknownName, "nobody knows this name"),
        (Finding::WrongPassword, "refuses user name and password"),
        (Finding::Refused(486), "with error 486"),
        (Finding::Unsupported, "not supported"),
    ] {
        let screen = show(checking(|check| check.network.servers[2].finding = finding));
        assert!(screen.says(&format!("relay.example.org: {words}")) || screen.says(words), "{words}");
    }
}

#[test]
fn each_kind_of_network_says_what_calls_will_be_like_with_and_without_a_relay() {
    let words = [
        (Way::Asking, "Asking the servers", "Asking the servers"),
        (Way::Direct, "straight from machine to machine", "straight from machine to machine"),
        (Way::Likely, "will probably go straight", "will probably go straight"),
        (Way::Changing, "many calls will go through the relay", "some calls will fail without a relay"),
        (Way::Closed, "will go through the relay", "No server answers"),
        (Way::Unasked, "will go through the relay", "No STUN server is configured"),
        (Way::RelayOnly, "as you have chosen", "no call will come about"),
    ];
    for (way, with, without) in words {
        assert!(show(checking(|check| check.network.way = way)).says(with), "{way:?}");
        let screen = show(checking(|check| {
            check.network.way = way;
            check.network.servers.truncate(2);
        }));
        assert!(screen.says(without), "{way:?} without a relay");
    }
}

#[test]
fn a_check_that_does_not_come_about_says_why_and_can_be_tried_again() {
    let mut bench = checking(|check| check.trouble = Some("no port is free".into()));
    bench.state.phase = Phase::Home;
    let mut screen = show(bench);
    assert!(screen.says("The check could not begin: no port is free"));
    screen.press("Try again");
    assert!(matches!(screen.state_mut().command(), Command::CheckSetup));
    let mut bench = checking(|_| {});
    bench.state.phase = Phase::Ended(sample::ended(EndReason::ConnectFailed));
    let screen = show(bench);
    assert!(screen.says("a firewall may block Visavis") && screen.has("Try again") && screen.has("Done"));
}
