//! What TURN servers answered to one connection: by which of them a relayed path leads, and why others do not serve.
//!
//! The webrtc crate writes the latter to its log and tells nobody. So its requests are watched on their way out, and the
//! answers to them on their way in; those are not believed more than the crate believes them.

use crate::check::stun::{Answer, Method, TransactionId, read};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A request for an allocation (RFC 8656 §7.1), and the beginnings of what answers it.
const ALLOCATE: [u8; 2] = [0x00, 0x03];
const ANSWERS: [[u8; 2]; 2] = [[0x01, 0x03], [0x01, 0x13]];
/// Where the transaction's number is (RFC 8489 §5), and the attributes begin.
const NUMBER: std::ops::Range<usize> = 8..20;
const MESSAGE_INTEGRITY: [u8; 2] = [0x00, 0x08];
/// Codes that mean that user name and password do not fit: unauthorized, integrity check failure, wrong credentials.
const NOT_AUTHORIZED: [u16; 3] = [401, 431, 441];
/// Requests, relays and servers that are remembered: more than a machine with many interfaces and servers has.
const MOST: usize = 64;
/// Troubles that are told in all.
const MOST_TROUBLES: usize = 16;

/// Why a TURN server does not serve, for reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RelayTrouble {
    #[error("refuses its user name and password; check them in the settings")]
    WrongPassword,
    #[error("refuses to relay (error {0})")]
    Refused(u16),
    /// Reached through a stream, and there is none.
    #[error("does not serve: {0}")]
    NoStream(String),
}

#[derive(Default)]
struct Noted {
    servers: HashMap<SocketAddr, String>,
    asked: VecDeque<Asked>,
    relays: VecDeque<(SocketAddr, String)>,
    told: Vec<(String, RelayTrouble)>,
    news: VecDeque<(String, RelayTrouble)>,
    broken: VecDeque<String>,
}

struct Asked {
    number: TransactionId,
    server: SocketAddr,
    signed: bool,
}

/// See the module's text.
#[derive(Default)]
pub(crate) struct Relays {
    noted: Mutex<Noted>,
    news: Notify,
    breaks: Notify,
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relays({})", self.lock().relays.len())
    }
}

impl Relays {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These addresses are, or stand for, this server.
    pub(in crate::peer) fn known(&self, server: &str, addresses: &[SocketAddr]) {
        let servers = &mut self.lock().servers;
        for address in addresses {
            if servers.len() < MOST || servers.contains_key(address) {
                servers.insert(*address, server.to_owned());
            }
        }
    }

    /// Looks at a datagram that leaves.
    pub(in crate::peer) fn leaves(&self, to: SocketAddr, datagram: &[u8]) {
        if !datagram.starts_with(&ALLOCATE) {
            return;
        }
        let Some(number) = datagram.get(NUMBER).and_then(|n| n.try_into().ok()) else { return };
        let asked = &mut self.lock().asked;
        if asked.len() == MOST {
            asked.pop_front();
        }
        asked.push_back(Asked { number, server: to, signed: is_signed(datagram) });
    }

    /// Looks at a datagram that came.
    pub(in crate::peer) fn came(&self, from: SocketAddr, datagram: &[u8]) {
        if !ANSWERS.iter().any(|kind| datagram.starts_with(kind)) {
            return;
        }
        let Some(number) = datagram.get(NUMBER).and_then(|n| TransactionId::try_from(n).ok()) else { return };
        let mut noted = self.lock();
        let asked = noted.asked.iter().position(|asked| asked.number == number && asked.server == from);
        let Some(answer) = read(datagram, Method::Allocate, &number) else { return };
        let Some(asked) = asked.and_then(|i| noted.asked.remove(i)) else { return };
        let Some(server) = noted.servers.get(&from).cloned() else { return };
        let trouble = match answer {
            Answer::Granted { relayed: Some(relayed), .. } => {
                if noted.relays.len() == MOST {
                    noted.relays.pop_front();
                }
                noted.relays.push_back((relayed, server));
                return;
            }
            Answer::Granted { relayed: None, .. } => return,
            Answer::Refused { code, .. } if NOT_AUTHORIZED.contains(&code) => {
                // Without a signature every server says so first.
                if !asked.signed {
                    return;
                }
                RelayTrouble::WrongPassword
            }
            Answer::Refused { code, .. } => RelayTrouble::Refused(code),
        };
        drop(noted);
        self.tell(server, trouble);
    }

    /// Something is wrong with the server at this address.
    pub(super) fn failed(&self, server: SocketAddr, why: String) {
        let name = self.lock().servers.get(&server).cloned();
        if let Some(name) = name {
            self.tell(name, RelayTrouble::NoStream(why));
        }
    }

    /// The stream to the server at this address broke, and what it relayed with it.
    pub(super) fn broke(&self, server: SocketAddr) {
        let mut noted = self.lock();
        let Some(name) = noted.servers.get(&server).cloned() else { return };
        if noted.broken.len() < MOST {
            noted.broken.push_back(name);
            self.breaks.notify_one();
        }
    }

    /// Each trouble is told once: every interface of this machine has it, and every restart of ICE.
    fn tell(&self, server: String, trouble: RelayTrouble) {
        let mut noted = self.lock();
        let news = (server, trouble);
        if noted.told.len() < MOST_TROUBLES && !noted.told.contains(&news) {
            noted.told.push(news.clone());
            noted.news.push_back(news);
            self.news.notify_one();
        }
    }

