//! The bandwidth estimate: delay first, loss second (draft-ietf-rmcat-gcc-02), capped by what really arrives.
//!
//! Built from the crate's grouping, filter and detector, with what its own combination lacks: the detector is fed
//! the slope times min(number of deltas, 60), as the draft's threshold of 12.5 ms presumes; a start that doubles
//! until the first sign of a queue; a cap on the acknowledged rate, measured by the receiver's clock; a loss half that
//! looks at a second of packets, not at a batch of ten, and leaves loss below a tenth alone; and an eye on the queue
//! itself: a slope says that a queue grows or shrinks, not that one stands, so the least delay of the last half minute
//! is remembered, and what is above it by [`STANDING`] is drained.

use super::SharedTarget;
use super::delay::{AcknowledgedRate, StandingQueue};
use rtc::interceptor::{BandwidthEstimator, EstimatorStats, OveruseDetector, PacketReport, SlopeEstimator, Usage};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Number of deltas after which the slope is not scaled any further (libwebrtc's `kMaxNumDeltas`).
const MAX_DELTAS: u32 = 60;
/// A change is given this long to show in the feedback before the next.
const INTERVAL: Duration = Duration::from_millis(200);
/// What is kept of the acknowledged rate when a queue builds up.
const BACK_OFF: f64 = 0.85;
/// A queue that stands longer than this is sent below the path's rate until it is gone…
const STANDING: Duration = Duration::from_millis(70);
/// …at this share of it.
const DRAIN: f64 = 0.75;
/// Growth per second once the path's rate is roughly known.
const GROWTH_PER_S: f64 = 1.08;
/// Growth per interval until the first sign of congestion.
const START_GROWTH: f64 = 1.5;
/// Loss over [`LOSS_WINDOW`] above which the rate is lowered; less is taken for the path's own.
const HIGH_LOSS: f64 = 0.10;
const LOSS_WINDOW: Duration = Duration::from_secs(1);
/// Packets that make a loss figure worth acting on.
const LOSS_PACKETS: usize = 20;
/// After this long without congestion, an old ceiling says nothing about the path any more.
const CEILING_FORGOTTEN: Duration = Duration::from_secs(10);

/// The estimator; publishes every new target.
pub(crate) struct Estimator {
    slope: SlopeEstimator,
    deltas: u32,
    detector: OveruseDetector,
    acknowledged: AcknowledgedRate,
    queue: StandingQueue,
    losses: VecDeque<(Instant, usize, usize)>,
    target: f64,
    min: f64,
    max: f64,
    starting: bool,
    ceiling: Option<(f64, Instant)>,
    last_change: Option<Instant>,
    publish: SharedTarget,
}

impl Estimator {
    /// Starts at `start`, stays within `min`…`max`.
    pub(crate) fn new(start: BitsPerSecond, min: BitsPerSecond, max: BitsPerSecond, publish: SharedTarget) -> Self {
        let (min, max) = (f64::from(min.0), f64::from(max.0.max(min.0)));
        let target = f64::from(start.0).clamp(min, max);
        publish.set(BitsPerSecond(target as u32));
        Self {
            slope: SlopeEstimator::new(),
            deltas: 0,
            detector: OveruseDetector::new(),
            acknowledged: AcknowledgedRate::default(),
            queue: StandingQueue::default(),
            losses: VecDeque::new(),
            target,
            min,
            max,
            starting: true,
            ceiling: None,
            last_change: None,
            publish,
        }
    }

    fn loss(&mut self, now: Instant, lost: usize, total: usize) -> Option<f64> {
        self.losses.push_back((now, lost, total));
        while self.losses.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) > LOSS_WINDOW) {
            self.losses.pop_front();
        }
        let (lost, total) = self.losses.iter().fold((0, 0), |(l, t), (_, lost, total)| (l + lost, t + total));
        (total >= LOSS_PACKETS).then(|| lost as f64 / total as f64)
    }

    fn update(&mut self, now: Instant, usage: Usage, loss: Option<f64>) {
        let due = self.last_change.is_none_or(|last| now.saturating_duration_since(last) >= INTERVAL);
        let acknowledged = self.acknowledged.bits_per_second();
        let before = self.target;
        let standing = self.queue.length() > STANDING;
        if standing && due {
            self.starting = false;
            if let Some(rate) = acknowledged {
                self.ceiling = Some((rate, now));
                self.target = self.target.min(rate * DRAIN);
            }
        } else if matches!(usage, Usage::Over) {
            self.starting = false;
            if let Some(rate) = acknowledged.filter(|_| due) {
                self.ceiling = Some((rate, now));
                self.target = self.target.min(rate * BACK_OFF);
            }
        } else if let Some(loss) = loss.filter(|l| *l > HIGH_LOSS && due) {
            self.starting = false;
            self.target *= 1.0 - 0.5 * loss;
            self.losses.clear();
        } else if due && !standing && matches!(usage, Usage::Normal) {
            self.grow(now, acknowledged);
        }
        self.target = self.target.clamp(self.min, self.max);
        if self.target != before {
            self.last_change = Some(now);
            self.publish.set(BitsPerSecond(self.target as u32));
        }
    }

    fn grow(&mut self, now: Instant, acknowledged: Option<f64>) {
        if self.ceiling.is_some_and(|(_, at)| now.saturating_duration_since(at) > CEILING_FORGOTTEN) {
            self.ceiling = None;
        }
        let elapsed = self.last_change.map_or(INTERVAL, |last| now.saturating_duration_since(last));
        let near = self.ceiling.is_some_and(|(ceiling, _)| self.target > ceiling * BACK_OFF);
        let grown = if self.starting {
            self.target * START_GROWTH
        } else if near {
            self.target + 12_000.0
        } else {
            self.target * GROWTH_PER_S.powf(elapsed.as_secs_f64().min(1.0))
        };
        // What was never sent cannot be vouched for: an estimate far above it would let the first hard scene
        // flood the path.
        let cap = acknowledged.map_or(self.target, |rate| 1.5 * rate + 50_000.0);
        self.target = grown.min(cap.max(self.target));
    }
}

