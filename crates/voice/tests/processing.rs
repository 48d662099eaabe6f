//! The whole chain of voice processing in simulated rooms, in emulated time, on made-up voices. The bounds are far from
//! what is measured (`voice_bench` prints that), so that they hold on every machine.

#[path = "../examples/voice_bench/measure.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod measure;
#[path = "../examples/voice_bench/random.rs"]
mod random;
#[path = "../examples/voice_bench/room.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod room;
#[path = "../examples/voice_bench/scene.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod scene;
#[path = "../examples/voice_bench/speech.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod speech;

use measure::{db, fitted_filter, power, thirds};
use random::Random;
use room::{Room, fan, keyboard};
use scene::{Heard, Scene, play};
use speech::invented;
use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_SAMPLES};
use visavis_voice::processing::{NoiseSuppression, VoiceProcessor, VoiceSettings};

const SECOND: usize = 48_000;
/// Without noise suppression and gain, what comes out can be compared with what went in.
const AEC: VoiceSettings = VoiceSettings {
    high_pass: true,
    echo_cancellation: true,
    noise_suppression: NoiseSuppression::Off,
    automatic_gain: false,
};

fn erle(heard: &Heard, from: usize, to: usize) -> f64 {
    let (a, b) = (from * SECOND, to * SECOND);
    db(power(&heard.echo[a..b]) / power(&heard.sent[a..b]).max(1e-14))
}

#[test]
fn echo_is_30_db_down_within_five_seconds_and_the_report_says_so() {
    let far = invented(1, 12.0);
    let with_ns = VoiceSettings { noise_suppression: NoiseSuppression::Full, ..AEC };
    for (delay_ms, settings) in [(10.0, with_ns), (40.0, AEC), (40.0, with_ns), (150.0, with_ns)] {
        let mut scene = Scene::new(&far, &[]);
        scene.room = Room::office(2, delay_ms);
        let heard = play(&scene, settings);
        println!("{delay_ms} ms: {:.1} dB, {:?}", erle(&heard, 5, 12), heard.report);
        assert!(erle(&heard, 5, 12) > 30.0, "{delay_ms} ms: {:.1} dB", erle(&heard, 5, 12));
        let found = heard.report.echo_delay.expect("switched on").as_secs_f64() * 1000.0;
        assert!((found - delay_ms).abs() < 12.0, "{delay_ms} ms: {found}");
        assert_eq!(heard.report.failures, 0);
    }
}

#[test]
fn after_everything_moved_echo_is_gone_again_within_five_seconds() {
    let far = invented(2, 16.0);
    let mut scene = Scene::new(&far, &[]);
    scene.moved = Some((8.0, Room::office(7, 65.0)));
    let heard = play(&scene, AEC);
    println!("{:.1} dB, {:.1} dB", erle(&heard, 5, 8), erle(&heard, 12, 16));
    assert!(erle(&heard, 12, 16) > 25.0);
}

#[test]
fn clocks_200_ppm_apart_cost_no_more_than_6_db_and_are_found_out() {
    let far = invented(1, 45.0);
    let played = |drift_ppm| {
        let mut scene = Scene::new(&far, &[]);
        (scene.drift_ppm, scene.jitter_ms) = (drift_ppm, 5.0);
        play(&scene, AEC)
    };
    let together = erle(&played(0.0), 25, 45);
    for ppm in [-200.0, 200.0] {
        let heard = played(ppm);
        let found = f64::from(heard.report.drift_ppm.expect("long enough"));
        println!("{ppm} ppm: found {found:.1}, {:.1} dB of {together:.1}", erle(&heard, 25, 45));
        assert!((found - ppm).abs() < 20.0, "{ppm}: {found}");
        assert!(erle(&heard, 25, 45) > (together - 6.0).max(25.0), "{ppm}: {:.1}", erle(&heard, 25, 45));
    }
}

