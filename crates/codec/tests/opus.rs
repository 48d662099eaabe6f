//! Opus both ways: rates, redundancy, concealment, foreign packets and garbage.

mod common;

use bytes::Bytes;
use common::Random;
use opusic_c::{Application, Channels, Encoder, SampleRate};
use std::f32::consts::TAU;
use visavis_codec::opus::{
    OpusDecoder, OpusEncoder, OpusError, OpusSettings, SAMPLES_10_MS, SAMPLES_20_MS, announce_longer, announces_longer,
    has_fec, is_dtx, packet_duration,
};
use visavis_media::BitsPerSecond;

type Frame = [f32; SAMPLES_20_MS];
/// What to do about a lost packet, given the next one.
type Repair<'a> = &'a mut dyn FnMut(&mut OpusDecoder, &[u8], &mut Vec<f32>);

/// Something like a voice: a gliding pitch with formants, in syllables.
fn speech(frames: usize) -> Vec<Frame> {
    let mut phase = 0.0f32;
    let mut i = 0;
    let mut sample = || {
        let t = i as f32 / 48_000.0;
        i += 1;
        let pitch = 125.0 + 25.0 * (t * 2.0).sin();
        phase = (phase + pitch / 48_000.0).fract();
        let formant = |f: f32, width: f32, at: f32| (-((f - at) / width).powi(2)).exp();
        let tone = |k: usize| {
            let f = pitch * k as f32;
            let loud = formant(f, 120.0, 650.0) + 0.6 * formant(f, 150.0, 1300.0) + 0.3 * formant(f, 250.0, 2600.0);
            (phase * k as f32 * TAU).sin() * (loud + 0.05)
        };
        (1..25).map(tone).sum::<f32>() * 0.12 * (0.55 + 0.45 * (t * TAU * 4.0).sin())
    };
    (0..frames).map(|_| std::array::from_fn(|_| sample())).collect()
}

fn encoder(settings: OpusSettings) -> OpusEncoder {
    OpusEncoder::new(settings).expect("encoder")
}

fn decoder() -> OpusDecoder {
    OpusDecoder::new().expect("decoder")
}

/// Signal-to-difference ratio in dB of `heard` against `said`, which it follows by the codec's 6.5 ms.
fn likeness(said: &[f32], heard: &[f32]) -> f32 {
    const DELAY: usize = 312;
    let pairs = said.iter().zip(&heard[DELAY..]);
    let (signal, difference) = pairs.fold((0.0, 1e-9), |(s, d), (a, b)| (s + a * a, d + (a - b) * (a - b)));
    10.0 * (signal / difference).log10()
}

#[test]
fn a_voice_comes_back_alike_at_the_rate_asked_for() {
    let said = speech(250);
    for kbps in [24, 32, 48] {
        let mut encoder = encoder(OpusSettings { bitrate: BitsPerSecond::kilo(kbps), ..Default::default() });
        let (mut decoder, mut heard, mut bytes) = (decoder(), Vec::new(), 0);
        for frame in &said {
            let packet = encoder.encode(frame).expect("encodes");
            assert_eq!(packet_duration(&packet), Some(SAMPLES_20_MS));
            bytes += packet.len();
            assert_eq!(decoder.decode(&packet, &mut heard), Ok(SAMPLES_20_MS));
        }
        let (measured, db) = (bytes as f32 * 8.0 / 1000.0 / 5.0, likeness(said.as_flattened(), &heard));
        println!("{kbps} kb/s: measured {measured:.1}, {db:.1} dB");
        assert!((0.7..1.15).contains(&(measured / kbps as f32)) && db > 4.0);
    }
}

/// What is heard of packets of 10 ms, and how many bytes they take.
fn in_short_packets(said: &[Frame], kbps: u32) -> (Vec<f32>, usize) {
    let mut encoder = encoder(OpusSettings { bitrate: BitsPerSecond::kilo(kbps), ..Default::default() });
    let (mut decoder, mut heard, mut bytes) = (decoder(), Vec::new(), 0);
    for half in said.as_flattened().chunks(SAMPLES_10_MS) {
        let packet = encoder.encode(half).expect("encodes");
        bytes += packet.len();
        assert_eq!(decoder.decode(&packet, &mut heard), Ok(SAMPLES_10_MS));
    }
    (heard, bytes)
}

