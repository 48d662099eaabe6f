//! The page for guests without the app.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{Raw, Server, get};
use visavis_server::ServerConfig;

#[tokio::test]
async fn whoever_opens_the_address_in_a_browser_is_given_the_page_and_its_files() {
    let server = Server::start(ServerConfig::default()).await;
    let page = get(&server, "/").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-type: text/html"), "{page}");
    assert!(page.contains("Join a call") && page.contains("trust whoever runs"), "{page}");
    for (file, kind) in [("main.js", "text/javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg+xml")] {
        let answer = get(&server, &format!("/guest/{file}")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(kind), "{file}: {answer}");
    }
    for path in ["/guest/", "/guest/nothing.js", "/guest/..%2f..%2fCargo.toml", "/guest/package.json"] {
        assert!(get(&server, path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_page_may_load_from_and_talk_to_nobody_else_and_gets_no_cookie() {
    let server = Server::start(ServerConfig::default()).await;
    for path in ["/", "/guest/main.js"] {
        let answer = get(&server, path).await;
        let (headers, _) = answer.split_once("\r\n\r\n").unwrap();
        let policy = headers.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(policy.contains("connect-src 'self' wss://call.example ws://call.example;"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for wanted in ["x-content-type-options: nosniff", "referrer-policy: no-referrer", "x-frame-options: DENY"] {
            assert!(headers.contains(wanted), "{headers}");
        }
        assert!(!headers.to_lowercase().contains("set-cookie"), "{headers}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_without_the_page_relays_all_the_same() {
    let without = ServerConfig { guest_page: false, ..ServerConfig::default() };
    for config in [without, ServerConfig::embedded()] {
        let server = Server::start(config).await;
        assert!(get(&server, "/").await.contains("Visavis signaling server"));
        assert!(get(&server, "/guest/main.js").await.starts_with("HTTP/1.1 404"));
        let _ = Raw::connect(&server).await;
        server.stop().await;
    }
}
