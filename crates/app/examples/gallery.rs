//! Shows any screen with a made-up state, for looking at it:
//! `cargo run --release -p visavis --example gallery -- --screen call --theme light --size 900x600`

use clap::Parser;
use std::time::{Duration, Instant};
use visavis_app::icons::Icon;
use visavis_app::sample;
use visavis_app::settings::{Settings, ThemeChoice};
use visavis_app::video::VideoView;
use visavis_app::view::View;
use visavis_app::window::Window;
use visavis_app::{command::UiCommand, theme};
use visavis_call::{EndReason, Phase, Reach, State};
use visavis_capture::{CameraState, DeviceError, pattern};
use visavis_media::Size;

/// Screens of Visavis with made-up states.
#[derive(Parser)]
struct Cli {
    /// What to show
    #[arg(long, value_enum, default_value = "home")]
    screen: Screen,
    /// dark or light
    #[arg(long, default_value = "dark")]
    theme: String,
    /// Size of the window
    #[arg(long, default_value = "1280x720")]
    size: Size,
    /// Turn the other's picture upright, as a phone sends it
    #[arg(long)]
    portrait: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Screen {
    /// As somebody sees it the first time
    First,
    Home,
    /// Without camera, with a mistyped setting file
    Trouble,
    Waiting,
    /// Before any server has answered
    Opening,
    Joining,
    Connecting,
    Call,
    /// The other side has neither picture nor sound
    Quiet,
    /// The connection is gone for the moment
    Reconnecting,
    Ended,
    Failed,
    /// Every icon, large
    Icons,
}

struct Gallery {
    window: Window,
    state: State,
    settings: Settings,
    own: VideoView,
    other: VideoView,
    icons: bool,
}

impl Gallery {
    fn new(cli: &Cli, creation: &eframe::CreationContext<'_>) -> anyhow::Result<Self> {
        theme::install(&creation.egui_ctx);
        let [mut own, mut other] = VideoView::pair(creation.gl.as_deref());
        let size = |w, h| Size::new(w, h).map_err(anyhow::Error::from);
        let picture = |size, content| pattern::Pattern::new(content, size).picture_at(1_700_000_000_123.0);
        own.show(&creation.egui_ctx, picture(size(1280, 720)?, pattern_content(false)));
        let upright = if cli.portrait { size(720, 1280)? } else { size(1280, 720)? };
        other.show(&creation.egui_ctx, picture(upright, pattern_content(true)));
        let mut settings = sample::settings();
        settings.theme = if cli.theme == "light" { ThemeChoice::Light } else { ThemeChoice::Dark };
        let mut notice = None;
        if cli.screen == Screen::First {
            settings.notice_seen = false;
            settings.name.clear();
        }
        let state = state(cli.screen);
        if cli.screen == Screen::Trouble {
            notice = Some(
                "The settings were damaged, so Visavis started with its defaults. \
                           The old file is kept as settings.json.damaged."
                    .to_owned(),
            );
        }
        let icons = cli.screen == Screen::Icons;
        Ok(Self { window: Window::new(notice), state, settings, own, other, icons })
    }
}

fn pattern_content(pan: bool) -> visavis_capture::Content {
    if pan { visavis_capture::Content::Pan } else { visavis_capture::Content::Cam }
}

fn state(screen: Screen) -> State {
    let now = Instant::now();
    let call = sample::in_call(now, Duration::from_secs(754));
    let mut state = sample::state(match screen {
        Screen::First | Screen::Home | Screen::Trouble | Screen::Icons => Phase::Home,
        Screen::Waiting => Phase::Waiting(sample::waiting()),
        Screen::Opening => {
            let mut waiting = sample::waiting();
            waiting.reach = vec![Reach::Unreachable { host: "calls.example".into(), why: "connection refused".into() }];
            waiting.notice = Some("Somebody guessed wrong three times; this is a new code".into());
            Phase::Waiting(waiting)
        }
        Screen::Joining => Phase::Joining { code: sample::code(), since: now },
        Screen::Connecting => Phase::Connecting { code: sample::code(), since: now },
        Screen::Call | Screen::Quiet | Screen::Reconnecting => Phase::InCall(call),
        Screen::Ended => Phase::Ended(sample::ended(EndReason::PeerHungUp)),
        Screen::Failed => Phase::Ended(sample::ended(EndReason::WrongCode)),
    });
    if let Phase::InCall(call) = &mut state.phase {
        match screen {
            Screen::Quiet => {
                (call.peer.video_on, call.peer.muted) = (false, true);
                state.muted = true;
                state.video_on = false;
            }
            Screen::Reconnecting => call.interrupted = Some(now),
            _ => {}
        }
    }
    if let Phase::Ended(ended) = &mut state.phase
        && screen == Screen::Failed
    {
        ended.duration = Duration::ZERO;
    }
    if screen == Screen::Trouble {
        state.camera = CameraState::Failed(DeviceError::Busy { name: "HD Webcam C920".into() });
    }
    state
}

impl eframe::App for Gallery {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if self.icons {
            return icons_ui(ui);
        }
        let (state, settings, own, other) = (&self.state, &self.settings, &self.own, &self.other);
        let view = View { state, settings, own, other, now: Instant::now() };
        match self.window.ui(ui, view) {
            Some(UiCommand::Change(change)) => self.settings.apply(change),
            Some(other) => println!("{other:?}"),
            None => {}
        }
    }
}

fn icons_ui(ui: &mut egui::Ui) {
    ui.painter().rect_filled(ui.max_rect(), 0.0, egui::Color32::from_gray(20));
    ui.horizontal_wrapped(|ui| {
        for icon in Icon::ALL {
            for side in [18.0, 96.0] {
                let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(side), egui::Sense::hover());
                icon.paint(ui.painter(), rect, egui::Color32::WHITE);
            }
            ui.add_space(16.0);
        }
    });
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let size = [cli.size.width() as f32, cli.size.height() as f32];
    let viewport = egui::ViewportBuilder::default().with_inner_size(size).with_position([0.0, 0.0]);
    let native = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let create = move |creation: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        Ok(Box::new(Gallery::new(&cli, creation)?))
    };
    eframe::run_native("Visavis gallery", native, Box::new(create)).map_err(|e| anyhow::anyhow!("{e}"))
}
