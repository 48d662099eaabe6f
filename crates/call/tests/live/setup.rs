//! Checking one's setup: a call with an echo peer inside the process.

use crate::common::{Server, Side, in_call, opens, options, share_in_pieces};
use std::time::{Duration, Instant};
use visavis_call::{Command, EchoOutcome, EchoTest, Event, Phase, State, Way};

fn checking(side: &mut Side) {
    side.send(Command::CheckSetup);
    side.shows("the echo peer's call", |s| s.check.is_some() && in_call(s).is_some());
}

fn at_home(side: &mut Side) {
    let home = |s: &State| s.check.is_none() && matches!(s.phase, Phase::Home);
    side.shows("home", home);
}

fn test(state: &State) -> Option<EchoTest> {
    state.check.as_ref().map(|check| check.echo)
}

#[test]
fn one_sees_oneself_and_hears_oneself_two_seconds_later() {
    let mut side = Side::start("Ann", options(None));
    side.send(Command::SetMuted(true));
    let begun = Instant::now();
    checking(&mut side);
    side.sees_what_was_captured_after(begun);
    let from = side.ear.count();
    let spoke = Instant::now();
    side.send(Command::SetMuted(false));
    let burst = side.until("a tone burst", |side| side.ear.bursts_since(from).into_iter().next());
    assert!(spoke.elapsed() >= Duration::from_secs(2), "{:?}", spoke.elapsed());
    assert!(share_in_pieces(&burst, 440.0) > 0.6);
    side.send(Command::HangUp);
    at_home(&mut side);
    assert!(!side.unread().iter().any(|event| matches!(event, Event::Joined { opened: true, .. })));
}

#[test]
fn a_test_finds_no_echo_where_there_is_none_and_can_be_made_again() {
    let mut side = Side::start("Ann", options(None));
    side.send(Command::TestEcho);
    checking(&mut side);
    assert_eq!(test(&side.state()), Some(EchoTest::NotYet), "before the check there is nothing to test");
    for _ in 0..2 {
        side.send(Command::TestEcho);
        side.shows("its progress", |s| matches!(test(s), Some(EchoTest::Running(percent)) if percent > 10));
        side.shows("its outcome", |s| test(s) == Some(EchoTest::Over(EchoOutcome::Headphones)));
    }
}

#[test]
fn a_check_can_be_begun_anew_and_gives_way_to_a_call() {
    let server = Server::start();
    let mut side = Side::start("Ann", options(Some(&server)));
    checking(&mut side);
    let first = in_call(&side.state()).map(|call| call.since);
    side.send(Command::CheckSetup);
    side.shows("another check", |s| in_call(s).is_some_and(|call| Some(call.since) != first));
    side.shows("that nobody was asked", |s| s.check.as_ref().is_some_and(|check| check.network.way == Way::Unasked));
    opens(&mut side);
    assert!(side.state().check.is_none());
}
