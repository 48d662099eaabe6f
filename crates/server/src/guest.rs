//! The page that a guest without the app opens in a browser, as files in this binary.
//!
//! The server hands out the same bytes to everybody and learns nothing by it: what follows `#` in a link stays in the
//! browser.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
/// Longest name of a host that is repeated to its owner; DNS allows 253 letters.
const LONGEST_HOST: usize = 300;

macro_rules! files {
    ($($name:literal: $kind:ident,)*) => {
        /// All but the page itself: name, type, content.
        const FILES: &[(&str, &str, &str)] = &[
            ("icon.svg", PICTURE, include_str!("../../../assets/visavis.svg")),
            $(($name, $kind, include_str!(concat!("../../../assets/guest/", $name))),)*
        ];
    };
}

files! {
    "bytes.js": SCRIPT,
    "call.js": SCRIPT,
    "code.js": SCRIPT,
    "control.js": SCRIPT,
    "endings.js": SCRIPT,
    "ice.js": SCRIPT,
    "icons.svg": PICTURE,
    "main.js": SCRIPT,
    "media.js": SCRIPT,
    "p256.js": SCRIPT,
    "pake.js": SCRIPT,
    "peer.js": SCRIPT,
    "reentry.js": SCRIPT,
    "sdp.js": SCRIPT,
    "seal.js": SCRIPT,
    "signaling.js": SCRIPT,
    "style.css": STYLE,
    "talk.js": SCRIPT,
    "words.js": SCRIPT,
}

/// The page; its files lie beside it, in `guest/`.
pub(crate) fn page(headers: &HeaderMap) -> Response {
    serve(headers, HTML, include_str!("../../../assets/guest/index.html"))
}

/// Where its files are.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/guest/{name}", get(file))
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, content)) => serve(&headers, kind, content),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

fn serve(headers: &HeaderMap, kind: &'static str, content: &'static str) -> Response {
    let fixed = |text| HeaderValue::from_static(text);
    let headers = [
        (CONTENT_TYPE, fixed(kind)),
        // A server that was updated and a page that was not might not fit together.
        (CACHE_CONTROL, fixed("no-cache")),
        (CONTENT_SECURITY_POLICY, policy(headers)),
        (REFERRER_POLICY, fixed("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (X_FRAME_OPTIONS, fixed("DENY")),
        (HeaderName::from_static("cross-origin-opener-policy"), fixed("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin")),
        (HeaderName::from_static("permissions-policy"), fixed("camera=(self), microphone=(self), geolocation=()")),
    ];
    (headers, content).into_response()
}

/// Nothing but what came from here, and connections to nowhere but here (CSP 3).
fn policy(headers: &HeaderMap) -> HeaderValue {
    // `'self'` covers WebSockets in new browsers only, so the host is named, too.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let sockets = host.map(|host| format!(" wss://{host} ws://{host}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{sockets}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A host with perhaps a port, and nothing that would mean more in a policy.
fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    !text.is_empty() && text.len() <= LONGEST_HOST && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use visavis_signaling::complete;

    fn content(name: &str) -> &'static str {
        FILES.iter().find(|(known, _, _)| *known == name).map(|(_, _, content)| *content).unwrap()
    }

    #[test]
    fn the_page_knows_the_words_that_the_app_knows() {
        let text = content("words.js").split('`').nth(1).unwrap();
        let ours: Vec<_> = text.split_whitespace().collect();
        let apps: Vec<_> = ('a'..='z').flat_map(|letter| complete(&letter.to_string())).collect();
        assert_eq!(ours, apps);
        assert_eq!(ours.len(), 2048);
    }

    #[test]
    fn every_file_that_the_page_asks_for_is_served() {
        let mut asked = BTreeSet::new();
        let page = include_str!("../../../assets/guest/index.html");
        for part in page.split("\"guest/").skip(1) {
            asked.insert(part.split(['"', '#']).next().unwrap());
        }
        for (_, _, script) in FILES.iter().filter(|(_, kind, _)| *kind == SCRIPT) {
            for part in script.split("from './").skip(1) {
                asked.insert(part.split('\'').next().unwrap());
            }
        }
        let served: BTreeSet<_> = FILES.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(asked, served);
    }

    #[test]
    fn the_page_holds_no_script_or_style_that_its_policy_forbids() {
        let page = include_str!("../../../assets/guest/index.html");
        for forbidden in ["<style", " style=", "onclick", "javascript:", "//cdn", "http:"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let scripts: Vec<_> = page.split("<script").skip(1).collect();
        assert!(scripts.len() == 1 && scripts[0].starts_with(" type=\"module\" src=\"guest/main.js\"></script>"));
    }

    #[test]
    fn a_host_is_named_in_the_policy_and_tricks_are_not() {
        let policy = |host: &'static str| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            policy(&headers).to_str().unwrap().to_owned()
        };
        assert!(policy("call.example:8443").contains("connect-src 'self' wss://call.example:8443 ws://call.example"));
        assert!(policy("[2001:db8::1]:80").contains("wss://[2001:db8::1]:80"));
        for bad in ["", "evil; script-src *", "a b", "x/y", "*", "'none'"] {
            assert!(policy(bad).contains("connect-src 'self'; "), "{bad}");
        }
    }
}
