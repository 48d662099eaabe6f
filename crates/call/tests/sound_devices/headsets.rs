//! Headsets that are plugged in or connect during a call, and microphones that say nothing.

use super::{PITCH_ONE, PITCH_THREE, REPLACED, Scene, report};
use crate::common;
use crate::pulse::Server as Pulse;
use std::time::{Duration, Instant};
use visavis_call::{Command, DeviceOffer, State};
use visavis_capture::{DeviceState, MicrophoneSpec, SpeakerSpec};

/// An offer is to be seen within this time: half a second until the lists are read, a second in which the system may
/// take the device by itself, and what a busy machine adds.
const OFFERED: Duration = Duration::from_millis(2500);
/// A microphone that gives nothing but zeros for three seconds is named within this time.
const NAMED: Duration = Duration::from_millis(4500);

/// Named as PulseAudio names a USB headset.
const EARS: &str = "module-null-sink sink_name=alsa_output.usb-Jabra_Evolve-00.analog-stereo rate=48000 channels=2 \
     norewinds=1 sink_properties=device.description=EvolveStereo";
const MOUTH: &str = "module-remap-source source_name=alsa_input.usb-Jabra_Evolve-00.mono-fallback master=feed3.monitor \
     source_properties=device.description=EvolveMono";
const EARS_ID: &str = "pulseaudio:alsa_output.usb-Jabra_Evolve-00.analog-stereo";
const MOUTH_ID: &str = "pulseaudio:alsa_input.usb-Jabra_Evolve-00.mono-fallback";

const BLUE: &str = "bluez_source.AA_BB_CC_DD_EE_FF.handsfree_head_unit";
const BLUE_EARS: &str = "bluez_sink.AA_BB_CC_DD_EE_FF.handsfree_head_unit";

fn plug_in(pulse: &Pulse) {
    pulse.load(EARS);
    pulse.load(MOUTH);
}

fn unplug(pulse: &Pulse) {
    pulse.unload(&format!("source_name={}", &MOUTH_ID["pulseaudio:".len()..]));
    pulse.unload(&format!("sink_name={}", &EARS_ID["pulseaudio:".len()..]));
}

fn offers(state: &State, microphone: Option<&str>, speaker: Option<&str>) -> bool {
    let parts = |offer: &DeviceOffer| (offer.microphone.clone(), offer.speaker.clone());
    state.offer.as_ref().map(parts) == Some((microphone.map(str::to_owned), speaker.map(str::to_owned)))
}

/// Ann has no loudspeaker and Bob no microphone, so each is offered one half.
pub fn a_headset_is_offered_and_taken_from_then_on(scene: &mut Scene) {
    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Default));
    scene.bob.send(Command::SetSpeaker(SpeakerSpec::Default));
    Scene::shows(&mut scene.ann, false, "MicOne", None, Instant::now());
    Scene::shows(&mut scene.bob, true, "SpeakerOne", None, Instant::now());
    let since = Instant::now();
    plug_in(&scene.pulse);
    scene.ann.shows("its microphone offered", |s| offers(s, Some(MOUTH_ID), None));
    scene.bob.shows("its loudspeaker offered", |s| offers(s, None, Some(EARS_ID)));
    assert!(report("both were offered", since.elapsed()) <= OFFERED);
    // It is nothing but an offer: all goes on as it was, and it goes with the headset.
    scene.hears("the tone before the microphone that stays", PITCH_ONE, Instant::now());
    unplug(&scene.pulse);
    scene.ann.shows("no offer", |s| s.offer.is_none());
    scene.bob.shows("no offer", |s| s.offer.is_none());

    plug_in(&scene.pulse);
    scene.ann.shows("its microphone offered", |s| offers(s, Some(MOUTH_ID), None));
    let take = |microphone: Option<&str>, speaker: Option<&str>| Command::SetSoundDevices {
        microphone: microphone.map(|id| MicrophoneSpec::Device(id.to_owned())),
        speaker: speaker.map(|id| SpeakerSpec::Device(id.to_owned())),
    };
    scene.ann.send(take(Some(MOUTH_ID), None));
    scene.hears("the tone before the headset", PITCH_THREE, Instant::now());
    scene.bob.shows("its loudspeaker offered", |s| offers(s, None, Some(EARS_ID)));
    scene.bob.send(Command::DismissOffer);
    scene.bob.shows("no offer", |s| s.offer.is_none());
    scene.bob.send(take(None, Some(EARS_ID)));
    Scene::shows(&mut scene.bob, true, "EvolveStereo", None, Instant::now());

    let since = Instant::now();
    unplug(&scene.pulse);
    assert!(scene.hears("the tone before the default", PITCH_ONE, since) <= REPLACED);
    Scene::shows(&mut scene.ann, false, "MicOne", Some("EvolveMono"), since);
    Scene::shows(&mut scene.bob, true, "SpeakerOne", Some("EvolveStereo"), since);
    let since = Instant::now();
    plug_in(&scene.pulse);
    assert!(scene.hears("the tone before the headset again", PITCH_THREE, since) <= REPLACED);
    Scene::shows(&mut scene.bob, true, "EvolveStereo", None, since);
    assert!(scene.ann.state().offer.is_none() && scene.bob.state().offer.is_none(), "what was chosen is taken");

    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Default));
    scene.bob.send(Command::SetSpeaker(SpeakerSpec::Default));
    scene.hears("the tone before the default", PITCH_ONE, Instant::now());
    Scene::shows(&mut scene.bob, true, "SpeakerOne", None, Instant::now());
    unplug(&scene.pulse);
}

