//! Streams to servers of ours on loopback.

use super::doors::Doors;
use super::framing::{Deframer, framed};
use super::relays::RelayTrouble;
use super::stream::Trust;
use super::tunnel::{Ground, Tunnels};
use crate::options::IceServer;
use crate::peer::relayed::tests::{by_channel, by_indication};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Longer than anything here takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);
/// The first server of a connection.
const FIRST: &str = "240.0.0.1:3478";

fn tunnels(url: &str, trust: Trust) -> (Tunnels, Ground) {
    let server = IceServer { urls: vec![url.to_owned()], username: "u".into(), credential: "c".into() };
    let (doors, told) = Doors::among(&[server]);
    let ground = Ground { doors, trust, ..Ground::default() };
    let host = crate::peer::host_of(&told[0].urls[0]).expect("a host");
    assert_eq!(ground.resolve(&host).expect("known"), [first()], "the server has IPv4 alone");
    let local = if url.contains('[') { "[::1]:0" } else { "127.0.0.1:0" };
    (Tunnels::new(local.parse().expect("an address"), ground.clone()), ground)
}

fn first() -> SocketAddr {
    FIRST.parse().expect("an address")
}

async fn next(tunnels: &Tunnels) -> (SocketAddr, Vec<u8>) {
    let came = poll_fn(|cx| tunnels.receive(cx.waker()).map_or(Poll::Pending, Poll::Ready));
    timeout(LONG, came).await.expect("something comes")
}

/// Reads one message.
async fn hear(stream: &mut (impl AsyncRead + Unpin), deframer: &mut Deframer) -> Vec<u8> {
    let mut buffer = [0; 3];
    loop {
        if let Some(message) = deframer.next().expect("messages") {
            return message;
        }
        let length = stream.read(&mut buffer).await.expect("read");
        assert!(length > 0, "the stream stands");
        deframer.push(&buffer[..length]);
    }
}

/// Sends back what comes, a message at a time and in two pieces.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut deframer = Deframer::default();
    loop {
        let frame = framed(&hear(&mut stream, &mut deframer).await).expect("a message");
        for piece in [&frame[..3], &frame[3..]] {
            stream.write_all(piece).await.expect("written");
            stream.flush().await.expect("flushed");
        }
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

async fn goes_there_and_back(tunnels: &Tunnels) {
    let messages = [0, 1, 5, 400, 1200].map(|size| by_channel(&vec![0x80; size]));
    for message in [by_indication(&[0x80; 7])].into_iter().chain(messages) {
        tunnels.send(first(), &message).expect("taken");
        assert_eq!(next(tunnels).await, (first(), message));
    }
}

#[tokio::test]
async fn over_tcp_what_is_sent_to_nobody_reaches_the_server_and_its_answers_come_from_nobody() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move { echo(listener.accept().await.expect("a stream").0).await });
    let (tunnels, _) = tunnels(&format!("turn:{address}?transport=tcp"), Trust::default());
    goes_there_and_back(&tunnels).await;
    assert!(tunnels.send(([240, 0, 0, 2], 3478).into(), &by_channel(&[1])).is_err(), "no such server");
    server.abort();
}

/// A server with a certificate for `name`, and the file of who signed it.
async fn secure(name: &str) -> (SocketAddr, tempfile::NamedTempFile) {
    let key = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let ca = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(ca.path(), key.cert.pem()).expect("written");
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(echo(stream));
            }
        }
    });
    (address, ca)
}

#[tokio::test]
async fn over_tls_a_server_is_spoken_to_whose_certificate_is_signed_by_who_is_trusted() {
    let (address, ca) = secure("127.0.0.1").await;
    let (tunnels, _) = tunnels(&format!("turns:{address}"), Trust::new(Some(ca.path().to_owned())));
    goes_there_and_back(&tunnels).await;
}

