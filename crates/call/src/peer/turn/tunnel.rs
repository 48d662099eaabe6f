//! The streams of one socket: what webrtc sends to a server that is none goes to the real one, and what that one answers
//! comes as if it had come to the socket.

use super::super::resolver::{NameCache, written};
use super::doors::{Door, Doors};
use super::framing::Deframer;
use super::outbox::Outbox;
use super::relays::Relays;
use super::stream::{Stream, Trust, connect};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Datagrams that came and were not taken yet. The connection's task takes them at once; when it hangs they are lost, as
/// those in a socket would be.
const MOST_CAME: usize = 1024;
/// What is read from a stream at once.
const READ: usize = 16 * 1024;
/// What enters a stream at once: several datagrams make one record of TLS.
const WRITE: usize = 4 * 1024;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all sockets of a connection share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ground {
    pub doors: Doors,
    pub names: NameCache,
    pub trust: Trust,
    pub relays: Arc<Relays>,
}

impl Ground {
    /// The addresses of `host:port`, and of what stands for a server; never waits.
    ///
    /// # Errors
    /// Where a name is not known by now. That of a server behind a stream is waited for, by the stream.
    pub(crate) fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let Some((_, door)) = self.doors.named(host) else {
            let addresses = self.names.get(host)?;
            // The crate leaves the brackets of IPv6 out.
            let host = written(host).map_or_else(|| host.to_owned(), |address| address.to_string());
            self.relays.known(&format!("{host} over UDP"), &addresses);
            return Ok(addresses);
        };
        let real = self.names.get(&door.host).ok();
        let addresses = self.doors.addresses(host, real.as_deref()).unwrap_or_default();
        let way = if door.tls { "TLS" } else { "TCP" };
        self.relays.known(&format!("{} over {way}", door.host), &addresses);
        Ok(addresses)
    }
}

/// The streams from one local address. They end with it.
#[derive(Debug)]
pub(crate) struct Tunnels {
    local: SocketAddr,
    ground: Ground,
    streams: Mutex<HashMap<SocketAddr, Tunnel>>,
    inbox: Arc<Inbox>,
}

#[derive(Debug)]
struct Tunnel {
    way: Arc<Way>,
    task: AbortHandle,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Inbox {
    came: Mutex<VecDeque<(SocketAddr, Vec<u8>)>>,
    reader: Mutex<Option<Waker>>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox({})", lock(&self.came).len())
    }
}

impl Inbox {
    fn push(&self, from: SocketAddr, datagram: Vec<u8>) {
        let mut came = lock(&self.came);
        if came.len() < MOST_CAME {
            came.push_back((from, datagram));
        }
        drop(came);
        if let Some(reader) = lock(&self.reader).take() {
            reader.wake();
        }
    }
}

/// How one stream fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Standing,
    /// It never stood: the crate is to give the server up.
    Failed,
    /// It stood. ICE notices by itself.
    Broken,
}

struct Way {
    outbox: Mutex<Outbox>,
    waits: Notify,
    state: Mutex<State>,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Way({:?})", lock(&self.state))
    }
}

impl Tunnels {
    /// For the socket with this local address.
    pub(crate) fn new(local: SocketAddr, ground: Ground) -> Self {
        Self { local, ground, streams: Mutex::default(), inbox: Arc::default() }
    }

    /// Sends a datagram through the stream to this server, which begins with the first one. Never waits.
    ///
    /// # Errors
    /// Where there is no such server, or no stream to it came about.
    pub(crate) fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let mut streams = lock(&self.streams);
        let tunnel = match streams.entry(to) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(none) => {
                let (_, door) = self.ground.doors.at(to).ok_or(io::ErrorKind::AddrNotAvailable)?;
                none.insert(self.open(to, door.clone()))
            }
        };
        let state = *lock(&tunnel.way.state);
        match state {
            State::Connecting | State::Standing => {
                lock(&tunnel.way.outbox).push(Instant::now(), datagram);
                tunnel.way.waits.notify_one();
                Ok(())
            }
            State::Failed => Err(io::ErrorKind::ConnectionRefused.into()),
            State::Broken => Ok(()),
        }
    }

    /// What came, and from which server; where nothing did, the waker is told when something does.
    pub(crate) fn receive(&self, waker: &Waker) -> Option<(SocketAddr, Vec<u8>)> {
        *lock(&self.inbox.reader) = Some(waker.clone());
        lock(&self.inbox.came).pop_front()
    }

    fn open(&self, to: SocketAddr, door: Door) -> Tunnel {
        let (outbox, waits, state) = (Mutex::default(), Notify::new(), Mutex::new(State::Connecting));
        let way = Arc::new(Way { outbox, waits, state });
        let run = run(self.local, to, door, self.ground.clone(), way.clone(), self.inbox.clone());
        Tunnel { way, task: tokio::spawn(run).abort_handle() }
    }
}

async fn run(local: SocketAddr, to: SocketAddr, door: Door, ground: Ground, way: Arc<Way>, inbox: Arc<Inbox>) {
    let stream = match connect(local, &door, &ground.names, &ground.trust).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "no stream to a TURN server");
            *lock(&way.state) = State::Failed;
            if !error.is_of_the_interface() {
                ground.relays.failed(to, error.to_string());
            }
            return;
        }
    };
    tracing::debug!(tls = door.tls, "a stream to a TURN server stands");
    *lock(&way.state) = State::Standing;
    let (from_server, to_server) = tokio::io::split(stream);
    let why = tokio::select! {
        why = read(from_server, to, &inbox) => why,
        why = write(to_server, &way) => why,
    };
    tracing::debug!(why, "a stream to a TURN server broke");
    *lock(&way.state) = State::Broken;
    ground.relays.broke(to);
}

/// Reads until the stream ends, and says why it did.
async fn read(mut stream: ReadHalf<Box<dyn Stream>>, from: SocketAddr, inbox: &Inbox) -> String {
    let (mut deframer, mut buffer) = (Deframer::default(), vec![0; READ]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return "the server closed it".to_owned(),
            Ok(length) => deframer.push(&buffer[..length]),
            Err(error) => return error.to_string(),
        }
        loop {
            match deframer.next() {
                Ok(Some(datagram)) => inbox.push(from, datagram),
                Ok(None) => break,
                Err(garbage) => return garbage.to_string(),
            }
        }
    }
}

/// Writes until the stream breaks, and says why it did.
async fn write(mut stream: WriteHalf<Box<dyn Stream>>, way: &Way) -> String {
    let mut batch = Vec::new();
    loop {
        while batch.len() < WRITE {
            let Some(frame) = lock(&way.outbox).pop(Instant::now()) else { break };
            batch.extend(frame);
        }
        if batch.is_empty() {
            way.waits.notified().await;
            continue;
        }
        // TLS keeps what the system does not take: only a flush waits for it.
        let written = async {
            stream.write_all(&batch).await?;
            stream.flush().await
        };
        if let Err(error) = written.await {
            return error.to_string();
        }
        batch.clear();
    }
}
