//! What lies over the picture of a call: who it is and how it goes above, the controls below.

use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::theme::{Palette, Type, over_picture, size, space};
use crate::view::View;
use crate::widgets::{DevicePickers, Look, Round, anchored, called, card, clock, control_round, pickers, round, text};
use egui::{Align, Align2, Area, CornerRadius, Layout, Order, Popup, Rect, Sense, Shape, Ui};
use egui::{Key, UiBuilder, Vec2, vec2};
use std::time::Duration;
use visavis_call::{Figures, InCall, Path};

/// Height of the pills at the top.
pub(super) const TOP_HEIGHT: f32 = 40.0;
const DEVICES_WIDTH: f32 = 340.0;
const CONTROLS: [Control; 6] =
    [Control::Mute, Control::Video, Control::Devices, Control::Chat, Control::FullScreen, Control::HangUp];

/// Name, time and path on the left, the verification number on the right; where it was drawn.
pub(super) fn top_bar(ui: &mut Ui, stage: Rect, view: View<'_>, call: &InCall) -> Rect {
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
        ui.label(text(clock(elapsed.as_secs()), Type::Body).color(quiet));
        let (path, meaning) = path_words(call.path);
        let path = ui.label(text(path, Type::Body).color(quiet));
        path.on_hover_text(format!("{meaning}{}", figures_words(&call.figures)));
    });
    let right = group(ui, rect, Align::Max, |ui| {
        let number = ui.label(text(&call.verification, Type::Digits).color(palette.on_colour));
        number.on_hover_text(
            "Verification number. Read it to each other: if it is the same on both sides, nobody sits between you",
        );
        let (shield, _) = ui.allocate_exact_size(Vec2::splat(size::ICON), Sense::hover());
        Icon::Shield.paint(ui.painter(), shield, palette.good);
    });
    left.union(right)
}

/// Words on a pill of their own at the left or right end of `rect`.
fn group(ui: &mut Ui, rect: Rect, side: Align, add: impl FnOnce(&mut Ui)) -> Rect {
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
        add(ui);
    });
    let place = row.response.rect.expand2(vec2(space::L, 0.0));
    let place = Rect::from_x_y_ranges(place.x_range(), rect.y_range());
    let radius = CornerRadius::same((TOP_HEIGHT / 2.0) as u8);
    ui.painter().set(ground, Shape::rect_filled(place, radius, over_picture()));
    place
}

fn path_words(path: Path) -> (&'static str, &'static str) {
    match path {
        Path::Direct => ("Direct", "Sound and picture go straight from machine to machine, encrypted."),
        Path::Relayed => ("Relayed", "Sound and picture go through a TURN server, which cannot read them."),
    }
}

fn figures_words(figures: &Figures) -> String {
    let mut words = String::new();
    if let Some(size) = figures.received_size {
        words += &format!(
            "\nReceiving {size} at {:.0} pictures/s, {:.0} kb/s.",
            figures.received_fps, figures.received_kbps
        );
    }
    words += &format!("\nSending {:.0} kb/s, {:.1} % lost.", figures.sent_kbps, 100.0 * figures.lost);
    if let Some(round_trip) = figures.round_trip {
        words += &format!("\nRound trip {} ms.", round_trip.as_millis());
    }
    words
}

/// The controls; where they were drawn, and what was pressed.
pub(super) fn bottom_bar(
    ui: &mut Ui,
    stage: Rect,
    now: &Situation,
    unread: bool,
    devices_open: &mut bool,
) -> (Rect, Option<UiCommand>) {
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
                Control::Devices => {
                    devices_button(ui, now, devices_open);
                    None
                }
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

fn look(control: Control, now: &Situation) -> Look {
    let off = (control == Control::Mute && now.muted) || (control == Control::Video && !now.video_on);
    if off { Look::Off } else { Look::Plain }
}

fn devices_button(ui: &mut Ui, now: &Situation, open: &mut bool) {
    let control = Control::Devices;
    let look = if *open { Look::Off } else { Look::Plain };
    let what = Round { icon: control.icon(now), label: control.label(now), look, diameter: size::ROUND };
    let response = round(ui, what).on_hover_text(control.tooltip(now));
    if response.clicked() {
        *open = !*open;
    }
}

/// The pickers over the bar; closes at a press elsewhere or Escape.
pub(super) fn devices_panel(ui: &Ui, bar: Rect, view: View<'_>, open: &mut bool) -> Option<UiCommand> {
    // egui keeps one popup at a time, and the pickers have popups of their own: so this is a plain area.
    let popup_open = Popup::is_any_open(ui.ctx());
    let area = Area::new(ui.scope_id().with("devices"))
        .order(Order::Foreground)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(bar.center_top() - vec2(0.0, space::M));
    let shown = area.show(ui.ctx(), |ui| {
        let frame = card(ui).shadow(ui.visuals().popup_shadow);
        frame
            .show(ui, |ui| {
                ui.set_width(DEVICES_WIDTH);
                let (state, settings, width) = (view.state, view.settings, DEVICES_WIDTH);
                pickers(ui, DevicePickers { state, settings, width, camera_words: true })
            })
            .inner
    });
    let (pressed_at, escape) = ui.input(|input| {
        let at = input.pointer.press_origin().filter(|_| input.pointer.any_pressed());
        (at, input.key_pressed(Key::Escape))
    });
    let elsewhere = pressed_at.is_some_and(|at| !shown.response.rect.contains(at) && !bar.contains(at));
    if !popup_open && (elsewhere || escape) {
        *open = false;
    }
    shown.inner
}
