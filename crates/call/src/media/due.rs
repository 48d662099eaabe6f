//! When each picture is due: as early as the network's jitter allows.
//!
//! Contains no I/O and reads no clock. A picture's *transit* is the moment when it was whole minus its timestamp, which
//! means nothing by itself; differences are differences of delay. Pictures are shown at a common transit, the *shift*,
//! so that they move as evenly as they were filmed: the *base*, which is the fastest transit of late, and a *hold* above it
//! as long as jitter asks for. What comes later is shown at once. On a calm path the hold is nothing, and every picture
//! is shown as it comes.
//!
//! Jitter is what makes a picture later than those before *and* after it. A queue that grows or drains is none: to hold
//! pictures back for it would add delay to delay and make nothing smoother.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::{ClockRate, RtpTicks};

/// Microseconds; differences of moments and of timestamps alike.
type Micros = i64;

const MS: Micros = 1000;
/// The fastest picture of this span is what others are late against.
const FASTEST_OF: Micros = 1000 * MS;
/// A picture is compared with those of this span before it and after it.
const NEIGHBOURS: Micros = 300 * MS;
/// The base follows the fastest within this, so that single pictures do not tug at it; down sooner than up, and at once
/// where the difference is larger than a step of the network's noise.
const SINK: f64 = 100_000.0;
const RISE: f64 = 500_000.0;
const STEP: Micros = 25 * MS;
/// Lateness is remembered this long; what fades slowly after that is the hold itself.
const MEMORY: Micros = 3000 * MS;
/// Pictures remembered at most: more than four seconds at 60 Hz.
const MAX_PICTURES: usize = 256;
/// Share of pictures that should be in time, within what nobody sees.
const QUANTILE: f64 = 0.95;
/// Unevenness that nobody sees: less than a screen's refresh.
const UNSEEN: Micros = 10 * MS;
/// A picture is never held back longer than this above the fastest: then it is better late at times.
const MOST: Micros = 200 * MS;
/// Later than this is a stall, and teaches nothing about jitter.
const STALL: Micros = 300 * MS;
/// Repairs (retransmission, redundancy) that take no longer than this are waited for where they are frequent, so that
/// they go unseen; longer ones would cost every picture more than the few are worth.
const WORTH: Micros = 35 * MS;
const FREQUENT: f64 = 0.02;
/// Timestamps that are off by more than this begin anew.
const JUMP: Micros = 5000 * MS;
/// Pictures before anything is known.
const YOUNG: usize = 10;
/// For the sound the picture is held back by this share of time more, unseen.
const LIP_RISE: f64 = 0.03;
/// The hold falls by this share of time, and by so much of what is too much in each second.
const FALL: f64 = 0.01;
const FALL_SHARE: f64 = 1.5;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Micros,
    transit: Micros,
    /// Known once its neighbours are.
    late: Option<Micros>,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    at: Instant,
    last: RtpTicks,
    /// Time of `last` by the timestamps, without their wrap.
    sent: Micros,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct DueTimes {
    epoch: Option<Epoch>,
    arrivals: VecDeque<Arrival>,
    /// When repaired pictures were whole, and how late against the fastest.
    repairs: VecDeque<(Micros, Micros)>,
    fastest: Micros,
    base: Micros,
    needed: Micros,
    hold: Micros,
    newest: Micros,
    scratch: Vec<Micros>,
}

impl DueTimes {
    /// When the picture that was whole at `whole` is due, never before that. `repaired`: it had to wait for a packet that
    /// was sent again or restored. `not_before`: when the sound that belongs to it lets it be shown; it is approached in
    /// steps that nobody sees.
    ///
    /// Pictures are told in their order; the moment is at most 200 ms after `whole`, whatever timestamps say.
    pub(crate) fn picture(
        &mut self,
        ticks: RtpTicks,
        whole: Instant,
        repaired: bool,
        not_before: Option<Instant>,
    ) -> Instant {
        let (at, sent) = self.place(ticks, whole);
        let transit = at - sent;
        self.forget(at);
        let strange = (transit - self.fastest).abs() > JUMP;
        if strange || self.arrivals.is_empty() {
            self.begin(transit, strange);
        }
        if repaired && !self.arrivals.is_empty() {
            self.repairs.push_back((at, transit - self.fastest));
        } else {
            self.learn(at, transit);
        }
        self.assess(at);
        let elapsed = (at - self.newest).clamp(0, 100 * MS);
        self.newest = self.newest.max(at);
        let lip = not_before.and_then(|moment| self.micros(moment)).map(|moment| moment - sent);
        self.follow(elapsed, lip);
        let wait = (self.base + self.hold - transit).clamp(0, MOST);
        whole + Duration::from_micros(wait as u64)
    }

