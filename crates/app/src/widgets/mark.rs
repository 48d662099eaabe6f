//! The mark that says how good a connection is: a word beside bars, as on a telephone.

use super::buttons::{Look, surface};
use crate::control::{Control, Situation};
use crate::quality::Grade;
use crate::theme::{Palette, Type, size, space};
use egui::{Color32, CornerRadius, Painter, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

/// Bars of the mark.
const BARS: usize = 3;

/// One word for a grade, where it stands beside the mark.
pub fn grade_word(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "Good",
        Grade::Fair => "Fair",
        Grade::Poor => "Poor",
    }
}

/// Paints the bars into a square; those that are not reached in `rest`.
pub fn paint_mark(painter: &Painter, place: Rect, grade: Grade, palette: &Palette, rest: Color32) {
    let (reached, colour) = match grade {
        Grade::Good => (3, palette.good),
        Grade::Fair => (2, palette.warning),
        Grade::Poor => (1, palette.danger_text),
    };
    let width = place.width() / (2 * BARS - 1) as f32;
    for bar in 0..BARS {
        let left = place.left() + 2.0 * width * bar as f32;
        let height = place.height() * (bar + 1) as f32 / BARS as f32;
        let shape = Rect::from_min_max(pos2(left, place.bottom() - height), pos2(left + width, place.bottom()));
        painter.rect_filled(shape, 1.0, if bar < reached { colour } else { rest });
    }
}

/// The mark as a button that shows and hides the statistics.
pub fn quality_mark(ui: &mut Ui, now: &Situation, look: Look, height: f32) -> Response {
    let word = grade_word(now.grade);
    let galley = ui.painter().layout_no_wrap(word.to_owned(), Type::Body.font(), Color32::PLACEHOLDER);
    let side = size::ICON - 4.0;
    let wanted = vec2(side + space::S + galley.size().x + 2.0 * space::M, height);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::click());
    let (label, shown) = (Control::Statistics.label(now), Control::Statistics.shown(now));
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo { selected: shown, ..WidgetInfo::labeled(Role::Button, enabled, label) });
    if ui.is_rect_visible(rect) {
        let content = surface(ui, rect, CornerRadius::same(size::RADIUS), look, &response);
        // On a bright surface the dark theme's colours are hard to tell: there the bars take the words' colour.
        let palette = Palette::of(ui);
        let bars = Rect::from_min_size(pos2(rect.left() + space::M, rect.center().y - side / 2.0), vec2(side, side));
        let colours = if look == Look::Off { &Palette::LIGHT } else { palette };
        paint_mark(ui.painter(), bars, now.grade, colours, content.gamma_multiply(0.3));
        let words = pos2(bars.right() + space::S, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(words, galley, content);
    }
    response
}
