//! A signaling server that can be killed and come back at the same address.

use super::LONG;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use visavis_server::{AddressLimits, ServerConfig};
use visavis_signaling::{OriginLimits, RelayConfig};

/// Where everything runs that is no endpoint; those bring their own threads.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).thread_name("test-server").enable_all().build().unwrap()
    })
}

pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    pub fn start_at(address: SocketAddr) -> Self {
        // Tokio's listener sets SO_REUSEADDR, so connections that linger do not hold the port.
        let listener = runtime().block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        // Everybody comes from one address here: what an endpoint does with many strangers is to be seen, not what a
        // server spares it.
        let relay = RelayConfig { per_origin: OriginLimits::NONE, ..RelayConfig::default() };
        let config = ServerConfig { relay, per_address: AddressLimits::NONE, ..ServerConfig::default() };
        let task = runtime().spawn(async move {
            let end = async { drop(stopped.await) };
            visavis_server::run(listener, config, end).await.unwrap();
        });
        Self { address, stop: Some(stop), task: Some(task) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Ends it, and every connection to it; returns its address.
    pub fn kill(mut self) -> SocketAddr {
        self.stop = None;
        if let Some(task) = self.task.take() {
            runtime().block_on(async { tokio::time::timeout(LONG, task).await }).expect("the server ends").unwrap();
        }
        self.address
    }
}
