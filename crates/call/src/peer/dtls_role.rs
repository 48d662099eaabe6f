//! Who begins DTLS, as descriptions say it: agreed on with the first answer, and kept for as long as the association
//! lasts (RFC 8842 §5.5).
//!
//! The webrtc crate keeps the role too, and says `active` in every answer all the same; browsers take an answer's word
//! for it and refuse one that would change roles in the middle of an association.

/// One side's part in DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DtlsRole {
    /// Sends the ClientHello.
    Active,
    /// Waits for it.
    Passive,
}

const ACTIVE: &str = "a=setup:active";
const PASSIVE: &str = "a=setup:passive";

impl DtlsRole {
    /// What an answer says of its sender; `None` where it says neither, or both.
    pub(super) fn in_answer(sdp: &str) -> Option<Self> {
        let mut said = sdp.lines().filter_map(|line| match line.trim_end() {
            ACTIVE => Some(Self::Active),
            PASSIVE => Some(Self::Passive),
            _ => None,
        });
        let first = said.next()?;
        said.all(|role| role == first).then_some(first)
    }

    /// The other side's.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }

    /// The answer with this role as its sender's.
    pub(super) fn said_in(self, answer: &str) -> String {
        match self {
            Self::Active => answer.replace(PASSIVE, ACTIVE),
            Self::Passive => answer.replace(ACTIVE, PASSIVE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\nm=audio\r\na=setup:active\r\na=mid:0\r\nm=video\r\na=setup:active\r\n";

    #[test]
    fn an_answer_says_its_senders_role_in_every_section_alike() {
        assert_eq!(DtlsRole::in_answer(ANSWER), Some(DtlsRole::Active));
        let passive = DtlsRole::Passive.said_in(ANSWER);
        assert_eq!(DtlsRole::in_answer(&passive), Some(DtlsRole::Passive));
        assert!(!passive.contains(ACTIVE) && passive.matches(PASSIVE).count() == 2);
        assert_eq!(DtlsRole::Active.said_in(&passive), ANSWER);
        assert_eq!(DtlsRole::in_answer(&ANSWER.replacen(ACTIVE, PASSIVE, 1)), None);
        assert_eq!(DtlsRole::in_answer("v=0\r\na=setup:actpass\r\n"), None);
    }
}