/// Whether anybody hears through a source.
fn is_open(pulse: &Pulse, source: &str) -> bool {
    let sources = pulse.asks(&["list", "short", "sources"]);
    let number = sources.lines().find(|line| line.split('\t').nth(1) == Some(source));
    let number = number.and_then(|line| line.split('\t').next()).expect("it is there").to_owned();
    let outputs = pulse.asks(&["list", "short", "source-outputs"]);
    outputs.lines().any(|line| line.split('\t').nth(1) == Some(&number))
}

pub fn its_microphone_stays_closed_until_it_is_chosen(scene: &mut Scene) {
    let load = |module: &str, key: &str, name: &str, rest: &str| {
        scene.pulse.load(&format!("{module} {key}_name={name} {rest} {key}_properties=device.description=Blue"));
    };
    load("module-null-sink", "sink", BLUE_EARS, "rate=16000 channels=1 norewinds=1");
    load("module-remap-source", "source", BLUE, "master=feed3.monitor");
    // Systems do so when a headset connects.
    assert!(scene.pulse.pactl(&["set-default-source", BLUE]));
    let there = |s: &State| s.devices.microphones.iter().any(|device| device.id.ends_with(BLUE) && !device.default);
    scene.ann.shows("the headset in the list, and another as the default", there);
    scene.bob.shows("its loudspeaker offered", |s| offers(s, None, Some(&format!("pulseaudio:{BLUE_EARS}"))));
    assert!(scene.ann.state().offer.is_none(), "its microphone is not");
    // Pulse moves streams along with the default: that is undone.
    let limit = Instant::now() + common::LONG;
    while is_open(&scene.pulse, BLUE) {
        assert!(Instant::now() < limit, "the headset's microphone stays open");
    }
    scene.hears("the tone before the other microphone", PITCH_ONE, Instant::now());
    Scene::shows(&mut scene.ann, false, "MicOne", None, Instant::now());

    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Device(format!("pulseaudio:{BLUE}"))));
    scene.hears("the tone before the headset, once it is chosen", PITCH_THREE, Instant::now());
    assert!(is_open(&scene.pulse, BLUE));
    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Default));
    scene.hears("the tone before the other one", PITCH_ONE, Instant::now());
    assert!(scene.pulse.pactl(&["set-default-source", "mic1"]));
    scene.pulse.unload(&format!("source_name={BLUE}"));
    scene.pulse.unload(&format!("sink_name={BLUE_EARS}"));
}

pub fn a_silent_microphone_is_named(scene: &mut Scene) {
    scene.pulse.load("module-null-sink sink_name=feed4 rate=48000 channels=1 norewinds=1");
    scene
        .pulse
        .load("module-remap-source source_name=mic4 master=feed4.monitor source_properties=device.description=MicFour");
    scene.ann.shows("it", |s| s.devices.microphones.iter().any(|device| device.name == "MicFour"));
    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Device("MicFour".into())));
    Scene::shows(&mut scene.ann, false, "MicFour", None, Instant::now());
    let since = Instant::now();
    scene.ann.shows("that it is silent", |s| s.microphone_silent);
    let took = report("it is named", since.elapsed());
    assert!(took > Duration::from_millis(2500) && took <= NAMED);
    let working = matches!(scene.ann.state().microphone, DeviceState::Running { .. });
    assert!(working, "it works, as far as anybody says");
    scene.tones.push(scene.pulse.play("feed4", PITCH_ONE));
    scene.ann.shows("that it is not", |s| !s.microphone_silent);
    scene.ann.send(Command::SetMicrophone(MicrophoneSpec::Default));
    Scene::shows(&mut scene.ann, false, "MicOne", None, Instant::now());
    scene.tones.pop();
    scene.pulse.unload("source_name=mic4");
    scene.pulse.unload("sink_name=feed4");
}
