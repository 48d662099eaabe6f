//! A room, its seats, and the messages kept for a seat in case its connection broke.

use super::ConnectionId;
use crate::message::{SeatedPeer, ServerMessage};
use crate::pake::Share;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::PeerId;

/// Messages kept for a seat.
const MOST_KEPT: usize = 32;
/// Bytes kept for a seat.
const MOST_BYTES_KEPT: usize = 64 * 1024;
/// How long a message is kept: longer than a dead connection goes unnoticed.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Who is in a room, in the order in which they came; the first one may dismiss others.
#[derive(Default)]
pub(super) struct Room {
    pub seats: Vec<Seat>,
}

impl Room {
    pub fn seat(&mut self, peer: &str) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.peer.as_str() == peer)
    }

    /// Everybody but this one.
    pub fn others(&self, peer: &PeerId) -> Vec<SeatedPeer> {
        let others = self.seats.iter().filter(|seat| seat.peer != *peer);
        others.map(|seat| SeatedPeer { peer_id: seat.peer.clone(), pake: seat.share.clone() }).collect()
    }

    /// Whether somebody who sits here is connected.
    pub fn is_attended(&self) -> bool {
        self.seats.iter().any(|seat| matches!(seat.state, SeatState::Connected(_)))
    }
}

/// Whether somebody sits on a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeatState {
    /// Over this connection.
    Connected(ConnectionId),
    /// Their connection broke at this moment.
    Lost(Instant),
}

/// A seat in a room.
pub(super) struct Seat {
    pub peer: PeerId,
    pub token: String,
    pub share: Option<Share>,
    pub state: SeatState,
    /// Sealed messages received from here.
    pub received: u64,
    pub outbox: Outbox,
}

/// What was sent to a seat lately, numbered from 0.
#[derive(Default)]
pub(super) struct Outbox {
    sent: u64,
    kept: VecDeque<Kept>,
    bytes: usize,
}

struct Kept {
    number: u64,
    at: Instant,
    text: Arc<str>,
}

impl Outbox {
    /// Counts a message and keeps it, if `room` bytes suffice for it.
    pub fn push(&mut self, now: Instant, text: &Arc<str>, room: usize) {
        let number = self.sent;
        self.sent += 1;
        if text.len() <= room {
            self.bytes += text.len();
            self.kept.push_back(Kept { number, at: now, text: text.clone() });
        }
        self.trim(now);
    }

    /// Forgets what is too old or too much.
    pub fn trim(&mut self, now: Instant) {
        while let Some(first) = self.kept.front() {
            let old = now.saturating_duration_since(first.at) > KEPT_FOR;
            if !old && self.kept.len() <= MOST_KEPT && self.bytes <= MOST_BYTES_KEPT {
                break;
            }
            self.bytes -= first.text.len();
            self.kept.pop_front();
        }
    }

    /// What somebody did not get who got the first `received` messages, and how many of those are lost.
    pub fn after(&self, received: u64) -> (Vec<Arc<str>>, u64) {
        let again: Vec<_> =
            self.kept.iter().filter(|kept| kept.number >= received).map(|kept| kept.text.clone()).collect();
        let missed = self.sent.saturating_sub(received).saturating_sub(again.len() as u64);
        (again, missed)
    }

    /// Bytes kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A message of the relay's own, ready to be sent.
pub(super) fn text(message: &ServerMessage) -> Arc<str> {
    message.to_json().into()
}
