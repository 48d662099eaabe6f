//! Apps on one machine find each other by the code alone.
//!
//! The ports are fixed (7460 to 7469) and may be held by other programs: where none is free, it is tried again.

use crate::common::{Server, Side, connects, hang_up, invitation, without_devices, wrong_last_words};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use visavis_call::{Command, EndReason, Event, LocalNetwork, Options, Phase, Reach};
use visavis_signaling::RoomCode;

fn this_machine() -> Options {
    Options { local_network: LocalNetwork::ThisMachine, ..without_devices(None) }
}

fn opens(side: &mut Side) -> RoomCode {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        side.send(Command::Start(None));
        let opened = side.event("an open room", |e| match e {
            Event::Joined { opened: true, code } => Some(Ok(code.parse().unwrap())),
            Event::Ended(reason) => Some(Err(reason.clone())),
            _ => None,
        });
        match opened {
            Ok(code) => return code,
            Err(EndReason::SignalingUnreachable(_)) if Instant::now() < limit => {}
            Err(reason) => panic!("{reason}"),
        }
    }
}

#[test]
fn several_rooms_on_one_machine_are_told_apart_by_their_codes() {
    let hosts = ["Ann", "Ada", "Amy"].map(|name| {
        let mut side = Side::start(name, this_machine());
        let code = opens(&mut side);
        (side, code)
    });
    let mut stranger = Side::start("Eve", this_machine());
    stranger.send(Command::Join(invitation(&RoomCode::random())));
    assert_eq!(stranger.ends(), EndReason::NobodyHere);
    // The last room first: each has its own server, and all of them are asked.
    let mut calls = Vec::new();
    for (mut host, code) in hosts.into_iter().rev() {
        let mut guest = Side::start("Bob", this_machine());
        guest.send(Command::Join(invitation(&code)));
        connects(&mut host, &mut guest);
        crate::common::knows(&mut guest, host.name);
        calls.push((host, guest));
    }
    for (mut host, mut guest) in calls {
        hang_up(&mut guest, &mut host);
    }
}

fn opens_under(side: &mut Side, code: &RoomCode) {
    side.send(Command::Start(Some(code.clone())));
    side.event("an open room", |e| matches!(e, Event::Joined { opened: true, .. }).then_some(()));
}

#[test]
fn of_two_rooms_with_the_same_first_words_on_one_machine_the_right_one_is_reached() {
    let first = RoomCode::random();
    let second = wrong_last_words(&first);
    for right in [&first, &second] {
        let mut hosts = [("Ann", &first), ("Ada", &second)].map(|(name, code)| {
            let mut side = Side::start(name, this_machine());
            opens_under(&mut side, code);
            (side, code)
        });
        let mut guest = Side::start("Bob", this_machine());
        guest.send(Command::Join(invitation(right)));
        let (host, _) = hosts.iter_mut().find(|(_, code)| *code == right).unwrap();
        connects(host, &mut guest);
        crate::common::knows(&mut guest, host.name);
        hang_up(&mut guest, host);
        let (other, _) = hosts.iter().find(|(_, code)| *code != right).unwrap();
        assert!(matches!(other.state().phase, Phase::Waiting(_)), "who is not looked for goes on waiting");
    }
}

#[test]
fn two_who_meet_in_the_same_moment_each_with_their_own_server_meet() {
    for _ in 0..3 {
        let code = RoomCode::random();
        let (mut a, mut b) = (Side::start("Ann", this_machine()), Side::start("Bob", this_machine()));
        for side in [&a, &b] {
            side.send(Command::Meet(code.clone()));
        }
        connects(&mut a, &mut b);
        hang_up(&mut a, &mut b);
    }
}

#[test]
fn two_who_meet_on_one_machine_find_each_other() {
    let code = RoomCode::random();
    let mut a = Side::start("Ann", this_machine());
    a.send(Command::Meet(code.clone()));
    a.event("an open room", |e| matches!(e, Event::Joined { opened: true, .. }).then_some(()));
    let mut b = Side::start("Bob", this_machine());
    b.send(Command::Meet(code));
    connects(&mut a, &mut b);
}

#[test]
fn a_dead_server_does_not_keep_two_on_one_machine_apart() {
    let dead = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let options = || Options { servers: vec![format!("ws://{dead}")], ..this_machine() };
    let (mut a, mut b) = (Side::start("Ann", options()), Side::start("Bob", options()));
    let code = opens(&mut a);
    let state = a.shows("both ways to be found", |s| matches!(&s.phase, Phase::Waiting(w) if w.reach.len() == 2));
    let Phase::Waiting(waiting) = &state.phase else { unreachable!() };
    assert!(waiting.reach.iter().any(|r| matches!(r, Reach::Unreachable { host, .. } if *host == dead.to_string())));
    assert!(waiting.reach.iter().any(|r| matches!(r, Reach::LocalNetwork { .. })));
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
}

#[test]
fn who_waits_at_a_server_and_on_this_machine_gets_one_call_only() {
    let server = Server::start();
    let options = || Options { servers: vec![server.url()], ..this_machine() };
    let (mut a, mut b) = (Side::start("Ann", options()), Side::start("Bob", options()));
    let code = opens(&mut a);
    a.shows("both ways to be found", |s| matches!(&s.phase, Phase::Waiting(w) if w.reach.len() == 2));
    b.send(Command::Join(invitation(&code)));
    connects(&mut a, &mut b);
    crate::common::knows(&mut a, "Bob");
    crate::common::knows(&mut b, "Ann");
    let again = |e: &Event| matches!(e, Event::PeerJoined | Event::Connected { .. } | Event::Ended(_));
    assert!(!a.unread().iter().any(again) && !b.unread().iter().any(again), "{:?} {:?}", a.unread(), b.unread());
    hang_up(&mut a, &mut b);
}
