//! Whoever has no pointer gets everywhere and presses everything.

use crate::bench::{Bench, Say as _, Screen, show_in};
use crate::scenes::{Scene, scenes};
use egui::accesskit::{NodeId, Role};
use egui::{Key, Rect, vec2};
use egui_kittest::kittest::NodeT as _;
use std::collections::{BTreeMap, BTreeSet};
use visavis_call::Phase;

const USABLE: [Role; 6] =
    [Role::Button, Role::ComboBox, Role::TextInput, Role::MultilineTextInput, Role::PasswordInput, Role::CheckBox];

/// Everything that can be pressed or written into now.
fn usable(screen: &Screen) -> BTreeMap<NodeId, String> {
    let nodes = screen.root().children_recursive();
    let usable =
        nodes.map(|node| node.accesskit_node()).filter(|node| USABLE.contains(&node.role()) && !node.is_disabled());
    usable.map(|node| (node.locate().0, node.label().unwrap_or_default())).collect()
}

/// What has the focus, and where it lies.
fn focused(screen: &Screen) -> Option<(NodeId, Rect)> {
    let mut nodes = screen.root().children_recursive();
    nodes.find(|node| node.accesskit_node().is_focused()).map(|node| (node.accesskit_node().locate().0, node.rect()))
}

/// What of a scene can be reached: under the settings nothing else.
fn reachable(scene: &Scene) -> (Screen, BTreeMap<NodeId, String>) {
    let behind = if scene.modal { usable(&(scene.before)()).into_keys().collect() } else { BTreeSet::new() };
    let screen = (scene.make)();
    let mut wanted = usable(&screen);
    wanted.retain(|id, _| !behind.contains(id));
    (screen, wanted)
}

#[test]
fn tab_reaches_every_control_of_every_screen_and_shows_where_it_is() {
    for scene in scenes() {
        let (mut screen, wanted) = reachable(&scene);
        assert!(!wanted.is_empty(), "{}", scene.name);
        let window = screen.ctx.content_rect().expand(1.0);
        let mut seen = BTreeSet::new();
        for _ in 0..2 * wanted.len() + 4 {
            screen.key(Key::Tab);
            screen.pass(3); // Scrolling takes a moment.
            let Some((id, rect)) = focused(&screen) else { continue };
            assert!(window.contains_rect(rect), "{}: the focus lies at {rect}, out of sight", scene.name);
            seen.insert(id);
        }
        let missed: Vec<_> = wanted.iter().filter(|(id, _)| !seen.contains(id)).map(|(_, name)| name).collect();
        assert!(missed.is_empty(), "{}: Tab does not reach {missed:?}", scene.name);
    }
}

#[test]
fn space_and_enter_press_every_button_that_tab_reaches() {
    for scene in scenes() {
        let (screen, wanted) = reachable(&scene);
        let buttons = screen.root().children_recursive().filter(|node| node.accesskit_node().role() == Role::Button);
        let buttons: BTreeSet<_> = buttons.map(|node| node.accesskit_node().locate().0).collect();
        for (id, name) in wanted.iter().filter(|(id, _)| buttons.contains(id)) {
            for key in [Key::Space, Key::Enter] {
                let mut screen = (scene.make)();
                for _ in 0..2 * wanted.len() + 4 {
                    if focused(&screen).is_some_and(|(focused, _)| focused == *id) {
                        break;
                    }
                    screen.key(Key::Tab);
                }
                screen.asked_of_system();
                let before = picture_of(&screen);
                screen.key(key);
                screen.pass(2);
                let asked = screen.state_mut().asked_anything() || !screen.asked_of_system().is_empty();
                let changed = picture_of(&screen) != before;
                assert!(
                    asked || changed || !screen.copied().is_empty(),
                    "{}: {key:?} on {name} does nothing",
                    scene.name
                );
            }
        }
    }
}

/// Every name and state that a screen reader would find.
fn picture_of(screen: &Screen) -> Vec<String> {
    let nodes = screen.root().children_recursive();
    nodes.map(|node| format!("{:?} {:?}", node.accesskit_node().label(), node.accesskit_node().toggled())).collect()
}

#[test]
fn escape_closes_what_lies_on_top_and_never_the_call() {
    let mut screen = crate::scenes::call();
    screen.key(Key::C);
    screen.key(Key::Escape);
    assert!(!screen.has("Message"), "the chat is closed, though its field had the focus");
    for (key, inside) in [(Key::D, "Loudspeaker"), (Key::I, "Verification number")] {
        screen.key(key);
        assert!(screen.has(inside), "{key:?} opens {inside}");
        screen.key(Key::Escape);
        assert!(!screen.has(inside), "Escape closes {inside}");
    }
    screen.key(Key::Escape);
    screen.key(Key::Escape);
    assert!(screen.state_mut().commands().is_empty(), "a call is not ended by Escape");
}

#[test]
fn escape_closes_a_list_before_the_panel_that_it_belongs_to() {
    let mut screen = crate::scenes::call();
    screen.key(Key::D);
    screen.press("Camera");
    assert!(screen.has("No camera"));
    screen.key(Key::Escape);
    assert!(!screen.has("No camera") && screen.has("Loudspeaker"));
    screen.key(Key::Escape);
    assert!(!screen.has("Loudspeaker"));
}

#[test]
fn one_panel_gives_way_to_the_other() {
    let mut screen = crate::scenes::call();
    screen.key(Key::D);
    screen.key(Key::I);
    assert!(screen.has("Verification number") && !screen.has("Loudspeaker"));
}

#[test]
fn the_settings_list_every_key() {
    let mut screen = show_in(Bench::new(Phase::Home), vec2(900.0, 600.0));
    screen.press("Settings…");
    for control in visavis_app::control::Control::ALL {
        let Some(shortcut) = control.shortcut() else { continue };
        let keys = screen.ctx.format_shortcut(&shortcut);
        assert!(screen.has(&keys), "{control:?}: {keys} is not listed");
    }
}
