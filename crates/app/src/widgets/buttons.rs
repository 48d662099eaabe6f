//! Buttons: rounded ones with words, round ones with an icon.

use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::theme::{Palette, Type, size, space};
use egui::{Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

/// How much a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What the screen is about; one a screen.
    Primary,
    /// Everything else.
    Plain,
    /// It ends something.
    Danger,
    /// Without a surface until the pointer is over it.
    Quiet,
    /// A switch that is off and ought to be noticed: microphone muted, camera closed.
    Off,
}

impl Look {
    /// Surface and content.
    fn colours(self, palette: &Palette, hovered: bool) -> (Color32, Color32) {
        match (self, hovered) {
            (Self::Primary, false) => (palette.accent, palette.on_colour),
            (Self::Primary, true) => (palette.accent_hovered, palette.on_colour),
            (Self::Plain, false) => (palette.raised, palette.text),
            (Self::Plain | Self::Quiet, true) => (palette.hovered, palette.text),
            (Self::Danger, false) => (palette.danger, palette.on_colour),
            (Self::Danger, true) => (palette.danger_hovered, palette.on_colour),
            (Self::Quiet, false) => (Color32::TRANSPARENT, palette.text),
            (Self::Off, false) => (palette.text, palette.background),
            (Self::Off, true) => (palette.text.gamma_multiply(0.85), palette.background),
        }
    }
}

pub(super) fn surface(ui: &Ui, rect: Rect, radius: CornerRadius, look: Look, response: &Response) -> Color32 {
    let palette = Palette::of(ui);
    let (fill, content) = look.colours(palette, response.hovered());
    let pressed = if response.is_pointer_button_down_on() { rect.shrink(1.0) } else { rect };
    ui.painter().rect_filled(pressed, radius, fill);
    if response.has_focus() {
        let ring = Stroke::new(2.0, palette.accent_text);
        ui.painter().rect_stroke(rect.expand(2.0), radius, ring, StrokeKind::Outside);
    }
    content
}

/// A button with words, and an icon before them where there is one, as high as `least` and at least as wide.
pub fn button(ui: &mut Ui, icon: Option<Icon>, words: &str, look: Look, least: Vec2) -> Response {
    button_with(ui, icon, words, look, least, None)
}

/// The same for what is on or off, chosen or not, shown or hidden, which screen readers then say.
pub fn button_with(
    ui: &mut Ui,
    icon: Option<Icon>,
    words: &str,
    look: Look,
    least: Vec2,
    on: Option<bool>,
) -> Response {
    let galley = ui.painter().layout_no_wrap(words.to_owned(), Type::Body.font(), Color32::PLACEHOLDER);
    let beside = if icon.is_some() { size::ICON + space::S } else { 0.0 };
    let wanted = vec2(galley.size().x + beside + 2.0 * space::L, 0.0);
    let (rect, response) = ui.allocate_exact_size(wanted.max(least), Sense::click());
    response.widget_info(|| WidgetInfo { selected: on, ..WidgetInfo::labeled(Role::Button, ui.is_enabled(), words) });
    if ui.is_rect_visible(rect) {
        let content = surface(ui, rect, CornerRadius::same(size::RADIUS), look, &response);
        let left = rect.center().x - (galley.size().x + beside) / 2.0;
        if let Some(icon) = icon {
            let middle = pos2(left + size::ICON / 2.0, rect.center().y);
            icon.paint(ui.painter(), Rect::from_center_size(middle, Vec2::splat(size::ICON)), content);
        }
        let top = rect.center().y - galley.size().y / 2.0;
        ui.painter().galley(pos2(left + beside, top), galley, content);
    }
    response
}

/// A round button.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// Its picture.
    pub icon: Icon,
    /// Its name for screen readers.
    pub label: &'a str,
    /// How much it stands out.
    pub look: Look,
    /// In points.
    pub diameter: f32,
    /// Whether what it switches is on, for screen readers; `None` where its name says it all.
    pub on: Option<bool>,
}

/// Shows a round button.
pub fn round(ui: &mut Ui, what: Round<'_>) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(what.diameter), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo { selected: what.on, ..WidgetInfo::labeled(Role::Button, enabled, what.label) });
    if ui.is_rect_visible(rect) {
        let radius = CornerRadius::same((what.diameter / 2.0).ceil() as u8);
        let content = surface(ui, rect, radius, what.look, &response);
        let icon = Rect::from_center_size(rect.center(), Vec2::splat((what.diameter * 0.44).round()));
        what.icon.paint(ui.painter(), icon, content);
    }
    response
}

/// A control as a round button with its tooltip; its command when pressed.
pub fn control_round(ui: &mut Ui, control: Control, now: &Situation, look: Look, diameter: f32) -> Option<UiCommand> {
    let on = control.shown(now);
    let what = Round { icon: control.icon(now), label: control.label(now), look, diameter, on };
    let tip = control.with_keys(ui, control.tooltip(now));
    let pressed = round(ui, what).on_hover_text(tip).clicked();
    pressed.then(|| control.command(now)).flatten()
}

/// A control as a button with words, dimmed while it can do nothing; its command when pressed.
pub fn control_button(ui: &mut Ui, control: Control, now: &Situation, look: Look, least: Vec2) -> Option<UiCommand> {
    let command = control.command(now);
    let tip = control.with_keys(ui, control.tooltip(now));
    let icon = Some(control.icon(now));
    let (label, on) = (control.label(now), control.shown(now));
    let shown = ui.add_enabled_ui(command.is_some(), |ui| button_with(ui, icon, label, look, least, on));
    let response = shown.inner;
    let response = response.on_hover_text(&tip).on_disabled_hover_text(tip);
    if response.clicked() { command } else { None }
}
