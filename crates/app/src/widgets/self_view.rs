//! One's own picture over the other's: small, and movable to any corner.

use super::{Pill, anchored, own_tile, pill};
use crate::command::UiCommand;
use crate::icons::Icon;
use crate::settings::{Change, Corner, Settings};
use crate::theme::{Palette, Type, size, space};
use crate::video::{VideoView, fit};
use egui::{Align2, CursorIcon, Pos2, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};
use visavis_call::State;

/// Seconds in which the picture glides into its corner.
const GLIDE: f32 = 0.15;

impl Corner {
    const CLOCKWISE: [Self; 4] = [Self::TopLeft, Self::TopRight, Self::BottomRight, Self::BottomLeft];

    fn align(self) -> Align2 {
        match self {
            Self::TopLeft => Align2::LEFT_TOP,
            Self::TopRight => Align2::RIGHT_TOP,
            Self::BottomLeft => Align2::LEFT_BOTTOM,
            Self::BottomRight => Align2::RIGHT_BOTTOM,
        }
    }

    /// The corner of `stage` that a point is nearest to.
    pub fn nearest(stage: Rect, point: Pos2) -> Self {
        match (point.x < stage.center().x, point.y < stage.center().y) {
            (true, true) => Self::TopLeft,
            (false, true) => Self::TopRight,
            (true, false) => Self::BottomLeft,
            (false, false) => Self::BottomRight,
        }
    }

    /// The next one, clockwise.
    pub fn next(self) -> Self {
        let at = Self::CLOCKWISE.iter().position(|corner| *corner == self).unwrap_or(0);
        Self::CLOCKWISE[(at + 1) % 4]
    }
}

/// Where the picture is being dragged.
#[derive(Debug, Default)]
pub struct SelfView {
    dragged: Option<Vec2>,
}

impl SelfView {
    /// Shows the picture inside `stage`; `above` and `below` are what bars cover there.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        stage: Rect,
        [above, below]: [f32; 2],
        (view, state, settings): (&VideoView, &State, &Settings),
    ) -> Option<UiCommand> {
        let side = (stage.width() * 0.19).clamp(132.0, 280.0);
        let shape = view.size().map_or(vec2(16.0, 9.0), |size| vec2(size.width() as f32, size.height() as f32));
        let extent = fit(Rect::from_min_size(Pos2::ZERO, vec2(side, side)), shape).size();
        let free = Rect::from_min_max(stage.min + vec2(0.0, above), stage.max - vec2(0.0, below));
        let home = anchored(free, extent, settings.self_view.align(), space::L);
        let id = ui.scope_id().with("self view");
        let offset = self.dragged.unwrap_or_default();
        let glide = if self.dragged.is_some() { 0.0 } else { GLIDE };
        let target = home.min + offset;
        let at = Pos2::new(
            ui.ctx().animate_value_with_time(id.with("x"), target.x, glide),
            ui.ctx().animate_value_with_time(id.with("y"), target.y, glide),
        );
        let last = (stage.max - extent).max(stage.min);
        let rect = Rect::from_min_size(at.clamp(stage.min, last), extent);
        let response = ui.interact(rect, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::Grab);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Your picture"));
        let shadow = egui::Shadow { offset: [0, 4], blur: 18, spread: 0, color: egui::Color32::from_black_alpha(110) };
        ui.painter().add(shadow.as_shape(rect, size::RADIUS_LARGE));
        own_tile(ui, rect, view, state, settings);
        if response.has_focus() {
            let ring = egui::Stroke::new(2.0, Palette::of(ui).accent_text);
            ui.painter().rect_stroke(rect, size::RADIUS_LARGE, ring, egui::StrokeKind::Outside);
        }
        if state.muted {
            let corner = rect.left_bottom() + vec2(space::S, -space::S);
            let colour = Palette::of(ui).on_colour;
            let (icon, kind, most) = (Icon::MicrophoneOff, Type::Small, size::CHAT);
            let what = Pill { icon, colour, words: "", label: "You are muted", kind, most };
            pill(ui, corner, Align2::LEFT_BOTTOM, what);
        }
        let mut command = None;
        if response.dragged() {
            self.dragged = Some(offset + response.drag_delta());
        } else if self.dragged.take().is_some() {
            command = Some(Change::SelfView(Corner::nearest(stage, rect.center())));
        } else if response.clicked() {
            command = Some(Change::SelfView(settings.self_view.next()));
        }
        response.on_hover_text("Drag to any corner");
        command.map(UiCommand::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_let_go_snaps_to_the_nearest_corner() {
        let stage = Rect::from_min_size(Pos2::ZERO, vec2(100.0, 60.0));
        for (x, y, corner) in [
            (10.0, 10.0, Corner::TopLeft),
            (60.0, 10.0, Corner::TopRight),
            (10.0, 50.0, Corner::BottomLeft),
            (99.0, 59.0, Corner::BottomRight),
        ] {
            assert_eq!(Corner::nearest(stage, Pos2::new(x, y)), corner);
        }
    }

    #[test]
    fn four_steps_lead_round_all_corners() {
        let mut corner = Corner::BottomRight;
        let mut seen = Vec::new();
        for _ in 0..4 {
            corner = corner.next();
            assert!(!seen.contains(&corner));
            seen.push(corner);
        }
        assert_eq!(corner, Corner::BottomRight);
    }
}
