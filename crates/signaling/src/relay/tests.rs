//! The relay with a hand-moved clock, and under random messages.
#![allow(clippy::needless_pass_by_value, reason = "messages are written out where they are said")]

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const ROOM: &str = "0123456789abcdef0123456789abcdef";

/// A relay, its clock, and what it sent to whom.
struct World {
    relay: Relay,
    now: Instant,
    received: BTreeMap<u64, Vec<Value>>,
    closed: Vec<(u64, CloseReason)>,
    pinged: Vec<u64>,
    outputs: usize,
}

impl World {
    fn new(config: RelayConfig) -> Self {
        let (received, closed, pinged) = Default::default();
        Self { relay: Relay::new(config, [1; 32]), now: Instant::now(), received, closed, pinged, outputs: 0 }
    }

    fn with_connections(n: u64) -> Self {
        let mut world = Self::new(RelayConfig::default());
        (1..=n).for_each(|id| world.input(id, Input::Connected));
        world
    }

    fn input(&mut self, id: u64, input: Input<'_>) {
        self.relay.handle(self.now, ConnectionId(id), input);
        self.drain();
    }

    fn drain(&mut self) {
        self.relay.check();
        while let Some(output) = self.relay.poll_output() {
            self.outputs += 1;
            match output {
                Output::Send { to, text } => {
                    self.received.entry(to.0).or_default().push(serde_json::from_str(&text).unwrap())
                }
                Output::Ping { to } => self.pinged.push(to.0),
                Output::Close { connection, why } => self.closed.push((connection.0, why)),
            }
        }
    }

    fn say(&mut self, id: u64, message: Value) -> Value {
        self.input(id, Input::Text(&message.to_string()));
        self.last(id)
    }

