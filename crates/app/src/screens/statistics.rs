//! The statistics of a call: what is to be said of it, the last minute as curves, and the plain figures.
//!
//! Drawn only while it is open, with whatever frame comes next: it asks for none by itself.

use super::curves::{CHARTS, WORDS_HEIGHT, chart_ui};
use crate::command::{Panel, UiCommand, WindowCommand};
use crate::control::Situation;
use crate::icons::Icon;
use crate::quality::{Health, Limit, Picture, Sample};
use crate::theme::{Palette, Type, space};
use crate::view::View;
use crate::widgets::{Look, Round, card, grade_word, paint_mark, rate_words, round, text};
use egui::{
    Align, Area, Grid, Layout, Order, Rect, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};
use visavis_call::{InCall, Path, StatsSnapshot};

/// Width of a column of charts, at least and at most.
const COLUMN: [f32; 2] = [220.0, 270.0];
/// Height of the curves in a chart, at least and at most.
const CURVES: [f32; 2] = [44.0, 96.0];
/// Height of the title with what is said below it; in a narrow panel that takes a line more.
const HEADER: [f32; 2] = [66.0, 84.0];
/// Milliseconds between sound and picture that nobody notices (ITU-R BT.1359: 45 ms early, 125 ms late).
const IN_STEP: f64 = 40.0;
/// Cancelling that weakens by fewer dB has found nothing to cancel.
const HEARD_ECHO: f64 = 3.0;
/// Height of a row of figures.
const ROW: f32 = 18.0;

/// The panel under the bar above; where it lies, and what was pressed.
pub(super) fn statistics_panel(
    ui: &Ui,
    stage: Rect,
    [above, below]: [Rect; 2],
    view: View<'_>,
    call: &InCall,
    now: &Situation,
) -> (Rect, Option<UiCommand>) {
    let room = Rect::from_min_max(
        pos2(stage.left() + space::M, above.bottom() + space::S),
        pos2(stage.right() - space::M, below.top() - space::S),
    );
    let inside = room.size() - Vec2::splat(2.0 * space::L + 2.0);
    let columns = ((inside.x + space::M) / (COLUMN[0] + space::M)).floor().clamp(1.0, 3.0);
    let column = ((inside.x - (columns - 1.0) * space::M) / columns).min(COLUMN[1]).floor();
    let width = columns * column + (columns - 1.0) * space::M;
    let area = Area::new(ui.scope_id().with("statistics")).order(Order::Foreground).fade_in(false).fixed_pos(room.min);
    let shown = area.show(ui.ctx(), |ui| {
        // Without a shadow: drawn as often as the picture, it would be the dearest part.
        card(ui)
            .show(ui, |ui| {
                ui.set_width(width);
                let layout = Layout::top_down(Align::Min);
                ui.with_layout(layout, |ui| {
                    let scroll = ScrollArea::vertical().max_height(inside.y).min_scrolled_height(inside.y);
                    scroll.auto_shrink([false, true]).show(ui, |ui| {
                        ui.set_width(width);
                        let narrow = columns < 3.0;
                        let header = HEADER[usize::from(narrow)];
                        let pressed = header_ui(ui, header, view, call, now);
                        let figures = figures_words(view.health, call);
                        let figure_columns = if narrow { 1 } else { 2 };
                        let rows = figures.len().div_ceil(figure_columns) as f32;
                        let chart_rows = (CHARTS.len() as f32 / columns).ceil();
                        let left = inside.y - header - rows * ROW - space::S;
                        let height = (left / chart_rows - WORDS_HEIGHT - space::S).clamp(CURVES[0], CURVES[1]);
                        charts_ui(ui, view.health, columns as usize, vec2(column, height));
                        ui.add_space(space::XS);
                        figures_ui(ui, &figures, figure_columns);
                        pressed
                    })
                })
                .inner
                .inner
            })
            .inner
    });
    (shown.response.rect, shown.inner)
}

