//! What the webrtc crate makes of descriptions that were bent, and of a connection that is closed too early.

use super::*;
use crate::session::check_description;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use visavis_media::BitsPerSecond;

/// Longer than anything here takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);

struct End {
    peer: Peer,
    events: mpsc::Receiver<PeerEvent>,
}

impl End {
    async fn build() -> Self {
        let settings = PeerSettings {
            ice_servers: Vec::new(),
            relay_only: false,
            bind: vec![([127, 0, 0, 1], 0).into()],
            max_bitrate: BitsPerSecond::kilo(2500),
            mdns: false,
            names: NameCache::default(),
            trust: Trust::default(),
            wire: WireSettings { repeat: true, ..WireSettings::default() },
        };
        let (out, events) = mpsc::channel(256);
        Self { peer: Peer::build(&settings, out).await.expect("a connection"), events }
    }

    async fn next(&mut self) -> PeerEvent {
        tokio::time::timeout(LONG, self.events.recv()).await.expect("in time").expect("an event")
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(PeerEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }
}

/// Two connections that stand, at the very moment when the second hears so.
async fn connected() -> [End; 2] {
    let mut ends = [End::build().await, End::build().await];
    ends[0].peer.command(PeerCommand::CreateOffer { restart: false });
    let mut standing = [false; 2];
    while standing != [true; 2] {
        let [a, b] = &mut ends;
        let (i, event) = tokio::select! {
            event = a.next() => (0, event),
            event = b.next() => (1, event),
        };
        let other = &ends[1 - i].peer;
        match event {
            PeerEvent::Offer(sdp) => other.command(PeerCommand::AcceptOffer(sdp)),
            PeerEvent::Answer(sdp) => other.command(PeerCommand::AcceptAnswer(sdp)),
            PeerEvent::Candidate { json, .. } => other.command(PeerCommand::AddCandidate(json)),
            PeerEvent::Connected { .. } => standing[i] = true,
            _ => {}
        }
    }
    ends
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_tells_the_other_side_so() {
    for first in [0, 1] {
        let [a, b] = connected().await;
        let (closing, mut other) = if first == 0 { (a, b) } else { (b, a) };
        closing.peer.close().await;
        let before = other.until(|event| match event {
            PeerEvent::TheyClosed => Some(None),
            PeerEvent::IceDisconnected | PeerEvent::Failed(_) => Some(Some(event)),
            _ => None,
        });
        assert_eq!(before.await, None, "they say so; nobody has to find out");
    }
}

/// xorshift64: the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

/// Lines that an attacker would try.
const NASTY: [&str; 34] = [
    "m=video 9 UDP/TLS/RTP/SAVPF 102 102 255 300 -1",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "m=audio 0 RTP/AVP",
    "m=",
    "a=group:BUNDLE 0 0 1 2 3 nothing",
    "a=mid:",
    "a=mid:0",
    "a=mid:65536",
    "a=rtpmap:102 H264/0",
    "a=rtpmap:102 H264/99999999999",
    "a=rtpmap:-1 x/y/z",
    "a=fmtp:102 profile-level-id=zz;packetization-mode=9;;;=",
    "a=rtcp-fb:* transport-cc",
    "a=rtcp-fb:300 nack",
    "a=extmap:0 urn:x",
    "a=extmap:256/sideways urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "a=ssrc:0 cname:x",
    "a=ssrc:4294967296 msid:a b",
    "a=ssrc-group:FID 1",
    "a=ssrc-group:FID 1 1 1",
    "a=rid:h send",
    "a=simulcast:send h;~m;l recv ,,,",
    "a=msid:",
    "a=msid:- -",
    "a=setup:holdconn",
    "a=setup:",
    "a=sctp-port:0",
    "a=sctp-port:99999999",
    "a=max-message-size:-1",
    "a=ice-ufrag:",
    "a=ice-pwd:x",
    "a=candidate:1 1 udp 0 127.0.0.1 0 typ relay raddr ::1 rport 0",
    "a=ice-options:trickle renomination",
];

/// One bend of a description; the fingerprint stays, so that it is looked at.
fn bend(lines: &mut Vec<String>, dice: &mut Dice) {
    let at = dice.roll(lines.len());
    if lines.get(at).is_none_or(|line| line.starts_with("a=fingerprint")) {
        return;
    }
    match dice.roll(8) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = dice.roll(lines.len());
            lines.swap(at, other);
        }
        3 => {
            let keep = dice.roll(lines[at].len());
            lines[at] = lines[at].chars().take(keep).collect();
        }
        4 => {
            let mut words: Vec<&str> = lines[at].split(' ').collect();
            let word = dice.roll(words.len());
            words[word] = ["0", "-1", "4294967296", "99999999999999999999", "", "x", "65535", "é"][dice.roll(8)];
            lines[at] = words.join(" ");
        }
        5 => {
            let letter = dice.roll(lines[at].chars().count());
            let with = char::from(33 + dice.roll(94) as u8);
            lines[at] = lines[at].chars().enumerate().map(|(i, c)| if i == letter { with } else { c }).collect();
        }
        _ => lines.insert(at, NASTY[dice.roll(NASTY.len())].to_owned()),
    }
}

#[tokio::test]
async fn descriptions_bent_at_random_end_in_an_answer_or_a_word() {
    let mut maker = End::build().await;
    maker.peer.command(PeerCommand::CreateOffer { restart: false });
    let good = maker.until(|event| if let PeerEvent::Offer(sdp) = event { Some(sdp) } else { None }).await;
    let cases = if std::env::var_os("VISAVIS_LONG").is_some() { 50_000 } else { 1000 };
    let (mut dice, mut answered, mut refused, mut broken) = (Dice(0x9E37_79B9_7F4A_7C15), 0, 0, 0);
    let begun = Instant::now();
    for case in 0..cases {
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        for _ in 0..=dice.roll(4) {
            bend(&mut lines, &mut dice);
        }
        let sdp = lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect::<String>();
        if check_description(&sdp).is_err() {
            continue;
        }
        let mut victim = End::build().await;
        victim.peer.command(PeerCommand::AcceptOffer(sdp.clone()));
        for nasty in NASTY.iter().filter(|line| line.starts_with("a=candidate")) {
            let json = serde_json::json!({"candidate": &nasty[2..], "sdpMid": "0", "sdpMLineIndex": dice.roll(6)});
            victim.peer.command(PeerCommand::AddCandidate(json.to_string()));
        }
        let outcome = victim.until(|event| match event {
            PeerEvent::Answer(_) => Some(0),
            PeerEvent::Misbehaves(_) | PeerEvent::Failed(_) => Some(1),
            PeerEvent::Broken(_) => Some(2),
            _ => None,
        });
        match outcome.await {
            0 => answered += 1,
            1 => refused += 1,
            _ => {
                println!("case {case} makes the crate panic: {sdp}");
                broken += 1;
            }
        }
        victim.peer.close().await;
    }
    println!("{answered} answered, {refused} refused, {broken} broke, in {:?}", begun.elapsed());
    assert!(answered > 0 && refused > 0);
}
