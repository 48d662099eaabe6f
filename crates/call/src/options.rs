//! What a call can be told before it begins.

use crate::peer::EmulatedLink;
use crate::rate::{Lengths, PacketLength};
use crate::sound::SoundChoices;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use visavis_capture::{CameraSpec, MicrophoneSpec, SpeakerSpec};
use visavis_media::{AudioFrame, BitsPerSecond, I420, RtpTicks, Size};

/// STUN servers asked where nobody configured others. Such a server sees the address of whoever asks it.
pub const DEFAULT_STUN: [&str; 3] =
    ["stun:stun.l.google.com:19302", "stun:stun1.l.google.com:19302", "stun:stun2.l.google.com:19302"];

/// Settings of an [`Endpoint`](crate::Endpoint).
#[derive(Clone)]
pub struct Options {
    /// Signaling servers, `ws://` or `wss://`; none is fine on a local network.
    pub servers: Vec<String>,
    /// Certificate authority for `wss://` and `turns:` servers, PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// STUN and TURN servers. A signaling server may add its own.
    pub ice_servers: Vec<IceServer>,
    /// Media only through TURN: the other side does not see our address.
    pub relay_only: bool,
    /// Local addresses to send media from; empty: every interface.
    pub bind: Vec<SocketAddr>,
    /// Run a signaling server inside, announce it by mDNS, and search for others' (see [`LocalNetwork`]).
    pub local_network: LocalNetwork,
    /// The name that the other side sees.
    pub name: String,
    /// Camera to begin with.
    pub camera: CameraSpec,
    /// Microphone to begin with.
    pub microphone: MicrophoneSpec,
    /// Loudspeaker to begin with.
    pub speaker: SpeakerSpec,
    /// Wanted size of our picture.
    pub size: Size,
    /// Wanted frames per second of our picture.
    pub fps: f32,
    /// Most that our picture and sound may take.
    pub max_bitrate: BitsPerSecond,
    /// How sound is treated, to begin with.
    pub sound: SoundChoices,
    /// Send nothing while nobody speaks (Opus DTX), where the other side asks for that in its description: it then plays
    /// noise like the room's.
    pub dtx: bool,
    /// How much sound a packet of ours holds.
    pub sound_packets: SoundPackets,
    /// Keep camera and microphone open before a call, so that one sees and hears oneself.
    pub preview: bool,
    /// Called with each decoded picture, on the decoder's thread; must be quick. For tests and measurements.
    pub on_picture: Option<PictureTap>,
    /// Called with each picture of ours that was handed to the network, on the call's thread; must be quick. For
    /// measurements.
    pub on_sent: Option<SentTap>,
    /// Called with each 10 ms of sound on its way to the loudspeaker, `at` being when it will be heard; on the sound
    /// thread, must be quick. For tests and measurements.
    pub on_sound: Option<SoundTap>,
    /// How connections are set up. For tests and measurements.
    pub connecting: Connecting,
}

/// See [`Options::sound_packets`]. What the other side asked for comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoundPackets {
    /// 10 ms where the path is calm and wide, else 20 ms.
    #[default]
    ByPath,
    /// 10 ms: for measurements.
    Ten,
    /// 20 ms: for measurements.
    Twenty,
}

impl SoundPackets {
    /// Which lengths may be sent to somebody who takes these.
    pub(crate) fn among(self, taken: Lengths) -> Lengths {
        match (self, taken) {
            (Self::ByPath, _) | (_, Lengths::Only(_)) => taken,
            (Self::Ten, Lengths::Both) => Lengths::Only(PacketLength::Short),
            (Self::Twenty, Lengths::Both) => Lengths::Only(PacketLength::Long),
        }
    }
}

