//! Two (or more) sessions against each other, in no time.

mod again;
mod bent;
mod door;
mod knowing;
mod lone;
mod lying;
mod mallory;
mod mutations;
mod random;
mod rejoining;
mod relays;
mod roaming;
mod search;
mod servers;
mod watchdog;
mod world;

use super::*;
use crate::api::{EndReason, Phase};
use visavis_signaling::{ClientMessage, Invitation, Newcomer};
use world::World;

fn invitation(code: &RoomCode) -> Invitation {
    Invitation { code: code.clone(), server: None }
}

/// Wrong last words, right first ones.
fn other_password(code: &RoomCode) -> RoomCode {
    loop {
        let other = if code.is_lasting() { RoomCode::random_lasting() } else { RoomCode::random() };
        let words = [&code.words()[..2], &other.words()[2..]].concat();
        if let Ok(candidate) = words.join(" ").parse::<RoomCode>()
            && candidate != *code
        {
            return candidate;
        }
    }
}

fn call() -> World {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    w
}

#[test]
fn two_people_with_one_code_are_in_a_call_and_see_the_same_number() {
    let w = call();
    let number = |i| match w.phase(i) {
        Phase::InCall(call) => call.verification,
        other => panic!("{other:?}"),
    };
    assert_eq!(number(0), number(1));
    assert_eq!(number(0).split(' ').count(), 5);
}

#[test]
fn each_learns_the_others_name_and_whether_they_are_muted() {
    let mut w = call();
    let view = |w: &World, i| match w.phase(i) {
        Phase::InCall(call) => call.peer,
        other => panic!("{other:?}"),
    };
    assert_eq!(view(&w, 0).name, "person 1");
    w.command(1, Command::SetMuted(true));
    w.command(1, Command::SetVideo(false));
    assert!(view(&w, 0).muted && !view(&w, 0).video_on);
    assert!(w.people[0].events.contains(&Event::PeerMuted(true)));
    assert!(w.people[0].events.contains(&Event::PeerVideo(false)));
}

#[test]
fn a_camera_that_fails_is_told_so_that_nobody_waits_for_its_picture() {
    let mut w = call();
    let has_camera = |w: &World| matches!(w.phase(0), Phase::InCall(call) if call.peer.has_camera);
    assert!(has_camera(&w));
    w.input(1, Input::CameraWorks(false));
    assert_eq!(w.people[0].events.last(), Some(&Event::PeerVideo(false)));
    assert!(!has_camera(&w));
    w.input(1, Input::CameraWorks(true));
    assert!(has_camera(&w));
    assert_eq!(w.people[0].events.last(), Some(&Event::PeerVideo(true)));
}

#[test]
fn a_network_too_slow_for_a_picture_is_told_while_the_camera_stays_on() {
    let mut w = call();
    let view = |w: &World| match w.phase(0) {
        Phase::InCall(call) => (call.peer.video_on, call.peer.sound_only),
        other => panic!("{other:?}"),
    };
    assert_eq!(view(&w), (true, false));
    w.input(1, Input::SoundOnly(true));
    assert_eq!(view(&w), (true, true));
    assert!(!w.people[0].events.contains(&Event::PeerVideo(false)), "nobody switched anything off");
    w.input(1, Input::SoundOnly(false));
    assert_eq!(view(&w), (true, false));
}

#[test]
fn chat_reaches_the_other_side() {
    let mut w = call();
    w.command(0, Command::Chat("hello".into()));
    assert!(w.people[1].events.contains(&Event::Chat("hello".into())));
    let Phase::InCall(call) = w.phase(0) else { panic!("in a call") };
    assert!(call.chat[0].mine && &*call.chat[0].text == "hello");
}

#[test]
fn hanging_up_ends_the_call_on_both_sides_and_leaves_nothing_behind() {
    let mut w = call();
    w.command(0, Command::HangUp);
    assert_eq!((w.reason(0), w.reason(1)), (Some(EndReason::HungUp), Some(EndReason::PeerHungUp)));
    assert_eq!((w.peer_count(0), w.peer_count(1)), (0, 0));
    assert!(!w.people[0].media && !w.people[1].media);
    w.command(0, Command::HangUp);
    assert!(matches!(w.phase(0), Phase::Home));
}

