//! *Check my setup*: a call with an echo peer inside this process, what the microphone hears of the loudspeaker, and what
//! STUN and TURN servers answer.

mod echo_peer;
mod network;
mod probe;
mod request;
pub(crate) mod stun;

pub(crate) use echo_peer::{EchoPeer, Mirror};
pub(crate) use network::{Questions, ask};

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_voice::echo_trial::EchoOutcome;

/// What is known so far; the call itself shows in [`State::phase`](crate::State::phase).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// Whether one hears oneself through the microphone.
    pub echo: EchoTest,
    /// How one is to be reached.
    pub network: NetworkCheck,
    /// Why there is no echo peer, for reading.
    pub trouble: Option<String>,
}

/// How the test for echo fares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum EchoTest {
    /// It was not asked for yet.
    #[default]
    NotYet,
    /// Under way, so many percent of it.
    Running(u8),
    /// What came out.
    Over(EchoOutcome),
    /// Microphone or loudspeaker gave up meanwhile.
    Failed,
}

/// What STUN and TURN servers answered, with the settings as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkCheck {
    /// One for each URL, in the order of the settings.
    pub servers: Vec<ServerCheck>,
    /// What follows for calls.
    pub way: Way,
}

/// A STUN or TURN server, and what came of asking it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerCheck {
    /// As configured.
    pub url: String,
    /// What came of it.
    pub finding: Finding,
}

/// What came of asking a server.
#[derive(Clone, PartialEq)]
pub enum Finding {
    /// No answer yet.
    Asking,
    /// A STUN server sees us under this address.
    Outside(SocketAddr, Duration),
    /// A TURN server would relay for us, at this address.
    Relay(SocketAddr, Duration),
    /// It does not answer: it is down, or the network lets nothing through.
    NoAnswer,
    /// Its name has no address.
    UnknownName,
    /// A TURN server that refuses user name and password.
    WrongPassword,
    /// It answered with this error.
    Refused(u16),
    /// A URL that we do not speak (STUN over TLS), or none at all.
    Unsupported,
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses are for the screen, not for logs.
        match self {
            Self::Asking => f.write_str("Asking"),
            Self::Outside(_, after) => write!(f, "Outside after {after:?}"),
            Self::Relay(_, after) => write!(f, "Relay after {after:?}"),
            Self::NoAnswer => f.write_str("NoAnswer"),
            Self::UnknownName => f.write_str("UnknownName"),
            Self::WrongPassword => f.write_str("WrongPassword"),
            Self::Refused(code) => write!(f, "Refused({code})"),
            Self::Unsupported => f.write_str("Unsupported"),
        }
    }
}

/// How calls to somebody in another network will travel, as far as can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Not known yet.
    #[default]
    Asking,
    /// From machine to machine: our address is seen as it is, or every server sees the same.
    Direct,
    /// One server answered: our address is known, and whether others would see the same is not.
    Likely,
    /// Each server sees another address (RFC 4787, section 4.1: address-dependent mapping). Where the other side's
    /// network does the same, there is no direct way.
    Changing,
    /// No server answered: only the local network can be called.
    Closed,
    /// No STUN server is configured.
    Unasked,
    /// As the settings say: through a relay only.
    RelayOnly,
}

impl NetworkCheck {
    /// Whether a relay would carry our calls.
    pub fn has_relay(&self) -> bool {
        self.servers.iter().any(|server| matches!(server.finding, Finding::Relay(..)))
    }
}
