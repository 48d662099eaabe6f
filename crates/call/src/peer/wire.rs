//! Where webrtc-rs meets the operating system: tokio, but for sockets that repeat lost DTLS flights (see
//! [`Flights`]) and spare DTLS a round trip (see [`Hellos`]), and for names, which are answered from a cache (see
//! [`NameCache`]), and TURN servers behind a stream (see [`turn`](super::turn)).
//!
//! Repeats leave by a second handle of the same socket, never by tokio's: polling that from another task would take
//! the waker of the connection's own task away. So does everything where an [`EmulatedLink`] is on the way.

use super::alarm::Alarm;
use super::asleep::{Asleep, Sleeps};
use super::cookie::Hellos;
use super::emulated::EmulatedLink;
use super::flights::{Flights, Repeat, Route};
use super::nudge::Nudge;
use super::records::is_dtls;
use super::relayed::carried;
use super::turn::{Doors, Ground, Relays, Tunnels};
use super::wake::Wake;
use crate::options::DatagramFilter;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

/// Stale messages that are passed over before others get their turn.
const STALE_AT_ONCE: usize = 256;

/// What one connection's sockets do besides sending and receiving.
#[derive(Clone, Default)]
pub(crate) struct WireSettings {
    /// Flights are repeated.
    pub repeat: bool,
    /// Which datagrams leave; for tests.
    pub filter: Option<DatagramFilter>,
    /// What everything that leaves goes through; for tests and measurements.
    pub link: Option<EmulatedLink>,
    /// Which connection of its endpoint this is, from 0.
    pub number: u32,
}

impl WireSettings {
    fn passes(&self, datagram: &[u8]) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(self.number, datagram))
    }
}

impl std::fmt::Debug for WireSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WireSettings(connection {})", self.number)
    }
}

/// The runtime of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    ground: Ground,
    settings: WireSettings,
    repeater: Arc<Repeater>,
    nudge: Arc<Nudge>,
    sleeps: Arc<Sleeps>,
    alarm: Alarm,
    wake: Wake,
    hellos: Hellos,
}

impl Wire {
    /// Must be called on the runtime that the connection is to run on. What repeats ends with the connection.
    pub(super) fn new(ground: Ground, settings: WireSettings) -> Self {
        let repeater = Arc::new(Repeater::default());
        if settings.repeat {
            tokio::spawn(keep_repeating(Arc::downgrade(&repeater), repeater.changed.clone()));
        }
        let (nudge, sleeps, alarm, wake) = (Arc::default(), Arc::default(), Alarm::default(), Wake::default());
        Self { ground, settings, repeater, nudge, sleeps, alarm, wake, hellos: Hellos::unused() }
    }

    /// What looks at each datagram that comes.
    pub(super) fn nudge(&self) -> Arc<Nudge> {
        self.nudge.clone()
    }

    /// The same, with a bell for when the connection's task panics.
    pub(super) fn watched_by(self, alarm: Alarm) -> Self {
        Self { alarm, ..self }
    }

    /// The same, with a connection whose task sleeps until it is woken, at the longest.
    pub(super) fn woken_by(self, wake: Wake) -> Self {
        Self { wake, ..self }
    }

    /// The same, with what knows the first messages of DTLS.
    pub(super) fn greeting_by(self, hellos: Hellos) -> Self {
        Self { hellos, ..self }
    }
}

/// The flight of one connection, and the sockets that it can leave by.
#[derive(Debug, Default)]
struct Repeater {
    flights: Mutex<Flights>,
    ways_out: Mutex<Vec<Weak<WayOut>>>,
    changed: Arc<Notify>,
}

/// A second handle of a socket. It goes with the first: a restart of ICE may bind the same port again.
#[derive(Debug)]
struct WayOut {
    local: SocketAddr,
    socket: Arc<UdpSocket>,
    settings: WireSettings,
    tunnels: Tunnels,
}

