//! Signaling connections: the configured ones, the one inside the app, and those that a search finds.

use crate::lan::{self, Found, OwnServer};
use crate::links::LinkHandle;
use crate::options::{LocalNetwork, Options};
use crate::session::{Input, LinkId, LinkInfo, LinkKind};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use visavis_media::RoomId;
use visavis_signaling::{ClientEvent, ClientMessage, RoomCode, ServerMessage};

/// Servers that one search may lead to; more than five apps waiting on one network, less than a flood.
const MAX_FOUND: usize = 32;

/// What tasks of this module report.
pub(super) enum LinkNews {
    Client(LinkId, ClientEvent),
    /// Of the search or the server with this number; older ones are of a call that is over.
    Found(u64, Found),
    SearchOver(u64),
    OwnServer(u64, Option<OwnServer>),
}

struct Room {
    id: RoomId,
    /// Others nearby may have opened it at the same moment.
    look: bool,
}

/// See the module's text.
pub(super) struct LinkTable {
    servers: Vec<String>,
    ca: Option<PathBuf>,
    network: LocalNetwork,
    links: BTreeMap<LinkId, LinkHandle>,
    next: u32,
    round: u64,
    found: usize,
    own: Option<OwnServer>,
    own_link: Option<LinkId>,
    /// The room that is served.
    room: Option<Room>,
    /// The apps found in this round, and where we connected to them.
    instances: BTreeMap<String, BTreeSet<LinkId>>,
    up: BTreeSet<LinkId>,
    search: Option<AbortHandle>,
    events: mpsc::Sender<(LinkId, ClientEvent)>,
    news: mpsc::Sender<LinkNews>,
    closing: JoinSet<()>,
}

fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned()
}

impl LinkTable {
    pub(super) fn new(options: &Options) -> (Self, mpsc::Receiver<LinkNews>) {
        let (news, inbox) = mpsc::channel(256);
        let (events, mut from_clients) = mpsc::channel(256);
        let out = news.clone();
        tokio::spawn(async move {
            while let Some((id, event)) = from_clients.recv().await {
                if out.send(LinkNews::Client(id, event)).await.is_err() {
                    break;
                }
            }
        });
        let table = Self {
            servers: options.servers.clone(),
            ca: options.ca.clone(),
            network: options.local_network,
            links: BTreeMap::new(),
            next: 0,
            round: 0,
            found: 0,
            own: None,
            own_link: None,
            room: None,
            instances: BTreeMap::new(),
            up: BTreeSet::new(),
            search: None,
            events,
            news,
            closing: JoinSet::new(),
        };
        (table, inbox)
    }

    fn open(&mut self, url: &str, kind: LinkKind, permanent: bool) -> (LinkId, LinkInfo) {
        self.open_at(url, Vec::new(), kind, permanent)
    }

    fn open_at(
        &mut self,
        url: &str,
        addresses: Vec<SocketAddr>,
        kind: LinkKind,
        permanent: bool,
    ) -> (LinkId, LinkInfo) {
        self.next += 1;
        let id = LinkId(self.next);
        let (ca, events) = (self.ca.clone(), self.events.clone());
        let handle = LinkHandle::open(id, url.to_owned(), addresses, ca, permanent, events);
        self.links.insert(id, handle);
        (id, LinkInfo { kind, host: host_of(url) })
    }

    /// Connects to every configured server that is not connected to yet.
    pub(super) fn open_configured(&mut self) -> Vec<(LinkId, LinkInfo)> {
        let missing: Vec<_> =
            self.servers.iter().filter(|url| !self.links.values().any(|l| l.url == **url)).cloned().collect();
        missing.iter().map(|url| self.open(url, LinkKind::Configured { url: url.clone() }, true)).collect()
    }

