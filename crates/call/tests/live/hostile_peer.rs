//! Somebody who knows the code and means harm: descriptions and candidates that no honest app would seal.

use crate::common::{Server, Side, call, hang_up, invitation, opens, without_devices};
use crate::impostor::{Impostor, text};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_tungstenite::tungstenite::Message;
use visavis_call::{Command, EndReason, Event, Options, Phase};
use visavis_media::{CallId, PeerId};
use visavis_signaling::{Envelope, Keys, Kind, Newcomer, PakeSecret, RoomCode, ServerMessage, Share, answer};

const FINGERPRINT: &str = "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n";

/// Descriptions that are none, with a fingerprint so that they are looked at.
fn broken_descriptions() -> Vec<String> {
    let many_sections = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n".repeat(1000);
    vec![
        FINGERPRINT.into(),
        format!("v=0\r\n{FINGERPRINT}"),
        format!("v=1\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{FINGERPRINT}"),
        format!("v=0\r\no=- {} 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{FINGERPRINT}", "9".repeat(400)),
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{FINGERPRINT}{many_sections}"),
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns={}\r\nt=0 0\r\n{FINGERPRINT}", "x".repeat(40_000)),
        format!("{}{FINGERPRINT}", "\u{0}\r\n=\r\na=\r\n".repeat(50)),
    ]
}

/// One line of a good description dropped, doubled, emptied or blown up; which, by the number.
fn mutated(good: &str, number: usize) -> String {
    let lines: Vec<&str> = good.lines().collect();
    let at = (number * 7919) % lines.len();
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        let (key, value) = line.split_at(line.find([':', '=']).map_or(line.len(), |i| i + 1));
        let new = match number % 6 {
            _ if i != at || line.starts_with("a=fingerprint") => (*line).to_owned(),
            0 => continue,
            1 => format!("{line}\r\n{line}"),
            2 => key.to_owned(),
            3 => format!("{key}{}", "9".repeat(100)),
            4 => format!("{key}{}", "x".repeat(5000)),
            _ => format!("{key}-1 {value} \u{1F4A3}"),
        };
        out.push_str(&new);
        out.push_str("\r\n");
    }
    out
}

