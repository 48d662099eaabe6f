//! Whole rate control and repair of two sides over emulated links, in emulated time: encoders that follow the target,
//! pacer, estimator, feedback, requests and repeats, assembly of pictures. No socket, no sleep, no load that could
//! matter; every draw comes from a seed.
//!
//! A test that fails prints its call second by second.

mod camera;
mod network;
mod outcome;
mod side;

use network::{Network, Setting};
use outcome::Outcome;

fn call(seconds: u64, setting: &Setting<'_>) -> Outcome {
    let mut network = Network::new(setting);
    Outcome::of(network.run(seconds))
}

/// What a call may send at most, in kbit/s: as in the app. Made-up encoders stay some percent below what they may make,
/// as real ones do.
const MOST: f64 = 2500.0;

#[test]
fn a_link_with_room_for_everything_is_used_within_seconds_and_costs_no_waiting() {
    for seed in 1..=4 {
        let out = call(30, &Setting { seed, ..Setting::default() });
        assert!(out.kbps(3.0, 30.0) > 0.88 * MOST, "{out:?}");
        assert!(out.latency(5.0, 30.0, 0.95) < 25.0 && out.gaps(1.0, 30.0, 100.0).is_empty(), "{out:?}");
        assert_eq!((out.keyframes_asked, out.sounds_lost), (0, 0), "{out:?}");
    }
}

#[test]
fn a_long_path_costs_its_delay_and_no_more() {
    let setting = Setting { link: "delay=150", ..Setting::default() };
    let out = call(30, &setting);
    assert!(out.kbps(5.0, 30.0) > 0.88 * MOST, "{out:?}");
    assert!(out.latency(5.0, 30.0, 0.95) < 150.0 + 25.0, "{out:?}");
}

#[test]
fn before_a_limit_the_queue_stays_short_and_most_of_the_rate_is_used() {
    for (kbps, seed) in [(2000.0, 1), (1000.0, 2), (500.0, 3), (300.0, 4)] {
        // A queue so deep that nothing but its delay tells of the limit.
        let link = format!("delay=25,rate={kbps}k,queue=2000");
        let out = call(60, &Setting { link: &link, seed, ..Setting::default() });
        assert!(out.kbps(10.0, 60.0) > 0.8 * kbps, "{out:?}");
        assert!(out.queue(10.0, 60.0) < 400.0, "{out:?}");
        assert!(out.latency(10.0, 60.0, 0.5) < 100.0 && out.latency(10.0, 60.0, 0.95) < 150.0, "{out:?}");
        assert!(out.fps(10.0, 60.0) > 26.0, "{out:?}");
    }
}

#[test]
fn the_first_picture_is_soon_there_on_narrow_links_and_what_follows_does_not_flood_them() {
    // What the picture takes by itself, and a packet or two of sound.
    for (kbps, soon, queue) in [(3000.0, 42.0, 120.0), (1000.0, 70.0, 250.0), (300.0, 180.0, 500.0)] {
        for seed in 1..=4 {
            let link = format!("delay=25,rate={kbps}k,queue=2000");
            let out = call(6, &Setting { link: &link, seed, ..Setting::default() });
            assert!(out.first_picture() < soon, "{kbps}: {} {out:?}", out.first_picture());
            assert!(out.queue(0.0, 3.0) < queue, "{kbps}: {} {out:?}", out.queue(0.0, 3.0));
            assert!(out.latency(3.0, 6.0, 0.95) < 150.0, "{kbps}: {out:?}");
        }
    }
}

#[test]
fn losses_that_have_nothing_to_do_with_our_rate_do_not_lower_it() {
    for (link, share) in [("delay=25,loss=0.02", 0.9), ("delay=60,loss=0.05", 0.8)] {
        let out = call(40, &Setting { link, ..Setting::default() });
        assert!(out.sent_kbps(5.0, 40.0) > share * MOST, "{out:?}");
        assert!(out.fps(5.0, 40.0) > 27.0, "{out:?}");
    }
}

#[test]
fn a_link_that_loses_a_tenth_in_bursts_still_carries_moving_pictures() {
    for seed in 1..=4 {
        let out = call(40, &Setting { link: "delay=25,ge=0.10/5", seed, ..Setting::default() });
        assert!(out.fps(5.0, 40.0) > 26.0, "{out:?}");
        assert!(out.gaps(5.0, 40.0, 500.0).is_empty(), "{out:?}");
    }
}

#[test]
fn feedback_that_gets_lost_is_no_reason_to_leave_pictures_out() {
    let left_out = |seed| {
        let out = call(40, &Setting { link: "delay=25,ge=0.10/5", seed, ..Setting::default() });
        println!("{} left out, {:?}", out.left_out, out.gaps(5.0, 40.0, 150.0));
        out.left_out
    };
    let all: u32 = (1..=6).map(left_out).sum();
    assert!(all < 6 * 40, "{all}");
}

#[test]
fn a_limit_that_falls_to_a_sixth_and_rises_again_is_followed_both_ways() {
    for seed in 1..=4 {
        let changes = ["15:rate=500k", "35:rate=3M"];
        let out =
            call(60, &Setting { link: "delay=25,rate=3M,queue=500", changes: &changes, seed, ..Setting::default() });
        let before = out.sent_kbps(10.0, 15.0);
        assert!(before > 0.88 * MOST, "{out:?}");
        assert!(out.latency(18.0, 35.0, 0.5) < 120.0 && out.kbps(20.0, 35.0) > 350.0, "{out:?}");
        assert!(out.s_until(35.0, 0.8 * before).is_some_and(|s| s <= 5.0), "{out:?}");
        assert!(out.latency(50.0, 60.0, 0.95) < 90.0, "{out:?}");
    }
}

