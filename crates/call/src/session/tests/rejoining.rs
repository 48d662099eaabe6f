//! Seats on a signaling server that are lost in mid-call, and taken anew.

use super::lone::{HOME, code};
use super::world::World;
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use visavis_signaling::ConnectionId;

/// Two in a call. Nothing is agreed on ahead: only signaling can help.
fn call() -> World {
    let mut w = World::new(2);
    w.command(0, Command::Start(Some(code())));
    w.command(1, Command::Join(invitation(&code())));
    assert!(w.in_call(0) && w.in_call(1) && w.are_seated());
    w
}

fn peer(w: &mut World, i: usize, event: PeerEvent) {
    let key = w.key_of(i);
    w.input(i, Input::Peer(key, event));
}

/// Offers that begin ICE anew, and answers to them: made by the one, taken by the other.
fn exchanges(w: &World, offerer: usize) -> (usize, usize) {
    let count = |i: usize, of: fn(&PeerCommand) -> bool| w.commands_of(i).iter().filter(|c| of(c)).count();
    let made = count(offerer, |c| matches!(c, PeerCommand::CreateOffer { restart: true }));
    let first = usize::from(offerer == 0);
    (made, count(offerer, |c| matches!(c, PeerCommand::AcceptAnswer(_))) - first)
}

fn signaling(w: &World, i: usize) -> Vec<bool> {
    let events = w.people[i].events.iter();
    events.filter_map(|event| if let Event::Signaling(on) = event { Some(*on) } else { None }).collect()
}

/// The path breaks at one end, and a word over signaling mends it.
fn mends(w: &mut World, i: usize) {
    let before = exchanges(w, i);
    peer(w, i, PeerEvent::IceDisconnected);
    assert_eq!(exchanges(w, i), (before.0 + 1, before.1 + 1), "an offer, and its answer");
    (0..2).for_each(|i| peer(w, i, PeerEvent::IceConnected));
    assert!(w.in_call(0) && w.in_call(1));
}

fn unproven(w: &mut World, i: usize, code: &RoomCode) -> u32 {
    w.people[i].session.book.counter(code).unproven()
}

/// Somebody at the relay who is no session, and opens our room or joins it.
fn stranger(w: &mut World, opens: bool) -> ConnectionId {
    let who = w.stranger();
    let (_, share) = Newcomer::start(&world::secret(&code()));
    let room = code().room_id();
    let text = if opens { ClientMessage::open(room) } else { ClientMessage::join(room, share) };
    w.say(who, &text.to_json());
    who
}

#[test]
fn after_a_restart_of_the_server_both_are_there_again_in_either_order_and_ice_begins_anew_over_it() {
    for (order, breaks) in [([0, 1], 0), ([0, 1], 1), ([1, 0], 0), ([1, 0], 1)] {
        let mut w = call();
        let before = [w.names(0), w.names(1)];
        w.restart_server();
        assert_eq!((signaling(&w, 0), signaling(&w, 1)), (vec![false], vec![false]));
        for i in order {
            assert!(!w.are_seated());
            w.pass(Duration::from_secs(3));
            w.reach_server(i);
        }
        assert!(w.are_seated(), "{order:?}");
        assert!([w.names(0), w.names(1)].iter().zip(&before).all(|(now, then)| now[0] != then[0] && now[1] != then[1]));
        assert_eq!((signaling(&w, 0), signaling(&w, 1)), (vec![false, true], vec![false, true]));
        mends(&mut w, breaks);
        for i in 0..2 {
            assert_eq!((unproven(&mut w, i, &code()), w.people[i].starts), (0, 1), "no attempt, and no second call");
        }
    }
}

#[test]
fn a_path_that_broke_while_the_server_was_away_is_mended_as_soon_as_both_are_there() {
    for order in [[0, 1], [1, 0]] {
        let mut w = call();
        w.restart_server();
        peer(&mut w, 1, PeerEvent::IceDisconnected);
        w.pass(Duration::from_secs(9));
        assert_eq!(exchanges(&w, 1), (0, 0), "nobody could hear it");
        for i in order {
            w.reach_server(i);
        }
        assert_eq!(exchanges(&w, 1), (1, 1), "{order:?}");
    }
}

#[test]
fn one_whose_seat_was_given_up_sits_down_beside_the_other_again() {
    for i in 0..2 {
        let mut w = call();
        w.cut_off(i);
        w.seats_expire();
        w.reach_server(i);
        assert!(w.are_seated(), "person {i}");
        mends(&mut w, i);
        mends(&mut w, 1 - i);
    }
}

