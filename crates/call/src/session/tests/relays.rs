//! What the session says about relays.

use super::world::World;
use super::*;
use crate::api::Path;

fn peer(w: &mut World, event: PeerEvent) {
    let key = w.key_of(0);
    w.input(0, Input::Peer(key, event));
}

fn stuck() -> World {
    let mut w = World::with_watchdog(2, false);
    (w.people[0].stuck, w.people[1].stuck) = (1, 1);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    w
}

#[test]
fn who_finds_no_way_is_told_which_turn_server_should_have_been_one() {
    let mut w = stuck();
    let trouble = "relay.example.org:3478 over UDP refuses its user name and password".to_owned();
    peer(&mut w, PeerEvent::RelayTrouble(trouble.clone()));
    assert!(w.people[0].events.contains(&Event::RelayTrouble(trouble.clone())));
    w.pass(Duration::from_secs(21));
    assert_eq!(w.reason(0), Some(EndReason::NoRelay(trouble)));
    assert_eq!(w.reason(1), Some(EndReason::ConnectFailed), "its servers are in order");
}

#[test]
fn a_call_whose_path_becomes_another_says_so_once() {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    let shown = |w: &World| match w.phase(0) {
        Phase::InCall(call) => (call.path, call.relay),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&w), (Path::Direct, None));
    let relay = Some("relay.example.org:5349 over TLS".to_owned());
    for _ in 0..2 {
        peer(&mut w, PeerEvent::Way(Path::Relayed, relay.clone()));
    }
    assert_eq!(shown(&w), (Path::Relayed, relay));
    let told = w.people[0].events.iter().filter(|event| matches!(event, Event::Path { .. })).count();
    assert_eq!(told, 1);
    peer(&mut w, PeerEvent::Way(Path::Direct, None));
    assert_eq!(shown(&w), (Path::Direct, None));
}
