//! Which microphone or loudspeaker should be open: a rule without I/O or clock, one for each direction.
//!
//! Fed with what the person chose, with the device lists as they are read, and with how opening went; asked for the
//! next [`Step`]. What was chosen is used while it is there and works; otherwise the system's default stands in for it
//! until it returns. The old device is kept until the new one runs, so that a change makes no gap.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use visavis_capture::{DeviceError, DeviceInfo, DeviceState, Replaced, SoundDevices, WhyReplaced};

/// The first pause before a device that failed is tried again; it doubles with each failure…
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// …up to this.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// A device that worked for so long is a good one: when it breaks it is tried again at once.
const STEADY: Duration = Duration::from_secs(5);
/// It is said for so long that the default device vanished: whoever pulled it out looks up by then.
const SAID_FOR: Duration = Duration::from_secs(10);
/// Cards of ALSA are held by one stream alone, and several of its names mean the same card.
const EXCLUSIVE: &str = "alsa:";

/// What is wanted of one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// Nothing is to be open.
    Off,
    /// Something that no list holds, in its text form: a file, a tone.
    StandIn(String),
    /// What the system uses by default, whichever that is.
    Default,
    /// A device by id or name.
    Device(String),
}

/// What can be opened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Target {
    /// As in [`Wish::StandIn`].
    StandIn(String),
    /// A device by its id.
    Device(String),
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// All is as it should be, or nothing can be done now.
    Nothing,
    /// Close what is open.
    Close,
    /// Open this, and close what is open once that has succeeded.
    Open(Target),
}

#[derive(Debug)]
struct Open {
    target: Target,
    name: String,
    since: Instant,
    /// Pulse moves streams along when the default moves away from their device, and tells nobody: this one may play
    /// elsewhere by now.
    moved: bool,
}

/// A device that is not there any more, and another one was opened in its place.
#[derive(Debug)]
struct Vanished {
    target: Target,
    name: String,
    said_until: Instant,
}

#[derive(Debug)]
struct Fault {
    error: DeviceError,
    pause: Duration,
    retry_at: Instant,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct DeviceChoice {
    wish: Wish,
    /// The newest list; `None` before the first one.
    list: Option<Result<SoundDevices, DeviceError>>,
    /// The name of the chosen device, from when it was last seen.
    chosen_name: Option<String>,
    open: Option<Open>,
    opening: Option<Target>,
    /// What was open last, and its name, while nothing is.
    before: Option<(Target, String)>,
    vanished: Option<Vanished>,
    faults: HashMap<Target, Fault>,
}

impl DeviceChoice {
    pub(crate) fn new() -> Self {
        Self {
            wish: Wish::Off,
            list: None,
            chosen_name: None,
            open: None,
            opening: None,
            before: None,
            vanished: None,
            faults: HashMap::new(),
        }
    }

    /// The person chose something; choosing the same again tries again what failed.
    pub(crate) fn wish(&mut self, wish: Wish) {
        self.faults.clear();
        if self.wish != wish {
            (self.wish, self.chosen_name) = (wish, None);
            (self.before, self.vanished) = (None, None);
            self.note_name();
        }
    }

    /// The list was read, or could not be. Where it has changed, what failed is worth another try.
    pub(crate) fn listed(&mut self, list: Result<SoundDevices, DeviceError>) {
        if self.list.as_ref() == Some(&list) {
            return;
        }
        let was_default = |id: &String| matches!(&self.list, Some(Ok(old)) if old.is_systems_default(id));
        if let Some(open) = &mut self.open
            && let (Target::Device(id), Ok(new)) = (&open.target, &list)
        {
            // The system's default is not followed where something else is chosen, or where it is passed over.
            let stays = matches!(self.wish, Wish::Device(_)) || new.passed_over.is_some();
            open.moved |= stays && was_default(id) && !new.is_systems_default(id);
        }
        self.list = Some(list);
        self.faults.retain(|target, _| matches!(target, Target::StandIn(_)));
        self.note_name();
    }

    /// A [`Step::Open`] was begun; no other follows until its outcome is told.
    pub(crate) fn begun(&mut self, target: Target) {
        self.opening = Some(target);
    }

