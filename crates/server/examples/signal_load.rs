//! How much a signaling server bears: many rooms that wait, and calls that are set up all the time.
//!
//! Holds `--rooms` rooms of two people open, then sets up `--setups-per-s` calls a second for `--seconds`: two people
//! connect, meet, exchange an offer, an answer and eight candidates each way, and leave.

use anyhow::{Context as _, bail};
use clap::Parser;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use visavis_media::{CallId, PeerId, RoomId};
use visavis_server::ServerConfig;
use visavis_signaling::{
    Client, ClientConfig, ClientEvent, ClientMessage, Envelope, Kind, RoomCode, ServerMessage, Share,
};

/// Characters of a sealed offer or answer, and of a sealed candidate, as they come up in calls.
const DESCRIPTION: usize = 6000;
const CANDIDATE: usize = 300;
/// Candidates each way.
const CANDIDATES: usize = 8;
/// A setup that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections made at a time while the rooms fill.
const AT_A_TIME: usize = 64;

#[derive(Parser, Debug)]
struct Cli {
    /// Server to load; without one, a process of its own is started.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Rooms of two that are held open.
    #[arg(long, default_value_t = 1000)]
    rooms: usize,
    /// Calls set up each second.
    #[arg(long, default_value_t = 50)]
    setups_per_s: u32,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// One line of JSON instead of words.
    #[arg(long)]
    json: bool,
    /// Be the server: prints its address, ends with its standard input.
    #[arg(long, hide = true)]
    serve: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cli.serve {
        return serve().await;
    }
    let server = match &cli.server {
        Some(url) => Server { url: url.clone(), process: None },
        None => Server::start()?,
    };
    let before = server.usage();
    let waiting = fill(&server.url, cli.rooms).await?;
    let full = server.usage();
    let load = load(&server.url, &cli).await;
    let after = server.usage();

    let connections = waiting.len();
    let memory = before.zip(full).map(|(before, full)| (full.rss_kb - before.rss_kb) / connections.max(1) as f64);
    let cpu = full.zip(after).map(|(full, after)| (after.cpu_s - full.cpu_s) / f64::from(load.done.max(1)) * 1000.0);
    let (p50, p99) = (load.percentile(0.5), load.percentile(0.99));
    if cli.json {
        let line = serde_json::json!({
            "connections": connections, "setups": load.done, "failed": load.failed, "relay_ms": {"p50": p50, "p99": p99},
            "server_rss_kb_per_connection": memory, "server_cpu_s_per_1000_setups": cpu,
        });
        println!("{line}");
    } else {
        println!("{connections} connections waited, {} calls were set up, {} failed", load.done, load.failed);
        println!("a message took {p50:.2} ms (median), {p99:.2} ms (99 of 100)");
        if let (Some(memory), Some(cpu)) = (memory, cpu) {
            println!("the server used {memory:.1} KiB a connection and {cpu:.2} s of CPU for 1000 calls");
        }
    }
    drop(waiting);
    Ok(())
}

/// The server's side of `--serve`.
async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let config = ServerConfig { max_connections: 1_000_000, ..ServerConfig::default() };
    let parent_gone = async {
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    };
    Ok(visavis_server::run(listener, config, parent_gone).await?)
}

/// The server under load; ends with this.
struct Server {
    url: String,
    process: Option<Child>,
}

/// What a process has used so far.
#[derive(Clone, Copy)]
struct Usage {
    rss_kb: f64,
    cpu_s: f64,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server could not be started")?;
        let stdout = process.stdout.take().context("the server has no standard output")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address).context("the server did not say where it listens")?;
        Ok(Self { url: format!("ws://{}", address.trim()), process: Some(process) })
    }

    /// Read from `/proc`; none for a server that is not ours, and on other systems than Linux.
    fn usage(&self) -> Option<Usage> {
        let id = self.process.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let rss_kb =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Fields 14 and 15, user and system time, in ticks of 10 ms; counted behind the name, which may hold spaces.
        let times = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.map_while(|ticks| ticks.parse::<f64>().ok()).sum();
        Some(Usage { rss_kb, cpu_s: ticks / 100.0 })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.stdin.take());
            let _ = process.wait();
        }
    }
}

/// Fills rooms of two; they stay as long as what is returned.
async fn fill(url: &str, rooms: usize) -> anyhow::Result<Vec<Client>> {
    let mut waiting = Vec::with_capacity(rooms * 2);
    let mut left = rooms;
    while left > 0 {
        let batch = left.min(AT_A_TIME);
        let mut pairs = JoinSet::new();
        for _ in 0..batch {
            let url = url.to_owned();
            pairs.spawn(async move { timeout(PATIENCE, meet(&url)).await? });
        }
        while let Some(pair) = pairs.join_next().await {
            let pair = pair??;
            waiting.extend([pair.opener.client, pair.newcomer.client]);
        }
        left -= batch;
    }
    Ok(waiting)
}

