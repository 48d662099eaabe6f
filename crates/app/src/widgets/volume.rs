//! How loud something is to be.

use super::text;
use crate::theme::{Palette, Type, space};
use egui::{Align, Layout, Slider, Ui};
use visavis_call::Volume;

/// Room for "150 %".
const NUMBER: f32 = 48.0;

/// Words with a slider under them; the new volume where it was moved.
pub fn volume_row(ui: &mut Ui, words: &str, now: Volume) -> Option<Volume> {
    let palette = Palette::of(ui);
    let mut percent = now.as_percent();
    let label = ui.label(text(words, Type::Small).color(palette.weak));
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = ui.available_width() - NUMBER - space::S;
        // A groove of the surface's colour needs an edge to be seen.
        ui.visuals_mut().widgets.inactive.bg_fill = palette.raised;
        let slider = Slider::new(&mut percent, 0..=Volume::MOST.as_percent()).show_value(false).trailing_fill(true);
        let moved = ui.add(slider.step_by(5.0)).labelled_by(label.id).changed();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(text(format!("{percent} %"), Type::Small).color(palette.text));
        });
        moved.then(|| Volume::percent(percent))
    })
    .inner
}
