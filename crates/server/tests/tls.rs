//! `wss://` with certificates made for the test.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{LONG, Server, client, event};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::timeout;
use visavis_server::{ServerConfig, ServerError, TlsFiles, run};
use visavis_signaling::{
    Client, ClientConfig, ClientError, ClientEvent, ClientMessage, RoomCode, ServerMessage, Trouble,
};

/// A CA that vouches for `localhost` and 127.0.0.1, and files of it.
struct Authority {
    dir: TempDir,
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let authority = Self { dir };
        std::fs::write(authority.file("ca.pem"), ca.pem()).unwrap();
        std::fs::write(authority.file("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(authority.file("key.pem"), key.serialize_pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> ServerConfig {
        let tls = TlsFiles { cert: self.file("cert.pem"), key: self.file("key.pem") };
        ServerConfig { tls: Some(tls), ..ServerConfig::default() }
    }
}

fn tls_client(server: &Server, host: &str, ca: &Path) -> Client {
    let url = format!("wss://{host}:{}", server.address.port());
    Client::spawn(ClientConfig { ca: Some(ca.to_owned()), ..ClientConfig::new(url) })
}

async fn trouble(mut client: Client) -> Trouble {
    match event(&mut client).await {
        ClientEvent::Disconnected { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_whose_ca_was_given_is_trusted_by_name_and_by_address() {
    let authority = Authority::new();
    let server = Server::start(authority.config()).await;
    for host in ["localhost", "127.0.0.1"] {
        let mut client = tls_client(&server, host, &authority.file("ca.pem"));
        assert!(matches!(event(&mut client).await, ClientEvent::Connected));
        timeout(LONG, client.close()).await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_under_another_ca_is_refused_with_a_reason() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start(authority.config()).await;
    let why = trouble(tls_client(&server, "localhost", &other.file("ca.pem"))).await;
    assert!(matches!(why, Trouble::Certificate(_)), "{why}");
    assert!(why.to_string().starts_with("the server's certificate is not trusted"), "{why}");
}

#[tokio::test]
async fn mixed_up_schemes_are_told_apart() {
    let authority = Authority::new();
    let (secure, plain) = (Server::start(authority.config()).await, Server::start(ServerConfig::default()).await);
    let why = trouble(tls_client(&plain, "localhost", &authority.file("ca.pem"))).await;
    assert!(matches!(why, Trouble::Tls(_)), "{why}");
    let why = trouble(client(&secure.url())).await;
    assert!(matches!(why, Trouble::NotAServer(_) | Trouble::Broken(_)), "{why}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart_and_ends_no_connection() {
    let (authority, renewed) = (Authority::new(), Authority::new());
    let server = Server::start(ServerConfig { reload_every: Duration::from_millis(10), ..authority.config() }).await;
    let mut before = tls_client(&server, "localhost", &authority.file("ca.pem"));
    assert!(matches!(event(&mut before).await, ClientEvent::Connected));
    // Not in one moment: in between they do not belong together.
    std::fs::copy(renewed.file("key.pem"), authority.file("key.pem")).unwrap();
    std::fs::copy(renewed.file("cert.pem"), authority.file("cert.pem")).unwrap();
    let mut after = tls_client(&server, "localhost", &renewed.file("ca.pem"));
    while !matches!(event(&mut after).await, ClientEvent::Connected) {}
    before.send(ClientMessage::open(RoomCode::random().room_id())).unwrap();
    assert!(matches!(common::message(&mut before).await, ServerMessage::Opened(_)), "over the connection of before");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let server = Server::start(ServerConfig::default()).await;
    let empty = authority.file("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for file in [authority.file("missing.pem"), empty.clone(), authority.file("key.pem")] {
        let mut client = tls_client(&server, "localhost", &file);
        let ClientEvent::Failed(ClientError::Ca { path, .. }) = event(&mut client).await else { panic!("no failure") };
        assert_eq!(path, file);
    }
    let (cert, key) = (authority.file("cert.pem"), authority.file("key.pem"));
    let (other, missing) = (Authority::new(), authority.file("missing.pem"));
    for (cert, key) in
        [(&missing, &key), (&cert, &missing), (&empty, &key), (&cert, &empty), (&cert, &other.file("key.pem"))]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = Some(TlsFiles { cert: cert.clone(), key: key.clone() });
        let result = run(listener, ServerConfig { tls, ..ServerConfig::default() }, std::future::pending()).await;
        let ServerError::File { file, why } = result.unwrap_err();
        assert!(file.starts_with(authority.dir.path()) || file.starts_with(other.dir.path()), "{why}");
    }
}