    fn last(&self, id: u64) -> Value {
        self.received.get(&id).and_then(|all| all.last()).cloned().unwrap_or_default()
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.relay.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.relay.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn open(&mut self, id: u64) -> Value {
        self.say(id, json!({"type": "open", "version": 1, "roomId": ROOM}))
    }

    fn join(&mut self, id: u64) -> Value {
        self.say(id, json!({"type": "join", "version": 1, "roomId": ROOM, "pake": "share"}))
    }

    /// Two seated connections, 1 the opener and 2 the newcomer; their names.
    fn pair() -> (Self, String, String) {
        let mut world = Self::with_connections(4);
        let a = world.open(1)["peerId"].as_str().unwrap().to_owned();
        let b = world.join(2)["peerId"].as_str().unwrap().to_owned();
        (world, a, b)
    }
}

fn code(message: &Value) -> &str {
    assert_eq!(message["type"], "error", "{message}");
    assert!(!message["message"].as_str().unwrap().is_empty());
    message["code"].as_str().unwrap()
}

fn offer(from: &str, to: &str) -> Value {
    json!({"type": "offer", "roomId": ROOM, "from": from, "to": to, "n": 1, "sealed": "x", "later": {"unknown": [1, 2]}})
}

fn resume(seat: &Value, received: u64) -> Value {
    json!({"type": "resume", "version": 1, "roomId": ROOM, "resume": seat["resume"], "received": received})
}

#[test]
fn two_meet_and_messages_pass_unread() {
    let (mut world, a, b) = World::pair();
    assert_eq!(world.last(1), json!({"type": "peer-joined", "peerId": b, "pake": "share"}));
    assert_eq!(world.last(2)["peers"], json!([{"peerId": a}]));
    let text = format!(r#"{{ "to":"{b}", "type":"ice-candidate","from":"{a}","roomId":"{ROOM}" ,"x":1.50}}"#);
    world.relay.handle(world.now, ConnectionId(1), Input::Text(&text));
    assert_eq!(world.relay.poll_output(), Some(Output::Send { to: ConnectionId(2), text: text.into() }), "to the byte");
    world.say(2, offer(&b, &a));
    assert_eq!(world.last(1), offer(&b, &a));
}

#[test]
fn refusals_say_what_is_wrong_and_disturb_nobody() {
    let (mut world, a, b) = World::pair();
    let before = (world.received[&1].len(), world.received[&2].len());
    assert_eq!(code(&world.open(3)), "room-taken");
    assert_eq!(code(&world.join(3)), "room-full");
    let empty = "f".repeat(32);
    assert_eq!(code(&world.say(3, json!({"type": "join", "version": 1, "roomId": empty, "pake": ""}))), "nobody-here");
    assert_eq!(code(&world.say(3, json!({"type": "open", "version": 2, "roomId": empty}))), "version");
    assert_eq!(code(&world.say(3, json!({"type": "open", "version": 1, "roomId": "short"}))), "bad-message");
    assert_eq!(code(&world.say(3, json!({"type": "open", "version": 1}))), "bad-message");
    assert_eq!(code(&world.say(3, json!({"type": "dance"}))), "unknown-type");
    assert_eq!(code(&world.say(3, json!([1, 2]))), "bad-message");
    assert_eq!(code(&world.say(3, json!({"type": "leave-room"}))), "not-in-room");
    assert_eq!(code(&world.say(3, json!({"type": "dismiss", "peerId": b}))), "not-in-room");
    assert_eq!(code(&world.say(3, offer(&a, &b))), "not-in-room");
    assert_eq!(
        code(&world.say(3, json!({"type": "resume", "version": 1, "roomId": ROOM, "resume": "0"}))),
        "seat-gone"
    );
    world.input(3, Input::Text("{\"type\":"));
    assert_eq!(code(&world.last(3)), "bad-message");
    world.input(3, Input::Text(&"[".repeat(60_000)));
    assert_eq!(code(&world.last(3)), "bad-message");
    world.input(3, Input::Text(&" ".repeat(70_000)));
    assert_eq!(code(&world.last(3)), "too-large");
    world.input(3, Input::NotText);
    assert_eq!(code(&world.last(3)), "bad-message");
    world.input(99, Input::Text("{}"));
    assert!(!world.received.contains_key(&99));
    assert_eq!((world.received[&1].len(), world.received[&2].len()), before);
    assert_eq!(code(&world.open(1)), "already-in-room");
    assert_eq!(code(&world.say(1, offer(&b, &a))), "bad-message", "a false sender");
    assert_eq!(code(&world.say(1, offer(&a, &a))), "no-such-peer");
    assert_eq!(code(&world.say(1, offer(&a, "nobody"))), "no-such-peer");
    assert_eq!(code(&world.say(2, json!({"type": "dismiss", "peerId": a}))), "not-opener");
    assert_eq!(code(&world.say(1, json!({"type": "dismiss", "peerId": a}))), "no-such-peer");
}

#[test]
fn a_room_vanishes_with_its_last_member() {
    let (mut world, _, b) = World::pair();
    world.say(2, json!({"type": "leave-room"}));
    assert_eq!(world.last(1), json!({"type": "peer-left", "peerId": b, "reason": "left"}));
    assert_eq!(world.relay.rooms(), 1);
    world.input(1, Input::Closed);
    assert_eq!(world.relay.rooms(), 0);
    assert_eq!(code(&world.join(3)), "nobody-here");
    (2..=4).for_each(|id| world.input(id, Input::Closed));
    world.pass(Duration::from_secs(2));
    assert_eq!(world.relay.poll_timeout(), None, "an empty relay sleeps");
}

#[test]
fn who_says_goodbye_is_gone_at_once_and_who_breaks_off_after_twenty_seconds() {
    let (mut world, a, b) = World::pair();
    world.input(2, Input::Lost);
    world.pass(Duration::from_secs(19));
    world.input(1, Input::Alive);
    assert_eq!(world.last(1)["type"], "peer-joined");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.last(1), json!({"type": "peer-left", "peerId": b, "reason": "lost"}));
    let b = world.join(3)["peerId"].clone();
    world.input(1, Input::Closed);
    assert_eq!(world.last(3), json!({"type": "peer-left", "peerId": a, "reason": "left"}));
    assert_ne!(b, a);
}

#[test]
fn a_seat_is_resumed_while_the_old_connection_seems_alive() {
    let (mut world, a, b) = World::pair();
    let seat = world.received[&2][0].clone();
    // Sent into the dead connection: 2 never gets it.
    world.say(1, offer(&a, &b));
    let answer = world.say(3, resume(&seat, 0));
    assert_eq!(world.closed, [(2, CloseReason::TakenOver)]);
    let resumed = &world.received[&3][0];
    assert_eq!(
        (&resumed["type"], &resumed["peerId"], &resumed["resume"]),
        (&json!("resumed"), &json!(b), &seat["resume"])
    );
    assert_eq!(resumed["peers"], json!([{"peerId": a}]));
    assert_eq!(answer, offer(&a, &b), "what was lost is sent again");
    world.input(2, Input::Lost);
    world.say(3, offer(&b, &a));
    assert_eq!(world.last(1), offer(&b, &a));
    assert!(!world.received[&1].iter().any(|message| message["type"] == "peer-left"), "nobody noticed");
}

#[test]
fn a_resumed_seat_gets_what_it_missed_and_nothing_twice() {
    let (mut world, a, b) = World::pair();
    let seat = world.received[&1][0].clone();
    world.say(2, offer(&b, &a));
    world.input(1, Input::Lost);
    world.say(2, offer(&b, &a));
    world.say(2, json!({"type": "leave-room"}));
    // The opener has seen peer-joined and the first offer.
    world.say(3, resume(&seat, 2));
    let kinds: Vec<_> = world.received[&3].iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["resumed", "offer", "peer-left"]);
    assert_eq!(world.received[&3][0].get("missed"), None);
    world.say(3, offer(&a, &b));
    world.input(3, Input::Lost);
    let again = world.say(4, resume(&seat, 4));
    assert_eq!((&again["type"], &again["received"]), (&json!("resumed"), &json!(1)), "one message of ours arrived");
}

