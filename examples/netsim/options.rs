//! The command line.

use crate::scenarios::{self, Scenario};
use clap::Parser;
use std::time::Duration;
use visavis_call::link::{LinkChange, SpecError, TimedChange};
use visavis_capture::{CameraSpec, Content};
use visavis_media::{BitsPerSecond, Size};

/// Calls on emulated links, measured: two whole peers in this process, for each scenario.
///
/// Rates are in bits of IP packets per second (k and M are understood), times in ms, shares as fractions; everything
/// holds for each direction. Without --scenario, the options describe a link of their own; with it, they change it.
#[derive(Parser, Clone, Debug)]
#[command(name = "netsim", version, after_help = format!("Scenarios:\n{}", scenarios::names()))]
pub(crate) struct Cli {
    /// A scenario's name, several joined by commas, or all.
    #[arg(long)]
    scenario: Option<String>,
    /// Bits per second that the link lets through; 0: no limit.
    #[arg(long)]
    rate: Option<String>,
    /// Longest queue before the limit, ms.
    #[arg(long)]
    queue: Option<String>,
    /// The same in bytes, instead.
    #[arg(long)]
    qbytes: Option<String>,
    /// One way, ms.
    #[arg(long)]
    delay: Option<String>,
    /// Evenly up to so many ms more or less delay.
    #[arg(long)]
    jitter: Option<String>,
    /// How long one draw of the jitter holds, ms.
    #[arg(long)]
    jcorr: Option<String>,
    /// Each packet draws its jitter by itself and may overtake others.
    #[arg(long)]
    reorder: bool,
    /// Share of the packets that is lost, each by itself.
    #[arg(long)]
    loss: Option<String>,
    /// SHARE/LENGTH: share that is lost in bursts of so many packets on average.
    #[arg(long)]
    burst: Option<String>,
    /// Share of the packets that arrives twice.
    #[arg(long)]
    dup: Option<String>,
    /// SHARE/MS: share of the packets that takes so much longer and is overtaken.
    #[arg(long)]
    late: Option<String>,
    /// SECONDS:KEY=VALUE,…: a change after so many seconds; repeatable.
    #[arg(long)]
    at: Vec<String>,
    /// KEY=VALUE,…: what is different from the first peer to the second.
    #[arg(long)]
    ab: Option<String>,
    /// KEY=VALUE,…: what is different from the second peer to the first.
    #[arg(long)]
    ba: Option<String>,
    /// How long a call lasts.
    #[arg(long)]
    seconds: Option<f64>,
    /// Decides what is lost and how long each packet takes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// cam or pan (hard to encode).
    #[arg(long, default_value = "cam")]
    content: String,
    /// Size of both pictures.
    #[arg(long, default_value = "1280x720")]
    pub(crate) size: Size,
    /// Frames per second of both pictures.
    #[arg(long, default_value_t = 30.0)]
    pub(crate) fps: f32,
    /// Most that picture and sound of one peer may take; by default as the app.
    #[arg(long)]
    pub(crate) max_bitrate_kbps: Option<u32>,
    /// One line of JSON for each scenario instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// What is to be run.
    ///
    /// # Errors
    /// One line about what is wrong.
    pub(crate) fn scenarios(&self) -> Result<Vec<Scenario>, String> {
        if self.seconds.is_some_and(|seconds| !(1.0..=86_400.0).contains(&seconds)) {
            return Err("--seconds: from 1 to 86400".into());
        }
        if !(1.0..=60.0).contains(&self.fps) {
            return Err("--fps: from 1 to 60".into());
        }
        let changes = self.changes().map_err(|error| error.to_string())?;
        let plain = changes == LinkChange::default() && self.at.is_empty() && self.ab.is_none() && self.ba.is_none();
        let mut chosen = match self.scenario.as_deref() {
            None if plain => scenarios::all(),
            None => vec![scenarios::free()],
            Some("all") => scenarios::all(),
            Some(names) => names.split(',').map(|name| find(name.trim())).collect::<Result<_, _>>()?,
        };
        for scenario in &mut chosen {
            self.adapt(scenario, &changes).map_err(|error| error.to_string())?;
        }
        Ok(chosen)
    }

