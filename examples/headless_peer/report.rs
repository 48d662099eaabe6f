//! What a run received, as one JSON object.

use super::{Shared, process};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use visavis_call::{EndReason, Event, PictureTap, StatsSnapshot};
use visavis_capture::wall_clock;
use visavis_media::strip;

#[derive(Default)]
struct Frames {
    rows: Vec<Value>,
    bad_strips: u64,
    presented: u64,
}

/// Filled while the call runs.
pub(crate) struct Report {
    frames: Shared<Frames>,
    t: serde_json::Map<String, Value>,
    stats: Vec<StatsSnapshot>,
    errors: Vec<String>,
    /// CPU seconds of this process when the call connected, and when that was.
    connected: Option<(f64, Instant)>,
}

/// To a tenth of a millisecond: the strip's own resolution is one.
fn tenth(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

impl Report {
    pub(crate) fn new() -> Self {
        let (frames, t) = (Shared::default(), serde_json::Map::new());
        Self { frames, t, stats: Vec::new(), errors: Vec::new(), connected: None }
    }

    /// Reads the strip of each picture, on the decoder's thread.
    pub(crate) fn tap(&self) -> PictureTap {
        let frames = self.frames.clone();
        Arc::new(move |picture| {
            let submitted = wall_clock().unix_ms(picture.submitted);
            let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
            frames.presented = picture.count;
            match strip::read(&picture.picture) {
                Some(ms) => {
                    let capture = strip::resolve(ms, submitted as u64);
                    let last = wall_clock().unix_ms(picture.last_packet);
                    let size = picture.picture.size();
                    let row = json!([
                        capture,
                        tenth(submitted),
                        null,
                        tenth(last),
                        size.width(),
                        size.height(),
                        picture.count
                    ]);
                    frames.rows.push(row);
                }
                None => frames.bad_strips += 1,
            }
        })
    }

    pub(crate) fn mark_join(&mut self) {
        self.t.insert("join".into(), wall_clock().unix_ms(Instant::now()).into());
    }

    pub(crate) fn note(&mut self, event: &Event, t: f64) {
        if matches!(event, Event::Connected { .. }) && self.connected.is_none() {
            self.connected = process::cpu_seconds().ok().map(|cpu| (cpu, Instant::now()));
        }
        let key = match event {
            Event::PeerJoined => "peer_joined",
            Event::IceConnected => "ice",
            Event::Connected { .. } => "dtls",
            Event::FirstFrame => "first_frame",
            Event::Ended(EndReason::HungUp | EndReason::PeerHungUp | EndReason::PeerLeft) => return,
            Event::Ended(reason) => {
                self.errors.push(reason.to_string());
                return;
            }
            _ => return,
        };
        self.t.entry(key).or_insert(t.into());
    }

    pub(crate) fn add_statistics(&mut self, snapshots: Vec<StatsSnapshot>) {
        self.stats.extend(snapshots);
    }

    /// What the call took of this machine since it connected; `null` where the system does not tell (it is Linux's
    /// `/proc` that is asked).
    fn machine(&self) -> Value {
        let used = self.connected.zip(process::cpu_seconds().ok());
        let per_second = used.map(|((before, since), cpu)| (cpu - before) / since.elapsed().as_secs_f64().max(0.001));
        json!({
            "peak_rss_mb": process::peak_rss_mb().ok(),
            "cpu_s_per_s": per_second,
        })
    }

    pub(crate) fn json(&self) -> Value {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "impl": concat!("visavis ", env!("CARGO_PKG_VERSION")),
            "errors": self.errors,
            "drawn": self.stats.last().map_or(0, |s| s.outbound_video.frames_encoded),
            "bad_strips": frames.bad_strips,
            "presented": frames.presented,
            "t": self.t,
            "frames": frames.rows,
            "stats": self.stats,
            "machine": self.machine(),
        })
    }
}
