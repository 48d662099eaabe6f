//! Packets that hold anything: no panic, no full-scale noise, no growing delay, and afterwards a voice as before.

use super::link::{Link, encoded};
use super::measure::{db, power};
use super::random::Random;
use super::speech::invented;
use bytes::Bytes;
use visavis_codec::opus::OpusSettings;
use visavis_voice::playout::PlayedKind;

/// Nothing of a twentieth of a second may be louder: what a tone of half of full scale has, and a little.
const LOUDEST_DBFS: f64 = -7.5;
/// Concealment of one tick takes 0.6 ms for 20 ms of it: the sound thread has 10.
const MOST_CONCEALED: usize = 1920;

/// Bytes of every kind that is no speech.
fn garbage(random: &mut Random, good: &[Bytes], kind: u64) -> Bytes {
    let any = |random: &mut Random| (random.unit() * 256.0) as u8;
    let length = |random: &mut Random, most: f64| (random.unit() * most) as usize;
    match kind {
        // Nothing, and more than anybody sends.
        0 => Bytes::new(),
        1 => vec![any(random); 8001 + length(random, 60_000.0)].into(),
        // Noise, short and long.
        2 => (0..1 + length(random, 20.0)).map(|_| any(random)).collect(),
        3 => (0..1 + length(random, 1500.0)).map(|_| any(random)).collect(),
        // Music's mode in every length, stereo at every second, one frame or many.
        4 => {
            let toc = 0x80 | any(random);
            [toc, any(random)].into_iter().chain((0..length(random, 400.0)).map(|_| any(random))).collect()
        }
        // All ones: the loudest that the range coder has.
        5 => [any(random) & 0xFC].into_iter().chain([0xFF; 150]).collect(),
        // Speech with a few bits wrong, or cut off.
        _ => {
            let mut bytes = good[length(random, good.len() as f64)].to_vec();
            for _ in 0..1 + length(random, 8.0) {
                let at = length(random, bytes.len() as f64);
                bytes[at] ^= 1 << length(random, 8.0);
            }
            bytes.truncate(1 + length(random, bytes.len() as f64 * 2.0));
            bytes.into()
        }
    }
}

#[test]
fn garbage_is_never_louder_than_a_loud_voice_and_speech_goes_on_behind_it() {
    let voice = invented(2, 9.0);
    let good = encoded(&voice, OpusSettings::default());
    let expected = db(power(&voice[6 * 48_000..]));
    for seed in 0..24 {
        let mut random = Random::new(seed);
        // Each kind for itself, then mixtures with speech between.
        let kind = |random: &mut Random| if seed < 7 { seed } else { (random.unit() * 7.0) as u64 };
        let (mut link, mut longest) = (Link::new(), 0);
        for (n, packet) in good.iter().enumerate() {
            let bad = (100..250).contains(&n) && (seed < 14 || random.unit() < 0.4);
            let packet = if bad {
                let kind = kind(&mut random);
                garbage(&mut random, &good, kind)
            } else {
                packet.clone()
            };
            link.decoder.concealed = 0;
            link.step(Some(packet));
            assert!(link.decoder.concealed <= 2 * MOST_CONCEALED, "{seed}: {} concealed", link.decoder.concealed);
            longest = longest.max(link.stats().delay.as_millis());
        }
        let ticks = link.heard.len();
        for tick in 0..ticks - 5 {
            let sound = link.sound(tick, tick + 5);
            assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
            assert!(db(power(&sound)) < LOUDEST_DBFS, "{seed}, tick {tick}: {:.1} dBFS", db(power(&sound)));
        }
        let during = db(power(&link.sound(200, 500)));
        let (after, stats) = (db(power(&link.sound(600, ticks))), link.stats());
        println!("{seed}: {during:.1} dBFS in garbage, {after:.1} of {expected:.1} behind it, {longest} ms at most");
        assert!((after - expected).abs() < 2.0, "{seed}: {after:.1} of {expected:.1}");
        assert!(link.heard[600..].iter().all(|heard| heard.kind == PlayedKind::Speech), "{seed}: {stats:?}");
        assert!(longest < 700 && stats.delay.as_millis() < 120, "{seed}: {longest} ms, {stats:?}");
    }
}