/// What gets connections set up on bad paths. Switching it off shows what it is for.
#[derive(Clone)]
pub struct Connecting {
    /// The last DTLS flight is repeated until the other side shows that it has it.
    pub repeat_flights: bool,
    /// A connection that stands for ICE and is not ready within 3 s is built anew.
    pub watchdog: bool,
    /// Asked about each datagram before it leaves; `false`: it is lost.
    pub filter: Option<DatagramFilter>,
    /// What all datagrams that leave go through, behind the filter.
    pub link: Option<EmulatedLink>,
}

impl Default for Connecting {
    fn default() -> Self {
        Self { repeat_flights: true, watchdog: true, filter: None, link: None }
    }
}

/// See [`Connecting::filter`]: gets the number of the connection, from 0 in the order in which this endpoint builds
/// them, and the datagram. Called on the thread of the call; must be quick.
pub type DatagramFilter = Arc<dyn Fn(u32, &[u8]) -> bool + Send + Sync>;

/// See [`Options::on_sound`].
pub type SoundTap = Arc<dyn Fn(&AudioFrame) + Send + Sync>;

/// See [`Options::on_sent`].
pub type SentTap = Arc<dyn Fn(&SentPicture) + Send + Sync>;

/// The stages of a picture on its way out. One with the same `ticks` is a [`ReceivedPicture`] on the other side.
#[derive(Clone, Copy, Debug)]
pub struct SentPicture {
    /// Its RTP timestamp.
    pub ticks: RtpTicks,
    /// When it was captured.
    pub captured: Instant,
    /// When the encoder's thread took it.
    pub taken: Instant,
    /// When it was encoded.
    pub encoded: Instant,
    /// When its first packet was handed to the connection, whose pacer then lets the packets out.
    pub handed_over: Instant,
}

/// See [`Options::on_picture`].
pub type PictureTap = Arc<dyn Fn(&ReceivedPicture) + Send + Sync>;

/// A decoded picture on its way to the screen.
pub struct ReceivedPicture {
    /// The pixels.
    pub picture: I420,
    /// Its RTP timestamp.
    pub ticks: RtpTicks,
    /// When the first packet of it arrived.
    pub first_packet: Instant,
    /// When the last packet of it arrived.
    pub last_packet: Instant,
    /// When the decoder's thread took it.
    pub decoding: Instant,
    /// When it was handed to the display slot.
    pub submitted: Instant,
    /// How many were shown before it in this call, plus one.
    pub count: u64,
}

/// Who may find a room without a configured server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalNetwork {
    /// Nobody: only configured servers are used.
    Off,
    /// Apps on this machine (ports 7460–7469 on 127.0.0.1), nothing is announced.
    ThisMachine,
    /// Apps on this machine and in the local network, found by mDNS.
    On,
}

/// A STUN or TURN server (RFC 8489, RFC 8656), as in W3C webrtc-pc's `RTCIceServer`.
#[derive(Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct IceServer {
    /// `stun:HOST:PORT`, `turn:HOST:PORT` (over TCP with `?transport=tcp`) or `turns:HOST:PORT` (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default)]
    pub username: String,
    /// For TURN.
    #[serde(default)]
    pub credential: String,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IceServer({} urls)", self.urls.len())
    }
}

impl IceServer {
    /// The public STUN servers of [`DEFAULT_STUN`].
    pub fn default_stun() -> Vec<Self> {
        vec![Self { urls: DEFAULT_STUN.map(str::to_owned).to_vec(), ..Self::default() }]
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            ca: None,
            ice_servers: IceServer::default_stun(),
            relay_only: false,
            bind: Vec::new(),
            local_network: LocalNetwork::On,
            name: String::new(),
            camera: CameraSpec::Default,
            microphone: MicrophoneSpec::Default,
            speaker: SpeakerSpec::Default,
            size: Size::new(1280, 720).expect("both sides are even"),
            fps: 30.0,
            max_bitrate: BitsPerSecond::kilo(2500),
            sound: SoundChoices::default(),
            dtx: true,
            sound_packets: SoundPackets::ByPath,
            preview: true,
            on_picture: None,
            on_sent: None,
            on_sound: None,
            connecting: Connecting::default(),
        }
    }
}
