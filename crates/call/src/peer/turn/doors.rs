//! Which TURN servers are reached through a stream, and what the webrtc crate is told instead.

use super::super::resolver::host_of;
use crate::options::IceServer;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Servers behind streams; the crate would open one to each from every local address.
const MOST: usize = 8;
/// What no name on any network ends with (RFC 6761).
const NOWHERE: &str = ".visavis.invalid";
/// Addresses that no packet has: of class E (RFC 1112 §4), and of the block that is thrown away (RFC 6666).
const NOWHERE_V4: Ipv4Addr = Ipv4Addr::new(240, 0, 0, 0);
const NOWHERE_V6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0);
const PORT: u16 = 3478;

/// A TURN server that is reached through a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    /// `host:port`, as the cache of names knows it.
    pub host: String,
    pub tls: bool,
}

impl Door {
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        let transport = rest.split_once('?').map(|(_, query)| query);
        let tls = match (scheme, transport) {
            ("turn", Some("transport=tcp")) => false,
            ("turns", None | Some("transport=tcp")) => true,
            _ => return None,
        };
        Some(Self { host: host_of(url)?, tls })
    }

    /// The name alone, or the address without brackets, as certificates have it.
    pub(super) fn name(&self) -> &str {
        let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']'])
    }
}

/// The servers behind streams of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doors(Vec<Door>);

impl Doors {
    /// Finds those among `servers`; with them what the crate is to be told. URLs that it cannot read, or would refuse a
    /// whole connection for, are left out: a TURN server without a user's name (RFC 8656 §5).
    pub(crate) fn among(servers: &[IceServer]) -> (Self, Vec<IceServer>) {
        let mut doors = Self::default();
        let told = servers.iter().map(|server| {
            let named = !server.username.is_empty() && !server.credential.is_empty();
            let urls = server.urls.iter().filter_map(|url| doors.told(url, named)).collect();
            IceServer { urls, ..server.clone() }
        });
        let told = told.filter(|server| !server.urls.is_empty()).collect();
        (doors, told)
    }

    fn told(&mut self, url: &str, named: bool) -> Option<String> {
        if url.starts_with("turn") && !named {
            tracing::warn!("a TURN server without user name and password is left out");
            return None;
        }
        let Some(door) = Door::of(url) else {
            let readable = (url.starts_with("stun:") || url.starts_with("turn:")) && host_of(url).is_some();
            // `transport` is the only word that RFC 7065 knows.
            let plain = url.split_once('?').is_none_or(|(_, query)| query == "transport=udp");
            // A STUN URL has no query, and the crate passes over one.
            let bare = url.split('?').next().filter(|bare| bare.starts_with("stun")).unwrap_or(url);
            let understood = readable && plain && rtc::ice::url::Url::parse_url(bare).is_ok();
            if !understood {
                tracing::warn!("a STUN or TURN server with an address that is none is left out");
            }
            return understood.then(|| url.to_owned());
        };
        let number = self.add(door)?;
        Some(format!("turn:{number}{NOWHERE}:{PORT}?transport=udp"))
    }

    fn add(&mut self, door: Door) -> Option<usize> {
        self.0.iter().position(|known| *known == door).or_else(|| {
            (self.0.len() < MOST).then(|| {
                self.0.push(door);
                self.0.len() - 1
            })
        })
    }

