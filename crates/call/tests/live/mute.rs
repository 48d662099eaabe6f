//! Muted means: no sample of the microphone leaves.

use crate::common::{Server, Side, call, hang_up, loudest, options, share_at};
use std::path::Path;
use visavis_call::{Command, Event, Options};
use visavis_capture::MicrophoneSpec;
use visavis_media::AudioFrame;

/// Quieter than anything of the tone that could be heard: -60 dBFS, where the tone has -13.
const SILENCE: f32 = 0.001;
/// What had been sent before it was muted is played within this time (frames of 10 ms).
const PLAYED_OUT: usize = 100;

/// One second of a tone that loops without a seam.
pub fn tone_file(folder: &Path, hertz: f32) -> MicrophoneSpec {
    let path = folder.join(format!("{hertz}.wav"));
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    for i in 0..48_000 {
        let phase = std::f32::consts::TAU * hertz * i as f32 / 48_000.0;
        wav.write_sample((phase.sin() * 0.3 * 32767.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
    MicrophoneSpec::File(path)
}

/// Waits until the tone is what is heard from now on.
pub fn hears_tone(side: &mut Side, hertz: f32) {
    let from = side.ear.count();
    side.until("the tone", |side| {
        let frames = side.ear.since(from);
        let last: Vec<f32> = frames.iter().rev().take(20).rev().flat_map(|f| f.samples).collect();
        (frames.len() >= 20 && loudest(&frames[frames.len() - 20..]) > 0.05 && share_at(&last, hertz) > 0.9)
            .then_some(())
    });
}

/// What is heard in the next two seconds, after what was under way has been played.
fn listens(side: &mut Side) -> Vec<AudioFrame> {
    let from = side.ear.count() + PLAYED_OUT;
    side.until("two seconds of sound", |side| Some(side.ear.since(from)).filter(|f| f.len() >= 200))
}

#[test]
fn nothing_of_a_muted_microphone_comes_out_at_the_other_side() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let singing = Options { microphone: tone_file(folder.path(), 1000.0), ..options(Some(&server)) };
    let quiet = Options { microphone: MicrophoneSpec::None, ..options(Some(&server)) };
    let (mut a, mut b) = (Side::start("Ann", singing), Side::start("Bob", quiet));
    call(&mut a, &mut b);
    hears_tone(&mut b, 1000.0);
    for _ in 0..2 {
        a.send(Command::SetMuted(true));
        b.hears(&Event::PeerMuted(true));
        assert!(a.state().muted);
        let heard = listens(&mut b);
        assert!(loudest(&heard) < SILENCE, "{} of the tone is heard while muted", loudest(&heard));
        // Not even silence is sent, and the level shows live all the same.
        let sent: Vec<u64> = a.measures(3).iter().map(|s| s.outbound_audio.packets_sent).collect();
        assert_eq!(sent[1], sent[2], "packets left while muted");
        a.shows("the live level", |s| s.microphone_level > 0.2);

        a.send(Command::SetMuted(false));
        b.hears(&Event::PeerMuted(false));
        hears_tone(&mut b, 1000.0);
    }
    hang_up(&mut a, &mut b);
}

#[test]
fn who_mutes_before_the_call_is_muted_from_its_first_moment() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    // Without DTX each 20 ms would be sent, silence included: none of it may be the tone.
    let singing = Options { microphone: tone_file(folder.path(), 1000.0), dtx: false, ..options(Some(&server)) };
    let quiet = Options { microphone: MicrophoneSpec::None, ..options(Some(&server)) };
    let (mut a, mut b) = (Side::start("Ann", singing), Side::start("Bob", quiet));
    a.send(Command::SetMuted(true));
    call(&mut a, &mut b);
    b.hears(&Event::PeerMuted(true));
    b.until("pictures of the call", |side| (side.eye.seen().len() >= 30).then_some(()));
    b.until("two seconds of sound", |side| (side.ear.count() >= 200).then_some(()));
    let heard = b.ear.since(0);
    assert!(loudest(&heard) < SILENCE, "{} of the tone is heard", loudest(&heard));
    // Changing the microphone does not unmute.
    a.send(Command::SetMicrophone(tone_file(folder.path(), 600.0)));
    let heard = listens(&mut b);
    assert!(loudest(&heard) < SILENCE, "{} of the other tone is heard", loudest(&heard));
    a.send(Command::SetMuted(false));
    hears_tone(&mut b, 600.0);
    // Muted stays muted in the next call.
    a.send(Command::SetMuted(true));
    hang_up(&mut a, &mut b);
    let from = b.ear.count();
    call(&mut b, &mut a);
    b.until("two seconds of sound", |side| (side.ear.count() >= from + 200).then_some(()));
    let heard = b.ear.since(from);
    assert!(loudest(&heard) < SILENCE, "{} of the tone is heard in the next call", loudest(&heard));
}
