//! The bandwidth estimate: how much may leave, from what the other side says about what came.
//!
//! Four things move it. A *queue* that grows (the slope of the delay: `trend`) or stands (the least delay of the last
//! moments above the least ever: `delay`) means that more was sent than the path carries: what arrived meanwhile is
//! what it carries, so a share of that is sent until the queue is gone, and then nearly all of it. *Loss* matters only
//! where sending less makes it less (`loss`). *Probes* (`probe`) find at once how much more there is: at the start,
//! after a limit was met, and while too little is sent to know. Between these the estimate creeps up to the limit last
//! met, or grows quickly where none is known; never far above what was proved to arrive, and it does not fall because
//! the encoder had little to send. (draft-ietf-rmcat-gcc-02, and libwebrtc's `GoogCcNetworkController`.)
//!
//! Contains no I/O and reads no clock.

use super::delay::{PacketRate, StandingQueue};
use super::loss::{LossControl, Verdict};
use super::probe::{Judged, Prober};
use super::target::{SharedTarget, WIRE_OVERHEAD};
use super::trend::{Trend, Usage};
use rtc::interceptor::{BandwidthEstimator, EstimatorStats, PacketReport};
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// A slope counts only where there is a queue at all; the path's jitter is added this many times.
const GROWING: (Duration, f64) = (Duration::from_millis(10), 3.0);
/// A queue that stands is drained from this length on…
const STANDING: (Duration, f64) = (Duration::from_millis(40), 2.0);
/// …one that is seen in a single feedback message from this…
const SUDDEN: (Duration, f64) = (Duration::from_millis(70), 4.0);
/// …until it is shorter than this.
const DRAINED: (Duration, f64) = (Duration::from_millis(12), 1.5);
/// Probes are sent only where the queue is shorter than this.
const CALM: (Duration, f64) = (Duration::from_millis(20), 2.5);
/// While this long a queue stands, the path is busy all the time: what arrives is what it carries.
const BUSY: Duration = Duration::from_millis(30);
const BUSY_WINDOW: Duration = Duration::from_millis(200);
/// A queue is to be gone after about this many seconds; at least and at most this share of the path's rate is sent
/// meanwhile.
const DRAIN_S: f64 = 0.8;
const DRAIN_SHARES: (f64, f64) = (0.45, 0.88);
/// A queue that is this much longer than when it began to be drained was fed by more than was thought.
const GREW: Duration = Duration::from_millis(10);
/// A queue gives out this much more than is put in.
const SERVED: f64 = 1.05;
/// Share of the path's rate that is sent once a queue is gone.
const AFTER: f64 = 0.92;
/// How close one gets to a limit by creeping, and by how much of it per second.
const CLOSEST: f64 = 0.97;
const CREEP_PER_S: f64 = 0.01;
/// Growth per second soon after congestion, and later.
const GROWTH_PER_S: f64 = 1.08;
const QUICK_GROWTH_PER_S: f64 = 1.5;
const QUIET: Duration = Duration::from_secs(3);
/// Growth per second before anything is known.
const START_GROWTH_PER_S: f64 = 5.0;
/// After this long without congestion or a probe that confirms it, an old limit says nothing about the path any more.
const LIMIT_FORGOTTEN: Duration = Duration::from_secs(15);
/// A target this far above the limit disproves it.
const DISPROVED: f64 = 1.15;
/// Below this limit a full packet takes 40 ms and more: what arrives in a fifth of a second is a coarse measure.
const COARSE: f64 = 250_000.0;
/// While a queue is drained there, a message that tells of less than the limit lowers it by this share of the difference
/// only: the last message is not the one that is right.
const LOWERS: f64 = 0.15;
/// After this long without congestion or a probe that could tell, such a limit is no longer approached, but passed.
const DOUBTED: Duration = Duration::from_secs(4);

/// The estimator; publishes every new target.
pub(crate) struct Estimator {
    trend: Trend,
    queue: StandingQueue,
    acknowledged: PacketRate,
    loss: LossControl,
    prober: Prober,
    target: f64,
    min: f64,
    max: f64,
    starting: bool,
    /// What the path was seen to carry, and when that was last confirmed.
    limit: Option<(f64, Instant)>,
    draining: Option<Draining>,
    last_congestion: Option<Instant>,
    last_update: Option<Instant>,
    shared: SharedTarget,
}

#[derive(Clone, Copy, Debug)]
struct Draining {
    since: Instant,
    begun: Duration,
}

fn above(length: Duration, (limit, jitters): (Duration, f64), jitter: Duration) -> bool {
    length > limit + jitter.mul_f64(jitters)
}