#[test]
fn after_a_call_both_can_call_again() {
    let mut w = call();
    w.command(1, Command::HangUp);
    w.command(1, Command::Start(None));
    let code = w.code(1);
    w.command(0, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(1));
    assert_eq!(w.people[0].starts, 2);
}

#[test]
fn a_code_that_nobody_waits_under_says_so() {
    let mut w = World::new(1);
    w.command(0, Command::Join(invitation(&RoomCode::random())));
    assert_eq!(w.reason(0), Some(EndReason::NobodyHere));
}

#[test]
fn meeting_under_a_code_works_in_either_order() {
    let mut w = World::new(2);
    let code = RoomCode::random();
    w.command(0, Command::Meet(code.clone()));
    assert!(matches!(w.phase(0), Phase::Waiting(_)));
    w.command(1, Command::Meet(code));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_wrong_password_is_refused_and_the_waiting_one_goes_on_waiting() {
    let mut w = World::new(3);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&other_password(&code))));
    assert_eq!(w.reason(1), Some(EndReason::WrongCode));
    assert_eq!(w.code(0), code);
    w.command(2, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(2));
}

#[test]
fn three_wrong_passwords_close_the_room_and_the_opener_gets_a_new_code() {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    let wrong = other_password(&code);
    for attempt in 0..3 {
        assert_eq!(w.code(0), code, "before attempt {attempt}");
        w.command(1, Command::Join(invitation(&wrong)));
        w.command(1, Command::HangUp);
    }
    assert_ne!(w.code(0), code);
    let Phase::Waiting(waiting) = w.phase(0) else { panic!("waiting") };
    assert!(waiting.notice.expect("a word about it").contains("three times"));
}

#[test]
fn taking_the_sealed_offer_and_leaving_spends_a_guess() {
    let mut w = World::new(1);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    let secret = PakeSecret::derive(&other_password(&code));
    for attempt in 0..3 {
        assert_eq!(w.code(0), code, "before attempt {attempt}");
        let thief = w.stranger();
        let (_, share) = Newcomer::start(&secret);
        w.say(thief, &ClientMessage::join(code.room_id(), share).to_json());
        w.say(thief, &ClientMessage::LeaveRoom.to_json());
    }
    assert_ne!(w.code(0), code);
}

