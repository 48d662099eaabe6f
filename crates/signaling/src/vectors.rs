//! The test vectors that Rust and JavaScript read, as Rust types.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Vectors {
    pub rfc9382: Vec<Rfc>,
    pub visavis: Vec<Ours>,
}

impl Vectors {
    pub(crate) fn load() -> Self {
        serde_json::from_str(include_str!("../tests/vectors.json")).unwrap()
    }
}

/// One of RFC 9382, appendix B.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rfc {
    pub a: String,
    pub b: String,
    pub w: String,
    pub x: String,
    pub y: String,
    pub share_a: String,
    pub share_b: String,
    pub k: String,
    pub ke: String,
    pub ka: String,
    pub confirm_a: String,
    pub confirm_b: String,
}

/// One of ours, from the code to the verification number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ours {
    pub code: String,
    pub room_id: String,
    pub password: String,
    pub w: String,
    pub x: String,
    pub y: String,
    pub share_a: String,
    pub share_b: String,
    pub transcript_hash: String,
    pub key_a_to_b: String,
    pub key_b_to_a: String,
    pub sealed: Vec<SealedVector>,
    pub fingerprint_a: String,
    pub fingerprint_b: String,
    pub verification: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SealedVector {
    pub direction: String,
    pub n: u64,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub r#type: String,
    pub plain: String,
    pub body: String,
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}
