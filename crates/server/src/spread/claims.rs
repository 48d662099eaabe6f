//! Which rooms are at home here: the rules for keys in Redis, without Redis.
//!
//! A key is claimed before its room is opened, and given up after it is gone; both take a moment, in which others ask.
//! Whoever is sent here for a room that this book does not hold looks again, so that a room is never in two places.

use std::collections::{BTreeMap, BTreeSet};
use visavis_media::RoomId;

/// Rooms remembered that others expect here; there is one at most for each of their guests.
const MOST_ORPHANS: usize = 4096;

/// Which rooms are at home here. They outlast a connection to Redis, and are then claimed again.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    rooms: BTreeSet<RoomId>,
    /// Rooms that are just being claimed, and by how many.
    claiming: BTreeMap<RoomId, usize>,
    /// Rooms whose keys are just being given up.
    leaving: BTreeSet<RoomId>,
    /// Rooms that others think to be at home here, and are not.
    orphans: BTreeSet<RoomId>,
}

impl Claims {
    /// Whether this room is at home here.
    pub(crate) fn holds(&self, room: &RoomId) -> bool {
        self.rooms.contains(room)
    }

    /// Rooms at home here.
    pub(crate) fn held(&self) -> Vec<RoomId> {
        self.rooms.iter().cloned().collect()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// A room is about to be claimed, and [`Claims::end`] follows; not now where its key is just given up.
    pub(crate) fn begin(&mut self, room: &RoomId) -> bool {
        let free = !self.leaving.contains(room);
        if free {
            *self.claiming.entry(room.clone()).or_default() += 1;
        }
        free
    }

    /// It was claimed, or was not.
    pub(crate) fn end(&mut self, room: &RoomId, ours: bool) {
        if let Some(count) = self.claiming.get_mut(room) {
            *count -= 1;
            if *count == 0 {
                self.claiming.remove(room);
            }
        }
        if ours {
            self.rooms.insert(room.clone());
        }
    }

    /// Others look here for a room that is not here. A claim that we never heard the end of may have left its key behind:
    /// it is given up with the next ones, and who comes then finds the room free.
    pub(crate) fn expected(&mut self, room: RoomId) {
        if self.orphans.len() < MOST_ORPHANS {
            self.orphans.insert(room);
        }
    }

    /// Rooms whose keys are to be given up now, since they exist no more; [`Claims::left`] follows.
    pub(crate) fn leave(&mut self, exists: impl Fn(&RoomId) -> bool) -> Vec<RoomId> {
        let over: Vec<_> = self.rooms.iter().filter(|room| !exists(room)).cloned().collect();
        self.rooms.retain(|room| exists(room));
        let mut leaving: BTreeSet<_> = over.into_iter().chain(std::mem::take(&mut self.orphans)).collect();
        leaving.retain(|room| !self.claiming.contains_key(room) && !self.rooms.contains(room));
        self.leaving.extend(leaving.iter().cloned());
        leaving.into_iter().collect()
    }

    /// Their keys were given up.
    pub(crate) fn left(&mut self, rooms: &[RoomId]) {
        for room in rooms {
            self.leaving.remove(room);
        }
    }

    /// A room turns out to be at home elsewhere; false where that was known.
    pub(crate) fn lost(&mut self, room: &RoomId) -> bool {
        self.rooms.remove(room)
    }

    /// There is no connection to Redis any more: what was to be given up there ends by itself.
    pub(crate) fn disconnected(&mut self) {
        self.leaving.clear();
        self.orphans.clear();
    }

    /// Fails where the books disagree with each other.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.claiming.values().all(|&count| count > 0));
        assert!(self.leaving.is_disjoint(&self.rooms) && self.orphans.len() <= MOST_ORPHANS);
        assert!(self.leaving.iter().all(|room| !self.claiming.contains_key(room)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(n: usize) -> RoomId {
        RoomId::new(format!("{n:032x}"))
    }

    #[test]
    fn a_room_is_held_from_the_end_of_its_claim_until_it_is_gone() {
        let mut claims = Claims::default();
        assert!(claims.begin(&room(1)) && !claims.holds(&room(1)));
        assert!(claims.leave(|_| false).is_empty(), "being claimed");
        claims.end(&room(1), true);
        assert!(claims.holds(&room(1)) && claims.leave(|_| true).is_empty());
        assert_eq!(claims.leave(|_| false), [room(1)]);
        assert!(!claims.holds(&room(1)) && !claims.begin(&room(1)), "its key is being given up");
        claims.left(&[room(1)]);
        assert!(claims.begin(&room(1)));
        claims.end(&room(1), false);
        assert_eq!(claims.len(), 0);
        claims.check();
    }

    #[test]
    fn a_room_that_is_opened_again_while_it_goes_keeps_its_key() {
        let mut claims = Claims::default();
        claims.begin(&room(1));
        claims.end(&room(1), true);
        assert!(claims.begin(&room(1)), "somebody opens it again, and it is just gone");
        assert!(claims.leave(|_| false).is_empty());
        claims.end(&room(1), true);
        assert!(claims.holds(&room(1)));
        claims.check();
    }

    #[test]
    fn a_key_that_was_left_behind_is_given_up_unless_it_is_just_claimed() {
        let mut claims = Claims::default();
        [1, 2, 3].into_iter().for_each(|n| claims.expected(room(n)));
        claims.begin(&room(2));
        claims.begin(&room(3));
        claims.end(&room(3), true);
        assert_eq!(claims.leave(|_| true), [room(1)]);
        assert!(claims.leave(|_| true).is_empty(), "once");
        (0..10_000).for_each(|n| claims.expected(room(n)));
        claims.check();
        claims.disconnected();
        assert!(claims.begin(&room(1)) && claims.held() == [room(3)], "only what is held outlasts it");
    }
}
