//! A call in emulated time, for the tests: an encoder that follows the target, padder, pacer and estimator as the
//! connection has them, a path with a queue, and a clock moved by hand.

use super::{AudioFirstPacer, Estimator, Padder, SharedTarget};
use crate::interceptor::By;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtc::interceptor::{
    AttributedPacket, BandwidthEstimator, Interceptor, Packet, PacketReport, StreamInfo, TaggedPacket,
};
use rtc::sansio::Protocol;
use rtc::shared::marshal::MarshalSize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

const STEP: f64 = 0.001;
const PICTURE: f64 = 1.0 / 30.0;
const SOUND: f64 = 0.02;
const FEEDBACK: f64 = 0.05;
const VIDEO: u32 = 1;
const AUDIO: u32 = 2;

/// Bytes of a call's first picture, and of those after it until the path has been tried.
const FIRST: f64 = 4_500.0;
const SMALL: f64 = 900.0;

/// Bytes of the keyframe that comes then, of the size that this rate suffices for.
fn keyframe(rate: f64) -> f64 {
    if rate >= 600e3 { 16_000.0 } else { FIRST.max(0.025 * rate) }
}

/// A path. Everything may be changed while a call runs.
pub(super) struct Link {
    /// Bits per second that the queue is served at.
    pub rate: f64,
    /// Longest queue, in seconds; what finds it full is dropped.
    pub longest: f64,
    /// One way, without the queue.
    pub delay: f64,
    /// More or less delay, drawn anew every 20 ms; the order is kept.
    pub jitter: f64,
    pub loss: f64,
    /// Lost in bursts: share, and mean length.
    pub bursts: Option<(f64, f64)>,
    /// Bits per second of somebody else's traffic.
    pub others: f64,
    /// The way back has the same queue: a call of two who send the same.
    pub symmetric: bool,
    busy_until: f64,
    last_arrival: f64,
    drawn: (f64, f64),
    in_burst: bool,
}

/// See the module's text.
pub(super) struct Call {
    pub link: Link,
    /// Most that the encoder makes, whatever the target: a still picture.
    pub limited: f64,
    /// No pictures at all.
    pub sound_only: bool,
    /// How much pictures differ in size.
    pub variation: f64,
    /// How much more the encoder makes than it should.
    pub overshoot: f64,
    pub clock: f64,
    pub shared: SharedTarget,
    pub estimator: Estimator,
    pub random: StdRng,
    padder: By<Padder>,
    pacer: By<AudioFirstPacer>,
    epoch: Instant,
    next: [f64; 3],
    sequence: u16,
    keyframes: u32,
    id: u64,
    /// The picture that is on its way to the pacer, by its first number: when it was captured.
    under_way: VecDeque<PacketReport>,
    messages: VecDeque<(f64, Vec<PacketReport>)>,
    captured: VecDeque<(u32, f64, usize)>,
    /// Time, target and queue, each millisecond's end where one of them changed by feedback.
    pub history: Vec<(f64, f64, f64)>,
    /// Time and bits of each packet that left, and whether it was a probe's.
    pub left: Vec<(f64, f64, bool)>,
    /// Time of capture and time until the last packet came, of each whole picture.
    pub latencies: Vec<(f64, f64)>,
    pub skipped: usize,
    pub probes: usize,
}

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s.max(0.0))
}

