//! Home: see oneself, choose devices, start a call or join one.

use super::room::RoomUi;
use super::{centred_column, switches, title};
use crate::command::{UiCommand, WindowCommand};
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::settings::{Change, NAME_LENGTH, Settings};
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{
    DevicePickers, JoinField, Look, Notice, control_button, field, follow_focus, hint, notice, own_tile, pickers, text,
};
use egui::{Align, Rect, ScrollArea, Stroke, Ui, Vec2, pos2, vec2};
use visavis_call::Command;

/// Height from which on there is room for more than the necessary.
const ROOMY: f32 = 560.0;

/// What was typed on the first screen.
#[derive(Debug, Default)]
pub struct HomeUi {
    join: JoinField,
    name: Option<String>,
    room: RoomUi,
}

impl HomeUi {
    /// Controls whose shortcuts work here.
    pub const SHORTCUTS: [Control; 4] = [Control::Mute, Control::Video, Control::FullScreen, Control::Settings];

    /// Draws the screen into all of `ui`.
    pub fn ui(&mut self, ui: &mut Ui, view: View<'_>) -> Option<UiCommand> {
        let invitation = self.join.invitation().cloned();
        let now = Situation { invitation, room: view.settings.room.clone(), ..Situation::of(view.state) };
        let window = ui.max_rect();
        let margin = if window.width() < 1000.0 { space::XL } else { space::XXL };
        let area = window.shrink(margin);
        let wide = (area.width() - size::COLUMN - margin).max(200.0);
        let tile = vec2(wide, (wide * 9.0 / 16.0).min(area.height()));
        let left = Rect::from_min_max(area.min, pos2(area.left() + wide, area.bottom()));
        let right = Rect::from_min_max(pos2(left.right() + margin, area.top()), area.max);
        let portrait = centred_column(ui, "left", left, Align::Min, |ui| self_portrait(ui, view, &now, tile));
        let controls = centred_column(ui, "right", right, Align::Min, |ui| {
            let scroll = ScrollArea::vertical().max_height(right.height()).auto_shrink([false, true]);
            scroll.show(ui, |ui| self.controls(ui, view, &now, right.height() < ROOMY)).inner
        });
        controls.or(portrait)
    }

    fn controls(&mut self, ui: &mut Ui, view: View<'_>, now: &Situation, tight: bool) -> Option<UiCommand> {
        let full = vec2(ui.available_width(), size::PRIMARY);
        ui.spacing_mut().item_spacing.y = space::S;
        let mut command = title(ui, "Visavis", now);
        if !tight {
            hint(ui, "Face to face, straight from machine to machine");
            ui.add_space(space::M);
        }
        command = self.name_field(ui, view.settings).or(command);
        ui.add_space(if tight { space::S } else { space::L });
        command = control_button(ui, Control::Start, now, Look::Primary, full).or(command);
        if let Some(room) = &view.settings.room {
            command = self.room.ui(ui, room, now).or(command);
        }
        or_line(ui);
        command = self.join_row(ui, now).or(command);
        ui.add_space(if tight { space::M } else { space::XL });
        let what = DevicePickers { state: view.state, settings: view.settings, width: full.x, camera_words: false };
        command = pickers(ui, what).or(command);
        ui.add_space(space::S);
        command = control_button(ui, Control::CheckSetup, now, Look::Plain, vec2(full.x, size::CONTROL)).or(command);
        follow_focus(ui);
        command
    }

    fn name_field(&mut self, ui: &mut Ui, settings: &Settings) -> Option<UiCommand> {
        let label = hint(ui, "Your name");
        let name = self.name.get_or_insert_with(|| settings.name.clone());
        let weak = Palette::of(ui).weak;
        let edit = field(name).char_limit(NAME_LENGTH).desired_width(ui.available_width());
        let edit = edit.hint_text(text("What the other side sees", Type::Body).color(weak));
        let response = ui.add(edit).labelled_by(label.id);
        response.changed().then(|| Change::Name(name.clone()).into())
    }

    fn join_row(&mut self, ui: &mut Ui, now: &Situation) -> Option<UiCommand> {
        hint(ui, "Join with a code or a link");
        let row = ui.horizontal(|ui| {
            let button = vec2(96.0, size::CONTROL);
            let width = ui.available_width() - button.x - space::S;
            let joined = self.join.ui(ui, width).map(|to| UiCommand::from(Command::Join(to)));
            let look = if now.invitation.is_some() { Look::Primary } else { Look::Plain };
            let pressed = control_button(ui, Control::Join, now, look, button);
            // Keys are derived and servers reached while the hand is still on its way to the button.
            let prepared = self.join.take_fresh().map(|to| UiCommand::from(Command::Prepare(to)));
            pressed.or(joined).or(prepared)
        });
        if let Some(host) = self.join.host() {
            hint(ui, format!("Over {host}, as the link says"));
        }
        if let Some(problem) = self.join.problem() {
            let colour = Palette::of(ui).danger_text;
            ui.label(text(problem, Type::Small).color(colour));
        }
        row.inner
    }
}

/// One's own picture with its two switches, and what one should know the first time.
fn self_portrait(ui: &mut Ui, view: View<'_>, now: &Situation, tile: Vec2) -> Option<UiCommand> {
    let (tile, _) = ui.allocate_exact_size(tile, egui::Sense::hover());
    own_tile(ui, tile, view.own, view.state, view.settings);
    let switched = switches(ui, tile, now);
    ui.add_space(space::S);
    first_use(ui, view.settings).or(switched)
}

/// A hairline with "or" in its middle.
fn or_line(ui: &mut Ui) {
    let palette = Palette::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), egui::Sense::hover());
    let galley = ui.painter().layout_no_wrap("or".to_owned(), Type::Small.font(), palette.weak);
    let gap = galley.size().x / 2.0 + space::M;
    let line = Stroke::new(1.0, palette.line);
    let (middle, y) = (rect.center().x, rect.center().y);
    ui.painter().hline(rect.left()..=middle - gap, y, line);
    ui.painter().hline(middle + gap..=rect.right(), y, line);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, palette.weak);
}

/// The sentence about STUN servers, until it was read.
fn first_use(ui: &mut Ui, settings: &Settings) -> Option<UiCommand> {
    let host = stun_host(settings).filter(|_| !settings.notice_seen)?;
    let words = format!(
        "To find a way through the network, Visavis asks a STUN server ({host}), which sees your address. \
         You can choose another one, or none, in the settings."
    );
    let what = Notice { icon: Icon::Globe, words: &words, buttons: &["All right", "Settings…"] };
    match notice(ui, what)? {
        0 => Some(Change::NoticeSeen.into()),
        _ => Some(WindowCommand::OpenSettings.into()),
    }
}

/// The first STUN server's host, for reading.
fn stun_host(settings: &Settings) -> Option<&str> {
    let mut urls = settings.ice_servers.iter().flat_map(|server| &server.urls);
    let address = urls.find_map(|url| url.strip_prefix("stun:").or_else(|| url.strip_prefix("stuns:")))?;
    Some(address.split([':', '?']).next().unwrap_or(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_names_the_first_stun_server_and_needs_one() {
        let mut settings = Settings::default();
        assert_eq!(stun_host(&settings), Some("stun.l.google.com"));
        settings.ice_servers.clear();
        assert_eq!(stun_host(&settings), None);
    }
}
