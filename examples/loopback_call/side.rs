//! One of the two peers, and what it noticed.

use crate::Cli;
use crate::measure::{Ear, Eye};
use crate::stages::Stages;
use anyhow::bail;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use visavis_call::{Command, EndReason, Endpoint, Event, LocalNetwork, Options, StatsSnapshot};
use visavis_capture::{CameraSpec, Content, MicrophoneSpec, SpeakerSpec};

/// Two peers on one machine find each other within this time, or something is broken.
const SETUP: Duration = Duration::from_secs(15);

/// A whole peer.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) wake: Receiver<()>,
    pub(crate) eye: Eye,
    pub(crate) ear: Ear,
    pub(crate) peer_joined: Option<Instant>,
    pub(crate) ice: Option<Instant>,
    pub(crate) connected: Option<Instant>,
    pub(crate) first_frame: Option<Instant>,
    pings: Vec<Option<Instant>>,
    pub(crate) round_trips: Vec<f64>,
    /// The newest.
    pub(crate) stats: Option<StatsSnapshot>,
    pub(crate) ended: Option<EndReason>,
}

impl Side {
    /// Starts one. What it sends goes through `outgoing`, what it receives is matched in `incoming`.
    pub(crate) fn start(url: &str, cli: &Cli, outgoing: &Stages, incoming: &Stages) -> anyhow::Result<Self> {
        let (eye, ear) = (Eye::new(cli.size, cli.psnr_every), Ear::new());
        let (out, wake) = sync_channel(1);
        let options = Options {
            servers: vec![url.to_owned()],
            ice_servers: Vec::new(),
            bind: vec![([127, 0, 0, 1], 0).into()],
            local_network: LocalNetwork::Off,
            camera: CameraSpec::Pattern(Content::Cam),
            microphone: MicrophoneSpec::Tone,
            speaker: SpeakerSpec::None,
            size: cli.size,
            fps: cli.fps,
            dtx: false,
            on_picture: Some(eye.tap(incoming.clone())),
            on_sent: cli.stages.then(|| outgoing.tap()),
            on_sound: Some(ear.tap()),
            ..Options::default()
        };
        let endpoint = Endpoint::start(options, move || {
            let _ = out.try_send(());
        })?;
        Ok(Self {
            endpoint,
            wake,
            eye,
            ear,
            peer_joined: None,
            ice: None,
            connected: None,
            first_frame: None,
            pings: Vec::new(),
            round_trips: Vec::new(),
            stats: None,
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
                Event::Connected { .. } => self.connected = Some(timed.at),
                Event::FirstFrame => self.first_frame = Some(timed.at),
                Event::Pong(id) => {
                    if let Some(sent) = self.pings.get_mut(id as usize).and_then(Option::take) {
                        self.round_trips.push((timed.at - sent).as_secs_f64() * 1000.0);
                    }
                }
                Event::Ended(reason) => self.ended = Some(reason),
                _ => {}
            }
        }
        self.stats = self.endpoint.statistics().pop().or(self.stats.take());
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

    /// Sends a number to the other side and back.
    pub(crate) fn ping(&mut self) {
        let id = self.pings.len() as u64;
        self.pings.push(Some(Instant::now()));
        self.endpoint.send(Command::Ping(id));
    }
}
