//! SPAKE2 as in RFC 9382, suite P256-SHA256-HKDF-SHA256-HMAC-SHA256: points, shares and the transcript.
//!
//! Only the mathematics; names, passwords and what is made of the result are Visavis's business, in [`crate::pake`].
//! The cofactor of P-256 is 1, so a point on the curve that is not at infinity is in the right group.

use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use p256::{AffinePoint, ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of an uncompressed point (SEC 1, 2.3.3).
pub(crate) const POINT_BYTES: usize = 65;

/// An uncompressed point.
pub(crate) type PointBytes = [u8; POINT_BYTES];

/// M of RFC 9382, section 4, for P-256.
const M: [u8; 33] = [
    0x02, 0x88, 0x6e, 0x2f, 0x97, 0xac, 0xe4, 0x6e, 0x55, 0xba, 0x9d, 0xd7, 0x24, 0x25, 0x79, 0xf2, 0x99, 0x3b, 0x64,
    0xe1, 0x6e, 0xf3, 0xdc, 0xab, 0x95, 0xaf, 0xd4, 0x97, 0x33, 0x3d, 0x8f, 0xa1, 0x2f,
];

/// N of RFC 9382, section 4, for P-256.
const N: [u8; 33] = [
    0x03, 0xd8, 0xbb, 0xd6, 0xc6, 0x39, 0xc6, 0x29, 0x37, 0xb0, 0x4d, 0x99, 0x7f, 0x38, 0xc3, 0x77, 0x07, 0x19, 0xc6,
    0x29, 0xd7, 0x01, 0x4d, 0x49, 0xa2, 0x4b, 0x4f, 0x98, 0xba, 0xa1, 0x29, 0x2b, 0x49,
];

/// The two sides of RFC 9382.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Whose share is blinded by w·M.
    A,
    /// Whose share is blinded by w·N.
    B,
}

/// The password's scalar w and the blinding points made from it.
#[derive(Clone)]
pub(crate) struct Blinding {
    w: Scalar,
    w_m: ProjectivePoint,
    w_n: ProjectivePoint,
}

impl Blinding {
    /// Multiplies M and N once, so that each agreement costs two multiplications only.
    pub(crate) fn new(w: Scalar) -> Self {
        Self { w_m: constant(&M) * w, w_n: constant(&N) * w, w }
    }

    /// What hides the share of this side.
    fn of(&self, side: Side) -> ProjectivePoint {
        match side {
            Side::A => self.w_m,
            Side::B => self.w_n,
        }
    }

    /// The share of a side whose random scalar is `secret`: pA = x·G + w·M, or pB = y·G + w·N.
    pub(crate) fn share(&self, side: Side, secret: &Scalar) -> PointBytes {
        encode(&(ProjectivePoint::generator() * secret + self.of(side)))
    }

    /// The shared point K from the other side's share; `None` for one that is no point, or gives the point at infinity.
    pub(crate) fn shared(&self, side: Side, secret: &Scalar, theirs: &[u8]) -> Option<Zeroizing<PointBytes>> {
        let other = match side {
            Side::A => Side::B,
            Side::B => Side::A,
        };
        let shared = (decode(theirs)? - self.of(other)) * secret;
        let infinite = bool::from(shared.is_identity());
        (!infinite).then(|| Zeroizing::new(encode(&shared)))
    }

