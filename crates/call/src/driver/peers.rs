//! Peer connections and the media on them. One is always built ahead, so that an offer or answer needs no set-up.

use crate::check::Questions;
use crate::media::{AudioCommand, MediaHooks, MediaSession, PreparedMedia};
use crate::memory;
use crate::options::{IceServer, Options};
use crate::peer::{NameCache, Peer, PeerCommand, PeerError, PeerEvent, PeerSettings, Trust, WireSettings};
use crate::session::PeerKey;
use crate::stats::StatsSnapshot;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::SyncSender;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use visavis_media::{VideoFrame, slot};

/// Events of one connection that may wait.
const EVENTS: usize = 256;

/// A connection and its events.
pub(super) type Fresh = (Peer, mpsc::Receiver<PeerEvent>);

/// What tasks of this module report.
pub(super) enum PeerNews {
    Event(PeerKey, PeerEvent),
    Built(PeerKey, Result<Fresh, PeerError>),
    Spare(Result<Fresh, PeerError>),
    FirstPicture,
}

enum Slot {
    /// Commands wait for the connection.
    Building(Vec<PeerCommand>),
    Ready(Peer),
}

/// How to find a way through the network.
struct Away {
    servers: Vec<IceServer>,
    relay_only: bool,
    bind: Vec<SocketAddr>,
}

/// See the module's text.
pub(super) struct Peers {
    options: Options,
    settings: PeerSettings,
    remote: slot::Writer<VideoFrame>,
    slots: BTreeMap<PeerKey, Slot>,
    spare: Option<Fresh>,
    building_spare: bool,
    /// The one being built is for servers that no longer hold.
    spare_outdated: bool,
    /// What was chosen, while only this machine is talked to.
    away: Option<Away>,
    prepared: Option<PreparedMedia>,
    media: Option<MediaSession>,
    news: mpsc::Sender<PeerNews>,
    closing: JoinSet<()>,
}

async fn build(settings: PeerSettings) -> Result<Fresh, PeerError> {
    let (out, events) = mpsc::channel(EVENTS);
    Ok((Peer::build(&settings, out).await?, events))
}

fn server(s: &visavis_signaling::IceServer) -> IceServer {
    IceServer {
        urls: s.urls.clone(),
        username: s.username.clone().unwrap_or_default(),
        credential: s.credential.clone().unwrap_or_default(),
    }
}

impl Peers {
    pub(super) fn new(options: &Options, remote: slot::Writer<VideoFrame>) -> (Self, mpsc::Receiver<PeerNews>) {
        let (news, inbox) = mpsc::channel(EVENTS);
        let settings = PeerSettings {
            ice_servers: options.ice_servers.clone(),
            relay_only: options.relay_only,
            bind: options.bind.clone(),
            max_bitrate: options.max_bitrate,
            mdns: options.local_network == crate::options::LocalNetwork::On,
            names: NameCache::default(),
            trust: Trust::new(options.ca.clone()),
            wire: WireSettings {
                repeat: options.connecting.repeat_flights,
                filter: options.connecting.filter.clone(),
                link: options.connecting.link.clone(),
                number: 0,
            },
        };
        settings.look_up();
        let peers = Self {
            options: options.clone(),
            settings,
            remote,
            slots: BTreeMap::new(),
            spare: None,
            building_spare: false,
            spare_outdated: false,
            away: None,
            prepared: None,
            media: None,
            news,
            closing: JoinSet::new(),
        };
        (peers, inbox)
    }

    /// Somebody may come soon: a connection is built and the encoder warmed up.
    pub(super) fn prepare(&mut self, frames: slot::Reader<VideoFrame>) {
        self.prepared = None;
        self.prepare_media(|| frames);
        // At the start of the app there may have been no network yet.
        self.settings.look_up();
        self.build_spare();
    }

    /// The encoder alone, where it is not ready.
    pub(super) fn prepare_media(&mut self, frames: impl FnOnce() -> slot::Reader<VideoFrame>) {
        if self.prepared.is_none() {
            self.prepared = Some(PreparedMedia::new(frames(), &self.options));
        }
    }

    fn build_spare(&mut self) {
        if self.spare.is_none() && !self.building_spare {
            self.building_spare = true;
            let (settings, out) = (self.settings_of_next(), self.news.clone());
            tokio::spawn(async move {
                let _ = out.send(PeerNews::Spare(build(settings).await)).await;
            });
        }
    }