/// How good it is and why, and a way out.
fn header_ui(ui: &mut Ui, height: f32, view: View<'_>, call: &InCall, now: &Situation) -> Option<UiCommand> {
    let palette = Palette::of(ui);
    let (place, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let close = 32.0;
    let button = Rect::from_min_size(pos2(place.right() - close, place.top()), Vec2::splat(close));
    let what = Round { icon: Icon::Close, label: "Close statistics", look: Look::Quiet, diameter: close, on: None };
    let closed = ui.scope_builder(UiBuilder::new().max_rect(button), |ui| round(ui, what).clicked()).inner;
    let words = place.with_max_x(button.left() - space::S);
    let layout = Layout::top_down(Align::Min);
    ui.scope_builder(UiBuilder::new().max_rect(words).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.spacing_mut().interact_size.y = 0.0;
        ui.horizontal(|ui| {
            let (mark, _) = ui.allocate_exact_size(vec2(14.0, 22.0), Sense::hover());
            let mark = Rect::from_center_size(mark.center(), Vec2::splat(14.0));
            paint_mark(ui.painter(), mark, now.grade, palette, palette.line);
            ui.label(text("The last minute", Type::Heading).color(palette.text));
        });
        let verdict = view.health.verdict();
        let (said, advice) = match verdict.cause {
            _ if call.interrupted.is_some() => {
                let seconds = call.interrupted.map_or(0, |since| view.now.saturating_duration_since(since).as_secs());
                (
                    format!("Reconnecting… {seconds} s"),
                    "Nothing gets through; the call goes on as soon as the network does.",
                )
            }
            Some((cause, amount)) => {
                (format!("{} · {}", grade_word(verdict.grade), cause.words(amount)), cause.advice())
            }
            None if view.health.history().newest().is_none() => ("The first figures come in a moment".into(), ""),
            None => ("Good · nothing to speak of".into(), ""),
        };
        ui.add(egui::Label::new(text(said, Type::Small).color(palette.text)).truncate());
        ui.add(egui::Label::new(text(advice, Type::Small).color(palette.weak)).wrap());
    });
    closed.then(|| WindowCommand::Toggle(Panel::Statistics).into())
}

fn charts_ui(ui: &mut Ui, health: &Health, columns: usize, size: Vec2) {
    for row in CHARTS.chunks(columns) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = space::M;
            for chart in row {
                ui.vertical(|ui| chart_ui(ui, chart, health.history(), size.x, size.y));
            }
        });
    }
}

fn figures_ui(ui: &mut Ui, figures: &[(&'static str, String)], columns: usize) {
    let palette = Palette::of(ui);
    // These rows are no controls, so they need no room for fingers.
    ui.spacing_mut().interact_size.y = 0.0;
    Grid::new("figures").num_columns(2 * columns).spacing(vec2(space::L, 1.0)).show(ui, |ui| {
        for row in figures.chunks(columns) {
            for (name, value) in row {
                ui.label(text(*name, Type::Small).color(palette.weak));
                let said = ui.label(text(&**value, Type::Small).color(palette.text));
                said.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {value}")));
            }
            ui.end_row();
        }
    });
}

/// Names and values; what is not known yet is left out.
fn figures_words(health: &Health, call: &InCall) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(now) = health.history().newest() {
        rows.push(("You send", stream_words(now.sent, now.sent_kbps, now.sound_only)));
        rows.push(("You receive", stream_words(now.received, now.received_kbps, call.peer.sound_only)));
        rows.push(("Your picture", limit_words(now).to_owned()));
    }
    rows.push((
        "Path",
        match call.path {
            Path::Direct => "straight from machine to machine".to_owned(),
            Path::Relayed => match &call.relay {
                Some(relay) => format!("through the TURN server {relay}"),
                None => "through a TURN server".to_owned(),
            },
        },
    ));
    rows.push(("Codecs", "H.264 and Opus".to_owned()));
    rows.push(("Encryption", "DTLS-SRTP, AES-128".to_owned()));
    if let Some(totals) = health.totals() {
        rows.push(("Freezes", freezes_words(totals)));
        rows.push(("Sound filled in", made_up_words(totals)));
        rows.push(("Echo", echo_words(totals.microphone.echo_return_loss_enhancement)));
        rows.push(("Lip sync", lip_sync_words(totals.inbound_video.lip_sync_offset)));
        rows.push(("Late pictures", format!("{} not shown", totals.inbound_video.frames_dropped)));
    }
    rows
}

fn stream_words(picture: Picture, kbps: f32, sound_only: bool) -> String {
    let rate = rate_words(kbps);
    match picture {
        _ if sound_only => format!("sound only, {rate}"),
        Picture { fps: 0.0, .. } => format!("no picture, {rate}"),
        Picture { width, height, fps } => format!("{width}x{height}, {fps:.0} fps, {rate}"),
    }
}

fn limit_words(now: &Sample) -> &'static str {
    match now.limit {
        _ if now.sound_only => "not sent: the network is too slow",
        Limit::Nothing => "as the camera gives it",
        Limit::Network => "made smaller for the network",
        Limit::Computer => "made smaller for this computer",
    }
}

