use super::super::Way;
use super::super::stun::answer;
use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A STUN server on loopback that says what it sees.
async fn stun_server() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; DATAGRAM];
        while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
            let id = buffer[8..20].try_into().expect("12 bytes");
            let SocketAddr::V4(seen) = from else { continue };
            let seen = [&[0, 1], &seen.port().to_be_bytes()[..], &seen.ip().octets()].concat();
            let _ = socket.send_to(&answer(0x0101, id, &[(0x0001, seen)]), from).await;
        }
    });
    address
}

fn servers(urls: &[String]) -> Vec<IceServer> {
    vec![IceServer { urls: urls.to_vec(), ..IceServer::default() }]
}

#[tokio::test]
async fn servers_are_asked_over_real_sockets_and_all_that_is_known_is_told() {
    let server = stun_server().await;
    let urls = [
        format!("stun:{server}"),
        "stuns:127.0.0.1:5349".to_owned(),
        "turn:127.0.0.1?transport=sctp".to_owned(),
        "stun:".to_owned(),
    ];
    let bind = vec![([127, 0, 0, 1], 0).into()];
    let mut told = Vec::new();
    ask(Questions { servers: servers(&urls), relay_only: false, bind, trust: Trust::default() }, async |found| {
        told.push(found)
    })
    .await;
    let first = &told[0];
    assert_eq!((first.servers[0].finding.clone(), first.way), (Finding::Asking, Way::Asking));
    let last = told.last().expect("something");
    assert_eq!(last.servers.iter().map(|server| &server.url).collect::<Vec<_>>(), urls.iter().collect::<Vec<_>>());
    assert!(matches!(last.servers[0].finding, Finding::Outside(seen, _) if seen.ip().is_loopback()), "{last:?}");
    assert!(last.servers[1..].iter().all(|server| server.finding == Finding::Unsupported), "{last:?}");
    assert_eq!(last.way, Way::Direct, "what it sees is an address of this machine");
}

#[tokio::test]
async fn thousands_are_a_few() {
    let urls: Vec<String> = (0..1000).map(|_| "nonsense".to_owned()).collect();
    let mut last = NetworkCheck::default();
    ask(Questions { servers: servers(&urls), ..Questions::default() }, async |found| last = found).await;
    assert_eq!((last.servers.len(), last.way), (MOST, Way::Closed));
}

/// A TURN server on loopback that knows nobody, over TCP.
async fn turn_server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a stream");
        loop {
            let mut header = [0; 20];
            if stream.read_exact(&mut header).await.is_err() {
                return;
            }
            let mut attributes = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
            stream.read_exact(&mut attributes).await.expect("a request");
            let id = header[8..20].try_into().expect("12 bytes");
            let (realm, nonce) = ((0x0014, b"here".to_vec()), (0x0015, b"now".to_vec()));
            let refused = answer(0x0113, id, &[(0x0009, vec![0, 0, 4, 1]), realm, nonce]);
            stream.write_all(&refused).await.expect("written");
        }
    });
    address
}

#[tokio::test]
async fn a_turn_server_behind_tcp_is_asked_too_and_says_nothing_about_our_address() {
    let urls = [format!("turn:{}?transport=tcp", turn_server().await)];
    let mut last = NetworkCheck::default();
    ask(Questions { servers: servers(&urls), ..Questions::default() }, async |found| last = found).await;
    assert_eq!((last.servers[0].finding.clone(), last.way), (Finding::WrongPassword, Way::Closed));
}
