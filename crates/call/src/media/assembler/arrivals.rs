//! The packets of a stream that are kept, in the order in which they left, however they came.
//!
//! Numbers of sixteen bits wrap; here each packet has a place of its own, and what lies far away begins a new sequence.

use super::VideoPacket;
use crate::rate::RESTART_DISTANCE;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use visavis_codec::rtp_h264::starts_keyframe;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    packets: BTreeMap<i64, VideoPacket>,
    highest: Option<i64>,
    first: Option<i64>,
    received: u64,
    /// Those that came so late after ones that were sent later that they must have been sent again.
    resent: BTreeSet<i64>,
}

/// What is there of a picture.
pub(super) enum Extent {
    /// All of it, up to this place.
    Whole(i64),
    /// This is the first packet that is not.
    Missing(i64),
}

/// The packets of one picture, taken out.
pub(super) struct Taken {
    pub packets: BTreeMap<i64, VideoPacket>,
    pub repaired: bool,
}

impl Arrivals {
    /// The place of a packet of this number, and whether a new sequence begins with it.
    pub(super) fn place(&mut self, sequence: u16) -> (i64, bool) {
        let (place, anew) = match self.highest {
            None => (i64::from(sequence), false),
            Some(highest) => {
                let distance = i64::from(sequence.wrapping_sub(highest as u16) as i16);
                if distance.abs() <= RESTART_DISTANCE {
                    (highest + distance, false)
                } else {
                    // Far ahead of everything before, so that nothing old is mistaken for new.
                    let base = highest + 2 * RESTART_DISTANCE;
                    (self.first, self.highest) = (None, None);
                    (base + (i64::from(sequence) - base).rem_euclid(65_536), true)
                }
            }
        };
        self.highest = Some(self.highest.map_or(place, |h| h.max(place)));
        self.first.get_or_insert(place);
        (place, anew)
    }

    /// Keeps a packet. What comes as much as `again` after packets right behind it has been sent again.
    pub(super) fn insert(&mut self, place: i64, packet: VideoPacket, again: Duration) {
        self.received += 1;
        // Those right behind it came when it should have.
        let behind = self.packets.range(place + 1..).take(4).map(|(_, p)| p.arrival).min();
        if behind.is_some_and(|at| packet.arrival.saturating_duration_since(at) >= again) {
            self.resent.insert(place);
        }
        self.packets.insert(place, packet);
    }

    pub(super) fn contains(&self, place: i64) -> bool {
        self.packets.contains_key(&place)
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether some packet kept is of the picture of that one.
    pub(super) fn continues(&self, packet: &VideoPacket) -> bool {
        self.packets.values().any(|p| p.ticks == packet.ticks)
    }

    /// The first packet at or behind this place.
    pub(super) fn first_behind(&self, place: i64) -> Option<(i64, &VideoPacket)> {
        self.packets.range(place..).next().map(|(place, packet)| (*place, packet))
    }

    /// How many are missing from `next` up to the highest number seen.
    pub(super) fn missing_from(&self, next: i64) -> usize {
        let wanted = self.highest.map_or(0, |highest| (highest + 1 - next).max(0) as usize);
        wanted.saturating_sub(self.packets.len())
    }

    /// Packets that never came, of all that were sent since the first that did.
    pub(super) fn lost(&self) -> u64 {
        let span = self.highest.zip(self.first).map_or(0, |(h, f)| (h - f + 1).max(0) as u64);
        span.saturating_sub(self.received)
    }

    fn begins_keyframe(&self, place: i64, packet: &VideoPacket) -> bool {
        starts_keyframe(&packet.payload)
            && self.packets.get(&(place - 1)).is_none_or(|before| before.ticks != packet.ticks)
    }

    /// Where the first keyframe at or behind `from` begins.
    pub(super) fn keyframe(&self, from: i64) -> Option<i64> {
        self.packets.range(from..).find(|(i, p)| self.begins_keyframe(**i, p)).map(|(i, _)| *i)
    }

    /// Where the newest one at or behind `from` begins.
    pub(super) fn newest_keyframe(&self, from: i64) -> Option<i64> {
        self.packets.range(from..).rev().find(|(i, p)| self.begins_keyframe(**i, p)).map(|(i, _)| *i)
    }

    /// How much is there of the picture that begins here.
    pub(super) fn extent(&self, start: i64) -> Extent {
        let Some(first) = self.packets.get(&start) else { return Extent::Missing(start) };
        let mut at = start;
        loop {
            let Some(packet) = self.packets.get(&at) else { return Extent::Missing(at) };
            if packet.ticks != first.ticks {
                // The marker was lost in transit of somebody else's making: the picture ended before.
                return Extent::Whole(at - 1);
            }
            if packet.marker {
                return Extent::Whole(at);
            }
            at += 1;
        }
    }

    /// Takes the picture from `start` to `end` out, and what is before it.
    pub(super) fn take(&mut self, start: i64, end: i64) -> Taken {
        let rest = self.packets.split_off(&(end + 1));
        let packets = std::mem::replace(&mut self.packets, rest);
        let repaired = self.resent.range(..=end).next_back().is_some_and(|newest| *newest >= start);
        self.resent = self.resent.split_off(&(end + 1));
        Taken { packets, repaired }
    }

    /// Forgets what is before this place.
    pub(super) fn drop_before(&mut self, place: i64) {
        self.packets = self.packets.split_off(&place);
    }

    /// Forgets which ones were sent again.
    pub(super) fn forget_resent(&mut self) {
        self.resent.clear();
    }

    pub(super) fn clear(&mut self) {
        self.packets.clear();
    }

    #[cfg(test)]
    pub(super) fn highest(&self) -> i64 {
        self.highest.expect("something came")
    }
}
