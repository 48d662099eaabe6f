//! The door of a lasting room: its owner is asked to let somebody in, and whoever calls waits for that.

use super::centred_row;
use super::joining::{on_the_way, picture_and_words};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{Look, announce, called, control_button, hint, text};
use egui::{Ui, vec2};
use std::time::{Duration, Instant};
use visavis_call::Asks;

const ASKED: [Control; 5] = [Control::LetIn, Control::Decline, Control::Mute, Control::Video, Control::FullScreen];

/// A button that appears under the hand just as it presses something else is not meant.
const MEANT: Duration = Duration::from_millis(700);

/// Controls whose shortcuts work while somebody has been asking since then.
pub fn asked_shortcuts(now: Instant, asks: &Asks) -> &'static [Control] {
    let [_, _, others @ ..] = &ASKED;
    if is_meant(now, asks) { &ASKED } else { others }
}

fn is_meant(now: Instant, asks: &Asks) -> bool {
    now.saturating_duration_since(asks.since) >= MEANT
}

/// Somebody wants to be let in: draws the screen into all of `ui`.
pub fn asked_ui(ui: &mut Ui, view: View<'_>, asks: &Asks) -> Option<UiCommand> {
    let left = asks.until.saturating_duration_since(view.now);
    // Seconds are counted down as a clock does, the last one included.
    ui.ctx().request_repaint_after(Duration::from_millis(u64::from(left.subsec_millis()) + 1));
    if !is_meant(view.now, asks) {
        ui.ctx().request_repaint_after(MEANT);
    }
    let now = Situation::of(view.state);
    let who = if asks.name.trim().is_empty() { "Somebody" } else { &asks.name };
    picture_and_words(ui, view, |ui| {
        let title = ui.label(text(format!("{who} wants to join"), Type::Title).color(Palette::of(ui).text));
        announce(ui, &title);
        match &asks.guest {
            Some(host) => hint(ui, format!("In a browser, at the server {host}. They know the words of your room")),
            None => hint(ui, "They know the words of your room"),
        };
        hint(ui, format!("They neither see nor hear you until you accept. They wait {} s more", left.as_secs() + 1));
        ui.add_space(space::S);
        centred_row(ui, "answer", |ui| {
            ui.spacing_mut().item_spacing.x = space::M;
            let least = vec2(152.0, size::PRIMARY);
            let answer = ui.add_enabled_ui(is_meant(view.now, asks), |ui| {
                let accepted = control_button(ui, Control::LetIn, &now, Look::Primary, least);
                control_button(ui, Control::Decline, &now, Look::Plain, least).or(accepted)
            });
            answer.inner
        })
    })
}

/// We wait to be let in: draws the screen into all of `ui`.
pub fn outside_ui(ui: &mut Ui, view: View<'_>, owner: &str) -> Option<UiCommand> {
    let title = match owner.trim() {
        "" => "Waiting to be let in…".to_owned(),
        _ => format!("Waiting for {} to let you in…", called(owner)),
    };
    on_the_way(ui, view, Control::Cancel, &title, "They were asked. You see and hear each other once they accept")
}
