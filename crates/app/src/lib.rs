//! The app: a window for calls, drawn with egui, in front of [`visavis_call`].
//!
//! Read [`window`] first: it shows one of the [`screens`] as a function of the call's state, and hands back commands.
//! [`app`] joins it with a running call, [`engine`] says when to draw again. Every [`control`] is listed in one place, every colour and size in [`theme`].
//!
//! ```
//! use visavis_app::{command::UiCommand, control::{Control, Situation}};
//! use visavis_call::Command;
//!
//! let now = Situation { muted: true, ..Situation::default() };
//! assert_eq!(Control::Mute.label(&now), "Unmute");
//! assert!(matches!(Control::Mute.command(&now), Some(UiCommand::Call(Command::SetMuted(false)))));
//! ```

pub mod app;
pub mod awake;
pub mod cli;
pub mod command;
pub mod control;
pub mod diagnostics;
pub mod engine;
pub mod icon;
pub mod icons;
pub mod push_to_talk;
pub mod quality;
pub mod run;
pub mod sample;
pub mod screens;
pub mod settings;
pub mod signals;
pub mod theme;
pub mod video;
pub mod view;
pub mod widgets;
pub mod window;
