//! The relay behind a lock: connections tell it what they heard, and it queues for others what they are to say.
//!
//! The lock is held for one event at a time. A task between connections and relay would cost two changes of task for each
//! message that is passed on, which is most of what passing it on costs.

mod apart;
mod entering;

pub(crate) use apart::ApartFigures;

use crate::spread::{Directory, Homes};
use apart::Apart;
use axum::extract::ws::Utf8Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep_until;
use tracing::debug;
use visavis_signaling::{CloseReason, ConnectionId, Input, Origin, Output, Pace, Relay, RelayConfig, RelayCounts};

/// Messages that wait for one connection. Who does not take them is dropped: waiting would hold up everybody else. A
/// sender's burst may be worked off before a connection gets its turn.
const QUEUE: usize = 512;
/// The same in bytes, because messages differ so much.
const QUEUE_BYTES: usize = 256 * 1024;

/// What a connection heard.
#[derive(Debug)]
pub(crate) enum Event {
    Connected(Origin, Sender),
    Text(Utf8Bytes),
    /// The same, where it leaves its room.
    Leaving(Utf8Bytes),
    Alive,
    NotText,
    Closed,
    Lost,
}

/// What a connection is to say.
#[derive(Debug)]
pub(crate) enum Saying {
    Text(Arc<str>),
    Ping,
    /// Nothing: what it said is to be heard again, since its room is no longer where it was.
    Again(String),
    /// Good-bye, with code (RFC 6455, 7.4) and reason; the last one.
    Close(u16, String),
}

/// The relay and who is connected to it, for everybody who has something to tell.
#[derive(Clone)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    next_id: AtomicU64,
    /// The relay has a time-out again.
    due: Notify,
    /// Where rooms are at home, if they are spread over several servers.
    directory: Option<Directory>,
}

impl Hub {
    /// A relay without anybody, which has all rooms.
    pub(crate) fn new(config: RelayConfig) -> Self {
        Self::with(config, None, None)
    }

    fn with(config: RelayConfig, apart: Option<Box<Apart>>, directory: Option<Directory>) -> Self {
        let relay = Relay::new(config, rand::random());
        let (connections, stopping) = (HashMap::new(), false);
        let state = State { relay, connections, apart, stopping, slow: 0, silent: 0, taken_over: 0, flooding: 0 };
        let (state, next_id, due) = (Mutex::new(state), AtomicU64::new(0), Notify::new());
        Self { shared: Arc::new(Shared { state, next_id, due, directory }) }
    }

    /// Ends what has lasted too long, all the time.
    pub(crate) async fn watch_time(self) {
        loop {
            let timeout = self.lock().relay.poll_timeout();
            match timeout {
                None => self.shared.due.notified().await,
                Some(at) => {
                    sleep_until(at.into()).await;
                    let mut state = self.lock();
                    state.relay.handle_timeout(Instant::now());
                    state.carry_out();
                }
            }
        }
    }

    /// Registers a connection.
    pub(crate) fn connect(&self, origin: Origin) -> (Connection, mpsc::Receiver<Saying>, Arc<AtomicUsize>) {
        let id = self.next_id();
        let (sayings, sayings_out) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let connection = Connection { id, hub: self.clone() };
        connection.tell(Event::Connected(origin, Sender { sayings, waiting: waiting.clone() }));
        (connection, sayings_out, waiting)
    }

