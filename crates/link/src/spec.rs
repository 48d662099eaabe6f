//! What a link is like, as text and as values.

use std::str::FromStr;
use std::time::Duration;

/// Longest queue, delay or jitter.
const MAX_TIME_MS: f64 = 60_000.0;
/// Slowest link that is not none: a packet of 1500 bytes takes two minutes.
const MIN_RATE_BPS: f64 = 100.0;
const MAX_RATE_BPS: f64 = 1e12;
const MAX_QUEUE_BYTES: f64 = 1e9;
const MAX_BURST: f64 = 1e6;

/// One direction of a link, in the order in which it befalls a packet: queue, loss, delay.
///
/// As text: `key=value` joined by commas; what is not named stays as it was, at first as [`LinkSpec::default`].
///
/// | key | meaning |
/// |---|---|
/// | `rate=3M` | bits of IP packets per second; 0: no limit |
/// | `queue=300` | drop-tail bound in ms at the current rate |
/// | `qbytes=64k` | the same in bytes, instead; 0: `queue` counts |
/// | `delay=25` | ms, one way |
/// | `jitter=30` | evenly up to so many ms more or less delay |
/// | `jcorr=20` | one draw of the jitter for so many ms; order is kept |
/// | `reorder=1` | one draw of the jitter for each packet; order is not kept |
/// | `loss=0.02` | share of the packets that is lost, each by itself |
/// | `ge=0.10/5` | share that is lost in bursts, and their mean length in packets (Gilbert-Elliott) |
/// | `dup=0.01` | share of the packets that arrives twice |
/// | `late=0.01/30` | share of the packets that takes so many ms longer and is overtaken |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LinkSpec {
    /// Bits of IP packets per second that the bottleneck lets through; 0: no limit, and no queue.
    pub rate_bps: f64,
    /// How long what waits at the bottleneck may take at the current rate.
    pub queue: Duration,
    /// Bound of the queue in bytes, instead of `queue`.
    pub queue_bytes: Option<usize>,
    /// Time that every packet takes, beside the queue.
    pub delay: Duration,
    /// Evenly distributed up to so much more or less than `delay`, never below 0 in sum.
    pub jitter: Duration,
    /// How long one draw of the jitter holds where order is kept.
    pub jitter_hold: Duration,
    /// Each packet draws its jitter by itself, and may overtake others.
    pub reorder: bool,
    /// Share of the packets that is lost, each by itself.
    pub loss: f64,
    /// Share of the packets that is lost in bursts, in the long run.
    pub burst_loss: f64,
    /// Mean length of these bursts in packets, at least 1.
    pub burst_length: f64,
    /// Share of the packets that arrives twice.
    pub duplicate: f64,
    /// Share of the packets that takes longer than others, and is overtaken.
    pub late: f64,
    /// How much longer.
    pub late_by: Duration,
}

impl Default for LinkSpec {
    fn default() -> Self {
        Self {
            rate_bps: 0.0,
            queue: Duration::from_millis(300),
            queue_bytes: None,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            jitter_hold: Duration::from_millis(20),
            reorder: false,
            loss: 0.0,
            burst_loss: 0.0,
            burst_length: 5.0,
            duplicate: 0.0,
            late: 0.0,
            late_by: Duration::from_millis(30),
        }
    }
}

impl LinkSpec {
    /// The same link after this change.
    pub fn changed(mut self, change: &LinkChange) -> Self {
        for setting in &change.0 {
            match *setting {
                Setting::Rate(bps) => self.rate_bps = bps,
                Setting::Queue(bound) => self.queue = bound,
                Setting::QueueBytes(bound) => self.queue_bytes = (bound > 0).then_some(bound),
                Setting::Delay(delay) => self.delay = delay,
                Setting::Jitter(jitter) => self.jitter = jitter,
                Setting::JitterHold(hold) => self.jitter_hold = hold,
                Setting::Reorder(reorder) => self.reorder = reorder,
                Setting::Loss(share) => self.loss = share,
                Setting::Burst(share, length) => (self.burst_loss, self.burst_length) = (share, length),
                Setting::Duplicate(share) => self.duplicate = share,
                Setting::Late(share, by) => (self.late, self.late_by) = (share, by),
            }
        }
        self
    }
}

