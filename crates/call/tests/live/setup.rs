//! Checking one's setup: a call with an echo peer inside the process.

use crate::common::{Side, in_call, options, share_in_pieces};
use std::time::{Duration, Instant};
use visavis_call::{Command, EchoOutcome, EchoTest, Phase, State};

fn checking(side: &mut Side) {
    side.send(Command::CheckSetup);
    side.shows("the echo peer's call", |s| s.check.is_some() && in_call(s).is_some());
}

#[test]
fn one_sees_oneself_and_hears_oneself_two_seconds_later() {
    let mut side = Side::start("Ann", options(None));
    let begun = Instant::now();
    checking(&mut side);
    side.sees_what_was_captured_after(begun);
    let from = side.ear.count();
    let burst = side.until("a tone burst", |side| side.ear.bursts_since(from).into_iter().nth(1));
    assert!(share_in_pieces(&burst, 440.0) > 0.6);
    side.send(Command::HangUp);
    let home = |s: &State| s.check.is_none() && matches!(s.phase, Phase::Home);
    side.shows("home", home);
}

#[test]
fn a_test_without_an_echo_says_so() {
    let mut side = Side::start("Ann", options(None));
    checking(&mut side);
    side.send(Command::TestEcho);
    let over = |s: &State| matches!(s.check.as_ref().map(|c| c.echo), Some(EchoTest::Over(_)));
    let state = side.shows("the outcome", over);
    let echo = state.check.as_ref().map(|c| c.echo);
    assert_eq!(echo, Some(EchoTest::Over(EchoOutcome::Headphones)));
    let _ = Duration::ZERO;
}
