//! The last minute as curves: two in each chart, and in words what they are now.

use crate::quality::{History, SPAN, Sample};
use crate::theme::{Palette, Type, space};
use crate::widgets::{rate_words, text};
use egui::{Align, Color32, Label, Layout, Role, Sense, Stroke, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{AxisHints, GridMark, Line, LineStyle, Plot, PlotBounds, PlotPoints};

/// Height of a chart without its curves: a title above, words below.
pub(super) const WORDS_HEIGHT: f32 = 44.0;
/// Room for the numbers beside the curves.
const NUMBERS: f32 = 30.0;
/// A curve's width.
const LINE: f32 = 1.6;
/// Length of the piece of a curve that stands before its words.
const SWATCH: f32 = 14.0;

/// What a chart measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Rate,
    Milliseconds,
    Percent,
    Lines,
    PerSecond,
}

impl Unit {
    /// How far the axis reaches at least, so that trifles look like trifles.
    fn least(self) -> f32 {
        match self {
            Self::Rate => 100.0,
            Self::Milliseconds => 100.0,
            Self::Percent => 5.0,
            Self::Lines => 360.0,
            Self::PerSecond => 30.0,
        }
    }

    /// What stands behind the title, and what the axis' numbers are divided by.
    fn axis(self, top: f32) -> (&'static str, f32) {
        match self {
            Self::Rate if top >= 1000.0 => ("Mb/s", 1000.0),
            Self::Rate => ("kb/s", 1.0),
            Self::Milliseconds => ("ms", 1.0),
            Self::Percent => ("%", 1.0),
            Self::Lines => ("lines", 1.0),
            Self::PerSecond => ("fps", 1.0),
        }
    }

    fn say(self, value: f32) -> String {
        match self {
            Self::Rate => rate_words(value),
            Self::Milliseconds => format!("{value:.0} ms"),
            Self::Percent => format!("{value:.1} %"),
            Self::Lines if value == 0.0 => "none".into(),
            Self::Lines | Self::PerSecond => format!("{value:.0}"),
        }
    }
}

/// One line of a chart.
struct Curve {
    name: &'static str,
    value: fn(&Sample) -> Option<f32>,
}

/// Two curves over the same minute.
pub(super) struct Chart {
    title: &'static str,
    unit: Unit,
    curves: [Curve; 2],
}

const fn curve(name: &'static str, value: fn(&Sample) -> Option<f32>) -> Curve {
    Curve { name, value }
}

/// The second of a chart is dashed: so both are seen where they lie on each other, and told apart without colours.
const STYLES: [LineStyle; 2] = [LineStyle::Solid, LineStyle::Dashed { length: 6.0 }];

/// All of them, in the order in which one looks for the trouble.
pub(super) const CHARTS: [Chart; 6] = [
    Chart {
        title: "Rate",
        unit: Unit::Rate,
        curves: [curve("sent", |s| Some(s.sent_kbps)), curve("estimate", |s| s.estimate_kbps)],
    },
    Chart {
        title: "Latency",
        unit: Unit::Milliseconds,
        curves: [curve("round trip", |s| s.round_trip_ms), curve("picture", |s| s.picture_delay_ms)],
    },
    Chart {
        title: "Loss",
        unit: Unit::Percent,
        curves: [curve("of ours", |s| known(s, s.lost_out)), curve("of theirs", |s| known(s, s.lost_in))],
    },
    Chart {
        title: "Size",
        unit: Unit::Lines,
        curves: [curve("sent", |s| Some(s.sent.height as f32)), curve("received", |s| Some(s.received.height as f32))],
    },
    Chart {
        title: "Frame rate",
        unit: Unit::PerSecond,
        curves: [curve("sent", |s| Some(s.sent.fps)), curve("received", |s| Some(s.received.fps))],
    },
    Chart {
        title: "Buffer",
        unit: Unit::Milliseconds,
        curves: [curve("sound", |s| s.sound_buffer_ms), curve("picture", |s| s.picture_buffer_ms)],
    },
];

/// Part of the packets that got lost, in per cent; where nothing comes, nothing is known of either way.
fn known(sample: &Sample, lost: f32) -> Option<f32> {
    (sample.packets[1] > 0.0).then_some(100.0 * lost)
}

