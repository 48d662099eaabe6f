//! Several sessions, a real relay core between them, peer connections that always work, and a hand-moved clock.

use super::super::*;
use super::servers::Client;
use crate::api::{EndReason, Path, Phase};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use visavis_signaling::{ConnectionId, Input as RelayInput, Output as RelayOutput, Relay, RelayConfig, ServerMessage};

/// What stands in for a peer connection.
#[derive(Default)]
struct FakePeer {
    offered: bool,
    answered: bool,
    remote: Option<Vec<u8>>,
    connected: bool,
    /// DTLS does not come to an end on it.
    stuck: bool,
    pub commands: Vec<PeerCommand>,
}

pub(super) struct Person {
    pub session: Session,
    /// To the first relay.
    pub connection: ConnectionId,
    /// What their client remembers of it.
    pub(super) client: Client,
    /// All of them: which link leads to which relay.
    pub(super) connections: BTreeMap<LinkId, (usize, ConnectionId)>,
    /// Relays that a search finds, those of others' apps.
    pub nearby: Vec<usize>,
    /// The relay inside this person's app.
    pub own: Option<usize>,
    next_link: u32,
    peers: BTreeMap<PeerKey, FakePeer>,
    pub events: Vec<Event>,
    pub media: bool,
    pub starts: u32,
    /// Messages of ours are not delivered.
    pub gagged: bool,
    pub fingerprint: u8,
    /// What DTLS is said to have used instead of what was announced.
    pub forged: Option<Vec<u8>>,
    /// So many connections from now on are stuck in DTLS.
    pub stuck: u32,
    /// Their descriptions name generations of ICE, as the real ones do; so many were named.
    pub generations: Option<u32>,
    /// Their connection takes its time to answer an offer: for the test to say.
    pub slow: bool,
    /// The servers that their last connection was made with.
    pub servers: Vec<visavis_signaling::IceServer>,
    /// Their TURN server refuses each new connection at once, in these words.
    pub refused: Option<String>,
}

pub(super) struct World {
    pub now: Instant,
    pub(super) relays: Vec<Relay>,
    pub people: Vec<Person>,
    next_connection: u64,
    /// Control messages on their way to somebody whose channel is not open yet.
    on_the_way: Vec<(usize, String)>,
    watchdog: bool,
    /// Nothing gets from one connection to the other.
    pub cut: bool,
    /// Who sits between the people and the relay.
    pub mallory: Option<Mallory>,
}

/// A message on its way between somebody and the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    From(usize),
    To(usize),
}

/// What becomes of a message on a leg: any messages on any legs, none of which is asked about again.
pub(super) type Mallory = Box<dyn FnMut(Leg, &Value) -> Vec<(Leg, Value)>>;

pub(super) const LINK: LinkId = LinkId(1);

/// What offers of connections tell ahead.
pub(super) const TOLD: &str = "a=x-visavis-dtls-cookie:00\r\n";

pub(super) fn sdp(fingerprint: u8) -> String {
    let digits = vec![format!("{fingerprint:02X}"); 32].join(":");
    format!("v=0\r\na=fingerprint:sha-256 {digits}\r\n")
}

/// Derived once for each code in all tests: it is slow on purpose.
pub(super) fn secret(code: &RoomCode) -> PakeSecret {
    static SECRETS: Mutex<BTreeMap<String, PakeSecret>> = Mutex::new(BTreeMap::new());
    let known = |s: &BTreeMap<String, PakeSecret>| s.get(&code.to_string()).cloned();
    if let Some(secret) = known(&SECRETS.lock().unwrap_or_else(PoisonError::into_inner)) {
        return secret;
    }
    let secret = PakeSecret::derive(code);
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).insert(code.to_string(), secret.clone());
    secret
}

impl World {
    pub(super) fn new(count: usize) -> Self {
        Self::with_watchdog(count, true)
    }

    pub(super) fn with_watchdog(count: usize, watchdog: bool) -> Self {
        let mut world = Self {
            watchdog,
            cut: false,
            now: Instant::now(),
            relays: vec![Relay::new(RelayConfig::default(), [7; 32])],
            people: Vec::new(),
            mallory: None,
            next_connection: 0,
            on_the_way: Vec::new(),
        };
        for _ in 0..count {
            world.add_person();
        }
        world
    }