#[test]
fn a_seat_that_was_kept_is_taken_over_and_nobody_enters_anew() {
    let mut w = call();
    let before = w.names(0);
    w.cut_off(0);
    w.pass(Duration::from_secs(5));
    w.reach_server(0);
    assert!(w.are_seated() && w.names(0) == before);
    mends(&mut w, 0);
}

#[test]
fn a_server_that_is_restarted_again_and_again_is_entered_again_and_again() {
    let mut w = call();
    for round in 0..8usize {
        w.restart_server();
        // Whoever comes first, and sometimes before the other has even noticed.
        for i in [round % 2, 1 - round % 2] {
            w.reach_server(i);
        }
        w.pass(Duration::from_secs(40));
        assert!(w.are_seated(), "round {round}");
    }
    mends(&mut w, 1);
}

#[test]
fn somebody_who_waits_in_the_room_under_other_words_is_left_alone_and_the_call_goes_on() {
    for order in [[0, 1], [1, 0]] {
        let mut w = call();
        let other = w.add_person();
        w.restart_server();
        w.reach_server(other);
        let theirs = other_password(&code());
        w.command(other, Command::Start(Some(theirs.clone())));
        for i in order {
            w.reach_server(i);
        }
        w.pass(Duration::from_secs(600));
        assert_eq!(w.code(other), theirs, "they still wait under their own code");
        assert!(unproven(&mut w, other, &theirs) <= 2);
        assert!(w.in_call(0) && w.in_call(1) && !w.are_seated());
        for i in 0..2 {
            assert_eq!(signaling(&w, i), [false], "that signaling is unavailable is all that is said");
            assert_eq!(unproven(&mut w, i, &code()), 0);
            assert!(!w.people[i].events.iter().any(|e| matches!(e, Event::Reconnecting | Event::Ended(_))));
        }
        // Whoever they wait for gets in.
        let friend = w.add_person();
        w.command(friend, Command::Join(invitation(&theirs)));
        assert!(w.in_call(friend) && w.in_call(other));
    }
}

#[test]
fn somebody_with_the_right_words_who_comes_meanwhile_is_turned_away_and_both_find_each_other() {
    for first in [0, 1] {
        let mut w = call();
        let third = w.add_person();
        w.restart_server();
        w.reach_server(third);
        w.reach_server(first);
        w.command(third, Command::Join(invitation(&code())));
        // The room is full until the third has had time to show who they are.
        w.reach_server(1 - first);
        assert!(!w.are_seated());
        w.pass(Duration::from_secs(30));
        assert!(w.reason(third).is_some(), "{:?}", w.phase(third));
        assert_eq!(w.people[third].starts, 0);
        assert!(w.are_seated(), "first {first}");
        mends(&mut w, first);
        assert!((0..2).all(|i| unproven(&mut w, i, &code()) == 0));
    }
}

#[test]
fn a_squatter_who_says_nothing_keeps_signaling_away_and_nothing_else() {
    let mut w = call();
    w.restart_server();
    let who = stranger(&mut w, true);
    (0..2).for_each(|i| w.reach_server(i));
    w.pass(Duration::from_secs(120));
    assert!(!w.are_seated() && w.in_call(0) && w.in_call(1));
    w.say(who, &ClientMessage::LeaveRoom.to_json());
    w.pass(Duration::from_secs(60));
    assert!(w.are_seated());
    mends(&mut w, 0);
}

#[test]
fn a_squatter_who_turns_us_out_does_not_keep_us_out_for_ever() {
    let mut w = call();
    w.restart_server();
    let who = stranger(&mut w, true);
    for i in 0..2 {
        w.reach_server(i);
        let [me, _] = w.names(i);
        w.say(who, &ClientMessage::dismiss(me).to_json());
    }
    w.say(who, &ClientMessage::LeaveRoom.to_json());
    w.pass(Duration::from_secs(60));
    assert!(w.are_seated() && w.in_call(0) && w.in_call(1));
}

