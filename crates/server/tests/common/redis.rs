//! Redis, and servers that share their rooms through it, as processes that can be killed and started again.

use super::LONG;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A port that nobody uses just now; below those that the system gives to connections, which would take it at any time.
fn free_port() -> u16 {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| rand::random_range(10_000..32_000)).find(free).unwrap()
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < LONG, "waited in vain for {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A `redis-server` on a port of its own, which keeps nothing.
pub struct Redis {
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl Redis {
    pub async fn start(options: &[&str]) -> Self {
        let mut redis = Self::absent(options);
        redis.revive().await;
        redis
    }

    /// One that has yet to be started.
    pub fn absent(options: &[&str]) -> Self {
        Self { port: free_port(), options: options.iter().map(|option| (*option).to_owned()).collect(), process: None }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn revive(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let process = command.args(&self.options).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.expect("these tests need redis-server: scripts/setup --tests installs it"));
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        until("Redis", || async move { TcpStream::connect(address).await.is_ok() }).await;
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        end(&mut self.process);
    }

    /// Lets it stand still, as a machine does that is paused; its connections stay.
    pub fn pause(&self) {
        signal(self.process.as_ref(), "-STOP");
    }

    pub fn resume(&self) {
        signal(self.process.as_ref(), "-CONT");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(process: Option<&Child>, which: &str) {
    let id = process.expect("it runs").id().to_string();
    assert!(Command::new("kill").args([which, &id]).status().unwrap().success());
}

fn end(process: &mut Option<Child>) {
    if let Some(mut process) = process.take() {
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// A `visavis-server`, at the same port each time.
pub struct Node {
    pub address: SocketAddr,
    options: Vec<String>,
    process: Option<Child>,
    log: Option<JoinHandle<Vec<String>>>,
}

impl Node {
    /// Without limits for one address, where all of a test come from.
    pub fn start(redis: &Redis) -> Self {
        Self::start_with(redis, &["--joins-per-minute", "0", "--misses-per-minute", "0", "--messages-per-second", "0"])
    }

    pub fn start_with(redis: &Redis, options: &[&str]) -> Self {
        let all = ["--redis", &redis.url(), "--connections-per-address", "0", "--connections-per-minute", "0"];
        let options = all.iter().chain(options).map(|option| (*option).to_owned()).collect();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut node = Self { address, options, process: None, log: None };
        node.revive();
        node
    }

    pub fn revive(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
        command.env_remove("RUST_LOG").args(["--listen", &self.address.to_string()]).args(&self.options);
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log = vec![lines.next().unwrap_or_default()];
        while !log.last().is_some_and(|line| line.contains("listening on")) {
            log.push(lines.next().unwrap_or_else(|| panic!("the server ended: {log:?}")));
        }
        self.process = Some(process);
        self.log = Some(tokio::task::spawn_blocking(move || {
            log.extend(lines);
            log
        }));
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        end(&mut self.process);
    }

    /// Lets it stand still, as a machine does that is paused; its connections stay.
    pub fn pause(&self) {
        signal(self.process.as_ref(), "-STOP");
    }

    pub fn resume(&self) {
        signal(self.process.as_ref(), "-CONT");
    }

    /// Ends it as an operator does; what it logged.
    pub async fn stop(&mut self) -> Vec<String> {
        signal(self.process.as_ref(), "-TERM");
        let process = self.process.take();
        let log = timeout(LONG, self.log.take().unwrap()).await.expect("it ends").unwrap();
        end(&mut { process });
        log
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The answer to a request; empty where there is none.
    pub async fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(self.address).await {
            let request = format!("GET {path} HTTP/1.1\r\nHost: call.example\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = timeout(LONG, stream.read_to_string(&mut answer)).await;
        }
        answer
    }

    pub async fn is_healthy(&self) -> bool {
        self.get("/healthz").await.starts_with("HTTP/1.1 200")
    }

    /// Waits until it can be used.
    pub async fn ready(&self) {
        until("a server that can serve", || self.is_healthy()).await;
    }

    /// One of its figures.
    pub async fn figure(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What stands before several servers: each connection goes to the first one in its list that is there.
pub struct Balancer {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Balancer {
    pub async fn before(nodes: &[&Node]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, nodes) =
            (listener.local_addr().unwrap(), nodes.iter().map(|node| node.address).collect::<Vec<_>>());
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let nodes = nodes.clone();
                tokio::spawn(async move {
                    for node in nodes {
                        if let Ok(mut server) = TcpStream::connect(node).await {
                            let _ = copy_bidirectional(&mut stream, &mut server).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { address, task }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
