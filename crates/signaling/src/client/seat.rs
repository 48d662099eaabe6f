//! What a client remembers to take its seat over after a lost connection.

use crate::message::{ClientMessage, ErrorCode, PROTOCOL_VERSION, ResumeToken, ServerMessage};
use std::collections::VecDeque;
use visavis_media::RoomId;

/// Sealed messages kept to be sent again.
const MOST_KEPT: usize = 64;
/// Bytes kept to be sent again.
const MOST_BYTES_KEPT: usize = 256 * 1024;

/// Where we stand with the server.
#[derive(Debug, Default)]
pub(super) enum Standing {
    /// In no room.
    #[default]
    Nowhere,
    /// Asked for one, and not answered yet.
    Asked { request: String, room: RoomId },
    /// In one.
    Seated(Seated),
}

#[derive(Debug)]
pub(super) struct Seated {
    room: RoomId,
    token: ResumeToken,
    received: u64,
    sent: u64,
    kept: VecDeque<(u64, String)>,
    bytes: usize,
}

impl Standing {
    /// Notes what is about to be sent.
    pub(super) fn sending(&mut self, message: &ClientMessage, text: &str) {
        match message {
            ClientMessage::Open { room_id, .. } | ClientMessage::Join { room_id, .. } => {
                // In a room already, the server will refuse; the seat stays.
                if !matches!(self, Self::Seated(_)) {
                    *self = Self::Asked { request: text.to_owned(), room: room_id.clone() };
                }
            }
            ClientMessage::Offer(_) | ClientMessage::Answer(_) | ClientMessage::IceCandidate(_) => {
                if let Self::Seated(seat) = self {
                    seat.keep(text);
                }
            }
            ClientMessage::LeaveRoom => *self = Self::Nowhere,
            ClientMessage::Dismiss { .. } | ClientMessage::Resume { .. } => {}
        }
    }

    /// Notes what was received; gives what is to be sent again after [`ServerMessage::Resumed`].
    pub(super) fn received(&mut self, message: &ServerMessage) -> Vec<String> {
        match message {
            ServerMessage::Opened(seat) | ServerMessage::Joined(seat) => {
                if let Self::Asked { room, .. } = self {
                    let (room, token) = (room.clone(), seat.resume.clone());
                    let (kept, bytes) = (VecDeque::new(), 0);
                    *self = Self::Seated(Seated { room, token, received: 0, sent: 0, kept, bytes });
                }
            }
            ServerMessage::Resumed(seat) => {
                if let Self::Seated(ours) = self {
                    ours.token = seat.resume.clone();
                    ours.received = ours.received.saturating_add(seat.missed);
                    return ours.after(seat.received);
                }
            }
            ServerMessage::PeerJoined { .. } | ServerMessage::PeerLeft { .. } => self.count(),
            ServerMessage::Offer(_) | ServerMessage::Answer(_) | ServerMessage::IceCandidate(_) => self.count(),
            ServerMessage::Error { code, .. } => self.refused(code),
            ServerMessage::Unknown => {}
        }
        Vec::new()
    }

    /// What to send first on a new connection, and whether it takes a seat over.
    pub(super) fn greeting(&self) -> Option<(String, bool)> {
        match self {
            Self::Nowhere => None,
            Self::Asked { request, .. } => Some((request.clone(), false)),
            Self::Seated(seat) => {
                let (room_id, resume) = (seat.room.clone(), seat.token.clone());
                let resume =
                    ClientMessage::Resume { version: PROTOCOL_VERSION, room_id, resume, received: seat.received };
                Some((resume.to_json(), true))
            }
        }
    }

    /// Whether we sit in a room, or are about to.
    pub(super) fn is_somewhere(&self) -> bool {
        !matches!(self, Self::Nowhere)
    }

    /// Whether a seat in a room is ours.
    pub(super) fn is_seated(&self) -> bool {
        matches!(self, Self::Seated(_))
    }

    fn count(&mut self) {
        if let Self::Seated(seat) = self {
            seat.received = seat.received.saturating_add(1);
        }
    }

    fn refused(&mut self, code: &ErrorCode) {
        use ErrorCode as Code;
        let over = match self {
            Self::Nowhere => false,
            Self::Seated(_) => matches!(code, Code::SeatGone | Code::Dismissed | Code::NotInRoom),
            // A request that was refused is not to be repeated; other errors answer something older.
            Self::Asked { .. } => matches!(
                code,
                Code::RoomTaken
                    | Code::NobodyHere
                    | Code::RoomFull
                    | Code::ServerFull
                    | Code::Version
                    | Code::BadMessage
            ),
        };
        if over {
            *self = Self::Nowhere;
        }
    }
}

impl Seated {
    fn keep(&mut self, text: &str) {
        self.kept.push_back((self.sent, text.to_owned()));
        self.sent = self.sent.saturating_add(1);
        self.bytes += text.len();
        while self.kept.len() > MOST_KEPT || self.bytes > MOST_BYTES_KEPT {
            self.bytes -= self.kept.pop_front().map_or(0, |(_, text)| text.len());
        }
    }