    /// It succeeded; what was open before is closed now.
    pub(crate) fn opened(&mut self, name: &str, now: Instant) {
        if let Some(target) = self.opening.take() {
            self.note_vanished(&target, name, now);
            self.open = Some(Open { target, name: name.to_owned(), since: now, moved: false });
        }
    }

    /// It failed; what was open before still is.
    pub(crate) fn not_opened(&mut self, error: DeviceError, now: Instant) {
        if let Some(target) = self.opening.take() {
            self.fault(target, error, now, false);
        }
    }

    /// What was open stopped working and is closed.
    pub(crate) fn broke(&mut self, error: DeviceError, now: Instant) {
        if let Some(open) = self.open.take() {
            self.before = Some((open.target.clone(), open.name));
            let steady = now.saturating_duration_since(open.since) >= STEADY;
            self.fault(open.target, error, now, steady);
        }
    }

    /// A [`Step::Close`] was carried out.
    pub(crate) fn closed(&mut self) {
        let open = self.open.take().filter(|_| self.wish != Wish::Off);
        self.before = open.map(|open| (open.target, open.name)).or(self.before.take());
    }

    /// What to do now; the same answer comes until its outcome is told.
    pub(crate) fn next(&mut self, now: Instant) -> Step {
        self.vanished.take_if(|vanished| vanished.said_until <= now);
        if self.opening.is_some() {
            return Step::Nothing;
        }
        let open = self.open.as_ref().map(|open| &open.target);
        let moved = self.open.as_ref().is_some_and(|open| open.moved);
        match self.goal(now) {
            None if open.is_some() => Step::Close,
            None => Step::Nothing,
            Some(goal) if Some(&goal) == open && (!moved || self.rests(&goal, now)) => Step::Nothing,
            Some(goal) if open.is_some_and(|open| exclusive(open) && exclusive(&goal)) => Step::Close,
            Some(goal) => Step::Open(goal),
        }
    }

    /// When [`next`](Self::next) or, after it, [`state`](Self::state) may say something else although nothing happened.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let said = self.vanished.as_ref().map(|vanished| vanished.said_until);
        self.faults.values().map(|fault| fault.retry_at).chain(said).filter(|at| *at > now).min()
    }

    /// The id of what is open, where it is a device.
    pub(crate) fn open_id(&self) -> Option<&str> {
        self.open.as_ref().and_then(|open| match &open.target {
            Target::Device(id) => Some(id.as_str()),
            Target::StandIn(_) => None,
        })
    }

    /// Whether the list matters: a device, not a stand-in, is wanted.
    pub(crate) fn wants_device(&self) -> bool {
        matches!(self.wish, Wish::Default | Wish::Device(_))
    }

    /// What to show.
    pub(crate) fn state(&self) -> DeviceState {
        if self.wish == Wish::Off {
            return DeviceState::Off;
        }
        if let Some(open) = &self.open {
            return DeviceState::Running { name: open.name.clone(), instead_of: self.replaced(&open.target) };
        }
        match self.trouble() {
            Some(error) => DeviceState::Failed(error),
            None => DeviceState::Opening,
        }
    }

    /// What should be open.
    fn goal(&self, now: Instant) -> Option<Target> {
        let may = |target: Target| (self.is_open(&target) || !self.rests(&target, now)).then_some(target);
        match (&self.wish, &self.list) {
            (Wish::Off, _) => None,
            (Wish::StandIn(text), _) => may(Target::StandIn(text.clone())),
            // While nothing is known, what is open is as good as anything.
            (Wish::Default | Wish::Device(_), None | Some(Err(_))) => {
                self.open.as_ref().map(|open| open.target.clone()).filter(|open| matches!(open, Target::Device(_)))
            }
            (Wish::Default | Wish::Device(_), Some(Ok(list))) => {
                let chosen = self.chosen(list).map(target).and_then(may);
                let or_default = chosen.or_else(|| list.default_device().map(target).and_then(may));
                // Better than nothing, while the right one does not open.
                or_default.or_else(|| {
                    let open = self.open.as_ref().map(|open| &open.target)?;
                    list.offered.iter().map(target).find(|there| there == open)
                })
            }
        }
    }

