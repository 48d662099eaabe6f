//! Asks the configured STUN and TURN servers, from sockets of its own.

use super::probe::{Login, Probe, Target};
use super::{Finding, NetworkCheck};
use crate::options::IceServer;
use crate::peer::{Doors, Ground, Trust, Tunnels, host_of};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Nobody configures so many; what is beyond is not asked.
const MOST: usize = 16;
/// Look-ups at a time: each holds a thread of a small pool that other work needs too.
const AT_A_TIME: usize = 2;
/// A name that takes longer has no address.
const LOOK_UP: Duration = Duration::from_secs(4);
/// No STUN message is longer than this on any path.
const DATAGRAM: usize = 1500;

/// What is to be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions {
    pub servers: Vec<IceServer>,
    pub relay_only: bool,
    /// Local addresses to ask from; empty: any.
    pub bind: Vec<SocketAddr>,
    /// For TURN servers behind TLS.
    pub trust: Trust,
}

/// Asks, and tells whenever something new is known; returns once all is.
pub(crate) async fn ask(questions: Questions, mut tell: impl AsyncFnMut(NetworkCheck)) {
    let Questions { servers, relay_only, bind, trust } = questions;
    let mut doors = Doors::default();
    let all = targets(&servers, &mut doors);
    let unknown: Vec<Target> = all.iter().map(|asked| asked.target.clone()).collect();
    tell(Probe::new(Instant::now(), unknown, relay_only).findings(&[])).await;
    let targets = look_up(all).await;
    let sockets = Sockets::open(&bind, &Ground { doors, trust, ..Ground::default() }).await;
    let mut probe = Probe::new(Instant::now(), targets, relay_only);
    let mut told = None;
    loop {
        let now = Instant::now();
        while let Some((to, message)) = probe.poll_transmit(now) {
            sockets.send(to, &message).await;
        }
        let findings = probe.findings(&sockets.own);
        if told.as_ref() != Some(&findings) {
            told = Some(findings.clone());
            tell(findings).await;
        }
        let Some(at) = probe.poll_timeout() else { return };
        tokio::select! {
            (from, datagram) = sockets.receive() => probe.handle(Instant::now(), from, &datagram),
            () = tokio::time::sleep_until(at.into()) => {}
        }
    }
}

/// A server, and how to find it.
struct Asked {
    target: Target,
    /// What to look up, where it can be asked at all.
    host: Option<String>,
    /// What stands for it (IPv4, IPv6) where it is reached through a stream.
    stand_in: Option<[SocketAddr; 2]>,
}

fn targets(servers: &[IceServer], doors: &mut Doors) -> Vec<Asked> {
    let urls = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    let asked = urls.take(MOST).map(|(server, url)| {
        let stand_in = doors.stand_in(url);
        let login = (url.starts_with("turn:") || stand_in.is_some())
            .then(|| Login { username: server.username.clone(), password: server.credential.clone() });
        let plain = url.split_once('?').is_none_or(|(_, query)| query == "transport=udp");
        let by_udp = plain && (login.is_some() || url.starts_with("stun:"));
        let host = host_of(url).filter(|_| by_udp || stand_in.is_some());
        let address = Err(if host.is_some() { Finding::Asking } else { Finding::Unsupported });
        Asked { target: Target { url: url.clone(), login, address, by_stream: stand_in.is_some() }, host, stand_in }
    });
    asked.collect()
}

async fn look_up(targets: Vec<Asked>) -> Vec<Target> {
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut looking = JoinSet::new();
    for (number, Asked { mut target, host, stand_in }) in targets.into_iter().enumerate() {
        let turns = turns.clone();
        looking.spawn(async move {
            if let Some(host) = host {
                let _turn = turns.acquire().await;
                let stands_for =
                    |real: SocketAddr| stand_in.map_or(real, |[v4, v6]| if real.is_ipv4() { v4 } else { v6 });
                target.address = address_of(&host).await.map(stands_for).ok_or(Finding::UnknownName);
            }
            (number, target)
        });
    }
    let mut found = Vec::new();
    while let Some(Ok(target)) = looking.join_next().await {
        found.push(target);
    }
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, target)| target).collect()
}

async fn address_of(host: &str) -> Option<SocketAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    let answer = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host(host)).await.ok()?.ok()?;
    let all: Vec<SocketAddr> = answer.take(MOST).collect();
    all.iter().find(|address| address.is_ipv4()).or(all.first()).copied()
}

/// One socket for each family, where the system has it.
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    /// To servers behind streams, by IPv4 and by IPv6.
    tunnels: [Tunnels; 2],
    /// Our ports at each address of this machine.
    own: Vec<SocketAddr>,
}

impl Sockets {
    async fn open(bind: &[SocketAddr], ground: &Ground) -> Self {
        let local =
            |v6: bool, any: IpAddr| bind.iter().map(SocketAddr::ip).find(|ip| ip.is_ipv6() == v6).unwrap_or(any);
        let v4 = UdpSocket::bind((local(false, Ipv4Addr::UNSPECIFIED.into()), 0)).await.ok();
        let v6 = UdpSocket::bind((local(true, Ipv6Addr::UNSPECIFIED.into()), 0)).await.ok();
        let ports = [&v4, &v6].map(|socket| socket.as_ref().and_then(|s| s.local_addr().ok()).map(|a| a.port()));
        let addresses = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
        let own = addresses.filter_map(|ip| Some(SocketAddr::new(ip, ports[usize::from(ip.is_ipv6())]?)));
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let tunnels = any.map(|any| Tunnels::new((local(any.is_ipv6(), any), 0).into(), ground.clone()));
        Self { own: own.collect(), v4, v6, tunnels }
    }

    async fn send(&self, to: SocketAddr, message: &[u8]) {
        if Doors::nowhere(to) {
            // One that cannot be reached gives no answer.
            let _ = self.tunnels[usize::from(to.is_ipv6())].send(to, message);
            return;
        }
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let sent = match socket {
            Some(socket) => socket.send_to(message, to).await.map(drop),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a server could not be asked");
        }
    }

    async fn receive(&self) -> (SocketAddr, Vec<u8>) {
        tokio::select! {
            received = receive_from(self.v4.as_ref()) => received,
            received = receive_from(self.v6.as_ref()) => received,
            received = poll_fn(|cx| self.by_stream(cx)) => received,
        }
    }
}

impl Sockets {
    fn by_stream(&self, cx: &mut Context<'_>) -> Poll<(SocketAddr, Vec<u8>)> {
        let came = self.tunnels.iter().find_map(|tunnels| tunnels.receive(cx.waker()));
        came.map_or(Poll::Pending, Poll::Ready)
    }
}

/// The next datagram; waits for ever where there is none to come.
async fn receive_from(socket: Option<&UdpSocket>) -> (SocketAddr, Vec<u8>) {
    let Some(socket) = socket else { return std::future::pending().await };
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // Errors tell of what was sent earlier; the repeats and their end take care of that.
        if let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            buffer.truncate(length);
            return (from, buffer);
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
