//! Calls between whole endpoints: real sockets on loopback, stand-in devices, a real signaling server.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../common/mod.rs"]
mod common;

mod between;
mod calls;
mod devices;
mod hostile_peer;
mod hostile_server;
mod impostor;
mod insider;
mod local_network;
mod loudness;
mod middle;
mod mute;
mod reasons;
mod roaming;
mod server_loss;
mod setup;
mod sources;
mod stuck;
mod video;
