//! The messages between a client and a signaling server: JSON text in WebSocket frames, the kind in the field `type`.
//!
//! Clients use these types. The relay reads only what it needs of a message and passes `offer`, `answer` and
//! `ice-candidate` on as they came, unknown fields included.

mod error_code;

pub use error_code::ErrorCode;

use crate::pake::Share;
use serde::{Deserialize, Serialize};
use std::fmt;
use visavis_media::{CallId, PeerId, RoomId};

/// Version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;
/// Longest message, in bytes of JSON.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Messages that a server takes from one connection each second; a burst of as many is fine.
pub const MAX_MESSAGES_PER_SECOND: u32 = 100;

/// The messages that travel from peer to peer, always sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A session description that proposes.
    Offer,
    /// A session description that agrees.
    Answer,
    /// An address to try.
    IceCandidate,
}

impl Kind {
    /// As it stands in `type` and in what a sealed message is bound to.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::IceCandidate => "ice-candidate",
        }
    }
}

/// A sealed message from peer to peer, as the server sees it. Made by [`crate::Sealer`], read by [`crate::Opener`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The room both sit in.
    pub room_id: RoomId,
    /// Who sends it; the server refuses a false one.
    pub from: PeerId,
    /// For whom.
    pub to: PeerId,
    /// Which call.
    pub call_id: CallId,
    /// The answer to the newcomer's share, in the first offer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pake: Option<Share>,
    /// Counter under which it is sealed, from 1.
    pub n: u64,
    /// The sealed body, base64url without padding.
    pub sealed: String,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, call_id, n, sealed, .. } = self;
        write!(f, "Envelope({from:?} to {to:?}, {call_id:?}, n {n}, {} bytes)", sealed.len())
    }
}

/// What a client says to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// Open a room and wait in it. Answered by `opened`, or `error` with `room-taken`.
    Open {
        /// [`PROTOCOL_VERSION`].
        version: u32,
        /// The room.
        room_id: RoomId,
    },
    /// Go where somebody waits. Answered by `joined`, or `error` with `nobody-here` or `room-full`.
    Join {
        /// [`PROTOCOL_VERSION`].
        version: u32,
        /// The room.
        room_id: RoomId,
        /// Our share of the key agreement.
        pake: Share,
    },
    /// Take our seat over after a lost connection. Answered by `resumed`, or `error` with `seat-gone`.
    /// [`crate::Client`] sends it by itself.
    Resume {
        /// [`PROTOCOL_VERSION`].
        version: u32,
        /// The room.
        room_id: RoomId,
        /// What `opened` or `joined` gave for this purpose.
        resume: ResumeToken,
        /// How many `peer-joined`, `peer-left` and sealed messages we received in this seat.
        received: u64,
    },
    /// Turn somebody out of the room; only its opener may.
    Dismiss {
        /// Whom.
        peer_id: PeerId,
    },
    /// A sealed offer.
    Offer(Envelope),
    /// A sealed answer.
    Answer(Envelope),
    /// A sealed candidate.
    IceCandidate(Envelope),
    /// Leave the room; the connection stays.
    LeaveRoom,
}

impl ClientMessage {
    /// [`ClientMessage::Open`] in our version.
    pub fn open(room_id: RoomId) -> Self {
        Self::Open { version: PROTOCOL_VERSION, room_id }
    }

    /// [`ClientMessage::Join`] in our version.
    pub fn join(room_id: RoomId, pake: Share) -> Self {
        Self::Join { version: PROTOCOL_VERSION, room_id, pake }
    }

    /// [`ClientMessage::Dismiss`].
    pub fn dismiss(peer_id: PeerId) -> Self {
        Self::Dismiss { peer_id }
    }

    /// The message of this kind around a sealed body.
    pub fn sealed(kind: Kind, envelope: Envelope) -> Self {
        match kind {
            Kind::Offer => Self::Offer(envelope),
            Kind::Answer => Self::Answer(envelope),
            Kind::IceCandidate => Self::IceCandidate(envelope),
        }
    }

    /// As it goes over the wire.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }
}

/// What a server says to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    /// The room is ours.
    Opened(Seat),
    /// We are in.
    Joined(Seat),
    /// Our seat is ours again; what we missed follows.
    Resumed(Seat),
    /// Somebody came.
    PeerJoined {
        /// Who.
        peer_id: PeerId,
        /// Their share of the key agreement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pake: Option<Share>,
    },
    /// Somebody went.
    PeerLeft {
        /// Who.
        peer_id: PeerId,
        /// How.
        #[serde(default)]
        reason: LeaveReason,
    },
    /// A sealed offer.
    Offer(Envelope),
    /// A sealed answer.
    Answer(Envelope),
    /// A sealed candidate.
    IceCandidate(Envelope),
    /// Something we sent was refused, or our seat is gone.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people: a sentence in English.
        message: String,
    },
    /// A message of a later version, to be ignored.
    #[serde(other)]
    Unknown,
}

impl ServerMessage {
    /// Reads what came over the wire.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As it goes over the wire.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }

    /// The sealed message in it, if it is one.
    pub fn sealed(&self) -> Option<(Kind, &Envelope)> {
        match self {
            Self::Offer(envelope) => Some((Kind::Offer, envelope)),
            Self::Answer(envelope) => Some((Kind::Answer, envelope)),
            Self::IceCandidate(envelope) => Some((Kind::IceCandidate, envelope)),
            Self::Opened(_) | Self::Joined(_) | Self::Resumed(_) | Self::Unknown => None,
            Self::PeerJoined { .. } | Self::PeerLeft { .. } | Self::Error { .. } => None,
        }
    }
}

