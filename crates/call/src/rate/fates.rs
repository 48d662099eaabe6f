//! What became of the last packets of a kind that left, one by one, in their order.

use std::collections::VecDeque;

/// Remembers `MOST` packets; `None` while nobody has said.
#[derive(Debug, Default)]
pub(super) struct Fates<const MOST: usize> {
    all: VecDeque<Option<bool>>,
    /// The number of the first of them.
    first: u64,
}

impl<const MOST: usize> Fates<MOST> {
    /// A packet leaves; by the number returned it can be reported on.
    pub(super) fn sent(&mut self) -> u64 {
        if self.all.len() == MOST {
            self.all.pop_front();
            self.first += 1;
        }
        self.all.push_back(None);
        self.first + self.all.len() as u64 - 1
    }

    /// The other side says whether it came. What was said to be lost may still come, not the other way round. Numbers
    /// that were never given, or long ago, are ignored.
    pub(super) fn reported(&mut self, number: u64, came: bool) {
        let place = number.checked_sub(self.first).and_then(|i| usize::try_from(i).ok());
        if let Some(fate) = place.and_then(|i| self.all.get_mut(i)) {
            *fate = Some(came || *fate == Some(true));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Option<bool>> {
        self.all.iter()
    }

    pub(super) fn get(&self, i: usize) -> Option<&Option<bool>> {
        self.all.get(i)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
