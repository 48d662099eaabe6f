//! What STUN (RFC 8489) and TURN (RFC 8656) servers are asked, signed where they want that.

use super::stun::{COOKIE, HEADER, Method, NONCE, REALM, TransactionId};
use rtc::crypto::{CryptoError, HashAlgorithm, HmacAlgorithm, default_provider};

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const LIFETIME: u16 = 0x000D;
const REQUESTED_TRANSPORT: u16 = 0x0019;

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

pub(super) fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
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

#[cfg(test)]
mod tests {
    use super::super::stun::tests::hex;
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_sample_of_rfc_5769() {
        let id = *b"\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e";
        let credentials = Credentials {
            username: "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}".into(),
            password: "TheMatrIX".into(),
            realm: b"example.org".to_vec(),
            nonce: b"f//499k954d6OL34oL9FSTvy64sA".to_vec(),
        };
        let sample = hex(
            "00010060 2112a442 78ad3433 c6ad72c0 29da412e 00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000 \
             0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341 0014000b 6578616d 706c652e 6f726700 \
             00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666",
        );
        assert_eq!(request(Method::Binding, id, Some(&credentials)).unwrap(), sample);
    }
}
