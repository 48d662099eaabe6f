//! Several places where somebody may wait, and several who do: the right one is reached, and every try is counted.

use super::super::*;
use super::world::World;
use super::{invitation, other_password};
use crate::api::{EndReason, Phase};
use visavis_signaling::{ClientMessage, Newcomer};

/// Different codes with the same first two words, the given one first.
fn alike(code: &RoomCode, count: usize) -> Vec<RoomCode> {
    let mut codes = vec![code.clone()];
    while codes.len() < count {
        let next = other_password(code);
        if !codes.contains(&next) {
            codes.push(next);
        }
    }
    codes
}

/// As many hosts as codes, each with a server of their own, and a newcomer who finds all of them, in this order.
fn street(codes: &[RoomCode], order: impl Iterator<Item = usize>) -> (World, usize) {
    let mut w = World::new(0);
    for code in codes {
        let host = w.add_host();
        w.command(host, Command::Start(Some(code.clone())));
        assert_eq!(w.code(host), *code);
    }
    let guest = w.add_host();
    w.people[guest].nearby = order.map(|i| w.people[i].own.expect("a host has a server")).collect();
    (w, guest)
}

#[test]
fn of_rooms_with_the_same_first_words_the_right_one_is_reached_in_whatever_order_they_answer() {
    let codes = alike(&RoomCode::random(), 3);
    for right in 0..3 {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let (mut w, guest) = street(&codes, order.into_iter());
            w.command(guest, Command::Join(invitation(&codes[right])));
            assert!(w.in_call(guest) && w.in_call(right), "{:?}", w.phase(guest));
            for other in (0..3).filter(|i| *i != right) {
                assert_eq!(w.code(other), codes[other], "who is not looked for goes on waiting");
                assert_eq!(w.peer_count(other), 0);
            }
        }
    }
}

#[test]
fn a_code_that_is_none_of_them_is_a_wrong_code_and_counts_at_each() {
    let codes = alike(&RoomCode::random(), 3);
    let (mut w, guest) = street(&codes[..2], 0..2);
    for attempt in 0..3 {
        assert!((0..2).all(|i| w.code(i) == codes[i]), "before attempt {attempt}");
        w.command(guest, Command::Join(invitation(&codes[2])));
        assert_eq!(w.reason(guest), Some(EndReason::WrongCode));
        w.command(guest, Command::HangUp);
    }
    assert!((0..2).all(|i| w.code(i) != codes[i]), "three wrong tries and the room is closed");
}

#[test]
fn our_own_side_counts_over_all_places_and_answers_no_fourth() {
    let codes = alike(&RoomCode::random(), 5);
    let (mut w, guest) = street(&codes[1..], 0..4);
    w.command(guest, Command::Join(invitation(&codes[0])));
    assert_eq!(w.reason(guest), Some(EndReason::WrongCode));
    // The right one comes too late: three lies were believed already, which is what a liar may try.
    w.command(0, Command::HangUp);
    w.command(0, Command::Start(Some(codes[0].clone())));
    w.people[guest].nearby.truncate(1);
    w.command(guest, Command::HangUp);
    w.command(guest, Command::Join(invitation(&codes[0])));
    assert_eq!(w.reason(guest), Some(EndReason::WrongCode));
}

#[test]
fn who_waits_at_two_places_is_in_one_call_and_leaves_no_seat_behind() {
    let mut w = World::new(2);
    let own = w.add_relay();
    w.people[0].own = Some(own);
    w.people[1].nearby = vec![own];
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(1));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (1, 1));
    assert_eq!((w.people[0].starts, w.people[1].starts), (1, 1));
    w.command(1, Command::HangUp);
    assert_eq!(w.connections_of(own), 0);
    w.command(1, Command::Start(None));
    assert!(matches!(w.phase(1), Phase::Waiting(_)));
}

#[test]
fn nobody_at_one_place_and_a_full_room_at_another_do_not_end_the_search() {
    let code = RoomCode::random();
    let (mut w, guest) = street(std::slice::from_ref(&code), 0..1);
    let (empty, full) = (w.add_relay(), w.add_relay());
    for first in [true, false] {
        let stranger = w.stranger_at(full);
        let (_, share) = Newcomer::start(&PakeSecret::derive(&RoomCode::random()));
        let message = match first {
            true => ClientMessage::open(code.room_id()),
            false => ClientMessage::join(code.room_id(), share),
        };
        w.say_at(full, stranger, &message.to_json());
    }
    let host = w.people[0].own.expect("a host has a server");
    w.people[guest].nearby = vec![empty, full, host];
    w.command(guest, Command::Join(invitation(&code)));
    assert!(w.in_call(guest) && w.in_call(0), "{:?}", w.phase(guest));
    w.command(guest, Command::HangUp);
    w.command(guest, Command::HangUp);
    w.people[guest].nearby = vec![empty, full];
    w.command(guest, Command::Join(invitation(&code)));
    assert_eq!(w.reason(guest), Some(EndReason::RoomFull));
}

