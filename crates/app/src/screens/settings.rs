//! Settings: what one sets once and forgets.

use crate::cli::{ice_url, server_url};
use crate::command::{UiCommand, WindowCommand};
use crate::control::{Control, Situation};
use crate::diagnostics;
use crate::icons::Icon;
use crate::settings::{Change, Noise, Settings, ThemeChoice};
use crate::theme::{Palette, Type, size, space};
use crate::widgets::{Look, Round, button_with, control_button, field, follow_focus, hint, round, text, volume_row};
use egui::{Align, Checkbox, Frame, Grid, Id, Layout, Margin, Modal, Response, ScrollArea, TextEdit, Ui, vec2};
use visavis_call::IceServer;

const WIDTH: f32 = 540.0;
/// Height of the title and what lies between it and the rest.
const HEADING: f32 = 56.0;

/// What is being written in the settings, until it can be used.
#[derive(Debug)]
pub struct SettingsUi {
    servers: String,
    stun: String,
    turn: String,
    user: String,
    password: String,
}

impl SettingsUi {
    /// Begins with what is set.
    pub fn new(settings: &Settings) -> Self {
        let lines = |scheme: &str| {
            let urls = settings.ice_servers.iter().flat_map(|server| &server.urls);
            urls.filter(|url| url.starts_with(scheme)).map(String::as_str).collect::<Vec<_>>().join("\n")
        };
        let turn = settings.ice_servers.iter().find(|server| server.urls.iter().any(|url| url.starts_with("turn")));
        Self {
            servers: settings.servers.join("\n"),
            stun: lines("stun"),
            turn: lines("turn"),
            user: turn.map(|server| server.username.clone()).unwrap_or_default(),
            password: turn.map(|server| server.credential.clone()).unwrap_or_default(),
        }
    }

    /// Shows the settings over whatever is on screen.
    pub fn ui(&mut self, ui: &Ui, settings: &Settings) -> Option<UiCommand> {
        let palette = Palette::of(ui);
        let height = ui.max_rect().height() - 2.0 * space::XXL;
        let frame = Frame::new()
            .fill(palette.surface)
            .stroke(egui::Stroke::new(1.0, palette.line))
            .corner_radius(size::RADIUS_LARGE)
            .shadow(ui.visuals().window_shadow)
            .inner_margin(Margin::same(space::XL as i8));
        let modal = Modal::new(Id::unique("settings")).frame(frame).show(ui.ctx(), |ui| {
            ui.set_width(WIDTH);
            let closed = heading(ui);
            // An area would otherwise offer no more than its default height.
            let room = height - 2.0 * space::XL - HEADING;
            let scroll = ScrollArea::vertical().max_height(room).min_scrolled_height(room).auto_shrink([false, true]);
            let changed = scroll.show(ui, |ui| self.contents(ui, settings)).inner;
            closed.or(changed)
        });
        let dismissed = modal.should_close().then(|| WindowCommand::CloseSettings.into());
        modal.inner.or(dismissed)
    }

    fn contents(&mut self, ui: &mut Ui, settings: &Settings) -> Option<UiCommand> {
        ui.set_width(WIDTH - space::M);
        let mut change = theme_row(ui, settings);
        change = sound_ui(ui, settings).or(change);
        change = self.servers_ui(ui).or(change);
        change = self.ice_ui(ui, settings).or(change);
        keys_ui(ui);
        let copied = diagnostics_ui(ui);
        ui.add_space(space::L);
        hint(ui, concat!("Visavis ", env!("CARGO_PKG_VERSION"), " · free software under the MIT licence"));
        follow_focus(ui);
        change.map(UiCommand::from).or(copied)
    }

    fn servers_ui(&mut self, ui: &mut Ui) -> Option<Change> {
        let label = section(ui, "Signaling servers");
        hint(
            ui,
            "One address a line, ws:// or wss://. Without one, people in your network and on this machine can find you.",
        );
        let changed = lines_field(ui, &mut self.servers, "wss://calls.example").labelled_by(label.id).changed();
        let checked = checked_lines(&self.servers, server_url);
        say_problem(ui, &checked);
        checked.ok().filter(|_| changed).map(Change::Servers)
    }

