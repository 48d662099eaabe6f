//! Whatever an endpoint is doing, dropping it is quick and leaves no thread behind. A program of its own, with one
//! test, so that every thread that appears is an endpoint's.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::{LONG, Server, Side, call, hang_up, in_call, invitation, knows, opens, options};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use visavis_call::{Command, Event, LocalNetwork, Options, Phase};
use visavis_signaling::RoomCode;

/// Saying goodbye has its limits; nothing of it may add up beyond this.
const GOODBYE: Duration = Duration::from_secs(6);

/// The threads of this process: how many have each name.
fn threads() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        // A thread that ends while we look has no name any more.
        let name = std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default();
        *names.entry(name.trim().to_owned()).or_default() += 1;
    }
    names.remove("");
    names
}

/// Waits until there are no more threads than before: those that were let go end a moment later.
fn settles(before: &BTreeMap<String, usize>, phase: &str) {
    let limit = Instant::now() + LONG;
    loop {
        let now = threads();
        let left: Vec<_> = now.iter().filter(|(name, count)| before.get(*name).unwrap_or(&0) < *count).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < limit, "left behind after {phase}: {left:?}; before: {before:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn drops_quickly(side: Side, phase: &str) {
    let begun = Instant::now();
    drop(side);
    let took = begun.elapsed();
    println!("dropped {phase} in {} ms", took.as_millis());
    assert!(took < GOODBYE, "dropping it {phase} took {took:?}");
}

#[test]
fn an_endpoint_can_be_dropped_in_every_phase() {
    let server = Server::start();
    // A new thread takes its name a moment after it was made.
    while threads().get("test-server") != Some(&1) {
        std::thread::yield_now();
    }
    let before = threads();
    let start = |name| Side::start(name, options(Some(&server)));

    drops_quickly(start("Ann"), "right after its start");
    settles(&before, "start");

    let mut a = start("Ann");
    a.shows("a running camera", |s| matches!(s.camera, visavis_capture::CameraState::Running { .. }));
    drops_quickly(a, "at home");
    settles(&before, "home");

    let mut a = start("Ann");
    opens(&mut a);
    drops_quickly(a, "waiting");
    settles(&before, "waiting");

    // Somebody who searches where no answer comes: a listener that takes connections and is silent.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let mut a = Side::start("Ann", Options { servers: vec![url], ..options(None) });
    a.send(Command::Join(invitation(&RoomCode::random())));
    a.shows("searching", |s| matches!(s.phase, Phase::Joining { .. }));
    drops_quickly(a, "joining");
    settles(&before, "joining");

    let mut a = Side::start("Ann", Options { local_network: LocalNetwork::ThisMachine, ..options(None) });
    a.send(Command::Start(None));
    a.event("a room or the end", |e| matches!(e, Event::Joined { .. } | Event::Ended(_)).then_some(()));
    drops_quickly(a, "serving others on this machine");
    settles(&before, "serving");

    let (mut a, mut b) = (start("Ann"), start("Bob"));
    let code = opens(&mut a);
    b.send(Command::Join(invitation(&code)));
    b.shows("connecting", |s| matches!(s.phase, Phase::Connecting { .. } | Phase::InCall(_)));
    drops_quickly(b, "connecting");
    drops_quickly(a, "when the other left while connecting");
    settles(&before, "connecting");

    let (mut a, mut b) = (start("Ann"), start("Bob"));
    call(&mut a, &mut b);
    a.hears(&Event::FirstFrame);
    drops_quickly(a, "in a call");
    assert!(in_call(&b.state()).is_none() || b.ends() == visavis_call::EndReason::PeerHungUp);
    drops_quickly(b, "after a call");
    settles(&before, "call");

    let mut a = start("Ann");
    a.send(Command::CheckSetup);
    a.shows("the echo peer's call", |s| in_call(s).is_some());
    drops_quickly(a, "while its setup is checked");
    settles(&before, "check");

    // The server goes first: no goodbye gets through to it.
    let (mut a, mut b) = (start("Ann"), start("Bob"));
    call(&mut a, &mut b);
    server.kill();
    drops_quickly(a, "in a call without a server");
    drops_quickly(b, "after a call without a server");
    settles(&before, "call without a server");

    // Ten calls in a row leave no more behind than one.
    let server = Server::start();
    let (mut a, mut b) = (
        Side::start("Ann", common::without_devices(Some(&server))),
        Side::start("Bob", common::without_devices(Some(&server))),
    );
    call(&mut a, &mut b);
    hang_up(&mut a, &mut b);
    let after_one = threads();
    for _ in 0..10 {
        call(&mut a, &mut b);
        // Before they have heard of each other there is no way for a goodbye but the server's, which takes a second.
        knows(&mut a, "Bob");
        knows(&mut b, "Ann");
        hang_up(&mut b, &mut a);
    }
    settles(&after_one, "ten calls");
    for _ in 0..3 {
        a.send(Command::CheckSetup);
        a.shows("the echo peer's call", |s| s.check.is_some() && in_call(s).is_some());
        a.send(Command::HangUp);
        a.shows("home", |s| s.check.is_none());
    }
    settles(&after_one, "three checks");
    drop((a, b));
    settles(&before, "everything");
}
