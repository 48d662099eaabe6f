//! Lets pictures out at a bounded rate, sound at once.
//!
//! A keyframe is many packets; sent in one burst it would fill the first small queue of the path and delay the sound
//! behind it. So video packets leave at a multiple of the target, and all that leaves stays within 1.2 times the target
//! over any fifth of a second (`outflow`); audio and RTCP pass the others by. What is sent again goes before what is
//! new: a picture over there waits for it. Nothing here is dropped for being late: the encoder looks at how much waits,
//! and leaves pictures out before they are made.
//!
//! Probes leave at rates of their own and are not counted. When feedback is late (`lateness`), hardly anything leaves.

use super::SharedTarget;
use super::lateness::FeedbackWatch;
use super::outflow::{Meter, Outflow};
use super::padding::probe_of;
use super::target::WIRE_OVERHEAD;
use crate::interceptor::{Onward, Rule, is_video};
use rtc::interceptor::{Attribute, Packet, StreamInfo, TaggedPacket};
use rtc::shared::marshal::MarshalSize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Video leaves at this multiple of the target, so that a picture of average size takes under half its interval.
const FACTOR: f64 = 2.5;
/// In the first second this one counts: the first pictures are few packets, nothing waits behind them, and how they come
/// tells what the path carries (libwebrtc probes at six times its start, too). The bound on what leaves holds as ever.
const START_FACTOR: f64 = 6.0;
const START_PERIOD: Duration = Duration::from_secs(1);
/// While feedback is late, this share of the target counts.
const LATE_SHARE: f64 = 0.25;
/// The least rate at which video leaves.
const LEAST: f64 = 20_000.0;
/// Packets that may leave at once without a debt: what one wake-up of a busy machine covers.
const BURST: Duration = Duration::from_millis(5);
/// Bound of the queue: a keyframe of several megabytes; beyond it the oldest are dropped (NACK and PLI mend it).
const QUEUE_PACKETS: usize = 4096;
/// The transport-wide number, which a packet gets on its way out.
const EXTENSION: usize = 8;
/// What an RTCP packet is taken to have, on the wire.
const RTCP_BITS: f64 = 100.0 * 8.0;

/// See the module's text.
pub(crate) struct AudioFirstPacer {
    target: SharedTarget,
    video: Vec<u32>,
    /// Sent again; before the queue, and counted with it. Its budget bounds it.
    again: VecDeque<TaggedPacket>,
    queue: VecDeque<TaggedPacket>,
    queued_bits: f64,
    /// When the head of the queue may leave.
    next: Option<Instant>,
    /// When the packets sent so far are paid for.
    paid_until: Option<Instant>,
    started: Option<Instant>,
    outflow: Outflow,
    beside: Meter,
    feedback: FeedbackWatch,
}

impl AudioFirstPacer {
    pub(crate) fn new(target: SharedTarget) -> Self {
        Self {
            target,
            video: Vec::new(),
            again: VecDeque::new(),
            queue: VecDeque::new(),
            queued_bits: 0.0,
            next: None,
            paid_until: None,
            started: None,
            outflow: Outflow::default(),
            beside: Meter::default(),
            feedback: FeedbackWatch::default(),
        }
    }

    fn bits(packet: &TaggedPacket) -> f64 {
        match &packet.message.packet {
            Packet::Rtp(rtp) => (rtp.marshal_size() + EXTENSION + WIRE_OVERHEAD) as f64 * 8.0,
            _ => RTCP_BITS,
        }
    }

    fn is_video(&self, packet: &TaggedPacket) -> bool {
        matches!(&packet.message.packet, Packet::Rtp(rtp) if self.video.contains(&rtp.header.ssrc))
    }

    fn starting(&self, now: Instant) -> bool {
        self.started.is_none_or(|at| now.saturating_duration_since(at) < START_PERIOD)
    }

    /// The target, or what of it counts now.
    fn target(&self, now: Instant) -> f64 {
        let share = if self.feedback.is_late(now) { LATE_SHARE } else { 1.0 };
        (f64::from(self.target.get().0) * share).max(LEAST)
    }

    fn head(&self) -> Option<&TaggedPacket> {
        self.again.front().or(self.queue.front())
    }

