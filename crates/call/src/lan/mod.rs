//! Meeting without a configured server: a signaling server inside the app, announced by mDNS (RFC 6762, RFC 6763).
//!
//! [`announce`] tells of a room with mdns-sd. [`find`] looks for one with sockets of its own, because mdns-sd's search
//! remembers without limit what strangers say, ends when they say much, and may take a second where an answer had been
//! given to somebody else.

mod announce;
mod find;
mod packet;

use crate::options::LocalNetwork;
use announce::Announcement;
use find::Heard;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use visavis_media::RoomId;
use visavis_server::ServerConfig;

/// Ports of the servers inside apps; each takes the first that is free.
const PORTS: std::ops::RangeInclusive<u16> = 7460..=7469;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// A connection to this machine is accepted or refused at once; a stuck program must not hold up the search.
const PROBE: Duration = Duration::from_millis(300);

/// A server inside this app. Dropping it withdraws the announcement and stops the server.
pub(crate) struct OwnServer {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    announcement: Option<Announcement>,
    /// Its name in the local network: drawn, so that neither the machine's nor the person's is told.
    instance: String,
}

impl OwnServer {
    /// Takes the first free port; `None` where all are taken.
    pub(crate) async fn start(network: LocalNetwork) -> Option<Self> {
        for port in PORTS {
            let listener = match network {
                LocalNetwork::Off => return None,
                LocalNetwork::ThisMachine => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await,
                LocalNetwork::On => listen_everywhere(port),
            };
            let Ok(listener) = listener else { continue };
            let (stop, stopped) = oneshot::channel::<()>();
            let task = tokio::spawn(async move {
                let end = async {
                    let _ = stopped.await;
                };
                if let Err(error) = visavis_server::run(listener, ServerConfig::embedded(), end).await {
                    tracing::warn!(%error, "the server inside the app stopped");
                }
            });
            let instance = format!("{:016x}", rand::random::<u64>());
            return Some(Self { port, stop: Some(stop), task, announcement: None, instance });
        }
        tracing::warn!("ports 7460 to 7469 are all taken; others in the local network will not find this room");
        None
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Where others reach it.
    pub(crate) fn addresses(&self, network: LocalNetwork) -> Vec<String> {
        match network {
            LocalNetwork::Off | LocalNetwork::ThisMachine => Vec::new(),
            LocalNetwork::On => {
                readable_addresses().into_iter().map(|ip| SocketAddr::new(ip, self.port).to_string()).collect()
            }
        }
    }

    /// Whether of two apps that opened the same room the other one keeps it: both come to the same answer.
    pub(crate) fn yields_to(&self, found: &Found) -> bool {
        match &found.instance {
            Some(theirs) => theirs.split('.').next().is_some_and(|theirs| theirs < self.instance.as_str()),
            None => found.addresses.iter().any(|a| a.port() < self.port),
        }
    }

    /// Says on the local network that this room is here, instead of what was said before.
    pub(crate) fn announce(&mut self, room: &RoomId) {
        self.announcement = None;
        match Announcement::new(&self.instance, self.port, room) {
            Ok(announcement) => self.announcement = Some(announcement),
            Err(error) => tracing::debug!(%error, "no mDNS announcement; apps on this machine find the room"),
        }
    }

    /// Says no longer that a room is here.
    pub(crate) fn withdraw(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let announcement = self.announcement.take();
        async {
            if let Some(announcement) = announcement {
                announcement.withdraw().await;
            }
        }
    }

    pub(crate) async fn stop(mut self) {
        self.withdraw().await;
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let abort = self.task.abort_handle();
        if tokio::time::timeout(Duration::from_secs(1), &mut self.task).await.is_err() {
            abort.abort();
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens on every address, of IPv6 too where this machine speaks it.
fn listen_everywhere(port: u16) -> io::Result<TcpListener> {
    let listen = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // As tokio does: a connection that lingers does not hold the port. Elsewhere this means something else.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        listening => listening,
    }
}

/// Addresses by which others may reach this machine, for a person to read: those of IPv4 where there are any.
fn readable_addresses() -> Vec<IpAddr> {
    let own = own_addresses();
    let (v4, v6): (Vec<_>, Vec<_>) = own.into_iter().filter(|ip| !ip.is_loopback()).partition(IpAddr::is_ipv4);
    let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if v4.is_empty() { v6.into_iter().filter(|ip| !link_local(ip)).collect() } else { v4 }
}

fn own_addresses() -> Vec<IpAddr> {
    if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|i| i.ip()).collect()
}

/// A server found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub url: String,
    /// Where to connect, side by side; all lead to this server.
    pub addresses: Vec<SocketAddr>,
    pub this_machine: bool,
    /// Its name in the local network. What has the same name is the same server.
    pub instance: Option<String>,
}

/// Looks on this machine and, where wanted, in the local network. Returns when the search is over.
pub(crate) async fn search(network: LocalNetwork, room: RoomId, own: Option<u16>, found: mpsc::Sender<Found>) {
    let here = search_this_machine(network, own, found.clone());
    let elsewhere = async {
        if network == LocalNetwork::On {
            search_network(&room, found).await;
        }
    };
    tokio::join!(here, elsewhere);
}

async fn search_this_machine(network: LocalNetwork, own: Option<u16>, found: mpsc::Sender<Found>) {
    if network == LocalNetwork::Off {
        return;
    }
    let mut tasks = JoinSet::new();
    for port in PORTS.filter(|port| Some(*port) != own) {
        let found = found.clone();
        tasks.spawn(async move {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let connect = TcpStream::connect(address);
            if matches!(tokio::time::timeout(PROBE, connect).await, Ok(Ok(_))) {
                let url = format!("ws://{address}");
                let _ = found.send(Found { url, addresses: vec![address], this_machine: true, instance: None }).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn search_network(room: &RoomId, found: mpsc::Sender<Found>) {
    let (out, mut heard) = mpsc::channel(find::MOST);
    let pass_on = async {
        while let Some(Heard { instance, addresses }) = heard.recv().await {
            let own = own_addresses();
            // What is on this machine has been found by its port. And nobody in the network has us connect to any other
            // kind of service.
            let elsewhere = |a: &SocketAddr| !own.contains(&a.ip()) && PORTS.contains(&a.port());
            if addresses.iter().all(elsewhere)
                && let Some(first) = addresses.first()
            {
                // Without the name of the interface, which has no place in such an address.
                let url = format!("ws://{}", SocketAddr::new(first.ip(), first.port()));
                let found = found.send(Found { url, addresses, this_machine: false, instance: Some(instance) });
                if found.await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::join!(find::find(room, out), pass_on);
}
