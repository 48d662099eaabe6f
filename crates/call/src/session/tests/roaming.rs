//! Paths that break in mid-call, and what is agreed on for that beforehand.

use super::world::{LINK, Leg, World, sdp};
use super::*;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;
use visavis_signaling::ErrorCode;

const HERE: &str = "192.0.2.1";
const THERE: &str = "198.51.100.1";

/// Two in a call whose paths lead from [`HERE`]; with `ahead`, they have agreed on what they do when one breaks.
fn call(ahead: bool) -> World {
    let mut w = World::new(2);
    for person in &mut w.people {
        person.generations = ahead.then_some(0);
    }
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    for i in 0..2 {
        peer(&mut w, i, PeerEvent::Uses(HERE.parse().ok()));
    }
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    w
}

fn peer(w: &mut World, i: usize, event: PeerEvent) {
    let key = w.key_of(i);
    w.input(i, Input::Peer(key, event));
}

fn network(w: &mut World, i: usize, addresses: &[&str]) {
    let addresses: BTreeSet<IpAddr> = addresses.iter().map(|a| a.parse().expect("an address")).collect();
    w.input(i, Input::Network(addresses));
}

fn restarts(w: &World, i: usize) -> usize {
    w.commands_of(i).iter().filter(|c| matches!(c, PeerCommand::CreateOffer { restart: true })).count()
}

fn staged(w: &World, i: usize) -> usize {
    w.commands_of(i).iter().filter(|c| matches!(c, PeerCommand::Stage(_))).count()
}

fn switches(w: &World, i: usize) -> Vec<String> {
    let commands = w.commands_of(i).into_iter();
    commands.filter_map(|c| if let PeerCommand::Switch(theirs) = c { Some(theirs) } else { None }).collect()
}

fn events(w: &World, i: usize, kind: &Event) -> usize {
    w.people[i].events.iter().filter(|event| *event == kind).count()
}

fn control(w: &mut World, i: usize, text: &Value) {
    peer(w, i, PeerEvent::Control(text.to_string()));
}

/// Nobody's server can be reached.
fn without_server(w: &mut World) {
    for i in 0..2 {
        w.people[i].gagged = true;
        w.input(i, Input::LinkDown(LINK, "connection reset".into()));
    }
}

/// The server has kept somebody's seat, and that of the other side.
fn resumed(w: &mut World, i: usize) {
    let [me, them] = w.names(i);
    let peers = [serde_json::json!({"peerId": them})];
    let seat = serde_json::json!({"type": "resumed", "peerId": me, "resume": "r", "peers": peers});
    w.input(i, Input::Received(LINK, serde_json::from_value(seat).expect("a message")));
}

#[test]
fn who_loses_the_address_in_use_goes_over_at_once_and_the_other_follows_without_a_server() {
    let mut w = call(true);
    assert_eq!((staged(&w, 0), staged(&w, 1)), (1, 1));
    without_server(&mut w);
    w.cut = true;
    network(&mut w, 1, &[THERE]);
    assert_eq!(events(&w, 1, &Event::Reconnecting), 1);
    assert!(switches(&w, 1).len() == 1 && switches(&w, 1)[0].contains("a=ice-ufrag:0-"), "{:?}", switches(&w, 1));
    assert!(switches(&w, 0).is_empty(), "it knows nothing yet");
    peer(&mut w, 0, PeerEvent::Nudged);
    assert!(switches(&w, 0).len() == 1 && switches(&w, 0)[0].contains("a=ice-ufrag:1-"));
    assert_eq!((restarts(&w, 0), restarts(&w, 1)), (0, 0));
    w.cut = false;
    for i in 0..2 {
        peer(&mut w, i, PeerEvent::IceConnected);
        assert_eq!((events(&w, i, &Event::Reconnecting), events(&w, i, &Event::Reconnected)), (1, 1));
        assert_eq!(staged(&w, i), 2, "the next time is agreed on");
    }
    network(&mut w, 0, &[THERE]);
    assert_eq!(switches(&w, 0).len(), 2);
}

