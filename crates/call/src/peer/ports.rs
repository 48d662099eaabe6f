//! Which local ports a connection uses: those of its beginning, whenever its sockets are made anew.
//!
//! A restart of ICE binds again, perhaps on other interfaces. With the same ports the addresses told before stay true
//! where the interface is the same, NATs go on with the mapping that there is, and the other side can be reached without
//! another word (see `session::ahead`).

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

/// An address to bind, wildcard or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(SocketAddr);

impl Place {
    /// Chooses a port where none is given; `None` where such an address cannot be bound at all (IPv6 may be switched
    /// off).
    pub(super) fn choose(address: SocketAddr) -> Option<Self> {
        let bound = UdpSocket::bind(address).ok()?;
        Some(Self(SocketAddr::new(address.ip(), bound.local_addr().ok()?.port())))
    }

    /// One that is bound as it is, whether or not that works now.
    pub(super) fn given(address: SocketAddr) -> Self {
        Self(address)
    }
}

/// Asked whenever the connection binds. Where somebody else took the port meanwhile, any other.
impl ToSocketAddrs for Place {
    type Iter = std::iter::Once<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let taken = UdpSocket::bind(self.0).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        Ok(std::iter::once(if taken { SocketAddr::new(self.0.ip(), 0) } else { self.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(place: Place) -> SocketAddr {
        place.to_socket_addrs().expect("it never fails").next().expect("one")
    }

    #[test]
    fn a_port_is_kept_as_long_as_nobody_else_has_it() {
        let place = Place::choose(([127, 0, 0, 1], 0).into()).expect("loopback");
        let first = now(place);
        assert!(first.port() != 0 && first.ip().is_loopback());
        let held = UdpSocket::bind(first).expect("free");
        assert_eq!(now(place).port(), 0, "another one rather than none");
        drop(held);
        assert_eq!(now(place), first);
    }

    #[test]
    fn an_address_that_is_not_ours_is_left_out() {
        assert!(Place::choose(([192, 0, 2, 7], 0).into()).is_none());
    }
}
