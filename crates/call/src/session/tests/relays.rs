//! What the session says about relays.

use super::world::{LINK, World};
use super::*;
use crate::api::Path;
use visavis_media::PeerId;
use visavis_signaling::{IceServer, ResumeToken, Seat, SeatedPeer};

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
fn who_waits_is_told_of_a_turn_server_that_refuses_before_anybody_has_proved_the_code() {
    let mut w = World::with_watchdog(2, false);
    let trouble = "relay.example.org:3478 over UDP refuses its user name and password".to_owned();
    w.people[0].refused = Some(trouble.clone());
    (w.people[0].stuck, w.people[1].stuck) = (1, 1);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    let at = |w: &World, wanted: &Event| w.people[0].events.iter().position(|event| event == wanted);
    let (came, told) = (at(&w, &Event::PeerJoined), at(&w, &Event::RelayTrouble(trouble.clone())));
    assert!(came.is_some() && told > came, "{:?}", w.people[0].events);
    w.pass(Duration::from_secs(21));
    assert_eq!(w.reason(0), Some(EndReason::NoRelay(trouble)));
}

/// A TURN server with credentials, as they came with a seat.
fn turn(user: &str) -> Vec<IceServer> {
    let urls = vec!["turn:relay.example.org:3478".to_owned()];
    vec![IceServer { urls, username: Some(user.to_owned()), credential: Some("x".to_owned()) }]
}

/// The server gives somebody their seat again, with new credentials.
fn resumed(w: &mut World, i: usize, others: &[PeerId], user: &str) {
    let me = w.people[i].session.links.my_id(LINK).expect("a seat");
    let peers = others.iter().map(|peer| SeatedPeer { peer_id: peer.clone(), pake: None }).collect();
    let resume = ResumeToken::new("token");
    let seat = Seat { peer_id: me, resume, peers, ice_servers: turn(user), received: 0, missed: 0 };
    w.input(i, Input::Received(LINK, ServerMessage::Resumed(seat)));
}

#[test]
fn who_waits_long_meets_by_the_turn_credentials_that_came_last() {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    for user in ["1700000000:a", "1700086400:b"] {
        resumed(&mut w, 0, &[], user);
    }
    w.command(1, Command::Join(invitation(&code)));
    assert_eq!(w.people[0].servers, turn("1700086400:b"));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn who_is_let_in_late_and_who_lets_them_in_use_the_turn_credentials_that_came_last() {
    let mut w = World::new(2);
    let room = RoomCode::random_lasting();
    w.command(0, Command::Start(Some(room.clone())));
    w.command(1, Command::Join(invitation(&room)));
    let ids: Vec<_> = (0..2).map(|i| w.people[i].session.links.my_id(LINK).expect("a seat")).collect();
    resumed(&mut w, 0, &ids[1..], "1700086400:host");
    resumed(&mut w, 1, &ids[..1], "1700086400:guest");
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
    assert_eq!(w.people[0].servers, turn("1700086400:host"));
    assert_eq!(w.people[1].servers, turn("1700086400:guest"));
}

#[test]
fn a_connection_that_is_built_anew_uses_the_turn_credentials_that_came_last() {
    let mut w = World::new(2);
    w.people[0].stuck = 1;
    w.people[1].stuck = 1;
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    let them = w.people[1].session.links.my_id(LINK).expect("a seat");
    resumed(&mut w, 0, &[them], "1700086400:b");
    w.pass(Duration::from_secs(19));
    assert!(w.in_call(0) && w.in_call(1), "{:?}", w.phase(0));
    assert_eq!(w.people[0].servers, turn("1700086400:b"));
}

#[test]
fn a_seat_that_is_not_ours_brings_no_servers() {
    let mut w = World::new(1);
    let (peer_id, resume) = (PeerId::new("a"), ResumeToken::new("token"));
    let seat = Seat { peer_id, resume, peers: Vec::new(), ice_servers: turn("1:a"), received: 0, missed: 0 };
    w.input(0, Input::Received(LINK, ServerMessage::Resumed(seat)));
    assert_eq!(w.people[0].session.links.ice_servers(LINK), []);
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
