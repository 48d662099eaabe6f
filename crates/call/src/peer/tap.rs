//! Takes from inbound RTCP what the chain would swallow: keyframe requests, sender reports, reception reports.

use crate::interceptor::{Onward, Rule};
use crate::rate::SharedRoundTrip;
use rtc::interceptor::{Packet, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use visavis_media::RtpTicks;
use visavis_media::time::NtpTime;

/// What the other side says about media.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Feedback {
    /// It cannot decode and wants a keyframe (PLI or FIR).
    KeyframeWanted,
    /// Pairs its wall clock with a stream's RTP time.
    SenderReport { ssrc: u32, ntp: NtpTime, rtp: RtpTicks, arrival: Instant },
    /// Of what we sent it lost this share since the last report, 0…1, and so many packets in all; fewer than none where
    /// some came twice. What came was uneven by so much, in ticks of the stream's clock.
    Loss { ssrc: u32, fraction: f32, packets: i32, jitter: u32 },
    /// It asks for packets again.
    Nack { packets: u32 },
    /// We asked for packets again: once for each such message that leaves.
    NackSent,
}

/// Sender reports of ours that a reception report may still refer to: four seconds of two streams.
const MAX_REPORTS: usize = 8;

/// The interceptor; wire-most, so that it sees arrivals as they are. When nobody reads, feedback is dropped: the
/// next report says the same again.
pub(crate) struct FeedbackTap {
    out: mpsc::Sender<Feedback>,
    round_trip: SharedRoundTrip,
    /// Middle bits of the wall clock in our sender reports, and when they left.
    reports: VecDeque<(u32, Instant)>,
}

impl FeedbackTap {
    pub(crate) fn new(out: mpsc::Sender<Feedback>, round_trip: SharedRoundTrip) -> Self {
        Self { out, round_trip, reports: VecDeque::with_capacity(MAX_REPORTS) }
    }

    fn reception(&self, reports: &[ReceptionReport], arrival: Instant) {
        for r in reports {
            let fraction = f32::from(r.fraction_lost) / 256.0;
            // 24 bits with a sign (RFC 3550 §6.4.1).
            let packets = ((r.total_lost << 8) as i32) >> 8;
            let _ = self.out.try_send(Feedback::Loss { ssrc: r.ssrc, fraction, packets, jitter: r.jitter });
            // RFC 3550 §6.4.1: since our report left, less what the other side kept it.
            let kept = Duration::from_secs_f64(f64::from(r.delay) / 65536.0);
            let left = self.reports.iter().find(|(middle, _)| *middle == r.last_sender_report);
            let trip = left.and_then(|(_, at)| arrival.saturating_duration_since(*at).checked_sub(kept));
            if let Some(trip) = trip {
                self.round_trip.sample(trip);
            }
        }
    }

    fn leaves(&mut self, packet: &dyn rtc::rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        if any.is::<TransportLayerNack>() {
            let _ = self.out.try_send(Feedback::NackSent);
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            if self.reports.len() == MAX_REPORTS {
                self.reports.pop_front();
            }
            self.reports.push_back(((report.ntp_time >> 16) as u32, now));
        }
    }

    fn look(&self, packet: &dyn rtc::rtcp::Packet, arrival: Instant) {
        let any = packet.as_any();
        if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
            let _ = self.out.try_send(Feedback::KeyframeWanted);
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            let (ntp, rtp) = (NtpTime(report.ntp_time), RtpTicks(report.rtp_time));
            let _ = self.out.try_send(Feedback::SenderReport { ssrc: report.ssrc, ntp, rtp, arrival });
            self.reception(&report.reports, arrival);
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            self.reception(&report.reports, arrival);
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            let packets = nack.nacks.iter().map(|n| 1 + n.lost_packets.count_ones()).sum();
            let _ = self.out.try_send(Feedback::Nack { packets });
        }
    }
}

