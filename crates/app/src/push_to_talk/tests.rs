use super::*;
use crate::sample;
use egui::{Modifiers, ViewportInfo};

/// A window, a clock moved by hand, and the state of a call that hears what is asked of it.
struct Desk {
    talk: PushToTalk,
    input: RawInput,
    state: State,
    now: Instant,
}

impl Desk {
    fn new(phase: Phase) -> Self {
        let mut input = RawInput::default();
        input.viewports.insert(input.viewport_id, ViewportInfo::default());
        Self { talk: PushToTalk::default(), input, state: sample::state(phase), now: Instant::now() }
    }

    /// In a call, with this way of talking chosen long ago.
    fn in_call() -> Self {
        let mut desk = Self::new(Phase::Home);
        desk.step(true);
        desk.state.phase = call(desk.now);
        assert_eq!(desk.step(true), Some(true));
        desk
    }

    fn window(&mut self) -> &mut ViewportInfo {
        self.input.viewports.entry(self.input.viewport_id).or_default()
    }

    fn minimises(&mut self) {
        (self.window().minimized, self.window().occluded) = (Some(true), Some(false));
    }

    fn key(&mut self, pressed: bool) {
        let (key, modifiers) = (Key::Space, Modifiers::NONE);
        self.input.events.push(Event::Key { key, physical_key: None, pressed, repeat: false, modifiers });
    }

    /// One frame, painted: what was read is not read again.
    fn step(&mut self, chosen: bool) -> Option<bool> {
        let asked = self.hidden_step(chosen);
        self.input.events.clear();
        asked
    }

    /// One frame that is not painted.
    fn hidden_step(&mut self, chosen: bool) -> Option<bool> {
        self.talk.read(&self.input, false);
        let asked = self.talk.step(chosen, &self.state, self.now);
        self.state.muted = asked.unwrap_or(self.state.muted);
        asked
    }

    fn at(&mut self, ms: u64) -> Option<bool> {
        self.now += Duration::from_millis(ms);
        self.step(true)
    }
}

fn call(since: Instant) -> Phase {
    Phase::InCall(sample::in_call(since, Duration::ZERO))
}

#[test]
fn the_microphone_is_on_from_the_press_until_a_moment_after_the_release() {
    let mut desk = Desk::in_call();
    desk.key(true);
    assert_eq!([0, 500, 500].map(|ms| desk.at(ms)), [Some(false), None, None]);
    desk.key(false);
    assert_eq!([100, 90].map(|ms| desk.at(ms)), [None, None]);
    assert_eq!(desk.talk.closes_in(desk.now), Some(Duration::from_millis(10)));
    assert_eq!([10, 500].map(|ms| desk.at(ms)), [Some(true), None]);
    assert_eq!(desk.talk.closes_in(desk.now), None);
}

#[test]
fn pressing_again_within_the_moment_leaves_it_on() {
    let mut desk = Desk::in_call();
    desk.key(true);
    assert_eq!(desk.at(0), Some(false));
    for pressed in [false, true, false] {
        desk.key(pressed);
        assert_eq!(desk.at(150), None);
    }
}

#[test]
fn where_it_is_chosen_one_is_muted_before_anybody_comes() {
    let mut desk = Desk::new(Phase::Waiting(sample::waiting()));
    desk.minimises();
    assert_eq!(desk.hidden_step(true), Some(true), "in a window that nobody sees");
    assert_eq!(desk.hidden_step(true), None);
    desk.state.muted = false;
    assert_eq!(desk.hidden_step(true), Some(true), "whoever unmuted");
    desk.state.phase = call(desk.now);
    assert_eq!(desk.hidden_step(true), Some(true));
    desk.state.muted = false;
    assert_eq!(desk.hidden_step(true), None, "in a call the button counts");
    desk.state.phase = call(desk.now + Duration::from_secs(60));
    assert_eq!(desk.hidden_step(true), Some(true), "the next call begins muted again");
}

#[test]
fn a_window_that_is_hidden_or_left_while_space_is_held_is_heard_no_longer() {
    let hide = |desk: &mut Desk| desk.minimises();
    let cover = |desk: &mut Desk| (desk.window().minimized, desk.window().occluded) = (Some(false), Some(true));
    let leave = |desk: &mut Desk| {
        desk.input.focused = false;
        desk.input.events.push(Event::WindowFocused(false));
    };
    let go: [fn(&mut Desk); 3] = [hide, cover, leave];
    for go in go {
        let mut desk = Desk::in_call();
        desk.key(true);
        assert_eq!(desk.step(true), Some(false));
        go(&mut desk);
        assert_eq!(desk.hidden_step(true), Some(true), "at once, as nothing may wake the window later");
        assert_eq!(desk.hidden_step(true), None);
    }
}

#[test]
fn a_key_let_go_while_nothing_is_painted_is_let_go() {
    let mut desk = Desk::in_call();
    desk.key(true);
    assert_eq!(desk.hidden_step(true), Some(false));
    desk.key(false);
    assert_eq!(desk.hidden_step(true), None);
    desk.now += TAIL;
    assert_eq!(desk.hidden_step(true), Some(true));
    assert_eq!(desk.step(true), None, "told once more when the window is painted again");
}

#[test]
fn who_checks_their_setup_hears_themselves_and_is_muted_again_afterwards() {
    let mut desk = Desk::new(Phase::Home);
    desk.step(true);
    desk.state.check = Some(sample::check());
    assert_eq!(desk.step(true), Some(false));
    desk.state.phase = call(desk.now);
    assert_eq!(desk.step(true), None);
    (desk.state.check, desk.state.phase) = (None, Phase::Home);
    assert_eq!(desk.step(true), Some(true));
}

#[test]
fn chosen_no_more_a_call_goes_on_as_it_is_and_outside_of_one_the_microphone_is_on() {
    let mut desk = Desk::in_call();
    desk.key(true);
    assert_eq!(desk.step(true), Some(false));
    assert_eq!([false, false].map(|chosen| desk.step(chosen)), [None, None]);
    assert_eq!(desk.step(true), Some(false), "chosen again, and still held");
    desk.key(false);
    assert_eq!(desk.at(300), Some(true));
    assert_eq!(desk.step(false), None, "muted still");
    desk.state.phase = Phase::Home;
    assert_eq!(desk.step(false), None, "it is the person's own now");
    desk.step(true);
    assert_eq!([false, false].map(|chosen| desk.step(chosen)), [Some(false), None]);
}
