//! What comes from outside, bent: valid messages, seals, codes and links, changed step by step from seeds. Whatever comes of
//! it is read or refused; nothing panics, grows, or opens what was not sealed.
//!
//! A short run of what `fuzz/` does without end, with the same seeds each time.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::{Duration, Instant};
use visavis_media::{CallId, PeerId};
use visavis_signaling::{
    ClientMessage, ConnectionId, Envelope, Input, Invitation, Kind, Newcomer, Opener, Output, PakeSecret, Relay,
    RelayConfig, RoomCode, Sealer, ServerMessage, answer, check_partial, link,
};

const CODE: &str = "velvet-canyon-orbit-zero";
const LASTING: &str = "velvet-canyon-orbit-zero-garden-knock";
const ROUNDS: u64 = 4000;

/// Random numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.roll() % most.max(1) as u64) as usize
    }

    /// A text with a few changes, parts of others among them.
    fn bend(&mut self, seeds: &[String]) -> String {
        const ODD: [&str; 12] =
            ["\"", "{", "[", "null", "-1", "1e999", "18446744073709551616", "\\u0000", "\u{202e}", "|", "#", "://"];
        let mut text: Vec<char> = seeds[self.below(seeds.len())].chars().collect();
        for _ in 0..=self.below(6) {
            let (at, end) = (self.below(text.len() + 1), self.below(text.len() + 1));
            let (from, to) = (at.min(end), at.max(end).min(at.min(end) + 40));
            let part: Vec<char> = match self.below(6) {
                0 => Vec::new(),
                1 => text[from..to].repeat(2),
                2 => ODD[self.below(ODD.len())].chars().collect(),
                3 => char::from_u32(self.roll() as u32 % 0x11_0000).into_iter().collect(),
                4 => {
                    let other: Vec<char> = seeds[self.below(seeds.len())].chars().collect();
                    let start = self.below(other.len());
                    other[start..(start + self.below(30)).min(other.len())].to_vec()
                }
                _ => vec!['9'; self.below(30)],
            };
            text.splice(from..to, part);
        }
        text.into_iter().collect()
    }
}

/// Keys of both sides of one call: the host's sealer, the newcomer's opener.
fn keys() -> (Sealer, Opener) {
    let secret = PakeSecret::derive(&CODE.parse().unwrap());
    let (newcomer, share) = Newcomer::start(&secret);
    let (reply, host) = answer(&secret, &share).unwrap();
    (host.into_keys().sealer, newcomer.finish(&reply).unwrap().into_keys().opener)
}

fn envelopes(sealer: &mut Sealer) -> Vec<Envelope> {
    let (a, b, call) = (PeerId::new("a"), PeerId::new("b"), CallId::random());
    (0..4).map(|i| sealer.seal(Kind::Offer, &a, &b, &call, None, format!("{{\"sdp\":\"v={i}\"}}").as_bytes())).collect()
}

#[test]
fn bent_messages_are_read_or_refused_by_clients() {
    let (mut sealer, _) = keys();
    let offer = ClientMessage::sealed(Kind::Offer, envelopes(&mut sealer).remove(0)).to_json();
    let seeds = [
        offer,
        r#"{"type":"opened","peerId":"a","resume":"r","peers":[{"peerId":"b","pake":"BA"}],"iceServers":[{"urls":["stun:x"]}]}"#.into(),
        r#"{"type":"resumed","peerId":"a","resume":"r","peers":[],"received":3,"missed":1}"#.into(),
        r#"{"type":"peer-left","peerId":"a","reason":"lost"}"#.into(),
        r#"{"type":"error","code":"room-full","message":"full"}"#.into(),
    ];
    let mut dice = Dice(1);
    for round in 0..ROUNDS {
        let text = dice.bend(&seeds);
        if let Ok(message) = ServerMessage::parse(&text) {
            let again = ServerMessage::parse(&message.to_json());
            assert!(message == ServerMessage::Unknown || again.is_ok_and(|again| again == message), "{round}: {text}");
        }
    }
}

