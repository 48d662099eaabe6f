//! From what was noted during a call to the figures of one direction.

use crate::shared::percentile;
use crate::watch::{Heard, SYLLABLE_MS, Shown};
use serde_json::{Value, json};
use std::time::Duration;
use visavis_call::StatsSnapshot;
use visavis_call::link::{BIN, Figures};

/// A call has found its way after this time; what comes before is not counted.
const SETTLING_S: f64 = 5.0;
/// A longer time between two pictures is seen as a gap.
const GAP_MS: f64 = 150.0;

/// All that one direction of a call left behind. Seconds count from the moment at which both were connected.
pub(crate) struct Notes {
    /// Unix milliseconds of that moment.
    pub(crate) begun: f64,
    pub(crate) seconds: f64,
    pub(crate) full_width: u32,
    pub(crate) shown: Vec<Shown>,
    pub(crate) heard: Vec<Heard>,
    pub(crate) link: Figures,
    pub(crate) received: Vec<StatsSnapshot>,
    pub(crate) sent: Vec<StatsSnapshot>,
    /// First and last change of the link.
    pub(crate) changes: Option<(f64, f64)>,
}

/// To two places: what comes after is noise.
fn round(value: f64) -> f64 {
    // Adding zero makes an empty sum, which is -0, an ordinary one.
    (value * 100.0).round() / 100.0 + 0.0
}

fn share(values: &[f64], share: f64) -> Option<f64> {
    percentile(values, share).map(round)
}

impl Notes {
    fn window(&self) -> (f64, f64) {
        (SETTLING_S.min(self.seconds / 3.0), self.seconds)
    }

    fn shown_between(&self, from: f64, to: f64) -> Vec<Shown> {
        let at = |shown: &Shown| (shown.submitted - self.begun) / 1000.0;
        self.shown.iter().filter(|shown| (from..to).contains(&at(shown))).copied().collect()
    }

    fn latencies(&self, from: f64, to: f64) -> Vec<f64> {
        self.shown_between(from, to).iter().map(|shown| shown.submitted - shown.captured).collect()
    }

