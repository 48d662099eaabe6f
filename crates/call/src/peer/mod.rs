//! One peer connection of webrtc-rs, behind commands and events.
//!
//! A task of its own carries out one command after the other, so that descriptions and candidates are applied in
//! order and the call's driver never waits for them. No type of the webrtc crate leaves this module but the tracks
//! that `media` writes to and reads from.

mod actor;
mod alarm;
mod asleep;
mod chain;
#[cfg(test)]
mod chain_tests;
mod cookie;
mod dtls_role;
mod emulated;
mod flights;
mod handler;
mod hello;
mod hidden;
#[cfg(test)]
mod hostile_tests;
mod loss_watch;
mod nack;
#[cfg(test)]
mod network_tests;
mod nudge;
mod parity;
mod ports;
mod records;
mod relayed;
mod reports;
mod resolver;
mod setup;
#[cfg(test)]
mod socket_tests;
mod sound_terms;
mod tap;
mod turn;
mod wake;
mod wire;

pub(crate) use actor::{Peer, PeerCommand, PeerEvent, PeerLink};
pub(crate) use cookie::untold;
pub use emulated::EmulatedLink;
pub(crate) use reports::CaptureClocks;
pub(crate) use resolver::{NameCache, host_of};
pub(crate) use setup::{PeerError, PeerSettings};
pub(crate) use tap::Feedback;
pub(crate) use turn::{Doors, Ground, Trust, Tunnels};
pub(crate) use wire::WireSettings;

/// Path as seen in the nominated candidate pair.
pub(crate) use crate::api::Path;