/// What came of the setups.
#[derive(Default)]
struct Load {
    done: u32,
    failed: u32,
    relay_ms: Vec<f64>,
}

impl Load {
    fn percentile(&self, part: f64) -> f64 {
        let last = self.relay_ms.len().saturating_sub(1);
        self.relay_ms.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

async fn load(url: &str, cli: &Cli) -> Load {
    let mut load = Load::default();
    let mut setups = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / cli.setups_per_s.max(1));
    for _ in 0..cli.setups_per_s * cli.seconds {
        ticks.tick().await;
        let url = url.to_owned();
        setups.spawn(async move { timeout(PATIENCE, set_up(&url)).await? });
    }
    while let Some(setup) = setups.join_next().await {
        match setup {
            Ok(Ok(took)) => {
                load.done += 1;
                load.relay_ms.extend(took);
            }
            Ok(Err(_)) | Err(_) => load.failed += 1,
        }
    }
    load.relay_ms.sort_by(f64::total_cmp);
    load
}

struct Person {
    client: Client,
    peer: PeerId,
    sent: u64,
}

struct Pair {
    room: RoomId,
    opener: Person,
    newcomer: Person,
}

async fn meet(url: &str) -> anyhow::Result<Pair> {
    loop {
        let room = RoomCode::random().room_id();
        let [mut opener, mut newcomer] = [(); 2].map(|()| Client::spawn(ClientConfig::new(url)));
        opener.send(ClientMessage::open(room.clone()))?;
        let first = match hear(&mut opener).await? {
            ServerMessage::Opened(seat) => seat.peer_id,
            // Two of many drew the same room.
            ServerMessage::Error { .. } => continue,
            other => bail!("unexpected {other:?}"),
        };
        newcomer.send(ClientMessage::join(room.clone(), Share::from_text("x".repeat(87))))?;
        let ServerMessage::Joined(seat) = hear(&mut newcomer).await? else { bail!("not joined") };
        let ServerMessage::PeerJoined { .. } = hear(&mut opener).await? else { bail!("nobody came") };
        let opener = Person { client: opener, peer: first, sent: 0 };
        let newcomer = Person { client: newcomer, peer: seat.peer_id, sent: 0 };
        return Ok(Pair { room, opener, newcomer });
    }
}

/// Sets a call up and ends it; how many milliseconds each message took.
async fn set_up(url: &str) -> anyhow::Result<Vec<f64>> {
    let Pair { room, mut opener, mut newcomer } = meet(url).await?;
    let mut took = Vec::new();
    took.push(pass(&room, &mut opener, &mut newcomer, Kind::Offer, DESCRIPTION).await?);
    took.push(pass(&room, &mut newcomer, &mut opener, Kind::Answer, DESCRIPTION).await?);
    for _ in 0..CANDIDATES {
        took.push(pass(&room, &mut opener, &mut newcomer, Kind::IceCandidate, CANDIDATE).await?);
        took.push(pass(&room, &mut newcomer, &mut opener, Kind::IceCandidate, CANDIDATE).await?);
    }
    tokio::join!(opener.client.close(), newcomer.client.close());
    Ok(took)
}

async fn pass(room: &RoomId, from: &mut Person, to: &mut Person, kind: Kind, size: usize) -> anyhow::Result<f64> {
    from.sent += 1;
    let (room_id, call_id, sealed) = (room.clone(), CallId::new("load"), "x".repeat(size));
    let (sender, recipient) = (from.peer.clone(), to.peer.clone());
    let envelope = Envelope { room_id, from: sender, to: recipient, call_id, pake: None, n: from.sent, sealed };
    let start = Instant::now();
    from.client.send(ClientMessage::sealed(kind, envelope))?;
    let message = hear(&mut to.client).await?;
    if message.sealed().is_none() {
        bail!("unexpected {message:?}");
    }
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

async fn hear(client: &mut Client) -> anyhow::Result<ServerMessage> {
    loop {
        match client.next().await.context("the client ended")? {
            ClientEvent::Message(message) => return Ok(message),
            ClientEvent::Connected => {}
            ClientEvent::Disconnected { why, .. } => bail!(why),
            ClientEvent::Failed(error) => bail!(error),
        }
    }
}
