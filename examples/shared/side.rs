//! One of the two peers, and what it noticed.

use anyhow::bail;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use visavis_call::{Command, EndReason, Endpoint, Event, LocalNetwork, Options, SoundChoices, StatsSnapshot};
use visavis_signaling::{Invitation, RoomCode};

/// Two peers find each other within this time, over the worst of links too, or something is broken.
const SETUP: Duration = Duration::from_secs(40);

/// A whole peer.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) wake: Receiver<()>,
    pub(crate) peer_joined: Option<Instant>,
    pub(crate) ice: Option<Instant>,
    pub(crate) connected: Option<Instant>,
    pub(crate) first_frame: Option<Instant>,
    pings: Vec<Option<Instant>>,
    pub(crate) round_trips: Vec<f64>,
    /// One for each second, all of them.
    pub(crate) statistics: Vec<StatsSnapshot>,
    pub(crate) ended: Option<EndReason>,
}

impl Side {
    /// What a peer needs to know to meet another one through this signaling server and nothing but loopback.
    pub(crate) fn options(url: &str) -> Options {
        Options {
            servers: vec![url.to_owned()],
            ice_servers: Vec::new(),
            bind: vec![([127, 0, 0, 1], 0).into()],
            local_network: LocalNetwork::Off,
            sound: SoundChoices::PLAIN,
            dtx: false,
            ..Options::default()
        }
    }

    /// Starts one.
    pub(crate) fn start(options: Options) -> anyhow::Result<Self> {
        let (out, wake) = sync_channel(1);
        let endpoint = Endpoint::start(options, move || {
            let _ = out.try_send(());
        })?;
        Ok(Self {
            endpoint,
            wake,
            peer_joined: None,
            ice: None,
            connected: None,
            first_frame: None,
            pings: Vec::new(),
            round_trips: Vec::new(),
            statistics: Vec::new(),
            ended: None,
        })
    }

    /// Takes what happened; `true` where one of the events is of this kind.
    pub(crate) fn take_events(&mut self, wanted: impl Fn(&Event) -> bool) -> bool {
        let mut found = false;
        for timed in self.endpoint.events() {
            found |= wanted(&timed.event);
            match timed.event {
                Event::IceConnected => {
                    self.ice.get_or_insert(timed.at);
                }
                Event::PeerJoined => self.peer_joined = Some(timed.at),
                Event::Connected { .. } => {
                    self.connected.get_or_insert(timed.at);
                }
                Event::FirstFrame => {
                    self.first_frame.get_or_insert(timed.at);
                }
                Event::Pong(id) => {
                    if let Some(sent) = self.pings.get_mut(id as usize).and_then(Option::take) {
                        self.round_trips.push((timed.at - sent).as_secs_f64() * 1000.0);
                    }
                }
                Event::Ended(reason) => self.ended = Some(reason),
                _ => {}
            }
        }
        self.statistics.extend(self.endpoint.statistics());
        found
    }

    /// Waits for an event of this kind.
    ///
    /// # Errors
    /// Where it does not come in time, or the call ends first.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> anyhow::Result<()> {
        let limit = Instant::now() + SETUP;
        while !self.take_events(&wanted) {
            if let Some(reason) = &self.ended {
                bail!("the call ended before it {what}: {reason}");
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() || self.wake.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                bail!("no side {what} within {SETUP:?}");
            }
        }
        Ok(())
    }

    /// Has the server and what a call needs ready, as an app does while the code is being typed.
    ///
    /// # Errors
    /// Where the server is not reached.
    pub(crate) fn prepare(&mut self, code: &RoomCode) -> anyhow::Result<()> {
        self.wait_for("reached the server", |e| matches!(e, Event::ServerConnected(_)))?;
        self.endpoint.send(Command::Prepare(Invitation { code: code.clone(), server: None }));
        Ok(())
    }

    /// Sends a number to the other side and back.
    pub(crate) fn ping(&mut self) {
        let id = self.pings.len() as u64;
        self.pings.push(Some(Instant::now()));
        self.endpoint.send(Command::Ping(id));
    }
}

/// Has two prepared peers meet, `a` being the one who waits there, until both are connected and `b` sees a picture;
/// gives the moment at which `b` was told to join.
///
/// # Errors
/// Where that does not come about in time.
pub(crate) fn meet(a: &mut Side, b: &mut Side, code: &RoomCode) -> anyhow::Result<Instant> {
    a.endpoint.send(Command::Start(Some(code.clone())));
    a.wait_for("opened the room", |e| matches!(e, Event::Joined { .. }))?;
    let joined = Instant::now();
    b.endpoint.send(Command::Meet(code.clone()));
    b.wait_for("connected", |e| matches!(e, Event::Connected { .. }))?;
    if b.first_frame.is_none() {
        b.wait_for("showed a picture", |e| matches!(e, Event::FirstFrame))?;
    }
    if a.connected.is_none() {
        a.wait_for("connected", |e| matches!(e, Event::Connected { .. }))?;
    }
    Ok(joined)
}