#[test]
fn what_cannot_be_heard_directly_is_seen_from_a_candidate_that_came_over_signaling() {
    let mut w = call(true);
    w.cut = true;
    network(&mut w, 1, &[THERE]);
    // Its connection has candidates of what it went over to, and the server passes them on.
    assert_eq!((switches(&w, 0).len(), switches(&w, 1).len()), (1, 1));
    let last = w.commands_of(0).pop();
    assert!(matches!(last, Some(PeerCommand::AddCandidate(_))), "after the switch: {last:?}");
}

#[test]
fn an_app_that_agrees_on_nothing_is_told_by_an_offer() {
    let mut w = call(false);
    network(&mut w, 1, &[THERE]);
    assert_eq!((restarts(&w, 1), restarts(&w, 0)), (1, 0));
    assert!(matches!(w.commands_of(0).last(), Some(PeerCommand::AcceptOffer(_) | PeerCommand::AddCandidate(_))));
    assert!(matches!(w.commands_of(1).last(), Some(PeerCommand::AcceptAnswer(_))));
}

#[test]
fn addresses_that_the_path_does_not_lead_from_come_and_go_without_a_word() {
    let mut w = call(true);
    for addresses in [&[HERE, THERE][..], &[HERE], &[HERE, "2001:db8::1"]] {
        network(&mut w, 0, addresses);
    }
    assert_eq!((events(&w, 0, &Event::Reconnecting), switches(&w, 0).len(), restarts(&w, 0)), (0, 0, 0));
    peer(&mut w, 0, PeerEvent::Uses("127.0.0.1".parse().ok()));
    network(&mut w, 0, &[]);
    assert_eq!(events(&w, 0, &Event::Reconnecting), 0, "loopback stays");
}

#[test]
fn without_any_network_nothing_is_used_up_and_the_next_one_is_used_at_once() {
    let mut w = call(true);
    network(&mut w, 1, &[]);
    w.pass(Duration::from_secs(9));
    assert_eq!((events(&w, 1, &Event::Reconnecting), switches(&w, 1).len(), restarts(&w, 1)), (1, 0, 0));
    network(&mut w, 1, &[THERE]);
    assert_eq!(switches(&w, 1).len(), 1);
}

#[test]
fn a_silent_path_is_not_cut_for_an_offer_that_nobody_could_hear() {
    let mut w = call(false);
    without_server(&mut w);
    peer(&mut w, 0, PeerEvent::IceDisconnected);
    w.pass(Duration::from_secs(10));
    w.input(0, Input::LinkUp(LINK));
    w.pass(Duration::from_secs(5));
    assert_eq!(restarts(&w, 0), 0, "the server may have forgotten us");
    resumed(&mut w, 0);
    assert_eq!(restarts(&w, 0), 1);
    peer(&mut w, 0, PeerEvent::IceConnected);
    assert!(w.in_call(0));
}

#[test]
fn a_seat_that_is_gone_is_not_spoken_from() {
    let mut w = call(false);
    let gone = ServerMessage::Error { code: ErrorCode::SeatGone, message: String::new() };
    w.input(0, Input::Received(LINK, gone));
    peer(&mut w, 0, PeerEvent::IceDisconnected);
    w.pass(Duration::from_secs(20));
    assert_eq!(restarts(&w, 0), 0);
    assert!(w.in_call(0));
}

#[test]
fn an_offer_on_its_way_is_not_made_again_unless_the_network_changes() {
    let mut w = call(false);
    w.people[1].gagged = true;
    peer(&mut w, 0, PeerEvent::IceDisconnected);
    w.pass(Duration::from_millis(6900));
    assert_eq!(restarts(&w, 0), 1);
    network(&mut w, 0, &[THERE]);
    assert_eq!(restarts(&w, 0), 2);
    w.pass(Duration::from_secs(16));
    assert!((3..=5).contains(&restarts(&w, 0)), "{}", restarts(&w, 0));
    w.pass(Duration::from_secs(8));
    assert_eq!(w.reason(0), Some(EndReason::ConnectionLost));
}

