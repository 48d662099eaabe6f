//! Whose loss it is: the path's own, which stays whatever is sent, or that of a queue too short to be seen as delay,
//! which goes away when less is sent. The first is left to repair; only the second is a reason to send less.
//!
//! So loss that is new is tried once: less is sent for a moment than arrives now. If hardly anything is lost then, that
//! was the limit; if as much is lost as before, the old rate comes back and this much loss is the path's own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(2);
/// Packets that make a loss figure worth acting on.
const PACKETS: f64 = 40.0;
/// Loss that is never looked into: repair deals with it at little cost.
const HARMLESS: f64 = 0.03;
/// Loss above which less is sent whatever its reason: repair alone would take most of the rate.
const HEAVY: f64 = 0.2;
/// Losses come in bursts: the chance of a figure is wider than that of single losses by about this much (variance).
const BURSTS: f64 = 2.0;
/// While loss is tried, this share is sent of what arrived.
const TRIED: f64 = 0.9;
/// A trial looks at packets from this long after it began…
const SETTLES: Duration = Duration::from_millis(300);
/// …until it has seen so many and lasted so long, or as long as it may.
const TRIAL_PACKETS: f64 = 120.0;
const TRIAL: Duration = Duration::from_millis(1200);
const LONGEST_TRIAL: Duration = Duration::from_secs(4);
/// The limit is found where the loss falls to this share.
const FALLEN: f64 = 0.35;
/// Between trials.
const PAUSE: Duration = Duration::from_secs(10);
/// The path's own loss is believed for this long, and up to this much of it.
const BELIEVED: Duration = Duration::from_secs(120);
const MOST_OWN: f64 = 0.25;
/// Between reductions for heavy loss.
const INTERVAL: Duration = Duration::from_secs(1);

/// What follows from loss for the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing.
    Keep,
    /// This much is to be sent for now.
    Try(f64),
    /// The path carries this much.
    Limit(f64),
    /// Loss is not ours: back to this much.
    Restore(f64),
    /// Less has to be sent, by this factor.
    Lower(f64),
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    since: Instant,
    loss: f64,
    /// The target before, and in it.
    before: f64,
    tried: f64,
    lost: usize,
    total: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct LossControl {
    /// Lost and all packets of each message, and what arrived then, in bits per second.
    recent: VecDeque<(Instant, usize, usize, f64)>,
    trial: Option<Trial>,
    own: Option<(f64, Instant)>,
    pause_until: Option<Instant>,
}

