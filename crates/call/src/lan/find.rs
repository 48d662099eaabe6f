//! Asking the local network who offers a room, by mDNS (RFC 6762), on every interface at once.
//!
//! Two ways side by side. A one-shot question from a port of our own (section 5.1) is answered straight to us and at
//! once, where a question among responders waits for random delays and is not answered at all when the same answer went
//! to somebody else within the last second. But a firewall may drop answers that come to a port of our own; so we listen
//! among the responders as well, which also tells us at once of a room that is announced while we look.
//!
//! Nothing is kept but what has been handed on, and only so much is handed on: see the limits.

use super::packet::{self, Service};
use if_addrs::{IfAddr, Interface};
use rand::Rng as _;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use visavis_media::RoomId;

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const PORT: u16 = 5353;
/// When it is asked, in milliseconds: wireless networks lose multicast, so it is asked again soon.
const ASK_AT: [u64; 7] = [0, 80, 250, 550, 1000, 1400, 1800];
/// Questions among responders come a second apart (RFC 6762, section 5.2).
const ASK_ALL_AT: [u64; 2] = [0, 1000];
/// Answers come within this time or not at all.
const SEARCH: Duration = Duration::from_millis(2000);
/// Rooms believed of one machine: more than one app on it may wait under the same first two words, but hardly so many.
const MOST_OF_ONE: usize = 4;
/// Rooms handed on in one search.
pub(super) const MOST: usize = 32;
/// Addresses tried for one app: a few for each protocol.
const MOST_ADDRESSES: usize = 2 * packet::MOST_ADDRESSES;
/// Packets read by one socket in one search; a busy network sends a few hundred.
const MOST_PACKETS: usize = 10_000;
/// Interfaces asked on.
const MOST_INTERFACES: usize = 32;

/// Somebody's word that a room is open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub instance: String,
    pub addresses: Vec<SocketAddr>,
}

/// Looks for a room until the search is over, and hands on each app that offers it once.
pub(super) async fn find(room: &RoomId, found: mpsc::Sender<Heard>) {
    let (out, mut heard) = mpsc::channel(64);
    let sift = async {
        let mut sieve = Sieve::default();
        while let Some((service, from)) = heard.recv().await {
            if let Some(new) = sieve.sift(service, from)
                && found.send(new).await.is_err()
            {
                return;
            }
        }
    };
    let ask = async {
        let begun = Instant::now();
        let mut search = Search::new(room.clone(), out);
        for at in ASK_AT {
            sleep_until(begun + Duration::from_millis(at)).await;
            search.open();
            search.ask(ASK_ALL_AT.contains(&at)).await;
        }
        sleep_until(begun + SEARCH).await;
    };
    // When `ask` ends, its sockets close, and with them the channel that `sift` reads.
    tokio::join!(sift, ask);
}

/// Lets each app through once for each address that it is said to have, and few of them from one machine and in all.
#[derive(Default)]
struct Sieve {
    known: BTreeMap<String, Vec<SocketAddr>>,
    by_sender: BTreeMap<IpAddr, usize>,
}

impl Sieve {
    fn sift(&mut self, service: Service, from: SocketAddr) -> Option<Heard> {
        let new = !self.known.contains_key(&service.instance);
        if new {
            if self.known.len() >= MOST {
                return None;
            }
            let of_this = self.by_sender.entry(from.ip()).or_default();
            if *of_this >= MOST_OF_ONE {
                return None;
            }
            *of_this += 1;
        }
        let Service { instance, port, addresses } = service;
        let scope = match from {
            SocketAddr::V6(from) => from.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let place = |ip| match ip {
            // Such an address means something only together with the interface that it was heard on.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                (scope != 0).then(|| SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)))
            }
            ip => Some(SocketAddr::new(ip, port)),
        };
        let known = self.known.entry(instance.clone()).or_default();
        let mut addresses: Vec<_> = addresses.into_iter().filter_map(place).filter(|a| !known.contains(a)).collect();
        addresses.truncate(MOST_ADDRESSES - known.len().min(MOST_ADDRESSES));
        known.extend(&addresses);
        (!addresses.is_empty()).then_some(Heard { instance, addresses })
    }
}