/// Draws a chart `width` wide, its curves `height` high.
pub(super) fn chart_ui(ui: &mut Ui, chart: &Chart, history: &History, width: f32, height: f32) {
    let palette = Palette::of(ui);
    let top = top_of(chart, history);
    let (unit, divisor) = chart.unit.axis(top);
    let (place, _) = ui.allocate_exact_size(vec2(width, height + WORDS_HEIGHT), Sense::hover());
    let layout = Layout::top_down(Align::Min);
    // Charts stand under one another, whatever their words: so none makes its place wider.
    ui.scope_builder(UiBuilder::new().id_salt(chart.title).max_rect(place).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.spacing_mut().interact_size.y = 0.0;
        ui.label(text(format!("{}, {unit}", chart.title), Type::Small).color(palette.text));
        plot(ui, chart, history, (top, divisor), vec2(width, height));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            for ((curve, colour), style) in chart.curves.iter().zip(palette.curves).zip(STYLES) {
                swatch(ui, style, colour);
                let words = now_words(chart, curve, history);
                let said = ui.add(Label::new(text(&*words, Type::Small).color(palette.weak)).truncate());
                let label = format!("{}: {words}", chart.title);
                said.widget_info(|| WidgetInfo::labeled(Role::Label, true, &label));
                ui.add_space(space::XS);
            }
        });
    });
}

