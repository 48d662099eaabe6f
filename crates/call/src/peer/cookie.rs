//! DTLS's cookie, told ahead: connecting takes one round trip less.
//!
//! A DTLS 1.2 server answers a client's first hello with a cookie and goes on once the client has said it back, so that
//! nobody makes it work in another's name (RFC 6347 §4.2.1, which lets servers do without where that is no danger). That
//! costs a round trip, and here it proves what ICE has proven before: the crate hears DTLS only once checks under a key
//! have chosen a path (RFC 8445 §7). It cannot leave the cookie out, though. So whoever offers, and thereby is the server
//! (RFC 8842 §5.2: others answer `active`), draws the cookie itself and tells it with the sealed offer. The client's socket keeps the first hello back and answers it as the server would; what leaves is the
//! hello with the cookie. The server's socket puts the hello without it back in front and keeps the request for the
//! cookie back. Both state machines see the whole exchange, and the handshake's checksum begins after it (RFC 6347 §4.2.1),
//! so both agree.
//!
//! What is on the wire is one hello and one answer fewer. Whoever tells a cookie takes a hello with it as the first;
//! nobody else is sent one, and whoever is told none, or one that is none, does as ever. A connection that is built anew,
//! since the one before it did not come to stand, tells none.
//!
//! This is the rule only: no sockets, no clock.

use super::flights::Route;
use super::hello::{COOKIE, ClientHello, Cookie, is_verify_request, verify_request};
use super::records::is_dtls;
use super::relayed::{brought_like, carried};
use rtc::crypto::{CryptoError, RTCCrypto, RTCCryptoProvider, RTCRandom};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The line of an offer that tells it, followed by 40 hexadecimal digits.
const ATTRIBUTE: &str = "a=x-visavis-dtls-cookie:";

/// What of one connection's first messages is kept back or put in. Clones are of the same connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Hellos(Arc<Mutex<Rule>>);

impl Hellos {
    /// One that leaves everything as it is.
    pub(super) fn unused() -> Self {
        Self(Arc::new(Mutex::new(Rule { unused: true, ..Rule::default() })))
    }

    /// An offer that tells the cookie of our DTLS; as it was once that has begun.
    pub(super) fn tell(&self, offer: &str) -> String {
        let mut rule = self.lock();
        if rule.unused {
            return offer.to_owned();
        }
        let (cookie, progress) = *rule.ours.get_or_insert_with(|| (rand::random(), Progress::Told));
        if progress > Progress::Told {
            return offer.to_owned();
        }
        let digits: String = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
        // It is of all media sections, which share one transport.
        let (session, media) = offer.split_at(offer.find("\nm=").map_or(offer.len(), |end| end + 1));
        format!("{session}{ATTRIBUTE}{digits}\r\n{media}")
    }

    /// Takes the cookie that an offer of the other side tells, if it does.
    pub(super) fn learn(&self, offer: &str) {
        let mut rule = self.lock();
        rule.theirs = told_in(offer).filter(|_| !rule.unused);
    }

    /// A datagram is about to leave, `alone` or with others. Whether it stays, which only one that is alone can.
    pub(super) fn leaves(&self, route: Route, datagram: &[u8], alone: bool) -> bool {
        let inside = carried(datagram);
        is_dtls(inside) && self.lock().leaves(route, datagram, inside, alone)
    }

    /// A datagram came. Whether it waits.
    pub(super) fn came(&self, route: Route, datagram: &[u8]) -> bool {
        let inside = carried(datagram);
        is_dtls(inside) && self.lock().came(route, datagram, inside)
    }

    /// The next datagram that is to seem to have come to this local address.
    pub(super) fn next(&self, local: SocketAddr) -> Option<(Route, Vec<u8>)> {
        let waiting = &mut self.lock().waiting;
        let at = waiting.iter().position(|(route, _)| route.local == local)?;
        waiting.remove(at)
    }

    /// Whether there is one.
    pub(super) fn has_more(&self, local: SocketAddr) -> bool {
        self.lock().waiting.iter().any(|(route, _)| route.local == local)
    }

    /// A provider of cryptography whose randomness holds the cookie that was told where DTLS draws its own.
    pub(super) fn provider(&self, others: Arc<dyn RTCCryptoProvider>) -> Arc<dyn RTCCryptoProvider> {
        Arc::new(Provider { random: Random { hellos: self.clone(), others } })
    }

    fn lock(&self) -> MutexGuard<'_, Rule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far our DTLS is, as the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Progress {
    Told,
    /// DTLS of the other side has come, so ours draws its cookie next.
    Begun,
    /// It has its cookie.
    Drawn,
    /// It has asked for it.
    Asked,
}