#[test]
fn a_voice_comes_back_alike_in_packets_of_10_ms() {
    let said = speech(250);
    // The rates at which the app sends short packets.
    for kbps in [35, 51, 64] {
        let (heard, bytes) = in_short_packets(&said, kbps);
        let (measured, db) = (bytes as f32 * 8.0 / 1000.0 / 5.0, likeness(said.as_flattened(), &heard));
        println!("10 ms at {kbps} kb/s: measured {measured:.1}, {db:.1} dB");
        assert!((0.6..1.15).contains(&(measured / kbps as f32)) && db > 4.0, "{measured} kb/s, {db} dB");
    }
}

#[test]
fn packets_may_change_their_length_in_mid_word_and_carry_redundancy_in_both() {
    let said = speech(300);
    let mut encoder = encoder(OpusSettings { expected_loss_pct: 10, ..Default::default() });
    let (mut decoder, mut heard, mut redundant) = (decoder(), Vec::new(), [0, 0]);
    for (i, frame) in said.iter().enumerate() {
        let short = i / 10 % 2 == 1;
        for piece in frame.chunks(if short { SAMPLES_10_MS } else { SAMPLES_20_MS }) {
            let packet = encoder.encode(piece).expect("encodes");
            redundant[usize::from(short)] += u32::from(has_fec(&packet));
            assert_eq!(decoder.decode(&packet, &mut heard), Ok(piece.len()));
        }
    }
    let db = likeness(said.as_flattened(), &heard);
    println!("changing every 200 ms: {db:.1} dB, redundancy in {redundant:?} packets");
    assert!(db > 4.0 && redundant[0] > 40 && redundant[1] > 60, "{db} dB, {redundant:?}");
}

#[test]
fn a_lost_packet_of_10_ms_comes_back_from_the_next() {
    let said = speech(300);
    let mut encoder = encoder(OpusSettings { expected_loss_pct: 20, ..Default::default() });
    let packets: Vec<_> = said.as_flattened().chunks(480).map(|half| encoder.encode(half).expect("encodes")).collect();
    let hear = |with_fec: bool| {
        let (mut decoder, mut heard) = (decoder(), Vec::new());
        for (i, packet) in packets.iter().enumerate() {
            if i % 6 != 5 || i + 1 == packets.len() {
                decoder.decode(packet, &mut heard).expect("decodes");
            } else if with_fec {
                decoder.decode_fec(&packets[i + 1], SAMPLES_10_MS, &mut heard).expect("recovers");
            } else {
                decoder.conceal(SAMPLES_10_MS, &mut heard).expect("conceals");
            }
        }
        likeness(said.as_flattened(), &heard)
    };
    let (recovered, concealed) = (hear(true), hear(false));
    println!("one in six of 10 ms lost: {recovered:.1} dB with redundancy, {concealed:.1} dB concealed");
    assert!(recovered > concealed + 0.5);
}

#[test]
fn a_packet_that_announces_longer_ones_sounds_the_same_and_is_known_by_it() {
    let said = speech(100);
    let mut encoder = encoder(OpusSettings { expected_loss_pct: 10, ..Default::default() });
    let (mut plain, mut marked) = ((decoder(), Vec::new()), (decoder(), Vec::new()));
    for half in said.as_flattened().chunks(SAMPLES_10_MS) {
        let packet = encoder.encode(half).expect("encodes");
        let announcing = announce_longer(packet.clone());
        assert!(!announces_longer(&packet) && announces_longer(&announcing));
        assert_eq!((announcing.len(), has_fec(&announcing)), (packet.len() + 1, has_fec(&packet)));
        assert_eq!(announce_longer(announcing.clone()), announcing, "once is enough");
        plain.0.decode(&packet, &mut plain.1).expect("decodes");
        marked.0.decode(&announcing, &mut marked.1).expect("decodes");
    }
    assert_eq!(plain.1, marked.1);
    for nothing in [&[][..], &[0x40], &[0x43, 1]] {
        assert!(!announces_longer(nothing));
        assert_eq!(announce_longer(Bytes::copy_from_slice(nothing)), nothing);
    }
    let long = encoder.encode(&said[0]).expect("encodes");
    assert!(!announces_longer(&announce_longer(long)), "what is long already announces nothing");
}

