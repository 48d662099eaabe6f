//! Which packets of sound the other side takes, by its description (RFC 8866 §6.4, RFC 7587 §6.1): how long, and whether
//! pauses may be left out.
//!
//! What it says is a wish, and what is missing or makes no sense wishes nothing.

use crate::rate::{Lengths, PacketLength};

const SHORT_MS: u32 = 10;
const LONG_MS: u32 = 20;

/// Whether the other side prefers not to be sent pauses. Who does not say so gets them: its pauses may be dead silence.
pub(super) fn pauses_left_out(sdp: &str, opus: u8) -> bool {
    let format = format!("a=fmtp:{opus} ");
    let sound = sdp.lines().skip_while(|line| !line.starts_with("m=audio")).skip(1);
    let lines = sound.take_while(|line| !line.starts_with("m=")).filter_map(|line| line.strip_prefix(&format));
    lines.flat_map(|line| line.split(';')).any(|p| p.trim().eq_ignore_ascii_case("usedtx=1"))
}

/// The lengths that a description allows for packets under Opus's payload type.
pub(super) fn lengths(sdp: &str, opus: u8) -> Lengths {
    let format = format!("a=fmtp:{opus} ");
    let (mut least, mut usual, mut most) = (None, None, None);
    let sound = sdp.lines().skip_while(|line| !line.starts_with("m=audio")).skip(1);
    for line in sound.take_while(|line| !line.starts_with("m=")) {
        let line = line.trim_end();
        if let Some(parameters) = line.strip_prefix(&format) {
            for (name, value) in parameters.split(';').filter_map(|p| p.trim().split_once('=')) {
                match name.to_ascii_lowercase().as_str() {
                    "minptime" => least = ms(value),
                    "ptime" => usual = usual.or(ms(value)),
                    "maxptime" => most = most.or(ms(value)),
                    _ => {}
                }
            }
        } else if let Some(value) = line.strip_prefix("a=ptime:") {
            usual = ms(value);
        } else if let Some(value) = line.strip_prefix("a=maxptime:") {
            most = ms(value);
        }
    }
    let short = least.is_none_or(|least| least <= SHORT_MS) && usual.is_none_or(|usual| usual <= SHORT_MS);
    let long = most.is_none_or(|most| most >= LONG_MS);
    match (short, long) {
        (true, true) => Lengths::Both,
        (true, false) => Lengths::Only(PacketLength::Short),
        (false, true) => Lengths::Only(PacketLength::Long),
        // It wants both more and less than 20 ms: who takes no more than it says must have room for no more.
        (false, false) => Lengths::Only(PacketLength::Short),
    }
}

fn ms(value: &str) -> Option<u32> {
    value.trim().parse().ok().filter(|ms| *ms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PacketLength::{Long, Short};
    use proptest::prelude::*;

    fn description(lines: &str) -> String {
        format!(
            "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\na=ptime:40\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n\
             a=rtpmap:111 opus/48000/2\r\n{lines}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=maxptime:1\r\n"
        )
    }

    #[test]
    fn pauses_are_left_out_only_for_who_asks_for_it() {
        let asked = |lines: &str| pauses_left_out(&description(lines), 111);
        assert!(asked("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"));
        assert!(asked("a=fmtp:111 minptime=10; UseDTX=1\r\n"));
        for other in ["", "a=fmtp:111 useinbandfec=1\r\n", "a=fmtp:111 usedtx=0\r\n", "a=fmtp:63 usedtx=1\r\n"] {
            assert!(!asked(other), "{other}");
        }
    }

    #[test]
    fn a_browser_and_an_app_of_ours_take_both() {
        for lines in ["a=fmtp:111 minptime=10;useinbandfec=1\r\n", "", "a=fmtp:63 111/111\r\n", "a=maxptime:60\r\n"] {
            assert_eq!(lengths(&description(lines), 111), Lengths::Both, "{lines}");
        }
    }

    #[test]
    fn wishes_for_longer_or_shorter_packets_are_kept() {
        let cases = [
            ("a=fmtp:111 minptime=20; useinbandfec=1\r\n", Long),
            ("a=fmtp:111 useinbandfec=1;ptime=20\r\n", Long),
            ("a=ptime:20\r\n", Long),
            ("a=ptime:60\r\na=maxptime:60\r\n", Long),
            ("a=maxptime:10\r\n", Short),
            ("a=fmtp:111 maxptime=10\r\n", Short),
            ("a=ptime:20\r\na=maxptime:10\r\n", Short),
        ];
        for (lines, expected) in cases {
            assert_eq!(lengths(&description(lines), 111), Lengths::Only(expected), "{lines}");
        }
    }

    #[test]
    fn what_makes_no_sense_or_is_of_another_format_wishes_nothing() {
        for lines in
            ["a=ptime:\r\n", "a=ptime:-5\r\n", "a=maxptime:0\r\n", "a=fmtp:96 minptime=40\r\n", "a=fmtp:111 =;;\r\n"]
        {
            assert_eq!(lengths(&description(lines), 111), Lengths::Both, "{lines}");
        }
        assert_eq!(lengths("", 111), Lengths::Both);
    }

    proptest! {
        #[test]
        fn any_description_is_read_without_harm(
            text in "\\PC{0,200}",
            lines in "(a=(ptime|maxptime|fmtp):[ -~]{0,40}\r\n){0,5}",
        ) {
            lengths(&text, 111);
            lengths(&description(&lines), 111);
        }
    }
}
