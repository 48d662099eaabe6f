//! What is looked at in descriptions and candidates of the other side before the webrtc crate gets to see them.
//!
//! Whoever knows the code may seal anything. The crate makes pairs of every local with every remote candidate and a
//! transceiver of every section, so both are bounded here; and without a fingerprint there would be nothing to compare
//! with what DTLS uses.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Longest description: ours have about 4 KB, a browser's with every codec about 8.
const LONGEST: usize = 32 * 1024;
/// Most lines of one.
const MOST_LINES: usize = 1000;
/// Longest line of one.
const LONGEST_LINE: usize = 2000;
/// Most media sections: sound, picture and control, and as many again for what newer apps may add.
const MOST_SECTIONS: usize = 6;
/// Most candidates of one ICE generation, in the description and after it: a machine with ten addresses, its
/// reflexive and its relayed ones.
pub(crate) const MOST_CANDIDATES: usize = 64;
/// Longest candidate line.
const LONGEST_CANDIDATE: usize = 512;
/// Longest name of a media section or an ICE generation (RFC 8839 §5.4 allows 256).
const LONGEST_TAG: usize = 256;

/// Why something that came sealed is not used; for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpFault {
    #[error("a description that is none")]
    Garbage,
    #[error("a description that is too long")]
    TooLong,
    #[error("a description with too many media sections")]
    TooManySections,
    #[error("too many network addresses")]
    TooManyCandidates,
    #[error("a description without a key fingerprint")]
    NoFingerprint,
    #[error("other keys in the middle of the call")]
    OtherKeys,
    #[error("too many descriptions")]
    TooMany,
}

/// What is taken out of a description that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// SHA-256 of the certificate.
    pub fingerprint: Vec<u8>,
    /// Names the ICE generation; empty where there is none.
    pub generation: String,
    /// Candidates in it.
    pub candidates: usize,
}

/// Looks through a description. What passes is bounded; whether it makes sense, the webrtc crate says.
pub(crate) fn check(sdp: &str) -> Result<Facts, SdpFault> {
    if sdp.len() > LONGEST || sdp.lines().count() > MOST_LINES {
        return Err(SdpFault::TooLong);
    }
    let (mut sections, mut candidates, mut generation) = (0, 0, "");
    for line in sdp.lines() {
        if line.len() > LONGEST_LINE {
            return Err(SdpFault::TooLong);
        }
        if line.chars().any(char::is_control) {
            return Err(SdpFault::Garbage);
        }
        sections += usize::from(line.starts_with("m="));
        candidates += usize::from(line.starts_with("a=candidate:"));
        generation = line.strip_prefix("a=ice-ufrag:").unwrap_or(generation);
    }
    if sections > MOST_SECTIONS {
        return Err(SdpFault::TooManySections);
    }
    if candidates > MOST_CANDIDATES {
        return Err(SdpFault::TooManyCandidates);
    }
    if generation.len() > LONGEST_TAG {
        return Err(SdpFault::Garbage);
    }
    let fingerprint = fingerprint_of(sdp).ok_or(SdpFault::NoFingerprint)?;
    Ok(Facts { fingerprint, generation: generation.to_owned(), candidates })
}

/// A candidate as the webrtc crate reads it, made anew from what is known of one; `None` where it is none. An empty
/// one means that there are no more.
pub(crate) fn candidate(sent: &Value) -> Option<Value> {
    let line = sent.get("candidate")?.as_str()?;
    if line.len() > LONGEST_CANDIDATE || line.chars().any(|c| !c.is_ascii() || c.is_control()) {
        return None;
    }
    let mut kept = Map::new();
    kept.insert("candidate".into(), line.into());
    for name in ["sdpMid", "usernameFragment"] {
        match sent.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(tag)) if tag.len() <= LONGEST_TAG => {
                kept.insert(name.into(), tag.as_str().into());
            }
            Some(_) => return None,
        }
    }
    match sent.get("sdpMLineIndex") {
        None | Some(Value::Null) => {}
        Some(index) => {
            let index = index.as_u64().filter(|i| *i < MOST_SECTIONS as u64)?;
            kept.insert("sdpMLineIndex".into(), index.into());
        }
    }
    Some(Value::Object(kept))
}

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

/// The ICE generation that a description names (RFC 8839 §5.4); `None` where it names none.
pub(crate) fn generation_of(sdp: &str) -> Option<&str> {
    sdp.lines().rev().find_map(|line| line.strip_prefix("a=ice-ufrag:")).filter(|name| !name.is_empty())
}

/// A description without candidates that are loopback addresses.
pub(super) fn without_loopback(sdp: &str) -> String {
    let kept = |line: &&str| !line.strip_prefix("a=candidate:").is_some_and(is_loopback);
    sdp.split_inclusive('\n').filter(kept).collect()
}

