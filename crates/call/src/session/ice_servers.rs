//! Which STUN and TURN servers a signaling server may make us contact.
//!
//! It needs no proof to be asked, so it gets little: a few servers, named as the W3C form wants them. Packets of ours
//! go there with a request for our address (and a TURN user's name), nothing else.

use visavis_signaling::IceServer;

/// Servers taken from one signaling server: two of each kind are plenty.
const MOST_SERVERS: usize = 4;
/// Addresses taken in all.
const MOST_URLS: usize = 8;
/// Longest address, name or credential; TURN's time-limited ones have about 100.
const LONGEST: usize = 512;
/// Ports below 1024 that TURN is known to be run at; others belong to services that nobody is to make us talk to, which
/// over TCP they might take for talk (as libwebrtc's `AllowedTurnPort`).
const LOW_PORTS: [u16; 3] = [53, 80, 443];

/// What of a server's list is used; garbage is passed over. Somebody elsewhere has no business making us send packets
/// to our own loopback addresses, so `here` says whether that server is on this machine.
pub(crate) fn usable(servers: Vec<IceServer>, here: bool) -> Vec<IceServer> {
    let mut urls_left = MOST_URLS;
    let mut kept = Vec::new();
    for mut server in servers {
        let short = |text: &Option<String>| text.as_ref().is_none_or(|t| t.len() <= LONGEST);
        if kept.len() == MOST_SERVERS || !short(&server.username) || !short(&server.credential) {
            continue;
        }
        server.urls.retain(|url| is_usable(url, here));
        server.urls.truncate(urls_left);
        urls_left -= server.urls.len();
        if !server.urls.is_empty() {
            kept.push(server);
        }
    }
    kept
}

fn is_usable(url: &str, here: bool) -> bool {
    let rest = ["stun:", "turn:", "turns:"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let Some(rest) = rest.filter(|_| url.len() <= LONGEST) else { return false };
    let host = rest.split('?').next().unwrap_or(rest);
    // A host, or an IPv6 address in brackets, and perhaps a port.
    let (host, port) = match host.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((host, after)) => (host, after.strip_prefix(':').or(after.is_empty().then_some("3478"))),
            None => return false,
        },
        None => host.split_once(':').map_or((host, Some("3478")), |(host, port)| (host, Some(port))),
    };
    let named = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback() || a.is_unspecified() || a.is_multicast());
    let likely = |port: u16| port >= 1024 || LOW_PORTS.contains(&port) || (url.starts_with("stun:") && port != 0);
    let port = port.and_then(|p| p.parse().ok()).is_some_and(likely);
    !host.is_empty() && named && port && (here || !loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(urls: &[&str]) -> IceServer {
        IceServer { urls: urls.iter().map(|u| (*u).to_owned()).collect(), username: None, credential: None }
    }

    #[test]
    fn what_is_meant_for_us_is_kept() {
        let good = ["stun:stun.example.org", "turn:192.0.2.1:3478?transport=udp", "turns:[2001:db8::1]:5349"];
        assert_eq!(usable(vec![server(&good)], false), [server(&good)]);
    }

    #[test]
    fn garbage_and_our_own_machine_are_passed_over() {
        let bad = [
            "",
            "turn:",
            "stun:[::1",
            "nonsense",
            "http://example.org",
            "stun:exa mple.org",
            "stun:example.org:0",
            "stun:example.org:99999",
            "stun:user@example.org",
        ];
        assert_eq!(usable(vec![server(&bad)], true), []);
        let own = ["stun:127.0.0.1:3478", "stun:localhost", "turn:[::1]:3478", "stun:0.0.0.0"];
        assert_eq!(usable(vec![server(&own)], false), []);
        assert_eq!(usable(vec![server(&own)], true), [server(&own)]);
    }

    #[test]
    fn nobody_makes_us_talk_to_services_that_are_no_turn_servers() {
        let services =
            ["turn:192.0.2.1:25?transport=tcp", "turns:192.0.2.1:22", "turn:[2001:db8::1]:110?transport=tcp"];
        assert_eq!(usable(vec![server(&services)], true), []);
        let known =
            ["turn:192.0.2.1:80?transport=tcp", "turns:192.0.2.1:443", "turn:192.0.2.1:53", "stun:192.0.2.1:19"];
        assert_eq!(usable(vec![server(&known)], false), [server(&known)]);
    }

    #[test]
    fn thousands_are_a_few() {
        let many: Vec<String> = (0..1000).map(|i| format!("stun:s{i}.example.org")).collect();
        let many = IceServer { urls: many, username: None, credential: None };
        let kept = usable(vec![many; 1000], false);
        assert!(kept.len() <= MOST_SERVERS && kept.iter().map(|s| s.urls.len()).sum::<usize>() == MOST_URLS);
        let long = IceServer { username: Some("x".repeat(513)), ..server(&["turn:example.org"]) };
        assert_eq!(usable(vec![long], false), []);
    }
}