impl BandwidthEstimator for Estimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        if reports.is_empty() {
            return;
        }
        self.queue.begin_batch();
        let mut usage = self.detector.usage();
        for report in reports {
            if let Some(arrival) = report.arrival {
                self.acknowledged.add(arrival, report.size);
                self.queue.add(now, report.departure, arrival);
            }
            if let Some(trend) = self.slope.accumulate(report) {
                self.deltas = (self.deltas + 1).min(MAX_DELTAS);
                usage = self.detector.update(trend.at, trend.estimate_ms * f64::from(self.deltas));
            }
        }
        let lost = reports.iter().filter(|r| !r.arrived).count();
        let loss = self.loss(now, lost, reports.len());
        self.update(now, usage, loss);
    }

    fn target_bitrate(&self) -> f64 {
        self.target
    }

    fn stats(&self) -> EstimatorStats {
        EstimatorStats::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Link {
        rate: f64,
        queue_s: f64,
        now: Instant,
        clock: f64,
        id: u64,
        under_way: VecDeque<PacketReport>,
    }

    impl Link {
        /// Sends for 50 ms at the estimator's target through a queue served at `rate`; reports what has arrived.
        fn step(&mut self, estimator: &mut Estimator) {
            let packets = (estimator.target_bitrate() * 0.05 / 9600.0).ceil().max(1.0) as u64;
            for i in 0..packets {
                let sent = self.clock + 0.05 * i as f64 / packets as f64;
                let free = self.queue_s.max(sent);
                self.queue_s = free + 9600.0 / self.rate;
                self.under_way.push_back(PacketReport {
                    ssrc: 1,
                    id: self.id,
                    rtp_sequence_number: self.id as u16,
                    is_twcc: true,
                    twcc_sequence_number: self.id as u16,
                    size: 1200,
                    arrived: true,
                    departure: self.now + Duration::from_secs_f64(sent),
                    arrival: Some(Duration::from_secs_f64(self.queue_s + 0.02)),
                    ecn: Default::default(),
                });
                self.id += 1;
            }
            self.clock += 0.05;
            let arrived = Duration::from_secs_f64(self.clock);
            let count = self.under_way.iter().take_while(|r| r.arrival.is_some_and(|at| at <= arrived)).count();
            let reports: Vec<_> = self.under_way.drain(..count).collect();
            estimator.on_reports(self.now + arrived + Duration::from_millis(20), &reports);
        }

        fn delay(&self) -> f64 {
            (self.queue_s - self.clock).max(0.0)
        }
    }

    fn run(rate: f64, seconds: f64) -> (Estimator, Link, f64) {
        let target = SharedTarget::new(BitsPerSecond::kilo(1000));
        let mut estimator =
            Estimator::new(BitsPerSecond::kilo(1000), BitsPerSecond::kilo(50), BitsPerSecond::kilo(4000), target);
        let mut link = Link { rate, queue_s: 0.0, now: Instant::now(), clock: 0.0, id: 0, under_way: VecDeque::new() };
        let mut worst: f64 = 0.0;
        while link.clock < seconds {
            link.step(&mut estimator);
            if link.clock > 5.0 {
                worst = worst.max(link.delay());
            }
        }
        (estimator, link, worst)
    }

    #[test]
    fn on_a_narrow_link_the_target_settles_near_its_rate_without_a_standing_queue() {
        let (estimator, _, worst) = run(1_200_000.0, 40.0);
        let target = estimator.target_bitrate();
        assert!((600_000.0..1_400_000.0).contains(&target), "target {target}");
        assert!(worst < 0.4, "queue of {worst} s after the start");
    }

    #[test]
    fn on_a_wide_link_the_maximum_is_reached_within_three_seconds() {
        let (estimator, ..) = run(50_000_000.0, 3.0);
        assert_eq!(estimator.target_bitrate(), 4_000_000.0);
    }

    #[test]
    fn light_random_loss_does_not_lower_the_rate_but_heavy_loss_does() {
        let heavy = |every: u64| {
            let shared = SharedTarget::new(BitsPerSecond::kilo(1000));
            let mut e = Estimator::new(
                BitsPerSecond::kilo(1000),
                BitsPerSecond::kilo(50),
                BitsPerSecond::kilo(1000),
                shared.clone(),
            );
            let now = Instant::now();
            for batch in 0..60u64 {
                let at = now + Duration::from_millis(batch * 50);
                let reports: Vec<_> = (0..10)
                    .map(|i| {
                        let id = batch * 10 + i;
                        let arrived = id % every != 0;
                        PacketReport {
                            ssrc: 1,
                            id,
                            rtp_sequence_number: id as u16,
                            is_twcc: true,
                            twcc_sequence_number: id as u16,
                            size: 600,
                            arrived,
                            departure: at + Duration::from_millis(i * 5),
                            arrival: arrived.then(|| Duration::from_millis(batch * 50 + i * 5 + 20)),
                            ecn: Default::default(),
                        }
                    })
                    .collect();
                e.on_reports(at + Duration::from_millis(80), &reports);
            }
            shared.get().as_kilo()
        };
        assert_eq!(heavy(20), 1000.0, "5 % loss");
        assert!(heavy(3) < 700.0, "33 % loss: {}", heavy(3));
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
}
