//! Calls that are set up all the time, and how long each message takes on its way.

use crate::member::{Dialect, Heard, Member};
use anyhow::bail;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, timeout};

/// Characters of a sealed offer or answer, and of a sealed candidate, as they come up in calls.
const DESCRIPTION: usize = 6000;
const CANDIDATE: usize = 300;
/// Candidates each way.
const CANDIDATES: usize = 10;
/// A setup that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Setups at a time, where there is no rate.
const AT_A_TIME: usize = 32;
/// The net of loopback in which they live.
const NET: u8 = 32;
/// Numbers of one measurement.
const NUMBERS: u32 = 200_000;

/// What came of the setups.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) done: u32,
    pub(crate) failed: u32,
    /// Why one of them failed.
    pub(crate) why: Option<String>,
    relay_ms: Vec<f64>,
}

impl Load {
    /// A percentile of the time that messages took, in milliseconds.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let last = self.relay_ms.len().saturating_sub(1);
        self.relay_ms.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Sets calls up, so many each second for so long, or as many as go where that is 0; `run` tells measurements of one server apart.
pub(crate) async fn load(url: &str, dialect: Dialect, per_second: u32, time: Duration, run: u32) -> Load {
    let mut load = Load::default();
    let mut setups = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
    let begun = Instant::now();
    let wanted = (f64::from(per_second) * time.as_secs_f64()) as u32;
    let mut number = 0;
    while if per_second == 0 { begun.elapsed() < time } else { number < wanted } {
        if per_second > 0 {
            ticks.tick().await;
        } else if setups.len() >= AT_A_TIME
            && let Some(setup) = setups.join_next().await
        {
            count(&mut load, setup.unwrap_or_else(|panic| Err(panic.into())));
        }
        let (url, person) = (url.to_owned(), run * NUMBERS + number % NUMBERS);
        setups.spawn(async move { timeout(PATIENCE, set_up(&url, dialect, person)).await? });
        number += 1;
        while let Some(setup) = setups.try_join_next() {
            count(&mut load, setup.unwrap_or_else(|panic| Err(panic.into())));
        }
    }
    while let Some(setup) = setups.join_next().await {
        count(&mut load, setup.unwrap_or_else(|panic| Err(panic.into())));
    }
    load.relay_ms.sort_by(f64::total_cmp);
    load
}

fn count(load: &mut Load, setup: anyhow::Result<Vec<f64>>) {
    match setup {
        Ok(took) => {
            load.done += 1;
            load.relay_ms.extend(took);
        }
        Err(error) => {
            load.failed += 1;
            load.why.get_or_insert_with(|| format!("{error:#}"));
        }
    }
}

/// Sets a call up and ends it; how many milliseconds each message took.
async fn set_up(url: &str, dialect: Dialect, number: u32) -> anyhow::Result<Vec<f64>> {
    let room = format!("f{number:031x}");
    let mut opener = Member::open(url, NET, 2 * number, dialect, &room).await?;
    let mut newcomer = Member::join(url, NET, 2 * number + 1, dialect, &room).await?;
    opener.wait_for(Heard::Came).await?;
    let mut took = Vec::with_capacity(2 * (CANDIDATES + 1));
    pass(&mut opener, &mut newcomer, "offer", &mut took).await?;
    pass(&mut newcomer, &mut opener, "answer", &mut took).await?;
    newcomer.leave().await?;
    opener.wait_for(Heard::Left).await?;
    tokio::join!(opener.close(), newcomer.close());
    Ok(took)
}

/// A description and its candidates, one right after the other, as they are gathered.
async fn pass(from: &mut Member, to: &mut Member, kind: &str, took: &mut Vec<f64>) -> anyhow::Result<()> {
    let mut sent = [Instant::now(); CANDIDATES + 1];
    let (mut said, mut heard) = (0, 0);
    // Sent and heard in turns by one task: each message's moment is known before it can be heard.
    while heard < sent.len() {
        if said < sent.len() {
            sent[said] = Instant::now();
            match said {
                0 => from.pass(kind, DESCRIPTION).await?,
                _ => from.pass("ice-candidate", CANDIDATE).await?,
            }
            said += 1;
            yield_now().await;
        }
        while heard < said {
            let next = to.hear();
            let next = if said < sent.len() {
                // Whatever has come, and no more, as long as there is something to say.
                match futures_util::FutureExt::now_or_never(next) {
                    Some(next) => next?,
                    None => break,
                }
            } else {
                next.await?
            };
            if next != Heard::Passed {
                bail!("unexpected {next:?}");
            }
            took.push(sent[heard].elapsed().as_secs_f64() * 1000.0);
            heard += 1;
        }
    }
    Ok(())
}
