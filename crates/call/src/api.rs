//! What a front end says to a call and sees of it: commands in, one state and events out.

use crate::check::Check;
use crate::options::IceServer;
use crate::sound::SoundChoices;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_capture::{CameraSpec, CameraState, DeviceLists, DeviceState, MicrophoneSpec, SpeakerSpec};
use visavis_signaling::{Invitation, RoomCode};

/// What a person (or a script) asks for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Open a room and wait in it, under this code or a new one.
    Start(Option<RoomCode>),
    /// Go where somebody waits under this code.
    Join(Invitation),
    /// Go where somebody waits under this code; where nobody does, wait there oneself.
    Meet(RoomCode),
    /// A code is complete in the text field: derive its keys and connect, so that joining is quick.
    Prepare(Invitation),
    /// End the call, stop waiting, or stop joining. From [`Phase::Ended`]: back to [`Phase::Home`].
    HangUp,
    /// Let in who [asks](Waiting::asks), or decline.
    LetIn(bool),
    /// Stop or resume sending sound.
    SetMuted(bool),
    /// Close or open the camera.
    SetVideo(bool),
    /// Use another camera, from now on.
    SetCamera(CameraSpec),
    /// Use another microphone, from now on.
    SetMicrophone(MicrophoneSpec),
    /// Use another loudspeaker, from now on.
    SetSpeaker(SpeakerSpec),
    /// Use another microphone or loudspeaker or both, from now on; the one that is not named stays.
    SetSoundDevices {
        /// Another microphone.
        microphone: Option<MicrophoneSpec>,
        /// Another loudspeaker.
        speaker: Option<SpeakerSpec>,
    },
    /// What is [offered](State::offer) is not wanted.
    DismissOffer,
    /// Treat sound otherwise, from now on.
    SetSound(SoundChoices),
    /// The name the other side sees; at most 64 characters are sent.
    SetName(String),
    /// A line of text to the other side; at most 2000 characters are sent.
    Chat(String),
    /// Send a number to the other side and back over the control channel, to measure it.
    Ping(u64),
    /// Play a chime on the loudspeaker.
    TestSpeaker,
    /// Call an echo peer inside this process, to see and hear oneself as others would. Ends by [`Command::HangUp`], or
    /// by a call.
    CheckSetup,
    /// Find out what the microphone hears of the loudspeaker, while one's setup is being checked.
    TestEcho,
    /// Signaling servers to use from the next call on, `ws://` or `wss://`.
    SetServers(Vec<String>),
    /// STUN and TURN servers to use from the next call on, and whether media goes through TURN only.
    SetIce {
        /// The servers.
        servers: Vec<IceServer>,
        /// Media only through TURN.
        relay_only: bool,
    },
}

/// Everything true now; replaced as a whole when something changes.
#[derive(Clone, Debug)]
pub struct State {
    /// Where in a call we are.
    pub phase: Phase,
    /// The camera.
    pub camera: CameraState,
    /// The microphone.
    pub microphone: DeviceState,
    /// The loudspeaker.
    pub speaker: DeviceState,
    /// What could be chosen instead.
    pub devices: Arc<DeviceLists>,
    /// A sound device that was plugged in a moment ago and is not used. To be taken by
    /// [`Command::SetSoundDevices`]; it ends by itself after half a minute, or with the device.
    pub offer: Option<DeviceOffer>,
    /// Peak of the microphone over the last 50 ms or so, 0…1; shown live even while muted.
    pub microphone_level: f32,
    /// The microphone has given nothing but zeros for 3 s: it is switched off, or plugged out, and nobody says so.
    pub microphone_silent: bool,
    /// In a call, somebody speaks whose microphone is muted.
    pub speaks_muted: bool,
    /// No sound of ours is sent.
    pub muted: bool,
    /// Our camera is wanted on.
    pub video_on: bool,
    /// One's setup is being checked: the call that [`State::phase`] tells of is with the echo peer.
    pub check: Option<Check>,
}

