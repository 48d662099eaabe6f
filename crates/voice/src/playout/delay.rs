//! How long sound is held back, and bringing that about.

use super::arrival::MS;
use super::stretch::{MAX_LAG, MIN_LAG};
use super::{Flow, Place, PlayedKind, PlayoutBuffer, SpeechDecoder, samples_of};
use visavis_media::FRAME_SAMPLES;

/// Beyond what is known of jitter: a thread that is woken late.
const MARGIN: i64 = 3 * MS;
/// The slowest packets get so much more; what is slower still is not worth a delay of all.
const MOST_FOR_TAIL: i64 = 12 * MS;
/// Less than this is not worth a stretch.
const LEAST_SPARE: i64 = 3 * MS;
/// Pulls between two stretches, so that a voice does not warble.
const COOL_DOWN: u32 = 4;
/// Sound further back than target × 2 + this is dropped: stretching would take too long.
pub(super) const FLUSH_BEYOND: i64 = 200 * MS;

impl PlayoutBuffer {
    /// How long after the fastest packet's way the sample after the decoded sound will be played.
    pub(super) fn delay(&self) -> i64 {
        self.next.map_or(0, |next| self.delay_of(next.ts))
    }

    pub(super) fn delay_of(&self, ts: i64) -> i64 {
        self.now() as i64 + self.sound.len() as i64 - ts - self.arrivals.fastest()
    }

    pub(super) fn target(&self) -> i64 {
        self.network_target().max(self.extra_delay)
    }

    /// What the network asks for.
    pub(super) fn network_target(&self) -> i64 {
        let settings = self.settings;
        let known = self.arrivals.experience() >= 25;
        let floor = if known { settings.min_delay } else { settings.first_delay };
        // Where packets get lost, what repairs them must be here in time: the next packet, or the one with the copy.
        let copies = self.reach.filter(|(_, until)| (self.now() as i64) < *until).map_or(0, |(reach, _)| reach);
        let lossy = (self.now() as i64) < self.lossy_until;
        let repair = if lossy { self.frame as i64 } else { 0 }.max(copies);
        let slowest = self.arrivals.tail().min(MOST_FOR_TAIL).max(self.arrivals.rare());
        let margin = MARGIN + self.early as i64 + slowest;
        let wanted = self.arrivals.spread() + margin + repair + self.longer();
        wanted.clamp(samples_of(floor), samples_of(settings.max_delay).max(samples_of(floor)))
    }

    /// How much later packets will come when they hold as much as was announced.
    fn longer(&self) -> i64 {
        let expected = self.expected.filter(|(_, until)| (self.now() as i64) < *until).map_or(0, |(length, _)| length);
        let length = self.arrivals.length().unwrap_or(self.frame as i64);
        if expected > 0 { (expected - length).max(0) } else { 0 }
    }

    /// After a stall, what has become too old is left out at once.
    pub(super) fn flush_old(&mut self) {
        let (target, Flow::Playing { .. }) = (self.target(), self.flow) else { return };
        let newer = self.packets.values().nth(1).is_some_and(|second| self.delay_of(second.ts) >= target);
        if newer && self.delay() > 2 * target + FLUSH_BEYOND {
            self.sound.cut();
            self.drop_due_before(target);
            self.join_first();
        }
    }

    /// Drops packets whose successor should already be playing at a delay of `target`.
    pub(super) fn drop_due_before(&mut self, target: i64) {
        while let Some(second) = self.packets.values().nth(1).map(|p| p.ts) {
            if self.delay_of(second) < target {
                break;
            }
            self.packets.pop_first();
            self.stats.packets_discarded += 1;
        }
    }

    /// Goes on with the first packet there is.
    pub(super) fn join_first(&mut self) {
        if let Some((&seq, packet)) = self.packets.first_key_value() {
            self.next = Some(Place { seq, ts: packet.ts });
            self.flow = Flow::Playing { owed: 0, paused: 0 };
            self.pause_announced = false;
        }
    }

    /// Brings the delay nearer to its target by a period of the voice, where that is due.
    pub(super) fn adapt(&mut self, decoder: &mut dyn SpeechDecoder) {
        let Flow::Playing { owed: 0, .. } = self.flow else { return };
        if self.cool_down > 0 || self.sound.kind() == PlayedKind::Comfort {
            return;
        }
        let (delay, target) = (self.delay(), self.target());
        // Ten milliseconds are taken at a time, and what is played in their midst must be here at their beginning. So it
        // is the slack that must not fall below the target, and it changes by ten milliseconds at a time.
        let grain = (self.sound.len() % FRAME_SAMPLES) as i64;
        let slack = delay - grain;
        // Once begun, it goes on until the target is nearly met.
        let tolerated = if self.shrinking { MS } else { (target * 15 / 100).max(3 * MS) };
        let spare = (slack - target - tolerated).max(0) / FRAME_SAMPLES as i64 * FRAME_SAMPLES as i64 + grain;
        self.shrinking = slack >= target && spare >= if self.shrinking { MIN_LAG as i64 } else { LEAST_SPARE };
        if self.shrinking {
            // Not below what is in hand: when all packets are late, leaving out sound would only make a hole.
            let most = spare.min(self.in_hand() - target).min(MAX_LAG as i64);
            if most < MIN_LAG as i64 {
                return;
            }
            self.decode_ahead(2 * MAX_LAG, decoder);
            if let Some(removed) = self.sound.shorten(most as usize) {
                self.stats.removed_samples += removed as u64;
                self.cool_down = if delay > 2 * target { COOL_DOWN / 2 } else { COOL_DOWN };
            }
        } else if slack < target - (target / 10).max(MS) {
            self.decode_ahead(MAX_LAG, decoder);
            let most = (target - slack).max(FRAME_SAMPLES as i64 - grain).clamp(MIN_LAG as i64, MAX_LAG as i64);
            if let Some(inserted) = self.sound.lengthen(most as usize) {
                self.stats.inserted_samples += inserted as u64;
                self.cool_down = COOL_DOWN;
            }
        }
    }

    /// Sound that is here without a gap, decoded or not.
    pub(super) fn in_hand(&self) -> i64 {
        let Some(next) = self.next else { return 0 };
        let packets = (next.seq..).take_while(|seq| self.packets.contains_key(seq)).count();
        (self.sound.len() + packets * self.frame) as i64
    }

    /// Decodes what follows without a gap until `wanted` samples lie ready.
    pub(super) fn decode_ahead(&mut self, wanted: usize, decoder: &mut dyn SpeechDecoder) {
        while self.sound.len() < wanted {
            let follows = |next: Place| self.packets.get(&next.seq).is_some_and(|packet| packet.ts - next.ts <= MS);
            if !self.next.is_some_and(follows) {
                return;
            }
            self.produce(decoder);
        }
    }
}
