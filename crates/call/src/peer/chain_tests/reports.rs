//! What both ends learn from each other's reports and requests.

use super::wire::{End, Path, VIDEO, Wire, ms, rtp};
use super::{Feedback, ours, quiet, talk};
use rtc::interceptor::Packet;
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::time::Instant;
use visavis_media::time::{RtpStamper, SenderClock};
use visavis_media::{ClockRate, RtpTicks};

#[test]
fn keyframe_requests_and_sender_reports_get_past_the_chain_that_would_swallow_them() {
    let begun = Instant::now();
    let mut wire = quiet(begun, 20);
    let stamper = RtpStamper::new(begun, 70, ClockRate::VIDEO);
    wire.a.shared.clocks.set(VIDEO, begun, stamper.stamp(begun));
    wire.a.write(begun, rtp(VIDEO, 1, 70, true, vec![1; 100].into()));
    let pli = PictureLossIndication { sender_ssrc: 3, media_ssrc: VIDEO };
    let fir =
        FullIntraRequest { sender_ssrc: 3, media_ssrc: VIDEO, fir: vec![FirEntry { ssrc: VIDEO, sequence_number: 1 }] };
    wire.b.write(begun, Packet::Rtcp(vec![Box::new(pli)]));
    wire.b.write(begun, Packet::Rtcp(vec![Box::new(fir)]));
    (0..60).for_each(|_| wire.step());
    assert_eq!(wire.a.news(), [Feedback::KeyframeWanted, Feedback::KeyframeWanted]);
    let report = wire.b.news().into_iter().find_map(|f| match f {
        Feedback::SenderReport { ssrc: VIDEO, ntp, rtp, .. } => Some((ntp, rtp)),
        _ => None,
    });
    let (ntp, rtp) = report.expect("the sender report reached us");
    let mut clock = SenderClock::new(ClockRate::VIDEO);
    clock.on_sender_report(ntp, rtp);
    let later = clock.remote_time(stamper.stamp(begun + ms(500))).expect("reported");
    let first = clock.remote_time(RtpTicks(70)).expect("reported");
    assert!((later.seconds_since(first) - 0.5).abs() < 1e-4);
    // Why the tap is needed: nothing of this comes out at the chain's other end.
    let rtcp = |end: &End| end.heard.iter().filter(|(_, p)| matches!(p, Packet::Rtcp(_))).count();
    assert_eq!((rtcp(&wire.a), rtcp(&wire.b)), (0, 0));
}

#[test]
fn both_ends_know_the_round_trip_from_their_reports() {
    let begun = Instant::now();
    let path = |delay| Path::new(ms(delay), 0.0, 1);
    let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(40), path(70));
    while wire.ms() < 4000 {
        talk(&mut wire);
        wire.step();
    }
    for end in [&wire.a, &wire.b] {
        let trip = end.shared.round_trip.get().shortest().expect("measured");
        assert!(trip.abs_diff(ms(110)) <= ms(3), "{trip:?}");
    }
}