    pub(super) fn add_person(&mut self) -> usize {
        let i = self.people.len();
        let me =
            Me { name: format!("person {i}"), muted: false, video_on: true, camera_works: true, sound_only: false };
        let mut session = Session::new(me, self.watchdog);
        let connection = self.connect(0);
        let kind = LinkKind::Configured { url: "wss://server.example".into() };
        session.handle(self.now, Input::LinkAdded(LINK, LinkInfo { kind, host: "server.example".into() }));
        session.handle(self.now, Input::LinkUp(LINK));
        let person = Person {
            session,
            connection,
            client: Client::default(),
            connections: BTreeMap::from([(LINK, (0, connection))]),
            nearby: Vec::new(),
            own: None,
            next_link: LINK.0,
            peers: BTreeMap::new(),
            events: Vec::new(),
            media: false,
            starts: 0,
            gagged: false,
            fingerprint: i as u8 + 1,
            forged: None,
            stuck: 0,
            generations: None,
            slow: false,
            servers: Vec::new(),
            refused: None,
        };
        self.people.push(person);
        i
    }

    pub(super) fn connect(&mut self, relay: usize) -> ConnectionId {
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        self.relays[relay].handle(self.now, id, RelayInput::Connected);
        id
    }

    /// Another signaling server, which nobody is connected to.
    pub(super) fn add_relay(&mut self) -> usize {
        self.relays.push(Relay::new(RelayConfig::default(), [self.relays.len() as u8; 32]));
        self.relays.len() - 1
    }

    /// Somebody whose only server is the one inside their app.
    pub(super) fn add_host(&mut self) -> usize {
        let i = self.add_person();
        self.input(i, Input::LinkGone(LINK, "not configured".into()));
        self.people[i].connections.remove(&LINK);
        self.people[i].own = Some(self.add_relay());
        i
    }

    /// Connects somebody to a relay; they hear of it at once.
    pub(super) fn add_link(&mut self, i: usize, relay: usize, kind: LinkKind) -> LinkId {
        let connection = self.connect(relay);
        let person = &mut self.people[i];
        person.next_link += 1;
        let id = LinkId(person.next_link);
        person.connections.insert(id, (relay, connection));
        person.session.handle(self.now, Input::LinkAdded(id, LinkInfo { kind, host: format!("relay {relay}") }));
        person.session.handle(self.now, Input::LinkUp(id));
        id
    }

    fn remove_link(&mut self, i: usize, id: LinkId) {
        if let Some((relay, connection)) = self.people[i].connections.remove(&id) {
            self.relays[relay].handle(self.now, connection, RelayInput::Closed);
            self.people[i].session.handle(self.now, Input::LinkGone(id, "not needed any more".into()));
        }
    }

    /// How many connections a relay has.
    pub(super) fn connections_of(&self, relay: usize) -> usize {
        self.relays[relay].connections()
    }

    /// A message on a leg of the configured server, after whoever sits between.
    fn deliver(&mut self, leg: Leg, text: &str) {
        let Some(mut mallory) = self.mallory.take() else { return self.put(leg, text) };
        let made = mallory(leg, &serde_json::from_str(text).expect("both say JSON"));
        self.mallory = Some(mallory);
        for (leg, message) in made {
            self.put(leg, &message.to_string());
        }
    }

    /// A message at the end of its leg.
    pub(super) fn put(&mut self, leg: Leg, text: &str) {
        match leg {
            Leg::From(i) => {
                if let Some((relay, connection)) = self.people[i].connections.get(&LINK).copied() {
                    self.relays[relay].handle(self.now, connection, RelayInput::Text(text));
                }
            }
            Leg::To(i) => {
                if let Ok(message) = serde_json::from_str::<ServerMessage>(text) {
                    self.people[i].client.hears(&message);
                    self.people[i].session.handle(self.now, Input::Received(LINK, message));
                }
            }
        }
    }