    /// What the person chose, if it is there: by id or name, or by the name that went with the id.
    fn chosen<'a>(&self, list: &'a SoundDevices) -> Option<&'a DeviceInfo> {
        let Wish::Device(wanted) = &self.wish else { return None };
        let by_name = || list.offered.iter().find(|device| Some(&device.name) == self.chosen_name.as_ref());
        list.find(wanted).ok().or_else(by_name)
    }

    fn note_name(&mut self) {
        if let Some(Ok(list)) = &self.list
            && let Some(name) = self.chosen(list).map(|device| device.name.clone())
        {
            self.chosen_name = Some(name);
        }
    }

    /// What this stands in for, where that is to be said: not while what was chosen is just being opened.
    fn replaced(&self, open: &Target) -> Option<Replaced> {
        match &self.wish {
            Wish::Off | Wish::StandIn(_) => None,
            Wish::Default => {
                self.vanished.as_ref().map(|gone| Replaced { name: gone.name.clone(), why: WhyReplaced::Gone })
            }
            Wish::Device(wanted) => {
                let Some(Ok(list)) = &self.list else { return None };
                let why = match self.chosen(list).map(target) {
                    Some(chosen) if chosen == *open => return None,
                    Some(chosen) => WhyReplaced::Failed(self.faults.get(&chosen)?.error.clone()),
                    None => WhyReplaced::Away,
                };
                Some(Replaced { name: self.chosen_name.clone().unwrap_or_else(|| wanted.clone()), why })
            }
        }
    }

    /// This is open now: remembers what was open before, where that is not there any more.
    fn note_vanished(&mut self, opened: &Target, name: &str, now: Instant) {
        let open = self.open.as_ref().map(|open| (open.target.clone(), open.name.clone()));
        let before = open.or(self.before.take()).filter(|(was, _)| self.is_gone(was));
        if self.vanished.take_if(|gone| gone.target == *opened || gone.name == name).is_some() {
            // It is back; what stood in for it is not missed.
            return;
        }
        // The same device may come back under another id.
        if let Some((target, was)) = before.filter(|(was, called)| was != opened && called != name) {
            self.vanished = Some(Vanished { target, name: was, said_until: now + SAID_FOR });
        }
    }

    /// A device that is in no list any more.
    fn is_gone(&self, was: &Target) -> bool {
        let (Target::Device(id), Some(Ok(list))) = (was, &self.list) else { return false };
        !list.offered.iter().chain(&list.hidden).any(|device| device.id == *id)
    }

    /// Why nothing is open, as far as that is known.
    fn trouble(&self) -> Option<DeviceError> {
        let fault = |target: &Target| self.faults.get(target).map(|fault| fault.error.clone());
        match (&self.wish, &self.list) {
            (Wish::Off, _) | (Wish::Default | Wish::Device(_), None) => None,
            (Wish::StandIn(text), _) => fault(&Target::StandIn(text.clone())),
            (Wish::Default | Wish::Device(_), Some(Err(error))) => Some(error.clone()),
            (Wish::Default | Wish::Device(_), Some(Ok(list))) => {
                let (chosen, default) = (self.chosen(list).map(target), list.default_device().map(target));
                let known = chosen.as_ref().and_then(fault).or_else(|| default.as_ref().and_then(fault));
                known.or_else(|| (chosen.is_none() && default.is_none()).then_some(DeviceError::NoDevice))
            }
        }
    }

    fn is_open(&self, target: &Target) -> bool {
        self.open.as_ref().is_some_and(|open| open.target == *target)
    }

    /// Whether it failed so recently that it is not tried yet.
    fn rests(&self, target: &Target, now: Instant) -> bool {
        self.faults.get(target).is_some_and(|fault| fault.retry_at > now)
    }

    fn fault(&mut self, target: Target, error: DeviceError, now: Instant, steady: bool) {
        let pause = match self.faults.get(&target) {
            _ if steady => Duration::ZERO,
            Some(fault) => (fault.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE),
            None => FIRST_PAUSE,
        };
        self.faults.insert(target, Fault { error, pause, retry_at: now + pause });
    }
}

fn target(device: &DeviceInfo) -> Target {
    Target::Device(device.id.clone())
}

fn exclusive(target: &Target) -> bool {
    matches!(target, Target::Device(id) if id.starts_with(EXCLUSIVE))
}

#[cfg(test)]
mod tests;