/// An interface, for one of the two protocols.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    V4(Ipv4Addr),
    V6(u32),
}

fn ways(interfaces: Vec<Interface>) -> BTreeSet<Way> {
    let way = |interface: Interface| match interface.addr {
        IfAddr::V4(v4) => Some(Way::V4(v4.ip)),
        IfAddr::V6(_) => interface.index.map(Way::V6),
    };
    interfaces.into_iter().filter(|i| !i.is_loopback()).filter_map(way).take(MOST_INTERFACES).collect()
}

struct Search {
    room: RoomId,
    id: u16,
    out: mpsc::Sender<(Service, SocketAddr)>,
    /// Our own sockets, one for each interface and protocol.
    own: BTreeMap<Way, Arc<UdpSocket>>,
    /// Those among the responders.
    all_v4: Option<Arc<UdpSocket>>,
    all_v6: Option<Arc<UdpSocket>>,
    reading: JoinSet<()>,
}

impl Search {
    fn new(room: RoomId, out: mpsc::Sender<(Service, SocketAddr)>) -> Self {
        let mut search = Self {
            room,
            id: rand::rng().next_u32() as u16,
            out,
            own: BTreeMap::new(),
            all_v4: None,
            all_v6: None,
            reading: JoinSet::new(),
        };
        search.all_v4 = search.listen(shared((Ipv4Addr::UNSPECIFIED, PORT).into()));
        search.all_v6 = search.listen(shared((Ipv6Addr::UNSPECIFIED, PORT).into()));
        search
    }

    /// Opens sockets for interfaces that have come since the last time.
    fn open(&mut self) {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        for way in ways(interfaces) {
            if self.own.contains_key(&way) {
                continue;
            }
            if let Some(socket) = self.listen(own(way)) {
                self.own.insert(way, socket);
            }
            // Refused where the group was joined already, for another address of the same interface.
            let _ = match (way, &self.all_v4, &self.all_v6) {
                (Way::V4(ip), Some(socket), _) => socket.join_multicast_v4(GROUP_V4, ip),
                (Way::V6(index), _, Some(socket)) => socket.join_multicast_v6(&GROUP_V6, index),
                _ => Ok(()),
            };
        }
    }

    fn listen(&mut self, socket: io::Result<UdpSocket>) -> Option<Arc<UdpSocket>> {
        let socket = match socket {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                tracing::debug!(%error, "one way of looking in the local network is closed");
                return None;
            }
        };
        self.reading.spawn(read(socket.clone(), self.room.clone(), self.out.clone()));
        Some(socket)
    }

    async fn ask(&self, among_responders: bool) {
        let one_shot = packet::question(self.id);
        for (way, socket) in &self.own {
            send(socket, &one_shot, *way).await;
        }
        if !among_responders {
            return;
        }
        let question = packet::question(0);
        for way in self.own.keys() {
            let socket = match way {
                Way::V4(_) => &self.all_v4,
                Way::V6(_) => &self.all_v6,
            };
            if let Some(socket) = socket
                && choose(socket, *way).is_ok()
            {
                send(socket, &question, *way).await;
            }
        }
    }
}

async fn send(socket: &UdpSocket, packet: &[u8], way: Way) {
    let to: SocketAddr = match way {
        Way::V4(_) => (GROUP_V4, PORT).into(),
        Way::V6(index) => SocketAddrV6::new(GROUP_V6, PORT, 0, index).into(),
    };
    if let Err(error) = socket.send_to(packet, to).await {
        tracing::debug!(%error, "a question to the local network could not be sent");
    }
}

async fn read(socket: Arc<UdpSocket>, room: RoomId, out: mpsc::Sender<(Service, SocketAddr)>) {
    let mut packet = vec![0; packet::LONGEST + 1];
    for _ in 0..MOST_PACKETS {
        let Ok((length, from)) = socket.recv_from(&mut packet).await else { return };
        for service in packet::rooms(&packet[..length], room.as_str()) {
            if out.send((service, from)).await.is_err() {
                return;
            }
        }
    }
}