#[test]
fn who_holds_a_room_and_says_nothing_holds_nobody_up_who_is_found_elsewhere() {
    let code = RoomCode::random();
    let (mut w, guest) = street(std::slice::from_ref(&code), 0..1);
    let silent = w.add_relay();
    let stranger = w.stranger_at(silent);
    w.say_at(silent, stranger, &ClientMessage::open(code.room_id()).to_json());
    let host = w.people[0].own.expect("a host has a server");
    w.people[guest].nearby = vec![silent, host];
    w.command(guest, Command::Join(invitation(&code)));
    assert!(w.in_call(guest) && w.in_call(0));
    w.command(guest, Command::HangUp);
    w.command(guest, Command::HangUp);
    w.people[guest].nearby = vec![silent];
    w.command(guest, Command::Join(invitation(&code)));
    assert!(matches!(w.phase(guest), Phase::Connecting { .. }));
    w.pass(Duration::from_secs(15));
    assert_eq!(w.reason(guest), Some(EndReason::PeerLeft));
}

#[test]
fn a_link_that_goes_while_it_was_asked_is_not_waited_for() {
    let mut w = World::new(1);
    w.people[0].gagged = true;
    w.command(0, Command::Join(invitation(&RoomCode::random())));
    assert!(matches!(w.phase(0), Phase::Joining { .. }));
    w.input(0, Input::LinkGone(super::world::LINK, "no longer configured".into()));
    assert!(matches!(w.reason(0), Some(EndReason::SignalingUnreachable(_))), "{:?}", w.phase(0));
}

/// Two who have opened the same room, each in their own app; only the second hears of the first.
fn two_who_meet() -> World {
    let code = RoomCode::random();
    let mut w = World::new(0);
    let (a, b) = (w.add_host(), w.add_host());
    w.command(a, Command::Meet(code.clone()));
    w.command(b, Command::Meet(code));
    assert!(matches!((w.phase(a), w.phase(b)), (Phase::Waiting(_), Phase::Waiting(_))));
    w
}

#[test]
fn of_two_who_opened_the_same_room_to_meet_one_gives_way() {
    let mut w = two_who_meet();
    let theirs = w.people[0].own.expect("a host has a server");
    w.add_link(1, theirs, LinkKind::LocalNetwork);
    w.settle();
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    w.command(0, Command::HangUp);
    assert_eq!(w.reason(1), Some(EndReason::PeerHungUp));
    for own in [0, 1].map(|i| w.people[i].own.expect("a host has a server")) {
        assert_eq!(w.connections_of(own), 0);
    }
}

#[test]
fn who_meets_asks_an_app_again_that_has_not_opened_its_room_yet() {
    let mut w = two_who_meet();
    let (code, theirs) = (w.code(0), w.people[0].own.expect("a host has a server"));
    w.command(0, Command::HangUp);
    w.add_link(1, theirs, LinkKind::ThisMachine);
    w.settle();
    assert_eq!(w.code(1), code, "nobody there: the own room stays open");
    w.command(0, Command::Start(Some(code)));
    w.pass(Duration::from_secs(1));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
}

#[test]
fn an_app_nearby_without_the_room_is_asked_a_few_times_only() {
    let mut w = two_who_meet();
    let (code, theirs) = (w.code(0), w.people[0].own.expect("a host has a server"));
    w.command(0, Command::HangUp);
    w.add_link(1, theirs, LinkKind::ThisMachine);
    w.pass(Duration::from_secs(3600));
    assert_eq!(w.code(1), code);
    assert_eq!(w.people[1].session.poll_timeout(), None, "nothing more is planned");
}

#[test]
fn who_drew_their_code_does_not_ask_around() {
    let code = RoomCode::random();
    let mut w = World::new(0);
    let (a, b) = (w.add_host(), w.add_host());
    w.command(a, Command::Start(Some(code.clone())));
    w.command(b, Command::Start(Some(code)));
    let theirs = w.people[a].own.expect("a host has a server");
    w.add_link(b, theirs, LinkKind::LocalNetwork);
    w.settle();
    assert!(matches!((w.phase(a), w.phase(b)), (Phase::Waiting(_), Phase::Waiting(_))));
    assert_eq!(w.peer_count(a), 0);
}
