//! Every control of the app: its words, icon, shortcut, tooltip and what it does.
//!
//! A new control is a variant here; the compiler then asks for the rest.

use crate::command::{Panel, UiCommand, WindowCommand};
use crate::icons::Icon;
use crate::quality::Grade;
use egui::{Event, Key, KeyboardShortcut, Modifiers, Ui};
use visavis_call::{Again, Command, EchoTest, Phase, State};
use visavis_signaling::{Invitation, RoomCode};

/// Something that can be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Open a room.
    Start,
    /// Join the room of the code that was typed.
    Join,
    /// Stop waiting or joining.
    Cancel,
    /// Have a room that stays, in the place of the one that is open.
    Keep,
    /// Open the room that stays.
    OpenRoom,
    /// Let somebody into it.
    LetIn,
    /// Do not let them in.
    Decline,
    /// The code to the clipboard.
    CopyCode,
    /// The link to the clipboard.
    CopyLink,
    /// Microphone on and off.
    Mute,
    /// Camera on and off.
    Video,
    /// End the call.
    HangUp,
    /// Choose camera, microphone and loudspeaker.
    Devices,
    /// Show and hide the chat.
    Chat,
    /// Show and hide what is known of the connection.
    Connection,
    /// How good the connection is; show and hide the curves of the last minute.
    Statistics,
    /// Fill the screen and back.
    FullScreen,
    /// Show the settings.
    Settings,
    /// A report of trouble to the clipboard.
    CopyDiagnostics,
    /// A chime on the loudspeaker.
    TestSpeaker,
    /// Call an echo peer, to see and hear oneself.
    CheckSetup,
    /// Find out what the microphone hears of the loudspeaker.
    TestEcho,
    /// Back from checking one's setup.
    Done,
    /// The same call again.
    CallAgain,
    /// Back to the first screen.
    Home,
}

/// What the words and effects of controls depend on.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// No sound of ours is sent.
    pub muted: bool,
    /// Our camera is wanted on.
    pub video_on: bool,
    /// The window fills the screen.
    pub full_screen: bool,
    /// The chat is shown.
    pub chat_open: bool,
    /// What lies open over the call.
    pub panel: Option<Panel>,
    /// What was typed, where it is a code or a link.
    pub invitation: Option<Invitation>,
    /// The code that we wait under.
    pub code: Option<String>,
    /// The room that was kept.
    pub room: Option<RoomCode>,
    /// The link that leads to it.
    pub link: Option<String>,
    /// What "Call again" does.
    pub again: Option<Again>,
    /// The call that is over never came about.
    pub never_met: bool,
    /// Media goes through a TURN server.
    pub relayed: bool,
    /// How good the connection is.
    pub grade: Grade,
    /// How the test for echo fares, where one can be made.
    pub echo: Option<EchoTest>,
    /// The call with the echo peer did not come about.
    pub check_failed: bool,
}

impl Situation {
    /// What the call's state says; the rest is for the view to add.
    pub fn of(state: &State) -> Self {
        let tested = state.check.as_ref().map(|check| check.echo);
        let echo = tested.filter(|_| matches!(state.phase, Phase::InCall(_)));
        Self { muted: state.muted, video_on: state.video_on, echo, ..Self::default() }
    }

    /// Whether calling again means to open a room that stays.
    fn reopens(&self) -> bool {
        matches!(&self.again, Some(Again::Open(code)) if code.is_lasting())
    }
}

