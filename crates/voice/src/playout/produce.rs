//! What is played next: a packet, its likeness out of another, a guess, or silence.

use super::arrival::MS;
use super::delay::FLUSH_BEYOND;
use super::stats::span;
use super::{Flow, Packet, Place, PlayedKind, PlayoutBuffer, SpeechDecoder, USUAL_FRAME, Unsettled};
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// 120 ms (RFC 6716 §2.1.4).
const LONGEST_PACKET: i64 = 120 * MS;
/// Concealment at a time.
const CHUNK: usize = FRAME_SAMPLES;
/// Concealment becomes silence between these lengths: what a voice may hold, and what would be a drone.
const FADE_FROM: usize = 100 * MS as usize;
const FADE_TO: usize = 160 * MS as usize;
/// Packets of a pause (Opus DTX) come at least every 400 ms.
const LONGEST_PAUSE: usize = 1000 * MS as usize;
/// An Opus packet of at most two bytes says "silence goes on" (RFC 7587 §3.1.3).
const PAUSE_BYTES: usize = 2;
/// Loss above which a packet more is held back, so that redundancy in the next can be used.
const LOSSY: f64 = 0.01;
/// …and for how long after the last such loss: at two in a hundred, several seconds may go by between them.
const LOSS_REMEMBERED: i64 = 10_000 * MS;

impl PlayoutBuffer {
    /// Adds some sound, whatever there is.
    pub(super) fn produce(&mut self, decoder: &mut dyn SpeechDecoder) {
        match self.flow {
            Flow::Idle { silent } => self.produce_idle(silent),
            Flow::Playing { owed, paused } => self.produce_playing(owed, paused, decoder),
        }
    }

    pub(super) fn produce_idle(&mut self, silent: usize) {
        let target = self.target();
        let due = self.packets.values().next().is_some_and(|first| self.delay_of(first.ts) >= target);
        if !due {
            self.sound.push_silence(CHUNK);
            self.flow = Flow::Idle { silent: silent.saturating_add(CHUNK) };
            return;
        }
        if self.packets.values().next().is_some_and(|first| self.delay_of(first.ts) > 2 * target + FLUSH_BEYOND) {
            self.drop_due_before(target);
        }
        if let (Some(next), Some((&seq, first))) = (self.next, self.packets.first_key_value()) {
            // Nothing lost and the timestamps left out about as much as we were silent: it was the sender's pause.
            let pause = seq == next.seq && first.ts - next.ts > silent as i64 / 2;
            self.settle(pause);
            if !pause {
                self.stats.packets_missing += seq.saturating_sub(next.seq).clamp(0, 1 << 16) as u64;
                self.count_concealed(silent, silent);
                self.stats.total_samples += silent as u64;
            }
        }
        self.sound.cut();
        self.join_first();
    }

    pub(super) fn produce_playing(&mut self, owed: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        let (Some(next), Some((&seq, first))) = (self.next, self.packets.first_key_value()) else {
            return self.produce_starved(owed, paused, decoder);
        };
        let (ts, payload) = (first.ts, first.payload.clone());
        let gap = ts - next.ts;
        // Nothing was lost, and the timestamps leave out what was invented: there was nothing to say.
        self.settle(seq == next.seq && owed > 0 && gap > owed as i64 / 2);
        // Sound that is missing for good, or was never sent. What was concealed in its place already counts; and what
        // is due in any case is not waited for.
        let filled = owed as i64 >= gap - MS || self.delay_of(ts) >= self.target();
        if seq == next.seq && (gap <= 0 || filled) {
            return self.decode_first(decoder);
        }
        if seq == next.seq {
            return self.produce_pause(gap, owed, paused, decoder);
        }
        let missing = seq - next.seq;
        if filled {
            self.miss(missing);
            self.next = Some(Place { seq, ts });
            self.flow = Flow::Playing { owed: 0, paused: 0 };
            return self.decode_first(decoder);
        }
        // Packets that follow each other hold equally much, as a rule.
        let each = gap / missing;
        if self.made_good(owed, each, next) {
            return;
        }
        if missing == 1 && owed == 0 && gap <= 2 * self.frame as i64 {
            let whole = (gap.clamp(1, LONGEST_PACKET) as usize).next_multiple_of(CHUNK / 4);
            let mut recovered = Vec::with_capacity(whole);
            if decoder.recover(&payload, whole, &mut recovered) && !recovered.is_empty() {
                self.miss(1);
                self.stats.fec_recovered += 1;
                self.sound.push(&recovered, PlayedKind::Recovered);
                self.next = Some(Place { seq, ts });
                return;
            }
        }
        let samples = ((each - owed as i64).clamp(1, USUAL_FRAME as i64) as usize).next_multiple_of(CHUNK / 4);
        self.conceal(samples, decoder);
        self.flow = Flow::Playing { owed: owed + samples, paused: 0 };
        self.made_good(owed + samples, each, next);
    }

