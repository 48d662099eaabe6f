//! Good, fair or poor: a rule without a clock, fed one second at a time.
//!
//! It says so calmly: a change is believed when it has lasted, and an improvement must be larger than what it would take
//! to get worse again. What it says keeps its words until they are wrong.

use super::{Cause, Limit, Sample};
use std::collections::VecDeque;

/// Seconds over which figures are averaged.
const WINDOW: usize = 4;
/// Seconds at the beginning of a call, and after an interruption, in which figures say little: rates are being found.
const GRACE: u32 = 4;
/// Seconds in a row that must be worse before it is said.
const WORSE_FOR: u32 = 2;
/// Seconds in a row that must be better before it is said.
const BETTER_FOR: u32 = 5;
/// Severity from which on a connection is fair, and poor.
const ENTER: [f32; 2] = [1.0, 2.0];
/// Severity below which it no longer is.
const LEAVE: [f32; 2] = [0.75, 1.6];
/// Another cause is named when it is this much worse than the one that was.
const CLEARLY_WORSE: f32 = 0.5;
/// An amount is said anew when it differs by this part of what was said.
const NEWS: f32 = 0.25;
/// Fewer packets in a window say nothing about loss.
const FEW_PACKETS: f32 = 20.0;

/// Part of the packets lost: repaired at first, then heard and seen.
const LOSS: [f32; 2] = [0.03, 0.08];
/// Part of the sound made up: from one in a hundred on it is heard.
const GAPS: [f32; 2] = [0.01, 0.04];
/// Part of the time in which the picture stands still.
const FREEZES: [f32; 2] = [0.08, 0.3];
/// Round trip, ms: people begin to talk into each other's words (ITU-T G.114: 150 ms one way is good, 400 ms the end).
const DELAY: [f32; 2] = [300.0, 600.0];
/// Sound waiting for late packets, ms: half of a long round trip.
const UNEVEN: [f32; 2] = [160.0, 400.0];
/// Rate, kb/s, at which a picture that is limited by it is poor; a full one takes the other.
const UPLOAD: [f32; 2] = [600.0, 150.0];

/// How good a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nothing to speak of.
    #[default]
    Good,
    /// Something is noticed by who pays attention.
    Fair,
    /// The conversation suffers.
    Poor,
}

/// What is said of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// How good.
    pub grade: Grade,
    /// Why, and how much, in the cause's unit; `None` while it is good.
    pub cause: Option<(Cause, f32)>,
}

impl Verdict {
    /// Why, in words; `None` while it is good.
    pub fn words(&self) -> Option<String> {
        self.cause.map(|(cause, amount)| cause.words(amount))
    }
}

/// Comes to a verdict, second by second.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    window: VecDeque<Sample>,
    seen: u32,
    verdict: Verdict,
    worse: u32,
    better: u32,
    /// What is decided elsewhere, with hysteresis of its own.
    sound_only: Option<Cause>,
}

impl Judge {
    /// Takes a second in.
    pub fn update(&mut self, sample: &Sample) {
        self.sound_only = match (sample.sound_only, sample.their_sound_only) {
            (true, _) => Some(Cause::SoundOnly),
            (false, true) => Some(Cause::TheirSoundOnly),
            (false, false) => None,
        };
        self.seen = self.seen.saturating_add(1);
        if self.seen <= GRACE {
            return;
        }
        if self.window.len() >= WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(*sample);
        let findings = Cause::ALL.map(|cause| finding(cause, self.window.make_contiguous()));
        self.grade(&findings);
        self.name(&findings);
    }

    /// Nothing gets through: what was found out until now says nothing about what comes after.
    pub fn pause(&mut self) {
        *self = Self::default();
    }

    /// What is to be said now.
    pub fn verdict(&self) -> Verdict {
        match self.sound_only {
            Some(cause) => Verdict { grade: Grade::Poor, cause: Some((cause, 0.0)) },
            None => self.verdict,
        }
    }

