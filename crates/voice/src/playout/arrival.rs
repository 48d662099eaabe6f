//! When packets come: sequence numbers and timestamps without their wrap, and how long sound should be held back.
//!
//! Times are counted in samples (1/48 000 s). A packet's *transit* is its arrival minus its timestamp: it means nothing
//! by itself, but differences between packets are differences of delay in the network.

use std::collections::VecDeque;
use visavis_media::SAMPLE_RATE;

/// Samples per millisecond.
pub(super) const MS: i64 = SAMPLE_RATE as i64 / 1000;
/// How far back delays are remembered: long enough to see a rare spike again, short enough to follow clock drift.
const WINDOW: i64 = 10_000 * MS;
/// …but at the beginning, when the path is tried and queues come and go, no further than this, and later than this share
/// of the stream's age.
const FIRST_WINDOW: i64 = 3_000 * MS;
const OF_AGE: (i64, i64) = (3, 5);
/// Packets remembered at most; 10 s of 10 ms packets are 1000.
const WINDOW_PACKETS: usize = 1200;
/// Share of packets that should be in time in any case.
const QUANTILE: f64 = 0.96;
/// Share that should be where the rest comes only a little later.
const TAIL: f64 = 0.995;
/// Packets later than this came after a stall. Nobody would wait that long for each word, so it teaches nothing, nor do
/// those that stood in the same queue behind it, until one is prompt again.
const HOPELESS: i64 = 400 * MS;
const PROMPT: i64 = 20 * MS;
/// A jump in sequence numbers or delay larger than this is no network: the sender began anew, or somebody forges.
const MAX_MISORDER: i64 = 3000;
const MAX_DELAY: i64 = 5000 * MS;
/// A single packet that was late, be it that a thread woke late, counts for about a minute, where it was not much later
/// than the others: a calm path lets one hear each of them. At the beginning everything is late now and then.
const RARE_MEMORY: f64 = 60_000.0 * MS as f64;
const MOST_RARE: i64 = 15 * MS;
/// 120 ms (RFC 6716 §2.1.4).
const LONGEST_PACKET: i64 = 120 * MS;
/// When even the best packet of this span was later than the best of the window by this much, the path has changed.
const REBASE_SPAN: i64 = 2000 * MS;
const REBASE_BY: i64 = 100 * MS;

/// Where a packet belongs, in numbers that do not wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub seq: i64,
    pub ts: i64,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Belongs(Place),
    /// It continues nothing: not used, but remembered in case the next one follows it.
    Suspect,
    /// The second in a row of a new numbering: everything before is of another stream.
    NewStream(Place),
}

/// A packet of the last ten seconds.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: i64,
    transit: i64,
}

/// Follows numbering and delay of one stream.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    highest: Option<Place>,
    suspect: Option<u16>,
    /// How much sound a packet holds, and how much further the newest was than the one before.
    length: Option<i64>,
    step: Option<i64>,
    /// When the stream's first packet came.
    begun: Option<i64>,
    recent: VecDeque<Arrival>,
    scratch: Vec<i64>,
    spread: i64,
    tail: i64,
    fastest: i64,
    /// How much slower than the fastest the slowest came that one could have waited for, fading; newest first, and before
    /// each of the last packets.
    rare: [f64; 4],
    learnt: Option<i64>,
}

impl Arrivals {
    /// Places a packet and learns from its arrival.
    pub fn on_packet(&mut self, seq: u16, rtp: u32, arrival: i64) -> Verdict {
        let Some(highest) = self.highest else {
            return Verdict::Belongs(self.begin(seq, rtp, arrival));
        };
        let place = Place {
            seq: highest.seq + i64::from(seq.wrapping_sub(highest.seq as u16) as i16),
            ts: highest.ts + i64::from(rtp.wrapping_sub(highest.ts as u32) as i32),
        };
        let late_by = arrival - place.ts - self.fastest;
        if (place.seq - highest.seq).abs() > MAX_MISORDER || late_by > MAX_DELAY {
            if self.suspect.replace(seq) == Some(seq.wrapping_sub(1)) {
                self.recent.clear();
                return Verdict::NewStream(self.begin(seq, rtp, arrival));
            }
            return Verdict::Suspect;
        }
        self.suspect = None;
        if place.seq == highest.seq + 1 {
            self.follow_length(place.ts - highest.ts);
        }
        if place.seq > highest.seq {
            self.highest = Some(place);
        }
        self.learn(arrival, arrival - place.ts);
        Verdict::Belongs(place)
    }

    /// Where a copy of an earlier packet belongs, and how much earlier that is than the newest; `None` where it is not
    /// earlier, or nothing is known yet.
    pub fn place_of_copy(&self, seq: u16, rtp: u32) -> Option<(Place, i64)> {
        let highest = self.highest?;
        let place = Place {
            seq: highest.seq + i64::from(seq.wrapping_sub(highest.seq as u16) as i16),
            ts: highest.ts + i64::from(rtp.wrapping_sub(highest.ts as u32) as i32),
        };
        let earlier = place.seq < highest.seq && place.ts < highest.ts && highest.seq - place.seq <= MAX_MISORDER;
        earlier.then_some((place, highest.ts - place.ts))
    }

