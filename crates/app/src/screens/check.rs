//! Check my setup: a call with oneself, and what is known of devices, echo and network.

use super::check_words::{self, Line, Mood};
use super::{centred_column, switches, title};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{
    DevicePickers, Look, announce, camera_words, control_button, follow_focus, hint, own_tile, pickers, picture_tile,
    text,
};
use egui::{Align, Key, Label, Popup, ProgressBar, Rect, ScrollArea, Sense, Spinner, Ui, Vec2, pos2, vec2};
use visavis_call::{Check, EchoTest, Phase};

/// Width of the column with the findings.
const FINDINGS: f32 = 420.0;

/// What the screen remembers: nothing so far.
#[derive(Debug, Default)]
pub struct CheckUi;

impl CheckUi {
    /// Controls whose shortcuts work here.
    pub const SHORTCUTS: [Control; 5] =
        [Control::Mute, Control::Video, Control::TestEcho, Control::FullScreen, Control::Settings];

    /// Draws the screen into all of `ui`; `alone` says that nothing lies over it.
    pub fn ui(&mut self, ui: &mut Ui, view: View<'_>, check: &Check, alone: bool) -> Option<UiCommand> {
        let popup_open = Popup::is_any_open(ui.ctx());
        let trouble = check_words::trouble(view.state, check);
        let now = Situation { check_failed: trouble.is_some(), ..Situation::of(view.state) };
        let window = ui.max_rect();
        let margin = if window.width() < 1000.0 { space::XL } else { space::XXL };
        let area = window.shrink(margin);
        let wide = (area.width() - FINDINGS.min(area.width() * 0.55) - margin).max(200.0);
        let left = Rect::from_min_max(area.min, pos2(area.left() + wide, area.bottom()));
        let right = Rect::from_min_max(pos2(left.right() + margin, area.top()), area.max);
        let devices = scrolled(ui, "devices", left, |ui| seen(ui, view, &now));
        let findings = scrolled(ui, "findings", right, |ui| findings(ui, view, check, &now, trouble.as_deref()));
        let escaped = alone && !popup_open && ui.input(|input| input.key_pressed(Key::Escape));
        findings.or(devices).or(escaped.then(|| Control::Done.command(&now)).flatten())
    }
}

fn scrolled(ui: &mut Ui, salt: &str, area: Rect, add: impl FnOnce(&mut Ui) -> Option<UiCommand>) -> Option<UiCommand> {
    centred_column(ui, salt, area, Align::Min, |ui| {
        let scroll = ScrollArea::vertical().id_salt(salt).max_height(area.height()).auto_shrink([false, true]);
        let shown = scroll.show(ui, |ui| {
            let command = add(ui);
            follow_focus(ui);
            command
        });
        shown.inner
    })
}

/// One's picture as it comes back, and the devices.
fn seen(ui: &mut Ui, view: View<'_>, now: &Situation) -> Option<UiCommand> {
    let width = ui.available_width();
    ui.spacing_mut().item_spacing.y = space::S;
    let (tile, _) = ui.allocate_exact_size(vec2(width, width * 9.0 / 16.0), Sense::hover());
    if camera_words(view.state, &view.settings.camera).is_some() {
        own_tile(ui, tile, view.own, view.state, view.settings);
    } else if !picture_tile(ui, tile, view.other, false, size::RADIUS_LARGE) {
        let place = Rect::from_center_size(tile.center(), Vec2::splat(28.0));
        ui.put(place, Spinner::new().size(28.0).color(Palette::of(ui).weak));
    }
    let switched = switches(ui, tile, now);
    ui.add_space(space::S);
    let what = DevicePickers { state: view.state, settings: view.settings, width, camera_words: false };
    pickers(ui, what).or(switched)
}

fn findings(ui: &mut Ui, view: View<'_>, check: &Check, now: &Situation, trouble: Option<&str>) -> Option<UiCommand> {
    let full = vec2(ui.available_width(), size::CONTROL);
    ui.spacing_mut().item_spacing.y = space::S;
    let mut command = title(ui, "Check my setup", now);
    hint(ui, "A call with yourself: nobody else takes part");
    ui.add_space(space::S);
    if let Some(words) = trouble {
        finding(ui, &Line { mood: Mood::Bad, words: words.to_owned() });
        command = control_button(ui, Control::CheckSetup, now, Look::Plain, full).or(command);
    } else {
        heading(ui, "Picture");
        finding(ui, &check_words::picture(view.state, view.settings));
        heading(ui, "Microphone");
        finding(ui, &check_words::microphone(view.state));
        heading(ui, "Echo");
        finding(ui, &check_words::echo(check, view.settings));
        if let EchoTest::Running(percent) = check.echo {
            ui.add(ProgressBar::new(f32::from(percent) / 100.0).desired_height(space::S));
        }
        command = control_button(ui, Control::TestEcho, now, Look::Plain, vec2(160.0, size::CONTROL)).or(command);
    }
    heading(ui, "Network");
    finding(ui, &check_words::way(&check.network));
    for asked in &check.network.servers {
        let said = check_words::server(asked);
        let palette = Palette::of(ui);
        let colour = if said.mood == Mood::Bad { palette.warning } else { palette.weak };
        ui.label(text(said.words, Type::Small).color(colour));
    }
    if let Phase::InCall(call) = &view.state.phase
        && let Some(trip) = call.figures.round_trip
    {
        hint(ui, format!("To yourself and back: {:.1} ms", trip.as_secs_f64() * 1000.0));
    }
    ui.add_space(space::M);
    control_button(ui, Control::Done, now, Look::Primary, vec2(full.x, size::PRIMARY)).or(command)
}

fn heading(ui: &mut Ui, words: &str) {
    ui.add_space(space::S);
    let colour = Palette::of(ui).text;
    ui.label(text(words, Type::Heading).color(colour));
}

/// A sentence with a mark that says how it is meant.
fn finding(ui: &mut Ui, line: &Line) {
    let palette = Palette::of(ui);
    let (icon, colour) = match line.mood {
        Mood::Open => (None, palette.weak),
        Mood::Good => (Some(Icon::Check), palette.good),
        Mood::Bad => (Some(Icon::Warning), palette.warning),
    };
    ui.horizontal_top(|ui| {
        if let Some(icon) = icon {
            let (place, _) = ui.allocate_exact_size(vec2(size::ICON, 20.0), Sense::hover());
            icon.paint(ui.painter(), place.shrink(1.0), colour);
        }
        let colour = if line.mood == Mood::Open { palette.weak } else { palette.text };
        let said = ui.add(Label::new(text(&line.words, Type::Body).color(colour)).wrap());
        announce(ui, &said);
    });
}