const fn key(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

const fn ctrl(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Start,
        Self::Join,
        Self::Cancel,
        Self::Keep,
        Self::OpenRoom,
        Self::LetIn,
        Self::Decline,
        Self::CopyCode,
        Self::CopyLink,
        Self::Mute,
        Self::Video,
        Self::HangUp,
        Self::Devices,
        Self::Chat,
        Self::Connection,
        Self::Statistics,
        Self::FullScreen,
        Self::Settings,
        Self::CopyDiagnostics,
        Self::TestSpeaker,
        Self::CheckSetup,
        Self::TestEcho,
        Self::Done,
        Self::CallAgain,
        Self::Home,
    ];

    /// What it is called, on screen and for screen readers.
    pub fn label(self, now: &Situation) -> &'static str {
        match self {
            Self::Start => "Start a call",
            Self::Join => "Join",
            Self::Cancel => "Cancel",
            Self::Keep => "Keep this room",
            Self::OpenRoom => "Open my room",
            Self::LetIn => "Accept",
            Self::Decline => "Decline",
            Self::CopyCode => "Copy code",
            Self::CopyLink => "Copy link",
            Self::Mute if now.muted => "Unmute",
            Self::Mute => "Mute",
            Self::Video if now.video_on => "Video off",
            Self::Video => "Video on",
            Self::HangUp => "Hang up",
            Self::Devices => "Devices…",
            Self::Chat => "Chat",
            Self::Connection if now.relayed => "Relayed",
            Self::Connection => "Direct",
            Self::Statistics => match now.grade {
                Grade::Good => "Good connection",
                Grade::Fair => "Fair connection",
                Grade::Poor => "Poor connection",
            },
            Self::FullScreen if now.full_screen => "Leave full screen",
            Self::FullScreen => "Full screen",
            Self::Settings => "Settings…",
            Self::CopyDiagnostics => "Copy diagnostics",
            Self::TestSpeaker => "Test",
            Self::CheckSetup if now.check_failed => "Try again",
            Self::CheckSetup => "Check my setup",
            Self::TestEcho if matches!(now.echo, Some(EchoTest::Over(_) | EchoTest::Failed)) => "Test again",
            Self::TestEcho => "Test for echo",
            Self::Done => "Done",
            Self::CallAgain if now.reopens() => "Open my room",
            Self::CallAgain if now.never_met => "Try again",
            Self::CallAgain => "Call again",
            Self::Home => "Home",
        }
    }

    /// Whether what it shows and hides is shown; `None` for what shows and hides nothing. (Switches whose label says
    /// what a press does, like "Unmute", are none of these: a screen reader would say it twice, in contradiction.)
    pub fn shown(self, now: &Situation) -> Option<bool> {
        match self {
            Self::Chat => Some(now.chat_open),
            Self::Devices => Some(now.panel == Some(Panel::Devices)),
            Self::Connection => Some(now.panel == Some(Panel::Connection)),
            Self::Statistics => Some(now.panel == Some(Panel::Statistics)),
            Self::Start | Self::Join | Self::Cancel | Self::CopyCode | Self::CopyLink | Self::CopyDiagnostics => None,
            Self::Mute | Self::Video | Self::HangUp | Self::FullScreen | Self::Settings | Self::TestSpeaker => None,
            Self::CheckSetup | Self::TestEcho | Self::Done | Self::CallAgain | Self::Home => None,
            Self::Keep | Self::OpenRoom | Self::LetIn | Self::Decline => None,
        }
    }

    /// The picture that stands for it.
    pub fn icon(self, now: &Situation) -> Icon {
        match self {
            Self::Start | Self::Join => Icon::Phone,
            Self::Cancel | Self::Decline => Icon::Close,
            Self::Keep | Self::OpenRoom => Icon::House,
            Self::LetIn => Icon::Phone,
            Self::CopyCode | Self::CopyDiagnostics => Icon::Copy,
            Self::CopyLink => Icon::Link,
            Self::Mute if now.muted => Icon::MicrophoneOff,
            Self::Mute => Icon::Microphone,
            Self::Video if now.video_on => Icon::Camera,
            Self::Video => Icon::CameraOff,
            Self::HangUp => Icon::HangUp,
            Self::Devices => Icon::Devices,
            Self::Chat => Icon::Chat,
            Self::Connection => Icon::Network,
            Self::Statistics => Icon::Curve,
            Self::FullScreen if now.full_screen => Icon::Window,
            Self::FullScreen => Icon::FullScreen,
            Self::Settings => Icon::Gear,
            Self::TestSpeaker | Self::TestEcho => Icon::Speaker,
            Self::CheckSetup if now.check_failed => Icon::Again,
            Self::CheckSetup | Self::Done => Icon::Check,
            Self::CallAgain => Icon::Again,
            Self::Home => Icon::Back,
        }
    }

    /// The keys that do the same, as long as no text is being typed.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Mute => key(Key::M),
            Self::Video => key(Key::V),
            Self::HangUp | Self::Cancel => ctrl(Key::H),
            Self::LetIn => key(Key::A),
            Self::Decline => key(Key::N),
            Self::FullScreen => key(Key::F11),
            Self::Settings => ctrl(Key::Comma),
            Self::Done => key(Key::Escape),
            Self::TestEcho => key(Key::T),
            Self::Devices => key(Key::D),
            Self::Chat => key(Key::C),
            Self::Connection => key(Key::I),
            Self::Statistics => ctrl(Key::I),
            Self::Start | Self::Join | Self::CopyCode | Self::CopyLink | Self::CopyDiagnostics => None,
            Self::TestSpeaker | Self::CheckSetup | Self::CallAgain | Self::Home => None,
            Self::Keep | Self::OpenRoom => None,
        }
    }

    /// A sentence for whoever hesitates.
    pub fn tooltip(self, now: &Situation) -> &'static str {
        match self {
            Self::Start => "Get four words to read out to somebody",
            Self::Join => "Go where somebody waits under this code",
            Self::Cancel => "Stop; nobody can join any more",
            Self::Keep => "Get six words that stay, for people who call you again; you are asked to let each caller in",
            Self::OpenRoom => "Wait for callers under the words of your room; you are asked to let each of them in",
            Self::LetIn => "Begin the call: they see and hear you",
            Self::Decline => "They are told that you declined",
            Self::CopyCode => "Put the words on the clipboard",
            Self::CopyLink if now.link.is_some() => "Put a link to this call on the clipboard",
            Self::CopyLink => "There is no link: a link needs a server, see the settings",
            Self::Mute if now.muted => "Let the other side hear you again",
            Self::Mute => "The other side does not hear you",
            Self::Video if now.video_on => "Close the camera",
            Self::Video => "Open the camera",
            Self::HangUp => "End the call",
            Self::Devices => "Choose camera, microphone and loudspeaker",
            Self::Chat if now.chat_open => "Hide the messages",
            Self::Chat => "Write to the other side",
            Self::Connection => "How sound and picture travel",
            Self::Statistics if now.panel == Some(Panel::Statistics) => "Hide the statistics",
            Self::Statistics => "Statistics of the last minute",
            Self::FullScreen if now.full_screen => "Back into a window",
            Self::FullScreen => "Fill the screen",
            Self::Settings => "Colours, servers, relay, keys",
            Self::CopyDiagnostics => "Put versions, devices, path and figures on the clipboard, for whoever helps",
            Self::TestSpeaker => "Play a chime on this loudspeaker",
            Self::CheckSetup => "See and hear yourself as others would, and find out what your network allows",
            Self::TestEcho => "Play a rising tone and listen what the microphone hears of it",
            Self::Done => "Back to the first screen",
            Self::CallAgain if now.reopens() => "Wait for the next caller under the same words",
            Self::CallAgain => "The same once more",
            Self::Home => "Back to the first screen",
        }
    }

    /// What pressing it asks for; `None` where it can do nothing now.
    pub fn command(self, now: &Situation) -> Option<UiCommand> {
        let copy = |text: &Option<String>, said| text.clone().map(|text| WindowCommand::Copy { text, said }.into());
        match self {
            Self::Start => Some(Command::Start(None).into()),
            Self::Join => now.invitation.clone().map(|to| Command::Join(to).into()),
            Self::Cancel | Self::HangUp | Self::Home | Self::Done => Some(Command::HangUp.into()),
            Self::Keep => Some(UiCommand::KeepRoom),
            Self::OpenRoom => now.room.clone().map(|code| Command::Start(Some(code)).into()),
            Self::LetIn => Some(Command::LetIn(true).into()),
            Self::Decline => Some(Command::LetIn(false).into()),
            Self::CopyCode => copy(&now.code, "Code copied"),
            Self::CopyLink => copy(&now.link, "Link copied"),
            Self::Mute => Some(Command::SetMuted(!now.muted).into()),
            Self::Video => Some(Command::SetVideo(!now.video_on).into()),
            Self::Devices => Some(WindowCommand::Toggle(Panel::Devices).into()),
            Self::Chat => Some(WindowCommand::ToggleChat.into()),
            Self::Connection => Some(WindowCommand::Toggle(Panel::Connection).into()),
            Self::Statistics => Some(WindowCommand::Toggle(Panel::Statistics).into()),
            Self::CopyDiagnostics => Some(UiCommand::CopyDiagnostics),
            Self::FullScreen => Some(WindowCommand::ToggleFullScreen.into()),
            Self::Settings => Some(WindowCommand::OpenSettings.into()),
            Self::TestSpeaker => Some(Command::TestSpeaker.into()),
            Self::CheckSetup => Some(Command::CheckSetup.into()),
            Self::TestEcho => match now.echo? {
                EchoTest::Running(_) => None,
                EchoTest::NotYet | EchoTest::Over(_) | EchoTest::Failed => Some(Command::TestEcho.into()),
            },
            Self::CallAgain => now.again.clone().map(|again| match again {
                Again::Start => Command::Start(None).into(),
                Again::Join(invitation) => Command::Join(invitation).into(),
                Again::Open(code) => Command::Start(Some(code)).into(),
            }),
        }
    }

    /// Label or tooltip with the keys behind it: "End the call (Ctrl+H)".
    pub fn with_keys(self, ui: &Ui, text: &str) -> String {
        match self.shortcut() {
            Some(shortcut) => format!("{text} ({})", ui.ctx().format_shortcut(&shortcut)),
            None => text.to_owned(),
        }
    }
}

