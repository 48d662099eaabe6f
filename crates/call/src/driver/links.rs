//! Signaling connections: the configured ones, the one inside the app, and those that a search finds.

use crate::lan::{self, Found, OwnServer};
use crate::links::LinkHandle;
use crate::options::{LocalNetwork, Options};
use crate::session::{Input, LinkId, LinkInfo, LinkKind};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use visavis_media::RoomId;
use visavis_signaling::{ClientEvent, ClientMessage, RoomCode};

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
    room: Option<RoomId>,
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
            search: None,
            events,
            news,
            closing: JoinSet::new(),
        };
        (table, inbox)
    }

    fn open(&mut self, url: &str, kind: LinkKind, permanent: bool) -> (LinkId, LinkInfo) {
        self.next += 1;
        let id = LinkId(self.next);
        let handle = LinkHandle::open(id, url.to_owned(), self.ca.clone(), permanent, self.events.clone());
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

    pub(super) fn send(&self, id: LinkId, message: ClientMessage) {
        if let Some(link) = self.links.get(&id) {
            link.send(message);
        }
    }

    /// Makes a room findable: the server inside the app, and its announcement.
    pub(super) fn serve(&mut self, code: &RoomCode) {
        self.begin_round();
        self.room = Some(code.room_id());
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
        let (round, network, out) = (self.round, self.network, self.news.clone());
        let (room, own) = (code.room_id(), self.own.as_ref().map(OwnServer::port));
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

    fn begin_round(&mut self) {
        self.round += 1;
        self.found = 0;
        if let Some(search) = self.search.take() {
            search.abort();
        }
    }

    /// Ends serving and searching; closes every link but `keep` and the configured ones. Names those that go.
    pub(super) fn release(&mut self, keep: Option<LinkId>) -> Vec<LinkId> {
        self.begin_round();
        self.room = None;
        let gone: Vec<_> =
            self.links.iter().filter(|(id, l)| !l.permanent && Some(**id) != keep).map(|(id, _)| *id).collect();
        for id in &gone {
            self.close(*id);
        }
        if self.own_link.is_none_or(|own| Some(own) != keep) {
            self.own_link = None;
            if let Some(own) = self.own.take() {
                self.closing.spawn(own.stop());
            }
        }
        gone
    }

    fn close(&mut self, id: LinkId) {
        if let Some(link) = self.links.remove(&id) {
            self.closing.spawn(link.close());
        }
    }

    /// What a report means to the session.
    pub(super) fn translate(&mut self, news: LinkNews) -> Option<Input> {
        while self.closing.try_join_next().is_some() {}
        match news {
            LinkNews::Client(id, event) if self.links.contains_key(&id) => Some(match event {
                ClientEvent::Connected => Input::LinkUp(id),
                ClientEvent::Message(message) => Input::Received(id, message),
                ClientEvent::Disconnected { why, .. } => Input::LinkDown(id, why.to_string()),
                ClientEvent::Failed(error) => {
                    self.links.remove(&id);
                    Input::LinkGone(id, error.to_string())
                }
            }),
            LinkNews::Client(..) => None,
            LinkNews::Found(round, found) if round == self.round => {
                self.found += 1;
                if self.found > MAX_FOUND || self.links.values().any(|l| l.url == found.url) {
                    return None;
                }
                let kind = if found.this_machine { LinkKind::ThisMachine } else { LinkKind::LocalNetwork };
                let (id, info) = self.open(&found.url, kind, false);
                Some(Input::LinkAdded(id, info))
            }
            LinkNews::SearchOver(round) if round == self.round => Some(Input::SearchOver),
            LinkNews::Found(..) | LinkNews::SearchOver(_) => None,
            LinkNews::OwnServer(round, Some(mut server)) if round == self.round => {
                if let (LocalNetwork::On, Some(room)) = (self.network, &self.room) {
                    server.announce(room);
                }
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
