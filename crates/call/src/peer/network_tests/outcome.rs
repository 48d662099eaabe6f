//! What became of a call, in figures.

use super::network::Network;
use super::side::Side;
use std::time::Duration;

/// Of the direction from `a` to `b`. Times are in milliseconds, spans of time in seconds since the beginning.
pub(super) struct Outcome {
    /// Time of capture, in seconds, and how old the picture was when it was whole.
    latencies: Vec<(f64, f64)>,
    moments: Vec<f64>,
    pub sent: Vec<f64>,
    pub through: Vec<f64>,
    pub queue_ms: Vec<f64>,
    pub queue_drops: u64,
    targets: Vec<f64>,
    pub keyframes_asked: u32,
    pub sounds_lost: u32,
    sound_delays: Vec<f64>,
    pub left_out: u32,
    /// Video packets that were sent, and how many of these were repeats.
    pub packets: u32,
    pub repeats: u32,
}

fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len().saturating_sub(1)) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

impl Outcome {
    pub(super) fn of(network: &Network) -> Self {
        let Network { begun, a, b, .. } = network;
        let since = |at: std::time::Instant| (at - *begun).as_secs_f64();
        let kbps = |bytes: u64| bytes as f64 * 8.0 / 500.0;
        let bins = &network.carried().bins;
        // What was sent in the last half second may still be on its way.
        let arrived = a.sounds().saturating_sub(25);
        Self {
            latencies: b.shown.iter().map(|s| (since(s.at), (s.at - s.captured).as_secs_f64() * 1e3)).collect(),
            moments: b.shown.iter().map(|s| since(s.at)).collect(),
            sent: bins.iter().map(|bin| kbps(bin.in_bytes)).collect(),
            through: bins.iter().map(|bin| kbps(bin.out_bytes)).collect(),
            queue_ms: bins.iter().map(|bin| bin.queue_max.as_secs_f64() * 1e3).collect(),
            queue_drops: network.carried().total().queue_drops,
            targets: a.targets.iter().map(|target| target.as_kilo()).collect(),
            keyframes_asked: b.keyframes_asked,
            sounds_lost: (0..arrived).filter(|number| !b.heard.contains(&(*number as u16))).count() as u32,
            sound_delays: sound_delays(b),
            left_out: a.left_out(),
            packets: network.packets,
            repeats: network.repeats,
        }
    }

    /// Latencies of the pictures that were whole in this time.
    pub(super) fn latency(&self, from: f64, to: f64, share: f64) -> f64 {
        percentile(self.latencies.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, ms)| *ms).collect(), share)
    }

    pub(super) fn sound_delay(&self, share: f64) -> f64 {
        percentile(self.sound_delays.clone(), share)
    }

    /// From the beginning until the first picture is whole, in milliseconds.
    pub(super) fn first_picture(&self) -> f64 {
        self.moments.first().map_or(f64::NAN, |at| at * 1e3)
    }

    /// Pictures a second in this time.
    pub(super) fn fps(&self, from: f64, to: f64) -> f64 {
        self.moments.iter().filter(|at| (from..to).contains(at)).count() as f64 / (to - from)
    }

    /// Times longer than this between two pictures, in milliseconds.
    pub(super) fn gaps(&self, from: f64, to: f64, longer_than_ms: f64) -> Vec<f64> {
        let within = self.moments.iter().copied().filter(|at| (from..to).contains(at));
        let all: Vec<f64> = std::iter::once(from).chain(within).chain([to]).collect();
        all.windows(2).map(|pair| (pair[1] - pair[0]) * 1e3).filter(|gap| *gap > longer_than_ms).collect()
    }

    fn half_seconds(values: &[f64], from: f64, to: f64) -> &[f64] {
        let index = |at: f64| ((at * 2.0).round() as usize).min(values.len());
        &values[index(from)..index(to)]
    }

    /// Mean rate that came to the link, kbit/s.
    pub(super) fn sent_kbps(&self, from: f64, to: f64) -> f64 {
        let bins = Self::half_seconds(&self.sent, from, to);
        bins.iter().sum::<f64>() / bins.len() as f64
    }

    /// Mean rate that got through, kbit/s.
    pub(super) fn kbps(&self, from: f64, to: f64) -> f64 {
        let bins = Self::half_seconds(&self.through, from, to);
        bins.iter().sum::<f64>() / bins.len() as f64
    }

    /// Longest time that a packet waited at the bottleneck.
    pub(super) fn queue(&self, from: f64, to: f64) -> f64 {
        Self::half_seconds(&self.queue_ms, from, to).iter().copied().fold(0.0, f64::max)
    }

    /// Median, lowest and highest target, kbit/s.
    pub(super) fn target(&self, from: f64, to: f64) -> [f64; 3] {
        let index = |at: f64| ((at * 10.0) as usize).min(self.targets.len());
        let window = self.targets[index(from)..index(to)].to_vec();
        [0.5, 0.0, 1.0].map(|share| percentile(window.clone(), share))
    }

    /// Seconds from this moment until a second at this rate is over; `None`: it never comes.
    pub(super) fn s_until(&self, from: f64, kbps: f64) -> Option<f64> {
        let starts =
            (0..).map(|i| from + 0.5 * f64::from(i)).take_while(|start| start + 1.0 <= self.sent.len() as f64 / 2.0);
        starts.map(|start| start + 1.0).find(|end| self.sent_kbps(end - 1.0, *end) >= kbps).map(|end| end - from)
    }
}

fn sound_delays(side: &Side) -> Vec<f64> {
    side.sound_delays.iter().map(Duration::as_secs_f64).map(|s| s * 1e3).collect()
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.sent.len() as f64 / 2.0;
        writeln!(f, "second: sent, through, target kbit/s; queue ms; latency p50, max ms; pictures")?;
        for from in (0..end as u32).map(f64::from) {
            let to = from + 1.0;
            writeln!(
                f,
                "{from:3}: {:5.0} {:5.0} {:5.0}; {:4.0}; {:5.0} {:5.0}; {:2.0}",
                self.sent_kbps(from, to),
                self.kbps(from, to),
                self.target(from, to)[0],
                self.queue(from, to),
                self.latency(from, to, 0.5),
                self.latency(from, to, 1.0),
                self.fps(from, to)
            )?;
        }
        write!(
            f,
            "{} keyframes asked for, {} pictures left out, {} sounds lost, sound p95 {:.0} ms, {} drops; \
             latency p50 {:.0} p95 {:.0}",
            self.keyframes_asked,
            self.left_out,
            self.sounds_lost,
            self.sound_delay(0.95),
            self.queue_drops,
            self.latency(5.0, end, 0.5),
            self.latency(5.0, end, 0.95)
        )
    }
}
