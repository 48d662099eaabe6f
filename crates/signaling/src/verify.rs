//! The number that two people can read to each other, to be sure that nobody sits between them.

use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What was agreed on, for the verification number.
#[derive(Clone)]
pub struct Transcript {
    hash: Zeroizing<[u8; 32]>,
    newcomer: bool,
}

impl Transcript {
    pub(crate) fn new(hash: Zeroizing<[u8; 32]>, newcomer: bool) -> Self {
        Self { hash, newcomer }
    }

    /// The number, from the fingerprints (raw SHA-256 of the DTLS certificates) of the newcomer, A, and of who was there, B.
    ///
    /// SHA-256("visavis/1 verify" ‖ transcript hash ‖ A ‖ B), its first 11 bytes modulo 10²⁵: a shorter number could be
    /// ground by a man in the middle who knows the code.
    pub fn verification_number(&self, fingerprint_a: &[u8], fingerprint_b: &[u8]) -> VerificationNumber {
        let digest = Sha256::new()
            .chain_update(b"visavis/1 verify")
            .chain_update(self.hash.as_slice())
            .chain_update(fingerprint_a)
            .chain_update(fingerprint_b)
            .finalize();
        let number = digest[..11].iter().fold(0u128, |number, &byte| (number << 8) | u128::from(byte));
        VerificationNumber(number % 10u128.pow(25))
    }

    /// The same, from our own fingerprint and the other side's.
    pub fn verification_number_for(&self, ours: &[u8], theirs: &[u8]) -> VerificationNumber {
        if self.newcomer { self.verification_number(ours, theirs) } else { self.verification_number(theirs, ours) }
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transcript(…)")
    }
}

/// 25 digits; `Display` shows them in groups of five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationNumber(u128);

impl fmt::Display for VerificationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:025}", self.0);
        let groups: Vec<_> = (0..5).map(|i| &digits[i * 5..i * 5 + 5]).collect();
        f.write_str(&groups.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(newcomer: bool) -> Transcript {
        Transcript::new(Zeroizing::new([7; 32]), newcomer)
    }

    #[test]
    fn both_sides_see_the_same_number_and_it_depends_on_each_fingerprint() {
        let (a, b) = (transcript(true), transcript(false));
        let number = a.verification_number_for(&[1; 32], &[2; 32]);
        assert_eq!(b.verification_number_for(&[2; 32], &[1; 32]), number);
        assert_ne!(a.verification_number_for(&[1; 32], &[3; 32]), number);
        assert_ne!(a.verification_number_for(&[3; 32], &[2; 32]), number);
        assert_ne!(a.verification_number_for(&[2; 32], &[1; 32]), number);
    }

    #[test]
    fn it_has_twenty_five_digits_in_groups_of_five_with_leading_zeros() {
        assert_eq!(VerificationNumber(42).to_string(), "00000 00000 00000 00000 00042");
        let shown = transcript(true).verification_number(&[1; 32], &[2; 32]).to_string();
        assert_eq!(shown.split(' ').map(str::len).collect::<Vec<_>>(), [5; 5]);
    }
}
