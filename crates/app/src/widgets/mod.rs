//! The pieces that screens are put together from.

mod avatar;
mod buttons;
mod join_field;
mod meter;
mod notice;
mod pickers;
mod qr;
mod self_view;
mod tile;

pub(crate) use avatar::called;
pub use avatar::{avatar, initial};
pub use buttons::{Look, Round, button, control_button, control_round, round};
pub use join_field::JoinField;
pub use meter::{level_fraction, meter, meter_bars};
pub use notice::{Notice, Pill, badge, banner, notice, pill};
pub use pickers::{DevicePickers, pickers};
pub use qr::{QrCode, qr};
pub use self_view::SelfView;
pub use tile::{camera_words, own_tile, picture_tile};

use crate::theme::{Palette, Type, size, space};
use egui::{Align, Align2, Frame, Layout, Margin, Rect, RichText, TextEdit, Ui, UiBuilder, Vec2};

/// Text of a kind, ready for a label.
pub fn text(words: impl Into<String>, kind: Type) -> RichText {
    RichText::new(words).text_style(kind.style())
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
    fn sentences_begin_in_upper_case() {
        assert_eq!(sentence("no device was found"), "No device was found");
        assert_eq!(sentence("école"), "École");
        assert_eq!(sentence(""), "");
    }
}
