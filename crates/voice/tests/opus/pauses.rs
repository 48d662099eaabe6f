//! Pauses that are not sent (Opus DTX): the room goes on being heard, and nothing counts as concealed.

use super::link::{Link, encoded, without_pauses};
use super::measure::{db, power, thirds};
use super::room::fan;
use super::speech::invented;
use visavis_codec::opus::OpusSettings;
use visavis_voice::playout::PlayedKind;

const SECOND: usize = 48_000;

/// Four seconds of speech, eight of pause, four of speech, before a fan of so many dBFS.
fn said(room_dbfs: f32) -> (Vec<f32>, Vec<f32>) {
    let noise = fan(3, 16 * SECOND, room_dbfs);
    let voice = invented(1, 4.0);
    let mut said = noise.clone();
    for (i, sample) in voice.iter().enumerate() {
        said[i] += sample;
        said[12 * SECOND + i] += sample;
    }
    (said, noise)
}

fn heard(said: &[f32]) -> (Link, usize) {
    let mut link = Link::new();
    let packets = without_pauses(encoded(said, OpusSettings { dtx: true, ..OpusSettings::default() }));
    let sent = packets.iter().flatten().count();
    packets.into_iter().for_each(|packet| link.step(packet));
    (link, sent)
}

#[test]
fn in_a_pause_that_is_not_sent_the_room_is_heard_as_loud_as_it_is_and_nothing_is_concealed() {
    for dbfs in [-65.0, -55.0] {
        let (said, noise) = said(dbfs);
        let (link, sent) = heard(&said);
        let stats = link.stats();
        assert!(sent < 16 * 50 * 7 / 10, "{sent} packets sent");
        assert_eq!((stats.concealed_samples, stats.silent_concealed_samples), (0, 0), "{stats:?}");
        let comfort = link.heard[500..1190].iter().filter(|heard| heard.kind == PlayedKind::Comfort).count();
        assert!(comfort > 550, "{comfort}");
        let room = db(power(&noise[5 * SECOND..11 * SECOND]));
        let levels: Vec<f64> = (500..1180).step_by(20).map(|tick| db(power(&link.sound(tick, tick + 20)))).collect();
        println!("{room:.1} dBFS: {sent} sent, {levels:.1?}");
        let bands = thirds(&noise[5 * SECOND..11 * SECOND]).into_iter().zip(thirds(&link.sound(500, 1100)));
        println!("{:.1?}", bands.map(|(a, b)| b - a).collect::<Vec<_>>());
        assert!(levels.iter().all(|level| (level - room).abs() < 5.5), "{room:.1}: {levels:.1?}");
    }
}

#[test]
fn a_pause_of_nothing_at_all_stays_silent() {
    let (said, _) = said(-200.0);
    let (link, _) = heard(&said);
    assert!(db(power(&link.sound(520, 1180))) < -70.0);
    assert_eq!(link.stats().concealed_samples, 0);
}

#[test]
fn the_first_word_after_a_pause_is_heard_whole() {
    let (said, _) = said(-60.0);
    let (link, _) = heard(&said);
    let level = |sound: &[f32]| db(power(sound));
    let word = |from: usize| level(&said[from..from + SECOND / 2]);
    // Whatever the delay is, half a second of it is as loud as it was said.
    let loudest = (1200..1212).map(|tick| level(&link.sound(tick, tick + 50))).fold(f64::MIN, f64::max);
    assert!((loudest - word(12 * SECOND)).abs() < 1.5, "{loudest:.1} of {:.1}", word(12 * SECOND));
}