fn candidates() -> Vec<Value> {
    let line = |text: String| json!({"candidate": {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0}});
    let mut all = vec![
        json!({}),
        json!({"candidate": null}),
        json!({"candidate": 7}),
        json!({"candidate": {"candidate": ["x"]}}),
        json!({"candidate": {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMLineIndex": 65535, "sdpMid": "nowhere"}}),
        line("candidate:".into()),
        line("x".repeat(10_000)),
        line("candidate:1 1 udp 99999999999999999999 127.0.0.1 99999 typ host".into()),
        line("candidate:1 1 tcp 1 999.1.1.1 9 typ host tcptype sideways".into()),
        line("candidate:1 1 udp 1 00000000-0000-0000-0000-000000000000.local 9 typ host".into()),
    ];
    all.extend((0..2000).map(|i| line(format!("candidate:{i} 1 udp {i} 127.0.0.1 {} typ host", 1024 + i))));
    all
}

fn seat(kind: &str) -> Message {
    text(&json!({"type": kind, "peerId": "victim", "resume": "r", "peers": [{"peerId": "attacker"}]}))
}

fn leave() -> Message {
    text(&json!({"type": "peer-left", "peerId": "attacker", "reason": "left"}))
}

/// The attacker's end of the keys.
struct Attacker {
    keys: Keys,
    call: CallId,
}

impl Attacker {
    fn seal(&mut self, kind: Kind, share: Option<Share>, plain: &Value) -> Message {
        let (from, to) = (PeerId::new("attacker"), PeerId::new("victim"));
        let body = plain.to_string();
        let envelope = self.keys.sealer.seal(kind, &from, &to, &self.call, share, body.as_bytes());
        let message = match kind {
            Kind::Offer => ServerMessage::Offer(envelope),
            Kind::Answer => ServerMessage::Answer(envelope),
            Kind::IceCandidate => ServerMessage::IceCandidate(envelope),
        };
        Message::text(message.to_json())
    }

    fn candidates(&mut self) -> Vec<Message> {
        candidates().iter().map(|c| self.seal(Kind::IceCandidate, None, c)).collect()
    }

    fn open(&mut self, kind: Kind, said: &Value) -> String {
        let envelope: Envelope = serde_json::from_value(said.clone()).unwrap();
        let plain = self.keys.opener.open(kind, &envelope).expect("the victim's message opens");
        serde_json::from_slice::<Value>(&plain).unwrap()["sdp"].as_str().unwrap().to_owned()
    }
}

/// Server and newcomer at once: comes to whoever opens this room, and answers the offer with `make(offer)`.
fn newcomer(code: &RoomCode, make: impl Fn(&str) -> String + Send + 'static) -> Impostor {
    let secret = PakeSecret::derive(code);
    let mut coming = None;
    Impostor::start(move |said| match said["type"].as_str() {
        Some("open") => {
            let (newcomer, share) = Newcomer::start(&secret);
            coming = Some(newcomer);
            vec![seat("opened"), text(&json!({"type": "peer-joined", "peerId": "attacker", "pake": share.as_str()}))]
        }
        Some("offer") => {
            let Some(newcomer) = coming.take() else { return Vec::new() };
            let share = Share::from_text(said["pake"].as_str().unwrap());
            let keys = newcomer.finish(&share).unwrap().into_keys();
            let mut attacker = Attacker { keys, call: CallId::new(said["callId"].as_str().unwrap()) };
            let offer = attacker.open(Kind::Offer, said);
            let mut out = vec![attacker.seal(Kind::Answer, None, &json!({"sdp": make(&offer)}))];
            out.extend(attacker.candidates());
            out.push(leave());
            out
        }
        _ => Vec::new(),
    })
}

/// Server and host at once: offers this to whoever joins, and floods whoever answers.
fn host(code: &RoomCode, sdp: String) -> Impostor {
    let secret = PakeSecret::derive(code);
    let mut there: Option<Attacker> = None;
    Impostor::start(move |said| match said["type"].as_str() {
        Some("join") => {
            let share = Share::from_text(said["pake"].as_str().unwrap());
            let (ours, agreed) = answer(&secret, &share).unwrap();
            let mut attacker = Attacker { keys: agreed.into_keys(), call: CallId::random() };
            let offer = attacker.seal(Kind::Offer, Some(ours), &json!({"sdp": sdp}));
            there = Some(attacker);
            vec![seat("joined"), offer]
        }
        Some("answer") => {
            let Some(attacker) = &mut there else { return Vec::new() };
            let mut out = attacker.candidates();
            out.push(leave());
            out
        }
        _ => Vec::new(),
    })
}

/// Uses this server for one attempt and leaves it again.
fn attempt(side: &mut Side, impostor: &Impostor, command: Command) -> EndReason {
    side.send(Command::SetServers(vec![impostor.url()]));
    side.send(command);
    let reason = side.ends();
    side.send(Command::HangUp);
    side.shows("the home screen", |s| matches!(s.phase, Phase::Home));
    reason
}

fn still_calls(side: &mut Side) {
    let server = Server::start();
    side.send(Command::SetServers(vec![server.url()]));
    side.hears(&Event::ServerConnected(server.address().to_string()));
    let mut other = Side::start("Bob", without_devices(Some(&server)));
    call(side, &mut other);
    hang_up(&mut other, side);
}

/// An offer of ours, as an attacker who knows the code gets to see it.
fn honest_offer(side: &mut Side) -> String {
    let code = RoomCode::random();
    let seen = Arc::new(Mutex::new(String::new()));
    let keep = seen.clone();
    let impostor = newcomer(&code, move |offer| {
        offer.clone_into(&mut keep.lock().unwrap());
        FINGERPRINT.to_owned()
    });
    attempt(side, &impostor, Command::Start(Some(code)));
    let offer = seen.lock().unwrap().clone();
    assert!(offer.starts_with("v=0"), "{offer}");
    offer
}

fn victim() -> Side {
    Side::start("Ann", without_devices(None))
}

fn clear(reason: &EndReason) -> bool {
    matches!(reason, EndReason::ConnectFailed | EndReason::PeerLeft | EndReason::Unusable(_))
}

#[test]
fn broken_offers_from_somebody_who_knows_the_code_end_that_attempt_only() {
    let mut side = victim();
    let good = honest_offer(&mut side);
    let offers = broken_descriptions().into_iter().chain((0..24).map(|i| mutated(&good, i)));
    for offer in offers {
        let code = RoomCode::random();
        let impostor = host(&code, offer.clone());
        let reason = attempt(&mut side, &impostor, Command::Join(invitation(&code)));
        assert!(clear(&reason), "{reason:?} after {offer:.300}");
    }
    still_calls(&mut side);
}

#[test]
fn broken_answers_from_somebody_who_knows_the_code_end_that_attempt_only() {
    let mut side = victim();
    let (mut ended, mut turned_away) = (0, 0);
    let good = (0..24).map(|number| (true, number)).chain((0..broken_descriptions().len()).map(|n| (false, n)));
    for (mutation, number) in good {
        let code = RoomCode::random();
        let impostor = newcomer(&code, move |offer| {
            let broken = || broken_descriptions().swap_remove(number);
            if mutation { mutated(&offer.replace("actpass", "active"), number) } else { broken() }
        });
        side.send(Command::SetServers(vec![impostor.url()]));
        side.send(Command::Start(Some(code)));
        // Some get as far as the webrtc crate; the rest are turned away before, and the room stays open.
        side.until("an end or a word", |side| match &side.state().phase {
            Phase::Ended(end) => {
                assert!(clear(&end.reason), "{:?} after answer {number}", end.reason);
                ended += 1;
                Some(())
            }
            Phase::Waiting(waiting) => {
                turned_away += usize::from(waiting.notice.is_some());
                waiting.notice.is_some().then_some(())
            }
            _ => None,
        });
        side.send(Command::HangUp);
        side.shows("the home screen", |s| matches!(s.phase, Phase::Home));
    }
    println!("{ended} ended, {turned_away} were turned away");
    assert!(ended > 0 && turned_away > 0);
    still_calls(&mut side);
}

#[test]
fn an_answer_without_a_fingerprint_is_no_proof_and_leaves_the_room_open() {
    let mut side = victim();
    let code = RoomCode::random();
    let impostor = newcomer(&code, |offer| {
        offer.lines().filter(|l| !l.starts_with("a=fingerprint")).flat_map(|l| [l, "\r\n"]).collect()
    });
    side.send(Command::SetServers(vec![impostor.url()]));
    side.hears(&Event::ServerConnected(impostor.url()[5..].to_owned()));
    assert_eq!(opens_under(&mut side, &code), code);
    side.send(Command::HangUp);
    side.shows("the home screen", |s| matches!(s.phase, Phase::Home));
    assert!(!side.unread().iter().any(|e| matches!(e, Event::PeerJoined)));
    still_calls(&mut side);
}

fn opens_under(side: &mut Side, code: &RoomCode) -> RoomCode {
    side.send(Command::Start(Some(code.clone())));
    side.event("an open room", |e| match e {
        Event::Joined { opened: true, code } => Some(code.parse().unwrap()),
        _ => None,
    })
}

#[test]
fn an_honest_call_is_not_disturbed_by_an_attempt_that_comes_to_nothing_before_it() {
    let server = Server::start();
    let mut a = Side::start("Ann", Options { name: "Ann".into(), ..without_devices(Some(&server)) });
    let code = opens(&mut a);
    // Takes the offer and leaves without an answer, over the real server.
    let secret = PakeSecret::derive(&code);
    let (_newcomer, share) = Newcomer::start(&secret);
    let mut client = crate::common::runtime()
        .block_on(async { visavis_signaling::Client::spawn(visavis_signaling::ClientConfig::new(server.url())) });
    client.send(visavis_signaling::ClientMessage::join(code.room_id(), share)).unwrap();
    crate::common::runtime().block_on(async {
        tokio::time::timeout(crate::common::LONG, async {
            while let Some(event) = client.next().await {
                if matches!(event, visavis_signaling::ClientEvent::Message(ServerMessage::Offer(_))) {
                    break;
                }
            }
            client.close().await;
        })
        .await
        .expect("an offer");
    });
    let mut b = Side::start("Bob", without_devices(Some(&server)));
    // The seat may be free only a moment later.
    loop {
        b.send(Command::Join(invitation(&code)));
        let end = b.event("an answer", |e| match e {
            Event::Connected { .. } => Some(None),
            Event::Ended(reason) => Some(Some(reason.clone())),
            _ => None,
        });
        match end {
            None => break,
            Some(reason) => assert_eq!(reason, EndReason::RoomFull),
        }
    }
    a.event("the connection", |e| matches!(e, Event::Connected { .. }).then_some(()));
    a.shows("the call", |s| matches!(s.phase, Phase::InCall(_)));
    hang_up(&mut a, &mut b);
}
