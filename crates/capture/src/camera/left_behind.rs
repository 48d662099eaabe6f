//! Threads that hang in a driver, and at which camera: they are bounded, and no second one follows the first.
//!
//! A thread that hangs cannot be ended from outside, and it holds its camera open, so opening that camera again would
//! fail or hang as well. It is waited for instead: drivers let go when the camera is unplugged or comes to itself.

use crate::StopFlag;
use std::sync::{Arc, Mutex, PoisonError};

/// More hanging cameras than this and no other is tried: something deeper is broken.
const MOST: usize = 8;

/// The camera that a driver thread is at, by its id; `None` while it is at none in particular.
#[derive(Clone, Default)]
pub(super) struct Place(Arc<Mutex<Option<String>>>);

impl Place {
    /// Says so before the camera is touched.
    pub fn enter(&self, id: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
    }

    /// Where the thread is.
    pub fn id(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is(&self, id: &str) -> bool {
        // One that hangs while it asks for permission, or lists, would hang there again for any camera.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(|at| at == id)
    }
}

/// The threads that were left behind and have not ended since.
pub(super) struct LeftBehind(Mutex<Vec<(Place, StopFlag)>>);

/// Those of this process: a camera is held by a process as a whole.
pub(super) static LEFT_BEHIND: LeftBehind = LeftBehind::new();

impl LeftBehind {
    /// None yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Remembers a thread; `finished` is set when it ends after all.
    pub fn add(&self, place: Place, finished: StopFlag) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((place, finished));
    }

    /// Whether this camera had better not be touched.
    pub fn hold(&self, id: &str) -> bool {
        let mut hanging = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hanging.retain(|(_, finished)| !finished.is_set());
        hanging.len() >= MOST || hanging.iter().any(|(place, _)| place.is(id))
    }

    /// Whether no camera at all can be looked for.
    pub fn hold_all(&self) -> bool {
        // No camera has this id, so only what would hold any camera holds this one.
        self.hold("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: &str) -> Place {
        let place = Place::default();
        place.enter(id);
        place
    }

    #[test]
    fn a_camera_is_held_until_the_thread_that_hangs_at_it_ends() {
        let (left, finished) = (LeftBehind::new(), StopFlag::new());
        assert!(!left.hold("a"));
        left.add(at("a"), finished.clone());
        assert!(left.hold("a") && !left.hold("b") && !left.hold_all());
        finished.set();
        assert!(!left.hold("a"));
    }

    #[test]
    fn a_thread_that_hangs_before_it_reached_a_camera_holds_all() {
        let (left, finished) = (LeftBehind::new(), StopFlag::new());
        left.add(Place::default(), finished.clone());
        assert!(left.hold("a") && left.hold_all());
        finished.set();
        assert!(!left.hold_all());
    }

    #[test]
    fn hanging_threads_are_bounded() {
        let left = LeftBehind::new();
        (0..MOST).for_each(|n| left.add(at(&n.to_string()), StopFlag::new()));
        assert!(left.hold("another") && left.hold_all());
    }
}
