//! Two chains of interceptors with an emulated path between them and a hand-moved clock.

use super::super::chain::{Shared, registry};
use super::super::tap::Feedback;
use crate::rate::{Estimator, SharedTarget};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtc::interceptor::{
    AttributedPacket, Interceptor, Packet, RTCPFeedback, RTPHeaderExtension, StreamInfo, TaggedPacket,
};
use rtc::shared::marshal::{Marshal, Unmarshal};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use visavis_media::BitsPerSecond;
use visavis_media::time::WallClock;
use webrtc::peer_connection::{MediaEngine, Registry};

pub(in crate::peer) const VIDEO: u32 = 1;
pub(in crate::peer) const AUDIO: u32 = 2;
/// How often both ends look at their timers.
const STEP: Duration = Duration::from_millis(1);

pub(in crate::peer) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A packet that came, already opened.
pub(in crate::peer) type Arrived = (Instant, Packet);

/// One side: its chain as a call builds it, and what came out of it.
pub(in crate::peer) struct End {
    pub chain: Box<dyn Interceptor>,
    pub shared: Shared,
    pub feedback: mpsc::Receiver<Feedback>,
    /// Everything that arrived from the wire, before the chain.
    pub arrived: Vec<Arrived>,
    /// What the chain let through to the application since it was last taken.
    pub heard: Vec<Arrived>,
    /// What the chain sent to the wire, lost or not.
    pub sent: Vec<Arrived>,
}

impl End {
    /// At a rate that never changes; `change` is given the registry of a call.
    pub(super) fn new(begun: Instant, change: impl FnOnce(Registry) -> Registry) -> Self {
        let rate = BitsPerSecond::kilo(2500);
        Self::estimating(begun, [rate, rate, rate], change)
    }

    /// …with a rate that holds nothing back, for senders that do not look at it.
    pub(super) fn roomy(begun: Instant, change: impl FnOnce(Registry) -> Registry) -> Self {
        Self::estimating(begun, [BitsPerSecond::kilo(6000); 3], change)
    }

    /// With an estimator that starts with the first of these rates and stays between the others.
    pub(in crate::peer) fn estimating(
        begun: Instant,
        [start, floor, most]: [BitsPerSecond; 3],
        change: impl FnOnce(Registry) -> Registry,
    ) -> Self {
        let (tx, feedback) = mpsc::channel(4096);
        let target = SharedTarget::new(start);
        let estimator = Estimator::new(start, floor, most, target.clone());
        let shared = Shared::new(target);
        let wall = WallClock::new(begun, SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let chain = registry(&mut MediaEngine::default(), estimator, wall, tx, &shared).expect("a chain");
        let (arrived, heard, sent) = (Vec::new(), Vec::new(), Vec::new());
        Self { chain: Box::new(change(chain).build()), shared, feedback, arrived, heard, sent }
    }

    /// Sends a packet of the application.
    pub(in crate::peer) fn write(&mut self, now: Instant, packet: Packet) {
        let message = AttributedPacket::new(packet);
        self.chain.handle_write(TaggedPacket { now, transport: Default::default(), message }).expect("taken");
    }

    /// What was heard since the last time.
    pub(in crate::peer) fn news(&mut self) -> Vec<Feedback> {
        std::iter::from_fn(|| self.feedback.try_recv().ok()).collect()
    }
}

/// What the path does to packets of one direction.
pub(super) struct Path {
    pub delay: Duration,
    /// Probability that a packet is lost after one that came, and after one that was lost (Gilbert and Elliott).
    loss: (f64, f64),
    losing: bool,
    random: StdRng,
    under_way: BTreeMap<(Instant, u64), Packet>,
    count: u64,
    pub lost: Vec<Packet>,
}

impl Path {
    /// Loses this share of the packets, each by itself.
    pub(super) fn new(delay: Duration, loss: f64, seed: u64) -> Self {
        Self::losing(delay, (loss, loss), seed)
    }

    /// Loses this share of the packets, so many in a row in the mean.
    pub(super) fn bursts(delay: Duration, loss: f64, mean: f64, seed: u64) -> Self {
        Self::losing(delay, (loss / (1.0 - loss) / mean, 1.0 - 1.0 / mean), seed)
    }

    fn losing(delay: Duration, loss: (f64, f64), seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { delay, loss, losing: false, random, under_way: BTreeMap::new(), count: 0, lost: Vec::new() }
    }

