//! The task that feeds the session and carries out what it says: one `select!`, one place where everything meets.

mod checks;
mod chime_time;
mod devices;
mod links;
mod peers;
mod sounds;

use crate::api::{Asks, Command, Event, Figures, Phase, State};
use crate::check::Mirror;
use crate::endpoint::{Role, Shared};
use crate::network::Network;
use crate::options::Options;
use crate::peer::PeerEvent;
use crate::session::{Input, Me, Output, PeerKey, Session};
use crate::stats::StatsSnapshot;
use checks::{CheckNews, Checks};
use devices::Devices;
use links::{LinkNews, LinkTable};
use peers::{PeerNews, Peers};
use sounds::Sounds;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use visavis_capture::{CameraSpec, CameraState, Chime, DeviceLists, DeviceState, wall_clock};
use visavis_media::{Size, VideoFrame, slot};
use visavis_signaling::{PakeSecret, RoomCode};

/// Statistics are taken this often.
const STATISTICS: Duration = Duration::from_secs(1);
/// What is being closed when the app goes has this long.
const CLOSING: Duration = Duration::from_secs(2);

/// What is shown before anything has been opened.
pub(crate) fn first_state(options: &Options) -> State {
    State {
        phase: Phase::Home,
        camera: CameraState::Off,
        microphone: DeviceState::Off,
        speaker: DeviceState::Off,
        devices: Arc::new(DeviceLists::default()),
        offer: None,
        microphone_level: 0.0,
        microphone_silent: false,
        speaks_muted: false,
        muted: false,
        video_on: options.camera != CameraSpec::None,
        check: None,
    }
}

/// Runs until the commands' sender is gone, then hangs up and closes everything.
pub(crate) async fn run(
    role: Role,
    mut options: Options,
    shared: Arc<Shared>,
    publish: watch::Sender<Arc<State>>,
    preview: slot::Writer<VideoFrame>,
    remote: slot::Writer<VideoFrame>,
    commands: mpsc::Receiver<Command>,
) {
    let mirror = (role == Role::Echo).then(Mirror::default);
    if let Some(mirror) = &mirror {
        options.on_picture = Some(mirror.tap());
    }
    let (peers, peer_news) = Peers::new(&options, remote);
    let (links, link_news) = LinkTable::new(&options);
    let (secrets, secrets_in) = mpsc::channel(8);
    let (checks, check_news) = Checks::new();
    let video_on = mirror.is_some() || options.camera != CameraSpec::None;
    let me = Me { name: options.name.clone(), video_on, camera_works: video_on, ..Me::default() };
    let mut driver = Driver {
        session: Session::new(me, options.connecting.watchdog),
        devices: Devices::new(&options, preview, mirror),
        peers,
        links,
        secrets,
        shared,
        publish,
        figures: Figures::default(),
        last: StatsSnapshot::default(),
        muted: false,
        video_on,
        camera: CameraState::Off,
        camera_works: video_on,
        sounds: Sounds::default(),
        next_ring: None,
        checks,
    };
    driver.begin();
    driver.serve(commands, peer_news, link_news, secrets_in, check_news).await;
    driver.finish().await;
}

struct Driver {
    session: Session,
    devices: Devices,
    peers: Peers,
    links: LinkTable,
    secrets: mpsc::Sender<(RoomCode, PakeSecret)>,
    shared: Arc<Shared>,
    publish: watch::Sender<Arc<State>>,
    figures: Figures,
    last: StatsSnapshot,
    muted: bool,
    video_on: bool,
    camera: CameraState,
    camera_works: bool,
    sounds: Sounds,
    /// Somebody at the door is heard again then.
    next_ring: Option<Instant>,
    checks: Checks,
}

impl Driver {
    fn begin(&mut self) {
        for (id, info) in self.links.open_configured() {
            self.feed(Input::LinkAdded(id, info));
        }
        self.settle();
    }

