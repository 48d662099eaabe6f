//! What lies over the picture of a call: who it is and how it goes above, the controls below.

use super::call_panels::GUEST_TRUST;
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::quality::Grade;
use crate::theme::{Palette, Type, over_picture, size, space};
use crate::view::View;
use crate::widgets::{Look, anchored, called, clock, control_button, control_round, hint, quality_mark, text};
use egui::{Align, Align2, CornerRadius, Layout, Rect, Sense, Shape, Ui, UiBuilder, Vec2, vec2};
use std::time::Duration;
use visavis_call::{Guest, InCall};

/// Height of the pills at the top.
pub(super) const TOP_HEIGHT: f32 = 40.0;
/// Height of the button among them.
const PATH_HEIGHT: f32 = 32.0;
/// Room that the verification number takes with its shield.
const NUMBER_WIDTH: f32 = 330.0;
const CONTROLS: [Control; 6] =
    [Control::Mute, Control::Video, Control::Devices, Control::Chat, Control::FullScreen, Control::HangUp];

/// Name, time and path on the left, the verification number on the right; where the left one was drawn, and what was
/// pressed.
pub(super) fn top_bar(
    ui: &mut Ui,
    stage: Rect,
    view: View<'_>,
    call: &InCall,
    now: &Situation,
) -> (Rect, Option<UiCommand>) {
    let rect = Rect::from_min_size(stage.min, vec2(stage.width(), TOP_HEIGHT + space::M)).shrink2(vec2(space::M, 0.0));
    let rect = rect.translate(vec2(0.0, space::M)).with_max_y(stage.top() + space::M + TOP_HEIGHT);
    let elapsed = view.now.saturating_duration_since(call.since);
    ui.ctx().request_repaint_after(Duration::from_secs(1) - Duration::from_nanos(elapsed.subsec_nanos().into()));
    let palette = Palette::of(ui);
    let quiet = palette.on_colour.gamma_multiply(0.85);
    let left = group(ui, rect, Align::Min, |ui| {
        let name = text(called(&call.peer.name), Type::Heading).color(palette.on_colour);
        ui.scope(|ui| {
            ui.set_max_width((rect.width() * 0.3).max(80.0));
            ui.add(egui::Label::new(name).truncate());
        });
        if let Some(Guest { host, .. }) = &call.peer.guest {
            ui.scope(|ui| {
                ui.set_max_width((rect.width() * 0.25).max(80.0));
                let words = text(format!("guest, through {host}"), Type::Small).color(quiet);
                ui.add(egui::Label::new(words).truncate()).on_hover_text(GUEST_TRUST);
            });
        }
        ui.label(text(clock(elapsed.as_secs()), Type::Body).color(quiet));
        let look = |control: Control| if control.shown(now) == Some(true) { Look::Off } else { Look::Quiet };
        let (path, curves) = (Control::Connection, Control::Statistics);
        let pressed = control_button(ui, path, now, look(path), vec2(0.0, PATH_HEIGHT));
        ui.spacing_mut().item_spacing.x = space::XS;
        let why = view.health.verdict().cause.filter(|_| now.grade != Grade::Good && call.interrupted.is_none());
        let mark = quality_mark(ui, now, look(curves), PATH_HEIGHT).on_hover_ui(|ui| {
            if let Some((cause, amount)) = why {
                ui.label(text(cause.words(amount), Type::Body));
                hint(ui, cause.advice());
            }
            hint(ui, curves.with_keys(ui, curves.tooltip(now)));
        });
        if mark.clicked() { curves.command(now) } else { pressed }
    });
    // Where there is no room for the number, the connection's panel has it.
    if rect.right() - left.0.right() >= NUMBER_WIDTH {
        group(ui, rect, Align::Max, |ui| {
            let number = ui.label(text(&call.verification, Type::Digits).color(palette.on_colour));
            number.on_hover_text(
                "Verification number. Read it to each other: if it is the same on both sides, nobody sits between you",
            );
            let (shield, _) = ui.allocate_exact_size(Vec2::splat(size::ICON), Sense::hover());
            Icon::Shield.paint(ui.painter(), shield, palette.good);
        });
    }
    left
}

/// Words on a pill of their own at the left or right end of `rect`.
fn group<R>(ui: &mut Ui, rect: Rect, side: Align, add: impl FnOnce(&mut Ui) -> R) -> (Rect, R) {
    let layout = match side {
        Align::Max => Layout::right_to_left(Align::Center),
        Align::Min | Align::Center => Layout::left_to_right(Align::Center),
    };
    let ground = ui.painter().add(Shape::Noop);
    let inner = rect.shrink2(vec2(space::L, 0.0));
    let mut inside =
        ui.new_child(UiBuilder::new().id_salt(("group", side == Align::Max)).max_rect(inner).layout(layout));
    inside.spacing_mut().item_spacing.x = space::M;
    inside.spacing_mut().interact_size.y = TOP_HEIGHT;
    let row = inside.horizontal(|ui| {
        ui.set_min_height(TOP_HEIGHT);
        add(ui)
    });
    let place = row.response.rect.expand2(vec2(space::L, 0.0));
    // A button at the end brings room of its own.
    let place = if side == Align::Min { place.with_max_x(place.right() - space::M) } else { place };
    let place = Rect::from_x_y_ranges(place.x_range(), rect.y_range());
    let radius = CornerRadius::same((TOP_HEIGHT / 2.0) as u8);
    ui.painter().set(ground, Shape::rect_filled(place, radius, over_picture()));
    (place, row.inner)
}

/// The controls; where they were drawn, and what was pressed.
pub(super) fn bottom_bar(ui: &mut Ui, stage: Rect, now: &Situation, unread: bool) -> (Rect, Option<UiCommand>) {
    let count = CONTROLS.len() as f32;
    let wanted = vec2(count * size::ROUND + count * space::M + 2.0 * space::M, size::ROUND + 2.0 * space::M);
    let rect = anchored(stage, wanted, Align2::CENTER_BOTTOM, space::L);
    let radius = CornerRadius::same((wanted.y / 2.0) as u8);
    ui.painter().rect_filled(rect, radius, over_picture());
    let inner = rect.shrink(space::M);
    let layout = Layout::left_to_right(Align::Center);
    let pressed = ui.scope_builder(UiBuilder::new().max_rect(inner).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        let mut command = None;
        for control in CONTROLS {
            let pressed = match control {
                Control::Chat => {
                    let pressed = control_round(ui, control, now, look(control, now), size::ROUND);
                    if unread {
                        let dot = ui.min_rect().right_top() + vec2(-8.0, 8.0);
                        ui.painter().circle_filled(dot, 6.0, Palette::of(ui).accent_text);
                    }
                    pressed
                }
                Control::HangUp => {
                    ui.add_space(space::M);
                    control_round(ui, control, now, Look::Danger, size::ROUND)
                }
                _ => control_round(ui, control, now, look(control, now), size::ROUND),
            };
            command = pressed.or(command);
        }
        command
    });
    (rect, pressed.inner)
}

/// What is off, and what lies open, stands out.
fn look(control: Control, now: &Situation) -> Look {
    let off = (control == Control::Mute && now.muted) || (control == Control::Video && !now.video_on);
    if off || control.shown(now) == Some(true) { Look::Off } else { Look::Plain }
}
