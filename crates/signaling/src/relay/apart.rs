//! What a caller needs who spreads rooms over several relays: which room a message is about before it is taken in, and
//! counting a message here that another relay takes in.
//!
//! A connection is known to the relay of its own machine, which counts what it says and watches whether it lives. Where
//! its room is at home in another relay, that one knows it too, under a [`ConnectionId`] of its own, and seats it.

use super::reading::Request;
use super::room::SeatState;
use super::{ConnectionId, Origin, Relay};
use std::time::Instant;
use visavis_media::RoomId;

/// How a room is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It is made.
    Open,
    /// Somebody waits in it.
    Join,
    /// A seat in it is taken over.
    Resume,
}

/// What a message means for the place of whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heading {
    /// To be seated in this room.
    Into(Door, RoomId),
    /// To be seated no longer.
    Out,
    /// Nothing; or it cannot be read.
    Nowhere,
}

impl Heading {
    /// Reads a client's message, whatever text that is.
    pub fn of(text: &str) -> Self {
        match Request::read(text) {
            Ok(Request::Open { room }) => Self::Into(Door::Open, RoomId::new(room)),
            Ok(Request::Join { room, .. }) => Self::Into(Door::Join, RoomId::new(room)),
            Ok(Request::Resume { room, .. }) => Self::Into(Door::Resume, RoomId::new(room)),
            Ok(Request::Leave) => Self::Out,
            Ok(Request::Dismiss { .. } | Request::Relay { .. }) | Err(_) => Self::Nowhere,
        }
    }
}

impl Relay {
    /// Counts a message of so many bytes as [`Input::Text`] does, and says so where it is one too many. One that may pass
    /// goes to [`Relay::handle_admitted`], or to another relay.
    ///
    /// [`Input::Text`]: super::Input::Text
    pub fn admit(&mut self, now: Instant, id: ConnectionId, bytes: usize) -> bool {
        self.may_speak(now, id, bytes)
    }

    /// Counts an attempt to enter a room of another relay, and says so where it is one too many.
    pub fn admit_entry(&mut self, now: Instant, id: ConnectionId) -> bool {
        self.may_enter(now, id)
    }

    /// Says that too many rooms were tried, where others than this relay have counted them.
    pub fn refuse_entry(&mut self, id: ConnectionId) {
        if self.is_known(id) {
            self.too_many_from_there(id);
        }
    }

    /// Takes in a message that [`Relay::admit`] let pass.
    pub fn handle_admitted(&mut self, now: Instant, id: ConnectionId, text: &str) {
        if self.is_known(id) {
            self.message(now, id, text);
        }
    }

    /// Whether this connection is there.
    pub fn is_known(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    /// Where it comes from, if it is under the limits of that.
    pub fn origin_of(&self, id: ConnectionId) -> Option<Origin> {
        self.connections.get(&id)?.origin
    }

    /// Whether it has a seat.
    pub fn is_seated(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.place.is_some())
    }

    /// Whether this room exists.
    pub fn has_room(&self, room: &RoomId) -> bool {
        self.rooms.contains_key(room)
    }

    /// Forgets a room that is at home elsewhere by now. Those who sat in it are forgotten as well, and are to be closed.
    pub fn close_room(&mut self, room: &RoomId) -> Vec<ConnectionId> {
        let seats = self.rooms.get(room).map(|room| room.seats.as_slice()).unwrap_or_default();
        let seated = |state: &SeatState| match *state {
            SeatState::Connected(id) => Some(id),
            SeatState::Lost(_) => None,
        };
        let seated: Vec<_> = seats.iter().filter_map(|seat| seated(&seat.state)).collect();
        for &id in &seated {
            self.forget(id);
        }
        self.remove_room(room);
        seated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::{Input, Output, RelayConfig};

    const ROOM: &str = "0123456789abcdef0123456789abcdef";

    fn entry(kind: &str) -> String {
        format!(r#"{{"type":"{kind}","version":1,"roomId":"{ROOM}","pake":"x","resume":"t"}}"#)
    }

    #[test]
    fn only_messages_that_enter_or_leave_a_room_lead_anywhere() {
        for (kind, door) in [("open", Door::Open), ("join", Door::Join), ("resume", Door::Resume)] {
            assert_eq!(Heading::of(&entry(kind)), Heading::Into(door, RoomId::new(ROOM)));
            assert_eq!(Heading::of(&entry(kind).replace("ef", "EF")), Heading::Nowhere, "no room id");
        }
        assert_eq!(Heading::of(r#"{"type":"leave-room"}"#), Heading::Out);
        for text in ["", "nonsense", "{}", r#"{"type":"offer","roomId":"r","from":"a","to":"b"}"#, r#"{"type":"open"}"#]
        {
            assert_eq!(Heading::of(text), Heading::Nowhere, "{text}");
        }
    }

    #[test]
    fn what_is_admitted_in_two_steps_counts_as_in_one() {
        let (now, id) = (Instant::now(), ConnectionId(1));
        let passed = |two: bool| {
            let mut relay = Relay::new(RelayConfig::default(), [7; 32]);
            relay.handle(now, id, Input::Connected);
            for _ in 0..150 {
                match two {
                    true if relay.admit(now, id, 2) => relay.handle_admitted(now, id, "{}"),
                    true => {}
                    false => drop(relay.handle(now, id, Input::Text("{}"))),
                }
            }
            std::iter::from_fn(|| relay.poll_output()).collect::<Vec<_>>()
        };
        assert_eq!(passed(true), passed(false));
        let mut relay = Relay::new(RelayConfig::default(), [7; 32]);
        assert!(!relay.admit(now, id, 2), "nobody knows this one");
        relay.handle(now, id, Input::Connected);
        assert_eq!((0..100).filter(|_| relay.admit_entry(now, id)).count(), 20);
    }

    #[test]
    fn a_room_that_is_closed_is_gone_with_everybody_in_it() {
        let (now, mut relay) = (Instant::now(), Relay::new(RelayConfig::default(), [7; 32]));
        for (id, kind) in [(1, "open"), (2, "join"), (3, "open")] {
            relay.handle(now, ConnectionId(id), Input::Connected);
            relay.handle(now, ConnectionId(id), Input::Text(&entry(kind)));
        }
        assert!(relay.has_room(&RoomId::new(ROOM)) && relay.is_seated(ConnectionId(2)));
        assert!(relay.is_known(ConnectionId(3)) && !relay.is_seated(ConnectionId(3)), "it is taken");
        relay.handle(now, ConnectionId(1), Input::Lost);
        assert_eq!(relay.close_room(&RoomId::new(ROOM)), [ConnectionId(2)]);
        assert!(!relay.has_room(&RoomId::new(ROOM)) && !relay.is_known(ConnectionId(2)));
        relay.check();
        while relay.poll_output().is_some() {}
        relay.handle(now, ConnectionId(3), Input::Text(&entry("open")));
        let Some(Output::Send { text, .. }) = relay.poll_output() else { panic!("no answer") };
        assert!(text.contains("opened"), "{text}");
        assert!(relay.close_room(&RoomId::new("another")).is_empty());
    }
}
