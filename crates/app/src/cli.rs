//! The command line. Its names are relied on by scripts and do not change.

use crate::settings::Settings;
use clap::Parser;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::path::PathBuf;
use visavis_call::{Command, IceServer};
use visavis_capture::{CameraSpec, MicrophoneSpec, SpeakerSpec};
use visavis_signaling::Invitation;

/// Video calls straight from one machine to another: start a call, read out four words, the other side types them.
#[derive(Parser, Clone, Debug, Default)]
#[command(name = "visavis", version)]
pub struct Cli {
    /// Signaling server to use, ws:// or wss://; can be given several times
    #[arg(long, value_name = "URL", value_parser = server_url)]
    pub server: Vec<String>,
    /// default, a device's id or a unique part of its name, pattern, pattern:pan, file:PATH.y4m, none
    #[arg(long, value_name = "SPEC")]
    pub camera: Option<CameraSpec>,
    /// default, a device's id or a unique part of its name, tone, speech, file:PATH.wav, none
    #[arg(long, value_name = "SPEC")]
    pub microphone: Option<MicrophoneSpec>,
    /// default, a device's id or a unique part of its name, file:PATH.wav, none
    #[arg(long, value_name = "SPEC")]
    pub speaker: Option<SpeakerSpec>,
    /// The name that the other side sees
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Start a call at once; the first line printed is the room code
    #[arg(long, conflicts_with = "join")]
    pub start: bool,
    /// Open the room that was kept, or keep a new one, at once; the first line printed is its code
    #[arg(long, conflicts_with_all = ["start", "join"])]
    pub open_room: bool,
    /// Join the call with this code or link at once
    #[arg(long, value_name = "CODE-OR-LINK")]
    pub join: Option<Invitation>,
    /// Certificate authority of wss:// servers, a PEM file, instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// STUN server, stun:HOST:PORT; can be given several times
    #[arg(long, value_name = "URL", value_parser = |url: &str| ice_url(url, &["stun:", "stuns:"]))]
    pub stun: Vec<String>,
    /// TURN server, turn:HOST:PORT; can be given several times
    #[arg(long, value_name = "URL", value_parser = |url: &str| ice_url(url, &["turn:", "turns:"]))]
    pub turn: Vec<String>,
    /// User name for the TURN servers
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub turn_user: String,
    /// Password for the TURN servers
    #[arg(long, value_name = "PASSWORD", default_value = "", hide_default_value = true)]
    pub turn_password: String,
    /// Send sound and picture through a TURN server only, so that the other side does not see this machine's address
    #[arg(long)]
    pub relay_only: bool,
    /// Folder for the settings, instead of the user's configuration folder
    #[arg(long, value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
}

/// What to print instead of starting, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Asked for: help or version, to standard output, exit 0.
    Say(String),
    /// A bad option: one line for standard error, exit 2.
    Refuse(String),
}

/// Reads the command line.
///
/// # Errors
/// [`Stop`] where the app should not start.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    Cli::try_parse_from(arguments).map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Say(e.to_string()),
        _ => Stop::Refuse(one_line(&e.to_string())),
    })
}

/// The first paragraph of clap's message as a line.
fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    format!("visavis: {}; --help lists the options", words.join(" ").trim_start_matches("error: "))
}

/// Checks that a text can be a signaling server's address.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn server_url(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let host = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err("a server's address begins with ws:// or wss:// and a host follows".to_owned()),
    }
}

/// Checks that a text can be a STUN or TURN server's address with one of these schemes.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn ice_url(text: &str, schemes: &[&str]) -> Result<String, String> {
    let text = text.trim();
    let host = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.contains(char::is_whitespace) && !host.starts_with('/') => {
            Ok(text.to_owned())
        }
        _ => Err(format!("write it like {}HOST:PORT", schemes.first().copied().unwrap_or_default())),
    }
}

impl Cli {
    /// The remembered settings with this run's wishes in them.
    pub fn over(&self, saved: &Settings) -> Settings {
        let mut shown = saved.clone();
        if !self.server.is_empty() {
            shown.servers.clone_from(&self.server);
        }
        if let Some(camera) = &self.camera {
            shown.camera = camera.clone();
        }
        if let Some(microphone) = &self.microphone {
            shown.microphone = microphone.clone();
        }
        if let Some(speaker) = &self.speaker {
            shown.speaker = speaker.clone();
        }
        if let Some(name) = &self.name {
            shown.name = name.chars().take(crate::settings::NAME_LENGTH).collect();
        }
        if !self.stun.is_empty() || !self.turn.is_empty() {
            let stun = IceServer { urls: self.stun.clone(), ..IceServer::default() };
            let turn = IceServer {
                urls: self.turn.clone(),
                username: self.turn_user.clone(),
                credential: self.turn_password.clone(),
            };
            shown.ice_servers = [stun, turn].into_iter().filter(|server| !server.urls.is_empty()).collect();
        }
        shown.relay_only |= self.relay_only;
        shown
    }

    /// What to do as soon as the app runs.
    pub fn first_command(&self) -> Option<Command> {
        match &self.join {
            Some(invitation) => Some(Command::Join(invitation.clone())),
            None => self.start.then_some(Command::Start(None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, Stop> {
        parse(["visavis"].into_iter().chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn every_documented_option_is_taken() {
        let line = "--server ws://127.0.0.1:7460 --camera pattern --microphone tone --speaker none --name Ada --start \
                    --stun stun:a:1 --turn turn:b:2 --turn-user u --turn-password p --relay-only --config-dir x";
        let cli = read(line).expect("valid");
        let shown = cli.over(&Settings::default());
        assert_eq!(shown.servers, ["ws://127.0.0.1:7460"]);
        assert_eq!((shown.name.as_str(), shown.relay_only, shown.ice_servers.len()), ("Ada", true, 2));
        assert_eq!(shown.ice_servers[1].credential, "p");
        assert!(matches!(cli.first_command(), Some(Command::Start(None))));
    }

    #[test]
    fn join_takes_a_code_and_a_link() {
        for given in ["velvet-canyon-orbit-zero", "https://calls.example/#velvet-canyon-orbit-zero"] {
            let cli = read(&format!("--join {given}")).expect("valid");
            assert!(matches!(cli.first_command(), Some(Command::Join(_))));
        }
    }

    #[test]
    fn a_bad_option_is_refused_in_one_line() {
        for line in [
            "--nonsense",
            "--camera",
            "--camera pattern:gone",
            "--microphone file:",
            "--server http://x",
            "--server ws://",
            "--stun turn:x:1",
            "--join velvet-canyon-orbit-zer0",
            "--start --join velvet-canyon-orbit-zero",
            "stray",
        ] {
            match read(line) {
                Err(Stop::Refuse(said)) => {
                    assert!(said.starts_with("visavis: ") && said.lines().count() == 1, "{line}: {said}");
                    assert!(!said.contains("error:"), "{line}: {said}");
                }
                other => panic!("{line} gave {other:?}"),
            }
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        assert!(matches!(read("--help"), Err(Stop::Say(text)) if text.contains("--config-dir")));
        assert!(matches!(read("--version"), Err(Stop::Say(text)) if text.starts_with("visavis ")));
    }

    #[test]
    fn without_options_the_remembered_settings_hold() {
        let saved = Settings { name: "Ada".into(), servers: vec!["wss://x".into()], ..Settings::default() };
        let cli = read("").expect("valid");
        assert_eq!(cli.over(&saved), saved);
        assert!(cli.first_command().is_none());
    }
}