    pub(super) fn command(&mut self, i: usize, command: Command) {
        let now = self.now;
        self.people[i].session.handle(now, Input::Command(command));
        self.settle();
    }

    pub(super) fn input(&mut self, i: usize, input: Input) {
        let now = self.now;
        self.people[i].session.handle(now, input);
        self.settle();
    }

    /// Lets time pass in steps of whatever is due.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let due = self.people.iter().filter_map(|p| p.session.poll_timeout()).filter(|at| *at <= end).min();
            let Some(due) = due else { break };
            self.now = self.now.max(due);
            let now = self.now;
            for person in &mut self.people {
                person.session.handle_timeout(now);
            }
            self.settle();
        }
        self.now = end;
    }

    /// Carries everything out until nobody has anything to say.
    pub(super) fn settle(&mut self) {
        let mut steps = 0;
        loop {
            let mut busy = false;
            for i in 0..self.people.len() {
                while let Some(output) = self.people[i].session.poll_output() {
                    busy = true;
                    self.carry_out(i, output);
                }
            }
            while let Some(output) = self.relays.iter_mut().find_map(Relay::poll_output) {
                busy = true;
                let place = |p: &Person, to| p.connections.iter().find(|(_, c)| c.1 == to).map(|(id, _)| *id);
                if let RelayOutput::Send { to, text } = output
                    && let Some((i, link)) = self.people.iter().enumerate().find_map(|(i, p)| Some((i, place(p, to)?)))
                {
                    if link == LINK {
                        self.deliver(Leg::To(i), &text);
                    } else if let Ok(message) = serde_json::from_str::<ServerMessage>(&text) {
                        let now = self.now;
                        self.people[i].session.handle(now, Input::Received(link, message));
                    }
                }
            }
            if !busy {
                return;
            }
            steps += 1;
            assert!(steps < 10_000, "they never come to rest");
        }
    }

    fn carry_out(&mut self, i: usize, output: Output) {
        match output {
            Output::LookUp(_) | Output::Probe(_) => {}
            Output::Serve { look, .. } => {
                if let Some(relay) = self.people[i].own {
                    self.add_link(i, relay, LinkKind::Own { addresses: Vec::new() });
                }
                if look {
                    self.look_around(i);
                }
            }
            Output::Release { keep } => {
                let others = self.people[i].connections.keys().copied().filter(|id| *id != LINK && Some(*id) != keep);
                for id in others.collect::<Vec<_>>() {
                    self.remove_link(i, id);
                }
            }
            Output::Search(_) => {
                self.look_around(i);
                self.people[i].session.handle(self.now, Input::SearchOver);
            }
            Output::Derive(code) => {
                let secret = secret(&code);
                self.people[i].session.handle(self.now, Input::Secret(code, secret));
            }
            Output::Send(link, message) => {
                let Some((relay, connection)) = self.people[i].connections.get(&link).copied() else { return };
                if !self.people[i].gagged {
                    let text = message.to_json();
                    if link == LINK {
                        self.people[i].client.says(&message, &text);
                        self.deliver(Leg::From(i), &text);
                    } else {
                        self.relays[relay].handle(self.now, connection, RelayInput::Text(&text));
                    }
                }
            }
            Output::PeerNew(key, servers) => {
                let person = &mut self.people[i];
                let stuck = person.stuck > 0;
                person.stuck -= u32::from(stuck);
                person.servers = servers;
                let before = person.peers.insert(key, FakePeer { stuck, ..FakePeer::default() });
                assert!(before.is_none(), "a key was used twice");
                if let Some(words) = person.refused.clone() {
                    person.session.handle(self.now, Input::Peer(key, PeerEvent::RelayTrouble(words)));
                }
            }
            Output::PeerDo(key, command) => self.peer_do(i, key, command),
            Output::PeerDrop(key) => {
                let closed = self.people[i].peers.remove(&key);
                if closed.is_some_and(|p| p.connected) {
                    self.close_far_end(i);
                }
                // What a closed connection had not delivered yet is lost; it cannot reach the next one.
                self.on_the_way.retain(|(from, _)| *from != i);
            }
            Output::MediaStart(_) => {
                let person = &mut self.people[i];
                assert!(!std::mem::replace(&mut person.media, true), "two calls at once");
                person.starts += 1;
            }
            Output::MediaStop => assert!(std::mem::take(&mut self.people[i].media)),
            Output::Tell(event) => self.people[i].events.push(event),
        }
    }

    fn look_around(&mut self, i: usize) {
        for relay in self.people[i].nearby.clone() {
            self.add_link(i, relay, LinkKind::LocalNetwork);
        }
    }

    /// A new description of somebody's.
    pub(super) fn description(&mut self, i: usize) -> String {
        let person = &mut self.people[i];
        let generation = person.generations.as_mut().map(|count| {
            *count += 1;
            format!("a=ice-ufrag:{i}-{count}\r\n")
        });
        sdp(person.fingerprint) + &generation.unwrap_or_default()
    }

    fn peer_do(&mut self, i: usize, key: PeerKey, command: PeerCommand) {
        let (mine, slow) = (self.description(i), self.people[i].slow);
        let Some(peer) = self.people[i].peers.get_mut(&key) else { return };
        peer.commands.push(command.clone());
        let mut events = Vec::new();
        match command {
            PeerCommand::CreateOffer { .. } => {
                peer.offered = true;
                events.push(PeerEvent::Offer(mine + TOLD));
                let json = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.9 5000 typ host"}"#.to_owned();
                events.push(PeerEvent::Candidate { json, loopback: false });
            }
            PeerCommand::AcceptOffer(remote) => {
                peer.remote = fingerprint_of(&remote);
                peer.answered = true;
                events.extend((!slow).then_some(PeerEvent::Answer(mine)));
            }
            PeerCommand::AcceptAnswer(remote) => {
                peer.remote = fingerprint_of(&remote);
                peer.answered = true;
            }
            PeerCommand::AddCandidate(_) => {}
            PeerCommand::Stage(number) => events.push(PeerEvent::Staged(number, mine)),
            PeerCommand::Switch(_) => {
                let json = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.9 5000 typ host"}"#.to_owned();
                events.push(PeerEvent::Candidate { json, loopback: false });
            }
            PeerCommand::SendControl(text) => {
                if peer.connected && !self.cut {
                    self.deliver_control(i, &text);
                }
                return;
            }
        }
        for event in events {
            self.people[i].session.handle(self.now, Input::Peer(key, event));
        }
        self.join_up();
        for (from, text) in std::mem::take(&mut self.on_the_way) {
            self.deliver_control(from, &text);
        }
    }

    /// Connections whose ends both know each other's description stand.
    fn join_up(&mut self) {
        let ready = |p: &Person, key: &PeerKey, from: u8| {
            p.peers.get(key).is_some_and(|q| q.answered && q.remote == Some(vec![from; 32]))
        };
        let keys: Vec<_> = (0..self.people.len())
            .flat_map(|i| self.people[i].peers.iter().filter(|(_, p)| !p.connected).map(move |(k, _)| (i, *k)))
            .collect();
        for (i, key) in &keys {
            let mine = self.people[*i].fingerprint;
            let other = keys.iter().map(|(j, _)| &self.people[*j]).find(|other| {
                ready(&self.people[*i], key, other.fingerprint) && other.peers.keys().any(|k| ready(other, k, mine))
            });
            let Some(theirs) = other.map(|other| vec![other.fingerprint; 32]) else { continue };
            let person = &mut self.people[*i];
            let theirs = person.forged.clone().unwrap_or(theirs);
            let peer = person.peers.get_mut(key).expect("it was there");
            if peer.stuck {
                person.session.handle(self.now, Input::Peer(*key, PeerEvent::IceConnected));
                continue;
            }
            peer.connected = true;
            let connected = PeerEvent::Connected { mine: vec![mine; 32], theirs, path: Path::Direct };
            for event in [PeerEvent::IceConnected, connected, PeerEvent::ControlOpen] {
                self.people[*i].session.handle(self.now, Input::Peer(*key, event));
            }
        }
    }

    /// DTLS tells the other end that a connection was closed.
    fn close_far_end(&mut self, i: usize) {
        if self.cut {
            return;
        }
        let print = vec![self.people[i].fingerprint; 32];
        for person in &mut self.people {
            let there = person.peers.iter().find(|(_, p)| p.connected && p.remote.as_ref() == Some(&print));
            if let Some(key) = there.map(|(key, _)| *key) {
                person.session.handle(self.now, Input::Peer(key, PeerEvent::TheyClosed));
            }
        }
    }

    /// Who is connected to somebody with this fingerprint hears it; what comes too early waits, as SCTP has it.
    fn deliver_control(&mut self, from: usize, text: &str) {
        let print = vec![self.people[from].fingerprint; 32];
        let now = self.now;
        let mut heard = false;
        for person in &mut self.people {
            let connected = |p: &FakePeer| p.connected && p.remote.as_ref() == Some(&print);
            let key = person.peers.iter().find(|(_, p)| connected(p)).map(|(k, _)| *k);
            if let Some(key) = key {
                heard = true;
                person.session.handle(now, Input::Peer(key, PeerEvent::Control(text.to_owned())));
            }
        }
        if !heard {
            self.on_the_way.push((from, text.to_owned()));
        }
    }

    /// What somebody's call would seal now, and nobody sends yet.
    pub(super) fn sealed_by(
        &mut self,
        i: usize,
        seal: impl FnOnce(&mut talk::Talk, &mut VecDeque<Output>),
    ) -> Vec<Output> {
        let mut outputs = VecDeque::new();
        let Stage::Talking(talk) = &mut self.people[i].session.stage else { panic!("person {i} is in no call") };
        seal(talk, &mut outputs);
        outputs.into()
    }

    /// Sends it.
    pub(super) fn send_sealed(&mut self, i: usize, sealed: Vec<Output>) {
        for output in sealed {
            self.carry_out(i, output);
        }
        self.settle();
    }

    pub(super) fn phase(&self, i: usize) -> Phase {
        self.people[i].session.phase()
    }

    pub(super) fn code(&self, i: usize) -> RoomCode {
        match self.phase(i) {
            Phase::Waiting(waiting) => waiting.code,
            other => panic!("person {i} does not wait: {other:?}"),
        }
    }

    pub(super) fn in_call(&self, i: usize) -> bool {
        matches!(self.phase(i), Phase::InCall(_)) && self.people[i].media
    }

    pub(super) fn reason(&self, i: usize) -> Option<EndReason> {
        match self.phase(i) {
            Phase::Ended(ended) => Some(ended.reason),
            _ => None,
        }
    }

    pub(super) fn peer_count(&self, i: usize) -> usize {
        self.people[i].peers.len()
    }

    pub(super) fn commands_of(&self, i: usize) -> Vec<PeerCommand> {
        self.people[i].peers.values().flat_map(|p| p.commands.clone()).collect()
    }

    pub(super) fn key_of(&self, i: usize) -> PeerKey {
        *self.people[i].peers.keys().next_back().expect("a peer connection")
    }

    /// Somebody's connection to the server breaks for good.
    pub(super) fn vanish(&mut self, i: usize) {
        let connection = self.people[i].connection;
        self.relays[0].handle(self.now, connection, RelayInput::Lost);
        let new = self.connect(0);
        self.people[i].connection = new;
        self.people[i].connections.insert(LINK, (0, new));
        self.settle();
    }

    /// A connection to the first relay of somebody who is no session.
    pub(super) fn stranger(&mut self) -> ConnectionId {
        self.connect(0)
    }

    /// Says something to the first relay as somebody who is no session.
    pub(super) fn say(&mut self, who: ConnectionId, text: &str) {
        self.say_at(0, who, text);
    }

    /// A connection to any relay of somebody who is no session.
    pub(super) fn stranger_at(&mut self, relay: usize) -> ConnectionId {
        self.connect(relay)
    }

    pub(super) fn say_at(&mut self, relay: usize, who: ConnectionId, text: &str) {
        self.relays[relay].handle(self.now, who, RelayInput::Text(text));
        self.settle();
    }
}
