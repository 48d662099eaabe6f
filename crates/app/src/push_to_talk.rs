//! The microphone is on only while a key is held: a rule without a window.

/// Seconds for which the microphone stays on after the key was let go, so that the last word is not cut off.
const TAIL: f64 = 0.2;

/// What one call knows of it.
#[derive(Debug, Default)]
pub struct PushToTalk {
    on: bool,
    open: bool,
    held_at: f64,
}

impl PushToTalk {
    /// Takes what is true at `time`, in seconds: whether this way of talking is chosen, and whether the key is held.
    /// What the microphone is to be from now on, muted or not, where that changes.
    ///
    /// Where it is chosen in the middle of a call, or a call begins with it, the microphone is muted; where it is not
    /// chosen any more, it stays as it is.
    pub fn step(&mut self, chosen: bool, held: bool, time: f64) -> Option<bool> {
        let begins = chosen && !self.on;
        self.on = chosen;
        if !chosen {
            self.open = false;
            return None;
        }
        if held {
            self.held_at = time;
        }
        let open = held || (self.open && time < self.held_at + TAIL);
        let changed = begins || open != self.open;
        self.open = open;
        changed.then_some(!open)
    }

    /// Seconds from `time` until the microphone goes off by itself.
    pub fn closes_in(&self, time: f64) -> Option<f64> {
        self.open.then(|| (self.held_at + TAIL - time).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_microphone_is_on_from_the_press_until_a_moment_after_the_release() {
        let mut talk = PushToTalk::default();
        assert_eq!(talk.step(true, false, 0.0), Some(true), "a call begins muted");
        assert_eq!([0.1, 0.2].map(|t| talk.step(true, false, t)), [None, None]);
        assert_eq!([1.0, 1.5, 2.0].map(|t| talk.step(true, true, t)), [Some(false), None, None]);
        assert_eq!([2.1, 2.19].map(|t| talk.step(true, false, t)), [None, None]);
        assert!(talk.closes_in(2.1).is_some_and(|left| (left - 0.1).abs() < 1e-9));
        assert_eq!([2.21, 2.5].map(|t| talk.step(true, false, t)), [Some(true), None]);
        assert_eq!(talk.closes_in(2.5), None);
    }

    #[test]
    fn pressing_again_within_the_moment_leaves_it_on() {
        let mut talk = PushToTalk::default();
        talk.step(true, true, 0.0);
        assert_eq!([(false, 0.1), (true, 0.15), (false, 0.3)].map(|(held, t)| talk.step(true, held, t)), [None; 3]);
    }

    #[test]
    fn where_it_is_not_chosen_nothing_is_switched() {
        let mut talk = PushToTalk::default();
        assert_eq!(talk.step(false, true, 0.0), None);
        talk.step(true, true, 1.0);
        assert_eq!([false, true].map(|held| talk.step(false, held, 2.0)), [None, None]);
        assert_eq!(talk.step(true, false, 3.0), Some(true), "chosen again");
    }
}
