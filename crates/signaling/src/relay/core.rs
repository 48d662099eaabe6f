//! The relay itself: who is connected, who sits where, and what each message does.

use super::budget::Budget;
use super::origins::Origins;
use super::reading::Request;
use super::room::{Room, SeatState, text};
use super::{CloseReason, ConnectionId, Input, Origin, Output, Pace, RelayConfig};
use crate::message::{ErrorCode, LeaveReason, MAX_MESSAGE, MAX_MESSAGES_PER_SECOND, ServerMessage};
use crate::pake::Share;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::{PeerId, RoomId};

/// A connection without a sign of life for so long is dropped, and its seat with it.
const SILENCE: Duration = Duration::from_secs(30);
/// A connection is asked for a sign of life after so much silence: twice before it is dropped.
const PING_AFTER: Duration = Duration::from_secs(12);
/// How long the seat of a broken connection is kept. Long enough to change from one network to another.
const SEAT_KEPT: Duration = Duration::from_secs(20);
/// How often time-outs are looked for; the cost of one look grows with the number of connections.
const SWEEP: Duration = Duration::from_secs(1);
/// Rooms that one connection may try to enter at once, and each second: it slows down who searches for rooms.
const ENTRIES: (u32, u32) = (20, 2);
/// Refused messages after which a connection is ended: at once, and per second.
const PATIENCE: (u32, u32) = (500, 50);
/// "Too fast" is said once in this time, so that a flood is not answered by a flood.
const COMPLAINT_EVERY: Duration = Duration::from_secs(1);
/// Bytes kept for all seats together.
const MOST_BYTES_KEPT: usize = 64 * 1024 * 1024;

/// The rules of a signaling server, without sockets, threads or a clock.
///
/// The caller feeds [`Relay::handle`] with what connections do, empties [`Relay::poll_output`] after each call, and calls
/// [`Relay::handle_timeout`] when [`Relay::poll_timeout`] says so. The relay knows neither addresses nor codes: only room
/// ids, seats and sealed messages, which it passes on as they came.
///
/// A room vanishes with its last seat. A seat goes at once when its owner leaves or says good-bye, 20 s after its
/// connection broke, and 30 s after the last sign of life; until then [`ClientMessage::Resume`] takes it over, and what was
/// sent to it meanwhile is sent again.
///
/// ```
/// use std::time::Instant;
/// use visavis_signaling::{ConnectionId, Input, Output, Relay, RelayConfig};
///
/// let (mut relay, now) = (Relay::new(RelayConfig::default(), [7; 32]), Instant::now());
/// relay.handle(now, ConnectionId(1), Input::Connected);
/// let open = r#"{"type":"open","version":1,"roomId":"0123456789abcdef0123456789abcdef"}"#;
/// relay.handle(now, ConnectionId(1), Input::Text(open));
/// let Some(Output::Send { text, .. }) = relay.poll_output() else { panic!("no answer") };
/// assert!(text.starts_with(r#"{"type":"opened""#));
/// ```
///
/// [`ClientMessage::Resume`]: crate::ClientMessage::Resume
pub struct Relay {
    pub(super) config: RelayConfig,
    pub(super) random: StdRng,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) outputs: VecDeque<Output>,
    /// Bytes in all outboxes.
    pub(super) kept: usize,
    pub(super) origins: Origins,
    pub(super) counts: RelayCounts,
    next_sweep: Option<Instant>,
}

/// What a relay has done since its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayCounts {
    /// Rooms opened.
    pub opened: u64,
    /// Seats taken in a room of somebody else.
    pub joined: u64,
    /// Seats taken over.
    pub resumed: u64,
    /// Sealed messages passed on.
    pub passed: u64,
    /// Refusals, by the code told.
    pub refused: BTreeMap<String, u64>,
}

pub(super) struct Connection {
    pub(super) origin: Option<Origin>,
    heard: Instant,
    pinged: Instant,
    messages: Budget,
    pub(super) entries: Budget,
    patience: Budget,
    complained: Option<Instant>,
    pub(super) place: Option<Place>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens and room ids are not for logs.
        write!(f, "Relay({} rooms, {} connections)", self.rooms.len(), self.connections.len())
    }
}

/// Where a connection sits.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) room: RoomId,
    pub(super) peer: PeerId,
}

impl Relay {
    /// An empty relay. Seats' names and tokens are drawn from `seed`, which must be unpredictable outside tests.
    pub fn new(config: RelayConfig, seed: [u8; 32]) -> Self {
        Self {
            origins: Origins::new(config.per_origin),
            counts: RelayCounts::default(),
            config,
            random: StdRng::from_seed(seed),
            connections: BTreeMap::new(),
            rooms: BTreeMap::new(),
            outputs: VecDeque::new(),
            kept: 0,
            next_sweep: None,
        }
    }

