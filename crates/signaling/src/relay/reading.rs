//! Reading of a client's message only what the relay needs.

use crate::message::{ErrorCode, PROTOCOL_VERSION};
use serde::Deserialize;
use std::borrow::Cow;

/// Hex digits of a room id.
const ROOM_ID_DIGITS: usize = 32;
/// Longest share passed on; a real one has 87 characters.
const LONGEST_SHARE: usize = 128;

/// A message, as far as the relay reads it.
pub(super) enum Request<'a> {
    Open { room: Cow<'a, str> },
    Join { room: Cow<'a, str>, share: Cow<'a, str> },
    Resume { room: Cow<'a, str>, token: Cow<'a, str>, received: u64 },
    Dismiss { peer: Cow<'a, str> },
    Relay { room: Cow<'a, str>, from: Cow<'a, str>, to: Cow<'a, str> },
    Leave,
}

/// What is wrong with it: the code and the sentence of the error message.
pub(super) type Fault = (ErrorCode, String);

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    #[serde(borrow)]
    room_id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join<'a> {
    #[serde(borrow)]
    room_id: Cow<'a, str>,
    #[serde(borrow)]
    pake: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resume<'a> {
    #[serde(borrow)]
    room_id: Cow<'a, str>,
    #[serde(borrow)]
    resume: Cow<'a, str>,
    #[serde(default)]
    received: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dismiss<'a> {
    #[serde(borrow)]
    peer_id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relayed<'a> {
    #[serde(borrow)]
    room_id: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads a message; whatever text this is, it comes back with a request or a fault.
    pub(super) fn read(text: &'a str) -> Result<Self, Fault> {
        let Head { kind } = parse(text)?;
        match kind.as_ref() {
            "open" => {
                check_version(text)?;
                let Open { room_id } = parse(text)?;
                Ok(Self::Open { room: check_room(room_id)? })
            }
            "join" => {
                check_version(text)?;
                let Join { room_id, pake } = parse(text)?;
                if pake.len() > LONGEST_SHARE {
                    return Err(bad("“pake” is too long"));
                }
                Ok(Self::Join { room: check_room(room_id)?, share: pake })
            }
            "resume" => {
                check_version(text)?;
                let Resume { room_id, resume, received } = parse(text)?;
                Ok(Self::Resume { room: check_room(room_id)?, token: resume, received })
            }
            "dismiss" => parse(text).map(|Dismiss { peer_id }| Self::Dismiss { peer: peer_id }),
            "offer" | "answer" | "ice-candidate" => {
                parse(text).map(|Relayed { room_id, from, to }| Self::Relay { room: room_id, from, to })
            }
            "leave-room" => Ok(Self::Leave),
            other => {
                let other: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                Err((ErrorCode::UnknownType, format!("this server knows no message of the type “{other}”")))
            }
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| bad(&format!("the message could not be read: {error}")))
}

fn bad(sentence: &str) -> Fault {
    // Errors of serde quote what they met; two hundred letters of it are enough.
    (ErrorCode::BadMessage, sentence.chars().take(200).collect())
}

fn check_version(text: &str) -> Result<(), Fault> {
    let Version { version } = parse(text)?;
    if version == PROTOCOL_VERSION {
        return Ok(());
    }
    let (ours, hint) = (PROTOCOL_VERSION, if version > PROTOCOL_VERSION { "the server" } else { "the app" });
    Err((
        ErrorCode::Version,
        format!("the server speaks protocol version {ours}, this is version {version}; update {hint}"),
    ))
}

fn check_room(room: Cow<'_, str>) -> Result<Cow<'_, str>, Fault> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if room.len() == ROOM_ID_DIGITS && room.bytes().all(digit) {
        Ok(room)
    } else {
        Err(bad("“roomId” must be 32 hex digits in lower case"))
    }
}