#[test]
fn what_is_kept_for_a_seat_is_bounded_and_gaps_are_told() {
    let (mut world, a, b) = World::pair();
    let seat = world.received[&1][0].clone();
    world.input(1, Input::Lost);
    for _ in 0..50 {
        world.say(2, offer(&b, &a));
    }
    world.say(3, resume(&seat, 1));
    assert_eq!(world.received[&3].len(), 1 + 32);
    assert_eq!(world.received[&3][0]["missed"], 18);
    let big = json!({"type": "offer", "roomId": ROOM, "from": b, "to": a, "sealed": "x".repeat(40_000)});
    world.input(3, Input::Lost);
    (0..10).for_each(|_| drop(world.say(2, big.clone())));
    world.say(4, resume(&seat, 51));
    assert_eq!(world.received[&4].len(), 1 + 1);
    assert_eq!(world.received[&4][0]["missed"], 9);
}

#[test]
fn a_lost_seat_is_not_kept_for_ever_and_its_room_can_be_opened_again() {
    let mut world = World::with_connections(3);
    let seat = world.open(1);
    world.input(1, Input::Lost);
    assert_eq!(world.open(2)["type"], "opened", "nobody is kept waiting for a broken connection");
    assert_eq!(code(&world.say(3, resume(&seat, 0))), "seat-gone");
    let seat = world.last(2);
    world.input(2, Input::Lost);
    world.pass(Duration::from_secs(21));
    assert_eq!(world.relay.rooms(), 0);
    world.input(4, Input::Connected);
    assert_eq!(code(&world.say(4, resume(&seat, 0))), "seat-gone");
}

#[test]
fn signs_of_life_count_as_messages_for_the_connection_and_for_where_it_comes_from() {
    let mut world = World::with_connections(1);
    (0..100).for_each(|_| world.input(1, Input::Alive));
    assert_eq!(world.outputs, 0);
    world.input(1, Input::Alive);
    assert_eq!(code(&world.last(1)), "too-fast");
    (0..600).for_each(|_| world.input(1, Input::Alive));
    assert_eq!(world.closed, [(1, CloseReason::Flooding)]);
    // Ten connections of one origin together.
    let mut world = World::new(RelayConfig::default());
    for id in 1..=10 {
        world.input(id, Input::ConnectedFrom(Origin(1)));
        (0..90).for_each(|_| world.input(id, Input::Alive));
    }
    world.input(11, Input::ConnectedFrom(Origin(2)));
    (0..90).for_each(|_| world.input(11, Input::Alive));
    assert_eq!((code(&world.last(10)), world.last(11)), ("too-fast", Value::Null));
}

#[test]
fn silence_is_asked_about_and_ended_after_thirty_seconds() {
    let (mut world, _, b) = World::pair();
    for _ in 0..5 {
        world.pass(Duration::from_secs(5));
        world.input(1, Input::Alive);
    }
    assert!(world.pinged.iter().filter(|id| **id == 2).count() >= 2 && !world.pinged.contains(&1));
    assert_eq!(world.closed, []);
    world.pass(Duration::from_secs(6));
    assert!(world.closed.contains(&(2, CloseReason::Silent)));
    assert_eq!(world.last(1), json!({"type": "peer-left", "peerId": b, "reason": "lost"}));
    assert_eq!(world.relay.connections(), 1);
}

#[test]
fn a_flood_is_refused_then_ended_and_reaches_nobody() {
    let (mut world, a, b) = World::pair();
    let flood = offer(&b, &a).to_string();
    for _ in 0..100 {
        (0..10).for_each(|_| world.input(2, Input::Text(&flood)));
        world.now += Duration::from_millis(1);
    }
    assert!(world.received[&1].len() <= 2 + 110, "{}", world.received[&1].len());
    assert_eq!(world.received[&2].iter().filter(|m| m["code"] == "too-fast").count(), 1, "no flood of complaints");
    assert_eq!(world.closed, [(2, CloseReason::Flooding)]);
    assert_eq!(world.open(3)["type"], "error");
}

