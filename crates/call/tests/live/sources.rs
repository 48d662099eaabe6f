//! Camera and microphone change in mid-call: the same streams go on, nothing is negotiated anew.

use crate::common::{Server, Side, call, hang_up, options};
use crate::mute::{hears_tone, tone_file};
use std::path::Path;
use std::time::Instant;
use visavis_call::{Command, Event};
use visavis_capture::{CameraSpec, CameraState, Content, MicrophoneSpec};

/// A few grey pictures of a size that no other source here has.
fn film(path: &Path) {
    let mut film = b"YUV4MPEG2 W480 H320 F30:1 Ip C420\n".to_vec();
    for i in 0..10 {
        film.extend_from_slice(b"FRAME\n");
        film.extend(std::iter::repeat_n(60 + i * 4, 480 * 320));
        film.extend(std::iter::repeat_n(128, 480 * 320 / 2));
    }
    std::fs::write(path, film).unwrap();
}

/// Waits until a picture of this width has been decoded.
fn sees_width(side: &mut Side, width: u32) {
    while side.measures(1)[0].inbound_video.frame_width != width {}
}

#[test]
fn other_cameras_and_microphones_go_out_in_the_same_streams_and_no_picture_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    call(&mut a, &mut b);
    a.hears(&Event::FirstFrame);
    b.hears(&Event::FirstFrame);
    // Without a server nothing could be negotiated anew.
    server.kill();

    let moment = Instant::now();
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Pan)));
    a.send(Command::SetMicrophone(tone_file(folder.path(), 1000.0)));
    b.sees_what_was_captured_after(moment);
    hears_tone(&mut b, 1000.0);
    let path = folder.path().join("film.y4m");
    film(&path);
    a.send(Command::SetCamera(CameraSpec::File(path)));
    a.send(Command::SetMicrophone(MicrophoneSpec::None));
    b.until("pictures of the film", |side| (side.eye.unreadable() > 10).then_some(()));
    sees_width(&mut b, 480);
    let moment = Instant::now();
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Cam)));
    a.send(Command::SetMicrophone(tone_file(folder.path(), 600.0)));
    b.sees_what_was_captured_after(moment);
    sees_width(&mut b, 320);
    hears_tone(&mut b, 600.0);

    // Every picture that went out was decoded: none was missing, none waited for a keyframe that had to be asked for.
    a.send(Command::SetVideo(false));
    a.shows("a closed camera", |s| s.camera == CameraState::Off);
    let sent = a.measures(2)[1].outbound_video.clone();
    let seen = loop {
        let seen = b.measures(1)[0].inbound_video.clone();
        if seen.frames_decoded >= sent.frames_encoded {
            break seen;
        }
    };
    assert_eq!((seen.frames_decoded, seen.frames_received), (sent.frames_encoded, sent.frames_encoded));
    assert_eq!((seen.packets_lost, seen.pli_count, sent.pli_count), (0, 0, 0), "{seen:?}");
    assert!(!b.unread().contains(&Event::Reconnecting) && !a.unread().contains(&Event::Reconnecting));
    hang_up(&mut a, &mut b);
}