/// The address of a candidate (RFC 8839 §5.1) is a loopback one.
pub(super) fn is_loopback(candidate: &str) -> bool {
    let address = candidate.split_ascii_whitespace().nth(4).unwrap_or_default();
    address.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn line(byte: u8) -> String {
        format!("a=fingerprint:sha-256 {}\r\n", vec![format!("{byte:02X}"); 32].join(":"))
    }

    #[test]
    fn a_fingerprint_is_read_and_may_be_repeated() {
        let sdp = format!("v=0\r\n{}m=audio\r\n{}", line(0xAB), line(0xAB));
        assert_eq!(fingerprint_of(&sdp), Some(vec![0xAB; 32]));
    }

    #[test]
    fn loopback_candidates_are_known_and_left_out() {
        let (ours, theirs) = ("1 1 udp 2130706431 127.0.0.1 50000 typ host", "1 1 udp 1 192.0.2.7 50000 typ host");
        assert!(is_loopback(ours) && is_loopback("candidate:1 1 udp 2130706431 ::1 50000 typ host"));
        assert!(!is_loopback(theirs) && !is_loopback(""));
        let sdp = |lines: &[&str]| lines.iter().map(|l| format!("a={l}\r\n")).collect::<String>();
        let (ours, theirs) = (format!("candidate:{ours}"), format!("candidate:{theirs}"));
        let both = sdp(&["mid:0", &ours, &theirs, "end-of-candidates"]);
        assert_eq!(without_loopback(&both), sdp(&["mid:0", &theirs, "end-of-candidates"]));
    }

    #[test]
    fn the_generation_is_that_of_the_last_section() {
        assert_eq!(generation_of("a=ice-ufrag:one\r\nm=audio\r\na=ice-ufrag:two\r\n"), Some("two"));
        assert_eq!((generation_of("v=0\r\n"), generation_of("a=ice-ufrag:\r\n")), (None, None));
    }

    #[test]
    fn missing_short_or_contradicting_fingerprints_are_refused() {
        assert_eq!(fingerprint_of("v=0\r\n"), None);
        assert_eq!(fingerprint_of("a=fingerprint:sha-256 AA:BB\r\n"), None);
        assert_eq!(fingerprint_of(&format!("{}{}", line(1), line(2))), None);
        assert_eq!(fingerprint_of("a=fingerprint:sha-1 AA:BB\r\n"), None);
        assert_eq!(check("v=0\r\n"), Err(SdpFault::NoFingerprint));
    }

    #[test]
    fn what_is_larger_than_any_app_sends_is_refused_by_name() {
        let with = |more: &str| check(&format!("v=0\r\n{}{more}", line(1)));
        let section = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
        let candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
        assert!(with(&section.repeat(6)).is_ok() && with(&candidate.repeat(64)).is_ok());
        assert_eq!(with(&section.repeat(7)), Err(SdpFault::TooManySections));
        assert_eq!(with(&candidate.repeat(65)), Err(SdpFault::TooManyCandidates));
        assert_eq!(with(&"a=x\r\n".repeat(1000)), Err(SdpFault::TooLong));
        assert_eq!(with(&format!("s={}\r\n", "x".repeat(2000))), Err(SdpFault::TooLong));
        assert_eq!(with(&format!("s={}\r\n", "x".repeat(1000)).repeat(60)), Err(SdpFault::TooLong));
        assert_eq!(with("s=\u{7}\r\n"), Err(SdpFault::Garbage));
        assert_eq!(with(&format!("a=ice-ufrag:{}\r\n", "x".repeat(257))), Err(SdpFault::Garbage));
    }

    #[test]
    fn the_ice_generation_and_the_candidates_are_known() {
        let sdp = format!("v=0\r\n{}a=ice-ufrag:abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", line(3));
        let facts = check(&sdp).expect("a description");
        assert_eq!((facts.generation.as_str(), facts.candidates), ("abcd", 1));
    }

    #[test]
    fn a_candidate_keeps_what_is_known_of_it_and_loses_the_rest() {
        let line = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host";
        let sent = json!({"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": null, "url": "x"});
        assert_eq!(candidate(&sent), Some(json!({"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0})));
        assert_eq!(candidate(&json!({"candidate": ""})), Some(json!({"candidate": ""})));
        for bad in [
            json!({}),
            json!("candidate"),
            json!({"candidate": 7}),
            json!({"candidate": "x".repeat(513)}),
            json!({"candidate": "candidate:\u{202e}"}),
            json!({"candidate": line, "sdpMid": 7}),
            json!({"candidate": line, "sdpMid": "x".repeat(257)}),
            json!({"candidate": line, "sdpMLineIndex": 6}),
            json!({"candidate": line, "sdpMLineIndex": -1}),
            json!({"candidate": line, "usernameFragment": []}),
        ] {
            assert_eq!(candidate(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_description_within_bounds_or_refused(text in "(?s).{0,400}") {
            if let Ok(facts) = check(&text) {
                prop_assert!(facts.fingerprint.len() == 32 && facts.candidates <= MOST_CANDIDATES);
            }
        }

        #[test]
        fn any_json_is_a_candidate_within_bounds_or_none(
            line in proptest::option::of("(candidate:[0-9 a-z.:]{0,600}|\\PC{0,20})"),
            mid in proptest::option::of("\\PC{0,300}"),
            index in proptest::option::of(any::<i64>()),
        ) {
            let sent = json!({"candidate": line, "sdpMid": mid, "sdpMLineIndex": index, "more": [1]});
            if let Some(kept) = candidate(&sent) {
                prop_assert!(kept.to_string().len() < 2 * (LONGEST_CANDIDATE + LONGEST_TAG) + 100);
                prop_assert!(kept.as_object().is_some_and(|k| k.len() <= 4 && k["candidate"].is_string()));
            }
        }

        #[test]
        fn lines_in_any_order_are_read_or_refused(
            lines in proptest::collection::vec("(a=fingerprint:|sha-256 |([0-9A-F]{2}:){0,40}|m=|\r\n|a=candidate:|.)*", 0..20)
        ) {
            let _ = check(&lines.join("\r\n"));
        }
    }
}
