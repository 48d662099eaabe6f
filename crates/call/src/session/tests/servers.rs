//! Signaling servers of the fake world that stop, come back and forget; and what a client does about it.

use super::super::*;
use super::world::{LINK, Leg, World};
use visavis_media::{PeerId, RoomId};
use visavis_signaling::{
    ClientMessage, ErrorCode, Input as RelayInput, PROTOCOL_VERSION, Relay, RelayConfig, ResumeToken, ServerMessage,
};

/// What a client remembers to take a seat over, or to ask for one again.
#[derive(Default)]
pub(super) struct Client {
    asked: Option<(RoomId, String)>,
    seat: Option<(RoomId, ResumeToken)>,
    received: u64,
}

impl Client {
    pub(super) fn says(&mut self, message: &ClientMessage, text: &str) {
        match message {
            ClientMessage::Open { room_id, .. } | ClientMessage::Join { room_id, .. } => {
                self.asked = Some((room_id.clone(), text.to_owned()));
            }
            ClientMessage::LeaveRoom => *self = Self::default(),
            _ => {}
        }
    }

    pub(super) fn hears(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Opened(seat) | ServerMessage::Joined(seat) => {
                if let Some((room, _)) = self.asked.take() {
                    (self.seat, self.received) = (Some((room, seat.resume.clone())), 0);
                }
            }
            ServerMessage::Resumed(seat) => self.received += seat.missed,
            ServerMessage::Error {
                code: ErrorCode::SeatGone | ErrorCode::Dismissed | ErrorCode::NotInRoom, ..
            } => {
                self.seat = None;
            }
            ServerMessage::Error { .. } => self.asked = None,
            ServerMessage::Unknown => {}
            _ => self.received += 1,
        }
    }

    /// What it says first on a new connection.
    fn greeting(&self) -> Option<String> {
        let resume = self.seat.clone().map(|(room_id, resume)| {
            ClientMessage::Resume { version: PROTOCOL_VERSION, room_id, resume, received: self.received }.to_json()
        });
        resume.or_else(|| self.asked.clone().map(|(_, text)| text))
    }
}

impl World {
    /// The first relay is gone, with all that it knew; another one, which knows nothing, is ready in its place.
    pub(super) fn restart_server(&mut self) {
        // Names and tokens that were never given before.
        let mut seed = [0x55; 32];
        seed[..8].copy_from_slice(&self.connect(0).0.to_be_bytes());
        self.relays[0] = Relay::new(RelayConfig::default(), seed);
        for i in 0..self.people.len() {
            self.people[i].connections.remove(&LINK);
            self.input(i, Input::LinkDown(LINK, "connection reset".into()));
        }
    }

    /// Somebody's connection to the first relay breaks, and the relay notices.
    pub(super) fn cut_off(&mut self, i: usize) {
        if let Some((relay, connection)) = self.people[i].connections.remove(&LINK) {
            self.relays[relay].handle(self.now, connection, RelayInput::Lost);
        }
        self.input(i, Input::LinkDown(LINK, "connection reset".into()));
    }

    /// Somebody's client is connected to the first relay again, unless it is already.
    pub(super) fn reach_server(&mut self, i: usize) {
        if self.people[i].connections.contains_key(&LINK) {
            return;
        }
        let connection = self.connect(0);
        self.people[i].connection = connection;
        self.people[i].connections.insert(LINK, (0, connection));
        let now = self.now;
        // The client greets before anybody can say anything on the new connection.
        if let Some(text) = self.people[i].client.greeting() {
            self.put(Leg::From(i), &text);
        }
        self.people[i].session.handle(now, Input::LinkUp(LINK));
        self.settle();
    }

    /// Seats of broken connections are given up; everybody else shows that they are there.
    pub(super) fn seats_expire(&mut self) {
        for _ in 0..25 {
            self.pass(Duration::from_secs(1));
            for person in &self.people {
                if let Some((relay, connection)) = person.connections.get(&LINK) {
                    self.relays[*relay].handle(self.now, *connection, RelayInput::Alive);
                }
            }
            self.relays[0].handle_timeout(self.now);
            self.settle();
        }
    }

    /// Our name and theirs, as somebody in a call knows them.
    pub(super) fn names(&mut self, i: usize) -> [PeerId; 2] {
        let Stage::Talking(talk) = &self.people[i].session.stage else { panic!("person {i} is in no call") };
        [talk.seats.me().clone(), talk.seats.them().clone()]
    }

    /// Whether both know where the other one sits, and can be told something there.
    pub(super) fn are_seated(&mut self) -> bool {
        let good = |w: &Self, i: usize| matches!(&w.people[i].session.stage, Stage::Talking(talk) if talk.signaling);
        if !(good(self, 0) && good(self, 1)) {
            return false;
        }
        let [[a, b], [c, d]] = [self.names(0), self.names(1)];
        a != c && a == d && b == c
    }
}
