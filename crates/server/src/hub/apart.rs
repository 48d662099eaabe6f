//! The hub of a server that shares its rooms with others: what it does besides, and only there.

use super::{Event, Hub, Saying, State};
use crate::spread::{Act, Book, Directory, Far, Frame, Guests, Homes, Line, Node, Parcel, Silent, Ticket, What};
use std::collections::BTreeSet;
use std::time::Instant;
use tracing::debug;
use visavis_media::RoomId;
use visavis_signaling::{ConnectionId, Heading, Input, OriginLimits, Pace, RelayConfig};

/// For good-byes (IANA's registry of WebSocket close codes): the room's home is gone; it cannot be reached now.
const RESTARTED: (u16, &str) = (1012, "the server of this room is gone; connect again");
pub(super) const UNREACHABLE: (u16, &str) = (1013, "this room cannot be reached now; try again");

/// What a hub knows of others.
pub(crate) struct Apart {
    pub(super) book: Book,
    /// What all connections of one origin may do together, on whichever servers they are.
    pub(super) limits: OriginLimits,
    line: Line,
    /// Guests who were just told something, and may have lost their seat by it.
    told: Vec<ConnectionId>,
    sent: u64,
    heard: u64,
    unreadable: u64,
    nodes_gone: u64,
    cut: u64,
}

/// Figures of a server that shares its rooms with others.
pub(crate) struct ApartFigures {
    /// Whether there is a connection to Redis.
    pub(crate) up: bool,
    /// Connections whose room is at home elsewhere, and those of others here.
    pub(crate) away: usize,
    pub(crate) guests: usize,
    /// Rooms whose home is here.
    pub(crate) rooms: usize,
    /// Messages to and from other servers, and those that could not be read.
    pub(crate) sent: u64,
    pub(crate) heard: u64,
    pub(crate) unreadable: u64,
    /// Servers found to be gone.
    pub(crate) nodes_gone: u64,
    /// Connections ended because their room could not be reached.
    pub(crate) cut: u64,
}

impl Hub {
    /// A relay without anybody, which shares its rooms with others.
    pub(crate) fn sharing(config: RelayConfig, most_guests: usize, line: Line, directory: Directory) -> Self {
        let (book, told) = (Book::new(most_guests), Vec::new());
        let limits = config.per_origin;
        let apart = Apart { book, limits, line, told, sent: 0, heard: 0, unreadable: 0, nodes_gone: 0, cut: 0 };
        Self::with(config, Some(Box::new(apart)), Some(directory))
    }

    /// Whether rooms can be opened and found.
    pub(crate) fn can_serve(&self) -> bool {
        self.lock().apart.as_ref().is_none_or(|apart| apart.book.me().is_some())
    }

    /// There is a connection to Redis, under this name; perhaps after another one.
    pub(crate) fn redis_up(&self, me: Node, again: bool) {
        self.with_book(|book| book.connected(Instant::now(), me, again));
    }

    /// There is none any more.
    pub(crate) fn redis_down(&self) {
        self.with_state(|state| {
            let Some(apart) = &mut state.apart else { return };
            let silent = apart.book.disconnected();
            state.cut_off(silent);
        });
    }

    /// Another server said something to us under this name.
    pub(crate) fn node_said(&self, me: Node, bytes: &[u8]) {
        let guest = self.next_id();
        self.with_state(|state| state.node_said(me, bytes, guest));
    }

    /// Another server is gone, or its connection to Redis.
    pub(crate) fn node_gone(&self, node: Node) {
        self.with_state(|state| {
            let Some(apart) = &mut state.apart else { return };
            let now = Instant::now();
            if !apart.book.is_gone(now, node) {
                apart.nodes_gone += 1;
                debug!(%node, "another server is gone");
            }
            let silent = apart.book.node_gone(now, node);
            state.cut_off(silent);
        });
    }

    /// To be called twice a second or so: which others are to be looked after, and which rooms are at home here no more,
    /// so that their keys can be given up.
    pub(crate) fn tick(&self) -> (BTreeSet<Node>, Vec<RoomId>) {
        self.with_state(|state| {
            let Some(apart) = &mut state.apart else { return Default::default() };
            let rooms = apart.book.claims.leave(|room| state.relay.has_room(room));
            let others = apart.book.others();
            let away = apart.book.silent(Instant::now());
            state.cut_off(Silent { away, guests: Vec::new() });
            (others, rooms)
        })
    }