    /// Other servers from now on: the links that go, and those that come.
    pub(super) fn set_configured(&mut self, servers: &[String]) -> (Vec<LinkId>, Vec<(LinkId, LinkInfo)>) {
        self.servers = servers.to_vec();
        let gone: Vec<_> =
            self.links.iter().filter(|(_, l)| l.permanent && !servers.contains(&l.url)).map(|(id, _)| *id).collect();
        for id in &gone {
            self.close(*id);
        }
        (gone, self.open_configured())
    }

    /// Connects to the server that an invitation names.
    pub(super) fn open_invited(&mut self, server: Option<&str>) -> Option<(LinkId, LinkInfo)> {
        let url = server?;
        if self.links.values().any(|l| l.url == url) {
            return None;
        }
        Some(self.open(url, LinkKind::Configured { url: url.to_owned() }, false))
    }

    /// Connects to the echo peer's server.
    pub(super) fn open_echo(&mut self, url: &str) -> (LinkId, LinkInfo) {
        self.begin_round();
        self.open(url, LinkKind::Echo, false)
    }

    pub(super) fn send(&self, id: LinkId, message: ClientMessage) {
        if let Some(link) = self.links.get(&id) {
            link.send(message);
        }
    }

    /// Looks whether a connection still stands.
    pub(super) fn probe(&self, id: LinkId) {
        if let Some(link) = self.links.get(&id) {
            link.probe();
        }
    }

    /// The network changed: the same for all.
    pub(super) fn probe_all(&self) {
        self.links.values().for_each(LinkHandle::probe);
    }

    /// Makes a room findable: the server inside the app, which announces it once it is open there. With `look`, apps
    /// nearby that opened it too and rank before ours are named.
    pub(super) fn serve(&mut self, code: &RoomCode, look: bool) {
        self.begin_round();
        self.room = Some(Room { id: code.room_id(), look });
        if self.network == LocalNetwork::Off {
            return;
        }
        if let Some(own) = self.own.take() {
            self.closing.spawn(own.stop());
        }
        let (round, network, out) = (self.round, self.network, self.news.clone());
        tokio::spawn(async move {
            let server = OwnServer::start(network).await;
            let _ = out.send(LinkNews::OwnServer(round, server)).await;
        });
    }

    /// Looks for who waits under a code.
    pub(super) fn search(&mut self, code: &RoomCode) {
        self.begin_round();
        self.look_around(code.room_id());
    }

    fn look_around(&mut self, room: RoomId) {
        let (round, network, out) = (self.round, self.network, self.news.clone());
        let own = self.own.as_ref().map(OwnServer::port);
        let task = tokio::spawn(async move {
            let (found, mut inbox) = mpsc::channel(16);
            let searching = lan::search(network, room, own, found);
            let passing_on = async {
                while let Some(found) = inbox.recv().await {
                    let _ = out.send(LinkNews::Found(round, found)).await;
                }
            };
            tokio::join!(searching, passing_on);
            let _ = out.send(LinkNews::SearchOver(round)).await;
        });
        self.search = Some(task.abort_handle());
    }

    /// Our room is open in our own server: from here on others may come.
    fn opened_here(&mut self) {
        let (Some(own), Some(Room { id, look })) = (&mut self.own, &self.room) else { return };
        if self.network == LocalNetwork::On {
            own.announce(id);
        }
        if *look {
            self.look_around(id.clone());
        }
    }

    /// Opens a link to a server that was found, unless there is one already or enough.
    fn found(&mut self, found: Found) -> Option<Input> {
        // Where both opened a room, the one that ranks second gives way, and it is not both.
        if let (Some(_), Some(own)) = (&self.room, &self.own)
            && !own.yields_to(&found)
        {
            return None;
        }
        self.found += 1;
        let same = found.instance.as_ref().and_then(|name| self.instances.get(name));
        let reached = same.is_some_and(|links| !links.is_disjoint(&self.up));
        if self.found > MAX_FOUND || reached || self.links.values().any(|l| l.url == found.url) {
            return None;
        }
        let kind = if found.this_machine { LinkKind::ThisMachine } else { LinkKind::LocalNetwork };
        let (id, info) = self.open_at(&found.url, found.addresses, kind, false);
        if let Some(name) = found.instance {
            self.instances.entry(name).or_default().insert(id);
        }
        Some(Input::LinkAdded(id, info))
    }