    /// Forgets what arrived; the rest is to be sent again.
    fn after(&mut self, arrived: u64) -> Vec<String> {
        while self.kept.front().is_some_and(|(number, _)| *number < arrived) {
            self.bytes -= self.kept.pop_front().map_or(0, |(_, text)| text.len());
        }
        // The server counts on from what it has; so do we, even where some of it is no longer kept.
        self.sent = arrived;
        for (number, _) in &mut self.kept {
            *number = self.sent;
            self.sent = self.sent.saturating_add(1);
        }
        self.kept.iter().map(|(_, text)| text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Envelope, Seat};
    use proptest::prelude::*;
    use visavis_media::{CallId, PeerId};

    fn seat(received: u64, missed: u64) -> Seat {
        let (peer_id, resume) = (PeerId::new("a"), ResumeToken::new("token"));
        Seat { peer_id, resume, peers: Vec::new(), ice_servers: Vec::new(), received, missed }
    }

    fn envelope(n: u64) -> Envelope {
        let (from, to, room_id, call_id) = (PeerId::new("a"), PeerId::new("b"), RoomId::new("room"), CallId::new("c"));
        Envelope { room_id, from, to, call_id, pake: None, n, sealed: "x".into() }
    }

    fn send(standing: &mut Standing, message: &ClientMessage) -> String {
        let text = message.to_json();
        standing.sending(message, &text);
        text
    }

    fn seated() -> Standing {
        let mut standing = Standing::default();
        send(&mut standing, &ClientMessage::open(RoomId::new("room")));
        assert!(standing.received(&ServerMessage::Opened(seat(0, 0))).is_empty());
        standing
    }

    #[test]
    fn an_unanswered_request_is_repeated_and_a_refused_one_is_not() {
        let mut standing = Standing::default();
        assert_eq!(standing.greeting(), None);
        let text = send(&mut standing, &ClientMessage::open(RoomId::new("room")));
        assert_eq!(standing.greeting(), Some((text, false)));
        standing.received(&ServerMessage::Error { code: ErrorCode::RoomTaken, message: String::new() });
        assert_eq!(standing.greeting(), None);
    }

    #[test]
    fn a_seat_is_resumed_with_what_was_received() {
        let mut standing = seated();
        standing.received(&ServerMessage::PeerJoined { peer_id: PeerId::new("b"), pake: None });
        standing.received(&ServerMessage::Answer(envelope(1)));
        let (text, resumes) = standing.greeting().unwrap();
        assert!(resumes && text.contains(r#""received":2"#) && text.contains("token"), "{text}");
        standing.received(&ServerMessage::Resumed(seat(0, 3)));
        assert!(standing.greeting().unwrap().0.contains(r#""received":5"#));
    }

    #[test]
    fn what_did_not_arrive_is_sent_again_and_counted_on() {
        let mut standing = seated();
        let texts: Vec<_> = (1..=4).map(|n| send(&mut standing, &ClientMessage::Offer(envelope(n)))).collect();
        assert_eq!(standing.received(&ServerMessage::Resumed(seat(2, 0))), texts[2..]);
        let fifth = send(&mut standing, &ClientMessage::Offer(envelope(5)));
        assert_eq!(standing.received(&ServerMessage::Resumed(seat(3, 0))), [texts[3].clone(), fifth]);
        assert!(standing.received(&ServerMessage::Resumed(seat(5, 0))).is_empty());
    }

    #[test]
    fn not_more_than_so_much_is_kept() {
        let mut standing = seated();
        (0..1000).for_each(|n| drop(send(&mut standing, &ClientMessage::Offer(envelope(n)))));
        let again = standing.received(&ServerMessage::Resumed(seat(10, 0)));
        assert_eq!(again.len(), MOST_KEPT);
        assert!(again[0].contains(r#""n":936"#));
        let big = Envelope { sealed: "x".repeat(60_000), ..envelope(1) };
        (0..10).for_each(|_| drop(send(&mut standing, &ClientMessage::Offer(big.clone()))));
        let Standing::Seated(seat) = standing else { panic!("not seated") };
        assert!(seat.bytes <= MOST_BYTES_KEPT && seat.kept.len() == 4);
    }

    proptest! {
        #[test]
        fn whatever_a_server_counts_no_more_than_so_much_is_kept_or_said_again(
            counts in proptest::collection::vec((prop_oneof![any::<u64>(), Just(u64::MAX), 0u64..9], any::<u64>()), 0..30),
        ) {
            let mut standing = seated();
            for (received, missed) in counts {
                send(&mut standing, &ClientMessage::Offer(envelope(1)));
                let again = standing.received(&ServerMessage::Resumed(seat(received, missed)));
                prop_assert!(again.len() <= MOST_KEPT);
                let Standing::Seated(ours) = &standing else { panic!("seated") };
                prop_assert!(ours.received >= missed && ours.sent >= received, "counts never go back");
            }
        }
    }

    #[test]
    fn leaving_dismissal_and_a_lost_seat_end_it() {
        for code in [ErrorCode::SeatGone, ErrorCode::Dismissed] {
            let mut standing = seated();
            standing.received(&ServerMessage::Error { code, message: String::new() });
            assert!(!standing.is_somewhere());
        }
        let mut standing = seated();
        standing.received(&ServerMessage::Error { code: ErrorCode::NoSuchPeer, message: String::new() });
        assert!(standing.is_somewhere());
        send(&mut standing, &ClientMessage::LeaveRoom);
        assert!(!standing.is_somewhere());
    }
}
