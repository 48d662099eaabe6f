//! Messages of STUN (RFC 8489) and TURN (RFC 8656): as many as asking a server takes.
//!
//! Answers come from strangers; what is not as it should be is no answer.

use rtc::crypto::{CryptoError, HashAlgorithm, HmacAlgorithm, default_provider};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const COOKIE: u32 = 0x2112_A442;
const HEADER: usize = 20;
const SUCCESS: u16 = 0x0100;
const ERROR: u16 = 0x0110;
/// A realm or a nonce is at most 763 bytes (RFC 8489, sections 14.9 and 14.10).
const LONGEST: usize = 763;

const MAPPED_ADDRESS: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const LIFETIME: u16 = 0x000D;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;
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
    fn number(self) -> u16 {
        match self {
            Self::Binding => 0x0001,
            Self::Allocate => 0x0003,
            Self::GiveBack => 0x0004,
        }
    }
}

/// Ties an answer to its request.
pub(crate) type TransactionId = [u8; 12];

/// What a request is signed with (RFC 8489, section 9.2: long-term credentials).
#[derive(Clone)]
pub(super) struct Credentials {
    pub username: String,
    pub password: String,
    /// As the server gave them.
    pub realm: Vec<u8>,
    pub nonce: Vec<u8>,
}

/// Writes a request.
///
/// # Errors
/// [`CryptoError`] where there is no MD5 or SHA-1.
pub(super) fn request(
    method: Method,
    id: TransactionId,
    credentials: Option<&Credentials>,
) -> Result<Vec<u8>, CryptoError> {
    let mut message = Vec::with_capacity(256);
    message.extend(method.number().to_be_bytes());
    message.extend([0, 0]);
    message.extend(COOKIE.to_be_bytes());
    message.extend(id);
    match method {
        Method::Binding => {}
        // UDP.
        Method::Allocate => attribute(&mut message, REQUESTED_TRANSPORT, &[17, 0, 0, 0]),
        Method::GiveBack => attribute(&mut message, LIFETIME, &[0; 4]),
    }
    if let Some(credentials) = credentials {
        attribute(&mut message, USERNAME, credentials.username.as_bytes());
        attribute(&mut message, NONCE, &credentials.nonce);
        attribute(&mut message, REALM, &credentials.realm);
        sign(&mut message, credentials)?;
    }
    Ok(message)
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    let all = message.len();
    set_length(message, all);
}

fn set_length(message: &mut [u8], all: usize) {
    message[2..4].copy_from_slice(&((all - HEADER) as u16).to_be_bytes());
}

fn sign(message: &mut Vec<u8>, credentials: &Credentials) -> Result<(), CryptoError> {
    let provider = default_provider()?;
    let secret = [credentials.username.as_bytes(), &credentials.realm, credentials.password.as_bytes()].join(&b":"[..]);
    let key = provider.crypto().hash(HashAlgorithm::Md5, &secret)?;
    // What is signed says already how long it is with the signature.
    let all = message.len() + 24;
    set_length(message, all);
    let mut signature = [0; 20];
    provider.crypto().new_hmac(HmacAlgorithm::Sha1, &key)?.sign(&[message.as_slice()], &mut signature)?;
    attribute(message, MESSAGE_INTEGRITY, &signature);
    Ok(())
}

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
        attribute(&mut message, *kind, value);
    }
    message
}

#[cfg(test)]
#[path = "stun_tests.rs"]
mod tests;
