//! What becomes of a code once its call is over or interrupted: a guest who loads the page again, and "Call again".

use super::super::*;
use super::lone::{Lone, code};
use super::world::World;
use super::{call, invitation, other_password};
use crate::api::{Again, Away, EndReason, Guest, Phase};
use visavis_signaling::Invitation;

const BYE_AGAIN: &str = r#"{"type":"bye","again":true}"#;
const HELLO: &str = r#"{"type":"hello","name":"Guest","muted":false,"videoOn":true,"guest":true}"#;

/// Two in a call, and the code of it.
fn with_code() -> (World, RoomCode) {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(1));
    (w, code)
}

/// The other side says this to person `i`.
fn hears(w: &mut World, i: usize, text: &str) {
    let key = w.key_of(i);
    w.input(i, Input::Peer(key, PeerEvent::Control(text.into())));
}

fn away(w: &World, i: usize) -> Option<Away> {
    match w.phase(i) {
        Phase::Waiting(waiting) => waiting.away,
        _ => None,
    }
}

fn again(w: &World, i: usize) -> Again {
    match w.phase(i) {
        Phase::Ended(ended) => ended.again,
        other => panic!("person {i} is not through: {other:?}"),
    }
}

#[test]
fn a_guest_is_one_through_the_server_that_the_call_went_over_or_from_where_they_say_their_page_is() {
    let mut w = call();
    hears(&mut w, 0, HELLO);
    let Phase::InCall(call) = w.phase(0) else { panic!("in a call") };
    let guest = |host: &str, by_own_word| Some(Guest { host: host.to_owned(), by_own_word });
    assert_eq!((call.peer.guest, call.peer.name.as_str()), (guest("server.example", false), "Guest"));
    let Phase::InCall(call) = w.phase(1) else { panic!("in a call") };
    assert_eq!(call.peer.guest, None);
    // Where their page comes from elsewhere, they say so themselves.
    for (page, by_own_word) in [("server.EXAMPLE", false), ("pages.example", true)] {
        hears(&mut w, 0, &HELLO.replace('}', &format!(r#","page":"{page}"}}"#)));
        let Phase::InCall(call) = w.phase(0) else { panic!("in a call") };
        assert_eq!(call.peer.guest, guest(&page.to_lowercase(), by_own_word));
    }
}

#[test]
fn a_guest_who_loads_the_page_again_is_waited_for_and_the_call_goes_on_whoever_came_first() {
    for (stays, goes) in [(0, 1), (1, 0)] {
        let (mut w, code) = with_code();
        w.command(stays, Command::Chat("before".into()));
        hears(&mut w, stays, BYE_AGAIN);
        assert_eq!(away(&w, stays).expect("somebody is away").name, format!("person {goes}"));
        assert!(!w.people[stays].media && w.peer_count(stays) == 0);
        assert_eq!(w.people[stays].events.last(), Some(&Event::PeerAway));
        w.pass(Duration::from_secs(5));
        w.command(goes, Command::HangUp);
        w.command(goes, Command::Join(invitation(&code)));
        assert!(w.in_call(stays) && w.in_call(goes), "{:?} / {:?}", w.phase(stays), w.phase(goes));
        let Phase::InCall(call) = w.phase(stays) else { panic!("in a call") };
        assert_eq!(&*call.chat[0].text, "before");
    }
}

#[test]
fn a_page_that_went_without_a_goodbye_is_waited_for_and_may_be_back_before_that_is_noticed() {
    for comes_first in [false, true] {
        let (mut w, code) = with_code();
        hears(&mut w, 0, HELLO);
        let key = w.key_of(0);
        w.cut = true;
        w.command(1, Command::HangUp);
        w.cut = false;
        assert!(w.in_call(0), "that is what the server says");
        if comes_first {
            w.command(1, Command::Join(invitation(&code)));
        }
        w.pass(Duration::from_secs(2));
        w.input(0, Input::Peer(key, PeerEvent::IceDisconnected));
        if !comes_first {
            assert_eq!(away(&w, 0).expect("somebody is away").name, "Guest");
            w.command(1, Command::Join(invitation(&code)));
        }
        assert!(w.in_call(0) && w.in_call(1), "{comes_first}: {:?} / {:?}", w.phase(0), w.phase(1));
    }
}

#[test]
fn who_does_not_come_back_has_hung_up_and_the_length_of_the_call_is_that_of_what_flowed() {
    let (mut w, _) = with_code();
    w.pass(Duration::from_secs(60));
    hears(&mut w, 0, BYE_AGAIN);
    w.pass(Duration::from_secs(29));
    assert!(away(&w, 0).is_some());
    w.pass(Duration::from_secs(2));
    let Phase::Ended(ended) = w.phase(0) else { panic!("not over") };
    assert_eq!((ended.reason, ended.duration), (EndReason::PeerHungUp, Duration::from_secs(60)));
    assert_eq!(ended.peer_name, "person 1");
    assert!(matches!(ended.again, Again::Start));
}

#[test]
fn who_waits_for_a_guest_can_hang_up() {
    let (mut w, _) = with_code();
    w.pass(Duration::from_secs(1));
    hears(&mut w, 0, BYE_AGAIN);
    w.command(0, Command::HangUp);
    assert_eq!(w.reason(0), Some(EndReason::HungUp));
    w.command(0, Command::HangUp);
    assert!(matches!(w.phase(0), Phase::Home));
}

#[test]
fn while_a_guest_is_waited_for_others_have_three_attempts_as_ever_and_no_new_code_is_drawn() {
    let (mut w, code) = with_code();
    hears(&mut w, 0, BYE_AGAIN);
    w.command(1, Command::HangUp);
    for attempt in 0..3 {
        assert!(away(&w, 0).is_some(), "attempt {attempt}");
        w.command(1, Command::Join(invitation(&other_password(&code))));
        assert_eq!(w.reason(1), Some(EndReason::WrongCode));
    }
    assert_eq!(w.reason(0), Some(EndReason::Guessing));
}

#[test]
fn a_guest_who_proves_the_code_in_the_last_moment_is_not_cut_short() {
    let (mut w, code) = with_code();
    hears(&mut w, 0, BYE_AGAIN);
    w.command(1, Command::HangUp);
    w.pass(Duration::from_secs(29));
    w.people[1].slow = true;
    w.command(1, Command::Join(invitation(&code)));
    w.pass(Duration::from_secs(3));
    assert!(away(&w, 0).is_some(), "{:?}", w.phase(0));
    let (key, answer) = (w.key_of(1), w.description(1));
    w.input(1, Input::Peer(key, PeerEvent::Answer(answer)));
    assert!(w.in_call(0) && w.in_call(1), "{:?}", w.phase(0));
}

#[test]
fn without_a_way_to_the_server_such_a_goodbye_ends_the_call() {
    let mut w = call();
    w.input(0, Input::LinkDown(super::world::LINK, "gone".into()));
    hears(&mut w, 0, BYE_AGAIN);
    assert_eq!(w.reason(0), Some(EndReason::PeerHungUp));
}

#[test]
fn a_code_is_not_offered_again_once_somebody_ended_its_call() {
    let (mut w, _) = with_code();
    w.pass(Duration::from_secs(1));
    w.command(1, Command::HangUp);
    for i in [0, 1] {
        assert!(matches!(again(&w, i), Again::Start), "person {i}: {:?}", again(&w, i));
    }
}

#[test]
fn a_call_that_broke_is_gone_on_with_under_its_code_from_both_sides() {
    let (mut w, code) = with_code();
    w.pass(Duration::from_secs(1));
    w.cut = true;
    for i in [0, 1] {
        let key = w.key_of(i);
        w.input(i, Input::Peer(key, PeerEvent::Closed));
        assert_eq!(w.reason(i), Some(EndReason::PeerLeft));
    }
    assert!(matches!(again(&w, 0), Again::Open(of) if of == code), "{:?}", again(&w, 0));
    assert!(matches!(again(&w, 1), Again::Join(Invitation { code: of, .. }) if of == code), "{:?}", again(&w, 1));
    w.cut = false;
    w.command(0, Command::Start(Some(code.clone())));
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_link_is_asked_for_at_its_server_and_nowhere_else() {
    let mut lone = Lone::new(2);
    let server = Some("wss://s2.example".into());
    lone.input(Input::Command(Command::Join(Invitation { code: code(), server })));
    let asked: Vec<_> = lone.said.iter().map(|(link, _)| *link).collect();
    assert_eq!(asked, [LinkId(2)]);
    let Phase::Joining { host, .. } = lone.session.phase() else { panic!("joining") };
    assert_eq!(host.as_deref(), Some("s2.example"));
}

#[test]
fn a_server_that_says_nothing_is_not_taken_for_one_that_knows_of_nobody() {
    let mut lone = Lone::new(1);
    lone.input(Input::Command(Command::Join(invitation(&code()))));
    lone.input(Input::SearchOver);
    lone.pass(Duration::from_secs(9));
    let Phase::Ended(ended) = lone.session.phase() else { panic!("over") };
    assert_eq!(ended.reason, EndReason::SignalingUnreachable("s1.example: it does not answer".into()));
}

#[test]
fn a_links_server_that_cannot_be_reached_is_the_one_that_is_named() {
    let mut lone = Lone::new(2);
    lone.input(Input::LinkDown(LinkId(1), "no such host".into()));
    lone.input(Input::LinkDown(LinkId(2), "connection refused".into()));
    let server = Some("wss://s2.example".into());
    lone.input(Input::Command(Command::Join(Invitation { code: code(), server })));
    lone.input(Input::SearchOver);
    let Phase::Ended(ended) = lone.session.phase() else { panic!("over") };
    assert_eq!(ended.reason, EndReason::SignalingUnreachable("s2.example: connection refused".into()));
}