    fn carry(&mut self, now: Instant, packet: Packet) {
        self.losing = self.random.random_bool(if self.losing { self.loss.1 } else { self.loss.0 });
        if self.losing {
            self.lost.push(packet);
        } else {
            self.count += 1;
            self.under_way.insert((now + self.delay, self.count), packet);
        }
    }

    fn deliver(&mut self, now: Instant) -> Vec<Packet> {
        let later = self.under_way.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.under_way, later).into_values().collect()
    }
}

/// Two ends and the path between them.
pub(super) struct Wire {
    pub now: Instant,
    pub begun: Instant,
    pub a: End,
    pub b: End,
    pub there: Path,
    pub back: Path,
}

impl Wire {
    /// `a` sends video and sound, `b` sound.
    pub(super) fn new(mut a: End, mut b: End, begun: Instant, there: Path, back: Path) -> Self {
        a.chain.bind_local_stream(&video());
        b.chain.bind_remote_stream(&video());
        a.chain.bind_local_stream(&audio(AUDIO));
        b.chain.bind_remote_stream(&audio(AUDIO));
        b.chain.bind_local_stream(&audio(AUDIO + 1));
        a.chain.bind_remote_stream(&audio(AUDIO + 1));
        Self { now: begun, begun, a, b, there, back }
    }

    /// Lets a millisecond pass.
    pub(super) fn step(&mut self) {
        self.now += STEP;
        let (now, Self { a, b, there, back, .. }) = (self.now, self);
        for (end, incoming) in [(&mut *b, there.deliver(now)), (&mut *a, back.deliver(now))] {
            for packet in incoming {
                end.arrived.push((now, packet.clone()));
                let message = AttributedPacket::new(packet);
                let packet = TaggedPacket { now, transport: Default::default(), message };
                end.chain.handle_read(packet).expect("taken");
            }
            while let Some(packet) = end.chain.poll_read() {
                end.heard.push((now, packet.message.packet));
            }
            if end.chain.poll_timeout().is_some_and(|due| due <= now) {
                end.chain.handle_timeout(now).expect("timers");
            }
        }
        for (end, path) in [(a, there), (b, back)] {
            while let Some(packet) = end.chain.poll_write() {
                let Some(packet) = over_the_wire(&packet.message.packet) else { continue };
                end.sent.push((now, packet.clone()));
                path.carry(now, packet);
            }
        }
    }

    /// Milliseconds since the beginning.
    pub(in crate::peer) fn ms(&self) -> u64 {
        (self.now - self.begun).as_millis() as u64
    }
}

/// The same packet, made from its bytes, as the other side gets it; none where its bytes make none.
pub(in crate::peer) fn over_the_wire(packet: &Packet) -> Option<Packet> {
    match packet {
        Packet::Rtp(rtp) => {
            let mut bytes = rtp.marshal().expect("bytes");
            Some(Packet::Rtp(rtc::rtp::Packet::unmarshal(&mut bytes).expect("a packet")))
        }
        Packet::Rtcp(all) => {
            let mut bytes = rtc::rtcp::packet::marshal(all).ok()?;
            rtc::rtcp::packet::unmarshal(&mut bytes).ok().map(Packet::Rtcp)
        }
        _ => panic!("a kind of packet that nobody sends"),
    }
}

fn stream(ssrc: u32, mime_type: &str, clock_rate: u32, feedback: &[&str]) -> StreamInfo {
    let uri = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01".to_owned();
    let rtcp_feedback =
        feedback.iter().map(|typ| RTCPFeedback { typ: (*typ).to_owned(), parameter: String::new() }).collect();
    StreamInfo {
        ssrc,
        mime_type: mime_type.to_owned(),
        clock_rate,
        rtp_header_extensions: vec![RTPHeaderExtension { uri, id: 3 }],
        rtcp_feedback,
        ..Default::default()
    }
}

pub(in crate::peer) fn video() -> StreamInfo {
    stream(VIDEO, "video/H264", 90_000, &["nack", "transport-cc"])
}

pub(in crate::peer) fn audio(ssrc: u32) -> StreamInfo {
    stream(ssrc, "audio/opus", 48_000, &["transport-cc"])
}

/// An RTP packet.
pub(in crate::peer) fn rtp(ssrc: u32, sequence: u16, timestamp: u32, marker: bool, payload: bytes::Bytes) -> Packet {
    let header = rtc::rtp::header::Header {
        version: 2,
        ssrc,
        sequence_number: sequence,
        timestamp,
        marker,
        ..Default::default()
    };
    Packet::Rtp(rtc::rtp::Packet { header, payload })
}
