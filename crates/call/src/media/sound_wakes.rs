//! When the sound thread wakes: when the microphone should have a frame, and every 10 ms, when it suits the loudspeaker.
//!
//! Contains no I/O and reads no clock. A tick at any moment would let either wait for 5 ms on average.

use std::time::{Duration, Instant};
use visavis_media::FRAME_DURATION;

/// A microphone's frame that is not there when it should be is looked for again after this, and left to the next tick when
/// it is this late.
const AGAIN: Duration = Duration::from_millis(1);
const TOO_LATE: Duration = Duration::from_millis(5);
/// A tick that is this late was no tick: the machine slept or was overloaded; what was missed is not made up for.
const STALL: Duration = Duration::from_millis(200);

/// See the module's text.
#[derive(Debug)]
pub(super) struct SoundWakes {
    tick: Instant,
}

impl SoundWakes {
    pub(super) fn new(now: Instant) -> Self {
        Self { tick: now }
    }

    /// When to wake next, where the microphone's next frame is expected at this moment.
    pub(super) fn next(&self, now: Instant, frame: Option<Instant>) -> Instant {
        let expected = frame.filter(|frame| now.saturating_duration_since(*frame) < TOO_LATE);
        let look = expected.map(|frame| if frame > now { frame } else { now + AGAIN });
        look.map_or(self.tick, |look| look.min(self.tick))
    }

    /// Whether it is time for the loudspeaker.
    pub(super) fn is_tick(&self, now: Instant) -> bool {
        now >= self.tick
    }

    /// The loudspeaker has been fed, and says when it is best fed again, if it knows.
    pub(super) fn ticked(&mut self, now: Instant, ask_at: Option<Instant>) {
        self.tick = ask_at.unwrap_or(self.tick + FRAME_DURATION);
        if now.saturating_duration_since(self.tick) > STALL {
            self.tick = now + FRAME_DURATION;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn without_devices_that_tell_it_wakes_every_10_ms() {
        let start = Instant::now();
        let mut wakes = SoundWakes::new(start);
        for n in 1..100 {
            let now = wakes.next(start, None) + MS * (n % 3);
            assert!(wakes.is_tick(now) && !wakes.is_tick(now - MS * 4));
            wakes.ticked(now, None);
            assert_eq!(wakes.next(now, None), start + FRAME_DURATION * n);
        }
    }

    #[test]
    fn it_wakes_when_a_frame_should_be_there_and_looks_again_while_it_is_a_little_late() {
        let start = Instant::now();
        let mut wakes = SoundWakes::new(start);
        wakes.ticked(start, None);
        let frame = start + 2 * MS;
        assert_eq!(wakes.next(start, Some(frame)), frame);
        assert!(!wakes.is_tick(frame));
        assert_eq!(wakes.next(frame, Some(frame)), frame + AGAIN);
        assert_eq!(wakes.next(frame + 4 * MS, Some(frame)), frame + 5 * MS);
        // No longer: a microphone that stopped does not keep the thread awake.
        assert_eq!(wakes.next(frame + TOO_LATE, Some(frame)), start + FRAME_DURATION);
    }

    #[test]
    fn the_loudspeaker_says_when_and_a_frame_expected_later_does_not_hold_it_up() {
        let start = Instant::now();
        let mut wakes = SoundWakes::new(start);
        wakes.ticked(start, Some(start + 7 * MS));
        assert_eq!(wakes.next(start, Some(start + 9 * MS)), start + 7 * MS);
    }

    #[test]
    fn after_the_machine_slept_nothing_is_made_up_for() {
        let start = Instant::now();
        let mut wakes = SoundWakes::new(start);
        let late = start + Duration::from_secs(60);
        wakes.ticked(late, None);
        assert_eq!(wakes.next(late, None), late + FRAME_DURATION);
    }
}