#[test]
fn other_lengths_are_refused() {
    let mut encoder = encoder(OpusSettings::default());
    for samples in [0, 1, 120, 479, 481, 959, 961, 1920] {
        assert_eq!(encoder.encode(&vec![0.1; samples]), Err(OpusError::InvalidLength(samples)));
    }
}

#[test]
fn every_setting_changes_in_the_running_call() {
    let said = speech(200);
    let mut encoder = encoder(OpusSettings { fec: false, ..Default::default() });
    let size = |encoder: &mut OpusEncoder| -> usize {
        said[50..].iter().map(|frame| encoder.encode(frame).expect("encodes").len()).sum()
    };
    let at_32 = size(&mut encoder);
    encoder.set_bitrate(BitsPerSecond::kilo(16)).expect("taken");
    let at_16 = size(&mut encoder);
    assert!(at_16 * 3 < at_32 * 2, "{at_16} of {at_32} bytes");
    encoder.set_bitrate(BitsPerSecond::kilo(32)).expect("taken");
    encoder.set_fec(true).expect("taken");
    encoder.set_expected_loss(20).expect("taken");
    encoder.set_complexity(5).expect("taken");
    size(&mut encoder);
    // Pauses between syllables carry none.
    let redundant = said.iter().filter(|frame| has_fec(&encoder.encode(&frame[..]).expect("encodes"))).count();
    assert!(redundant > said.len() / 3, "{redundant} of {}", said.len());
    encoder.set_dtx(true).expect("taken");
    let silent: Vec<_> = (0..100).map(|_| encoder.encode(&[0.0; 960]).expect("encodes")).collect();
    assert!(silent[50..].iter().filter(|p| is_dtx(p)).count() > 35);
}

#[test]
fn the_default_settings_carry_redundancy_already() {
    let mut encoder = encoder(OpusSettings::default());
    let said = speech(200);
    // Frames without a voice in them carry none.
    let redundant = said.iter().filter(|frame| has_fec(&encoder.encode(&frame[..]).expect("encodes"))).count();
    assert!(redundant > said.len() / 2, "{redundant} of {}", said.len());
}

#[test]
fn redundancy_brings_a_lost_packet_back_better_than_concealment() {
    let said = speech(300);
    let mut encoder = encoder(OpusSettings { expected_loss_pct: 20, ..Default::default() });
    let packets: Vec<_> = said.iter().map(|frame| encoder.encode(frame).expect("encodes")).collect();
    let hear = |repair: Repair<'_>| {
        let (mut decoder, mut heard) = (decoder(), Vec::new());
        for (i, packet) in packets.iter().enumerate() {
            if i % 6 == 5 && i + 1 < packets.len() {
                repair(&mut decoder, &packets[i + 1], &mut heard);
            } else {
                decoder.decode(packet, &mut heard).expect("decodes");
            }
        }
        assert_eq!(heard.len(), said.len() * SAMPLES_20_MS);
        likeness(said.as_flattened(), &heard)
    };
    let mut redundant = 0;
    let with_fec = hear(&mut |decoder, next, out| {
        redundant += u32::from(has_fec(next));
        decoder.decode_fec(next, SAMPLES_20_MS, out).expect("recovers");
    });
    let concealed = hear(&mut |decoder, _, out| {
        decoder.conceal(SAMPLES_20_MS, out).expect("conceals");
    });
    println!("one in six lost: {with_fec:.1} dB with redundancy ({redundant} of 50), {concealed:.1} dB concealed");
    assert!(redundant > 25 && with_fec > concealed + 1.0);
}

