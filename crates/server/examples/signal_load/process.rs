//! The processes of a measurement, and what one of them has used.

use anyhow::Context as _;
use std::io::{BufRead, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use tokio::net::TcpListener;
use visavis_server::ServerConfig;

/// This program in another role; ends with this.
pub(crate) struct Helper {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Helper {
    /// Starts it, and waits for its first line.
    pub(crate) fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(Command::new(std::env::current_exe()?).args(arguments))
    }

    /// The same with the lowest priority, whatever ours is: who attacks from elsewhere does not use this machine's time.
    pub(crate) fn start_aside(arguments: &[&str]) -> anyhow::Result<Self> {
        let aside = ["--other", "0", "nice", "-n", "19"];
        Self::spawn(Command::new("chrt").args(aside).arg(std::env::current_exe()?).args(arguments))
    }

    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("another process could not be started")?;
        let mut stdout = BufReader::new(process.stdout.take().context("it has no standard output")?);
        let mut said = String::new();
        stdout.read_line(&mut said).context("another process said nothing")?;
        Ok(Self { process, stdout, said: said.trim().to_owned() })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it; what it said after its first line.
    pub(crate) fn end(mut self) -> String {
        drop(self.process.stdin.take());
        let mut rest = String::new();
        let _ = self.stdout.read_to_string(&mut rest);
        rest.trim().to_owned()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Done when whoever started this process lets it end.
pub(crate) async fn told_to_end() {
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
}

/// A server as `visavis-server` would be with its defaults, on a port of its own.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(visavis_server::run(listener, ServerConfig::default(), told_to_end()).await?)
}

/// What a process has used so far.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) rss_kb: f64,
    pub(crate) cpu_s: f64,
}

/// Read from `/proc`; none on other systems than Linux.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss_kb =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields 14 and 15, user and system time, in ticks of 10 ms; counted behind the name, which may hold spaces.
    let times = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    let ticks: f64 = times.map_while(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(Usage { rss_kb, cpu_s: ticks / 100.0 })
}
