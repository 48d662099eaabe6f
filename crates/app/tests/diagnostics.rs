//! The report of a real call: two endpoints, a server of known name, a known code, known people, known words.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use visavis_app::diagnostics::{Facts, System, report};
use visavis_app::settings::Settings;
use visavis_call::{Command, Endpoint, Event, LocalNetwork, Options, Phase};
use visavis_capture::{CameraSpec, Content, MicrophoneSpec, SpeakerSpec};
use visavis_media::Size;
use visavis_server::ServerConfig;
use visavis_signaling::{Invitation, RoomCode};

/// Longer than anything here takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);

struct Side {
    endpoint: Endpoint,
    settings: Settings,
    woken: Receiver<()>,
    events: Vec<Event>,
}

impl Side {
    fn start(name: &str, server: &str) -> Self {
        let settings = Settings {
            name: name.into(),
            servers: vec![server.into()],
            ice_servers: Vec::new(),
            ..Settings::default()
        };
        let options = Options {
            servers: settings.servers.clone(),
            ice_servers: Vec::new(),
            bind: vec![([127, 0, 0, 1], 0).into()],
            local_network: LocalNetwork::Off,
            name: name.into(),
            camera: CameraSpec::Pattern(Content::Cam),
            microphone: MicrophoneSpec::Tone,
            speaker: SpeakerSpec::None,
            size: Size::new(320, 180).expect("even"),
            ..Options::default()
        };
        let (poke, woken): (SyncSender<()>, _) = sync_channel(1);
        let endpoint = Endpoint::start(options, move || {
            // Full: the news is being looked at already.
            let _ = poke.try_send(());
        })
        .expect("it starts");
        Self { endpoint, settings, woken, events: Vec::new() }
    }

    fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&mut Self) -> Option<T>) -> T {
        let limit = Instant::now() + LONG;
        loop {
            let news = self.endpoint.events().into_iter().map(|timed| timed.event);
            self.events.extend(news);
            if let Some(found) = wanted(self) {
                return found;
            }
            assert!(Instant::now() < limit, "waited in vain for {what}; {:?}", self.events);
            // Whether it was woken or not, it is looked at again.
            let _ = self.woken.recv_timeout(Duration::from_millis(50));
        }
    }

    fn report(&self) -> String {
        let system = System { name: System::name_of_this(), renderer: "none".into() };
        let (state, recent) = (self.endpoint.state(), self.endpoint.recent());
        report(Facts { system: &system, state: &state, settings: &self.settings, recent: &recent, now: Instant::now() })
    }
}

/// Whether four numbers joined by dots, or an IPv6 address, stand anywhere in a text.
fn holds_an_address(text: &str) -> bool {
    let words = || text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
    let v4 = words().flat_map(|word| word.split(':')).any(|word| word.parse::<std::net::Ipv4Addr>().is_ok());
    v4 || words().any(|word| word.matches(':').count() > 1 && word.parse::<std::net::Ipv6Addr>().is_ok())
}

#[test]
fn the_report_of_a_call_says_how_it_went_and_names_nobody() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = format!("ws://127.0.0.1:{port}");
    runtime.spawn(visavis_server::run(listener, ServerConfig::default(), std::future::pending()));

    let code: RoomCode = "velvet-canyon-orbit-zero".parse().expect("its checksum holds");
    let mut ada = Side::start("Ada Quuxlace", &server);
    let grace = Side::start("Grace Xyzzyman", &server);
    ada.endpoint.send(Command::Start(Some(code.clone())));
    ada.until("the room", |side| side.events.iter().any(|e| matches!(e, Event::Joined { .. })).then_some(()));
    // Events are told a moment before the state shows them.
    ada.until("who can find the room", |side| match &side.endpoint.state().phase {
        Phase::Waiting(waiting) => (!waiting.reach.is_empty()).then_some(()),
        _ => None,
    });
    let waiting = ada.report();
    grace.endpoint.send(Command::Join(Invitation { code, server: Some(server) }));
    let verification = ada.until("the call", |side| {
        side.events
            .iter()
            .find_map(|e| if let Event::Connected { verification, .. } = e { Some(verification.clone()) } else { None })
    });
    // Names come with the first words over the channel, figures after a second.
    ada.until("the other's name", |side| match &side.endpoint.state().phase {
        Phase::InCall(call) => (call.peer.name == "Grace Xyzzyman").then_some(()),
        _ => None,
    });
    grace.endpoint.send(Command::Chat("the plugh is in the cellar".into()));
    ada.until("the message", |side| side.events.iter().any(|e| matches!(e, Event::Chat(_))).then_some(()));
    ada.until("pictures", |side| {
        side.endpoint.recent().statistics.filter(|all| all.inbound_video.frames_decoded > 0).map(|_| ())
    });
    let talking = ada.report();
    grace.endpoint.send(Command::HangUp);
    ada.until("the end", |side| matches!(side.endpoint.state().phase, Phase::Ended(_)).then_some(()));
    let ended = ada.report();

    for text in [&waiting, &talking, &ended] {
        let lower = text.to_lowercase();
        for secret in
            ["velvet", "canyon", "orbit", "zero", "ada", "quuxlace", "grace", "xyzzy", "plugh", "cellar", "ws:"]
        {
            assert!(!lower.contains(secret), "{secret} is in:\n{text}");
        }
        assert!(!text.contains(&format!(":{port}")) && !holds_an_address(text), "an address is in:\n{text}");
        // Five digits alone may be a figure.
        assert!(!text.contains(&verification[..11]), "the verification number is in:\n{text}");
    }
    for (text, words) in [
        (&waiting, vec!["state: waiting; found by: a server", "joined first", "path: no call yet"]),
        (
            &talking,
            vec![
                "state: in a call",
                "path: direct",
                "connected direct",
                "chat",
                "first-frame",
                "320x180",
                "video out:",
            ],
        ),
        (&ended, vec!["state: ended peer-hung-up", "path: direct", "ended peer-hung-up", "video in:"]),
    ] {
        for words in words {
            assert!(text.contains(words), "{words} is missing in:\n{text}");
        }
    }
}
