//! The window joined with a call: states and pictures in, commands out. It never waits for anything.

use crate::awake::Awake;
use crate::cli::Cli;
use crate::command::UiCommand;
use crate::diagnostics::{Facts, System, report};
use crate::engine::Engine;
use crate::push_to_talk::PushToTalk;
use crate::quality::Health;
use crate::settings::{Change, Settings, Store};
use crate::signals::Signals;
use crate::theme::{self, Palette};
use crate::video::VideoView;
use crate::view::View;
use crate::window::Window;
use eframe::{CreationContext, Frame, glow};
use egui::{Context, RawInput, Theme, Ui, UserAttentionType, ViewportCommand};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;
use visavis_call::{Command, Event, InCall, Options, Phase, StartError, State};
use visavis_capture::CameraState;
use visavis_signaling::RoomCode;

/// The app while it runs.
pub struct App {
    engine: Arc<Engine>,
    state: Arc<State>,
    health: Arc<Health>,
    window: Window,
    store: Store,
    own: VideoView,
    other: VideoView,
    awake: Awake,
    talk: PushToTalk,
    signals: Signals,
    /// A script waits for the code on standard output.
    announce: bool,
    system: System,
    /// The window is on its way out.
    closing: bool,
    /// When the process began, until the first frame is on screen.
    began: Option<Instant>,
}

/// What was made ready before there was a window.
pub struct Ready<'a> {
    /// When the process began.
    pub began: Instant,
    /// The command line.
    pub cli: &'a Cli,
    /// Settings in use.
    pub store: Store,
    /// What a person should know about them.
    pub notice: Option<String>,
    /// The operating system's name.
    pub system: String,
}

impl App {
    /// Starts the call's engine and whatever the command line wants first.
    ///
    /// # Errors
    /// [`StartError`] where the engine cannot start.
    pub fn new(creation: &CreationContext<'_>, ready: Ready<'_>) -> Result<Self, StartError> {
        let Ready { began, cli, store, notice, system } = ready;
        let ctx = creation.egui_ctx.clone();
        theme::install(&ctx);
        let engine = Engine::start(&ctx, options(store.shown(), cli))?;
        let mut store = store;
        if store.shown().push_to_talk {
            // Before a call may begin.
            engine.send(Command::SetMuted(true));
        }
        if cli.open_room {
            let code = store.shown().room.clone().unwrap_or_else(|| keep_a_room(&mut store));
            engine.send(Command::Start(Some(code)));
        }
        if let Some(command) = cli.first_command() {
            engine.send(command);
        }
        let (state, health) = engine.state().ok_or(StartError::from(std::io::Error::other("it ended at once")))?;
        let [own, other] = VideoView::pair(creation.gl.as_deref());
        let pictures = if own.is_shaded() { "shader" } else { "CPU" };
        let renderer = format!("{}, pictures by {pictures}", renderer(creation.gl.as_deref()));
        Ok(Self {
            state,
            health,
            engine,
            window: Window::new(notice),
            store,
            own,
            other,
            awake: Awake::new(),
            talk: PushToTalk::default(),
            signals: Signals::listen(move || ctx.request_repaint()),
            announce: cli.start || cli.open_room,
            system: System { name: system, renderer },
            closing: false,
            began: Some(began),
        })
    }

    fn carry_out(&mut self, ctx: &Context, command: UiCommand) {
        match command {
            UiCommand::Call(command) => self.engine.send(command),
            UiCommand::Change(change) => {
                self.store.apply(change.clone());
                if let Some(command) = change.command(self.store.shown()) {
                    self.engine.send(command);
                }
            }
            UiCommand::KeepRoom => {
                let code = keep_a_room(&mut self.store);
                if matches!(self.state.phase, Phase::Waiting(_)) {
                    self.engine.send(Command::HangUp);
                    self.engine.send(Command::Start(Some(code)));
                }
            }
            UiCommand::CopyDiagnostics => ctx.copy_text(self.report()),
            // The window keeps these to itself.
            UiCommand::Window(_) => {}
        }
    }