    /// When the next packet may leave.
    fn leaves(&self, now: Instant) -> Option<Instant> {
        let head = self.head()?;
        let paid = self.paid_until.map_or(now, |paid| paid.checked_sub(BURST).unwrap_or(paid));
        if probe_of(head).is_some() {
            return Some(paid);
        }
        Some(paid.max(self.outflow.room(now, Self::bits(head), self.target(now))))
    }

    fn release(&mut self, now: Instant, on: &mut Onward) {
        while self.leaves(now).is_some_and(|due| due <= now) {
            let Some(mut packet) = self.again.pop_front().or_else(|| self.queue.pop_front()) else { break };
            let bits = Self::bits(&packet);
            let rate = match probe_of(&packet) {
                Some(probe) => f64::from(probe.rate.0).max(LEAST),
                None => {
                    self.outflow.add(now, bits);
                    self.target(now) * if self.starting(now) { START_FACTOR } else { FACTOR }
                }
            };
            if packet.message.has(&Attribute::Retransmission) {
                self.beside.add(now, bits);
            }
            let paid = self.paid_until.map_or(now, |paid| paid.max(now));
            self.paid_until = Some(paid + Duration::from_secs_f64(bits / rate));
            self.queued_bits = (self.queued_bits - bits).max(0.0);
            self.feedback.left(now);
            packet.now = now;
            on.outwards(packet);
        }
        if self.head().is_none() {
            self.queued_bits = 0.0;
        }
        // The due moment can only come nearer by news, and that is looked at as it comes.
        self.next = self.leaves(now);
        self.tell(now);
    }

    fn tell(&self, now: Instant) {
        self.target.set_beside(self.beside.rate());
        // In the first second the keyframe leaves quickly, and pictures behind it need not be left out.
        let rate = self.target(now) * if self.starting(now) { START_FACTOR } else { 1.0 };
        let backlog = Duration::try_from_secs_f64(self.queued_bits / rate);
        self.target.set_backlog(backlog.unwrap_or(Duration::MAX));
    }
}

