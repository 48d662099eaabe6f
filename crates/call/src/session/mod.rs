//! A call as a state machine: no I/O, no clock, no threads.
//!
//! [`Session::handle`] takes the time and one input: a command of the person, a message from a signaling server, an
//! event of a peer connection. [`Session::poll_output`] gives what is to be done about it, [`Session::poll_timeout`]
//! when to come back at the latest. Every input names its link or peer connection by a number that is never used
//! again, so a late event of the last call cannot reach the next one.
//!
//! Peers are kept by such a number; this release lets one of them into a call.

mod again;
mod ahead;
mod at_door;
mod commands;
mod door;
mod ice_servers;
mod joining;
mod links;
mod meeting;
mod negotiation;
mod patience;
mod rejoin;
mod roaming;
mod sdp;
mod sealed;
mod seats;
mod talk;
mod talk_events;
mod view;
mod waiting;
mod watchdog;

#[cfg(test)]
mod tests;

pub(crate) use links::{LinkId, LinkInfo, LinkKind};
#[cfg(test)]
pub(crate) use sdp::check as check_description;
pub(crate) use sdp::{fingerprint_of, generation_of, sha256};

use crate::api::{Command, Ended, Event};
use crate::peer::{PeerCommand, PeerEvent};
use joining::Joining;
use links::Links;
use patience::Patience;
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use talk::Talk;
use visavis_signaling::{ClientMessage, GuessBook, PakeSecret, RoomCode, ServerMessage};
use waiting::Waiting;

/// A peer connection, numbered by the session that asked for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PeerKey(pub u64);

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The person wants something.
    Command(Command),
    /// The echo peer waits under this code; its link was added.
    CallEcho(RoomCode),
    /// A connection to a signaling server is being made.
    LinkAdded(LinkId, LinkInfo),
    /// It stands.
    LinkUp(LinkId),
    /// It broke, or could not be made; it is being tried again.
    LinkDown(LinkId, String),
    /// It will not come back.
    LinkGone(LinkId, String),
    /// A message came.
    Received(LinkId, ServerMessage),
    /// The search of the local network is over: no further links will be added for this call.
    SearchOver,
    /// This machine has these addresses now, loopback and link-local ones left out.
    Network(BTreeSet<IpAddr>),
    /// The camera gives pictures again, or none though it is wanted.
    CameraWorks(bool),
    /// The network carries no picture of ours, or does again.
    SoundOnly(bool),
    /// The keys of a code are ready.
    Secret(RoomCode, PakeSecret),
    /// A peer connection has something to say.
    Peer(PeerKey, PeerEvent),
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Make a room findable under this code: connect to the configured servers, serve the local network.
    Serve {
        /// Under which.
        code: RoomCode,
        /// Name links to apps nearby that may have done so at the same moment and rank before ours.
        look: bool,
    },
    /// Look everywhere for who waits under this code.
    Search(RoomCode),
    /// Neither any more: close every link but this one and those to configured servers.
    Release {
        /// The link that the call goes on with.
        keep: Option<LinkId>,
    },
    /// Derive a code's keys (slow: not on this thread).
    Derive(RoomCode),
    /// Say this to a server.
    Send(LinkId, ClientMessage),
    /// Look whether this connection to a server still stands.
    Probe(LinkId),
    /// These servers may soon be needed: find out their addresses.
    LookUp(Vec<visavis_signaling::IceServer>),
    /// Build a peer connection (or take the one that stands ready), with these servers in addition.
    PeerNew(PeerKey, Vec<visavis_signaling::IceServer>),
    /// Tell a peer connection something.
    PeerDo(PeerKey, PeerCommand),
    /// Close a peer connection.
    PeerDrop(PeerKey),
    /// Let sound and picture flow over this connection.
    MediaStart(PeerKey),
    /// Stop that.
    MediaStop,
    /// For scripts and logs.
    Tell(Event),
}

pub(crate) enum Stage {
    Home,
    Waiting(Waiting),
    Joining(Joining),
    Talking(Box<Talk>),
    Ended(Ended),
}

/// What we say about ourselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Me {
    pub name: String,
    pub muted: bool,
    /// The person wants to be seen…
    pub video_on: bool,
    /// …and there is something to see.
    pub camera_works: bool,
    /// The network does not carry it.
    pub sound_only: bool,
}

/// See the module's text.
pub(crate) struct Session {
    stage: Stage,
    links: Links,
    /// The last derived keys, so that typing ahead pays.
    secret: Option<(RoomCode, PakeSecret)>,
    /// Guesses at codes that we wait or waited under, and by servers that pretend somebody answered.
    book: GuessBook,
    patience: Patience,
    me: Me,
    next_peer: u64,
    outputs: VecDeque<Output>,
    last_invitation: Option<visavis_signaling::Invitation>,
    /// Connections that are not ready in time are built anew.
    watchdog: bool,
    /// The addresses of this machine, once they have changed.
    addresses: Option<BTreeSet<IpAddr>>,
}

impl Session {
    pub(crate) fn new(me: Me, watchdog: bool) -> Self {
        Self {
            stage: Stage::Home,
            links: Links::default(),
            secret: None,
            book: GuessBook::default(),
            patience: Patience::default(),
            me,
            next_peer: 0,
            outputs: VecDeque::new(),
            last_invitation: None,
            watchdog,
            addresses: None,
        }
    }

