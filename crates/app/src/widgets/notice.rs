//! Words that appear when something is to be known.

use super::{Round, announce, button, elided, round, text};
use crate::icons::Icon;
use crate::theme::{Palette, Type, over_picture, size, space};
use crate::widgets::Look;
use egui::{Align, Align2, Color32, CornerRadius, Layout, Margin, Pos2, Rect, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

/// What is to be known, and what can be pressed.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// Its picture.
    pub icon: Icon,
    /// The sentence.
    pub words: &'a str,
    /// Buttons, from left to right.
    pub buttons: &'a [&'a str],
}

/// A card with a sentence and buttons; the number of the button that was pressed.
///
/// One button stands beside the words, more stand under them.
pub fn notice(ui: &mut Ui, what: Notice<'_>) -> Option<usize> {
    let palette = Palette::of(ui);
    let frame = super::card(ui).inner_margin(Margin::symmetric(space::M as i8, 10));
    let beside = if what.buttons.len() == 1 { ONE_BUTTON } else { 0.0 };
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            let (place, _) = ui.allocate_exact_size(vec2(size::ICON, 20.0), Sense::hover());
            what.icon.paint(ui.painter(), place.shrink(1.0), palette.weak);
            let row = ui.vertical(|ui| {
                ui.set_max_width(ui.available_width() - beside);
                ui.label(text(what.words, Type::Small).color(palette.text));
                if what.buttons.len() > 1 { ui.horizontal(|ui| buttons(ui, what.buttons)).inner } else { None }
            });
            if what.buttons.len() != 1 {
                return row.inner;
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| buttons(ui, what.buttons)).inner
        })
        .inner
    });
    shown.inner
}

/// Room for a button beside the words.
const ONE_BUTTON: f32 = 112.0;

fn buttons(ui: &mut Ui, labels: &[&str]) -> Option<usize> {
    let least = vec2(72.0, 32.0);
    let pressed = |(i, words): (usize, &&str)| button(ui, None, words, Look::Plain, least).clicked().then_some(i);
    // Every button is shown, also behind one that was pressed.
    labels.iter().enumerate().filter_map(pressed).last()
}

/// Words over a picture, legible whatever it shows.
#[derive(Clone, Copy, Debug)]
pub struct Pill<'a> {
    /// Its picture.
    pub icon: Icon,
    /// The icon's colour; words are always white.
    pub colour: Color32,
    /// What is written.
    pub words: &'a str,
    /// What screen readers say.
    pub label: &'a str,
    /// How large.
    pub kind: Type,
    /// How wide it may become; longer words are cut short.
    pub most: f32,
}

/// A pill that wants attention, its top edge centred at `top`, at most as wide as `most`: "You are muted".
pub fn banner(ui: &Ui, top: Pos2, icon: Icon, words: &str, most: f32) -> Rect {
    let what = Pill { icon, colour: Palette::of(ui).warning, words, label: words, kind: Type::Body, most };
    pill(ui, top, Align2::CENTER_TOP, what)
}

/// A [`banner`] with a small button at its end; where it lies, and whether it was put away with that.
pub fn reminder(ui: &mut Ui, top: Pos2, icon: Icon, words: &str, most: f32) -> (Rect, bool) {
    let beside = size::ROUND_SMALL + space::XS;
    let rect = banner(ui, top - vec2(beside / 2.0, 0.0), icon, words, most - beside);
    let place = Rect::from_center_size(
        pos2(rect.right() + space::XS + size::ROUND_SMALL / 2.0, rect.center().y),
        Vec2::splat(size::ROUND_SMALL),
    );
    let mut inside = ui.new_child(UiBuilder::new().id_salt(("reminder", words)).max_rect(place));
    let what =
        Round { icon: Icon::Close, label: "Don't remind me now", look: Look::Plain, diameter: place.width(), on: None };
    let pressed = round(&mut inside, what).on_hover_text("Not again until you unmute").clicked();
    (rect.union(place), pressed)
}

/// A small pill for what stays true for a while, at most as wide as `most`: "Grace is muted".
pub fn badge(ui: &Ui, at: Pos2, align: Align2, icon: Icon, words: &str, most: f32) -> Rect {
    let what = Pill { icon, colour: Palette::of(ui).on_colour, words, label: words, kind: Type::Small, most };
    pill(ui, at, align, what)
}

/// Paints a pill with the edge or corner that `align` names at `at`; where it lies.
pub fn pill(ui: &Ui, at: Pos2, align: Align2, what: Pill<'_>) -> Rect {
    let on_picture = Palette::of(ui).on_colour;
    let icon_side = what.kind.font().size + 2.0;
    let galley = elided(ui, what.words, what.kind, on_picture, what.most - icon_side - space::S - 2.0 * space::M);
    let height = icon_side + 14.0;
    let wanted = if what.words.is_empty() {
        Vec2::splat(height)
    } else {
        vec2(icon_side + space::S + galley.size().x + 2.0 * space::M, height)
    };
    let rect = align.anchor_size(at, wanted);
    ui.painter().rect_filled(rect, CornerRadius::same((height / 2.0) as u8), over_picture());
    let inset = if what.words.is_empty() { (height - icon_side) / 2.0 } else { space::M };
    let icon_at = pos2(rect.left() + inset + icon_side / 2.0, rect.center().y);
    what.icon.paint(ui.painter(), Rect::from_center_size(icon_at, Vec2::splat(icon_side)), what.colour);
    let words_at = pos2(icon_at.x + icon_side / 2.0 + space::S, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(words_at, galley, on_picture);
    let id = ui.make_persistent_id(("pill", what.label));
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Status, true, what.label));
    announce(ui, &response);
    rect
}