impl FromStr for LinkSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Ok(Self::default().changed(&text.parse()?))
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Setting {
    Rate(f64),
    Queue(Duration),
    QueueBytes(usize),
    Delay(Duration),
    Jitter(Duration),
    JitterHold(Duration),
    Reorder(bool),
    Loss(f64),
    Burst(f64, f64),
    Duplicate(f64),
    Late(f64, Duration),
}

/// Some properties of a link, to be changed; the text form is that of [`LinkSpec`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LinkChange(Vec<Setting>);

/// A change some time after the start; as text `SECONDS:SPEC`, such as `15:rate=500k`.
#[derive(Clone, PartialEq, Debug)]
pub struct TimedChange {
    /// How long after the start.
    pub after: Duration,
    /// What then changes.
    pub change: LinkChange,
}

/// Why a text describes no link.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpecError {
    /// There is no `=` in this part.
    #[error("`{0}` is not key=value")]
    NotAPair(String),
    /// No property has this name.
    #[error("a link has no `{0}`: rate, queue, qbytes, delay, jitter, jcorr, reorder, loss, ge, dup, late")]
    UnknownKey(String),
    /// The value is no number, or none that the property can have.
    #[error("`{value}` is no value for `{key}`")]
    BadValue {
        /// Of the property.
        key: String,
        /// As it was given.
        value: String,
    },
    /// A timed change does not begin with seconds and a colon.
    #[error("`{0}` is not SECONDS:key=value,…")]
    NotTimed(String),
}

/// A number, perhaps with `k`, `M` or `G` behind it.
fn number(text: &str) -> Option<f64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1e3),
        b'M' => (&text[..text.len() - 1], 1e6),
        b'G' => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    digits.parse::<f64>().ok().map(|number| number * factor).filter(|number| number.is_finite())
}

fn within(text: &str, min: f64, max: f64) -> Option<f64> {
    number(text).filter(|number| (min..=max).contains(number))
}

fn time(text: &str) -> Option<Duration> {
    within(text, 0.0, MAX_TIME_MS).map(|ms| Duration::from_secs_f64(ms / 1000.0))
}

/// A share and, behind a slash, something more.
fn pair(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(share, more)| (share, Some(more)))
}

fn setting(key: &str, value: &str) -> Result<Setting, SpecError> {
    let share = |text| within(text, 0.0, 1.0);
    let read = match key {
        "rate" => within(value, 0.0, MAX_RATE_BPS).filter(|r| *r == 0.0 || *r >= MIN_RATE_BPS).map(Setting::Rate),
        "queue" => time(value).map(Setting::Queue),
        "qbytes" => within(value, 0.0, MAX_QUEUE_BYTES).map(|bytes| Setting::QueueBytes(bytes as usize)),
        "delay" => time(value).map(Setting::Delay),
        "jitter" => time(value).map(Setting::Jitter),
        "jcorr" => time(value).map(Setting::JitterHold),
        "reorder" => number(value).map(|number| Setting::Reorder(number != 0.0)),
        "loss" => share(value).map(Setting::Loss),
        "dup" => share(value).map(Setting::Duplicate),
        "ge" => {
            let (lost, length) = pair(value);
            // All of it in bursts would be a burst without an end.
            share(lost)
                .filter(|share| *share < 1.0)
                .zip(within(length.unwrap_or("5"), 1.0, MAX_BURST))
                .map(|(share, length)| Setting::Burst(share, length))
        }
        "late" => {
            let (late, by) = pair(value);
            share(late).zip(time(by.unwrap_or("30"))).map(|(share, by)| Setting::Late(share, by))
        }
        _ => return Err(SpecError::UnknownKey(key.to_owned())),
    };
    read.ok_or_else(|| SpecError::BadValue { key: key.to_owned(), value: value.to_owned() })
}

impl FromStr for LinkChange {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        let settings = parts.map(|part| {
            let (key, value) = part.split_once('=').ok_or_else(|| SpecError::NotAPair(part.to_owned()))?;
            setting(key, value)
        });
        settings.collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for TimedChange {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = || SpecError::NotTimed(text.to_owned());
        let (seconds, change) = text.split_once(':').ok_or_else(wrong)?;
        let after = within(seconds, 0.0, 1e6).map(Duration::from_secs_f64).ok_or_else(wrong)?;
        Ok(Self { after, change: change.parse()? })
    }
}
