//! What examples share that put two whole peers into one process.

pub(crate) mod process;
pub(crate) mod side;

use anyhow::Context;
use std::net::SocketAddr;

/// A signaling server on a free port of this machine; its address.
///
/// # Errors
/// Where no port is free.
pub(crate) fn serve(runtime: &tokio::runtime::Runtime) -> anyhow::Result<SocketAddr> {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).context("no port for a server")?;
    let address = listener.local_addr()?;
    let config = visavis_server::ServerConfig::default();
    runtime.spawn(visavis_server::run(listener, config, std::future::pending()));
    Ok(address)
}

/// Value below which a share of the values lies; `None` of nothing.
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len().saturating_sub(1)) as f64 * share).round() as usize).copied()
}

/// What the libraries say goes to standard error, where `RUST_LOG` asks for it.
pub(crate) fn log_to_stderr() {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| visavis_call::DEFAULT_LOG_FILTER.into());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
}
