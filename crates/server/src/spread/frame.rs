//! What nodes say to each other, as bytes.
//!
//! A version, a kind, who sends it (8 bytes), about which guest (8 bytes), and what else the kind needs up to the end;
//! numbers with the most significant byte first. Another version is counted and not read: until all nodes of a deployment
//! are of one version, those of different ones take each other for silent.

use super::{Node, Ticket};
use visavis_signaling::{MAX_MESSAGE, Origin};

/// What this is written in. A change of meaning is another version.
const VERSION: u8 = 1;
/// Version, kind, sender and ticket.
const HEAD: usize = 18;
/// Longest frame that is read: a message from peer to peer and its head, or a seat with many relays to use.
pub(crate) const LONGEST_FRAME: usize = 2 * MAX_MESSAGE;
/// Longest reason of a good-bye (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;

/// From one node to another, about one guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) from: Node,
    pub(crate) ticket: Ticket,
    pub(crate) what: What<'a>,
}

/// Either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    /// To the guest's home.
    Home(Homes<'a>),
    /// To where the guest is connected.
    Guest(Guests<'a>),
}

/// What a guest's home is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Homes<'a> {
    /// It comes from there, and says this, which enters a room.
    Enters(Origin, &'a str),
    /// It says this.
    Says(&'a str),
    /// It is still there.
    Lives,
    /// It said good-bye.
    Closed,
    /// Its connection broke; or there is no such guest.
    Lost,
}

/// What a guest's node is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guests<'a> {
    /// It is to hear this.
    Hears(&'a str),
    /// It is to show that it lives.
    Ping,
    /// Its connection is to end, with this code and reason.
    Close(u16, &'a str),
    /// The room is not at home here, or not yet: look again.
    Moved,
    /// It has no seat here any more.
    Free,
    /// There is no such guest.
    Unknown,
}

impl Frame<'_> {
    /// As it is sent.
    pub(crate) fn write(&self) -> Vec<u8> {
        let number;
        let (kind, first, text) = match self.what {
            What::Home(Homes::Enters(origin, text)) => {
                number = origin.0.to_be_bytes();
                (1, &number[..], text)
            }
            What::Home(Homes::Says(text)) => (2, &[][..], text),
            What::Home(Homes::Lives) => (3, &[][..], ""),
            What::Home(Homes::Closed) => (4, &[][..], ""),
            What::Home(Homes::Lost) => (5, &[][..], ""),
            What::Guest(Guests::Hears(text)) => (16, &[][..], text),
            What::Guest(Guests::Ping) => (17, &[][..], ""),
            What::Guest(Guests::Close(code, reason)) => {
                number = (u64::from(code) << 48).to_be_bytes();
                (18, &number[..2], reason)
            }
            What::Guest(Guests::Moved) => (19, &[][..], ""),
            What::Guest(Guests::Free) => (20, &[][..], ""),
            What::Guest(Guests::Unknown) => (21, &[][..], ""),
        };
        let mut bytes = Vec::with_capacity(HEAD + first.len() + text.len());
        bytes.extend([VERSION, kind]);
        bytes.extend(self.from.0.to_be_bytes());
        bytes.extend(self.ticket.0.to_be_bytes());
        bytes.extend(first);
        bytes.extend(text.as_bytes());
        bytes
    }
}

impl<'a> Frame<'a> {
    /// Reads what came; none where it is not exactly a frame of our version.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > LONGEST_FRAME {
            return None;
        }
        let ([VERSION, kind], rest) = bytes.split_first_chunk()? else { return None };
        let (from, rest) = number(rest)?;
        let (ticket, rest) = number(rest)?;
        let what = match kind {
            1 => {
                let (origin, rest) = number(rest)?;
                What::Home(Homes::Enters(Origin(origin), text(rest)?))
            }
            2 => What::Home(Homes::Says(text(rest)?)),
            16 => What::Guest(Guests::Hears(text(rest)?)),
            18 => {
                let (code, rest) = rest.split_first_chunk()?;
                let reason = text(rest).filter(|reason| reason.len() <= LONGEST_REASON)?;
                What::Guest(Guests::Close(close_code(u16::from_be_bytes(*code))?, reason))
            }
            _ if !rest.is_empty() => return None,
            3 => What::Home(Homes::Lives),
            4 => What::Home(Homes::Closed),
            5 => What::Home(Homes::Lost),
            17 => What::Guest(Guests::Ping),
            19 => What::Guest(Guests::Moved),
            20 => What::Guest(Guests::Free),
            21 => What::Guest(Guests::Unknown),
            _ => return None,
        };
        Some(Self { from: Node(from), ticket: Ticket(ticket), what })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Those that a server may send (RFC 6455, 7.4): others would break the connection instead of ending it.
fn close_code(code: u16) -> Option<u16> {
    matches!(code, 1000 | 1001 | 1008 | 1012 | 1013 | 4000..=4999).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> Vec<What<'static>> {
        vec![
            What::Home(Homes::Enters(Origin(u64::MAX - 5), "{\"type\":\"open\"}")),
            What::Home(Homes::Says("müde")),
            What::Home(Homes::Lives),
            What::Home(Homes::Closed),
            What::Home(Homes::Lost),
            What::Guest(Guests::Hears("")),
            What::Guest(Guests::Ping),
            What::Guest(Guests::Close(4000, "no sign of life")),
            What::Guest(Guests::Moved),
            What::Guest(Guests::Free),
            What::Guest(Guests::Unknown),
        ]
    }

    #[test]
    fn every_frame_comes_back_as_it_was_written() {
        for what in all() {
            let frame = Frame { from: Node(7), ticket: Ticket(u64::MAX), what };
            assert_eq!(Frame::read(&frame.write()), Some(frame));
        }
    }

    #[test]
    fn another_version_a_longer_frame_and_what_is_cut_off_are_not_read() {
        for what in all() {
            let bytes = Frame { from: Node(7), ticket: Ticket(9), what }.write();
            let fixed = bytes.len() - bytes.len().saturating_sub(HEAD);
            assert!((0..fixed).all(|length| Frame::read(&bytes[..length]).is_none()), "{what:?}");
            assert_eq!(Frame::read(&[&[2], &bytes[1..]].concat()), None);
            let long = [&bytes[..], &vec![b' '; LONGEST_FRAME + 1 - bytes.len()]].concat();
            assert_eq!(Frame::read(&long), None, "{what:?}");
        }
    }

    #[test]
    fn codes_that_a_server_may_not_send_and_endless_reasons_are_not_read() {
        let close = |code, reason: &str| {
            let what = What::Guest(Guests::Close(code, reason));
            Frame::read(&Frame { from: Node(1), ticket: Ticket(1), what }.write()).is_some()
        };
        assert!(close(1012, "") && close(4000, &"x".repeat(123)));
        assert!(!close(1005, "") && !close(1006, "") && !close(0, "") && !close(4000, &"x".repeat(124)));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_whole_or_not_at_all(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            kind in 0..24u8,
        ) {
            let _ = Frame::read(&bytes);
            let made = [&[VERSION, kind], &bytes[..]].concat();
            if let Some(frame) = Frame::read(&made) {
                prop_assert_eq!(frame.write(), made);
            }
        }
    }
}