/// The command of the first of `controls` whose keys were just pressed; none while text is being typed, and none for a
/// key that is being held.
pub fn pressed(ui: &Ui, controls: &[Control], now: &Situation) -> Option<UiCommand> {
    if ui.ctx().text_edit_focused() {
        return None;
    }
    let shortcut_pressed = |shortcut: KeyboardShortcut| {
        ui.input(|input| {
            input.events.iter().any(|event| match event {
                Event::Key { key, pressed: true, repeat: false, modifiers, .. } => {
                    *key == shortcut.logical_key && modifiers.matches_exact(shortcut.modifiers)
                }
                _ => false,
            })
        })
    };
    let control = controls.iter().find(|control| control.shortcut().is_some_and(shortcut_pressed))?;
    control.command(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_sentence_case_and_short() {
        for control in Control::ALL {
            for now in [Situation::default(), Situation { muted: true, video_on: true, ..Situation::default() }] {
                let label = control.label(&now);
                let words: Vec<&str> = label.split(' ').collect();
                assert!(words[0].starts_with(char::is_uppercase) && label.len() < 20, "{label}");
                assert!(words[1..].iter().all(|word| word.starts_with(char::is_lowercase)), "{label}");
                assert!(!control.tooltip(&now).ends_with('.'));
            }
        }
    }

    #[test]
    fn toggles_ask_for_the_opposite_of_what_is() {
        let now = Situation { muted: true, video_on: true, ..Situation::default() };
        assert!(matches!(Control::Mute.command(&now), Some(UiCommand::Call(Command::SetMuted(false)))));
        assert!(matches!(Control::Video.command(&now), Some(UiCommand::Call(Command::SetVideo(false)))));
    }

    #[test]
    fn what_lacks_its_object_does_nothing() {
        let now = Situation::default();
        for control in [
            Control::Join,
            Control::CopyCode,
            Control::CopyLink,
            Control::CallAgain,
            Control::TestEcho,
            Control::OpenRoom,
        ] {
            assert!(control.command(&now).is_none(), "{control:?}");
        }
    }

    #[test]
    fn shortcuts_differ_except_where_they_mean_the_same() {
        for (i, a) in Control::ALL.iter().enumerate() {
            for b in &Control::ALL[i + 1..] {
                let same = a.shortcut().is_some() && a.shortcut() == b.shortcut();
                assert!(!same || (*a, *b) == (Control::Cancel, Control::HangUp), "{a:?} and {b:?}");
            }
        }
    }
}