impl Call {
    /// A call of at most `max` kb/s over a path of `rate` bits per second, 25 ms, and a queue of a second.
    pub(super) fn new(max: u32, rate: f64) -> Self {
        let start = BitsPerSecond::kilo(1000.min(max));
        let shared = SharedTarget::new(start);
        let estimator = Estimator::new(start, BitsPerSecond::kilo(40), BitsPerSecond::kilo(max), shared.clone());
        let mut padder = By::new(Padder::new(shared.clone()));
        let mut pacer = By::new(AudioFirstPacer::new(shared.clone()));
        let video = StreamInfo { ssrc: VIDEO, mime_type: "video/H264".into(), ..Default::default() };
        padder.bind_local_stream(&video);
        pacer.bind_local_stream(&video);
        let link = Link {
            rate,
            longest: 1.0,
            delay: 0.025,
            jitter: 0.0,
            loss: 0.0,
            bursts: None,
            others: 0.0,
            symmetric: false,
            busy_until: 0.0,
            last_arrival: 0.0,
            drawn: (-1.0, 0.0),
            in_burst: false,
        };
        Self {
            link,
            limited: f64::INFINITY,
            sound_only: false,
            variation: 0.4,
            overshoot: 1.0,
            clock: 0.0,
            shared,
            estimator,
            random: StdRng::seed_from_u64(7),
            padder,
            pacer,
            epoch: Instant::now(),
            next: [0.0, 0.0, FEEDBACK],
            sequence: 65_000,
            keyframes: 0,
            id: 0,
            under_way: VecDeque::new(),
            messages: VecDeque::new(),
            captured: VecDeque::new(),
            history: Vec::new(),
            left: Vec::new(),
            latencies: Vec::new(),
            skipped: 0,
            probes: 0,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.epoch + seconds(self.clock)
    }

    /// How long what is sent now waits.
    pub(super) fn queue(&self) -> f64 {
        (self.link.busy_until - self.clock).max(0.0)
    }

    fn rtp(&mut self, ssrc: u32, timestamp: u32, marker: bool, bytes: usize) -> TaggedPacket {
        let mut rtp = rtc::rtp::Packet::default();
        (rtp.header.ssrc, rtp.header.timestamp, rtp.header.marker) = (ssrc, timestamp, marker);
        rtp.header.sequence_number = self.sequence;
        rtp.payload = vec![0x41; bytes].into();
        TaggedPacket {
            now: self.now(),
            transport: Default::default(),
            message: AttributedPacket::new(Packet::Rtp(rtp)),
        }
    }

    fn write(&mut self, packet: TaggedPacket) {
        self.padder.handle_write(packet).expect("taken");
        while let Some(packet) = self.padder.poll_write() {
            self.pacer.handle_write(packet).expect("taken");
        }
    }

    /// Sends a picture of so many bytes, whatever the target says.
    pub(super) fn picture(&mut self, bytes: f64) {
        let count = (bytes / 1160.0).ceil().max(1.0) as usize;
        let ticks = (self.clock * 90_000.0) as u32;
        self.captured.push_back((ticks, self.clock, count));
        for i in 0..count {
            let size = if i + 1 == count { (bytes - 1160.0 * i as f64).max(20.0) as usize } else { 1160 };
            let packet = self.rtp(VIDEO, ticks, i + 1 == count, size);
            self.sequence = self.sequence.wrapping_add(1);
            self.write(packet);
        }
    }

    fn encode(&mut self) {
        if self.sound_only {
            return;
        }
        if self.id > 0 && self.shared.backlog() > seconds(PICTURE) {
            self.skipped += 1;
            return;
        }
        let wanted = f64::from(self.shared.get().0.saturating_sub(self.shared.beside().0)).max(20_000.0) / 1.06;
        let size = (1.0 + self.variation * self.random.random_range(-1.0..1.0)) * self.overshoot;
        let bytes = wanted.min(self.limited) * PICTURE / 8.0 * size;
        let tried = self.shared.tried() || self.clock > 0.5;
        let bytes = match self.keyframes {
            0 => FIRST,
            1 if tried => keyframe(wanted),
            1 => bytes.min(SMALL),
            _ => bytes,
        };
        self.keyframes += u32::from(self.keyframes == 0 || self.keyframes == 1 && tried);
        self.picture(bytes);
    }

    fn carry(&mut self, packet: &TaggedPacket) {
        let Packet::Rtp(rtp) = &packet.message.packet else { return };
        let (size, probe) = (rtp.marshal_size() + 8, rtp.payload.first() == Some(&12));
        let bits = (size + 38) as f64 * 8.0;
        self.left.push((self.clock, bits, probe));
        self.probes += usize::from(probe && rtp.header.marker);
        let (link, at) = (&mut self.link, self.clock);
        let queue = (link.busy_until - at).max(0.0);
        link.in_burst = match link.bursts {
            Some((share, length)) if !link.in_burst => self.random.random_bool(share / (1.0 - share) / length),
            Some((_, length)) => !self.random.random_bool(1.0 / length),
            None => false,
        };
        let lost = queue > link.longest || link.in_burst || self.random.random_bool(link.loss);
        if queue <= link.longest {
            link.busy_until = at + queue + bits / link.rate;
        }
        if link.drawn.0 + 0.02 <= at {
            link.drawn = (at, link.jitter * self.random.random_range(-1.0..1.0f64));
        }
        let arrival = (link.busy_until.max(at) + link.delay + link.drawn.1).max(link.last_arrival);
        link.last_arrival = arrival;
        if !lost
            && rtp.header.ssrc == VIDEO
            && !probe
            && let Some(picture) = self.captured.iter_mut().find(|p| p.0 == rtp.header.timestamp)
        {
            picture.2 -= 1;
            if picture.2 == 0 {
                self.latencies.push((picture.1, arrival - picture.1));
            }
        }
        if self.captured.len() > 100 {
            self.captured.pop_front();
        }
        self.under_way.push_back(PacketReport {
            ssrc: rtp.header.ssrc,
            id: self.id,
            rtp_sequence_number: rtp.header.sequence_number,
            is_twcc: true,
            twcc_sequence_number: self.id as u16,
            size,
            arrived: !lost,
            departure: packet.now,
            // In steps of 250 µs, by a clock of its own.
            arrival: (!lost).then(|| seconds((arrival * 4000.0).floor() / 4000.0 + 1000.0)),
            ecn: Default::default(),
        });
        self.id += 1;
    }

    fn feedback(&mut self) {
        let heard = seconds(self.clock + 1000.0);
        let known = self.under_way.iter().rposition(|r| r.arrival.is_some_and(|at| at <= heard));
        let reports: Vec<_> = self.under_way.drain(..known.map_or(0, |i| i + 1)).collect();
        let behind = if self.link.symmetric { self.queue() } else { 0.0 };
        if !reports.is_empty() && !self.random.random_bool(self.link.loss) {
            self.messages.push_back((self.clock + self.link.delay + behind, reports));
        }
    }

    /// Lets a millisecond pass.
    fn step(&mut self) {
        let now = self.now();
        if self.link.others > 0.0 && self.queue() < self.link.longest {
            self.link.busy_until = self.link.busy_until.max(self.clock) + self.link.others / self.link.rate * STEP;
        }
        for (i, interval) in [PICTURE, SOUND, FEEDBACK].into_iter().enumerate() {
            if self.clock < self.next[i] {
                continue;
            }
            self.next[i] += interval;
            match i {
                0 => self.encode(),
                1 => {
                    let packet = self.rtp(AUDIO, 0, false, 85);
                    self.write(packet);
                }
                _ => self.feedback(),
            }
        }
        while self.messages.front().is_some_and(|(at, _)| *at <= self.clock) {
            let Some((_, reports)) = self.messages.pop_front() else { break };
            self.estimator.on_reports(now, &reports);
            let message = AttributedPacket::new(Packet::Rtcp(Vec::new()));
            let packet = TaggedPacket { now, transport: Default::default(), message };
            self.pacer.handle_read(packet).expect("taken");
            while self.pacer.poll_read().is_some() {}
            self.history.push((self.clock, self.estimator.target_bitrate(), self.queue()));
        }
        if self.padder.poll_timeout().is_some_and(|due| due <= now) {
            self.padder.handle_timeout(now).expect("taken");
            while let Some(packet) = self.padder.poll_write() {
                self.pacer.handle_write(packet).expect("taken");
            }
        }
        if self.pacer.poll_timeout().is_some_and(|due| due <= now) {
            self.pacer.handle_timeout(now).expect("taken");
        }
        while let Some(packet) = self.pacer.poll_write() {
            self.carry(&packet);
        }
        self.clock += STEP;
    }

    /// Nothing is sent, and nothing heard, for so long.
    pub(super) fn pause(&mut self, seconds: f64) {
        self.clock += seconds;
        self.next = [self.clock; 3];
    }

    pub(super) fn run(&mut self, until: f64) {
        while self.clock < until {
            self.step();
        }
    }

    /// Of the values between these times, the one that this share is below.
    fn share(values: impl Iterator<Item = f64>, share: f64) -> f64 {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }

    /// In Mb/s.
    pub(super) fn target(&self, from: f64, to: f64, share: f64) -> f64 {
        Self::share(self.history.iter().filter(|h| h.0 > from && h.0 <= to).map(|h| h.1 / 1e6), share)
    }

    /// In seconds.
    pub(super) fn queued(&self, from: f64, to: f64, share: f64) -> f64 {
        Self::share(self.history.iter().filter(|h| h.0 > from && h.0 <= to).map(|h| h.2), share)
    }

    /// From capture until the last packet of a picture is there, in seconds.
    pub(super) fn latency(&self, from: f64, to: f64, share: f64) -> f64 {
        Self::share(self.latencies.iter().filter(|l| l.0 > from && l.0 <= to).map(|l| l.1), share)
    }

    /// Bits per second that left, in Mb/s.
    pub(super) fn sent(&self, from: f64, to: f64) -> f64 {
        self.left.iter().filter(|l| l.0 > from && l.0 <= to).map(|l| l.1).sum::<f64>() / (to - from) / 1e6
    }

    /// Longest time without a new picture, by arrival.
    pub(super) fn gap(&self, from: f64, to: f64) -> f64 {
        let shown: Vec<_> = self.latencies.iter().map(|l| l.0 + l.1).filter(|t| *t > from && *t <= to).collect();
        shown.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max)
    }
}