/// Our place in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// Our name in the room.
    pub peer_id: PeerId,
    /// What takes the seat over after a lost connection.
    pub resume: ResumeToken,
    /// Who else is there, in the order in which they came.
    #[serde(default)]
    pub peers: Vec<SeatedPeer>,
    /// STUN and TURN servers that this server's operator offers.
    #[serde(default)]
    pub ice_servers: Vec<IceServer>,
    /// In `resumed`: how many sealed messages the server received from us in this seat.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub received: u64,
    /// In `resumed`: how many messages to us were too old or too many to be kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Somebody who sits in the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatedPeer {
    /// Who.
    pub peer_id: PeerId,
    /// The share with which they came; who opened the room has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pake: Option<Share>,
}

/// How somebody left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaveReason {
    /// They said so, or closed their connection properly.
    Left,
    /// Their connection broke and was not resumed.
    Lost,
    /// The opener turned them out.
    Dismissed,
    /// A reason of a later version, or none given.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Secret with which a seat is taken over. `Debug` is redacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResumeToken(String);

impl ResumeToken {
    /// Takes the text as it stands in a message.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it stands in a message.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(…)")
    }
}

/// A STUN or TURN server, in the form of W3C `RTCIceServer`. `Debug` is redacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` addresses.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceServer({:?})", self.urls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn messages_look_as_the_protocol_says() {
        let room = RoomId::new("00".repeat(16));
        let open = ClientMessage::open(room.clone());
        assert_eq!(to_value(&open).unwrap(), json!({"type": "open", "version": 1, "roomId": room.as_str()}));
        assert_eq!(to_value(ClientMessage::LeaveRoom).unwrap(), json!({"type": "leave-room"}));
        let candidate = json!({"type": "ice-candidate", "roomId": room.as_str(), "from": "a", "to": "b", "callId": "c",
            "n": 3, "sealed": "AAAA"});
        let message: ServerMessage = from_value(candidate.clone()).unwrap();
        assert_eq!(message.sealed().unwrap().0, Kind::IceCandidate);
        assert_eq!(to_value(&message).unwrap(), candidate);
        assert_eq!(to_value(Kind::IceCandidate).unwrap(), json!(Kind::IceCandidate.as_str()));
    }

    #[test]
    fn what_later_versions_add_is_ignored() {
        for later in [json!({"type": "weather", "sun": true}), json!({"type": "weather"})] {
            assert_eq!(from_value::<ServerMessage>(later).unwrap(), ServerMessage::Unknown);
        }
        let seat = json!({"type": "joined", "peerId": "a", "resume": "r", "colour": "red"});
        assert!(matches!(from_value(seat).unwrap(), ServerMessage::Joined(seat) if seat.peers.is_empty()));
        let left = json!({"type": "peer-left", "peerId": "a", "reason": "abducted"});
        assert_eq!(
            from_value::<ServerMessage>(left).unwrap(),
            ServerMessage::PeerLeft { peer_id: PeerId::new("a"), reason: LeaveReason::Unknown }
        );
        let error = json!({"type": "error", "code": "full-moon", "message": "…"});
        let ServerMessage::Error { code, .. } = from_value(error).unwrap() else { panic!("not an error") };
        assert_eq!(code, ErrorCode::Other("full-moon".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_a_message_or_refused(text in "\\PC{0,200}") {
            let _ = ServerMessage::parse(&text);
        }

        #[test]
        fn any_field_of_any_kind_is_read_or_refused(
            kind in "opened|joined|resumed|peer-joined|peer-left|offer|answer|ice-candidate|error|[a-z-]{0,9}",
            fields in proptest::collection::vec((0usize..16, field()), 0..12),
        ) {
            const NAMES: [&str; 16] = [
                "peerId", "resume", "peers", "iceServers", "received", "missed", "pake", "reason", "roomId", "from",
                "to", "callId", "n", "sealed", "code", "message",
            ];
            let mut message = json!({"type": kind});
            for (name, value) in fields {
                message[NAMES[name]] = value;
            }
            if let Ok(message) = ServerMessage::parse(&message.to_string()) {
                let again = ServerMessage::parse(&message.to_json());
                prop_assert!(message == ServerMessage::Unknown || again.is_ok_and(|again| again == message));
            }
        }
    }

    fn field() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            Just(json!(null)),
            any::<u64>().prop_map(|n| json!(n)),
            any::<i64>().prop_map(|n| json!(n)),
            "\\PC{0,20}".prop_map(|text| json!(text)),
            "\\PC{0,9}".prop_map(|text| json!([{"peerId": text, "urls": [text], "pake": text}])),
            Just(json!([[[[1]]]])),
        ]
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let seat = Seat {
            peer_id: PeerId::new("a"),
            resume: ResumeToken::new("secret"),
            peers: Vec::new(),
            ice_servers: vec![IceServer {
                urls: Vec::new(),
                username: Some("secret".into()),
                credential: Some("secret".into()),
            }],
            received: 0,
            missed: 0,
        };
        assert!(!format!("{:?}", ServerMessage::Opened(seat)).contains("secret"));
        assert!(!format!("{:?}", ClientMessage::open(RoomId::new("secret"))).contains("secret"));
    }
}
