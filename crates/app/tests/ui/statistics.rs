//! How the connection fares, as one sees it: the mark, its reasons, and the panel with the curves of the last minute.

use crate::bench::{Bench, Say as _, Screen, show_in};
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers, Rect, Vec2, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::time::Duration;
use visavis_app::quality::Moment;
use visavis_app::sample::{self, Weather};
use visavis_call::{InCall, Phase};

const TITLE: &str = "The last minute";
const STILL: &str = "The picture stands still";
const SIZES: [Vec2; 4] = [vec2(860.0, 580.0), vec2(1100.0, 680.0), vec2(1280.0, 720.0), vec2(2560.0, 1440.0)];

fn bench(weather: Weather, change: impl FnOnce(&mut InCall)) -> Bench {
    let mut bench = Bench::new(Phase::Home);
    let mut call = sample::in_call(bench.now, Duration::from_secs(754));
    change(&mut call);
    bench.state.phase = Phase::InCall(call);
    bench.health = sample::health(weather);
    bench
}

fn call(weather: Weather) -> Screen {
    show_in(bench(weather, |_| {}), vec2(1100.0, 680.0))
}

fn ctrl_i(screen: &mut Screen) {
    screen.key_press_modifiers(Modifiers::COMMAND, Key::I);
    screen.pass(2);
}

#[test]
fn ctrl_i_opens_the_curves_and_ctrl_i_or_escape_closes_them() {
    let mut screen = call(Weather::Calm);
    assert!(!screen.has(TITLE));
    ctrl_i(&mut screen);
    assert!(screen.has(TITLE));
    ctrl_i(&mut screen);
    assert!(!screen.has(TITLE));
    ctrl_i(&mut screen);
    screen.key(Key::Escape);
    assert!(!screen.has(TITLE));
    screen.key(Key::I);
    assert!(screen.has("Verification number") && !screen.has(TITLE), "I alone is the connection");
}

#[test]
fn the_mark_opens_and_closes_them_too_and_says_which() {
    let mut screen = call(Weather::Calm);
    let toggled = |screen: &Screen| screen.get_by_label("Good connection").accesskit_node().toggled();
    assert_eq!(toggled(&screen), Some(Toggled::False));
    screen.press("Good connection");
    assert_eq!((toggled(&screen), screen.has(TITLE)), (Some(Toggled::True), true));
    screen.press("Close statistics");
    assert!(!screen.has(TITLE));
}

#[test]
fn they_stay_while_one_does_other_things_in_the_call() {
    let mut screen = call(Weather::Calm);
    ctrl_i(&mut screen);
    screen.press("Mute");
    screen.hover_at(pos2(1000.0, 300.0));
    screen.drag_at(pos2(1000.0, 300.0));
    screen.drop_at(pos2(1000.0, 300.0));
    screen.pass(40);
    assert!(screen.has(TITLE));
    screen.press("Direct");
    assert!(!screen.has(TITLE) && screen.has("Verification number"), "one panel gives way to the other");
}

#[test]
fn every_curve_and_every_figure_has_a_name() {
    let mut screen = call(Weather::Bad);
    ctrl_i(&mut screen);
    for chart in ["Rate", "Latency", "Loss", "Size", "Frame rate", "Buffer"] {
        let name = format!("{chart} over the last minute; now ");
        let curve = screen.get_by_label_contains(&name);
        assert_eq!(curve.accesskit_node().role(), Role::Image, "{chart}");
    }
    for figure in [
        "Rate: sent 258 kb/s",
        "Rate: estimate 280 kb/s",
        "Size: received 270",
        "You send: 480x270, 23 fps, 258 kb/s",
        "Your picture: made smaller for the network",
        "Path: straight from machine to machine",
        "Codecs: H.264 and Opus",
        "Encryption: DTLS-SRTP, AES-128",
        "Lip sync: in step",
    ] {
        assert!(screen.has(figure), "{figure}");
    }
    for part in
        ["Latency: round trip", "Latency: picture", "Loss: of ours", "Loss: of theirs", "Buffer: sound", "Freezes: "]
    {
        assert!(screen.says(part), "{part}");
    }
}

#[test]
fn before_the_first_figures_the_panel_says_that_they_come() {
    let mut bench = bench(Weather::Calm, |_| {});
    bench.health = Default::default();
    let mut screen = show_in(bench, vec2(1100.0, 680.0));
    ctrl_i(&mut screen);
    assert!(screen.has("The first figures come in a moment") && screen.has("Rate: sent –"));
}

#[test]
fn a_poor_connection_says_why_all_the_time_and_a_fair_one_to_who_looks() {
    let mut screen = call(Weather::Bad);
    screen.pass(20);
    assert!(!screen.has("Hang up") && screen.says("of what you send is lost on the way"));

    let mut screen = call(Weather::Fair);
    screen.pass(1);
    assert!(screen.has("Fair connection") && screen.says("High delay:"));
    screen.pass(20);
    assert!(!screen.says("High delay:"));

    let mut screen = call(Weather::Calm);
    screen.pass(1);
    assert!(screen.has("Good connection") && !screen.says("lost") && !screen.says("delay"));
}

#[test]
fn the_panel_says_what_to_do_about_it() {
    for (weather, advice) in
        [(Weather::Bad, "Try a cable"), (Weather::Fair, "leave a moment"), (Weather::Busy, "Close other programs")]
    {
        let mut screen = call(weather);
        ctrl_i(&mut screen);
        assert!(screen.says(advice), "{weather:?}");
    }
}

#[test]
fn a_picture_that_our_network_does_not_carry_is_told_with_and_without_bars() {
    let mut screen = call(Weather::SoundOnly);
    screen.pass(20);
    assert!(screen.has("Only sound is sent: your upload carries under 60 kb/s"));
    ctrl_i(&mut screen);
    assert!(screen.says("You send: sound only") && screen.says("comes back by itself"));
}

