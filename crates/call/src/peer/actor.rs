//! The task that owns a peer connection: commands in order, events out.

use super::Path;
use super::alarm::Alarm;
use super::dtls_role::DtlsRole;
use super::handler::{Handler, Raw};
use super::hidden::hidden;
use super::reports::CaptureClocks;
use super::setup::{self, Built, MIME_TYPE_PARITY, MIME_TYPE_RED, PeerError, PeerSettings};
use super::sound_terms;
use super::tap::Feedback;
use super::wake::Wake;
use crate::media::SoundFormats;
use crate::rate::{Lengths, SharedRepair, SharedRoundTrip, SharedSoundPlan, SharedTarget};
use bytes::Bytes;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS};
use rtc::peer_connection::transport::{RTCIceCandidatePair, RTCIceCandidateType};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use visavis_signaling::Budget;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSdpType, RTCSessionDescription, StatsSelector};

/// Candidates kept until a description makes them usable; a hostile peer can send no more.
const MAX_EARLY_CANDIDATES: usize = 64;
/// Candidates taken with one description; the session allows fewer, this is a second line.
const MAX_CANDIDATES: usize = 128;
/// A control message longer than this is no message of ours.
const MAX_CONTROL: usize = 16 * 1024;
/// Control messages that are read at once, and each second. At once: all the chat that may have waited for the channel.
/// Who sends more waits: what is not read fills SCTP's window, and then nothing more comes.
const CONTROL_PACE: (u32, u32) = (600, 100);
/// Time for the last control message to leave before the connection closes; SCTP has no flush that could be awaited.
const FAREWELL: Duration = Duration::from_millis(60);
/// What a person is told of a panic.
const BROKEN: &str = "the connection failed inside";
/// Closing must not hang on a connection whose driver is gone.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// What a connection is told to do; carried out one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PeerCommand {
    /// Make an offer; with `restart`, one that begins ICE anew.
    CreateOffer { restart: bool },
    /// Apply an offer and make the answer. A pending offer of ours is rolled back first (perfect negotiation).
    AcceptOffer(String),
    /// Apply the answer to our offer.
    AcceptAnswer(String),
    /// Make an offer that begins ICE anew, and keep it: what there is goes on. The number comes back with it.
    Stage(u64),
    /// Go over to what was staged, the other side's being this.
    Switch(String),
    /// A remote candidate, as JSON of `RTCIceCandidateInit`.
    AddCandidate(String),
    /// A line to the other side's control channel.
    SendControl(String),
}

/// What a connection reports.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PeerEvent {
    /// The offer asked for.
    Offer(String),
    /// The answer to an offer.
    Answer(String),
    /// The offer that is kept.
    Staged(u64, String),
    /// The other side has gone over to what was staged.
    Nudged,
    /// The address of this machine that the path leads from, where it is known.
    Uses(Option<IpAddr>),
    /// How media travels from here on, and through which TURN server, for reading.
    Way(Path, Option<String>),
    /// A TURN server does not serve, in words: "HOST refuses …".
    RelayTrouble(String),
    /// A local candidate as JSON; `loopback`: of use on this machine only.
    Candidate {
        json: String,
        loopback: bool,
    },
    IceConnected,
    IceDisconnected,
    IceFailed,
    /// DTLS stands; the SHA-256 fingerprints of the certificates that it used.
    Connected {
        mine: Vec<u8>,
        theirs: Vec<u8>,
        path: Path,
    },
    /// A line from the other side's control channel.
    Control(String),
    /// The control channel can be written to.
    ControlOpen,
    /// A description was refused or the connection failed.
    Failed(String),
    /// The other side does what no app of ours does; in words for "the other side's app sent …".
    Misbehaves(String),
    /// A task of ours or of the webrtc crate panicked.
    Broken(String),
    /// The other side closed the connection in due form (DTLS `close_notify`).
    TheyClosed,
    Closed,
}