/// Makes multicast leave by this interface.
fn choose(socket: &UdpSocket, way: Way) -> io::Result<()> {
    match way {
        Way::V4(ip) => SockRef::from(socket).set_multicast_if_v4(&ip),
        Way::V6(index) => SockRef::from(socket).set_multicast_if_v6(index),
    }
}

/// A socket of our own on one interface.
fn own(way: Way) -> io::Result<UdpSocket> {
    let socket = match way {
        Way::V4(ip) => bound((ip, 0).into(), false)?,
        Way::V6(_) => bound((Ipv6Addr::UNSPECIFIED, 0).into(), false)?,
    };
    choose(&socket, way)?;
    Ok(socket)
}

/// A socket among the responders of this machine, all of which get every packet that comes to the group.
fn shared(address: SocketAddr) -> io::Result<UdpSocket> {
    bound(address, true)
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if shared {
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
    }
    // Packets of mDNS say by this that they have crossed no router (RFC 6762, section 11).
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(255)?;
    } else {
        socket.set_multicast_ttl_v4(255)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(i: usize) -> Service {
        let instance = format!("{i}._visavis._tcp.local");
        Service { instance, port: 7460, addresses: vec![IpAddr::from([10, 0, (i >> 8) as u8, i as u8])] }
    }

    fn sender(i: usize) -> SocketAddr {
        ([10, 9, (i >> 8) as u8, i as u8], PORT).into()
    }

    #[test]
    fn each_app_is_handed_on_once_for_each_address() {
        let mut sieve = Sieve::default();
        let heard = sieve.sift(service(1), sender(1)).unwrap();
        assert_eq!(heard.addresses, ["10.0.0.1:7460".parse::<SocketAddr>().unwrap()]);
        assert_eq!(sieve.sift(service(1), sender(1)), None);
        assert!(sieve.sift(service(2), sender(1)).is_some());
        let mut more = service(1);
        more.addresses.push("fd00::1".parse().unwrap());
        let heard = sieve.sift(more, sender(1)).unwrap();
        assert_eq!(heard.addresses, ["[fd00::1]:7460".parse::<SocketAddr>().unwrap()]);
    }

    #[test]
    fn an_app_with_ever_new_addresses_is_handed_on_a_few_times() {
        let mut sieve = Sieve::default();
        let claims = (0..5000).map(|i| Service { instance: service(1).instance, ..service(i) });
        assert_eq!(claims.filter_map(|claim| sieve.sift(claim, sender(1))).count(), MOST_ADDRESSES);
    }

    #[test]
    fn thousands_of_fakes_give_a_few_and_those_of_one_machine_leave_room_for_others() {
        let mut sieve = Sieve::default();
        let of_one = (0..5000).filter_map(|i| sieve.sift(service(i), sender(1))).count();
        assert_eq!(of_one, MOST_OF_ONE);
        assert!(sieve.sift(service(9000), sender(2)).is_some());
        let of_all = (10_000..20_000).filter_map(|i| sieve.sift(service(i), sender(i))).count();
        assert_eq!(of_all, MOST - MOST_OF_ONE - 1);
    }

    #[test]
    fn an_address_of_one_link_is_reached_by_the_interface_it_was_heard_on() {
        let mut link_local = service(1);
        link_local.addresses = vec!["fe80::7".parse().unwrap()];
        let from = SocketAddrV6::new("fe80::7".parse().unwrap(), PORT, 0, 3);
        let heard = Sieve::default().sift(link_local.clone(), from.into()).unwrap();
        let expected = SocketAddrV6::new("fe80::7".parse().unwrap(), 7460, 0, 3);
        assert_eq!(heard.addresses, [SocketAddr::V6(expected)]);
        assert_eq!(Sieve::default().sift(link_local, sender(1)), None, "without one it leads nowhere");
    }
}