/// Sends until that fails, and tells what is wrong.
async fn trouble(tunnels: &Tunnels, ground: &Ground) -> RelayTrouble {
    let sent = tunnels.send(first(), &by_channel(&[0x80; 10]));
    assert!(sent.is_ok(), "not known yet");
    let (server, trouble) = timeout(LONG, ground.relays.trouble()).await.expect("it is told");
    assert!(server.starts_with("127.0.0.1:"), "{server}");
    let refused = tunnels.send(first(), &by_channel(&[0x80; 10])).map_err(|error| error.kind());
    assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused), "the crate gives such a server up");
    trouble
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_is_another_s_is_named_and_nothing_is_said() {
    let (address, _) = secure("127.0.0.1").await;
    let (_, foreign) = secure("127.0.0.1").await;
    let (elsewhere, ca) = secure("relay.example.org").await;
    for (address, ca) in [(address, foreign), (elsewhere, ca)] {
        let (tunnels, ground) = tunnels(&format!("turns:{address}"), Trust::new(Some(ca.path().to_owned())));
        let trouble = trouble(&tunnels, &ground).await.to_string();
        assert!(trouble.contains("certificate is not trusted"), "{trouble}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_given_up() {
    let (listener, address) = listen().await;
    drop(listener);
    let (tunnels, ground) = tunnels(&format!("turn:{address}?transport=tcp"), Trust::default());
    assert!(trouble(&tunnels, &ground).await.to_string().contains("cannot be reached"));
}

#[tokio::test]
async fn a_stream_that_breaks_is_told_of_once_and_what_is_sent_after_it_is_lost() {
    let (listener, address) = listen().await;
    let (tunnels, ground) = tunnels(&format!("turn:{address}?transport=tcp"), Trust::default());
    tunnels.send(first(), &by_channel(&[0x80; 10])).expect("taken");
    drop(listener.accept().await.expect("a stream"));
    let server = timeout(LONG, ground.relays.broken()).await.expect("it is told");
    assert_eq!(server, format!("{address} over TCP"));
    tunnels.send(first(), &by_channel(&[0x80; 10])).expect("lost");
}

#[tokio::test]
async fn whoever_speaks_something_else_is_hung_up_on() {
    let (listener, address) = listen().await;
    let (tunnels, ground) = tunnels(&format!("turn:{address}?transport=tcp"), Trust::default());
    tunnels.send(first(), &by_channel(&[0x80; 10])).expect("taken");
    let (mut stream, _) = listener.accept().await.expect("a stream");
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    timeout(LONG, ground.relays.broken()).await.expect("it is told");
    let ended = timeout(LONG, async { while stream.read(&mut [0; 100]).await.is_ok_and(|n| n > 0) {} });
    ended.await.expect("the stream ends");
}

#[tokio::test]
async fn a_server_that_does_not_read_holds_nobody_up_and_gets_what_is_new_when_it_does() {
    let (listener, address) = listen().await;
    let (tunnels, _) = tunnels(&format!("turn:{address}?transport=tcp"), Trust::default());
    let numbered = |i: u32| by_channel(&[&[0x80][..], &i.to_be_bytes(), &[0; 1000]].concat());
    tunnels.send(first(), &by_indication(&[0x80; 7])).expect("taken");
    let (mut stream, _) = listener.accept().await.expect("a stream");
    // Far more than all buffers hold; the other task gets its turn to write.
    let last = 30_000;
    for i in 1..=last {
        tunnels.send(first(), &numbered(i)).expect("taken");
        if i % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut deframer, mut heard) = (Deframer::default(), 0);
    let newest = numbered(last);
    // On a busy machine even the newest may have become too old to be sent; as in a call, more follows.
    let mut more = tokio::time::interval(Duration::from_millis(100));
    let comes = async {
        loop {
            tokio::select! {
                message = hear(&mut stream, &mut deframer) => {
                    if message == newest {
                        break;
                    }
                    heard += 1;
                }
                _ = more.tick() => tunnels.send(first(), &newest).expect("taken"),
            }
        }
    };
    timeout(LONG, comes).await.expect("the newest comes");
    assert!(heard < last - 1, "nothing was dropped");
}

#[tokio::test]
async fn streams_end_with_the_socket_they_belong_to() {
    let (listener, address) = listen().await;
    let (tunnels, _) = tunnels(&format!("turn:{address}?transport=tcp"), Trust::default());
    tunnels.send(first(), &by_channel(&[0x80; 10])).expect("taken");
    let (mut stream, from) = listener.accept().await.expect("a stream");
    assert!(from.ip().is_loopback());
    drop(tunnels);
    let ended = timeout(LONG, async { while stream.read(&mut [0; 100]).await.is_ok_and(|n| n > 0) {} });
    ended.await.expect("the stream ends");
}
