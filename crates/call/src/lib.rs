//! A call: session, peer connection, media pipelines, rate control, statistics.
//!
//! An [`Endpoint`] is one person's end. It takes [`Command`]s, shows one [`State`], and keeps its devices, sockets and
//! codecs on threads of its own:
//!
//! ```no_run
//! use visavis_call::{Command, Endpoint, Options, Phase};
//!
//! let endpoint = Endpoint::start(Options { name: "Ann".into(), ..Options::default() }, || ())?;
//! endpoint.send(Command::Start(None));
//! if let Phase::Waiting(waiting) = &endpoint.state().phase {
//!     println!("read out: {}", waiting.code);
//! }
//! # Ok::<(), visavis_call::StartError>(())
//! ```
//!
//! Inside, data flows one way: device → codec → network → codec → display slot (`media`), rate control sits beside it
//! (`rate`), one peer connection behind commands and events (`peer`), and what a call *is* lives in a state machine
//! without I/O or clock (`session`), which the `driver` feeds.

/// What is logged by default (`tracing_subscriber::EnvFilter` syntax): our own warnings. The webrtc crates are silenced,
/// since what they log names addresses.
pub const DEFAULT_LOG_FILTER: &str = "warn,webrtc=off,rtc=off,mdns_sd=off,winit=error";

mod api;
mod check;
mod control;
mod driver;
mod endpoint;
mod interceptor;
mod lan;
mod links;
mod media;
mod memory;
mod network;
mod options;
mod peer;
mod rate;
mod recent;
mod session;
mod sound;
mod stats;

pub use api::{
    Again, Asks, Away, ChatLine, Command, DeviceOffer, EndReason, Ended, Event, Figures, Guest, InCall, Path, PeerView,
    Phase, Reach, State, Waiting,
};
pub use check::{Check, EchoTest, Finding, NetworkCheck, ServerCheck, Way};
pub use endpoint::{Endpoint, StartError, TimedEvent};
pub use options::{
    Connecting, DEFAULT_STUN, DatagramFilter, IceServer, LocalNetwork, Options, PictureTap, ReceivedPicture,
    SentPicture, SentTap, SoundPackets, SoundTap,
};
pub use peer::EmulatedLink;
pub use recent::{Happening, Recent};
pub use sound::{SoundChoices, Volume};
pub use stats::{
    AudioSource, CandidatePair, InboundAudio, InboundVideo, OutboundAudio, OutboundVideo, RemoteInbound, StatsSnapshot,
};
pub use visavis_link as link;
pub use visavis_voice::echo_trial::{Echo, EchoOutcome};
pub use visavis_voice::processing::{NoiseSuppression, VoiceSettings};
