//! Lasting rooms: the owner is asked before anything of theirs is sent, once for each call.

use super::super::*;
use super::world::{Leg, World};
use super::{invitation, other_password};
use crate::api::{Again, Asks, EndReason, Phase};
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;
use visavis_signaling::{ClientMessage, ErrorCode, Invitation, Newcomer};

/// The same for all, as deriving its keys is slow on purpose.
fn room() -> RoomCode {
    static ROOM: LazyLock<RoomCode> = LazyLock::new(RoomCode::random_lasting);
    ROOM.clone()
}

/// Somebody's room is open, and somebody else knocks.
fn knocks() -> World {
    let mut w = World::new(2);
    open_and_knock(&mut w);
    w
}

fn open_and_knock(w: &mut World) {
    w.command(0, Command::Start(Some(room())));
    w.command(1, Command::Join(invitation(&room())));
}

fn asks(w: &World) -> Option<Asks> {
    match w.phase(0) {
        Phase::Waiting(waiting) => waiting.asks,
        _ => None,
    }
}

fn is_outside(w: &World, i: usize) -> bool {
    matches!(w.phase(i), Phase::Outside { .. })
}

/// Every message, as it was said.
type Log = Rc<RefCell<Vec<(Leg, Value)>>>;

fn log(w: &mut World) -> Log {
    let log = Log::default();
    let heard = log.clone();
    w.mallory = Some(Box::new(move |leg, message| {
        heard.borrow_mut().push((leg, message.clone()));
        vec![(leg, message.clone())]
    }));
    log
}

/// The kinds of messages that somebody sent, in order.
fn sent(log: &Log, who: usize) -> Vec<String> {
    let log = log.borrow();
    let from = log.iter().filter(|(leg, _)| *leg == Leg::From(who));
    from.map(|(_, message)| message["type"].as_str().expect("each has one").to_owned()).collect()
}

#[test]
fn the_owner_is_asked_by_name_and_the_caller_knows_whom_they_wait_for() {
    let mut w = knocks();
    assert_eq!(asks(&w).map(|asks| (asks.name, asks.guest)), Some(("person 1".into(), None)));
    let asked = Event::Asks { name: "person 1".into(), guest: None };
    assert!(w.people[0].events.contains(&asked) && !w.people[0].events.contains(&Event::PeerJoined));
    assert!(matches!(w.phase(1), Phase::Outside { owner, .. } if owner == "person 0"));
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
    assert_eq!(asks(&w), None);
}

#[test]
fn before_the_owner_accepts_nothing_of_theirs_is_made_or_sent_but_a_sealed_word() {
    let mut w = World::new(2);
    let log = log(&mut w);
    open_and_knock(&mut w);
    w.pass(Duration::from_secs(30));
    // No connection, so no certificate, no address and no picture, on neither side.
    assert_eq!((w.peer_count(0), w.peer_count(1)), (0, 0));
    assert!(w.commands_of(0).is_empty() && !w.people[0].media);
    assert_eq!(sent(&log, 0), ["open", "offer"]);
    assert_eq!(sent(&log, 1), ["join", "answer"]);
    // What is sealed has no room for more than a name.
    for (_, message) in log.borrow().iter().filter(|(_, m)| m["sealed"].is_string()) {
        assert!(message["sealed"].as_str().expect("text").len() < 80, "{message}");
    }
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
    assert_eq!(sent(&log, 0)[2..4], ["offer", "ice-candidate"]);
}

#[test]
fn names_at_the_door_are_bounded_and_cleaned() {
    let mut w = World::new(2);
    w.people[1].session.me.name = format!("Ad\u{202e}a\n{}", "x".repeat(5000));
    w.people[0].session.me.name = "\u{202e}".repeat(5000);
    open_and_knock(&mut w);
    let name = asks(&w).expect("asked").name;
    assert!(name.starts_with("Adaxx") && name.chars().count() == 64, "{name}");
    assert!(matches!(w.phase(1), Phase::Outside { owner, .. } if owner.is_empty()));
}

#[test]
fn who_is_declined_is_told_so_and_the_room_stays_open() {
    let mut w = knocks();
    w.command(0, Command::LetIn(false));
    assert_eq!(w.reason(1), Some(EndReason::Declined));
    assert_eq!((w.code(0), asks(&w)), (room(), None));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (0, 0));
    // Not at once, so that nobody is rung at without end.
    w.command(1, Command::Join(invitation(&room())));
    assert_eq!((w.reason(1), asks(&w)), (Some(EndReason::NotAnswered), None), "nobody else is there");
    w.pass(Duration::from_secs(5));
    w.command(1, Command::Join(invitation(&room())));
    assert!(asks(&w).is_some(), "asked again, as they called again");
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_question_that_nobody_answers_ends_after_a_minute_and_is_told_to_both() {
    let mut w = knocks();
    w.pass(Duration::from_secs(59));
    assert!(asks(&w).is_some() && is_outside(&w, 1));
    w.pass(Duration::from_secs(1));
    assert_eq!((asks(&w), w.reason(1)), (None, Some(EndReason::NotAnswered)));
    let Phase::Waiting(waiting) = w.phase(0) else { panic!("it stays open") };
    assert!(waiting.notice.expect("a word").contains("person 1"));
    assert!(w.people[0].events.contains(&Event::AsksNoMore));
}

