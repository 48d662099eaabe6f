//! Waiting, joining, ended.

use crate::bench::{Bench, Say as _, show};
use egui::Key;
use std::time::{Duration, Instant};
use visavis_app::sample;
use visavis_call::{Again, Away, Command, EndReason, Phase, Reach, Waiting};
use visavis_signaling::Invitation;

#[test]
fn waiting_shows_the_code_and_passes_it_on() {
    let mut screen = show(Bench::new(Phase::Waiting(sample::waiting())));
    assert!(screen.has(sample::CODE) && screen.has("QR code of this call"));
    screen.press("Copy code");
    assert!(screen.has("Code copied"));
    screen.press("Copy link");
    assert_eq!(screen.copied(), [sample::CODE, sample::LINK]);
    screen.pass(12);
    assert!(!screen.has("Link copied"), "the word goes by itself");
    screen.press("Cancel");
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
}

#[test]
fn waiting_says_who_can_find_the_room() {
    let mut waiting = sample::waiting();
    waiting.reach.push(Reach::Unreachable { host: "old.example".into(), why: "no answer".into() });
    let screen = show(Bench::new(Phase::Waiting(waiting)));
    for words in ["192.0.2.7:7460", "over calls.example", "old.example does not answer"] {
        assert!(screen.says(words), "{words}");
    }
}

#[test]
fn without_a_server_there_is_no_link_and_a_word_about_it() {
    let mut waiting = sample::waiting();
    waiting.reach = vec![Reach::LocalNetwork { addresses: vec![] }];
    let mut screen = show(Bench::new(Phase::Waiting(waiting)));
    assert!(screen.says("name a server in the settings"));
    screen.press("Copy link");
    assert!(screen.copied().is_empty());
}

#[test]
fn in_a_local_network_the_link_leads_to_this_machine() {
    let mut waiting = sample::waiting();
    waiting.reach = vec![Reach::LocalNetwork { addresses: vec!["192.0.2.7:7460".into()] }];
    let mut screen = show(Bench::new(Phase::Waiting(waiting)));
    screen.press("Copy link");
    let copied = screen.copied();
    let invitation: Invitation = copied.first().and_then(|link| link.parse().ok()).expect("a link that the app takes");
    assert_eq!(invitation.server.as_deref(), Some("ws://192.0.2.7:7460"));
}

#[test]
fn a_room_that_is_being_opened_says_so_and_a_new_code_why() {
    let mut waiting = sample::waiting();
    waiting.reach.clear();
    waiting.notice = Some("Somebody guessed wrong three times; this is a new code".into());
    let mut screen = show(Bench::new(Phase::Waiting(waiting)));
    screen.pass(2);
    assert!(screen.says("Opening the room…") && screen.says("guessed wrong three times"));
}

#[test]
fn a_room_can_be_kept_while_one_waits_and_only_once() {
    let mut screen = show(Bench::new(Phase::Waiting(sample::waiting())));
    screen.press("Keep this room");
    assert!(screen.state_mut().keeps_a_room());
    let mut kept = Bench::new(Phase::Waiting(sample::waiting()));
    kept.settings.room = Some(sample::room());
    assert!(!show(kept).has("Keep this room"));
    let screen = show(Bench::new(Phase::Waiting(sample::room_waiting())));
    assert!(!screen.has("Keep this room") && screen.says("six words"));
}

#[test]
fn who_wants_to_join_is_named_and_let_in_or_not_by_buttons_and_by_keys() {
    for (label, key, accepted) in [("Accept", Key::A, true), ("Decline", Key::N, false)] {
        let bench = Bench::new(Phase::Home);
        let asked = Phase::Waiting(sample::asked(bench.now));
        let mut screen = show(bench);
        screen.state_mut().state.phase = asked;
        screen.pass(2);
        assert!(screen.says("Grace wants to join") && screen.says("52 s"));
        screen.press(label);
        assert!(matches!(screen.state_mut().command(), Command::LetIn(a) if a == accepted));
        screen.key(key);
        assert!(matches!(screen.state_mut().command(), Command::LetIn(a) if a == accepted));
    }
}

#[test]
fn an_answer_in_the_moment_in_which_the_question_appears_is_not_meant() {
    let bench = Bench::new(Phase::Home);
    let mut asked = sample::asked(bench.now);
    asked.asks.as_mut().expect("somebody asks").since = bench.now;
    let mut screen = show(bench);
    screen.state_mut().state.phase = Phase::Waiting(asked);
    screen.pass(2);
    screen.press("Accept");
    screen.key(Key::A);
    assert!(!screen.state_mut().asked_anything());
    screen.state_mut().now += Duration::from_secs(1);
    screen.pass(2);
    screen.press("Accept");
    assert!(matches!(screen.state_mut().command(), Command::LetIn(true)));
}

#[test]
fn who_wants_to_join_from_a_browser_is_named_as_a_guest_and_without_a_name_as_somebody() {
    let bench = Bench::new(Phase::Home);
    let mut asked = sample::asked(bench.now);
    let asks = asked.asks.as_mut().expect("somebody asks");
    (asks.name, asks.guest) = (String::new(), Some("calls.example".into()));
    let mut screen = show(bench);
    screen.state_mut().state.phase = Phase::Waiting(asked);
    screen.pass(2);
    assert!(screen.says("Somebody wants to join") && screen.says("In a browser, at the server calls.example"));
}

