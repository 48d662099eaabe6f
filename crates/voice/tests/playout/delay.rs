//! How long sound is held back: calm and jittery paths, longer ones, clocks that drift.

use super::call::{Call, Random, Vowel, clicks, concealed_pct, largest, mean, ms};
use std::time::Duration;
use visavis_media::RtpTicks;
use visavis_voice::playout::{PlayedKind, PlayoutStats};

#[test]
fn a_calm_network_costs_little_and_loses_nothing() {
    let mut call = Call::new(1000, 0.0, |_| Some(10.0));
    let stats = call.run(Duration::from_secs(20));
    assert_eq!((stats.concealed_samples, stats.packets_missing, stats.packets_late), (0, 0, 0));
    let delays = call.mouth_to_ear(Duration::from_secs(3));
    println!("calm: {:.1} ms from mouth to ear, 10 of them in the network", mean(&delays));
    assert!(mean(&delays) < 34.0 && largest(&delays) < 37.0);
    assert_eq!(stats.inserted_samples, 0);
    assert_eq!(clicks(&call.sound(10)), 0);
    assert!((5..=25).contains(&stats.delay.as_millis()) && stats.target_delay < ms(16), "{stats:?}");
    let held = stats.mean_delay_since(&PlayoutStats::default()).expect("emitted");
    assert!((8..35).contains(&held.as_millis()), "{held:?}");
}

/// Once settled, each sample follows the last one of the sender's: none left out, none twice, none changed.
#[test]
fn sound_is_untouched_when_nothing_goes_wrong_and_its_timestamps_are_exact() {
    let mut call = Call::new(500, 0.0, |_| Some(25.0));
    call.run(Duration::from_secs(9));
    for (now, played) in &call.played[300..] {
        assert_eq!(played.kind, PlayedKind::Speech, "{now:?}");
        let at = played.first_sample.expect("speech").since(RtpTicks(call.first_rtp)) as u64;
        for (i, sample) in played.samples.iter().enumerate() {
            assert!((sample - Vowel::sample(at + i as u64)).abs() < 1e-6, "{now:?}");
        }
    }
}

/// A thread that wakes late now and then: one packet in 15 s comes 9 to 14 ms after its time.
#[test]
fn what_is_late_once_in_a_while_is_heard_once_and_then_waited_for() {
    let mut random = Random(4);
    let late = |n: u64| n > 200 && n.is_multiple_of(750);
    let mut call = Call::new(9000, 0.0, |n| Some(if late(n) { 19.0 + random.unit() * 5.0 } else { 10.0 }));
    let stats = call.run(Duration::from_secs(179));
    println!("eleven late packets: {} ms concealed", stats.concealed_samples / 48);
    assert!(stats.concealed_samples <= 2 * 480, "{stats:?}");
    assert!(mean(&call.mouth_to_ear(Duration::from_secs(30))) < 48.0);
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn a_single_late_packet_is_forgotten_in_a_few_minutes_and_a_very_late_one_at_once() {
    for (late_by, waits) in [(12.0, true), (60.0, false)] {
        let mut call = Call::new(15_000, 0.0, |n| Some(if n == 1000 { 10.0 + late_by } else { 10.0 }));
        call.run(Duration::from_secs(299));
        let delay = |from: u64, to: u64| {
            let all = call.mouth_to_ear(Duration::from_secs(from));
            let until = call.mouth_to_ear(Duration::from_secs(to)).len();
            mean(&all[..all.len() - until])
        };
        let (before, soon, late) = (delay(10, 19), delay(32, 40), delay(270, 298));
        println!("{late_by} ms late: {before:.1} ms before, {soon:.1} soon after, {late:.1} long after");
        assert_eq!(soon > before + 4.0, waits, "{before:.1} {soon:.1}");
        assert!(late < before + 4.0, "{before:.1} {late:.1}");
    }
}

#[test]
fn jitter_of_30_ms_and_loss_of_2_percent_are_hardly_heard() {
    let mut random = Random(1);
    let mut call = Call::new(3000, 0.0, |_| {
        let jitter = (random.unit() + random.unit()) * 30.0;
        (random.unit() >= 0.02).then_some(20.0 + jitter)
    });
    let stats = call.run(Duration::from_secs(60));
    let delays = call.mouth_to_ear(Duration::from_secs(5));
    println!(
        "jitter: buffer {:.0} ms, concealed {:.2} %, {} of {} missing recovered, {} late, -{} +{} samples",
        stats.mean_delay_since(&PlayoutStats::default()).expect("emitted").as_secs_f64() * 1000.0,
        concealed_pct(&stats),
        stats.fec_recovered,
        stats.packets_missing,
        stats.packets_late,
        stats.removed_samples,
        stats.inserted_samples,
    );
    assert!(concealed_pct(&stats) <= 1.0, "{stats:?}");
    assert!(stats.fec_recovered * 10 >= stats.packets_missing * 7, "{stats:?}");
    assert!(mean(&delays) < 20.0 + 110.0);
    assert_eq!(clicks(&call.sound(50)), 0);
}

#[test]
fn clock_drift_of_200_ppm_for_ten_minutes_changes_nothing() {
    for ppm in [200.0, -200.0] {
        let mut random = Random(3);
        let mut call = Call::new(30_000, ppm, |_| Some(15.0 + random.unit() * 4.0));
        let stats = call.run(Duration::from_secs(598));
        let delays: Vec<f64> = call
            .played
            .iter()
            .skip(500)
            .filter_map(|(now, played)| {
                let said = played.first_sample?.since(RtpTicks(call.first_rtp)) as f64 / 48_000.0;
                Some((now.as_secs_f64() - said * (1.0 + ppm * 1e-6)) * 1000.0)
            })
            .collect();
        let stretched = (stats.inserted_samples + stats.removed_samples) as f64 / 48.0;
        println!("{ppm} ppm: {:.1} ms, at most {:.1}, {stretched:.0} ms stretched", mean(&delays), largest(&delays));
        assert!(largest(&delays) < 70.0 && delays.iter().all(|d| *d > 15.0));
        assert!(concealed_pct(&stats) < 0.2 && (60.0..400.0).contains(&stretched), "{stats:?}");
    }
}

#[test]
fn a_longer_path_is_accepted_within_three_seconds() {
    let mut call = Call::new(1000, 0.0, |n| Some(if n < 400 { 20.0 } else { 520.0 }));
    let stats = call.run(Duration::from_secs(19));
    println!("path 500 ms longer: {stats:?}");
    let settled = call.played.iter().filter(|(now, _)| *now > ms(12_500));
    assert!(settled.clone().all(|(_, played)| played.kind == PlayedKind::Speech));
    let delays = call.mouth_to_ear(ms(14_000));
    assert!(largest(&delays) < 620.0, "{}", largest(&delays));
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn the_delay_can_be_held_up_for_the_picture() {
    let mut call = Call::new(500, 0.0, |_| Some(10.0));
    call.buffer.set_minimum_delay(ms(150));
    call.run(Duration::from_secs(9));
    let delays = call.mouth_to_ear(Duration::from_secs(5));
    assert!(delays.iter().all(|d| (140.0..195.0).contains(d)), "{} {}", mean(&delays), largest(&delays));
}
