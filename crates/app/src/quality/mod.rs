//! How a call fares: what each second of the last minute was like, and whether that is good, fair or poor, and why.
//!
//! It reads nothing but snapshots of the statistics, and no clock. It is fed once a second while a call lasts, whatever
//! is shown of it; a call's [`Health`] takes some ten kilobytes and goes with the call.

mod cause;
mod history;
mod rule;
mod sample;

pub use cause::Cause;
pub use history::{History, SPAN};
pub use rule::{Grade, Judge, Verdict};
pub use sample::{Limit, Picture, Sample};

use visavis_call::{InCall, StatsSnapshot};

/// Seconds without a picture after which what is to be seen is old; shorter ones are freezes among others.
const STILL: usize = 3;

/// What the statistics alone do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The other side sends a picture, as it says.
    pub picture_due: bool,
    /// Its network is too slow for one, as it says.
    pub sound_only: bool,
    /// Nothing gets through.
    pub interrupted: bool,
}

impl Moment {
    /// What a call says about itself.
    pub fn of(call: &InCall) -> Self {
        let peer = &call.peer;
        let picture_due = peer.video_on && peer.has_camera && !peer.sound_only;
        Self { picture_due, sound_only: peer.sound_only, interrupted: call.interrupted.is_some() }
    }
}

/// The last minute of a call, and what is to be said of it.
#[derive(Clone, Debug, Default)]
pub struct Health {
    history: History,
    judge: Judge,
    last: Option<StatsSnapshot>,
}

impl Health {
    /// Takes the statistics of another second.
    pub fn take(&mut self, now: &StatsSnapshot, moment: Moment) {
        let before = self.last.replace(now.clone());
        // Figures that run backwards are those of another connection.
        let Some(sample) = before.and_then(|before| Sample::between(&before, now, moment)) else { return };
        if moment.interrupted {
            self.judge.pause();
        } else {
            self.judge.update(&sample);
        }
        self.history.push(sample);
    }

    /// What is to be said of the connection.
    pub fn verdict(&self) -> Verdict {
        self.judge.verdict()
    }

    /// No picture has come for three seconds, though one is due and the call goes on.
    pub fn picture_stands_still(&self) -> bool {
        let last = self.history.iter().rev().take(STILL);
        last.filter(|sample| sample.frozen >= 1.0).count() == STILL
    }

    /// The last minute, oldest second first.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Everything since the call began; `None` in its first second.
    pub fn totals(&self) -> Option<&StatsSnapshot> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(second: u32) -> StatsSnapshot {
        let mut s = StatsSnapshot { t: 1e12 + 1000.0 * f64::from(second), ..StatsSnapshot::default() };
        s.inbound_audio.packets_received = 50 * u64::from(second);
        s.candidate_pair.current_round_trip_time = Some(0.9);
        s
    }

    #[test]
    fn a_call_of_hours_is_remembered_for_a_minute() {
        let mut health = Health::default();
        (0..7200).for_each(|second| health.take(&snapshot(second), Moment::default()));
        let seconds = health.history().iter().count();
        assert!((60..=70).contains(&seconds), "{seconds}");
        assert_eq!(health.verdict().grade, Grade::Poor);
    }

    #[test]
    fn statistics_that_begin_anew_are_no_second_of_anything() {
        let mut health = Health::default();
        (100..103).for_each(|second| health.take(&snapshot(second), Moment::default()));
        // Counted from zero once more, while time goes on.
        let anew = |second| StatsSnapshot { t: snapshot(103 + second).t, ..snapshot(second) };
        health.take(&anew(0), Moment::default());
        assert_eq!(health.history().iter().count(), 2);
        health.take(&anew(1), Moment::default());
        assert_eq!(health.history().iter().count(), 3);
    }

    #[test]
    fn while_nothing_gets_through_nothing_is_judged() {
        let mut health = Health::default();
        (0..20).for_each(|second| health.take(&snapshot(second), Moment { interrupted: true, ..Moment::default() }));
        assert_eq!(health.verdict(), Verdict::default());
    }

    #[test]
    fn a_picture_is_due_from_who_has_a_camera_that_is_on_and_a_network_that_carries_it() {
        let now = std::time::Instant::now();
        let due = |change: fn(&mut InCall)| {
            let mut call = crate::sample::in_call(now, std::time::Duration::ZERO);
            change(&mut call);
            Moment::of(&call).picture_due
        };
        assert!(due(|_| {}));
        assert!(!due(|call| call.peer.video_on = false) && !due(|call| call.peer.has_camera = false));
        assert!(!due(|call| call.peer.sound_only = true));
    }
}