    fn ice_ui(&mut self, ui: &mut Ui, settings: &Settings) -> Option<Change> {
        section(ui, "A way through the network");
        hint(
            ui,
            "STUN servers tell how this machine can be reached, and see its address. Changes count from the next call on.",
        );
        let mut changed = lines_field(ui, &mut self.stun, "stun:HOST:PORT").accessible_name("STUN servers").changed();
        let stun = checked_lines(&self.stun, |url| ice_url(url, &["stun:", "stuns:"]));
        say_problem(ui, &stun);
        ui.add_space(space::S);
        hint(ui, "TURN servers pass calls on where there is no direct way. They cannot read them.");
        changed |= lines_field(ui, &mut self.turn, "turn:HOST:PORT").accessible_name("TURN servers").changed();
        let turn = checked_lines(&self.turn, |url| ice_url(url, &["turn:", "turns:"]));
        say_problem(ui, &turn);
        ui.horizontal(|ui| {
            let width = (ui.available_width() - space::S) / 2.0;
            let weak = Palette::of(ui).weak;
            let user = field(&mut self.user).desired_width(width).hint_text(text("User name", Type::Body).color(weak));
            changed |= ui.add(user).accessible_name("TURN user name").changed();
            let password = field(&mut self.password).password(true).desired_width(width);
            let password = password.hint_text(text("Password", Type::Body).color(weak));
            changed |= ui.add(password).accessible_name("TURN password").changed();
        });
        let relay = switch(ui, settings.relay_only, "Always relay, so that the other side does not see my address");
        let relayed = relay.map(Change::RelayOnly);
        let servers = match (stun, turn) {
            (Ok(stun), Ok(turn)) if changed => Some(Change::IceServers(self.ice_servers(stun, turn))),
            _ => None,
        };
        relayed.or(servers)
    }

    fn ice_servers(&self, stun: Vec<String>, turn: Vec<String>) -> Vec<IceServer> {
        let stun = IceServer { urls: stun, ..IceServer::default() };
        let turn = IceServer { urls: turn, username: self.user.clone(), credential: self.password.clone() };
        [stun, turn].into_iter().filter(|server| !server.urls.is_empty()).collect()
    }
}

fn heading(ui: &mut Ui) -> Option<UiCommand> {
    let colour = Palette::of(ui).text;
    let closed = ui.horizontal(|ui| {
        ui.label(text("Settings", Type::Title).color(colour));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let what =
                Round { icon: Icon::Close, label: "Close", look: Look::Quiet, diameter: size::ROUND_SMALL, on: None };
            round(ui, what).on_hover_text("Close (Esc)").clicked()
        })
        .inner
    });
    closed.inner.then(|| WindowCommand::CloseSettings.into())
}

fn section(ui: &mut Ui, words: &str) -> Response {
    ui.add_space(space::M);
    let colour = Palette::of(ui).text;
    ui.label(text(words, Type::Heading).color(colour))
}

fn theme_row(ui: &mut Ui, settings: &Settings) -> Option<Change> {
    section(ui, "Colours");
    let all = [(ThemeChoice::System, "Like the system"), (ThemeChoice::Dark, "Dark"), (ThemeChoice::Light, "Light")];
    one_of(ui, all, settings.theme).map(Change::Theme)
}

/// A box with words beside it; what it is now, where that was changed.
fn switch(ui: &mut Ui, mut on: bool, words: &str) -> Option<bool> {
    // A box of the background's colour needs an edge to be seen.
    ui.visuals_mut().widgets.inactive.bg_stroke = egui::Stroke::new(1.0, Palette::of(ui).weak);
    ui.add(Checkbox::new(&mut on, text(words, Type::Body))).changed().then_some(on)
}

fn sound_ui(ui: &mut Ui, settings: &Settings) -> Option<Change> {
    section(ui, "Sound");
    let echo =
        switch(ui, settings.echo_cancellation, "Remove the echo of my loudspeaker").map(Change::EchoCancellation);
    let gain = switch(ui, settings.automatic_gain, "Keep my voice at the same level").map(Change::AutomaticGain);
    let noise = noise_row(ui, settings.noise_suppression).map(Change::Noise);
    ui.add_space(space::S);
    let chimes = volume_row(ui, "Visavis' own sounds", settings.chime_volume).map(Change::ChimeVolume);
    let talk = switch(ui, settings.push_to_talk, "Microphone on only while I hold Space").map(Change::PushToTalk);
    let remind = switch(ui, settings.remind_muted, "Tell me when I speak and am muted").map(Change::RemindMuted);
    echo.or(gain).or(noise).or(chimes).or(talk).or(remind)
}

fn noise_row(ui: &mut Ui, now: Noise) -> Option<Noise> {
    hint(ui, "Noise around me");
    let all = [(Noise::Full, "Remove"), (Noise::Light, "Reduce"), (Noise::Off, "Leave")];
    one_of(ui, all, now)
}

