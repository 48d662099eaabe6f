//! Microphone and loudspeaker against a real sound server: a PulseAudio daemon with null sinks, started for this test
//! in a folder of its own. Needs `pulseaudio` and its utilities (`scripts/setup` installs them).
#![cfg(target_os = "linux")]

#[path = "support/pulse.rs"]
mod pulse;

use pulse::{LIMIT, Server, frequency, rms, sine};
use std::time::{Duration, Instant};
use visavis_capture::{DeviceError, Microphone, MicrophoneSpec, Speaker, SpeakerSpec, list_devices, list_sound};
use visavis_media::{FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

const TICK: Duration = Duration::from_millis(10);

/// Whether most of a recording is a tone of this pitch, neither faint nor distorted: a busy machine may drop a few
/// pieces on its way through the server.
fn assert_tone(sound: &[f32], pitch: f32) {
    let pieces: Vec<(f32, f32)> = sound.chunks_exact(PIECE).map(|piece| (frequency(piece), rms(piece))).collect();
    let good = pieces.iter().filter(|(hz, level)| (hz - pitch).abs() < 5.0 && (0.2..0.35).contains(level)).count();
    assert!(good * 10 >= pieces.len() * 7, "{good} of {} pieces are right: {pieces:?}", pieces.len());
}

/// 50 ms.
const PIECE: usize = SAMPLE_RATE as usize / 20;

/// Calls `tick` every 10 ms until it is satisfied.
fn every_tick(mut tick: impl FnMut() -> bool) {
    let start = Instant::now();
    for n in 1.. {
        if tick() {
            return;
        }
        assert!(start.elapsed() < LIMIT, "took too long");
        std::thread::park_timeout((start + TICK * n).saturating_duration_since(Instant::now()));
    }
}

/// One test, as its parts share the server, and the process has one environment.
#[test]
fn real_sound_devices_carry_a_tone_both_ways() {
    let mut server = Server::start(&[
        "module-null-sink sink_name=speaker rate=48000 channels=2 norewinds=1 sink_properties=device.description=Speaker",
        "module-null-sink sink_name=micfeed rate=48000 channels=1 norewinds=1 sink_properties=device.description=Feed",
        "module-remap-source source_name=mic master=micfeed.monitor source_properties=device.description=Mic",
        "module-null-sink sink_name=slow rate=44100 channels=6 sink_properties=device.description=Surround",
    ]);
    // Safe: no other thread of this process runs yet.
    unsafe { std::env::set_var("PULSE_SERVER", server.address()) };
    unsafe { std::env::set_var("XDG_RUNTIME_DIR", server.folder()) };

    stage("list", the_list_has_the_devices_and_their_defaults);
    stage("microphone", || a_tone_into_the_microphone_is_read(&server, "micfeed", "default", "Mic"));
    for (spec, sink) in [("default", "speaker"), ("Surround", "slow")] {
        stage(sink, || a_tone_to_the_speaker_is_heard(&server, spec, sink));
    }
    for layout in ["rate=8000 channels=1", "rate=192000 channels=8", "rate=11025 channels=3"] {
        stage(layout, || any_rate_and_number_of_channels_will_do(&server, layout));
    }
    stage("list often", listing_often_costs_no_threads);
    stage("not found", a_device_that_is_not_there_is_not_found);
    stage("server dies", || a_server_that_dies_is_noticed(&mut server));
    stage("no microphone", || the_monitor_of_a_loudspeaker_is_no_microphone_by_default(&server));
}

fn stage(name: &str, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    println!("{name}: {:.1} s", start.elapsed().as_secs_f32());
}

fn the_list_has_the_devices_and_their_defaults() {
    let lists = list_devices();
    let microphones: Vec<_> = lists.microphones.iter().map(|d| (d.id.as_str(), d.name.as_str(), d.default)).collect();
    assert_eq!(microphones, [("pulseaudio:mic", "Mic", true)], "monitors are not offered");
    let speakers: Vec<_> = lists.speakers.iter().map(|d| (d.name.as_str(), d.default)).collect();
    assert_eq!(speakers, [("Speaker", true), ("Feed", false), ("Surround", false)]);
}

fn a_tone_into_the_microphone_is_read(server: &Server, feed: &str, spec: &str, name: &str) {
    let _player = server.play(feed, 700.0);
    let mut microphone = Microphone::open(&spec.parse().expect("a spec")).expect("a microphone");
    assert_eq!(microphone.name(), name);
    assert_eq!(microphone.id(), Some(format!("pulseaudio:{}", name.to_lowercase()).as_str()));
    let (mut sound, mut moments, mut late) = (Vec::new(), Vec::new(), Vec::new());
    every_tick(|| {
        while let Some(frame) = microphone.read() {
            if !sound.is_empty() || frame.rms() > 0.1 {
                late.push(frame.at.elapsed());
                moments.push(frame.at);
                sound.extend_from_slice(&frame.samples);
            }
        }
        sound.len() >= SAMPLE_RATE as usize
    });
    assert_tone(&sound[FRAME_SAMPLES * 5..], 700.0);
    assert!(microphone.failed().is_none());
    let span = *moments.last().expect("some") - moments[0];
    let frames = u32::try_from(moments.len() - 1).expect("few");
    assert!(span.abs_diff(FRAME_DURATION * frames) < Duration::from_millis(250), "{span:?} for {frames} frames");
    late.sort();
    println!("microphone: read {:?} after its capture in the median, {:?}", late[late.len() / 2], microphone.faults());
    assert!(late[late.len() / 2] < Duration::from_millis(150));
}

fn a_tone_to_the_speaker_is_heard(server: &Server, spec: &str, sink: &str) {
    let recorder = server.record(sink);
    let mut speaker = Speaker::open(&spec.parse::<SpeakerSpec>().expect("a spec")).expect("a loudspeaker");
    let (mut written, mut delays, mut middle) = (0, Vec::new(), None);
    every_tick(|| {
        for _ in 0..speaker.wants() {
            let mut frame = [0.0; FRAME_SAMPLES];
            frame.iter_mut().zip(sine(600.0, written, FRAME_SAMPLES)).for_each(|(to, from)| *to = from);
            speaker.write(&frame);
            written += FRAME_SAMPLES;
        }
        delays.push(speaker.delay());
        let sound: Vec<f32> = recorder.sound().into_iter().map(|(_, sample)| sample).collect();
        // The middle second: the onset may be cut off by the recorder.
        let onset = sound.iter().position(|s| s.abs() > 0.2).map(|onset| onset + 9600);
        middle = onset.and_then(|from| Some(sound.get(from..from + SAMPLE_RATE as usize)?.to_vec()));
        middle.is_some()
    });
    assert_tone(&middle.expect("it was there"), 600.0);
    assert!(speaker.failed().is_none());
    delays.sort();
    let median = delays[delays.len() / 2];
    println!("speaker {sink}: delay {median:?} in the median, {:?}", speaker.faults());
    assert!(median < Duration::from_millis(150));
}

fn any_rate_and_number_of_channels_will_do(server: &Server, layout: &str) {
    let named = |kind: &str, name: &str| format!("{kind}_properties=device.description={name}");
    server.load(&format!("module-null-sink sink_name=odd {layout} norewinds=1 {}", named("sink", "Odd")));
    server.load(&format!("module-remap-source source_name=oddmic master=odd.monitor {}", named("source", "OddMic")));
    a_tone_into_the_microphone_is_read(server, "odd", "OddMic", "OddMic");
    a_tone_to_the_speaker_is_heard(server, "pulseaudio:odd", "odd");
    server.unload("source_name=oddmic");
    server.unload("sink_name=odd");
}

fn listing_often_costs_no_threads() {
    let threads = || std::fs::read_dir("/proc/self/task").expect("Linux").count();
    let before = threads();
    (0..50).for_each(|_| assert!(!list_devices().speakers.is_empty()));
    assert!(threads() <= before + 1, "{} threads, {before} before", threads());
}

fn a_device_that_is_not_there_is_not_found() {
    let wanted = "no such device".to_owned();
    let spec = MicrophoneSpec::Device(wanted.clone());
    assert_eq!(Microphone::open(&spec).err(), Some(DeviceError::NotFound { wanted }));
}

fn a_server_that_dies_is_noticed(server: &mut Server) {
    let mut microphone = Microphone::open(&MicrophoneSpec::Default).expect("a microphone");
    let mut speaker = Speaker::open(&SpeakerSpec::Default).expect("a loudspeaker");
    server.kill();
    let (died, mut noticed) = (Instant::now(), [None; 2]);
    every_tick(|| {
        while microphone.read().is_some() {}
        for _ in 0..speaker.wants() {
            speaker.write(&[0.0; FRAME_SAMPLES]);
        }
        for (at, failed) in noticed.iter_mut().zip([microphone.failed(), speaker.failed()]) {
            *at = at.or(failed.map(|_| died.elapsed()));
        }
        noticed.iter().all(Option::is_some)
    });
    println!("the server's death was noticed after {noticed:?}");
    let closing = Instant::now();
    drop((microphone, speaker));
    assert!(closing.elapsed() < Duration::from_secs(3), "closing must not hang");
    let lists = list_devices();
    assert!(lists.microphones.iter().all(|d| !d.id.starts_with("pulseaudio")));
    assert!(list_sound().is_err(), "nobody else is asked while the server may come back");
    server.run();
    let lists = list_sound().expect("the new server answers");
    assert_eq!(lists.microphones.default_device().map(|d| d.id.as_str()), Some("pulseaudio:mic"));
    assert!(lists.microphones.hidden.iter().any(|d| d.id == "pulseaudio:speaker.monitor"));
}

fn the_monitor_of_a_loudspeaker_is_no_microphone_by_default(server: &Server) {
    server.unload("source_name=mic");
    assert_eq!(Microphone::open(&MicrophoneSpec::Default).err(), Some(DeviceError::NoDevice));
    let spec = MicrophoneSpec::Device("pulseaudio:speaker.monitor".to_owned());
    assert_eq!(Microphone::open(&spec).expect("asked for by its id").name(), "Monitor of Speaker");
}
