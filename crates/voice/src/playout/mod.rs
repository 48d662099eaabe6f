//! The playout buffer: packets in as the network brings them, 10 ms of sound out whenever asked.
//!
//! It knows no clock and no codec: it is told the time, and handed a [`SpeechDecoder`]. Sound is held back just long
//! enough that nearly all packets are in time, and what is missing is, in this order, recovered from redundancy,
//! concealed, or silence. The delay then follows the network: too much of it is taken back by leaving out single periods
//! of the voice, too little is made up by repeating some (module `stretch`); clock drift vanishes in the same way.
//!
//! Delay is measured against the fastest packet of the last ten seconds: a sample of timestamp `t` is played at
//! `t + fastest + delay`. That is exact at any moment, so no level needs smoothing.

mod arrival;
mod sound;
mod stats;
mod stretch;

pub use stats::PlayoutStats;

use arrival::{Arrivals, MS, Place, Verdict};
use bytes::Bytes;
use sound::Sound;
use stats::span;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};
use stretch::{MAX_LAG, MIN_LAG};
use visavis_media::{FRAME_SAMPLES, RtpTicks, SAMPLE_RATE};

/// What the buffer wants of a codec. Each appends 48 kHz mono samples to `out` and says whether it did.
pub trait SpeechDecoder {
    /// The sound of a packet; `false` where it is damaged.
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool;
    /// The `samples` that went missing before `next_packet`, from redundancy in it; `false` where it has none. Multiples
    /// of 2.5 ms, at most 120 ms.
    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool;
    /// `samples` of what probably was said: multiples of 2.5 ms, at most 20 ms.
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool;
}

/// What may differ between uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutSettings {
    /// Delay in a perfect network: what a tick of 10 ms and a packet of 20 ms need.
    pub min_delay: Duration,
    /// Delay beyond which late packets are rather given up.
    pub max_delay: Duration,
    /// Delay before the network is known.
    pub first_delay: Duration,
}

impl Default for PlayoutSettings {
    fn default() -> Self {
        Self {
            min_delay: Duration::from_millis(20),
            max_delay: Duration::from_millis(400),
            first_delay: Duration::from_millis(40),
        }
    }
}

/// Where the sound of a frame (for the most part) comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayedKind {
    /// Packets.
    Speech,
    /// Redundancy in a later packet.
    Recovered,
    /// Guesswork of the decoder.
    Concealed,
    /// The sender's pause: comfort noise.
    Comfort,
    /// Nothing: before the first packet, in a long gap.
    Silence,
}

/// 10 ms of sound.
#[derive(Clone, Debug)]
pub struct Played {
    /// The samples.
    pub samples: [f32; FRAME_SAMPLES],
    /// Timestamp of the first sample, for keeping lips in time; exact to 10 ms. `None` in silence.
    pub first_sample: Option<RtpTicks>,
    /// Where it comes from.
    pub kind: PlayedKind,
}

/// Packets kept at most: 2 s of 20 ms packets.
const MAX_PACKETS: usize = 100;
/// No Opus packet of 120 ms is larger (RFC 6716 §3.2.5: 48 frames of 1275 bytes, but those hold 2.5 ms each).
const MAX_PAYLOAD: usize = 8000;
/// What a tick of 10 ms can come too early, and a little for the reader's own jitter.
const MARGIN: i64 = 15 * MS;
/// A sender's frame until the first is decoded.
const USUAL_FRAME: usize = 20 * MS as usize;
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
/// Pulls between two stretches, so that a voice does not warble.
const COOL_DOWN: u32 = 4;
/// Sound further back than target × 2 + this is dropped: stretching would take too long.
const FLUSH_BEYOND: i64 = 200 * MS;
/// The reader's clock is trusted in the long run, not for one tick: it may be woken late.
const CLOCK_FOLLOW: f64 = 0.05;
const CLOCK_JUMP: f64 = 100.0 * MS as f64;
/// Loss above which a packet more is held back, so that redundancy in the next can be used.
const LOSSY: f64 = 0.01;
/// Loss below which that ends.
const NOT_LOSSY: f64 = 0.004;

