//! The bandwidth estimate: delay first, loss second (draft-ietf-rmcat-gcc-02), capped by what really arrives.
//!
//! Built from the crate's grouping, filter and detector, with what its own combination lacks: the detector is fed
//! the slope times min(number of deltas, 60), as the draft's threshold of 12.5 ms presumes; a start that doubles
//! until the first sign of a queue; a cap on the acknowledged rate, measured by the receiver's clock; a loss half that
//! looks at a second of packets, not at a batch of ten, and leaves loss below a tenth alone; and an eye on the queue
//! itself: a slope says that a queue grows or shrinks, not that one stands, so the least delay of the last half minute
//! is remembered, and what is above it by [`STANDING`] is drained. A delay that does not shrink when less is sent is no
//! queue of ours but the path's new length, and becomes the least. Once the rate is well above the ceiling at which a
//! queue was last seen, that ceiling says nothing any more, and the rate grows quickly.

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
/// While a queue is longer than this, less is sent than the path carries…
const STANDING: Duration = Duration::from_millis(70);
/// …until it is shorter than this…
const DRAINED: Duration = Duration::from_millis(30);
/// …at this share of the path's rate.
const DRAIN: f64 = 0.75;
/// How much a queue may seem to grow while it is drained before even less is sent.
const STILL_GROWING: Duration = Duration::from_millis(10);
/// Growth per second once the path's rate is roughly known…
const GROWTH_PER_S: f64 = 1.08;
/// …and after [`QUIET`] without a sign of a queue: a path that has become wider is soon used.
const QUICK_GROWTH_PER_S: f64 = 1.5;
const QUIET: Duration = Duration::from_secs(3);
/// Growth per interval near the ceiling, in bits per second.
const CAREFUL_STEP: f64 = 12_000.0;
/// A target this far above the ceiling disproves it.
const DISPROVED: f64 = 1.15;
/// Growth per interval until the first sign of congestion.
const START_GROWTH: f64 = 1.5;
/// Loss over [`LOSS_WINDOW`] above which the rate is lowered; less is taken for the path's own.
const HIGH_LOSS: f64 = 0.10;
const LOSS_WINDOW: Duration = Duration::from_secs(1);
/// Packets that make a loss figure worth acting on.
const LOSS_PACKETS: f64 = 20.0;
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
    /// Since when a queue is being drained, and how long it was then.
    draining: Option<(Instant, Duration)>,
    last_congestion: Option<Instant>,
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
            draining: None,
            last_congestion: None,
            last_change: None,
            publish,
        }
    }

    /// The share of the last second's packets that was lost, where it is surely too high: of few packets a few are
    /// lost by chance (three standard deviations are left to it).
    fn heavy_loss(&mut self, now: Instant, lost: usize, total: usize) -> Option<f64> {
        self.losses.push_back((now, lost, total));
        while self.losses.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) > LOSS_WINDOW) {
            self.losses.pop_front();
        }
        let (lost, total) = self.losses.iter().fold((0, 0), |(l, t), (_, lost, total)| (l + lost, t + total));
        let (loss, total) = (lost as f64 / total as f64, total as f64);
        let chance = 3.0 * (HIGH_LOSS * (1.0 - HIGH_LOSS) / total).sqrt();
        (total >= LOSS_PACKETS && loss > HIGH_LOSS + chance).then_some(loss)
    }

    fn update(&mut self, now: Instant, usage: Usage, loss: Option<f64>) {
        let due = self.last_change.is_none_or(|last| now.saturating_duration_since(last) >= INTERVAL);
        let acknowledged = self.acknowledged.bits_per_second();
        let before = self.target;
        if self.drain(now, due, acknowledged) {
            // Nothing else to be done while a queue shrinks.
        } else if matches!(usage, Usage::Over) {
            self.starting = false;
            if let Some(rate) = acknowledged.filter(|_| due) {
                self.back_off(now, rate, BACK_OFF);
            }
        } else if let Some(loss) = loss.filter(|_| due) {
            self.starting = false;
            self.last_congestion = Some(now);
            self.target *= 1.0 - 0.5 * loss;
            self.losses.clear();
        } else if due && matches!(usage, Usage::Normal) {
            self.grow(now, acknowledged);
        }
        self.target = self.target.clamp(self.min, self.max);
        if self.target != before {
            self.last_change = Some(now);
            self.publish.set(BitsPerSecond(self.target as u32));
        }
    }

    fn back_off(&mut self, now: Instant, rate: f64, share: f64) {
        self.starting = false;
        self.ceiling = Some((rate, now));
        self.last_congestion = Some(now);
        self.target = self.target.min(rate * share);
    }

    /// Sends less than the path carries while a queue stands; whether it does.
    fn drain(&mut self, now: Instant, due: bool, acknowledged: Option<f64>) -> bool {
        let length = self.queue.length();
        let Some((since, begun)) = self.draining else {
            let Some(rate) = acknowledged.filter(|_| due && length > STANDING) else { return false };
            self.draining = Some((now, length));
            self.back_off(now, rate, DRAIN);
            return true;
        };
        let shrinks_in = Duration::from_secs(1) + begun.div_f64(1.0 - DRAIN);
        if length <= DRAINED {
            self.draining = None;
        } else if now.saturating_duration_since(since) > shrinks_in {
            // It should be gone: a path has become longer, or others stand in that queue, too.
            self.queue.rebase();
            self.draining = None;
        } else if let Some(rate) = acknowledged.filter(|_| due && length > begun + STILL_GROWING) {
            // The path was slower than it seemed.
            self.draining = Some((now, length));
            self.back_off(now, rate, DRAIN);
        }
        self.draining.is_some()
    }

    fn grow(&mut self, now: Instant, acknowledged: Option<f64>) {
        let since = |at: Instant| now.saturating_duration_since(at);
        self.ceiling =
            self.ceiling.filter(|(ceiling, at)| since(*at) <= CEILING_FORGOTTEN && self.target <= ceiling * DISPROVED);
        let elapsed = self.last_change.map_or(INTERVAL, since).as_secs_f64().min(1.0);
        let near = self.ceiling.is_some_and(|(ceiling, _)| self.target > ceiling * BACK_OFF);
        let quiet = self.last_congestion.is_none_or(|at| since(at) > QUIET);
        let grown = if self.starting {
            self.target * START_GROWTH
        } else if near {
            self.target + CAREFUL_STEP
        } else if quiet {
            self.target * QUICK_GROWTH_PER_S.powf(elapsed)
        } else {
            self.target * GROWTH_PER_S.powf(elapsed)
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
        let loss = self.heavy_loss(now, lost, reports.len());
        self.update(now, usage, loss);
    }

    fn target_bitrate(&self) -> f64 {
        self.target
    }

    fn stats(&self) -> EstimatorStats {
        EstimatorStats::default()
    }
}
