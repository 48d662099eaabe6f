//! What the other side is not told where calls are to be relayed only: the addresses behind the relay.
//!
//! A relay candidate names the address that it is reached from (`raddr`, RFC 8839 §5.1), for diagnosis; browsers leave
//! that out likewise.

use super::actor::PeerEvent;

/// The same event without addresses of this machine; `None` where nothing is left of it.
pub(super) fn hidden(event: PeerEvent) -> Option<PeerEvent> {
    Some(match event {
        PeerEvent::Candidate { json, loopback } if json.contains(" typ relay") => {
            PeerEvent::Candidate { json: unrelated(&json), loopback }
        }
        PeerEvent::Candidate { .. } => return None,
        PeerEvent::Offer(sdp) => PeerEvent::Offer(without_others(&sdp)),
        PeerEvent::Answer(sdp) => PeerEvent::Answer(without_others(&sdp)),
        PeerEvent::Staged(number, sdp) => PeerEvent::Staged(number, without_others(&sdp)),
        other => other,
    })
}

/// Of candidates in a description only those of relays are left, unrelated.
fn without_others(sdp: &str) -> String {
    let kept = sdp.split_inclusive('\n').filter(|l| !l.starts_with("a=candidate") || l.contains(" typ relay"));
    kept.map(|line| if line.starts_with("a=candidate") { unrelated(line) } else { line.to_owned() }).collect()
}

/// Blanks what a candidate is related to, which the grammar wants to be there.
fn unrelated(candidate: &str) -> String {
    let mut blank = None;
    let words = candidate.split(' ').map(|word| {
        let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':'))).unwrap_or(word.len());
        let word = blank.take().map_or(word.to_owned(), |blank| format!("{blank}{}", &word[end..]));
        blank = match word.as_str() {
            "raddr" => Some("0.0.0.0"),
            "rport" => Some("0"),
            _ => None,
        };
        word
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "candidate:1 1 udp 16777215 198.51.100.9 5000 typ relay raddr 192.168.1.7 rport 41000";
    const HOST: &str = "candidate:2 1 udp 2130706431 192.168.1.7 41000 typ host";
    const HIDDEN: &str = "candidate:1 1 udp 16777215 198.51.100.9 5000 typ relay raddr 0.0.0.0 rport 0";

    fn candidate(text: &str) -> PeerEvent {
        PeerEvent::Candidate { json: format!(r#"{{"candidate":"{text}","sdpMid":"0"}}"#), loopback: false }
    }

    #[test]
    fn a_relay_is_named_and_what_is_behind_it_is_not() {
        assert_eq!(hidden(candidate(RELAY)), Some(candidate(HIDDEN)));
        assert_eq!(hidden(candidate(&RELAY.replace("192.168.1.7", "2001:db8::7"))), Some(candidate(HIDDEN)));
        assert_eq!(
            hidden(candidate(&format!("{RELAY} generation 0"))),
            Some(candidate(&format!("{HIDDEN} generation 0")))
        );
        assert_eq!(hidden(candidate(HOST)), None);
    }

    #[test]
    fn descriptions_name_relays_alone() {
        let sdp =
            |relay: &str, rest: &str| format!("v=0\r\na=setup:actpass\r\na={relay}\r\n{rest}a=end-of-candidates\r\n");
        let (told, kept) = (sdp(RELAY, &format!("a={HOST}\r\n")), sdp(HIDDEN, ""));
        for wrap in [PeerEvent::Offer, PeerEvent::Answer, |sdp| PeerEvent::Staged(7, sdp)] {
            assert_eq!(hidden(wrap(told.clone())), Some(wrap(kept.clone())));
        }
        assert_eq!(hidden(PeerEvent::IceConnected), Some(PeerEvent::IceConnected));
    }
}