fn plot(ui: &mut Ui, chart: &Chart, history: &History, (top, divisor): (f32, f32), size: Vec2) {
    let palette = Palette::of(ui);
    let numbers = AxisHints::new_y()
        .formatter(move |mark, _| number(mark.value as f32 / divisor))
        .min_thickness(NUMBERS)
        .label_spacing(egui::Rangef::new(4.0, 8.0))
        .tick_label_font(Type::Tiny.font())
        .tick_label_color(palette.weak);
    let half = f64::from(top) / 2.0;
    let shown = Plot::new(chart.title)
        .width(size.x)
        .height(size.y)
        .min_size(Vec2::splat(16.0))
        .custom_y_axes(vec![numbers])
        .y_grid_spacer(move |_| (0..3).map(|i| GridMark { value: half * f64::from(i), step_size: half }).collect())
        .show_axes([false, true])
        .show_grid([false, true])
        .show_background(false)
        .grid_color(palette.line)
        // Nothing here is to be dragged about, and the wheel belongs to what lies around.
        .sense(Sense::hover())
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_axis_zoom_drag(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .show_x(false)
        .show_y(false)
        .show_crosshair(false)
        .show(ui, |plot| {
            // A hair of room keeps a curve at the edge whole.
            let (low, high) = (-0.03 * f64::from(top), 1.05 * f64::from(top));
            plot.set_plot_bounds(PlotBounds::from_min_max([-SPAN, low], [0.0, high]));
            for ((curve, colour), style) in chart.curves.iter().zip(palette.curves).zip(STYLES) {
                for run in runs(curve, history) {
                    let line = Line::new(curve.name, PlotPoints::new(run)).color(colour).width(LINE);
                    plot.line(line.style(style).allow_hover(false));
                }
            }
        });
    let now = chart.curves.iter().map(|curve| now_words(chart, curve, history)).collect::<Vec<_>>().join(", ");
    let label = format!("{} over the last minute; now {now}", chart.title);
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
}

/// A piece of the curve as it is drawn.
fn swatch(ui: &mut Ui, style: LineStyle, colour: Color32) {
    let (place, _) = ui.allocate_exact_size(vec2(SWATCH, 14.0), Sense::hover());
    let stroke = Stroke::new(LINE + 0.4, colour);
    let (left, right) = (pos2(place.left(), place.center().y), pos2(place.right(), place.center().y));
    match style {
        LineStyle::Dashed { .. } | LineStyle::Dotted { .. } => {
            ui.painter().extend(egui::Shape::dashed_line(&[left, right], stroke, 4.0, 3.0));
        }
        LineStyle::Solid => {
            ui.painter().line_segment([left, right], stroke);
        }
    }
}

/// "sent 1.9 Mb/s", as of the last second.
fn now_words(chart: &Chart, curve: &Curve, history: &History) -> String {
    let value = history.newest().and_then(curve.value).filter(|value| value.is_finite());
    format!("{} {}", curve.name, value.map_or("–".to_owned(), |value| chart.unit.say(value)))
}

/// The points of a curve, apart where something is not known: from there on nothing is made up.
fn runs(curve: &Curve, history: &History) -> Vec<Vec<[f64; 2]>> {
    let newest = history.newest().map_or(0.0, |newest| newest.t);
    let mut runs = vec![Vec::new()];
    for sample in history.iter() {
        match (curve.value)(sample).filter(|value| value.is_finite()) {
            Some(value) => runs.last_mut().expect("one at least").push([sample.t - newest, f64::from(value)]),
            None if runs.last().is_some_and(|run| !run.is_empty()) => runs.push(Vec::new()),
            None => {}
        }
    }
    runs.retain(|run| run.len() > 1);
    runs
}

/// The end of the axis: a round number that everything of the minute stays below.
fn top_of(chart: &Chart, history: &History) -> f32 {
    let values = history.iter().flat_map(|sample| chart.curves.iter().filter_map(move |curve| (curve.value)(sample)));
    let most = values.filter(|value| value.is_finite()).fold(chart.unit.least(), f32::max).min(1e9);
    let magnitude = 10f32.powf(most.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0];
    let round = steps.iter().map(|step| step * magnitude).find(|round| *round >= most * 0.999);
    // Heights of pictures are what they are.
    if chart.unit == Unit::Lines { most } else { round.unwrap_or(most) }
}

fn number(value: f32) -> String {
    if value.fract().abs() < 0.05 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: &[Option<f32>]) -> History {
        let mut history = History::default();
        for (t, &round_trip_ms) in values.iter().enumerate() {
            history.push(Sample { t: t as f64, round_trip_ms, sent_kbps: 1900.0, ..Sample::default() });
        }
        history
    }

    const LATENCY: &Chart = &CHARTS[1];

    #[test]
    fn a_curve_has_a_gap_where_nothing_is_known() {
        let history = history(&[Some(1.0), Some(2.0), None, None, Some(3.0), Some(4.0), Some(f32::NAN), Some(5.0)]);
        let runs = runs(&LATENCY.curves[0], &history);
        assert_eq!(runs, [vec![[-7.0, 1.0], [-6.0, 2.0]], vec![[-3.0, 3.0], [-2.0, 4.0]]]);
    }

    #[test]
    fn the_axis_ends_at_a_round_number_and_never_below_what_is_worth_seeing() {
        let top = |values: &[Option<f32>]| top_of(LATENCY, &history(values));
        assert_eq!(top(&[]), 100.0);
        assert_eq!([top(&[Some(12.0)]), top(&[Some(130.0)]), top(&[Some(420.0)])], [100.0, 200.0, 600.0]);
        assert_eq!(top(&[Some(f32::NAN), Some(f32::INFINITY)]), 100.0);
        assert!(top(&[Some(f32::MAX)]).is_finite());
    }

    #[test]
    fn while_nothing_comes_no_loss_is_claimed_or_denied() {
        let words = |packets| {
            let mut history = History::default();
            history.push(Sample { lost_out: 0.02, lost_in: 0.01, packets, ..Sample::default() });
            [0, 1].map(|i| now_words(&CHARTS[2], &CHARTS[2].curves[i], &history))
        };
        assert_eq!(words([300.0, 300.0]), ["of ours 2.0 %", "of theirs 1.0 %"]);
        assert_eq!(words([300.0, 0.0]), ["of ours –", "of theirs –"]);
    }

    #[test]
    fn rates_of_megabits_are_numbered_in_megabits() {
        let top = top_of(&CHARTS[0], &history(&[None]));
        assert_eq!((top, CHARTS[0].unit.axis(top)), (2000.0, ("Mb/s", 1000.0)));
        assert_eq!([number(0.0), number(1.5), number(3.0)], ["0", "1.5", "3"]);
    }

    #[test]
    fn what_is_not_known_now_is_a_dash() {
        let words = |values: &[Option<f32>]| now_words(LATENCY, &LATENCY.curves[0], &history(values));
        assert_eq!(
            [words(&[Some(23.4)]), words(&[Some(23.4), None]), words(&[])],
            ["round trip 23 ms", "round trip –", "round trip –"]
        );
    }
}