/// A headset, microphone or loudspeaker that was plugged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceOffer {
    /// Its name, for reading.
    pub name: String,
    /// The id of its microphone, where it has one that is worth using: not of a Bluetooth headset where there is
    /// another, as its sound would become that of a telephone.
    pub microphone: Option<String>,
    /// The id of its loudspeaker, likewise.
    pub speaker: Option<String>,
}

/// The stages of a call, as a person would tell them apart.
#[derive(Clone, Debug)]
pub enum Phase {
    /// No call.
    Home,
    /// A room is being opened, or open and empty.
    Waiting(Waiting),
    /// Looking for who waits under a code.
    Joining {
        /// The code.
        code: RoomCode,
        /// Since when.
        since: Instant,
        /// The host of the server that the link named, for reading; `None` where it was a code.
        host: Option<String>,
    },
    /// Somebody is there; keys and a path are being agreed on.
    Connecting {
        /// The code.
        code: RoomCode,
        /// Since when.
        since: Instant,
        /// As of [`Phase::Joining`].
        host: Option<String>,
    },
    /// The owner of a lasting room was asked to let us in.
    Outside {
        /// The room's code.
        code: RoomCode,
        /// The owner's name, cleaned of control characters; may be empty.
        owner: String,
        /// Since when.
        since: Instant,
    },
    /// Media flows (or did a moment ago).
    InCall(InCall),
    /// It is over.
    Ended(Ended),
}

/// A room that waits for somebody.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What to read out.
    pub code: RoomCode,
    /// Who can find us; empty while the room is being opened.
    pub reach: Vec<Reach>,
    /// What one should know: "somebody guessed wrong three times; this is a new code".
    pub notice: Option<String>,
    /// Somebody knows the words of this lasting room and wants to be let in: [`Command::LetIn`].
    pub asks: Option<Asks>,
    /// Somebody in particular is waited for: the call with them goes on once they are back.
    pub away: Option<Away>,
}

/// Somebody at the door of a lasting room. Nothing of ours was sent to them but our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    /// Their name, as they say it, cleaned of control characters; may be empty.
    pub name: String,
    /// They say that they are a page in a browser, and came through this host; as [`PeerView::guest`].
    pub guest: Option<String>,
    /// Since when they wait.
    pub since: Instant,
    /// They are told that nobody answers then.
    pub until: Instant,
}

/// Somebody who left a call and may be back in a moment: a guest whose page is being loaded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// Their name, cleaned of control characters; empty where it was not known.
    pub name: String,
    /// Waited for until then.
    pub until: Instant,
}

/// Who can find a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Somebody on this machine or in the local network, at these addresses ("192.0.2.7:7460").
    LocalNetwork {
        /// Addresses that somebody could be given by hand.
        addresses: Vec<String>,
    },
    /// Whoever uses this server.
    Server {
        /// Its host, for reading.
        host: String,
        /// The link that opens this room, where the server gives one.
        link: Option<String>,
    },
    /// A configured server does not answer; it is tried again.
    Unreachable {
        /// Its host, for reading.
        host: String,
        /// Why, for reading.
        why: String,
    },
}

/// A call in progress.
#[derive(Clone, Debug)]
pub struct InCall {
    /// The other side.
    pub peer: PeerView,
    /// When it connected.
    pub since: Instant,
    /// How media travels.
    pub path: Path,
    /// The TURN server on the way, for reading: "relay.example.org:5349 over TLS", or the address of the other side's.
    pub relay: Option<String>,
    /// 25 digits in groups of five, the same on both sides unless somebody sits between.
    pub verification: String,
    /// Since when nothing gets through; `None` while all is well.
    pub interrupted: Option<Instant>,
    /// Lines of text, oldest first.
    pub chat: Vec<ChatLine>,
    /// Figures for the curious.
    pub figures: Figures,
}

/// The other side, as it describes itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerView {
    /// Its name, cleaned of control characters; empty until known.
    pub name: String,
    /// It sends no sound.
    pub muted: bool,
    /// It sends a picture.
    pub video_on: bool,
    /// It has a camera that works; without one, nothing is to be seen whatever the person wants.
    pub has_camera: bool,
    /// It has a picture and sends none for the moment, as its network is too slow for one.
    pub sound_only: bool,
    /// It is a page in a browser.
    pub guest: Option<Guest>,
}

