//! linkemu: a network link between namespaces, emulated in user space (see ../../README.md).
//!
//! Makes three network namespaces A (10.77.0.1), B (10.77.0.2) and S (10.77.0.3), each with one TUN device `emu0`, and
//! carries IPv4 packets between them. A and B are joined by the links asked for; to S, where signaling goes on, there
//! is only a fixed delay. What becomes of packets on a link is decided by `visavis-link`.

mod network;
mod options;
mod priority;
mod report;

use options::Options;
use std::io::{self, Write as _};
use std::os::fd::RawFd;
use std::process::exit;
use std::time::{Duration, Instant};
use visavis_link::{Link, LinkSpec, TimedChange};

/// Packets read from one device before the others have their turn.
const BATCH: usize = 64;
/// Lateness of so many packets is kept for each link.
const MAX_LATE: usize = 4_000_000;
const STANDARD_INPUT: RawFd = 0;

/// Ends the program with one line.
fn die(why: &str) -> ! {
    eprintln!("linkemu: {why}");
    exit(2)
}

/// One direction between two of the three.
pub(crate) struct Way {
    pub(crate) link: Link<Vec<u8>>,
    pub(crate) changes: Vec<TimedChange>,
    /// How much later than due each packet was delivered, in microseconds.
    pub(crate) late_us: Vec<u32>,
}

/// Everything that runs.
pub(crate) struct Emulator {
    devices: [RawFd; 3],
    /// From `k / 3` to `k % 3`.
    pub(crate) ways: Vec<Way>,
    /// Unix time of `start`, in milliseconds.
    pub(crate) started: Option<u64>,
    commands: String,
    quit: bool,
}

/// Index of the way from A to B, and back.
pub(crate) const A_TO_B: usize = 1;
pub(crate) const B_TO_A: usize = 3;

fn main() {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|why| die(&why));
    let devices = [1, 2, 3].map(|host| {
        network::make(&options.namespaces[host - 1], &format!("10.77.0.{host}")).unwrap_or_else(|why| die(&why))
    });
    priority::raise();
    priority::never_block(STANDARD_INPUT);
    println!("ready");
    let _ = io::stdout().flush();

    let mut emulator = Emulator::new(devices, &options);
    while !emulator.quit {
        emulator.turn();
    }
    if let Some(path) = &options.log
        && let Err(error) = std::fs::write(path, report::json(&mut emulator, options.seed))
    {
        eprintln!("linkemu: {path}: {error}");
    }
    for namespace in &options.namespaces {
        network::remove(namespace);
    }
}

impl Emulator {
    fn new(devices: [RawFd; 3], options: &Options) -> Self {
        let now = Instant::now();
        let ways = (0..9).map(|k| {
            let (spec, changes) = match k {
                A_TO_B => (options.there, options.changes_there.clone()),
                B_TO_A => (options.back, options.changes_back.clone()),
                _ => (LinkSpec { delay: options.signaling_delay, ..LinkSpec::default() }, Vec::new()),
            };
            let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(k as u64 * 7919);
            Way { link: Link::new(now, spec, seed), changes, late_us: Vec::new() }
        });
        Self { devices, ways: ways.collect(), started: None, commands: String::new(), quit: false }
    }

    /// Delivers what is due, sleeps until something is due or comes, and takes that.
    fn turn(&mut self) {
        let wake = self.deliver();
        let now = Instant::now();
        let left = wake.map_or(Duration::from_secs(1), |at| at.saturating_duration_since(now));
        let ready = network::wait(&self.devices, STANDARD_INPUT, left.min(Duration::from_secs(1)));
        for (from, ready) in ready[..3].iter().enumerate() {
            if *ready {
                self.take_packets(from);
            }
        }
        if ready[3] {
            self.take_commands();
        }
    }

    /// Writes every packet that is due to its device; when the next one is.
    fn deliver(&mut self) -> Option<Instant> {
        for (k, way) in self.ways.iter_mut().enumerate() {
            let now = Instant::now();
            while let Some(arrival) = way.link.poll(now) {
                network::write(self.devices[k % 3], &arrival.packet);
                if way.late_us.len() < MAX_LATE {
                    let late = Instant::now().saturating_duration_since(arrival.at).as_micros();
                    way.late_us.push(u32::try_from(late).unwrap_or(u32::MAX));
                }
            }
        }
        self.ways.iter().filter_map(|way| way.link.poll_timeout()).min()
    }

    fn take_packets(&mut self, from: usize) {
        let mut buffer = [0; 65_536];
        for _ in 0..BATCH {
            let Some(length) = network::read(self.devices[from], &mut buffer) else { return };
            let packet = &buffer[..length];
            // IPv4, to one of the three.
            if length < 20 || packet[0] >> 4 != 4 || packet[16..19] != [10, 77, 0] || !(1..=3).contains(&packet[19]) {
                continue;
            }
            let to = usize::from(packet[19]) - 1;
            if to != from {
                self.ways[from * 3 + to].link.push(Instant::now(), length, packet.to_vec());
            }
        }
    }

    fn take_commands(&mut self) {
        let mut buffer = [0; 4096];
        match network::read(STANDARD_INPUT, &mut buffer) {
            Some(length) if length > 0 => self.commands.push_str(&String::from_utf8_lossy(&buffer[..length])),
            _ => self.quit = true,
        }
        while let Some(end) = self.commands.find('\n') {
            let line: String = self.commands.drain(..=end).collect();
            self.obey(&line);
        }
    }

    fn obey(&mut self, line: &str) {
        let now = Instant::now();
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["start"] => {
                self.started = Some(report::unix_ms());
                for way in &mut self.ways {
                    way.link.start(now, &way.changes);
                    way.late_us.clear();
                }
            }
            ["set", direction, spec] => match (options::ways(direction), spec.parse()) {
                (Ok(ways), Ok(change)) => ways.iter().for_each(|k| self.ways[*k].link.change(now, &change)),
                (Err(why), _) => eprintln!("linkemu: {why}"),
                (_, Err(why)) => eprintln!("linkemu: {why}"),
            },
            ["quit"] => self.quit = true,
            _ => eprintln!("linkemu: unknown command {line:?}"),
        }
    }
}
