//! What comes to our sockets before ICE has a say: from TURN servers by datagram and by stream, and from strangers.
#![no_main]
#![allow(dead_code, reason = "modules of `call`, of which this uses what reads")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/call/src/check"]
mod check {
    pub(crate) mod stun;
}

#[path = "../../crates/call/src/peer"]
mod peer {
    mod flights;
    mod hello;
    mod records;
    mod relayed;

    pub(crate) mod turn {
        pub(crate) mod bent;
        mod framing;
        mod relays;
    }
}

fuzz_target!(|bytes: &[u8]| peer::turn::bent::holds(bytes));
