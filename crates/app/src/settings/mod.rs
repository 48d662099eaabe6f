//! What the app remembers between starts: one JSON file in the user's configuration folder.
//!
//! Reading happens once, on a thread of its own while the window opens. Writing happens on a thread of its own, into a new file that then
//! takes the old one's place, so that a crash leaves either the old settings or the new ones.

mod file;
mod names;
mod store;
#[cfg(test)]
mod tests;

pub use file::{DAMAGED_NAME, FILE_NAME, Loaded, Loading, default_folder, load, save};
pub use names::known_again;
pub use store::Store;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::str::FromStr;
use visavis_call::{Command, IceServer, NoiseSuppression, SoundChoices, VoiceSettings, Volume};
use visavis_capture::{CameraSpec, MicrophoneSpec, SpeakerSpec};
use visavis_signaling::RoomCode;

/// Characters of a name that are kept.
pub const NAME_LENGTH: usize = 64;
/// Names of devices that are kept as ambiguous; nobody has so many pairs, and the file stays small.
const TWIN_NAMES: usize = 32;

/// Everything that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The name that the other side sees.
    pub name: String,
    /// Camera to begin with.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub camera: CameraSpec,
    /// Microphone to begin with.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub microphone: MicrophoneSpec,
    /// The name of the device that is the microphone, as it was last seen; empty where that is not known.
    pub microphone_name: String,
    /// Loudspeaker to begin with.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub speaker: SpeakerSpec,
    /// The name of the device that is the loudspeaker, likewise.
    pub speaker_name: String,
    /// Names that two sound devices had at once, the newest last: by these none is known again.
    pub twin_names: Vec<String>,
    /// What the microphone hears of the loudspeaker is taken away.
    pub echo_cancellation: bool,
    /// How much is done against noise.
    pub noise_suppression: Noise,
    /// Speech is brought to the same level.
    pub automatic_gain: bool,
    /// How loud the other person is, in percent.
    pub other_volume: Volume,
    /// How loud the app's own sounds are, in percent.
    pub chime_volume: Volume,
    /// The microphone is on only while Space is held.
    pub push_to_talk: bool,
    /// Say so when somebody speaks who is muted.
    pub remind_muted: bool,
    /// Signaling servers, `ws://` or `wss://`.
    pub servers: Vec<String>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// Media only through TURN.
    pub relay_only: bool,
    /// The room that was kept: six words, by which whoever has them may ask to be let in.
    #[serde(deserialize_with = "lasting_room", serialize_with = "room_text")]
    pub room: Option<RoomCode>,
    /// Dark, light, or as the system has it.
    pub theme: ThemeChoice,
    /// Where one's own picture sits in a call.
    pub self_view: Corner,
    /// The sentence about STUN servers was read.
    pub notice_seen: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            camera: CameraSpec::Default,
            microphone: MicrophoneSpec::Default,
            microphone_name: String::new(),
            speaker: SpeakerSpec::Default,
            speaker_name: String::new(),
            twin_names: Vec::new(),
            echo_cancellation: true,
            noise_suppression: Noise::Full,
            automatic_gain: true,
            other_volume: Volume::FULL,
            chime_volume: Volume::FULL,
            push_to_talk: false,
            remind_muted: true,
            servers: Vec::new(),
            ice_servers: IceServer::default_stun(),
            relay_only: false,
            room: None,
            theme: ThemeChoice::System,
            self_view: Corner::BottomRight,
            notice_seen: false,
        }
    }
}

/// Which colours the window takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeChoice {
    /// As the system has it.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// How much is done against noise that the microphone hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// Nothing.
    Off,
    /// Against steady noise; for weak machines.
    Light,
    /// Against steady noise and most others.
    #[default]
    Full,
}

/// A corner of the call's picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Corner {
    /// Above, on the left.
    TopLeft,
    /// Above, on the right.
    TopRight,
    /// Below, on the left.
    BottomLeft,
    /// Below, on the right.
    #[default]
    BottomRight,
}

/// One change that a person made.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Another name.
    Name(String),
    /// Another camera.
    Camera(CameraSpec),
    /// Another microphone.
    Microphone(MicrophoneSpec),
    /// Another loudspeaker.
    Speaker(SpeakerSpec),
    /// What the chosen microphone is called.
    MicrophoneName(String),
    /// What the chosen loudspeaker is called.
    SpeakerName(String),
    /// Two sound devices are called so.
    TwinName(String),
    /// A headset, or what there is of it.
    Headset {
        /// Its microphone.
        microphone: Option<MicrophoneSpec>,
        /// Its loudspeaker.
        speaker: Option<SpeakerSpec>,
    },
    /// The loudspeaker's echo taken away, or not.
    EchoCancellation(bool),
    /// More or less done against noise.
    Noise(Noise),
    /// Speech brought to the same level, or not.
    AutomaticGain(bool),
    /// The other person louder or quieter.
    OtherVolume(Volume),
    /// The app's own sounds louder or quieter.
    ChimeVolume(Volume),
    /// The microphone on only while Space is held, or always.
    PushToTalk(bool),
    /// A word to who speaks while muted, or none.
    RemindMuted(bool),
    /// Other signaling servers.
    Servers(Vec<String>),
    /// Other STUN and TURN servers.
    IceServers(Vec<IceServer>),
    /// Media only through TURN, or not.
    RelayOnly(bool),
    /// A room to be kept in the place of any other, or none.
    Room(Option<RoomCode>),
    /// Other colours.
    Theme(ThemeChoice),
    /// Own picture elsewhere.
    SelfView(Corner),
    /// The sentence about STUN servers was read.
    NoticeSeen,
}