#[derive(Debug, Default)]
struct Rule {
    unused: bool,
    /// From their offer, until our first hello.
    theirs: Option<Cookie>,
    /// From our offer.
    ours: Option<(Cookie, Progress)>,
    /// Their hello, until our DTLS has asked for the cookie in it.
    held: Option<(Route, Vec<u8>)>,
    /// What is to seem to have come: two datagrams at most.
    waiting: VecDeque<(Route, Vec<u8>)>,
}

impl Rule {
    fn leaves(&mut self, route: Route, datagram: &[u8], inside: &[u8], alone: bool) -> bool {
        if let Some((_, progress)) = &mut self.ours
            && is_verify_request(inside)
        {
            *progress = Progress::Asked;
            let asked_for_us = self.held.is_some();
            self.waiting.extend(self.held.take());
            return asked_for_us && alone;
        }
        if !alone || self.theirs.is_none() || !ClientHello::read(inside).is_some_and(|hello| hello.is_first()) {
            return false;
        }
        // Once: should the same hello leave again, it goes the ordinary way.
        let answer = self.theirs.take().and_then(|cookie| brought_like(datagram, &verify_request(&cookie)));
        let stays = answer.is_some();
        self.waiting.extend(answer.map(|answer| (route, answer)));
        stays
    }

    fn came(&mut self, route: Route, datagram: &[u8], inside: &[u8]) -> bool {
        let Some((cookie, progress)) = &mut self.ours else { return false };
        *progress = (*progress).max(Progress::Begun);
        let Some(hello) = ClientHello::read(inside).filter(|hello| !hello.is_first()) else { return false };
        if *progress == Progress::Asked {
            return false;
        }
        // A hello that is not the first must never be the first to reach the crate: it would wait for the first, then find
        // two at once and take neither. So it waits until the first is answered, and a wrong one is nobody's.
        let first = (hello.number == 1 && hello.cookie == &cookie[..])
            .then(|| brought_like(datagram, &hello.without_cookie()))
            .flatten();
        if let Some(first) = first {
            self.waiting.clear();
            self.waiting.push_back((route, first));
            self.held = Some((route, datagram.to_vec()));
        }
        true
    }

    /// What our DTLS draws for a cookie.
    fn draw(&mut self) -> Option<Cookie> {
        let (cookie, progress) = self.ours.as_mut().filter(|(_, progress)| *progress == Progress::Begun)?;
        *progress = Progress::Drawn;
        Some(*cookie)
    }
}

/// The offer without what it tells ahead: DTLS begins in the ordinary way.
pub(crate) fn untold(offer: &str) -> String {
    offer.split_inclusive('\n').filter(|line| !line.starts_with(ATTRIBUTE)).collect()
}

/// The cookie that an offer tells; `None` where it tells none, one that is none, or several.
fn told_in(offer: &str) -> Option<Cookie> {
    let mut told = offer.lines().filter_map(|line| line.trim_end().strip_prefix(ATTRIBUTE));
    let digits = told.next().filter(|digits| digits.len() == 2 * COOKIE && digits.is_ascii())?;
    let mut cookie = [0; COOKIE];
    for (byte, two) in cookie.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(two[0])? << 4 | digit(two[1])?) as u8;
    }
    told.next().is_none().then_some(cookie)
}

struct Provider {
    random: Random,
}

struct Random {
    hellos: Hellos,
    others: Arc<dyn RTCCryptoProvider>,
}

impl RTCCryptoProvider for Provider {
    fn name(&self) -> &'static str {
        self.random.others.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self.random.others.crypto()
    }

    fn random(&self) -> &dyn RTCRandom {
        &self.random
    }
}

impl RTCRandom for Random {
    /// The cookie is as random as the rest, but somebody knows it. So nothing else may get it: it goes out once, to whoever
    /// is the first to draw exactly so much after DTLS came in. The crate draws nothing else of that size (ICE 8 and 64
    /// bytes, the hello 28, keys of records 8 to 16), and nothing else before the cookie at that moment.
    fn fill(&self, output: &mut [u8]) -> Result<(), CryptoError> {
        if let Ok(output) = <&mut Cookie>::try_from(&mut *output)
            && let Some(cookie) = self.hellos.lock().draw()
        {
            *output = cookie;
            return Ok(());
        }
        self.others.random().fill(output)
    }
}

#[cfg(test)]
#[path = "cookie_tests.rs"]
mod tests;
