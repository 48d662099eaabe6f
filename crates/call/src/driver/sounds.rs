//! Which chime says what happened: a rule without I/O or clock.

use crate::api::{EndReason, Event};
use std::time::Duration;
use visavis_capture::Chime;

/// An interruption that is over sooner is not worth a sound.
const WORTH_A_SOUND: Duration = Duration::from_millis(900);

/// What was heard of the running call.
#[derive(Debug, Default)]
pub(super) struct Sounds {
    opened: bool,
    met: bool,
    interruption: bool,
}

impl Sounds {
    /// What is to be heard of this.
    pub(super) fn of(&mut self, event: &Event) -> Option<Chime> {
        match event {
            Event::Joined { opened, .. } => {
                self.opened = *opened;
                None
            }
            // Keys may be agreed on anew within a call.
            Event::Connected { .. } if !self.met => {
                self.met = true;
                Some(if self.opened { Chime::Ring } else { Chime::Joined })
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