#[test]
fn who_takes_the_offer_and_stays_silent_is_sent_away() {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    let thief = w.stranger();
    let (_, share) = Newcomer::start(&PakeSecret::derive(&code));
    w.say(thief, &ClientMessage::join(code.room_id(), share).to_json());
    w.command(1, Command::Join(invitation(&code)));
    assert_eq!(w.reason(1), Some(EndReason::RoomFull));
    w.pass(Duration::from_secs(20));
    assert_eq!(w.peer_count(0), 0);
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_swapped_fingerprint_ends_the_call_with_a_warning() {
    let mut w = World::new(2);
    w.people[1].forged = Some(vec![0x66; 32]);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    assert_eq!(w.reason(1), Some(EndReason::Intercepted));
    assert!(!w.people[1].media);
}

#[test]
fn a_server_that_goes_away_does_not_end_a_call() {
    let mut w = call();
    w.input(0, Input::LinkDown(world::LINK, "connection reset".into()));
    w.input(1, Input::LinkDown(world::LINK, "connection reset".into()));
    w.pass(Duration::from_secs(300));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn an_interrupted_call_restarts_ice_and_ends_after_thirty_seconds() {
    let mut w = call();
    let key = w.key_of(0);
    w.input(0, Input::Peer(key, PeerEvent::IceDisconnected));
    assert!(w.people[0].events.contains(&Event::Reconnecting));
    assert!(w.commands_of(0).contains(&PeerCommand::CreateOffer { restart: true }));
    w.input(0, Input::Peer(key, PeerEvent::IceConnected));
    assert!(w.people[0].events.contains(&Event::Reconnected));
    w.pass(Duration::from_secs(60));
    assert!(w.in_call(0));
    w.input(0, Input::Peer(key, PeerEvent::IceDisconnected));
    w.pass(Duration::from_secs(31));
    assert_eq!(w.reason(0), Some(EndReason::ConnectionLost));
}

#[test]
fn both_restarting_at_once_still_negotiate() {
    let mut w = call();
    let (a, b) = (w.key_of(0), w.key_of(1));
    let now = w.now;
    w.people[0].session.handle(now, Input::Peer(a, PeerEvent::IceDisconnected));
    w.people[1].session.handle(now, Input::Peer(b, PeerEvent::IceDisconnected));
    w.settle();
    w.pass(Duration::from_secs(4));
    let answers = |i: usize, w: &World| {
        w.commands_of(i)
            .iter()
            .filter(|c| matches!(c, PeerCommand::AcceptAnswer(_) | PeerCommand::AcceptOffer(_)))
            .count()
    };
    assert!(answers(0, &w) >= 2 && answers(1, &w) >= 2);
}

#[test]
fn without_any_server_waiting_ends_with_the_reason() {
    let mut w = World::new(1);
    w.people[0].gagged = true;
    w.input(0, Input::LinkDown(world::LINK, "connection refused".into()));
    w.command(0, Command::Start(None));
    w.pass(Duration::from_secs(6));
    let Some(EndReason::SignalingUnreachable(why)) = w.reason(0) else { panic!("{:?}", w.phase(0)) };
    assert!(why.contains("server.example") && why.contains("refused"));
}

#[test]
fn a_call_that_never_connects_ends_after_twenty_seconds() {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.people[1].gagged = true;
    w.command(1, Command::Join(invitation(&code)));
    w.pass(Duration::from_secs(30));
    assert!(w.reason(1).is_some());
}

#[test]
fn leaving_the_room_ends_the_call_even_where_the_goodbye_itself_is_lost() {
    let mut w = call();
    let text = ClientMessage::LeaveRoom.to_json();
    let who = w.people[1].connection;
    w.say(who, &text);
    w.pass(Duration::from_secs(60));
    assert!(w.in_call(0), "that is what the server says, and they are still to be seen");
    let key = w.key_of(0);
    w.input(0, Input::Peer(key, PeerEvent::IceDisconnected));
    assert_eq!(w.reason(0), Some(EndReason::PeerHungUp));
}

#[test]
fn leaving_the_room_after_nothing_got_through_ends_an_interrupted_call() {
    let mut w = call();
    let (key, text, who) = (w.key_of(0), ClientMessage::LeaveRoom.to_json(), w.people[1].connection);
    w.input(0, Input::Peer(key, PeerEvent::IceDisconnected));
    assert!(w.in_call(0));
    w.say(who, &text);
    assert_eq!(w.reason(0), Some(EndReason::PeerHungUp));
}

#[test]
fn a_connection_that_the_other_side_closed_is_a_goodbye() {
    let mut w = call();
    let key = w.key_of(0);
    w.input(0, Input::Peer(key, PeerEvent::TheyClosed));
    assert_eq!(w.reason(0), Some(EndReason::PeerHungUp));
}

#[test]
fn a_panic_inside_a_connection_ends_its_call_with_a_word() {
    let mut w = call();
    let key = w.key_of(0);
    w.input(0, Input::Peer(key, PeerEvent::Broken("the connection failed inside".into())));
    assert_eq!(w.reason(0), Some(EndReason::Internal("the connection failed inside".into())));
    assert_eq!(w.peer_count(0), 0);
}

#[test]
fn events_of_the_last_call_do_not_reach_the_next() {
    let mut w = call();
    let old = w.key_of(0);
    w.command(0, Command::HangUp);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0));
    for event in [PeerEvent::Closed, PeerEvent::Failed("late".into()), PeerEvent::IceFailed] {
        w.input(0, Input::Peer(old, event));
    }
    w.input(0, Input::Peer(old, PeerEvent::Control(r#"{"type":"bye"}"#.into())));
    assert!(w.in_call(0) && w.in_call(1));
}

#[test]
fn a_lost_seat_before_the_call_is_taken_again() {
    let mut w = World::new(2);
    w.command(0, Command::Start(None));
    let code = w.code(0);
    w.vanish(0);
    w.input(
        0,
        Input::Received(
            world::LINK,
            ServerMessage::Error { code: visavis_signaling::ErrorCode::SeatGone, message: "gone".into() },
        ),
    );
    w.pass(Duration::from_secs(40));
    w.command(1, Command::Join(invitation(&code)));
    assert!(w.in_call(0) || w.reason(1).is_some());
}
