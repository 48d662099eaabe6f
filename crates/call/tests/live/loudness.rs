//! What reaches an ear, whatever the other side sends.

use crate::common::{Server, Side, call, hang_up, loudest, options};
use std::path::Path;
use visavis_call::{Command, Options, SoundChoices, Volume};
use visavis_capture::MicrophoneSpec;

/// A second of nothing but full scale, and of what is no number.
fn roaring_file(folder: &Path) -> MicrophoneSpec {
    let path = folder.join("roar.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    for i in 0..48_000 {
        let level = if i % 4800 == 0 { f32::NAN } else { 1e9 };
        wav.write_sample(if i / 96 % 2 == 0 { level } else { -level }).unwrap();
    }
    wav.finalize().unwrap();
    MicrophoneSpec::File(path)
}

#[test]
fn full_scale_sound_from_the_other_side_never_reaches_the_loudspeaker_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let roars = Options { microphone: roaring_file(folder.path()), ..options(Some(&server)) };
    let (mut a, mut b) = (Side::start("Ann", roars), Side::start("Bob", options(Some(&server))));
    b.send(Command::SetSound(SoundChoices { other: Volume::MOST, ..SoundChoices::PLAIN }));
    call(&mut a, &mut b);
    let begins = |side: &Side| side.ear.since(0).iter().position(|frame| frame.rms() > 0.1);
    let began = b.until("the noise", |side| begins(side));
    b.until("two seconds of it", |side| (side.ear.count() > began + 200).then_some(()));
    let heard = b.ear.since(0);
    assert!(loudest(&heard) < 0.99, "{}", loudest(&heard));
    // What comes first is turned down within half a second, and it stays to be heard.
    let settled = &heard[began + 50..];
    let loud = settled.iter().filter(|frame| frame.rms() > 0.45).count();
    let quiet = settled.iter().filter(|frame| frame.rms() < 0.2).count();
    assert!(loud == 0 && quiet * 10 < settled.len(), "{loud} loud and {quiet} quiet of {}", settled.len());
    hang_up(&mut a, &mut b);
}
