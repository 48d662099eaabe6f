//! The task behind a [`Client`](super::Client): connect, talk, mend, say good-bye.

use super::dial::{Socket, Target};
use super::renewal::Renewal;
use super::seat::Standing;
use super::{ClientConfig, ClientEvent, GOODBYE, Trouble};
use crate::message::{ClientMessage, ErrorCode, IceServer, MAX_MESSAGES_PER_SECOND, ServerMessage};
use crate::relay::Budget;
use futures_util::{SinkExt, StreamExt};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tracing::{debug, trace};

/// A sign of life is sent after so much silence of ours, well within the server's 30 s.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A ping that nothing answers for so long means that the connection is dead.
const PONG_WITHIN: Duration = Duration::from_secs(5);
/// The same, when the caller suspects it.
const PROBE_WITHIN: Duration = Duration::from_secs(2);
/// A message that the network does not take for so long means the same.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Answer to a request to resume.
const RESUME_WITHIN: Duration = Duration::from_secs(5);
/// Waits between attempts: doubled from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Another connection for a seat that is to be taken over did not come about: tried again after this.
const RENEW_AGAIN: Duration = Duration::from_secs(15);
/// A connection that held for so long earns an immediate attempt when it breaks.
const STABLE: Duration = Duration::from_secs(5);

/// Messages that are read at once, and each second; a long one counts for several. A server that says more is heard
/// later: its bytes wait with it, and neither this thread nor whoever reads the events drowns.
const HEARD: (u32, u32) = (2000, 500);
/// So many bytes count as one message; ordinary ones are shorter.
const BYTES_EACH: usize = 8 * 1024;

/// To be sent; the text is the message as JSON.
pub(super) struct Command(pub ClientMessage, pub String);

/// Why a connection is over.
enum End {
    /// It is to be mended.
    Broken(Trouble),
    /// Nothing is wrong: the seat is to be taken over on this one, for what `resumed` brings.
    Renewed(Box<Link>),
    /// The handle is gone.
    Stopped,
}

pub(super) struct Task {
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<ClientEvent>,
    stop: oneshot::Receiver<()>,
    /// The network seems to have changed.
    hurry: Arc<Notify>,
    standing: Standing,
    waits: u32,
    renewal: Renewal,
    /// What came with the seat is fetched anew then…
    stale_at: Option<Instant>,
    /// …over a connection that is being made while the old one is used on.
    successor: JoinSet<Result<(Socket, Option<SocketAddr>), Trouble>>,
}

impl Task {
    pub(super) fn new(
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<ClientEvent>,
        stop: oneshot::Receiver<()>,
        hurry: Arc<Notify>,
    ) -> Self {
        Self {
            commands,
            events,
            stop,
            hurry,
            standing: Standing::default(),
            waits: 0,
            renewal: Renewal::default(),
            stale_at: None,
            successor: JoinSet::new(),
        }
    }