#[derive(Debug)]
struct Packet {
    ts: i64,
    arrival: i64,
    payload: Bytes,
}

/// Whether sound flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Nothing to play: before the first packet, or this many samples after the sound faded out.
    Idle { silent: usize },
    /// Sound flows. `owed`: samples concealed for want of packets without moving on in the stream, because the packet may
    /// still come. `paused`: samples since the sender announced a pause.
    Playing { owed: usize, paused: usize },
}

/// Holds the packets of one stream and gives its sound. See the [module](self).
///
/// Nothing that packets carry makes it panic, wait, or hold more than 100 packets of 8 kB.
pub struct PlayoutBuffer {
    settings: PlayoutSettings,
    epoch: Option<Instant>,
    /// Samples from `epoch` to what is due now, once somebody has pulled.
    clock: Option<f64>,
    arrivals: Arrivals,
    packets: BTreeMap<i64, Packet>,
    /// What comes after the sound that is already decoded.
    next: Option<Place>,
    flow: Flow,
    sound: Sound,
    frame: usize,
    pause_announced: bool,
    extra_delay: i64,
    loss: f64,
    lossy: bool,
    cool_down: u32,
    shrinking: bool,
    stats: PlayoutStats,
}

impl PlayoutBuffer {
    /// Makes an empty buffer.
    pub fn new(settings: PlayoutSettings) -> Self {
        Self {
            settings,
            epoch: None,
            clock: None,
            arrivals: Arrivals::default(),
            packets: BTreeMap::new(),
            next: None,
            flow: Flow::Idle { silent: 0 },
            sound: Sound::default(),
            frame: USUAL_FRAME,
            pause_announced: false,
            extra_delay: 0,
            loss: 0.0,
            lossy: false,
            cool_down: 0,
            shrinking: false,
            stats: PlayoutStats::default(),
        }
    }

    /// Takes a packet, in any order, any number of times.
    pub fn push(&mut self, seq: u16, rtp: RtpTicks, arrival: Instant, payload: Bytes) {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD {
            self.stats.packets_discarded += 1;
            return;
        }
        let arrival = self.samples(arrival);
        let place = match self.arrivals.on_packet(seq, rtp.0, arrival) {
            Verdict::Belongs(place) => place,
            Verdict::Suspect => {
                self.stats.packets_discarded += 1;
                return;
            }
            Verdict::NewStream(place) => {
                self.begin_anew();
                place
            }
        };
        if self.next.is_some_and(|next| place.seq < next.seq) {
            self.stats.packets_late += 1;
            return;
        }
        match self.packets.entry(place.seq) {
            Entry::Vacant(free) => {
                free.insert(Packet { ts: place.ts, arrival, payload });
            }
            Entry::Occupied(_) => self.stats.packets_duplicate += 1,
        }
        if self.packets.len() > MAX_PACKETS {
            self.packets.pop_first();
            self.stats.packets_discarded += 1;
        }
    }

    /// The next 10 ms. To be called every 10 ms; never waits, takes as long as the decoder does.
    pub fn pull(&mut self, now: Instant, decoder: &mut dyn SpeechDecoder) -> Played {
        self.tick(now);
        self.flush_old();
        self.adapt(decoder);
        while self.sound.len() < FRAME_SAMPLES {
            self.produce(decoder);
        }
        let first = match self.flow {
            Flow::Idle { .. } => None,
            Flow::Playing { .. } => self.next.map(|next| RtpTicks((next.ts - self.sound.len() as i64) as u32)),
        };
        let (samples, kind) = self.sound.take();
        if let Flow::Playing { .. } = self.flow {
            self.stats.total_samples += FRAME_SAMPLES as u64;
        }
        Played { samples, first_sample: first, kind }
    }

    /// Another stream follows (another SSRC): forgets packets, delays and the sound so far. Counts go on.
    pub fn reset(&mut self) {
        self.arrivals = Arrivals::default();
        self.begin_anew();
    }

