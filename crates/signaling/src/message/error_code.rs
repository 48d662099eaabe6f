//! Why a server refused something.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a server refused something, or ended it; codes of later versions are kept as they came.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A code of a later version.
            Other(String),
        }

        impl ErrorCode {
            /// As it stands in a message.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for ErrorCode {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$name,)*
                    _ => Self::Other(text),
                }
            }
        }
    };
}

codes! {
    /// Not JSON, or not with the fields that its type needs.
    BadMessage = "bad-message",
    /// A type that this server does not know.
    UnknownType = "unknown-type",
    /// More than [`crate::MAX_MESSAGE`] bytes.
    TooLarge = "too-large",
    /// More than [`crate::MAX_MESSAGES_PER_SECOND`], or too many rooms tried.
    TooFast = "too-fast",
    /// Another version of the protocol.
    Version = "version",
    /// Somebody waits there already: draw another code.
    RoomTaken = "room-taken",
    /// Nobody waits under this code.
    NobodyHere = "nobody-here",
    /// The room holds as many as it can.
    RoomFull = "room-full",
    /// The server holds as many rooms as it can.
    ServerFull = "server-full",
    /// Something that needs a seat in this room, without one.
    NotInRoom = "not-in-room",
    /// A second seat on one connection.
    AlreadyInRoom = "already-in-room",
    /// A message or dismissal for somebody who is not, or no longer, there.
    NoSuchPeer = "no-such-peer",
    /// Only the opener may do this.
    NotOpener = "not-opener",
    /// The seat to be resumed is no longer kept: open or join anew.
    SeatGone = "seat-gone",
    /// The opener turned us out; our seat is gone.
    Dismissed = "dismissed",
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}
