//! Links with names: those that Visavis is compared with others on (`bench/`), and some of real life.

use std::time::Duration;
use visavis_call::link::{LinkSpec, TimedChange};

/// What a call is tried on.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// From the first peer to the second.
    pub(crate) there: LinkSpec,
    pub(crate) back: LinkSpec,
    /// Of both directions, counted from the moment at which both peers are connected.
    pub(crate) changes: Vec<TimedChange>,
    pub(crate) seconds: f64,
    /// From a peer to the signaling server, one way.
    pub(crate) signaling: Duration,
}

/// Name, link, changes as `SECONDS:SPEC`, seconds, and what it is like.
type Row = (&'static str, &'static str, &'static [&'static str], f64, &'static str);

/// The first seven are those of `bench/scenarios.mjs`.
const ROWS: [Row; 15] = [
    ("clean", "", &[], 40.0, "nothing in the way"),
    ("rtt100", "delay=50", &[], 40.0, "a round trip of 100 ms"),
    ("loss2", "delay=25,loss=0.02", &[], 40.0, "2 % of the packets are lost"),
    ("burst10", "delay=25,ge=0.10/5", &[], 40.0, "10 % are lost, five in a row"),
    ("cap1m", "delay=25,rate=1M,queue=300", &[], 40.0, "a limit of 1 Mbit/s"),
    (
        "step",
        "delay=25,rate=3M,queue=500",
        &["15:rate=500k", "35:rate=3M"],
        60.0,
        "3 Mbit/s, then a sixth of it, then all",
    ),
    ("jitter30", "delay=30,jitter=30", &[], 40.0, "0 to 60 ms, changing every 20 ms"),
    (
        "wifi",
        "delay=6,jitter=9,jcorr=7,rate=25M,queue=120,ge=0.015/8",
        &[],
        40.0,
        "a shared channel, now and then disturbed",
    ),
    (
        "mobile",
        "delay=35,jitter=12,rate=4M,queue=1500",
        &["10:rate=1200k", "17:rate=2500k", "24:rate=700k,loss=0.005", "33:rate=5M,loss=0"],
        50.0,
        "rates that come and go before a deep queue",
    ),
    ("satellite", "delay=290,jitter=8,rate=5M,queue=400,loss=0.008", &[], 40.0, "geostationary"),
    (
        "dsl",
        "delay=14,jitter=2,rate=1M,queue=250",
        &["9:rate=350k", "12:rate=1M", "20:rate=250k", "22:rate=1M", "27:rate=400k", "33:rate=1M"],
        42.0,
        "an upload that others use in bursts",
    ),
    ("reorder", "delay=20,jitter=6,reorder=1,late=0.02/40,dup=0.01", &[], 40.0, "out of order, and some twice"),
    ("thin", "delay=60,jitter=10,rate=180k,queue=600,loss=0.005", &[], 40.0, "hardly any room"),
    ("outage", "delay=25,rate=5M", &["15:loss=1", "16.5:loss=0"], 40.0, "nothing gets through for a second and a half"),
    ("lossy", "delay=40,loss=0.08", &[], 40.0, "8 % are lost, each by itself"),
];

/// Half of the path: the server sits in the middle.
fn signaling(link: &LinkSpec) -> Duration {
    link.delay / 2
}

/// The scenario of this name.
pub(crate) fn named(name: &str) -> Option<Scenario> {
    ROWS.iter().find(|row| row.0 == name).map(of)
}

/// Every scenario.
pub(crate) fn all() -> Vec<Scenario> {
    ROWS.iter().map(of).collect()
}

/// Names and what they mean, for people.
pub(crate) fn names() -> String {
    ROWS.iter().map(|row| format!("  {:10} {} ({})\n", row.0, row.4, [&[row.1], row.2].concat().join(" "))).collect()
}

/// A link without a name, on which nothing is in the way yet.
pub(crate) fn free() -> Scenario {
    of(&("link", "", &[], 40.0, ""))
}

fn of((name, link, changes, seconds, _): &Row) -> Scenario {
    let link: LinkSpec = link.parse().expect("a test reads every row");
    let changes = changes.iter().map(|change| change.parse().expect("a test reads every row")).collect();
    Scenario {
        name: (*name).to_owned(),
        there: link,
        back: link,
        changes,
        seconds: *seconds,
        signaling: signaling(&link),
    }
}

impl Scenario {
    /// The signaling server stays in the middle of a path that is now another one.
    pub(crate) fn move_server(&mut self) {
        self.signaling = signaling(&self.there);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_describes_a_link_and_ends_after_its_changes() {
        for scenario in all() {
            assert!(scenario.changes.iter().all(|c| c.after.as_secs_f64() < scenario.seconds), "{}", scenario.name);
            assert!(named(&scenario.name).is_some() && names().contains(&scenario.name));
        }
    }
}
