//! The task that owns the relay: connections tell it what they heard, it tells them what to send.

use axum::extract::ws::Utf8Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tracing::debug;
use visavis_signaling::{CloseReason, ConnectionId, Input, Output, Relay, RelayConfig};

/// Events of all connections that wait for the relay; when full, connections stop reading.
const EVENTS: usize = 1024;
/// Messages that wait for one connection. Who does not take them is dropped: waiting would hold up everybody else. The
/// hub may work off several senders' bursts before a connection gets its turn.
const QUEUE: usize = 512;
/// The same in bytes, because messages differ so much.
const QUEUE_BYTES: usize = 256 * 1024;

/// What a connection heard.
#[derive(Debug)]
pub(crate) enum Event {
    Connected(Sender),
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

/// A way to the hub.
#[derive(Clone)]
pub(crate) struct Hub {
    events: mpsc::Sender<(ConnectionId, Event)>,
    next_id: Arc<AtomicU64>,
}

/// Ends the hub.
pub(crate) struct StopHub(oneshot::Sender<()>);

impl StopHub {
    /// Tells every connection to close. The hub's task ends when all have.
    pub(crate) fn stop(self) {
        let _ = self.0.send(());
    }
}

impl Hub {
    /// Starts the task.
    pub(crate) fn start(config: RelayConfig) -> (Self, StopHub, JoinHandle<()>) {
        let (events, events_in) = mpsc::channel(EVENTS);
        let (stop, stopped) = oneshot::channel();
        let relay = Relay::new(config, rand::random());
        let task = tokio::spawn(Task { relay, connections: HashMap::new() }.run(events_in, stopped));
        (Self { events, next_id: Arc::default() }, StopHub(stop), task)
    }

    /// Registers a connection.
    pub(crate) async fn connect(&self) -> (Connection, mpsc::Receiver<Saying>, Arc<AtomicUsize>) {
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let (sayings, sayings_out) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let connection = Connection { id, events: self.events.clone() };
        connection.tell(Event::Connected(Sender { sayings, waiting: waiting.clone() })).await;
        (connection, sayings_out, waiting)
    }
}

/// A connection's way to the hub.
pub(crate) struct Connection {
    id: ConnectionId,
    events: mpsc::Sender<(ConnectionId, Event)>,
}

impl Connection {
    /// Reports something; waits while the hub is busy.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.events.send((self.id, event)).await;
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

struct Task {
    relay: Relay,
    connections: HashMap<ConnectionId, Sender>,
}

impl Task {
    async fn run(mut self, mut events: mpsc::Receiver<(ConnectionId, Event)>, mut stop: oneshot::Receiver<()>) {
        let mut stopping = false;
        loop {
            let timeout = self.relay.poll_timeout();
            tokio::select! {
                event = events.recv() => match event {
                    Some((id, event)) if !stopping => self.handle(id, event),
                    Some(_) => {}
                    None => return,
                },
                () = async { sleep_until(timeout.unwrap_or_else(Instant::now).into()).await }, if timeout.is_some() && !stopping => {
                    self.relay.handle_timeout(Instant::now());
                }
                _ = &mut stop, if !stopping => {
                    debug!(connections = self.connections.len(), "stopping");
                    stopping = true;
                    for (_, sender) in self.connections.drain() {
                        sender.say(Saying::Close(1001, "the server is stopping".to_owned()));
                    }
                }
            }
            self.carry_out();
        }
    }

    fn handle(&mut self, id: ConnectionId, event: Event) {
        let now = Instant::now();
        let input = match &event {
            Event::Text(text) => Input::Text(text.as_str()),
            Event::Alive => Input::Alive,
            Event::NotText => Input::NotText,
            Event::Connected(_) => Input::Connected,
            Event::Closed => Input::Closed,
            Event::Lost => Input::Lost,
        };
        self.relay.handle(now, id, input);
        match event {
            Event::Connected(sender) => {
                self.connections.insert(id, sender);
            }
            Event::Closed | Event::Lost => {
                self.connections.remove(&id);
            }
            Event::Text(_) | Event::Alive | Event::NotText => {}
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Send { to, text } => self.say(to, Saying::Text(text)),
                Output::Ping { to } => self.say(to, Saying::Ping),
                Output::Close { connection, why } => {
                    if let Some(sender) = self.connections.remove(&connection) {
                        let code = match why {
                            CloseReason::Silent | CloseReason::TakenOver => 4000,
                            CloseReason::Flooding => 1008,
                        };
                        sender.say(Saying::Close(code, why.to_string()));
                    }
                }
            }
        }
    }

    fn say(&mut self, to: ConnectionId, saying: Saying) {
        if self.connections.get(&to).is_some_and(|sender| !sender.say(saying)) {
            debug!("a connection does not keep up and is dropped");
            self.connections.remove(&to);
            self.relay.handle(Instant::now(), to, Input::Lost);
        }
    }
}
