//! What is said of DTLS: who begins it, which stays so whoever offers later, and whose keys it used.

use super::super::{Peer, PeerCommand, PeerEvent};
use super::pair::{LONG, settings};
use crate::session::fingerprint_of;
use tokio::sync::mpsc;

/// What becomes of an offer on its way.
type Change = fn(&str) -> String;

/// Two ends, and what each has to say.
struct Two {
    ends: [Peer; 2],
    news: [mpsc::Receiver<PeerEvent>; 2],
    change: Change,
}

impl Two {
    async fn new(change: Change) -> Self {
        let ((out_a, from_a), (out_b, from_b)) = (mpsc::channel(256), mpsc::channel(256));
        let a = Peer::build(&settings(), out_a).await.expect("a peer");
        let b = Peer::build(&settings(), out_b).await.expect("a peer");
        Self { ends: [a, b], news: [from_a, from_b], change }
    }

    /// Passes on what one has for the other until `over`; the first answer on the way.
    async fn until(&mut self, mut over: impl FnMut(usize, &PeerEvent) -> bool) -> Option<String> {
        let mut answer = None;
        loop {
            let [a, b] = &mut self.news;
            let (who, event) = tokio::select! {
                Some(event) = a.recv() => (0, event),
                Some(event) = b.recv() => (1, event),
            };
            if over(who, &event) {
                return answer;
            }
            let other = &self.ends[1 - who];
            match event {
                PeerEvent::Offer(sdp) => other.command(PeerCommand::AcceptOffer((self.change)(&sdp))),
                PeerEvent::Answer(sdp) => {
                    other.command(PeerCommand::AcceptAnswer(sdp.clone()));
                    answer = Some(sdp);
                }
                PeerEvent::Candidate { json, .. } => other.command(PeerCommand::AddCandidate(json)),
                PeerEvent::Failed(error) | PeerEvent::Misbehaves(error) => panic!("{error}"),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_later_answer_says_the_role_that_its_sender_has() {
    let test = async {
        let mut two = Two::new(str::to_owned).await;
        two.ends[0].command(PeerCommand::CreateOffer { restart: false });
        let mut open = [false; 2];
        let first = two.until(|who, event| {
            open[who] |= matches!(event, PeerEvent::ControlOpen);
            open == [true; 2]
        });
        let first = first.await.expect("an answer");
        assert!(first.contains("a=setup:active") && !first.contains("a=setup:passive"), "{first}");
        // Who offered first waits in DTLS, and says so when it answers; and the other still begins.
        for (offers, said, not) in [(1, "a=setup:passive", "a=setup:active"), (0, "a=setup:active", "a=setup:passive")]
        {
            two.ends[offers].command(PeerCommand::CreateOffer { restart: true });
            let mut back = [false; 2];
            let later = two.until(|who, event| {
                back[who] |= matches!(event, PeerEvent::IceConnected);
                back == [true; 2]
            });
            let later = later.await.expect("an answer");
            assert!(later.contains(said) && !later.contains(not), "{later}");
        }
        // And the association is the one that it was.
        two.ends[0].command(PeerCommand::SendControl("still here".into()));
        two.until(|who, event| who == 1 && *event == PeerEvent::Control("still here".into())).await;
    };
    tokio::time::timeout(LONG, test).await.expect("in time");
}

/// The offer with another fingerprint in it.
fn forged(offer: &str) -> String {
    let line = offer.lines().find(|line| line.starts_with("a=fingerprint:")).expect("a fingerprint").to_owned();
    offer.replace(&line, &format!("a=fingerprint:sha-256 {}", ["AB"; 32].join(":")))
}

#[tokio::test]
async fn keys_that_nobody_announced_are_told_as_what_they_are_before_anything_is_heard_over_them() {
    let test = async {
        let mut two = Two::new(forged).await;
        two.ends[0].command(PeerCommand::CreateOffer { restart: false });
        let (mut announced, mut stands) = (None, [None, None]);
        two.until(|who, event| {
            match event {
                PeerEvent::Offer(sdp) => announced = fingerprint_of(sdp),
                PeerEvent::Connected { theirs, .. } => stands[who] = Some(theirs.clone()),
                PeerEvent::Control(_) | PeerEvent::ControlOpen => assert!(stands[who].is_some(), "heard too early"),
                _ => {}
            }
            stands.iter().all(Option::is_some)
        })
        .await;
        let [_, theirs] = stands;
        assert!(theirs == announced && theirs != Some(vec![0xAB; 32]), "{theirs:?}");
    };
    tokio::time::timeout(LONG, test).await.expect("in time");
}
