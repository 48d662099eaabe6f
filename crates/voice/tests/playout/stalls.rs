//! The network stands still, or whoever reads does: nothing old is played afterwards.

use super::call::{Call, clicks, largest, ms};
use std::time::Duration;
use visavis_media::RtpTicks;
use visavis_voice::playout::PlayedKind;

#[test]
fn after_a_stall_of_two_seconds_old_sound_is_dropped_and_the_delay_is_back_at_once() {
    let mut call = Call::new(800, 0.0, |n| {
        let (sent, opens) = (n as f64 * 20.0, 6000.0);
        Some(if (4000.0..opens).contains(&sent) { opens - sent + 15.0 } else { 15.0 })
    });
    let stats = call.run(Duration::from_secs(16));
    println!("stall: {stats:?}");
    assert!(stats.packets_discarded > 60);
    let back = call.mouth_to_ear(ms(6300));
    assert!(back[0] < 330.0 && largest(&call.mouth_to_ear(ms(9000))) < 120.0, "{} then {}", back[0], largest(&back));
    assert!(stats.concealed_samples as f64 / 48.0 > 1800.0, "the stall counts as concealed");
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn a_short_stall_delays_and_then_catches_up() {
    let mut call = Call::new(600, 0.0, |n| {
        let sent = n as f64 * 20.0;
        Some(if (4000.0..4140.0).contains(&sent) { 4140.0 - sent + 15.0 } else { 15.0 })
    });
    let stats = call.run(Duration::from_secs(12));
    assert_eq!((stats.packets_missing, stats.packets_discarded), (0, 0), "{stats:?}");
    assert!(stats.removed_samples > 100 * 48);
    assert!(largest(&call.mouth_to_ear(ms(6500))) < 90.0);
    assert_eq!(clicks(&call.sound(10)), 0);
}

/// The whole process stood still, and the network's packets of that time come in one burst or not at all.
#[test]
fn after_a_stop_of_ten_seconds_nothing_old_is_played() {
    for kept in [0, 60, 200, 500] {
        let mut call = Call::new(0, 0.0, |_| None);
        let mut push_until = 0;
        let mut tick = |call: &mut Call, now: u64, arrives: &dyn Fn(u64) -> Option<u64>| {
            while push_until * 20 <= now {
                if let Some(at) = arrives(push_until) {
                    call.push(ms(at), push_until);
                }
                push_until += 1;
            }
            let played = call.buffer.pull(call.start + ms(now + 3), &mut call.decoder);
            call.played.push((ms(now + 3), played));
        };
        (0..500).for_each(|t| tick(&mut call, t * 10, &|n| Some(n * 20)));
        // The socket kept the first of what came, and lost the rest.
        let stood = |n: u64| if n * 20 > 15_000 { Some(n * 20) } else { (n < 250 + kept).then_some(15_000) };
        (1500..2000).for_each(|t| tick(&mut call, t * 10, &stood));
        let old = call.played.iter().filter(|(now, played)| {
            let said = played.first_sample.map(|ts| ts.since(RtpTicks(call.first_rtp)) as f64 / 48.0);
            let heard = matches!(played.kind, PlayedKind::Speech | PlayedKind::Recovered);
            *now > ms(15_000) && heard && said.is_some_and(|said| now.as_secs_f64() * 1000.0 - said > 1000.0)
        });
        assert!(old.clone().count() <= 12, "{kept} kept: {} ms of old sound", old.count() * 10);
        let back = call.mouth_to_ear(ms(16_500));
        assert!(!back.is_empty() && largest(&back) < 120.0, "{kept} kept: {}", largest(&back));
    }
}

/// The sound thread alone stood still (a device that hung), and packets came all the while.
#[test]
fn after_the_reader_stood_still_it_goes_on_with_the_newest_sound_at_once() {
    let mut call = Call::new(0, 0.0, |_| None);
    let mut next = 0;
    for tick in (0..300).chain(480..800u64) {
        while next * 20 <= tick * 10 {
            call.push(ms(next * 20), next);
            next += 1;
        }
        let played = call.buffer.pull(call.start + ms(tick * 10 + 3), &mut call.decoder);
        call.played.push((ms(tick * 10 + 3), played));
    }
    let after = call.mouth_to_ear(ms(4800));
    assert!(largest(&after[1..]) < 80.0, "{} ms", largest(&after[1..]));
    assert!(call.buffer.stats().packets_discarded > 60);
    assert_eq!(clicks(&call.sound(10)), 0);
}

#[test]
fn a_reader_that_comes_in_pairs_is_given_the_time_it_needs() {
    let mut call = Call::new(1000, 0.0, |_| Some(10.0));
    call.wire.sort();
    let mut wire = std::mem::take(&mut call.wire).into_iter().peekable();
    for pair in 0..950u64 {
        let now = ms(pair * 20 + 3);
        while let Some((arrival, n)) = wire.next_if(|(arrival, _)| *arrival <= now) {
            call.push(arrival, n);
        }
        for _ in 0..2 {
            let played = call.buffer.pull(call.start + now, &mut call.decoder);
            call.played.push((now, played));
        }
    }
    let stats = call.buffer.stats();
    assert_eq!((stats.concealed_samples, stats.packets_late), (0, 0), "{stats:?}");
    assert!((7..25).contains(&stats.target_delay.as_millis()), "{stats:?}");
}
