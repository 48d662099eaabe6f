//! The pieces that screens are put together from.

mod avatar;
mod buttons;
mod join_field;
mod mark;
mod meter;
mod notice;
mod offer;
mod pickers;
mod qr;
mod self_view;
mod tile;
mod trouble;
mod volume;

pub(crate) use avatar::called;
pub use avatar::{avatar, initial};
pub use buttons::{Look, Round, button, button_with, control_button, control_round, round};
pub use join_field::JoinField;
pub use mark::{grade_word, paint_mark, quality_mark};
pub use meter::{level_fraction, meter, meter_bars};
pub use notice::{Notice, Pill, badge, banner, notice, pill, reminder};
pub use offer::{offer_card, offer_over};
pub use pickers::{DevicePickers, pickers};
pub use qr::{QrCode, qr};
pub use self_view::SelfView;
pub use tile::{camera_words, own_tile, picture_tile};
pub use trouble::{Trouble, stand_in_words, troubles};
pub use volume::volume_row;

use crate::theme::{Palette, Type, size, space};
use egui::accesskit::Live;
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Align2, Color32, Frame, Galley, Layout, Margin, Rect, Response, RichText, TextEdit, Ui, UiBuilder, Vec2,
};
use std::sync::Arc;

/// Text of a kind, ready for a label.
pub fn text(words: impl Into<String>, kind: Type) -> RichText {
    RichText::new(words).text_style(kind.style())
}

/// Words on one line, cut short with "…" where they are wider than `most`.
pub fn elided(ui: &Ui, words: &str, kind: Type, colour: Color32, most: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(words.to_owned(), kind.font(), colour);
    job.wrap = TextWrapping::truncate_at_width(most.max(24.0));
    ui.fonts_mut(|fonts| fonts.layout_job(job))
}

/// Scrolls to what has just got the focus; to be called behind everything that a scroll area holds.
pub fn follow_focus(ui: &Ui) {
    let focused = ui.memory(|memory| memory.focused());
    let Some(response) = focused.and_then(|id| ui.ctx().read_response(id)) else { return };
    if response.layer_id == ui.layer_id() && response.gained_focus() {
        ui.scroll_to_rect(response.rect.expand(space::S), None);
    }
}

/// Lets screen readers say by themselves that something appeared or changed, when they have finished what they say.
pub fn announce(ui: &Ui, response: &Response) {
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(Live::Polite));
}

/// Text that explains.
pub fn hint(ui: &mut Ui, words: impl Into<String>) -> egui::Response {
    let weak = Palette::of(ui).weak;
    ui.label(text(words, Type::Small).color(weak))
}

/// A card: a surface of its own with room around what it holds.
pub fn card(ui: &Ui) -> Frame {
    let palette = Palette::of(ui);
    Frame::new()
        .fill(palette.surface)
        .stroke(egui::Stroke::new(1.0, palette.line))
        .corner_radius(size::RADIUS_LARGE)
        .inner_margin(Margin::same(space::L as i8))
}

/// A one-line field in the height of our buttons.
pub fn field(buffer: &mut dyn egui::TextBuffer) -> TextEdit<'_> {
    TextEdit::singleline(buffer)
        .margin(Margin::symmetric(space::M as i8, 10))
        .align(Align2::LEFT_CENTER)
        .min_size(Vec2::new(0.0, size::CONTROL))
}

/// A part of the window with its own layout from the top, inside `rect`.
pub fn column<R>(ui: &mut Ui, rect: Rect, centred: bool, add: impl FnOnce(&mut Ui) -> R) -> R {
    let layout = Layout::top_down(if centred { Align::Center } else { Align::Min });
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), add).inner
}

/// A rectangle of this size at a corner or edge of another, `margin` away from it.
pub fn anchored(outer: Rect, size: Vec2, align: Align2, margin: f32) -> Rect {
    align.align_size_within_rect(size, outer.shrink(margin))
}

/// The same with its first letter in upper case: messages of libraries begin in lower case.
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A rate as people read it: `64 kb/s`, `1.8 Mb/s`.
pub fn rate_words(kbps: f32) -> String {
    if kbps >= 1000.0 { format!("{:.1} Mb/s", kbps / 1000.0) } else { format!("{kbps:.0} kb/s") }
}

/// Seconds as people read them: `0:07`, `12:34`, `1:02:03`.
pub fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!([7, 754, 3723].map(clock), ["0:07", "12:34", "1:02:03"]);
    }

    #[test]
    fn rates_are_said_in_the_unit_that_suits_them() {
        assert_eq!([64.4, 999.0, 1840.0].map(rate_words), ["64 kb/s", "999 kb/s", "1.8 Mb/s"]);
    }

    #[test]
    fn sentences_begin_in_upper_case() {
        assert_eq!(sentence("no device was found"), "No device was found");
        assert_eq!(sentence("école"), "École");
        assert_eq!(sentence(""), "");
    }
}
