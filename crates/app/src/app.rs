//! The window joined with a call: states and pictures in, commands out. It never waits for anything.

use crate::awake::Awake;
use crate::cli::Cli;
use crate::command::UiCommand;
use crate::engine::Engine;
use crate::settings::{Settings, Store};
use crate::signals::Signals;
use crate::theme::{self, Palette};
use crate::video::VideoView;
use crate::view::View;
use crate::window::Window;
use eframe::{CreationContext, Frame, glow};
use egui::{Context, Theme, Ui, ViewportCommand};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;
use visavis_call::{Event, Options, Phase, StartError, State};
use visavis_capture::CameraState;

/// The app while it runs.
pub struct App {
    engine: Arc<Engine>,
    state: Arc<State>,
    window: Window,
    store: Store,
    own: VideoView,
    other: VideoView,
    awake: Awake,
    signals: Signals,
    /// A script waits for the code on standard output.
    announce: bool,
}

impl App {
    /// Starts the call's engine and whatever the command line wants first.
    ///
    /// # Errors
    /// [`StartError`] where the engine cannot start.
    pub fn new(
        creation: &CreationContext<'_>,
        cli: &Cli,
        store: Store,
        notice: Option<String>,
    ) -> Result<Self, StartError> {
        let ctx = creation.egui_ctx.clone();
        theme::install(&ctx);
        let engine = Engine::start(&ctx, options(store.shown(), cli))?;
        if let Some(command) = cli.first_command() {
            engine.send(command);
        }
        let [own, other] = VideoView::pair(creation.gl.as_deref());
        Ok(Self {
            state: engine.state().ok_or(StartError::from(std::io::Error::other("it ended at once")))?,
            engine,
            window: Window::new(notice),
            store,
            own,
            other,
            awake: Awake::new(),
            signals: Signals::listen(move || ctx.request_repaint()),
            announce: cli.start,
        })
    }

    fn carry_out(&mut self, command: UiCommand) {
        match command {
            UiCommand::Call(command) => self.engine.send(command),
            UiCommand::Change(change) => {
                if let Some(command) = change.command() {
                    self.engine.send(command);
                }
                self.store.apply(change);
            }
            // The window keeps these to itself.
            UiCommand::Window(_) => {}
        }
    }

    fn take_pictures(&mut self, ctx: &Context) {
        let [own, other] = self.engine.pictures();
        // A last picture that comes after "off" must not be what one sees at the next "on".
        let own_runs = self.state.video_on && matches!(self.state.camera, CameraState::Running { .. });
        let other_runs = matches!(&self.state.phase, Phase::InCall(call) if call.peer.video_on);
        for (view, frame, runs) in [(&mut self.own, own, own_runs), (&mut self.other, other, other_runs)] {
            match frame {
                _ if !runs => view.clear(),
                Some(frame) => view.show(ctx, frame.picture),
                None => {}
            }
        }
    }

    fn take_events(&mut self) {
        for happened in self.engine.events() {
            if let (true, Event::Joined { opened: true, code }) = (self.announce, happened.event) {
                let mut out = std::io::stdout().lock();
                if let Err(e) = writeln!(out, "{code}").and_then(|()| out.flush()) {
                    tracing::warn!("the code could not be printed: {e}");
                }
            }
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut Frame) {
        if let Some(state) = self.engine.state() {
            self.state = state;
        }
        self.take_events();
        self.take_pictures(ctx);
        self.awake.set(matches!(self.state.phase, Phase::InCall(_)));
        if self.signals.asked() {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        if ctx.input(|input| input.viewport().close_requested()) {
            // Hanging up takes a moment; nobody needs to look at it.
            ctx.send_viewport_cmd(ViewportCommand::Visible(false));
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        let view = View {
            state: &self.state,
            settings: self.store.shown(),
            own: &self.own,
            other: &self.other,
            now: Instant::now(),
        };
        if let Some(command) = self.window.ui(ui, view) {
            self.carry_out(command);
        }
    }

    fn on_exit(&mut self, gl: Option<&glow::Context>) {
        self.engine.stop();
        self.own.destroy(gl);
        self.other.destroy(gl);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        let theme = if visuals.dark_mode { Theme::Dark } else { Theme::Light };
        Palette::for_theme(theme).background.to_normalized_gamma_f32()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Where the window system failed in between, nobody has said goodbye yet.
        self.engine.stop();
    }
}

/// What the call's engine is told to begin with.
fn options(settings: &Settings, cli: &Cli) -> Options {
    Options {
        ca: cli.ca.clone(),
        servers: settings.servers.clone(),
        ice_servers: settings.ice_servers.clone(),
        relay_only: settings.relay_only,
        name: settings.name.clone(),
        camera: settings.camera.clone(),
        microphone: settings.microphone.clone(),
        speaker: settings.speaker.clone(),
        ..Options::default()
    }
}
