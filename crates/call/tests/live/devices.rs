//! Calls without devices, and with devices that come and go.

use crate::common::{Server, Side, call, hang_up, in_call, knows, loudest, options, share_in_pieces};
use crate::mute::{hears_tone, tone_file};
use std::path::Path;
use std::time::{Duration, Instant};
use visavis_call::{Command, Event, Options};
use visavis_capture::{CameraSpec, CameraState, Content, DeviceError, DeviceState, MicrophoneSpec, SpeakerSpec};

fn chats(from: &mut Side, to: &mut Side) {
    from.send(Command::Chat("can you read me?".into()));
    to.hears(&Event::Chat("can you read me?".into()));
}

#[test]
fn without_any_device_the_call_goes_on_and_both_sides_know() {
    let server = Server::start();
    let bare = Options {
        camera: CameraSpec::None,
        microphone: MicrophoneSpec::None,
        speaker: SpeakerSpec::None,
        ..options(Some(&server))
    };
    let (mut a, mut b) = (Side::start("Ann", bare), Side::start("Bob", options(Some(&server))));
    let begun = Instant::now();
    call(&mut a, &mut b);
    let state = a.state();
    assert_eq!((&state.camera, &state.microphone), (&CameraState::Off, &DeviceState::Off));
    assert!(!state.video_on);
    b.shows("that there is no picture", |s| in_call(s).is_some_and(|c| c.peer.name == "Ann" && !c.peer.has_camera));
    a.sees_what_was_captured_after(begun);
    chats(&mut a, &mut b);
    chats(&mut b, &mut a);
    assert!(b.eye.seen().is_empty() && b.eye.unreadable() == 0);
    // A camera and a microphone that come later are used.
    let moment = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    a.send(Command::SetMicrophone(tone_file(folder.path(), 1000.0)));
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Cam)));
    a.send(Command::SetVideo(true));
    b.sees_what_was_captured_after(moment);
    hears_tone(&mut b, 1000.0);
    b.shows("that there is a picture", |s| in_call(s).is_some_and(|c| c.peer.video_on && c.peer.has_camera));
    hang_up(&mut a, &mut b);
}

#[test]
fn devices_that_do_not_exist_are_named_and_the_call_goes_on_without() {
    let server = Server::start();
    let broken = Options {
        camera: CameraSpec::File("no/such/picture.y4m".into()),
        microphone: MicrophoneSpec::File("no/such/sound.wav".into()),
        speaker: SpeakerSpec::File("no/such/folder/out.wav".into()),
        ..options(Some(&server))
    };
    let (mut a, mut b) = (Side::start("Ann", broken), Side::start("Bob", options(Some(&server))));
    let begun = Instant::now();
    call(&mut a, &mut b);
    let about = |error: &DeviceError, part: &str| {
        matches!(error, DeviceError::File { path, .. } if path.ends_with(part)) && error.to_string().contains(part)
    };
    a.shows("what is wrong", |s| {
        matches!(&s.camera, CameraState::Failed(e) if about(e, "picture.y4m"))
            && matches!(&s.microphone, DeviceState::Failed(e) if about(e, "sound.wav"))
            && matches!(&s.speaker, DeviceState::Failed(e) if about(e, "out.wav"))
    });
    a.sees_what_was_captured_after(begun);
    chats(&mut a, &mut b);
    chats(&mut b, &mut a);
    // Others are chosen in the call, and used.
    let moment = Instant::now();
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Cam)));
    a.send(Command::SetSpeaker(SpeakerSpec::None));
    b.sees_what_was_captured_after(moment);
    a.shows("a speaker", |s| matches!(s.speaker, DeviceState::Running { .. }));
    let from = a.ear.count();
    a.until("a tone burst", |side| side.ear.bursts_since(from).into_iter().next());
    hang_up(&mut a, &mut b);
}

#[test]
fn named_devices_that_are_not_plugged_in_do_not_keep_a_call_from_coming_about() {
    let server = Server::start();
    let nowhere = "a device that nobody has";
    let missing = Options {
        camera: CameraSpec::Device(nowhere.into()),
        microphone: MicrophoneSpec::Device(nowhere.into()),
        speaker: SpeakerSpec::Device(nowhere.into()),
        ..options(Some(&server))
    };
    let (mut a, mut b) = (Side::start("Ann", missing), Side::start("Bob", options(Some(&server))));
    call(&mut a, &mut b);
    // Where this machine has others, those stand in.
    let missing = |state: &DeviceState| match state {
        DeviceState::Failed(_) => true,
        DeviceState::Running { instead_of, .. } => instead_of.as_ref().is_some_and(|chosen| chosen.name == nowhere),
        DeviceState::Off | DeviceState::Opening => false,
    };
    a.shows("that they are missing", |s| {
        matches!(s.camera, CameraState::Failed(_)) && missing(&s.microphone) && missing(&s.speaker)
    });
    b.shows("that there is no camera", |s| in_call(s).is_some_and(|c| !c.peer.has_camera && !c.peer.video_on));
    chats(&mut a, &mut b);
    // The camera is looked for again and again, without a word.
    let told = a.unread().len();
    a.measures(3);
    assert_eq!(a.unread()[told..].iter().find(|event| matches!(event, Event::Camera(_))), None);
    // Another one is chosen, and the other side knows.
    let moment = Instant::now();
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Cam)));
    a.event("a camera that runs", |e| matches!(e, Event::Camera(CameraState::Running { .. })).then_some(()));
    b.shows("that there is a camera", |s| in_call(s).is_some_and(|c| c.peer.has_camera && c.peer.video_on));
    b.sees_what_was_captured_after(moment);
    hang_up(&mut b, &mut a);
}

