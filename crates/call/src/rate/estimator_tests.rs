//! The estimator on emulated paths: a sender that follows it, a queue that is served at some rate, and a clock moved by
//! hand.

use super::{Estimator, SharedTarget};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtc::interceptor::{BandwidthEstimator, PacketReport};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// The time between two pictures, and between two feedback messages (as the crate sends them).
const PICTURE: f64 = 1.0 / 30.0;
const FEEDBACK: f64 = 0.1;
const PACKET: f64 = 1200.0;

/// A path and what is sent over it.
struct Link {
    /// Bits per second that the queue is served at.
    rate: f64,
    /// Longest queue, in seconds; what finds it full is dropped.
    longest: f64,
    /// One way, without the queue.
    delay: f64,
    loss: f64,
    /// Most that the sender has to send, whatever the target: a still picture, or sound only.
    limited: f64,
    /// How much pictures differ in size, and over which share of a picture's time its packets leave.
    variation: f64,
    spread: f64,
    random: StdRng,
    epoch: Instant,
    clock: f64,
    /// When the queue will be empty.
    busy_until: f64,
    owed: f64,
    id: u64,
    under_way: VecDeque<PacketReport>,
    next_feedback: f64,
    /// Time, target and queue at each feedback.
    history: Vec<(f64, f64, f64)>,
}

impl Link {
    fn new(rate: f64) -> Self {
        Self {
            rate,
            longest: 1.0,
            delay: 0.025,
            loss: 0.0,
            limited: f64::INFINITY,
            variation: 0.4,
            spread: 0.5,
            random: StdRng::seed_from_u64(7),
            epoch: Instant::now(),
            clock: 0.0,
            busy_until: 0.0,
            owed: 0.0,
            id: 0,
            under_way: VecDeque::new(),
            next_feedback: FEEDBACK,
            history: Vec::new(),
        }
    }

    fn packet(&mut self, at: f64, size: f64) {
        let queue = (self.busy_until - at).max(0.0);
        let lost = queue > self.longest || self.random.random_bool(self.loss);
        if queue <= self.longest {
            self.busy_until = at + queue + size * 8.0 / self.rate;
        }
        let arrival = Duration::from_secs_f64(self.busy_until + self.delay + 1000.0);
        self.under_way.push_back(PacketReport {
            ssrc: 1,
            id: self.id,
            rtp_sequence_number: self.id as u16,
            is_twcc: true,
            twcc_sequence_number: self.id as u16,
            size: size as usize,
            arrived: !lost,
            departure: self.epoch + Duration::from_secs_f64(at),
            arrival: (!lost).then_some(arrival),
            ecn: Default::default(),
        });
        self.id += 1;
    }

    /// Sends these bytes now, whatever the target says.
    fn burst(&mut self, bytes: f64) {
        (0..(bytes / PACKET) as usize).for_each(|_| self.packet(self.clock, PACKET));
    }

    /// Lets one picture's time pass; feedback comes when it is due.
    fn step(&mut self, estimator: &mut Estimator) {
        // Pictures differ in size, and an encoder does not hit its rate.
        let size = 1.0 + self.variation * self.random.random_range(-1.0..1.0);
        self.owed += estimator.target_bitrate().min(self.limited) * PICTURE / 8.0 * size;
        let packets = (self.owed / PACKET).floor();
        self.owed -= packets * PACKET;
        for i in 0..packets as usize {
            self.packet(self.clock + self.spread * PICTURE * i as f64 / packets, PACKET);
        }
        // Sound, and a report of its own, flow beside it.
        self.packet(self.clock + PICTURE * 0.7, 100.0);
        self.clock += PICTURE;
        if self.clock < self.next_feedback {
            return;
        }
        self.next_feedback += FEEDBACK;
        let heard = self.clock - self.delay + 1000.0;
        let known = self.under_way.iter().rposition(|r| r.arrival.is_some_and(|at| at.as_secs_f64() <= heard));
        let reports: Vec<_> = self.under_way.drain(..known.map_or(0, |i| i + 1)).collect();
        estimator.on_reports(self.epoch + Duration::from_secs_f64(self.clock), &reports);
        self.history.push((self.clock, estimator.target_bitrate(), (self.busy_until - self.clock).max(0.0)));
    }

