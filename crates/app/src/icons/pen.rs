//! The pen that icons are drawn with.

use egui::epaint::{CubicBezierShape, PathStroke};
use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, pos2};
use std::f32::consts::PI;

/// Draws in a square of 24 by 24 units, y downwards, with round ends.
pub(super) struct Pen<'a> {
    painter: &'a Painter,
    origin: Pos2,
    scale: f32,
    stroke: Stroke,
}

impl<'a> Pen<'a> {
    pub(super) fn new(painter: &'a Painter, rect: Rect, colour: Color32) -> Self {
        let side = rect.width().min(rect.height());
        let scale = side / 24.0;
        let origin = rect.center() - egui::Vec2::splat(side / 2.0);
        Self { painter, origin, scale, stroke: Stroke::new((1.9 * scale).max(1.2), colour) }
    }

    fn at(&self, (x, y): (f32, f32)) -> Pos2 {
        self.origin + egui::vec2(x, y) * self.scale
    }

    fn path(&self, points: Vec<Pos2>, width: f32) {
        if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
            for end in [first, last] {
                self.painter.circle_filled(end, width / 2.0, self.stroke.color);
            }
        }
        self.painter.add(Shape::line(points, PathStroke::new(width, self.stroke.color)));
    }

    pub(super) fn line(&self, points: &[(f32, f32)]) {
        self.path(points.iter().map(|p| self.at(*p)).collect(), self.stroke.width);
    }

    pub(super) fn outline(&self, points: &[(f32, f32)]) {
        self.painter.add(Shape::closed_line(points.iter().map(|p| self.at(*p)).collect(), self.stroke));
    }

    fn arc_points(&self, centre: (f32, f32), radius: f32, from: f32, to: f32) -> Vec<Pos2> {
        const STEPS: usize = 24;
        let point = |i| {
            let (sin, cos) = (from + (to - from) * i as f32 / STEPS as f32).sin_cos();
            self.at((centre.0 + radius * cos, centre.1 + radius * sin))
        };
        (0..=STEPS).map(point).collect()
    }

    pub(super) fn arc(&self, centre: (f32, f32), radius: f32, from: f32, to: f32) {
        self.path(self.arc_points(centre, radius, from, to), self.stroke.width);
    }

    pub(super) fn curve(&self, points: [(f32, f32); 4]) {
        let points = points.map(|p| self.at(p));
        self.painter.add(CubicBezierShape::from_points_stroke(points, false, Color32::TRANSPARENT, self.stroke));
    }

    pub(super) fn circle(&self, centre: (f32, f32), radius: f32) {
        self.painter.circle_stroke(self.at(centre), radius * self.scale, self.stroke);
    }

    pub(super) fn dot(&self, centre: (f32, f32), radius: f32) {
        self.painter.circle_filled(self.at(centre), radius * self.scale, self.stroke.color);
    }

    pub(super) fn frame(&self, from: (f32, f32), to: (f32, f32), radius: f32) {
        let rect = Rect::from_min_max(self.at(from), self.at(to));
        let radius = CornerRadius::same((radius * self.scale).round() as u8);
        self.painter.rect_stroke(rect, radius, self.stroke, StrokeKind::Middle);
    }

    pub(super) fn microphone(&self) {
        self.frame((8.8, 2.2), (15.2, 14.2), 3.2);
        self.arc((12.0, 11.0), 6.8, 0.0, PI);
        self.line(&[(12.0, 18.0), (12.0, 21.5)]);
        self.line(&[(8.5, 21.5), (15.5, 21.5)]);
    }

    pub(super) fn camera(&self) {
        self.frame((1.8, 5.5), (15.8, 18.5), 3.5);
        self.line(&[(16.2, 10.6), (21.8, 7.2), (21.8, 16.8), (16.2, 13.4)]);
    }

    /// A handset lying face down, turned by `angle`.
    pub(super) fn handset(&self, angle: f32) {
        let (sin, cos) = angle.sin_cos();
        let turned = |(x, y): (f32, f32)| {
            let (x, y) = (x - 12.0, y - 12.0);
            pos2(12.0 + x * cos - y * sin, 12.0 + x * sin + y * cos)
        };
        let place = |p| {
            let p = turned(p);
            self.at((p.x, p.y))
        };
        let grip: Vec<Pos2> = (0..=20)
            .map(|i| {
                let x = 3.6 + 16.8 * i as f32 / 20.0;
                let dip = (x - 12.0) / 8.4;
                place((x, 10.2 + 3.0 * dip * dip))
            })
            .collect();
        self.path(grip, 4.0 * self.scale);
        for x in [3.9, 20.1] {
            self.path(vec![place((x, 12.8)), place((x, 14.6))], 5.0 * self.scale);
        }
    }
}
