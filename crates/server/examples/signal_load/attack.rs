//! Somebody who means harm, from few addresses: says nothing, says rubbish, says too much, reads nothing, searches rooms,
//! asks for everything again and again.

use crate::member::{Dialect, Heard, Member, address, source, tcp};
use crate::process::told_to_end;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

/// The net of loopback from which the attacks come, and how many people's worth of addresses.
const NET: u8 = 66;
const PEOPLE: u32 = 16;
/// Connections that try the same thing side by side.
const SIDE_BY_SIDE: u32 = 24;
/// Pause between two attempts of one of them: it is the server that is to be kept busy, not this machine.
const PAUSE: Duration = Duration::from_millis(5);
/// As many times a hundred pings are sent over one connection: a server that has taken them takes any number.
const MOST_PINGS: u32 = 1500;
/// For one attempt.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is tried.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Connects and says nothing, or half of a request.
    HalfOpen,
    /// Sends what is no HTTP, or far too much of it.
    Malformed,
    /// Tries rooms, as fast as it goes.
    Guess,
    /// Sends rubbish, as fast as it goes.
    Flood,
    /// Sends the longest messages that are allowed to somebody who does not read them.
    SlowReader,
    /// Sends pings, as fast as it goes, and reads none of the answers.
    Pings,
    /// Asks for the page's files, many at a time, and reads them slowly.
    Pages,
}

type Tally = RefCell<BTreeMap<&'static str, u64>>;

fn count(tally: &Tally, what: &'static str) {
    *tally.borrow_mut().entry(what).or_default() += 1;
}

/// Attacks until told to end, then prints what was tried.
pub(crate) async fn run(url: String) -> anyhow::Result<()> {
    println!("ready");
    let tally = Tally::default();
    let attacks = [
        Attack::HalfOpen,
        Attack::Malformed,
        Attack::Guess,
        Attack::Flood,
        Attack::SlowReader,
        Attack::Pings,
        Attack::Pages,
    ];
    let all = attacks.iter().flat_map(|&attack| (0..SIDE_BY_SIDE).map(move |n| (attack, n)));
    let all = all.map(|(attack, n)| repeat(&url, attack, n, &tally));
    tokio::select! {
        _ = futures_util::future::join_all(all) => {}
        () = told_to_end() => {}
    }
    println!("{}", json!(*tally.borrow()));
    Ok(())
}

async fn repeat(url: &str, attack: Attack, n: u32, tally: &Tally) {
    loop {
        // Each kind has addresses of its own, so that one does not use up what another is allowed.
        let person = attack as u32 * PEOPLE + n % PEOPLE;
        let tried = async {
            match attack {
                Attack::HalfOpen => half_open(url, person, tally).await,
                Attack::Malformed => malformed(url, person, tally).await,
                Attack::Guess => guess(url, person, tally).await,
                Attack::Flood => flood(url, person, tally).await,
                Attack::SlowReader => slow_reader(url, person, tally).await,
                Attack::Pings => pings(url, person, tally).await,
                Attack::Pages => pages(url, person, tally).await,
            }
        };
        if let Ok(Err(_)) = timeout(PATIENCE, tried).await {
            count(tally, "refused_or_cut_off");
        }
        sleep(PAUSE).await;
    }
}

async fn half_open(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let server = address(url)?;
    let mut stream = tcp(server, source(server, NET, person)).await?;
    count(tally, "half_open");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await?;
    pending().await
}

async fn malformed(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let server = address(url)?;
    let mut stream = tcp(server, source(server, NET, person)).await?;
    count(tally, "malformed");
    stream.write_all(&[0x16, 3, 1, 0xFF, 0xFF]).await?;
    stream.write_all(&[b'x'; 60_000]).await?;
    Ok(())
}

async fn guess(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let server = address(url)?;
    let stream = tcp(server, source(server, NET, person)).await?;
    let (mut socket, _) = client_async(url, stream).await?;
    loop {
        let room: u128 = rand::random();
        let join = format!(r#"{{"type":"join","version":1,"roomId":"{room:032x}","pake":"x"}}"#);
        socket.send(Message::text(join)).await?;
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text.contains("nobody-here") => count(tally, "guesses_answered"),
            Some(Ok(_)) => count(tally, "guesses_refused"),
            _ => return Ok(()),
        }
    }
}

async fn flood(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let server = address(url)?;
    let stream = tcp(server, source(server, NET, person)).await?;
    let (mut socket, _) = client_async(url, stream).await?;
    loop {
        socket.send(Message::text(r#"{"type":"offer","roomId":[[[[[["#)).await?;
        count(tally, "flood_messages");
    }
}

async fn slow_reader(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let room = format!("{:032x}", rand::random::<u128>());
    let mut opener = Member::open(url, NET, person, Dialect::Visavis, &room).await?;
    let _never_reads = Member::join(url, NET, person, Dialect::Visavis, &room).await?;
    opener.wait_for(Heard::Came).await?;
    loop {
        opener.pass("offer", 60_000).await?;
        count(tally, "large_messages");
    }
}

async fn pings(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let server = address(url)?;
    let stream = tcp(server, source(server, NET, person)).await?;
    let (socket, _) = client_async(url, stream).await?;
    let mut stream = socket.into_inner();
    // Masked with nothing (RFC 6455, 5.2); many at a time, so that it is the server that is kept busy.
    let many = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[0; 125]].concat().repeat(100);
    for _ in 0..MOST_PINGS {
        stream.write_all(&many).await?;
        count(tally, "hundred_pings");
    }
    count(tally, "pings_without_end");
    pending().await
}

async fn pages(url: &str, person: u32, tally: &Tally) -> anyhow::Result<()> {
    let server = address(url)?;
    let mut stream = tcp(server, source(server, NET, person)).await?;
    let many = "GET /guest/main.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10);
    let mut heard = vec![0; 4096];
    loop {
        stream.write_all(many.as_bytes()).await?;
        anyhow::ensure!(stream.read(&mut heard).await? > 0, "ended");
        count(tally, "page_bursts");
        sleep(PAUSE).await;
    }
}
