//! A place in the chain: holds one part, switches it without a click, and survives its panics.
//!
//! A new part runs beside the old one until it has warmed up, then both are faded into each other over one frame.
//! After a panic there is no old one: a stand-in bridges those 30 ms.

use super::Frame;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use visavis_media::FRAME_SAMPLES;

/// Frames that a new part hears before anybody hears it: its filters fill, and so does its delay.
const WARM_UP: u32 = 2;
/// A sample beyond this (+18 dBFS) is no sound.
const ABSURD: f32 = 8.0;
/// A part that fails this often within [`FORGIVEN`] frames rests for as long.
const TOO_OFTEN: u32 = 3;
const FORGIVEN: u32 = 1000;
/// After a break, sound falls to nothing over so many samples (3 ms).
const DECAY: usize = 144;

/// What a part may know besides the microphone's sound.
pub(super) struct Context<'a> {
    /// What the loudspeaker played, in time with the microphone.
    pub reference: &'a Frame,
}

/// What is heard while a part that failed is built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIn {
    /// Sound as it is.
    Through,
    /// Nothing: sound as it is would do harm.
    Silence,
}

/// A kind of processing.
pub(super) trait Part: Sized {
    /// What may be chosen.
    type Kind: Copy + PartialEq;
    const STAND_IN: StandIn;

    fn build(kind: Self::Kind) -> Self;
    fn kind(&self) -> Self::Kind;
    /// How much older its sound is than what it hears.
    fn delay(kind: Self::Kind) -> Duration;
    fn process(&mut self, frame: &mut Frame, context: &Context<'_>);
}

enum Path<P> {
    Through,
    Silence,
    Part(Box<P>),
}

struct Next<P> {
    path: Path<P>,
    warm_up: u32,
}

pub(super) struct Slot<P: Part> {
    wanted: Option<P::Kind>,
    now: Path<P>,
    next: Option<Next<P>>,
    last: f32,
    failures: u64,
    /// Failures of late, and frames since they were counted.
    of_late: u32,
    since: u32,
    resting: u32,
    #[cfg(test)]
    pub panic_at: Option<u32>,
}

impl<P: Part> Slot<P> {
    /// A slot that gives what `wanted` says from its first frame on.
    pub fn new(wanted: Option<P::Kind>) -> Self {
        let mut slot = Self {
            wanted,
            now: Path::Through,
            next: None,
            last: 0.0,
            failures: 0,
            of_late: 0,
            since: 0,
            resting: 0,
            #[cfg(test)]
            panic_at: None,
        };
        match slot.build() {
            Some(path) => slot.now = path,
            None => slot.rest(),
        }
        slot
    }

    /// Another kind from now on, or none.
    pub fn want(&mut self, kind: Option<P::Kind>) {
        if self.wanted != kind {
            self.wanted = kind;
            self.resting = 0;
            self.prepare();
        }
    }

    /// The part forgets what it has learnt.
    pub fn renew(&mut self) {
        if self.wanted.is_some() {
            self.prepare();
        }
    }

    /// The part that is heard.
    pub fn part(&self) -> Option<&P> {
        match &self.now {
            Path::Part(part) => Some(part),
            Path::Through | Path::Silence => None,
        }
    }

    /// Whether sound goes through as it is, and nothing else is in sight.
    pub fn idle(&self) -> bool {
        matches!(self.now, Path::Through) && self.next.is_none()
    }

    /// Delay of what is heard.
    pub fn delay(&self) -> Duration {
        self.part().map_or(Duration::ZERO, |part| P::delay(part.kind()))
    }

    /// Failures so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Processes 10 ms in place.
    pub fn process(&mut self, frame: &mut Frame, context: &Context<'_>) {
        self.since = self.since.saturating_add(1);
        if self.resting > 0 {
            self.resting -= 1;
            if self.resting == 0 {
                self.prepare();
            }
        }
        let dry = *frame;
        #[cfg(test)]
        let broken = self.sabotaged();
        #[cfg(not(test))]
        let broken = false;
        if !run(&mut self.now, frame, context, broken) {
            self.fail(true);
            let stands_in = match P::STAND_IN {
                StandIn::Through => dry,
                StandIn::Silence => [0.0; FRAME_SAMPLES],
            };
            *frame = bridge(self.last, &stands_in);
        }
        if let Some(mut next) = self.next.take() {
            let mut new = dry;
            if !run(&mut next.path, &mut new, context, false) {
                self.fail(false);
            } else if next.warm_up > 0 {
                next.warm_up -= 1;
                self.next = Some(next);
            } else {
                *frame = crossfade(frame, &new);
                self.now = next.path;
            }
        }
        self.last = frame[FRAME_SAMPLES - 1];
    }

    /// Runs what is wanted beside what is heard, to take its place.
    fn prepare(&mut self) {
        match self.build() {
            Some(Path::Part(part)) => self.next = Some(Next { path: Path::Part(part), warm_up: WARM_UP }),
            Some(path) => self.next = Some(Next { path, warm_up: 0 }),
            None => self.rest(),
        }
    }

    /// What is wanted; `None` where building it failed.
    fn build(&mut self) -> Option<Path<P>> {
        let Some(kind) = self.wanted else { return Some(Path::Through) };
        let built = catch_unwind(AssertUnwindSafe(|| Box::new(P::build(kind))));
        self.failures += u64::from(built.is_err());
        built.ok().map(Path::Part)
    }

    /// The part that is heard has failed, or the one that warms up beside it.
    fn fail(&mut self, heard: bool) {
        self.failures += 1;
        if self.since > FORGIVEN {
            (self.of_late, self.since) = (0, 0);
        }
        self.of_late += 1;
        if heard {
            self.now = match P::STAND_IN {
                StandIn::Through => Path::Through,
                StandIn::Silence => Path::Silence,
            };
        }
        if self.of_late >= TOO_OFTEN { self.rest() } else { self.prepare() }
    }

    /// Does without the part for a while: what fails again and again costs more than it brings.
    fn rest(&mut self) {
        (self.of_late, self.resting) = (0, FORGIVEN);
        self.next = Some(Next { path: Path::Through, warm_up: 0 });
    }

    #[cfg(test)]
    fn sabotaged(&mut self) -> bool {
        let now = self.panic_at == Some(0);
        self.panic_at = self.panic_at.and_then(|frames| frames.checked_sub(1));
        now
    }
}

/// Whether the sound that a path gives can be used.
fn run<P: Part>(path: &mut Path<P>, frame: &mut Frame, context: &Context<'_>, broken: bool) -> bool {
    match path {
        Path::Through => true,
        Path::Silence => {
            frame.fill(0.0);
            true
        }
        Path::Part(part) => {
            let done = catch_unwind(AssertUnwindSafe(|| {
                assert!(!broken, "sabotaged by a test");
                part.process(frame, context);
            }));
            done.is_ok() && frame.iter().all(|s| s.abs() <= ABSURD)
        }
    }
}

fn crossfade(old: &Frame, new: &Frame) -> Frame {
    std::array::from_fn(|i| {
        let w = (i as f32 + 0.5) / FRAME_SAMPLES as f32;
        old[i] * (1.0 - w) + new[i] * w
    })
}

/// From a sound that broke off at `last` to another without a step.
fn bridge(last: f32, to: &Frame) -> Frame {
    std::array::from_fn(|i| {
        let w = (i as f32 + 0.5) / FRAME_SAMPLES as f32;
        let left = 1.0 - (i + 1).min(DECAY) as f32 / DECAY as f32;
        last * left * left + to[i] * w
    })
}
