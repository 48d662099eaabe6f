//! How the sound that we send is encoded: the length of its packets and its rate, by what the path carries.
//!
//! Contains no I/O and reads no clock. Packets of 10 ms are heard 10 ms earlier than those of 20, and so is seen the
//! picture that waits for them; but 50 headers more a second take some 28 kb/s, and what Opus and copies make good after a
//! loss is better in the longer ones. So they are sent where the path is calm and wide, and only after a while of it. Opus's
//! own redundancy is left out of them while nothing is lost: it would take more of the voice than shortness does (PESQ at
//! 48 kb/s: 4.23 in 20 ms with it, 4.26 in 10 ms without, 3.95 in 10 ms with it).
//! Sound is the last to lose rate: pictures get what it leaves.

use std::time::{Duration, Instant};
use visavis_codec::opus::{SAMPLES_10_MS, SAMPLES_20_MS};
use visavis_media::BitsPerSecond;

/// Where an estimate reaches the first, sound takes the second.
const RATES: [(BitsPerSecond, BitsPerSecond); 5] = [
    (BitsPerSecond::kilo(1800), BitsPerSecond::kilo(64)),
    (BitsPerSecond::kilo(900), BitsPerSecond::kilo(48)),
    (BitsPerSecond::kilo(250), BitsPerSecond::kilo(32)),
    (BitsPerSecond::kilo(120), BitsPerSecond::kilo(24)),
    (BitsPerSecond(0), BitsPerSecond::kilo(16)),
];
/// A step is left downward where the estimate is below this share of what led to it.
const STAYS: f64 = 0.8;
/// Beside copies of itself sound takes no more than this: all of it travels twice.
const BESIDE_COPIES: BitsPerSecond = BitsPerSecond::kilo(32);
/// Opus takes so much more for the same quality in 10 ms.
const SHORT_COSTS: BitsPerSecond = BitsPerSecond::kilo(3);
/// Short packets begin above the first estimate and end below the second: their headers are a twentieth of it at most.
const WIDE: (BitsPerSecond, BitsPerSecond) = (BitsPerSecond::kilo(600), BitsPerSecond::kilo(450));
/// …likewise below and above this loss of the last ten seconds, in thousandths…
const LOSSLESS: (u16, u16) = (2, 6);
/// …and this jitter, as the other side reports it.
const CALM: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(10));
/// It has to be so for this long, twice as long after each time that it did not last, up to…
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_PATIENCE: Duration = Duration::from_secs(64);
/// …where it lasted if it was so for this long.
const LASTED: Duration = Duration::from_secs(30);

/// How much sound a packet holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PacketLength {
    Short,
    #[default]
    Long,
}

impl PacketLength {
    pub(crate) const fn samples(self) -> usize {
        match self {
            Self::Short => SAMPLES_10_MS,
            Self::Long => SAMPLES_20_MS,
        }
    }
}

/// Which lengths may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lengths {
    #[default]
    Both,
    Only(PacketLength),
}

/// What is known of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SoundPath {
    pub target: BitsPerSecond,
    /// Of our packets of sound that many in a thousand were lost lately.
    pub lost: u16,
    /// Whether copies of earlier sound travel along.
    pub copies: bool,
    /// Of our sound, as the other side sees it (RFC 3550 §6.4.1); `None` before it has said.
    pub jitter: Option<Duration>,
}

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SoundSettings {
    pub length: PacketLength,
    pub bitrate: BitsPerSecond,
    /// Whether packets carry Opus's own redundancy.
    pub redundant: bool,
}

