//! Lets pictures out at a bounded rate, sound at once.
//!
//! A keyframe is many packets; sent in one burst it would fill the first small queue of the path and delay the sound
//! behind it. So video packets leave at a multiple of the target, audio and RTCP pass them by, and after
//! [`MAX_WAIT`] the rate gives way: late pictures are worth less than a short burst. What is sent again goes before
//! what is new: a picture over there waits for it.

use super::SharedTarget;
use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::MarshalSize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Video leaves at this multiple of the target, so that a picture of average size takes under half its interval.
const FACTOR: f64 = 2.5;
/// In the first second this one counts: the first keyframe is the probe that tells what the path carries (libwebrtc
/// probes at six times its start, too), and nothing else waits behind it.
const START_FACTOR: f64 = 6.0;
const START_PERIOD: Duration = Duration::from_secs(1);
/// No packet waits longer than this for its turn; the queue is sent as fast as that needs.
const MAX_WAIT: Duration = Duration::from_millis(150);
/// Packets that may leave at once without a debt: what one wake-up of a busy machine covers.
const BURST_S: f64 = 0.005;
/// Bound of the queue: a keyframe of several megabytes; beyond it the oldest are dropped (NACK and PLI mend it).
const QUEUE_PACKETS: usize = 4096;

/// See the module's text.
pub(crate) struct AudioFirstPacer {
    target: SharedTarget,
    video: Vec<u32>,
    /// Sent again; before the queue, and counted with it. Its budget bounds it.
    again: VecDeque<TaggedPacket>,
    queue: VecDeque<TaggedPacket>,
    queued_bits: f64,
    /// When the packets sent so far are paid for.
    paid_until: Option<Instant>,
    started: Option<Instant>,
    ready: VecDeque<TaggedPacket>,
    inbound: VecDeque<TaggedPacket>,
}

impl AudioFirstPacer {
    pub(crate) fn new(target: SharedTarget) -> Self {
        Self {
            target,
            video: Vec::new(),
            again: VecDeque::new(),
            queue: VecDeque::new(),
            queued_bits: 0.0,
            paid_until: None,
            started: None,
            ready: VecDeque::new(),
            inbound: VecDeque::new(),
        }
    }

    fn bits(packet: &TaggedPacket) -> f64 {
        match &packet.message.packet {
            Packet::Rtp(rtp) => rtp.marshal_size() as f64 * 8.0,
            _ => 0.0,
        }
    }

    fn is_video(&self, packet: &TaggedPacket) -> bool {
        matches!(&packet.message.packet, Packet::Rtp(rtp) if self.video.contains(&rtp.header.ssrc))
    }

    fn rate(&self, now: Instant) -> f64 {
        let starting = self.started.is_none_or(|at| now.saturating_duration_since(at) < START_PERIOD);
        let paced = f64::from(self.target.get().0) * if starting { START_FACTOR } else { FACTOR };
        paced.max(self.queued_bits / MAX_WAIT.as_secs_f64()).max(100_000.0)
    }

    fn due(&self) -> Option<Instant> {
        let head = self.again.front().or(self.queue.front())?;
        Some(self.paid_until.map_or(head.now, |paid| paid - Duration::from_secs_f64(BURST_S).min(MAX_WAIT)))
    }

    fn release(&mut self, now: Instant) {
        let burst = Duration::from_secs_f64(BURST_S);
        while let Some(head) = self.again.front().or(self.queue.front()) {
            let paid = self.paid_until.map_or(now, |p| p.max(now));
            if paid > now + burst {
                break;
            }
            let bits = Self::bits(head);
            self.paid_until = Some(paid + Duration::from_secs_f64(bits / self.rate(now)));
            self.queued_bits = (self.queued_bits - bits).max(0.0);
            if let Some(mut packet) = self.again.pop_front().or_else(|| self.queue.pop_front()) {
                packet.now = now;
                self.ready.push_back(packet);
            }
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for AudioFirstPacer {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if !self.is_video(&packet) {
            self.ready.push_back(packet);
            return Ok(());
        }
        let now = packet.now;
        self.started.get_or_insert(now);
        self.queued_bits += Self::bits(&packet);
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
        self.release(now);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.ready.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.release(now);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.due()
    }
}

impl Interceptor for AudioFirstPacer {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if info.mime_type.to_ascii_lowercase().starts_with("video/") && !self.video.contains(&info.ssrc) {
            self.video.push(info.ssrc);
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.video.retain(|ssrc| *ssrc != info.ssrc);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rtc::interceptor::AttributedPacket;
    use visavis_media::BitsPerSecond;

    fn packet(ssrc: u32, now: Instant, bytes: usize) -> TaggedPacket {
        let mut rtp = rtc::rtp::Packet::default();
        rtp.header.ssrc = ssrc;
        rtp.payload = Bytes::from(vec![0; bytes]);
        TaggedPacket { now, transport: Default::default(), message: AttributedPacket::new(Packet::Rtp(rtp)) }
    }

    fn pacer(kbps: u32) -> AudioFirstPacer {
        let mut pacer = AudioFirstPacer::new(SharedTarget::new(BitsPerSecond::kilo(kbps)));
        pacer.bind_local_stream(&StreamInfo { ssrc: 1, mime_type: "video/H264".into(), ..Default::default() });
        pacer
    }

    fn drain(pacer: &mut AudioFirstPacer) -> usize {
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
    fn a_keyframe_is_spread_but_never_waits_much_longer_than_the_limit() {
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
        assert!(took > Duration::from_millis(80) && took < Duration::from_millis(700), "{took:?}");
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