impl Rule for FeedbackTap {
    fn incoming(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            for p in packets {
                self.look(p.as_ref(), packet.now);
            }
        }
        on.inwards(packet);
    }

    fn outgoing(&mut self, packet: TaggedPacket, on: &mut Onward) {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            for p in packets {
                self.leaves(p.as_ref(), packet.now);
            }
        }
        on.outwards(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interceptor::{By, made};
    use rtc::sansio::Protocol;

    fn rtcp(now: Instant, packet: impl rtc::rtcp::Packet + 'static) -> TaggedPacket {
        made(now, Packet::Rtcp(vec![Box::new(packet)]))
    }

    fn receiver_report(last_sender_report: u32, delay: u32) -> ReceiverReport {
        let report = ReceptionReport { ssrc: 7, last_sender_report, delay, ..Default::default() };
        ReceiverReport { ssrc: 9, reports: vec![report], ..Default::default() }
    }

    #[test]
    fn keyframe_requests_and_sender_reports_reach_us() {
        let (tx, mut rx) = mpsc::channel(8);
        let (mut tap, now) = (By::new(FeedbackTap::new(tx, SharedRoundTrip::default())), Instant::now());
        let packets: Vec<Box<dyn rtc::rtcp::Packet>> = vec![
            Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 2 }),
            Box::new(SenderReport { ssrc: 7, ntp_time: 99, rtp_time: 5, ..Default::default() }),
        ];
        tap.handle_read(made(now, Packet::Rtcp(packets))).expect("taken");
        assert_eq!(rx.try_recv().ok(), Some(Feedback::KeyframeWanted));
        let report = Feedback::SenderReport { ssrc: 7, ntp: NtpTime(99), rtp: RtpTicks(5), arrival: now };
        assert_eq!(rx.try_recv().ok(), Some(report));
        assert!(tap.poll_read().is_some(), "the chain still gets the packet");
    }

    #[test]
    fn loss_is_told_with_its_sign_and_with_jitter() {
        let (tx, mut rx) = mpsc::channel(8);
        let mut tap = By::new(FeedbackTap::new(tx, SharedRoundTrip::default()));
        for (total_lost, packets) in [(300, 300), (0x00ff_fffe, -2), (u32::MAX, -1)] {
            let report = ReceptionReport { ssrc: 7, fraction_lost: 64, total_lost, jitter: 48, ..Default::default() };
            let report = ReceiverReport { ssrc: 9, reports: vec![report], ..Default::default() };
            tap.handle_read(rtcp(Instant::now(), report)).expect("taken");
            let expected = Feedback::Loss { ssrc: 7, fraction: 0.25, packets, jitter: 48 };
            assert_eq!(rx.try_recv().ok(), Some(expected));
        }
    }

    #[test]
    fn the_round_trip_is_what_a_report_took_without_what_the_other_side_kept_it() {
        let (tx, _rx) = mpsc::channel(8);
        let (trip, begun) = (SharedRoundTrip::default(), Instant::now());
        let mut tap = By::new(FeedbackTap::new(tx, trip.clone()));
        let report = SenderReport { ssrc: 7, ntp_time: 0x1234_5678_9abc_def0, ..Default::default() };
        tap.handle_write(rtcp(begun, report)).expect("passed");
        let answered = begun + Duration::from_millis(580);
        tap.handle_read(rtcp(answered, receiver_report(0x5678_9abc, 65_536 / 2))).expect("taken");
        assert_eq!(trip.get().shortest(), Some(Duration::from_millis(80)));
    }

    #[test]
    fn reports_about_nothing_that_we_sent_or_from_the_future_measure_nothing() {
        let (tx, _rx) = mpsc::channel(8);
        let (trip, begun) = (SharedRoundTrip::default(), Instant::now());
        let mut tap = By::new(FeedbackTap::new(tx, trip.clone()));
        for i in 0..100u64 {
            let report = SenderReport { ssrc: 7, ntp_time: i << 16, ..Default::default() };
            tap.handle_write(rtcp(begun + Duration::from_millis(i), report)).expect("passed");
        }
        assert_eq!(tap.rule.reports.len(), MAX_REPORTS);
        let now = begun + Duration::from_millis(150);
        for (last, delay) in [(3, 0), (99, u32::MAX), (99, 65_536), (12_345, 0)] {
            tap.handle_read(rtcp(now, receiver_report(last, delay))).expect("taken");
        }
        assert_eq!(trip.get().shortest(), None);
    }
}