    /// How long the fastest pictures are held back at present.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_micros(self.hold as u64)
    }

    /// How long they would be for the network's sake alone.
    pub(crate) fn needed(&self) -> Duration {
        Duration::from_micros(self.needed as u64)
    }

    /// When it was whole and when it was filmed, as far as differences go.
    fn place(&mut self, ticks: RtpTicks, whole: Instant) -> (Micros, Micros) {
        let epoch = self.epoch.get_or_insert(Epoch { at: whole, last: ticks, sent: 0 });
        let step = i64::from(ticks.since(epoch.last)) * 1_000_000 / i64::from(ClockRate::VIDEO.0);
        (epoch.last, epoch.sent) = (ticks, epoch.sent + step);
        let sent = epoch.sent;
        (self.micros(whole).unwrap_or(0), sent)
    }

    fn micros(&self, at: Instant) -> Option<Micros> {
        let epoch = self.epoch?.at;
        let span = |span: Duration| Micros::try_from(span.as_micros()).ok();
        match at.checked_duration_since(epoch) {
            Some(after) => span(after),
            None => span(epoch.duration_since(at)).map(|before| -before),
        }
    }

    /// What is known of jitter is kept through a pause of the picture, but not through a jump of its timestamps.
    fn begin(&mut self, transit: Micros, strange: bool) {
        self.arrivals.clear();
        self.repairs.clear();
        (self.fastest, self.base) = (transit, transit);
        if strange {
            (self.needed, self.hold) = (0, 0);
        }
    }

    fn forget(&mut self, at: Micros) {
        let old = |then: Micros| then < at - MEMORY;
        while self.arrivals.len() >= MAX_PICTURES || self.arrivals.front().is_some_and(|a| old(a.at)) {
            self.arrivals.pop_front();
        }
        while self.repairs.len() >= MAX_PICTURES || self.repairs.front().is_some_and(|(then, _)| old(*then)) {
            self.repairs.pop_front();
        }
    }

    fn learn(&mut self, at: Micros, transit: Micros) {
        self.arrivals.push_back(Arrival { at, transit, late: None });
        for i in 0..self.arrivals.len() {
            let a = self.arrivals[i];
            if a.late.is_none() && a.at + NEIGHBOURS <= at {
                self.arrivals[i].late = Some(self.late_by(i));
            }
        }
        let lately = self.arrivals.iter().filter(|a| a.at >= at - FASTEST_OF);
        self.fastest = lately.map(|a| a.transit).min().unwrap_or(transit);
    }

    /// By how much this picture was later than the fastest before it and the fastest after it.
    fn late_by(&self, i: usize) -> Micros {
        let this = self.arrivals[i];
        let near = |a: &&Arrival| (a.at - this.at).abs() <= NEIGHBOURS;
        let before = self.arrivals.range(..i).filter(near).map(|a| a.transit).min();
        let after = self.arrivals.range(i + 1..).filter(near).map(|a| a.transit).min();
        before.max(after).map_or(0, |fastest| (this.transit - fastest).max(0))
    }

    /// How long pictures have to be held back.
    fn assess(&mut self, at: Micros) {
        self.scratch.clear();
        self.scratch.extend(self.arrivals.iter().filter_map(|a| a.late).filter(|late| *late < STALL));
        if self.scratch.len() < YOUNG {
            return;
        }
        let jitter = slow_of(&mut self.scratch, QUANTILE);
        let pictures = (self.arrivals.len() + self.repairs.len()) as f64;
        let frequent = self.repairs.len() > 1 && self.repairs.len() as f64 >= pictures * FREQUENT;
        self.scratch.clear();
        self.scratch.extend(self.repairs.iter().filter(|(then, _)| *then <= at).map(|(_, late)| *late));
        let repair = Some(slow_of(&mut self.scratch, QUANTILE)).filter(|late| frequent && *late <= WORTH + UNSEEN);
        self.needed = (jitter.max(repair.unwrap_or(0)) - UNSEEN).clamp(0, MOST);
    }

    /// Moves base and hold to where they should be: the hold up quickly for jitter, else so that it is not seen.
    fn follow(&mut self, elapsed: Micros, lip: Option<Micros>) {
        // The more jitter there is, the more the fastest is a matter of luck.
        let (change, noise) = (self.fastest - self.base, self.needed as f64);
        let span = if change < 0 { SINK + 4.0 * noise } else { RISE + 8.0 * noise };
        let (share, young) = (elapsed as f64 / span, self.arrivals.len() < YOUNG);
        self.base += if young || change.abs() > STEP + self.needed / 2 {
            change
        } else {
            (change as f64 * share.min(1.0)) as Micros
        };
        let wanted = lip.map_or(0, |lip| lip - self.base).max(self.needed).clamp(0, MOST);
        if self.hold < self.needed {
            self.hold += MS.max((self.needed - self.hold) / 4).min(self.needed - self.hold);
        } else if self.hold < wanted {
            self.hold = (self.hold + (elapsed as f64 * LIP_RISE) as Micros).min(wanted);
        } else {
            let excess = (self.hold - wanted) as f64;
            let step = elapsed as f64 * (FALL + FALL_SHARE * excess / 1e6);
            self.hold = (self.hold - step as Micros).max(wanted);
        }
    }
}

/// The value that this share lies below, and two values at least above: one slow keyframe and what waited behind it are
/// no jitter, however few there were.
fn slow_of(values: &mut [Micros], share: f64) -> Micros {
    let nth = (values.len() as f64 * share) as usize;
    let nth = nth.min(values.len().saturating_sub(3));
    if nth < values.len() { *values.select_nth_unstable(nth).1 } else { 0 }
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