    /// Runs until the handle is dropped, or the configuration turns out to be unusable.
    pub(super) async fn run(mut self, config: ClientConfig) {
        let target = tokio::select! {
            target = Target::new(&config) => target,
            _ = &mut self.stop => return,
        };
        let target = match target {
            Ok(target) => target,
            Err(error) => return drop(self.events.send(ClientEvent::Failed(error)).await),
        };
        let target = Arc::new(target);
        loop {
            let dialled = tokio::select! {
                dialled = target.dial() => dialled,
                // What was begun on the network of before may hang for long, and on this one it is quick.
                () = self.hurry.notified() => {
                    self.waits = 0;
                    continue;
                }
                _ = &mut self.stop => return,
            };
            let why = match dialled {
                Err(trouble) => trouble,
                Ok((socket, local)) => {
                    let mut link = Link::new(socket, target.name(), local);
                    let mut end = match self.connected(&mut link).await {
                        Ok(()) => self.talk(&mut link, &target).await,
                        Err(end) => end,
                    };
                    while let End::Renewed(next) = end {
                        // The server closes the old one once the seat is taken over, or keeps the seat for a while.
                        link = *next;
                        end = match self.take_up_seat(&mut link).await {
                            Ok(()) => self.talk(&mut link, &target).await,
                            Err(end) => end,
                        };
                    }
                    // One that is still being made, or was just made, was for this seat on this network.
                    self.successor = JoinSet::new();
                    match end {
                        End::Broken(trouble) => {
                            if link.since.elapsed() >= STABLE {
                                self.waits = 0;
                            }
                            trouble
                        }
                        End::Stopped | End::Renewed(_) => return self.say_goodbye(link).await,
                    }
                }
            };
            let retry_in = self.next_wait();
            debug!(%why, ?retry_in, "no connection to the signaling server");
            if self.emit(ClientEvent::Disconnected { why, retry_in }).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(retry_in) => {}
                () = self.hurry.notified() => self.waits = 0,
                _ = &mut self.stop => return,
            }
        }
    }

    /// One connection, until its end.
    async fn talk(&mut self, link: &mut Link, target: &Arc<Target>) -> End {
        loop {
            let budget = link.budget.wait(Instant::now());
            let stale_at = self.stale_at.filter(|_| self.standing.is_seated());
            tokio::select! {
                biased;
                _ = &mut self.stop => return End::Stopped,
                () = sleep_until(link.deadline().into()) => {
                    if let Err(trouble) = link.tick().await {
                        return End::Broken(trouble);
                    }
                }
                message = link.receive() => {
                    let done = match message {
                        Ok(Some(message)) => self.received(link, message).await,
                        Ok(None) => Ok(()),
                        Err(trouble) => Err(End::Broken(trouble)),
                    };
                    if let Err(end) = done {
                        return end;
                    }
                }
                () = self.hurry.notified() => {
                    if let Err(trouble) = link.probe().await {
                        self.waits = 0;
                        return End::Broken(trouble);
                    }
                }
                Some(dialled) = self.successor.join_next() => match dialled {
                    Ok(Ok((socket, local))) if self.standing.is_seated() => {
                        return End::Renewed(Box::new(Link::new(socket, target.name(), local)));
                    }
                    Ok(Ok(_)) => {}
                    Ok(Err(why)) => debug!(%why, "no second connection, for new TURN credentials"),
                    Err(error) => debug!(%error, "no second connection, for new TURN credentials"),
                },
                () = sleep_until(stale_at.unwrap_or_else(Instant::now).into()), if stale_at.is_some() => {
                    self.stale_at = Some(Instant::now() + RENEW_AGAIN);
                    let target = target.clone();
                    if self.successor.is_empty() {
                        self.successor.spawn(async move { target.dial().await });
                    }
                }
                Some(Command(message, text)) = next_command(&mut self.commands, budget) => {
                    self.standing.sending(&message, &text);
                    if let Err(trouble) = link.send(text).await {
                        return End::Broken(trouble);
                    }
                }
            }
        }
    }

    /// Tells the caller that we are connected, and takes the seat over where there was one.
    async fn connected(&mut self, link: &mut Link) -> Result<(), End> {
        self.emit(ClientEvent::Connected).await?;
        self.take_up_seat(link).await
    }

    /// Asks again for what was asked for, or takes the seat over.
    async fn take_up_seat(&mut self, link: &mut Link) -> Result<(), End> {
        let Some((text, resumes)) = self.standing.greeting() else { return Ok(()) };
        link.send(text).await.map_err(End::Broken)?;
        if !resumes {
            return Ok(());
        }
        // Nothing else goes out before the answer: messages sent again must not overtake each other.
        let deadline = Instant::now() + RESUME_WITHIN;
        loop {
            let message = tokio::select! {
                biased;
                _ = &mut self.stop => return Err(End::Stopped),
                () = sleep_until(deadline.into()) => return Err(End::Broken(Trouble::TimedOut)),
                () = self.hurry.notified() => {
                    self.waits = 0;
                    link.probe().await.map_err(End::Broken)?;
                    continue;
                }
                message = link.receive() => message.map_err(End::Broken)?,
            };
            let Some(message) = message else { continue };
            let answered =
                matches!(message, ServerMessage::Resumed(_) | ServerMessage::Error { code: ErrorCode::SeatGone, .. });
            self.received(link, message).await?;
            if answered {
                return Ok(());
            }
        }
    }

    async fn received(&mut self, link: &mut Link, message: ServerMessage) -> Result<(), End> {
        let again = self.standing.received(&message);
        match &message {
            ServerMessage::Opened(seat) | ServerMessage::Joined(seat) | ServerMessage::Resumed(seat) => {
                self.handed_out(&seat.ice_servers);
            }
            ServerMessage::PeerJoined { .. } | ServerMessage::PeerLeft { .. } | ServerMessage::Unknown => {}
            ServerMessage::Offer(_) | ServerMessage::Answer(_) | ServerMessage::IceCandidate(_) => {}
            ServerMessage::Error { .. } => {}
        }
        self.emit(ClientEvent::Message(message)).await?;
        for text in again {
            pause(link.budget.wait(Instant::now())).await;
            link.send(text).await.map_err(End::Broken)?;
        }
        Ok(())
    }

    /// Notes until when what came with a seat is good; with jitter, so that the clients of a server that was started anew
    /// don't come all at once again.
    fn handed_out(&mut self, servers: &[IceServer]) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wait = self.renewal.wait(unix, servers).map(|wait| wait.mul_f64(rand::random_range(0.8..1.0)));
        self.stale_at = wait.map(|wait| Instant::now() + wait);
    }

    /// Hands an event to the caller; waits for room, but not beyond the handle's end.
    async fn emit(&mut self, event: ClientEvent) -> Result<(), End> {
        tokio::select! {
            biased;
            _ = &mut self.stop => Err(End::Stopped),
            sent = self.events.send(event) => sent.map_err(|_| End::Stopped),
        }
    }

    /// Sends what still waits, leaves the room, closes the connection; all within a bounded time.
    async fn say_goodbye(mut self, mut link: Link) {
        let goodbye = async {
            while let Ok(Command(message, text)) = self.commands.try_recv() {
                self.standing.sending(&message, &text);
                link.send(text).await?;
            }
            if self.standing.is_somewhere() {
                link.send(ClientMessage::LeaveRoom.to_json()).await?;
            }
            link.close().await;
            Ok::<_, Trouble>(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// The wait before the next attempt: none after a stable connection, then growing, with jitter so that the clients of
    /// a restarted server don't come all at once.
    fn next_wait(&mut self) -> Duration {
        let wait = wait(self.waits);
        self.waits = self.waits.saturating_add(1);
        wait.mul_f64(rand::random_range(0.5..1.0))
    }
}

/// The next command, once the budget allows to carry it out.
async fn next_command(commands: &mut mpsc::Receiver<Command>, wait: Duration) -> Option<Command> {
    pause(wait).await;
    commands.recv().await
}

/// Sleeps, but not at all for no time: tokio's shortest sleep is a millisecond, more than a message takes.
async fn pause(wait: Duration) {
    if !wait.is_zero() {
        sleep(wait).await;
    }
}

/// The wait after so many failed attempts, before jitter.
fn wait(failed: u32) -> Duration {
    match failed.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_WAIT.saturating_mul(1 << doublings.min(10)).min(LONGEST_WAIT),
    }
}

/// A connection that stands, and when it was last heard of.
struct Link {
    socket: Socket,
    since: Instant,
    host: String,
    /// Where it leads from.
    local: Option<SocketAddr>,
    /// Ours, a little below what the server allows.
    budget: Budget,
    /// What we hear.
    heard: Budget,
    spoke: Instant,
    /// When the connection counts as dead, unless something is heard before.
    dead_at: Option<Instant>,
}

impl Link {
    fn new(socket: Socket, host: String, local: Option<SocketAddr>) -> Self {
        let (now, most) = (Instant::now(), MAX_MESSAGES_PER_SECOND * 9 / 10);
        let heard = Budget::new(now, HEARD.0, HEARD.1);
        let budget = Budget::new(now, most, most);
        Self { socket, since: now, host, local, budget, heard, spoke: now, dead_at: None }
    }

    /// When [`Link::tick`] is due.
    fn deadline(&self) -> Instant {
        self.dead_at.unwrap_or(self.spoke + PING_EVERY)
    }

    /// Sends a ping that is due, or finds that the last one was not answered.
    async fn tick(&mut self) -> Result<(), Trouble> {
        match self.dead_at {
            Some(at) if at <= Instant::now() => Err(Trouble::Silent),
            Some(_) => Ok(()),
            None => self.ping(PONG_WITHIN).await,
        }
    }

    /// The network seems to have changed: dead at once where the address is gone that this connection leads from, since
    /// nothing would ever say so; else soon, unless an answer comes.
    async fn probe(&mut self) -> Result<(), Trouble> {
        if self.local.is_some_and(|local| !exists(local)) {
            return Err(Trouble::Silent);
        }
        self.ping(PROBE_WITHIN).await
    }

    async fn ping(&mut self, within: Duration) -> Result<(), Trouble> {
        let dead_at = Instant::now() + within;
        self.dead_at = Some(self.dead_at.map_or(dead_at, |at| at.min(dead_at)));
        self.put(Message::Ping(Vec::new().into())).await
    }

    async fn send(&mut self, text: String) -> Result<(), Trouble> {
        let _ = self.budget.take(Instant::now());
        self.put(Message::Text(text.into())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), Trouble> {
        self.spoke = Instant::now();
        match timeout(SEND_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Trouble::from_websocket(&error, &self.host)),
            Err(_) => Err(Trouble::Silent),
        }
    }

    /// The next message; `None` for a sign of life, or something that is no message.
    async fn receive(&mut self) -> Result<Option<ServerMessage>, Trouble> {
        pause(self.heard.wait(Instant::now())).await;
        let Some(message) = self.socket.next().await else { return Err(Trouble::Closed(String::new())) };
        let message = message.map_err(|error| Trouble::from_websocket(&error, &self.host))?;
        self.dead_at = None;
        for _ in 0..=message.len() / BYTES_EACH {
            let _ = self.heard.take(Instant::now());
        }
        match message {
            Message::Text(text) => {
                let message = ServerMessage::parse(&text);
                if let Err(error) = &message {
                    debug!(%error, "a message of the server could not be read");
                }
                Ok(message.ok())
            }
            Message::Close(frame) => Err(Trouble::Closed(frame.as_ref().map(reason).unwrap_or_default())),
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {
                trace!("sign of life");
                Ok(None)
            }
        }
    }

    /// Says that we close, and waits for the server to have heard it.
    async fn close(&mut self) {
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}

/// Whether an address is one of this machine's: only those can be bound.
fn exists(local: SocketAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(local.ip(), 0)).is_ok()
}

/// What a server said on closing, for reading.
fn reason(frame: &CloseFrame) -> String {
    let said: String = frame.reason.chars().filter(|c| !c.is_control()).take(100).collect();
    if said.is_empty() { said } else { format!(": {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_never_stops_talking_is_heard_at_a_pace() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while socket.send(Message::text(r#"{"type":"weather"}"#)).await.is_ok() {}
        });
        let mut client = crate::Client::spawn(ClientConfig::new(url));
        let (mut heard, mut begun) = (0, Instant::now());
        while heard < HEARD.0 + HEARD.1 {
            match client.next().await.unwrap() {
                ClientEvent::Connected => begun = Instant::now(),
                ClientEvent::Message(_) => heard += 1,
                other => panic!("{other:?}"),
            }
        }
        // Only slower on a busy machine.
        assert!(begun.elapsed() > Duration::from_millis(900), "after {:?}", begun.elapsed());
        client.close().await;
        server.abort();
    }

    #[tokio::test]
    async fn before_turn_credentials_end_the_seat_is_taken_over_for_new_ones_and_nobody_hears_of_a_break() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = ClientConfig::new(format!("ws://{}", listener.local_addr().unwrap()));
        let seat = |kind: &str, user: &str| {
            let turn = r#"{"urls":["turn:t.example"],"username":"1:USER","credential":"x"}"#.replace("USER", user);
            Message::text(format!(r#"{{"type":"{kind}","peerId":"a","resume":"token","iceServers":[{turn}]}}"#))
        };
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            for (says, kind, user) in [("open", "opened", "one"), ("resume", "resumed", "two")] {
                let (stream, _) = listener.accept().await.unwrap();
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                let said = socket.next().await.unwrap().unwrap().into_text().unwrap();
                assert!(said.contains(&format!(r#""type":"{says}""#)), "{said}");
                socket.send(seat(kind, user)).await.unwrap();
                // The first one stays as it is: nothing about it is wrong.
                open.push(socket);
            }
            open
        });
        let (commands, commands_in) = mpsc::channel(1);
        let (events_out, mut events) = mpsc::channel(8);
        let (_stop, stopped) = oneshot::channel();
        let mut task = Task::new(commands_in, events_out, stopped, Arc::default());
        task.renewal = Renewal { soonest: Duration::ZERO, latest: Duration::from_millis(50) };
        let task = tokio::spawn(task.run(config));
        let open = ClientMessage::open(visavis_media::RoomId::new("room"));
        commands.send(Command(open.clone(), open.to_json())).await.unwrap();
        assert!(matches!(events.recv().await, Some(ClientEvent::Connected)));
        for expected in ["1:one", "1:two"] {
            let seat = match events.recv().await {
                Some(ClientEvent::Message(ServerMessage::Opened(seat) | ServerMessage::Resumed(seat))) => seat,
                other => panic!("{other:?}"),
            };
            assert_eq!(seat.ice_servers[0].username.as_deref(), Some(expected));
        }
        drop(server.await.unwrap());
        task.abort();
    }

    #[test]
    fn the_first_attempt_comes_at_once_and_waits_grow_to_eight_seconds() {
        let waits: Vec<_> = (0..9).map(|n| wait(n).as_millis()).collect();
        assert_eq!(waits, [0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
    }
}
