//! `visavis-server`: the signaling server as a process of its own.

mod options;

use crate::options::Options;
use anyhow::Context as _;
use clap::Parser as _;
use clap::error::ErrorKind;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tracing::info;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
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
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visavis-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> anyhow::Result<()> {
    // With one thread no message changes threads on its way, which halves what it costs.
    let mut runtime = match options.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(options.threads as usize).enable_all().build()?;
    runtime.block_on(async move { tokio::spawn(listen(options)).await? })
}

async fn listen(options: Options) -> anyhow::Result<()> {
    let (listen, config) = (options.listen, options.config()?);
    let scheme = if config.tls.is_some() { "wss" } else { "ws" };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
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
