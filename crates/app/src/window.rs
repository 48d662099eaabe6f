//! The window: which screen is shown, what lies over it, and which keys work.
//!
//! It knows no devices and no network; tests and the gallery drive it with made-up states.

use crate::command::{UiCommand, WindowCommand};
use crate::control::{Control, Situation, pressed};
use crate::icons::Icon;
use crate::screens::{
    CallUi, CheckUi, HomeUi, SettingsUi, Stage, WaitingUi, asked_shortcuts, asked_ui, away_ui, ended_ui, joining_ui,
    outside_ui, under,
};
use crate::settings::{Change, Settings, ThemeChoice};
use crate::theme::{Palette, space};
use crate::view::View;
use crate::widgets::{Notice, badge, notice, offer_card};
use egui::{Align2, Context, Id, LayerId, Order, Rect, ThemePreference, Ui, UiBuilder, ViewportCommand, vec2};
use std::time::Duration;
use visavis_call::{Command, Phase, State, Waiting};

/// Seconds for which "Code copied" is shown.
const SAID_FOR: f64 = 2.0;
/// Width of the notice at the top.
const NOTICE_WIDTH: f32 = 560.0;

/// Everything that the window remembers beside the state and the settings.
#[derive(Debug, Default)]
pub struct Window {
    home: HomeUi,
    waiting: WaitingUi,
    call: CallUi,
    check: CheckUi,
    settings: Option<SettingsUi>,
    said: Option<Said>,
    notice: Option<String>,
}

/// A word that goes by itself.
#[derive(Debug)]
struct Said {
    words: &'static str,
    until: f64,
}

impl Window {
    /// A window that begins with a notice where there is one.
    pub fn new(notice: Option<String>) -> Self {
        Self { notice, ..Self::default() }
    }

    /// Draws everything into all of `ui`; what comes back is for the call and the settings, the rest is done.
    pub fn ui(&mut self, ui: &mut Ui, view: View<'_>) -> Option<UiCommand> {
        use_theme(ui, theme_of(view.state, view.settings));
        let palette = Palette::of(ui);
        // A call fills the window with what it has, unless a notice takes a part of it.
        if self.notice.is_some() || !is_call(view.state) {
            ui.painter().rect_filled(ui.max_rect(), 0.0, palette.background);
        }
        let full_screen = ui.input(|input| input.viewport().fullscreen == Some(true));

        let (dismissed, rest) = self.notices_ui(ui, view);
        let mut inside = ui.new_child(UiBuilder::new().id_salt("screen").max_rect(rest));
        let (screen, shortcuts) = self.screen(&mut inside, view, full_screen);
        let now = Situation { full_screen, ..Situation::of(view.state) };
        let mut command = screen.or(dismissed);
        if self.settings.is_none() {
            command = command.or_else(|| pressed(ui, shortcuts, &now));
        }
        if let Some(settings) = &mut self.settings {
            command = settings.ui(ui, view.settings).or(command);
        }
        self.said_ui(ui);
        match command? {
            UiCommand::Window(command) => {
                self.apply(ui.ctx(), command, view.settings, full_screen);
                None
            }
            UiCommand::CopyDiagnostics => {
                self.say(ui.ctx(), "Diagnostics copied");
                Some(UiCommand::CopyDiagnostics)
            }
            // Else the microphone would be open when somebody comes.
            UiCommand::Call(Command::SetMuted(false)) if view.settings.push_to_talk && is_outside(view.state) => {
                self.say(ui.ctx(), "Hold Space in a call to talk");
                None
            }
            UiCommand::Change(Change::PushToTalk(false)) if view.state.muted && is_call(view.state) => {
                self.say(ui.ctx(), "You stay muted until you press Unmute");
                Some(Change::PushToTalk(false).into())
            }
            for_others @ (UiCommand::Call(_) | UiCommand::Change(_) | UiCommand::KeepRoom) => Some(for_others),
        }
    }

