//! Asking STUN and TURN servers what they make of us: a rule without I/O or clock.
//!
//! All of them are asked from the same port, so that what they see can be compared. A request is repeated as RFC 8489
//! (section 6.2.1) says, but given up sooner: somebody waits for the answer.

use super::request::{Credentials, request};
use super::stun::{self, Answer, Method, TransactionId};
use super::{Finding, NetworkCheck, ServerCheck, Way};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Before the first repeat; each further one takes twice as long.
const REPEAT: Duration = Duration::from_millis(500);
/// So often a request is sent: at 0, 0.5, 1.5 and 3.5 s.
const SENDINGS: u32 = 4;
/// Then its answer has this long.
const LAST_WAIT: Duration = Duration::from_millis(1500);
/// A server may want a signature, and then another one with a fresh nonce; no more.
const SIGNATURES: u32 = 2;
/// A signature that is not taken: "unauthorized", what older servers say, and "wrong credentials" (RFC 8656, section 19).
const NOT_AUTHORIZED: [u16; 3] = [401, 431, 441];
const UNAUTHORIZED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// A server to be asked, with its address once that is known.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub url: String,
    /// For TURN.
    pub login: Option<Login>,
    pub address: Result<SocketAddr, Finding>,
    /// Reached by TCP: what it sees of us says nothing about UDP.
    pub by_stream: bool,
}

/// User name and password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// See the module's text.
pub(super) struct Probe {
    questions: Vec<Question>,
    /// What is said last, and not waited for.
    farewells: VecDeque<(SocketAddr, Vec<u8>)>,
    relay_only: bool,
}

struct Question {
    url: String,
    login: Option<Login>,
    by_stream: bool,
    to: Option<SocketAddr>,
    finding: Finding,
    /// Under which address it sees us.
    seen: Option<SocketAddr>,
    id: TransactionId,
    message: Vec<u8>,
    sent: u32,
    last: Option<Instant>,
    next: Instant,
    signatures: u32,
    credentials: Option<Credentials>,
}

impl Question {
    fn method(&self) -> Method {
        if self.login.is_some() { Method::Allocate } else { Method::Binding }
    }

    fn asks(&self) -> bool {
        self.finding == Finding::Asking
    }

    /// Asks from the beginning, signed or not.
    fn ask(&mut self, now: Instant, credentials: Option<&Credentials>) {
        self.id = rand::random();
        (self.sent, self.last, self.next) = (0, None, now);
        match request(self.method(), self.id, credentials) {
            Ok(message) => self.message = message,
            Err(error) => {
                tracing::warn!(%error, "a request for a server could not be written");
                self.finding = Finding::NoAnswer;
            }
        }
    }

    fn granted(&mut self, now: Instant, seen: Option<SocketAddr>, relayed: Option<SocketAddr>) {
        let after = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.seen = seen;
        self.finding = match (self.login.is_some(), seen, relayed) {
            (true, _, Some(relayed)) => Finding::Relay(relayed, after),
            (false, Some(seen), _) => Finding::Outside(seen, after),
            // It speaks nonsense.
            (true, _, None) | (false, None, _) => Finding::NoAnswer,
        };
    }
}

impl Probe {
    /// Begins asking.
    pub(super) fn new(now: Instant, targets: Vec<Target>, relay_only: bool) -> Self {
        let question = |target: Target| {
            let (to, finding) = match target.address {
                Ok(address) => (Some(address), Finding::Asking),
                Err(finding) => (None, finding),
            };
            let mut question = Question {
                url: target.url,
                login: target.login,
                by_stream: target.by_stream,
                to,
                finding,
                seen: None,
                id: [0; 12],
                message: Vec::new(),
                sent: 0,
                last: None,
                next: now,
                signatures: 0,
                credentials: None,
            };
            question.ask(now, None);
            question
        };
        let questions = targets.into_iter().map(question).collect();
        Self { questions, farewells: VecDeque::new(), relay_only }
    }