/// Plain concealment of a steady voice repeats its last period; the deep one goes on differently and costs more.
#[test]
fn deep_concealment_is_on() {
    let said = speech(60);
    let mut encoder = encoder(OpusSettings::default());
    let packets: Vec<_> = said.iter().map(|frame| encoder.encode(frame).expect("encodes")).collect();
    let conceal = |mut decoder: OpusDecoder| {
        let mut heard = Vec::new();
        for packet in &packets[..50] {
            decoder.decode(packet, &mut heard).expect("decodes");
        }
        heard.clear();
        for _ in 0..4 {
            decoder.conceal(SAMPLES_20_MS, &mut heard).expect("conceals");
        }
        heard
    };
    let energy = |sound: &[f32]| sound.iter().map(|s| s * s).sum::<f32>();
    let plain = conceal(OpusDecoder::with_complexity(0).expect("decoder"));
    let deep = conceal(decoder());
    let five = conceal(OpusDecoder::with_complexity(5).expect("decoder"));
    assert_eq!(deep, five);
    let difference: Vec<f32> = plain.iter().zip(&deep).map(|(a, b)| a - b).collect();
    println!("energy: plain {:.3}, deep {:.3}, difference {:.3}", energy(&plain), energy(&deep), energy(&difference));
    assert!(energy(&difference) > 0.2 * energy(&deep), "both conceal alike: the neural vocoder is not built in");
}

#[test]
fn foreign_packets_of_every_length_and_in_stereo_are_decoded() {
    for channels in [Channels::Mono, Channels::Stereo] {
        let mut foreign = Encoder::new(channels, SampleRate::Hz48000, Application::Audio).expect("encoder");
        let mut decoder = decoder();
        for samples in [120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760] {
            for n in 0..3 {
                let tone = |i: usize| 0.4 * ((n * samples + i / channels as usize) as f32 * 0.06).sin();
                let pcm: Vec<f32> = (0..samples * channels as usize).map(tone).collect();
                let mut packet = [0; 4000];
                let length = foreign.encode_float_to_slice(&pcm, &mut packet).expect("encodes");
                let mut out = vec![9.0];
                assert_eq!(packet_duration(&packet[..length]), Some(samples));
                assert_eq!(decoder.decode(&packet[..length], &mut out), Ok(samples));
                assert_eq!((out.len(), out[0]), (samples + 1, 9.0), "appended");
            }
        }
    }
}

#[test]
fn samples_that_are_no_sound_do_no_harm() {
    let (mut encoder, mut decoder) = (encoder(OpusSettings::default()), decoder());
    let mut heard = Vec::new();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -7.0] {
        let packet = encoder.encode(&[bad; 960]).expect("encodes");
        decoder.decode(&packet, &mut heard).expect("decodes");
    }
    assert!(heard.iter().all(|s| s.abs() <= 1.0));
    let said = speech(50);
    heard.clear();
    for frame in &said {
        decoder.decode(&encoder.encode(frame).expect("encodes"), &mut heard).expect("decodes");
    }
    assert!(likeness(said[25..].as_flattened(), &heard[25 * 960..]) > 3.0, "still works");
}

#[test]
fn lengths_that_opus_does_not_have_are_refused() {
    let (mut decoder, mut out) = (decoder(), Vec::new());
    for samples in [0, 1, 119, 121, 5880, usize::MAX] {
        assert_eq!(decoder.conceal(samples, &mut out), Err(OpusError::InvalidLength(samples)));
    }
    assert_eq!(decoder.decode(&[], &mut out), Err(OpusError::InvalidPacket));
    assert_eq!(decoder.conceal(480, &mut out), Ok(480));
    assert_eq!(out.len(), 480);
}

#[test]
fn garbage_packets_give_errors_or_sound_within_range() {
    let mut random = Random(6716);
    let (mut decoder, mut out) = (decoder(), Vec::new());
    let (mut good, mut bad) = (0, 0);
    for i in 0..20_000 {
        let length = random.below(if i % 8 == 0 { 1500 } else { 80 });
        let packet = random.bytes(length);
        out.clear();
        let decoded = match i % 3 {
            0 | 1 => decoder.decode(&packet, &mut out),
            _ => decoder.decode_fec(&packet, 960, &mut out),
        };
        match decoded {
            Ok(samples) => {
                good += 1;
                assert!(samples == out.len() && samples <= 5760);
            }
            Err(_) => {
                bad += 1;
                assert!(out.is_empty());
            }
        }
        assert!(out.iter().all(|s| s.abs() <= 1.0), "packet {i}");
        has_fec(&packet);
    }
    println!("{good} garbage packets made a sound, {bad} were refused");
    assert!(good > 1000 && bad > 1000);
}
