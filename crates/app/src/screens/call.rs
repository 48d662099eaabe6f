//! The call: the other's picture as large as fits, everything else over it and out of the way.
//!
//! Bars appear when something moves and leave three seconds later, unless the pointer or the keyboard is on one.

use super::call_bars::{TOP_HEIGHT, bottom_bar, top_bar};
use super::call_marks::{Marks, other_side};
use super::call_panels::{connection_panel, devices_panel};
use super::chat::ChatUi;
use super::statistics::statistics_panel;
use crate::command::{Panel, UiCommand, WindowCommand};
use crate::control::{Control, Situation};
use crate::quality::{Grade, Verdict};
use crate::theme::{size, space};
use crate::view::View;
use crate::widgets::{SelfView, called, troubles};
use egui::{CursorIcon, Event, Key, Popup, Rect, Ui, pos2};
use std::time::{Duration, Instant};
use visavis_call::{InCall, Path};

/// Seconds without movement after which the bars leave.
pub const BARS_STAY: f64 = 3.0;
/// What a panel's rounded corners leave free of its edge.
const CORNER: f32 = 6.0;
/// Seconds that they take to come and go.
const FADE: f32 = 0.15;

/// What the call's screen remembers.
#[derive(Debug, Default)]
pub struct CallUi {
    /// The call that this is about: another one begins with everything as new.
    call: Option<Instant>,
    self_view: SelfView,
    chat: ChatUi,
    chat_open: bool,
    panel: Option<Panel>,
    /// Where it was drawn last.
    panel_at: Option<Rect>,
    /// Unread messages and troubles at the last frame.
    news: usize,
    /// When something last moved, in egui's time.
    moved: f64,
    /// "You are muted" was read and put away.
    reminded: bool,
    /// Where the bars were drawn last.
    bars: [Option<Rect>; 2],
}

impl CallUi {
    /// Controls whose shortcuts work here.
    pub const SHORTCUTS: [Control; 8] = [
        Control::Mute,
        Control::Video,
        Control::HangUp,
        Control::FullScreen,
        Control::Chat,
        Control::Devices,
        Control::Connection,
        Control::Statistics,
    ];

    /// Shows or hides the chat.
    pub fn toggle_chat(&mut self) {
        self.chat_open = !self.chat_open;
        self.chat.focus();
    }

    /// Shows a panel in the place of any other, or hides it.
    pub fn toggle(&mut self, panel: Panel) {
        self.panel = if self.panel == Some(panel) { None } else { Some(panel) };
    }

    /// Draws the screen into all of `ui`.
    pub fn ui(&mut self, ui: &mut Ui, view: View<'_>, call: &InCall, full_screen: bool) -> Option<UiCommand> {
        if self.call != Some(call.since) {
            let moved = ui.input(|input| input.time);
            *self = Self { call: Some(call.since), moved, ..Self::default() };
        }
        if view.settings.push_to_talk && !ui.ctx().text_edit_focused() {
            // Held to talk, the key presses nothing.
            let to_talk = |event: &Event| matches!(event, Event::Key { key: Key::Space, .. });
            ui.input_mut(|input| input.events.retain(|event| !to_talk(event)));
        }
        let popup_open = Popup::is_any_open(ui.ctx());
        let window = ui.max_rect();
        let chat_width = if self.chat_open { size::CHAT.min(window.width() * 0.5) } else { 0.0 };
        let stage = Rect::from_min_max(window.min, pos2(window.right() - chat_width, window.bottom()));
        // Within its rounded corners nothing is to be seen through the panel.
        let panel = self.panel_at.filter(|_| self.panel == Some(Panel::Statistics)).map(|at| at.shrink(CORNER));
        other_side(ui, stage, panel, view, call);

        let unread = self.chat.unread(&call.chat, self.chat_open);
        let troubles = troubles(view.state);
        let verdict = if call.interrupted.is_some() { Verdict::default() } else { view.health.verdict() };
        let shown = self.bars_shown(ui, unread + troubles.len());
        let now = Situation {
            full_screen,
            chat_open: self.chat_open,
            panel: self.panel,
            relayed: call.path == Path::Relayed,
            grade: if call.interrupted.is_some() { Grade::Poor } else { verdict.grade },
            ..Situation::of(view.state)
        };
        let covered = self.covered(stage, shown);
        let mut command = self.self_view.ui(ui, stage, covered, (view.own, view.state, view.settings));
        self.reminded &= view.state.muted;
        let reminded = self.reminded;
        let marks = Marks { stage, view, call, covered, troubles: &troubles, bars: shown > 0.0, verdict, reminded };
        let (put_away, answer) = marks.ui(ui);
        self.reminded |= put_away;
        command = answer.or(command);
        self.bars = [None, None];
        if shown > 0.0 {
            ui.scope(|ui| {
                ui.multiply_opacity(shown);
                let (rect, pressed) = top_bar(ui, stage, view, call, &now);
                self.bars[0] = Some(rect);
                command = pressed.or(command.take());
                let (rect, pressed) = bottom_bar(ui, stage, &now, unread > 0);
                self.bars[1] = Some(rect);
                command = pressed.or(command.take());
            });
        } else if ui.ui_contains_pointer() {
            ui.ctx().set_cursor_icon(CursorIcon::None);
        }
        if !popup_open {
            self.close_panel(ui);
        }
        command = self.panel_ui(ui, stage, view, call, &now).or(command);
        if self.chat_open {
            let side = Rect::from_min_max(pos2(stage.right(), window.top()), window.max);
            command = self.chat.ui(ui, side, called(&call.peer.name), &call.chat).or(command);
        }
        if command.is_none() && !popup_open && ui.input(|input| input.key_pressed(Key::Escape)) {
            command = self.escape(full_screen);
        }
        command
    }

