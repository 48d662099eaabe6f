//! Ended: why, how long, and what next.

use super::{centred_column, centred_row};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::diagnostics;
use crate::icons::Icon;
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{Look, announce, clock, control_button, hint, text};
use egui::{Align, Label, Layout, Rect, Sense, Ui, UiBuilder, Vec2, vec2};
use visavis_call::{EndReason, Ended};

/// A sentence is read best in a column of this width.
const SENTENCE: f32 = 440.0;

/// Draws the screen into all of `ui`.
pub fn ended_ui(ui: &mut Ui, view: View<'_>, ended: &Ended) -> Option<UiCommand> {
    let never_met = ended.duration.is_zero();
    let now = Situation { again: Some(ended.again.clone()), never_met, ..Situation::of(view.state) };
    let window = ui.max_rect();
    let area =
        Rect::from_center_size(window.center(), vec2(SENTENCE.min(window.width() - 48.0), window.height() - 48.0));
    let next = centred_column(ui, "ended", area, Align::Center, |ui| {
        let palette = Palette::of(ui);
        ui.spacing_mut().item_spacing.y = space::M;
        let (circle, _) = ui.allocate_exact_size(Vec2::splat(72.0), Sense::hover());
        let (icon, colour) = mark(&ended.reason, palette);
        ui.painter().circle_filled(circle.center(), 36.0, palette.raised);
        icon.paint(ui.painter(), circle.shrink(19.0), colour);
        ui.add_space(space::S);
        let title = ui.label(text(title(&ended.reason), Type::Title).color(palette.text));
        announce(ui, &title);
        let reason = format!("{}.", ended.reason);
        ui.add(Label::new(text(reason, Type::Body).color(palette.weak)).wrap().halign(Align::Center));
        if let Some(words) = length(ended) {
            ui.label(text(words, Type::Body).color(palette.text));
        }
        ui.add_space(space::L);
        centred_row(ui, "next", |ui| {
            let least = vec2(152.0, size::PRIMARY);
            let again = control_button(ui, Control::CallAgain, &now, Look::Primary, least);
            control_button(ui, Control::Home, &now, Look::Plain, least).or(again)
        })
    });
    diagnostics_ui(ui, window, &now).or(next)
}

/// At the window's lower edge, out of the way of whoever just hung up.
fn diagnostics_ui(ui: &mut Ui, window: Rect, now: &Situation) -> Option<UiCommand> {
    let height = size::CONTROL + space::XL;
    let place = window.shrink(space::L).with_min_y(window.bottom() - space::L - height);
    let layout = Layout::top_down(Align::Center);
    let mut inside = ui.new_child(UiBuilder::new().id_salt("diagnostics").max_rect(place).layout(layout));
    inside.spacing_mut().item_spacing.y = 0.0;
    let least = vec2(0.0, size::CONTROL);
    let copied = control_button(&mut inside, Control::CopyDiagnostics, now, Look::Quiet, least);
    hint(&mut inside, diagnostics::NOTE);
    copied
}

/// How long it was, and with whom; `None` where nothing ever flowed.
fn length(ended: &Ended) -> Option<String> {
    if ended.duration.is_zero() {
        return None;
    }
    let time = clock(ended.duration.as_secs());
    let name = ended.peer_name.trim();
    Some(if name.is_empty() { time } else { format!("{time} with {name}") })
}

fn title(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::HungUp | EndReason::PeerHungUp | EndReason::PeerLeft => "Call ended",
        EndReason::NobodyHere => "Nobody is waiting",
        EndReason::WrongCode => "Wrong code",
        EndReason::RoomFull => "Somebody is already there",
        EndReason::Dismissed => "Room closed",
        EndReason::Declined => "Declined",
        EndReason::NotAnswered => "No answer",
        EndReason::Guarded => "Try again in a minute",
        EndReason::CodeTaken => "Code already in use",
        EndReason::Unusable(_) => "Their app misbehaved",
        EndReason::Meddled => "The server interfered",
        EndReason::Guessing => "Too many wrong codes",
        EndReason::SignalingUnreachable(_) => "No connection",
        EndReason::ConnectFailed | EndReason::NoRelay(_) => "No way through",
        EndReason::ConnectionLost => "Connection lost",
        EndReason::Intercepted => "Call stopped for your safety",
        EndReason::Version => "Different versions",
        EndReason::Internal(_) => "Something went wrong",
    }
}

fn mark(reason: &EndReason, palette: &Palette) -> (Icon, egui::Color32) {
    match reason {
        EndReason::HungUp | EndReason::PeerHungUp | EndReason::PeerLeft => (Icon::HangUp, palette.weak),
        EndReason::Declined | EndReason::NotAnswered => (Icon::HangUp, palette.weak),
        EndReason::Guarded => (Icon::Warning, palette.warning),
        EndReason::Intercepted | EndReason::Meddled | EndReason::Guessing => (Icon::Warning, palette.danger_text),
        EndReason::NobodyHere
        | EndReason::WrongCode
        | EndReason::RoomFull
        | EndReason::Dismissed
        | EndReason::CodeTaken => (Icon::Warning, palette.warning),
        EndReason::SignalingUnreachable(_)
        | EndReason::ConnectFailed
        | EndReason::NoRelay(_)
        | EndReason::ConnectionLost => (Icon::Network, palette.warning),
        EndReason::Version | EndReason::Unusable(_) | EndReason::Internal(_) => (Icon::Warning, palette.warning),
    }
}