    /// What is to be sent now.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        for question in self.questions.iter_mut().filter(|question| question.asks() && question.next <= now) {
            let Some(to) = question.to else { continue };
            if question.sent == SENDINGS {
                question.finding = Finding::NoAnswer;
                continue;
            }
            question.next = now + if question.sent + 1 == SENDINGS { LAST_WAIT } else { REPEAT * (1 << question.sent) };
            question.sent += 1;
            question.last = Some(now);
            return Some((to, question.message.clone()));
        }
        self.farewells.pop_front()
    }

    /// When [`poll_transmit`](Self::poll_transmit) has something to do; `None` once all is known.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.questions.iter().filter(|question| question.asks()).map(|question| question.next).min()
    }

    /// Takes a datagram; only the one that was asked may answer.
    pub(super) fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let asked = self.questions.iter_mut().filter(|question| question.asks() && question.to == Some(from));
        for question in asked {
            let Some(answer) = stun::read(datagram, question.method(), &question.id) else { continue };
            match answer {
                Answer::Granted { seen, relayed } => {
                    question.granted(now, seen, relayed);
                    self.farewells.extend(give_back(question, from));
                }
                Answer::Refused { code, realm, nonce } => refused(question, now, code, realm.zip(nonce)),
            }
            return;
        }
    }

    /// What is known; `own` are the addresses that our port has on this machine.
    pub(super) fn findings(&self, own: &[SocketAddr]) -> NetworkCheck {
        let server = |question: &Question| ServerCheck { url: question.url.clone(), finding: question.finding.clone() };
        NetworkCheck { servers: self.questions.iter().map(server).collect(), way: self.way(own) }
    }

    fn way(&self, own: &[SocketAddr]) -> Way {
        let asking = self.questions.iter().any(Question::asks);
        if self.relay_only {
            let relay = self.questions.iter().any(|question| matches!(question.finding, Finding::Relay(..)));
            return if asking && !relay { Way::Asking } else { Way::RelayOnly };
        }
        let told = self.questions.iter().filter(|question| !question.by_stream);
        let told = told.filter_map(|question| Some((question.to?.ip(), question.seen?)));
        let told: Vec<(IpAddr, SocketAddr)> = told.collect();
        let of = |v6: bool| told.iter().filter(move |(_, seen)| seen.is_ipv6() == v6);
        let seen: [BTreeSet<SocketAddr>; 2] = [false, true].map(|v6| of(v6).map(|(_, seen)| *seen).collect());
        let servers = [false, true].map(|v6| of(v6).map(|(server, _)| *server).collect::<BTreeSet<_>>().len());
        if told.iter().any(|(_, seen)| own.contains(seen)) {
            Way::Direct
        } else if seen.iter().any(|seen| seen.len() > 1) {
            Way::Changing
        } else if servers.iter().any(|servers| *servers > 1) {
            Way::Direct
        } else if asking {
            Way::Asking
        } else if !told.is_empty() {
            Way::Likely
        } else if self.questions.is_empty() {
            Way::Unasked
        } else {
            Way::Closed
        }
    }
}

/// An address that nobody will use is given back.
fn give_back(question: &Question, server: SocketAddr) -> Option<(SocketAddr, Vec<u8>)> {
    let Finding::Relay(..) = question.finding else { return None };
    let credentials = question.credentials.as_ref();
    let message = request(Method::GiveBack, rand::random(), credentials).ok()?;
    Some((server, message))
}

fn refused(question: &mut Question, now: Instant, code: u16, sign_with: Option<(Vec<u8>, Vec<u8>)>) {
    let first = question.signatures == 0 && code == UNAUTHORIZED;
    let again = question.signatures > 0 && code == STALE_NONCE && question.signatures < SIGNATURES;
    match (&question.login, sign_with) {
        (Some(login), Some((realm, nonce))) if first || again => {
            let (username, password) = (login.username.clone(), login.password.clone());
            question.signatures += 1;
            let credentials = Credentials { username, password, realm, nonce };
            question.ask(now, Some(&credentials));
            question.credentials = Some(credentials);
        }
        (Some(_), _) if question.signatures > 0 && NOT_AUTHORIZED.contains(&code) => {
            question.finding = Finding::WrongPassword;
        }
        (_, _) => question.finding = Finding::Refused(code),
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