    /// Shows the panel that is open.
    fn panel_ui(&mut self, ui: &Ui, stage: Rect, view: View<'_>, call: &InCall, now: &Situation) -> Option<UiCommand> {
        let (Some(panel), [Some(above), Some(below)]) = (self.panel, self.bars) else { return None };
        let (rect, command) = match panel {
            Panel::Devices => devices_panel(ui, below, view, call),
            Panel::Connection => connection_panel(ui, above, call, now),
            Panel::Statistics => statistics_panel(ui, stage, [above, below], view, call, now),
        };
        self.panel_at = Some(rect);
        command
    }

    /// A press beside the panel and the bars closes it.
    fn close_panel(&mut self, ui: &Ui) {
        let Some(panel) = self.panel_at.take() else { return };
        let pressed_at = ui.input(|input| input.pointer.press_origin().filter(|_| input.pointer.any_pressed()));
        let [above, below] = self.bars;
        let within = |at| [Some(panel), above, below].iter().flatten().any(|place| place.contains(at));
        // Curves are watched while one does other things.
        if self.panel != Some(Panel::Statistics) && pressed_at.is_some_and(|at| !within(at)) {
            self.panel = None;
        }
    }

    /// What Escape closes: what was opened last goes first, and a call is never among it.
    fn escape(&mut self, full_screen: bool) -> Option<UiCommand> {
        if self.panel.take().is_some() {
            return None;
        }
        if self.chat_open {
            self.toggle_chat();
            return None;
        }
        full_screen.then(|| WindowCommand::ToggleFullScreen.into())
    }

    /// How visible the bars are, 0…1; asks for the frames in which that changes.
    fn bars_shown(&mut self, ui: &Ui, news: usize) -> f32 {
        let time = ui.input(|input| input.time);
        let hovered = ui.ctx().pointer_hover_pos();
        let on_bar = hovered.is_some_and(|at| self.bars.iter().flatten().any(|bar| bar.contains(at)));
        let focused = ui.memory(|memory| memory.focused().is_some());
        let more = std::mem::replace(&mut self.news, news) < news;
        if moved(ui) || on_bar || focused || self.panel.is_some() || more || Popup::is_any_open(ui.ctx()) {
            self.moved = time;
        }
        let left = self.moved + BARS_STAY - time;
        if left > 0.0 {
            ui.ctx().request_repaint_after(Duration::from_secs_f64(left));
        }
        ui.ctx().animate_bool_with_time(ui.scope_id().with("bars"), left > 0.0, FADE)
    }

    /// Heights at the top and the bottom that one's own picture keeps clear of.
    fn covered(&self, stage: Rect, shown: f32) -> [f32; 2] {
        let bottom = self.bars[1].filter(|bar| bar.width() > stage.width() - 2.0 * 200.0);
        let below = bottom.map_or(0.0, |bar| stage.bottom() - bar.top());
        [(TOP_HEIGHT + space::M) * shown, below * shown]
    }
}

/// Whether the person did anything since the last frame.
fn moved(ui: &Ui) -> bool {
    let by_person = |event: &Event| match event {
        Event::PointerMoved(_) | Event::PointerButton { .. } | Event::MouseWheel { .. } | Event::Touch { .. } => true,
        Event::Key { pressed, .. } => *pressed,
        Event::Text(_) | Event::Paste(_) => true,
        _ => false,
    };
    ui.input(|input| input.pointer.any_down() || input.events.iter().any(by_person))
}
