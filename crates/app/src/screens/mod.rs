//! The screens, one file each: functions of a [`View`](crate::view::View) and of what was typed into them.

mod call;
mod call_bars;
mod call_marks;
mod call_panels;
mod chat;
mod check;
mod check_words;
mod curves;
mod door;
mod ended;
mod home;
mod joining;
mod room;
mod settings;
mod statistics;
mod waiting;

pub use call::CallUi;
pub use chat::ChatUi;
pub use check::CheckUi;
pub use door::{asked_shortcuts, asked_ui, outside_ui};
pub use ended::ended_ui;
pub use home::HomeUi;
pub use joining::{Stage, away_ui, joining_ui, under};
pub use settings::SettingsUi;
pub use waiting::WaitingUi;

use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::theme::{Palette, Type, size, space};
use crate::widgets::{Look, anchored, control_round, text};
use egui::{Align, Align2, Id, Layout, Rect, Ui, UiBuilder, vec2};

/// Widgets one under the other in the middle of `area`, as wide as it, as high as they turn out to be.
fn centred_column<R>(ui: &mut Ui, salt: &str, area: Rect, align: Align, add: impl FnOnce(&mut Ui) -> R) -> R {
    let id: Id = ui.scope_id().with(("column", salt));
    let known: Option<f32> = ui.data(|data| data.get_temp(id));
    let height = known.unwrap_or(area.height()).min(area.height());
    let top = (area.center().y - height / 2.0).round();
    let rect = Rect::from_min_max(egui::pos2(area.left(), top), area.max);
    let mut inside = ui.new_child(UiBuilder::new().id_salt(salt).max_rect(rect).layout(Layout::top_down(align)));
    let result = add(&mut inside);
    remember(ui, id, known, inside.min_rect().height());
    result
}

/// Keeps a measure for the next frame, and draws this one again where it is news.
fn remember(ui: &Ui, id: Id, known: Option<f32>, measured: f32) {
    if known.is_none_or(|known| (known - measured).abs() > 0.5) {
        ui.data_mut(|data| data.insert_temp(id, measured));
        ui.ctx().request_discard("a part of the window found its size");
    }
}

/// A row of widgets in the middle of the available width, which its widgets decide.
fn centred_row<R>(ui: &mut Ui, salt: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let id: Id = ui.scope_id().with(("row", salt));
    let available = ui.available_rect_before_wrap();
    let known: Option<f32> = ui.data(|data| data.get_temp(id));
    let width = known.unwrap_or(available.width());
    let left = ((available.width() - width) / 2.0).max(0.0);
    let rect = Rect::from_min_size(available.min + vec2(left, 0.0), vec2(available.width() - left, 0.0));
    let layout = Layout::left_to_right(Align::Center);
    let row = ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), add);
    remember(ui, id, known, row.response.rect.width());
    row.inner
}

/// What a screen is for, and the settings.
fn title(ui: &mut Ui, words: &str, now: &Situation) -> Option<UiCommand> {
    let colour = Palette::of(ui).text;
    let row = ui.horizontal(|ui| {
        ui.label(text(words, Type::Title).color(colour));
        let right = Layout::right_to_left(Align::Center);
        ui.with_layout(right, |ui| control_round(ui, Control::Settings, now, Look::Quiet, size::ROUND_SMALL)).inner
    });
    row.inner
}

/// The switches of microphone and camera over one's own picture.
fn switches(ui: &mut Ui, tile: Rect, now: &Situation) -> Option<UiCommand> {
    let place = anchored(tile, vec2(2.0 * size::ROUND + space::M, size::ROUND), Align2::CENTER_BOTTOM, space::L);
    let layout = Layout::left_to_right(Align::Center);
    let mut over = ui.new_child(UiBuilder::new().id_salt("switches").max_rect(place).layout(layout));
    over.spacing_mut().item_spacing.x = space::M;
    let look = |off| if off { Look::Off } else { Look::Plain };
    let muted = control_round(&mut over, Control::Mute, now, look(now.muted), size::ROUND);
    let video = control_round(&mut over, Control::Video, now, look(!now.video_on), size::ROUND);
    video.or(muted)
}
