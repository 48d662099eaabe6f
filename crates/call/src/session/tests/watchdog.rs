//! Connections that packets get through and that are stuck in DTLS.

use super::world::{Leg, TOLD, World};
use super::*;
use visavis_signaling::Kind;

/// Two who join while so many of their connections are stuck, the opener first.
fn stuck(world: &mut World, of_opener: u32, of_newcomer: u32) {
    (world.people[0].stuck, world.people[1].stuck) = (of_opener, of_newcomer);
    world.command(0, Command::Start(None));
    let code = world.code(0);
    world.command(1, Command::Join(invitation(&code)));
}

fn offers(w: &World, i: usize) -> usize {
    w.commands_of(i).iter().filter(|c| matches!(c, PeerCommand::CreateOffer { .. })).count()
}

fn number(w: &World, i: usize) -> String {
    match w.phase(i) {
        Phase::InCall(call) => call.verification,
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_both_are_stuck_the_host_builds_anew_after_three_seconds() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 1);
    let (host, newcomer) = (w.key_of(0), w.key_of(1));
    w.pass(Duration::from_millis(2990));
    assert!(!w.in_call(0) && !w.in_call(1));
    assert_eq!((w.key_of(0), w.key_of(1)), (host, newcomer), "not before its time");
    w.pass(Duration::from_millis(20));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (1, 1), "the old connections are closed");
    assert_eq!((offers(&w, 0), offers(&w, 1)), (1, 0), "one side offers");
    assert_eq!(number(&w, 0), number(&w, 1));
    w.command(1, Command::Chat("hello".into()));
    assert!(w.people[0].events.contains(&Event::Chat("hello".into())));
}

#[test]
fn what_the_first_offer_tells_ahead_is_left_out_once_a_connection_is_built_anew() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 1);
    let told = |w: &World| -> Vec<bool> {
        let offers = w.commands_of(1).into_iter();
        offers
            .filter_map(|c| if let PeerCommand::AcceptOffer(sdp) = c { Some(sdp.contains(TOLD)) } else { None })
            .collect()
    };
    assert_eq!(told(&w), [true]);
    w.pass(Duration::from_millis(3010));
    assert_eq!(told(&w), [false], "DTLS begins in the ordinary way");
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn where_only_the_newcomer_is_stuck_it_builds_anew_and_the_host_goes_along() {
    let mut w = World::new(2);
    stuck(&mut w, 0, 1);
    assert!(w.in_call(0) && !w.in_call(1), "the host believes that all is well");
    w.pass(Duration::from_secs(5));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    assert_eq!((w.people[0].starts, w.people[1].starts), (2, 1));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (1, 1));
    assert_eq!(number(&w, 0), number(&w, 1));
}

#[test]
fn where_only_the_host_is_stuck_the_newcomer_goes_along() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 0);
    assert!(w.in_call(1) && !w.in_call(0));
    w.pass(Duration::from_secs(4));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
}

#[test]
fn where_both_build_anew_at_once_one_offer_stands() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 1);
    // Neither hears the other's offer before its own is made.
    w.now += Duration::from_secs(5);
    let now = w.now;
    for person in &mut w.people {
        person.session.handle_timeout(now);
    }
    w.settle();
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (1, 1));
}

#[test]
fn a_second_connection_may_be_stuck_too_and_has_twice_as_long() {
    let mut w = World::new(2);
    stuck(&mut w, 2, 2);
    w.pass(Duration::from_millis(8990));
    assert!(!w.in_call(0) && !w.in_call(1));
    w.pass(Duration::from_millis(20));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
}

#[test]
fn without_the_watchdog_a_stuck_connection_ends_after_twenty_seconds() {
    let mut w = World::with_watchdog(2, false);
    stuck(&mut w, 1, 1);
    let key = w.key_of(0);
    w.pass(Duration::from_secs(19));
    assert_eq!(w.key_of(0), key);
    w.pass(Duration::from_secs(2));
    assert_eq!(w.reason(0), Some(EndReason::ConnectFailed));
}

