//! Where somebody connects from, as far as limits go.

use ring::hmac;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use visavis_signaling::Origin;

/// An IPv4 address, or an IPv6 network of 64 bits: within that anybody has as many addresses as they like (RFC 4291,
/// section 2.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Network {
    V4(Ipv4Addr),
    V6([u8; 8]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Network {
    /// What the relay gets to know of it: a number that only who has the secret can make.
    pub(crate) fn origin(self, secret: &hmac::Key) -> Origin {
        let tag = match self {
            Self::V4(address) => hmac::sign(secret, &address.octets()),
            Self::V6(prefix) => hmac::sign(secret, &prefix),
        };
        let first = tag.as_ref().first_chunk().expect("a tag of SHA-256 has 32 bytes");
        Origin(u64::from_be_bytes(*first))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(prefix) => {
                let mut octets = [0; 16];
                octets[..8].copy_from_slice(prefix);
                write!(f, "{}/64", std::net::Ipv6Addr::from(octets))
            }
        }
    }
}

/// The last address of an `X-Forwarded-For` header, which the proxy before us wrote; what stands before it, anybody may
/// have written.
pub(crate) fn last_hop(header: &str) -> Option<IpAddr> {
    let last = header.rsplit(',').next()?.trim();
    let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(last);
    bare.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_place_and_each_ipv4_address_by_itself() {
        assert!(network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9"));
        assert!(network("2001:db8:1:2::1") != network("2001:db8:1:3::1"));
        assert!(network("192.0.2.1") != network("192.0.2.2"));
        assert!(network("::ffff:192.0.2.1") == network("192.0.2.1"), "IPv4 on a socket of IPv6");
        assert_eq!(network("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn only_the_last_hop_is_believed_in_any_of_its_forms() {
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(last_hop("203.0.113.9, 192.0.2.1"), address("192.0.2.1"));
        assert_eq!(last_hop("192.0.2.1:4711"), address("192.0.2.1"));
        assert_eq!(last_hop("x, 2001:db8::1"), address("2001:db8::1"));
        assert_eq!(last_hop("[2001:db8::1]"), address("2001:db8::1"));
        assert_eq!(last_hop("[2001:db8::1]:80"), address("2001:db8::1"));
        for nonsense in ["", ",", "192.0.2.1,", "unknown", "192.0.2", "[]", &"1".repeat(10_000)] {
            assert_eq!(last_hop(nonsense), None, "{nonsense}");
        }
    }
}
