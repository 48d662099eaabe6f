//! Video off: the camera is closed and nothing is sent; back on, the picture is soon there.

use crate::common::{Server, Side, call, hang_up, in_call, options};
use std::time::{Duration, Instant};
use visavis_call::{Command, Event};
use visavis_capture::CameraState;

/// The product promises 1.5 s; a test on a loaded machine only that it comes.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn with_the_picture_off_the_camera_is_closed_and_no_packet_is_sent_until_it_is_on_again() {
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    call(&mut a, &mut b);
    a.hears(&Event::FirstFrame);
    b.hears(&Event::FirstFrame);
    for round in 1..=2 {
        a.send(Command::SetVideo(false));
        b.hears(&Event::PeerVideo(false));
        b.shows("that there is no picture", |s| in_call(s).is_some_and(|c| !c.peer.video_on));
        let state = a.shows("a closed camera", |s| s.camera == CameraState::Off);
        assert!(!state.video_on);
        // The first of these may still count what was under way.
        let stats = a.measures(4);
        let sent: Vec<_> = stats.iter().map(|s| (s.outbound_video.bytes_sent, s.outbound_video.packets_sent)).collect();
        assert!(sent[1] == sent[2] && sent[2] == sent[3], "video was sent with the picture off: {sent:?}");
        assert_eq!(b.eye.unreadable(), 0);
        let shown = b.eye.seen().len();

        let moment = Instant::now();
        a.send(Command::SetVideo(true));
        b.hears(&Event::PeerVideo(true));
        let took = b.sees_what_was_captured_after(moment);
        println!("round {round}: the picture was back after {} ms", took.as_millis());
        assert!(took < SOON, "the picture took {took:?}");
        b.until("a moving picture", |side| (side.eye.seen().len() >= shown + 15).then_some(()));
        a.shows("an open camera", |s| matches!(s.camera, CameraState::Running { .. }) && s.video_on);
        // The other direction never stopped.
        a.sees_what_was_captured_after(moment);
    }
    hang_up(&mut a, &mut b);
}

#[test]
fn who_switches_the_picture_off_before_the_call_sends_none_and_may_switch_it_on_in_it() {
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    a.send(Command::SetVideo(false));
    a.shows("a closed camera", |s| s.camera == CameraState::Off && !s.video_on);
    call(&mut a, &mut b);
    b.hears(&Event::PeerVideo(false));
    let stats = a.measures(2);
    assert!(stats.iter().all(|s| s.outbound_video.packets_sent == 0), "video was sent");
    assert!(b.eye.seen().is_empty());
    let moment = Instant::now();
    a.send(Command::SetVideo(true));
    b.hears(&Event::FirstFrame);
    b.sees_what_was_captured_after(moment);
}
