//! Two connections over real sockets on loopback, and somebody on the path between them.

use super::super::wire::WireSettings;
use super::super::{NameCache, Peer, PeerCommand, PeerEvent, PeerLink, PeerSettings, Trust};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use visavis_media::BitsPerSecond;

/// Longer than anything here takes, even on a busy machine.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// What becomes of a datagram: those that are passed on instead of it.
pub(super) type Rule = Box<dyn FnMut(Vec<u8>) -> Vec<Vec<u8>> + Send>;

pub(super) fn settings() -> PeerSettings {
    PeerSettings {
        ice_servers: Vec::new(),
        relay_only: false,
        bind: vec![([127, 0, 0, 1], 0).into()],
        max_bitrate: BitsPerSecond::kilo(2500),
        mdns: false,
        names: NameCache::default(),
        trust: Trust::default(),
        wire: WireSettings { repeat: true, ..WireSettings::default() },
    }
}

/// The number of a video packet, which SRTP leaves readable.
pub(super) fn video(datagram: &[u8]) -> Option<u16> {
    let rtp = datagram.len() > 12 && datagram[0] >> 6 == 2 && datagram[1] & 0x7f == 102;
    rtp.then(|| u16::from_be_bytes([datagram[2], datagram[3]]))
}

/// What SRTP makes of a packet's payload: ciphertext and authentication tag.
pub(super) fn sealed(datagram: &[u8]) -> &[u8] {
    let extension = match datagram[0] & 0x10 {
        0 => 0,
        _ => 4 + 4 * usize::from(u16::from_be_bytes([datagram[14], datagram[15]])),
    };
    &datagram[12 + extension..]
}

/// Both ends of a connection; what the first sends to the second passes `rule`.
pub(super) struct Pair {
    pub a: (Peer, PeerLink),
    pub b: (Peer, PeerLink),
    pub offer: String,
    pub answer: String,
}

/// # Panics
/// When the two have not connected within half a minute.
pub(super) async fn connect(rule: Rule) -> Pair {
    tokio::time::timeout(LONG, negotiate(rule)).await.expect("a connection")
}

async fn negotiate(rule: Rule) -> Pair {
    let ((out_a, mut from_a), (out_b, mut from_b)) = (mpsc::channel(256), mpsc::channel(256));
    let mut a = Peer::build(&settings(), out_a).await.expect("a peer");
    let mut b = Peer::build(&settings(), out_b).await.expect("a peer");
    a.command(PeerCommand::CreateOffer { restart: false });
    let mut rule = Some(rule);
    let (mut offer, mut answer, mut connected) = (String::new(), String::new(), [false; 2]);
    while connected != [true; 2] {
        tokio::select! {
            Some(event) = from_a.recv() => match event {
                PeerEvent::Offer(sdp) => {
                    offer = without_candidates(&sdp);
                    b.command(PeerCommand::AcceptOffer(offer.clone()));
                }
                PeerEvent::Connected { .. } => connected[0] = true,
                PeerEvent::Failed(error) => panic!("{error}"),
                // The other side learns our address from what comes over the path.
                _ => {}
            },
            Some(event) = from_b.recv() => match event {
                PeerEvent::Answer(sdp) => {
                    answer = without_candidates(&sdp);
                    a.command(PeerCommand::AcceptAnswer(answer.clone()));
                }
                PeerEvent::Candidate { json, .. } => {
                    if let Some(rule) = rule.take() {
                        let door = open_path(address_in(&json), rule).await;
                        a.command(PeerCommand::AddCandidate(with_port(&json, door.port())));
                    }
                }
                PeerEvent::Connected { .. } => connected[1] = true,
                PeerEvent::Failed(error) => panic!("{error}"),
                _ => {}
            },
        }
    }
    let links = (a.take_link().expect("media"), b.take_link().expect("media"));
    // Nobody reads the events any more; they are bounded, and those who tell them give up when we are gone.
    tokio::spawn(async move { while from_a.recv().await.is_some() {} });
    tokio::spawn(async move { while from_b.recv().await.is_some() {} });
    Pair { a: (a, links.0), b: (b, links.1), offer, answer }
}

fn without_candidates(sdp: &str) -> String {
    let lines = sdp.lines().filter(|l| !l.starts_with("a=candidate") && !l.starts_with("a=end-of-candidates"));
    lines.flat_map(|l| [l, "\r\n"]).collect()
}

fn candidate(json: &str) -> (Value, Vec<String>) {
    let init: Value = serde_json::from_str(json).expect("a candidate");
    let fields = init["candidate"].as_str().expect("a candidate").split(' ').map(str::to_owned).collect();
    (init, fields)
}

fn address_in(json: &str) -> SocketAddr {
    let (_, fields) = candidate(json);
    format!("{}:{}", fields[4], fields[5]).parse().expect("an address")
}

fn with_port(json: &str, port: u16) -> String {
    let (mut init, mut fields) = candidate(json);
    fields[5] = port.to_string();
    init["candidate"] = fields.join(" ").into();
    init.to_string()
}

/// Opens a path to this address; gives the address at which the path begins.
async fn open_path(to: SocketAddr, mut rule: Rule) -> SocketAddr {
    let near = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let far = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let door = near.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut there, mut back) = (vec![0; 2048], vec![0; 2048]);
        let mut from = None;
        loop {
            tokio::select! {
                Ok((length, source)) = near.recv_from(&mut there) => {
                    from = Some(source);
                    for datagram in rule(there[..length].to_vec()) {
                        let _ = far.send_to(&datagram, to).await;
                    }
                }
                Ok((length, _)) = far.recv_from(&mut back) => if let Some(from) = from {
                    let _ = near.send_to(&back[..length], from).await;
                },
                else => return,
            }
        }
    });
    door
}
