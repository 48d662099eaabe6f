//! A picture in a rounded frame, or the reason why there is none.

use super::{avatar, sentence};
use crate::icons::Icon;
use crate::settings::Settings;
use crate::theme::{Palette, Type, size};
use crate::video::VideoView;
use egui::text::LayoutJob;
use egui::{Align, CornerRadius, Rect, Ui, vec2};
use visavis_call::State;
use visavis_capture::{CameraSpec, CameraState};

/// Height from which on a tile holds words beside an initial.
const ROOM_FOR_WORDS: f32 = 150.0;

/// Why one's own picture is not to be seen; `None` while the camera delivers.
pub fn camera_words(state: &State, camera: &CameraSpec) -> Option<String> {
    if !state.video_on {
        return Some("Your camera is off".into());
    }
    match &state.camera {
        CameraState::Running { .. } => None,
        CameraState::Opening => Some("Opening the camera…".into()),
        CameraState::Failed(why) => Some(sentence(&why.to_string())),
        CameraState::Off if *camera == CameraSpec::None => Some("No camera chosen".into()),
        CameraState::Off => Some("Your camera is off".into()),
    }
}

/// Paints a picture into `rect` as large as fits, on a quiet ground with rounded corners; says whether there is one.
pub fn picture_tile(ui: &Ui, rect: Rect, view: &VideoView, mirrored: bool, radius: u8) -> bool {
    let palette = Palette::of(ui);
    ui.painter().rect_filled(rect, CornerRadius::same(radius), palette.picture);
    let Some(place) = view.fit(rect) else { return false };
    // A hair's breadth of ground beside the picture would look like a mistake.
    let fills = rect.width() - place.width() < 3.0 && rect.height() - place.height() < 3.0;
    let place = if fills { rect } else { place };
    let radius = if fills || place.height() >= rect.height() - 1.0 { radius } else { radius / 2 };
    view.paint(ui.painter(), place, radius, mirrored);
    true
}

/// One's own picture, mirrored, with words in its place while there is none.
pub fn own_tile(ui: &Ui, rect: Rect, view: &VideoView, state: &State, settings: &Settings) {
    let radius = size::RADIUS_LARGE;
    let words = camera_words(state, &settings.camera);
    let has_picture = words.is_none() && picture_tile(ui, rect, view, true, radius);
    if has_picture {
        return;
    }
    let palette = Palette::of(ui);
    ui.painter().rect_filled(rect, CornerRadius::same(radius), palette.picture);
    let small = rect.height() < ROOM_FOR_WORDS;
    let diameter = if small { rect.height() * 0.5 } else { (rect.height() * 0.3).min(96.0) };
    let middle = if small { rect.center() } else { rect.center() - vec2(0.0, 22.0) };
    let failed = state.video_on && matches!(state.camera, CameraState::Failed(_));
    if small && failed {
        // There is no room for the words, and an initial would look as if the camera were off on purpose.
        let place = Rect::from_center_size(middle, egui::Vec2::splat(diameter * 0.7));
        Icon::CameraOff.paint(ui.painter(), place, palette.warning);
    } else {
        avatar(ui.painter(), palette, middle, diameter, &settings.name);
    }
    let Some(words) = words else { return };
    if !small {
        let width = (rect.width() - 32.0).max(40.0);
        let mut job = LayoutJob::simple(words.clone(), Type::Small.font(), palette.weak, width);
        job.halign = Align::Center;
        let galley = ui.painter().layout_job(job);
        ui.painter().galley(middle + vec2(0.0, diameter / 2.0 + 12.0), galley, palette.weak);
    }
    let response = ui.interact(rect.shrink(1.0), ui.scope_id().with(("own tile", &words)), egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Status, true, &words));
}
