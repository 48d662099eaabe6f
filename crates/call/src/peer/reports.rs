//! Sender reports (RFC 3550 §6.4.1) that pair the wall clock with the moment of capture.
//!
//! In place of the crate's, which take for the moment of a picture the moment at which its packet passes by: after
//! encoding and queueing, which take longer for pictures than for sound, and so the lips would be out of step.

use crate::interceptor::{Onward, Rule, made};
use rtc::interceptor::{Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use visavis_media::time::{NtpTime, RtpStamper, WallClock};
use visavis_media::{ClockRate, RtpTicks};

/// Time between reports of a stream; the first goes with its first packet.
const INTERVAL: Duration = Duration::from_secs(1);
/// A stream that has been silent for two intervals sends none (RFC 3550 §6.3.8).
const SILENT: Duration = Duration::from_secs(2);
/// Streams that are reported on; a call has two.
const MAX_STREAMS: usize = 8;

/// For each outgoing stream a moment of capture and its RTP time, written by those who stamp packets.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaptureClocks(Arc<Mutex<HashMap<u32, (Instant, RtpTicks)>>>);

impl CaptureClocks {
    /// What was captured `at` leaves, or would leave, under this RTP time.
    pub(crate) fn set(&self, ssrc: u32, at: Instant, ticks: RtpTicks) {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clocks.len() < MAX_STREAMS || clocks.contains_key(&ssrc) {
            clocks.insert(ssrc, (at, ticks));
        }
    }

    fn get(&self, ssrc: u32) -> Option<(Instant, RtpTicks)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&ssrc).copied()
    }
}

struct Stream {
    rate: ClockRate,
    packets: u32,
    octets: u32,
    last: Option<Instant>,
    due: Option<Instant>,
}

/// See the module's text.
pub(crate) struct SenderReports {
    clocks: CaptureClocks,
    wall: WallClock,
    streams: HashMap<u32, Stream>,
}

impl SenderReports {
    pub(crate) fn new(clocks: CaptureClocks, wall: WallClock) -> Self {
        Self { clocks, wall, streams: HashMap::new() }
    }

    fn report(&mut self, now: Instant, on: &mut Onward) {
        for (ssrc, stream) in &mut self.streams {
            if stream.due.is_none_or(|due| due > now) {
                continue;
            }
            let silent = stream.last.is_none_or(|last| now.saturating_duration_since(last) > SILENT);
            let Some((at, ticks)) = self.clocks.get(*ssrc).filter(|_| !silent) else {
                stream.due = None;
                continue;
            };
            stream.due = Some(now + INTERVAL);
            let report = SenderReport {
                ssrc: *ssrc,
                ntp_time: NtpTime::from_unix(self.wall.unix(now)).0,
                rtp_time: RtpStamper::new(at, ticks.0, stream.rate).stamp(now).0,
                packet_count: stream.packets,
                octet_count: stream.octets,
                ..Default::default()
            };
            on.outwards(made(now, Packet::Rtcp(vec![Box::new(report)])));
        }
    }
}

impl Rule for SenderReports {
    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        let now = packet.now;
        let mut begins = false;
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get_mut(&rtp.header.ssrc)
        {
            stream.packets = stream.packets.wrapping_add(1);
            stream.octets = stream.octets.wrapping_add(rtp.payload.len() as u32);
            stream.last = Some(now);
            begins = stream.due.is_none();
            stream.due.get_or_insert(now);
        }
        on.outwards(packet);
        if begins {
            self.report(now, on);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.streams.values().filter_map(|stream| stream.due).min()
    }

    fn due(&mut self, now: Instant, on: &mut Onward) {
        self.report(now, on);
    }

    fn sends(&mut self, stream: &StreamInfo) {
        if stream.clock_rate > 0 && self.streams.len() < MAX_STREAMS {
            let rate = ClockRate(stream.clock_rate);
            let new = Stream { rate, packets: 0, octets: 0, last: None, due: None };
            self.streams.entry(stream.ssrc).or_insert(new);
        }
    }