    /// Those keys were given up.
    pub(crate) fn rooms_left(&self, rooms: &[RoomId]) {
        self.with_book(|book| book.claims.left(rooms));
    }

    /// Rooms at home here.
    pub(crate) fn rooms_held(&self) -> Vec<RoomId> {
        self.lock().apart.as_ref().map(|apart| apart.book.claims.held()).unwrap_or_default()
    }

    /// A room turned out to be at home elsewhere. Who sits in it here is closed, and comes again.
    pub(crate) fn room_lost(&self, room: &RoomId) {
        self.with_state(|state| {
            if !state.apart.as_mut().is_some_and(|apart| apart.book.claims.lost(room)) {
                return;
            }
            debug!("a room is at home elsewhere by now");
            for id in state.relay.close_room(room) {
                match state.connections.contains_key(&id) {
                    true => state.cut(id, RESTARTED),
                    false => state.say_to_guest(id, &Saying::Close(RESTARTED.0, RESTARTED.1.to_owned())),
                }
            }
        });
    }

    fn with_book(&self, act: impl FnOnce(&mut Book)) {
        if let Some(apart) = &mut self.lock().apart {
            act(&mut apart.book);
        }
    }
}

impl State {
    /// Passes on what one of ours did who is a guest elsewhere, where it is of interest there; tells how to read on where
    /// nothing else is to be done.
    pub(super) fn pass_on(&mut self, id: ConnectionId, event: &Event) -> Option<Pace> {
        let (home, ticket) = self.apart.as_ref()?.book.home_of(id)?;
        match event {
            Event::Text(text) | Event::Leaving(text) if text.len() <= visavis_signaling::MAX_MESSAGE => {
                if !self.relay.admit(Instant::now(), id, text.len()) {
                    return Some(Pace::Slower);
                }
                self.send_home(id, home, ticket, Homes::Says(text));
                if matches!(event, Event::Leaving(_)) {
                    self.forget_home(id);
                }
                Some(Pace::AsItComes)
            }
            Event::Closed => {
                self.come_back(id, Homes::Closed);
                None
            }
            Event::Lost => {
                self.come_back(id, Homes::Lost);
                None
            }
            // The relay here says what is wrong with it.
            Event::Text(_) | Event::Leaving(_) | Event::NotText => None,
            Event::Connected(..) | Event::Alive => None,
        }
    }

    /// Another server said something to us.
    fn node_said(&mut self, me: Node, bytes: &[u8], guest: ConnectionId) {
        let now = Instant::now();
        let Some(apart) = self.apart.as_mut().filter(|apart| apart.book.me() == Some(me)) else { return };
        let Some(frame) = Frame::read(bytes) else {
            apart.unreadable += 1;
            return debug!("another server said something that could not be read");
        };
        apart.heard += 1;
        let room = |text: &str| match Heading::of(text) {
            Heading::Into(_, room) => Some(room),
            Heading::Out | Heading::Nowhere => None,
        };
        let stopping = self.stopping && matches!(frame.what, What::Home(Homes::Enters(..)));
        match if stopping { Act::Nothing } else { apart.book.heard(now, frame, room) } {
            Act::Nothing => {}
            Act::Answer(what) => {
                apart.send(frame.from, frame.ticket, what);
            }
            Act::Arrives(origin, text) => {
                apart.book.admit(frame.from, frame.ticket, guest);
                // Whatever comes of it, it is looked at afterwards whether it has a seat.
                apart.told.push(guest);
                self.relay.handle(now, guest, Input::ConnectedFrom(origin));
                self.relay.handle(now, guest, Input::Text(text));
            }
            Act::Says(id, text) => {
                // It may leave.
                apart.told.push(id);
                self.relay.handle(now, id, Input::Text(text));
            }
            Act::Lives(id) => {
                self.relay.handle(now, id, Input::Alive);
            }
            Act::Closed(id) => {
                self.relay.handle(now, id, Input::Closed);
            }
            Act::Lost(id) => {
                self.relay.handle(now, id, Input::Lost);
            }
            Act::Hears(id, text) => self.say(id, Saying::Text(text.into())),
            Act::Close(id, code, reason) => self.cut(id, (code, reason)),
            Act::Unknown(id) => self.cut(id, RESTARTED),
            Act::Again(id, text) => self.say(id, Saying::Again(text)),
        }
    }

