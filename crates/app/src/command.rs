//! What a view asks for.

use crate::settings::Change;
use visavis_call::Command;

/// What a view asks for; views change nothing by themselves.
#[derive(Clone, Debug)]
pub enum UiCommand {
    /// For the call.
    Call(Command),
    /// To be remembered, and for the call where it concerns it.
    Change(Change),
    /// For the window alone.
    Window(WindowCommand),
    /// Draw six words for a room that stays and remember them; a room that is open is opened under them.
    KeepRoom,
    /// Put a report of trouble on the clipboard.
    CopyDiagnostics,
}

/// What concerns nothing but the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowCommand {
    /// Show the settings.
    OpenSettings,
    /// Hide the settings.
    CloseSettings,
    /// Show or hide the chat.
    ToggleChat,
    /// Show a panel over the call in the place of any other, or hide it.
    Toggle(Panel),
    /// Fill the screen, or go back into a window.
    ToggleFullScreen,
    /// Put text on the clipboard and say so.
    Copy {
        /// The text.
        text: String,
        /// What is said: "Code copied".
        said: &'static str,
    },
    /// The notice was read.
    DismissNotice,
}

/// What can lie open over a call; one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// Camera, microphone and loudspeaker.
    Devices,
    /// How sound and picture travel.
    Connection,
    /// Figures and curves of the last minute.
    Statistics,
}

impl From<Command> for UiCommand {
    fn from(command: Command) -> Self {
        Self::Call(command)
    }
}

impl From<Change> for UiCommand {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl From<WindowCommand> for UiCommand {
    fn from(command: WindowCommand) -> Self {
        Self::Window(command)
    }
}
