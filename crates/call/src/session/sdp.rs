//! The one thing that is read out of session descriptions here: the certificate's fingerprint.

use sha2::{Digest, Sha256};

/// The SHA-256 fingerprint that a description announces (RFC 8122); `None` where it has none, or several that differ.
pub(crate) fn fingerprint_of(sdp: &str) -> Option<Vec<u8>> {
    let mut found: Option<Vec<u8>> = None;
    for line in sdp.lines() {
        let Some(value) = line.trim_end().strip_prefix("a=fingerprint:") else { continue };
        let (hash, digits) = value.split_once(' ')?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            continue;
        }
        let bytes: Option<Vec<u8>> = digits.trim().split(':').map(|b| u8::from_str_radix(b, 16).ok()).collect();
        let bytes = bytes.filter(|b| b.len() == 32)?;
        if found.as_ref().is_some_and(|f| *f != bytes) {
            return None;
        }
        found = Some(bytes);
    }
    found
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8) -> String {
        format!("a=fingerprint:sha-256 {}\r\n", vec![format!("{byte:02X}"); 32].join(":"))
    }

    #[test]
    fn a_fingerprint_is_read_and_may_be_repeated() {
        let sdp = format!("v=0\r\n{}m=audio\r\n{}", line(0xAB), line(0xAB));
        assert_eq!(fingerprint_of(&sdp), Some(vec![0xAB; 32]));
    }

    #[test]
    fn missing_short_or_contradicting_fingerprints_are_refused() {
        assert_eq!(fingerprint_of("v=0\r\n"), None);
        assert_eq!(fingerprint_of("a=fingerprint:sha-256 AA:BB\r\n"), None);
        assert_eq!(fingerprint_of(&format!("{}{}", line(1), line(2))), None);
        assert_eq!(fingerprint_of("a=fingerprint:sha-1 AA:BB\r\n"), None);
    }
}