fn freezes_words(totals: &StatsSnapshot) -> String {
    let video = &totals.inbound_video;
    match video.freeze_count {
        0 => "none in this call".into(),
        1 => format!("one in this call, {:.1} s", video.total_freezes_duration),
        count => format!("{count} in this call, {:.1} s in all", video.total_freezes_duration),
    }
}

fn made_up_words(totals: &StatsSnapshot) -> String {
    let audio = &totals.inbound_audio;
    let made_up = audio.concealed_samples.saturating_sub(audio.silent_concealed_samples);
    let part = 100.0 * made_up as f64 / audio.total_samples_received.max(1) as f64;
    format!("{part:.1} % of this call")
}

/// By how many dB the echo of the loudspeaker is weakened; `None` without cancelling.
fn echo_words(weaker: Option<f64>) -> String {
    match weaker.map(f64::round) {
        None => "not cancelled".into(),
        Some(db) if db >= HEARD_ECHO => format!("{db} dB weaker"),
        Some(_) => "none to speak of".into(),
    }
}

/// Seconds by which sound is heard after its picture.
fn lip_sync_words(offset: Option<f64>) -> String {
    match offset.map(|seconds| (1000.0 * seconds).round()) {
        Some(ms) if ms.abs() <= IN_STEP => "in step".into(),
        Some(ms) if ms > 0.0 => format!("sound {ms} ms late"),
        Some(ms) if ms < 0.0 => format!("sound {} ms early", -ms),
        Some(_) | None => "not known".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_says_what_it_carries() {
        let picture = Picture { width: 1280, height: 720, fps: 29.8 };
        assert_eq!(stream_words(picture, 1910.0, false), "1280x720, 30 fps, 1.9 Mb/s");
        assert_eq!(stream_words(Picture::default(), 48.0, false), "no picture, 48 kb/s");
        assert_eq!(stream_words(Picture::default(), 48.0, true), "sound only, 48 kb/s");
    }

    #[test]
    fn lips_are_in_step_where_nobody_notices() {
        let said = [Some(0.012), Some(-0.04), Some(0.0904), Some(-0.2), None, Some(f64::NAN)].map(lip_sync_words);
        assert_eq!(said, ["in step", "in step", "sound 90 ms late", "sound 200 ms early", "not known", "not known"]);
    }

    #[test]
    fn an_echo_is_told_by_what_is_taken_of_it() {
        let said = [None, Some(0.0), Some(38.4), Some(f64::NAN)].map(echo_words);
        assert_eq!(said, ["not cancelled", "none to speak of", "38 dB weaker", "none to speak of"]);
    }

    #[test]
    fn freezes_are_counted_as_people_count() {
        let said = |count, seconds| {
            let mut totals = StatsSnapshot::default();
            (totals.inbound_video.freeze_count, totals.inbound_video.total_freezes_duration) = (count, seconds);
            freezes_words(&totals)
        };
        assert_eq!(said(0, 0.0), "none in this call");
        assert_eq!([said(1, 0.4), said(3, 1.25)], ["one in this call, 0.4 s", "3 in this call, 1.2 s in all"]);
    }
}
