//! The command line.

use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;
use visavis_call::{Connecting, IceServer, LocalNetwork, Options, SoundChoices, SoundPackets, Volume};
use visavis_capture::pattern::Pattern;
use visavis_capture::{CameraSpec, Content, MicrophoneSpec, SpeakerSpec};
use visavis_media::{BitsPerSecond, Size};
use visavis_signaling::RoomCode;

/// A whole peer without a window.
#[derive(Parser, Clone, Debug)]
#[command(name = "headless_peer", version)]
pub(crate) struct Cli {
    /// Signaling server, ws://HOST:PORT or wss://…; without it, apps on this machine are looked for.
    #[arg(long)]
    pub server: Option<String>,
    /// Certificate authority of a wss:// server and of turns: servers (PEM); without it, the system's.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// The room's code, four words, or six of a lasting room.
    #[arg(long, default_value = "abandon-abandon-abandon-absurd")]
    pub room: RoomCode,
    /// default, a device's id or part of its name, pattern, pattern:pan, file:PATH.y4m or none.
    #[arg(long, default_value = "pattern")]
    pub camera: CameraSpec,
    /// default, a device's id or part of its name, tone, speech, file:PATH.wav or none.
    #[arg(long, default_value = "speech")]
    pub microphone: MicrophoneSpec,
    /// default, a device's id or part of its name, file:PATH.wav or none.
    #[arg(long, default_value = "none")]
    pub speaker: SpeakerSpec,
    /// Size of our picture.
    #[arg(long, default_value = "1280x720")]
    pub size: Size,
    /// Frames per second of our picture.
    #[arg(long, default_value_t = 30.0)]
    pub fps: f32,
    /// Most that picture and sound may take; by default as the app.
    #[arg(long)]
    pub max_bitrate_kbps: Option<u32>,
    /// STUN server, stun:HOST:PORT.
    #[arg(long)]
    pub stun: Vec<String>,
    /// TURN server, turn:HOST:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT (TLS).
    #[arg(long)]
    pub turn: Vec<String>,
    /// Name at the TURN servers.
    #[arg(long, default_value = "")]
    pub turn_user: String,
    /// Password at the TURN servers.
    #[arg(long, default_value = "")]
    pub turn_password: String,
    /// Media only through TURN.
    #[arg(long)]
    pub relay_only: bool,
    /// Open the room; without it: join, and open it when nobody is there.
    #[arg(long)]
    pub open: bool,
    /// Of a lasting room (six words) that is opened: let nobody in but by `accept` on standard input (with --wait);
    /// without it, everybody who knows the words is let in.
    #[arg(long, requires = "wait")]
    pub ask: bool,
    /// Join only; without it and without --open: open the room when nobody is there.
    #[arg(long, conflicts_with = "open")]
    pub join: bool,
    /// Find and be found in the local network too, by mDNS; without it, on this machine where no server is given.
    #[arg(long)]
    pub local_network: bool,
    /// Process the microphone's sound as the app does: echo, noise and level.
    #[arg(long)]
    pub voice: bool,
    /// Send sound in silence too.
    #[arg(long)]
    pub no_dtx: bool,
    /// How much sound a packet holds, in milliseconds: 10, 20, or auto, which goes by the path.
    #[arg(long, default_value = "auto", value_parser = audio_frame)]
    pub audio_frame: SoundPackets,
    /// Local address to send media from.
    #[arg(long, value_name = "ADDR")]
    pub bind: Vec<String>,
    /// A connection that is stuck is not built anew.
    #[arg(long)]
    pub no_watchdog: bool,
    /// Lost DTLS messages are not repeated but by the library itself.
    #[arg(long)]
    pub no_repeats: bool,
    /// The name that the other side sees.
    #[arg(long, default_value = "headless")]
    pub name: String,
    /// Where the report goes; by default standard output.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Open devices and server, print `ready`, then obey lines on standard input.
    #[arg(long)]
    pub wait: bool,
    /// Stop so many seconds after the call connected.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Write one picture of the pattern as raw I420 and exit: cam|pan T_MS WxH FILE.
    #[arg(long, num_args = 4, value_names = ["CONTENT", "T_MS", "SIZE", "FILE"])]
    pub dump_pattern: Option<Vec<String>>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>().or_else(|_| text.parse::<std::net::IpAddr>().map(|ip| (ip, 0).into()));
    with_port.map_err(|_| format!("`{text}` is no address to bind; write an IP address or IP:PORT"))
}