#[test]
fn an_exchange_that_comes_to_nothing_is_tried_again_after_one_two_and_four_seconds() {
    let mut w = call(false);
    let begun = w.now;
    let mut at = Vec::new();
    peer(&mut w, 0, PeerEvent::IceDisconnected);
    for _ in 0..29 {
        while at.len() < restarts(&w, 0) {
            at.push(w.now.duration_since(begun).as_secs());
        }
        w.pass(Duration::from_secs(1));
    }
    assert_eq!(at, [0, 1, 3, 7, 11, 15, 19, 23, 27]);
}

#[test]
fn an_answer_to_an_older_offer_is_passed_over() {
    let mut w = call(true);
    // What was agreed on ahead is used up.
    for i in 0..2 {
        w.sealed_by(i, |talk, _| talk.ahead.forget());
    }
    let held: Rc<RefCell<Vec<Value>>> = Rc::default();
    let keep = held.clone();
    w.mallory = Some(Box::new(move |leg, message| {
        if leg == Leg::To(0) && message["type"] == "answer" {
            keep.borrow_mut().push(message.clone());
            return Vec::new();
        }
        vec![(leg, message.clone())]
    }));
    peer(&mut w, 0, PeerEvent::IceDisconnected);
    network(&mut w, 0, &[THERE]);
    assert_eq!((restarts(&w, 0), held.borrow().len()), (2, 2));
    let taken = |w: &World| w.commands_of(0).iter().filter(|c| matches!(c, PeerCommand::AcceptAnswer(_))).count();
    let before = taken(&w);
    for (answer, takes) in held.take().into_iter().zip([0, 1]) {
        w.put(Leg::To(0), &answer.to_string());
        w.settle();
        assert_eq!(taken(&w) - before, takes);
    }
}

#[test]
fn of_offers_that_come_while_one_is_answered_only_the_newest_is_answered_next() {
    let mut w = call(true);
    for i in 0..2 {
        w.sealed_by(i, |talk, _| talk.ahead.forget());
    }
    w.people[1].slow = true;
    peer(&mut w, 0, PeerEvent::IceDisconnected);
    for addresses in [[THERE], [HERE], [THERE]] {
        network(&mut w, 0, &addresses);
    }
    assert_eq!(restarts(&w, 0), 4);
    let accepted = |w: &World| w.commands_of(1).iter().filter(|c| matches!(c, PeerCommand::AcceptOffer(_))).count();
    let before = accepted(&w);
    w.people[1].slow = false;
    let answer = w.description(1);
    peer(&mut w, 1, PeerEvent::Answer(answer));
    assert_eq!(accepted(&w) - before, 1, "one for the three that waited");
    assert!(matches!(w.commands_of(0).last(), Some(PeerCommand::AcceptAnswer(_) | PeerCommand::AddCandidate(_))));
}

/// What an app sends ahead whose fingerprint is this.
fn ahead(fingerprint: u8, generation: &str, connection: u32) -> Value {
    let sdp = format!("{}a=ice-ufrag:{generation}\r\n", sdp(fingerprint));
    serde_json::json!({"type": "ahead", "connection": connection, "sdp": sdp})
}

#[test]
fn an_offer_ahead_that_no_app_of_ours_makes_ends_the_call_as_over_signaling() {
    let no_print = serde_json::json!({"type": "ahead", "sdp": "v=0\r\na=ice-ufrag:x\r\n"});
    let cases = [
        (ahead(9, "x", 0), "other keys in the middle of the call"),
        (no_print, "a description without a key fingerprint"),
        (ahead(2, "", 0), "a description that is none"),
        (ahead(2, "1-1", 0), "a description that is none"),
        (ahead(2, &"x".repeat(300), 0), "a description that is none"),
    ];
    for (message, why) in cases {
        let mut w = call(true);
        control(&mut w, 0, &message);
        assert_eq!(w.reason(0), Some(EndReason::Unusable(why.into())), "{message}");
    }
}

