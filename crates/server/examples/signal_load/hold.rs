//! Many rooms of two people who wait.

use crate::member::{Dialect, Heard, Member};
use crate::process::told_to_end;
use anyhow::Context as _;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Rooms filled at a time.
const AT_A_TIME: usize = 64;
/// For one room; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// The net of loopback in which they live.
const NET: u8 = 16;

/// Fills rooms, says `ready`, and holds them until told to end.
pub(crate) async fn run(url: String, dialect: Dialect, rooms: usize) -> anyhow::Result<()> {
    let mut held = JoinSet::new();
    let mut filling = JoinSet::new();
    for number in 0..rooms {
        let (url, number) = (url.clone(), u32::try_from(number)?);
        if filling.len() >= AT_A_TIME {
            keep(&mut held, filling.join_next().await.context("one is being filled")???);
        }
        filling.spawn(async move { timeout(PATIENCE, meet(&url, dialect, number)).await? });
    }
    while let Some(pair) = filling.join_next().await {
        keep(&mut held, pair??);
    }
    println!("ready");
    told_to_end().await;
    Ok(())
}

async fn meet(url: &str, dialect: Dialect, number: u32) -> anyhow::Result<[Member; 2]> {
    let room = format!("{number:032x}");
    let mut opener = Member::open(url, NET, 2 * number, dialect, &room).await?;
    let newcomer = Member::join(url, NET, 2 * number + 1, dialect, &room).await?;
    opener.wait_for(Heard::Came).await?;
    Ok([opener, newcomer])
}

/// Somebody who listens answers pings.
fn keep(held: &mut JoinSet<()>, pair: [Member; 2]) {
    for mut member in pair {
        held.spawn(async move { while member.hear().await.is_ok() {} });
    }
}