impl WayOut {
    fn send(&self, datagram: &[u8], remote: SocketAddr) -> io::Result<()> {
        match &self.settings.link {
            _ if Doors::nowhere(remote) => self.tunnels.send(remote, datagram),
            Some(link) => {
                link.send(&self.socket, datagram, remote);
                Ok(())
            }
            None => self.socket.send_to(datagram, remote).map(drop),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repeater {
    fn add(&self, way_out: &Arc<WayOut>) {
        let mut ways_out = lock(&self.ways_out);
        ways_out.retain(|way| way.strong_count() > 0);
        ways_out.push(Arc::downgrade(way_out));
    }

    fn sent(&self, route: Route, datagram: &[u8]) {
        let mut flights = lock(&self.flights);
        let before = flights.deadline();
        flights.sent(Instant::now(), route, datagram);
        if flights.deadline() != before {
            self.changed.notify_one();
        }
    }

    fn received(&self, route: Route, datagram: &[u8]) {
        let answer = lock(&self.flights).received(Instant::now(), route, datagram);
        if let Some(repeat) = answer {
            self.send(&repeat, "the other side repeats its flight");
        }
    }

    /// What does not leave is due again soon enough.
    fn send(&self, repeat: &Repeat, why: &'static str) {
        let found = lock(&self.ways_out).iter().filter_map(Weak::upgrade).find(|way| way.local == repeat.route.local);
        tracing::debug!(datagrams = repeat.datagrams.len(), why, "DTLS flight sent again");
        let Some(way_out) = found else { return };
        for datagram in repeat.datagrams.iter().filter(|datagram| way_out.settings.passes(datagram)) {
            if let Err(error) = way_out.send(datagram, repeat.route.remote) {
                tracing::debug!(%error, "it did not leave");
            }
        }
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        // Whoever waits for the next repeat sees that there will be none.
        self.changed.notify_one();
    }
}

async fn keep_repeating(repeater: Weak<Repeater>, changed: Arc<Notify>) {
    loop {
        let Some(deadline) = repeater.upgrade().map(|repeater| lock(&repeater.flights).deadline()) else { return };
        let due = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = changed.notified() => {}
        }
        let Some(repeater) = repeater.upgrade() else { return };
        let repeat = lock(&repeater.flights).due(Instant::now());
        if let Some(repeat) = repeat {
            repeater.send(&repeat, "no answer yet");
        }
    }
}

/// Tokio's socket, watched for flights.
#[derive(Debug)]
struct WatchedSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    way_out: Arc<WayOut>,
    repeater: Arc<Repeater>,
    nudge: Arc<Nudge>,
    hellos: Hellos,
    relays: Arc<Relays>,
    /// Whoever waits for something to come.
    reader: Mutex<Option<Waker>>,
    asleep: Mutex<Asleep>,
    /// The datagram that waits for the socket has passed the filter.
    passed: AtomicBool,
    /// The last one that came was DTLS. webrtc reads on while there is something to read and only then looks at what
    /// happened, so the media right behind the last flight would meet a connection without keys, and be dropped: it is
    /// told once that there is nothing more.
    pause: AtomicBool,
}

impl WatchedSocket {
    fn route(&self, remote: SocketAddr) -> Route {
        Route { local: self.way_out.local, remote }
    }
}

impl WatchedSocket {
    /// Receives what did not wait while this process slept. Where that takes long, others get their turn.
    fn receive_fresh(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut asleep = lock(&self.asleep);
        asleep.asks(Instant::now());
        for _ in 0..STALE_AT_ONCE {
            let received = match self.way_out.tunnels.receive(cx.waker()) {
                Some((from, datagram)) => Poll::Ready(Ok(usize::from(hand_over(bufs, meta, from, &datagram)))),
                None => self.receive_by_udp(cx, bufs, meta),
            };
            match received {
                // A datagram that is longer than there is room.
                Poll::Ready(Ok(0)) => {}
                Poll::Ready(Ok(count)) => {
                    let stale = |(buffer, meta): (&IoSliceMut<'_>, &RecvMeta)| {
                        asleep.drops(carried(&buffer[..meta.len.min(buffer.len())]))
                    };
                    if !bufs.iter().zip(meta.iter()).take(count).all(stale) {
                        return received;
                    }
                }
                Poll::Pending => {
                    asleep.is_empty();
                    return received;
                }
                Poll::Ready(Err(_)) => return received,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// What comes from an address that nobody has is somebody's invention.
    fn receive_by_udp(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.socket.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            for meta in meta.iter_mut().take(count).filter(|meta| Doors::nowhere(meta.addr)) {
                meta.len = 0;
            }
        }
        received
    }

    /// Whether what is about to leave stays here. Of several at once all leave.
    fn keeps_back(&self, transmit: &Transmit<'_>, size: usize) -> bool {
        let (route, alone) = (self.route(transmit.destination), size >= transmit.contents.len());
        let mut stays = false;
        for datagram in datagrams(transmit.contents, size).filter(|d| is_dtls(carried(d))) {
            stays |= self.hellos.leaves(route, datagram, alone);
            if self.hellos.has_more(route.local)
                && let Some(reader) = lock(&self.reader).take()
            {
                reader.wake();
            }
        }
        stays
    }

    /// Hands over what is to seem to have come. One that is longer than there is room is lost, as any would be.
    fn receive_made(&self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> Option<usize> {
        let (route, datagram) = self.hellos.next(self.way_out.local)?;
        hand_over(bufs, meta, route.remote, &datagram).then(|| {
            self.pause.store(true, Ordering::Relaxed);
            1
        })
    }

    /// Looks at what came. Whether anything is left of it once what waits is taken out.
    fn look(&self, buffer: &mut [u8], meta: &mut RecvMeta) -> bool {
        let length = meta.len.min(buffer.len());
        let route = self.route(meta.addr);
        for datagram in datagrams(&buffer[..length], meta.stride) {
            self.nudge.look(datagram);
            self.relays.came(meta.addr, datagram);
            self.repeater.received(route, datagram);
        }
        let (mut kept, mut at) = (0, 0);
        while at < length {
            let end = length.min(at + meta.stride.max(1));
            let datagram = &buffer[at..end];
            if !self.hellos.came(route, datagram) {
                self.pause.fetch_or(is_dtls(datagram), Ordering::Relaxed);
                buffer.copy_within(at..end, kept);
                kept += end - at;
            }
            at = end;
        }
        meta.len = kept;
        kept > 0 || length == 0
    }
}

/// Puts a datagram where one that came is looked for; `false` where it does not fit.
fn hand_over(bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta], from: SocketAddr, datagram: &[u8]) -> bool {
    let length = datagram.len();
    let (Some(buffer), Some(meta)) = (bufs.first_mut().and_then(|b| b.get_mut(..length)), meta.first_mut()) else {
        return false;
    };
    buffer.copy_from_slice(datagram);
    *meta = RecvMeta::default();
    (meta.addr, meta.len, meta.stride) = (from, length, length);
    true
}

/// The datagrams of a buffer that holds several of this size, the last one perhaps shorter.
fn datagrams(buffer: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    buffer.chunks(size.max(1))
}

impl AsyncUdpSocket for WatchedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_gso_segments(&self) -> usize {
        // Filters and links look at datagrams one by one.
        let WireSettings { filter, link, .. } = &self.way_out.settings;
        if filter.is_some() || link.is_some() { 1 } else { self.socket.max_gso_segments() }
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        if self.keeps_back(transmit, size) {
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        // The connection polls with the same datagram until it has left.
        let passes = self.passed.swap(false, Ordering::Relaxed) || self.way_out.settings.passes(transmit.contents);
        self.relays.leaves(transmit.destination, transmit.contents);
        let sent = match (passes, &self.way_out.settings.link) {
            (false, _) => Poll::Ready(Ok(transmit.contents.len())),
            (true, _) if Doors::nowhere(transmit.destination) => {
                let mut all = datagrams(transmit.contents, size);
                let sent = all.try_for_each(|d| self.way_out.tunnels.send(transmit.destination, d));
                Poll::Ready(sent.map(|()| transmit.contents.len()))
            }
            (true, None) => self.socket.poll_send(cx, transmit),
            (true, Some(link)) => {
                for datagram in datagrams(transmit.contents, size) {
                    link.send(&self.way_out.socket, datagram, transmit.destination);
                }
                Poll::Ready(Ok(transmit.contents.len()))
            }
        };
        self.passed.store(sent.is_pending(), Ordering::Relaxed);
        if self.way_out.settings.repeat && matches!(sent, Poll::Ready(Ok(_))) {
            for datagram in datagrams(transmit.contents, size).filter(|d| is_dtls(carried(d))) {
                self.repeater.sent(self.route(transmit.destination), datagram);
            }
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.pause.swap(false, Ordering::Relaxed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        *lock(&self.reader) = Some(cx.waker().clone());
        if let Some(count) = self.receive_made(bufs, meta) {
            return Poll::Ready(Ok(count));
        }
        let received = self.receive_fresh(cx, bufs, meta);
        let Poll::Ready(Ok(count)) = received else { return received };
        if !self.way_out.settings.repeat {
            return received;
        }
        let mut left = count == 0;
        for (buffer, meta) in bufs.iter_mut().zip(meta.iter_mut()).take(count) {
            left |= self.look(buffer, meta);
        }
        if left {
            return received;
        }
        match self.receive_made(bufs, meta) {
            Some(count) => Poll::Ready(Ok(count)),
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for Wire {
    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        socket.set_nonblocking(true)?;
        let second = socket.try_clone()?;
        let local = socket.local_addr()?;
        let (settings, tunnels) = (self.settings.clone(), Tunnels::new(local, self.ground.clone()));
        let way_out = Arc::new(WayOut { local, socket: Arc::new(second), settings, tunnels });
        let socket = TokioRuntime.wrap_udp_socket(socket)?;
        let WireSettings { repeat, filter, link, .. } = &self.settings;
        if !repeat && filter.is_none() && link.is_none() && self.ground.doors.is_empty() {
            return Ok(socket);
        }
        self.repeater.add(&way_out);
        let (passed, pause) = (AtomicBool::new(false), AtomicBool::new(false));
        let asleep = Mutex::new(Asleep::new(self.sleeps.clone(), Instant::now()));
        let (repeater, nudge, hellos) = (self.repeater.clone(), self.nudge.clone(), self.hellos.clone());
        let (relays, reader) = (self.ground.relays.clone(), Mutex::default());
        Ok(Arc::new(WatchedSocket { socket, way_out, repeater, nudge, hellos, relays, reader, asleep, passed, pause }))
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        let answer = self.ground.resolve(host);
        Box::pin(async move { answer })
    }

    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(Box::pin(self.alarm.clone().watch(future)))
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, remote: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async move { TokioRuntime.connect_tcp(remote).await })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        Box::pin(self.wake.clone().sleep(duration))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn name(&self) -> &'static str {
        "tokio, watched"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn wire(repeat: bool) -> Wire {
        Wire::new(Ground::default(), WireSettings { repeat, ..WireSettings::default() })
    }

    fn bound() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").expect("loopback")
    }

    async fn receive(socket: &Arc<dyn AsyncUdpSocket>) -> Vec<u8> {
        let mut buffer = vec![0; 2000];
        let (length, _) = socket.recv_from(&mut buffer).await.expect("received");
        buffer[..length].to_vec()
    }

    #[tokio::test]
    async fn a_flight_leaves_again_from_the_same_socket_until_the_other_side_sends_media() {
        let (wire, theirs) = (wire(true), bound());
        let there = theirs.local_addr().expect("bound");
        theirs.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let ours = wire.wrap_udp_socket(bound()).expect("wrapped");
        let flight = super::super::records::tests::message(0, 0, 30);
        ours.send_to(&flight, there).await.expect("sent");
        // The blocking reader has a thread of its own, so that the repeats can go on meanwhile.
        let reader = tokio::task::spawn_blocking(move || {
            let mut buffer = [0; 2000];
            let heard: Vec<_> = (0..3)
                .map(|_| {
                    let (length, from) = theirs.recv_from(&mut buffer).expect("received");
                    (buffer[..length].to_vec(), from)
                })
                .collect();
            (theirs, heard)
        });
        let (theirs, heard) = reader.await.expect("read");
        let from = ours.local_addr().expect("bound");
        assert_eq!(heard, vec![(flight, from); 3]);
        theirs.send_to(&[0x80; 40], from).expect("sent");
        assert_eq!(receive(&ours).await, [0x80; 40]);
        assert_eq!(lock(&wire.repeater.flights).deadline(), None);
    }

    #[tokio::test]
    async fn reading_pauses_once_after_dtls_so_that_keys_are_there_for_the_media_behind_it() {
        let (wire, theirs) = (wire(true), bound());
        let ours = wire.wrap_udp_socket(bound()).expect("wrapped");
        let there = ours.local_addr().expect("bound");
        let flight = super::super::records::tests::message(0, 0, 30);
        for datagram in [&flight[..], &[0x80; 40], &[0x81; 40]] {
            theirs.send_to(datagram, there).expect("sent");
        }
        // The first one is waited for; loopback keeps their order, so the others are there with it or soon after.
        assert_eq!(receive(&ours).await, flight);
        let mut buffer = [0; 100];
        let poll = |buffer: &mut [u8]| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            ours.poll_recv(&mut cx, &mut [IoSliceMut::new(buffer)], &mut [RecvMeta::default()]).is_ready()
        };
        assert!(!poll(&mut buffer), "a pause");
        assert_eq!((receive(&ours).await, receive(&ours).await), (vec![0x80; 40], vec![0x81; 40]));
    }

    #[tokio::test]
    async fn what_repeats_ends_with_the_connection_and_frees_its_ports() {
        let wire = wire(true);
        let ours = wire.wrap_udp_socket(bound()).expect("wrapped");
        ours.send_to(&super::super::records::tests::message(0, 0, 30), ours.local_addr().expect("bound"))
            .await
            .expect("sent");
        let (address, watch) = (ours.local_addr().expect("bound"), Arc::downgrade(&wire.repeater));
        drop((ours, wire));
        UdpSocket::bind(address).expect("the port is free");
        assert!(watch.upgrade().is_none());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    }

    #[tokio::test]
    async fn a_filter_keeps_back_what_it_will_and_knows_the_connection() {
        let seen = Arc::new(AtomicU32::new(0));
        let counter = seen.clone();
        let filter: DatagramFilter = Arc::new(move |number, datagram| {
            counter.fetch_add(number, Ordering::Relaxed);
            datagram[0] != 1
        });
        let settings = WireSettings { filter: Some(filter), number: 5, ..WireSettings::default() };
        let wire = Wire::new(Ground::default(), settings);
        let (ours, theirs) =
            (wire.wrap_udp_socket(bound()).expect("wrapped"), wire.wrap_udp_socket(bound()).expect("wrapped"));
        for datagram in [[1, 1], [2, 2]] {
            ours.send_to(&datagram, theirs.local_addr().expect("bound")).await.expect("taken");
        }
        assert_eq!(receive(&theirs).await, [2, 2]);
        assert_eq!(seen.load(Ordering::Relaxed), 10);
    }

    #[tokio::test]
    async fn all_that_leaves_takes_the_emulated_link_and_repeats_of_flights_do_too() {
        let link = EmulatedLink::new("delay=30".parse().expect("a link"), Vec::new(), 1);
        let settings = WireSettings { repeat: true, link: Some(link.clone()), ..WireSettings::default() };
        let wire = Wire::new(Ground::default(), settings);
        let (ours, theirs) =
            (wire.wrap_udp_socket(bound()).expect("wrapped"), wire.wrap_udp_socket(bound()).expect("wrapped"));
        assert_eq!(ours.max_gso_segments(), 1);
        let (begun, there) = (Instant::now(), theirs.local_addr().expect("bound"));
        ours.send_to(&[0x80; 40], there).await.expect("taken");
        assert_eq!(receive(&theirs).await, [0x80; 40]);
        assert!(begun.elapsed() >= Duration::from_millis(30));
        let flight = super::super::records::tests::message(0, 0, 30);
        ours.send_to(&flight, there).await.expect("taken");
        for _ in 0..2 {
            assert_eq!(receive(&theirs).await, flight);
        }
        assert!(link.figures().total().in_packets >= 3);
    }

    #[tokio::test]
    async fn an_unknown_name_is_refused_at_once_and_an_address_needs_no_look_up() {
        let wire = wire(true);
        assert!(wire.resolve_host("never.invalid:3478").await.is_err());
        assert_eq!(wire.resolve_host("127.0.0.1:1").await.expect("an address").len(), 1);
    }
}
