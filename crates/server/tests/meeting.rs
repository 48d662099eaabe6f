//! Two clients meet through a server, and stay together whatever happens to the connections.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{LONG, Raw, Server, client, event, message};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use visavis_media::{CallId, PeerId};
use visavis_server::ServerConfig;
use visavis_signaling::{
    Agreed, Client, ClientConfig, ClientEvent, ClientMessage, ErrorCode, Keys, Kind, LeaveReason, Newcomer, PakeSecret,
    RoomCode, Seat, ServerMessage, Trouble, answer,
};

fn secret() -> PakeSecret {
    PakeSecret::derive(&"velvet-canyon-orbit-zero".parse::<RoomCode>().unwrap())
}

async fn open(client: &mut Client, secret: &PakeSecret) -> Seat {
    client.send(ClientMessage::open(secret.room_id().clone())).unwrap();
    match message(client).await {
        ServerMessage::Opened(seat) => seat,
        other => panic!("{other:?}"),
    }
}

/// Two clients, seated and agreed on keys: the opener first.
async fn pair(opener_url: &str, newcomer_url: &str) -> ((Client, Seat, Keys), (Client, Seat, Keys)) {
    let secret = secret();
    let (mut a, mut b) = (client(opener_url), client(newcomer_url));
    let seat_a = open(&mut a, &secret).await;
    let (newcomer, share) = Newcomer::start(&secret);
    b.send(ClientMessage::join(secret.room_id().clone(), share)).unwrap();
    let ServerMessage::Joined(seat_b) = message(&mut b).await else { panic!("not joined") };
    let ServerMessage::PeerJoined { peer_id, pake: Some(share) } = message(&mut a).await else { panic!("nobody came") };
    assert_eq!((&peer_id, &seat_b.peers[0].peer_id), (&seat_b.peer_id, &seat_a.peer_id));
    let (share, host): (_, Agreed) = answer(&secret, &share).unwrap();
    let mut host = host.into_keys();
    let offer = host.sealer.seal(Kind::Offer, &seat_a.peer_id, &peer_id, &CallId::new("call"), Some(share), b"offer");
    a.send(ClientMessage::sealed(Kind::Offer, offer)).unwrap();
    let ServerMessage::Offer(offer) = message(&mut b).await else { panic!("no offer") };
    let mut newcomer = newcomer.finish(offer.pake.as_ref().unwrap()).unwrap().into_keys();
    assert_eq!(newcomer.opener.open(Kind::Offer, &offer).unwrap().as_slice(), b"offer");
    ((a, seat_a, host), (b, seat_b, newcomer))
}

#[tokio::test]
async fn where_addresses_are_given_all_are_tried_at_once_and_no_name_is_looked_up() {
    let server = Server::start(ServerConfig::default()).await;
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // For documentation (RFC 5737): it is not there, and mostly nobody says so.
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 9));
    let addresses = vec![nowhere, refused, server.address];
    let mut client = Client::spawn(ClientConfig { addresses, ..ClientConfig::new("ws://no-such-name.invalid:7460") });
    assert!(matches!(event(&mut client).await, ClientEvent::Connected));
    server.stop().await;
}

/// Sends one sealed message.
fn send(from: &mut (Client, Seat, Keys), to: &PeerId, kind: Kind, plain: &[u8]) {
    let envelope = from.2.sealer.seal(kind, &from.1.peer_id, to, &CallId::new("call"), None, plain);
    from.0.send(ClientMessage::sealed(kind, envelope)).unwrap();
}

/// Receives the next sealed message that opens.
async fn receive(to: &mut (Client, Seat, Keys)) -> Vec<u8> {
    loop {
        let message = message(&mut to.0).await;
        if let Some((kind, envelope)) = message.sealed()
            && let Ok(plain) = to.2.opener.open(kind, envelope)
        {
            return plain.to_vec();
        }
    }
}

