//! The rules of a signaling server, without sockets, threads or a clock.

mod apart;
mod budget;
mod core;
mod origins;
mod reading;
mod room;
mod seating;
#[cfg(test)]
mod tests;

pub use apart::{Door, Heading};
pub use budget::Budget;
pub use core::{Relay, RelayCounts};

use crate::message::IceServer;
use std::fmt;
use std::sync::Arc;

/// A connection, named by the caller; a name is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Whom a connection comes from, as far as limits go: all of one origin share them. The caller makes it of an address;
/// the relay cannot tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(pub u64);

/// What a connection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// It is there. Comes first; a connection that is not known is ignored.
    Connected,
    /// The same, under the limits of where it comes from.
    ConnectedFrom(Origin),
    /// It sent a text message.
    Text(&'a str),
    /// It sent something else that shows that it lives: a ping or pong. Counts as a message.
    Alive,
    /// It sent something that is no text.
    NotText,
    /// It said good-bye: its seat is free at once.
    Closed,
    /// It broke off: its seat is kept for a while.
    Lost,
}

/// How a connection is best read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As it comes.
    AsItComes,
    /// More slowly: it was refused what it said, because it says too much.
    Slower,
}

/// What the caller is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a text message. A connection that cannot take it is to be closed, and reported as [`Input::Lost`].
    Send {
        /// To whom.
        to: ConnectionId,
        /// What.
        text: Arc<str>,
    },
    /// Ask for a sign of life.
    Ping {
        /// Whom.
        to: ConnectionId,
    },
    /// End a connection, after what was to be sent to it. The relay has forgotten it.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        why: CloseReason,
    },
}

/// Why the relay ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// No sign of life for 30 s.
    #[error("no sign of life")]
    Silent,
    /// Its seat was resumed over another connection.
    #[error("resumed over another connection")]
    TakenOver,
    /// It went on sending far more than it may.
    #[error("too many messages")]
    Flooding,
}

/// What a relay allows.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Rooms at a time.
    pub max_rooms: usize,
    /// Seats in a room, 2 or more.
    pub room_size: usize,
    /// STUN and TURN servers told to everybody who takes a seat.
    pub ice_servers: Vec<IceServer>,
    /// TURN servers whose credentials are made for each seat.
    pub turn: Option<Arc<dyn TurnAccess>>,
    /// What all connections of one origin may do together.
    pub per_origin: OriginLimits,
}

/// What all connections of one origin may do together; 0 means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginLimits {
    /// Rooms entered a minute, whether opened, joined or resumed; as many at once.
    pub entries_per_minute: u32,
    /// Of those, how many may show whether somebody else's room exists; as many at once. After that no room is told from
    /// any other until time has passed.
    pub misses_per_minute: u32,
    /// Messages a second, twice as many at once; each 4 KiB count as one.
    pub messages_per_second: u32,
}

impl OriginLimits {
    /// No limits, for where everybody seems to come from one place.
    pub const NONE: Self = Self { entries_per_minute: 0, misses_per_minute: 0, messages_per_second: 0 };
}

impl Default for OriginLimits {
    fn default() -> Self {
        // An office behind one address; and searching four million rooms at this pace takes months.
        Self { entries_per_minute: 60, misses_per_minute: 20, messages_per_second: 300 }
    }
}

/// Makes credentials for TURN servers. The relay has neither their secret nor a clock, so that its caller does this.
pub trait TurnAccess: fmt::Debug + Send + Sync {
    /// What somebody is told who takes a seat now. `draw` is a random number of theirs, which names nobody.
    fn grant(&self, draw: u64) -> IceServer;
}

impl Default for RelayConfig {
    fn default() -> Self {
        let per_origin = OriginLimits::default();
        Self { max_rooms: 10_000, room_size: 2, ice_servers: Vec::new(), turn: None, per_origin }
    }
}