#[test]
fn nothing_that_a_stranger_says_or_plays_back_makes_them_the_other_side() {
    let mut w = call();
    let heard: Rc<RefCell<Vec<Value>>> = Rc::default();
    let ears = heard.clone();
    w.mallory = Some(Box::new(move |leg, message| {
        ears.borrow_mut().push(message.clone());
        vec![(leg, message.clone())]
    }));
    mends(&mut w, 0);
    w.restart_server();
    w.reach_server(0);
    let who = stranger(&mut w, false);
    let [me, _] = w.names(0);
    let theirs = w.relays[0].rooms();
    assert_eq!(theirs, 1);
    // The name that the server gave to the stranger: whom we greeted.
    let greeted = heard.borrow().iter().rfind(|m| m["type"] == "ice-candidate").expect("a greeting").clone();
    assert_eq!(greeted["from"], json!(me));
    let sealed: Vec<Value> = heard.borrow().iter().filter(|m| m.get("sealed").is_some()).cloned().collect();
    assert!(sealed.len() > 5);
    for message in sealed {
        for kind in ["offer", "answer", "ice-candidate"] {
            for n in [message["n"].clone(), json!(u64::MAX), json!(1000)] {
                let mut forged = message.clone();
                (forged["type"], forged["from"], forged["to"]) = (json!(kind), greeted["to"].clone(), json!(me));
                forged["n"] = n;
                w.say(who, &forged.to_string());
            }
        }
    }
    assert!(!w.are_seated() && signaling(&w, 0) == [false]);
    assert!(w.in_call(0) && w.in_call(1));
    w.reach_server(1);
    w.pass(Duration::from_secs(30));
    assert!(w.are_seated(), "and the rightful one is let in");
    mends(&mut w, 1);
}

#[test]
fn a_server_that_takes_every_seat_away_again_is_not_asked_without_end() {
    let (mut lone, _) = knowing::connected();
    let said = lone.said.len();
    for i in 0..1000 {
        lone.hears(HOME, &json!({"type": "error", "code": "seat-gone", "message": ""}));
        lone.hears(HOME, &json!({"type": "opened", "peerId": format!("me{i}"), "resume": "r"}));
        lone.pass(Duration::from_millis(100));
    }
    assert!(lone.said.len() - said < 20, "{} messages", lone.said.len() - said);
    let said = lone.said.len();
    for i in 0..1000 {
        lone.hears(HOME, &json!({"type": "peer-joined", "peerId": format!("y{i}")}));
    }
    let greeted = lone.said[said..].iter().filter(|(_, m)| matches!(m, ClientMessage::IceCandidate(_))).count();
    assert!(greeted <= 8, "{greeted} greetings");
    assert!(matches!(lone.session.phase(), Phase::InCall(_)));
}

#[derive(Clone, Debug)]
enum Step {
    Restart,
    Reach(usize),
    CutOff(usize),
    Expire,
    Breaks(usize),
    Mended,
    StrangerOpens,
    StrangerJoins,
    StrangersGo,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Restart),
        5 => (0usize..2).prop_map(Step::Reach),
        2 => (0usize..2).prop_map(Step::CutOff),
        1 => Just(Step::Expire),
        2 => (0usize..2).prop_map(Step::Breaks),
        3 => Just(Step::Mended),
        1 => Just(Step::StrangerOpens),
        1 => Just(Step::StrangerJoins),
        1 => Just(Step::StrangersGo),
        3 => (0u64..12_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_both_are_seated_once_nobody_else_is_in_the_way(steps in prop::collection::vec(step(), 1..40)) {
        let mut w = call();
        let mut strangers = Vec::new();
        let mended = |w: &mut World| (0..2).for_each(|i| peer(w, i, PeerEvent::IceConnected));
        for step in steps {
            match step {
                Step::Restart => {
                    w.restart_server();
                    strangers.clear();
                }
                Step::Reach(i) => w.reach_server(i),
                Step::CutOff(i) => w.cut_off(i),
                Step::Expire => {
                    mended(&mut w);
                    w.seats_expire();
                }
                Step::Breaks(i) => peer(&mut w, i, PeerEvent::IceDisconnected),
                Step::Mended => mended(&mut w),
                Step::StrangerOpens => strangers.push(stranger(&mut w, true)),
                Step::StrangerJoins => strangers.push(stranger(&mut w, false)),
                Step::StrangersGo => strangers.drain(..).for_each(|who| w.say(who, &ClientMessage::LeaveRoom.to_json())),
                Step::Pass(ms) => w.pass(Duration::from_millis(ms)),
            }
            if (0..2).any(|i| matches!(w.reason(i), Some(EndReason::ConnectionLost))) {
                return Ok(());
            }
            prop_assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
        }
        mended(&mut w);
        strangers.drain(..).for_each(|who| w.say(who, &ClientMessage::LeaveRoom.to_json()));
        (0..2).for_each(|i| w.reach_server(i));
        w.pass(Duration::from_secs(90));
        prop_assert!(w.are_seated(), "{:?}", [w.names(0), w.names(1)]);
        prop_assert!((0..2).all(|i| w.people[i].session.book.counter(&code()).unproven() == 0));
        mends(&mut w, 0);
        mends(&mut w, 1);
    }
}
