//! One session by itself: the test plays every server, and every other side.

use super::super::*;
use super::world::{sdp, secret};
use crate::api::{EndReason, Phase};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use visavis_media::{CallId, PeerId};
use visavis_signaling::{Envelope, Keys, Kind, Newcomer, Share, answer};

/// See the module's text.
pub(super) struct Lone {
    pub session: Session,
    pub now: Instant,
    pub said: Vec<(LinkId, ClientMessage)>,
    pub events: Vec<Event>,
    /// Peer connections made, in all and now.
    pub made: usize,
    pub peers: BTreeSet<PeerKey>,
    pub ice: Vec<visavis_signaling::IceServer>,
    pub commands: Vec<PeerCommand>,
    pub derived: usize,
    pub looked_up: usize,
}

pub(super) const HOME: LinkId = LinkId(1);

pub(super) fn code() -> RoomCode {
    "velvet canyon orbit zero".parse().expect("a valid code")
}

/// Another one, for afterwards: deriving keys is slow on purpose, so codes are seldom drawn.
pub(super) fn other_code() -> RoomCode {
    "abandon abandon abandon absurd".parse().expect("a valid code")
}

pub(super) fn seat(kind: &str) -> Value {
    json!({"type": kind, "peerId": "me", "resume": "r", "peers": [{"peerId": "x"}]})
}

impl Lone {
    /// With connections to so many servers.
    pub(super) fn new(servers: u32) -> Self {
        let mut lone = Self {
            session: Session::new(
                Me { name: "Ann".into(), muted: false, video_on: true, camera_works: true, sound_only: false },
                true,
            ),
            now: Instant::now(),
            said: Vec::new(),
            events: Vec::new(),
            made: 0,
            peers: BTreeSet::new(),
            ice: Vec::new(),
            commands: Vec::new(),
            derived: 0,
            looked_up: 0,
        };
        for i in 1..=servers {
            let kind = LinkKind::Configured { url: format!("wss://s{i}.example") };
            lone.input(Input::LinkAdded(LinkId(i), LinkInfo { kind, host: format!("s{i}.example") }));
            lone.input(Input::LinkUp(LinkId(i)));
        }
        lone
    }

    /// Waiting under [`code`], with a seat at every server.
    pub(super) fn waiting(servers: u32) -> Self {
        let mut lone = Self::new(servers);
        lone.input(Input::Command(Command::Start(Some(code()))));
        for i in 1..=servers {
            lone.hears(LinkId(i), &seat("opened"));
        }
        lone
    }

    pub(super) fn input(&mut self, input: Input) {
        self.session.handle(self.now, input);
        self.settle();
    }

    pub(super) fn hears(&mut self, link: LinkId, message: &Value) {
        if let Ok(message) = serde_json::from_value(message.clone()) {
            self.input(Input::Received(link, message));
        }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn settle(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let event = match output {
                Output::Derive(code) => {
                    self.derived += 1;
                    let secret = secret(&code);
                    self.session.handle(self.now, Input::Secret(code, secret));
                    continue;
                }
                Output::LookUp(servers) => {
                    self.looked_up += servers.iter().map(|s| s.urls.len()).sum::<usize>();
                    continue;
                }
                Output::Search(_) => {
                    self.session.handle(self.now, Input::SearchOver);
                    continue;
                }
                Output::Send(link, message) => {
                    self.said.push((link, message));
                    continue;
                }
                Output::PeerNew(key, servers) => {
                    self.made += 1;
                    self.ice = servers;
                    assert!(self.peers.insert(key), "a key was used twice");
                    continue;
                }
                Output::PeerDrop(key) => {
                    self.peers.remove(&key);
                    continue;
                }
                Output::Tell(event) => {
                    self.events.push(event);
                    continue;
                }
                Output::PeerDo(key, command) => {
                    self.commands.push(command.clone());
                    match command {
                        PeerCommand::CreateOffer { .. } => Input::Peer(key, PeerEvent::Offer(sdp(1))),
                        PeerCommand::AcceptOffer(_) => Input::Peer(key, PeerEvent::Answer(sdp(1))),
                        _ => continue,
                    }
                }
                Output::Serve { .. }
                | Output::Release { .. }
                | Output::Probe(_)
                | Output::MediaStart(_)
                | Output::MediaStop => continue,
            };
            self.session.handle(self.now, event);
        }
    }

    pub(super) fn reason(&self) -> Option<EndReason> {
        match self.session.phase() {
            Phase::Ended(ended) => Some(ended.reason),
            _ => None,
        }
    }

    pub(super) fn waits(&self) -> Option<(RoomCode, Option<String>)> {
        match self.session.phase() {
            Phase::Waiting(waiting) => Some((waiting.code, waiting.notice)),
            _ => None,
        }
    }

    pub(super) fn oddities(&self) -> u32 {
        self.session.patience.oddities()
    }

    /// The last offer that was said, and where.
    pub(super) fn offer(&self) -> Option<&Envelope> {
        self.said.iter().rev().find_map(|(_, message)| match message {
            ClientMessage::Offer(envelope) => Some(envelope),
            _ => None,
        })
    }

    /// The last share that was asked with.
    pub(super) fn asked_with(&self) -> Option<Share> {
        self.said.iter().rev().find_map(|(_, message)| match message {
            ClientMessage::Join { pake, .. } => Some(pake.clone()),
            _ => None,
        })
    }
}

/// Somebody who has keys with a [`Lone`], because they know the code or guess one.
pub(super) struct Other {
    pub keys: Keys,
    pub call: CallId,
    pub name: &'static str,
}

impl Other {
    /// Comes to who waits, under this code.
    pub(super) fn comes(lone: &mut Lone, link: LinkId, name: &'static str, code: &RoomCode) -> Option<Self> {
        let (newcomer, share) = Newcomer::start(&secret(code));
        let before = lone.said.len();
        lone.hears(link, &json!({"type": "peer-joined", "peerId": name, "pake": share.as_str()}));
        let offer = lone.said[before..].iter().find_map(|(_, message)| match message {
            ClientMessage::Offer(envelope) => Some(envelope.clone()),
            _ => None,
        })?;
        let keys = newcomer.finish(offer.pake.as_ref()?).ok()?.into_keys();
        Some(Self { keys, call: offer.call_id, name })
    }

    /// Is found by who joins, under this code; the share is to go with the first offer.
    pub(super) fn found(lone: &mut Lone, link: LinkId, code: &RoomCode) -> (Self, Share) {
        lone.hears(link, &seat("joined"));
        let theirs = lone.asked_with().expect("they asked to join");
        let (share, agreed) = answer(&secret(code), &theirs).expect("a good share");
        (Self { keys: agreed.into_keys(), call: CallId::random(), name: "x" }, share)
    }

    pub(super) fn seal(&mut self, kind: Kind, share: Option<Share>, plain: &Value) -> Value {
        let (from, to) = (PeerId::new(self.name), PeerId::new("me"));
        let envelope = self.keys.sealer.seal(kind, &from, &to, &self.call, share, plain.to_string().as_bytes());
        serde_json::to_value(ClientMessage::sealed(kind, envelope)).expect("JSON")
    }
}
