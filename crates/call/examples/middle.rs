//! A man in the middle for whole programs: stands before a signaling server, passes the page for guests on as it is, and
//! does one deed to the messages of those who call through it. Says `ready` once it listens.
//!
//! Those who call must refuse what it does and name it; `scripts/e2e/63-middle.sh` looks whether they do.

#![allow(clippy::unwrap_used, reason = "a tool for tests, which fail with it")]

#[path = "../tests/live/between.rs"]
mod between;
#[path = "../tests/live/insider.rs"]
mod insider;

use between::{Meddled, kind_of, stand_between};
use clap::{Parser, ValueEnum};
use insider::{Insider, other_fingerprint};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use visavis_signaling::{Kind, RoomCode};

#[derive(Parser, Debug)]
struct Cli {
    /// Where the real server listens.
    #[arg(long, value_name = "IP:PORT")]
    server: SocketAddr,
    /// Where this one does.
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddr,
    #[arg(long, value_enum)]
    deed: Deed,
    /// What the people between whom it stands have told each other; for deeds that need it.
    #[arg(long, value_name = "WORDS", required_if_eq_any([("deed", "listen"), ("deed", "swap-offers"), ("deed", "swap-answers")]))]
    code: Option<RoomCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deed {
    /// Agrees on keys with both, reads all and changes nothing.
    Listen,
    /// Agrees on keys with both, and announces other certificates in offers…
    SwapOffers,
    /// …or in answers.
    SwapAnswers,
    /// Changes a letter of each answer, without its key.
    Alter,
    /// Says everything sealed again, and what was said first once more.
    Replay,
    /// Keeps each answer until what came after it has passed.
    Reorder,
    /// Keeps answers for ever.
    Drop,
    /// Tells everybody their own words, also as if the other had said them.
    Reflect,
}

/// What was kept or seen of sealed messages.
type Kept = Mutex<Vec<Value>>;

fn meddle(deed: Deed, kind: Kind, message: &Value, kept: &Kept) -> Meddled {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let nothing = Meddled { on: Vec::new(), back: Vec::new() };
    match (deed, kind) {
        (Deed::Alter, Kind::Answer) => {
            let sealed = message["sealed"].as_str().unwrap();
            let mut message = message.clone();
            message["sealed"] = format!("{}{}", if sealed.starts_with('A') { 'B' } else { 'A' }, &sealed[1..]).into();
            Meddled::passed(&message)
        }
        (Deed::Replay, _) => {
            kept.push(message.clone());
            let first = kept.iter().find(|seen| seen["to"] == message["to"]).cloned();
            Meddled { on: [message.clone(), message.clone()].into_iter().chain(first).collect(), back: Vec::new() }
        }
        (Deed::Reorder | Deed::Drop, Kind::Answer) => {
            kept.push(message.clone());
            nothing
        }
        (Deed::Reorder, Kind::IceCandidate) => {
            let overtaken = kept.extract_if(.., |held| held["from"] == message["from"]);
            Meddled { on: [message.clone()].into_iter().chain(overtaken).collect(), back: Vec::new() }
        }
        (Deed::Reflect, _) => {
            let mut swapped = message.clone();
            (swapped["from"], swapped["to"]) = (message["to"].clone(), message["from"].clone());
            Meddled { on: vec![message.clone(), swapped.clone()], back: vec![message.clone(), swapped] }
        }
        (Deed::Alter | Deed::Reorder | Deed::Drop | Deed::Listen | Deed::SwapOffers | Deed::SwapAnswers, _) => {
            Meddled::passed(message)
        }
    }
}

fn change(deed: Deed) -> Option<fn(Kind, &str) -> String> {
    match deed {
        Deed::Listen => Some(|_, description| description.to_owned()),
        Deed::SwapOffers => Some(|kind, d| if kind == Kind::Offer { other_fingerprint(d) } else { d.to_owned() }),
        Deed::SwapAnswers => Some(|kind, d| if kind == Kind::Answer { other_fingerprint(d) } else { d.to_owned() }),
        Deed::Alter | Deed::Replay | Deed::Reorder | Deed::Drop | Deed::Reflect => None,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Cli { server, listen, deed, code } = Cli::parse();
    let insider = code.zip(change(deed)).map(|(code, change)| Mutex::new(Insider::new(&code, change)));
    let kept = Kept::default();
    let meddle = Arc::new(move |message: &Value, from_client: bool| match (&insider, kind_of(message)) {
        (Some(insider), _) => insider.lock().unwrap_or_else(PoisonError::into_inner).meddle(message, from_client),
        (None, Some(kind)) if from_client => meddle(deed, kind, message, &kept),
        (None, _) => Meddled::passed(message),
    });
    let listener = TcpListener::bind(listen).await?;
    println!("ready");
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(stand_between(client, server.to_string(), meddle.clone()));
    }
}