#[tokio::test]
async fn two_clients_meet_and_talk_under_keys_that_the_server_never_sees() {
    let server = Server::start(ServerConfig::default()).await;
    let (mut a, mut b) = pair(&server.url(), &format!("{}/ws", server.url())).await;
    let (peer_a, peer_b) = (a.1.peer_id.clone(), b.1.peer_id.clone());
    send(&mut b, &peer_a, Kind::Answer, b"answer");
    assert_eq!(receive(&mut a).await, b"answer");
    for i in 0..20u8 {
        send(&mut a, &peer_b, Kind::IceCandidate, &[i]);
        send(&mut b, &peer_a, Kind::IceCandidate, &[i]);
    }
    for i in 0..20u8 {
        assert_eq!((receive(&mut a).await, receive(&mut b).await), (vec![i], vec![i]), "in order");
    }
    timeout(LONG, b.0.close()).await.unwrap();
    let left = message(&mut a.0).await;
    assert_eq!(left, ServerMessage::PeerLeft { peer_id: peer_b, reason: LeaveReason::Left });
    server.stop().await;
    assert!(matches!(event(&mut a.0).await, ClientEvent::Disconnected { why: Trouble::Closed(_), .. }));
}

#[tokio::test]
async fn a_dropped_client_leaves_its_room_at_once() {
    let server = Server::start(ServerConfig::default()).await;
    let ((mut a, ..), (b, seat, _)) = pair(&server.url(), &server.url()).await;
    drop(b);
    assert_eq!(message(&mut a).await, ServerMessage::PeerLeft { peer_id: seat.peer_id, reason: LeaveReason::Left });
}

#[tokio::test]
async fn messages_sent_before_the_connection_stands_are_sent_when_it_does() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut a = client(&format!("ws://{free}"));
    a.send(ClientMessage::open(secret().room_id().clone())).unwrap();
    let ClientEvent::Disconnected { why, .. } = event(&mut a).await else { panic!("connected to nothing") };
    assert!(matches!(why, Trouble::Refused { .. }), "{why}");
    let _server = Server::start_at(free, ServerConfig::default()).await;
    assert!(matches!(message(&mut a).await, ServerMessage::Opened(_)));
}

#[tokio::test]
async fn a_seat_is_resumed_while_the_old_connection_is_half_open() {
    let server = Server::start(ServerConfig::default()).await;
    let (mut a, mut b) = (Raw::connect(&server).await, Raw::connect(&server).await);
    let seat_a = a.open(common::ROOM).await;
    let seat_b = b.join(common::ROOM).await;
    assert_eq!(a.hear().await.unwrap()["type"], "peer-joined");
    // The old connection stays open; its owner comes over a new one.
    let mut again = Raw::connect(&server).await;
    let resume =
        json!({"type": "resume", "version": 1, "roomId": common::ROOM, "resume": seat_b["resume"], "received": 0});
    let resumed = again.ask(&resume).await;
    assert_eq!((&resumed["type"], &resumed["peerId"]), (&json!("resumed"), &seat_b["peerId"]));
    assert_eq!(b.hear().await, None, "the old connection is ended");
    a.say(&common::offer(common::ROOM, &seat_a, &seat_b, "x")).await;
    assert_eq!(again.hear().await.unwrap()["type"], "offer");
    again.say(&common::offer(common::ROOM, &seat_b, &seat_a, "y")).await;
    assert_eq!(a.hear().await.unwrap()["sealed"], "y", "and nobody was told that somebody left");
}

/// Passes connections on to a server; can let all of them go dead, without closing them, or cut them.
struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Passing,
    /// Connections that exist pass nothing on any more; new ones do.
    Dead,
    /// Connections that exist are cut; new ones pass.
    Cut,
}

impl Proxy {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Passing);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut seen = seen.clone();
                seen.mark_unchanged();
                tokio::spawn(async move {
                    let mut upstream = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut upstream) => return,
                        _ = seen.changed() => {}
                    }
                    if *seen.borrow() == State::Dead {
                        // Held open until the test ends.
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, state }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

