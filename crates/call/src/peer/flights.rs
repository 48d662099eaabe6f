//! The last DTLS flight that we sent, kept and repeated until the other side shows that it has it.
//!
//! webrtc 0.21 can forget to arm its own timer when a repeated message of the other side crosses with a lost one, and
//! then neither side sends anything any more. A receiver drops records that it has seen (RFC 6347 §4.1.2.6), so
//! repeating whole datagrams is harmless, and nothing here needs keys. This is the rule only: no sockets, no clock.
//!
//! A connection has one DTLS association, so there is one flight. It ends with the first media packet or application
//! record *from the other side*, not with our own handshake: a server is finished before its last flight has arrived.

use super::records::{Place, Record, is_dtls, is_media, records};
use super::relayed::carried;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The first repeat comes after this long; longer than a round trip in a town, short beside what people notice.
const FIRST: Duration = Duration::from_millis(50);
/// …each later one after twice the time, up to this: at 8 % loss three rounds in a row are lost once in 300 calls.
const SLOWEST: Duration = Duration::from_millis(400);
/// A flight is repeated no longer than this; whoever is there by then has got it.
const GIVEN_UP: Duration = Duration::from_secs(15);
/// The other side repeats what we have answered: the answer goes out again, but not when it has just gone.
const JUST_NOW: Duration = Duration::from_millis(20);
/// …and not more often than this, should somebody play the other side's packets back to us.
const ANSWERS: u32 = 32;
/// A flight of ours is about 1 kB; certificates of others may be long.
const MAX_BYTES: usize = 16 * 1024;
const MAX_DATAGRAMS: usize = 16;

/// Where a flight goes: from this socket to that address, and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Route {
    /// The local address of the socket.
    pub local: SocketAddr,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// Datagrams to be sent once more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Repeat {
    pub route: Route,
    pub datagrams: Vec<Bytes>,
}

#[derive(Debug)]
struct Flight {
    route: Route,
    /// Each datagram is for a relay.
    relayed: bool,
    datagrams: Vec<Bytes>,
    /// The other side has said something new since.
    answered: bool,
    begun: Instant,
    last: Instant,
    /// `None` once the other side has shown that it is finished.
    next: Option<Instant>,
    pause: Duration,
    answers: u32,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// How far our half of the handshake went…
    sent: Option<Place>,
    /// …and the other side's.
    heard: Option<Place>,
    flight: Option<Flight>,
}

impl Flights {
    /// A datagram left.
    pub(super) fn sent(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let inside = carried(datagram);
        if !is_dtls(inside) {
            return;
        }
        let relayed = inside.len() != datagram.len();
        // What we said before (the crate has a timer too) is kept as it was: only a verbatim repeat is dropped by
        // whoever has it.
        let mut new = false;
        for record in records(inside) {
            if let Record::Flight(place) = record
                && Some(place) > self.sent
            {
                self.sent = Some(place);
                new = true;
            }
        }
        match &mut self.flight {
            Some(flight) if !new && flight.may_go_by(route, relayed) => flight.goes_by(now, route),
            Some(_) if !new => self.flight = None,
            Some(flight) if !flight.answered && flight.route == route => flight.add(now, datagram),
            _ if !new => {}
            _ => self.flight = Some(Flight::begin(now, route, datagram, relayed)),
        }
    }

    /// A datagram came. What is to be sent at once: the other side said again what our flight answers, so it has not
    /// got that.
    pub(super) fn received(&mut self, now: Instant, route: Route, datagram: &[u8]) -> Option<Repeat> {
        if self.flight.as_ref().is_some_and(|flight| flight.route != route) {
            return None;
        }
        let inside = carried(datagram);
        let (mut finished, mut new, mut old) = (is_media(inside), false, false);
        if is_dtls(inside) {
            for record in records(inside) {
                match record {
                    Record::Flight(place) if Some(place) > self.heard => {
                        self.heard = Some(place);
                        new = true;
                    }
                    Record::Flight(_) => old = true,
                    Record::Application => finished = true,
                    Record::Other => {}
                }
            }
        }
        let flight = self.flight.as_mut()?;
        if finished {
            flight.next = None;
        }
        flight.answered |= new;
        (old && !new && !flight.answered).then(|| flight.answer(now)).flatten()
    }

    /// When [`Flights::due`] is to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.flight.as_ref()?.next
    }

    /// What is to be repeated by now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Repeat> {
        let flight = self.flight.as_mut().filter(|flight| flight.next.is_some_and(|at| at <= now))?;
        flight.pause = (flight.pause * 2).min(SLOWEST);
        Some(flight.again(now))
    }
}

impl Flight {
    fn begin(now: Instant, route: Route, datagram: &[u8], relayed: bool) -> Self {
        Self {
            route,
            relayed,
            datagrams: vec![Bytes::copy_from_slice(datagram)],
            answered: false,
            begun: now,
            last: now,
            next: Some(now + FIRST),
            pause: FIRST,
            answers: 0,
        }
    }

    fn add(&mut self, now: Instant, datagram: &[u8]) {
        let size: usize = self.datagrams.iter().map(Bytes::len).sum();
        if self.datagrams.len() < MAX_DATAGRAMS && size + datagram.len() <= MAX_BYTES {
            self.datagrams.push(Bytes::copy_from_slice(datagram));
        }
        self.last = now;
    }

    /// What is for a relay is of no use on another path, nor the other way round.
    fn may_go_by(&self, route: Route, relayed: bool) -> bool {
        self.route == route || !(relayed || self.relayed)
    }

    /// DTLS that is not new took this way, so the chosen path is this one now.
    fn goes_by(&mut self, now: Instant, route: Route) {
        self.route = route;
        self.last = now;
    }

    fn answer(&mut self, now: Instant) -> Option<Repeat> {
        let fits = now >= self.last + JUST_NOW && self.answers < ANSWERS && now < self.begun + GIVEN_UP;
        fits.then(|| {
            self.answers += 1;
            self.again(now)
        })
    }

    fn again(&mut self, now: Instant) -> Repeat {
        self.last = now;
        // One that is no longer repeated by the clock stays so.
        self.next = self.next.map(|_| now + self.pause).filter(|at| *at < self.begun + GIVEN_UP);
        Repeat { route: self.route, datagrams: self.datagrams.clone() }
    }
}

#[cfg(test)]
#[path = "flights_tests.rs"]
mod tests;
