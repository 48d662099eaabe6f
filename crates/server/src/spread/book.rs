//! Who is a guest where: the rules, without Redis, sockets or a clock.

#[cfg(test)]
mod tests;

use super::frame::{Guests, Homes, What};
use super::{Claims, Far, Frame, Node, Ticket};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use visavis_media::RoomId;
use visavis_signaling::{ConnectionId, Origin};

/// A home that says nothing about a guest for so long does not know it: it asks for a sign of life every 12 s.
const SILENCE: Duration = Duration::from_secs(40);
/// How long a node counts as gone: a little longer than its key in Redis outlives it. Who has a key after that lives, and
/// who has none is not found.
const GONE_FOR: Duration = Duration::from_secs(3);
/// Nodes remembered as gone.
const MOST_GONE: usize = 256;
/// After Redis has come back, rooms that nobody has claimed yet may still be claimed again by their homes for so long.
const SETTLING: Duration = Duration::from_millis(2500);

/// Who is a guest where, as one node knows it.
///
/// Rooms that are at home here outlast a connection to Redis; everything else is over with it.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Our name, while there is a connection to Redis.
    me: Option<Node>,
    /// Until when rooms are still claimed again, after such a connection was lost.
    settling: Option<Instant>,
    pub(crate) claims: Claims,
    /// Connections of ours that are guests elsewhere.
    away: HashMap<ConnectionId, Away>,
    tickets: HashMap<Ticket, ConnectionId>,
    next_ticket: u64,
    /// Connections of others that are guests here.
    guests: HashMap<ConnectionId, Far>,
    seats: HashMap<Far, ConnectionId>,
    most_guests: usize,
    gone: BTreeMap<Node, Instant>,
}

/// One of ours that is a guest elsewhere.
#[derive(Debug)]
struct Away {
    home: Node,
    ticket: Ticket,
    heard: Instant,
    /// What it entered with, until there is an answer.
    entry: Option<String>,
}