    /// These servers may soon be needed.
    pub(super) fn look_up(&self, servers: &[visavis_signaling::IceServer]) {
        PeerSettings { ice_servers: servers.iter().map(server).collect(), ..self.settings.clone() }.look_up();
    }

    fn settings_of_next(&mut self) -> PeerSettings {
        let settings = self.settings.clone();
        self.settings.wire.number += 1;
        settings
    }

    /// Other servers, from the next connection on; what was built ahead for the old ones is given up.
    pub(super) fn use_ice(&mut self, servers: &[IceServer], relay_only: bool) {
        if let Some(away) = &mut self.away {
            (away.servers, away.relay_only) = (servers.to_vec(), relay_only);
            return;
        }
        if self.settings.ice_servers == servers && self.settings.relay_only == relay_only {
            return;
        }
        self.settings.ice_servers = servers.to_vec();
        self.settings.relay_only = relay_only;
        self.settings.look_up();
        self.build_anew();
    }

    /// From the next connection on: to this machine alone, without any server, or as it was chosen again.
    pub(super) fn stay_here(&mut self, here: bool) {
        let settings = &mut self.settings;
        match (here, self.away.take()) {
            (true, None) => {
                self.away = Some(Away {
                    servers: std::mem::take(&mut settings.ice_servers),
                    relay_only: std::mem::take(&mut settings.relay_only),
                    bind: std::mem::replace(&mut settings.bind, vec![(Ipv4Addr::LOCALHOST, 0).into()]),
                });
            }
            (false, Some(Away { servers, relay_only, bind })) => {
                (settings.ice_servers, settings.relay_only, settings.bind) = (servers, relay_only, bind);
            }
            (true, away @ Some(_)) => {
                self.away = away;
                return;
            }
            (false, None) => return,
        }
        self.build_anew();
    }

    /// The servers that calls use, to be asked what they make of us.
    pub(super) fn questions(&self) -> Questions {
        let settings = &self.settings;
        let (servers, relay_only, bind) = match &self.away {
            Some(away) => (&away.servers, away.relay_only, &away.bind),
            None => (&settings.ice_servers, settings.relay_only, &settings.bind),
        };
        let trust = settings.trust.clone();
        Questions { servers: servers.clone(), relay_only, bind: bind.clone(), trust }
    }

    /// What was built ahead is for settings that no longer hold.
    fn build_anew(&mut self) {
        self.spare_outdated = self.building_spare;
        if let Some((peer, _)) = self.spare.take() {
            self.closing.spawn(peer.close());
            self.build_spare();
        }
    }

    pub(super) fn spare_built(&mut self, spare: Result<Fresh, PeerError>) {
        self.building_spare = false;
        if std::mem::take(&mut self.spare_outdated) {
            if let Ok((peer, _)) = spare {
                self.closing.spawn(peer.close());
            }
            self.build_spare();
            return;
        }
        match spare {
            Ok(spare) => self.spare = Some(spare),
            Err(error) => tracing::warn!(%error, "no peer connection could be built ahead"),
        }
    }

    /// Nobody is expected any more: what was prepared is given up, since networks change meanwhile.
    pub(super) fn rest(&mut self) {
        if let Some((peer, _)) = self.spare.take() {
            self.closing.spawn(peer.close());
        }
        self.prepared = None;
        while self.closing.try_join_next().is_some() {}
    }

    pub(super) fn open(&mut self, key: PeerKey, servers: &[visavis_signaling::IceServer]) {
        if servers.is_empty()
            && let Some(fresh) = self.spare.take()
        {
            self.install(key, fresh, Vec::new());
            return;
        }
        self.slots.insert(key, Slot::Building(Vec::new()));
        let mut settings = self.settings_of_next();
        settings.ice_servers.extend(servers.iter().map(server));
        let out = self.news.clone();
        tokio::spawn(async move {
            let _ = out.send(PeerNews::Built(key, build(settings).await)).await;
        });
    }