    /// Tells a guest's node; a connection that is none of a guest's is gone.
    pub(super) fn say_to_guest(&mut self, to: ConnectionId, saying: &Saying) {
        let Some(apart) = &mut self.apart else { return };
        let Some((node, ticket)) = apart.book.node_of(to) else { return };
        let what = match saying {
            Saying::Text(text) => Guests::Hears(text),
            Saying::Ping => Guests::Ping,
            Saying::Close(code, reason) => {
                apart.book.dismiss(to);
                Guests::Close(*code, reason)
            }
            Saying::Again(_) => return,
        };
        if apart.send(node, ticket, What::Guest(what)) {
            apart.told.push(to);
        } else {
            apart.book.dismiss(to);
            self.relay.handle(Instant::now(), to, Input::Lost);
        }
    }

    /// Gives those guests back to their nodes who have no seat here any more.
    pub(super) fn free_guests(&mut self) {
        let Some(apart) = &mut self.apart else { return };
        for id in std::mem::take(&mut apart.told) {
            if !self.relay.is_seated(id)
                && let Some((node, ticket)) = apart.book.dismiss(id)
            {
                apart.send(node, ticket, What::Guest(Guests::Free));
                self.relay.handle(Instant::now(), id, Input::Lost);
            }
        }
    }

    /// Tells our guests that we stop. That ours are gone from elsewhere is seen there, where their seats are kept.
    pub(super) fn part(&mut self) {
        let Some(apart) = &mut self.apart else { return };
        for (node, ticket) in apart.book.part() {
            apart.send(node, ticket, What::Guest(Guests::Close(RESTARTED.0, RESTARTED.1)));
        }
    }

    /// One of ours is a guest no longer, and its home is told why.
    pub(super) fn come_back(&mut self, id: ConnectionId, why: Homes<'static>) {
        if let Some((home, ticket)) = self.forget_home(id)
            && let Some(apart) = &mut self.apart
        {
            apart.send(home, ticket, What::Home(why));
        }
    }

    pub(super) fn apart_figures(&self) -> Option<ApartFigures> {
        let Apart { book, sent, heard, unreadable, nodes_gone, cut, .. } = self.apart.as_deref()?;
        let ((away, guests), rooms) = (book.counts(), book.claims.len());
        let (sent, heard, unreadable, nodes_gone, cut) = (*sent, *heard, *unreadable, *nodes_gone, *cut);
        Some(ApartFigures { up: book.me().is_some(), away, guests, rooms, sent, heard, unreadable, nodes_gone, cut })
    }

    pub(super) fn forget_home(&mut self, id: ConnectionId) -> Option<Far> {
        self.apart.as_mut()?.book.come_back(id)
    }

    pub(super) fn send_home(&mut self, id: ConnectionId, home: Node, ticket: Ticket, what: Homes<'_>) {
        let sent = self.apart.as_mut().is_some_and(|apart| apart.send(home, ticket, What::Home(what)));
        if !sent {
            self.cut(id, UNREACHABLE);
        }
    }

    fn cut_off(&mut self, silent: Silent) {
        silent.away.into_iter().for_each(|id| self.cut(id, RESTARTED));
        for id in silent.guests {
            self.relay.handle(Instant::now(), id, Input::Lost);
        }
    }

    /// Ends one of our connections; its app comes again.
    pub(super) fn cut(&mut self, id: ConnectionId, (code, reason): (u16, &str)) {
        if let Some(sender) = self.connections.remove(&id) {
            self.apart.iter_mut().for_each(|apart| apart.cut += 1);
            self.come_back(id, Homes::Lost);
            sender.say(Saying::Close(code, reason.to_owned()));
            self.relay.handle(Instant::now(), id, Input::Lost);
        }
    }
}

impl Apart {
    /// Queues a frame; false where too much waits already.
    fn send(&mut self, to: Node, ticket: Ticket, what: What<'_>) -> bool {
        let Some(from) = self.book.me() else { return false };
        let sent = self.line.send(Parcel { to, bytes: Frame { from, ticket, what }.write() });
        self.sent += u64::from(sent);
        sent
    }
}
