//! The command line.

use crate::{A_TO_B, B_TO_A};
use std::time::Duration;
use visavis_link::{LinkChange, LinkSpec, TimedChange};

const USAGE: &str = "\
options: --ns A,B,S --ab SPEC --ba SPEC --both SPEC --at SECONDS:ab|ba|both:SPEC --sig-delay MS --seed N --log FILE
  SPEC: rate=3M,queue=300(ms)|qbytes=N,delay=25,jitter=30,jcorr=20,reorder=0,loss=0.02,ge=0.10/5,dup=0.01,late=0.01/30
  standard input: `start` (the time of --at begins), `set ab|ba|both SPEC`, `quit` or its end";

/// What is asked for.
pub(crate) struct Options {
    /// Names of the namespaces A, B and S.
    pub(crate) namespaces: [String; 3],
    pub(crate) there: LinkSpec,
    pub(crate) back: LinkSpec,
    pub(crate) changes_there: Vec<TimedChange>,
    pub(crate) changes_back: Vec<TimedChange>,
    /// To and from S, one way.
    pub(crate) signaling_delay: Duration,
    pub(crate) seed: u64,
    /// Where the figures go.
    pub(crate) log: Option<String>,
}

/// The ways that a direction's name means.
///
/// # Errors
/// Where it is none.
pub(crate) fn ways(direction: &str) -> Result<&'static [usize], String> {
    match direction {
        "ab" => Ok(&[A_TO_B]),
        "ba" => Ok(&[B_TO_A]),
        "both" => Ok(&[A_TO_B, B_TO_A]),
        other => Err(format!("`{other}` is no direction: ab, ba, both")),
    }
}

impl Options {
    /// # Errors
    /// One line, or what there is to choose from.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            namespaces: ["emuA", "emuB", "emuS"].map(str::to_owned),
            there: LinkSpec::default(),
            back: LinkSpec::default(),
            changes_there: Vec::new(),
            changes_back: Vec::new(),
            signaling_delay: Duration::ZERO,
            seed: 1,
            log: None,
        };
        while let Some(name) = arguments.next() {
            let Some(value) = arguments.next() else { return Err(USAGE.to_owned()) };
            options.take(&name, value)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--ns" => {
                let names: Vec<String> = value.split(',').map(str::to_owned).collect();
                self.namespaces = names.try_into().map_err(|_| "--ns A,B,S".to_owned())?;
                if let Some(other) = self.namespaces.iter().find(|name| !name.starts_with("emu")) {
                    return Err(format!("`{other}`: names of namespaces must start with `emu`"));
                }
            }
            "--ab" | "--ba" | "--both" => {
                let change: LinkChange = value.parse().map_err(|error| format!("{name}: {error}"))?;
                for way in ways(&name[2..])? {
                    let link = if *way == A_TO_B { &mut self.there } else { &mut self.back };
                    *link = link.changed(&change);
                }
            }
            "--at" => {
                let parts: Vec<&str> = value.splitn(3, ':').collect();
                let [seconds, direction, spec] = parts[..] else {
                    return Err("--at SECONDS:ab|ba|both:key=value,…".to_owned());
                };
                let change: TimedChange =
                    format!("{seconds}:{spec}").parse().map_err(|error| format!("--at: {error}"))?;
                for way in ways(direction)? {
                    let changes = if *way == A_TO_B { &mut self.changes_there } else { &mut self.changes_back };
                    changes.push(change.clone());
                }
            }
            "--sig-delay" => {
                let ms: f64 = value.parse().map_err(|_| "--sig-delay MS".to_owned())?;
                self.signaling_delay =
                    Duration::try_from_secs_f64(ms / 1000.0).map_err(|_| "--sig-delay MS".to_owned())?;
            }
            "--seed" => self.seed = value.parse().map_err(|_| "--seed N".to_owned())?,
            "--log" => self.log = Some(value),
            _ => return Err(USAGE.to_owned()),
        }
        Ok(())
    }
}
