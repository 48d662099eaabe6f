//! A link that is not there: what a connection sends goes through the rules of `visavis-link` before it leaves.
//!
//! For tests and measurements. Datagrams leave by the second handle of their socket, from a thread of the link's own:
//! tokio's timers are good to a millisecond only, and a link that adds that to every packet would be another link.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use visavis_capture::Worker;
use visavis_link::{Figures, IP_AND_UDP, Link, LinkChange, LinkSpec, TimedChange};

/// Histogram of lateness: microseconds, in powers of two.
const LATENESS_CLASSES: usize = 24;

/// What one endpoint sends goes through this link: one direction, shared by all of its connections, as the uplink of
/// a machine is. Clones are the same link.
#[derive(Clone)]
pub struct EmulatedLink(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    changes: Vec<TimedChange>,
    _worker: Worker,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    link: Link<Datagram>,
    /// Until when the thread sleeps, while it does.
    sleeps_until: Option<Instant>,
    lateness: [u64; LATENESS_CLASSES],
    ended: bool,
}

#[derive(Clone)]
struct Datagram {
    /// Open as long as something of it is on its way: a network delivers what a closed socket sent before.
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    bytes: Arc<[u8]>,
}

impl EmulatedLink {
    /// A link with nothing on it, and its thread. The time of the changes begins with [`start`](Self::start); the
    /// seed decides every draw.
    pub fn new(spec: LinkSpec, changes: Vec<TimedChange>, seed: u64) -> Self {
        let link = Link::new(Instant::now(), spec, seed);
        let state = State { link, sleeps_until: None, lateness: [0; LATENESS_CLASSES], ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let carried = shared.clone();
        let worker = Worker::spawn("emulated link", move |_| carried.carry());
        Self(Arc::new(Handle { shared, changes, _worker: worker }))
    }

    /// The changes' time begins, and figures begin anew.
    pub fn start(&self) {
        let shared = &self.0.shared;
        let mut state = shared.lock();
        state.link.start(Instant::now(), &self.0.changes);
        state.lateness = [0; LATENESS_CLASSES];
        shared.wake(&state);
    }

    /// The link is another one from now on.
    pub fn change(&self, change: &LinkChange) {
        let mut state = self.0.shared.lock();
        state.link.change(Instant::now(), change);
        self.0.shared.wake(&state);
    }

    /// What it carried since the start; bytes are those of IP packets.
    pub fn figures(&self) -> Figures {
        self.0.shared.lock().link.figures().clone()
    }

    /// How much later than due this share of the packets left, since the start; exact to a factor of two. A link of
    /// which this is not far below a millisecond says nothing about delays: the machine is too busy.
    pub fn lateness(&self, share: f64) -> Duration {
        let state = self.0.shared.lock();
        let wanted = state.lateness.iter().sum::<u64>() as f64 * share;
        let mut sum = 0;
        for (class, count) in state.lateness.iter().enumerate() {
            sum += count;
            if sum as f64 >= wanted {
                return Duration::from_micros(1 << class);
            }
        }
        Duration::ZERO
    }

    /// Takes a datagram that is to leave by this socket.
    pub(super) fn send(&self, socket: &Arc<UdpSocket>, bytes: &[u8], to: SocketAddr) {
        let datagram = Datagram { socket: socket.clone(), to, bytes: bytes.into() };
        let mut state = self.0.shared.lock();
        state.link.push(Instant::now(), bytes.len() + IP_AND_UDP, datagram);
        self.0.shared.wake(&state);
    }
}

impl std::fmt::Debug for EmulatedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmulatedLink({:?})", self.0.shared.lock().link.spec())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread where something is due before it would look again.
    fn wake(&self, state: &State) {
        let due = state.link.poll_timeout();
        if state.sleeps_until.is_some_and(|until| due.is_some_and(|due| due < until)) {
            self.changed.notify_one();
        }
    }

