//! How two peers turn the last two words of a code into keys, through a server that learns nothing (SPAKE2, RFC 9382).
//!
//! The newcomer is A, who was there is B. Each of the states below is moved into the next, so a share can be used once:
//!
//! ```
//! use visavis_signaling::{Newcomer, PakeSecret, RoomCode, answer};
//!
//! let code = RoomCode::random();
//! let secret = PakeSecret::derive(&code); // slow on purpose: do it while the code is typed
//! let (newcomer, share_a) = Newcomer::start(&secret); // travels with `join`
//! let (share_b, at_host) = answer(&secret, &share_a)?; // travels with the first sealed offer
//! let at_newcomer = newcomer.finish(&share_b)?;
//! # let (a, b) = (at_newcomer.into_keys(), at_host.into_keys());
//! # assert_eq!(a.transcript.verification_number_for(b"x", b"y"), b.transcript.verification_number_for(b"y", b"x"));
//! # Ok::<(), visavis_signaling::PakeError>(())
//! ```
//!
//! A wrong password goes unnoticed here: the two then hold different keys, and the first sealed message does not open.

use crate::code::RoomCode;
use crate::seal::{Direction, Opener, Sealer};
use crate::spake2::{Blinding, POINT_BYTES, PointBytes, Side, random_scalar, reduce};
use crate::verify::Transcript;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::Scalar;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use visavis_media::RoomId;
use zeroize::{Zeroize, Zeroizing};

/// Rounds of PBKDF2; they make each of the few guesses that are possible at all cost something.
const ROUNDS: u32 = 100_000;

/// What both sides make of a code, before they meet.
#[derive(Clone)]
pub struct PakeSecret {
    room: RoomId,
    blinding: Blinding,
}

impl PakeSecret {
    /// Computes it; takes some tens of milliseconds, so do it off the main thread and while the code is typed.
    ///
    /// w = PBKDF2-HMAC-SHA-256(password, "visavis/1 pake " ‖ room id, 100 000 rounds, 40 bytes) modulo the group's order.
    pub fn derive(code: &RoomCode) -> Self {
        let room = code.room_id();
        let salt = format!("visavis/1 pake {}", room.as_str());
        let mut bytes = Zeroizing::new([0u8; 40]);
        pbkdf2::pbkdf2_hmac::<Sha256>(code.password().as_bytes(), salt.as_bytes(), ROUNDS, &mut bytes[..]);
        let w = Zeroizing::new(reduce(&bytes[..]));
        Self { blinding: Blinding::new(*w), room }
    }

    /// The room it belongs to.
    pub fn room_id(&self) -> &RoomId {
        &self.room
    }

    /// What a side ends with, given its own random scalar, both shares and which of them is its own.
    fn agree(&self, side: Side, scalar: &Scalar, ours: &PointBytes, theirs: &Share) -> Result<Agreed, PakeError> {
        let theirs = theirs.point().ok_or(PakeError::BadShare)?;
        let k = self.blinding.shared(side, scalar, &theirs).ok_or(PakeError::BadShare)?;
        let names = ["A", "B"].map(|name| format!("visavis/1 {name} {}", self.room.as_str()));
        let shares = match side {
            Side::A => [ours, &theirs],
            Side::B => [&theirs, ours],
        };
        let hash = self.blinding.transcript([names[0].as_bytes(), names[1].as_bytes()], shares, &k);
        Ok(Agreed { side, room: self.room.clone(), hash })
    }
}

impl fmt::Debug for PakeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PakeSecret(…)")
    }
}

/// One side's message of the key agreement, base64url without padding of a 65-byte uncompressed point.
///
/// As it comes from the network it is unchecked text; [`answer`] and [`Newcomer::finish`] check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(String);

