//! What STUN (RFC 8489) and TURN (RFC 8656) servers answer; `request` has what they are asked.
//!
//! Answers come from strangers; what is not as it should be is no answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const COOKIE: u32 = 0x2112_A442;
pub(super) const HEADER: usize = 20;
const SUCCESS: u16 = 0x0100;
const ERROR: u16 = 0x0110;
/// A realm or a nonce is at most 763 bytes (RFC 8489, sections 14.9 and 14.10).
const LONGEST: usize = 763;

const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(super) const REALM: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Under which address we are seen.
    Binding,
    /// An address to be relayed at.
    Allocate,
    /// That address is not needed any more.
    GiveBack,
}

impl Method {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Binding => 0x0001,
            Self::Allocate => 0x0003,
            Self::GiveBack => 0x0004,
        }
    }
}

/// Ties an answer to its request.
pub(crate) type TransactionId = [u8; 12];

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// As asked for; a relayed address belongs to an allocation only.
    Granted { seen: Option<SocketAddr>, relayed: Option<SocketAddr> },
    /// An error, and what to sign with where that is what is missing.
    Refused { code: u16, realm: Option<Vec<u8>>, nonce: Option<Vec<u8>> },
}

/// Reads the answer to a request; `None` where it is none.
pub(crate) fn read(message: &[u8], method: Method, id: &TransactionId) -> Option<Answer> {
    let (header, rest) = message.split_at_checked(HEADER)?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != COOKIE.to_be_bytes() || header[8..] != *id || length % 4 != 0 {
        return None;
    }
    let mut rest = rest.get(..length)?;
    let (mut seen, mut plainly_seen, mut relayed) = (None, None, None);
    let (mut code, mut realm, mut nonce) = (None, None, None);
    while !rest.is_empty() {
        let (attribute, after) = rest.split_at_checked(4)?;
        let length = usize::from(u16::from_be_bytes([attribute[2], attribute[3]]));
        let value = after.get(..length)?;
        match u16::from_be_bytes([attribute[0], attribute[1]]) {
            XOR_MAPPED_ADDRESS => seen = address(value, Some(id)),
            MAPPED_ADDRESS => plainly_seen = address(value, None),
            XOR_RELAYED_ADDRESS => relayed = address(value, Some(id)),
            ERROR_CODE => code = value.get(2..4).map(|c| u16::from(c[0] & 7) * 100 + u16::from(c[1] % 100)),
            REALM if length <= LONGEST => realm = Some(value.to_vec()),
            NONCE if length <= LONGEST => nonce = Some(value.to_vec()),
            _ => {}
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    if kind == method.number() | SUCCESS {
        return Some(Answer::Granted { seen: seen.or(plainly_seen), relayed });
    }
    (kind == method.number() | ERROR).then_some(Answer::Refused { code: code?, realm, nonce })
}

/// An address, veiled by the cookie and the transaction where it is an XOR one.
fn address(value: &[u8], veil: Option<&TransactionId>) -> Option<SocketAddr> {
    let (head, ip) = value.split_at_checked(4)?;
    let port = u16::from_be_bytes([head[2], head[3]]);
    let mut mask = [0; 16];
    if let Some(id) = veil {
        mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
        mask[4..].copy_from_slice(id);
    }
    let port = port ^ u16::from_be_bytes([mask[0], mask[1]]);
    let plain: Vec<u8> = ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    let ip = match (head[1], ip.len()) {
        (1, 4) => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(plain).ok()?)),
        (2, 16) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(plain).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// An answer as a server writes it, for tests: attributes are taken as they are.
#[cfg(test)]
pub(crate) fn answer(kind: u16, id: TransactionId, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut message = kind.to_be_bytes().to_vec();
    message.extend([0, 0]);
    message.extend(COOKIE.to_be_bytes());
    message.extend(id);
    for (kind, value) in attributes {
        super::request::attribute(&mut message, *kind, value);
    }
    message
}

#[cfg(test)]
#[path = "stun_tests.rs"]
pub(super) mod tests;