#[test]
fn who_comes_back_into_a_lasting_room_is_asked_about_before_they_are_waited_for() {
    let bench = Bench::new(Phase::Home);
    let away = Away { name: "Grace".into(), until: bench.now + Duration::from_secs(20) };
    let asked = Waiting { away: Some(away), ..sample::asked(bench.now) };
    let mut screen = show(bench);
    screen.state_mut().state.phase = Phase::Waiting(asked);
    screen.pass(2);
    assert!(screen.says("Grace wants to join"));
}

#[test]
fn waiting_to_be_let_in_names_the_owner_and_can_be_cancelled() {
    for (owner, words) in [("Grace", "Waiting for Grace to let you in"), ("", "Waiting to be let in")] {
        let phase = Phase::Outside { code: sample::room(), since: Instant::now(), owner: owner.into() };
        let mut screen = show(Bench::new(phase));
        screen.pass(2);
        assert!(screen.says(words));
        screen.press("Cancel");
        assert!(matches!(screen.state_mut().command(), Command::HangUp));
    }
}

#[test]
fn a_call_in_a_lasting_room_leads_back_to_it() {
    let mut ended = sample::ended(EndReason::PeerHungUp);
    ended.again = Again::Open(sample::room());
    let mut screen = show(Bench::new(Phase::Ended(ended)));
    screen.press("Open my room");
    assert!(matches!(screen.state_mut().command(), Command::Start(Some(code)) if code == sample::room()));
}

#[test]
fn joining_can_be_cancelled_by_button_and_by_keys() {
    let since = Instant::now();
    for phase in [
        Phase::Joining { code: sample::code(), since, host: None },
        Phase::Connecting { code: sample::code(), since, host: None },
    ] {
        let connecting = matches!(phase, Phase::Connecting { .. });
        let mut screen = show(Bench::new(phase));
        screen.pass(2);
        assert_eq!(screen.has("Connecting…"), connecting);
        assert_eq!(screen.has("Looking for the other side…"), !connecting);
        screen.press("Cancel");
        assert!(matches!(screen.state_mut().command(), Command::HangUp));
        screen.key_press_modifiers(egui::Modifiers::COMMAND, Key::H);
        screen.pass(2);
        assert!(matches!(screen.state_mut().command(), Command::HangUp));
    }
}

#[test]
fn a_long_search_gives_advice() {
    let mut bench = Bench::new(Phase::Joining { code: sample::code(), since: Instant::now(), host: None });
    bench.now += Duration::from_secs(6);
    let mut screen = show(bench);
    screen.pass(2);
    assert!(screen.says("still waiting, under the same words?"));
}

#[test]
fn a_link_says_over_which_server_it_leads() {
    let since = Instant::now();
    let (code, host) = (sample::code(), Some("calls.example".to_owned()));
    let joining = show(Bench::new(Phase::Joining { code: code.clone(), since, host }));
    assert!(joining.says(&code.to_string()) && joining.says("over calls.example"));
    assert!(!show(Bench::new(Phase::Joining { code, since, host: None })).says("over"));
}

#[test]
fn somebody_who_may_be_back_is_waited_for_without_showing_the_code() {
    let mut bench = Bench::new(Phase::Home);
    let away = Away { name: "Grace".into(), until: bench.now + Duration::from_millis(23_500) };
    bench.state.phase = Phase::Waiting(Waiting { away: Some(away), ..sample::waiting() });
    let mut screen = show(bench);
    assert!(screen.says("Grace left, perhaps for a moment") && screen.says("within 24 s"));
    assert!(!screen.says(&sample::code().to_string()));
    screen.press("Hang up");
    assert!(matches!(screen.state_mut().command(), Command::HangUp));
}

#[test]
fn ended_says_why_and_how_long_and_calls_again() {
    let mut ended = sample::ended(EndReason::PeerHungUp);
    let mut screen = show(Bench::new(Phase::Ended(ended.clone())));
    assert!(screen.says("The other side hung up") && screen.says("12:34 with Grace"));
    screen.press("Call again");
    assert!(matches!(screen.state_mut().command(), Command::Start(None)));
    screen.press("Home");
    assert!(matches!(screen.state_mut().command(), Command::HangUp));

    ended.again = Again::Join(Invitation { code: sample::code(), server: None });
    let mut screen = show(Bench::new(Phase::Ended(ended)));
    screen.press("Call again");
    assert!(matches!(screen.state_mut().command(), Command::Join(_)));

    let mut ended = sample::ended(EndReason::ConnectionLost);
    ended.again = Again::Open(sample::code());
    let mut screen = show(Bench::new(Phase::Ended(ended)));
    screen.press("Call again");
    assert!(matches!(screen.state_mut().command(), Command::Start(Some(code)) if code == sample::code()));
}

#[test]
fn every_reason_is_said_in_its_own_words() {
    let reasons = [
        EndReason::HungUp,
        EndReason::PeerHungUp,
        EndReason::PeerLeft,
        EndReason::NobodyHere,
        EndReason::WrongCode,
        EndReason::CodeTaken,
        EndReason::RoomFull,
        EndReason::Dismissed,
        EndReason::SignalingUnreachable("calls.example".into()),
        EndReason::ConnectFailed,
        EndReason::ConnectionLost,
        EndReason::Unusable("a description without a key fingerprint".into()),
        EndReason::Meddled,
        EndReason::Guessing,
        EndReason::Intercepted,
        EndReason::Version,
        EndReason::Internal("a thread could not be started".into()),
    ];
    for reason in reasons {
        let mut ended = sample::ended(reason.clone());
        ended.duration = Duration::ZERO;
        let screen = show(Bench::new(Phase::Ended(ended)));
        assert!(screen.says(&reason.to_string()), "{reason:?}");
        assert!(!screen.says("with Grace"), "nothing flowed, so no time is said");
    }
}