#[test]
fn a_refusal_that_a_server_keeps_back_leaves_nobody_waiting_for_ever() {
    let mut w = World::new(2);
    w.mallory = Some(Box::new(|leg, message| {
        let kept = leg == Leg::To(1) && (message["type"] == "offer" && message["n"] != 1 || message["type"] == "error");
        if kept { vec![] } else { vec![(leg, message.clone())] }
    }));
    open_and_knock(&mut w);
    w.command(0, Command::LetIn(false));
    assert!(is_outside(&w, 1));
    w.pass(Duration::from_secs(75));
    assert_eq!(w.reason(1), Some(EndReason::NotAnswered));
}

#[test]
fn a_caller_who_leaves_withdraws_the_question() {
    let mut w = knocks();
    w.command(1, Command::HangUp);
    assert!(matches!(w.phase(1), Phase::Home));
    assert_eq!((asks(&w), w.code(0)), (None, room()));
    assert_eq!(w.people[0].events.last(), Some(&Event::AsksNoMore));
    // An answer that crosses it lets nobody in.
    w.command(0, Command::LetIn(true));
    assert_eq!((w.code(0), w.peer_count(0)), (room(), 0));
}

#[test]
fn an_owner_who_closes_the_room_declines() {
    let mut w = knocks();
    w.command(0, Command::HangUp);
    assert!(matches!(w.phase(0), Phase::Home));
    assert_eq!(w.reason(1), Some(EndReason::Declined));
}