/// Whether a limit is so low that it was measured with a few packets, each as long as jitter.
fn is_coarse(limit: f64) -> bool {
    limit < COARSE
}

impl Estimator {
    /// Starts at `start`, stays within `min`…`max`. All rates are those of the wire.
    pub(crate) fn new(start: BitsPerSecond, min: BitsPerSecond, max: BitsPerSecond, shared: SharedTarget) -> Self {
        let (min, max) = (f64::from(min.0), f64::from(max.0.max(min.0)));
        let target = f64::from(start.0).clamp(min, max);
        shared.set(BitsPerSecond(target as u32));
        // Behind the first picture: what it says is there with the first feedback.
        let mut prober = Prober::new();
        prober.begin(target, max).into_iter().for_each(|probe| shared.want_probe(probe));
        Self {
            trend: Trend::new(),
            queue: StandingQueue::default(),
            acknowledged: PacketRate::default(),
            loss: LossControl::default(),
            prober,
            target,
            min,
            max,
            starting: true,
            limit: None,
            draining: None,
            last_congestion: None,
            last_update: None,
            shared,
        }
    }

    fn take(&mut self, now: Instant, reports: &[PacketReport]) {
        self.queue.begin_batch();
        let probe = self.shared.sent_probe();
        for report in reports {
            let size = report.size.saturating_add(WIRE_OVERHEAD);
            if let Some(arrival) = report.arrival.filter(|_| report.arrived) {
                self.acknowledged.add(arrival, size);
                self.queue.add(now, report.departure, arrival);
                self.trend.add(report.departure, arrival);
            }
            if let Some(sent) = &probe {
                let arrival = report.arrival.filter(|_| report.arrived);
                let number = (report.ssrc, report.rtp_sequence_number);
                self.prober.add(sent, number, report.departure, arrival, size);
            }
        }
        self.queue.end_batch(now);
        if let Some(newest) = reports.iter().map(|r| r.departure).max() {
            self.shared.set_heard(newest);
        }
    }

    fn decide(&mut self, now: Instant, lost: (usize, usize)) {
        let (length, newest, jitter) = (self.queue.length(), self.queue.newest(), self.queue.jitter());
        let growing = self.trend.usage() == Usage::Over && above(length.min(newest), GROWING, jitter);
        if self.draining.is_some() {
            self.drain(now, newest, jitter);
            self.loss.queue_seen(now);
        } else if growing || above(length, STANDING, jitter) || above(newest, SUDDEN, jitter) {
            self.congested(now, newest);
            self.loss.queue_seen(now);
        } else {
            self.follow_loss(now, lost);
            if !self.loss.trying() {
                self.probe(now, jitter);
                self.grow(now);
            }
        }
        let calm = self.draining.is_none()
            && !self.loss.trying()
            && !above(length, CALM, jitter)
            && self.trend.usage() != Usage::Over;
        if let Some(probe) = self.prober.poll(now, self.target, self.max, calm) {
            self.shared.want_probe(probe);
        }
        self.last_update = Some(now);
    }

    /// What the path carries, as far as one can tell while a queue of this length stands.
    fn carried(&self, queue: Duration) -> Option<f64> {
        let busy = self.acknowledged.busy(BUSY_WINDOW).filter(|_| queue > BUSY);
        busy.or_else(|| self.acknowledged.bits_per_second())
    }

    fn congested(&mut self, now: Instant, queue: Duration) {
        let Some(carried) = self.carried(queue) else { return };
        self.starting = false;
        self.limit = Some((carried, now));
        self.last_congestion = Some(now);
        self.prober.limited(now);
        self.shared.set_tried();
        self.target = self.target.min(carried * Self::drain_share(queue));
        self.draining = Some(Draining { since: now, begun: queue });
    }

    fn drain_share(queue: Duration) -> f64 {
        (1.0 - queue.as_secs_f64() / DRAIN_S).clamp(DRAIN_SHARES.0, DRAIN_SHARES.1)
    }