    /// Takes one input, and whatever time has brought about.
    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        self.handle_timeout(now);
        match input {
            Input::Command(command) => self.command(now, command),
            Input::CallEcho(code) if self.idle() => self.call_echo(now, code),
            Input::CallEcho(_) => {}
            Input::LinkAdded(id, info) => {
                self.links.add(id, info);
                self.link_changed(now, id);
            }
            Input::LinkUp(id) => {
                self.links.up(id);
                if let Some(link) = self.links.get(id).filter(|l| matches!(l.info.kind, LinkKind::Configured { .. })) {
                    let host = link.info.host.clone();
                    self.tell(Event::ServerConnected(host));
                }
                self.link_changed(now, id);
            }
            Input::LinkDown(id, why) => {
                self.links.down(id, why);
                self.link_changed(now, id);
            }
            Input::LinkGone(id, why) => {
                self.links.down(id, why);
                // Whatever was hoped for from it does not come.
                self.links.seat(id, links::Seat::Refused);
                self.link_changed(now, id);
                self.links.remove(id);
            }
            Input::Received(link, message) => self.received(now, link, message),
            Input::SearchOver => self.search_over(now),
            Input::Network(addresses) => self.network_changed(now, addresses),
            Input::CameraWorks(works) => {
                self.me.camera_works = works;
                self.say_hello();
            }
            Input::SoundOnly(on) => {
                self.me.sound_only = on;
                self.say_hello();
            }
            Input::Secret(code, secret) => {
                // One that was asked for earlier may come later; it must not displace the one that is needed.
                let needed = match &self.stage {
                    Stage::Waiting(waiting) => waiting.code == code,
                    Stage::Joining(joining) => joining.code == code,
                    Stage::Home | Stage::Talking(_) | Stage::Ended(_) => true,
                };
                if needed {
                    self.secret = Some((code, secret));
                    self.secret_ready(now);
                }
            }
            Input::Peer(key, event) => self.peer_event(now, key, event),
        }
        self.note_signaling();
    }

    /// The next thing to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Session::handle_timeout`] wants to be called at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Home | Stage::Ended(_) => None,
            Stage::Waiting(waiting) => waiting.deadline(),
            Stage::Joining(joining) => Some(joining.deadline()),
            Stage::Talking(talk) => talk.deadline(),
        }
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &self.stage {
            Stage::Home | Stage::Ended(_) => {}
            Stage::Waiting(_) => self.waiting_timeout(now),
            Stage::Joining(_) => self.joining_timeout(now),
            Stage::Talking(_) => self.talk_timeout(now),
        }
        self.note_signaling();
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn tell(&mut self, event: Event) {
        self.output(Output::Tell(event));
    }

    fn new_key(&mut self) -> PeerKey {
        self.next_peer += 1;
        PeerKey(self.next_peer)
    }

    /// A server gave us a seat, and servers to find a path with.
    fn seated_with(&mut self, link: LinkId, servers: Vec<visavis_signaling::IceServer>) {
        self.links.ice(link, servers);
        let usable = self.links.ice_servers(link);
        if !usable.is_empty() {
            self.output(Output::LookUp(usable));
        }
    }

    fn secret_for(&self, code: &RoomCode) -> Option<&PakeSecret> {
        self.secret.as_ref().filter(|(of, _)| of == code).map(|(_, secret)| secret)
    }

    fn link_changed(&mut self, now: Instant, id: LinkId) {
        match &self.stage {
            Stage::Waiting(_) => self.waiting_link(now, id),
            Stage::Joining(_) => self.joining_link(now, id),
            Stage::Talking(_) => self.talk_link_changed(now, id),
            Stage::Home | Stage::Ended(_) => {}
        }
    }

    fn secret_ready(&mut self, now: Instant) {
        match &self.stage {
            Stage::Waiting(_) => {
                self.answer_queued(now);
                self.ask_nearby();
            }
            Stage::Joining(_) => self.join_everywhere(now),
            Stage::Home | Stage::Talking(_) | Stage::Ended(_) => {}
        }
    }

    fn search_over(&mut self, now: Instant) {
        if let Stage::Joining(joining) = &mut self.stage {
            joining.more_links = false;
            self.joining_settled(now);
        }
    }

    fn received(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        if !self.links.known(link) {
            return;
        }
        if let ServerMessage::Resumed(seat) = &message
            && self.links.my_id(link).is_some()
        {
            // TURN credentials end; these are new. Their addresses are those that were looked up with the seat.
            self.links.ice(link, seat.ice_servers.clone());
        }
        match &self.stage {
            // A seat that was granted after we had given up is given back.
            Stage::Home | Stage::Ended(_) => {
                if matches!(message, ServerMessage::Opened(_) | ServerMessage::Joined(_)) {
                    self.output(Output::Send(link, ClientMessage::LeaveRoom));
                }
            }
            Stage::Waiting(_) => self.waiting_message(now, link, message),
            Stage::Joining(_) => self.joining_message(now, link, message),
            Stage::Talking(_) => self.talk_message(now, link, message),
        }
    }

    fn peer_event(&mut self, now: Instant, key: PeerKey, event: PeerEvent) {
        match &mut self.stage {
            Stage::Waiting(waiting) => {
                if let Some(talk) = waiting.attempt_mut(key) {
                    let outputs = &mut self.outputs;
                    let failed = talk.attempt_event(outputs, &self.links, event);
                    if failed {
                        self.drop_attempt(now, key, None);
                    }
                }
            }
            Stage::Talking(talk) if talk.key == key => self.talk_event(now, event),
            Stage::Home | Stage::Joining(_) | Stage::Talking(_) | Stage::Ended(_) => {}
        }
    }
}

/// A time-out that lies in the future of `now` by `after`.
fn later(now: Instant, after: Duration) -> Instant {
    now + after
}

#[cfg(test)]
impl Session {
    /// The peer connection of the call in progress.
    fn stage_key(&self) -> Option<PeerKey> {
        match &self.stage {
            Stage::Talking(talk) => Some(talk.key),
            Stage::Home | Stage::Waiting(_) | Stage::Joining(_) | Stage::Ended(_) => None,
        }
    }
}