    /// Transit of the fastest packet of late.
    pub fn fastest(&self) -> i64 {
        self.fastest
    }

    /// How much slower than the fastest most packets are at worst.
    pub fn spread(&self) -> i64 {
        self.spread
    }

    /// How much later than that the slowest come, but for a few in a thousand.
    pub fn tail(&self) -> i64 {
        self.tail
    }

    /// How much later than most the slowest packet of the last minute or so came, the longer ago the less.
    pub fn rare(&self) -> i64 {
        (self.rare[0] as i64 - self.spread).clamp(0, MOST_RARE)
    }

    /// Samples that a packet holds; `None` until two in a row have shown it.
    pub fn length(&self) -> Option<i64> {
        self.length
    }

    /// Packets that the two figures come from.
    pub fn experience(&self) -> usize {
        self.recent.len()
    }

    fn begin(&mut self, seq: u16, rtp: u32, arrival: i64) -> Place {
        let place = Place { seq: i64::from(seq), ts: i64::from(rtp) };
        self.highest = Some(place);
        (self.suspect, self.begun) = (None, Some(arrival));
        (self.length, self.step) = (None, None);
        self.learn(arrival, arrival - place.ts);
        place
    }

    /// A packet leaves when the last of its sound has been said: where packets become longer or shorter, so does each one's
    /// transit, which is no news of the network. Two of the new length in a row make it believed; a pause makes one.
    fn follow_length(&mut self, step: i64) {
        let believed = self.step.replace(step) == Some(step) && (1..=LONGEST_PACKET).contains(&step);
        if believed && let Some(before) = self.length.replace(step).filter(|before| *before != step) {
            let older = self.recent.len().saturating_sub(2);
            self.recent.iter_mut().take(older).for_each(|a| a.transit += step - before);
            // The packets by which it was noticed were late only by the old length.
            self.rare = [self.rare[self.rare.len() - 1]; 4];
        }
    }

    fn learn(&mut self, arrival: i64, transit: i64) {
        self.recent.push_back(Arrival { at: arrival, transit });
        let age = arrival - *self.begun.get_or_insert(arrival);
        let window = (age.saturating_mul(OF_AGE.0) / OF_AGE.1).clamp(FIRST_WINDOW, WINDOW);
        while self.recent.len() > WINDOW_PACKETS || self.recent.front().is_some_and(|a| a.at < arrival - window) {
            self.recent.pop_front();
        }
        let best = |since: i64| self.recent.iter().filter(|a| a.at >= since).map(|a| a.transit).min();
        let (overall, lately) = (best(i64::MIN).unwrap_or(transit), best(arrival - REBASE_SPAN).unwrap_or(transit));
        // A burst after a stall looks like a longer path, but arrives within a moment.
        let since = self.recent.iter().map(|a| a.at).find(|&at| at >= arrival - REBASE_SPAN);
        let steady = since.is_some_and(|since| arrival - since > REBASE_SPAN * 3 / 4);
        self.fastest = overall;
        if lately > overall + REBASE_BY && steady {
            self.recent.retain(|a| a.at >= arrival - REBASE_SPAN);
            self.fastest = lately;
            self.rare = Default::default();
        }
        self.scratch.clear();
        let (fastest, mut stalled) = (self.fastest, false);
        self.scratch.extend(self.recent.iter().map(|a| a.transit).filter(|transit| {
            let late_by = transit - fastest;
            stalled = late_by > HOPELESS || stalled && late_by > PROMPT;
            !stalled
        }));
        self.remember_rare(arrival, if stalled { 0 } else { transit - fastest }, age);
        let nth = (self.scratch.len().saturating_sub(1) as f64 * QUANTILE).round() as usize;
        if nth < self.scratch.len() {
            let (_, slow, rest) = self.scratch.select_nth_unstable(nth);
            let slow = *slow;
            self.spread = (slow - self.fastest).max(0);
            let nth = (rest.len() as f64 * (TAIL - QUANTILE) / (1.0 - QUANTILE)) as usize;
            self.tail = if nth < rest.len() { *rest.select_nth_unstable(nth).1 - slow } else { 0 };
        }
    }

    fn remember_rare(&mut self, arrival: i64, late_by: i64, age: i64) {
        let since = (arrival - self.learnt.replace(arrival).unwrap_or(arrival)).max(0);
        let fading = self.rare[0] * (-(since as f64) / RARE_MEMORY).exp();
        let counts = age > FIRST_WINDOW && late_by <= self.spread + MOST_RARE;
        self.rare.rotate_right(1);
        self.rare[0] = if counts { fading.max(late_by as f64) } else { fading };
    }
}

#[cfg(test)]
#[path = "arrival_tests.rs"]
mod tests;
