//! How loud the microphone is, live.

use crate::theme::Palette;
use egui::{CornerRadius, Rect, Role, Sense, Ui, WidgetInfo, vec2};

const BARS: usize = 24;
const HEIGHT: f32 = 8.0;
/// Quieter than this shows as nothing, in dB below full scale.
const FLOOR_DB: f32 = 54.0;

/// Part of the scale that a peak of 0…1 fills: the ear hears ratios, so equal ratios take equal space.
pub fn level_fraction(peak: f32) -> f32 {
    if peak > 0.0 { (1.0 + 20.0 * peak.log10() / FLOOR_DB).clamp(0.0, 1.0) } else { 0.0 }
}

/// Bars that a peak of 0…1 lights.
pub fn meter_bars(peak: f32) -> usize {
    (level_fraction(peak) * BARS as f32).round() as usize
}

/// Shows a peak of 0…1; grey while muted.
pub fn meter(ui: &mut Ui, peak: f32, muted: bool, width: f32) {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    let fraction = level_fraction(peak);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, "Microphone level");
        info.value = Some(f64::from((fraction * 100.0).round()));
        info
    });
    let step = rect.width() / BARS as f32;
    let lit = meter_bars(peak);
    for bar in 0..BARS {
        let left = rect.left() + step * bar as f32;
        let place = Rect::from_min_size(egui::pos2(left, rect.top()), vec2(step - 3.0, rect.height()));
        let colour = match (bar < lit, muted) {
            (false, _) => palette.raised,
            (true, true) => palette.weak,
            (true, false) if bar + 3 > BARS => palette.warning,
            (true, false) => palette.good,
        };
        ui.painter().rect_filled(place, CornerRadius::same(2), colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_nothing_and_full_scale_is_all() {
        assert_eq!([0.0, -1.0, f32::NAN, 1.0, 2.0].map(level_fraction), [0.0, 0.0, 0.0, 1.0, 1.0]);
        assert!((level_fraction(0.1) - (1.0 - 20.0 / 54.0)).abs() < 1e-6);
    }
}
