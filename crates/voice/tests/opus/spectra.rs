//! What is left of a voice's spectrum where it was stretched, concealed or recovered: bands a third of an octave wide, with
//! room for what differs from one version of a library to the next.

use super::measure::{mean, thirds};
use super::speech::invented;
use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_codec::opus::{OpusDecoder, OpusSettings};
use visavis_media::RtpTicks;
use visavis_voice::playout::{PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

/// A codec that takes nothing away: samples as they are.
struct Plain;

impl SpeechDecoder for Plain {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        out.extend(packet.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        true
    }

    fn recover(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        out.resize(out.len() + samples, 0.0);
        true
    }
}

/// What is heard where the delay has to follow a wish that changes every three seconds between nothing and 160 ms.
fn stretched(said: &[f32]) -> (Vec<f32>, PlayoutStats) {
    let (start, mut heard) = (Instant::now(), Vec::with_capacity(said.len()));
    let mut buffer = PlayoutBuffer::new(PlayoutSettings::default());
    for (n, piece) in said.chunks_exact(960).enumerate() {
        let at = start + Duration::from_millis(n as u64 * 20);
        let packet: Bytes = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        buffer.push(n as u16, RtpTicks(n as u32 * 960), at, packet);
        buffer.set_minimum_delay(Duration::from_millis(if n / 150 % 2 == 0 { 0 } else { 160 }));
        for half in [3, 13] {
            heard.extend(buffer.pull(at + Duration::from_millis(half), &mut Plain).samples);
        }
    }
    (heard, buffer.stats())
}

/// Differences in the bands that hold something of the voice, in dB.
fn differences(said: &[f32], heard: &[f32]) -> Vec<f64> {
    let (said, heard) = (thirds(said), thirds(heard));
    let loudest = said.iter().copied().fold(f64::MIN, f64::max);
    said.iter().zip(heard).filter(|(said, _)| **said > loudest - 40.0).map(|(said, heard)| heard - said).collect()
}

fn largest(differences: &[f64]) -> f64 {
    differences.iter().fold(0.0, |most, d| d.abs().max(most))
}

#[test]
fn a_voice_that_is_stretched_all_the_time_keeps_its_spectrum() {
    let said = invented(1, 60.0);
    let (heard, stats) = stretched(&said);
    let changed = (stats.inserted_samples + stats.removed_samples) / 48;
    let found = differences(&said, &heard);
    println!("{changed} ms stretched: {found:.1?} dB");
    assert!(changed > 1500 && stats.concealed_samples < 4800, "{stats:?}");
    assert!(largest(&found) < 1.5, "{found:.1?}");
}

#[test]
fn a_tone_that_is_stretched_keeps_its_pitch() {
    for hz in [110.0f64, 227.0, 440.0, 1000.0] {
        let tone = |i: usize| 0.3 * (i as f64 / 48_000.0 * hz * std::f64::consts::TAU).sin() as f32;
        let said: Vec<f32> = (0..40 * 48_000).map(tone).collect();
        let (heard, stats) = stretched(&said);
        let heard = &heard[48_000..];
        let crossings = heard.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count() as f64;
        let found = crossings * 48_000.0 / heard.len() as f64;
        println!("{hz} Hz: {found:.1}, {} ms stretched", (stats.inserted_samples + stats.removed_samples) / 48);
        assert!((found / hz - 1.0).abs() < 0.005, "{hz} Hz became {found:.1}");
    }
}

/// One packet in ten is lost, and made up for by redundancy or not. Gives what is heard in its place, and what would have
/// been.
fn in_place_of_lost(recover: bool) -> (Vec<f32>, Vec<f32>) {
    let packets =
        super::link::encoded(&invented(2, 40.0), OpusSettings { expected_loss_pct: 10, ..Default::default() });
    let (mut whole, mut lossy) = (OpusDecoder::new().expect("one"), OpusDecoder::new().expect("one"));
    let (mut wanted, mut heard) = (Vec::new(), Vec::new());
    for (n, packet) in packets.iter().enumerate() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        whole.decode(packet, &mut a).expect("decodes");
        match packets.get(n + 1).filter(|_| n % 10 == 5) {
            Some(next) if recover => lossy.decode_fec(next, 960, &mut b).expect("recovers"),
            Some(_) => lossy.conceal(960, &mut b).expect("conceals"),
            None => lossy.decode(packet, &mut b).expect("decodes"),
        };
        if n % 10 == 5 {
            wanted.extend(a);
            heard.extend(b);
        }
    }
    (wanted, heard)
}

#[test]
fn what_is_recovered_has_the_spectrum_of_what_was_lost_and_what_is_concealed_resembles_it() {
    let off = |recover| {
        let (wanted, heard) = in_place_of_lost(recover);
        // Redundancy holds a voice up to 8 kHz.
        let found: Vec<f64> = differences(&wanted, &heard).into_iter().take(18).collect();
        println!("recovered {recover}: {found:.1?} dB");
        found
    };
    let (recovered, concealed) = (off(true), off(false));
    let size = |found: &[f64]| mean(&found.iter().map(|d| d.abs()).collect::<Vec<_>>());
    assert!(size(&recovered) < 1.5 && largest(&recovered) < 6.0, "{recovered:.1?}");
    assert!(size(&concealed) < 4.0 && largest(&concealed) < 9.0, "{concealed:.1?}");
    assert!(size(&recovered) < size(&concealed), "{recovered:.1?} {concealed:.1?}");
}