#[test]
fn a_picture_that_theirs_does_not_carry_gives_way_to_words() {
    let bench = bench(Weather::TheirSoundOnly, |call| call.peer.sound_only = true);
    let mut screen = show_in(bench, vec2(1100.0, 680.0));
    screen.pass(2);
    assert!(screen.has("Poor connection") && !screen.says("the other side's network"), "said once, in the middle");
    assert!(screen.has("Grace: Sound only: their network is too slow for a picture"));
    assert!(!screen.has("Picture of Grace"), "no frozen picture");
}

#[test]
fn a_picture_that_has_stood_still_for_seconds_says_so_until_the_next_one() {
    let mut bench = bench(Weather::Calm, |_| {});
    let mut total = bench.health.totals().expect("a call").clone();
    let moment = Moment { picture_due: true, ..Moment::default() };
    let mut second = |bench: &mut Bench, frames| {
        total.t += 1000.0;
        total.inbound_video.frames_decoded += frames;
        total.inbound_audio.packets_received += 50;
        bench.health.take(&total, moment);
    };
    (0..2).for_each(|_| second(&mut bench, 0));
    let mut screen = show_in(bench, vec2(1100.0, 680.0));
    screen.pass(2);
    assert!(!screen.has(STILL), "two seconds are no more than a hitch");
    second(screen.state_mut(), 0);
    screen.pass(2);
    assert!(screen.has(STILL));
    second(screen.state_mut(), 5);
    screen.pass(2);
    assert!(!screen.has(STILL));
}

#[test]
fn while_it_is_being_mended_the_mark_keeps_quiet_and_the_seconds_count() {
    let mut screen = show_in(bench(Weather::Bad, |call| call.interrupted = Some(call.since)), vec2(1100.0, 680.0));
    screen.pass(2);
    assert!(screen.has("Reconnecting…") && screen.has("Poor connection") && !screen.says("lost on the way"));
    screen.pass(20);
    let delay = screen.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay <= Duration::from_secs(1), "{delay:?}");
    ctrl_i(&mut screen);
    assert!(screen.has("Reconnecting… 754 s") && screen.says("Nothing gets through"));
}

#[test]
fn an_interruption_that_is_over_at_once_is_not_shown() {
    let mut bench = bench(Weather::Calm, |_| {});
    let now = bench.now;
    let Phase::InCall(call) = &mut bench.state.phase else { panic!("a call") };
    call.interrupted = Some(now);
    let mut screen = show_in(bench, vec2(1100.0, 680.0));
    screen.pass(2);
    assert!(!screen.has("Reconnecting…"));
    screen.state_mut().now = now + Duration::from_millis(300);
    screen.pass(1);
    assert!(screen.has("Reconnecting…"));
}

#[test]
fn everything_in_the_panel_lies_in_the_window_and_nothing_on_anything_else() {
    for size in SIZES {
        for weather in [Weather::Calm, Weather::Bad, Weather::SoundOnly] {
            let mut screen = show_in(bench(weather, |_| {}), size);
            ctrl_i(&mut screen);
            screen.pass(3);
            let close = screen.get_by_label("Close statistics").rect();
            let window = Rect::from_min_size(egui::Pos2::ZERO, size);
            assert!(window.contains_rect(close) && close.height() >= 32.0, "{size}: {close}");
            let hang_up = screen.get_by_label("Hang up").rect();
            let mut charts = Vec::new();
            for node in screen.root().children_recursive() {
                let node_of = node.accesskit_node();
                // The name of a label is its text.
                let label = node_of.label().or(node_of.value()).unwrap_or_default();
                let figure = ["You send: ", "You receive: ", "Path: ", "Lip sync: ", "Sound filled in: ", "Freezes: "]
                    .iter()
                    .any(|name| label.starts_with(name));
                if figure || label.contains("over the last minute") {
                    let place = node.rect();
                    assert!(window.contains_rect(place), "{size}: {label} at {place}");
                    assert!(place.bottom() <= hang_up.top(), "{size}: {label} at {place} lies on the controls");
                    charts.push((label, place));
                }
            }
            assert_eq!(charts.len(), 12, "{size}");
            for (i, (a, here)) in charts.iter().enumerate() {
                for (b, there) in &charts[i + 1..] {
                    assert!(!here.shrink(0.5).intersects(there.shrink(0.5)), "{size}: {a} at {here}, {b} at {there}");
                }
            }
        }
    }
}

#[test]
fn beside_the_chat_the_panel_keeps_to_its_side_and_scrolls() {
    let mut screen = show_in(bench(Weather::Bad, |_| {}), vec2(860.0, 580.0));
    ctrl_i(&mut screen);
    screen.press("Chat");
    let (field, stage) = (screen.get_by_label("Message").rect(), 540.0);
    for node in screen.root().children_recursive() {
        let label = node.accesskit_node().label().unwrap_or_default();
        if label.contains("over the last minute") || label == "Close statistics" {
            assert!(node.rect().right() < stage && field.left() > stage, "{label} at {}", node.rect());
        }
    }
    assert!(screen.has("You receive: 480x270, 23 fps, 258 kb/s"));
}

#[test]
fn an_open_panel_asks_for_no_more_frames_than_the_clock_above() {
    let mut screen = call(Weather::Bad);
    ctrl_i(&mut screen);
    screen.hover_at(pos2(300.0, 300.0));
    screen.pass(40);
    let mut frames = Vec::new();
    for _ in 0..8 {
        screen.pass(1);
        frames.push(screen.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay);
    }
    assert!(frames.iter().all(|delay| *delay >= Duration::from_millis(900)), "{frames:?}");
}