#[test]
fn a_voice_without_echo_goes_through_unharmed() {
    let near = invented(3, 12.0);
    let heard = play(&Scene::new(&[], &near), AEC);
    let sdr = db(fitted_filter(&near, &heard.sent[heard.delay - 200..], 960));
    println!("SDR {sdr:.1} dB");
    // The made-up voice hisses at 8 and 16 kHz, where the filter banks are not exact.
    assert!(sdr > 18.0, "{sdr:.1}");
    // The spectrum of what the whole chain sends is that of the voice from 200 Hz on, octave for octave; below there is
    // only rumble, and above 3 kHz this voice has only hiss, which could as well be noise.
    let whole = play(&Scene::new(&[], &near), VoiceSettings { automatic_gain: false, ..VoiceSettings::default() });
    let octaves = |sound: &[f32]| -> Vec<f64> {
        thirds(sound)[3..].chunks_exact(3).map(|t| db(t.iter().map(|l| 10f64.powf(l / 10.0)).sum())).collect()
    };
    let (said, sent) = (octaves(&near), octaves(&whole.sent));
    println!("said {said:.1?}, sent {sent:.1?}");
    for (n, (said, sent)) in said.iter().zip(&sent).enumerate().take(4) {
        assert!((sent - said).abs() < 5.0, "octave {n}: {said:.1} became {sent:.1}");
    }
}

#[test]
fn the_near_voice_is_heard_while_both_speak() {
    let (far, near) = (invented(1, 20.0), invented(2, 20.0));
    let mut scene = Scene::new(&far, &near);
    scene.echo_gain = 0.355;
    let (both, alone) = (play(&scene, AEC), play(&Scene::new(&[], &near), AEC));
    let (gain, sdr) = measure::fitted(&alone.sent[8 * SECOND..], &both.sent[8 * SECOND..]);
    println!("near voice {:.1} dB, SDR {:.1} dB", db(gain * gain), db(sdr));
    assert!(db(gain * gain) > -4.0 && db(sdr) > 3.0);
}

#[test]
fn keys_are_12_db_down_where_nobody_speaks() {
    let noise = keyboard(4, 10 * SECOND, -40.0);
    let heard = play(&Scene::new(&[], &noise), VoiceSettings { automatic_gain: false, ..VoiceSettings::default() });
    let down = db(power(&noise[3 * SECOND..]) / power(&heard.sent[3 * SECOND..]).max(1e-14));
    assert!(down > 12.0, "{down:.1}");
}

#[test]
fn a_fan_is_25_db_down_and_lightly_8() {
    let noise = fan(3, 10 * SECOND, -45.0);
    for (noise_suppression, least) in [(NoiseSuppression::Full, 25.0), (NoiseSuppression::Light, 8.0)] {
        let heard = play(&Scene::new(&[], &noise), VoiceSettings { noise_suppression, ..AEC });
        let down = db(power(&noise[5 * SECOND..]) / power(&heard.sent[5 * SECOND..]).max(1e-14));
        assert!(down > least, "{noise_suppression:?}: {down:.1}");
    }
}

/// Plays `tone` and lets `act` do something before each frame; what came out.
fn tone_with(settings: VoiceSettings, frames: usize, mut act: impl FnMut(usize, &mut VoiceProcessor)) -> Vec<f32> {
    let mut voice = VoiceProcessor::new(settings);
    let start = Instant::now();
    let mut out = Vec::new();
    for n in 0..frames {
        act(n, &mut voice);
        let at = start + Duration::from_millis(10 * n as u64);
        let samples = std::array::from_fn(|i| {
            let t = (n * FRAME_SAMPLES + i) as f32 / 48_000.0;
            0.1 * (t * 300.0 * std::f32::consts::TAU).sin()
        });
        voice.render(&AudioFrame::silence(at));
        out.extend(voice.capture(&AudioFrame { samples, at }).samples);
    }
    out
}

/// Largest bend in the curve: a click has one that a low tone has not.
fn sharpest(sound: &[f32]) -> f32 {
    sound.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).fold(0.0, f32::max)
}

#[test]
fn parts_are_switched_and_devices_changed_without_a_click() {
    let settings = [
        VoiceSettings::OFF,
        VoiceSettings { high_pass: true, ..VoiceSettings::OFF },
        VoiceSettings { echo_cancellation: true, ..VoiceSettings::OFF },
        VoiceSettings { noise_suppression: NoiseSuppression::Light, ..VoiceSettings::OFF },
        VoiceSettings { noise_suppression: NoiseSuppression::Full, ..VoiceSettings::OFF },
        VoiceSettings { automatic_gain: true, ..VoiceSettings::OFF },
    ];
    for on in &settings[1..] {
        let steady = sharpest(&tone_with(*on, 250, |_, _| {})[SECOND..])
            .max(sharpest(&tone_with(VoiceSettings::OFF, 250, |_, _| {})[SECOND..]));
        let switched = tone_with(*on, 250, |n, voice| match n {
            150 => voice.set(VoiceSettings::OFF),
            170 => voice.set(*on),
            190 => voice.microphone_changed(),
            210 => voice.speaker_changed(),
            _ => {}
        });
        let sharp = sharpest(&switched[SECOND..]);
        println!("{on:?}: {sharp:.5}, steady {steady:.5}");
        // The tone's own bend is 0.1 · (2π · 300 / 48000)² = 0.00015; a step of 0.001 would show.
        assert!(sharp < 2.0 * steady + 0.0004, "{on:?}: {sharp} against {steady}");
    }
}

