//! How a path loses packets, and how much parity pictures need where it is too long for asking again.
//!
//! Contains no I/O and reads no clock. A lost packet that is asked for again comes a round trip later. On a short path
//! that is in time, and costs exactly what was lost; on a long one it is not, and parity that travels with each picture is
//! the lesser evil. How much of it: what would have made nearly all pictures whole that the last packets could have been.

use super::fates::Fates;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Packets that are remembered: ten seconds of 1 Mb/s.
const REMEMBERED: usize = 1500;
/// Fewer than these say nothing.
const ENOUGH: usize = 200;
/// A path on which asking again takes longer than this needs parity…
const LONG: Duration = Duration::from_millis(150);
/// …until it takes less than this.
const SHORT: Duration = Duration::from_millis(120);
/// Loss from which on parity is worth its room on a path that is just long enough, and below which it no longer is. A
/// loss costs as much time as asking again takes, so on longer paths less loss suffices.
const LOSSY: f64 = 0.01;
const NOT_LOSSY: f64 = 0.004;
/// …but one lost packet may be chance.
const NO_CHANCE: usize = 2;
/// Loss that makes it worth sending an answer twice.
const HEAVY: f64 = 0.08;
/// The share of pictures that may stay incomplete: one in seven seconds, on longer paths fewer; those are asked for again.
const INCOMPLETE: f64 = 0.005;
/// Sizes of pictures, in packets, that are told apart.
const SIZES: [usize; 9] = [1, 2, 3, 4, 6, 10, 16, 28, 48];
/// Packets of a picture that are protected together; larger pictures are cut.
pub(crate) const MOST_PACKETS: usize = SIZES[SIZES.len() - 1];

/// Packets of parity for pictures of each size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParityPlan([u8; SIZES.len()]);

impl ParityPlan {
    /// Packets of parity for a picture of so many packets.
    pub(crate) fn parity(&self, packets: usize) -> usize {
        let size = SIZES.iter().position(|size| packets <= *size).unwrap_or(SIZES.len() - 1);
        usize::from(self.0[size])
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct PathLoss {
    /// What became of the last packets, in the order in which they left; `None` while nobody has said.
    fates: Fates<REMEMBERED>,
    on: bool,
    /// The share that was lost when last looked at.
    share: f64,
}

impl PathLoss {
    /// A packet leaves; by the number returned it can be reported on.
    pub(crate) fn sent(&mut self) -> u64 {
        self.fates.sent()
    }

    /// The other side says whether it came. What was said to be lost may still come, not the other way round. Numbers
    /// that were never given, or long ago, are ignored.
    pub(crate) fn reported(&mut self, number: u64, came: bool) {
        self.fates.reported(number, came);
    }

    /// Whether so much was lost, when last looked at, that answers and requests of ours get lost, too.
    pub(crate) fn heavy(&self) -> bool {
        self.share >= HEAVY
    }

    /// What to do from now on, on a path with this round trip.
    pub(crate) fn plan(&mut self, round_trip: Option<Duration>) -> ParityPlan {
        // Packets under way break no row: what is known is looked at as one.
        let known: Vec<bool> = self.fates.iter().flatten().copied().collect();
        let count = known.iter().filter(|came| !**came).count();
        let lost = count as f64 / known.len().max(1) as f64;
        self.share = if known.len() >= ENOUGH { lost } else { 0.0 };
        let (long, lossy, least) = if self.on { (SHORT, NOT_LOSSY, 1) } else { (LONG, LOSSY, NO_CHANCE) };
        let nearer = round_trip.map_or(1.0, |trip| (LONG.as_secs_f64() / trip.as_secs_f64().max(1e-3)).min(1.0));
        let lossy = known.len() >= ENOUGH && count >= least && lost >= lossy * nearer;
        self.on = lossy && round_trip.is_some_and(|trip| trip >= long);
        if !self.on {
            return ParityPlan::default();
        }
        let needed = |size: usize| {
            let most = size.div_ceil(2);
            (1..most).find(|parity| incomplete(&known, size, *parity) <= INCOMPLETE * nearer).unwrap_or(most)
        };
        ParityPlan(SIZES.map(|size| needed(size) as u8))
    }
}

/// The share of pictures of that size that the path would have left incomplete.
fn incomplete(fates: &[bool], size: usize, parity: usize) -> f64 {
    let length = size + parity;
    let Some(windows) = (fates.len() + 1).checked_sub(length).filter(|n| *n > 0) else { return 1.0 };
    let mut lost = fates[..length].iter().filter(|came| !**came).count();
    let mut bad = usize::from(lost > parity);
    for end in length..fates.len() {
        lost = lost + usize::from(!fates[end]) - usize::from(!fates[end - length]);
        bad += usize::from(lost > parity);
    }
    bad as f64 / windows as f64
}

/// The plan, written where reports come in, read where parity is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedParityPlan(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    plan: ParityPlan,
    heavy: bool,
    /// The payload type for parity, where the other side knows what it is.
    payload_type: Option<u8>,
}

impl SharedParityPlan {
    /// What was negotiated: `None` where the other side knows no parity of ours.
    pub(crate) fn negotiated(&self, payload_type: Option<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).payload_type = payload_type;
    }