    fn run(&mut self, estimator: &mut Estimator, until: f64) {
        while self.clock < until {
            self.step(estimator);
        }
    }

    /// Of the targets (or queues) between these times, the one that this share is below.
    fn share(&self, from: f64, to: f64, share: f64, of: impl Fn(&(f64, f64, f64)) -> f64) -> f64 {
        let mut values: Vec<_> = self.history.iter().filter(|h| h.0 > from && h.0 <= to).map(of).collect();
        values.sort_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * share) as usize]
    }

    fn target(&self, from: f64, to: f64, share: f64) -> f64 {
        self.share(from, to, share, |h| h.1) / 1e6
    }

    fn queue(&self, from: f64, to: f64, share: f64) -> f64 {
        self.share(from, to, share, |h| h.2)
    }
}

fn estimator(start: u32, max: u32) -> Estimator {
    let (start, max) = (BitsPerSecond::kilo(start), BitsPerSecond::kilo(max));
    Estimator::new(start, BitsPerSecond::kilo(50), max, SharedTarget::new(start))
}

#[test]
fn on_a_narrow_link_with_a_long_queue_the_target_settles_at_its_rate_and_the_queue_stays_short() {
    for seed in 0..6 {
        let (mut e, mut link) = (estimator(1000, 4000), Link::new(1.2e6));
        link.random = StdRng::seed_from_u64(seed);
        link.run(&mut e, 60.0);
        let [low, middle, high] = [0.05, 0.5, 0.95].map(|share| link.target(10.0, 60.0, share));
        let queue = (link.queue(10.0, 60.0, 0.5), link.queue(10.0, 60.0, 0.95));
        println!("target {low:.2} {middle:.2} {high:.2} Mb/s, queue {queue:.3?} s");
        assert!(low >= 0.8 && (0.9..=1.3).contains(&middle) && high <= 1.35, "{low} {middle} {high} Mb/s");
        assert!(queue.0 < 0.06 && queue.1 < 0.15, "{queue:?} s");
    }
}

#[test]
fn in_an_even_stream_a_queue_is_noticed_as_it_begins_to_grow() {
    // By its slope: were it noticed only where it stands, it would become longer than that each time.
    let usual = [0.7, 1.2, 2.0].map(|rate| {
        let (mut e, mut link) = (estimator(500, 4000), Link::new(rate * 1e6));
        (link.variation, link.spread) = (0.0, 1.0);
        link.run(&mut e, 60.0);
        println!("{rate} Mb/s: longest {:.3}, p95 {:.3} s", link.queue(5.0, 60.0, 1.0), link.queue(5.0, 60.0, 0.95));
        link.queue(5.0, 60.0, 0.95)
    });
    assert!(usual.iter().all(|queue| *queue < 0.065), "{usual:?} s");
}

#[test]
fn narrow_links_of_every_rate_are_used_without_a_long_queue() {
    for rate in [0.2, 0.35, 0.7, 1.7, 3.0] {
        let (mut e, mut link) = (estimator(1000, 4000), Link::new(rate * 1e6));
        link.run(&mut e, 60.0);
        let (used, queue) = (link.target(15.0, 60.0, 0.5) / rate, link.queue(15.0, 60.0, 0.95));
        println!("{rate} Mb/s: {used:.2} of it, queue p95 {queue:.3} s");
        assert!((0.7..1.1).contains(&used) && queue < 0.25, "{rate} Mb/s: {used} of it, {queue} s");
    }
}

#[test]
fn a_queue_that_neither_grows_nor_shrinks_is_drained() {
    // The most that we may send is just what the path carries: what a hard scene once put into the queue stays there.
    let (mut e, mut link) = (estimator(1000, 1200), Link::new(1.2e6));
    link.run(&mut e, 5.0);
    link.burst(60_000.0);
    link.run(&mut e, 40.0);
    let (queue, target) = (link.queue(10.0, 40.0, 0.95), link.target(10.0, 40.0, 0.5));
    println!("queue p95 {queue:.3} s, target {target:.2} Mb/s");
    assert!(queue < 0.15, "{queue} s");
    assert!(target > 0.85, "{target} Mb/s");
}