    fn carry(&self) {
        /// Longest sleep; whatever is due sooner wakes the thread.
        const LONG: Duration = Duration::from_secs(3600);
        let mut state = self.lock();
        while !state.ended {
            let now = Instant::now();
            if let Some(arrival) = state.link.poll(now) {
                let late = now.saturating_duration_since(arrival.at).as_micros().max(1).ilog2() as usize;
                state.lateness[(late + 1).min(LATENESS_CLASSES - 1)] += 1;
                drop(state);
                let Datagram { socket, to, bytes } = arrival.packet;
                // A datagram that the system does not take is lost, as anywhere.
                if let Err(error) = socket.send_to(&bytes, to) {
                    tracing::debug!(%error, "a datagram did not leave the emulated link");
                }
                state = self.lock();
                continue;
            }
            let due = state.link.poll_timeout().unwrap_or(now + LONG).min(now + LONG);
            state.sleeps_until = Some(due);
            let left = due.saturating_duration_since(Instant::now());
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.sleeps_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn socket() -> Arc<UdpSocket> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.set_read_timeout(Some(LONG)).expect("set");
        Arc::new(socket)
    }

    fn link(spec: &str) -> EmulatedLink {
        EmulatedLink::new(spec.parse().expect("a link"), Vec::new(), 1)
    }

    #[test]
    fn datagrams_leave_no_earlier_than_the_link_lets_them_in_their_order_and_are_counted() {
        let (link, ours, theirs) = (link("rate=800k,delay=20,queue=1000"), socket(), socket());
        let begun = Instant::now();
        for number in 0..20u8 {
            // 100 bytes on the wire: a millisecond.
            link.send(&ours, &[number; 72], theirs.local_addr().expect("bound"));
        }
        let mut buffer = [0; 100];
        for number in 0..20u8 {
            let (length, from) = theirs.recv_from(&mut buffer).expect("it comes");
            assert!(begun.elapsed() >= Duration::from_millis(21 + u64::from(number)));
            assert_eq!((&buffer[..length], from), (&[number; 72][..], ours.local_addr().expect("bound")));
        }
        let total = link.figures().total();
        assert_eq!((total.in_packets, total.out_packets, total.out_bytes), (20, 20, 2000));
        assert!(link.lateness(1.0) > Duration::ZERO);
    }

    #[test]
    fn a_socket_that_was_closed_still_delivers_what_it_sent_and_then_frees_its_port() {
        let (link, ours, theirs) = (link("delay=30"), socket(), socket());
        let address = ours.local_addr().expect("bound");
        let watch = Arc::downgrade(&ours);
        link.send(&ours, &[7; 10], theirs.local_addr().expect("bound"));
        drop(ours);
        let mut buffer = [0; 100];
        assert_eq!(theirs.recv_from(&mut buffer).expect("it comes").1, address);
        let limit = Instant::now() + LONG;
        while watch.strong_count() > 0 && Instant::now() < limit {
            std::thread::yield_now();
        }
        UdpSocket::bind(address).expect("the port is free");
    }

    #[test]
    fn the_thread_ends_with_the_last_handle_and_what_is_on_the_way_is_lost() {
        let (link, ours, theirs) = (link("delay=60000"), socket(), socket());
        link.send(&ours, &[7; 10], theirs.local_addr().expect("bound"));
        let (shared, watch) = (Arc::downgrade(&link.0.shared), Arc::downgrade(&ours));
        let other = link.clone();
        drop(link);
        assert!(shared.upgrade().is_some_and(|shared| !shared.lock().ended));
        drop((other, ours));
        assert_eq!((shared.strong_count(), watch.strong_count()), (0, 0));
    }

    #[test]
    fn a_change_wakes_a_link_that_sleeps() {
        let (link, ours, theirs) = (link("rate=100,queue=60000"), socket(), socket());
        let sleeps = || link.0.shared.lock().sleeps_until;
        while sleeps().is_none() {
            std::thread::yield_now();
        }
        // At 100 bit/s it takes longer than anybody waits here.
        link.send(&ours, &[7; 1000], theirs.local_addr().expect("bound"));
        link.change(&"rate=0".parse().expect("a change"));
        assert!(theirs.recv_from(&mut [0; 2000]).is_ok());
    }
}
