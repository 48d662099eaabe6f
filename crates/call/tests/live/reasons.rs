//! What goes wrong before a call ends it with the reason that is true.

use crate::common::{
    Server, Side, call, connects, hang_up, in_call, invitation, opens, without_devices, wrong_last_words,
};
use crate::impostor::{Impostor, version_error};
use std::net::TcpListener;
use visavis_call::{Command, EndReason, Options, Phase, Reach};
use visavis_signaling::RoomCode;

fn pair(server: &Server) -> (Side, Side) {
    (Side::start("Ann", without_devices(Some(server))), Side::start("Bob", without_devices(Some(server))))
}

fn joins(side: &mut Side, code: &RoomCode) -> EndReason {
    side.send(Command::Join(invitation(code)));
    side.ends()
}

#[test]
fn wrong_last_words_are_told_as_such_and_the_right_ones_still_work() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let code = opens(&mut a);
    for _ in 0..2 {
        assert_eq!(joins(&mut b, &wrong_last_words(&code)), EndReason::WrongCode);
    }
    let state = a.state();
    assert!(matches!(&state.phase, Phase::Waiting(w) if w.code == code && w.notice.is_none()), "{:?}", state.phase);
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
    hang_up(&mut a, &mut b);
}

#[test]
fn three_wrong_attempts_close_the_room_and_open_another_with_a_word_about_why() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let code = opens(&mut a);
    for _ in 0..3 {
        assert_eq!(joins(&mut b, &wrong_last_words(&code)), EndReason::WrongCode);
    }
    let new = opens_again(&mut a);
    assert_ne!(new, code);
    let state = a.state();
    assert!(matches!(&state.phase, Phase::Waiting(w) if w.code == new && w.notice.is_some()), "{:?}", state.phase);
    assert_eq!(joins(&mut b, &code), EndReason::NobodyHere, "the old code opens nothing");
    b.send(Command::Join(invitation(&new)));
    connects(&mut a, &mut b);
}

fn opens_again(side: &mut Side) -> RoomCode {
    side.event("another room", |e| match e {
        visavis_call::Event::Joined { opened: true, code } => Some(code.parse().unwrap()),
        _ => None,
    })
}

#[test]
fn a_code_under_which_nobody_waits_is_told_as_such() {
    let server = Server::start();
    let (_, mut b) = pair(&server);
    assert_eq!(joins(&mut b, &RoomCode::random()), EndReason::NobodyHere);
}

#[test]
fn a_code_that_is_in_use_is_told_as_such_and_its_room_stays_open() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let code = opens(&mut a);
    b.send(Command::Start(Some(code.clone())));
    assert_eq!(b.ends(), EndReason::CodeTaken);
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
}

#[test]
fn a_third_is_told_that_the_room_is_full_and_disturbs_nobody() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let code = call(&mut a, &mut b);
    let mut c = Side::start("Eve", without_devices(Some(&server)));
    assert_eq!(joins(&mut c, &code), EndReason::RoomFull);
    assert!(in_call(&a.state()).is_some() && in_call(&b.state()).is_some());
    hang_up(&mut a, &mut b);
}

#[test]
fn a_server_that_is_not_there_is_named_and_waiting_goes_on_as_soon_as_it_comes() {
    let address = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let options = || Options { servers: vec![format!("ws://{address}")], ..without_devices(None) };
    let mut a = Side::start("Ann", options());
    a.send(Command::Start(None));
    a.shows("that the server does not answer", |s| {
        matches!(&s.phase, Phase::Waiting(w) if w.reach.iter().any(
            |r| matches!(r, Reach::Unreachable { host, why } if *host == address.to_string() && !why.is_empty())
        ))
    });
    let told = |reason| match reason {
        EndReason::SignalingUnreachable(why) => assert!(why.contains(&address.to_string()), "{why}"),
        other => panic!("{other:?}"),
    };
    told(a.ends());
    told(joins(&mut a, &RoomCode::random()));

    let server = Server::start_at(address);
    let mut b = Side::start("Bob", options());
    a.event("the server", |e| matches!(e, visavis_call::Event::ServerConnected(_)).then_some(()));
    call(&mut a, &mut b);
    drop(server);
}

#[test]
fn something_else_than_a_server_is_told_as_such() {
    // It takes connections and says nothing HTTP-like.
    let impostor = Impostor::start_raw(b"220 mail.example.org ESMTP\r\n");
    let mut a = Side::start("Ann", Options { servers: vec![impostor.url()], ..without_devices(None) });
    let reason = joins(&mut a, &RoomCode::random());
    assert!(matches!(&reason, EndReason::SignalingUnreachable(why) if !why.is_empty()), "{reason:?}");
}

#[test]
fn another_protocol_version_is_told_as_such() {
    let impostor = Impostor::start(|_| vec![version_error()]);
    let mut a = Side::start("Ann", Options { servers: vec![impostor.url()], ..without_devices(None) });
    assert_eq!(joins(&mut a, &RoomCode::random()), EndReason::Version);
    a.send(Command::Start(None));
    assert_eq!(a.ends(), EndReason::Version);
}