#[test]
fn a_second_caller_finds_the_room_full_while_one_is_asked_about() {
    let mut w = World::new(3);
    open_and_knock(&mut w);
    w.command(2, Command::Join(invitation(&room())));
    assert_eq!(w.reason(2), Some(EndReason::RoomFull));
    // By way of another server there would be a place; there too one question is asked at a time.
    let other = w.add_relay();
    for i in [0, 2] {
        let kind = LinkKind::Configured { url: format!("wss://other{i}.example") };
        w.add_link(i, other, kind);
    }
    w.settle();
    let only = Invitation { code: room(), server: Some("wss://other2.example".into()) };
    w.command(2, Command::Join(only));
    assert_eq!(w.reason(2), Some(EndReason::RoomFull));
    assert_eq!(asks(&w).map(|asks| asks.name), Some("person 1".into()));
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_path_that_breaks_in_the_call_asks_nobody_again() {
    let mut w = knocks();
    w.command(0, Command::LetIn(true));
    for i in 0..2 {
        w.input(i, Input::Peer(w.key_of(i), PeerEvent::IceDisconnected));
    }
    w.pass(Duration::from_secs(3));
    for i in 0..2 {
        w.input(i, Input::Peer(w.key_of(i), PeerEvent::IceConnected));
    }
    // The caller's connection to the server breaks too, and their seat is taken anew.
    w.restart_server();
    assert!(w.in_call(0) && w.in_call(1));
    let questions = w.people[0].events.iter().filter(|event| matches!(event, Event::Asks { .. })).count();
    assert_eq!((questions, w.people[0].starts), (1, 1));
}

#[test]
fn a_lasting_room_serves_one_call_after_the_other_under_the_same_words() {
    let mut w = knocks();
    for round in 0..3 {
        w.command(0, Command::LetIn(true));
        assert!(w.in_call(0) && w.in_call(1), "{round}");
        w.command(1, Command::HangUp);
        let again = |w: &World, i| match w.phase(i) {
            Phase::Ended(ended) => ended.again,
            other => panic!("{other:?}"),
        };
        assert!(matches!(again(&w, 0), Again::Open(code) if code == room()));
        assert!(matches!(again(&w, 1), Again::Join(to) if to.code == room()));
        open_and_knock(&mut w);
    }
}

#[test]
fn a_room_that_a_crash_left_behind_is_ours_again_once_the_server_has_noticed() {
    let mut w = World::new(2);
    w.command(0, Command::Start(Some(room())));
    // The app is gone without a word, and somebody who has its settings starts it anew.
    w.command(1, Command::Start(Some(room())));
    w.pass(Duration::from_secs(20));
    assert!(matches!(w.phase(1), Phase::Waiting(waiting) if waiting.code == room()), "{:?}", w.phase(1));
    assert!(!w.people[1].events.iter().any(|event| matches!(event, Event::Joined { .. })));
    w.command(0, Command::HangUp);
    w.pass(Duration::from_secs(3));
    assert!(w.people[1].events.iter().any(|event| matches!(event, Event::Joined { opened: true, .. })));
    w.pass(Duration::from_secs(100));
    assert!(matches!(w.phase(1), Phase::Waiting(_)));
}

#[test]
fn a_room_that_stays_taken_is_given_up_with_a_word() {
    let mut w = World::new(2);
    w.command(0, Command::Start(Some(room())));
    w.command(1, Command::Start(Some(room())));
    w.pass(Duration::from_secs(61));
    assert_eq!(w.reason(1), Some(EndReason::CodeTaken));
}

#[test]
fn whoever_loads_their_page_again_is_asked_about_again() {
    // Others know the words too, and could come in their place.
    let mut w = knocks();
    w.command(0, Command::LetIn(true));
    let key = w.key_of(0);
    w.input(0, Input::Peer(key, PeerEvent::Control(r#"{"type":"bye","again":true}"#.into())));
    assert!(matches!(w.phase(0), Phase::Waiting(waiting) if waiting.away.is_some()));
    w.command(1, Command::HangUp);
    w.command(1, Command::Join(invitation(&room())));
    w.pass(Duration::from_secs(40));
    assert!(asks(&w).is_some(), "not cut short by the time that one has to come back");
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn wrong_words_ring_at_nobodys_door_and_cost_attempts_that_wait_ever_longer() {
    let mut w = World::new(2);
    let wrong = other_password(&room());
    w.command(0, Command::Start(Some(room())));
    let knock = |w: &mut World, code: &RoomCode| {
        w.command(1, Command::HangUp);
        w.command(1, Command::Join(invitation(code)));
        w.reason(1)
    };
    for _ in 0..3 {
        assert_eq!(knock(&mut w, &wrong), Some(EndReason::WrongCode));
    }
    // From now on nobody is answered for a while, who knows the words neither. They are told so, and the room stays.
    assert_eq!(knock(&mut w, &room()), Some(EndReason::Guarded));
    w.pass(Duration::from_secs(10));
    assert_eq!((w.code(0), asks(&w)), (room(), None));
    // Whoever knows them is asked about then.
    knock(&mut w, &room());
    assert!(asks(&w).is_some());
    w.command(1, Command::HangUp);
    // The next failure waits twice as long, and opening the room anew does not begin another count.
    w.command(0, Command::HangUp);
    w.command(0, Command::Start(Some(room())));
    assert_eq!(stranger_guesses(&mut w), None);
    w.pass(Duration::from_secs(19));
    assert_eq!(knock(&mut w, &room()), Some(EndReason::Guarded));
    w.pass(Duration::from_secs(1));
    knock(&mut w, &room());
    assert!(asks(&w).is_some());
}

/// Somebody takes what is said to newcomers and leaves.
fn stranger_guesses(w: &mut World) -> Option<EndReason> {
    let (_, share) = Newcomer::start(&world_secret());
    let stranger = w.stranger();
    w.say(stranger, &ClientMessage::join(room().room_id(), share).to_json());
    w.say(stranger, &ClientMessage::LeaveRoom.to_json());
    w.reason(0)
}

fn world_secret() -> PakeSecret {
    super::world::secret(&room())
}

#[test]
fn guesses_for_a_year_are_answered_once_a_minute_and_close_nothing() {
    let mut w = World::new(2);
    let log = log(&mut w);
    w.command(0, Command::Start(Some(room())));
    for _ in 0..600 {
        assert_eq!(stranger_guesses(&mut w), None);
        w.pass(Duration::from_secs(6));
    }
    // An hour: the first few at once, then after 10, 20, 40 s, and 60 s ever after.
    let answered = sent(&log, 0).iter().filter(|kind| *kind == "offer").count();
    assert!((55..=66).contains(&answered), "{answered}");
    assert_eq!((w.code(0), asks(&w)), (room(), None));
}

/// What becomes of a message on its way.
type Meddling = fn(Leg, &Value) -> Vec<(Leg, Value)>;

#[test]
fn a_knock_that_is_changed_reflected_or_said_again_rings_at_nobodys_door() {
    let tries: [Meddling; 5] = [
        // Changed.
        |leg, message| {
            let mut message = message.clone();
            if leg == Leg::From(1) && message["type"] == "answer" {
                let sealed = message["sealed"].as_str().expect("text").to_owned();
                let first = if sealed.starts_with('A') { "B" } else { "A" };
                message["sealed"] = format!("{first}{}", &sealed[1..]).into();
            }
            vec![(leg, message)]
        },
        // The owner's own word sent back as the knock.
        |leg, message| {
            if leg != Leg::From(0) || message["type"] != "offer" {
                let dropped = leg == Leg::From(1) && message["type"] == "answer";
                return if dropped { vec![] } else { vec![(leg, message.clone())] };
            }
            let mut back = message.clone();
            back["type"] = "answer".into();
            back.as_object_mut().expect("an object").remove("pake");
            let (from, to) = (message["from"].clone(), message["to"].clone());
            (back["from"], back["to"]) = (to, from);
            vec![(leg, message.clone()), (Leg::To(0), back)]
        },
        // Of another call.
        |leg, message| {
            let mut message = message.clone();
            if leg == Leg::From(1) && message["type"] == "answer" {
                message["callId"] = "0123456789abcdef".into();
            }
            vec![(leg, message)]
        },
        // In somebody else's name.
        |leg, message| {
            let mut message = message.clone();
            if leg == Leg::To(0) && message["type"] == "answer" {
                message["to"] = message["from"].clone();
            }
            vec![(leg, message)]
        },
        // Under another counter.
        |leg, message| {
            let mut message = message.clone();
            if leg == Leg::From(1) && message["type"] == "answer" {
                message["n"] = 2.into();
            }
            vec![(leg, message)]
        },
    ];
    for (i, mallory) in tries.into_iter().enumerate() {
        let mut w = World::new(2);
        w.mallory = Some(Box::new(mallory));
        open_and_knock(&mut w);
        w.pass(Duration::from_secs(20));
        assert_eq!((asks(&w), w.code(0)), (None, room()), "{i}");
        assert!(!w.people[0].events.iter().any(|event| matches!(event, Event::Asks { .. })), "{i}");
        assert_eq!(w.peer_count(0), 0, "{i}");
    }
}

#[test]
fn what_was_said_at_the_door_once_opens_no_door_again() {
    // The knock and the acceptance of one call, played back into the next one and within the same.
    let mut w = World::new(2);
    let log = log(&mut w);
    open_and_knock(&mut w);
    w.command(0, Command::LetIn(false));
    let old: Vec<_> =
        log.borrow().iter().filter(|(leg, m)| matches!(leg, Leg::To(_)) && m["sealed"].is_string()).cloned().collect();
    w.command(1, Command::HangUp);
    w.pass(Duration::from_secs(5));
    w.command(1, Command::Join(invitation(&room())));
    assert!(asks(&w).is_some() && is_outside(&w, 1));
    for (leg, message) in &old {
        w.put(*leg, &message.to_string());
        w.settle();
    }
    assert!(is_outside(&w, 1), "an older refusal refuses nobody");
    let questions = |w: &World| w.people[0].events.iter().filter(|e| matches!(e, Event::Asks { .. })).count();
    assert_eq!(questions(&w), 2);
    // And those of this very call.
    let this: Vec<_> =
        log.borrow().iter().filter(|(leg, m)| matches!(leg, Leg::To(_)) && m["sealed"].is_string()).cloned().collect();
    for (leg, message) in &this {
        w.put(*leg, &message.to_string());
        w.settle();
    }
    assert_eq!((questions(&w), is_outside(&w, 1), w.peer_count(0)), (2, true, 0));
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_server_can_neither_let_in_nor_decline_in_the_owners_name() {
    let mut w = knocks();
    for i in 0..40 {
        for kind in ["offer", "answer", "ice-candidate"] {
            let forged = format!(
                r#"{{"type":"{kind}","roomId":"{}","from":"x","to":"y","callId":"c","n":{i},"sealed":"AAAA"}}"#,
                room().room_id().as_str()
            );
            w.put(Leg::To(1), &forged);
            w.put(Leg::To(0), &forged);
        }
    }
    w.settle();
    assert!(asks(&w).is_some() && is_outside(&w, 1));
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_code_of_four_words_knows_no_door() {
    // Somebody who answers a call's first offer by a knock, and somebody who waits under four words and says "hold".
    let mut w = super::call();
    assert!(w.people.iter().all(|p| !p.events.iter().any(|e| matches!(e, Event::Asks { .. } | Event::Holds { .. }))));
    w.command(0, Command::LetIn(true));
    assert!(w.in_call(0), "there is nobody to be let in");
}

#[test]
fn an_owner_who_loses_the_seat_is_asked_no_more_and_the_caller_hears_of_it() {
    let mut w = knocks();
    w.input(
        0,
        Input::Received(super::world::LINK, ServerMessage::Error { code: ErrorCode::SeatGone, message: String::new() }),
    );
    assert_eq!(asks(&w), None);
    let mut w = knocks();
    let seat_gone = ServerMessage::Error { code: ErrorCode::SeatGone, message: String::new() };
    w.input(1, Input::Received(super::world::LINK, seat_gone));
    assert_eq!(w.reason(1), Some(EndReason::PeerLeft));
}