/// Where the page comes from with which somebody calls who has no app. Whoever serves it could have it send sound and
/// picture elsewhere, which nothing on our side could show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The host that serves it, for reading: that of the call's server, or another one where the page says so.
    pub host: String,
    /// It is the page's own word: it says that it comes from elsewhere than the call's server.
    pub by_own_word: bool,
}

/// How media travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// From machine to machine.
    Direct,
    /// Through a TURN server.
    Relayed,
}

/// A line of text.
#[derive(Clone, Debug)]
pub struct ChatLine {
    /// Ours, or the other's.
    pub mine: bool,
    /// The text, cleaned of control characters; cheap to clone.
    pub text: Arc<str>,
}

/// Figures of the running call, newest each second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Round trip of the path.
    pub round_trip: Option<Duration>,
    /// Pictures received per second.
    pub received_fps: f32,
    /// Size of the received picture.
    pub received_size: Option<visavis_media::Size>,
    /// Payload received per second, video.
    pub received_kbps: f32,
    /// Payload sent per second, video.
    pub sent_kbps: f32,
    /// Packets lost of the last second's, 0…1, video.
    pub lost: f32,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// How long media flowed; zero where it never did.
    pub duration: Duration,
    /// The other's name, where it was known.
    pub peer_name: String,
    /// What "Call again" would do: the same code joined, or a new room opened.
    pub again: Again,
}

/// What "Call again" does. A code is used once: after a call that somebody ended, a new one is drawn.
#[derive(Clone, Debug)]
pub enum Again {
    /// Open a room.
    Start,
    /// Try that code again.
    Join(Invitation),
    /// Open the room that the call began in, as the other side will look for us there: the connection broke.
    Open(RoomCode),
}

/// Why a call ended; `Display` says it in plain words, with what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// We hung up.
    #[error("You hung up")]
    HungUp,
    /// They hung up.
    #[error("The other side hung up")]
    PeerHungUp,
    /// The other side went away without a word.
    #[error("The other side is gone. Their app was closed or their connection broke; call again")]
    PeerLeft,
    /// Nobody waits under the code.
    #[error("Nobody is waiting under this code. Check the words, and that the other side is still waiting")]
    NobodyHere,
    /// The words after the first two are wrong: two, or four of a lasting room.
    #[error("The words don't match. Ask for the code again; each wrong attempt counts")]
    WrongCode,
    /// The code that was asked for is in use.
    #[error("Somebody already waits under this code. Join them, or start a call with a new code")]
    CodeTaken,
    /// The room holds as many as it can, or its owner is being asked about somebody else.
    #[error("Somebody else is already there. Try again later, or ask for a new code")]
    RoomFull,
    /// They turned us away.
    #[error("The other side closed the room after too many wrong codes. Ask for a new code")]
    Dismissed,
    /// The owner of a lasting room does not let us in.
    #[error("The other side declined")]
    Declined,
    /// The owner of a lasting room did not answer, or was not asked, as they had sent somebody away a moment before.
    #[error("Nobody answered. The other side may be away, or was called only a moment ago; try again later")]
    NotAnswered,
    /// Wrong words were tried at a lasting room, which answers nobody for a moment.
    #[error("Somebody tried wrong words at this room, so it answers nobody for up to a minute. Try again then")]
    Guarded,
    /// No server could be reached.
    #[error("No connection to a server ({0}). Check your network, or the server in the settings")]
    SignalingUnreachable(String),
    /// ICE or DTLS did not come about in time.
    #[error("No way through the network between the two of you was found. Another network, or a TURN server, helps")]
    ConnectFailed,
    /// …and a TURN server of ours does not serve, in words.
    #[error("No way through the network between the two of you was found. The TURN server {0}")]
    NoRelay(String),
    /// Media stopped and did not come back.
    #[error("The connection broke and did not come back. Check your network and call again")]
    ConnectionLost,
    /// The other side knows the code, and what it sends is of no use, or harmful.
    #[error("The other side's app sent {0}. Update both apps; if it stays so, don't call this person again")]
    Unusable(String),
    /// What came over the server does not belong to this call, and no connection came about.
    #[error(
        "The server sent something that does not belong to this call, and no connection came about. Try another server"
    )]
    Meddled,
    /// One code after the other was used up by wrong attempts.
    #[error("Somebody keeps trying codes on this network or server. Start again later, or use another server")]
    Guessing,
    /// The fingerprints that DTLS used are not the sealed ones.
    #[error("Somebody tried to listen in: the other side's keys are not the ones it announced. The call was ended")]
    Intercepted,
    /// The other side speaks another protocol version.
    #[error("The other side, or the server, uses another version of Visavis. Update both")]
    Version,
    /// Something inside failed.
    #[error("Something went wrong: {0}")]
    Internal(String),
}