    /// Tells every connection to close, and those that come yet.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        debug!(connections = state.connections.len(), "stopping");
        state.stopping = true;
        state.part();
        state.connections.drain().for_each(|(_, sender)| say_that_we_stop(&sender));
    }

    /// What there is to count.
    pub(crate) fn figures(&self) -> HubFigures {
        let state = self.lock();
        HubFigures {
            rooms: state.relay.rooms(),
            connections: state.connections.len(),
            origins: state.relay.origins(),
            relay: state.relay.counts().clone(),
            slow: state.slow,
            silent: state.silent,
            taken_over: state.taken_over,
            flooding: state.flooding,
            apart: state.apart_figures(),
        }
    }

    fn next_id(&self) -> ConnectionId {
        ConnectionId(self.shared.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Does something to the relay, and what follows from it.
    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.relay.poll_timeout();
        let done = act(&mut state);
        state.carry_out();
        if before.is_none() && state.relay.poll_timeout().is_some() {
            self.shared.due.notify_one();
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Figures for whoever runs the server.
pub(crate) struct HubFigures {
    pub(crate) rooms: usize,
    pub(crate) connections: usize,
    pub(crate) origins: usize,
    pub(crate) relay: RelayCounts,
    /// Connections ended because they did not take what was sent to them, and for the relay's reasons.
    pub(crate) slow: u64,
    pub(crate) silent: u64,
    pub(crate) taken_over: u64,
    pub(crate) flooding: u64,
    /// Where rooms are spread over several servers.
    pub(crate) apart: Option<ApartFigures>,
}

/// A connection's way to the hub.
pub(crate) struct Connection {
    id: ConnectionId,
    hub: Hub,
}

impl Connection {
    /// Reports something; what follows from it is queued for others when this returns. Tells how to read on.
    pub(crate) fn tell(&self, event: Event) -> Pace {
        self.hub.with_state(|state| state.handle(self.id, event))
    }
}

/// The hub's way to a connection.
#[derive(Debug)]
pub(crate) struct Sender {
    sayings: mpsc::Sender<Saying>,
    /// Bytes that wait; the connection takes off what it has sent.
    waiting: Arc<AtomicUsize>,
}

impl Sender {
    /// Queues something; false where the connection does not keep up, or is gone.
    fn say(&self, saying: Saying) -> bool {
        let bytes = saying.bytes();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= QUEUE_BYTES && self.sayings.try_send(saying).is_ok()
    }
}

impl Saying {
    /// What it counts for in the queue.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Again(text) => text.len(),
            Self::Ping | Self::Close(..) => 0,
        }
    }
}

struct State {
    relay: Relay,
    connections: HashMap<ConnectionId, Sender>,
    apart: Option<Box<Apart>>,
    stopping: bool,
    slow: u64,
    silent: u64,
    taken_over: u64,
    flooding: u64,
}

fn say_that_we_stop(sender: &Sender) {
    sender.say(Saying::Close(1001, "the server is stopping".to_owned()));
}

impl State {
    fn handle(&mut self, id: ConnectionId, event: Event) -> Pace {
        if self.stopping {
            if let Event::Connected(_, sender) = event {
                say_that_we_stop(&sender);
            }
            return Pace::AsItComes;
        }
        if let Some(pace) = self.pass_on(id, &event) {
            return pace;
        }
        let now = Instant::now();
        let input = match &event {
            Event::Text(text) | Event::Leaving(text) => Input::Text(text.as_str()),
            Event::Alive => Input::Alive,
            Event::NotText => Input::NotText,
            Event::Connected(origin, _) => Input::ConnectedFrom(*origin),
            Event::Closed => Input::Closed,
            Event::Lost => Input::Lost,
        };
        let pace = self.relay.handle(now, id, input);
        match event {
            Event::Connected(_, sender) => {
                self.connections.insert(id, sender);
            }
            Event::Closed | Event::Lost => {
                self.connections.remove(&id);
            }
            Event::Text(_) | Event::Leaving(_) | Event::Alive | Event::NotText => {}
        }
        pace
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Send { to, text } => self.say(to, Saying::Text(text)),
                Output::Ping { to } => self.say(to, Saying::Ping),
                Output::Close { connection, why } => {
                    let (code, count) = match why {
                        CloseReason::Silent => (4000, &mut self.silent),
                        CloseReason::TakenOver => (4000, &mut self.taken_over),
                        CloseReason::Flooding => (1008, &mut self.flooding),
                    };
                    *count += 1;
                    match self.connections.remove(&connection) {
                        Some(sender) => {
                            self.come_back(connection, Homes::Lost);
                            sender.say(Saying::Close(code, why.to_string()));
                        }
                        None => self.say_to_guest(connection, &Saying::Close(code, why.to_string())),
                    }
                }
            }
        }
        self.free_guests();
    }

    fn say(&mut self, to: ConnectionId, saying: Saying) {
        let Some(sender) = self.connections.get(&to) else { return self.say_to_guest(to, &saying) };
        if !sender.say(saying) {
            debug!("a connection does not keep up and is dropped");
            self.slow += 1;
            self.connections.remove(&to);
            self.come_back(to, Homes::Lost);
            self.relay.handle(Instant::now(), to, Input::Lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_while_the_server_stops_is_told_so_like_those_who_are_there() {
        let hub = Hub::new(RelayConfig::default());
        let (_there, mut before, _) = hub.connect(Origin(1));
        hub.stop();
        let (_late, mut after, _) = hub.connect(Origin(2));
        for sayings in [&mut before, &mut after] {
            assert!(matches!(sayings.try_recv(), Ok(Saying::Close(1001, _))));
        }
    }

    #[test]
    fn who_takes_nothing_is_dropped_at_so_many_bytes() {
        let hub = Hub::new(RelayConfig::default());
        let (_there, mut sayings, waiting) = hub.connect(Origin(1));
        let half = "x".repeat(QUEUE_BYTES / 2);
        for _ in 0..3 {
            hub.lock().say(ConnectionId(0), Saying::Text(half.as_str().into()));
        }
        assert_eq!(hub.figures().slow, 1);
        assert!(waiting.load(Ordering::Relaxed) >= QUEUE_BYTES);
        let kept = std::iter::from_fn(|| sayings.try_recv().ok()).map(|saying| saying.bytes()).sum::<usize>();
        assert_eq!(kept, QUEUE_BYTES);
    }
}