    pub(crate) fn payload_type(&self) -> Option<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).payload_type
    }

    /// `heavy`: answers to requests get lost, too.
    pub(crate) fn set(&self, plan: ParityPlan, heavy: bool) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (shared.plan, shared.heavy) = (plan, heavy);
    }

    pub(crate) fn heavy(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).heavy
    }

    pub(crate) fn get(&self) -> ParityPlan {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    const FAR: Option<Duration> = Some(Duration::from_millis(300));

    fn heard(fates: impl Iterator<Item = bool>) -> PathLoss {
        let mut loss = PathLoss::default();
        for came in fates {
            let number = loss.sent();
            loss.reported(number, came);
        }
        loss
    }

    fn scattered(share: f64, seed: u64) -> PathLoss {
        let mut random = StdRng::seed_from_u64(seed);
        heard(std::iter::repeat_with(|| !random.random_bool(share)).take(REMEMBERED))
    }

    #[test]
    fn parity_is_for_long_paths_that_lose_packets() {
        let trip = |ms| Some(Duration::from_millis(ms));
        let mut lossy = scattered(0.05, 1);
        assert_eq!(lossy.plan(trip(50)), ParityPlan::default());
        assert_eq!(lossy.plan(None), ParityPlan::default());
        assert_ne!(lossy.plan(trip(160)), ParityPlan::default());
        assert_ne!(lossy.plan(trip(130)), ParityPlan::default(), "it stays until the path is clearly shorter");
        assert_eq!(lossy.plan(trip(110)), ParityPlan::default());
        assert_eq!(scattered(0.0, 1).plan(FAR), ParityPlan::default());
        assert_eq!(PathLoss::default().plan(FAR), ParityPlan::default());
    }

    #[test]
    fn the_longer_the_path_the_less_loss_suffices_and_parity_stays_between_the_losses() {
        let satellite = Some(Duration::from_millis(580));
        for seed in 1..=10 {
            let (mut random, mut loss) = (StdRng::seed_from_u64(seed), PathLoss::default());
            for i in 0..8000 {
                let number = loss.sent();
                loss.reported(number, !random.random_bool(0.008));
                if i % 50 == 0 {
                    let plan = loss.plan(satellite);
                    assert!(i < 1000 || plan != ParityPlan::default(), "{seed}: none after {i}");
                    assert!(plan.parity(6) <= 3, "{seed}: {plan:?} after {i}");
                }
            }
        }
        let once = |every: usize| heard((0..600).map(move |i| i % every != 7));
        assert_ne!(once(250).plan(satellite), ParityPlan::default());
        assert_eq!(once(250).plan(Some(LONG)), ParityPlan::default());
        assert_eq!(heard((0..250).map(|i| i != 7)).plan(satellite), ParityPlan::default(), "one may be chance");
    }

    #[test]
    fn only_much_loss_is_heavy() {
        let heavy = |mut loss: PathLoss| {
            loss.plan(None);
            loss.heavy()
        };
        assert!(heavy(scattered(0.12, 1)) && heavy(heard((0..REMEMBERED).map(|i| i % 50 >= 5))));
        assert!(!heavy(scattered(0.05, 1)) && !heavy(heard((0..50).map(|_| false))), "few packets say nothing");
    }

    #[test]
    fn more_loss_and_larger_pictures_need_more_parity_and_never_more_than_half() {
        let (little, much) = (scattered(0.02, 3).plan(FAR), scattered(0.10, 3).plan(FAR));
        for size in SIZES {
            assert!((1..=size.div_ceil(2)).contains(&little.parity(size)), "{size}: {little:?}");
            assert!(little.parity(size) <= much.parity(size), "{size}: {little:?} {much:?}");
        }
        assert!(little.parity(48) * 5 < 48, "{little:?}");
        assert!(little.0.is_sorted() && much.0.is_sorted(), "{little:?} {much:?}");
        assert_eq!(much.parity(1000), much.parity(48));
    }

    #[test]
    fn bursts_need_as_much_parity_as_they_are_long() {
        let mut loss = heard((0..REMEMBERED).map(|i| i % 100 >= 5));
        assert_eq!(loss.plan(FAR).parity(10), 5);
        let mut same = heard((0..REMEMBERED).map(|i| i % 20 != 7));
        assert!(same.plan(FAR).parity(10) < 5, "as much loss, one by one");
    }

    proptest! {
        #[test]
        fn any_reports_keep_memory_and_parity_bounded(
            reports in proptest::collection::vec((any::<u64>(), any::<bool>(), 0u64..3000), 0..2500),
        ) {
            let mut loss = PathLoss::default();
            for (number, came, near) in reports {
                loss.sent();
                loss.reported(number, came);
                loss.reported(near, came);
            }
            let plan = loss.plan(FAR);
            prop_assert!(loss.fates.len() <= REMEMBERED);
            prop_assert!(SIZES.iter().all(|size| plan.parity(*size) <= size.div_ceil(2)));
        }
    }
}
