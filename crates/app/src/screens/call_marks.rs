//! The other side of a call, and what stays to be seen over it while it is true, bars or no bars.

use super::call_bars::TOP_HEIGHT;
use crate::command::UiCommand;
use crate::icons::Icon;
use crate::quality::{Cause, Grade, Verdict};
use crate::settings::Corner;
use crate::theme::{Palette, Type, over_picture, space};
use crate::view::View;
use crate::widgets::{Trouble, announce, avatar, badge, banner, called, elided, offer_over, reminder};
use egui::{Align2, Color32, Pos2, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use std::time::Duration;
use visavis_call::InCall;

/// What is said while nothing gets through.
const RECONNECTING: &str = "Reconnecting…";
/// What is said over a picture that is seconds old, though the call goes on.
const STILL: &str = "The picture stands still";
/// An interruption that is over sooner is not shown: the picture stood still for a moment, and that is all.
const UNSEEN: Duration = Duration::from_millis(300);
/// What is said where the other side's network carries no picture.
const SOUND_ONLY: &str = "Sound only: their network is too slow for a picture";

/// The other's picture, or its initial while there is none; dimmed while nothing gets through. What lies under
/// `covered` is not painted: on a machine without a graphics card a large panel would cost as much as the picture.
pub(super) fn other_side(ui: &mut Ui, stage: Rect, covered: Option<Rect>, view: View<'_>, call: &InCall) {
    let name = called(&call.peer.name);
    let palette = Palette::of(ui);
    let picture = if call.peer.video_on && !call.peer.sound_only { view.other.fit(stage) } else { None };
    let mending = mending(ui, view, call);
    let interrupted = mending.is_some();
    let words = match picture {
        Some(place) => {
            letterbox(ui, stage, place);
            for part in around(stage, covered) {
                view.other.paint(&ui.painter().with_clip_rect(part), place, 0, false);
            }
            let said = match mending {
                Some(seconds) => {
                    Some((RECONNECTING, format!("{seconds} s · the call goes on as soon as the network does")))
                }
                None if view.health.picture_stands_still() => {
                    Some((STILL, "It goes on as soon as the network carries it again".into()))
                }
                None => None,
            };
            if let Some((title, words)) = &said {
                // What is to be seen is old, and looks it.
                ui.painter().rect_filled(stage, 0.0, over_picture());
                let middle = stage.center() - vec2(0.0, space::XL);
                // What explains is as bright as the rest: even dimmed, a picture may be bright below it.
                say(ui, middle, title, (words, palette.text), stage.width());
            }
            if interrupted || said.is_none() { format!("Picture of {name}") } else { STILL.to_owned() }
        }
        None => {
            ui.painter().rect_filled(stage, 0.0, palette.background);
            let diameter = (stage.height() * 0.26).clamp(96.0, 200.0);
            let centre = stage.center() - vec2(0.0, 36.0);
            avatar(ui.painter(), palette, centre, diameter, &call.peer.name);
            let why = match (call.peer.video_on, call.peer.has_camera) {
                _ if interrupted => RECONNECTING,
                (true, _) if call.peer.sound_only => SOUND_ONLY,
                (true, _) => "Waiting for the picture…",
                (false, true) => "Camera is off",
                (false, false) => "No camera",
            };
            let under = centre + vec2(0.0, diameter / 2.0 + space::XL);
            let shown = mending.map_or(why.to_owned(), |seconds| format!("{why} {seconds} s"));
            say(ui, under, name, (&shown, palette.weak), stage.width());
            format!("{name}: {why}")
        }
    };
    let response = ui.interact(stage, ui.scope_id().with("other side"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    if interrupted {
        let said = ui.interact(stage, ui.scope_id().with("interrupted"), Sense::hover());
        said.widget_info(|| WidgetInfo::labeled(Role::Status, true, RECONNECTING));
        announce(ui, &said);
    }
}

/// For how many seconds nothing has got through, where that is to be seen; asks for the frame in which it changes.
fn mending(ui: &Ui, view: View<'_>, call: &InCall) -> Option<u64> {
    let passed = view.now.saturating_duration_since(call.interrupted?);
    let (shown, next) = if passed < UNSEEN {
        (None, UNSEEN - passed)
    } else {
        (Some(passed.as_secs()), Duration::from_secs(1) - Duration::from_nanos(passed.subsec_nanos().into()))
    };
    ui.ctx().request_repaint_after(next);
    shown
}

/// What of a rectangle lies around another, in pieces that do not overlap.
fn around(outer: Rect, hole: Option<Rect>) -> Vec<Rect> {
    let Some(hole) = hole.map(|hole| hole.intersect(outer)).filter(|hole| hole.is_positive()) else {
        return vec![outer];
    };
    let beside = outer.with_min_y(hole.top()).with_max_y(hole.bottom());
    let pieces = [
        outer.with_max_y(hole.top()),
        outer.with_min_y(hole.bottom()),
        beside.with_max_x(hole.left()),
        beside.with_min_x(hole.right()),
    ];
    pieces.into_iter().filter(|piece| piece.is_positive()).collect()
}

/// Black beside a picture, and only there: on a machine without a graphics card every pixel painted twice is felt.
fn letterbox(ui: &Ui, stage: Rect, picture: Rect) {
    // The picture ends on whole pixels, so the bars reach one pixel under it.
    let place = picture.shrink(1.0);
    let bars = [
        stage.with_max_y(place.top()),
        stage.with_min_y(place.bottom()),
        stage.with_max_x(place.left()),
        stage.with_min_x(place.right()),
    ];
    for bar in bars.into_iter().filter(|bar| bar.is_positive()) {
        ui.painter().rect_filled(bar, 0.0, Color32::BLACK);
    }
}

/// A line and a smaller one under it, centred; neither wider than the stage.
fn say(ui: &Ui, top: Pos2, title: &str, words: (&str, Color32), stage: f32) {
    let palette = Palette::of(ui);
    let most = stage - 2.0 * space::XL;
    let mut y = top.y;
    for (text, kind, colour) in [(title, Type::Title, palette.text), (words.0, Type::Body, words.1)] {
        let galley = elided(ui, text, kind, colour, most);
        let height = galley.size().y;
        ui.painter().galley(pos2(top.x - galley.size().x / 2.0, y), galley, colour);
        y += height + space::XS;
    }
}

/// "Grace is muted", with a name that leaves room for the rest.
fn muted_words(name: &str) -> String {
    const MOST: usize = 18;
    match name.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}… is muted", name[..cut].trim_end()),
        None => format!("{name} is muted"),
    }
}

/// What the marks depend on.
pub(super) struct Marks<'a> {
    /// Where the picture is.
    pub(super) stage: Rect,
    /// What is drawn.
    pub(super) view: View<'a>,
    /// The call.
    pub(super) call: &'a InCall,
    /// Heights that bars cover above and below.
    pub(super) covered: [f32; 2],
    /// What is the matter with our devices.
    pub(super) troubles: &'a [Trouble],
    /// The bars are to be seen.
    pub(super) bars: bool,
    /// What is to be said of the connection.
    pub(super) verdict: Verdict,
    /// Being muted is known.
    pub(super) reminded: bool,
}