    async fn serve(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut peer_news: mpsc::Receiver<PeerNews>,
        mut link_news: mpsc::Receiver<LinkNews>,
        mut secrets: mpsc::Receiver<(RoomCode, PakeSecret)>,
        mut check_news: mpsc::Receiver<CheckNews>,
    ) {
        let mut network = Network::watch();
        let mut statistics = tokio::time::interval(STATISTICS);
        statistics.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let timeout = self.session.poll_timeout().into_iter().chain(self.next_ring).min();
            let sleep = async {
                match timeout {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                Some(news) = peer_news.recv() => self.peer_news(news),
                Some(news) = link_news.recv() => self.link_news(news),
                Some((code, secret)) = secrets.recv() => self.feed(Input::Secret(code, secret)),
                Some(news) = check_news.recv() => self.check_news(news),
                () = self.devices.changed() => {}
                addresses = network.changed() => {
                    self.links.probe_all();
                    self.feed(Input::Network(addresses));
                }
                _ = statistics.tick(), if self.peers.media_flows() => self.measure(),
                () = sleep => self.session.handle_timeout(Instant::now()),
            }
            self.settle();
        }
    }

    fn feed(&mut self, input: Input) {
        self.session.handle(Instant::now(), input);
    }

    fn command(&mut self, command: Command) {
        match &command {
            Command::SetMuted(muted) => {
                self.muted = *muted;
                self.devices.mute(*muted);
            }
            Command::SetVideo(on) => self.video_on = *on,
            Command::SetCamera(spec) => self.devices.use_camera(spec.clone()),
            Command::SetMicrophone(spec) => self.devices.use_microphone(spec.clone()),
            Command::SetSpeaker(spec) => self.devices.use_speaker(spec.clone()),
            Command::SetSoundDevices { microphone, speaker } => {
                microphone.iter().for_each(|spec| self.devices.use_microphone(spec.clone()));
                speaker.iter().for_each(|spec| self.devices.use_speaker(spec.clone()));
            }
            Command::DismissOffer => self.devices.dismiss_offer(),
            Command::SetSound(settings) => self.devices.treat_sound(*settings),
            Command::TestSpeaker => self.devices.chime(Chime::Trial),
            Command::SetIce { servers, relay_only } => self.peers.use_ice(servers, *relay_only),
            Command::SetServers(servers) => {
                let (gone, new) = self.links.set_configured(servers);
                for id in gone {
                    self.feed(Input::LinkGone(id, "no longer configured".into()));
                }
                for (id, info) in new {
                    self.feed(Input::LinkAdded(id, info));
                }
            }
            Command::CheckSetup => return self.begin_check(),
            Command::TestEcho => return self.test_echo(),
            Command::HangUp if self.checks.is_running() => return self.end_check(),
            Command::Start(_) | Command::Meet(_) => self.end_check(),
            Command::Join(invitation) | Command::Prepare(invitation) => {
                if matches!(command, Command::Join(_)) {
                    self.end_check();
                }
                if let Some((id, info)) = self.links.open_invited(invitation.server.as_deref()) {
                    self.feed(Input::LinkAdded(id, info));
                }
            }
            Command::HangUp | Command::LetIn(_) | Command::SetName(_) | Command::Chat(_) | Command::Ping(_) => {}
        }
        self.feed(Input::Command(command));
    }

    fn peer_news(&mut self, news: PeerNews) {
        match news {
            PeerNews::Event(key, event) => {
                if event == PeerEvent::IceConnected {
                    self.peers.soon();
                }
                self.feed(Input::Peer(key, event));
            }
            PeerNews::FirstPicture => self.shared.event(Event::FirstFrame),
            PeerNews::Built(key, built) => {
                if let Some(event) = self.peers.built(key, built) {
                    self.feed(Input::Peer(key, event));
                }
            }
            PeerNews::Spare(spare) => self.peers.spare_built(spare),
        }
    }

    fn link_news(&mut self, news: LinkNews) {
        if let Some(input) = self.links.translate(news) {
            self.feed(input);
        }
    }