    /// Where as much was invented as the first of the missing packets held, the stream moves on: the last of them can still
    /// be recovered from its successor.
    fn made_good(&mut self, owed: usize, each: i64, next: Place) -> bool {
        let whole = owed as i64 >= each - MS;
        if whole {
            self.miss(1);
            self.next = Some(Place { seq: next.seq + 1, ts: next.ts + each });
            self.flow = Flow::Playing { owed: (owed as i64 - each).max(0) as usize, paused: 0 };
        }
        whole
    }

    /// Nothing is there: the next packet is late or lost, the sender pauses, or the network stalls.
    pub(super) fn produce_starved(&mut self, owed: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        if self.pause_announced && paused < LONGEST_PAUSE {
            return self.comfort(CHUNK, paused, decoder);
        }
        if self.sound.invented() >= FADE_TO {
            self.flow = Flow::Idle { silent: CHUNK };
            return self.sound.push_silence(CHUNK);
        }
        let (invented, silent, begins) = self.invent(CHUNK, decoder);
        self.unsettled.samples += invented;
        self.unsettled.silent += silent;
        self.unsettled.events += u64::from(begins);
        self.flow = Flow::Playing { owed: owed + CHUNK, paused };
    }

    /// The next packet is here, but its time has not come: the sender was silent in between.
    pub(super) fn produce_pause(&mut self, gap: i64, owed: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        if owed > 0 {
            // What was concealed for want of this packet already covers a part of the pause.
            self.advance(owed);
            self.flow = Flow::Playing { owed: 0, paused };
            return;
        }
        let samples = (gap.clamp(1, CHUNK as i64) as usize).next_multiple_of(CHUNK / 4);
        self.comfort(samples, paused, decoder);
    }

    pub(super) fn comfort(&mut self, samples: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        let mut noise = Vec::with_capacity(samples);
        if !decoder.conceal(samples, &mut noise) {
            noise = vec![0.0; samples];
        }
        self.sound.push(&noise, PlayedKind::Comfort);
        // In a pause the delay can grow unheard.
        if self.delay() >= self.target() {
            self.advance(noise.len());
        }
        self.flow = Flow::Playing { owed: 0, paused: paused + samples };
    }

