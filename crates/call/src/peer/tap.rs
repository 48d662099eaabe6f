//! Takes from inbound RTCP what the chain would swallow: keyframe requests, sender reports, reception reports.

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::time::Instant;
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
    /// Of what we sent it lost this share since the last report, 0…1.
    Loss { ssrc: u32, fraction: f32 },
    /// It asks for packets again.
    Nack { packets: u32 },
    /// We asked for packets again.
    NackSent,
}

/// The interceptor; wire-most, so that it sees arrivals as they are. When nobody reads, feedback is dropped: the
/// next report says the same again.
pub(crate) struct FeedbackTap {
    out: mpsc::Sender<Feedback>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl FeedbackTap {
    pub(crate) fn new(out: mpsc::Sender<Feedback>) -> Self {
        Self { out, inbound: VecDeque::new(), outbound: VecDeque::new() }
    }

    fn loss(&self, reports: &[ReceptionReport]) {
        for r in reports {
            let _ = self.out.try_send(Feedback::Loss { ssrc: r.ssrc, fraction: f32::from(r.fraction_lost) / 256.0 });
        }
    }

    fn look(&self, packet: &dyn rtc::rtcp::Packet, arrival: Instant) {
        let any = packet.as_any();
        if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
            let _ = self.out.try_send(Feedback::KeyframeWanted);
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            let (ntp, rtp) = (NtpTime(report.ntp_time), RtpTicks(report.rtp_time));
            let _ = self.out.try_send(Feedback::SenderReport { ssrc: report.ssrc, ntp, rtp, arrival });
            self.loss(&report.reports);
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            self.loss(&report.reports);
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            let packets = nack.nacks.iter().map(|n| 1 + n.lost_packets.count_ones()).sum();
            let _ = self.out.try_send(Feedback::Nack { packets });
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for FeedbackTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            for p in packets {
                self.look(p.as_ref(), packet.now);
            }
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet
            && packets.iter().any(|p| p.as_any().is::<TransportLayerNack>())
        {
            let _ = self.out.try_send(Feedback::NackSent);
        }
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for FeedbackTap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::interceptor::AttributedPacket;

    #[test]
    fn keyframe_requests_and_sender_reports_reach_us() {
        let (tx, mut rx) = mpsc::channel(8);
        let (mut tap, now) = (FeedbackTap::new(tx), Instant::now());
        let packets: Vec<Box<dyn rtc::rtcp::Packet>> = vec![
            Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 2 }),
            Box::new(SenderReport { ssrc: 7, ntp_time: 99, rtp_time: 5, ..Default::default() }),
        ];
        let message = AttributedPacket::new(Packet::Rtcp(packets));
        tap.handle_read(TaggedPacket { now, transport: Default::default(), message }).expect("taken");
        assert_eq!(rx.try_recv().ok(), Some(Feedback::KeyframeWanted));
        let report = Feedback::SenderReport { ssrc: 7, ntp: NtpTime(99), rtp: RtpTicks(5), arrival: now };
        assert_eq!(rx.try_recv().ok(), Some(report));
        assert!(tap.poll_read().is_some(), "the chain still gets the packet");
    }
}
