//! Shows any screen with a made-up state, for looking at it:
//! `cargo run --release -p visavis --example gallery -- --screen call --theme light --size 900x600`

use clap::Parser;
use std::time::{Duration, Instant};
use visavis_app::icons::Icon;
use visavis_app::quality::Health;
use visavis_app::sample::{self, Weather};
use visavis_app::settings::{Settings, ThemeChoice};
use visavis_app::video::VideoView;
use visavis_app::view::View;
use visavis_app::window::Window;
use visavis_app::{command::UiCommand, theme};
use visavis_call::{
    Away, Check, Echo, EchoOutcome, EchoTest, EndReason, Finding, Path, Phase, Reach, State, Waiting, Way,
};
use visavis_capture::{CameraState, DeviceError, DeviceState, WhyReplaced, pattern};
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
    /// Names and words as long as they get
    #[arg(long)]
    long: bool,
    /// Which reason a call ended for, by number from 0 on
    #[arg(long, default_value_t = 1)]
    reason: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Screen {
    /// As somebody sees it the first time
    First,
    Home,
    /// With a room that was kept
    Kept,
    /// That room, open
    Room,
    /// Somebody wants to be let into it
    Asked,
    /// And what they see
    Outside,
    /// Without camera, with a mistyped setting file
    Trouble,
    Waiting,
    /// Before any server has answered
    Opening,
    Joining,
    Connecting,
    Call,
    /// The other side is a page in a browser
    Guest,
    /// And is being loaded again
    Away,
    /// The other side has neither picture nor sound
    Quiet,
    /// The other side has no camera, and we have trouble with our devices
    Without,
    /// A microphone that gives nothing but zeros
    Silent,
    /// A headset was plugged in
    Headset,
    /// The same before a call
    HeadsetHome,
    /// A long way round, and a relay
    Fair,
    /// Loss, a queue, a picture that shrinks and stands still
    Poor,
    /// Our network is too slow for a picture
    SoundOnly,
    /// The other side's is
    TheirsSoundOnly,
    /// A computer that is too slow
    Busy,
    /// The connection is gone for the moment
    Reconnecting,
    /// The same without a picture
    ReconnectingQuiet,
    /// Checking one's setup, at its beginning
    Check,
    /// …with all well
    Checked,
    /// …with echo, a silent microphone, and a network that is in the way
    CheckedBad,
    /// As `--reason` says
    Ended,
    /// Every icon, large
    Icons,
}

struct Gallery {
    window: Window,
    state: State,
    settings: Settings,
    own: VideoView,
    other: VideoView,
    health: Health,
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
        settings.room = (cli.screen == Screen::Kept).then(sample::room);
        if cli.screen == Screen::First {
            settings.notice_seen = false;
            settings.name.clear();
        }
        let state = state(cli);
        if cli.screen == Screen::Trouble {
            notice = Some(
                "The settings were damaged, so Visavis started with its defaults. \
                           The old file is kept as settings.json.damaged."
                    .to_owned(),
            );
        }
        let icons = cli.screen == Screen::Icons;
        let health = sample::health(weather(cli.screen));
        Ok(Self { window: Window::new(notice), state, settings, own, other, health, icons })
    }
}

fn pattern_content(pan: bool) -> visavis_capture::Content {
    if pan { visavis_capture::Content::Pan } else { visavis_capture::Content::Cam }
}

/// What the last minute was like.
fn weather(screen: Screen) -> Weather {
    match screen {
        Screen::Fair => Weather::Fair,
        Screen::Poor => Weather::Bad,
        Screen::SoundOnly => Weather::SoundOnly,
        Screen::TheirsSoundOnly => Weather::TheirSoundOnly,
        Screen::Busy => Weather::Busy,
        _ => Weather::Calm,
    }
}

/// Every reason for which a call can end.
fn reasons() -> Vec<EndReason> {
    vec![
        EndReason::HungUp,
        EndReason::PeerHungUp,
        EndReason::PeerLeft,
        EndReason::NobodyHere,
        EndReason::WrongCode,
        EndReason::CodeTaken,
        EndReason::RoomFull,
        EndReason::Dismissed,
        EndReason::Declined,
        EndReason::NotAnswered,
        EndReason::Guarded,
        EndReason::SignalingUnreachable("calls.example: the name could not be resolved".into()),
        EndReason::ConnectFailed,
        EndReason::ConnectionLost,
        EndReason::Intercepted,
        EndReason::Version,
        EndReason::Internal("a thread could not be started".into()),
    ]
}