    /// The picture to send.
    ///
    /// # Errors
    /// One line about what is wrong.
    pub(crate) fn camera(&self) -> Result<CameraSpec, String> {
        match self.content.as_str() {
            "cam" => Ok(CameraSpec::Pattern(Content::Cam)),
            "pan" => Ok(CameraSpec::Pattern(Content::Pan)),
            other => Err(format!("--content: `{other}` is no picture; there are cam and pan")),
        }
    }

    /// See [`Cli::max_bitrate_kbps`].
    pub(crate) fn max_bitrate(&self) -> Option<BitsPerSecond> {
        self.max_bitrate_kbps.map(BitsPerSecond::kilo)
    }

    fn changes(&self) -> Result<LinkChange, SpecError> {
        let keys = [
            ("rate", &self.rate),
            ("queue", &self.queue),
            ("qbytes", &self.qbytes),
            ("delay", &self.delay),
            ("jitter", &self.jitter),
            ("jcorr", &self.jcorr),
            ("loss", &self.loss),
            ("ge", &self.burst),
            ("dup", &self.dup),
            ("late", &self.late),
        ];
        let named = keys.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={value}")));
        let reorder = self.reorder.then(|| "reorder=1".to_owned());
        named.chain(reorder).collect::<Vec<_>>().join(",").parse()
    }

    fn adapt(&self, scenario: &mut Scenario, changes: &LinkChange) -> Result<(), SpecError> {
        let only = |text: &Option<String>| text.as_deref().unwrap_or_default().parse::<LinkChange>();
        scenario.there = scenario.there.changed(changes).changed(&only(&self.ab)?);
        scenario.back = scenario.back.changed(changes).changed(&only(&self.ba)?);
        scenario.move_server();
        for text in &self.at {
            scenario.changes.push(text.parse::<TimedChange>()?);
        }
        scenario.changes.sort_by_key(|change| change.after);
        let last = scenario.changes.last().map_or(Duration::ZERO, |change| change.after).as_secs_f64();
        // Time for what follows from the last change to be seen.
        scenario.seconds = self.seconds.unwrap_or(scenario.seconds.max(last + 15.0));
        Ok(())
    }
}

fn find(name: &str) -> Result<Scenario, String> {
    scenarios::named(name).ok_or_else(|| format!("there is no scenario `{name}`; --help lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &str) -> Result<Vec<Scenario>, String> {
        let words = std::iter::once("netsim").chain(arguments.split_whitespace());
        Cli::try_parse_from(words).map_err(|error| error.to_string())?.scenarios()
    }

    #[test]
    fn options_describe_a_link_of_their_own_or_change_a_named_one() {
        let free = chosen("--rate 500k --queue 300 --delay 25 --burst 0.10/5 --at 15:rate=200k").expect("a link");
        assert_eq!((free[0].there.rate_bps, free[0].there.burst_length, free[0].seconds), (500_000.0, 5.0, 40.0));
        assert_eq!((free.len(), free[0].changes.len(), free[0].signaling), (1, 1, Duration::from_micros(12_500)));
        let named = chosen("--scenario step,loss2 --loss 0.05 --ba rate=9M").expect("two links");
        assert_eq!((named[0].there.loss, named[1].there.loss), (0.05, 0.05));
        assert_eq!((named[0].there.rate_bps, named[0].back.rate_bps), (3e6, 9e6));
        assert_eq!(chosen("").expect("all").len(), scenarios::all().len());
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            "--scenario moon",
            "--loss 2",
            "--rate x",
            "--at 15",
            "--at 15:speed=1",
            "--seconds 0",
            "--seconds nan",
            "--fps 0",
            "--burst 1/5",
            "--ab rate",
            "--speed 3",
        ] {
            assert!(chosen(arguments).is_err(), "{arguments}");
        }
    }
}
