//! Name look-ups that never hold up a connection.
//!
//! The webrtc crate resolves one STUN URL after the other inside the connection's own loop, where a resolver that
//! does not answer would stop everything. So names are looked up beforehand, whenever a call may be near, and a
//! connection takes what is known at that moment and waits for nothing. A resolver that hangs holds a thread of the
//! pool that other work needs too, so few look-ups go on at a time.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Look-ups at a time; the pool has eight threads.
const AT_A_TIME: usize = 3;
/// Names that wait for their turn. A server can send us no more, and nobody configures so many.
const MAX_WAITING: usize = 16;
/// Names that are kept.
const MAX_KNOWN: usize = 64;
/// An answer is asked for anew after this long (and used until then).
const FRESH: Duration = Duration::from_secs(300);
/// Where there was no answer it is tried again, when a call is near again, but not sooner than this.
const TRY_AGAIN: Duration = Duration::from_secs(2);

type Answer = io::Result<Vec<SocketAddr>>;
type Ask = dyn Fn(String) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// What names are known. Clones share it.
#[derive(Clone)]
pub(crate) struct NameCache {
    ask: Arc<Ask>,
    names: Arc<Mutex<Names>>,
    learned: Arc<Notify>,
}

#[derive(Default)]
struct Names {
    known: HashMap<String, Known>,
    waiting: VecDeque<String>,
    asked: Vec<String>,
}

struct Known {
    addresses: Vec<SocketAddr>,
    /// Not asked for again before.
    good_until: Instant,
}

impl Default for NameCache {
    /// Asks the operating system.
    fn default() -> Self {
        Self::new(|host| Box::pin(async move { tokio::net::lookup_host(host).await.map(Iterator::collect) }))
    }
}

impl std::fmt::Debug for NameCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NameCache({} names)", self.lock().known.len())
    }
}