impl LossControl {
    /// A feedback message told of `total` packets, of which `lost` were lost. `acknowledged` arrived lately, in bits
    /// per second.
    pub(super) fn update(
        &mut self,
        now: Instant,
        (lost, total): (usize, usize),
        target: f64,
        acknowledged: Option<f64>,
    ) -> Verdict {
        if let Some(trial) = &mut self.trial {
            let lasted = now.saturating_duration_since(trial.since);
            if lasted >= SETTLES {
                (trial.lost, trial.total) = (trial.lost + lost, trial.total + total);
            }
            let enough = lasted >= TRIAL && trial.total as f64 >= TRIAL_PACKETS;
            return if enough || lasted >= LONGEST_TRIAL { self.judge(now) } else { Verdict::Keep };
        }
        self.recent.push_back((now, lost, total, acknowledged.unwrap_or(0.0)));
        while self.recent.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) > WINDOW) {
            self.recent.pop_front();
        }
        let (lost, total) = self.recent.iter().fold((0, 0), |(l, t), (_, lost, total, _)| (l + lost, t + total));
        let (loss, total) = (lost as f64 / total as f64, total as f64);
        if total < PACKETS || self.pause_until.is_some_and(|until| now < until) {
            return Verdict::Keep;
        }
        let surely_above = |limit: f64| loss > limit + 3.0 * (limit * (1.0 - limit) * BURSTS / total).sqrt();
        self.own = self.own.filter(|(_, at)| now.saturating_duration_since(*at) < BELIEVED);
        let own = self.own.map_or(0.0, |(own, _)| own);
        if surely_above((own * 1.5 + HARMLESS).min(HEAVY)) && own < HEAVY && acknowledged.is_some() {
            // Within a burst hardly anything arrives; what the path carries is what arrived at best.
            let arrives = self.recent.iter().map(|(.., arrived)| *arrived).fold(0.0, f64::max);
            let tried = (arrives * TRIED).min(target * TRIED);
            self.trial = Some(Trial { since: now, loss, before: target, tried, lost: 0, total: 0 });
            self.recent.clear();
            return Verdict::Try(tried);
        }
        if surely_above(HEAVY) {
            self.recent.clear();
            self.pause_until = Some(now + INTERVAL);
            return Verdict::Lower(1.0 - 0.5 * loss);
        }
        Verdict::Keep
    }

    fn judge(&mut self, now: Instant) -> Verdict {
        let Some(trial) = self.trial.take() else { return Verdict::Keep };
        self.pause_until = Some(now + PAUSE);
        let loss = trial.lost as f64 / (trial.total as f64).max(1.0);
        if loss < FALLEN * trial.loss {
            return Verdict::Limit(trial.tried);
        }
        self.own = Some((((loss + trial.loss) / 2.0).min(MOST_OWN), now));
        if loss > HEAVY {
            self.pause_until = Some(now + INTERVAL);
        }
        Verdict::Restore(trial.before)
    }

    /// Whether less is sent to see what becomes of the loss.
    pub(super) fn trying(&self) -> bool {
        self.trial.is_some()
    }

    /// A queue was seen: what is lost now is lost at its end, and says nothing of the path.
    pub(super) fn queue_seen(&mut self, now: Instant) {
        self.trial = None;
        self.recent.clear();
        self.pause_until = Some(self.pause_until.map_or(now + INTERVAL, |until| until.max(now + INTERVAL)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a loss that depends on the rate, 20 times a second; the verdicts with their times in milliseconds.
    fn verdicts(loss: impl Fn(f64) -> f64) -> Vec<(u64, Verdict)> {
        let (begun, mut control, mut target, mut owed) = (Instant::now(), LossControl::default(), 1e6, 0.0);
        let mut out = Vec::new();
        for ms in (0..40_000u64).step_by(50) {
            let total = (target / 9600.0 / 20.0f64).ceil() as usize;
            owed += loss(target) * total as f64;
            let lost = owed as usize;
            owed -= lost as f64;
            let now = begun + Duration::from_millis(ms);
            let arrives = target * (1.0 - loss(target));
            let verdict = control.update(now, (lost, total), target, Some(arrives));
            match verdict {
                Verdict::Keep => continue,
                Verdict::Try(rate) | Verdict::Restore(rate) | Verdict::Limit(rate) => target = rate,
                Verdict::Lower(factor) => target *= factor,
            }
            out.push((ms, verdict));
        }
        out
    }

    #[test]
    fn two_percent_is_never_looked_into() {
        assert_eq!(verdicts(|_| 0.02), []);
    }

    #[test]
    fn loss_that_stays_when_less_is_sent_costs_one_moment_of_a_little_less() {
        let said = verdicts(|_| 0.1);
        assert!(
            matches!(said[..], [(from, Verdict::Try(tried)), (to, Verdict::Restore(1e6))]
            if tried > 0.75e6 && to - from < 2000),
            "{said:?}"
        );
    }

    #[test]
    fn a_path_that_drops_what_is_too_much_is_found_out_and_not_flooded() {
        let said = verdicts(|rate| (1.0 - 0.7e6 / rate).max(0.0));
        assert!(
            matches!(said[..], [(_, Verdict::Try(_)), (_, Verdict::Limit(rate))] if (0.6e6..0.7e6).contains(&rate))
        );
    }

    #[test]
    fn of_heavy_loss_less_and_less_is_sent() {
        let said = verdicts(|_| 0.4);
        assert!(said.iter().filter(|(_, v)| matches!(v, Verdict::Lower(_))).count() > 5, "{said:?}");
    }
}