/// What a frame asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act<'a> {
    /// Nothing.
    Nothing,
    /// To tell the sender.
    Answer(What<'static>),
    /// A guest comes; the caller names it by [`Book::admit`] before anything else is read.
    Arrives(Origin, &'a str),
    /// A guest says something.
    Says(ConnectionId, &'a str),
    /// A guest lives.
    Lives(ConnectionId),
    /// A guest said good-bye.
    Closed(ConnectionId),
    /// A guest's connection broke.
    Lost(ConnectionId),
    /// One of ours is to hear something.
    Hears(ConnectionId, &'a str),
    /// One of ours is to be closed, for its home's reason.
    Close(ConnectionId, u16, &'a str),
    /// One of ours is not known at home any more.
    Unknown(ConnectionId),
    /// One of ours is to look for its room again, and enter it with this.
    Again(ConnectionId, String),
}

/// Who is without the other end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Silent {
    /// Ours, without a home.
    pub(crate) away: Vec<ConnectionId>,
    /// Others', without their node.
    pub(crate) guests: Vec<ConnectionId>,
}

impl Book {
    /// Nothing yet; never more than so many guests.
    pub(crate) fn new(most_guests: usize) -> Self {
        Self { most_guests, ..Self::default() }
    }

    /// There is a connection to Redis, under this name of ours.
    pub(crate) fn connected(&mut self, now: Instant, me: Node, again: bool) {
        self.me = Some(me);
        self.settling = again.then(|| now + SETTLING);
    }

    /// There is none any more. Who is cut off by that is forgotten, and told.
    pub(crate) fn disconnected(&mut self) -> Silent {
        self.me = None;
        self.gone.clear();
        self.claims.disconnected();
        self.tickets.clear();
        self.seats.clear();
        Silent {
            away: self.away.drain().map(|(id, _)| id).collect(),
            guests: self.guests.drain().map(|(id, _)| id).collect(),
        }
    }

    /// Our name, while there is a connection.
    pub(crate) fn me(&self) -> Option<Node> {
        self.me
    }

    /// Whether a room that nobody has claimed may yet be claimed again by its home.
    pub(crate) fn is_settling(&self, now: Instant) -> bool {
        self.settling.is_some_and(|until| now < until)
    }

    /// One of ours goes to a room elsewhere, with this message.
    pub(crate) fn go(&mut self, now: Instant, id: ConnectionId, home: Node, entry: &str) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.come_back(id);
        self.tickets.insert(ticket, id);
        self.away.insert(id, Away { home, ticket, heard: now, entry: Some(entry.to_owned()) });
        ticket
    }

    /// Where one of ours is a guest.
    pub(crate) fn home_of(&self, id: ConnectionId) -> Option<Far> {
        self.away.get(&id).map(|away| (away.home, away.ticket))
    }

    /// One of ours is a guest no longer; where it was.
    pub(crate) fn come_back(&mut self, id: ConnectionId) -> Option<Far> {
        let Away { home, ticket, .. } = self.away.remove(&id)?;
        self.tickets.remove(&ticket);
        Some((home, ticket))
    }

    /// The guest that came with the frame just read gets a name.
    pub(crate) fn admit(&mut self, from: Node, ticket: Ticket, id: ConnectionId) {
        self.guests.insert(id, (from, ticket));
        self.seats.insert((from, ticket), id);
    }

    /// Where a guest is connected.
    pub(crate) fn node_of(&self, guest: ConnectionId) -> Option<Far> {
        self.guests.get(&guest).copied()
    }

    /// A guest is one no longer; where it is connected.
    pub(crate) fn dismiss(&mut self, guest: ConnectionId) -> Option<Far> {
        let place = self.guests.remove(&guest)?;
        self.seats.remove(&place);
        Some(place)
    }

    /// What a frame asks for. `room` tells which room a message enters.
    pub(crate) fn heard<'a>(
        &mut self,
        now: Instant,
        frame: Frame<'a>,
        room: impl Fn(&str) -> Option<RoomId>,
    ) -> Act<'a> {
        let Frame { from, ticket, what } = frame;
        match what {
            What::Home(what) => self.home_heard(from, ticket, what, room),
            What::Guest(what) => match self.tickets.get(&ticket).copied() {
                Some(id) if self.away.get(&id).is_some_and(|away| away.home == from) => self.guest_heard(now, id, what),
                // It went somewhere else or is gone, and its home has not heard of it yet.
                _ => match what {
                    Guests::Hears(_) | Guests::Ping => Act::Answer(What::Home(Homes::Lost)),
                    Guests::Close(..) | Guests::Moved | Guests::Free | Guests::Unknown => Act::Nothing,
                },
            },
        }
    }

    fn home_heard<'a>(
        &mut self,
        from: Node,
        ticket: Ticket,
        what: Homes<'a>,
        room: impl Fn(&str) -> Option<RoomId>,
    ) -> Act<'a> {
        let known = self.seats.get(&(from, ticket)).copied();
        match (what, known) {
            (Homes::Enters(origin, text), None) => match room(text) {
                Some(room) if !self.claims.holds(&room) => {
                    self.claims.expected(room);
                    Act::Answer(What::Guest(Guests::Moved))
                }
                Some(_) if self.guests.len() < self.most_guests => Act::Arrives(origin, text),
                Some(_) | None => Act::Answer(What::Guest(Guests::Unknown)),
            },
            (Homes::Enters(..), Some(_)) => Act::Nothing,
            (Homes::Says(text), Some(id)) => Act::Says(id, text),
            (Homes::Lives, Some(id)) => Act::Lives(id),
            (Homes::Says(_) | Homes::Lives, None) => Act::Answer(What::Guest(Guests::Unknown)),
            (Homes::Closed, Some(id)) => {
                self.dismiss(id);
                Act::Closed(id)
            }
            (Homes::Lost, Some(id)) => {
                self.dismiss(id);
                Act::Lost(id)
            }
            (Homes::Closed | Homes::Lost, None) => Act::Nothing,
        }
    }

    fn guest_heard<'a>(&mut self, now: Instant, id: ConnectionId, what: Guests<'a>) -> Act<'a> {
        let Some(away) = self.away.get_mut(&id) else { return Act::Nothing };
        away.heard = now;
        let entry = away.entry.take();
        match what {
            Guests::Hears(text) => Act::Hears(id, text),
            Guests::Ping => {
                away.entry = entry;
                Act::Answer(What::Home(Homes::Lives))
            }
            Guests::Close(code, reason) => {
                self.come_back(id);
                Act::Close(id, code, reason)
            }
            Guests::Unknown => {
                self.come_back(id);
                Act::Unknown(id)
            }
            Guests::Free => {
                self.come_back(id);
                Act::Nothing
            }
            Guests::Moved => {
                self.come_back(id);
                entry.map_or(Act::Unknown(id), |entry| Act::Again(id, entry))
            }
        }
    }

    /// Nodes that we have to do with.
    pub(crate) fn others(&self) -> BTreeSet<Node> {
        let homes = self.away.values().map(|away| away.home);
        homes.chain(self.guests.values().map(|&(node, _)| node)).collect()
    }

    /// A node is gone. Who is cut off by that is forgotten, and told.
    pub(crate) fn node_gone(&mut self, now: Instant, node: Node) -> Silent {
        self.gone.retain(|_, at| now.saturating_duration_since(*at) < GONE_FOR);
        if self.gone.len() < MOST_GONE {
            self.gone.insert(node, now);
        }
        let away = self.away.iter().filter(|(_, away)| away.home == node).map(|(&id, _)| id).collect();
        let guests = self.guests.iter().filter(|(_, place)| place.0 == node).map(|(&id, _)| id).collect();
        self.forget(Silent { away, guests })
    }

    /// We stop: where the guests are connected who lose their rooms by that.
    pub(crate) fn part(&mut self) -> Vec<Far> {
        self.seats.clear();
        self.guests.drain().map(|(_, place)| place).collect()
    }

    /// Whether this node was found to be gone so lately that it may still be found in Redis.
    pub(crate) fn is_gone(&self, now: Instant, node: Node) -> bool {
        self.gone.get(&node).is_some_and(|&at| now.saturating_duration_since(at) < GONE_FOR)
    }

    /// Those of ours that their homes have not spoken of for long; they are forgotten.
    pub(crate) fn silent(&mut self, now: Instant) -> Vec<ConnectionId> {
        let silent = |away: &Away| now.saturating_duration_since(away.heard) >= SILENCE;
        let away = self.away.iter().filter(|(_, away)| silent(away)).map(|(&id, _)| id).collect();
        self.forget(Silent { away, guests: Vec::new() }).away
    }

    fn forget(&mut self, silent: Silent) -> Silent {
        for &id in &silent.away {
            self.come_back(id);
        }
        for &id in &silent.guests {
            self.dismiss(id);
        }
        silent
    }

    /// Ours elsewhere, and others' here.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.away.len(), self.guests.len())
    }

    /// Fails where the books disagree with each other.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.away.len(), self.tickets.len());
        assert!(self.away.iter().all(|(id, away)| self.tickets[&away.ticket] == *id));
        assert_eq!(self.guests.len(), self.seats.len());
        assert!(self.guests.iter().all(|(id, place)| self.seats[place] == *id));
        assert!(self.guests.len() <= self.most_guests && self.gone.len() <= MOST_GONE);
        self.claims.check();
        assert!(self.me.is_some() || self.away.is_empty() && self.guests.is_empty());
    }
}
