//! The call: the other's picture as large as fits, everything else over it and out of the way.
//!
//! Bars appear when something moves and leave three seconds later, unless the pointer or the keyboard is on one.

use super::call_bars::{TOP_HEIGHT, bottom_bar, devices_panel, top_bar};
use super::chat::ChatUi;
use crate::command::{UiCommand, WindowCommand};
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::settings::Corner;
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{SelfView, avatar, badge, banner, called};
use egui::{Align2, Color32, CursorIcon, Event, Popup, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use std::time::{Duration, Instant};
use visavis_call::InCall;

/// Seconds without movement after which the bars leave.
pub const BARS_STAY: f64 = 3.0;
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
    devices_open: bool,
    /// Unread messages at the last frame.
    unread: usize,
    /// When something last moved, in egui's time.
    moved: f64,
    /// Where the bars were drawn last.
    bars: [Option<Rect>; 2],
}

impl CallUi {
    /// Controls whose shortcuts work here.
    pub const SHORTCUTS: [Control; 4] = [Control::Mute, Control::Video, Control::HangUp, Control::FullScreen];

    /// Shows or hides the chat.
    pub fn toggle_chat(&mut self) {
        self.chat_open = !self.chat_open;
        self.chat.focus();
    }

    /// Draws the screen into all of `ui`.
    pub fn ui(&mut self, ui: &mut Ui, view: View<'_>, call: &InCall, full_screen: bool) -> Option<UiCommand> {
        if self.call != Some(call.since) {
            let moved = ui.input(|input| input.time);
            *self = Self { call: Some(call.since), moved, ..Self::default() };
        }
        let window = ui.max_rect();
        let chat_width = if self.chat_open { size::CHAT.min(window.width() * 0.5) } else { 0.0 };
        let stage = Rect::from_min_max(window.min, pos2(window.right() - chat_width, window.bottom()));
        other_side(ui, stage, view, call);

        let unread = self.chat.unread(&call.chat, self.chat_open);
        let shown = self.bars_shown(ui, unread);
        let now = Situation { full_screen, chat_open: self.chat_open, ..Situation::of(view.state) };
        let covered = self.covered(stage, shown);
        let mut command = self.self_view.ui(ui, stage, covered, (view.own, view.state, view.settings));
        self.marks(ui, stage, view, call, covered);
        self.bars = [None, None];
        if shown > 0.0 {
            ui.scope(|ui| {
                ui.multiply_opacity(shown);
                self.bars[0] = Some(top_bar(ui, stage, view, call));
                let (rect, pressed) = bottom_bar(ui, stage, &now, unread > 0, &mut self.devices_open);
                self.bars[1] = Some(rect);
                command = pressed.or(command.take());
            });
        } else {
            self.devices_open = false;
            if ui.ui_contains_pointer() {
                ui.ctx().set_cursor_icon(CursorIcon::None);
            }
        }
        if let (true, Some(bar)) = (self.devices_open, self.bars[1]) {
            command = devices_panel(ui, bar, view, &mut self.devices_open).or(command);
        }
        if self.chat_open {
            let side = Rect::from_min_max(pos2(stage.right(), window.top()), window.max);
            command = self.chat.ui(ui, side, called(&call.peer.name), &call.chat).or(command);
        }
        if full_screen && command.is_none() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            command = Some(WindowCommand::ToggleFullScreen.into());
        }
        command
    }

    /// How visible the bars are, 0…1; asks for the frames in which that changes.
    fn bars_shown(&mut self, ui: &Ui, unread: usize) -> f32 {
        let time = ui.input(|input| input.time);
        let hovered = ui.ctx().pointer_hover_pos();
        let on_bar = hovered.is_some_and(|at| self.bars.iter().flatten().any(|bar| bar.contains(at)));
        let focused = ui.memory(|memory| memory.focused().is_some());
        let news = std::mem::replace(&mut self.unread, unread) < unread;
        if moved(ui) || on_bar || focused || self.devices_open || news || Popup::is_any_open(ui.ctx()) {
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

    /// What stays to be seen while it is true, bars or no bars.
    fn marks(&self, ui: &Ui, stage: Rect, view: View<'_>, call: &InCall, covered: [f32; 2]) {
        let left = view.settings.self_view != Corner::BottomLeft;
        let align = if left { Align2::LEFT_BOTTOM } else { Align2::RIGHT_BOTTOM };
        if call.peer.muted {
            let corner = align.pos_in_rect(&stage.shrink(space::L)) - vec2(0.0, covered[1]);
            badge(ui, corner, align, Icon::MicrophoneOff, &format!("{} is muted", called(&call.peer.name)));
        }
        let mut top = pos2(stage.center().x, stage.top() + space::L + covered[0]);
        if call.interrupted.is_some() {
            top.y = banner(ui, top, Icon::Network, "Reconnecting…").bottom() + space::S;
        }
        if view.state.muted && view.state.microphone_level > SPEAKING {
            banner(ui, top, Icon::MicrophoneOff, "You are muted");
        }
    }
}

/// A peak from which on somebody who is muted probably speaks.
const SPEAKING: f32 = 0.2;

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

/// The other's picture, or its initial while there is none.
fn other_side(ui: &mut Ui, stage: Rect, view: View<'_>, call: &InCall) {
    let name = called(&call.peer.name);
    let picture = if call.peer.video_on { view.other.fit(stage) } else { None };
    let words = match picture {
        Some(place) => {
            ui.painter().rect_filled(stage, 0.0, Color32::BLACK);
            view.other.paint(ui.painter(), place, 0, false);
            format!("Picture of {name}")
        }
        None => {
            let palette = Palette::of(ui);
            let diameter = (stage.height() * 0.26).clamp(96.0, 200.0);
            let centre = stage.center() - vec2(0.0, 36.0);
            avatar(ui.painter(), palette, centre, diameter, &call.peer.name);
            let at = centre + vec2(0.0, diameter / 2.0 + space::XL);
            let placed = ui.painter().text(at, Align2::CENTER_TOP, name, Type::Title.font(), palette.text);
            let why = match (call.peer.video_on, call.peer.has_camera) {
                (true, _) => "Waiting for the picture…",
                (false, true) => "Camera is off",
                (false, false) => "No camera",
            };
            let at = pos2(at.x, placed.bottom() + space::XS);
            ui.painter().text(at, Align2::CENTER_TOP, why, Type::Body.font(), palette.weak);
            format!("{name}: {why}")
        }
    };
    let response = ui.interact(stage, ui.scope_id().with("other side"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
}