/// What media needs of a connection.
pub(crate) struct PeerLink {
    pub video: Arc<TrackLocalStaticRTP>,
    pub audio: Arc<TrackLocalStaticRTP>,
    pub video_ssrc: u32,
    pub audio_ssrc: u32,
    pub video_payload_type: u8,
    pub sound_formats: SoundFormats,
    /// Which lengths of packets of sound the other side takes.
    pub sound_lengths: Lengths,
    /// Whether the other side prefers that pauses of sound are left out.
    pub pauses_left_out: bool,
    /// Payload type of parity over pictures, as the chain was told.
    #[cfg(test)]
    pub parity: Option<u8>,
    pub remote_video: Option<Arc<dyn TrackRemote>>,
    pub remote_audio: Option<Arc<dyn TrackRemote>>,
    /// Tracks that begin later.
    pub later: mpsc::Receiver<(RtpCodecKind, Arc<dyn TrackRemote>)>,
    pub feedback: mpsc::Receiver<Feedback>,
    pub target: SharedTarget,
    pub round_trip: RoundTrip,
    /// Where the moments of capture behind RTP timestamps are told, for sender reports.
    pub clocks: CaptureClocks,
    /// What is sent for repair, out of the target.
    pub repair: SharedRepair,
    /// Which copies of earlier sound travel with the newest.
    pub sound: SharedSoundPlan,
}

/// Asks the connection for its measured round trip.
#[derive(Clone)]
pub(crate) struct RoundTrip {
    connection: Arc<dyn PeerConnection>,
    shared: SharedRoundTrip,
}

impl RoundTrip {
    /// Of the nominated pair, by STUN (W3C `currentRoundTripTime`). Whoever asks for packets again learns it, too.
    pub(crate) async fn get(&self) -> Option<Duration> {
        let report = self.connection.get_stats(Instant::now(), StatsSelector::None).await;
        let seconds = report.candidate_pairs().find(|p| p.nominated).map(|p| p.current_round_trip_time)?;
        let trip = Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero())?;
        self.shared.sample(trip);
        Some(trip)
    }

    /// As measured so far, by STUN and by reports.
    pub(crate) fn shared(&self) -> SharedRoundTrip {
        self.shared.clone()
    }
}

/// A handle; dropping it closes the connection.
pub(crate) struct Peer {
    commands: mpsc::Sender<PeerCommand>,
    task: tokio::task::JoinHandle<()>,
    link: Option<oneshot::Receiver<PeerLink>>,
}

impl Peer {
    /// Builds a connection, ready to make or take an offer. Events arrive at `events`, which must be read promptly.
    pub(crate) async fn build(settings: &PeerSettings, events: mpsc::Sender<PeerEvent>) -> Result<Self, PeerError> {
        let (raw_tx, raw_rx) = mpsc::channel(256);
        let (feedback_tx, feedback) = mpsc::channel(64);
        let alarm = Alarm::default();
        let handler = Handler::new(raw_tx, alarm.clone());
        let wake = handler.wake.clone();
        let built = setup::build(settings, handler, feedback_tx).await?;
        let (commands, inbox) = mpsc::channel(128);
        let (link_tx, link) = oneshot::channel();
        let (later_tx, later) = mpsc::channel(4);
        let reports = events.clone();
        let actor = Actor {
            built,
            events,
            raw: raw_rx,
            inbox,
            early: Vec::new(),
            candidates: 0,
            described: false,
            connected: false,
            tracks: Vec::new(),
            media: Some((link_tx, feedback, later)),
            hides: settings.relay_only,
            later: later_tx,
            alarm,
            wake,
            staged: None,
            role: None,
            gate: None,
        };
        Ok(Self { commands, task: tokio::spawn(watched(actor.run(), reports)), link: Some(link) })
    }

    /// Queues a command. It is dropped where the connection is gone, or drowned in candidates.
    pub(crate) fn command(&self, command: PeerCommand) {
        if self.commands.try_send(command).is_err() {
            tracing::debug!("a peer connection takes no more commands");
        }
    }

    /// Takes the media side, which is there from [`PeerEvent::Connected`] on.
    pub(crate) fn take_link(&mut self) -> Option<PeerLink> {
        self.link.take()?.try_recv().ok()
    }

