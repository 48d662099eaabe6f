//! The microphone is on only while Space is held: a rule without a window.
//!
//! Keys are read before egui takes them, as egui sees none while nothing is painted. Whoever lets go of Space in a window
//! that others cover, or takes it away while holding Space, is not heard any longer.

use egui::{Event, Key, RawInput};
use std::time::{Duration, Instant};
use visavis_call::{Phase, State};

/// The microphone stays on for so long after the key was let go, so that the last word is not cut off.
const TAIL: Duration = Duration::from_millis(200);

/// What is known of the key and of the call.
#[derive(Debug, Default)]
pub struct PushToTalk {
    /// Space is down, as far as the window system says.
    down: bool,
    /// Keys are for something else: a text is being typed, or nobody is at the window.
    elsewhere: bool,
    /// The window cannot be seen, or another one has the keys.
    away: bool,
    /// Where one was when this way of talking was last looked at; `None` while it is not chosen.
    place: Option<Place>,
    /// When the key was last held, while the microphone is on because of it.
    held_at: Option<Instant>,
}

/// Who would hear the microphone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Nobody yet, but whoever comes would.
    NoCall,
    /// Oneself, who wants to hear what others would.
    Check,
    /// The other side, since then.
    Call(Instant),
}

impl Place {
    fn of(state: &State) -> Self {
        match &state.phase {
            _ if state.check.is_some() => Self::Check,
            Phase::InCall(call) => Self::Call(call.since),
            Phase::Home
            | Phase::Waiting(_)
            | Phase::Joining { .. }
            | Phase::Connecting { .. }
            | Phase::Outside { .. }
            | Phase::Ended(_) => Self::NoCall,
        }
    }
}

impl PushToTalk {
    /// Reads what the window system says, whether anything is painted or not; while a text is being `typing`, Space is
    /// a letter.
    ///
    /// Events that could not be painted come again with the next ones; the last one of them counts.
    pub fn read(&mut self, input: &RawInput, typing: bool) {
        for event in &input.events {
            match event {
                Event::Key { key: Key::Space, pressed, .. } => self.down = *pressed,
                // Its release is told to whoever has the keys then.
                Event::WindowFocused(false) => self.down = false,
                _ => {}
            }
        }
        let hidden = input.viewports.get(&input.viewport_id).is_some_and(|window| window.visible() == Some(false));
        self.away = hidden || !input.focused;
        self.elsewhere = typing || self.away;
    }

    /// What the microphone is to be from now on, muted or not, where that changes; `chosen` is this way of talking.
    ///
    /// Where it is chosen, one is muted before a call begins, whether anything is painted then or not. Where it is not
    /// chosen any more, a call goes on as it is, and outside of one the microphone is on again.
    pub fn step(&mut self, chosen: bool, state: &State, now: Instant) -> Option<bool> {
        let place = Place::of(state);
        if !chosen {
            self.held_at = None;
            return (self.place.take().is_some() && place == Place::NoCall).then_some(false);
        }
        let new = self.place.replace(place) != Some(place);
        match place {
            Place::NoCall => {
                self.held_at = None;
                (new || !state.muted).then_some(true)
            }
            Place::Check => {
                self.held_at = None;
                (new && state.muted).then_some(false)
            }
            Place::Call(_) => {
                let was_open = self.held_at.is_some() && !new;
                if self.down && !self.elsewhere {
                    self.held_at = Some(now);
                } else if new || self.away || self.held_at.is_some_and(|at| now >= at + TAIL) {
                    self.held_at = None;
                }
                let open = self.held_at.is_some();
                (new || open != was_open).then_some(!open)
            }
        }
    }

    /// How long from `now` until the microphone goes off by itself.
    pub fn closes_in(&self, now: Instant) -> Option<Duration> {
        self.held_at.map(|at| (at + TAIL).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests;