#[test]
fn a_path_that_becomes_longer_is_not_taken_for_a_queue_for_long() {
    let (mut e, mut link) = (estimator(1000, 2500), Link::new(5e6));
    link.run(&mut e, 20.0);
    assert!(link.target(10.0, 20.0, 0.5) > 2.4);
    link.delay += 0.15;
    link.run(&mut e, 60.0);
    let (least, later) = (link.target(20.0, 60.0, 0.0), link.target(30.0, 60.0, 0.05));
    println!("least {least:.2}, later {later:.2} Mb/s");
    assert!(least > 1.0 && later > 2.2, "{least} {later} Mb/s");
}

#[test]
fn on_a_wide_link_the_maximum_is_reached_within_three_seconds() {
    let (mut e, mut link) = (estimator(1000, 4000), Link::new(50e6));
    link.run(&mut e, 3.0);
    assert_eq!(e.target_bitrate(), 4e6);
}

#[test]
fn a_drop_of_the_path_is_followed_at_once_and_its_end_within_ten_seconds() {
    let (mut e, mut link) = (estimator(1000, 2500), Link::new(3e6));
    link.run(&mut e, 15.0);
    let before = link.target(10.0, 15.0, 0.5);
    link.rate = 0.5e6;
    link.run(&mut e, 35.0);
    let narrow = (link.target(20.0, 35.0, 0.5), link.queue(20.0, 35.0, 0.95));
    link.rate = 3e6;
    link.run(&mut e, 60.0);
    let back = link.history.iter().find(|h| h.0 > 35.0 && h.1 >= 0.8 * before * 1e6).map(|h| h.0 - 35.0);
    println!("before {before:.2}, narrow {narrow:.2?}, back after {back:.1?} s");
    assert!((0.35..0.56).contains(&narrow.0) && narrow.1 < 0.2, "{narrow:?}");
    assert!(back.is_some_and(|s| s < 10.0), "{back:?}");
    assert!(link.target(50.0, 60.0, 0.05) > 2.2);
}

#[test]
fn sound_alone_loses_no_rate_to_one_loss_in_twenty() {
    let (mut e, mut link) = (estimator(1000, 2500), Link::new(5e6));
    (link.loss, link.limited) = (0.05, 30_000.0);
    link.run(&mut e, 60.0);
    assert!(link.target(0.0, 60.0, 0.0) >= 1.0, "{}", link.target(0.0, 60.0, 0.0));
}

#[test]
fn what_is_not_sent_is_not_vouched_for() {
    // A still picture of 100 kb/s says nothing about the megabits that the next scene will need.
    let (mut e, mut link) = (estimator(300, 4000), Link::new(50e6));
    link.limited = 100_000.0;
    link.run(&mut e, 30.0);
    assert!(e.target_bitrate() <= 400_000.0, "{}", e.target_bitrate());
}

#[test]
fn light_random_loss_does_not_lower_the_rate_but_heavy_loss_does() {
    let kbps = |loss| {
        let (mut e, mut link) = (estimator(1000, 1000), Link::new(5e6));
        link.loss = loss;
        link.run(&mut e, 10.0);
        e.target_bitrate() / 1000.0
    };
    assert_eq!(kbps(0.05), 1000.0);
    assert!(kbps(0.33) < 700.0, "{}", kbps(0.33));
}

#[test]
fn nonsense_reports_keep_the_target_within_its_limits() {
    let shared = SharedTarget::new(BitsPerSecond::kilo(1000));
    let (min, max) = (BitsPerSecond::kilo(50), BitsPerSecond::kilo(3000));
    let mut e = Estimator::new(BitsPerSecond::kilo(1000), min, max, shared.clone());
    let now = Instant::now();
    for i in 0..2000u64 {
        let report = PacketReport {
            ssrc: 1,
            id: i,
            rtp_sequence_number: (i * 7919) as u16,
            is_twcc: true,
            twcc_sequence_number: (i * 104_729) as u16,
            size: if i % 3 == 0 { usize::MAX / 4096 } else { 0 },
            arrived: i % 2 == 0,
            departure: now + Duration::from_millis(i * 37 % 501),
            arrival: (i % 2 == 0).then(|| Duration::from_secs(i * 6007 % 100_000)),
            ecn: Default::default(),
        };
        e.on_reports(now + Duration::from_millis(i * 3), &[report]);
        assert!(shared.get() >= min && shared.get() <= max);
    }
}
