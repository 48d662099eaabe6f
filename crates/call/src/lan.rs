//! Meeting without a configured server: a signaling server inside the app, announced by mDNS (RFC 6762, RFC 6763).
//!
//! What is announced is the room id, which is no secret; whoever finds the room still has to prove the code.

use crate::options::LocalNetwork;
use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use visavis_media::RoomId;
use visavis_server::ServerConfig;

/// Ports of the servers inside apps; each takes the first that is free.
const PORTS: std::ops::RangeInclusive<u16> = 7460..=7469;
const SERVICE: &str = "_visavis._tcp.local.";
/// Answers to a search of the local network come within this time or not at all.
const SEARCH: Duration = Duration::from_millis(1500);
/// A connection to this machine is accepted or refused at once; a stuck program must not hold up the search.
const PROBE: Duration = Duration::from_millis(300);

/// A server inside this app. Dropping it withdraws the announcement and stops the server.
pub(crate) struct OwnServer {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    announcement: Option<Announcement>,
}

impl OwnServer {
    /// Takes the first free port; `None` where all are taken.
    pub(crate) async fn start(network: LocalNetwork) -> Option<Self> {
        let ip = match network {
            LocalNetwork::Off => return None,
            LocalNetwork::ThisMachine => Ipv4Addr::LOCALHOST,
            LocalNetwork::On => Ipv4Addr::UNSPECIFIED,
        };
        for port in PORTS {
            let Ok(listener) = TcpListener::bind((ip, port)).await else { continue };
            let (stop, stopped) = oneshot::channel::<()>();
            let task = tokio::spawn(async move {
                let end = async {
                    let _ = stopped.await;
                };
                if let Err(error) = visavis_server::run(listener, ServerConfig::embedded(), end).await {
                    tracing::warn!(%error, "the server inside the app stopped");
                }
            });
            return Some(Self { port, stop: Some(stop), task, announcement: None });
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
                own_addresses().into_iter().map(|ip| SocketAddr::new(ip, self.port).to_string()).collect()
            }
        }
    }

    /// Says on the local network that this room is here, instead of what was said before.
    pub(crate) fn announce(&mut self, room: &RoomId) {
        self.announcement = None;
        match Announcement::new(self.port, room) {
            Ok(announcement) => self.announcement = Some(announcement),
            Err(error) => tracing::debug!(%error, "no mDNS announcement; apps on this machine find the room"),
        }
    }

    pub(crate) async fn stop(mut self) {
        self.announcement = None;
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

struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    fn new(port: u16, room: &RoomId) -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        // Names are drawn: neither the machine's nor the person's is told to the network.
        let instance = format!("{:016x}", rand::random::<u64>());
        let host = format!("visavis-{instance}.local.");
        let properties = [("room", room.as_str()), ("version", "1")];
        let info = ServiceInfo::new(SERVICE, &instance, &host, "", port, &properties[..])?.enable_addr_auto();
        let name = info.get_fullname().to_owned();
        daemon.register(info)?;
        Ok(Self { daemon, name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = self.daemon.unregister(&self.name);
        let _ = self.daemon.shutdown();
    }
}

fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().filter(|i| !i.is_loopback() && i.ip().is_ipv4()).map(|i| i.ip()).collect()
}

/// A server found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub url: String,
    pub host: String,
    pub this_machine: bool,
}

/// Looks on this machine and, where wanted, in the local network. Returns when the search is over.
pub(crate) async fn search(network: LocalNetwork, room: RoomId, own: Option<u16>, found: mpsc::Sender<Found>) {
    let mut tasks = JoinSet::new();
    if network != LocalNetwork::Off {
        for port in PORTS.filter(|port| Some(*port) != own) {
            let found = found.clone();
            tasks.spawn(async move {
                let connect = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                if matches!(tokio::time::timeout(PROBE, connect).await, Ok(Ok(_))) {
                    let host = format!("127.0.0.1:{port}");
                    let _ = found.send(Found { url: format!("ws://{host}"), host, this_machine: true }).await;
                }
            });
        }
    }
    if network == LocalNetwork::On {
        let found = found.clone();
        tasks.spawn(async move {
            if let Err(error) = browse(&room, &found).await {
                tracing::debug!(%error, "no mDNS search");
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn browse(room: &RoomId, found: &mpsc::Sender<Found>) -> Result<(), mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    let events = daemon.browse(SERVICE)?;
    let own = own_addresses();
    let listen = async {
        while let Ok(event) = events.recv_async().await {
            let ServiceEvent::ServiceResolved(service) = event else { continue };
            if service.get_property_val_str("room") != Some(room.as_str()) {
                continue;
            }
            // What is on this machine has been found by its port.
            let addresses: Vec<_> = service.get_addresses_v4().into_iter().map(IpAddr::V4).collect();
            if addresses.iter().any(|ip| own.contains(ip)) {
                continue;
            }
            for ip in addresses.into_iter().take(4) {
                let host = SocketAddr::new(ip, service.get_port()).to_string();
                let _ = found.send(Found { url: format!("ws://{host}"), host, this_machine: false }).await;
            }
        }
    };
    let _ = tokio::time::timeout(SEARCH, listen).await;
    let _ = daemon.shutdown();
    Ok(())
}
