//! The handle by which a front end, an example or a test holds calls.

use crate::api::{Command, Event, State};
use crate::driver;
use crate::options::Options;
use crate::recent::Recent;
use crate::stats::StatsSnapshot;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use visavis_capture::Worker;
use visavis_media::{VideoFrame, slot};

/// Commands that may wait; a person cannot give so many at once.
const COMMANDS: usize = 256;
/// Events and statistics that are kept for whoever does not fetch them.
const KEPT: usize = 4096;
/// A thread that derived keys or looked a name up ends after so long without more of it: soon after the call.
const HELPERS_IDLE: Duration = Duration::from_millis(500);
/// Hanging up says goodbye to peer and server; then the app goes, whatever hangs.
const GOODBYE: Duration = Duration::from_secs(4);

/// Why no endpoint could be started.
#[derive(Debug, thiserror::Error)]
#[error("the call engine could not start: {0}")]
pub struct StartError(#[from] std::io::Error);

/// An event and its moment.
#[derive(Clone, Debug)]
pub struct TimedEvent {
    /// When it happened.
    pub at: Instant,
    /// What.
    pub event: Event,
}

/// What driver and handle share; each lock is held for a push or a take.
pub(crate) struct Shared {
    events: Mutex<VecDeque<TimedEvent>>,
    statistics: Mutex<VecDeque<StatsSnapshot>>,
    recent: Mutex<Recent>,
    pub(crate) wake: Box<dyn Fn() + Send + Sync>,
}

fn push<T>(queue: &Mutex<VecDeque<T>>, value: T) {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    if queue.len() >= KEPT {
        queue.pop_front();
    }
    queue.push_back(value);
}

fn take<T>(queue: &Mutex<VecDeque<T>>) -> Vec<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
}

impl Shared {
    pub(crate) fn event(&self, event: Event) {
        tracing::debug!(event = event.name(), "call");
        let at = Instant::now();
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).note(at, &event);
        push(&self.events, TimedEvent { at, event });
        (self.wake)();
    }

    pub(crate) fn statistics(&self, snapshot: StatsSnapshot) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).statistics = Some(snapshot.clone());
        push(&self.statistics, snapshot);
    }
}

/// Whose end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A person's, with devices.
    Person,
    /// Says and shows what it hears and sees.
    Echo,
}

/// Camera, microphone, loudspeaker and calls of one person.
///
/// Everything happens on threads of its own; no method waits. Dropping it hangs up properly, gives the devices back
/// and joins its threads, within a few seconds.
pub struct Endpoint {
    commands: Option<mpsc::Sender<Command>>,
    state: watch::Receiver<Arc<State>>,
    shared: Arc<Shared>,
    preview: slot::Reader<VideoFrame>,
    remote: slot::Reader<VideoFrame>,
    worker: Option<Worker>,
}

impl Endpoint {
    /// Starts; devices open in the background. `wake` is called, on any thread, whenever there is something new: it
    /// must not block.
    ///
    /// # Errors
    /// Where the operating system gives no threads or sockets at all.
    pub fn start(options: Options, wake: impl Fn() + Send + Sync + 'static) -> Result<Self, StartError> {
        Self::start_as(Role::Person, options, wake)
    }

    /// The same for somebody else than a person.
    pub(crate) fn start_as(
        role: Role,
        options: Options,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        crate::memory::share_arenas();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("call-helper")
            .max_blocking_threads(8)
            .thread_keep_alive(HELPERS_IDLE)
            .build()?;
        let shared = Arc::new(Shared {
            events: Mutex::new(VecDeque::new()),
            statistics: Mutex::new(VecDeque::new()),
            recent: Mutex::new(Recent::default()),
            wake: Box::new(wake),
        });
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (preview_in, preview) = slot::newest_wins();
        let (remote_in, remote) = slot::newest_wins();
        let (publish, state) = watch::channel(Arc::new(driver::first_state(&options)));
        let driver_shared = shared.clone();
        let worker = Worker::spawn("call", move |_| {
            runtime.block_on(driver::run(role, options, driver_shared, publish, preview_in, remote_in, inbox));
            runtime.shutdown_timeout(Duration::from_millis(500));
        });
        Ok(Self { commands: Some(commands), state, shared, preview, remote, worker: Some(worker) })
    }

    /// Asks for something; what comes of it shows in [`Endpoint::state`] and [`Endpoint::events`].
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands
            && commands.try_send(command).is_err()
        {
            tracing::error!("the call engine does not answer");
        }
    }

    /// What is true now.
    pub fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    /// What is true now, for whoever waits for something of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.state.clone()
    }

    /// What happened since the last time, oldest first; the oldest of more than 4096 are gone.
    pub fn events(&self) -> Vec<TimedEvent> {
        take(&self.shared.events)
    }

    /// Snapshots of the statistics, one for each second of a call, since the last time.
    pub fn statistics(&self) -> Vec<StatsSnapshot> {
        take(&self.shared.statistics)
    }

    /// What happened lately, for a report of trouble; taking it takes nothing away.
    pub fn recent(&self) -> Recent {
        self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Our own picture, as captured (not mirrored).
    pub fn preview(&self) -> &slot::Reader<VideoFrame> {
        &self.preview
    }

    /// The other side's picture.
    pub fn remote(&self) -> &slot::Reader<VideoFrame> {
        &self.remote
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(worker) = self.worker.take() {
            worker.join_within(GOODBYE);
        }
    }
}
