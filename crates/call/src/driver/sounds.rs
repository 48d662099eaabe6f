//! Which chime says what happened: a rule without I/O or clock.

use crate::api::{EndReason, Event};
use std::time::Duration;
use visavis_capture::Chime;

/// An interruption that is over sooner is not worth a sound.
const WORTH_A_SOUND: Duration = Duration::from_millis(900);

/// Somebody at the door of a lasting room is heard so often.
const RINGING: Duration = Duration::from_secs(4);

/// What was heard of the running call.
#[derive(Debug, Default)]
pub(super) struct Sounds {
    opened: bool,
    met: bool,
    interruption: bool,
    /// How often somebody at the door was heard.
    rings: u32,
}

impl Sounds {
    /// What is to be heard of this.
    pub(super) fn of(&mut self, event: &Event) -> Option<Chime> {
        match event {
            Event::Joined { opened, .. } => {
                (self.opened, self.rings) = (*opened, 0);
                None
            }
            // Keys may be agreed on anew within a call.
            Event::Connected { .. } if !self.met => {
                self.met = true;
                // Who was let in has rung already.
                let rang = std::mem::take(&mut self.rings) > 0;
                Some(if self.opened && !rang { Chime::Ring } else { Chime::Joined })
            }
            // The next one is heard at once.
            Event::Asks { .. } => {
                self.rings = 0;
                None
            }
            Event::PeerAway => std::mem::take(&mut self.met).then_some(Chime::Left),
            Event::Reconnected => std::mem::take(&mut self.interruption).then_some(Chime::Reconnected),
            Event::Ended(reason) => {
                let met = std::mem::take(self).met;
                let chime = match reason {
                    EndReason::HungUp => Chime::Ended,
                    EndReason::PeerHungUp | EndReason::PeerLeft => Chime::Left,
                    _ => Chime::Over,
                };
                // What did not come about is said on screen, to somebody who looks at it.
                met.then_some(chime)
            }
            _ => None,
        }
    }

    /// What is to be heard while somebody has been at the door for so long.
    pub(super) fn while_asked(&mut self, lasts: Option<Duration>) -> Option<Chime> {
        let due = 1 + (lasts?.as_millis() / RINGING.as_millis()) as u32;
        (std::mem::replace(&mut self.rings, due) != due).then_some(Chime::Ring)
    }

    /// When somebody at the door is heard again, from when they came.
    pub(super) fn next_ring(&self) -> Duration {
        RINGING * self.rings
    }

    /// What is to be heard while nothing has got through for so long; once for each interruption.
    pub(super) fn while_interrupted(&mut self, lasts: Option<Duration>) -> Option<Chime> {
        let long = lasts.is_some_and(|lasts| lasts >= WORTH_A_SOUND);
        let new = long && !self.interruption;
        self.interruption |= long;
        new.then_some(Chime::Reconnecting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Path;

    fn connected() -> Event {
        Event::Connected { verification: String::new(), path: Path::Direct, relay: None }
    }

    fn joined(opened: bool) -> Event {
        Event::Joined { opened, code: String::new() }
    }

    #[test]
    fn who_waited_is_called_and_who_came_is_greeted_once_a_call() {
        let mut sounds = Sounds::default();
        assert_eq!([joined(true), Event::PeerJoined].map(|e| sounds.of(&e)), [None, None]);
        assert_eq!([connected(), connected()].map(|e| sounds.of(&e)), [Some(Chime::Ring), None]);
        assert_eq!(sounds.of(&Event::Ended(EndReason::PeerHungUp)), Some(Chime::Left));
        assert_eq!([joined(false), connected()].map(|e| sounds.of(&e)), [None, Some(Chime::Joined)]);
        assert_eq!(sounds.of(&Event::Ended(EndReason::HungUp)), Some(Chime::Ended));
    }

    #[test]
    fn somebody_at_the_door_rings_until_they_are_answered_and_is_greeted_then() {
        let s = |s| Some(Duration::from_secs(s));
        let asks = || Event::Asks { name: String::new(), guest: None };
        let mut sounds = Sounds::default();
        sounds.of(&joined(true));
        for _ in 0..2 {
            assert_eq!(sounds.while_asked(None), None);
            sounds.of(&asks());
            let heard = [0, 1, 3, 4, 7, 9].map(|at| sounds.while_asked(s(at)).is_some());
            assert_eq!(heard, [true, false, false, true, false, true]);
            assert_eq!(sounds.while_asked(None), None, "they went away");
        }
        assert_eq!(sounds.of(&connected()), Some(Chime::Joined), "they have rung already");
        sounds.of(&Event::Ended(EndReason::HungUp));
        assert_eq!([joined(true), connected()].map(|e| sounds.of(&e)), [None, Some(Chime::Ring)]);
    }

    #[test]
    fn a_call_that_never_came_about_ends_without_a_sound() {
        let mut sounds = Sounds::default();
        for reason in [EndReason::HungUp, EndReason::NobodyHere, EndReason::ConnectFailed] {
            assert_eq!(sounds.of(&Event::Ended(reason)), None);
        }
    }

    #[test]
    fn an_interruption_is_heard_once_if_it_lasts_and_so_is_its_end() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let mut sounds = Sounds::default();
        sounds.of(&connected());
        assert_eq!([ms(100), ms(500), None].map(|lasts| sounds.while_interrupted(lasts)), [None; 3]);
        assert_eq!(sounds.of(&Event::Reconnected), None, "nobody heard that it broke");
        assert_eq!([ms(950), ms(1000)].map(|lasts| sounds.while_interrupted(lasts)), [Some(Chime::Reconnecting), None]);
        assert_eq!(sounds.of(&Event::Reconnected), Some(Chime::Reconnected));
        assert_eq!(sounds.while_interrupted(ms(1200)), Some(Chime::Reconnecting), "the next one is heard too");
        assert_eq!(sounds.of(&Event::Ended(EndReason::ConnectionLost)), Some(Chime::Over));
    }
}
