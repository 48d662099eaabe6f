//! The room that was kept, on the first screen: its words, opening it, and giving the words up.

use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::settings::Change;
use crate::theme::{Palette, Type, size, space};
use crate::widgets::{Look, announce, button, control_button, hint, text};
use egui::{Label, Ui, vec2};
use visavis_signaling::RoomCode;

/// What the old words are given up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivingUp {
    /// Others in their place.
    ForNewWords,
    /// Nothing.
    ForGood,
}

/// What is being asked about the room.
#[derive(Debug, Default)]
pub struct RoomUi {
    /// Words that others may have written down are given up after a second press only.
    giving_up: Option<GivingUp>,
}

impl RoomUi {
    /// Draws the room across the width that there is.
    pub fn ui(&mut self, ui: &mut Ui, room: &RoomCode, now: &Situation) -> Option<UiCommand> {
        let palette = Palette::of(ui);
        ui.add_space(space::XS);
        hint(ui, "My room");
        ui.add(Label::new(text(room.to_string(), Type::Body).color(palette.text)).wrap().selectable(true));
        let Some(giving_up) = self.giving_up else { return self.buttons(ui, now) };
        let warning =
            ui.label(text("Whoever has these words cannot call you any more", Type::Small).color(palette.warning));
        announce(ui, &warning);
        let yes = match giving_up {
            GivingUp::ForNewWords => "Change them",
            GivingUp::ForGood => "Forget them",
        };
        let row = ui.horizontal(|ui| {
            let half = vec2((ui.available_width() - space::S) / 2.0, size::CONTROL);
            let sure = button(ui, None, yes, Look::Danger, half).clicked();
            (sure, button(ui, None, "Keep them", Look::Plain, half).clicked())
        });
        let (sure, kept) = row.inner;
        if sure || kept {
            self.giving_up = None;
        }
        sure.then(|| match giving_up {
            GivingUp::ForNewWords => UiCommand::KeepRoom,
            GivingUp::ForGood => Change::Room(None).into(),
        })
    }

    fn buttons(&mut self, ui: &mut Ui, now: &Situation) -> Option<UiCommand> {
        let full = vec2(ui.available_width(), size::CONTROL);
        let opened = control_button(ui, Control::OpenRoom, now, Look::Plain, full);
        ui.horizontal(|ui| {
            let half = vec2((ui.available_width() - space::S) / 2.0, size::CONTROL);
            if button(ui, None, "New words…", Look::Quiet, half).clicked() {
                self.giving_up = Some(GivingUp::ForNewWords);
            }
            if button(ui, None, "Forget…", Look::Quiet, half).clicked() {
                self.giving_up = Some(GivingUp::ForGood);
            }
        });
        opened
    }
}
