//! What is spent on repair: packets sent again, parity, redundant sound. All of it comes out of the target, so whoever
//! divides the target up asks here what is left for pictures.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Repair comes in bursts; over this long it is a rate.
const WINDOW: Duration = Duration::from_secs(1);
/// Repair is counted in spans of this length, so that any amount of it takes as much memory.
const SPAN: Duration = Duration::from_millis(50);

/// What a packet sent for repair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Sent again, because it was asked for.
    Again,
    /// Parity over pictures.
    Parity,
    /// Earlier sound that travels with the newest.
    Sound,
}

/// Everything that was sent and received for repair, since the connection began. Bytes are those of payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repaired {
    pub again_packets: u64,
    pub again_bytes: u64,
    pub parity_packets: u64,
    pub parity_bytes: u64,
    pub sound_bytes: u64,
    /// Of the other side's parity: packets and bytes that came, and packets of pictures made from it.
    pub parity_received: u64,
    pub parity_received_bytes: u64,
    pub recovered: u64,
}

#[derive(Debug, Default)]
struct Meter {
    total: Repaired,
    /// The beginning of each span of the window, and the bits sent in it.
    spans: VecDeque<(Instant, u64)>,
}

/// Written by those who send for repair, read by the one who divides the target.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedRepair(Arc<Mutex<Meter>>);

impl SharedRepair {
    /// A packet with so many bytes of repair leaves.
    pub(crate) fn sent(&self, now: Instant, what: Repair, bytes: usize) {
        let mut meter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, bytes) = (&mut meter.total, bytes as u64);
        match what {
            Repair::Again => {
                total.again_packets += 1;
                total.again_bytes += bytes;
            }
            Repair::Parity => {
                total.parity_packets += 1;
                total.parity_bytes += bytes;
            }
            Repair::Sound => total.sound_bytes += bytes,
        }
        while meter.spans.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            meter.spans.pop_front();
        }
        match meter.spans.back_mut() {
            // A moment before the span counts for it, too: several threads write.
            Some((at, bits)) if now.saturating_duration_since(*at) < SPAN => *bits += bytes * 8,
            _ => meter.spans.push_back((now, bytes * 8)),
        }
    }

    /// A packet of the other side's parity came, with a payload of so many bytes.
    pub(crate) fn parity_came(&self, bytes: usize) {
        let mut meter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meter.total.parity_received += 1;
        meter.total.parity_received_bytes += bytes as u64;
    }

    /// A lost packet was made from it.
    pub(crate) fn recovered(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total.recovered += 1;
    }

    /// What was spent on repair over the last second.
    pub(crate) fn rate(&self, now: Instant) -> BitsPerSecond {
        let meter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = meter.spans.iter().filter(|(at, _)| now.saturating_duration_since(*at) < WINDOW);
        let bits: u64 = recent.map(|(_, bits)| bits).sum();
        BitsPerSecond(u32::try_from(bits).unwrap_or(u32::MAX))
    }

    /// All of it so far.
    pub(crate) fn total(&self) -> Repaired {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_for_repair_in_the_last_second_is_a_rate_and_then_forgotten() {
        let (repair, begun) = (SharedRepair::default(), Instant::now());
        let at = |ms| begun + Duration::from_millis(ms);
        repair.sent(at(0), Repair::Again, 1000);
        repair.sent(at(10), Repair::Sound, 250);
        repair.sent(at(500), Repair::Parity, 500);
        assert_eq!(repair.rate(at(500)).0, 14_000);
        assert_eq!(repair.rate(at(1200)).0, 4_000);
        assert_eq!(repair.rate(at(1600)).0, 0);
        let expected = Repaired {
            again_packets: 1,
            again_bytes: 1000,
            parity_packets: 1,
            parity_bytes: 500,
            sound_bytes: 250,
            ..Default::default()
        };
        assert_eq!(repair.total(), expected);
    }

    #[test]
    fn any_number_of_packets_takes_as_much_memory_as_a_window() {
        let (repair, begun) = (SharedRepair::default(), Instant::now());
        (0..20_000u64).for_each(|us| repair.sent(begun + Duration::from_micros(us * 250), Repair::Again, 1));
        let spans = repair.0.lock().expect("not poisoned").spans.len();
        assert!(spans <= 1 + (WINDOW.as_millis() / SPAN.as_millis()) as usize, "{spans}");
    }
}