    pub(super) fn decode_first(&mut self, decoder: &mut dyn SpeechDecoder) {
        let Some((seq, packet)) = self.packets.pop_first() else { return };
        let mut decoded = Vec::with_capacity(self.frame);
        if self.next.is_some_and(|next| (next.seq, next.ts) == (seq, packet.ts)) {
            self.lengths |= length_bit(self.frame);
        }
        self.next = Some(Place { seq: seq + 1, ts: packet.ts });
        self.flow = Flow::Playing { owed: 0, paused: 0 };
        if !decoder.decode(&packet.payload, &mut decoded) || decoded.is_empty() {
            self.guard.be_wary();
            self.conceal(self.frame.min(USUAL_FRAME), decoder);
            self.advance(self.frame.min(USUAL_FRAME));
            return;
        }
        if !self.is_credible(seq, &packet, decoded.len()) {
            self.guard.be_wary();
        }
        let held = self.now() + self.sound.len() as f64 + decoded.len() as f64 / 2.0 - packet.arrival as f64;
        self.stats.jitter_buffer_delay += held.max(0.0) / f64::from(SAMPLE_RATE) * decoded.len() as f64;
        self.stats.jitter_buffer_emitted_count += decoded.len() as u64;
        self.frame = decoded.len();
        self.stats.target_delay_sum += span(self.target()).as_secs_f64() * decoded.len() as f64;
        self.stats.network_delay_sum += span(self.network_target()).as_secs_f64() * decoded.len() as f64;
        self.pause_announced = packet.payload.len() <= PAUSE_BYTES;
        if packet.copy {
            self.miss(1);
            self.stats.copies_used += 1;
        } else {
            self.loss -= self.loss / 128.0;
        }
        let kind = match (self.pause_announced, packet.copy) {
            (true, _) => PlayedKind::Comfort,
            (false, true) => PlayedKind::Recovered,
            (false, false) => PlayedKind::Speech,
        };
        self.sound.push(&decoded, kind);
        self.advance(decoded.len());
    }

    /// Whether a packet holds as much sound as its place says. Garbage that happens to be a packet seldom does.
    fn is_credible(&self, seq: i64, packet: &Packet, samples: usize) -> bool {
        match self.packets.get(&(seq + 1)) {
            // More than that may be a pause.
            Some(next) => next.ts - packet.ts == samples as i64 || packet.payload.len() <= PAUSE_BYTES,
            // What is next has not come: then lengths count that were right before, and those that voices are sent in.
            None => {
                let usual = length_bit(USUAL_FRAME) | length_bit(USUAL_FRAME / 2);
                (self.lengths | usual) & length_bit(samples) != 0
            }
        }
    }

    pub(super) fn conceal(&mut self, samples: usize, decoder: &mut dyn SpeechDecoder) {
        let (invented, silent, begins) = self.invent(samples, decoder);
        self.stats.concealment_events += u64::from(begins);
        self.count_concealed(invented, silent);
    }

    /// Adds what probably was said. Says how many samples, how many of them are silent, and whether it begins with them.
    fn invent(&mut self, samples: usize, decoder: &mut dyn SpeechDecoder) -> (usize, usize, bool) {
        let begins = self.sound.invented() == 0;
        let mut invented = Vec::with_capacity(samples);
        if self.sound.invented() >= FADE_TO || !decoder.conceal(samples, &mut invented) {
            invented = vec![0.0; samples];
        }
        let silent = self.sound.push_invented(&mut invented, FADE_FROM, FADE_TO);
        (invented.len(), silent, begins)
    }

    /// What was invented for want of packets counts as concealed, unless the sender paused.
    pub(super) fn settle(&mut self, paused: bool) {
        let Unsettled { samples, silent, events } = std::mem::take(&mut self.unsettled);
        if !paused {
            self.stats.concealment_events += events;
            self.count_concealed(samples, silent);
        }
    }

    pub(super) fn count_concealed(&mut self, samples: usize, silent: usize) {
        self.stats.concealed_samples += samples as u64;
        self.stats.silent_concealed_samples += silent as u64;
    }

    pub(super) fn advance(&mut self, samples: usize) {
        if let Some(next) = &mut self.next {
            next.ts += samples as i64;
        }
    }

    pub(super) fn miss(&mut self, packets: i64) {
        self.stats.packets_missing += packets as u64;
        self.loss += (1.0 - self.loss) / 128.0 * packets.min(3) as f64;
        if self.loss > LOSSY {
            self.lossy_until = self.now() as i64 + LOSS_REMEMBERED;
        }
    }
}

/// A bit for each length of 2.5 to 120 ms.
fn length_bit(samples: usize) -> u64 {
    1 << (samples * 400 / SAMPLE_RATE as usize).min(63)
}
