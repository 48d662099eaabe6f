//! Which addresses this machine has, and the moment when that changes.
//!
//! The system says so (netlink on Linux, its counterparts elsewhere); a change of network comes as a handful of such
//! messages, and is told once they pause.

use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Addresses of one change come within milliseconds of each other.
const PAUSE: Duration = Duration::from_millis(50);
/// A network that never comes to rest is told of this often.
const AT_LATEST: Duration = Duration::from_millis(250);
/// Addresses that are remembered; no machine has so many, but whoever announces IPv6 prefixes could make it so.
const MOST: usize = 256;

/// See the module's text.
pub(crate) struct Network {
    /// None where the system tells nobody: then only silence shows that a network changed.
    watcher: Option<IfWatcher>,
    addresses: Addresses,
}

impl Network {
    /// Must be called on a tokio runtime.
    pub(crate) fn watch() -> Self {
        let watcher =
            IfWatcher::new().inspect_err(|error| tracing::debug!(%error, "interfaces cannot be watched")).ok();
        let there = if_addrs::get_if_addrs().unwrap_or_default();
        Self { watcher, addresses: Addresses::new(there.iter().map(if_addrs::Interface::ip)) }
    }

    /// Waits for a change and returns the addresses after it. Can be dropped and called again without losing any.
    pub(crate) async fn changed(&mut self) -> BTreeSet<IpAddr> {
        loop {
            if let Some(now) = self.addresses.settled(Instant::now()) {
                return now;
            }
            let due = self.addresses.due();
            let settles = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let watcher = &mut self.watcher;
            let event = async {
                match watcher {
                    Some(watcher) => poll_fn(|cx| watcher.poll_if_event(cx)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = event => match event {
                    Ok(IfEvent::Up(net)) => self.addresses.up(Instant::now(), net.addr()),
                    Ok(IfEvent::Down(net)) => self.addresses.down(Instant::now(), net.addr()),
                    Err(error) => {
                        tracing::debug!(%error, "interfaces are watched no longer");
                        self.watcher = None;
                    }
                },
                () = settles => {}
            }
        }
    }
}

/// The addresses that matter to a call, as they were last told and as they are.
struct Addresses {
    told: BTreeSet<IpAddr>,
    now: BTreeSet<IpAddr>,
    /// The first and the last message of a change that is not told yet.
    changing: Option<(Instant, Instant)>,
}

impl Addresses {
    fn new(there: impl Iterator<Item = IpAddr>) -> Self {
        let told: BTreeSet<_> = there.filter(matters).take(MOST).collect();
        Self { now: told.clone(), told, changing: None }
    }

    fn up(&mut self, now: Instant, address: IpAddr) {
        if matters(&address) && self.now.len() < MOST && self.now.insert(address) {
            self.moved(now);
        }
    }

    fn down(&mut self, now: Instant, address: IpAddr) {
        if self.now.remove(&address) {
            self.moved(now);
        }
    }

    fn moved(&mut self, now: Instant) {
        self.changing = Some((self.changing.map_or(now, |(first, _)| first), now));
    }

    /// When [`Addresses::settled`] has something to say, unless more happens.
    fn due(&self) -> Option<Instant> {
        self.changing.map(|(first, last)| (last + PAUSE).min(first + AT_LATEST))
    }

    /// The addresses, where they have changed since they were last told.
    fn settled(&mut self, now: Instant) -> Option<BTreeSet<IpAddr>> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        self.changing = None;
        (self.told != self.now).then(|| {
            self.told = self.now.clone();
            self.now.clone()
        })
    }
}

/// Whether packets to and from another machine may carry an address: not so loopback and link-local ones.
pub(crate) fn matters(address: &IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_change_is_told_once_when_it_pauses() {
        let (mut addresses, start) = (Addresses::new([ip("10.0.0.1")].into_iter()), Instant::now());
        assert_eq!(addresses.settled(start), None);
        addresses.down(start, ip("10.0.0.1"));
        addresses.up(start + ms(40), ip("10.0.1.1"));
        addresses.up(start + ms(40), ip("2001:db8::1"));
        assert_eq!(addresses.settled(start + ms(60)), None, "more may come");
        let after = BTreeSet::from([ip("10.0.1.1"), ip("2001:db8::1")]);
        assert_eq!(addresses.due(), Some(start + ms(90)));
        assert_eq!(addresses.settled(start + ms(90)), Some(after));
        assert_eq!((addresses.settled(start + ms(900)), addresses.due()), (None, None));
    }

    #[test]
    fn what_never_comes_to_rest_is_told_of_all_the_same() {
        let (mut addresses, start) = (Addresses::new([].into_iter()), Instant::now());
        for i in 0..10u8 {
            addresses.up(start + ms(u64::from(i) * 30), IpAddr::from([10, 0, 0, i]));
        }
        assert_eq!(addresses.due(), Some(start + AT_LATEST));
    }

    #[test]
    fn addresses_that_lead_nowhere_else_and_those_that_come_back_at_once_are_no_change() {
        let (mut addresses, start) = (Addresses::new([ip("10.0.0.1")].into_iter()), Instant::now());
        for noise in ["127.0.0.1", "::1", "169.254.7.7", "fe80::1", "0.0.0.0", "ff02::1"] {
            addresses.up(start, ip(noise));
        }
        addresses.up(start, ip("10.0.0.1"));
        assert_eq!(addresses.due(), None);
        addresses.down(start, ip("10.0.0.1"));
        addresses.up(start + ms(10), ip("10.0.0.1"));
        assert_eq!(addresses.settled(start + ms(100)), None);
        assert_eq!(addresses.due(), None);
    }

    #[test]
    fn whoever_announces_addresses_without_end_fills_no_memory() {
        let (mut addresses, start) = (Addresses::new([].into_iter()), Instant::now());
        (0..10_000u32).for_each(|i| addresses.up(start, IpAddr::from(i.wrapping_add(0x0a00_0000).to_be_bytes())));
        assert_eq!(addresses.now.len(), MOST);
    }
}