    /// Holds sound back at least this long, so that it keeps in time with the picture; up to 1 s.
    pub fn set_minimum_delay(&mut self, delay: Duration) {
        self.extra_delay = samples_of(delay.min(Duration::from_secs(1)));
    }

    /// Counts since construction, and delays at the last pull.
    pub fn stats(&self) -> PlayoutStats {
        // After a pull its 10 ms are gone, but its time is not up.
        let delay = if matches!(self.flow, Flow::Playing { .. }) { self.delay() + FRAME_SAMPLES as i64 } else { 0 };
        PlayoutStats { target_delay: span(self.target()), delay: span(delay), ..self.stats }
    }

    fn begin_anew(&mut self) {
        self.packets.clear();
        self.next = None;
        self.sound.cut();
        self.flow = Flow::Idle { silent: 0 };
        self.pause_announced = false;
        self.loss = 0.0;
    }

    /// Samples since the first moment that was heard of. Moments before it are negative.
    fn samples(&mut self, at: Instant) -> i64 {
        let epoch = *self.epoch.get_or_insert(at);
        match at.checked_duration_since(epoch) {
            Some(after) => samples_of(after),
            None => -samples_of(epoch.duration_since(at)),
        }
    }

    /// Moves the playout clock on by 10 ms, and a little towards what the caller says.
    fn tick(&mut self, now: Instant) {
        let now = self.samples(now) as f64;
        let due = self.clock.map_or(now, |clock| clock + FRAME_SAMPLES as f64);
        let error = now - due;
        self.clock = Some(if error.abs() > CLOCK_JUMP { now } else { due + error * CLOCK_FOLLOW });
        self.cool_down = self.cool_down.saturating_sub(1);
    }

    fn now(&self) -> f64 {
        self.clock.unwrap_or(0.0)
    }

    /// How long after the fastest packet's way the sample after the decoded sound will be played.
    fn delay(&self) -> i64 {
        self.next.map_or(0, |next| self.delay_of(next.ts))
    }

    fn delay_of(&self, ts: i64) -> i64 {
        self.now() as i64 + self.sound.len() as i64 - ts - self.arrivals.fastest()
    }

    fn target(&self) -> i64 {
        let settings = self.settings;
        let known = self.arrivals.experience() >= 25;
        let floor = if known { settings.min_delay } else { settings.first_delay };
        // Where packets get lost, the next one must be here in time to repair it.
        let repair = if self.lossy { self.frame as i64 } else { 0 };
        let wanted = self.arrivals.spread() + MARGIN + repair;
        wanted.clamp(samples_of(floor), samples_of(settings.max_delay).max(samples_of(floor))).max(self.extra_delay)
    }

    /// After a stall, what has become too old is left out at once.
    fn flush_old(&mut self) {
        let (target, Flow::Playing { .. }) = (self.target(), self.flow) else { return };
        let newer = self.packets.values().nth(1).is_some_and(|second| self.delay_of(second.ts) >= target);
        if newer && self.delay() > 2 * target + FLUSH_BEYOND {
            self.sound.cut();
            self.drop_due_before(target);
            self.join_first();
        }
    }

    /// Drops packets whose successor should already be playing at a delay of `target`.
    fn drop_due_before(&mut self, target: i64) {
        while let Some(second) = self.packets.values().nth(1).map(|p| p.ts) {
            if self.delay_of(second) < target {
                break;
            }
            self.packets.pop_first();
            self.stats.packets_discarded += 1;
        }
    }

    /// Goes on with the first packet there is.
    fn join_first(&mut self) {
        if let Some((&seq, packet)) = self.packets.first_key_value() {
            self.next = Some(Place { seq, ts: packet.ts });
            self.flow = Flow::Playing { owed: 0, paused: 0 };
            self.pause_announced = false;
        }
    }

