//! How much a server may contradict itself, and strangers may guess, before a person is told instead of served.
//!
//! Counted from one wish of the person (start, join, meet) to the next. Nothing here decides what is strange.

/// New codes drawn because strangers used the last one up. Each code gives them three guesses out of 2¹⁸; a server
/// that could make an app draw codes for ever, several a second, would find one that fits within the hour.
const NEW_CODES: u32 = 3;
/// Times that a server may say a room is taken when a code was just drawn (one in four million is), or taken and empty
/// in turn.
const CONTRADICTIONS: u32 = 5;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    new_codes: u32,
    contradictions: u32,
    strange: u32,
}

impl Patience {
    /// Strangers used a code up: whether another is drawn without asking the person.
    pub(crate) fn another_code(&mut self) -> bool {
        self.new_codes += 1;
        self.new_codes <= NEW_CODES
    }

    /// A server contradicts what it said, or what can be: whether it is believed once more.
    pub(crate) fn another_contradiction(&mut self) -> bool {
        self.contradictions += 1;
        self.contradictions <= CONTRADICTIONS
    }

    /// A server sent something that does not belong to this call. The first one is logged where people see it.
    pub(crate) fn strange(&mut self, what: &'static str) {
        self.strange = self.strange.saturating_add(1);
        match self.strange {
            1 => tracing::warn!(what, "the server sent something that does not belong to this call"),
            count => tracing::debug!(what, count, "the server sent something that does not belong to this call"),
        }
    }

    /// How often that was.
    pub(crate) fn oddities(&self) -> u32 {
        self.strange
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        let mut patience = Patience::default();
        assert_eq!((0..10).filter(|_| patience.another_code()).count(), 3);
        assert_eq!((0..10).filter(|_| patience.another_contradiction()).count(), 5);
        (0..3).for_each(|_| patience.strange("a test"));
        assert_eq!(patience.oddities(), 3);
    }
}
