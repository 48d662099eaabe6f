//! One connection to one signaling server, which mends itself.

mod dial;
mod renewal;
mod seat;
mod task;
mod trouble;
mod trust;

pub use trouble::{ClientError, SendError, Trouble};
pub use trust::trust;

use crate::message::{ClientMessage, MAX_MESSAGE, ServerMessage};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use task::{Command, Task};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Messages that wait to be sent, above all while there is no connection.
const COMMANDS: usize = 64;
/// Events that wait to be taken; when full, the task stops reading from the server until there is room.
const EVENTS: usize = 64;
/// How long a proper good-bye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where to connect.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `ws://HOST[:PORT]` or `wss://HOST[:PORT]`; `http` and `https` are taken as well.
    pub url: String,
    /// PEM file with the certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Where to connect instead of looking the host's name up; all are tried at once. Empty: look it up.
    pub addresses: Vec<SocketAddr>,
}

impl ClientConfig {
    /// With the system's trust roots.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ca: None, addresses: Vec::new() }
    }
}

/// What happened.
#[derive(Debug)]
pub enum ClientEvent {
    /// The connection stands (again). Where a seat was held, [`ServerMessage::Resumed`] or an error `seat-gone` follows.
    Connected,
    /// The server said something.
    Message(ServerMessage),
    /// The connection broke, or did not come about.
    Disconnected {
        /// Why.
        why: Trouble,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// This will never work: the address or the CA file is wrong. The last event.
    Failed(ClientError),
}

/// One connection to one signaling server, which mends itself.
///
/// [`Client::spawn`] starts a task that connects at once, so that the way is ready while a code is still being typed. It
/// reconnects when the connection breaks (first at once, then with growing waits), takes its seat over again, and sends
/// again what was lost on the way. Before TURN credentials that came with a seat end, it takes the seat over on another
/// connection, so that [`ServerMessage::Resumed`] brings new ones. It judges nothing: what messages mean is the caller's
/// business.
///
/// ```no_run
/// use visavis_signaling::{Client, ClientConfig, ClientEvent, ClientMessage, RoomCode};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::spawn(ClientConfig::new("ws://127.0.0.1:8080"));
/// client.send(ClientMessage::open(RoomCode::random().room_id()))?;
/// while let Some(event) = client.next().await {
///     match event {
///         ClientEvent::Connected => println!("connected"),
///         ClientEvent::Message(message) => println!("{message:?}"),
///         ClientEvent::Disconnected { why, retry_in } => println!("{why}; next attempt in {retry_in:?}"),
///         ClientEvent::Failed(error) => println!("{error}"),
///     }
/// }
/// client.close().await;
/// # Ok(())
/// # }
/// ```
///
/// Dropping it leaves the room and closes the connection in the background.
pub struct Client {
    url: String,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<ClientEvent>,
    /// The network seems to have changed.
    hurry: Arc<Notify>,
    /// Dropping it tells the task to say good-bye.
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts to connect.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn(config: ClientConfig) -> Self {
        let (commands, commands_in) = mpsc::channel(COMMANDS);
        let (events_out, events) = mpsc::channel(EVENTS);
        let (stop, stopped) = oneshot::channel();
        let (url, hurry) = (config.url.clone(), Arc::new(Notify::new()));
        let task = tokio::spawn(Task::new(commands_in, events_out, stopped, hurry.clone()).run(config));
        Self { url, commands, events, hurry, stop: Some(stop), task: Some(task) }
    }

    /// Sends a message, now or when the connection stands. Never waits.
    pub fn send(&self, message: ClientMessage) -> Result<(), SendError> {
        let text = message.to_json();
        if text.len() > MAX_MESSAGE {
            return Err(SendError::TooLarge);
        }
        self.command(Command(message, text))
    }

    /// To be called when the network seems to have changed. A connection from an address that this machine no longer has
    /// is made anew at once; another one has two seconds to show that it lives; and where there is none, an attempt is
    /// made now.
    pub fn probe(&self) {
        self.hurry.notify_one();
    }

    /// The next event; `None` after [`ClientEvent::Failed`]. Can be dropped and called again without losing any.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        self.events.recv().await
    }

    /// Sends what still waits, leaves the room and closes the connection; at most two seconds, mostly a round trip.
    pub async fn close(mut self) {
        self.stop = None;
        self.events.close();
        if let Some(task) = self.task.take() {
            // The task bounds its good-byes itself; this is for one that is stuck all the same.
            let _ = tokio::time::timeout(GOODBYE * 2, task).await;
        }
    }

    /// The address given.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn command(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(…)")
    }
}