fn state(cli: &Cli) -> State {
    let now = Instant::now();
    let call = sample::in_call(now, Duration::from_secs(754));
    let mut state = sample::state(match cli.screen {
        Screen::First | Screen::Home | Screen::Kept | Screen::Trouble | Screen::HeadsetHome | Screen::Icons => {
            Phase::Home
        }
        Screen::Waiting => Phase::Waiting(sample::waiting()),
        Screen::Opening => {
            let mut waiting = sample::waiting();
            waiting.reach.clear();
            Phase::Waiting(waiting)
        }
        Screen::Joining => Phase::Joining { code: sample::code(), since: now, host: None },
        Screen::Connecting => Phase::Connecting { code: sample::code(), since: now, host: None },
        Screen::Room => Phase::Waiting(sample::room_waiting()),
        Screen::Asked => Phase::Waiting(sample::asked(now)),
        Screen::Outside => Phase::Outside { code: sample::room(), since: now, owner: "Grace".into() },
        Screen::Away => {
            let until = now + Duration::from_secs(24);
            Phase::Waiting(Waiting { away: Some(Away { name: "Grace".into(), until }), ..sample::waiting() })
        }
        Screen::Call
        | Screen::Guest
        | Screen::Quiet
        | Screen::Without
        | Screen::Silent
        | Screen::Headset
        | Screen::Fair
        | Screen::Poor
        | Screen::SoundOnly
        | Screen::TheirsSoundOnly
        | Screen::Busy
        | Screen::Reconnecting
        | Screen::ReconnectingQuiet
        | Screen::Check
        | Screen::Checked
        | Screen::CheckedBad => Phase::InCall(call),
        Screen::Ended => {
            let mut reasons = reasons();
            let mut ended = sample::ended(reasons.swap_remove(cli.reason.min(reasons.len() - 1)));
            if (3..10).contains(&cli.reason) {
                ended.duration = Duration::ZERO;
            }
            Phase::Ended(ended)
        }
    });
    match &mut state.phase {
        Phase::InCall(call) => match cli.screen {
            Screen::Quiet | Screen::ReconnectingQuiet => {
                (call.peer.video_on, call.peer.muted) = (false, true);
                state.muted = true;
                state.video_on = false;
                call.interrupted = (cli.screen == Screen::ReconnectingQuiet).then_some(now);
            }
            Screen::Without => {
                (call.peer.video_on, call.peer.has_camera) = (false, false);
                state.camera = CameraState::Failed(DeviceError::Busy { name: "HD Webcam C920".into() });
                state.microphone = sample::stand_in(WhyReplaced::Away);
                state.speaker = DeviceState::Failed(DeviceError::Unplugged);
            }
            Screen::Guest => call.peer.guest = Some(sample::guest(false)),
            Screen::Silent => (state.microphone_silent, state.microphone_level) = (true, 0.0),
            Screen::Fair => call.path = Path::Relayed,
            Screen::Poor => {
                call.path = Path::Relayed;
                state.muted = true;
                state.speaks_muted = true;
            }
            Screen::TheirsSoundOnly => call.peer.sound_only = true,
            Screen::Reconnecting => call.interrupted = Some(now),
            _ => {}
        },
        Phase::Waiting(waiting) if cli.long => {
            waiting.notice = Some("Somebody guessed wrong three times; this is a new code".into());
            let why = "the name could not be resolved within five seconds, or the network is down".to_owned();
            waiting.reach.push(Reach::Unreachable { host: "a-rather-long-name.of-a-server.example".into(), why });
        }
        _ => {}
    }
    if matches!(cli.screen, Screen::Headset | Screen::HeadsetHome) {
        state.offer = Some(sample::offer());
    }
    state.check = check(cli.screen);
    if cli.screen == Screen::CheckedBad {
        state.microphone_silent = true;
    }
    if cli.screen == Screen::Trouble {
        state.camera = CameraState::Failed(DeviceError::Busy { name: "HD Webcam C920".into() });
        state.microphone = sample::stand_in(WhyReplaced::Away);
    }
    if cli.long {
        lengthen(&mut state);
    }
    state
}

/// What was found out about one's setup.
fn check(screen: Screen) -> Option<Check> {
    let well = sample::check();
    match screen {
        Screen::Check => {
            let mut check = Check { echo: EchoTest::Running(40), ..well };
            check.network.servers.iter_mut().for_each(|server| server.finding = Finding::Asking);
            check.network.way = Way::Asking;
            Some(check)
        }
        Screen::Checked => Some(well),
        Screen::CheckedBad => {
            let echo = Echo { delay: Duration::from_millis(312), level_db: -9.0, left_db: -8.0 };
            let mut check = Check { echo: EchoTest::Over(EchoOutcome::Echo(echo)), ..well };
            let findings = [Finding::NoAnswer, Finding::UnknownName, Finding::WrongPassword];
            check.network.servers.iter_mut().zip(findings).for_each(|(server, finding)| server.finding = finding);
            check.network.way = Way::Changing;
            Some(check)
        }
        _ => None,
    }
}

/// The longest names that the app takes.
fn lengthen(state: &mut State) {
    let name = "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine, the second of";
    match &mut state.phase {
        Phase::InCall(call) => call.peer.name = name.into(),
        Phase::Ended(ended) => ended.peer_name = name.into(),
        _ => {}
    }
    if let Some(offer) = &mut state.offer {
        offer.name = "USB-Kopfhörer mit Freisprecheinrichtung Jabra Evolve 65 SE".into();
    }
    for device in [&mut state.microphone, &mut state.speaker] {
        if let DeviceState::Running { name, instead_of: Some(chosen) } = device {
            *name = "Eingebautes Audio Analog Stereo (Mikrofonanordnung)".into();
            chosen.name = "USB-Lautsprecher mit Freisprecheinrichtung Jabra Speak 750".into();
        }
    }
}

impl eframe::App for Gallery {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if self.icons {
            return icons_ui(ui);
        }
        let (state, settings, own, other, health) = (&self.state, &self.settings, &self.own, &self.other, &self.health);
        let view = View { state, settings, own, other, health, now: Instant::now() };
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
