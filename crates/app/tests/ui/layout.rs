//! Whatever the window's size and the words' length, everything stays inside and nothing covers anything else.

use crate::bench::{Bench, Say as _, Screen, show_in};
use egui::accesskit::Role;
use egui::{Rect, Vec2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::time::{Duration, Instant};
use visavis_app::sample;
use visavis_app::settings::{Settings, ThemeChoice};
use visavis_call::{EndReason, Phase, Reach};
use visavis_capture::{CameraState, DeviceError};

/// The smallest window that can be made, and usual ones.
const SIZES: [Vec2; 4] = [vec2(860.0, 580.0), vec2(900.0, 600.0), vec2(1280.0, 720.0), vec2(2560.0, 1440.0)];

fn phases() -> Vec<Phase> {
    let now = Instant::now();
    let mut waiting = sample::waiting();
    waiting.notice = Some("Somebody guessed wrong three times; this is a new code".into());
    let why = "the name could not be resolved within five seconds, or the network is down".to_owned();
    waiting.reach.push(Reach::Unreachable { host: "a-rather-long-name.of-a-server.example".into(), why });
    let mut call = sample::in_call(now, Duration::from_secs(36_000));
    call.peer.name = "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine, the second of".into();
    call.peer.muted = true;
    vec![
        Phase::Home,
        Phase::Waiting(waiting),
        Phase::Joining { code: sample::code(), since: now, host: None },
        Phase::InCall(call),
        Phase::Ended(sample::ended(EndReason::Intercepted)),
    ]
}

/// Names and places of everything that can be used.
fn controls(screen: &Screen) -> Vec<(String, Rect)> {
    let usable = [Role::Button, Role::ComboBox, Role::TextInput, Role::MultilineTextInput, Role::CheckBox];
    let nodes = screen.root().children_recursive();
    let nodes = nodes.filter(|node| usable.contains(&node.accesskit_node().role()));
    nodes.map(|node| (node.accesskit_node().label().unwrap_or_default(), node.rect())).collect()
}

fn check(screen: &Screen, size: Vec2, what: &str) {
    let window = Rect::from_min_size(egui::Pos2::ZERO, size).expand(0.5);
    let all = controls(screen);
    assert!(!all.is_empty(), "{what} has no controls");
    for (i, (name, place)) in all.iter().enumerate() {
        assert!(window.contains_rect(*place), "{what} at {size}: {name} lies at {place}");
        assert!(place.height() >= 32.0, "{what} at {size}: {name} is only {} high", place.height());
        for (other, elsewhere) in &all[i + 1..] {
            let both = place.shrink(0.5).intersect(elsewhere.shrink(0.5));
            assert!(!both.is_positive(), "{what} at {size}: {name} at {place} and {other} at {elsewhere}");
        }
    }
}

#[test]
fn every_screen_fits_into_every_window_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for size in SIZES {
            for phase in phases() {
                let what = format!("{phase:?}").chars().take(8).collect::<String>();
                let mut bench = Bench::new(phase);
                bench.settings.theme = theme;
                let mut screen = show_in(bench, size);
                screen.pass(3);
                check(&screen, size, &what);
            }
        }
    }
}

#[test]
fn the_first_start_with_every_word_at_once_fits_too() {
    for size in SIZES {
        let mut bench = Bench::new(Phase::Home);
        bench.settings = Settings::default();
        bench.state.camera = CameraState::Failed(DeviceError::Busy { name: "Integrated Webcam HD 1080p".into() });
        let mut screen = show_in(bench, size);
        screen.pass(3);
        check(&screen, size, "first start");
    }
}

#[test]
fn a_picture_moved_to_any_corner_leaves_the_bar_free() {
    use visavis_app::settings::Corner;
    for corner in [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight] {
        for size in SIZES {
            let mut bench = Bench::new(Phase::InCall(sample::in_call(Instant::now(), Duration::ZERO)));
            bench.settings.self_view = corner;
            let mut screen = show_in(bench, size);
            screen.pass(3);
            check(&screen, size, &format!("{corner:?}"));
            screen.press("Chat");
            check(&screen, size, &format!("{corner:?} with chat"));
        }
    }
}

#[test]
fn a_high_resolution_screen_shows_the_same() {
    let size = vec2(900.0, 600.0);
    let mut screen = show_in(Bench::new(Phase::Home), size);
    screen.set_pixels_per_point(2.0);
    screen.pass(3);
    assert!(screen.query_by_label("Start a call").is_some());
    check(&screen, size, "home at twice the resolution");
}
