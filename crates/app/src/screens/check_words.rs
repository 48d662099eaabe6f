//! What a check of one's setup found, in words: what is well, and what to change where it is not.

use crate::settings::Settings;
use crate::widgets::{camera_words, sentence, stand_in_words};
use visavis_call::{
    Check, EchoOutcome, EchoTest, EndReason, Finding, InCall, NetworkCheck, Phase, ServerCheck, State, Way,
};
use visavis_capture::DeviceState;

/// Louder than this somebody speaks; a room alone is quieter.
const SPEAKS: f32 = 0.02;
/// From here on what is heard so much later is a wireless loudspeaker, or one with a processor of its own.
const LATE_MS: u128 = 250;
/// So much of the echo is gone, in dB, that turning the loudspeaker down takes the rest.
const LITTLE_LEFT_DB: f32 = -12.0;

/// How something fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Not known yet, or nothing to be said for or against it.
    Open,
    Good,
    /// Something should be changed.
    Bad,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub mood: Mood,
    pub words: String,
}

fn line(mood: Mood, words: impl Into<String>) -> Line {
    Line { mood, words: words.into() }
}

/// Why there is nobody to call; `None` while all is well.
pub(super) fn trouble(state: &State, check: &Check) -> Option<String> {
    if let Some(why) = &check.trouble {
        return Some(format!("The check could not begin: {why}"));
    }
    match &state.phase {
        Phase::Ended(ended) => Some(match &ended.reason {
            EndReason::ConnectFailed | EndReason::ConnectionLost => {
                "This machine does not reach itself: a firewall may block Visavis".to_owned()
            }
            other => format!("The check ended: {other}"),
        }),
        Phase::Home | Phase::Waiting(_) | Phase::Joining { .. } | Phase::Connecting { .. } => None,
        Phase::Outside { .. } | Phase::InCall(_) => None,
    }
}

/// What comes back of the picture.
pub(super) fn picture(state: &State, settings: &Settings) -> Line {
    if let Some(words) = camera_words(state, &settings.camera) {
        return line(if state.video_on { Mood::Bad } else { Mood::Open }, words);
    }
    match &state.phase {
        Phase::InCall(InCall { figures, .. }) => match figures.received_size {
            Some(size) if figures.received_fps >= 1.0 => {
                let fps = figures.received_fps.round();
                line(Mood::Good, format!("This is how others see you: {size}, {fps} pictures a second"))
            }
            Some(_) | None => line(Mood::Open, "Your picture is on its way…"),
        },
        _ => line(Mood::Open, "Calling yourself…"),
    }
}

/// What the microphone gives.
pub(super) fn microphone(state: &State) -> Line {
    match &state.microphone {
        DeviceState::Failed(why) => return line(Mood::Bad, sentence(&why.to_string())),
        DeviceState::Off => return line(Mood::Open, "No microphone is chosen"),
        DeviceState::Opening => return line(Mood::Open, "Opening the microphone…"),
        DeviceState::Running { .. } => {}
    }
    if state.microphone_silent {
        return line(Mood::Bad, "Your microphone is silent: check its switch, or choose another one");
    }
    if state.muted {
        let words = if state.speaks_muted { "You speak and are muted: nobody hears you" } else { "You are muted" };
        return line(Mood::Bad, words);
    }
    if let Some(words) = stand_in_words(&state.microphone) {
        return line(Mood::Bad, words);
    }
    if state.microphone_level >= SPEAKS {
        return line(Mood::Good, "You are heard. Two seconds later you hear yourself");
    }
    line(Mood::Open, "Say something: two seconds later you hear yourself")
}