#[tokio::test]
async fn a_client_whose_connection_went_dead_resumes_its_seat_and_loses_nothing() {
    let server = Server::start(ServerConfig::default()).await;
    let proxy = Proxy::to(server.address).await;
    let (mut a, mut b) = pair(&proxy.url(), &server.url()).await;
    let (peer_a, peer_b) = (a.1.peer_id.clone(), b.1.peer_id.clone());
    proxy.state.send(State::Dead).unwrap();
    // Both ways into the dead connection.
    send(&mut a, &peer_b, Kind::Offer, b"up, lost at first");
    send(&mut b, &peer_a, Kind::Answer, b"down, lost at first");
    a.0.probe();
    let ClientEvent::Disconnected { why: Trouble::Silent, retry_in } = event(&mut a.0).await else {
        panic!("not noticed")
    };
    assert_eq!(retry_in, Duration::ZERO);
    assert!(matches!(event(&mut a.0).await, ClientEvent::Connected));
    assert!(matches!(message(&mut a.0).await, ServerMessage::Resumed(seat) if seat.peer_id == peer_a));
    assert_eq!(receive(&mut a).await, b"down, lost at first");
    assert_eq!(receive(&mut b).await, b"up, lost at first", "the first thing that b hears: nobody left");
    send(&mut a, &peer_b, Kind::Offer, b"and on");
    assert_eq!(receive(&mut b).await, b"and on");
}

#[tokio::test]
async fn a_cut_connection_is_mended_at_once_and_messages_keep_their_order() {
    let server = Server::start(ServerConfig::default()).await;
    let proxy = Proxy::to(server.address).await;
    let (mut a, mut b) = pair(&proxy.url(), &server.url()).await;
    let (peer_a, peer_b) = (a.1.peer_id.clone(), b.1.peer_id.clone());
    let (mut heard_a, mut heard_b) = (0u8, 0u8);
    for round in 0..5u8 {
        for i in 0..6 {
            send(&mut a, &peer_b, Kind::IceCandidate, &[round * 6 + i]);
            send(&mut b, &peer_a, Kind::IceCandidate, &[round * 6 + i]);
            if i == 2 {
                proxy.state.send(State::Cut).unwrap();
            }
        }
        while heard_a < round * 6 + 6 {
            assert_eq!(receive(&mut a).await, [heard_a]);
            heard_a += 1;
        }
        while heard_b < round * 6 + 6 {
            assert_eq!(receive(&mut b).await, [heard_b]);
            heard_b += 1;
        }
    }
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_says_that_the_seat_is_gone() {
    let server = Server::start(ServerConfig::default()).await;
    let address = server.address;
    let secret = secret();
    let mut a = client(&server.url());
    open(&mut a, &secret).await;
    server.stop().await;
    let ClientEvent::Disconnected { why, .. } = event(&mut a).await else { panic!("not noticed") };
    assert_eq!(why.to_string(), "the server closed the connection: the server is stopping");
    let _server = Server::start_at(address, ServerConfig::default()).await;
    let ServerMessage::Error { code, .. } = message(&mut a).await else { panic!("no error") };
    assert_eq!(code, ErrorCode::SeatGone);
    open(&mut a, &secret).await;
}

#[tokio::test]
async fn closing_a_client_takes_a_moment_even_where_the_server_is_gone() {
    let server = Server::start(ServerConfig::default()).await;
    let proxy = Proxy::to(server.address).await;
    let mut a = client(&proxy.url());
    open(&mut a, &secret()).await;
    proxy.state.send(State::Dead).unwrap();
    timeout(Duration::from_secs(5), a.close()).await.expect("bounded");
    timeout(Duration::from_secs(5), client("ws://192.0.2.1:1").close()).await.expect("bounded while connecting");
}

#[tokio::test]
async fn what_is_no_signaling_server_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut a = client(&format!("ws://{}", listener.local_addr().unwrap()));
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let ClientEvent::Disconnected { why, .. } = event(&mut a).await else { panic!("connected") };
    assert_eq!(why, Trouble::NotAServer("HTTP 200".into()));
    let mut b = client("call.example");
    let ClientEvent::Failed(error) = event(&mut b).await else { panic!("no failure") };
    assert_eq!(error.to_string(), "“call.example” is no server address; one looks like wss://HOST or ws://HOST:PORT");
    assert!(timeout(LONG, b.next()).await.unwrap().is_none(), "nothing comes after it");
}
