use crate::bench::{Bench, Say as _, Screen, show};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use visavis_app::settings::{Change, ThemeChoice};
use visavis_app::window::Window;
use visavis_call::Phase;

const RELAY: &str = "Always relay, so that the other side does not see my address";

fn opened() -> Screen {
    let mut screen = show(Bench::new(Phase::Home));
    screen.press("Settings…");
    assert!(screen.has("Close"));
    screen
}

#[test]
fn settings_open_by_button_and_by_keys_and_close_again() {
    let mut screen = opened();
    screen.press("Close");
    assert!(!screen.has("Close"));
    screen.key_press_modifiers(Modifiers::COMMAND, Key::Comma);
    screen.pass(2);
    assert!(screen.has("Close"));
    screen.key(Key::Escape);
    assert!(!screen.has("Close"));
}

#[test]
fn the_theme_is_chosen() {
    let mut screen = opened();
    screen.press("Light");
    assert_eq!(screen.state_mut().changes(), [Change::Theme(ThemeChoice::Light)]);
    screen.pass(1);
    assert_eq!(screen.ctx.theme(), egui::Theme::Light);
    screen.press("Dark");
    screen.press("Like the system");
    assert_eq!(screen.state_mut().changes().len(), 2);
}

#[test]
fn a_server_is_taken_when_its_address_is_whole() {
    let mut screen = opened();
    screen.write("Signaling servers", "calls.example");
    assert!(screen.says("begins with ws:// or wss://"));
    assert!(screen.state_mut().changes().is_empty());
    let mut screen = opened();
    screen.write("Signaling servers", "wss://calls.example");
    assert_eq!(screen.state_mut().changes(), [Change::Servers(vec!["wss://calls.example".into()])]);
}

#[test]
fn a_turn_server_is_taken_with_its_user() {
    let mut screen = opened();
    screen.write("TURN servers", "turn:relay.example:3478");
    screen.write("TURN user name", "ada");
    screen.write("TURN password", "lovelace");
    let changes = screen.state_mut().changes();
    let Some(Change::IceServers(servers)) = changes.last() else { panic!("{changes:?}") };
    let turn = servers.last().expect("there");
    assert_eq!((turn.username.as_str(), turn.credential.as_str()), ("ada", "lovelace"));
    assert_eq!(turn.urls, ["turn:relay.example:3478"]);
    assert!(screen.has("STUN servers"));
}

#[test]
fn relaying_everything_is_a_switch() {
    let mut screen = opened();
    screen.get_by_label(RELAY).scroll_to_me();
    screen.pass(4);
    screen.press(RELAY);
    assert_eq!(screen.state_mut().changes(), [Change::RelayOnly(true)]);
}

#[test]
fn shortcuts_rest_while_the_settings_are_open() {
    let mut screen = opened();
    screen.key(Key::M);
    assert!(screen.state_mut().commands().is_empty());
}

#[test]
fn a_word_about_damaged_settings_stays_until_it_was_read() {
    let mut bench = Bench::new(Phase::Home);
    bench.window = Window::new(Some("The settings were damaged".into()));
    let mut screen = show(bench);
    screen.pass(2);
    assert!(screen.has("The settings were damaged"));
    screen.press("All right");
    assert!(!screen.has("The settings were damaged"));
}