#[test]
fn thin_links_show_a_moving_picture_for_good_within_seconds() {
    for (kbps, delay, jitter) in [(150.0, 60, 10), (180.0, 60, 10), (180.0, 25, 0), (250.0, 100, 10)] {
        for seed in 1..=4 {
            let link = format!("delay={delay},jitter={jitter},rate={kbps}k,queue=600,loss=0.005");
            let out = call(40, &Setting { link: &link, seed, parity: true, ..Setting::default() });
            assert!(out.fps(6.0, 40.0) > 12.0, "{kbps}: {out:?}");
            assert!(out.gaps(6.0, 40.0, 1000.0).is_empty(), "{kbps}: {out:?}");
        }
    }
}

#[test]
fn on_long_paths_a_little_loss_stops_hardly_any_picture() {
    for (loss, delay) in [(0.008, 290), (0.005, 290), (0.02, 100)] {
        for seed in 1..=3 {
            let link = format!("delay={delay},jitter=8,rate=5M,queue=400,loss={loss}");
            let out = call(40, &Setting { link: &link, seed, parity: true, ..Setting::default() });
            let gaps = out.gaps(6.0, 40.0, 200.0);
            assert!(gaps.len() <= 4, "{loss} {delay}: {gaps:?} {out:?}");
        }
    }
}

#[test]
fn jitter_is_not_taken_for_a_queue() {
    for link in ["delay=30,jitter=30", "delay=20,jitter=15,jcorr=7"] {
        let out = call(40, &Setting { link, ..Setting::default() });
        assert!(out.sent_kbps(10.0, 40.0) > 0.8 * MOST, "{out:?}");
        assert!(out.latency(5.0, 40.0, 0.95) < 110.0, "{out:?}");
    }
}

#[test]
fn packets_out_of_order_and_packets_twice_do_no_harm() {
    for link in ["delay=20,dup=0.3", "delay=20,jitter=6,reorder=1", "delay=20,late=0.05/20,dup=0.05"] {
        let out = call(40, &Setting { link, ..Setting::default() });
        assert!(out.sent_kbps(5.0, 40.0) > 0.85 * MOST, "{out:?}");
        assert!(out.fps(5.0, 40.0) > 29.0 && out.latency(5.0, 40.0, 0.95) < 90.0, "{out:?}");
        // Where the very first packet is overtaken, a keyframe is asked for in vain, once.
        assert!(out.keyframes_asked <= 1 && out.sounds_lost == 0, "{out:?}");
    }
}

#[test]
fn repeats_stay_in_proportion_to_what_is_lost() {
    for (link, lost) in [("delay=25,loss=0.02", 0.02), ("delay=100,loss=0.05", 0.05), ("delay=25,ge=0.05/4", 0.05)] {
        let out = call(40, &Setting { link, ..Setting::default() });
        let again = f64::from(out.repeats) / f64::from(out.packets);
        assert!(again < 1.6 * lost + 0.005, "{again}: {out:?}");
        assert!(again > 0.6 * lost, "{again}: {out:?}");
    }
}

#[test]
fn after_an_outage_the_call_goes_on_where_it_was() {
    let changes = ["15:loss=1", "17:loss=0"];
    let out = call(40, &Setting { link: "delay=25,rate=4M", changes: &changes, ..Setting::default() });
    let gaps = out.gaps(5.0, 40.0, 300.0);
    assert!(gaps.len() == 1 && gaps[0] < 3000.0, "{gaps:?} {out:?}");
    assert!(out.fps(20.0, 40.0) > 28.0 && out.latency(25.0, 40.0, 0.95) < 120.0, "{out:?}");
    assert!(out.sent_kbps(35.0, 40.0) > 0.8 * MOST, "{out:?}");
}

#[test]
fn a_scene_that_needs_little_leaves_the_rate_alone_and_is_not_made_to_wait() {
    let out = call(40, &Setting { link: "delay=25,rate=2M,queue=500", scene: 300_000.0, ..Setting::default() });
    assert!(out.kbps(5.0, 40.0) < 700.0, "{out:?}");
    assert!(out.latency(5.0, 40.0, 0.95) < 80.0 && out.fps(5.0, 40.0) > 29.0, "{out:?}");
}

#[test]
fn the_target_stays_within_its_limits_on_the_worst_of_links() {
    let worst = "delay=40,jitter=40,reorder=1,rate=120k,queue=800,loss=0.1,ge=0.2/6,dup=0.2,late=0.2/90";
    let changes = ["10:rate=30k,loss=0.3", "20:rate=9M,loss=0", "25:loss=1", "30:loss=0,jitter=200"];
    for seed in 1..=4 {
        let out = call(40, &Setting { link: worst, changes: &changes, seed, ..Setting::default() });
        let [_, lowest, highest] = out.target(0.0, 40.0);
        assert!(lowest >= 30.0 && highest <= 2600.0, "{lowest} {highest} {out:?}");
        assert!(out.sent_kbps(0.0, 40.0) < 1.5 * MOST, "{out:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_call() {
    let setting = |seed| Setting {
        link: "delay=25,jitter=9,rate=900k,loss=0.03,dup=0.01,late=0.01/20",
        seed,
        ..Setting::default()
    };
    let told = |seed| format!("{:?}", call(15, &setting(seed)));
    assert_eq!(told(5), told(5));
    assert_ne!(told(5), told(6));
}