/// What came of the test for echo.
pub(super) fn echo(check: &Check, settings: &Settings) -> Line {
    let outcome = match check.echo {
        EchoTest::NotYet => {
            return line(Mood::Open, "Do others hear themselves through you? A rising tone is played to find out");
        }
        EchoTest::Running(percent) => return line(Mood::Open, format!("Testing for echo… {percent} %")),
        EchoTest::Failed => {
            return line(Mood::Bad, "The test came to no end: choose another microphone or loudspeaker and test again");
        }
        EchoTest::Over(outcome) => outcome,
    };
    let found = match outcome {
        EchoOutcome::Silent => {
            return line(Mood::Bad, "The microphone gave no sound at all: check its switch, or choose another one");
        }
        EchoOutcome::Headphones => {
            let words = "You seem to wear headphones: nobody hears an echo. \
                         If you heard no tone yourself, choose another loudspeaker";
            return line(Mood::Good, words);
        }
        EchoOutcome::Echo(found) => found,
    };
    let delay = found.delay.as_millis();
    let late = if delay >= LATE_MS { ". The loudspeaker is late, as wireless ones are" } else { "" };
    if found.is_removed() {
        return line(Mood::Good, format!("Echo is removed: the other side hears none of it (delay {delay} ms){late}"));
    }
    let words = if !settings.echo_cancellation {
        "Others hear themselves through you: switch on echo cancellation in the settings"
    } else if found.left_db <= LITTLE_LEFT_DB {
        "A little of the echo is left: turn the loudspeaker down, or move it away from the microphone"
    } else {
        "Others hear themselves through you: turn the loudspeaker down, move it away from the microphone, \
         or wear headphones"
    };
    line(Mood::Bad, format!("{words} (delay {delay} ms){late}"))
}

/// What follows for calls from what the servers answered.
pub(super) fn way(network: &NetworkCheck) -> Line {
    let relay = network.has_relay();
    match network.way {
        Way::Asking => line(Mood::Open, "Asking the servers…"),
        Way::Direct => line(Mood::Good, "Calls will go straight from machine to machine"),
        Way::Likely => line(Mood::Good, "Calls will probably go straight from machine to machine"),
        Way::Changing if relay => {
            line(Mood::Good, "Your network shows each server another address: many calls will go through the relay")
        }
        Way::Changing => {
            let words = "Your network shows each server another address: some calls will fail without a relay (TURN)";
            line(Mood::Bad, words)
        }
        Way::Closed if relay => line(Mood::Good, "Calls beyond the local network will go through the relay"),
        Way::Closed => {
            line(Mood::Bad, "No server answers: only people on this machine or in your local network can be called")
        }
        Way::Unasked if relay => line(Mood::Good, "Calls beyond the local network will go through the relay"),
        Way::Unasked => line(
            Mood::Open,
            "No STUN server is configured: only people on this machine or in your local network can be called",
        ),
        Way::RelayOnly if relay => line(Mood::Good, "Calls will go through the relay, as you have chosen"),
        Way::RelayOnly => line(Mood::Bad, "Only a relay is allowed, and none answers: no call will come about"),
    }
}

/// What came of asking one server.
pub(super) fn server(asked: &ServerCheck) -> Line {
    let host = host(&asked.url);
    match &asked.finding {
        Finding::Asking => line(Mood::Open, format!("{host}: asking…")),
        Finding::Outside(address, after) => {
            line(Mood::Good, format!("{host}: sees you as {address}, after {} ms", after.as_millis()))
        }
        Finding::Relay(address, after) => {
            line(Mood::Good, format!("{host}: would relay at {address}, after {} ms", after.as_millis()))
        }
        Finding::NoAnswer => line(Mood::Bad, format!("{host}: no answer")),
        Finding::UnknownName => line(Mood::Bad, format!("{host}: nobody knows this name; is there a network?")),
        Finding::WrongPassword => line(Mood::Bad, format!("{host}: refuses user name and password")),
        Finding::Refused(code) => line(Mood::Bad, format!("{host}: refuses, with error {code}")),
        Finding::Unsupported => line(Mood::Bad, format!("{host}: this kind of address is not supported")),
    }
}

/// `stun:host:port?…` without what nobody needs to read.
fn host(url: &str) -> &str {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    rest.split('?').next().unwrap_or(rest)
}
