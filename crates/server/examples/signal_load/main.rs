//! How much a signaling server bears: many rooms that wait, calls that are set up all the time, and perhaps somebody who
//! means harm.
//!
//! Holds `--rooms` rooms of two people open, then sets up `--setups-per-s` calls a second for `--seconds`: two people
//! connect, meet, exchange an offer, an answer and twenty candidates, and leave. Server, people who wait, people who
//! call and, with `--hostile`, the attacker are processes of their own. On loopback everybody has an address of their
//! own, so that the server's limits for each address hold as they do elsewhere.
//!
//! With `--socket-io` and `--server-pid` it measures a socket.io server that does the same (`bench/signaling`).

mod attack;
mod hold;
mod member;
mod process;
mod setup;

use crate::member::Dialect;
use crate::process::{Helper, Usage, usage};
use crate::setup::{Load, load};
use anyhow::Context as _;
use clap::Parser;
use serde_json::json;
use std::time::Duration;

#[derive(Parser, Debug)]
struct Cli {
    /// Server to load; without one, a process of its own is started.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Process whose memory and CPU are measured; that of the server that was started.
    #[arg(long, value_name = "PID", requires = "server")]
    server_pid: Option<u32>,
    /// Rooms of two that are held open.
    #[arg(long, default_value_t = 1000)]
    rooms: usize,
    /// Calls set up each second; 0: as many as go.
    #[arg(long, default_value_t = 50)]
    setups_per_s: u32,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Speak socket.io instead of our protocol.
    #[arg(long)]
    socket_io: bool,
    /// Measure for as long again while somebody attacks the server.
    #[arg(long)]
    hostile: bool,
    /// One line of JSON instead of words.
    #[arg(long)]
    json: bool,
    /// Be one of the other processes: ends with its standard input.
    #[arg(long, hide = true, value_name = "ROLE", requires_if("hold", "server"), requires_if("attack", "server"))]
    role: Option<Role>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Role {
    Serve,
    Hold,
    Attack,
}

impl Cli {
    fn dialect(&self) -> Dialect {
        if self.socket_io { Dialect::SocketIo } else { Dialect::Visavis }
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let url = || cli.server.clone().context("--server is missing");
    match cli.role {
        // The server has the threads that it has in its own binary, everybody else one.
        Some(Role::Serve) => single()?.block_on(process::serve()),
        Some(Role::Hold) => single()?.block_on(hold::run(url()?, cli.dialect(), cli.rooms)),
        Some(Role::Attack) => single()?.block_on(attack::run(url()?)),
        None => single()?.block_on(measure(&cli)),
    }
}

fn single() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn measure(cli: &Cli) -> anyhow::Result<()> {
    let (server, url, pid) = match &cli.server {
        Some(url) => (None, url.clone(), cli.server_pid),
        None => {
            let server = Helper::start(&["--role", "serve"])?;
            let (url, pid) = (format!("ws://{}", server.said), server.id());
            (Some(server), url, Some(pid))
        }
    };
    let now = || pid.and_then(usage);
    let before = now();
    let rooms = cli.rooms.to_string();
    let mut hold = vec!["--role", "hold", "--server", &url, "--rooms", &rooms];
    hold.extend(cli.socket_io.then_some("--socket-io"));
    let waiting = Helper::start(&hold)?;
    anyhow::ensure!(waiting.said == "ready", "the rooms could not be filled: {}", waiting.said);
    let full = now();
    let calm = load(&url, cli.dialect(), cli.setups_per_s, Duration::from_secs(cli.seconds.into()), 0).await;
    let after = now();
    let hostile = match cli.hostile {
        false => None,
        true => {
            let attack = Helper::start_aside(&["--role", "attack", "--server", &url])?;
            let time = Duration::from_secs(cli.seconds.into());
            let under_attack = load(&url, cli.dialect(), cli.setups_per_s, time, 1).await;
            // Before the attacker ends, which sets its memory free.
            let cost = after
                .zip(now())
                .map(|(after, now)| Usage { rss_kb: now.rss_kb - after.rss_kb, cpu_s: now.cpu_s - after.cpu_s });
            Some((under_attack, cost, attack.end()))
        }
    };

    let connections = cli.rooms * 2;
    let memory = before.zip(full).map(|(before, full)| (full.rss_kb - before.rss_kb) / connections.max(1) as f64);
    let cpu = full.zip(after).map(|(full, after)| (after.cpu_s - full.cpu_s) / f64::from(calm.done.max(1)) * 1000.0);
    if cli.json {
        let mut line = json!({
            "connections": connections, "setups": calm.done, "failed": calm.failed, "relay_ms": relay_ms(&calm),
            "server_rss_kb_per_connection": memory, "server_cpu_s_per_1000_setups": cpu,
        });
        if let Some((under_attack, cost, tried)) = &hostile {
            line["hostile"] = json!({
                "setups": under_attack.done, "failed": under_attack.failed, "relay_ms": relay_ms(under_attack),
                "p99_ratio": under_attack.percentile(0.99) / calm.percentile(0.99),
                "server_rss_mb_more": cost.map(|cost| cost.rss_kb / 1024.0),
                "server_cpu_s": cost.map(|cost| cost.cpu_s),
                "tried": serde_json::from_str::<serde_json::Value>(tried).unwrap_or_default(),
            });
        }
        println!("{line}");
    } else {
        println!("{connections} connections waited, {} calls were set up, {} failed", calm.done, calm.failed);
        println!("a message took {}", words(&calm));
        if let Some(why) = &calm.why {
            println!("one of those that failed: {why}");
        }
        if let (Some(memory), Some(cpu)) = (memory, cpu) {
            println!("the server used {memory:.1} KiB a connection and {cpu:.2} s of CPU for 1000 calls");
        }
        if let Some((load, cost, tried)) = &hostile {
            println!("under attack {} calls were set up, {} failed", load.done, load.failed);
            println!("a message took {}; the attacker: {tried}", words(load));
            if let Some(Usage { rss_kb, cpu_s }) = cost {
                println!("the server used {:.0} MiB more than before, and {cpu_s:.1} s of CPU", rss_kb / 1024.0);
            }
        }
    }
    drop((waiting, server));
    Ok(())
}

fn relay_ms(load: &Load) -> serde_json::Value {
    json!({"p50": load.percentile(0.5), "p99": load.percentile(0.99)})
}

fn words(load: &Load) -> String {
    format!("{:.2} ms (median), {:.2} ms (99 of 100)", load.percentile(0.5), load.percentile(0.99))
}