    fn grade(&mut self, findings: &[Finding]) {
        let worst = findings.iter().map(|f| f.severity).fold(0.0, f32::max);
        let limit = |grade: Grade, i: usize| if self.verdict.grade >= grade { LEAVE[i] } else { ENTER[i] };
        let wanted = match worst {
            severity if severity >= limit(Grade::Poor, 1) => Grade::Poor,
            severity if severity >= limit(Grade::Fair, 0) => Grade::Fair,
            _ => Grade::Good,
        };
        self.worse = if wanted > self.verdict.grade { self.worse + 1 } else { 0 };
        self.better = if wanted < self.verdict.grade { self.better + 1 } else { 0 };
        if self.worse >= WORSE_FOR || self.better >= BETTER_FOR {
            (self.verdict.grade, self.worse, self.better) = (wanted, 0, 0);
        }
    }

    fn name(&mut self, findings: &[Finding]) {
        if self.verdict.grade == Grade::Good {
            self.verdict.cause = None;
            return;
        }
        // The first of those that weigh the same.
        let worst = findings.iter().rev().max_by(|a, b| a.severity.total_cmp(&b.severity));
        let Some(worst) = worst.filter(|worst| worst.severity >= LEAVE[0]) else { return };
        let named = self.verdict.cause;
        let same = named.and_then(|(cause, said)| Some((findings.iter().find(|f| f.cause == cause)?, said)));
        self.verdict.cause = match same {
            Some((now, said)) if now.severity + CLEARLY_WORSE >= worst.severity => {
                let news = now.severity >= LEAVE[0] && (now.amount - said).abs() > NEWS * said;
                Some((now.cause, if news { now.amount } else { said }))
            }
            _ => Some((worst.cause, worst.amount)),
        };
    }
}

/// How much of a cause there is, and how it weighs: 1 is fair, 2 is poor.
#[derive(Clone, Copy, Debug)]
struct Finding {
    cause: Cause,
    amount: f32,
    severity: f32,
}

fn finding(cause: Cause, window: &[Sample]) -> Finding {
    let all = |of: fn(&Sample) -> f32| mean(window.iter().map(of));
    let known = |of: fn(&Sample) -> Option<f32>| mean(window.iter().filter_map(of));
    // As long as it holds throughout: a short dip is no reason for words.
    let limited = |by: Limit| !window.is_empty() && window.iter().all(|sample| sample.limit == by);
    let (amount, severity) = match cause {
        // Judged apart.
        Cause::SoundOnly | Cause::TheirSoundOnly => (0.0, 0.0),
        Cause::Gaps => weighed(all(|s| s.concealed), GAPS),
        Cause::LossOut => weighed(loss(window, 0, |s| s.lost_out), LOSS),
        Cause::LossIn => weighed(loss(window, 1, |s| s.lost_in), LOSS),
        Cause::Freezes => weighed(all(|s| s.frozen), FREEZES),
        Cause::Delay => weighed(known(|s| s.round_trip_ms), DELAY),
        Cause::Uneven => weighed(known(|s| s.sound_buffer_ms), UNEVEN),
        Cause::Upload => {
            let rate = known(|s| s.estimate_kbps);
            let [full, poor] = UPLOAD;
            let severity = 1.0 + ((full - rate) / (full - poor)).clamp(0.0, 2.0);
            (rate, if limited(Limit::Network) { severity } else { 0.0 })
        }
        Cause::Computer => (0.0, if limited(Limit::Computer) { 1.0 } else { 0.0 }),
    };
    Finding { cause, amount, severity }
}

/// An amount with its severity: at the first limit 1, at the second 2, in between and beyond as far as it is on its way.
fn weighed(amount: f32, [fair, poor]: [f32; 2]) -> (f32, f32) {
    let severity = if amount < fair { amount / fair } else { 1.0 + (amount - fair) / (poor - fair) };
    (amount, severity.clamp(0.0, 4.0))
}

/// Loss of a window by its packets: a quiet second counts for little.
fn loss(window: &[Sample], way: usize, part: fn(&Sample) -> f32) -> f32 {
    let packets: f32 = window.iter().map(|sample| sample.packets[way]).sum();
    let lost: f32 =
        window.iter().map(|sample| sample.packets[way] * part(sample)).filter(|lost| lost.is_finite()).sum();
    if packets < FEW_PACKETS { 0.0 } else { lost / packets }
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) =
        values.filter(|value| value.is_finite()).fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f32 }
}

#[cfg(test)]
mod tests;
