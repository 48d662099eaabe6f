//! Rooms of one deployment on several servers ("nodes") that know of each other through Redis.
//!
//! A room is *at home* on the node where it was opened: its rules run in that node's relay, and a key in Redis names the
//! node. Whoever wants into the room over another node is a *guest* at home: that node passes on what they say, and what
//! the home answers, over Redis' publish and subscribe. So there is one relay for each room, and it does not know that
//! some connections end elsewhere.
//!
//! A node has a name for as long as its connection to Redis lasts, and a key with that name in Redis which ends soon
//! unless it is renewed; one whose key has ended takes another name. Messages to a name are neither lost nor reordered
//! while both stay connected; when one does not, everything between the two is over: connections are closed, and clients
//! come again by themselves. Nothing is kept or mended between nodes, and calls do not notice.
//!
//! [`Book`] and [`Claims`] are the rules, told the time; [`frame`] is what nodes say to each other; `redis` is the
//! only I/O.

mod book;
mod claims;
mod frame;
mod line;
mod redis;
mod url;

pub(crate) use book::{Act, Book, Silent};
pub(crate) use claims::Claims;
pub(crate) use frame::{Frame, Guests, Homes, What};
pub(crate) use line::{Line, Parcel};
pub(crate) use redis::{Directory, Exchange, Found, Wish, serve};
pub use url::{RedisUrl, RedisUrlError};

use std::fmt;

/// Name of a node, for as long as its connection to Redis lasts; drawn at random, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Node(pub(crate) u64);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({self})")
    }
}

impl Node {
    /// Reads what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

/// A guest, as its own node and its home call it; never used twice under one name of that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// A guest as its node and its home agree to call it: the other one of the two, and the ticket.
pub(crate) type Far = (Node, Ticket);
