//! Random orders of commands, messages and connection events: never stuck, never two calls, nothing left over.

use super::super::*;
use super::world::{LINK, World};
use crate::api::Phase;
use proptest::prelude::*;
use visavis_signaling::{ErrorCode, Invitation, LeaveReason};

#[derive(Clone, Debug)]
enum Step {
    Start(usize),
    /// Joins under the code that the other waits under, if any.
    Join(usize),
    Meet(usize),
    HangUp(usize),
    Mute(usize, bool),
    Chat(usize),
    Disconnected(usize),
    Reconnected(usize),
    Failed(usize),
    LinkDown(usize),
    LinkUp(usize),
    PeerLeft(usize),
    SeatGone(usize),
    /// The next connection is stuck in DTLS.
    Stuck(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0usize..3;
    prop_oneof![
        3 => who.clone().prop_map(Step::Start),
        4 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::Meet),
        3 => who.clone().prop_map(Step::HangUp),
        1 => (who.clone(), any::<bool>()).prop_map(|(i, on)| Step::Mute(i, on)),
        1 => who.clone().prop_map(Step::Chat),
        1 => who.clone().prop_map(Step::Disconnected),
        1 => who.clone().prop_map(Step::Reconnected),
        1 => who.clone().prop_map(Step::Failed),
        1 => who.clone().prop_map(Step::LinkDown),
        2 => who.clone().prop_map(Step::LinkUp),
        1 => who.clone().prop_map(Step::PeerLeft),
        1 => who.clone().prop_map(Step::SeatGone),
        2 => who.prop_map(Step::Stuck),
        3 => (0u64..40_000).prop_map(Step::Pass),
    ]
}

fn waiting_code(w: &World) -> Option<RoomCode> {
    (0..3).find_map(|i| match w.phase(i) {
        Phase::Waiting(waiting) => Some(waiting.code),
        _ => None,
    })
}

fn take(w: &mut World, step: &Step, codes: &[RoomCode]) {
    let peer = |w: &World, i: usize| w.people[i].session.stage_key();
    match step {
        // A few codes, so that deriving keys (slow on purpose) is done a few times only.
        Step::Start(i) => w.command(*i, Command::Start(Some(codes[*i].clone()))),
        Step::Join(i) => {
            let code = waiting_code(w).unwrap_or_else(|| codes[0].clone());
            w.command(*i, Command::Join(Invitation { code, server: None }));
        }
        Step::Meet(i) => w.command(*i, Command::Meet(codes[0].clone())),
        Step::HangUp(i) => w.command(*i, Command::HangUp),
        Step::Mute(i, on) => w.command(*i, Command::SetMuted(*on)),
        Step::Chat(i) => w.command(*i, Command::Chat("hello".into())),
        Step::Disconnected(i) | Step::Reconnected(i) | Step::Failed(i) => {
            if let Some(key) = peer(w, *i) {
                let event = match step {
                    Step::Disconnected(_) => PeerEvent::IceDisconnected,
                    Step::Failed(_) => PeerEvent::Failed("broken".into()),
                    _ => PeerEvent::IceConnected,
                };
                w.input(*i, Input::Peer(key, event));
            }
        }
        Step::LinkDown(i) => w.input(*i, Input::LinkDown(LINK, "down".into())),
        Step::LinkUp(i) => w.input(*i, Input::LinkUp(LINK)),
        Step::PeerLeft(i) => {
            let peer_id = visavis_media::PeerId::new("nobody");
            w.input(*i, Input::Received(LINK, ServerMessage::PeerLeft { peer_id, reason: LeaveReason::Left }));
        }
        Step::SeatGone(i) => {
            let message = ServerMessage::Error { code: ErrorCode::SeatGone, message: "gone".into() };
            w.input(*i, Input::Received(LINK, message));
        }
        Step::Stuck(i) => w.people[*i].stuck = 1,
        Step::Pass(ms) => w.pass(Duration::from_millis(*ms)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_leaves_everybody_able_to_call(steps in proptest::collection::vec(step(), 1..60)) {
        let codes: Vec<RoomCode> =
            ["abandon abandon abandon absurd", "velvet canyon orbit zero", "abandon abandon abandon absurd"]
                .iter().map(|c| c.parse().expect("valid codes")).collect();
        let mut w = World::new(3);
        for step in &steps {
            take(&mut w, step, &codes);
            for i in 0..3 {
                // `carry_out` asserts that no second call begins; what is shown and what flows agree.
                let talking = matches!(w.phase(i), Phase::InCall(_));
                prop_assert_eq!(talking, w.people[i].media, "person {}: {:?}", i, w.phase(i));
                prop_assert!(w.peer_count(i) <= 3);
            }
        }
        // Whatever happened: everybody goes home, the links come back, and two of them can call.
        for i in 0..3 {
            w.input(i, Input::LinkUp(LINK));
            w.command(i, Command::HangUp);
            w.command(i, Command::HangUp);
            w.people[i].stuck = 0;
            prop_assert!(matches!(w.phase(i), Phase::Home), "person {}: {:?}", i, w.phase(i));
            prop_assert_eq!(w.peer_count(i), 0);
        }
        w.pass(Duration::from_secs(60));
        w.command(0, Command::Start(None));
        let code = w.code(0);
        w.command(1, Command::Join(Invitation { code, server: None }));
        prop_assert!(w.in_call(0) && w.in_call(1), "{:?} / {:?}", w.phase(0), w.phase(1));
    }
}