    /// The server that relays at this address, where it does so for us.
    pub(in crate::peer) fn through(&self, relay: SocketAddr) -> Option<String> {
        self.lock().relays.iter().rev().find(|(address, _)| *address == relay).map(|(_, server)| server.clone())
    }

    /// Waits until the stream to a server breaks that stood.
    pub(in crate::peer) async fn broken(&self) -> String {
        loop {
            if let Some(server) = self.lock().broken.pop_front() {
                return server;
            }
            self.breaks.notified().await;
        }
    }

    /// Waits for trouble with a server.
    pub(in crate::peer) async fn trouble(&self) -> (String, RelayTrouble) {
        loop {
            if let Some(news) = self.lock().news.pop_front() {
                return news;
            }
            self.news.notified().await;
        }
    }
}

/// Whether a request carries a signature.
fn is_signed(request: &[u8]) -> bool {
    let mut rest = request.get(NUMBER.end..).unwrap_or_default();
    while let Some(&[a, b, high, low]) = rest.first_chunk() {
        if [a, b] == MESSAGE_INTEGRITY {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([high, low])).next_multiple_of(4);
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::stun::answer;
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    const ID: TransactionId = [7; 12];
    const GRANTED: u16 = 0x0103;
    const REFUSED: u16 = 0x0113;

    fn server() -> SocketAddr {
        ([192, 0, 2, 1], 3478).into()
    }

    fn request(signed: bool) -> Vec<u8> {
        let mut attributes = vec![(0x0019, vec![17, 0, 0, 0])];
        if signed {
            attributes.extend([(0x0006, b"name".to_vec()), (0x0008, vec![0; 20])]);
        }
        answer(0x0003, ID, &attributes)
    }

    fn error(code: u16) -> Vec<u8> {
        answer(REFUSED, ID, &[(0x0009, vec![0, 0, (code / 100) as u8, (code % 100) as u8])])
    }

    fn asked(signed: bool) -> Relays {
        let relays = Relays::default();
        relays.known("relay.example.org over UDP", &[server()]);
        relays.leaves(server(), &request(signed));
        relays
    }

    fn told(relays: &Relays) -> Option<RelayTrouble> {
        relays.trouble().now_or_never().map(|(_, trouble)| trouble)
    }

    #[test]
    fn the_server_behind_a_relayed_address_is_known_once_it_granted_it() {
        let relays = asked(true);
        let cookie = [0x21, 0x12, 0xa4, 0x42];
        let ip: Vec<u8> = [198, 51, 100, 9].iter().zip(cookie).map(|(a, b)| a ^ b).collect();
        let port = (5000u16 ^ 0x2112).to_be_bytes();
        let relayed: SocketAddr = ([198, 51, 100, 9], 5000).into();
        let granted = answer(GRANTED, ID, &[(0x0016, [&[0, 1], &port[..], &ip].concat())]);
        relays.came(([192, 0, 2, 2], 3478).into(), &granted);
        assert_eq!(relays.through(relayed), None, "somebody else says so");
        relays.came(server(), &granted);
        assert_eq!(relays.through(relayed).as_deref(), Some("relay.example.org over UDP"));
        assert_eq!((relays.through(server()), told(&relays)), (None, None));
    }

    #[test]
    fn a_wrong_password_is_told_once_and_the_first_refusal_is_none() {
        let relays = asked(false);
        relays.came(server(), &error(401));
        assert_eq!(told(&relays), None);
        relays.leaves(server(), &request(true));
        relays.came(server(), &error(401));
        assert_eq!(told(&relays), Some(RelayTrouble::WrongPassword));
        relays.leaves(server(), &request(true));
        relays.came(server(), &error(401));
        assert_eq!(told(&relays), None);
        relays.leaves(server(), &request(true));
        relays.came(server(), &error(486));
        assert_eq!(told(&relays), Some(RelayTrouble::Refused(486)));
    }

    #[test]
    fn nobody_who_was_not_asked_is_listened_to() {
        let relays = Relays::default();
        relays.known("relay.example.org over UDP", &[server()]);
        relays.came(server(), &error(401));
        relays.leaves(server(), &request(true));
        relays.came(([203, 0, 113, 5], 1).into(), &error(401));
        assert_eq!(told(&relays), None);
    }

    #[test]
    fn answers_and_requests_without_end_are_forgotten() {
        let relays = asked(true);
        for i in 0..1000u16 {
            let mut request = request(true);
            request[8..10].copy_from_slice(&i.to_be_bytes());
            relays.leaves(server(), &request);
            let mut refused = error(300 + i % 100);
            refused[8..10].copy_from_slice(&i.to_be_bytes());
            relays.came(server(), &refused);
            relays.known("another", &[([10, 0, (i >> 8) as u8, i as u8], 1).into()]);
        }
        let noted = relays.lock();
        assert!(noted.asked.len() <= MOST && noted.servers.len() <= MOST && noted.news.len() <= MOST_TROUBLES);
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(kind in 0usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let relays = asked(true);
            let head = [answer(GRANTED, ID, &[]), answer(REFUSED, ID, &[]), answer(0x0003, ID, &[])];
            let message = [&head[kind], &bytes[..]].concat();
            for end in 0..message.len() {
                relays.came(server(), &message[..end]);
                relays.leaves(server(), &message[..end]);
            }
        }
    }
}