/// A second of grey pictures: without a clock strip.
fn grey_film(path: &Path) {
    let mut film = b"YUV4MPEG2 W320 H180 F30:1 Ip C420\n".to_vec();
    for i in 0..30 {
        film.extend_from_slice(b"FRAME\n");
        film.extend(std::iter::repeat_n(60 + i * 4, 320 * 180));
        film.extend(std::iter::repeat_n(128, 320 * 180 / 2));
    }
    std::fs::write(path, film).unwrap();
}

#[test]
fn changing_every_device_in_mid_call_keeps_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    call(&mut a, &mut b);
    knows(&mut a, "Bob");
    a.hears(&Event::FirstFrame);
    b.hears(&Event::FirstFrame);

    let moment = Instant::now();
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Pan)));
    b.sees_what_was_captured_after(moment);
    let film = folder.path().join("film.y4m");
    grey_film(&film);
    a.send(Command::SetCamera(CameraSpec::File(film)));
    a.shows("the film", |s| matches!(&s.camera, CameraState::Running { name, .. } if name.contains("film")));
    b.until("pictures of the film", |side| (side.eye.unreadable() > 10).then_some(()));
    let moment = Instant::now();
    a.send(Command::SetCamera(CameraSpec::Pattern(Content::Cam)));
    b.sees_what_was_captured_after(moment);

    a.send(Command::SetMicrophone(tone_file(folder.path(), 1000.0)));
    hears_tone(&mut b, 1000.0);
    a.send(Command::SetMicrophone(MicrophoneSpec::None));
    a.shows("no microphone", |s| s.microphone == DeviceState::Off);
    a.send(Command::SetMicrophone(tone_file(folder.path(), 600.0)));
    hears_tone(&mut b, 600.0);

    let recording = folder.path().join("heard.wav");
    b.send(Command::SetSpeaker(SpeakerSpec::File(recording.clone())));
    b.shows("the recording", |s| matches!(&s.speaker, DeviceState::Running { name, .. } if name == "heard.wav"));
    hears_tone(&mut b, 600.0);
    let from = b.ear.count();
    b.send(Command::SetSpeaker(SpeakerSpec::None));
    b.until("sound from the next speaker", |side| (loudest(&side.ear.since(from)) > 0.05).then_some(()));
    let wav = hound::WavReader::open(recording).unwrap();
    assert!(wav.duration() > wav.spec().sample_rate / 10, "the recording holds {} samples", wav.duration());

    let ended = |side: &mut Side| side.unread().iter().any(|e| matches!(e, Event::Ended(_) | Event::Reconnecting));
    assert!(!ended(&mut a) && !ended(&mut b));
    assert!(in_call(&a.state()).is_some() && in_call(&b.state()).is_some());
    hang_up(&mut a, &mut b);
}

#[test]
fn sound_that_came_while_nothing_could_play_it_is_not_played_later() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let sings = Options { microphone: tone_file(folder.path(), 1000.0), ..options(Some(&server)) };
    let deaf = Options { speaker: SpeakerSpec::File("no/such/folder/out.wav".into()), ..options(Some(&server)) };
    let (mut a, mut b) = (Side::start("Ann", sings), Side::start("Bob", deaf));
    call(&mut a, &mut b);
    let waits = |side: &mut Side, ms| {
        let since = Instant::now();
        side.until("time to pass", |_| (since.elapsed() > Duration::from_millis(ms)).then_some(()));
    };
    waits(&mut b, 1000);
    a.send(Command::SetMicrophone(tone_file(folder.path(), 600.0)));
    a.shows("the other tone", |s| matches!(&s.microphone, DeviceState::Running { name, .. } if name == "600.wav"));
    waits(&mut b, 1000);
    assert_eq!(b.ear.count(), 0);
    b.send(Command::SetSpeaker(SpeakerSpec::None));
    b.until("a second of sound", |side| (side.ear.count() >= 100).then_some(()));
    let heard: Vec<f32> = b.ear.since(0).iter().flat_map(|frame| frame.samples).collect();
    let (now, then) = (share_in_pieces(&heard, 600.0), share_in_pieces(&heard, 1000.0));
    assert!(now > 0.8 && then < 0.02, "of now: {now}, of two seconds ago: {then}");
    hang_up(&mut a, &mut b);
}