    /// Brings the delay nearer to its target by a period of the voice, where that is due.
    fn adapt(&mut self, decoder: &mut dyn SpeechDecoder) {
        let Flow::Playing { owed: 0, .. } = self.flow else { return };
        if self.cool_down > 0 || self.sound.kind() == PlayedKind::Comfort {
            return;
        }
        let (delay, target) = (self.delay(), self.target());
        // Once begun, it goes on until the target is nearly met.
        let tolerated = if self.shrinking { 2 * MS } else { (target * 15 / 100).max(8 * MS) };
        self.shrinking = delay > target + tolerated;
        if self.shrinking {
            // Not below what is in hand: when all packets are late, leaving out sound would only make a hole.
            let most = (delay - target).min(self.in_hand() - target).min(MAX_LAG as i64);
            if most < MIN_LAG as i64 {
                return;
            }
            self.decode_ahead(2 * MAX_LAG, decoder);
            if let Some(removed) = self.sound.shorten(most as usize) {
                self.stats.removed_samples += removed as u64;
                self.cool_down = if delay > 2 * target { COOL_DOWN / 2 } else { COOL_DOWN };
            }
        } else if delay < target - (target / 5).max(5 * MS) {
            self.decode_ahead(MAX_LAG, decoder);
            let most = (target - delay).clamp(MIN_LAG as i64, MAX_LAG as i64) as usize;
            if let Some(inserted) = self.sound.lengthen(most) {
                self.stats.inserted_samples += inserted as u64;
                self.cool_down = COOL_DOWN;
            }
        }
    }

    /// Sound that is here without a gap, decoded or not.
    fn in_hand(&self) -> i64 {
        let Some(next) = self.next else { return 0 };
        let packets = (next.seq..).take_while(|seq| self.packets.contains_key(seq)).count();
        (self.sound.len() + packets * self.frame) as i64
    }

    /// Decodes what follows without a gap until `wanted` samples lie ready.
    fn decode_ahead(&mut self, wanted: usize, decoder: &mut dyn SpeechDecoder) {
        while self.sound.len() < wanted {
            let follows = |next: Place| self.packets.get(&next.seq).is_some_and(|packet| packet.ts - next.ts <= MS);
            if !self.next.is_some_and(follows) {
                return;
            }
            self.produce(decoder);
        }
    }

    /// Adds some sound, whatever there is.
    fn produce(&mut self, decoder: &mut dyn SpeechDecoder) {
        match self.flow {
            Flow::Idle { silent } => self.produce_idle(silent),
            Flow::Playing { owed, paused } => self.produce_playing(owed, paused, decoder),
        }
    }