    /// What stands for the server of this URL, by IPv4 and by IPv6; `None` where it is reached without a stream.
    pub(crate) fn stand_in(&mut self, url: &str) -> Option<[SocketAddr; 2]> {
        let door = Door::of(url)?;
        self.add(door).map(addresses)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them needs certificates.
    pub(crate) fn any_tls(&self) -> bool {
        self.0.iter().any(|door| door.tls)
    }

    /// The server that `host:port` stands for.
    pub(super) fn named(&self, host: &str) -> Option<(usize, &Door)> {
        let number = host.strip_suffix(&format!("{NOWHERE}:{PORT}"))?.parse().ok()?;
        Some((number, self.0.get(number)?))
    }

    /// The server that an address stands for.
    pub(super) fn at(&self, address: SocketAddr) -> Option<(usize, &Door)> {
        let number = (0..self.0.len()).find(|number| addresses(*number).contains(&address))?;
        Some((number, self.0.get(number)?))
    }

    /// The addresses that stand for `host:port`, of those families that the server has where they are known.
    pub(super) fn addresses(&self, host: &str, real: Option<&[SocketAddr]>) -> Option<Vec<SocketAddr>> {
        let (number, _) = self.named(host)?;
        let has = |v6| real.is_none_or(|real| real.iter().any(|address| address.is_ipv6() == v6));
        Some(addresses(number).into_iter().filter(|address| has(address.is_ipv6())).collect())
    }

    /// Whether an address is one of those that nobody has.
    pub(crate) fn nowhere(address: SocketAddr) -> bool {
        (0..MOST).any(|number| addresses(number).contains(&address))
    }
}

/// Of both families: what stands for one server.
fn addresses(number: usize) -> [SocketAddr; 2] {
    let number = number as u32 + 1;
    let v4 = Ipv4Addr::from_bits(NOWHERE_V4.to_bits() + number);
    let v6 = Ipv6Addr::from_bits(NOWHERE_V6.to_bits() + u128::from(number));
    [(v4, PORT).into(), (v6, PORT).into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use webrtc::peer_connection::RTCIceServer;

    fn server(urls: &[&str]) -> IceServer {
        IceServer { urls: urls.iter().map(|u| (*u).to_owned()).collect(), username: "u".into(), credential: "c".into() }
    }

    fn door(host: &str, tls: bool) -> Door {
        Door { host: host.to_owned(), tls }
    }

    #[test]
    fn servers_behind_streams_are_found_and_the_crate_is_told_of_others_in_their_place() {
        let urls = [
            "stun:stun.example.org?transport=udp",
            "turn:relay.example.org",
            "turn:relay.example.org?transport=tcp",
            "turns:relay.example.org?transport=tcp",
            "turns:[2001:db8::1]:443",
            "turns:relay.example.org",
        ];
        let (doors, told) = Doors::among(&[server(&urls)]);
        let expected = [
            door("relay.example.org:3478", false),
            door("relay.example.org:5349", true),
            door("[2001:db8::1]:443", true),
        ];
        assert_eq!(doors.0, expected);
        assert_eq!(
            doors.0.iter().map(Door::name).collect::<Vec<_>>(),
            ["relay.example.org", "relay.example.org", "2001:db8::1"]
        );
        assert_eq!((&told[0].urls[..2], told[0].urls.len()), (&server(&urls[..2]).urls[..], 6));
        assert_eq!(told[0].urls[3], told[0].urls[5], "the same server");
        for (number, url) in told[0].urls[2..5].iter().enumerate() {
            let host = host_of(url).expect("a host");
            assert_eq!(doors.named(&host), Some((number, &expected[number])));
            for address in doors.addresses(&host, None).expect("addresses") {
                assert_eq!(doors.at(address), Some((number, &expected[number])));
                assert!(Doors::nowhere(address));
            }
            let v6: SocketAddr = "[2001:db8::2]:1".parse().expect("an address");
            assert!(doors.addresses(&host, Some(&[v6])).expect("addresses").iter().all(SocketAddr::is_ipv6));
        }
        assert_eq!((doors.named("relay.example.org:3478"), doors.at(([192, 0, 2, 1], 3478).into())), (None, None));
    }

    #[test]
    fn the_crate_is_told_nothing_that_it_would_refuse_a_connection_for() {
        let bad = [
            "",
            "turn:",
            "turns",
            "http://example.org",
            "turn:relay.example.org?transport=sctp",
            "turns:relay.example.org?transport=udp",
            "stun:example.org?x=y",
            "stun:exa mple.org",
            "turn:example.org:99999",
        ];
        assert_eq!(Doors::among(&[server(&bad)]), (Doors::default(), Vec::new()));
        let nameless =
            IceServer { username: String::new(), ..server(&["turn:a.example", "turns:a.example", "stun:a.example"]) };
        let (doors, told) = Doors::among(&[nameless]);
        assert_eq!((doors.0.len(), told[0].urls.as_slice()), (0, &["stun:a.example".to_owned()][..]));
        let all = server(&["turns:a.example", "turn:[::1]:5?transport=tcp", "turn:b.example", "stun:[::1]"]);
        for server in Doors::among(&[all]).1 {
            let (urls, username, credential) = (server.urls, server.username, server.credential);
            assert_eq!(RTCIceServer { urls, username, credential }.urls().expect("understood").len(), 4);
        }
    }

    #[test]
    fn hundreds_of_servers_are_a_few_streams() {
        let urls: Vec<String> = (0..300).map(|i| format!("turns:r{i}.example.org")).collect();
        let (doors, told) = Doors::among(&[IceServer { urls, ..server(&[]) }]);
        assert_eq!((doors.0.len(), told[0].urls.len()), (MOST, MOST));
    }
}
