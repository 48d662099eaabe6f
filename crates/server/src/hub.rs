//! The relay behind a lock: connections tell it what they heard, and it queues for others what they are to say.
//!
//! The lock is held for one event at a time. A task between connections and relay would cost two changes of task for each
//! message that is passed on, which is most of what passing it on costs.

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
}

impl Hub {
    /// A relay without anybody.
    pub(crate) fn new(config: RelayConfig) -> Self {
        let relay = Relay::new(config, rand::random());
        let (connections, stopping) = (HashMap::new(), false);
        let state = State { relay, connections, stopping, slow: 0, silent: 0, taken_over: 0, flooding: 0 };
        let state = Mutex::new(state);
        Self { shared: Arc::new(Shared { state, next_id: AtomicU64::new(0), due: Notify::new() }) }
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
        let id = ConnectionId(self.shared.next_id.fetch_add(1, Ordering::Relaxed));
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
        }
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
}

/// A connection's way to the hub.
pub(crate) struct Connection {
    id: ConnectionId,
    hub: Hub,
}

impl Connection {
    /// Reports something; what follows from it is queued for others when this returns. Tells how to read on.
    pub(crate) fn tell(&self, event: Event) -> Pace {
        let mut state = self.hub.lock();
        let before = state.relay.poll_timeout();
        let pace = state.handle(self.id, event);
        state.carry_out();
        if before.is_none() && state.relay.poll_timeout().is_some() {
            self.hub.shared.due.notify_one();
        }
        pace
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
            Self::Ping | Self::Close(..) => 0,
        }
    }
}

struct State {
    relay: Relay,
    connections: HashMap<ConnectionId, Sender>,
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
        let now = Instant::now();
        let input = match &event {
            Event::Text(text) => Input::Text(text.as_str()),
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
            Event::Text(_) | Event::Alive | Event::NotText => {}
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
                    if let Some(sender) = self.connections.remove(&connection) {
                        sender.say(Saying::Close(code, why.to_string()));
                    }
                }
            }
        }
    }

    fn say(&mut self, to: ConnectionId, saying: Saying) {
        if self.connections.get(&to).is_some_and(|sender| !sender.say(saying)) {
            debug!("a connection does not keep up and is dropped");
            self.slow += 1;
            self.connections.remove(&to);
            self.relay.handle(Instant::now(), to, Input::Lost);
        }
    }
}
