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
mod delay;
mod guard;
mod produce;
mod sound;
mod stats;
mod stretch;

pub use stats::PlayoutStats;

use arrival::{Arrivals, MS, Place, Verdict};
use bytes::Bytes;
use guard::Guard;
use sound::Sound;
use stats::span;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};
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
    /// Delay in a perfect network. What a reader needs who does not come on time is added.
    pub min_delay: Duration,
    /// Delay beyond which late packets are rather given up.
    pub max_delay: Duration,
    /// Delay before the network is known.
    pub first_delay: Duration,
}

impl Default for PlayoutSettings {
    fn default() -> Self {
        Self {
            min_delay: Duration::from_millis(3),
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

/// Packets kept at most: 2 s of 10 ms packets.
const MAX_PACKETS: usize = 200;
/// 120 ms at 500 kb/s: far above any speech; what is larger is no sound of a call.
const MAX_PAYLOAD: usize = 8000;
/// 120 ms (RFC 6716 §2.1.4).
const MAX_FRAME: usize = 120 * MS as usize;
/// A sender's frame until the first is decoded.
const USUAL_FRAME: usize = 20 * MS as usize;
/// The reader's clock is trusted in the long run, not for one tick: it may be woken late.
const CLOCK_FOLLOW: f64 = 0.05;
const CLOCK_JUMP: f64 = 100.0 * MS as f64;
/// Copies of older sound than this are not waited for.
const LONGEST_REACH: i64 = 200 * MS;
/// How far copies reach counts this long after one came from there.
const REACH_REMEMBERED: i64 = 2000 * MS;
/// Longer packets that were announced come within this time, or not at all.
const ANNOUNCED_FOR: i64 = 1000 * MS;
/// How early it comes at worst is forgotten within about so many pulls (3 s); and earlier than this it does not come.
const EARLY_MEMORY: f64 = 300.0;
const MOST_EARLY: f64 = 20.0 * MS as f64;

#[derive(Debug)]
struct Packet {
    ts: i64,
    arrival: i64,
    payload: Bytes,
    /// It came with a later packet.
    copy: bool,
}

/// Sound invented for want of packets, as long as it may still turn out that the sender paused.
#[derive(Clone, Copy, Debug, Default)]
struct Unsettled {
    samples: usize,
    silent: usize,
    events: u64,
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
/// Nothing that packets carry makes it panic, wait, or hold more than 200 packets of 8 kB.
pub struct PlayoutBuffer {
    settings: PlayoutSettings,
    epoch: Option<Instant>,
    /// Samples from `epoch` to what is due now, once somebody has pulled.
    clock: Option<f64>,
    arrivals: Arrivals,
    packets: BTreeMap<i64, Packet>,
    /// Lengths of packets that the next one's place agreed with, a bit each.
    lengths: u64,
    /// What comes after the sound that is already decoded.
    next: Option<Place>,
    flow: Flow,
    sound: Sound,
    guard: Guard,
    frame: usize,
    pause_announced: bool,
    extra_delay: i64,
    loss: f64,
    /// Until when the next packet is waited for, since it may repair the one before.
    lossy_until: i64,
    /// How far back copies reach that came of late, and until when that counts.
    reach: Option<(i64, i64)>,
    /// How much packets will soon hold, and until when that is believed.
    expected: Option<(i64, i64)>,
    /// How early the reader comes at worst, in samples.
    early: f64,
    unsettled: Unsettled,
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
            lengths: 0,
            next: None,
            flow: Flow::Idle { silent: 0 },
            sound: Sound::default(),
            guard: Guard::default(),
            frame: USUAL_FRAME,
            pause_announced: false,
            extra_delay: 0,
            loss: 0.0,
            lossy_until: i64::MIN,
            reach: None,
            expected: None,
            early: 0.0,
            unsettled: Unsettled::default(),
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
        let packet = Packet { ts: place.ts, arrival, payload, copy: false };
        match self.packets.entry(place.seq) {
            Entry::Vacant(free) => {
                free.insert(packet);
            }
            Entry::Occupied(mut there) if there.get().copy => {
                there.insert(packet);
            }
            Entry::Occupied(_) => self.stats.packets_duplicate += 1,
        }
        self.bound();
    }

    /// Takes a copy of a packet, which travelled with a later one (RFC 2198) that was pushed before. It fills a gap, but
    /// says nothing about how long packets take; and as long as copies come, sound is held back so that they are of use.
    pub fn push_copy(&mut self, seq: u16, rtp: RtpTicks, arrival: Instant, payload: Bytes) {
        let arrival = self.samples(arrival);
        let Some((place, back)) = self.arrivals.place_of_copy(seq, rtp.0) else { return };
        if payload.is_empty() || payload.len() > MAX_PAYLOAD || back > LONGEST_REACH {
            self.stats.packets_discarded += 1;
            return;
        }
        let known = self.reach.filter(|(_, until)| arrival < *until).map_or(0, |(reach, _)| reach);
        if back >= known {
            self.reach = Some((back, arrival + REACH_REMEMBERED));
        }
        let played = self.next.is_some_and(|next| place.seq < next.seq);
        if played || self.packets.contains_key(&place.seq) || self.packets.len() >= MAX_PACKETS {
            self.stats.copies_discarded += 1;
            return;
        }
        self.packets.insert(place.seq, Packet { ts: place.ts, arrival, payload, copy: true });
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
        let (mut samples, kind) = self.sound.take();
        self.guard.pass(&mut samples);
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

    /// The sender says that its packets will soon hold `samples`. Longer ones leave later, so until they come (a second at
    /// most) sound is stretched by as much, or the first would be too late.
    pub fn expect_length(&mut self, samples: usize, now: Instant) {
        let until = self.samples(now).saturating_add(ANNOUNCED_FOR);
        self.expected = Some((samples.min(MAX_FRAME) as i64, until));
    }

    /// Counts since construction, and delays at the last pull.
    pub fn stats(&self) -> PlayoutStats {
        // After a pull its 10 ms are gone, but its time is not up.
        let delay = if matches!(self.flow, Flow::Playing { .. }) { self.delay() + FRAME_SAMPLES as i64 } else { 0 };
        let (target_delay, network_delay) = (span(self.target()), span(self.network_target()));
        PlayoutStats { target_delay, network_delay, delay: span(delay), ..self.stats }
    }

    fn bound(&mut self) {
        if self.packets.len() > MAX_PACKETS {
            self.packets.pop_first();
            self.stats.packets_discarded += 1;
        }
    }

    fn begin_anew(&mut self) {
        self.settle(false);
        self.packets.clear();
        self.next = None;
        self.sound.cut();
        self.flow = Flow::Idle { silent: 0 };
        self.pause_announced = false;
        self.loss = 0.0;
        self.reach = None;
        self.expected = None;
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
        let clock = if error.abs() > CLOCK_JUMP { now } else { due + error * CLOCK_FOLLOW };
        self.clock = Some(clock);
        self.early = (self.early - self.early / EARLY_MEMORY).max(clock - now).min(MOST_EARLY);
        self.cool_down = self.cool_down.saturating_sub(1);
    }

    fn now(&self) -> f64 {
        self.clock.unwrap_or(0.0)
    }
}

fn samples_of(span: Duration) -> i64 {
    // 10⁹ s fit; nobody waits longer.
    (span.as_secs_f64() * f64::from(SAMPLE_RATE)) as i64
}