    /// Where talking is by a held key: switches the microphone, also while nothing is painted.
    ///
    /// Before anything that a person asks for in this frame, so that a call never begins with an open microphone.
    fn switch_talk(&mut self, ctx: &Context) {
        let now = Instant::now();
        if let Some(muted) = self.talk.step(self.store.shown().push_to_talk, &self.state, now) {
            self.engine.send(Command::SetMuted(muted));
        }
        if let Some(left) = self.talk.closes_in(now) {
            ctx.request_repaint_after(left);
        }
    }

    fn report(&self) -> String {
        let recent = self.engine.recent();
        let (state, settings) = (&self.state, self.store.shown());
        report(Facts { system: &self.system, state, settings, recent: &recent, now: Instant::now() })
    }

    /// Says how long the start took, as soon as something of it is to be seen.
    fn note_first_frame(&mut self, ctx: &Context) {
        // The second frame begins when the first one is on screen.
        let Some(began) = self.began else { return };
        if ctx.cumulative_frame_nr() == 0 {
            ctx.request_repaint();
        } else {
            self.began = None;
            tracing::info!(ms = began.elapsed().as_millis() as u64, "first frame drawn");
        }
    }

    fn take_pictures(&mut self, ctx: &Context) {
        let [own, other] = self.engine.pictures();
        // A last picture that comes after "off" must not be what one sees at the next "on".
        let own_runs = self.state.video_on && matches!(self.state.camera, CameraState::Running { .. });
        let seen = |call: &InCall| call.peer.video_on && !call.peer.sound_only;
        let other_runs = matches!(&self.state.phase, Phase::InCall(call) if seen(call));
        for (view, frame, runs) in [(&mut self.own, own, own_runs), (&mut self.other, other, other_runs)] {
            match frame {
                _ if !runs => view.clear(),
                Some(frame) => view.show(ctx, frame.picture),
                None => {}
            }
        }
    }

    fn take_events(&mut self, ctx: &Context) {
        for happened in self.engine.events() {
            // The window may lie behind others, or be minimised; whoever has it before them needs no more than the sound.
            match &happened.event {
                Event::Asks { .. } => attention(ctx, UserAttentionType::Critical),
                Event::AsksNoMore => attention(ctx, UserAttentionType::Reset),
                _ => {}
            }
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
    fn raw_input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        self.talk.read(input, ctx.text_edit_focused());
    }

    fn logic(&mut self, ctx: &Context, _frame: &mut Frame) {
        self.note_first_frame(ctx);
        if let Some(now) = self.engine.state() {
            (self.state, self.health) = now;
        }
        self.switch_talk(ctx);
        if let Some(change) = self.store.known_again(&self.state.devices) {
            self.carry_out(ctx, UiCommand::Change(change));
        }
        self.take_events(ctx);
        self.take_pictures(ctx);
        self.awake.set(matches!(self.state.phase, Phase::InCall(_)));
        let asked = self.signals.asked();
        if asked {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        if (asked || ctx.input(|input| input.viewport().close_requested())) && !self.closing {
            self.closing = true;
            // The goodbye is under way while the window goes; nobody needs to look at the rest of it.
            self.engine.send(Command::HangUp);
            ctx.send_viewport_cmd(ViewportCommand::Visible(false));
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        if self.closing {
            return;
        }
        let view = View {
            state: &self.state,
            settings: self.store.shown(),
            own: &self.own,
            other: &self.other,
            health: &self.health,
            now: Instant::now(),
        };
        if let Some(command) = self.window.ui(ui, view) {
            self.carry_out(ui.ctx(), command);
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

/// Draws the words of a room that stays, and remembers them.
fn keep_a_room(store: &mut Store) -> RoomCode {
    let code = RoomCode::random_lasting();
    store.apply(Change::Room(Some(code.clone())));
    code
}

/// Has the system point at the window, or stop that.
fn attention(ctx: &Context, kind: UserAttentionType) {
    ctx.send_viewport_cmd(ViewportCommand::RequestUserAttention(kind));
}

/// What draws here, in the driver's words.
fn renderer(gl: Option<&glow::Context>) -> String {
    use glow::HasContext as _;
    // SAFETY: the context is current on this thread while the app is being created, as eframe guarantees.
    gl.map_or_else(|| "no OpenGL".to_owned(), |gl| unsafe { gl.get_parameter_string(glow::RENDERER) })
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
        sound: settings.sound(),
        ..Options::default()
    }
}

#[cfg(test)]
mod tests;