impl Share {
    /// Takes the text as it stands in a message.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it stands in a message.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(point: &PointBytes) -> Self {
        Self(URL_SAFE_NO_PAD.encode(point))
    }

    fn point(&self) -> Option<PointBytes> {
        let mut bytes = [0; POINT_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(&self.0, &mut bytes).ok()?;
        (length == POINT_BYTES).then_some(bytes)
    }
}

/// Side A, whose share is on its way.
pub struct Newcomer {
    secret: PakeSecret,
    scalar: Zeroizing<Scalar>,
    share: PointBytes,
}

impl Newcomer {
    /// Draws a share to send with `join`.
    pub fn start(secret: &PakeSecret) -> (Self, Share) {
        Self::start_with(secret, random_scalar())
    }

    pub(crate) fn start_with(secret: &PakeSecret, scalar: Zeroizing<Scalar>) -> (Self, Share) {
        let share = secret.blinding.share(Side::A, &scalar);
        (Self { secret: secret.clone(), scalar, share }, Share::new(&share))
    }

    /// Takes the answer that came with the first sealed offer.
    pub fn finish(self, theirs: &Share) -> Result<Agreed, PakeError> {
        self.secret.agree(Side::A, &self.scalar, &self.share, theirs)
    }
}

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Newcomer(…)")
    }
}

/// Side B: answers a newcomer's share. Each answer lets the newcomer try one password: count it first, in
/// [`crate::GuessCounter`].
pub fn answer(secret: &PakeSecret, theirs: &Share) -> Result<(Share, Agreed), PakeError> {
    answer_with(secret, theirs, &random_scalar())
}

pub(crate) fn answer_with(secret: &PakeSecret, theirs: &Share, scalar: &Scalar) -> Result<(Share, Agreed), PakeError> {
    let share = secret.blinding.share(Side::B, scalar);
    let agreed = secret.agree(Side::B, scalar, &share, theirs)?;
    Ok((Share::new(&share), agreed))
}

/// Why the key agreement failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PakeError {
    /// The other side's share is no point of the curve: its program is broken, or somebody plays tricks.
    #[error("the other side's key share is malformed")]
    BadShare,
}

/// What both sides now share if both knew the code: SHA-256 of the transcript.
pub struct Agreed {
    side: Side,
    room: RoomId,
    hash: Zeroizing<[u8; 32]>,
}

impl Agreed {
    /// The keys of both directions and what the verification number is made from.
    pub fn into_keys(self) -> Keys {
        let (out, back) = match self.side {
            Side::A => (Direction::AToB, Direction::BToA),
            Side::B => (Direction::BToA, Direction::AToB),
        };
        Keys {
            sealer: Sealer::new(&self.hash, out, self.room.clone()),
            opener: Opener::new(&self.hash, back, self.room),
            transcript: Transcript::new(self.hash, self.side == Side::A),
        }
    }
}

impl fmt::Debug for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agreed(…)")
    }
}

