//! Two people and a server on loopback, and waiting that ends with what happened instead of what was hoped for.
#![allow(dead_code, unused_imports, reason = "each test program uses its own part")]

pub mod footprint;
mod senses;
mod server;

pub use senses::{Ear, Eye, loudest, share_at, share_in_pieces};
pub use server::{Server, runtime};

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use visavis_call::{
    Command, EndReason, Endpoint, Event, LocalNetwork, Options, Phase, SoundChoices, State, StatsSnapshot,
};
use visavis_capture::{CameraSpec, Content, MicrophoneSpec, SpeakerSpec};
use visavis_media::Size;
use visavis_signaling::{Invitation, RoomCode};

/// Longer than anything here takes, even on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);
/// Conditions are looked at again after this long, should nobody say that something is new.
const LOOK: Duration = Duration::from_millis(50);

/// What most tests start from: synthetic devices, small pictures, nothing but loopback.
pub fn options(server: Option<&Server>) -> Options {
    Options {
        servers: server.map(Server::url).into_iter().collect(),
        ice_servers: Vec::new(),
        bind: vec![([127, 0, 0, 1], 0).into()],
        local_network: LocalNetwork::Off,
        camera: CameraSpec::Pattern(Content::Cam),
        microphone: MicrophoneSpec::Tone,
        speaker: SpeakerSpec::None,
        size: Size::new(320, 180).unwrap(),
        fps: 30.0,
        // What is listened to is the other side.
        sound: SoundChoices::PLAIN,
        ..Options::default()
    }
}

/// For calls in which nothing is looked at or listened to.
pub fn without_devices(server: Option<&Server>) -> Options {
    Options {
        camera: CameraSpec::None,
        microphone: MicrophoneSpec::None,
        speaker: SpeakerSpec::None,
        preview: false,
        ..options(server)
    }
}

pub fn invitation(code: &RoomCode) -> Invitation {
    Invitation { code: code.clone(), server: None }
}

/// A code that leads to the same room and has other last words.
pub fn wrong_last_words(right: &RoomCode) -> RoomCode {
    let finds = right.words()[..2].join("-");
    // The last words hold the checksum of all four: one draw in sixteen fits.
    let fitting = std::iter::repeat_with(|| {
        let proves = RoomCode::random().words()[2..].join("-");
        format!("{finds}-{proves}").parse::<RoomCode>().ok()
    });
    let code = fitting.flatten().find(|code| code.password() != right.password()).unwrap();
    assert_eq!(code.room_id(), right.room_id());
    code
}

/// One person: an endpoint, and everything that was seen, heard and told there.
pub struct Side {
    pub name: &'static str,
    pub endpoint: Endpoint,
    pub eye: Eye,
    pub ear: Ear,
    wake: Receiver<()>,
    pending: VecDeque<Event>,
    history: Vec<Event>,
    statistics: Vec<StatsSnapshot>,
}

impl Side {
    pub fn start(name: &'static str, mut options: Options) -> Self {
        // RUST_LOG=visavis_call=debug shows why a test failed.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let (poke, wake) = sync_channel(1);
        let (eye, ear) = (Eye::new(poke.clone()), Ear::new(poke.clone()));
        options.on_picture = Some(eye.tap());
        options.on_sound = Some(ear.tap());
        if options.name.is_empty() {
            name.clone_into(&mut options.name);
        }
        let endpoint = Endpoint::start(options, poker(poke)).unwrap();
        Self { name, endpoint, eye, ear, wake, pending: VecDeque::new(), history: Vec::new(), statistics: Vec::new() }
    }

    pub fn send(&self, command: Command) {
        self.endpoint.send(command);
    }

    pub fn state(&self) -> Arc<State> {
        self.endpoint.state()
    }

    /// Waits until the condition gives something.
    ///
    /// # Panics
    /// After half a minute, with everything that happened to this side.
    pub fn until<T>(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> Option<T>) -> T {
        let limit = Instant::now() + LONG;
        loop {
            self.fetch();
            if let Some(found) = condition(self) {
                return found;
            }
            if Instant::now() > limit {
                self.give_up(what);
            }
            let _ = self.wake.recv_timeout(LOOK);
        }
    }

