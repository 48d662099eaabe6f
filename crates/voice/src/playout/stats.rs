//! What the playout buffer counts.

use std::time::Duration;
use visavis_media::SAMPLE_RATE;

/// Counts of a [`PlayoutBuffer`](super::PlayoutBuffer) since it was made, by the names of W3C webrtc-stats where it has
/// them.
///
/// A gap in which the sender was silent on purpose (nothing lost, its timestamps jump) counts neither as concealed nor
/// as received. What was invented for want of packets is counted when the next one shows that they were lost or late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlayoutStats {
    /// `totalSamplesReceived`: samples played, concealed ones included.
    pub total_samples: u64,
    /// `concealedSamples`: samples invented or silent for lack of packets. Those recovered by redundancy are not among
    /// them.
    pub concealed_samples: u64,
    /// `silentConcealedSamples`: the silent ones among them.
    pub silent_concealed_samples: u64,
    /// `concealmentEvents`: how often concealment began.
    pub concealment_events: u64,
    /// `insertedSamplesForDeceleration`.
    pub inserted_samples: u64,
    /// `removedSamplesForAcceleration`.
    pub removed_samples: u64,
    /// `jitterBufferDelay`: seconds between arrival and playout, summed over all emitted samples.
    pub jitter_buffer_delay: f64,
    /// `jitterBufferEmittedCount`: samples that came out of packets.
    pub jitter_buffer_emitted_count: u64,
    /// `jitterBufferTargetDelay`: seconds for which sound should be held back, summed over all emitted samples.
    pub target_delay_sum: f64,
    /// `jitterBufferMinimumDelay`: what the network alone asks for, likewise.
    pub network_delay_sum: f64,
    /// How long sound should be held back at present, beyond the fastest packet's way.
    pub target_delay: Duration,
    /// How long it would be for the network's sake alone, without [`set_minimum_delay`].
    ///
    /// [`set_minimum_delay`]: super::PlayoutBuffer::set_minimum_delay
    pub network_delay: Duration,
    /// How long it is held back at present.
    pub delay: Duration,
    /// Packets that came after their turn.
    pub packets_late: u64,
    /// Packets that came twice.
    pub packets_duplicate: u64,
    /// Packets thrown away: too old after a stall, too many, too large, or of no stream.
    pub packets_discarded: u64,
    /// Packets lost for good, recovered ones included.
    pub packets_missing: u64,
    /// Packets recovered from the redundancy in the next.
    pub fec_recovered: u64,
    /// `fecPacketsDiscarded`: copies of packets that were there, or that came after their turn.
    pub copies_discarded: u64,
    /// Packets played from a copy that came with a later one.
    pub copies_used: u64,
}

impl PlayoutStats {
    /// Mean time that sound spends in the buffer since `earlier`; `None` where nothing was emitted since.
    pub fn mean_delay_since(&self, earlier: &Self) -> Option<Duration> {
        let emitted = self.jitter_buffer_emitted_count.checked_sub(earlier.jitter_buffer_emitted_count)?;
        let seconds = self.jitter_buffer_delay - earlier.jitter_buffer_delay;
        (emitted > 0).then(|| Duration::from_secs_f64((seconds / emitted as f64).max(0.0)))
    }
}

/// The span of samples; zero where there are fewer than none.
pub(super) fn span(samples: i64) -> Duration {
    Duration::from_nanos(samples.max(0) as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE))
}