#[test]
fn bent_messages_neither_break_a_relay_nor_keep_others_from_meeting() {
    let secret = PakeSecret::derive(&CODE.parse().unwrap());
    let (room, (_, share)) = (CODE.parse::<RoomCode>().unwrap().room_id(), Newcomer::start(&secret));
    let (mut sealer, _) = keys();
    let seeds = [
        ClientMessage::open(room.clone()).to_json(),
        ClientMessage::join(room.clone(), share.clone()).to_json(),
        ClientMessage::dismiss(PeerId::new("b")).to_json(),
        ClientMessage::LeaveRoom.to_json(),
        ClientMessage::sealed(Kind::Offer, envelopes(&mut sealer).remove(0)).to_json(),
        r#"{"type":"resume","version":1,"roomId":"00","resume":"r","received":7}"#.into(),
    ];
    let (mut relay, mut now) = (Relay::new(RelayConfig::default(), [7; 32]), Instant::now());
    let mut dice = Dice(2);
    for round in 0..ROUNDS {
        let connection = ConnectionId(round / 8);
        if round % 8 == 0 {
            relay.handle(now, connection, Input::Connected);
        }
        relay.handle(now, connection, Input::Text(&dice.bend(&seeds)));
        now += Duration::from_millis(100);
        if round % 8 == 7 {
            relay.handle(now, connection, Input::Closed);
        }
        while relay.poll_output().is_some() {}
    }
    assert_eq!(relay.connections(), 0);
    // And two who mean it meet there as ever.
    let (host, guest) = (ConnectionId(u64::MAX), ConnectionId(u64::MAX - 1));
    for (who, text) in [(host, ClientMessage::open(room.clone())), (guest, ClientMessage::join(room, share))] {
        relay.handle(now, who, Input::Connected);
        relay.handle(now, who, Input::Text(&text.to_json()));
    }
    let mut said = String::new();
    while let Some(output) = relay.poll_output() {
        if let Output::Send { text, .. } = output {
            said.push_str(&text);
        }
    }
    for kind in ["\"opened\"", "\"joined\"", "\"peer-joined\""] {
        assert!(said.contains(kind), "{said}");
    }
}

#[test]
fn nothing_bent_opens_and_the_true_messages_open_all_the_same() {
    let (mut sealer, mut opener) = keys();
    let sealed = envelopes(&mut sealer);
    let seeds: Vec<String> = sealed.iter().map(|one| serde_json::to_string(one).unwrap()).collect();
    let mut dice = Dice(3);
    let mut tried = 0;
    for round in 0..ROUNDS {
        let Ok(bent) = serde_json::from_str::<Envelope>(&dice.bend(&seeds)) else { continue };
        if sealed.contains(&bent) {
            continue;
        }
        tried += 1;
        assert!(opener.open(Kind::Offer, &bent).is_err(), "round {round}");
        assert!(opener.open(Kind::Answer, &bent).is_err(), "round {round}");
    }
    assert!(tried > 100, "{tried}: bending breaks too much to show anything");
    for one in &sealed {
        assert!(opener.open(Kind::Offer, one).is_ok());
    }
}

#[test]
fn bent_codes_and_links_lead_where_they_say_or_nowhere() {
    let seeds = [
        CODE.to_owned(),
        format!("https://calls.example/#{CODE}"),
        format!("http://[2001:db8::1]:7460/visavis/#{CODE}"),
        "Velvet, canyon … orbi zero".to_owned(),
        LASTING.to_owned(),
        format!("https://calls.example/#{LASTING}"),
    ];
    let mut dice = Dice(4);
    for round in 0..ROUNDS {
        let text = dice.bend(&seeds);
        for word in check_partial(&text) {
            assert_eq!(text[word.range.clone()], word.text, "{round}");
        }
        let Ok(Invitation { code, server }) = text.parse() else { continue };
        assert_eq!(code.to_string().parse::<RoomCode>().unwrap(), code, "{text}");
        let Some(server) = server else { continue };
        let link = link(&server, &code).expect("a server of a link has a link");
        let again: Invitation = link.parse().unwrap_or_else(|error| panic!("{text}: {link}: {error}"));
        assert_eq!((again.code, again.server), (code, Some(server)), "{text}");
    }
}
