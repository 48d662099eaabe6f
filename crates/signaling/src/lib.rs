//! How two people find each other and agree on keys, through a server that can neither read nor forge anything.
//!
//! - [`RoomCode`] and [`Invitation`]: the four or six words, and the link that holds them.
//! - [`PakeSecret`], [`Newcomer`], [`answer`]: the key agreement (SPAKE2, RFC 9382) that all but the first two protect.
//! - [`Sealer`], [`Opener`]: sealed offers, answers and candidates. [`Transcript`]: the number that people compare.
//! - [`GuessCounter`], [`GuessBook`]: how often somebody may try.
//! - [`ClientMessage`], [`ServerMessage`]: what goes over the wire.
//! - [`Relay`]: the rules of a server, without a socket or a clock. `visavis-server` puts sockets around it.
//! - [`Client`]: one connection to one server, which mends itself.
//!
//! Only [`Client`] needs a tokio runtime; nothing here touches sound, camera or display.
//!
//! Two peers, without a network between them:
//!
//! ```
//! use visavis_media::{CallId, PeerId};
//! use visavis_signaling::{Kind, Newcomer, PakeSecret, RoomCode, answer};
//!
//! let code: RoomCode = "Velvet, canyon, orbi zero".parse()?;
//! assert_eq!(code.to_string(), "velvet-canyon-orbit-zero");
//!
//! // Each derives the same secret from the code; the newcomer's share travels first.
//! let secret = PakeSecret::derive(&code);
//! let (newcomer, share) = Newcomer::start(&secret);
//! let (reply, host) = answer(&secret, &share)?;
//! let mut host = host.into_keys();
//! let (alice, bob, call) = (PeerId::new("a"), PeerId::new("b"), CallId::random());
//! let offer = host.sealer.seal(Kind::Offer, &alice, &bob, &call, Some(reply), b"v=0");
//!
//! let mut newcomer = newcomer.finish(offer.pake.as_ref().ok_or("no share")?)?.into_keys();
//! assert_eq!(newcomer.opener.open(Kind::Offer, &offer)?.as_slice(), b"v=0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod code;
mod guess;
mod invitation;
mod message;
mod pake;
mod relay;
mod seal;
mod spake2;
#[cfg(test)]
mod vectors;
mod verify;
mod words;

pub use client::{Client, ClientConfig, ClientError, ClientEvent, SendError, Trouble, trust};
pub use code::{CodeError, PartialWord, RoomCode, WordState, check_partial};
pub use guess::{ATTEMPTS, Attempt, GuessBook, GuessCounter, Refused};
pub use invitation::{Invitation, InvitationError, link};
pub use message::{
    ClientMessage, Envelope, ErrorCode, IceServer, Kind, LeaveReason, MAX_MESSAGE, MAX_MESSAGES_PER_SECOND,
    PROTOCOL_VERSION, ResumeToken, Seat, SeatedPeer, ServerMessage,
};
pub use pake::{Agreed, Keys, Newcomer, PakeError, PakeSecret, Share, answer};
pub use relay::{
    Budget, CloseReason, ConnectionId, Door, Heading, Input, Origin, OriginLimits, Output, Pace, Relay, RelayConfig,
    RelayCounts, TurnAccess,
};
pub use seal::{OpenError, Opener, Sealer};
pub use verify::{Transcript, VerificationNumber};
pub use words::complete;
