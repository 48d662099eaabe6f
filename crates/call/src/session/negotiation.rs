//! Perfect negotiation (W3C webrtc-pc §10.7): both may offer at any time, and one of them gives way.

/// Where the exchange of descriptions stands on our side.
#[derive(Debug)]
pub(crate) struct Negotiation {
    /// We give way when both offer at once. The newcomer is the polite one.
    polite: bool,
    /// An offer of ours is being made or unanswered.
    offering: bool,
}

/// What to do with an offer that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer it (a pending offer of ours is rolled back).
    Answer,
    /// Ours stands; theirs is dropped, they will answer ours.
    Ignore,
}

impl Negotiation {
    pub(crate) fn new(polite: bool) -> Self {
        Self { polite, offering: false }
    }

    pub(crate) fn is_polite(&self) -> bool {
        self.polite
    }

    /// Whether an offer may be begun now; if so, it is.
    pub(crate) fn begin_offer(&mut self) -> bool {
        !std::mem::replace(&mut self.offering, true)
    }

    pub(crate) fn on_offer(&mut self) -> Verdict {
        if self.offering && !self.polite {
            return Verdict::Ignore;
        }
        self.offering = false;
        Verdict::Answer
    }

    /// Whether an answer is awaited; if so, it no longer is.
    pub(crate) fn on_answer(&mut self) -> bool {
        std::mem::replace(&mut self.offering, false)
    }

    /// Whether an offer that our connection has made is still wanted: a polite side that answered meanwhile drops it.
    pub(crate) fn offer_wanted(&self) -> bool {
        self.offering
    }

    /// An offer came to nothing (lost with a connection): another may be made.
    pub(crate) fn forget_offer(&mut self) {
        self.offering = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_both_offer_at_once_one_offer_stands() {
        let (mut host, mut newcomer) = (Negotiation::new(false), Negotiation::new(true));
        assert!(host.begin_offer() && newcomer.begin_offer());
        assert_eq!(newcomer.on_offer(), Verdict::Answer);
        assert_eq!(host.on_offer(), Verdict::Ignore);
        assert!(!newcomer.offer_wanted() && host.offer_wanted());
        assert!(host.on_answer());
        assert!(!newcomer.on_answer(), "nobody answers what was rolled back");
    }

    #[test]
    fn an_answer_to_nothing_is_refused() {
        assert!(!Negotiation::new(true).on_answer());
    }
}
