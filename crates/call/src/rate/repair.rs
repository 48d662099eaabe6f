//! What was sent and received for repair: packets sent again, parity, redundant sound. What it takes of the rate the
//! pacer sees by itself; these are counts for the statistics.

use std::sync::{Arc, Mutex, PoisonError};

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

/// Everything since the connection began. Bytes are those of payloads.
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
    /// Packets of the other side's parity from which nothing was or will be made.
    pub parity_discarded: u64,
}

/// Written by those who repair, read by the statistics.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedRepair(Arc<Mutex<Repaired>>);

impl SharedRepair {
    /// A packet with so many bytes of repair leaves.
    pub(crate) fn sent(&self, what: Repair, bytes: usize) {
        let bytes = bytes as u64;
        self.count(|total| match what {
            Repair::Again => {
                total.again_packets += 1;
                total.again_bytes += bytes;
            }
            Repair::Parity => {
                total.parity_packets += 1;
                total.parity_bytes += bytes;
            }
            Repair::Sound => total.sound_bytes += bytes,
        });
    }

    /// A packet of the other side's parity came, with a payload of so many bytes.
    pub(crate) fn parity_came(&self, bytes: usize) {
        self.count(|total| {
            total.parity_received += 1;
            total.parity_received_bytes += bytes as u64;
        });
    }

    /// A lost packet was made from it.
    pub(crate) fn recovered(&self) {
        self.count(|total| total.recovered += 1);
    }

    /// So many packets of it were not needed, came too late or were of no use.
    pub(crate) fn parity_discarded(&self, packets: usize) {
        self.count(|total| total.parity_discarded += packets as u64);
    }

    /// All of it so far.
    pub(crate) fn total(&self) -> Repaired {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: impl FnOnce(&mut Repaired)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
