//! On the way into a call: looking for who waits, then agreeing on keys and a path.

use super::{centred_column, centred_row};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{Look, announce, called, control_button, hint, own_tile, text};
use egui::{Align, Sense, Spinner, Ui, vec2};
use std::time::{Duration, Instant};
use visavis_call::Away;
use visavis_signaling::RoomCode;

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

/// The code, and over which server where a link named one.
pub fn under(code: &RoomCode, host: Option<&str>) -> String {
    match host {
        Some(host) => format!("{code}, over {host} as the link says"),
        None => code.to_string(),
    }
}

/// Draws the screen into all of `ui`.
pub fn joining_ui(ui: &mut Ui, view: View<'_>, stage: Stage, code: &str, since: Instant) -> Option<UiCommand> {
    let (title, advice) = stage.words();
    let elapsed = view.now.saturating_duration_since(since);
    if elapsed < LONG {
        ui.ctx().request_repaint_after(LONG - elapsed);
    }
    let said = if elapsed >= LONG { advice } else { code };
    on_the_way(ui, view, Control::Cancel, title, said)
}

/// Somebody left a call and may be back: draws the screen into all of `ui`.
pub fn away_ui(ui: &mut Ui, view: View<'_>, away: &Away) -> Option<UiCommand> {
    let left = away.until.saturating_duration_since(view.now);
    // Seconds are counted down as a clock does, the last one included.
    ui.ctx().request_repaint_after(Duration::from_millis(u64::from(left.subsec_millis()) + 1));
    let title = format!("{} left, perhaps for a moment", called(&away.name));
    let words = format!("The call goes on if their page is loaded again within {} s", left.as_secs() + 1);
    on_the_way(ui, view, Control::HangUp, &title, &words)
}

/// One's own picture, what is being done, and a way out.
pub(super) fn on_the_way(ui: &mut Ui, view: View<'_>, out: Control, title: &str, words: &str) -> Option<UiCommand> {
    let now = Situation::of(view.state);
    picture_and_words(ui, view, |ui| {
        let palette = Palette::of(ui);
        centred_row(ui, "title", |ui| {
            ui.add(Spinner::new().size(18.0).color(palette.weak));
            let said = ui.label(text(title, Type::Heading).color(palette.text));
            announce(ui, &said);
        });
        hint(ui, words);
        centred_row(ui, "cancel", |ui| control_button(ui, out, &now, Look::Plain, vec2(136.0, size::CONTROL)))
    })
}

/// One's own picture, and under it whatever is to be said.
pub(super) fn picture_and_words<R>(ui: &mut Ui, view: View<'_>, add: impl FnOnce(&mut Ui) -> R) -> R {
    let area = ui.max_rect().shrink(space::XL);
    let height = (area.height() - AROUND_PICTURE).min(area.width() * 0.5).clamp(120.0, 400.0);
    centred_column(ui, "joining", area, Align::Center, |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        let (tile, _) = ui.allocate_exact_size(vec2(height * 16.0 / 9.0, height), Sense::hover());
        own_tile(ui, tile, view.own, view.state, view.settings);
        ui.add_space(space::S);
        add(ui)
    })
}