#[test]
fn a_path_that_is_always_stuck_ends_after_twenty_seconds_with_few_connections() {
    let mut w = World::new(2);
    stuck(&mut w, 100, 100);
    w.pass(Duration::from_secs(30));
    assert_eq!(w.reason(0), Some(EndReason::ConnectFailed));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (0, 0));
    // After 3 s, 6 s more and 9 s more.
    assert_eq!(100 - w.people[0].stuck, 4);
}

#[test]
fn a_connection_that_fails_though_packets_get_through_is_built_anew_at_once() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 1);
    let (host, newcomer) = (w.key_of(0), w.key_of(1));
    w.input(1, Input::Peer(newcomer, PeerEvent::Failed("fatal alert".into())));
    assert!(!w.in_call(1), "the newcomer leaves it to the host");
    w.input(0, Input::Peer(host, PeerEvent::Failed("fatal alert".into())));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
}

#[test]
fn what_is_late_of_the_old_connection_does_not_reach_the_new_one() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 1);
    let old = w.key_of(1);
    w.pass(Duration::from_secs(4));
    assert!(w.in_call(0) && w.in_call(1));
    let before = w.commands_of(0).len();
    let json = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.8 5000 typ host"}"#.to_owned();
    w.input(1, Input::Peer(old, PeerEvent::Candidate { json, loopback: false }));
    assert_eq!(w.commands_of(0).len(), before);
}

#[test]
fn what_crosses_with_the_new_offer_is_dropped_on_arrival() {
    let mut w = World::new(2);
    stuck(&mut w, 1, 1);
    w.now += Duration::from_secs(3);
    let now = w.now;
    w.people[0].session.handle_timeout(now);
    // The newcomer has not heard of it yet.
    let crossing = w.sealed_by(1, |talk, outputs| {
        talk.describe(outputs, Kind::Offer, super::world::sdp(2));
        talk.describe(outputs, Kind::Answer, super::world::sdp(2));
        talk.candidate(outputs, r#"{"candidate":"candidate:1 1 udp 1 192.0.2.8 5000 typ host"}"#);
    });
    w.send_sealed(1, crossing);
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    let wrong = |c: &PeerCommand| {
        matches!(c, PeerCommand::AcceptOffer(_))
            || matches!(c, PeerCommand::AddCandidate(json) if json.contains("192.0.2.8"))
    };
    assert!(!w.commands_of(0).iter().any(wrong), "{:?}", w.commands_of(0));
}

#[test]
fn nobody_can_make_us_build_connections_without_end() {
    let mut w = World::new(2);
    stuck(&mut w, 0, 0);
    let (first, mut last) = (w.key_of(0), w.key_of(0));
    let offers: Vec<_> = (0..50)
        .flat_map(|_| {
            w.sealed_by(1, |talk, outputs| {
                talk.count_connection_of_a_liar();
                talk.describe(outputs, Kind::Offer, super::world::sdp(2));
            })
        })
        .collect();
    // What becomes of the liar does not matter.
    w.people[1].gagged = true;
    for offer in offers {
        let Output::Send(_, message) = offer else { panic!("{offer:?}") };
        w.put(Leg::To(0), &message.to_json());
        w.settle();
        if !matches!(w.phase(0), Phase::Ended(_)) {
            last = w.key_of(0);
        }
    }
    assert!(last > first && last.0 <= first.0 + 6, "{last:?} after {first:?}");
    // So many descriptions end a call, whatever they ask for.
    assert!(matches!(w.phase(0), Phase::Ended(_)), "{:?}", w.phase(0));
}

#[test]
fn a_connection_closed_before_a_word_ends_the_call_only_where_no_other_is_offered() {
    for offered in [true, false] {
        let mut w = World::new(2);
        stuck(&mut w, 0, 1);
        w.now += Duration::from_secs(4);
        let closed = Input::Peer(w.key_of(0), PeerEvent::TheyClosed);
        w.input(0, closed);
        if offered {
            let now = w.now;
            w.people[1].session.handle_timeout(now);
            w.settle();
        }
        w.now += Duration::from_secs(1);
        let now = w.now;
        w.people[0].session.handle_timeout(now);
        w.settle();
        if offered {
            assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
        } else {
            let over = matches!(w.phase(0), Phase::Ended(ended) if ended.reason == EndReason::PeerHungUp);
            assert!(over, "{:?}", w.phase(0));
        }
    }
}
