//! What can be opened over a call: the pickers, and what is known of the connection.
//!
//! egui keeps one popup at a time, and the pickers have popups of their own: so these are plain areas.

use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::diagnostics;
use crate::settings::Change;
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{DevicePickers, Look, called, card, control_button, hint, pickers, rate_words, text, volume_row};
use egui::{Align, Align2, Area, Grid, Layout, Order, Pos2, Rect, Ui, vec2};
use visavis_call::{Figures, Guest, InCall, Path};

const WIDTH: f32 = 340.0;
/// What is to be known of somebody in a browser.
pub(super) const GUEST_TRUST: &str = "A guest trusts whoever serves the page: they could have it send sound and \
                                      picture elsewhere, and the verification number would not show it.";
/// Where the page is hosted apart from the call's server.
const GUEST_WORD: &str = "Not this call's server: their page says so itself.";

/// The pickers over the bar, and how loud the other side is; where they lie, and what was chosen.
pub(super) fn devices_panel(ui: &Ui, bar: Rect, view: View<'_>, call: &InCall) -> (Rect, Option<UiCommand>) {
    panel(ui, "devices", Align2::CENTER_BOTTOM, bar.center_top() - vec2(0.0, space::M), |ui| {
        let (state, settings) = (view.state, view.settings);
        let picked = pickers(ui, DevicePickers { state, settings, width: WIDTH, camera_words: true });
        ui.add_space(space::S);
        let words = format!("How loud {} is", called(&call.peer.name));
        let louder = volume_row(ui, &words, settings.other_volume).map(|volume| Change::OtherVolume(volume).into());
        louder.or(picked)
    })
}

/// Path, figures, verification number and report under the bar; where they lie, and what was pressed.
pub(super) fn connection_panel(ui: &Ui, bar: Rect, call: &InCall, now: &Situation) -> (Rect, Option<UiCommand>) {
    panel(ui, "connection", Align2::LEFT_TOP, bar.left_bottom() + vec2(0.0, space::S), |ui| {
        let palette = Palette::of(ui);
        let (title, meaning) = match call.path {
            Path::Direct => ("Direct connection", "Sound and picture go straight from machine to machine, encrypted."),
            Path::Relayed => {
                ("Relayed connection", "Sound and picture go through a TURN server, which cannot read them.")
            }
        };
        ui.label(text(title, Type::Heading).color(palette.text));
        hint(ui, meaning);
        if let Some(relay) = &call.relay {
            hint(ui, format!("Through {relay}."));
        }
        ui.add_space(space::XS);
        // These rows are no controls, so they need no room for fingers.
        ui.spacing_mut().interact_size.y = 0.0;
        Grid::new("figures").num_columns(2).spacing(vec2(space::L, space::XS)).show(ui, |ui| {
            for (name, value) in figures_words(&call.figures) {
                ui.label(text(name, Type::Small).color(palette.weak));
                ui.label(text(value, Type::Small).color(palette.text));
                ui.end_row();
            }
        });
        ui.add_space(space::S);
        ui.label(text("Verification number", Type::Heading).color(palette.text));
        ui.label(text(&call.verification, Type::Digits).color(palette.text));
        hint(ui, "Read it to each other: if it is the same on both sides, nobody sits between you.");
        if let Some(Guest { host, by_own_word }) = &call.peer.guest {
            ui.add_space(space::S);
            ui.label(text(format!("Guest, through {host}"), Type::Heading).color(palette.text));
            if *by_own_word {
                hint(ui, GUEST_WORD);
            }
            hint(ui, GUEST_TRUST);
        }
        ui.add_space(space::S);
        let least = vec2(WIDTH, size::CONTROL);
        let pressed = control_button(ui, Control::CopyDiagnostics, now, Look::Plain, least);
        hint(ui, diagnostics::NOTE);
        pressed
    })
}

fn panel<R>(ui: &Ui, name: &str, pivot: Align2, at: Pos2, add: impl FnOnce(&mut Ui) -> R) -> (Rect, R) {
    let area = Area::new(ui.scope_id().with(name)).order(Order::Foreground).pivot(pivot).fixed_pos(at);
    let shown = area.show(ui.ctx(), |ui| {
        let frame = card(ui).shadow(ui.visuals().popup_shadow);
        frame
            .show(ui, |ui| {
                ui.set_width(WIDTH);
                ui.with_layout(Layout::top_down(Align::Min), add).inner
            })
            .inner
    });
    (shown.response.rect, shown.inner)
}

/// Names and values, as far as they are known.
fn figures_words(figures: &Figures) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(round_trip) = figures.round_trip {
        rows.push(("Round trip", format!("{} ms", round_trip.as_millis())));
    }
    if let Some(size) = figures.received_size {
        let rate = rate_words(figures.received_kbps);
        rows.push(("Receiving", format!("{size}, {:.0} fps, {rate}", figures.received_fps)));
    }
    rows.push(("Sending", rate_words(figures.sent_kbps)));
    rows.push(("Lost", format!("{:.1} %", 100.0 * figures.lost)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_yet_is_left_out() {
        let names = |figures| figures_words(&figures).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Figures::default()), ["Sending", "Lost"]);
    }
}
