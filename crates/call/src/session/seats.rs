//! Where both sides of a call sit on the signaling server, and under which names.
//!
//! A server that was started anew, or kept no seat for so long, has forgotten us. Each side then enters the room again
//! (see `rejoin`) and has another name there, as the other side has; and anybody may have come meanwhile. So who is there
//! is a stranger until something opens that they sealed, with the call's keys, for our new name.

use std::time::{Duration, Instant};
use visavis_media::PeerId;
use visavis_signaling::Budget;

/// An entrance that is not answered for so long is tried again.
const ANSWER: Duration = Duration::from_secs(10);
/// From one attempt to the next: doubled from the first to the last…
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// …which comes sooner while nothing gets through, since that call is over after half a minute.
const LONGEST_IN_NEED: Duration = Duration::from_secs(4);
/// Seats that were good for so long earn an attempt at once when they are lost.
const GOOD: Duration = Duration::from_secs(30);
/// One finds the room taken and the other one nobody in it: they change places, unless the server makes fun of them.
const MOST_TURNS: u32 = 3;
/// Who comes has this long to show that they are the other side: a rightful one says so with its first message, and
/// TCP may take some seconds to bring it where networks have just changed.
const SHOWING: Duration = Duration::from_secs(10);
/// Strangers that are listened to; the room has seats for two.
const MOST_STRANGERS: usize = 4;
/// Greetings at once, and each second.
const GREETINGS: (u32, u32) = (8, 1);

/// How a room is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// As the first one.
    Open,
    /// Where somebody is.
    Join,
}

/// What becomes of an attempt that was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The room is entered as this, at once.
    Through(Door),
    /// It is tried later.
    Later,
    /// Nothing was asked for.
    Unasked,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// On a seat that is known to be ours.
    Seated,
    /// The connection broke; the server will say whether it has kept the seat.
    Unsure,
    /// Nowhere. Tried again then, or with the next connection.
    Out { next: Option<Instant> },
    /// Before this door, and not answered yet.
    Asked { door: Door, until: Option<Instant>, turns: u32 },
}

#[derive(Debug)]
struct Stranger {
    name: PeerId,
    /// Turned out then, if we may.
    until: Option<Instant>,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Seats {
    me: PeerId,
    them: PeerId,
    place: Place,
    /// They sit there too, under that name.
    here: bool,
    strangers: Vec<Stranger>,
    /// We came first: we may turn others out.
    first: bool,
    /// Somebody else waits in the room for somebody else: who joins there costs them an attempt.
    taken: bool,
    /// Attempts since both seats were good.
    attempts: u32,
    together: Option<Instant>,
    /// They were recognised, and nobody has been told yet.
    found: bool,
    /// Made with the first greeting.
    greetings: Option<Budget>,
}

impl Seats {
    /// Both in one room, known to each other; `first` opened it.
    pub(super) fn new(me: PeerId, them: PeerId, first: bool) -> Self {
        Self {
            me,
            them,
            place: Place::Seated,
            here: true,
            strangers: Vec::new(),
            first,
            taken: false,
            attempts: 0,
            together: None,
            found: false,
            greetings: None,
        }
    }

    /// Our name.
    pub(super) fn me(&self) -> &PeerId {
        &self.me
    }

    /// Theirs, where they were last.
    pub(super) fn them(&self) -> &PeerId {
        &self.them
    }

    /// We have a seat, whether or not they have.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.place, Place::Seated)
    }

    /// What we say now reaches them.
    pub(super) fn are_good(&self) -> bool {
        self.here && matches!(self.place, Place::Seated)
    }

    /// What we say reaches them, now or when the connection is back: it is kept for that.
    pub(super) fn may_be_good(&self) -> bool {
        self.here && matches!(self.place, Place::Seated | Place::Unsure)
    }

    /// Whether this one is, or may turn out to be, the other side.
    pub(super) fn may_be_them(&self, name: &PeerId) -> bool {
        *name == self.them || self.is_stranger(name)
    }

    pub(super) fn is_stranger(&self, name: &PeerId) -> bool {
        self.strangers.iter().any(|stranger| stranger.name == *name)
    }

    /// Something opened that this one sealed for us: it is them.
    pub(super) fn recognise(&mut self, name: &PeerId) {
        if self.here && *name == self.them {
            return;
        }
        self.strangers.retain(|stranger| stranger.name != *name);
        self.them.clone_from(name);
        (self.here, self.found) = (true, true);
    }

    /// Whether they were recognised since this was asked last; if so, the seats are good from now on.
    pub(super) fn take_found(&mut self, now: Instant) -> bool {
        let found = std::mem::take(&mut self.found);
        if found {
            self.together = Some(now);
        }
        found
    }

    /// The connection broke.
    pub(super) fn link_down(&mut self) {
        match &mut self.place {
            Place::Seated | Place::Unsure => self.place = Place::Unsure,
            Place::Out { next } => *next = None,
            Place::Asked { until, .. } => *until = None,
        }
    }

    /// It stands again. What was asked for is asked again by the connection itself.
    pub(super) fn link_up(&mut self, now: Instant) {
        match &mut self.place {
            Place::Seated | Place::Unsure => {}
            Place::Out { next } => *next = Some(now),
            Place::Asked { until, .. } => *until = Some(now + ANSWER),
        }
    }

    /// Our seat is ours again, and these are in the room. Names those who are to be greeted.
    pub(super) fn resumed(&mut self, now: Instant, others: impl Iterator<Item = PeerId>) -> Vec<PeerId> {
        if !matches!(self.place, Place::Unsure) {
            return Vec::new();
        }
        self.place = Place::Seated;
        let others: Vec<_> = others.take(MOST_STRANGERS + 1).collect();
        self.here = others.contains(&self.them);
        self.strangers.retain(|stranger| others.contains(&stranger.name));
        others.into_iter().filter(|name| self.came(now, name.clone()) == Some(true)).collect()
    }