#[test]
fn garbage_comes_out_as_nothing_worse_than_sound_and_leaves_no_trace() {
    let start = Instant::now();
    let mut random = Random::new(8);
    for settings in [VoiceSettings::default(), VoiceSettings::OFF] {
        let mut voice = VoiceProcessor::new(settings);
        let mut last = Vec::new();
        for n in 0..1500u64 {
            let kind = if n < 1000 { n / 50 % 8 } else { 0 };
            let mut garbage = |i: usize| match kind {
                0 => 0.0,
                1 => f32::NAN,
                2 => {
                    if i.is_multiple_of(7) {
                        f32::INFINITY
                    } else {
                        -0.1
                    }
                }
                3 => {
                    if (i / 20).is_multiple_of(2) {
                        1.0
                    } else {
                        -1.0
                    }
                }
                4 => f32::MIN_POSITIVE / 2.0,
                5 => 1e30 * random.gauss() as f32,
                6 => f32::from_bits((random.unit() * 4294967295.0) as u32),
                _ => 0.9,
            };
            let (near, far) = (std::array::from_fn(&mut garbage), std::array::from_fn(&mut garbage));
            // Moments are nonsense, too.
            let at = start + Duration::from_millis(if n < 1000 && n % 97 == 5 { n * 31 % 5000 } else { n * 10 });
            voice.render(&AudioFrame { samples: far, at });
            let out = voice.capture(&AudioFrame { samples: near, at }).samples;
            assert!(out.iter().all(|s| s.abs() <= 0.9), "frame {n}");
            if n >= 1400 {
                last.extend(out);
            }
        }
        assert!(db(power(&last)) < -80.0, "{:.1}", db(power(&last)));
        let report = voice.report();
        assert!(report.heard.is_finite() && report.sent.is_finite() && report.failures <= 3, "{report:?}");
        assert!(report.microphone_is_silent);
    }
}

#[test]
fn speech_into_a_muted_microphone_is_noticed_and_the_loudspeaker_is_not() {
    let voice_there = |near: &[f32], far: &[f32], settings| {
        let mut voice = VoiceProcessor::new(settings);
        voice.set_muted(true);
        let heard = scene::play_on(&mut voice, &Scene::new(far, near));
        heard.report.speech.expect("muted");
        heard.speaking_frames
    };
    let near = invented(1, 10.0);
    for settings in [VoiceSettings::default(), AEC] {
        let (spoken, echoed) = (voice_there(&near, &[], settings), voice_there(&[], &near, settings));
        println!("{spoken} frames of speech, {echoed} of echo");
        assert!(spoken > 300, "{spoken}");
        assert!(echoed < 50, "{echoed}");
    }
}

#[test]
fn the_moment_of_what_is_sent_is_that_of_what_was_captured() {
    let start = Instant::now();
    let mut voice = VoiceProcessor::new(VoiceSettings::default());
    let at = start + Duration::from_secs(1);
    let out = voice.capture(&AudioFrame::silence(at));
    assert_eq!(at - out.at, voice.delay());
    assert!((15..25).contains(&voice.delay().as_millis()));
    for settings in [
        AEC,
        VoiceSettings { noise_suppression: NoiseSuppression::Light, ..VoiceSettings::OFF },
        VoiceSettings::default(),
    ] {
        let near = invented(4, 4.0);
        let heard =
            play(&Scene::new(&[], &near), VoiceSettings { high_pass: false, automatic_gain: false, ..settings });
        let measured = measure::delay(&near[SECOND..3 * SECOND], &heard.sent[SECOND..3 * SECOND + 2400], 2400);
        assert!(measured.abs_diff(heard.delay) <= 48, "{measured} samples, said {}", heard.delay);
    }
}