    fn begin_round(&mut self) {
        self.round += 1;
        self.found = 0;
        self.instances.clear();
        if let Some(search) = self.search.take() {
            search.abort();
        }
    }

    /// Ends serving and searching; closes every link but `keep` and the configured ones. Names those that go.
    pub(super) fn release(&mut self, keep: Option<LinkId>) -> Vec<LinkId> {
        self.begin_round();
        self.room = None;
        if let Some(own) = &mut self.own {
            self.closing.spawn(own.withdraw());
        }
        let gone: Vec<_> =
            self.links.iter().filter(|(id, l)| !l.permanent && Some(**id) != keep).map(|(id, _)| *id).collect();
        let own_goes = self.own_link.is_none_or(|own| Some(own) != keep);
        let own_link = self.own_link.take_if(|_| own_goes);
        for id in gone.iter().filter(|id| Some(**id) != own_link) {
            self.close(*id);
        }
        if own_goes {
            let link = own_link.and_then(|id| self.links.remove(&id));
            self.up.retain(|id| Some(*id) != own_link);
            let own = self.own.take();
            // What was said last, that we leave, is passed on to the other side before the server goes.
            self.closing.spawn(async move {
                if let Some(link) = link {
                    link.close().await;
                }
                if let Some(own) = own {
                    own.stop().await;
                }
            });
        }
        gone
    }

    fn close(&mut self, id: LinkId) {
        self.up.remove(&id);
        if let Some(link) = self.links.remove(&id) {
            self.closing.spawn(link.close());
        }
    }

    /// What a report means to the session.
    pub(super) fn translate(&mut self, news: LinkNews) -> Option<Input> {
        while self.closing.try_join_next().is_some() {}
        match news {
            LinkNews::Client(id, event) if self.links.contains_key(&id) => Some(match event {
                ClientEvent::Connected => {
                    self.up.insert(id);
                    Input::LinkUp(id)
                }
                ClientEvent::Message(message) => {
                    if self.own_link == Some(id) && matches!(message, ServerMessage::Opened(_)) {
                        self.opened_here();
                    }
                    Input::Received(id, message)
                }
                ClientEvent::Disconnected { why, .. } => {
                    self.up.remove(&id);
                    Input::LinkDown(id, why.to_string())
                }
                ClientEvent::Failed(error) => {
                    self.up.remove(&id);
                    self.links.remove(&id);
                    Input::LinkGone(id, error.to_string())
                }
            }),
            LinkNews::Client(..) => None,
            LinkNews::Found(round, found) if round == self.round => self.found(found),
            LinkNews::SearchOver(round) if round == self.round => Some(Input::SearchOver),
            LinkNews::Found(..) | LinkNews::SearchOver(_) => None,
            LinkNews::OwnServer(round, Some(server)) if round == self.round => {
                let (url, addresses) = (server.url(), server.addresses(self.network));
                self.own = Some(server);
                let (id, info) = self.open(&url, LinkKind::Own { addresses }, false);
                self.own_link = Some(id);
                Some(Input::LinkAdded(id, info))
            }
            LinkNews::OwnServer(_, Some(late)) => {
                self.closing.spawn(late.stop());
                None
            }
            LinkNews::OwnServer(_, None) => None,
        }
    }

    /// Closes everything.
    pub(super) async fn finish(&mut self) {
        self.begin_round();
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            self.close(id);
        }
        while self.closing.join_next().await.is_some() {}
        if let Some(own) = self.own.take() {
            own.stop().await;
        }
    }
}
