//! How the sound that we send gets lost, and which redundancy would make it good.
//!
//! Contains no I/O and reads no clock. What became of the last packets of sound is remembered one by one, and each way to
//! send redundancy is tried on them: the one that would have served best in the last ten seconds is used from now on.
//! Bursts need no name of their own in this: behind a burst of three packets a copy two packets later is lost, too.

use super::fates::Fates;
use std::sync::{Arc, Mutex, PoisonError};

/// Packets that are remembered: ten seconds, or five of short ones.
const REMEMBERED: usize = 500;
/// Fewer than these say nothing about the path: one second.
const ENOUGH: usize = 50;
/// How much later a copy may travel, in packets of 20 ms. Sound is held back for that long over there, so beyond a tenth
/// of a second the cure is worse than the loss.
const FURTHEST: usize = 5;
/// Copies that travel with a packet at most.
pub(crate) const MOST_COPIES: usize = 2;
/// What a lost packet costs that Opus recovers by itself, against one that is concealed (100): it is coarse, and the room
/// for it is taken from what arrives.
const COARSE: f64 = 0.3;
/// What a copy costs, as if so many in a hundred packets were concealed: it doubles the rate of sound.
const COPY: f64 = 0.5;
/// …and what 20 ms more delay cost, of the picture too, which waits for the sound. The first 20 ms Opus's own needs, too.
const DELAY: f64 = 0.8;
/// A plan is kept until another is better by this, since each change of delay is heard a little.
const CHANGE: f64 = 0.4;
/// The least and the most that Opus is told to expect, in percent.
const EXPECTED: (f64, f64) = (2.0, 25.0);

/// Redundancy of sound. By default Opus's own, for little loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SoundPlan {
    /// Copies of the packets sent so many packets before travel with each; 0 for none.
    pub copies: [u8; MOST_COPIES],
    /// Loss in percent that Opus's own redundancy is meant for.
    pub expected_loss: u8,
    /// So many in a thousand packets were lost lately.
    pub lost: u16,
}

impl Default for SoundPlan {
    fn default() -> Self {
        Self { copies: [0; MOST_COPIES], expected_loss: EXPECTED.0 as u8, lost: 0 }
    }
}

impl SoundPlan {
    /// How many packets ago those were sent whose copies travel along.
    pub(crate) fn distances(&self) -> impl Iterator<Item = usize> {
        self.copies.into_iter().filter(|back| *back > 0).map(usize::from)
    }

    /// What Opus is to expect, in percent, where reports say that `reported` percent are lost. Beside copies its own
    /// redundancy is meant only for what they leave.
    pub(crate) fn expected(&self, reported: f32) -> u8 {
        if self.count() > 0 {
            return self.expected_loss;
        }
        self.expected_loss.max(f64::from(reported).ceil().clamp(EXPECTED.0, EXPECTED.1) as u8)
    }