    /// Waits for an event; those before it are passed over.
    pub fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.until(what, |side| side.taken(&mut wanted))
    }

    /// The next such event that has come already; those before it are passed over, and where there is none, all.
    fn taken<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        std::iter::from_fn(|| self.pending.pop_front()).find_map(|event| wanted(&event))
    }

    /// Waits for exactly this event.
    pub fn hears(&mut self, event: &Event) {
        self.event(&format!("{event:?}"), |e| (e == event).then_some(()));
    }

    /// Waits until the state is as wanted.
    pub fn shows(&mut self, what: &str, wanted: impl Fn(&State) -> bool) -> Arc<State> {
        self.until(what, |side| Some(side.state()).filter(|state| wanted(state)))
    }

    /// Waits for the end of the call or of the attempt.
    pub fn ends(&mut self) -> EndReason {
        self.event("the end", |e| match e {
            Event::Ended(reason) => Some(reason.clone()),
            _ => None,
        })
    }

    /// Events so far that were not passed over yet; none is taken.
    pub fn unread(&mut self) -> Vec<Event> {
        self.fetch();
        self.pending.iter().cloned().collect()
    }

    /// Waits until as many snapshots of the statistics were taken from now on, and gives these.
    pub fn measures(&mut self, snapshots: usize) -> Vec<StatsSnapshot> {
        self.fetch();
        let before = self.statistics.len();
        self.until("statistics", |side| {
            let new = &side.statistics[before..];
            (new.len() >= snapshots).then(|| new.to_vec())
        })
    }

    /// Waits for a picture captured after `moment`, and says how long after.
    pub fn sees_what_was_captured_after(&mut self, moment: Instant) -> Duration {
        let unix_ms = visavis_capture::wall_clock().unix_ms(moment).ceil() as u64;
        let seen = self.until("a newer picture", |side| side.eye.first_captured_after(unix_ms));
        seen.submitted.saturating_duration_since(moment)
    }

    /// Forgets everything seen, heard and told so far, so that what a test keeps does not grow.
    pub fn forget(&mut self) {
        self.fetch();
        (self.pending, self.history, self.statistics) = (VecDeque::new(), Vec::new(), Vec::new());
        self.eye.forget();
        self.ear.forget();
    }

    fn fetch(&mut self) {
        let events: Vec<_> = self.endpoint.events().into_iter().map(|timed| timed.event).collect();
        self.history.extend(events.iter().cloned());
        self.pending.extend(events);
        self.statistics.extend(self.endpoint.statistics());
    }

    fn give_up(&self, what: &str) -> ! {
        let mut text = format!("{} waited in vain for {what}; what happened:\n", self.name);
        for event in &self.history {
            let _ = writeln!(text, "  {event:?}");
        }
        let _ = write!(text, "state: {:#?}", self.state());
        panic!("{text}");
    }
}

fn poker(poke: SyncSender<()>) -> impl Fn() + Send + Sync {
    move || {
        let _ = poke.try_send(());
    }
}

/// Lets `a` open a room and `b` join it; both are in the call afterwards, and their verification numbers agree.
pub fn call(a: &mut Side, b: &mut Side) -> RoomCode {
    let code = opens(a);
    b.send(Command::Join(invitation(&code)));
    connects(a, b);
    code
}

/// Lets somebody open a room under a new code, and waits until it is open.
pub fn opens(side: &mut Side) -> RoomCode {
    side.send(Command::Start(None));
    side.event("an open room", |e| match e {
        Event::Joined { opened: true, code } => Some(code.parse().unwrap()),
        _ => None,
    })
}

/// Waits until both are connected, and compares what they would read to each other.
pub fn connects(a: &mut Side, b: &mut Side) -> String {
    fn connected(side: &mut Side, other: &mut Side) -> String {
        side.until("the connection", |side| {
            for who in [&mut *side, &mut *other] {
                let ended = who.unread().into_iter().find(|e| matches!(e, Event::Ended(_)));
                assert!(ended.is_none(), "instead of a connection, at {}: {ended:?}", who.name);
            }
            side.taken(|e| match e {
                Event::Connected { verification, .. } => Some(verification.clone()),
                _ => None,
            })
        })
    }
    let at_a = connected(a, b);
    let at_b = connected(b, a);
    assert_eq!(at_a, at_b, "both read the same number");
    at_a
}

/// One hangs up, the other is told so; both are ready for the next call.
pub fn hang_up(first: &mut Side, second: &mut Side) {
    first.send(Command::HangUp);
    assert_eq!(first.ends(), EndReason::HungUp);
    assert_eq!(second.ends(), EndReason::PeerHungUp);
    for side in [first, second] {
        side.send(Command::HangUp);
        side.shows("the home screen", |s| matches!(s.phase, Phase::Home));
    }
}

/// Waits until the other side's own words have come over the control channel, so that later ones count as news.
pub fn knows(side: &mut Side, name: &str) {
    side.shows("the other's name", |s| in_call(s).is_some_and(|call| call.peer.name == name));
}

/// The call, if there is one.
pub fn in_call(state: &State) -> Option<&visavis_call::InCall> {
    match &state.phase {
        Phase::InCall(call) => Some(call),
        _ => None,
    }
}