    /// Takes in what a connection did; tells how to read on.
    pub fn handle(&mut self, now: Instant, id: ConnectionId, input: Input<'_>) -> Pace {
        match input {
            Input::Connected => self.connected(now, id, None),
            Input::ConnectedFrom(origin) => self.connected(now, id, Some(origin)),
            Input::Text(text) => {
                if !self.may_speak(now, id, text.len()) {
                    return Pace::Slower;
                }
                self.message(now, id, text);
            }
            Input::Alive => {
                // Answered and worked off like a message, so that it counts as one.
                if !self.may_speak(now, id, 0) {
                    return Pace::Slower;
                }
            }
            Input::NotText => {
                if !self.may_speak(now, id, 0) {
                    return Pace::Slower;
                }
                self.error(id, ErrorCode::BadMessage, "messages are JSON text, not binary");
            }
            Input::Closed => self.disconnected(now, id, true),
            Input::Lost => self.disconnected(now, id, false),
        }
        Pace::AsItComes
    }

    /// What to do next; to be emptied after each call of another method.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Relay::handle_timeout`] is to be called; `None` while nobody is there.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_sweep
    }

    /// Ends what has lasted too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_sweep.is_some_and(|at| at <= now) {
            self.sweep(now);
            self.next_sweep = (!self.connections.is_empty() || !self.rooms.is_empty()).then(|| now + SWEEP);
        }
    }

    /// Rooms that exist.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Connections that are known.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Origins that are remembered.
    pub fn origins(&self) -> usize {
        self.origins.len()
    }

    /// What was done so far.
    pub fn counts(&self) -> &RelayCounts {
        &self.counts
    }

    fn connected(&mut self, now: Instant, id: ConnectionId, origin: Option<Origin>) {
        if self.connections.contains_key(&id) {
            return;
        }
        if let Some(origin) = origin {
            self.origins.arrived(now, origin);
        }
        let connection = Connection {
            origin,
            heard: now,
            pinged: now,
            messages: Budget::new(now, MAX_MESSAGES_PER_SECOND, MAX_MESSAGES_PER_SECOND),
            entries: Budget::new(now, ENTRIES.0, ENTRIES.1),
            patience: Budget::new(now, PATIENCE.0, PATIENCE.1),
            complained: None,
            place: None,
        };
        self.connections.insert(id, connection);
        self.next_sweep.get_or_insert(now + SWEEP);
    }

    /// Counts a message; false where it is one too many, or from somebody unknown.
    pub(super) fn may_speak(&mut self, now: Instant, id: ConnectionId, bytes: usize) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        connection.heard = now;
        let all = |origins: &mut Origins| connection.origin.is_none_or(|origin| origins.may_speak(now, origin, bytes));
        if connection.messages.take(now) && all(&mut self.origins) {
            return true;
        }
        if !connection.patience.take(now) {
            self.disconnected(now, id, false);
            self.outputs.push_back(Output::Close { connection: id, why: CloseReason::Flooding });
        } else if connection.complained.is_none_or(|at| now.saturating_duration_since(at) >= COMPLAINT_EVERY) {
            connection.complained = Some(now);
            self.error(
                id,
                ErrorCode::TooFast,
                &format!("at most {MAX_MESSAGES_PER_SECOND} messages a second are taken"),
            );
        }
        false
    }

    pub(super) fn message(&mut self, now: Instant, id: ConnectionId, text: &str) {
        if text.len() > MAX_MESSAGE {
            return self.error(id, ErrorCode::TooLarge, &format!("a message may have {MAX_MESSAGE} bytes at most"));
        }
        match Request::read(text) {
            Err((code, sentence)) => self.error(id, code, &sentence),
            Ok(Request::Open { room }) => self.open(now, id, RoomId::new(room)),
            Ok(Request::Join { room, share }) => self.join(now, id, &RoomId::new(room), &Share::from_text(share)),
            Ok(Request::Resume { room, token, received }) => self.resume(now, id, RoomId::new(room), &token, received),
            Ok(Request::Dismiss { peer }) => self.dismiss(now, id, &peer),
            Ok(Request::Relay { room, from, to }) => self.relay(now, id, [&room, &from, &to], text),
            Ok(Request::Leave) => match self.connections.get_mut(&id).and_then(|connection| connection.place.take()) {
                Some(place) => self.leave(now, &place, LeaveReason::Left),
                None => self.error(id, ErrorCode::NotInRoom, "you are in no room"),
            },
        }
    }

    fn relay(&mut self, now: Instant, id: ConnectionId, [room_id, from, to]: [&str; 3], text: &str) {
        let Some(place) = self.place(id) else {
            return self.error(id, ErrorCode::NotInRoom, "you are in no room");
        };
        let Some(room) = self.rooms.get_mut(&place.room) else { return };
        if let Some(seat) = room.seat(place.peer.as_str()) {
            // Counted whether or not it is passed on: a client that resumes needs to know what arrived, not what became of it.
            seat.received += 1;
        }
        if room_id != place.room.as_str() || from != place.peer.as_str() {
            return self.error(id, ErrorCode::BadMessage, "“roomId” and “from” must be those of your own seat");
        }
        if to == from || room.seat(to).is_none() {
            return self.error(id, ErrorCode::NoSuchPeer, "nobody of this name is in the room");
        }
        self.counts.passed += 1;
        self.deliver(now, &place.room, to, &text.into());
    }

    fn disconnected(&mut self, now: Instant, id: ConnectionId, said_goodbye: bool) {
        let Some(place) = self.forget(id) else { return };
        if said_goodbye {
            self.leave(now, &place, LeaveReason::Left);
        } else if let Some(seat) = self.rooms.get_mut(&place.room).and_then(|room| room.seat(place.peer.as_str())) {
            seat.state = SeatState::Lost(now);
        }
    }

    /// A connection is gone; where it sat.
    pub(super) fn forget(&mut self, id: ConnectionId) -> Option<Place> {
        let connection = self.connections.remove(&id)?;
        if let Some(origin) = connection.origin {
            self.origins.left(origin);
        }
        connection.place
    }

    fn sweep(&mut self, now: Instant) {
        self.origins.forget(now);
        let since = |at: Instant| now.saturating_duration_since(at);
        let mut silent = Vec::new();
        for (&id, connection) in &mut self.connections {
            if since(connection.heard) >= SILENCE {
                silent.push(id);
            } else if since(connection.heard) >= PING_AFTER && since(connection.pinged) >= PING_AFTER {
                connection.pinged = now;
                self.outputs.push_back(Output::Ping { to: id });
            }
        }
        for id in silent {
            if let Some(place) = self.forget(id) {
                self.leave(now, &place, LeaveReason::Lost);
            }
            self.outputs.push_back(Output::Close { connection: id, why: CloseReason::Silent });
        }
        let mut gone = Vec::new();
        for (room_id, room) in &mut self.rooms {
            for seat in &mut room.seats {
                let before = seat.outbox.bytes();
                seat.outbox.trim(now);
                self.kept -= before - seat.outbox.bytes();
                if matches!(seat.state, SeatState::Lost(at) if since(at) >= SEAT_KEPT) {
                    gone.push(Place { room: room_id.clone(), peer: seat.peer.clone() });
                }
            }
        }
        gone.iter().for_each(|place| self.leave(now, place, LeaveReason::Lost));
    }

    pub(super) fn place(&self, id: ConnectionId) -> Option<Place> {
        self.connections.get(&id)?.place.clone()
    }

    pub(super) fn tell_others(&mut self, now: Instant, room: &RoomId, peer: &PeerId, message: &ServerMessage) {
        let others = self.rooms.get(room).map(|room| room.others(peer)).unwrap_or_default();
        let message = text(message);
        others.iter().for_each(|other| self.deliver(now, room, other.peer_id.as_str(), &message));
    }

    /// Sends a message to a seat, and keeps it in case the connection turns out to be broken.
    fn deliver(&mut self, now: Instant, room: &RoomId, peer: &str, text: &Arc<str>) {
        let Some(seat) = self.rooms.get_mut(room).and_then(|room| room.seat(peer)) else { return };
        let before = seat.outbox.bytes();
        seat.outbox.push(now, text, MOST_BYTES_KEPT - self.kept.min(MOST_BYTES_KEPT));
        self.kept = self.kept + seat.outbox.bytes() - before;
        if let SeatState::Connected(to) = seat.state {
            self.send(to, text.clone());
        }
    }

    pub(super) fn send(&mut self, to: ConnectionId, text: Arc<str>) {
        self.outputs.push_back(Output::Send { to, text });
    }

    pub(super) fn error(&mut self, to: ConnectionId, code: ErrorCode, sentence: &str) {
        match self.counts.refused.get_mut(code.as_str()) {
            Some(count) => *count += 1,
            None => drop(self.counts.refused.insert(code.as_str().to_owned(), 1)),
        }
        self.send(to, text(&ServerMessage::Error { code, message: sentence.to_owned() }));
    }

    /// Fails where the relay's books disagree with each other.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut kept = 0;
        for (room_id, room) in &self.rooms {
            assert!(!room.seats.is_empty(), "an empty room is kept");
            assert!(room.seats.len() <= self.config.room_size);
            for seat in &room.seats {
                kept += seat.outbox.bytes();
                if let SeatState::Connected(id) = seat.state {
                    let place = self.connections[&id].place.as_ref().expect("a seated connection knows its place");
                    assert!(place.room == *room_id && place.peer == seat.peer);
                }
            }
        }
        assert_eq!(kept, self.kept);
        assert!(self.rooms.len() <= self.config.max_rooms);
        for (id, connection) in &self.connections {
            if let Some(place) = &connection.place {
                let seat =
                    self.rooms[&place.room].seats.iter().find(|seat| seat.peer == place.peer).expect("its seat exists");
                assert_eq!(seat.state, SeatState::Connected(*id));
            }
        }
        assert!(self.next_sweep.is_some() || (self.connections.is_empty() && self.rooms.is_empty()));
    }
}
