//! A window with a made-up state, and what was asked for through it.

use egui::{Context, Key, OutputCommand, Vec2, ViewportCommand, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::time::{Duration, Instant};
use visavis_app::command::UiCommand;
use visavis_app::push_to_talk::PushToTalk;
use visavis_app::quality::Health;
use visavis_app::sample::Weather;
use visavis_app::settings::{Change, Settings};
use visavis_app::video::VideoView;
use visavis_app::view::View;
use visavis_app::window::Window;
use visavis_app::{sample, theme};
use visavis_call::{Command, Phase, State};
use visavis_media::{I420, Size};

/// Everything that a window is drawn from.
pub struct Bench {
    pub window: Window,
    pub state: State,
    pub settings: Settings,
    pub health: Health,
    pub now: Instant,
    talk: PushToTalk,
    own: VideoView,
    other: VideoView,
    asked: Vec<UiCommand>,
    copied: Vec<String>,
    viewport: Vec<ViewportCommand>,
}

impl Bench {
    pub fn new(phase: Phase) -> Self {
        Self {
            window: Window::default(),
            state: sample::state(phase),
            settings: sample::settings(),
            health: sample::health(Weather::Calm),
            now: Instant::now(),
            talk: PushToTalk::default(),
            own: VideoView::plain(),
            other: VideoView::plain(),
            asked: Vec::new(),
            copied: Vec::new(),
            viewport: Vec::new(),
        }
    }

    /// Switches the microphone before each frame, as the app does; harness time is the clock.
    fn talk(&mut self, ctx: &Context) {
        let (input, time) = ctx.input(|input| (input.raw.clone(), input.time));
        self.talk.read(&input, ctx.text_edit_focused());
        let now = self.now + Duration::from_secs_f64(time);
        if let Some(muted) = self.talk.step(self.settings.push_to_talk, &self.state, now) {
            self.state.muted = muted;
            self.asked.push(Command::SetMuted(muted).into());
        }
    }

    /// The commands for the call since the last time.
    pub fn commands(&mut self) -> Vec<Command> {
        let asked = self.asked.extract_if(.., |asked| matches!(asked, UiCommand::Call(_)));
        asked.filter_map(|asked| if let UiCommand::Call(command) = asked { Some(command) } else { None }).collect()
    }

    /// The one command for the call since the last time.
    pub fn command(&mut self) -> Command {
        let mut commands = self.commands();
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }

    /// Whether a room is to be kept, since the last time.
    pub fn keeps_a_room(&mut self) -> bool {
        self.asked.extract_if(.., |asked| matches!(asked, UiCommand::KeepRoom)).count() == 1
    }

    /// Whether anything was asked for since the last time.
    pub fn asked_anything(&mut self) -> bool {
        !std::mem::take(&mut self.asked).is_empty()
    }

    /// The changes of settings since the last time.
    pub fn changes(&mut self) -> Vec<Change> {
        let asked = self.asked.extract_if(.., |asked| matches!(asked, UiCommand::Change(_)));
        asked.filter_map(|asked| if let UiCommand::Change(change) = asked { Some(change) } else { None }).collect()
    }
}

/// A window on the screen of nobody.
pub type Screen = Harness<'static, Bench>;

/// Shows a bench in a window of 1280x720.
pub fn show(bench: Bench) -> Screen {
    show_in(bench, vec2(1280.0, 720.0))
}

/// Shows a bench in a window of this size.
pub fn show_in(bench: Bench, size: Vec2) -> Screen {
    let draw = |ui: &mut egui::Ui, bench: &mut Bench| {
        if bench.own.size().is_none() {
            let grey = I420::filled(Size::new(64, 36).expect("even"), [90, 128, 128]);
            bench.own.show(ui.ctx(), grey.clone());
            bench.other.show(ui.ctx(), grey);
        }
        bench.talk(ui.ctx());
        let Bench { window, state, settings, health, now, own, other, .. } = bench;
        let command = window.ui(ui, View { state, settings, own, other, health, now: *now });
        if let Some(UiCommand::Change(change)) = &command {
            settings.apply(change.clone());
        }
        bench.asked.extend(command);
        let copied = |command: &OutputCommand| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        };
        bench.viewport.extend(ui.ctx().viewport(|viewport| viewport.commands.clone()));
        bench.copied.extend(ui.ctx().output(|output| output.commands.iter().filter_map(copied).collect::<Vec<_>>()));
    };
    let builder = Harness::builder().with_size(size).with_step_dt(0.25).with_context_setup(theme::install);
    builder.build_ui_state(draw, bench)
}

/// What tests say about a screen.
pub trait Say {
    /// Clicks what has this name.
    fn press(&mut self, label: &str);
    /// Whether something has this name.
    fn has(&self, label: &str) -> bool;
    /// Whether something's name contains this.
    fn says(&self, words: &str) -> bool;
    /// Types into what has this name.
    fn write(&mut self, label: &str, words: &str);
    /// Presses and releases a key.
    fn key(&mut self, key: Key);
    /// Lets this many quarters of a second pass.
    fn pass(&mut self, quarters: usize);
    /// What was put on the clipboard.
    fn copied(&self) -> Vec<String>;
    /// What was asked of the window system with the last frames.
    fn asked_of_system(&mut self) -> Vec<ViewportCommand>;
}

impl Say for Screen {
    fn press(&mut self, label: &str) {
        self.get_by_label(label).click();
        self.pass(3);
    }

    fn has(&self, label: &str) -> bool {
        self.query_all_by_label(label).next().is_some()
    }

    fn says(&self, words: &str) -> bool {
        self.query_all_by_label_contains(words).next().is_some()
    }

    fn write(&mut self, label: &str, words: &str) {
        self.get_by_label(label).focus();
        self.pass(1);
        self.get_by_label(label).type_text(words);
        self.pass(2);
    }

    fn key(&mut self, key: Key) {
        self.key_press(key);
        self.pass(2);
    }

    fn pass(&mut self, quarters: usize) {
        for _ in 0..quarters {
            self.step();
        }
    }

    fn copied(&self) -> Vec<String> {
        self.state().copied.clone()
    }

    fn asked_of_system(&mut self) -> Vec<ViewportCommand> {
        std::mem::take(&mut self.state_mut().viewport)
    }
}