    fn sends_no_more(&mut self, stream: &StreamInfo) {
        self.streams.remove(&stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interceptor::By;
    use rtc::interceptor::Interceptor;
    use rtc::sansio::Protocol;
    use std::time::SystemTime;
    use visavis_media::time::SenderClock;

    fn packet(ssrc: u32, now: Instant) -> TaggedPacket {
        let mut rtp = rtc::rtp::Packet::default();
        rtp.header.ssrc = ssrc;
        rtp.payload = vec![0; 100].into();
        made(now, Packet::Rtp(rtp))
    }

    fn reports(from: &mut By<SenderReports>) -> Vec<SenderReport> {
        let packets = std::iter::from_fn(|| from.poll_write());
        let rtcp = packets.filter_map(|p| match p.message.packet {
            Packet::Rtcp(all) => Some(all),
            _ => None,
        });
        rtcp.flatten().filter_map(|p| p.as_any().downcast_ref().cloned()).collect()
    }

    fn bound(clocks: &CaptureClocks, begun: Instant) -> By<SenderReports> {
        let mut out = By::new(SenderReports::new(clocks.clone(), WallClock::new(begun, SystemTime::now())));
        out.bind_local_stream(&StreamInfo { ssrc: 1, clock_rate: 90_000, ..Default::default() });
        out.bind_local_stream(&StreamInfo { ssrc: 2, clock_rate: 48_000, ..Default::default() });
        out
    }

    #[test]
    fn what_was_captured_together_is_put_together_though_the_picture_left_later() {
        let (begun, clocks) = (Instant::now(), CaptureClocks::default());
        let mut out = bound(&clocks, begun);
        let captured = begun + Duration::from_millis(100);
        clocks.set(2, captured, RtpTicks(77_000));
        out.handle_write(packet(2, captured + Duration::from_millis(5))).expect("passed");
        clocks.set(1, captured, RtpTicks(u32::MAX - 5));
        out.handle_write(packet(1, captured + Duration::from_millis(60))).expect("passed");
        let said = reports(&mut out);
        assert_eq!(said.iter().map(|r| r.ssrc).collect::<Vec<_>>(), [2, 1], "each with its first packet");
        let moment = |of: usize, rate, ticks| {
            let mut clock = SenderClock::new(rate);
            clock.on_sender_report(NtpTime(said[of].ntp_time), RtpTicks(said[of].rtp_time));
            clock.remote_time(RtpTicks(ticks)).expect("reported")
        };
        let sound = moment(0, ClockRate::AUDIO, 77_000);
        let picture = moment(1, ClockRate::VIDEO, u32::MAX - 5);
        let apart = picture.seconds_since(sound);
        assert!(apart.abs() < 2.0 / 48_000.0, "{apart} s");
    }

    #[test]
    fn reports_come_every_second_while_there_is_something_to_report() {
        let (begun, clocks) = (Instant::now(), CaptureClocks::default());
        let mut out = bound(&clocks, begun);
        clocks.set(1, begun, RtpTicks(0));
        let mut times = Vec::new();
        for ms in (0..10_000u64).step_by(20) {
            let now = begun + Duration::from_millis(ms);
            if ms < 3500 {
                out.handle_write(packet(1, now)).expect("passed");
            }
            if out.poll_timeout().is_some_and(|due| due <= now) {
                out.handle_timeout(now).expect("reported");
            }
            times.extend(reports(&mut out).iter().map(|r| (ms, r.packet_count, r.octet_count)));
        }
        let expected = [(0, 1, 100), (1000, 51, 5100), (2000, 101, 10_100), (3000, 151, 15_100)];
        assert_eq!(times[..4], expected);
        assert!(times.len() <= 6 && out.poll_timeout().is_none(), "a silent stream is reported on: {times:?}");
    }

    #[test]
    fn a_stream_whose_clock_nobody_has_set_is_not_reported_on() {
        let begun = Instant::now();
        let mut out = bound(&CaptureClocks::default(), begun);
        out.handle_write(packet(1, begun)).expect("passed");
        assert!(reports(&mut out).is_empty());
        assert_eq!(out.poll_timeout(), None);
    }
}