    fn drain(&mut self, now: Instant, queue: Duration, jitter: Duration) {
        let Some(draining) = self.draining else { return };
        if !above(queue, DRAINED, jitter) {
            self.draining = None;
        } else if now.saturating_duration_since(draining.since) > Duration::from_secs(1) + 3 * draining.begun {
            // It should be gone: a path has become longer, or others stand in that queue, too.
            self.queue.rebase();
            self.draining = None;
        } else if let Some(carried) = self.carried(queue) {
            let grew = queue > draining.begun + GREW;
            // More arrives than is sent: the queue is there, and this is what it is served with. Where only that arrives
            // which is sent, a path has become longer, and what is sent says nothing about it.
            if grew || queue > BUSY && carried > self.target * SERVED {
                let coarse = self.limit.filter(|(limit, _)| !grew && is_coarse(*limit));
                let smoothed = |(limit, _): (f64, Instant)| carried.max(limit + LOWERS * (carried - limit));
                self.limit = Some((coarse.map_or(carried, smoothed), now));
                self.target = self.target.min(carried * Self::drain_share(queue));
            }
            if grew {
                self.draining = Some(Draining { since: now, begun: queue });
            }
        }
        self.last_congestion = Some(now);
        if self.draining.is_none() {
            self.target = self.target.max(self.limit.map_or(0.0, |(carried, _)| carried * AFTER));
            self.prober.limited(now);
        }
    }

    fn follow_loss(&mut self, now: Instant, lost: (usize, usize)) {
        let acknowledged = self.acknowledged.bits_per_second();
        match self.loss.update(now, lost, self.target, acknowledged) {
            Verdict::Keep => {}
            Verdict::Try(rate) => self.target = self.target.min(rate),
            Verdict::Restore(rate) => self.target = self.target.max(rate),
            Verdict::Limit(rate) => {
                self.limit = Some((rate / CLOSEST, now));
                self.last_congestion = Some(now);
                self.prober.limited(now);
                self.starting = false;
            }
            Verdict::Lower(factor) => {
                self.target *= factor;
                self.last_congestion = Some(now);
                self.starting = false;
            }
        }
    }

    fn probe(&mut self, now: Instant, jitter: Duration) {
        if !self.prober.waits() {
            return self.shared.set_tried();
        }
        let Some(sent) = self.shared.sent_probe() else { return };
        match self.prober.judge(now, &sent, self.target, jitter) {
            None => return,
            Some(Judged::Nothing) => {}
            Some(Judged::Narrow(rate)) => {
                self.target = rate;
                self.limit = Some((rate / AFTER, now));
                self.starting = false;
            }
            Some(Judged::Carries(proved)) => {
                self.target = proved.min(self.max).max(self.target);
                // Whatever it found, it found it now, unless jitter is as long as the burst.
                self.limit = self.limit.map(|(limit, at)| {
                    let found = limit.max(proved / AFTER);
                    let sure = found > limit || !is_coarse(limit) || Prober::is_sure(jitter);
                    (found, if sure { now } else { at })
                });
            }
        }
        self.shared.set_tried();
    }

    fn grow(&mut self, now: Instant) {
        let since = |at: Instant| now.saturating_duration_since(at);
        self.limit = self.limit.filter(|(limit, at)| since(*at) <= LIMIT_FORGOTTEN && self.target <= limit * DISPROVED);
        let elapsed = self.last_update.map_or(0.0, |at| since(at).as_secs_f64()).min(0.5);
        let quiet = self.last_congestion.is_none_or(|at| since(at) > QUIET);
        let grown = match self.limit {
            Some((limit, at)) if self.target > limit * AFTER && is_coarse(limit) && since(at) > DOUBTED => {
                self.target * GROWTH_PER_S.powf(elapsed)
            }
            Some((limit, _)) if self.target > limit * AFTER => {
                (self.target + limit * CREEP_PER_S * elapsed).min((limit * CLOSEST).max(self.target))
            }
            _ if self.starting => self.target * START_GROWTH_PER_S.powf(elapsed),
            _ if quiet => self.target * QUICK_GROWTH_PER_S.powf(elapsed),
            _ => self.target * GROWTH_PER_S.powf(elapsed),
        };
        // What was never sent cannot be vouched for: an estimate far above it would let the first hard scene
        // flood the path.
        let acknowledged = self.acknowledged.bits_per_second();
        let cap = acknowledged.map_or(self.target, |rate| 1.5 * rate + 50_000.0);
        self.target = grown.min(cap.max(self.target));
    }
}

impl BandwidthEstimator for Estimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        if reports.is_empty() {
            return;
        }
        self.take(now, reports);
        let lost = reports.iter().filter(|r| !r.arrived).count();
        self.decide(now, (lost, reports.len()));
        self.target = self.target.clamp(self.min, self.max);
        self.shared.set(BitsPerSecond(self.target as u32));
        self.shared.set_congested(self.draining.is_some());
    }

    fn target_bitrate(&self) -> f64 {
        self.target
    }

    fn stats(&self) -> EstimatorStats {
        EstimatorStats::default()
    }
}