    /// Carries out everything the session wants, then shows what is true now.
    fn settle(&mut self) {
        let camera = self.devices.camera_state();
        if camera != self.camera {
            self.shared.event(Event::Camera(camera.clone()));
            self.camera = camera;
        }
        let works = self.devices.has_camera();
        if works != self.camera_works {
            self.camera_works = works;
            self.feed(Input::CameraWorks(works));
        }
        self.carry_all_out();
        self.show();
    }

    fn carry_all_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Serve { code, look } => {
                self.peers.prepare(self.devices.look_through());
                self.links.serve(&code, look);
            }
            Output::Search(code) => {
                self.peers.prepare(self.devices.look_through());
                self.links.search(&code);
            }
            Output::Release { keep } => {
                for id in self.links.release(keep) {
                    self.feed(Input::LinkGone(id, "not needed any more".into()));
                }
            }
            Output::Derive(code) => self.derive(code),
            Output::Send(link, message) => self.links.send(link, message),
            Output::Probe(link) => self.links.probe(link),
            Output::LookUp(servers) => self.peers.look_up(&servers),
            Output::PeerNew(key, servers) => {
                // The last connection of this call may have used up what was prepared.
                self.peers.prepare_media(|| self.devices.look_through());
                self.peers.open(key, &servers);
            }
            Output::PeerDo(key, command) => self.peers.command(key, command),
            Output::PeerDrop(key) => self.peers.close(key),
            Output::MediaStart(key) => self.start_media(key),
            Output::MediaStop => self.stop_media(),
            Output::Tell(event) => {
                // An echo peer neither rings nor leaves.
                let chime = if self.checks.is_running() { None } else { self.sounds.of(&event) };
                chime.into_iter().for_each(|chime| self.devices.chime(chime));
                self.shared.event(event);
            }
        }
    }

    /// Rings while somebody wants to be let in.
    fn sound_asking(&mut self, asks: Option<&Asks>) {
        let chime = self.sounds.while_asked(asks.map(|asks| asks.since.elapsed()));
        self.next_ring = asks.map(|asks| asks.since + self.sounds.next_ring());
        chime.into_iter().for_each(|chime| self.devices.chime(chime));
    }

    /// Says once by a sound that nothing gets through.
    fn sound_interruption(&mut self, interrupted: Option<Instant>) {
        let chime = self.sounds.while_interrupted(interrupted.map(|since| since.elapsed()));
        chime.into_iter().for_each(|chime| self.devices.chime(chime));
    }

    /// Starts an echo peer, while nobody else is being talked to.
    fn begin_check(&mut self) {
        self.end_check();
        if matches!(self.session.phase(), Phase::Ended(_)) {
            self.feed(Input::Command(Command::HangUp));
        }
        if matches!(self.session.phase(), Phase::Home) {
            self.checks.begin(self.peers.questions());
            self.peers.stay_here(true);
            self.peers.prepare(self.devices.look_through());
        }
    }

    fn check_news(&mut self, news: CheckNews) {
        let Some(invitation) = self.checks.take(news) else { return };
        if let Some(url) = invitation.server.as_deref() {
            let (id, info) = self.links.open_echo(url);
            self.feed(Input::LinkAdded(id, info));
            self.feed(Input::CallEcho(invitation.code));
        }
    }

    fn test_echo(&mut self) {
        if matches!(self.session.phase(), Phase::InCall(_))
            && let Some(trial) = self.checks.test()
        {
            self.devices.try_echo(trial);
        }
    }

    /// Hangs up, and goes back to where one came from.
    fn end_check(&mut self) {
        if !self.checks.is_running() {
            return;
        }
        // Once to end the call, and once more to leave what tells of its end.
        for _ in 0..2 {
            self.feed(Input::Command(Command::HangUp));
        }
        self.carry_all_out();
        self.checks.end();
        self.peers.stay_here(false);
    }

    fn derive(&self, code: RoomCode) {
        let out = self.secrets.clone();
        tokio::task::spawn_blocking(move || {
            let secret = PakeSecret::derive(&code);
            let _ = out.blocking_send((code, secret));
        });
    }

    fn start_media(&mut self, key: PeerKey) {
        (self.last, self.figures) = (StatsSnapshot::default(), Figures::default());
        self.feed(Input::SoundOnly(false));
        self.peers.start_media(key, self.devices.audio());
    }

    fn stop_media(&mut self) {
        if let Some(last) = self.peers.snapshot(wall_clock().unix_ms(Instant::now())) {
            self.shared.statistics(last);
        }
        self.peers.stop_media();
    }

    /// Takes the statistics of one second.
    fn measure(&mut self) {
        let Some(mut now) = self.peers.snapshot(wall_clock().unix_ms(Instant::now())) else { return };
        let last = &self.last;
        let seconds = ((now.t - last.t) / 1000.0).clamp(0.1, 10.0);
        let kbps = |new: u64, old: u64| (new.saturating_sub(old) as f64 * 8.0 / 1000.0 / seconds) as f32;
        let (video, before) = (&now.inbound_video, &last.inbound_video);
        let received = video.packets_received.saturating_sub(before.packets_received);
        let lost = video.packets_lost.saturating_sub(before.packets_lost);
        self.figures = Figures {
            round_trip: now.candidate_pair.current_round_trip_time.and_then(|s| Duration::try_from_secs_f64(s).ok()),
            received_fps: (video.frames_decoded.saturating_sub(before.frames_decoded) as f64 / seconds) as f32,
            received_size: Size::new(video.frame_width, video.frame_height).ok(),
            received_kbps: kbps(video.bytes_received, before.bytes_received),
            sent_kbps: kbps(now.outbound_video.bytes_sent, last.outbound_video.bytes_sent),
            lost: lost as f32 / (lost + received).max(1) as f32,
        };
        now.inbound_video.frames_per_second = self.figures.received_fps.into();
        let encoded = now.outbound_video.frames_encoded.saturating_sub(last.outbound_video.frames_encoded);
        now.outbound_video.frames_per_second = encoded as f64 / seconds;
        let sound_only = now.outbound_video.sound_only;
        let changed = sound_only != last.outbound_video.sound_only;
        self.shared.statistics(now.clone());
        self.last = now;
        if changed {
            self.feed(Input::SoundOnly(sound_only));
        }
    }

    fn show(&mut self) {
        let mut phase = self.session.phase();
        let active = self.checks.is_running() || !matches!(phase, Phase::Home | Phase::Ended(_));
        self.devices.arrange(active, self.video_on);
        if !active {
            self.peers.rest();
        }
        let asks = if let Phase::Waiting(waiting) = &phase { waiting.asks.as_ref() } else { None };
        self.sound_asking(asks);
        if let Phase::InCall(call) = &mut phase {
            call.figures = self.figures;
            if !self.checks.is_running() {
                self.sound_interruption(call.interrupted);
            }
        }
        let board = self.devices.board();
        let state = State {
            phase,
            camera: board.camera,
            microphone: board.microphone,
            speaker: board.speaker,
            devices: board.lists,
            offer: board.offer,
            microphone_level: board.sound.level,
            microphone_silent: board.sound.silent,
            speaks_muted: board.sound.speaks_muted,
            muted: self.muted,
            video_on: self.video_on,
            check: self.checks.view(),
        };
        self.publish.send_replace(Arc::new(state));
        (self.shared.wake)();
    }

    async fn finish(mut self) {
        self.end_check();
        if !matches!(self.session.phase(), Phase::Home | Phase::Ended(_)) {
            self.feed(Input::Command(Command::HangUp));
            self.settle();
        }
        let closing = async {
            self.checks.finish().await;
            self.peers.finish().await;
            self.links.finish().await;
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::debug!("something did not close in time");
        }
    }
}
