//! Floods over real sockets: from somebody who knows the code, and from anybody who can reach our ports. A program of its
//! own, with one test after the other, so that the memory measured is theirs.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../common/mod.rs"]
mod common;

#[path = "../live/between.rs"]
#[allow(dead_code, reason = "the other test program uses the rest")]
mod between;
#[path = "../live/impostor.rs"]
#[allow(dead_code, reason = "the other test program uses the rest")]
mod impostor;
mod rogue;

use common::{Server, Side, call, hang_up, in_call, knows, opens, options, without_devices};
use rogue::{Rogue, packet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use visavis_call::{Command, EndReason, Event, Options, Phase};
use visavis_capture::Worker;

/// What a flood may cost, with the flooder's own queues, which are in this process too.
const MEMORY: u64 = 64 << 20;
/// A person's wish takes effect within this while it lasts.
const ALIVE: Duration = Duration::from_millis(500);

/// One at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resident memory of this process, in bytes (Linux).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// How long a wish takes to show.
fn reacts(side: &mut Side) -> Duration {
    let muted = !side.state().muted;
    let begun = Instant::now();
    side.send(Command::SetMuted(muted));
    side.shows("the wish", |s| s.muted == muted);
    begun.elapsed()
}

/// The quickest of five: what a busy machine adds to one, it seldom adds to all.
fn lives(side: &mut Side, during: &str) {
    let took = (0..5).map(|_| reacts(side)).min().unwrap();
    println!("{during}: a wish shows after {} ms", took.as_millis());
    assert!(took < ALIVE, "{during}: a wish took {took:?}");
}

/// Lets a flood go on to its end, and tries all the while whether the app lives; gives what the flooder counted.
fn outlives(side: &mut Side, mut flood: JoinHandle<usize>, during: &str) -> usize {
    let mut slowest = Duration::ZERO;
    loop {
        let took = (0..5).map(|_| reacts(side)).min().unwrap();
        assert!(took < ALIVE, "{during}: a wish took {took:?}");
        slowest = slowest.max(took);
        let end =
            common::runtime().block_on(async { tokio::time::timeout(Duration::from_millis(50), &mut flood).await });
        if let Ok(count) = end {
            println!("{during}: a wish shows after {} ms at most", slowest.as_millis());
            return count.unwrap();
        }
    }
}

fn cheap(before: u64, during: &str) {
    let grown = resident().saturating_sub(before);
    println!("{during}: {} MB more memory", grown >> 20);
    assert!(grown < MEMORY, "{during}: memory grew by {} MB", grown >> 20);
}

fn victim(server: &Server) -> Side {
    Side::start("Ann", without_devices(Some(server)))
}

fn visited(side: &mut Side, server: &Server) -> Rogue {
    let code = opens(side);
    let rogue = Rogue::comes(server, &code);
    side.shows("the call", |s| matches!(s.phase, Phase::InCall(_)));
    rogue
}

fn goes_home(side: &mut Side) {
    side.send(Command::HangUp);
    side.send(Command::HangUp);
    side.shows("the home screen", |s| matches!(s.phase, Phase::Home));
}

#[test]
fn a_flood_of_control_messages_of_every_kind_is_read_at_a_pace() {
    let _alone = alone();
    let server = Server::start();
    let mut side = victim(&server);
    let mut rogue = visited(&mut side, &server);
    let before = resident();
    let begun = Instant::now();
    let long = "x".repeat(1500);
    let flood = rogue.floods_control(100_000, Duration::from_secs(6), move |i| match i % 6 {
        0 => format!(r#"{{"type":"ping","id":{i}}}"#),
        1 => format!(r#"{{"type":"chat","text":"{i} {long}"}}"#),
        2 => format!(r#"{{"type":"hello","name":"{i}","muted":{},"videoOn":true}}"#, i % 12 == 2),
        3 => format!(r#"{{"type":"pong","id":{i}}}"#),
        4 => format!(r#"{{"type":"later","x":{i}}}"#),
        _ => format!("{{{i}{long}"),
    });
    let sent = outlives(&mut side, flood, "a flood of control messages");
    cheap(before, "a flood of control messages");
    let spent = begun.elapsed().as_secs() as usize + 1;
    let mut pongs = 0;
    while let Ok(text) = rogue.heard.try_recv() {
        pongs += usize::from(text.contains("pong"));
    }
    println!("{sent} messages were taken from the flooder in {spent} s; {pongs} pings were answered");
    assert!(sent < 50_000, "{sent} messages went through");
    assert!(pongs <= (600 + 100 * spent) / 6 + 1, "{pongs} pings were answered");
    let events = side.unread();
    assert!(events.len() <= 4096);
    assert!(in_call(&side.state()).is_some_and(|c| c.chat.len() <= 500));
    goes_home(&mut side);
    rogue.leaves();
}

#[test]
fn a_giant_control_message_is_nobodys_undoing() {
    let _alone = alone();
    let server = Server::start();
    let mut side = victim(&server);
    let rogue = visited(&mut side, &server);
    let before = resident();
    let giant = "x".repeat(8 << 20);
    let _ = common::runtime().block_on(async {
        tokio::time::timeout(Duration::from_secs(2), async {
            for size in [17_000, 65_000, 200_000, 8 << 20] {
                let _ = rogue.control.send_text(&giant[..size]).await;
                let _ = rogue.control.writable().await;
            }
        })
        .await
    });
    lives(&mut side, "giant messages");
    // The flooder holds its own giant, too.
    cheap(before + (32 << 20), "giant messages");
    goes_home(&mut side);
    rogue.leaves();
}

#[test]
fn a_channel_of_the_other_sides_own_ends_the_call_with_a_word() {
    let _alone = alone();
    let server = Server::start();
    let mut side = victim(&server);
    let rogue = visited(&mut side, &server);
    let _channel = common::runtime().block_on(rogue.connection.create_data_channel("mine", None)).unwrap();
    let reason = side.ends();
    assert!(matches!(&reason, EndReason::Unusable(why) if why.contains("channel")), "{reason:?}");
    rogue.leaves();
    side.send(Command::HangUp);
    let mut other = Side::start("Bob", without_devices(Some(&server)));
    call(&mut side, &mut other);
    hang_up(&mut other, &mut side);
}

#[test]
fn tiny_packets_and_odd_jumps_on_the_other_sides_tracks_are_survived() {
    let _alone = alone();
    let server = Server::start();
    let mut side = Side::start("Ann", options(Some(&server)));
    let mut rogue = visited(&mut side, &server);
    let before = resident();
    let mut chance = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance
    };
    let begun = Instant::now();
    let flood = rogue.floods_media(Duration::from_secs(5), move |i| {
        let dice = random();
        let sequence = match dice % 50 {
            0 => (dice >> 20) as u16,
            1 => (i as u16).wrapping_sub(100),
            _ => i as u16,
        };
        let payload = match dice % 7 {
            0 => Vec::new(),
            1 => vec![0x7C, 0x85],
            2 => vec![0x78, 0xFF, 0xFF, 1],
            3 => vec![0x67, 0x42, 0, 0x1F, (dice >> 8) as u8],
            4 => vec![0x65, (dice >> 8) as u8],
            _ => dice.to_be_bytes()[..(dice >> 60) as usize % 8].to_vec(),
        };
        packet(dice % 3 != 0, sequence, (dice >> 30) as u32, payload)
    });
    let sent = outlives(&mut side, flood, "tiny packets");
    println!("{sent} packets in {:?}", begun.elapsed());
    cheap(before, "tiny packets");
    // What the other side asks for, it asks for too often.
    let track = rogue.begins();
    let encoded = side.measures(1)[0].outbound_video.key_frames_encoded;
    let flood = Rogue::floods_requests(track, Duration::from_secs(2));
    let asked = outlives(&mut side, flood, "a flood of requests");
    cheap(before, "a flood of requests");
    let last = side.measures(1).pop().unwrap();
    let keyframes = last.outbound_video.key_frames_encoded - encoded;
    println!("{asked} keyframes were asked for, {keyframes} were made");
    assert!(keyframes <= 20, "{keyframes} keyframes in some three seconds");
    goes_home(&mut side);
    rogue.leaves();
}

/// UDP ports of this process on loopback (Linux).
fn our_ports() -> Vec<u16> {
    let sockets: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
    let port = |line: &str| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let ours = sockets.iter().any(|s| fields.get(9) == Some(&s.as_str()));
        let (_, port) = fields.get(1).filter(|_| ours)?.split_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    table.lines().filter_map(port).collect()
}

/// Bytes that look like something to whoever sorts by the first one (RFC 7983), and are nothing.
fn garbage(i: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..20 + i % 60).map(|k| (i * 31 + k * 7) as u8).collect();
    match i % 5 {
        // STUN binding request.
        0 => {
            let length = (bytes.len() as u8 - 20) & !3;
            bytes[..8].copy_from_slice(&[0, 1, 0, length, 0x21, 0x12, 0xA4, 0x42]);
        }
        // DTLS handshake, ClientHello.
        1 => bytes[..14].copy_from_slice(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, i as u8, 0, 30, 1]),
        // DTLS application data of the running epoch.
        2 => bytes[..13].copy_from_slice(&[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, i as u8, 0, 20]),
        // SRTP.
        3 => bytes[..2].copy_from_slice(&[0x80, 102]),
        // SRTCP.
        _ => bytes[..2].copy_from_slice(&[0x80, 206]),
    }
    bytes
}

#[test]
fn a_call_survives_a_hundred_thousand_strange_packets_a_second() {
    let _alone = alone();
    let server = Server::start();
    let start = |name| Side::start(name, Options { name: name.into(), ..options(Some(&server)) });
    let (mut a, mut b) = (start("Ann"), start("Bob"));
    call(&mut a, &mut b);
    knows(&mut a, "Bob");
    knows(&mut b, "Ann");
    a.hears(&Event::FirstFrame);
    let ports = our_ports();
    assert!(ports.len() >= 2, "{ports:?}");
    let before = resident();
    let flood = Worker::spawn("flood", move |stop| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (begun, mut sent) = (Instant::now(), 0usize);
        while begun.elapsed() < Duration::from_secs(5) && !stop.is_set() {
            // No faster than asked for: a batch, then what is left of its millisecond.
            for _ in 0..100 {
                let to = SocketAddr::from(([127, 0, 0, 1], ports[sent % ports.len()]));
                let _ = socket.send_to(&garbage(sent), to);
                sent += 1;
            }
            let due = begun + Duration::from_micros(sent as u64 * 10);
            stop.wait_until(due);
        }
        println!("{sent} packets in {:?}", begun.elapsed());
    });
    let mut seen = 0;
    while !flood.is_finished() {
        for side in [&mut a, &mut b] {
            let took = (0..5).map(|_| reacts(side)).min().unwrap();
            assert!(took < ALIVE, "a wish took {took:?}");
        }
        seen += 2;
        let now = Instant::now();
        a.sees_what_was_captured_after(now);
        b.sees_what_was_captured_after(now);
    }
    flood.join_within(Duration::from_secs(5));
    println!("{seen} pictures came through meanwhile");
    a.send(Command::Chat("still there?".into()));
    b.hears(&Event::Chat("still there?".into()));
    assert!(in_call(&a.state()).is_some_and(|c| c.interrupted.is_none()));
    cheap(before, "strange packets");
    hang_up(&mut a, &mut b);
}

#[test]
fn a_server_that_never_stops_talking_holds_nobody_up() {
    let _alone = alone();
    let error = |i: usize| serde_json::json!({"type": "error", "code": "full-moon", "message": format!("{i}")});
    let talk: Vec<_> = (0..200_000).map(|i| impostor::text(&error(i))).collect();
    let talker = impostor::Impostor::greeting(talk, |_| Vec::new());
    let mut side = Side::start("Ann", Options { servers: vec![talker.url()], ..without_devices(None) });
    side.event("the server", |e| matches!(e, Event::ServerConnected(_)).then_some(()));
    let before = resident();
    side.send(Command::Start(None));
    lives(&mut side, "a server that never stops");
    assert!(matches!(side.ends(), EndReason::SignalingUnreachable(_)));
    lives(&mut side, "a server that never stops");
    // The talker's own copies are in this process, too.
    cheap(before + (64 << 20), "a server that never stops");
    let server = Server::start();
    side.send(Command::HangUp);
    side.send(Command::SetServers(vec![server.url()]));
    side.hears(&Event::ServerConnected(server.address().to_string()));
    let mut other = Side::start("Bob", without_devices(Some(&server)));
    call(&mut side, &mut other);
    hang_up(&mut other, &mut side);
}
