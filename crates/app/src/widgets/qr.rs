//! A QR code, for somebody who holds another device before the screen.

use crate::theme::size;
use egui::{Color32, CornerRadius, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

/// Light modules that the standard wants around a code.
const QUIET_ZONE: usize = 4;

/// A text and its code, computed once per text.
#[derive(Clone, Debug, Default)]
pub struct QrCode {
    text: String,
    side: usize,
    dark: Vec<bool>,
}

impl QrCode {
    /// Makes the code anew where the text is another one. A text that is too long leaves it empty.
    pub fn update(&mut self, text: &str) {
        if self.text == text {
            return;
        }
        text.clone_into(&mut self.text);
        match qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M) {
            Ok(code) => {
                self.side = code.width();
                self.dark = code.into_colors().into_iter().map(|module| module == qrcode::Color::Dark).collect();
            }
            Err(e) => {
                tracing::debug!("no QR code: {e}");
                (self.side, self.dark) = (0, Vec::new());
            }
        }
    }
}

/// Shows the code in a square of this side; always dark on white, because not every reader takes the reverse.
pub fn qr(ui: &mut Ui, code: &QrCode, side: f32) {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "QR code of this call"));
    ui.painter().rect_filled(rect, CornerRadius::same(size::RADIUS_LARGE), Color32::WHITE);
    if code.side == 0 {
        return;
    }
    // Whole pixels: modules of unequal width are hard to read.
    let pixels = ui.pixels_per_point();
    let module = (side * pixels / (code.side + 2 * QUIET_ZONE) as f32).floor().max(1.0) / pixels;
    let all = Rect::from_center_size(rect.center(), Vec2::splat(module * code.side as f32));
    let origin = ((all.min.to_vec2() * pixels).round() / pixels).to_pos2();
    for (row, modules) in code.dark.chunks(code.side).enumerate() {
        let mut column = 0;
        for run in modules.chunk_by(|a, b| a == b) {
            if run[0] {
                let place = origin + vec2(column as f32, row as f32) * module;
                let run = Rect::from_min_size(place, vec2(run.len() as f32, 1.0) * module);
                ui.painter().rect_filled(run, 0.0, Color32::BLACK);
            }
            column += run.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_follows_its_text_and_a_text_too_long_leaves_it_empty() {
        let mut code = QrCode::default();
        code.update("velvet-canyon-orbit-zero");
        let first = code.dark.clone();
        assert_eq!(first.len(), code.side * code.side);
        assert!(code.side >= 21 && first[0], "the finder pattern begins in the corner");
        code.update("https://calls.example/#velvet-canyon-orbit-zero");
        assert_ne!(code.dark, first);
        code.update(&"x".repeat(10_000));
        assert_eq!(code.side, 0);
    }
}