    fn screen(&mut self, ui: &mut Ui, view: View<'_>, full_screen: bool) -> (Option<UiCommand>, &'static [Control]) {
        const LITTLE: [Control; 2] = [Control::Cancel, Control::FullScreen];
        const LEFT: [Control; 2] = [Control::HangUp, Control::FullScreen];
        const NOTHING: [Control; 1] = [Control::FullScreen];
        if let Some(check) = &view.state.check {
            let alone = self.settings.is_none();
            return (self.check.ui(ui, view, check, alone), &CheckUi::SHORTCUTS);
        }
        match &view.state.phase {
            Phase::Home => (self.home.ui(ui, view), &HomeUi::SHORTCUTS),
            Phase::Waiting(Waiting { asks: Some(asks), .. }) => {
                (asked_ui(ui, view, asks), asked_shortcuts(view.now, asks))
            }
            Phase::Waiting(Waiting { away: Some(away), .. }) => (away_ui(ui, view, away), &LEFT),
            Phase::Waiting(waiting) => (self.waiting.ui(ui, view, waiting), &WaitingUi::SHORTCUTS),
            Phase::Joining { code, since, host } => {
                (joining_ui(ui, view, Stage::Looking, &under(code, host.as_deref()), *since), &LITTLE)
            }
            Phase::Connecting { code, since, host } => {
                (joining_ui(ui, view, Stage::Connecting, &under(code, host.as_deref()), *since), &LITTLE)
            }
            Phase::Outside { owner, .. } => (outside_ui(ui, view, owner), &LITTLE),
            Phase::InCall(call) => (self.call.ui(ui, view, call, full_screen), &CallUi::SHORTCUTS),
            Phase::Ended(ended) => (ended_ui(ui, view, ended), &NOTHING),
        }
    }

    fn apply(&mut self, ctx: &Context, command: WindowCommand, settings: &Settings, full_screen: bool) {
        match command {
            WindowCommand::OpenSettings => self.settings = Some(SettingsUi::new(settings)),
            WindowCommand::CloseSettings => self.settings = None,
            WindowCommand::ToggleChat => self.call.toggle_chat(),
            WindowCommand::Toggle(panel) => self.call.toggle(panel),
            WindowCommand::ToggleFullScreen => ctx.send_viewport_cmd(ViewportCommand::Fullscreen(!full_screen)),
            WindowCommand::Copy { text, said } => {
                ctx.copy_text(text);
                self.say(ctx, said);
            }
            WindowCommand::DismissNotice => self.notice = None,
        }
        ctx.request_repaint();
    }

    fn say(&mut self, ctx: &Context, words: &'static str) {
        self.said = Some(Said { words, until: ctx.time() + SAID_FOR });
        ctx.request_repaint();
    }

    /// Shows at the top what is to be known; what was pressed, and what is left of the window.
    fn notices_ui(&self, ui: &mut Ui, view: View<'_>) -> (Option<UiCommand>, Rect) {
        let window = ui.max_rect();
        // A call has a place of its own for it, over the picture.
        let offer = view.state.offer.as_ref().filter(|_| !matches!(view.state.phase, Phase::InCall(_)));
        if self.notice.is_none() && offer.is_none() {
            return (None, window);
        }
        let width = (window.width() - 2.0 * space::XL).min(NOTICE_WIDTH);
        let top = Rect::from_min_size(window.min + vec2((window.width() - width) / 2.0, space::L), vec2(width, 0.0));
        let mut inside = ui.new_child(UiBuilder::new().id_salt("notice").max_rect(top));
        let read = self.notice.as_deref().and_then(|words| {
            let what = Notice { icon: Icon::Warning, words, buttons: &["All right"] };
            notice(&mut inside, what).map(|_| WindowCommand::DismissNotice.into())
        });
        let answer = offer.and_then(|offer| offer_card(&mut inside, offer));
        (answer.or(read), window.with_min_y(inside.min_rect().bottom()))
    }

    fn said_ui(&mut self, ui: &mut Ui) {
        let Some(said) = &self.said else { return };
        let left = said.until - ui.ctx().time();
        if left <= 0.0 {
            self.said = None;
            return;
        }
        let words = said.words;
        ui.ctx().request_repaint_after(Duration::from_secs_f64(left));
        let at = ui.max_rect().center_bottom() - vec2(0.0, space::XL);
        let layer = LayerId::new(Order::Tooltip, Id::unique("said"));
        ui.scope_builder(UiBuilder::new().layer_id(layer), |ui| {
            badge(ui, at, Align2::CENTER_BOTTOM, Icon::Check, words, f32::INFINITY);
        });
    }
}

/// A call is dark in every theme: a picture stands best on black, as in a cinema.
fn theme_of(state: &State, settings: &Settings) -> ThemePreference {
    match settings.theme {
        _ if is_call(state) => ThemePreference::Dark,
        ThemeChoice::Dark => ThemePreference::Dark,
        ThemeChoice::Light => ThemePreference::Light,
        ThemeChoice::System => ThemePreference::System,
    }
}

/// One that has the whole window; with an echo peer it does not.
fn is_call(state: &State) -> bool {
    state.check.is_none() && matches!(state.phase, Phase::InCall(_))
}

/// Neither in a call nor hearing oneself in a check.
fn is_outside(state: &State) -> bool {
    state.check.is_none() && !matches!(state.phase, Phase::InCall(_))
}

fn use_theme(ui: &mut Ui, wanted: ThemePreference) {
    if ui.ctx().options(|options| options.theme_preference) != wanted {
        ui.ctx().set_theme(wanted);
        // This frame already began with the other theme's style.
        ui.reset_style();
    }
}
