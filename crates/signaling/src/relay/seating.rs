//! Taking seats, taking them over again, and giving them up.

use super::core::{Place, Relay};
use super::room::{Outbox, Seat, SeatState, text};
use super::{CloseReason, ConnectionId, Output};
use crate::message::{self, ErrorCode, IceServer, LeaveReason, ResumeToken, ServerMessage};
use crate::pake::Share;
use rand::RngExt;
use std::time::Instant;
use subtle::ConstantTimeEq;
use visavis_media::{PeerId, RoomId};

impl Relay {
    pub(super) fn open(&mut self, now: Instant, id: ConnectionId, room: RoomId) {
        if !self.may_enter(now, id) {
            return;
        }
        if let Some(old) = self.rooms.get(&room) {
            if old.is_attended() {
                self.missed(now, id);
                return self.error(
                    id,
                    ErrorCode::RoomTaken,
                    "somebody waits under this code already; draw another one",
                );
            }
            // Only broken connections are left in it: whoever opens it now shall not be kept waiting for them.
            self.remove_room(&room);
        }
        if self.rooms.len() >= self.config.max_rooms {
            return self.error(id, ErrorCode::ServerFull, "this server has no room left; try again later");
        }
        self.counts.opened += 1;
        self.sit_down(id, room, None, ServerMessage::Opened);
    }

    pub(super) fn join(&mut self, now: Instant, id: ConnectionId, room_id: &RoomId, share: &Share) {
        if !self.may_enter(now, id) {
            return;
        }
        let Some(room) = self.rooms.get(room_id) else {
            self.missed(now, id);
            return self.error(id, ErrorCode::NobodyHere, "nobody waits under this code");
        };
        if room.seats.len() >= self.config.room_size.max(2) {
            self.missed(now, id);
            return self.error(id, ErrorCode::RoomFull, "this room is full");
        }
        self.counts.joined += 1;
        let peer_id = self.sit_down(id, room_id.clone(), Some(share.clone()), ServerMessage::Joined);
        self.tell_others(
            now,
            room_id,
            &peer_id,
            &ServerMessage::PeerJoined { peer_id: peer_id.clone(), pake: Some(share.clone()) },
        );
    }

    pub(super) fn resume(&mut self, now: Instant, id: ConnectionId, room_id: RoomId, token: &str, received: u64) {
        if !self.may_enter(now, id) {
            return;
        }
        let ice_servers = self.ice_servers();
        let Some(room) = self.rooms.get_mut(&room_id) else { return self.seat_gone(id) };
        let same = |seat: &Seat| bool::from(seat.token.as_bytes().ct_eq(token.as_bytes()));
        let Some(at) = room.seats.iter().position(same) else { return self.seat_gone(id) };
        let peers = room.others(&room.seats[at].peer);
        let seat = &mut room.seats[at];
        let before = std::mem::replace(&mut seat.state, SeatState::Connected(id));
        self.counts.resumed += 1;
        let place = Place { room: room_id, peer: seat.peer.clone() };
        let (again, missed) = seat.outbox.after(received);
        let resumed = ServerMessage::Resumed(message::Seat {
            peer_id: seat.peer.clone(),
            resume: ResumeToken::new(&seat.token),
            peers,
            ice_servers,
            received: seat.received,
            missed,
        });
        if let SeatState::Connected(old) = before {
            // The old connection may seem alive for minutes yet; who holds the token says that it is not.
            self.forget(old);
            self.outputs.push_back(Output::Close { connection: old, why: CloseReason::TakenOver });
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.place = Some(place);
        }
        self.send(id, text(&resumed));
        again.into_iter().for_each(|text| self.send(id, text));
    }

    fn seat_gone(&mut self, id: ConnectionId) {
        self.error(id, ErrorCode::SeatGone, "this seat is no longer kept; open or join anew");
    }