impl NameCache {
    fn new(ask: impl Fn(String) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync + 'static) -> Self {
        Self { ask: Arc::new(ask), names: Arc::default(), learned: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that these `host:port` will be known, and returns at once. Must be called on a tokio runtime.
    pub(crate) fn look_up(&self, hosts: impl IntoIterator<Item = String>) {
        let now = Instant::now();
        {
            let mut names = self.lock();
            for host in hosts {
                let needed = written(&host).is_none()
                    && !names.asked.contains(&host)
                    && !names.waiting.contains(&host)
                    && names.known.get(&host).is_none_or(|known| known.good_until <= now);
                if needed && names.waiting.len() < MAX_WAITING {
                    names.waiting.push_back(host);
                }
            }
        }
        while let Some(host) = self.next() {
            let cache = self.clone();
            tokio::spawn(async move {
                let mut turn = Some(host);
                while let Some(host) = turn {
                    let answer = (cache.ask)(host.clone()).await;
                    cache.learn(host, answer, Instant::now());
                    turn = cache.next();
                }
            });
        }
    }

    /// The next name whose turn it is.
    fn next(&self) -> Option<String> {
        let mut names = self.lock();
        if names.asked.len() >= AT_A_TIME {
            return None;
        }
        let host = names.waiting.pop_front()?;
        names.asked.push(host.clone());
        Some(host)
    }

    fn learn(&self, host: String, answer: Answer, now: Instant) {
        let mut names = self.lock();
        names.asked.retain(|asked| *asked != host);
        if names.known.len() >= MAX_KNOWN && !names.known.contains_key(&host) {
            tracing::debug!("too many names to remember");
            return;
        }
        let known = names.known.entry(host).or_insert(Known { addresses: Vec::new(), good_until: now });
        match answer {
            Ok(addresses) => *known = Known { addresses, good_until: now + FRESH },
            // What was known before is better than nothing.
            Err(_) => known.good_until = now + TRY_AGAIN,
        }
        drop(names);
        self.learned.notify_waiters();
    }

    /// The addresses of `host:port`, once they are known, which may be never.
    pub(super) async fn known(&self, host: &str) -> Vec<SocketAddr> {
        self.look_up([host.to_owned()]);
        loop {
            let learned = self.learned.notified();
            if let Ok(addresses) = self.get(host) {
                return addresses;
            }
            learned.await;
        }
    }

    /// What is known of `host:port` now.
    pub(super) fn get(&self, host: &str) -> Answer {
        if let Some(address) = written(host) {
            return Ok(vec![address]);
        }
        let names = self.lock();
        let known = names.known.get(host).filter(|known| !known.addresses.is_empty());
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "name not resolved yet");
        known.map(|known| known.addresses.clone()).ok_or_else(unknown)
    }
}

/// An address that is written out; one of IPv6 with brackets or, as the webrtc crate asks for those of TURN servers,
/// without.
pub(super) fn written(host: &str) -> Option<SocketAddr> {
    let bare =
        || host.rsplit_once(':').and_then(|(ip, port)| Some((ip.parse::<IpAddr>().ok()?, port.parse().ok()?).into()));
    host.parse().ok().or_else(bare)
}

/// `host:port` of a `stun:`, `turn:` or `turns:` URL (RFC 7064, RFC 7065), with the default port where none is given.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let default = match scheme {
        "stun" | "turn" => 3478,
        "stuns" | "turns" => 5349,
        _ => return None,
    };
    let host = rest.split('?').next().filter(|h| !h.is_empty())?;
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(head, port)| port.parse::<u16>().is_ok() && (!head.contains(':') || head.ends_with(']')));
    Some(if has_port { host.to_owned() } else { format!("{host}:{default}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn hosts(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("stun{i}.example.org:3478")).collect()
    }

    /// Lets every task run until all of them wait.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn hosts_are_found_in_ice_urls() {
        assert_eq!(host_of("stun:stun.example.org").as_deref(), Some("stun.example.org:3478"));
        assert_eq!(host_of("turn:10.0.0.1:99?transport=udp").as_deref(), Some("10.0.0.1:99"));
        assert_eq!(host_of("turns:relay.example.org?transport=tcp").as_deref(), Some("relay.example.org:5349"));
        assert_eq!(host_of("stun:[2001:db8::1]").as_deref(), Some("[2001:db8::1]:3478"));
        assert_eq!(host_of("http://example.org"), None);
    }

    #[tokio::test]
    async fn written_addresses_need_no_look_up_with_brackets_or_without() {
        let cache = NameCache::new(|_| Box::pin(std::future::pending()));
        for (written, address) in [
            ("192.0.2.1:3478", "192.0.2.1:3478"),
            ("[2001:db8::1]:3478", "[2001:db8::1]:3478"),
            ("2001:db8::1:3478", "[2001:db8::1]:3478"),
        ] {
            assert_eq!(cache.get(written).expect("an address"), [address.parse::<SocketAddr>().expect("an address")]);
            cache.look_up([written.to_owned()]);
        }
        assert!(cache.lock().asked.is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_a_name_has_it_as_soon_as_it_is_known() {
        let cache = NameCache::new(|_| Box::pin(std::future::pending()));
        let address: SocketAddr = ([192, 0, 2, 1], 3478).into();
        let (waiting, host) = (cache.clone(), hosts(1).remove(0));
        let learn = async {
            settle().await;
            cache.learn(hosts(1).remove(0), Err(io::Error::other("not yet")), Instant::now());
            settle().await;
            cache.learn(hosts(1).remove(0), Ok(vec![address]), Instant::now());
        };
        assert_eq!(tokio::join!(waiting.known(&host), learn).0, [address]);
    }

    #[tokio::test]
    async fn a_resolver_that_never_answers_holds_few_threads_and_nobody_up() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let cache = NameCache::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::pending())
        });
        for _ in 0..10 {
            cache.look_up(hosts(500));
        }
        settle().await;
        assert_eq!(asked.load(Ordering::Relaxed), AT_A_TIME);
        assert_eq!(cache.lock().waiting.len(), MAX_WAITING);
        assert!(cache.get("stun0.example.org:3478").is_err());
    }

    #[tokio::test]
    async fn answers_are_there_for_who_asks_later_and_not_asked_for_twice() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let cache = NameCache::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(vec![([192, 0, 2, 1], 3478).into()]) })
        });
        cache.look_up(hosts(8));
        settle().await;
        cache.look_up(hosts(8));
        settle().await;
        assert_eq!(asked.load(Ordering::Relaxed), 8);
        for host in hosts(8) {
            assert_eq!(cache.get(&host).expect("known").len(), 1);
        }
    }

    #[tokio::test]
    async fn a_failed_look_up_is_tried_again_later_and_spoils_no_earlier_answer() {
        let cache = NameCache::new(|_| Box::pin(std::future::pending()));
        let (host, now) = (hosts(1).remove(0), Instant::now());
        let address: SocketAddr = ([192, 0, 2, 1], 3478).into();
        cache.learn(host.clone(), Ok(vec![address]), now);
        let failed = || Err(io::Error::other("no network"));
        cache.learn(host.clone(), failed(), now);
        assert_eq!(cache.get(&host).expect("still known"), [address]);
        cache.look_up([host.clone()]);
        assert!(cache.lock().asked.is_empty(), "it has just failed");
        cache.learn(host.clone(), failed(), now.checked_sub(TRY_AGAIN).expect("a clock that has run"));
        cache.look_up([host]);
        assert_eq!(cache.lock().asked.len(), 1);
    }
}
