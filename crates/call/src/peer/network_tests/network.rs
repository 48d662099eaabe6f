//! A call of two sides over emulated links, by a hand-moved clock.

use super::camera::Camera;
use super::side::Side;
use crate::peer::chain_tests::wire::{AUDIO, End, VIDEO, audio, over_the_wire, video};
use rtc::interceptor::{AttributedPacket, Packet, TaggedPacket};
use rtc::shared::marshal::MarshalSize;
use std::time::{Duration, Instant};
use visavis_link::{IP_AND_UDP, Link, LinkSpec, TimedChange};
use visavis_media::BitsPerSecond;

/// How often both sides look at their timers: as tokio's are good for.
const STEP: Duration = Duration::from_millis(1);
/// A connectivity check and its answer, and how often the path is checked.
const CHECK_BYTES: usize = 100;
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Bytes that SRTP adds to a packet (RFC 3711: a tag of 80 bits), and SRTCP (with its index).
const SRTP_BYTES: usize = 10;
const SRTCP_BYTES: usize = 14;

/// What a link carries.
#[derive(Clone)]
enum Datagram {
    Media(Packet),
    Check(Instant),
    Answer(Instant),
}

fn bytes(packet: &Packet) -> usize {
    match packet {
        Packet::Rtp(rtp) => rtp.marshal_size() + SRTP_BYTES + IP_AND_UDP,
        Packet::Rtcp(all) => all.iter().map(|rtcp| rtcp.marshal_size()).sum::<usize>() + SRTCP_BYTES + IP_AND_UDP,
        _ => 0,
    }
}

/// What a network is like.
pub(super) struct Setting<'a> {
    pub link: &'a str,
    pub changes: &'a [&'a str],
    /// The most that a side sends.
    pub most: BitsPerSecond,
    /// What the scene before the cameras needs at most, in bits per second.
    pub scene: f64,
    pub seed: u64,
    /// Whether both sides know parity.
    pub parity: bool,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        Self { link: "", changes: &[], most: BitsPerSecond::kilo(2500), scene: 1e9, seed: 1, parity: false }
    }
}

/// Two sides and the links between them.
pub(super) struct Network {
    pub now: Instant,
    pub begun: Instant,
    pub a: Side,
    pub b: Side,
    there: Link<Datagram>,
    back: Link<Datagram>,
    next_check: Instant,
    /// Video packets that left `a`, and how many of them had left before.
    pub packets: u32,
    pub repeats: u32,
    newest: Option<u16>,
}

impl Network {
    /// Both sides send pictures and sound.
    pub(super) fn new(setting: &Setting<'_>) -> Self {
        let begun = Instant::now();
        let spec: LinkSpec = setting.link.parse().expect("a link");
        let changes: Vec<TimedChange> = setting.changes.iter().map(|c| c.parse().expect("a change")).collect();
        let link = |seed| {
            let mut link = Link::new(begun, spec, seed);
            link.start(begun, &changes);
            link
        };
        let side = |seed| Side::new(begun, setting.most, Some(Camera::new(begun, setting.scene, seed)), seed);
        let (mut a, mut b) = (side(setting.seed), side(setting.seed + 1));
        for (end, ours, theirs) in [(&mut a.end, AUDIO, AUDIO + 1), (&mut b.end, AUDIO + 1, AUDIO)] {
            end.chain.bind_local_stream(&video());
            end.chain.bind_remote_stream(&video());
            end.chain.bind_local_stream(&audio(ours));
            end.chain.bind_remote_stream(&audio(theirs));
            end.shared.parity.negotiated(setting.parity.then_some(119));
            // Connectivity checks have measured the path before there is media.
            end.shared.round_trip.sample(2 * spec.delay);
        }
        let (there, back) = (link(setting.seed * 1000 + 17), link(setting.seed * 1000 + 18));
        Self { now: begun, begun, a, b, there, back, next_check: begun, packets: 0, repeats: 0, newest: None }
    }

    /// Lets so many seconds pass.
    pub(super) fn run(&mut self, seconds: u64) -> &mut Self {
        let until = self.now + Duration::from_secs(seconds);
        while self.now < until {
            self.step();
        }
        self
    }

    /// What the link from `a` to `b` carried.
    pub(super) fn carried(&self) -> &visavis_link::Figures {
        self.there.figures()
    }

    fn count(&mut self, packet: &Packet) {
        let Packet::Rtp(rtp) = packet else { return };
        if rtp.header.ssrc != VIDEO {
            return;
        }
        let sequence = rtp.header.sequence_number;
        self.packets += 1;
        match self.newest.replace(sequence) {
            Some(newest) if (sequence.wrapping_sub(newest) as i16) <= 0 => {
                self.repeats += 1;
                self.newest = Some(newest);
            }
            _ => {}
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        if now >= self.next_check {
            self.next_check += CHECK_EVERY;
            self.there.push(now, CHECK_BYTES, Datagram::Check(now));
            self.back.push(now, CHECK_BYTES, Datagram::Check(now));
        }
        deliver(now, &mut self.there, &mut self.back, &mut self.b.end);
        deliver(now, &mut self.back, &mut self.there, &mut self.a.end);
        for (side, sound) in [(&mut self.a, AUDIO), (&mut self.b, AUDIO + 1)] {
            side.receive(now);
            side.send(now, sound);
            if side.end.chain.poll_timeout().is_some_and(|due| due <= now) {
                side.end.chain.handle_timeout(now).expect("timers");
            }
        }
        while let Some(packet) = self.a.end.chain.poll_write() {
            let Some(packet) = over_the_wire(&packet.message.packet) else { continue };
            self.count(&packet);
            self.there.push(now, bytes(&packet), Datagram::Media(packet));
        }
        while let Some(packet) = self.b.end.chain.poll_write() {
            let Some(packet) = over_the_wire(&packet.message.packet) else { continue };
            self.back.push(now, bytes(&packet), Datagram::Media(packet));
        }
    }
}

/// Hands what `link` has carried to the end that it leads to; answers to checks go back by `other`.
fn deliver(now: Instant, link: &mut Link<Datagram>, other: &mut Link<Datagram>, end: &mut End) {
    while let Some(arrival) = link.poll(now) {
        match arrival.packet {
            Datagram::Media(packet) => {
                let message = AttributedPacket::new(packet);
                let packet = TaggedPacket { now: arrival.at, transport: Default::default(), message };
                end.chain.handle_read(packet).expect("taken");
            }
            Datagram::Check(sent) => other.push(now, CHECK_BYTES, Datagram::Answer(sent)),
            Datagram::Answer(sent) => end.shared.round_trip.sample(arrival.at.saturating_duration_since(sent)),
        }
        while let Some(packet) = end.chain.poll_read() {
            end.heard.push((arrival.at, packet.message.packet));
        }
    }
}
