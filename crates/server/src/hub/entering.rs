//! Entering a room that may be at home on another server: where it is has to be asked for first.

use super::apart::UNREACHABLE;
use super::{Connection, Event, State};
use crate::spread::{Directory, Found, Homes, Wish};
use axum::extract::ws::Utf8Bytes;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use visavis_media::RoomId;
use visavis_signaling::{ConnectionId, Door, Heading, Pace};

/// How long somebody is kept waiting whose room cannot be reached now: a home that is gone is free after 2.5 s. Apps give
/// up after 5 s.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often it is tried in that time.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// Longest message that enters a room; ours have about 200 bytes.
const LONGEST_ENTRY: usize = 2048;
/// How to go on with a message that enters a room.
enum Step {
    Done(Pace),
    /// Where the room is at home is to be found out.
    Ask(Wish),
    /// That cannot be known now.
    Wait,
}

impl Connection {
    /// Reports a text message. One that enters a room may have to wait for where that is at home, and with it what comes
    /// after.
    pub(crate) async fn hear(&self, text: Utf8Bytes) -> Pace {
        let Some(directory) = &self.hub.shared.directory else { return self.tell(Event::Text(text)) };
        match Heading::of(&text) {
            Heading::Into(door, room) => Box::pin(self.enter(directory, door, &room, text)).await,
            Heading::Out => self.tell(Event::Leaving(text)),
            Heading::Nowhere => self.tell(Event::Text(text)),
        }
    }

    /// The same, once more, because the room has moved.
    pub(crate) async fn hear_again(&self, text: String) -> Pace {
        sleep(TRY_EVERY / 4).await;
        self.hear(text.into()).await
    }

    async fn enter(&self, directory: &Directory, door: Door, room: &RoomId, text: Utf8Bytes) -> Pace {
        let (until, mut again) = (Instant::now() + PATIENCE, false);
        loop {
            let step = self.hub.with_state(|state| state.entering(self.id, door, room, &text, again));
            again = true;
            let step = match step {
                Step::Ask(wish) => {
                    let found = directory.find(door, room, wish).await;
                    self.hub.with_state(|state| state.found(self.id, door, room, &text, found))
                }
                step => step,
            };
            match step {
                Step::Done(pace) => return pace,
                Step::Ask(_) | Step::Wait if Instant::now() < until => sleep(TRY_EVERY).await,
                Step::Ask(_) | Step::Wait => {
                    self.hub.with_state(|state| state.cut(self.id, UNREACHABLE));
                    return Pace::AsItComes;
                }
            }
        }
    }
}

impl State {
    /// Somebody wants into a room: takes that in where it can be decided here.
    fn entering(&mut self, id: ConnectionId, door: Door, room: &RoomId, text: &Utf8Bytes, again: bool) -> Step {
        let now = Instant::now();
        let Some(apart) = &mut self.apart else { return Step::Done(Pace::AsItComes) };
        let decided = self.relay.is_seated(id) || apart.book.home_of(id).is_some() || text.len() > LONGEST_ENTRY;
        if self.stopping || !self.relay.is_known(id) {
            Step::Done(Pace::AsItComes)
        } else if !again && !decided && !self.relay.admit(now, id, text.len()) {
            Step::Done(Pace::Slower)
        } else if decided {
            // It is told that it sits already.
            Step::Done(self.handle(id, Event::Text(text.clone())))
        } else if apart.book.claims.holds(room) {
            self.relay.handle_admitted(now, id, text);
            Step::Done(Pace::AsItComes)
        } else if apart.book.me().is_none() || door == Door::Open && !apart.book.claims.begin(room) {
            Step::Wait
        } else {
            // Asked once more for the same is no attempt more.
            let origin = self.relay.origin_of(id).filter(|_| !again);
            Step::Ask(Wish { origin, limits: apart.limits })
        }
    }

    /// It was found out where the room is at home.
    fn found(&mut self, id: ConnectionId, door: Door, room: &RoomId, text: &Utf8Bytes, found: Option<Found>) -> Step {
        let now = Instant::now();
        let Some(apart) = &mut self.apart else { return Step::Done(Pace::AsItComes) };
        let ours = matches!(found, Some(Found::Here(me)) if apart.book.me() == Some(me));
        if door == Door::Open {
            apart.book.claims.end(room, ours);
        }
        match found {
            Some(Found::Nobody) if apart.book.is_settling(now) => Step::Wait,
            Some(Found::TooFast) => {
                self.relay.refuse_entry(id);
                Step::Done(Pace::AsItComes)
            }
            // Whatever it was, the relay here has no such room if it was not just claimed.
            Some(Found::Nobody) => {
                self.relay.handle_admitted(now, id, text);
                Step::Done(Pace::AsItComes)
            }
            Some(Found::Here(_)) if ours => {
                self.relay.handle_admitted(now, id, text);
                Step::Done(Pace::AsItComes)
            }
            Some(Found::At(home)) if apart.book.me().is_some() && !apart.book.is_gone(now, home) => {
                if self.relay.is_known(id) && self.relay.admit_entry(now, id) {
                    let ticket = apart.book.go(now, id, home, text);
                    let Some(origin) = self.relay.origin_of(id) else { return Step::Done(Pace::AsItComes) };
                    self.send_home(id, home, ticket, Homes::Enters(origin, text));
                }
                Step::Done(Pace::AsItComes)
            }
            Some(Found::Here(_) | Found::At(_)) | None => Step::Wait,
        }
    }
}