    /// Closes and waits for it, within a second.
    pub(crate) async fn close(self) {
        drop(self.commands);
        let _ = self.task.await;
    }
}

/// Waits for a task; should it have panicked, that ends its call with a word, and not the app.
async fn watched(task: impl Future<Output = ()> + Send + 'static, reports: mpsc::Sender<PeerEvent>) {
    if tokio::spawn(task).await.is_err_and(|error| error.is_panic()) {
        tracing::error!("a peer connection's task panicked");
        let _ = reports.send(PeerEvent::Broken(BROKEN.into())).await;
    }
}

type MediaParts =
    (oneshot::Sender<PeerLink>, mpsc::Receiver<Feedback>, mpsc::Receiver<(RtpCodecKind, Arc<dyn TrackRemote>)>);

struct Actor {
    built: Built,
    events: mpsc::Sender<PeerEvent>,
    raw: mpsc::Receiver<Raw>,
    inbox: mpsc::Receiver<PeerCommand>,
    /// Remote candidates that came before the description they belong to.
    early: Vec<RTCIceCandidateInit>,
    candidates: usize,
    described: bool,
    connected: bool,
    tracks: Vec<(RtpCodecKind, Arc<dyn TrackRemote>)>,
    media: Option<MediaParts>,
    /// The other side is not to see our address.
    hides: bool,
    later: mpsc::Sender<(RtpCodecKind, Arc<dyn TrackRemote>)>,
    alarm: Alarm,
    wake: Wake,
    /// The offer that begins ICE anew once it is needed.
    staged: Option<RTCSessionDescription>,
    /// Our part in DTLS, once that is agreed on.
    role: Option<DtlsRole>,
    /// What comes over the control channel waits behind it until it is told whose certificate DTLS used.
    gate: Option<oneshot::Sender<()>>,
}