    /// The server has forgotten us, or turned us out; whether that is news. `patiently`: not to be tried again at once.
    pub(super) fn lose(&mut self, now: Instant, patiently: bool) -> bool {
        if !matches!(self.place, Place::Seated | Place::Unsure) {
            return false;
        }
        (self.here, self.found) = (false, false);
        self.strangers.clear();
        if self.together.take().is_some_and(|since| now.saturating_duration_since(since) >= GOOD) {
            self.attempts = 0;
        }
        if patiently {
            self.attempts = self.attempts.max(4);
        }
        self.place = Place::Out { next: Some(now + self.wait(LONGEST_WAIT)) };
        true
    }

    /// Whether an attempt is due; `first_door`: what this side of a call tries first.
    pub(super) fn due(&self, now: Instant, first_door: Door) -> Option<Door> {
        let Place::Out { next: Some(next) } = self.place else { return None };
        (next <= now).then_some(if self.taken { Door::Open } else { first_door })
    }

    /// It is made.
    pub(super) fn asked(&mut self, now: Instant, door: Door) {
        let turns = if let Place::Asked { turns, .. } = self.place { turns + 1 } else { 0 };
        self.attempts += u32::from(turns == 0);
        self.place = Place::Asked { door, until: Some(now + ANSWER), turns };
    }

    /// It cannot be made yet.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.place = Place::Out { next: Some(now + FIRST_WAIT) };
    }

    /// It was refused; with `turn`, because of who is there, or that nobody is. `need`: nothing gets through meanwhile.
    pub(super) fn refused(&mut self, now: Instant, turn: Option<Door>, need: bool) -> Refusal {
        let Place::Asked { door, turns, .. } = self.place else { return Refusal::Unasked };
        match turn {
            // About something said before.
            Some(other) if other == door => return Refusal::Unasked,
            Some(other) if turns < MOST_TURNS && !(self.taken && other == Door::Join) => {
                return Refusal::Through(other);
            }
            Some(_) | None => {}
        }
        let longest = if need && !self.taken { LONGEST_IN_NEED } else { LONGEST_WAIT };
        self.place = Place::Out { next: Some(now + self.wait(longest)) };
        Refusal::Later
    }

    /// A seat is ours, under this name, and these are in the room. Names those who are to be greeted; `None` where no
    /// seat was wanted.
    pub(super) fn entered(
        &mut self,
        now: Instant,
        me: PeerId,
        others: impl Iterator<Item = PeerId>,
    ) -> Option<Vec<PeerId>> {
        let (Place::Asked { .. } | Place::Out { .. }) = self.place else { return None };
        (self.me, self.place, self.here) = (me, Place::Seated, false);
        let others: Vec<_> = others.take(MOST_STRANGERS).collect();
        self.first = others.is_empty();
        Some(others.into_iter().filter(|name| self.came(now, name.clone()) == Some(true)).collect())
    }

    /// Somebody is there. `Some(true)`: they are to be greeted, `Some(false)`: they are one too many, `None`: they are
    /// known.
    pub(super) fn came(&mut self, now: Instant, name: PeerId) -> Option<bool> {
        let known = name == self.me || self.is_stranger(&name) || (self.here && name == self.them);
        if known || !matches!(self.place, Place::Seated) {
            return None;
        }
        let (most, per_second) = GREETINGS;
        let few = self.strangers.len() < MOST_STRANGERS;
        if !few || !self.greetings.get_or_insert_with(|| Budget::new(now, most, per_second)).take(now) {
            return Some(false);
        }
        self.strangers.push(Stranger { name, until: self.first.then_some(now + SHOWING) });
        Some(true)
    }

    /// Somebody went; whether it was the other side.
    pub(super) fn went(&mut self, name: &PeerId) -> bool {
        self.strangers.retain(|stranger| stranger.name != *name);
        let them = *name == self.them && std::mem::take(&mut self.here);
        if !self.here && self.strangers.is_empty() {
            self.first = true;
        }
        them
    }

    /// Who had their time to show that they are the other side, and is to be turned out.
    pub(super) fn unwanted(&mut self, now: Instant) -> Vec<PeerId> {
        let over = |stranger: &Stranger| stranger.until.is_some_and(|until| until <= now);
        let (out, stay): (Vec<_>, _) = std::mem::take(&mut self.strangers).into_iter().partition(over);
        self.strangers = stay;
        out.into_iter().map(|stranger| stranger.name).collect()
    }

    /// Who waits there waits for somebody else: the room is not entered as a newcomer any more.
    pub(super) fn is_taken(&mut self, now: Instant) {
        self.lose(now, true);
        self.taken = true;
        self.place = Place::Out { next: Some(now + LONGEST_WAIT) };
    }

    /// Nothing gets through from now on: no long wait.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Place::Out { next: Some(next) } = &mut self.place
            && !self.taken
        {
            self.attempts = self.attempts.min(1);
            *next = now;
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let own = match self.place {
            Place::Seated | Place::Unsure => None,
            Place::Out { next } => next,
            Place::Asked { until, .. } => until,
        };
        self.strangers.iter().filter_map(|stranger| stranger.until).chain(own).min()
    }

    /// Whether an attempt was not answered in time.
    pub(super) fn is_unanswered(&self, now: Instant) -> bool {
        matches!(self.place, Place::Asked { until: Some(until), .. } if until <= now)
    }

    fn wait(&self, longest: Duration) -> Duration {
        match self.attempts.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_WAIT.saturating_mul(1 << doublings.min(8)).min(longest),
        }
    }
}