/// Things that happened, for scripts and logs; a front end can do with [`State`] alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A configured server can be used.
    ServerConnected(String),
    /// Our seat in a room is taken: opened (first) or joined (second).
    Joined {
        /// We are the first in the room.
        opened: bool,
        /// The room's code, for whoever must show it.
        code: String,
    },
    /// Somebody at the door of our lasting room wants to be let in.
    Asks {
        /// Their name; may be empty.
        name: String,
        /// As [`Asks::guest`].
        guest: Option<String>,
    },
    /// They went away, or were not answered in time.
    AsksNoMore,
    /// We wait to be let into somebody's lasting room.
    Holds {
        /// Its owner's name; may be empty.
        name: String,
    },
    /// Somebody came (or was there).
    PeerJoined,
    /// The path stands (ICE).
    IceConnected,
    /// DTLS stands: media may flow.
    Connected {
        /// The 25 digits.
        verification: String,
        /// How.
        path: Path,
        /// The TURN server on the way, as in [`InCall::relay`].
        relay: Option<String>,
    },
    /// The call goes on by another path.
    Path {
        /// How.
        path: Path,
        /// The TURN server on the way, as in [`InCall::relay`].
        relay: Option<String>,
    },
    /// A TURN server does not serve, in words: "HOST refuses its user name and password; …".
    RelayTrouble(String),
    /// The first picture of the other side.
    FirstFrame,
    /// The other side muted or unmuted.
    PeerMuted(bool),
    /// Our camera fares otherwise than before.
    Camera(CameraState),
    /// The other side's picture comes or stays away: switched on or off, or its camera works or does not.
    PeerVideo(bool),
    /// A line of text from the other side.
    Chat(String),
    /// The answer to a [`Command::Ping`].
    Pong(u64),
    /// In a call: whether the other side can be told something by way of the server. Media needs none.
    Signaling(bool),
    /// Nothing gets through; being mended.
    Reconnecting,
    /// Flowing again.
    Reconnected,
    /// The other side left and may be back in a moment: [`Waiting::away`].
    PeerAway,
    /// The call, or the attempt, is over.
    Ended(EndReason),
}

impl Event {
    /// What kind it is, for logs: without codes, names or what people write.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ServerConnected(_) => "server-connected",
            Self::Joined { .. } => "joined",
            Self::Asks { .. } => "asks",
            Self::AsksNoMore => "asks-no-more",
            Self::Holds { .. } => "holds",
            Self::PeerJoined => "peer-joined",
            Self::IceConnected => "ice-connected",
            Self::Connected { .. } => "connected",
            Self::FirstFrame => "first-frame",
            Self::PeerMuted(_) => "peer-muted",
            Self::Camera(_) => "camera",
            Self::PeerVideo(_) => "peer-video",
            Self::Chat(_) => "chat",
            Self::Pong(_) => "pong",
            Self::Signaling(_) => "signaling",
            Self::Reconnecting => "reconnecting",
            Self::Reconnected => "reconnected",
            Self::PeerAway => "peer-away",
            Self::Path { .. } => "path",
            Self::RelayTrouble(_) => "relay-trouble",
            Self::Ended(_) => "ended",
        }
    }
}
