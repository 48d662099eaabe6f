//! Where the time goes: one picture's stages, from capture to the display slot, matched by its RTP timestamp.

use crate::shared::percentile;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use visavis_call::{ReceivedPicture, SentPicture, SentTap};

/// The stages, in their order; they add up to the last line.
pub(crate) const NAMES: [&str; 8] = [
    "capture to encoder's thread",
    "scaling and encoding",
    "encoder to connection",
    "pacer and path, first packet",
    "pacer and path, the other packets",
    "assembly, to decoder's thread",
    "decoding, and until it is due",
    "all of it",
];

/// Pictures under way at most: ten seconds of them, should none arrive.
const UNDER_WAY: usize = 300;

#[derive(Default)]
struct Rows {
    under_way: VecDeque<SentPicture>,
    stages: [Vec<f64>; NAMES.len()],
}

/// One direction.
#[derive(Clone, Default)]
pub(crate) struct Stages(Arc<Mutex<Rows>>);

impl Stages {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be told of each picture sent.
    pub(crate) fn tap(&self) -> SentTap {
        let stages = self.clone();
        Arc::new(move |sent| {
            let mut rows = stages.rows();
            if rows.under_way.len() == UNDER_WAY {
                rows.under_way.pop_front();
            }
            rows.under_way.push_back(*sent);
        })
    }

    /// To be told of each picture received and counted.
    pub(crate) fn received(&self, picture: &ReceivedPicture) {
        let mut rows = self.rows();
        let Some(at) = rows.under_way.iter().position(|sent| sent.ticks == picture.ticks) else { return };
        let Some(sent) = rows.under_way.drain(..=at).next_back() else { return };
        let moments = [
            sent.captured,
            sent.taken,
            sent.encoded,
            sent.handed_over,
            picture.first_packet,
            picture.last_packet,
            picture.decoding,
            picture.submitted,
        ];
        let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
        for (stage, pair) in moments.windows(2).enumerate() {
            rows.stages[stage].push(ms(pair[0], pair[1]));
        }
        rows.stages[NAMES.len() - 1].push(ms(sent.captured, picture.submitted));
    }

    /// Percentiles of each stage, and how long the first picture was in it.
    pub(crate) fn result(&self) -> Value {
        let rows = self.rows();
        let of = |values: &Vec<f64>| json!({"p50": percentile(values, 0.5), "p95": percentile(values, 0.95), "first": values.first()});
        NAMES.iter().zip(&rows.stages).map(|(name, values)| ((*name).to_owned(), of(values))).collect()
    }
}