impl Change {
    /// What the running call must hear of it, `after` being the settings with it; `None` where it concerns the window
    /// alone.
    pub fn command(&self, after: &Settings) -> Option<Command> {
        match self {
            Self::Name(name) => Some(Command::SetName(name.clone())),
            Self::Camera(spec) => Some(Command::SetCamera(spec.clone())),
            Self::Microphone(spec) => Some(Command::SetMicrophone(spec.clone())),
            Self::Speaker(spec) => Some(Command::SetSpeaker(spec.clone())),
            Self::Headset { microphone, speaker } => {
                Some(Command::SetSoundDevices { microphone: microphone.clone(), speaker: speaker.clone() })
            }
            Self::EchoCancellation(_)
            | Self::Noise(_)
            | Self::AutomaticGain(_)
            | Self::OtherVolume(_)
            | Self::ChimeVolume(_) => Some(Command::SetSound(after.sound())),
            Self::Servers(servers) => Some(Command::SetServers(servers.clone())),
            Self::IceServers(_) | Self::RelayOnly(_) => {
                Some(Command::SetIce { servers: after.ice_servers.clone(), relay_only: after.relay_only })
            }
            Self::MicrophoneName(_) | Self::SpeakerName(_) | Self::TwinName(_) | Self::Room(_) => None,
            Self::Theme(_) | Self::SelfView(_) | Self::NoticeSeen | Self::PushToTalk(_) | Self::RemindMuted(_) => None,
        }
    }
}

impl Settings {
    /// How sound is to be treated.
    pub fn sound(&self) -> SoundChoices {
        let noise_suppression = match self.noise_suppression {
            Noise::Off => NoiseSuppression::Off,
            Noise::Light => NoiseSuppression::Light,
            Noise::Full => NoiseSuppression::Full,
        };
        let (echo_cancellation, automatic_gain) = (self.echo_cancellation, self.automatic_gain);
        // Rumble is no sound that anybody wants, unless they want everything as it is.
        let high_pass = echo_cancellation || automatic_gain || noise_suppression != NoiseSuppression::Off;
        let voice = VoiceSettings { high_pass, echo_cancellation, noise_suppression, automatic_gain };
        SoundChoices { voice, other: self.other_volume, chimes: self.chime_volume }
    }

    /// Carries out a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Name(name) => self.name = name.chars().take(NAME_LENGTH).collect(),
            Change::Camera(spec) => self.camera = spec,
            Change::Microphone(spec) => (self.microphone, self.microphone_name) = (spec, String::new()),
            Change::Speaker(spec) => (self.speaker, self.speaker_name) = (spec, String::new()),
            Change::MicrophoneName(name) => self.microphone_name = name,
            Change::SpeakerName(name) => self.speaker_name = name,
            Change::TwinName(name) => {
                self.twin_names.push(name);
                let surplus = self.twin_names.len().saturating_sub(TWIN_NAMES);
                self.twin_names.drain(..surplus);
            }
            Change::Headset { microphone, speaker } => {
                microphone.into_iter().for_each(|spec| self.apply(Change::Microphone(spec)));
                speaker.into_iter().for_each(|spec| self.apply(Change::Speaker(spec)));
            }
            Change::EchoCancellation(on) => self.echo_cancellation = on,
            Change::Noise(noise) => self.noise_suppression = noise,
            Change::AutomaticGain(on) => self.automatic_gain = on,
            Change::OtherVolume(volume) => self.other_volume = volume,
            Change::ChimeVolume(volume) => self.chime_volume = volume,
            Change::PushToTalk(on) => self.push_to_talk = on,
            Change::RemindMuted(on) => self.remind_muted = on,
            Change::Servers(servers) => self.servers = servers,
            Change::IceServers(servers) => self.ice_servers = servers,
            Change::RelayOnly(on) => self.relay_only = on,
            Change::Room(room) => self.room = room,
            Change::Theme(theme) => self.theme = theme,
            Change::SelfView(corner) => self.self_view = corner,
            Change::NoticeSeen => self.notice_seen = true,
        }
    }
}

fn to_text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// A device that is named in a way we no longer know becomes the default, which spoils nothing.
fn from_text<'de, T: FromStr + Default, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(String::deserialize(from)?.parse().unwrap_or_default())
}

fn room_text<S: Serializer>(room: &Option<RoomCode>, to: S) -> Result<S::Ok, S::Error> {
    room.as_ref().map(RoomCode::to_string).serialize(to)
}

/// Words that are no lasting room's are none, which spoils nothing else.
fn lasting_room<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RoomCode>, D::Error> {
    let words = Option::<String>::deserialize(from)?;
    Ok(words.and_then(|words| words.parse().ok()).filter(RoomCode::is_lasting))
}