impl Default for SoundSettings {
    fn default() -> Self {
        Self { length: PacketLength::Long, bitrate: BitsPerSecond::kilo(32), redundant: true }
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct SoundRule {
    lengths: Lengths,
    length: PacketLength,
    /// When the length changed last.
    changed: Option<Instant>,
    calm_since: Option<Instant>,
    patience: Duration,
    /// Index into [`RATES`].
    step: usize,
}

impl SoundRule {
    pub(crate) fn new(lengths: Lengths) -> Self {
        let length = match lengths {
            Lengths::Both => PacketLength::Long,
            Lengths::Only(length) => length,
        };
        let step = RATES.iter().position(|(_, rate)| *rate == SoundSettings::default().bitrate).unwrap_or(0);
        Self { lengths, length, changed: None, calm_since: None, patience: PATIENCE, step }
    }

    /// How to encode from now on; to be asked a few times a second.
    pub(crate) fn settings(&mut self, now: Instant, path: &SoundPath) -> SoundSettings {
        if self.lengths == Lengths::Both {
            self.choose_length(now, path);
        }
        let reached = RATES.iter().position(|(from, _)| path.target >= *from).unwrap_or(RATES.len() - 1);
        let left = f64::from(path.target.0) < STAYS * f64::from(RATES[self.step].0.0);
        if reached < self.step || left {
            self.step = reached;
        }
        let rate = RATES[self.step].1;
        let rate = if path.copies { rate.min(BESIDE_COPIES) } else { rate };
        let (more, redundant) = match self.length {
            PacketLength::Short => (SHORT_COSTS.0, path.lost > LOSSLESS.0),
            PacketLength::Long => (0, true),
        };
        SoundSettings { length: self.length, bitrate: BitsPerSecond(rate.0 + more).min(RATES[0].1), redundant }
    }

    fn choose_length(&mut self, now: Instant, path: &SoundPath) {
        let within = |wide, lossless, calm| {
            path.target >= wide && path.lost <= lossless && path.jitter.is_some_and(|j| j <= calm) && !path.copies
        };
        match self.length {
            PacketLength::Short if !within(WIDE.1, LOSSLESS.1, CALM.1) => {
                let lasted = self.changed.is_some_and(|at| now.saturating_duration_since(at) >= LASTED);
                self.patience = if lasted { PATIENCE } else { (self.patience * 2).min(LONGEST_PATIENCE) };
                self.change(now, PacketLength::Long);
            }
            PacketLength::Short => {}
            PacketLength::Long => {
                let calm = within(WIDE.0, LOSSLESS.0, CALM.0);
                self.calm_since = calm.then(|| self.calm_since.unwrap_or(now));
                if self.calm_since.is_some_and(|at| now.saturating_duration_since(at) >= self.patience) {
                    self.change(now, PacketLength::Short);
                }
            }
        }
    }

    fn change(&mut self, now: Instant, length: PacketLength) {
        (self.length, self.changed, self.calm_since) = (length, Some(now), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PacketLength::{Long, Short};
    use proptest::prelude::*;

    const STEP: Duration = Duration::from_millis(250);

    fn calm() -> SoundPath {
        let jitter = Some(Duration::from_millis(1));
        SoundPath { target: BitsPerSecond::kilo(2500), lost: 0, copies: false, jitter }
    }

    /// What is decided, for the path of each quarter of a second.
    fn decided(lengths: Lengths, quarters: u32, path: impl Fn(u32) -> SoundPath) -> Vec<SoundSettings> {
        let (begun, mut rule) = (Instant::now(), SoundRule::new(lengths));
        (0..quarters).map(|i| rule.settings(begun + i * STEP, &path(i))).collect()
    }

    fn changes(settings: &[SoundSettings]) -> usize {
        settings.windows(2).filter(|pair| pair[0].length != pair[1].length).count()
    }

    #[test]
    fn on_a_calm_wide_path_packets_become_short_within_seconds_and_stay_so() {
        let settings = decided(Lengths::Both, 400, |_| calm());
        assert!(settings[..8].iter().all(|s| s.length == Long));
        assert!(settings[12..].iter().all(|s| s.length == Short));
    }

    #[test]
    fn before_the_other_side_has_said_how_sound_comes_packets_stay_long() {
        let settings = decided(Lengths::Both, 400, |_| SoundPath { jitter: None, ..calm() });
        assert_eq!(changes(&settings), 0);
    }

    #[test]
    fn loss_jitter_copies_and_a_narrow_path_each_make_packets_long_at_once() {
        let bad = [
            SoundPath { lost: 20, ..calm() },
            SoundPath { jitter: Some(Duration::from_millis(15)), ..calm() },
            SoundPath { copies: true, ..calm() },
            SoundPath { target: BitsPerSecond::kilo(400), ..calm() },
        ];
        for bad in bad {
            let settings = decided(Lengths::Both, 60, |i| if i < 40 { calm() } else { bad });
            assert_eq!((settings[39].length, settings[40].length), (Short, Long), "{bad:?}");
            assert!(settings[40..].iter().all(|s| s.length == Long), "{bad:?}");
        }
    }

    #[test]
    fn a_path_that_wavers_between_the_two_limits_changes_nothing() {
        let wavers = |i: u32| SoundPath {
            target: BitsPerSecond::kilo(500 + 90 * (i % 3)),
            lost: 2 + (i % 4) as u16,
            jitter: Some(Duration::from_millis(5 + u64::from(i % 5))),
            copies: false,
        };
        assert_eq!(changes(&decided(Lengths::Both, 400, wavers)), 0);
        let settings = decided(Lengths::Both, 400, |i| if i < 20 { calm() } else { wavers(i) });
        assert_eq!((changes(&settings), settings[399].length), (1, Short));
    }

    #[test]
    fn a_path_that_is_bad_again_and_again_is_believed_less_and_less() {
        // Four seconds calm, one second lossy, for ten minutes.
        let settings = decided(Lengths::Both, 2400, |i| SoundPath { lost: if i % 20 < 16 { 0 } else { 20 }, ..calm() });
        assert!(changes(&settings) <= 4, "{} changes", changes(&settings));
        // What lasted a minute is believed as quickly as at first.
        let settings =
            decided(Lengths::Both, 2400, |i| SoundPath { lost: if i % 240 < 236 { 0 } else { 20 }, ..calm() });
        let short = settings.iter().filter(|s| s.length == Short).count();
        assert!(short > 2200, "{short} of 2400");
    }

    #[test]
    fn where_only_one_length_is_taken_no_other_is_sent() {
        for length in [Short, Long] {
            let lossy = |i: u32| SoundPath { lost: if i < 200 { 0 } else { 100 }, ..calm() };
            let settings = decided(Lengths::Only(length), 400, lossy);
            assert!(settings.iter().all(|s| s.length == length));
        }
    }

    #[test]
    fn the_rate_follows_the_estimate_from_16_to_64_kilobits_and_no_small_change() {
        let at =
            |kilo: u32| decided(Lengths::Both, 8, |_| SoundPath { target: BitsPerSecond::kilo(kilo), ..calm() })[7];
        let rates = [2500, 1000, 400, 150, 60, 0].map(|kilo| at(kilo).bitrate.0 / 1000);
        assert_eq!(rates, [64, 48, 32, 24, 16, 16]);
        let wavers =
            |i: u32| SoundPath { target: BitsPerSecond::kilo(if i.is_multiple_of(2) { 1900 } else { 1500 }), ..calm() };
        assert!(decided(Lengths::Only(Long), 100, wavers).iter().all(|s| s.bitrate == BitsPerSecond::kilo(64)));
    }

    #[test]
    fn short_packets_carry_redundancy_only_where_something_is_lost() {
        let lost = |lengths, lost| decided(lengths, 60, move |_| SoundPath { lost, ..calm() })[59];
        for (lengths, share, expected) in [
            (Lengths::Both, 0, (Short, false)),
            (Lengths::Both, 50, (Long, true)),
            (Lengths::Only(Short), 50, (Short, true)),
            (Lengths::Only(Long), 0, (Long, true)),
        ] {
            let settings = lost(lengths, share);
            assert_eq!((settings.length, settings.redundant), expected, "{lengths:?}, {share} in a thousand lost");
        }
    }

    #[test]
    fn beside_copies_sound_takes_half_as_much() {
        let settings = decided(Lengths::Both, 8, |_| SoundPath { copies: true, ..calm() });
        assert_eq!(settings[7].bitrate, BitsPerSecond::kilo(32));
    }

    proptest! {
        #[test]
        fn any_path_gives_a_rate_of_16_to_64_kilobits(
            paths in proptest::collection::vec((any::<u32>(), any::<u16>(), any::<bool>(), 0u64..5000), 1..200),
        ) {
            let (begun, mut rule) = (Instant::now(), SoundRule::new(Lengths::Both));
            for (i, (target, lost, copies, jitter)) in paths.into_iter().enumerate() {
                let path = SoundPath {
                    target: BitsPerSecond(target),
                    lost,
                    copies,
                    jitter: Some(Duration::from_millis(jitter)).filter(|j| !j.is_zero()),
                };
                let settings = rule.settings(begun + i as u32 * STEP, &path);
                prop_assert!((16_000..=64_000).contains(&settings.bitrate.0));
            }
        }
    }
}
