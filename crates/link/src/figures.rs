//! What a link carried, in bins of half a second.

use std::time::{Duration, Instant};

/// Length of a bin.
pub const BIN: Duration = Duration::from_millis(500);

/// A day; what comes later is counted in the last bin.
const MAX_BINS: usize = 2 * 24 * 3600;

/// What happened in one [`BIN`]. Bytes are those of IP packets.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Bin {
    /// Packets that came to the link.
    pub in_packets: u64,
    /// Bytes that came to the link.
    pub in_bytes: u64,
    /// Packets that arrived at the other end, copies included.
    pub out_packets: u64,
    /// Bytes that arrived at the other end, copies included.
    pub out_bytes: u64,
    /// Packets for which the queue had no room.
    pub queue_drops: u64,
    /// Packets that were lost behind the queue.
    pub lost: u64,
    /// Longest time between a packet's coming and its leaving the bottleneck.
    pub queue_max: Duration,
}

impl Bin {
    fn add(&mut self, other: &Self) {
        self.in_packets += other.in_packets;
        self.in_bytes += other.in_bytes;
        self.out_packets += other.out_packets;
        self.out_bytes += other.out_bytes;
        self.queue_drops += other.queue_drops;
        self.lost += other.lost;
        self.queue_max = self.queue_max.max(other.queue_max);
    }
}

/// What a link carried since it was started.
#[derive(Clone, PartialEq, Debug)]
pub struct Figures {
    /// When the first bin begins.
    pub begun: Instant,
    /// One for each [`BIN`], without gaps; a day of them at most.
    pub bins: Vec<Bin>,
}

impl Figures {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, bins: Vec::new() }
    }

    pub(crate) fn bin(&mut self, at: Instant) -> &mut Bin {
        let since = at.saturating_duration_since(self.begun).as_nanos();
        let index = usize::try_from(since / BIN.as_nanos()).unwrap_or(usize::MAX).min(MAX_BINS - 1);
        if self.bins.len() <= index {
            self.bins.resize(index + 1, Bin::default());
        }
        &mut self.bins[index]
    }

    /// All bins that begin within this time after the beginning, as one.
    pub fn between(&self, from: Duration, to: Duration) -> Bin {
        let mut sum = Bin::default();
        let begins = |index: &usize| BIN * u32::try_from(*index).unwrap_or(u32::MAX);
        for (index, bin) in self.bins.iter().enumerate() {
            if begins(&index) >= from && begins(&index) < to {
                sum.add(bin);
            }
        }
        sum
    }

    /// All bins as one.
    pub fn total(&self) -> Bin {
        self.between(Duration::ZERO, Duration::MAX)
    }
}