/// What a pair of peers talks under, for as long as their call lasts, reconnects included.
#[derive(Debug)]
pub struct Keys {
    /// For what we send.
    pub sealer: Sealer,
    /// For what we receive.
    pub opener: Opener,
    /// For the number that people compare.
    pub transcript: Transcript,
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Envelope, Kind};
    use crate::vectors::{Vectors, hex};
    use visavis_media::{CallId, PeerId};

    #[test]
    fn the_projects_vectors_hold() {
        let vectors = Vectors::load();
        assert_eq!(vectors.visavis.len(), 4);
        for v in vectors.visavis {
            let code: RoomCode = v.code.parse().unwrap();
            assert_eq!(code.room_id().as_str(), v.room_id);
            assert_eq!(code.password().as_str(), v.password);
            let secret = PakeSecret::derive(&code);
            let scalar = reduce(&hex(&v.x));
            assert_eq!(Share::new(&Blinding::new(reduce(&hex(&v.w))).share(Side::A, &scalar)).as_str(), v.share_a);
            let (newcomer, share_a) = Newcomer::start_with(&secret, Zeroizing::new(scalar));
            assert_eq!(share_a.as_str(), v.share_a);
            let (share_b, host) = answer_with(&secret, &share_a, &reduce(&hex(&v.y))).unwrap();
            assert_eq!(share_b.as_str(), v.share_b);
            let newcomer = newcomer.finish(&share_b).unwrap();
            assert_eq!(newcomer.hash.as_slice(), hex(&v.transcript_hash));
            assert_eq!(host.hash, newcomer.hash);
            assert_eq!(crate::seal::key(&host.hash, Direction::AToB).as_slice(), hex(&v.key_a_to_b));
            assert_eq!(crate::seal::key(&host.hash, Direction::BToA).as_slice(), hex(&v.key_b_to_a));
            let (mut newcomer, mut host) = (newcomer.into_keys(), host.into_keys());
            for sealed in &v.sealed {
                let kind: Kind = serde_json::from_value(sealed.r#type.clone().into()).unwrap();
                let (from, to) = (PeerId::new(&sealed.from), PeerId::new(&sealed.to));
                let call = CallId::new(&sealed.call_id);
                let sides =
                    if sealed.direction == "A->B" { (&mut newcomer, &mut host) } else { (&mut host, &mut newcomer) };
                let envelope: Envelope = sides.0.sealer.seal(kind, &from, &to, &call, None, sealed.plain.as_bytes());
                assert_eq!((envelope.n, envelope.sealed.as_str()), (sealed.n, sealed.body.as_str()));
                let plain = sides.1.opener.open(kind, &envelope).unwrap();
                assert_eq!(plain.as_slice(), sealed.plain.as_bytes());
            }
            let fingerprints = [hex(&v.fingerprint_a), hex(&v.fingerprint_b)];
            let number = host.transcript.verification_number(&fingerprints[0], &fingerprints[1]);
            assert_eq!(number.to_string(), v.verification);
            assert_eq!(host.transcript.verification_number_for(&fingerprints[1], &fingerprints[0]), number);
            assert_eq!(newcomer.transcript.verification_number_for(&fingerprints[0], &fingerprints[1]), number);
        }
    }

    #[test]
    fn another_password_gives_other_keys() {
        let right: RoomCode = "velvet-canyon-orbit-zero".parse().unwrap();
        let wrong = (0..).map(|_| RoomCode::random()).find(|code| code.password() != right.password()).unwrap();
        let (right, mut wrong) = (PakeSecret::derive(&right), PakeSecret::derive(&wrong));
        wrong.room = right.room.clone();
        let (newcomer, share_a) = Newcomer::start(&wrong);
        let (share_b, host) = answer(&right, &share_a).unwrap();
        assert_ne!(newcomer.finish(&share_b).unwrap().hash, host.hash);
    }

    #[test]
    fn shares_that_are_no_points_are_refused() {
        let secret = PakeSecret::derive(&"velvet-canyon-orbit-zero".parse().unwrap());
        let good = Newcomer::start(&secret).1;
        let mut flipped = good.as_str().to_owned().into_bytes();
        flipped[40] = if flipped[40] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        let padded = format!("{}=", good.as_str());
        for bad in ["", "AA", "!!", &flipped, &padded, &"A".repeat(87), &"A".repeat(100_000)] {
            assert_eq!(answer(&secret, &Share::from_text(bad)).unwrap_err(), PakeError::BadShare);
            let (newcomer, _) = Newcomer::start(&secret);
            assert_eq!(newcomer.finish(&Share::from_text(bad)).unwrap_err(), PakeError::BadShare);
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let secret = PakeSecret::derive(&RoomCode::random());
        let (newcomer, share) = Newcomer::start(&secret);
        let agreed = answer(&secret, &share).unwrap().1;
        let shown = format!("{secret:?} {newcomer:?} {agreed:?} {:?}", answer(&secret, &share).unwrap().1.into_keys());
        assert!(shown.chars().filter(char::is_ascii_digit).count() < 3, "{shown}");
    }
}