impl Actor {
    async fn run(mut self) {
        let control = self.built.control.clone();
        let (gate, opened) = oneshot::channel();
        self.gate = Some(gate);
        let reader = tokio::spawn(read_control(control, self.events.clone(), opened));
        let nudge = self.built.nudge.clone();
        let relays = self.built.relays.clone();
        loop {
            tokio::select! {
                command = self.inbox.recv() => match command {
                    Some(command) => self.carry_out(command).await,
                    None => break,
                },
                Some(raw) = self.raw.recv() => self.pass_on(raw).await,
                () = nudge.seen() => self.tell(PeerEvent::Nudged).await,
                (server, trouble) = relays.trouble() => {
                    tracing::warn!(%trouble, "a TURN server is of no use");
                    self.tell(PeerEvent::RelayTrouble(format!("{server} {trouble}"))).await;
                }
                // The allocation went with the stream. ICE would notice it by silence only.
                server = relays.broken() => if self.connected && self.way().await.1.as_ref() == Some(&server) {
                    self.tell(PeerEvent::IceDisconnected).await;
                },
                () = self.alarm.rings() => {
                    tracing::error!("a task of the webrtc crate panicked");
                    self.tell(PeerEvent::Broken(BROKEN.into())).await;
                }
            }
        }
        if self.connected {
            tokio::time::sleep(FAREWELL).await;
        }
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.built.connection.close()).await;
        reader.abort();
    }

    async fn tell(&self, event: PeerEvent) {
        let Some(event) = (if self.hides { hidden(event) } else { Some(event) }) else { return };
        // The driver reads promptly; should it be gone, nobody needs the event.
        let _ = self.events.send(event).await;
    }

    async fn carry_out(&mut self, command: PeerCommand) {
        let done = match command {
            PeerCommand::CreateOffer { restart } => self.offer(restart).await,
            PeerCommand::AcceptOffer(sdp) => self.accept_offer(sdp).await,
            PeerCommand::AcceptAnswer(sdp) => self.accept_answer(sdp).await,
            PeerCommand::Stage(number) => self.stage(number).await,
            PeerCommand::Switch(theirs) => self.switch(&theirs).await,
            PeerCommand::AddCandidate(json) => {
                self.add_candidate(&json).await;
                Ok(())
            }
            PeerCommand::SendControl(text) => {
                if let Err(error) = self.built.control.try_send_text(&text).await {
                    tracing::debug!(%error, "control message not sent");
                }
                Ok(())
            }
        };
        if let Err(error) = done {
            self.tell(PeerEvent::Failed(error.to_string())).await;
        }
    }

    async fn offer(&mut self, restart: bool) -> Result<(), PeerError> {
        self.unstage();
        let pc = &self.built.connection;
        // Not `restart_ice()`: that would bind new sockets twice, and the path that there is would be cut sooner.
        let offer = pc.create_offer(Some(RTCOfferOptions { ice_restart: restart })).await?;
        let sdp = self.built.hellos.tell(&offer.sdp);
        pc.set_local_description(offer).await?;
        self.tell(PeerEvent::Offer(sdp)).await;
        Ok(())
    }

    fn unstage(&mut self) {
        self.staged = None;
        self.built.nudge.expect(None);
    }

    async fn stage(&mut self, number: u64) -> Result<(), PeerError> {
        let pc = &self.built.connection;
        if pc.pending_local_description().await.is_some() {
            // An exchange is under way, after which it is asked for again.
            return Ok(());
        }
        let offer = pc.create_offer(Some(RTCOfferOptions { ice_restart: true })).await?;
        self.built.nudge.expect(crate::session::generation_of(&offer.sdp));
        let sdp = offer.sdp.clone();
        self.staged = Some(offer);
        self.tell(PeerEvent::Staged(number, sdp)).await;
        Ok(())
    }

    /// Both sides apply their own offer and take the other's, known beforehand, for its answer: so nobody has to wait for
    /// a word from the other side, which may have no way to say one.
    async fn switch(&mut self, theirs: &str) -> Result<(), PeerError> {
        let staged = self.staged.take().ok_or_else(|| PeerError("nothing was agreed on ahead".into()))?;
        self.unstage();
        self.built.connection.set_local_description(staged).await?;
        // Who does what in DTLS stays as it is; an answer only has to say something.
        let answer = theirs.replace("a=setup:actpass", "a=setup:active");
        if self.apply_remote(RTCSessionDescription::answer(answer)).await? {
            self.described().await;
        }
        Ok(())
    }

    async fn accept_offer(&mut self, sdp: String) -> Result<(), PeerError> {
        self.unstage();
        let pc = &self.built.connection;
        if pc.pending_local_description().await.is_some() {
            let mut rollback = RTCSessionDescription::default();
            rollback.sdp_type = RTCSdpType::Rollback;
            pc.set_local_description(rollback).await?;
        }
        self.built.hellos.learn(&sdp);
        if !self.apply_remote(RTCSessionDescription::offer(sdp)).await? {
            return Ok(());
        }
        let pc = &self.built.connection;
        let answer = pc.create_answer(None).await?;
        let sdp = match self.role {
            Some(role) => role.said_in(&answer.sdp),
            None => answer.sdp.clone(),
        };
        pc.set_local_description(answer).await?;
        self.role = DtlsRole::in_answer(&sdp);
        self.tell(PeerEvent::Answer(sdp)).await;
        self.described().await;
        Ok(())
    }

    async fn accept_answer(&mut self, sdp: String) -> Result<(), PeerError> {
        let theirs = DtlsRole::in_answer(&sdp);
        if self.apply_remote(RTCSessionDescription::answer(sdp)).await? {
            self.role = self.role.or(theirs.map(DtlsRole::other));
            self.described().await;
        }
        Ok(())
    }

    /// Whether it was applied. One that makes no sense before a call stands is the other side's fault; in a call, both
    /// may have offered at once.
    async fn apply_remote(&self, description: webrtc::error::Result<RTCSessionDescription>) -> Result<bool, PeerError> {
        let applied = match description {
            Ok(description) => self.built.connection.set_remote_description(description).await,
            Err(error) => Err(error),
        };
        match applied {
            Ok(()) => Ok(true),
            Err(error) if !self.connected => {
                tracing::debug!(%error, "their description was refused");
                self.tell(PeerEvent::Misbehaves("a description that makes no sense".into())).await;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn described(&mut self) {
        self.described = true;
        self.candidates = 0;
        for candidate in std::mem::take(&mut self.early) {
            self.apply(candidate).await;
        }
        self.wake.up();
    }

    async fn add_candidate(&mut self, json: &str) {
        self.candidates += 1;
        if self.candidates > MAX_CANDIDATES {
            return;
        }
        match serde_json::from_str::<RTCIceCandidateInit>(json) {
            Ok(candidate) if self.described => {
                self.apply(candidate).await;
                // The crate looks at candidates at its next check, 20 ms later at worst. Of several that came together
                // the last one counts.
                if self.inbox.is_empty() {
                    self.wake.up();
                }
            }
            Ok(candidate) if self.early.len() < MAX_EARLY_CANDIDATES => self.early.push(candidate),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a candidate that is none"),
        }
    }

    async fn apply(&self, candidate: RTCIceCandidateInit) {
        if let Err(error) = self.built.connection.add_ice_candidate(candidate).await {
            tracing::debug!(%error, "candidate refused");
        }
    }

    async fn pass_on(&mut self, raw: Raw) {
        match raw {
            Raw::Event(PeerEvent::IceConnected) => {
                self.path_stands().await;
            }
            Raw::Event(event) => self.tell(event).await,
            Raw::Track(track) => {
                let kind = track.kind().await;
                if self.connected {
                    let _ = self.later.try_send((kind, track));
                } else {
                    self.tracks.push((kind, track));
                }
            }
            Raw::Connected if self.connected => self.path_stands().await,
            Raw::Connected => self.connect().await,
        }
    }

    async fn path_stands(&self) {
        self.tell(PeerEvent::Uses(self.local().await)).await;
        let (path, relay) = self.way().await;
        self.tell(PeerEvent::Way(path, relay)).await;
        self.tell(PeerEvent::IceConnected).await;
    }

    async fn connect(&mut self) {
        self.connected = true;
        let (path, relay) = self.way().await;
        self.tell(PeerEvent::Way(path, relay)).await;
        match self.identities().await {
            Ok((mine, theirs, path)) => {
                if let Some((out, feedback, later)) = self.media.take() {
                    let _ = out.send(self.link(feedback, later).await);
                }
                self.tell(PeerEvent::Connected { mine, theirs, path }).await;
                self.gate.take().map(|gate| gate.send(()));
            }
            Err(error) => self.tell(PeerEvent::Failed(error.to_string())).await,
        }
    }

    /// The address that the path leads from; behind a NAT or a relay, that of the socket behind it.
    async fn local(&self) -> Option<IpAddr> {
        let pair = self.pair().await?;
        let (local, host) = (pair.local(), RTCIceCandidateType::Host);
        let address = if local.typ == host { &local.address } else { &local.related_address };
        address.parse().ok().filter(|address: &IpAddr| !address.is_unspecified())
    }

    async fn pair(&self) -> Option<RTCIceCandidatePair> {
        let dtls = self.built.audio_sender.transport().await.ok()??;
        dtls.ice_transport().get_selected_candidate_pair().await.ok()?
    }

    /// Whether a relay sits on the path, and which: one of ours by its name, the other side's by its address.
    async fn way(&self) -> (Path, Option<String>) {
        let Some(pair) = self.pair().await else { return (Path::Direct, None) };
        let relay = RTCIceCandidateType::Relay;
        if pair.local().typ == relay {
            let local = pair.local();
            let address = local.address.parse().map(|ip| SocketAddr::new(ip, local.port));
            return (Path::Relayed, address.ok().and_then(|address| self.built.relays.through(address)));
        }
        if pair.remote().typ == relay {
            return (Path::Relayed, Some(format!("{}, the other side's", pair.remote().address)));
        }
        (Path::Direct, None)
    }

    /// The fingerprints that DTLS really used (RFC 8122), and whether a relay sits on the path.
    async fn identities(&self) -> Result<(Vec<u8>, Vec<u8>, Path), PeerError> {
        let dtls = self.built.audio_sender.transport().await?;
        let dtls = dtls.ok_or_else(|| PeerError("no transport after connecting".into()))?;
        let theirs = dtls.get_remote_certificates().await?;
        let theirs = theirs.first().ok_or_else(|| PeerError("the other side showed no certificate".into()))?;
        let local = self.built.connection.local_description().await.map(|d| d.sdp).unwrap_or_default();
        let mine = crate::session::fingerprint_of(&local).ok_or_else(|| PeerError("no fingerprint of ours".into()))?;
        Ok((mine, crate::session::sha256(theirs).to_vec(), self.way().await.0))
    }

    async fn link(
        &mut self,
        feedback: mpsc::Receiver<Feedback>,
        later: mpsc::Receiver<(RtpCodecKind, Arc<dyn TrackRemote>)>,
    ) -> PeerLink {
        let built = &self.built;
        let mut of_kind = |kind| {
            let i = self.tracks.iter().position(|(k, _)| *k == kind)?;
            Some(self.tracks.swap_remove(i).1)
        };
        let parity = negotiated(&built.video_sender, MIME_TYPE_PARITY).await;
        tracing::debug!(?parity, "negotiated");
        let shared = built.shared.clone();
        shared.parity.negotiated(parity);
        let opus = negotiated(&built.audio_sender, MIME_TYPE_OPUS).await.unwrap_or(111);
        let theirs = built.connection.remote_description().await.map(|d| d.sdp).unwrap_or_default();
        PeerLink {
            video: built.video.clone(),
            audio: built.audio.clone(),
            video_ssrc: built.video_ssrc,
            audio_ssrc: built.audio_ssrc,
            video_payload_type: negotiated(&built.video_sender, MIME_TYPE_H264).await.unwrap_or(102),
            #[cfg(test)]
            parity,
            sound_formats: SoundFormats { opus, red: negotiated(&built.audio_sender, MIME_TYPE_RED).await },
            sound_lengths: sound_terms::lengths(&theirs, opus),
            pauses_left_out: sound_terms::pauses_left_out(&theirs, opus),
            remote_video: of_kind(RtpCodecKind::Video),
            remote_audio: of_kind(RtpCodecKind::Audio),
            later,
            feedback,
            target: shared.target,
            round_trip: RoundTrip { connection: built.connection.clone(), shared: shared.round_trip },
            clocks: shared.clocks,
            repair: shared.repair,
            sound: shared.sound,
        }
    }
}

/// The payload type under which a codec may be sent; `None` where the other side does not know it.
async fn negotiated(sender: &Arc<dyn webrtc::rtp_transceiver::RtpSender>, mime_type: &str) -> Option<u8> {
    let codecs = sender.get_parameters().await.ok()?.rtp_parameters.codecs;
    codecs.iter().find(|c| c.rtp_codec.mime_type.eq_ignore_ascii_case(mime_type)).map(|c| c.payload_type)
}

async fn read_control(channel: Arc<dyn DataChannel>, events: mpsc::Sender<PeerEvent>, opened: oneshot::Receiver<()>) {
    if opened.await.is_err() {
        return;
    }
    let (most, per_second) = CONTROL_PACE;
    let mut budget = Budget::new(Instant::now(), most, per_second);
    while let Some(event) = channel.poll().await {
        let wait = budget.wait(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let _ = budget.take(Instant::now());
        let event = match event {
            DataChannelEvent::OnOpen => PeerEvent::ControlOpen,
            DataChannelEvent::OnMessage(message) if message.data.len() <= MAX_CONTROL => {
                match String::from_utf8(Bytes::from(message.data).to_vec()) {
                    Ok(text) => PeerEvent::Control(text),
                    Err(_) => continue,
                }
            }
            DataChannelEvent::OnClose => PeerEvent::TheyClosed,
            _ => continue,
        };
        if events.send(event).await.is_err() {
            break;
        }
    }
}