    /// SHA-256 of the transcript TT (RFC 9382, section 3.3).
    pub(crate) fn transcript(
        &self,
        names: [&[u8]; 2],
        shares: [&PointBytes; 2],
        k: &PointBytes,
    ) -> Zeroizing<[u8; 32]> {
        let w = Zeroizing::new(self.w.to_bytes());
        let mut hash = Sha256::new();
        for part in [names[0], names[1], shares[0], shares[1], k, w.as_slice()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Zeroizing::new(hash.finalize().into())
    }
}

impl Drop for Blinding {
    fn drop(&mut self) {
        // w·M gives w away to who can try 2^18 passwords, so the points go with it.
        self.w.zeroize();
        self.w_m = ProjectivePoint::IDENTITY;
        self.w_n = ProjectivePoint::IDENTITY;
    }
}

/// A big-endian integer of any length modulo the order of the group.
pub(crate) fn reduce(bytes: &[u8]) -> Scalar {
    let base = Scalar::from(256u64);
    bytes.iter().fold(Scalar::ZERO, |sum, &byte| sum * base + Scalar::from(u64::from(byte)))
}

/// A scalar from the operating system's randomness; 48 bytes make the bias of the reduction negligible.
pub(crate) fn random_scalar() -> Zeroizing<Scalar> {
    let mut bytes = Zeroizing::new([0u8; 48]);
    rand::fill(&mut bytes[..]);
    Zeroizing::new(reduce(&bytes[..]))
}

/// M or N as a point.
fn constant(bytes: &[u8; 33]) -> ProjectivePoint {
    let point = AffinePoint::from_sec1_bytes(bytes).expect("M and N of RFC 9382 are points; a test reads them");
    ProjectivePoint::from(point)
}

/// An uncompressed point on the curve and not at infinity.
fn decode(bytes: &[u8]) -> Option<ProjectivePoint> {
    if bytes.len() != POINT_BYTES || bytes[0] != 0x04 {
        return None;
    }
    let point = AffinePoint::from_sec1_bytes(bytes).ok()?;
    (!bool::from(point.is_identity())).then(|| ProjectivePoint::from(point))
}

/// A point in uncompressed form. The point at infinity, which has none, becomes zeros: [`decode`] refuses them, and our
/// own share meets it with a chance of one in 2^256.
fn encode(point: &ProjectivePoint) -> PointBytes {
    let mut bytes = [0; POINT_BYTES];
    let encoded = point.to_affine().to_sec1_point(false);
    if encoded.as_bytes().len() == POINT_BYTES {
        bytes.copy_from_slice(encoded.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Vectors, hex};
    use hkdf::Hkdf;
    use hmac::{Hmac, KeyInit, Mac};

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let vectors = Vectors::load();
        assert_eq!(vectors.rfc9382.len(), 4);
        for v in vectors.rfc9382 {
            let blinding = Blinding::new(reduce(&hex(&v.w)));
            let (x, y) = (reduce(&hex(&v.x)), reduce(&hex(&v.y)));
            let share_a = blinding.share(Side::A, &x);
            let share_b = blinding.share(Side::B, &y);
            assert_eq!(share_a.as_slice(), hex(&v.share_a));
            assert_eq!(share_b.as_slice(), hex(&v.share_b));
            let k = blinding.shared(Side::A, &x, &share_b).unwrap();
            assert_eq!(k.as_slice(), hex(&v.k));
            assert_eq!(blinding.shared(Side::B, &y, &share_a).unwrap(), k);
            let names = [v.a.as_bytes(), v.b.as_bytes()];
            let hash = blinding.transcript(names, [&share_a, &share_b], &k);
            let (ke, ka) = hash.split_at(16);
            assert_eq!(ke, hex(&v.ke));
            assert_eq!(ka, hex(&v.ka));
            // Visavis confirms by sealed messages instead; the RFC's confirmation shows that TT as a whole is right.
            let mut keys = [0; 32];
            Hkdf::<Sha256>::new(None, ka).expand(b"ConfirmationKeys", &mut keys).unwrap();
            for (key, confirmation) in [(&keys[..16], &v.confirm_a), (&keys[16..], &v.confirm_b)] {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(&tt(names, [&share_a, &share_b], &k, &hex(&v.w)));
                assert_eq!(mac.finalize().into_bytes().as_slice(), hex(confirmation));
            }
        }
    }

    /// TT itself, which the product only hashes.
    fn tt(names: [&[u8]; 2], shares: [&PointBytes; 2], k: &PointBytes, w: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in [names[0], names[1], shares[0], shares[1], k, w] {
            out.extend((part.len() as u64).to_le_bytes());
            out.extend(part);
        }
        out
    }

    #[test]
    fn integers_are_reduced_modulo_the_order() {
        let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        assert_eq!(reduce(&order), Scalar::ZERO);
        let mut more = order.clone();
        more[31] += 7;
        assert_eq!(reduce(&more), Scalar::from(7u64));
        let mut long = order;
        long.extend([1, 0]);
        assert_eq!(reduce(&long), Scalar::from(256u64));
    }

    #[test]
    fn points_off_the_curve_at_infinity_or_in_another_form_are_refused() {
        let blinding = Blinding::new(Scalar::from(5u64));
        let good = blinding.share(Side::B, &Scalar::from(9u64));
        let x = Scalar::from(3u64);
        assert!(blinding.shared(Side::A, &x, &good).is_some());
        let mut off = good;
        off[64] ^= 1;
        let compressed = AffinePoint::from_sec1_bytes(&good).unwrap().to_sec1_point(true);
        let hybrid = {
            let mut h = good;
            h[0] = 6 + (good[64] & 1);
            h
        };
        for bad in [&off[..], &[0], &[0; 65], compressed.as_bytes(), &hybrid, &good[..64], &[], &[4; 65]] {
            assert!(blinding.shared(Side::A, &x, bad).is_none());
        }
        // w·N alone would make K the point at infinity, whoever knows the password.
        let infinity = encode(&blinding.w_n);
        assert!(blinding.shared(Side::A, &x, &infinity).is_none());
    }
}