fn audio_frame(text: &str) -> Result<SoundPackets, String> {
    match text {
        "auto" => Ok(SoundPackets::ByPath),
        "10" => Ok(SoundPackets::Ten),
        "20" => Ok(SoundPackets::Twenty),
        other => Err(format!("`{other}` is no length of a packet of sound: 10, 20 or auto")),
    }
}

impl Cli {
    /// CPU seconds a second that drawing the test picture takes, where it is drawn.
    pub(crate) fn camera_cost(&self) -> f64 {
        match self.camera {
            CameraSpec::Pattern(_) => crate::process::pattern_cost(self.size) * f64::from(self.fps),
            CameraSpec::Default | CameraSpec::Device(_) | CameraSpec::File(_) | CameraSpec::None => 0.0,
        }
    }

    pub(crate) fn endpoint_options(&self) -> Result<Options, String> {
        if let Some(url) = self.server.as_ref().filter(|u| !u.starts_with("ws://") && !u.starts_with("wss://")) {
            return Err(format!("`{url}` is no signaling server; write ws://HOST:PORT or wss://HOST"));
        }
        let mut ice_servers = Vec::new();
        if !self.stun.is_empty() {
            ice_servers.push(IceServer { urls: self.stun.clone(), ..IceServer::default() });
        }
        if !self.turn.is_empty() {
            let (username, credential) = (self.turn_user.clone(), self.turn_password.clone());
            ice_servers.push(IceServer { urls: self.turn.clone(), username, credential });
        }
        let defaults = Options::default();
        Ok(Options {
            servers: self.server.iter().cloned().collect(),
            ca: self.ca.clone(),
            ice_servers,
            relay_only: self.relay_only,
            bind: self.bind.iter().map(|a| address(a)).collect::<Result<_, _>>()?,
            local_network: match (self.local_network, &self.server) {
                (true, _) => LocalNetwork::On,
                (false, Some(_)) => LocalNetwork::Off,
                (false, None) => LocalNetwork::ThisMachine,
            },
            name: self.name.clone(),
            camera: self.camera.clone(),
            microphone: self.microphone.clone(),
            speaker: self.speaker.clone(),
            size: self.size,
            fps: self.fps.clamp(1.0, 60.0),
            max_bitrate: self.max_bitrate_kbps.map_or(defaults.max_bitrate, BitsPerSecond::kilo),
            sound: if self.voice {
                SoundChoices { chimes: Volume::OFF, ..SoundChoices::default() }
            } else {
                SoundChoices::PLAIN
            },
            dtx: !self.no_dtx,
            sound_packets: self.audio_frame,
            connecting: Connecting {
                repeat_flights: !self.no_repeats,
                watchdog: !self.no_watchdog,
                ..Connecting::default()
            },
            ..defaults
        })
    }
}

/// `--dump-pattern`.
pub(crate) fn dump_pattern(words: &[String]) -> Result<(), String> {
    let [content, t_ms, size, file] = words else { return Err("--dump-pattern CONTENT T_MS SIZE FILE".into()) };
    let content = match content.as_str() {
        "cam" => Content::Cam,
        "pan" => Content::Pan,
        other => return Err(format!("`{other}` is no pattern: cam or pan")),
    };
    let t_ms: f64 = t_ms.parse().map_err(|_| format!("`{t_ms}` is no Unix time in milliseconds"))?;
    let size: Size = size.parse()?;
    let picture = Pattern::new(content, size).picture_at(t_ms);
    std::fs::write(file, picture.as_bytes()).map_err(|e| format!("{file}: {e}"))
}
