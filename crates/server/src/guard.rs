//! How many connections may come from one place, and how often.

use crate::network::Network;
use ring::hmac;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use visavis_signaling::{Budget, Origin};

/// Places remembered that have no connection: who has so many addresses is not held up by limits of one.
const MOST_REMEMBERED: usize = 65_536;
/// How often those are forgotten of whom nothing is held against.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// Limits of connections from one address, or one IPv6 network of 64 bits; 0 means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressLimits {
    /// Connections at a time.
    pub connections: u32,
    /// New connections a minute; as many at once.
    pub connections_per_minute: u32,
}

impl AddressLimits {
    /// No limits, for where everybody seems to come from one place.
    pub const NONE: Self = Self { connections: 0, connections_per_minute: 0 };
}

impl Default for AddressLimits {
    fn default() -> Self {
        // Carriers put hundreds of people behind one IPv4 address; one in a call has one connection.
        Self { connections: 200, connections_per_minute: 600 }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("too many connections from one address")]
    TooMany,
    #[error("too many new connections from one address")]
    TooOften,
}

/// Counts connections.
#[derive(Clone)]
pub(crate) struct Guard(Arc<Shared>);

struct Shared {
    limits: AddressLimits,
    /// With which addresses are made numbers.
    secret: Mutex<hmac::Key>,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    known: HashMap<Network, Known>,
    forgot: Option<Instant>,
}

struct Known {
    connections: u32,
    coming: Budget,
}

/// A connection that was let in; when dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Visit {
    guard: Guard,
    network: Network,
}

impl Guard {
    pub(crate) fn new(limits: AddressLimits) -> Self {
        let secret = Mutex::new(key(&rand::random::<[u8; 32]>()));
        Self(Arc::new(Shared { limits, secret, books: Mutex::default() }))
    }

    /// Lets a connection in, or says why not.
    pub(crate) fn admit(&self, now: Instant, network: Network) -> Result<Visit, Refusal> {
        let limits = self.0.limits;
        let mut books = self.books();
        books.forget(now);
        let known = books.known.entry(network).or_insert_with(|| Known {
            connections: 0,
            coming: Budget::per_minute(now, limits.connections_per_minute),
        });
        if limits.connections_per_minute > 0 && !known.coming.take(now) {
            return Err(Refusal::TooOften);
        }
        if limits.connections > 0 && known.connections >= limits.connections {
            return Err(Refusal::TooMany);
        }
        known.connections += 1;
        Ok(Visit { guard: self.clone(), network })
    }

    /// Makes addresses the same numbers as other servers do with this secret.
    pub(crate) fn share(&self, secret: &[u8]) {
        *self.0.secret.lock().unwrap_or_else(PoisonError::into_inner) = key(secret);
    }

    /// Places that are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.books().known.len()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses are not for logs.
        write!(f, "Guard({} places)", self.remembered())
    }
}

impl Visit {
    /// What the relay may know of that.
    pub(crate) fn origin(&self) -> Origin {
        self.network.origin(&self.guard.0.secret.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(known) = self.guard.books().known.get_mut(&self.network) {
            known.connections = known.connections.saturating_sub(1);
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network(…)")
    }
}

impl Books {
    fn forget(&mut self, now: Instant) {
        if self.known.len() > MOST_REMEMBERED {
            self.known.retain(|_, known| known.connections > 0);
        } else if self.forgot.is_none_or(|at| now.saturating_duration_since(at) >= FORGET_EVERY) {
            self.forgot = Some(now);
            self.known.retain(|_, known| known.connections > 0 || !known.coming.is_full(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn place(n: u32) -> Network {
        IpAddr::V4(Ipv4Addr::from(n)).into()
    }

    #[test]
    fn one_place_has_so_many_connections_at_a_time_and_others_are_not_held_up() {
        let (guard, now) = (Guard::new(AddressLimits { connections: 3, connections_per_minute: 0 }), Instant::now());
        let visits: Vec<_> = (0..3).map(|_| guard.admit(now, place(1)).unwrap()).collect();
        assert_eq!(guard.admit(now, place(1)).unwrap_err(), Refusal::TooMany);
        let other = guard.admit(now, place(2)).unwrap();
        assert!(other.origin() != visits[0].origin() && visits[0].origin() == visits[1].origin());
        drop(visits);
        guard.admit(now, place(1)).unwrap();
    }

    #[test]
    fn who_has_the_same_secret_makes_the_same_number_of_an_address() {
        let (a, b) = (Guard::new(AddressLimits::NONE), Guard::new(AddressLimits::NONE));
        let origin = |guard: &Guard| guard.admit(Instant::now(), place(1)).unwrap().origin();
        assert_ne!(origin(&a), origin(&b));
        [&a, &b].iter().for_each(|guard| guard.share(b"secret"));
        assert_eq!(origin(&a), origin(&b));
    }

    #[test]
    fn coming_and_going_quickly_is_slowed_down() {
        let (guard, now) = (Guard::new(AddressLimits { connections: 3, connections_per_minute: 60 }), Instant::now());
        let let_in = |at: Instant| (0..200).filter(|_| guard.admit(at, place(1)).is_ok()).count();
        assert_eq!(let_in(now), 60);
        assert_eq!(guard.admit(now, place(1)).unwrap_err(), Refusal::TooOften);
        assert_eq!(let_in(now + Duration::from_secs(15)), 15);
    }

    #[test]
    fn limits_can_be_off() {
        let (guard, now) = (Guard::new(AddressLimits::NONE), Instant::now());
        let visits: Vec<_> = (0..5000).map(|_| guard.admit(now, place(1)).unwrap()).collect();
        assert_eq!(visits.len(), 5000);
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let (guard, now) = (Guard::new(AddressLimits::default()), Instant::now());
        let stays = guard.admit(now, place(0)).unwrap();
        for n in 1..200_000 {
            drop(guard.admit(now, place(n)).unwrap());
            assert!(guard.remembered() <= MOST_REMEMBERED + 1);
        }
        drop(guard.admit(now + Duration::from_secs(120), place(1)).unwrap());
        assert_eq!(guard.remembered(), 2, "who is there, and who was just there");
        drop(stays);
    }
}