    fn count(&self) -> usize {
        self.distances().count()
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct SoundLoss {
    fates: Fates<REMEMBERED>,
    plan: SoundPlan,
}

impl SoundLoss {
    /// A packet of sound leaves; by the number returned it can be reported on.
    pub(crate) fn sent(&mut self) -> u64 {
        self.fates.sent()
    }

    /// The other side says whether it came. What was said to be lost may still come, not the other way round. Numbers
    /// that were never given, or long ago, are ignored.
    pub(crate) fn reported(&mut self, number: u64, came: bool) {
        self.fates.reported(number, came);
    }

    /// What to do from now on. `allowed` is how many copies the path has room for.
    pub(crate) fn plan(&mut self, allowed: usize) -> SoundPlan {
        let known = self.fates.iter().flatten().count();
        if known < ENOUGH {
            return self.plan;
        }
        let allowed = allowed.min(MOST_COPIES);
        let best = plans().filter(|plan| plan.count() <= allowed).map(|plan| (self.cost(&plan), plan));
        let best = best.min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((cost, best)) = best
            && (self.plan.count() > allowed || cost + CHANGE < self.cost(&self.plan))
        {
            self.plan.copies = best.copies;
        }
        self.plan.lost = (self.share_lost() * 1000.0).round() as u16;
        // Opus's own redundancy is meant for what is lost beside the copies; they are better where both have it.
        let lost = if self.plan.count() == 0 { self.share_lost() } else { self.beyond_repair(&self.plan) };
        self.plan.expected_loss = (lost * 100.0).ceil().clamp(EXPECTED.0, EXPECTED.1) as u8;
        self.plan
    }

    /// Share of the packets that did not come, 0…1.
    fn share_lost(&self) -> f64 {
        let (lost, known) = self.fates.iter().flatten().fold((0, 0), |(l, k), came| (l + u32::from(!came), k + 1));
        f64::from(lost) / f64::from(known.max(1))
    }

    /// Share of the packets that neither came nor can be made good by a copy, 0…1.
    fn beyond_repair(&self, plan: &SoundPlan) -> f64 {
        self.sum(|later| f64::from(u8::from(!plan.distances().any(later))))
    }

    /// What a plan would have cost: as if so many in a hundred packets were concealed.
    fn cost(&self, plan: &SoundPlan) -> f64 {
        if plan.count() == 0 {
            return 100.0 * self.sum(|later| if later(1) { COARSE } else { 1.0 });
        }
        let further = plan.distances().max().map_or(0, |furthest| furthest - 1) as f64;
        100.0 * self.beyond_repair(plan) + COPY * plan.count() as f64 + DELAY * further
    }

    /// The mean, over all packets whose successors are known, of what a lost one costs, given which of those came.
    fn sum(&self, lost: impl Fn(&dyn Fn(usize) -> bool) -> f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0);
        for (i, fate) in self.fates.iter().enumerate() {
            let Some(came) = fate else { continue };
            if *came {
                count += 1;
                continue;
            }
            let later = |back: usize| self.fates.get(i + back).copied().flatten();
            if (1..=FURTHEST).all(|back| later(back).is_some()) {
                count += 1;
                sum += lost(&|back| later(back) == Some(true));
            }
        }
        sum / f64::from(count.max(1))
    }
}

/// Every way to send copies.
fn plans() -> impl Iterator<Item = SoundPlan> {
    let furthest = FURTHEST as u8;
    let all = (0..=furthest).flat_map(move |near| (near..=furthest).map(move |far| [near, far]));
    all.filter(|[near, far]| near < far || *far == 0).map(|copies| SoundPlan { copies, ..Default::default() })
}

/// The plan, written where reports come in, read where packets of sound are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedSoundPlan(Arc<Mutex<SoundPlan>>);

impl SharedSoundPlan {
    pub(crate) fn set(&self, plan: SoundPlan) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub(crate) fn get(&self) -> SoundPlan {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Ten seconds of sound over a path that loses packets independently.
    fn scattered(share: f64, seed: u64) -> SoundLoss {
        let mut random = StdRng::seed_from_u64(seed);
        heard(std::iter::repeat_with(|| !random.random_bool(share)).take(REMEMBERED))
    }

    /// …over a path that loses that many in a row, every `every` packets.
    fn bursts(length: usize, every: usize) -> SoundLoss {
        heard((0..REMEMBERED).map(|i| i % every >= length))
    }

    fn heard(fates: impl Iterator<Item = bool>) -> SoundLoss {
        let mut loss = SoundLoss::default();
        for came in fates {
            let number = loss.sent();
            loss.reported(number, came);
        }
        loss
    }

    #[test]
    fn without_loss_and_before_anything_is_known_nothing_is_added() {
        assert_eq!(SoundLoss::default().plan(MOST_COPIES), SoundPlan::default());
        assert_eq!(scattered(0.0, 1).plan(MOST_COPIES), SoundPlan::default());
    }

    #[test]
    fn little_scattered_loss_is_left_to_opus_which_is_told_of_it() {
        for seed in 0..10 {
            let plan = scattered(0.01, seed).plan(MOST_COPIES);
            assert_eq!(plan.copies, [0, 0], "seed {seed}");
            assert!((2..=4).contains(&plan.expected_loss) && (1..30).contains(&plan.lost), "{plan:?}");
        }
    }

    #[test]
    fn much_scattered_loss_is_worth_a_copy_that_travels_soon_after() {
        for seed in 0..10 {
            let plan = scattered(0.08, seed).plan(MOST_COPIES);
            assert!(plan.count() >= 1 && plan.distances().next() <= Some(3), "seed {seed}: {plan:?}");
        }
    }

    #[test]
    fn a_copy_travels_as_far_behind_as_the_bursts_are_long() {
        for length in 1..=4 {
            let plan = bursts(length, 25).plan(MOST_COPIES);
            assert_eq!(plan.copies, [0, length as u8], "{length} in a row");
        }
    }

    #[test]
    fn where_two_copies_are_needed_both_are_sent_if_the_path_has_room() {
        // Two in a row, and two more three packets later: no single distance of five repairs all.
        let pattern = [false, false, true, true, true, false, false, true, true, true, true, true, true, true, true];
        let fates: Vec<bool> = pattern.iter().copied().cycle().take(REMEMBERED).collect();
        let mut loss = heard(fates.iter().copied());
        let (two, one) = (loss.plan(2), loss.plan(1));
        assert!(two.count() <= 2 && one.count() <= 1, "{two:?} {one:?}");
        assert_eq!(loss.plan(0).copies, [0, 0]);
    }

    #[test]
    fn a_plan_is_given_up_when_its_losses_are_forgotten() {
        let mut loss = bursts(2, 25);
        assert_ne!(loss.plan(MOST_COPIES).copies, [0, 0]);
        for _ in 0..REMEMBERED {
            let number = loss.sent();
            loss.reported(number, true);
        }
        assert_eq!(loss.plan(MOST_COPIES), SoundPlan::default());
    }

    #[test]
    fn what_was_only_late_counts_as_come() {
        let mut loss = SoundLoss::default();
        let numbers: Vec<u64> = (0..200).map(|_| loss.sent()).collect();
        numbers.iter().for_each(|n| loss.reported(*n, n % 5 != 0));
        numbers.iter().for_each(|n| loss.reported(*n, true));
        numbers.iter().for_each(|n| loss.reported(*n, false));
        assert_eq!(loss.plan(MOST_COPIES), SoundPlan::default());
    }

    proptest! {
        #[test]
        fn any_reports_keep_the_memory_bounded_and_the_plan_sound(
            reports in proptest::collection::vec((any::<u64>(), any::<bool>(), 0u64..700), 0..500),
        ) {
            let mut loss = SoundLoss::default();
            for (number, came, near) in reports {
                loss.sent();
                loss.reported(number, came);
                loss.reported(near, came);
                let plan = loss.plan(MOST_COPIES);
                prop_assert!(plan.distances().all(|back| back <= FURTHEST));
                prop_assert!((2..=25).contains(&plan.expected_loss));
            }
            prop_assert!(loss.fates.len() <= REMEMBERED);
        }
    }
}