/// Buttons beside each other of which one is chosen; another one, where it was pressed.
fn one_of<T: Copy + PartialEq, const N: usize>(ui: &mut Ui, all: [(T, &str); N], now: T) -> Option<T> {
    let mut chosen = None;
    ui.horizontal(|ui| {
        let least = vec2((ui.available_width() - (N - 1) as f32 * space::S) / N as f32, size::CONTROL);
        for (value, words) in all {
            let look = if value == now { Look::Off } else { Look::Plain };
            let icon = (value == now).then_some(Icon::Check);
            if button_with(ui, icon, words, look, least, Some(value == now)).clicked() {
                chosen = Some(value);
            }
        }
    });
    chosen
}

/// Every key that does something by itself.
fn keys_ui(ui: &mut Ui) {
    section(ui, "Keys");
    let palette = Palette::of(ui);
    let now = Situation::default();
    let mut rows: Vec<(String, String)> = Vec::new();
    for control in Control::ALL {
        let Some(shortcut) = control.shortcut() else { continue };
        let does = match control {
            // What these are called depends on what is.
            Control::Mute => "Microphone off and on",
            Control::Video => "Camera off and on",
            Control::Connection => "Connection",
            Control::Statistics => "Statistics of the call",
            other => other.label(&now).trim_end_matches('…'),
        };
        let keys = ui.ctx().format_shortcut(&shortcut);
        match rows.iter_mut().find(|(known, _)| *known == keys) {
            Some((_, also)) => *also += &format!(", {}", does.to_lowercase()),
            None => rows.push((keys, does.to_owned())),
        }
    }
    rows.push(("Space, held".into(), "Talk, where that is chosen above".into()));
    rows.push(("Tab, Space".into(), "Go to the next control, press it".into()));
    rows.push(("Esc".into(), "Close what lies on top".into()));
    // These rows are no controls, so they need no room for fingers.
    let height = std::mem::take(&mut ui.spacing_mut().interact_size.y);
    Grid::new("keys").num_columns(2).spacing(vec2(space::XL, space::XS)).show(ui, |ui| {
        for (keys, does) in rows {
            ui.label(text(keys, Type::Small).color(palette.text));
            ui.label(text(does, Type::Small).color(palette.weak));
            ui.end_row();
        }
    });
    ui.spacing_mut().interact_size.y = height;
}

fn diagnostics_ui(ui: &mut Ui) -> Option<UiCommand> {
    section(ui, "When something does not work");
    hint(ui, diagnostics::NOTE);
    control_button(ui, Control::CopyDiagnostics, &Situation::default(), Look::Plain, vec2(200.0, size::CONTROL))
}

fn lines_field(ui: &mut Ui, lines: &mut String, example: &'static str) -> Response {
    let weak = Palette::of(ui).weak;
    let rows = lines.lines().count().clamp(1, 4);
    let edit = TextEdit::multiline(lines)
        .desired_rows(rows)
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(space::M as i8, 10))
        .hint_text(text(example, Type::Body).color(weak))
        .char_limit(4000);
    ui.add(edit)
}

/// Each line that is not empty, checked; the first complaint where one is no good.
fn checked_lines(lines: &str, check: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| check(line).map_err(|why| format!("“{line}”: {why}"))).collect()
}

fn say_problem(ui: &mut Ui, checked: &Result<Vec<String>, String>) {
    if let Err(problem) = checked {
        let colour = Palette::of(ui).danger_text;
        ui.label(text(problem, Type::Small).color(colour));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_checked_one_by_one_and_empty_ones_don_t_count() {
        assert_eq!(
            checked_lines("\n wss://a \n\nws://b:1\n", server_url),
            Ok(vec!["wss://a".into(), "ws://b:1".into()])
        );
        assert!(checked_lines("wss://a\nhttp://b", server_url).expect_err("no").contains("http://b"));
        assert_eq!(checked_lines("", server_url), Ok(vec![]));
    }

    #[test]
    fn what_is_set_comes_back_unchanged() {
        let turn = IceServer { urls: vec!["turn:t:1".into()], username: "u".into(), credential: "p".into() };
        let mut settings = Settings::default();
        settings.ice_servers.push(turn);
        let ui = SettingsUi::new(&settings);
        let stun = checked_lines(&ui.stun, |url| ice_url(url, &["stun:"])).expect("valid");
        let turn = checked_lines(&ui.turn, |url| ice_url(url, &["turn:"])).expect("valid");
        assert_eq!(ui.ice_servers(stun, turn), settings.ice_servers);
    }
}
