//! `visavis-server`: the signaling server as a process of its own.

use anyhow::Context as _;
use clap::Parser;
use clap::error::ErrorKind;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tracing::info;
use tracing_subscriber::EnvFilter;
use visavis_server::{ServerConfig, TlsFiles};
use visavis_signaling::RelayConfig;

/// Helps two people who know the same four words to find each other. It can neither see nor hear what they say.
#[derive(Parser, Debug)]
#[command(name = "visavis-server", version)]
struct Cli {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// PEM file with the certificate chain, for wss://.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Rooms at a time.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_rooms: u32,
    /// People in a room.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=16))]
    room_size: u32,
    /// Connections at a time.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// JSON file with STUN and TURN servers to hand out: [{"urls": ["turn:…"], "username": "…", "credential": "…"}].
    #[arg(long, value_name = "FILE")]
    ice_servers: Option<PathBuf>,
    /// Serve no page for guests without the app: for a relay whose page is hosted apart, or nowhere.
    #[arg(long)]
    no_guest_page: bool,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => error.exit(),
        Err(error) => {
            eprintln!("visavis-server: {}", one_line(&error.to_string()));
            return ExitCode::from(2);
        }
    };
    // Whose addresses and rooms these are is nobody's business: the default level names neither.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match serve(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visavis-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(cli: Cli) -> anyhow::Result<()> {
    let ice_servers = match &cli.ice_servers {
        None => Vec::new(),
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is not as it should be", file.display()))?
        }
    };
    let relay = RelayConfig { max_rooms: cli.max_rooms as usize, room_size: cli.room_size as usize, ice_servers };
    let tls = cli.tls_cert.zip(cli.tls_key).map(|(cert, key)| TlsFiles { cert, key });
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    let (max_connections, guest_page) = (cli.max_connections as usize, !cli.no_guest_page);
    let config = ServerConfig { relay, max_connections, tls, browsers: true, guest_page };
    let listener = TcpListener::bind(cli.listen).await.with_context(|| format!("cannot listen on {}", cli.listen))?;
    info!("listening on {scheme}://{}", listener.local_addr()?);
    visavis_server::run(listener, config, told_to_stop()).await?;
    info!("stopped");
    Ok(())
}

/// Done when the process is told to end.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// What clap says about a mistake, without its advice on usage.
fn one_line(error: &str) -> String {
    let lines = error.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}