#[test]
fn who_is_refused_because_too_much_of_it_comes_is_to_be_read_more_slowly() {
    let (mut world, a, b) = World::pair();
    let message = offer(&a, &b).to_string();
    world.now += Duration::from_secs(10);
    for input in [Input::Text(&message), Input::NotText] {
        let paces: Vec<_> = (0..110).map(|_| world.relay.handle(world.now, ConnectionId(1), input)).collect();
        assert_eq!(paces.iter().filter(|pace| **pace == Pace::AsItComes).count(), 100);
        assert_eq!(paces[100..], [Pace::Slower; 10]);
        world.now += Duration::from_secs(1);
    }
    world.drain();
}

#[test]
fn rooms_cannot_be_searched_through_quickly() {
    let mut world = World::with_connections(1);
    let tries: Vec<_> = (0..60)
        .map(|i| {
            let message = json!({"type": "join", "version": 1, "roomId": format!("{i:032x}"), "pake": ""});
            code(&world.say(1, message)).to_owned()
        })
        .collect();
    assert_eq!(tries.iter().filter(|code| *code == "nobody-here").count(), 20);
    assert_eq!(tries[59], "too-fast");
    world.pass(Duration::from_secs(1));
    assert_eq!(code(&world.join(1)), "nobody-here");
}

#[test]
fn guesses_from_one_place_slow_down_however_many_connections_it_opens() {
    let mut world = World::with_connections(1);
    assert_eq!(world.open(1)["type"], "opened");
    for id in 10..40 {
        world.input(id, Input::ConnectedFrom(Origin(7)));
    }
    world.input(50, Input::ConnectedFrom(Origin(8)));
    let guess = |id: u64| json!({"type": "join", "version": 1, "roomId": format!("{id:032x}"), "pake": "x"});
    let codes: Vec<_> = (10..40).map(|id| code(&world.say(id, guess(id))).to_owned()).collect();
    assert_eq!(codes.iter().filter(|code| *code == "nobody-here").count(), 20);
    assert_eq!(code(&world.join(10)), "too-fast", "a room that exists looks like one that does not");
    assert_eq!(code(&world.open(11)), "too-fast");
    world.input(10, Input::Closed);
    world.input(60, Input::ConnectedFrom(Origin(7)));
    assert_eq!(code(&world.join(60)), "too-fast", "another connection is no new beginning");
    assert_eq!(world.join(50)["type"], "joined", "somebody from elsewhere is not held up");
    world.pass(Duration::from_secs(3));
    assert_eq!(code(&world.join(60)), "room-full", "a third of a minute's guesses each second");
    assert_eq!(world.relay.counts().refused["too-fast"], 13);
}

#[test]
fn the_opener_dismisses_and_the_room_goes_on() {
    let (mut world, _, b) = World::pair();
    world.say(1, json!({"type": "dismiss", "peerId": b}));
    assert_eq!(code(&world.last(2)), "dismissed");
    assert_eq!(world.last(1), json!({"type": "peer-left", "peerId": b, "reason": "dismissed"}));
    assert_eq!(world.join(3)["type"], "joined");
    assert_eq!(code(&world.join(2)), "room-full", "who was dismissed may use its connection on");
}

#[test]
fn limits_of_rooms_and_seats_hold() {
    let mut world = World::new(RelayConfig { max_rooms: 1, room_size: 3, ..RelayConfig::default() });
    (1..=5).for_each(|id| world.input(id, Input::Connected));
    world.open(1);
    let other = json!({"type": "open", "version": 1, "roomId": "a".repeat(32)});
    assert_eq!(code(&world.say(2, other.clone())), "server-full");
    assert_eq!(world.join(2)["peers"].as_array().unwrap().len(), 1);
    assert_eq!(world.join(3)["peers"].as_array().unwrap().len(), 2);
    assert_eq!(code(&world.join(4)), "room-full");
    (1..=3).for_each(|id| world.input(id, Input::Closed));
    assert_eq!(world.say(4, other)["type"], "opened");
}

#[test]
fn ice_servers_are_handed_out() {
    let server =
        IceServer { urls: vec!["turn:t.example".into()], username: Some("u".into()), credential: Some("c".into()) };
    let mut world = World::new(RelayConfig { ice_servers: vec![server], ..RelayConfig::default() });
    world.input(1, Input::Connected);
    let expected = json!([{"urls": ["turn:t.example"], "username": "u", "credential": "c"}]);
    assert_eq!(world.open(1)["iceServers"], expected);
}

