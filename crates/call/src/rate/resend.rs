//! What was sent lately, so that it can be sent again, and how much of that we let ourselves be asked for.
//!
//! Contains no I/O and reads no clock. Packets go out again in their own stream under their own numbers. That repeats
//! ciphertext, which AES in counter mode does not mind; in GCM the header, which differs, would give the key of its
//! authentication away (see `peer::setup`).

use super::round_trip::RoundTrip;
use rtc::rtp::Packet;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Packets kept: over two seconds at 5 Mb/s. A power of two, since numbers wrap.
const KEPT: usize = 1024;
/// What is older than this is of no use to the other side any more (which waits a second at most, after the packet's
/// way there).
const OLDEST: Duration = Duration::from_secs(2);
/// Of the target rate, this share may be spent on sending again…
const SHARE: f64 = 0.5;
/// …saved up for at most this long: an outage of a quarter of a second at full rate.
const SAVED_S: f64 = 0.5;
/// The least rate that the share is taken of, so that a narrow path can have a lost picture mended, too.
const LEAST_RATE: f64 = 200_000.0;

/// The newest packets of one stream.
#[derive(Debug)]
pub(crate) struct ResendHistory {
    kept: Vec<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    packet: Packet,
    /// When it left for the first time, and for the last.
    first: Instant,
    last: Option<Instant>,
}

impl ResendHistory {
    pub(crate) fn new() -> Self {
        Self { kept: std::iter::repeat_with(|| None).take(KEPT).collect() }
    }

    /// A packet leaves.
    pub(crate) fn sent(&mut self, now: Instant, packet: &Packet) {
        let place = usize::from(packet.header.sequence_number) % KEPT;
        self.kept[place] = Some(Kept { packet: packet.clone(), first: now, last: None });
    }

    /// The packet, if it is to be sent again: it is still there, not too old, not on its way already (the other side
    /// cannot know within a round trip that it was sent again), and the budget allows it.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        sequence: u16,
        path: &RoundTrip,
        budget: &mut ResendBudget,
    ) -> Option<Packet> {
        let kept = self.kept[usize::from(sequence) % KEPT].as_mut()?;
        // Both sides measure the trip on their own: a quarter is left for the difference.
        let trip = path.shortest().unwrap_or_default() * 3 / 4;
        let on_its_way = kept.last.is_some_and(|last| now.saturating_duration_since(last) < trip);
        let old = now.saturating_duration_since(kept.first) > OLDEST;
        if kept.packet.header.sequence_number != sequence || on_its_way || old {
            return None;
        }
        if !budget.spend(now, kept.packet.payload.len()) {
            return None;
        }
        kept.last = Some(now);
        Some(kept.packet.clone())
    }
}

/// How many bytes the other side can make us send again.
#[derive(Debug)]
pub(crate) struct ResendBudget {
    bytes: Option<f64>,
    counted: Option<Instant>,
    rate: f64,
    share: f64,
}

impl ResendBudget {
    pub(crate) fn new() -> Self {
        Self::of(SHARE)
    }

    /// A budget of another share of the target.
    pub(crate) fn of(share: f64) -> Self {
        Self { bytes: None, counted: None, rate: LEAST_RATE, share }
    }

    /// Follows the target rate.
    pub(crate) fn follow(&mut self, now: Instant, target: BitsPerSecond) {
        self.refill(now);
        self.rate = f64::from(target.0).max(LEAST_RATE);
    }

    fn refill(&mut self, now: Instant) {
        let since = self.counted.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        let full = self.rate * self.share * SAVED_S / 8.0;
        self.bytes = Some(self.bytes.map_or(full, |bytes| (bytes + self.rate * self.share / 8.0 * since).min(full)));
        self.counted = Some(now);
    }

    /// Whether there is room for so many bytes, which then are spent.
    pub(crate) fn spend(&mut self, now: Instant, bytes: usize) -> bool {
        self.refill(now);
        match &mut self.bytes {
            Some(left) if *left >= bytes as f64 => {
                *left -= bytes as f64;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, bytes: usize) -> Packet {
        let mut packet = Packet::default();
        packet.header.sequence_number = sequence;
        packet.payload = vec![0; bytes].into();
        packet
    }

    fn path(trip: u64) -> RoundTrip {
        let mut path = RoundTrip::default();
        path.sample(Duration::from_millis(trip));
        path
    }

    fn budget(now: Instant, kbps: u32) -> ResendBudget {
        let mut budget = ResendBudget::new();
        budget.follow(now, BitsPerSecond::kilo(kbps));
        budget
    }

    #[test]
    fn a_packet_is_sent_again_once_per_round_trip_however_often_it_is_asked_for() {
        let now = Instant::now();
        let (mut history, mut budget, path) = (ResendHistory::new(), budget(now, 2000), path(50));
        (0..10).for_each(|i| history.sent(now, &packet(i, 1000)));
        let at = |ms| now + Duration::from_millis(ms);
        let mut resent = |ms| history.asked(at(ms), 5, &path, &mut budget).is_some();
        assert_eq!([0, 1, 10, 30, 60, 61, 120].map(&mut resent), [true, false, false, false, true, false, true]);
    }

    #[test]
    fn what_was_never_sent_or_is_too_old_is_not_sent_again() {
        let now = Instant::now();
        let (mut history, mut budget, path) = (ResendHistory::new(), budget(now, 2000), path(50));
        history.sent(now, &packet(7, 1000));
        assert!(history.asked(now, 8, &path, &mut budget).is_none());
        assert!(history.asked(now, 7 + KEPT as u16, &path, &mut budget).is_none());
        assert!(history.asked(now + OLDEST * 2, 7, &path, &mut budget).is_none());
        history.sent(now, &packet(7 + KEPT as u16, 1000));
        assert!(history.asked(now, 7, &path, &mut budget).is_none(), "another packet has taken its place");
    }

    #[test]
    fn numbers_wrap() {
        let now = Instant::now();
        let (mut history, mut budget, path) = (ResendHistory::new(), budget(now, 2000), path(50));
        [65_534, 65_535, 0, 1].iter().for_each(|i| history.sent(now, &packet(*i, 10)));
        for sequence in [65_535, 0] {
            let again = history.asked(now, sequence, &path, &mut budget).expect("kept");
            assert_eq!(again.header.sequence_number, sequence);
        }
    }

    #[test]
    fn who_asks_for_everything_all_the_time_gets_half_the_rate() {
        let now = Instant::now();
        // The path seems short: nothing is held back as being on its way.
        let (mut history, mut budget, path) = (ResendHistory::new(), budget(now, 2000), path(1));
        let mut bytes = 0;
        for ms in 0..10_000u64 {
            let at = now + Duration::from_millis(ms);
            history.sent(at, &packet(ms as u16, 1000));
            let all = (0..200).map(|back| (ms as u16).wrapping_sub(back));
            bytes += all.filter(|s| history.asked(at, *s, &path, &mut budget).is_some()).count() * 1000;
        }
        let allowed = 2_000_000.0 / 8.0 * (10.0 * SHARE + SHARE * SAVED_S);
        assert!(bytes as f64 <= allowed && bytes as f64 > 0.9 * allowed, "{bytes} of {allowed}");
    }
}