    fn install(&mut self, key: PeerKey, (peer, mut events): Fresh, waiting: Vec<PeerCommand>) {
        for command in waiting {
            peer.command(command);
        }
        self.slots.insert(key, Slot::Ready(peer));
        let out = self.news.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if out.send(PeerNews::Event(key, event)).await.is_err() {
                    break;
                }
            }
        });
    }

    /// A connection asked for is there; returns what the session must hear where it is not.
    pub(super) fn built(&mut self, key: PeerKey, built: Result<Fresh, PeerError>) -> Option<PeerEvent> {
        match (built, self.slots.remove(&key)) {
            (Ok(fresh), Some(Slot::Building(waiting))) => {
                self.install(key, fresh, waiting);
                None
            }
            // Dropped while it was being built.
            (Ok((peer, _)), _) => {
                self.closing.spawn(peer.close());
                None
            }
            (Err(error), _) => Some(PeerEvent::Failed(error.to_string())),
        }
    }

    pub(super) fn command(&mut self, key: PeerKey, command: PeerCommand) {
        match self.slots.get_mut(&key) {
            Some(Slot::Ready(peer)) => peer.command(command),
            Some(Slot::Building(waiting)) => waiting.push(command),
            None => {}
        }
    }

    pub(super) fn close(&mut self, key: PeerKey) {
        if let Some(Slot::Ready(peer)) = self.slots.remove(&key) {
            self.closing.spawn(peer.close());
        }
    }

    /// Sound and picture will soon flow.
    pub(super) fn soon(&self) {
        if let Some(prepared) = &self.prepared {
            prepared.soon();
        }
    }

    /// Lets sound and picture flow over a connection that stands.
    pub(super) fn start_media(&mut self, key: PeerKey, audio: SyncSender<AudioCommand>) {
        let Some(Slot::Ready(peer)) = self.slots.get_mut(&key) else { return };
        let (Some(link), Some(prepared)) = (peer.take_link(), self.prepared.take()) else {
            tracing::error!("a connection stands, but nothing can be sent over it");
            return;
        };
        let out = self.news.clone();
        let hooks = MediaHooks {
            display: self.remote.clone(),
            tap: self.options.on_picture.clone(),
            sent: self.options.on_sent.clone(),
            audio,
            first_picture: Box::new(move || {
                let _ = out.blocking_send(PeerNews::FirstPicture);
            }),
            dtx: self.options.dtx,
            sound_packets: self.options.sound_packets,
            sound_tap: self.options.on_sound.clone(),
        };
        self.media = Some(MediaSession::start(prepared, link, hooks));
    }

    pub(super) fn stop_media(&mut self) {
        if let Some(media) = self.media.take() {
            self.closing.spawn(async {
                media.stop().await;
                memory::give_back().await;
            });
        }
    }

    pub(super) fn media_flows(&self) -> bool {
        self.media.is_some()
    }

    pub(super) fn snapshot(&self, unix_ms: f64) -> Option<StatsSnapshot> {
        Some(self.media.as_ref()?.counters.snapshot(unix_ms))
    }

    /// Closes everything.
    pub(super) async fn finish(&mut self) {
        self.stop_media();
        self.rest();
        let keys: Vec<_> = self.slots.keys().copied().collect();
        for key in keys {
            self.close(key);
        }
        while self.closing.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::LocalNetwork;

    async fn spare(news: &mut mpsc::Receiver<PeerNews>) -> Result<Fresh, PeerError> {
        match news.recv().await {
            Some(PeerNews::Spare(spare)) => spare,
            _ => panic!("nothing else was asked for"),
        }
    }

    #[tokio::test]
    async fn what_was_built_ahead_for_other_servers_is_never_used() {
        let options = Options { local_network: LocalNetwork::Off, ice_servers: Vec::new(), ..Options::default() };
        let (remote, _pictures) = slot::newest_wins();
        let (mut peers, mut news) = Peers::new(&options, remote);
        peers.build_spare();
        let built = spare(&mut news).await;
        peers.spare_built(built);
        assert!(peers.spare.is_some());

        peers.use_ice(&[], true);
        assert!(peers.spare.is_none() && peers.building_spare, "a direct one must not serve who wants a relay");
        peers.use_ice(&[], false);
        let outdated = spare(&mut news).await;
        peers.spare_built(outdated);
        assert!(peers.spare.is_none() && peers.building_spare, "it was begun before the last change");
        let right = spare(&mut news).await;
        peers.spare_built(right);
        assert!(peers.spare.is_some());

        peers.use_ice(&[], false);
        assert!(peers.spare.is_some(), "nothing changed");
        peers.finish().await;
    }
}
