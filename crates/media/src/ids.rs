//! Names of rooms, people and calls, as they stand in signaling messages.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it stands in a message.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it stands in a message.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// The public name of a room: 32 lower-case hex digits made from the first two words of its code.
    ///
    /// Its `Debug` is redacted: a room id in a log would tell who waited where.
    RoomId
);
id!(
    /// A seat in a room, given by the signaling server; unique within the room.
    PeerId
);
id!(
    /// One call between two peers, drawn by the side that offers.
    CallId
);

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomId(…)")
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({})", self.0)
    }
}

impl CallId {
    /// Draws a new one: 64 random bits in hex.
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }
}