    fn produce_idle(&mut self, silent: usize) {
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
            if !pause {
                self.stats.packets_missing += seq.saturating_sub(next.seq).clamp(0, 1 << 16) as u64;
                self.count_concealed(silent, silent);
                self.stats.total_samples += silent as u64;
            }
        }
        self.sound.cut();
        self.join_first();
    }

    fn produce_playing(&mut self, owed: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        let (Some(next), Some((&seq, first))) = (self.next, self.packets.first_key_value()) else {
            return self.produce_starved(owed, paused, decoder);
        };
        let (ts, payload) = (first.ts, first.payload.clone());
        let gap = ts - next.ts;
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
        let samples = if missing == 1 { gap - owed as i64 } else { (self.frame as i64).min(gap) };
        let samples = (samples.clamp(1, 2 * USUAL_FRAME as i64) as usize).next_multiple_of(CHUNK / 4);
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
        let samples = samples.min(USUAL_FRAME);
        self.conceal(samples, decoder);
        // What is owed is paid off first; then the stream moves on.
        let place = self.next.unwrap_or(next);
        let last = missing == 1 && (owed + samples) as i64 >= gap - MS;
        if last {
            self.miss(1);
            self.next = Some(Place { seq, ts: place.ts + gap });
            self.flow = Flow::Playing { owed: 0, paused: 0 };
        } else if missing > 1 {
            self.miss(1);
            self.next = Some(Place { seq: place.seq + 1, ts: place.ts + (samples + owed) as i64 });
            self.flow = Flow::Playing { owed: 0, paused: 0 };
        } else {
            self.flow = Flow::Playing { owed: owed + samples, paused: 0 };
        }
    }

    /// Nothing is there: the next packet is late or lost, the sender pauses, or the network stalls.
    fn produce_starved(&mut self, owed: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        if self.pause_announced && paused < LONGEST_PAUSE {
            return self.comfort(CHUNK, paused, decoder);
        }
        if self.sound.invented() >= FADE_TO {
            self.flow = Flow::Idle { silent: CHUNK };
            return self.sound.push_silence(CHUNK);
        }
        self.conceal(CHUNK, decoder);
        self.flow = Flow::Playing { owed: owed + CHUNK, paused };
    }

    /// The next packet is here, but its time has not come: the sender was silent in between.
    fn produce_pause(&mut self, gap: i64, owed: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
        if owed > 0 {
            // What was concealed for want of this packet already covers a part of the pause.
            self.advance(owed);
            self.flow = Flow::Playing { owed: 0, paused };
            return;
        }
        let samples = (gap.clamp(1, CHUNK as i64) as usize).next_multiple_of(CHUNK / 4);
        self.comfort(samples, paused, decoder);
    }

    fn comfort(&mut self, samples: usize, paused: usize, decoder: &mut dyn SpeechDecoder) {
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

    fn decode_first(&mut self, decoder: &mut dyn SpeechDecoder) {
        let Some((seq, packet)) = self.packets.pop_first() else { return };
        let mut decoded = Vec::with_capacity(self.frame);
        self.next = Some(Place { seq: seq + 1, ts: packet.ts });
        self.flow = Flow::Playing { owed: 0, paused: 0 };
        if !decoder.decode(&packet.payload, &mut decoded) || decoded.is_empty() {
            self.conceal(self.frame.min(USUAL_FRAME), decoder);
            self.advance(self.frame.min(USUAL_FRAME));
            return;
        }
        let held = self.now() + self.sound.len() as f64 + decoded.len() as f64 / 2.0 - packet.arrival as f64;
        self.stats.jitter_buffer_delay += held.max(0.0) / f64::from(SAMPLE_RATE) * decoded.len() as f64;
        self.stats.jitter_buffer_emitted_count += decoded.len() as u64;
        self.frame = decoded.len();
        self.pause_announced = packet.payload.len() <= PAUSE_BYTES;
        self.loss -= self.loss / 128.0;
        self.lossy &= self.loss > NOT_LOSSY;
        let kind = if self.pause_announced { PlayedKind::Comfort } else { PlayedKind::Speech };
        self.sound.push(&decoded, kind);
        self.advance(decoded.len());
    }

    fn conceal(&mut self, samples: usize, decoder: &mut dyn SpeechDecoder) {
        if self.sound.invented() == 0 {
            self.stats.concealment_events += 1;
        }
        let mut invented = Vec::with_capacity(samples);
        if self.sound.invented() >= FADE_TO || !decoder.conceal(samples, &mut invented) {
            invented = vec![0.0; samples];
        }
        let silent = self.sound.push_invented(&mut invented, FADE_FROM, FADE_TO);
        self.count_concealed(invented.len(), silent);
    }

    fn count_concealed(&mut self, samples: usize, silent: usize) {
        self.stats.concealed_samples += samples as u64;
        self.stats.silent_concealed_samples += silent as u64;
    }

    fn advance(&mut self, samples: usize) {
        if let Some(next) = &mut self.next {
            next.ts += samples as i64;
        }
    }

    fn miss(&mut self, packets: i64) {
        self.stats.packets_missing += packets as u64;
        self.loss += (1.0 - self.loss) / 128.0 * packets.min(3) as f64;
        self.lossy |= self.loss > LOSSY;
    }
}

fn samples_of(span: Duration) -> i64 {
    // 10⁹ s fit; nobody waits longer.
    (span.as_secs_f64() * f64::from(SAMPLE_RATE)) as i64
}