impl Rule for AudioFirstPacer {
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        let now = packet.now;
        if matches!(packet.message.packet, Packet::Rtcp(_))
            && let Some(heard) = self.target.heard()
        {
            self.feedback.heard(now, heard);
            self.release(now, on);
        }
        on.inwards(packet);
    }

    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        let (now, bits) = (packet.now, Self::bits(&packet));
        if !self.is_video(&packet) {
            if matches!(packet.message.packet, Packet::Rtp(_)) {
                self.feedback.left(now);
            }
            self.outflow.add(now, bits);
            self.beside.add(now, bits);
            on.outwards(packet);
            return;
        }
        self.started.get_or_insert(now);
        self.queued_bits += bits;
        if packet.message.has(&Attribute::Retransmission) {
            self.again.push_back(packet);
        } else {
            self.queue.push_back(packet);
        }
        if self.queue.len() + self.again.len() > QUEUE_PACKETS
            && let Some(oldest) = self.queue.pop_front()
        {
            self.queued_bits -= Self::bits(&oldest);
        }
        self.release(now, on);
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }

    fn due(&mut self, now: Instant, on: &mut Onward) {
        self.release(now, on);
    }

    fn sends(&mut self, stream: &StreamInfo) {
        if is_video(stream) && !self.video.contains(&stream.ssrc) {
            self.video.push(stream.ssrc);
        }
    }

    fn sends_no_more(&mut self, stream: &StreamInfo) {
        self.video.retain(|ssrc| *ssrc != stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interceptor::{By, made};
    use bytes::Bytes;
    use rtc::interceptor::Interceptor;
    use rtc::sansio::Protocol;
    use visavis_media::BitsPerSecond;

    fn packet(ssrc: u32, now: Instant, bytes: usize) -> TaggedPacket {
        let mut rtp = rtc::rtp::Packet::default();
        rtp.header.ssrc = ssrc;
        rtp.payload = Bytes::from(vec![0; bytes]);
        made(now, Packet::Rtp(rtp))
    }

    fn pacer(kbps: u32) -> By<AudioFirstPacer> {
        let mut pacer = By::new(AudioFirstPacer::new(SharedTarget::new(BitsPerSecond::kilo(kbps))));
        pacer.bind_local_stream(&StreamInfo { ssrc: 1, mime_type: "video/H264".into(), ..Default::default() });
        pacer
    }

    fn drain(pacer: &mut By<AudioFirstPacer>) -> usize {
        std::iter::from_fn(|| pacer.poll_write()).count()
    }

    #[test]
    fn sound_overtakes_a_waiting_keyframe() {
        let (mut p, now) = (pacer(500), Instant::now());
        for _ in 0..50 {
            p.handle_write(packet(1, now, 1200)).expect("queued");
        }
        assert!(drain(&mut p) < 10);
        p.handle_write(packet(2, now, 100)).expect("passed");
        let out = p.poll_write().expect("the sound");
        assert!(matches!(out.message.packet, Packet::Rtp(rtp) if rtp.header.ssrc == 2));
    }

    #[test]
    fn what_is_sent_again_overtakes_a_waiting_keyframe() {
        let (mut p, now) = (pacer(500), Instant::now());
        for _ in 0..50 {
            p.handle_write(packet(1, now, 1200)).expect("queued");
        }
        drain(&mut p);
        let mut again = packet(1, now, 300);
        again.message.add(Attribute::Retransmission);
        p.handle_write(again).expect("queued");
        while drain(&mut p) == 0 {
            let due = p.poll_timeout().expect("something waits");
            p.handle_timeout(due.max(now)).expect("released");
            if let Some(first) = p.poll_write() {
                assert!(first.message.has(&Attribute::Retransmission));
                return;
            }
        }
        panic!("new packets left before the one that is sent again");
    }

    #[test]
    fn a_keyframe_leaves_at_little_more_than_the_target() {
        let (mut p, begun) = (pacer(500), Instant::now());
        p.handle_write(packet(1, begun, 100)).expect("queued");
        drain(&mut p);
        let start = begun + 2 * START_PERIOD;
        for _ in 0..100 {
            p.handle_write(packet(1, start, 1200)).expect("queued");
        }
        let (mut now, mut sent, mut steps) = (start, drain(&mut p), 0);
        while let Some(due) = p.poll_timeout() {
            now = now.max(due);
            p.handle_timeout(now).expect("released");
            sent += drain(&mut p);
            steps += 1;
            assert!(steps < 10_000, "a deadline that does not advance");
        }
        assert_eq!(sent, 100);
        let took = now - start;
        // A hundred packets of 1258 bytes at 1.2 times the target.
        assert!(took > Duration::from_millis(1200) && took < Duration::from_millis(1900), "{took:?}");
    }

    #[test]
    fn the_first_picture_leaves_at_once_and_what_follows_it_keeps_the_bound() {
        let (mut p, begun) = (pacer(1000), Instant::now());
        let (mut now, mut left) = (begun, Vec::new());
        (0..60).for_each(|_| p.handle_write(packet(1, begun, 1160)).expect("queued"));
        while p.poll_timeout().is_some_and(|due| due <= begun + START_PERIOD) {
            left.extend(std::iter::from_fn(|| p.poll_write()).map(|packet| packet.now));
            now = now.max(p.poll_timeout().expect("something waits"));
            p.handle_timeout(now).expect("released");
        }
        // Four packets are a first picture.
        assert!(left[3] - begun < Duration::from_millis(10), "{:?}", left[3] - begun);
        for (i, from) in left.iter().enumerate() {
            let within = left[i..].iter().take_while(|at| **at - *from < Duration::from_millis(200)).count();
            assert!(within * (1160 + 12 + EXTENSION + WIRE_OVERHEAD) * 8 <= 240_000, "{within} packets");
        }
        assert!(left.len() > 50, "{}", left.len());
    }

    #[test]
    fn small_pictures_leave_at_once() {
        let (mut p, start) = (pacer(1000), Instant::now());
        for frame in 0..30u32 {
            let now = start + Duration::from_millis(33) * frame;
            p.handle_timeout(now).expect("released");
            p.handle_write(packet(1, now, 1000)).expect("queued");
            assert_eq!(drain(&mut p), 1, "frame {frame}");
        }
    }
}
