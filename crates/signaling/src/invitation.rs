//! What somebody is given to find a call: a code, or a link that holds one.

use crate::code::{CodeError, RoomCode};
use std::fmt;
use std::str::FromStr;

/// A code and, where it came as a link, the signaling server to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The room code.
    pub code: RoomCode,
    /// Address of the server, `ws://HOST[:PORT]` or `wss://HOST[:PORT]`.
    pub server: Option<String>,
}

/// The link under which a browser, or the app's field for codes, finds this room.
///
/// The code stands behind `#` and so is never sent to the server. `None` where `server_url` is no `ws://` or `wss://`
/// address.
pub fn link(server_url: &str, code: &RoomCode) -> Option<String> {
    let address = Address::parse(server_url)?;
    let scheme = if address.secure { "https" } else { "http" };
    Some(format!("{scheme}://{}{}/#{code}", address.authority, address.path))
}

impl FromStr for Invitation {
    type Err = InvitationError;

    /// Reads a code as [`RoomCode`] does, or a link `https://HOST/#four-words`, or six.
    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let text = text.trim();
        let (before, words) = match text.split_once('#') {
            Some(parts) => parts,
            None if text.contains("://") => return Err(InvitationError::OtherLink { host: host_of(text) }),
            None => return Ok(Self { code: text.parse()?, server: None }),
        };
        let absolute = if before.contains("://") { before.to_owned() } else { format!("https://{before}") };
        let address = Address::parse(&absolute).ok_or_else(|| InvitationError::OtherLink { host: host_of(text) })?;
        match words.parse() {
            Ok(code) => Ok(Self { code, server: Some(address.to_string()) }),
            // A page of somebody else's has some other anchor there; only a root's is taken for a mistyped code.
            Err(_) if !address.path.is_empty() => Err(InvitationError::OtherLink { host: host_of(text) }),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why a text invites nowhere; `Display` says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It is not a code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// It is a link, but none of ours.
    #[error(
        "this link to {host} is not a Visavis link; one ends in # and four or six words. Ask for the words instead"
    )]
    OtherLink {
        /// Where it leads, for reading.
        host: String,
    },
}

/// A server's address, taken apart.
struct Address<'a> {
    secure: bool,
    authority: &'a str,
    path: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `ws`, `wss`, `http` or `https` addresses without user name, query or anchor.
    fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return None,
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        (is_authority(authority) && path.len() <= 200 && path.chars().all(plain)).then_some(Self {
            secure,
            authority,
            path,
        })
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.secure { "wss" } else { "ws" }, self.authority, self.path)
    }
}

/// `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, rest)) if v6.parse::<std::net::Ipv6Addr>().is_ok() => {
            ("v6", rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("1")))
        }
        Some(_) => return false,
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("1")),
        },
    };
    let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let port = port.and_then(|port| port.parse::<u16>().ok());
    !host.is_empty() && host.len() <= 253 && host.chars().all(name) && port.is_some_and(|port| port != 0)
}

/// What stands where a link has its host, cut to what a message can show.
fn host_of(link: &str) -> String {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code() -> RoomCode {
        "velvet-canyon-orbit-zero".parse().unwrap()
    }

    #[test]
    fn a_code_invites_without_a_server() {
        assert_eq!("velv cany orbi zero".parse(), Ok(Invitation { code: code(), server: None }));
    }

    #[test]
    fn a_link_names_its_server() {
        for (text, server) in [
            ("https://call.example/#velvet-canyon-orbit-zero", "wss://call.example"),
            ("http://192.0.2.7:8080/#velvet-canyon-orbit-zero", "ws://192.0.2.7:8080"),
            ("  HTTPS://call.example#velvet-canyon-orbit-zero\n", "wss://call.example"),
            ("call.example/#velvet-canyon-orbit-zero", "wss://call.example"),
            ("http://[2001:db8::1]:7460/#velvet-canyon-orbit-zero", "ws://[2001:db8::1]:7460"),
            ("https://call.example/visavis/#velvet-canyon-orbit-zero", "wss://call.example/visavis"),
        ] {
            assert_eq!(text.parse(), Ok(Invitation { code: code(), server: Some(server.into()) }), "{text}");
        }
    }

    #[test]
    fn a_link_leads_back_to_its_server() {
        for server in ["wss://call.example", "ws://127.0.0.1:8080", "ws://[::1]:7460", "wss://call.example/visavis"] {
            let link = link(server, &code()).unwrap();
            assert_eq!(link.parse::<Invitation>().unwrap().server.as_deref(), Some(server), "{link}");
        }
        assert_eq!(link("wss://call.example/", &code()).unwrap(), "https://call.example/#velvet-canyon-orbit-zero");
        assert_eq!(link("ftp://call.example", &code()), None);
    }

    #[test]
    fn links_of_others_are_named_as_such() {
        for text in [
            "https://meet.example.com/abc-defg-hij",
            "https://user@evil.example/#velvet-canyon-orbit-zero",
            "https://example.com/page?x=1#section",
            "https://example.com/page#section",
            "ftp://example.com/#velvet-canyon-orbit-zero",
            "https://host:99999/#velvet-canyon-orbit-zero",
            "https:///#velvet-canyon-orbit-zero",
        ] {
            let error = text.parse::<Invitation>().unwrap_err();
            assert!(matches!(error, InvitationError::OtherLink { .. }), "{text}: {error}");
        }
        let mistyped = "https://call.example/#velvet-canyon-orbyt-zero".parse::<Invitation>();
        assert!(matches!(mistyped, Err(InvitationError::Code(CodeError::UnknownWord { .. }))));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(https?://)?[a-z\\[:\\].@/#?é-]{0,40}(#velvet-canyon-orbit-zero)?") {
            let _ = text.parse::<Invitation>();
            let _ = link(&text, &code());
        }
    }
}
