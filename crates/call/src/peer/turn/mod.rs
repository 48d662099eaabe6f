//! TURN servers beyond UDP: over TCP and over TLS (RFC 8656 §2.1), for networks that let nothing else out.
//!
//! The webrtc crate speaks TURN over UDP only, so it is told of a server that is none: a name that leads to an address
//! which nobody has (see [`Doors`]). What its sockets send there goes, framed, through a stream to the real server (see
//! [`Tunnel`]), and what comes back seems to come from that address. Each local address has a stream of its own, which
//! begins there, so that an allocation belongs to an interface as it does over UDP.
//!
//! A stream delivers everything in order, however late. Sound and picture that waited too long are dropped before they
//! enter it (see [`Outbox`]).
//!
//! Beside that, [`Relays`] notes what the servers answered: by which of them a path leads, and what is wrong with
//! others, which the crate keeps to itself.

#[cfg(test)]
mod bent;
mod doors;
mod framing;
mod outbox;
mod relays;
mod stream;
mod tunnel;
#[cfg(test)]
mod tunnel_tests;

pub(crate) use doors::Doors;
pub(crate) use relays::Relays;
pub(crate) use stream::Trust;
pub(crate) use tunnel::{Ground, Tunnels};
