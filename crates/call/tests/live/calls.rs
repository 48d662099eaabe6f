//! A call from its beginning to its end, and the one after it.

use crate::common::{
    Server, Side, call, connects, hang_up, in_call, invitation, knows, opens, options, share_in_pieces, without_devices,
};
use std::time::Instant;
use visavis_call::{Command, EndReason, Event, Path, Phase, Reach};
use visavis_signaling::{Invitation, RoomCode};

/// Both see, hear and read each other.
fn converse(a: &mut Side, b: &mut Side) {
    let begun = Instant::now();
    a.hears(&Event::FirstFrame);
    b.hears(&Event::FirstFrame);
    a.sees_what_was_captured_after(begun);
    b.sees_what_was_captured_after(begun);
    for side in [&mut *a, &mut *b] {
        let from = side.ear.count();
        let burst = side.until("a tone burst", |side| side.ear.bursts_since(from).into_iter().nth(1));
        let share = |hertz| share_in_pieces(&burst, hertz);
        let others = [220.0, 660.0, 880.0, 1000.0].map(share).into_iter().fold(0.0, f32::max);
        assert!(share(440.0) > 0.6 && share(440.0) > 5.0 * others, "{}: {} and {others}", side.name, share(440.0));
    }
    knows(a, b.name);
    knows(b, a.name);
    says(a, b, "hello");
    says(b, a, "grüß dich");
}

/// A line of text arrives, and both show whose it was.
fn says(from: &mut Side, to: &mut Side, text: &str) {
    from.send(Command::Chat(text.into()));
    to.hears(&Event::Chat(text.into()));
    for (side, mine) in [(from, true), (to, false)] {
        side.shows("the line", |s| {
            in_call(s).is_some_and(|c| c.chat.iter().any(|l| &*l.text == text && l.mine == mine))
        });
    }
}

#[test]
fn two_endpoints_see_hear_and_read_each_other_twice_in_a_row() {
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    let first = call(&mut a, &mut b);
    converse(&mut a, &mut b);
    let state = a.state();
    let in_call = in_call(&state).expect("in the call");
    assert_eq!(in_call.path, Path::Direct);
    let digits = in_call.verification.replace(' ', "");
    assert!(digits.len() == 25 && digits.bytes().all(|b| b.is_ascii_digit()), "{}", in_call.verification);
    hang_up(&mut b, &mut a);

    // The other way round, with nothing of the last call in it.
    let second = call(&mut b, &mut a);
    assert_ne!(first, second);
    converse(&mut b, &mut a);
    hang_up(&mut b, &mut a);
}

#[test]
fn the_ended_call_says_who_and_how_long_and_offers_another() {
    let server = Server::start();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    call(&mut a, &mut b);
    knows(&mut a, "Bob");
    knows(&mut b, "Ann");
    b.send(Command::HangUp);
    b.ends();
    a.ends();
    for (side, name) in [(&mut a, "Bob"), (&mut b, "Ann")] {
        let state = side.shows("the end", |s| matches!(s.phase, Phase::Ended(_)));
        let Phase::Ended(ended) = &state.phase else { unreachable!() };
        assert_eq!(ended.peer_name, name);
        assert!(!ended.duration.is_zero());
    }
    let Phase::Ended(ended) = &b.state().phase else { panic!("not ended") };
    assert!(matches!(&ended.again, visavis_call::Again::Start), "a code is used once: {:?}", ended.again);
    // "Call again" right from the end of a call.
    let code = opens(&mut a);
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
}

#[test]
fn the_owner_of_a_lasting_room_is_asked_by_name_before_each_call() {
    let server = Server::start();
    let (mut owner, mut caller) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    let room = RoomCode::random_lasting();
    // The same words serve one call after the other.
    for accepted in [true, false] {
        owner.send(Command::Start(Some(room.clone())));
        owner.shows("the room", |s| matches!(&s.phase, Phase::Waiting(waiting) if !waiting.reach.is_empty()));
        caller.send(Command::Join(invitation(&room)));
        owner.shows("the question", |s| {
            matches!(&s.phase, Phase::Waiting(waiting) if waiting.asks.as_ref().is_some_and(|asks| asks.name == "Bob"))
        });
        caller.shows("whose door it is", |s| matches!(&s.phase, Phase::Outside { owner, .. } if owner == "Ann"));
        owner.send(Command::LetIn(accepted));
        if accepted {
            connects(&mut owner, &mut caller);
            caller.send(Command::HangUp);
            assert_eq!((caller.ends(), owner.ends()), (EndReason::HungUp, EndReason::PeerHungUp));
        } else {
            assert_eq!(caller.ends(), EndReason::Declined);
        }
    }
}

#[test]
fn a_link_brings_its_server_along_to_who_uses_none_or_another() {
    let (theirs, mine) = (Server::start(), Server::start());
    let start = |name, server| Side::start(name, without_devices(server));
    for uses in [None, Some(&mine)] {
        let (mut ann, mut bob) = (start("Ann", Some(&theirs)), start("Bob", uses));
        let code = opens(&mut ann);
        let link = ann.until("a link", |side| {
            let Phase::Waiting(waiting) = &side.state().phase else { return None };
            waiting.reach.iter().find_map(|reach| match reach {
                Reach::Server { link, .. } => link.clone(),
                Reach::LocalNetwork { .. } | Reach::Unreachable { .. } => None,
            })
        });
        let invitation: Invitation = link.parse().unwrap();
        assert_eq!((&invitation.code, invitation.server.as_deref()), (&code, Some(theirs.url().as_str())));
        bob.send(Command::Join(invitation));
        connects(&mut ann, &mut bob);
        hang_up(&mut bob, &mut ann);
    }
}

#[test]
fn two_who_meet_under_a_code_find_each_other_whoever_comes_first() {
    let server = Server::start();
    let code = RoomCode::random();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    for side in [&a, &b] {
        side.send(Command::Meet(code.clone()));
    }
    connects(&mut a, &mut b);
    hang_up(&mut a, &mut b);
}

#[test]
fn who_goes_without_a_word_is_noticed() {
    let server = Server::start();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    call(&mut a, &mut b);
    // Dropping says goodbye all the same; what is told is that the other hung up.
    drop(b);
    assert_eq!(a.ends(), visavis_call::EndReason::PeerHungUp);
}

#[test]
fn a_changed_name_reaches_the_other_side_without_control_characters() {
    let server = Server::start();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    call(&mut a, &mut b);
    knows(&mut a, "Bob");
    b.send(Command::SetName("Ro\u{202e}bert\n".into()));
    knows(&mut a, "Robert");
}
