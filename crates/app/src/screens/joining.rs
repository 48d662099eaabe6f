//! On the way into a call: looking for who waits, then agreeing on keys and a path.

use super::{centred_column, centred_row};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{Look, announce, control_button, hint, own_tile, text};
use egui::{Align, Sense, Spinner, Ui, vec2};
use std::time::{Duration, Instant};

/// After this long somebody who waits would have answered, so a word of advice is due.
const LONG: Duration = Duration::from_secs(5);
/// Height of everything but the picture.
const AROUND_PICTURE: f32 = 190.0;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking for who waits under the code.
    Looking,
    /// Somebody is there.
    Connecting,
}

impl Stage {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Looking => ("Looking for the other side…", "Is the other side still waiting, under the same words?"),
            Self::Connecting => ("Connecting…", "Finding a way through the network takes a moment"),
        }
    }
}

/// Draws the screen into all of `ui`.
pub fn joining_ui(ui: &mut Ui, view: View<'_>, stage: Stage, code: &str, since: Instant) -> Option<UiCommand> {
    let now = Situation::of(view.state);
    let area = ui.max_rect().shrink(space::XL);
    let height = (area.height() - AROUND_PICTURE).min(area.width() * 0.5).clamp(120.0, 400.0);
    let (title, advice) = stage.words();
    let elapsed = view.now.saturating_duration_since(since);
    if elapsed < LONG {
        ui.ctx().request_repaint_after(LONG - elapsed);
    }
    centred_column(ui, "joining", area, Align::Center, |ui| {
        let palette = Palette::of(ui);
        ui.spacing_mut().item_spacing.y = space::M;
        let (tile, _) = ui.allocate_exact_size(vec2(height * 16.0 / 9.0, height), Sense::hover());
        own_tile(ui, tile, view.own, view.state, view.settings);
        ui.add_space(space::S);
        centred_row(ui, "title", |ui| {
            ui.add(Spinner::new().size(18.0).color(palette.weak));
            let said = ui.label(text(title, Type::Heading).color(palette.text));
            announce(ui, &said);
        });
        hint(ui, if elapsed >= LONG { advice } else { code });
        centred_row(ui, "cancel", |ui| {
            control_button(ui, Control::Cancel, &now, Look::Plain, vec2(136.0, size::CONTROL))
        })
    })
}