impl Marks<'_> {
    /// Draws them: what concerns the other side in a corner, what concerns us above, one under the other. Whether the
    /// word about being muted was put away, and what was asked for.
    pub(super) fn ui(&self, ui: &mut Ui) -> (bool, Option<UiCommand>) {
        let stage = self.stage;
        let left = self.view.settings.self_view != Corner::BottomLeft;
        let align = if left { Align2::LEFT_BOTTOM } else { Align2::RIGHT_BOTTOM };
        if self.call.peer.muted {
            let corner = align.pos_in_rect(&stage.shrink(space::L)) - vec2(0.0, self.covered[1]);
            // Beside it lies the bar of controls, which is centred, unless it lies above.
            let beside = self.bars && self.covered[1] == 0.0;
            let most = stage.width() * if beside { 0.28 } else { 0.6 };
            badge(ui, corner, align, Icon::MicrophoneOff, &muted_words(called(&self.call.peer.name)), most);
        }
        // What can be pressed stays where it is: the bars come when the pointer is on its way.
        let presses = self.view.state.offer.is_some() || self.speaks_in_vain();
        let above = if presses { TOP_HEIGHT + space::M } else { self.covered[0] };
        let mut top = pos2(stage.center().x, stage.top() + space::L + above);
        let most = stage.width() - 2.0 * space::XL;
        let (mut put_away, mut answer) = (false, None);
        if let Some(offer) = &self.view.state.offer {
            let rect;
            (rect, answer) = offer_over(ui, top, offer, most);
            top.y = rect.bottom() + space::S;
        }
        if self.speaks_in_vain() {
            let words = if self.view.settings.push_to_talk { "Hold Space to talk" } else { "You are muted" };
            let rect;
            (rect, put_away) = reminder(ui, top, Icon::MicrophoneOff, words, most);
            top.y = rect.bottom() + space::S;
        }
        let mut next = |icon, words: &str| top.y = banner(ui, top, icon, words, most).bottom() + space::S;
        let said = match self.verdict.grade {
            Grade::Good => None,
            // What is hardly noticed is said to who moves the pointer to look.
            Grade::Fair => self.verdict.words().filter(|_| self.bars),
            // This one stands where their picture would be.
            Grade::Poor if matches!(self.verdict.cause, Some((Cause::TheirSoundOnly, _))) => None,
            Grade::Poor => self.verdict.words(),
        };
        if let Some(words) = said {
            let computer = matches!(self.verdict.cause, Some((Cause::Computer, _)));
            next(if computer { Icon::Warning } else { Icon::Network }, &words);
        }
        for trouble in self.troubles.iter().filter(|trouble| trouble.stays || self.bars) {
            next(trouble.icon, &trouble.words);
        }
        (put_away, answer)
    }

    /// Somebody speaks whom nobody can hear, and may not know it.
    fn speaks_in_vain(&self) -> bool {
        let state = self.view.state;
        state.muted && state.speaks_muted && self.view.settings.remind_muted && !self.reminded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_around_a_panel_is_all_of_the_rest_and_nothing_twice() {
        let rect = |x0: f32, y0: f32, x1: f32, y1: f32| Rect::from_min_max(pos2(x0, y0), pos2(x1, y1));
        let stage = rect(0.0, 0.0, 100.0, 60.0);
        assert_eq!(around(stage, None), [stage]);
        assert_eq!(around(stage, Some(rect(200.0, 0.0, 300.0, 60.0))), [stage]);
        for hole in [rect(10.0, 5.0, 60.0, 40.0), rect(-5.0, 0.0, 60.0, 80.0), stage.expand(9.0)] {
            let pieces = around(stage, Some(hole));
            let area: f32 = pieces.iter().map(|piece| piece.area()).sum();
            assert_eq!(area, stage.area() - hole.intersect(stage).area());
            assert!(pieces.iter().all(|piece| stage.contains_rect(*piece) && !piece.shrink(0.1).intersects(hole)));
        }
    }

    #[test]
    fn a_long_name_leaves_room_for_what_is_said_of_it() {
        assert_eq!(muted_words("Grace"), "Grace is muted");
        assert_eq!(muted_words("Wolfeschlegelsteinhausenbergerdorff, Hubert"), "Wolfeschlegelstein… is muted");
        assert_eq!(muted_words(&"é".repeat(64)), format!("{}… is muted", "é".repeat(18)));
    }
}
