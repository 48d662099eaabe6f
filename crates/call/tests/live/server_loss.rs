//! Media needs no server: it may go and come back in mid-call.

use crate::common::{
    Server, Side, call, connects, hang_up, in_call, invitation, knows, opens, options, without_devices,
};
use std::time::Instant;
use visavis_call::{Command, EndReason, Event};

/// Pictures and words go both ways.
pub(crate) fn goes_on(a: &mut Side, b: &mut Side) {
    let now = Instant::now();
    a.sees_what_was_captured_after(now);
    b.sees_what_was_captured_after(now);
    a.send(Command::Chat("still there?".into()));
    b.hears(&Event::Chat("still there?".into()));
    b.send(Command::Chat("yes".into()));
    a.hears(&Event::Chat("yes".into()));
}

#[test]
fn the_call_goes_on_while_the_server_is_killed_and_comes_back() {
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    call(&mut a, &mut b);
    goes_on(&mut a, &mut b);
    let address = server.kill();
    goes_on(&mut a, &mut b);
    let server = Server::start_at(address);
    // The new server knows nothing of their seats; that is no reason to end anything, and both take new ones.
    for side in [&mut a, &mut b] {
        side.event("the other side at the server again", |e| match e {
            Event::Signaling(there) => there.then_some(()),
            Event::Ended(reason) => panic!("the call ended: {reason}"),
            _ => None,
        });
    }
    goes_on(&mut a, &mut b);
    assert!(in_call(&a.state()).is_some() && in_call(&b.state()).is_some());
    hang_up(&mut a, &mut b);
    // And it serves the next call.
    call(&mut b, &mut a);
    drop(server);
}

#[test]
fn hanging_up_ends_both_sides_while_the_server_is_away() {
    let server = Server::start();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    call(&mut a, &mut b);
    // The goodbye needs the control channel, which opens a moment after media may flow.
    knows(&mut a, "Bob");
    knows(&mut b, "Ann");
    server.kill();
    b.send(Command::HangUp);
    assert_eq!(b.ends(), EndReason::HungUp);
    assert_eq!(a.ends(), EndReason::PeerHungUp);
}

#[test]
fn a_room_is_found_after_the_server_was_restarted_while_somebody_waited() {
    let server = Server::start();
    let (mut a, mut b) =
        (Side::start("Ann", without_devices(Some(&server))), Side::start("Bob", without_devices(Some(&server))));
    let code = opens(&mut a);
    let connected = |e: &Event| matches!(e, Event::ServerConnected(_)).then_some(());
    b.event("the server", connected);
    let address = server.kill();
    let _server = Server::start_at(address);
    for side in [&mut a, &mut b] {
        side.event("the server again", connected);
    }
    // Whether the seat is taken again shows only in that the room is found: asked until it is.
    loop {
        b.send(Command::Join(invitation(&code)));
        let reason = b.event("an answer", |e| match e {
            Event::Connected { .. } => Some(None),
            Event::Ended(reason) => Some(Some(reason.clone())),
            _ => None,
        });
        match reason {
            None => break,
            Some(reason) => assert_eq!(reason, EndReason::NobodyHere),
        }
    }
    a.event("the connection", |e| matches!(e, Event::Connected { .. }).then_some(()));
    hang_up(&mut a, &mut b);
    let code = opens(&mut a);
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
}
