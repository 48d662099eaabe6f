//! How two connections begin DTLS: what is on the wire where the cookie was told ahead, and where not.

use super::super::{Peer, PeerCommand, PeerEvent};
use super::pair::{LONG, settings};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

/// Types of messages (RFC 6347 §4.3.2).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const VERIFY_REQUEST: u8 = 3;
const ATTRIBUTE: &str = "a=x-visavis-dtls-cookie:";

/// Handshake datagrams that were about to leave, repeats left out: which side, and the first message's type and number.
type Seen = Arc<Mutex<Vec<(usize, u8, u8, Vec<u8>)>>>;

struct Attempt {
    seen: Seen,
    connected: bool,
}

impl Attempt {
    /// Two connections, the offer changed on its way. The first so many hellos are lost. Ends when both stand or the
    /// client has repeated its hello so often that it gets no answer.
    async fn make(change: impl Fn(String) -> String, lost: u32) -> Self {
        let seen = Seen::default();
        let (count, mut hellos) = watch::channel(0);
        let count = Arc::new(count);
        let side = |number: usize| {
            let (seen, count) = (seen.clone(), count.clone());
            let mut settings = settings();
            settings.wire.filter = Some(Arc::new(move |_, datagram: &[u8]| {
                // Plain handshake messages; under keys only those that are finished with it write.
                if datagram.first() != Some(&22) || datagram.get(4) != Some(&0) || datagram.len() < 25 {
                    return true;
                }
                let new = (number, datagram[13], datagram[18], datagram.to_vec());
                let mut seen = seen.lock().unwrap();
                if !seen.contains(&new) {
                    seen.push(new);
                }
                if datagram[13] == CLIENT_HELLO {
                    count.send_modify(|count| *count += 1);
                }
                datagram[13] != CLIENT_HELLO || *count.borrow() > lost
            }));
            settings
        };
        let ((out_a, mut from_a), (out_b, mut from_b)) = (mpsc::channel(256), mpsc::channel(256));
        let a = Peer::build(&side(0), out_a).await.expect("a connection");
        let b = Peer::build(&side(1), out_b).await.expect("a connection");
        a.command(PeerCommand::CreateOffer { restart: false });
        let mut standing = [false; 2];
        let both = async {
            while standing != [true; 2] {
                let (i, event) = tokio::select! {
                    event = from_a.recv() => (0, event),
                    event = from_b.recv() => (1, event),
                    _ = hellos.wait_for(|count| *count >= 7) => return,
                };
                let other = if i == 0 { &b } else { &a };
                match event.expect("an event") {
                    PeerEvent::Offer(sdp) => other.command(PeerCommand::AcceptOffer(change(sdp))),
                    PeerEvent::Answer(sdp) => other.command(PeerCommand::AcceptAnswer(sdp)),
                    PeerEvent::Candidate { json, .. } => other.command(PeerCommand::AddCandidate(json)),
                    PeerEvent::Connected { .. } => standing[i] = true,
                    PeerEvent::Broken(why) | PeerEvent::Failed(why) => panic!("{why}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(LONG, both).await.expect("in time");
        Self { seen, connected: standing == [true; 2] }
    }

    /// Side, type and number of the messages before the server's own hello.
    fn beginning(&self) -> Vec<(usize, u8, u8)> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .take_while(|(_, kind, ..)| *kind != SERVER_HELLO)
            .map(|(side, kind, n, _)| (*side, *kind, *n))
            .collect()
    }
}

const ORDINARY: [(usize, u8, u8); 3] = [(1, CLIENT_HELLO, 0), (0, VERIFY_REQUEST, 0), (1, CLIENT_HELLO, 1)];

fn without(offer: &str) -> String {
    offer.lines().filter(|line| !line.starts_with(ATTRIBUTE)).flat_map(|line| [line, "\r\n"]).collect()
}

/// The offer with another value of the attribute.
fn with(offer: &str, told: &str) -> String {
    without(offer).replacen("m=", &format!("{ATTRIBUTE}{told}\r\nm="), 1)
}

#[tokio::test]
async fn between_two_apps_the_first_hello_that_leaves_has_the_cookie_and_is_answered_at_once() {
    let attempt = Attempt::make(|offer| offer, 0).await;
    assert!(attempt.connected);
    assert_eq!(attempt.beginning(), [(1, CLIENT_HELLO, 1)]);
}

#[tokio::test]
async fn who_is_told_no_cookie_or_none_that_is_one_is_asked_for_it_as_ever() {
    let garbage = "x".repeat(1900);
    for told in [None, Some(""), Some("00ff"), Some(&garbage)] {
        let change = |offer: String| told.map_or_else(|| without(&offer), |told| with(&offer, told));
        let attempt = Attempt::make(change, 0).await;
        assert!(attempt.connected, "{told:?}");
        assert_eq!(attempt.beginning(), ORDINARY, "{told:?}");
    }
}

#[tokio::test]
async fn hellos_that_are_lost_are_said_again_until_one_arrives() {
    for lost in [1, 4] {
        let attempt = Attempt::make(|offer| offer, lost).await;
        assert!(attempt.connected, "{lost} lost");
        assert!(attempt.beginning().iter().all(|(side, kind, _)| (*side, *kind) == (1, CLIENT_HELLO)), "{lost} lost");
    }
}

#[tokio::test]
async fn a_wrong_cookie_gets_no_answer_and_breaks_nothing() {
    let attempt = Attempt::make(|offer| with(&offer, &"5a".repeat(20)), 0).await;
    assert!(!attempt.connected);
    assert!(attempt.seen.lock().unwrap().iter().all(|(side, ..)| *side == 1), "the server says nothing");
}