    pub(super) fn dismiss(&mut self, now: Instant, id: ConnectionId, peer: &str) {
        let Some(place) = self.place(id) else {
            return self.error(id, ErrorCode::NotInRoom, "you are in no room");
        };
        let Some(room) = self.rooms.get_mut(&place.room) else { return };
        if room.seats.first().is_none_or(|opener| opener.peer != place.peer) {
            return self.error(id, ErrorCode::NotOpener, "only who opened the room may dismiss somebody");
        }
        match room.seat(peer).filter(|seat| seat.peer != place.peer).map(|seat| (seat.peer.clone(), seat.state)) {
            None => self.error(id, ErrorCode::NoSuchPeer, "nobody of this name is in the room"),
            Some((peer, state)) => {
                if let SeatState::Connected(theirs) = state {
                    if let Some(connection) = self.connections.get_mut(&theirs) {
                        connection.place = None;
                    }
                    self.error(theirs, ErrorCode::Dismissed, "the other side closed the room to you");
                }
                self.leave(now, &Place { room: place.room, peer }, LeaveReason::Dismissed);
            }
        }
    }

    /// Whether this connection may try a room now; says why not.
    pub(super) fn may_enter(&mut self, now: Instant, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        if connection.place.is_some() {
            self.error(id, ErrorCode::AlreadyInRoom, "you are in a room; leave it first");
            return false;
        }
        if !connection.entries.take(now) {
            self.error(id, ErrorCode::TooFast, "too many rooms tried; wait a second");
            return false;
        }
        let enough = connection.origin.is_none_or(|origin| self.origins.may_enter(now, origin));
        if !enough {
            self.too_many_from_there(id);
        }
        enough
    }

    pub(super) fn too_many_from_there(&mut self, id: ConnectionId) {
        self.error(id, ErrorCode::TooFast, "too many rooms tried from your network; wait a minute");
    }

    /// An attempt showed something about a room of somebody else.
    fn missed(&mut self, now: Instant, id: ConnectionId) {
        if let Some(origin) = self.connections.get(&id).and_then(|connection| connection.origin) {
            self.origins.missed(now, origin);
        }
    }

    /// Gives a connection a new seat, and tells it.
    fn sit_down(
        &mut self,
        id: ConnectionId,
        room_id: RoomId,
        share: Option<Share>,
        reply: fn(message::Seat) -> ServerMessage,
    ) -> PeerId {
        let peer = PeerId::new(format!("{:016x}", self.random.random::<u64>()));
        let token = format!("{:032x}", self.random.random::<u128>());
        let ice_servers = self.ice_servers();
        let room = self.rooms.entry(room_id.clone()).or_default();
        let reply = reply(message::Seat {
            peer_id: peer.clone(),
            resume: ResumeToken::new(&token),
            peers: room.others(&peer),
            ice_servers,
            received: 0,
            missed: 0,
        });
        let (state, outbox) = (SeatState::Connected(id), Outbox::default());
        room.seats.push(Seat { peer: peer.clone(), token, share, state, received: 0, outbox });
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.place = Some(Place { room: room_id, peer: peer.clone() });
        }
        self.send(id, text(&reply));
        peer
    }

    /// What somebody is told who takes a seat now.
    fn ice_servers(&mut self) -> Vec<IceServer> {
        let mut servers = self.config.ice_servers.clone();
        if let Some(turn) = &self.config.turn {
            servers.push(turn.grant(self.random.random()));
        }
        servers
    }

    /// Frees a seat and tells the others; the room goes with its last seat.
    pub(super) fn leave(&mut self, now: Instant, place: &Place, reason: LeaveReason) {
        let Some(room) = self.rooms.get_mut(&place.room) else { return };
        if let Some(at) = room.seats.iter().position(|seat| seat.peer == place.peer) {
            self.kept -= room.seats.remove(at).outbox.bytes();
        }
        if room.seats.is_empty() {
            self.rooms.remove(&place.room);
        } else {
            let left = ServerMessage::PeerLeft { peer_id: place.peer.clone(), reason };
            self.tell_others(now, &place.room, &place.peer, &left);
        }
    }

    /// Removes a room in which nobody is connected.
    pub(super) fn remove_room(&mut self, room: &RoomId) {
        if let Some(room) = self.rooms.remove(room) {
            self.kept -= room.seats.iter().map(|seat| seat.outbox.bytes()).sum::<usize>();
        }
    }
}