    /// Gaps in ms; one that the end cuts off counts, too.
    fn gaps(&self, from: f64, to: f64) -> Vec<f64> {
        let mut moments = vec![from * 1000.0];
        moments.extend(self.shown_between(from, to).iter().map(|shown| shown.submitted - self.begun));
        moments.push(to * 1000.0);
        moments.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > GAP_MS).collect()
    }

    /// Bits per millisecond that came to the link, or through it.
    fn kbps(&self, from: f64, to: f64, through: bool) -> f64 {
        let bin = self.link.between(Duration::from_secs_f64(from), Duration::from_secs_f64(to));
        let bytes = if through { bin.out_bytes } else { bin.in_bytes };
        bytes as f64 * 8.0 / 1000.0 / (to - from)
    }

    /// All of it, names and units as `examples/netsim` promises them.
    pub(crate) fn result(&self) -> Value {
        let (from, to) = self.window();
        let (shown, latencies, gaps) = (self.shown_between(from, to), self.latencies(from, to), self.gaps(from, to));
        let counted = shown.last().zip(shown.first()).map_or(0, |(last, first)| last.count - first.count);
        let full = self.shown.iter().find(|shown| shown.width >= self.full_width);
        let bin = self.link.between(Duration::from_secs_f64(from), Duration::from_secs_f64(to));
        let mut result = json!({
            "latency_ms": {"p50": share(&latencies, 0.5), "p95": share(&latencies, 0.95), "max": share(&latencies, 1.0)},
            "fps": round(counted as f64 / (to - from)),
            "gaps_150": gaps.len(),
            "gaps_150_s": round(gaps.iter().sum::<f64>() / 1000.0),
            "kbps": round(self.kbps(from, to, true)),
            "sent_kbps": round(self.kbps(from, to, false)),
            "width_last_10s": self.usual_width(to - 10.0, to),
            "s_to_full_size": full.map(|shown| round((shown.submitted - self.begun).max(0.0) / 1000.0)),
            "queue_ms_max": round(bin.queue_max.as_secs_f64() * 1000.0),
            "queue_drops": bin.queue_drops,
            "lost": bin.lost,
            "audio": self.audio(),
            "lip_sync_ms": self.lip_sync(from, to),
            "pictures": self.pictures(),
        });
        if let Some((first, last)) = self.changes {
            result["change"] = self.change(first, last);
        }
        result
    }

    fn usual_width(&self, from: f64, to: f64) -> Option<u32> {
        let mut widths: Vec<u32> = self.shown_between(from.max(0.0), to).iter().map(|shown| shown.width).collect();
        widths.sort_unstable();
        widths.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len()).map(|chunk| chunk[0])
    }

    /// First snapshot of the window and the last of all.
    fn ends<'a>(&self, all: &'a [StatsSnapshot]) -> Option<(&'a StatsSnapshot, &'a StatsSnapshot)> {
        let from = self.begun + self.window().0 * 1000.0 - 500.0;
        all.iter().find(|snapshot| snapshot.t >= from).zip(all.last())
    }

    fn audio(&self) -> Value {
        let ends = self.ends(&self.received);
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let figures = ends.map(|(first, last)| {
            let (first, last) = (&first.inbound_audio, &last.inbound_audio);
            let samples = last.total_samples_received - first.total_samples_received;
            let emitted = last.jitter_buffer_emitted_count - first.jitter_buffer_emitted_count;
            let waited = last.jitter_buffer_delay - first.jitter_buffer_delay;
            (
                ratio(last.concealed_samples - first.concealed_samples, samples).map(|r| round(100.0 * r)),
                (emitted > 0).then(|| round(1000.0 * waited / emitted as f64)),
                last.packets_received,
            )
        });
        let (concealed, buffer, packets) = figures.unwrap_or_default();
        json!({"concealed_pct": concealed, "buffer_ms": buffer, "packets_received": packets})
    }

    /// How much later sound is heard than the picture of the same moment is seen, second by second: measured from
    /// outside, beside what the peers themselves believe. To be trusted up to half a syllable, 125 ms.
    fn lip_sync(&self, from: f64, to: f64) -> Value {
        let seconds = self.heard.iter().filter_map(|heard| {
            let end = (heard.at - self.begun) / 1000.0;
            let picture =
                percentile(&self.latencies(end - 1.0, end), 0.5).filter(|_| end - 1.0 >= from && end <= to)?;
            Some((heard.delay - picture + SYLLABLE_MS / 2.0).rem_euclid(SYLLABLE_MS) - SYLLABLE_MS / 2.0)
        });
        let seconds: Vec<f64> = seconds.collect();
        let max_abs = seconds.iter().map(|ms| ms.abs()).max_by(f64::total_cmp).map(round);
        json!({"p50": share(&seconds, 0.5), "max_abs": max_abs, "reported": self.reported_lip_sync()})
    }

    fn reported_lip_sync(&self) -> Option<f64> {
        let from = self.begun + self.window().0 * 1000.0;
        let counted = self.received.iter().filter(|snapshot| snapshot.t >= from);
        let offsets = counted
            .filter_map(|snapshot| serde_json::to_value(&snapshot.inbound_video).ok()?.get("lipSyncOffset")?.as_f64());
        share(&offsets.map(|seconds| seconds * 1000.0).collect::<Vec<_>>(), 0.5)
    }

    fn pictures(&self) -> Value {
        let received = self.received.last().map(|s| &s.inbound_video);
        let sent = self.sent.last().map(|s| &s.outbound_video);
        json!({
            "sent": sent.map(|s| s.frames_encoded),
            "shown": self.shown.last().map(|shown| shown.count),
            "keyframes": received.map(|r| r.key_frames_decoded),
            "freezes": received.map(|r| r.freeze_count),
            "freezes_s": received.map(|r| round(r.total_freezes_duration)),
            "nacks": received.map(|r| r.nack_count),
            "plis": received.map(|r| r.pli_count),
            "parity": received.map(|r| r.fec_packets_received),
            "parity_unused": received.map(|r| r.fec_packets_discarded),
            "sent_again": sent.map(|s| s.retransmitted_packets_sent),
        })
    }

    /// What a link's first change brought about, until its last one, and how long what was lost took to come back.
    fn change(&self, first: f64, last: f64) -> Value {
        let low_until = if last > first { last } else { self.seconds };
        let gaps = self.gaps((first - 0.5).max(0.0), low_until);
        let bin = BIN.as_secs_f64();
        let before = self.kbps((first - 5.0).max(0.0), first, false);
        let mut recovery = None;
        let mut end = last + 2.0 * bin;
        while last > first && recovery.is_none() && end <= self.seconds {
            if self.kbps(end - 2.0 * bin, end, false) >= 0.8 * before {
                recovery = Some(round(end - last));
            }
            end += bin;
        }
        json!({
            "latency_before_ms": share(&self.latencies((first - 7.0).max(0.0), first), 0.5),
            "latency_peak_ms": share(&self.latencies(first, low_until), 1.0),
            "latency_after_3s_ms": share(&self.latencies(first + 3.0, low_until), 0.5),
            "latency_max_after_3s_ms": share(&self.latencies(first + 3.0, low_until), 1.0),
            "freezes": gaps.len(),
            "freezes_s": round(gaps.iter().sum::<f64>() / 1000.0),
            "kbps_before": round(before),
            "s_to_80_pct": recovery,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use visavis_call::link::Link;

    /// Thirty pictures a second with these latencies, and a link that carried 100 bytes for each.
    fn notes(seconds: u32, latency: impl Fn(f64) -> Option<f64>) -> Notes {
        let (begun, now) = (1.8e12, Instant::now());
        let mut link = Link::new(now, "".parse().expect("a link"), 1);
        let (mut shown, mut count) = (Vec::new(), 0);
        for number in 0..30 * seconds {
            let at = f64::from(number) / 30.0;
            let Some(latency) = latency(at) else { continue };
            count += 1;
            let submitted = begun + at * 1000.0;
            shown.push(Shown { captured: submitted - latency, submitted, width: 640, count });
            link.push(now + Duration::from_secs_f64(at), 100, ());
            let _ = link.poll(now + Duration::from_secs_f64(at));
        }
        let link = link.figures().clone();
        let (received, sent) = (Vec::new(), Vec::new());
        let seconds = f64::from(seconds);
        Notes { begun, seconds, full_width: 640, shown, heard: Vec::new(), link, received, sent, changes: None }
    }

    #[test]
    fn latency_rate_and_gaps_are_those_of_the_time_after_settling() {
        let latency = |at: f64| match at {
            0.0..2.0 => Some(900.0),
            10.0..10.5 => None,
            _ => Some(40.0),
        };
        let result = notes(30, latency).result();
        assert_eq!(result["latency_ms"], json!({"p50": 40.0, "p95": 40.0, "max": 40.0}));
        assert_eq!((result["gaps_150"].as_u64(), result["gaps_150_s"].as_f64()), (Some(1), Some(0.53)));
        assert!((result["fps"].as_f64().expect("a number") - 29.4).abs() < 0.1, "{result}");
        assert!((result["kbps"].as_f64().expect("a number") - 24.0 * 735.0 / 750.0).abs() < 0.1, "{result}");
        assert_eq!((result["width_last_10s"].as_u64(), result["s_to_full_size"].as_f64()), (Some(640), Some(0.0)));
        assert!(result["audio"]["concealed_pct"].is_null() && result["lip_sync_ms"]["p50"].is_null());
    }

    #[test]
    fn a_picture_that_never_comes_is_one_long_gap() {
        let result = notes(20, |at| (at < 8.0).then_some(40.0)).result();
        assert_eq!((result["gaps_150"].as_u64(), result["gaps_150_s"].as_f64()), (Some(1), Some(12.03)));
        let nothing = notes(20, |_| None).result();
        assert_eq!(nothing["gaps_150_s"], 15.0);
        assert!(nothing["latency_ms"]["p50"].is_null());
    }

    #[test]
    fn what_a_change_brought_is_told_apart() {
        let latency = |at: f64| match at {
            0.0..10.0 => Some(40.0),
            10.0..12.0 => Some(700.0),
            12.0..12.4 => None,
            12.4..20.0 => Some(90.0),
            _ => Some(45.0),
        };
        let mut notes = notes(30, latency);
        notes.changes = Some((10.0, 20.0));
        let change = &notes.result()["change"];
        assert_eq!(
            (change["latency_before_ms"].as_f64(), change["latency_peak_ms"].as_f64()),
            (Some(40.0), Some(700.0))
        );
        assert_eq!((change["latency_after_3s_ms"].as_f64(), change["freezes"].as_u64()), (Some(90.0), Some(1)));
        assert_eq!(change["s_to_80_pct"], 1.0);
    }

    #[test]
    fn lips_are_in_sync_where_picture_and_sound_are_equally_old() {
        for (picture, sound, later) in [(60.0, 60.0, 0.0), (60.0, 90.0, 30.0), (240.0, 20.0, 30.0), (20.0, 310.0, 40.0)]
        {
            let mut notes = notes(20, |_| Some(picture));
            notes.heard = (1..20).map(|s| Heard { at: 1.8e12 + 1000.0 * f64::from(s), delay: sound }).collect();
            assert_eq!(notes.result()["lip_sync_ms"], json!({"p50": later, "max_abs": later, "reported": null}));
        }
    }
}