#[test]
fn of_a_flood_of_offers_ahead_few_are_looked_at_and_the_call_goes_on() {
    let mut w = call(true);
    let held = |w: &World| w.commands_of(0).iter().filter(|c| is_held(c)).count();
    fn is_held(command: &PeerCommand) -> bool {
        matches!(command, PeerCommand::SendControl(text) if text.contains("ahead-held"))
    }
    let before = held(&w);
    (0..1000).for_each(|i| control(&mut w, 0, &ahead(2, &format!("x{i}"), 0)));
    assert!((2..=4).contains(&(held(&w) - before)), "{}", held(&w) - before);
    w.pass(Duration::from_secs(1));
    control(&mut w, 0, &ahead(2, "last", 0));
    network(&mut w, 0, &[THERE]);
    let theirs = switches(&w, 0).pop().expect("a switch");
    assert!(theirs.contains("a=ice-ufrag:last") && w.in_call(0), "{theirs}");
}

#[test]
fn a_network_that_never_comes_to_rest_is_no_flood_to_the_other_side() {
    let mut w = call(true);
    for i in 0..100 {
        network(&mut w, 0, if i % 2 == 0 { &[THERE] } else { &[HERE] });
        w.pass(Duration::from_millis(250));
        if i % 9 == 8 {
            (0..2).for_each(|i| peer(&mut w, i, PeerEvent::IceConnected));
            peer(&mut w, 0, PeerEvent::Uses(if i % 2 == 0 { THERE } else { HERE }.parse().ok()));
        }
        assert!(w.in_call(0) && w.in_call(1), "after {i} changes: {:?} / {:?}", w.phase(0), w.phase(1));
    }
}

#[test]
fn what_is_about_another_connection_or_nothing_held_changes_nothing() {
    let mut w = call(true);
    control(&mut w, 0, &ahead(9, "x", 7));
    control(&mut w, 0, &serde_json::json!({"type": "ahead-held", "generation": "nothing of ours"}));
    control(&mut w, 0, &serde_json::json!({"type": "ahead", "sdp": 7}));
    assert!(w.in_call(0));
    w.sealed_by(0, |talk, _| talk.ahead.forget());
    peer(&mut w, 0, PeerEvent::Nudged);
    assert_eq!((switches(&w, 0).len(), events(&w, 0, &Event::Reconnecting)), (0, 0));
    // A late one of a number that is no longer asked for.
    peer(&mut w, 0, PeerEvent::Staged(77, sdp(1)));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn nobody_elsewhere_makes_us_check_our_own_loopback_addresses() {
    let mut w = call(true);
    let mut message = ahead(2, "x", 0);
    let candidates = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=candidate:2 1 udp 1 192.0.2.7 9 typ host\r\n";
    message["sdp"] = format!("{}{candidates}", message["sdp"].as_str().expect("text")).into();
    control(&mut w, 0, &message);
    network(&mut w, 0, &[THERE]);
    let theirs = switches(&w, 0).pop().expect("a switch");
    assert!(theirs.contains("192.0.2.7") && !theirs.contains("127.0.0.1"), "{theirs}");
}

#[test]
fn whatever_the_order_of_changes_both_end_in_the_call_or_with_a_word() {
    let steps = |seed: u32| (0..12u32).map(move |i| seed.wrapping_mul(2_654_435_761).rotate_left(i * 5) % 9);
    for seed in 1..200 {
        let mut w = call(true);
        for step in steps(seed) {
            if !(w.in_call(0) && w.in_call(1)) {
                break;
            }
            let i = (step % 2) as usize;
            match step {
                0 | 1 => network(&mut w, i, &[THERE]),
                2 | 3 => network(&mut w, i, &[HERE]),
                4 | 5 => peer(&mut w, i, PeerEvent::IceDisconnected),
                6 | 7 => peer(&mut w, i, PeerEvent::Nudged),
                _ => w.pass(Duration::from_secs(2)),
            }
        }
        for i in 0..2 {
            peer(&mut w, i, PeerEvent::IceConnected);
            assert!(w.in_call(i), "seed {seed}: {:?}", w.phase(i));
        }
        w.pass(Duration::from_secs(60));
        assert!(w.in_call(0) && w.in_call(1), "seed {seed}");
    }
}
