//! How long a relay is waited with: two connections of the rtc crate with our timing, an emulated network between them
//! and a hand-moved clock.

use super::super::records::is_dtls;
use super::*;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::sansio::Protocol as _;
use rtc::shared::{TaggedBytesMut, TransportContext};
use std::time::Instant;

const STEP: Duration = Duration::from_millis(1);
const HOSTS: [([u8; 4], u16); 2] = [([192, 0, 2, 1], 5001), ([192, 0, 2, 2], 5002)];
/// The first one's, which stands for it at a TURN server.
const RELAY: ([u8; 4], u16) = ([203, 0, 113, 9], 6000);

/// One way, in ms; `None` where nothing gets through.
struct Network {
    direct: Option<u64>,
    relayed: u64,
}

fn end(now: Instant, relay_only: bool) -> RTCPeerConnection {
    let setting = with_timing(SettingEngineBuilder::new(), relay_only).build();
    let mut end = RTCPeerConnectionBuilder::new().with_setting_engine(setting).build(now).expect("a connection");
    end.create_data_channel("control", None).expect("a channel");
    end
}

/// Local to its owner, remote to the other one.
fn tell(ends: &mut [RTCPeerConnection; 2], owner: usize, candidate: &str) {
    let candidate = RTCIceCandidateInit {
        candidate: format!("candidate:{candidate}"),
        sdp_mid: Some("0".to_owned()),
        sdp_mline_index: Some(0),
        ..RTCIceCandidateInit::default()
    };
    ends[owner].add_local_candidate(candidate.clone()).expect("a candidate");
    ends[1 - owner].add_remote_candidate(candidate).expect("a candidate");
}

/// How long after the descriptions DTLS begins, and whether it goes through the relay.
fn chosen(network: &Network, relay_only: bool) -> (Duration, bool) {
    let begun = Instant::now();
    let mut ends = [end(begun, relay_only), end(begun, false)];
    let offer = ends[0].create_offer(None).expect("an offer");
    ends[0].set_local_description(begun, offer.clone()).expect("set");
    ends[1].set_remote_description(begun, offer).expect("set");
    let answer = ends[1].create_answer(None).expect("an answer");
    ends[1].set_local_description(begun, answer.clone()).expect("set");
    ends[0].set_remote_description(begun, answer).expect("set");
    let relay: SocketAddr = RELAY.into();
    for (owner, (ip, port)) in HOSTS.into_iter().enumerate().skip(usize::from(relay_only)) {
        tell(&mut ends, owner, &format!("1 1 udp 2130706431 {} {port} typ host", std::net::Ipv4Addr::from(ip)));
    }
    let (ip, port) = (relay.ip(), relay.port());
    tell(&mut ends, 0, &format!("2 1 udp 16777215 {ip} {port} typ relay raddr 0.0.0.0 rport 0"));

    let mut flying: Vec<(Instant, usize, TransportContext, Vec<u8>)> = Vec::new();
    let mut now = begun;
    loop {
        for (i, end) in ends.iter_mut().enumerate() {
            while let Some(message) = end.poll_write() {
                let TransportContext { local_addr, peer_addr, .. } = message.transport;
                let relayed = [local_addr, peer_addr].contains(&relay);
                if is_dtls(&message.message) {
                    return (now - begun, relayed);
                }
                let delay = if relayed { Some(network.relayed) } else { network.direct };
                let there = TransportContext { local_addr: peer_addr, peer_addr: local_addr, ..message.transport };
                flying
                    .extend(delay.map(|ms| (now + Duration::from_millis(ms), 1 - i, there, message.message.to_vec())));
            }
        }
        now += STEP;
        assert!(now < begun + Duration::from_secs(10), "no way was chosen");
        for (_, to, transport, bytes) in flying.extract_if(.., |(at, ..)| *at <= now) {
            let message = TaggedBytesMut { now, transport, message: bytes[..].into() };
            // A check that belongs to nothing is the other side's.
            let _ = ends[to].handle_read(message);
        }
        for end in &mut ends {
            while end.poll_event().is_some() {}
            end.handle_timeout(now).expect("time passes");
        }
    }
}

#[test]
fn a_direct_way_that_answers_later_than_the_relay_is_taken_all_the_same() {
    for direct in [10, 40, 70] {
        let (after, relayed) = chosen(&Network { direct: Some(direct), relayed: 5 }, false);
        assert!(!relayed, "at {direct} ms");
        assert!(after < Duration::from_millis(4 * direct + 60), "{after:?} at {direct} ms");
    }
}

#[test]
fn a_relay_is_taken_soon_where_nothing_else_answers() {
    let (after, relayed) = chosen(&Network { direct: None, relayed: 25 }, false);
    assert!(relayed && after > RELAY_WAIT && after < RELAY_WAIT + Duration::from_millis(150), "{after:?}");
}

#[test]
fn a_relay_is_taken_at_once_by_who_wants_nothing_else() {
    let (after, relayed) = chosen(&Network { direct: None, relayed: 25 }, true);
    assert!(relayed && after < RELAY_WAIT, "{after:?}");
}