/// A step of the random test.
/// Credentials that show for which draw they were made.
#[derive(Debug)]
struct Numbered;

impl TurnAccess for Numbered {
    fn grant(&self, draw: u64) -> IceServer {
        IceServer { urls: vec!["turn:t.example".into()], username: Some(draw.to_string()), credential: None }
    }
}

#[test]
fn turn_credentials_are_made_anew_for_each_seat_and_each_resumption() {
    let stun = IceServer { urls: vec!["stun:s.example".into()], username: None, credential: None };
    let turn = Some(Arc::new(Numbered) as Arc<dyn TurnAccess>);
    let mut world = World::new(RelayConfig { ice_servers: vec![stun], turn, ..RelayConfig::default() });
    (1..=3).for_each(|id| world.input(id, Input::Connected));
    let opened = world.open(1);
    let joined = world.join(2);
    world.input(2, Input::Lost);
    let resume = json!({"type": "resume", "version": 1, "roomId": ROOM, "resume": joined["resume"], "received": 0});
    let resumed = world.say(3, resume);
    let users: BTreeSet<_> = [&opened, &joined, &resumed]
        .map(|seat| {
            assert_eq!(seat["iceServers"][0]["urls"][0], "stun:s.example", "{seat}");
            seat["iceServers"][1]["username"].as_str().unwrap().to_owned()
        })
        .into();
    assert_eq!(users.len(), 3, "{users:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Connect(u64),
    Close(u64),
    Lose(u64),
    Alive(u64),
    Odd(u64),
    Say(u64, usize, usize, usize),
    Text(u64, String),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..8u64;
    prop_oneof![
        3 => id.clone().prop_map(Step::Connect),
        1 => id.clone().prop_map(Step::Close),
        2 => id.clone().prop_map(Step::Lose),
        1 => id.clone().prop_map(Step::Alive),
        1 => id.clone().prop_map(Step::Odd),
        12 => (id.clone(), 0..9usize, 0..4usize, 0..16usize).prop_map(|(id, kind, room, peer)| Step::Say(id, kind, room, peer)),
        2 => (id, "[\\[\\]{}\":,a-z0-9 ]{0,40}|\\{\"type\":\"(open|join|offer|resume|dismiss)\"[^}]{0,30}\\}").prop_map(|(id, text)| Step::Text(id, text)),
        2 => (0..40_000u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_order_of_messages_breaks_the_books(steps in prop::collection::vec(step(), 0..200), size in 2..4usize) {
        let mut world = World::new(RelayConfig { max_rooms: 3, room_size: size, ..RelayConfig::default() });
        // What the relay gave out so far, to be used by anybody, rightly or not.
        let (mut peers, mut tokens, mut seen) = (vec!["nobody".to_owned()], vec!["none".to_owned()], BTreeMap::new());
        let kinds = ["open", "join", "resume", "dismiss", "offer", "answer", "ice-candidate", "leave-room", "nonsense"];
        for step in steps {
            let before = world.outputs;
            match step {
                Step::Connect(id) => world.input(id, Input::Connected),
                Step::Close(id) => world.input(id, Input::Closed),
                Step::Lose(id) => world.input(id, Input::Lost),
                Step::Alive(id) => world.input(id, Input::Alive),
                Step::Odd(id) => world.input(id, Input::NotText),
                Step::Text(id, text) => world.input(id, Input::Text(&text)),
                Step::Pass(ms) => world.pass(Duration::from_millis(ms)),
                Step::Say(id, kind, room, peer) => {
                    let me = seen.get(&id).cloned().unwrap_or_default();
                    world.say(id, json!({
                        "type": kinds[kind], "version": 1, "roomId": format!("{room:032x}"), "pake": "x",
                        "resume": tokens[peer % tokens.len()], "received": peer, "peerId": peers[peer % peers.len()],
                        "from": me, "to": peers[peer % peers.len()],
                    }));
                }
            }
            // A step tells each seat at most once, besides what is kept for a resumed seat and a sweep's worth of goodbyes.
            prop_assert!(world.outputs - before <= 40 * 8);
            for (id, messages) in &mut world.received {
                for message in messages.drain(..) {
                    if let Some(token) = message["resume"].as_str() {
                        tokens.push(token.to_owned());
                        peers.push(message["peerId"].as_str().unwrap().to_owned());
                        seen.insert(*id, message["peerId"].as_str().unwrap().to_owned());
                    }
                }
            }
        }
        world.pass(Duration::from_secs(120));
        prop_assert_eq!((world.relay.rooms(), world.relay.connections()), (0, 0), "everything silent is gone");
    }
}
