//! Addresses of STUN and TURN servers, as far as their form tells mistakes (RFC 7064, RFC 7065).

/// Longest address that makes sense: a name of DNS (253 letters), scheme, port and transport.
const LONGEST: usize = 300;

/// What is wrong with the address of a STUN or TURN server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IceUrlError {
    /// It begins otherwise.
    #[error("it has to begin with {0}")]
    Scheme(&'static str),
    /// It has slashes behind the scheme, as web addresses have.
    #[error("there are no slashes behind the scheme: write stun:HOST or turn:HOST")]
    Slashes,
    /// The host is missing, or is none.
    #[error("the host in it makes no sense")]
    Host,
    /// The port is none.
    #[error("the port in it makes no sense")]
    Port,
    /// Something else than `?transport=udp` or `?transport=tcp` follows, or anything does where it must not.
    #[error("behind the host only a port may follow, and for TURN ?transport=udp or ?transport=tcp")]
    Transport,
}

/// Whether this is `stun:HOST[:PORT]` or `stuns:HOST[:PORT]`.
///
/// # Errors
/// Says what is wrong.
pub fn check_stun_url(url: &str) -> Result<(), IceUrlError> {
    let rest = url.strip_prefix("stun:").or_else(|| url.strip_prefix("stuns:"));
    check_host_and_port(rest.ok_or(IceUrlError::Scheme("stun: or stuns:"))?)
}

/// Whether this is `turn:HOST[:PORT][?transport=udp|tcp]`, or the same with `turns:`.
///
/// # Errors
/// Says what is wrong.
pub fn check_turn_url(url: &str) -> Result<(), IceUrlError> {
    let rest = url.strip_prefix("turn:").or_else(|| url.strip_prefix("turns:"));
    let rest = rest.ok_or(IceUrlError::Scheme("turn: or turns:"))?;
    match rest.split_once('?') {
        None | Some((_, "transport=udp" | "transport=tcp")) => {}
        Some(_) => return Err(IceUrlError::Transport),
    }
    check_host_and_port(rest.split('?').next().unwrap_or_default())
}

fn check_host_and_port(text: &str) -> Result<(), IceUrlError> {
    if text.starts_with("//") {
        return Err(IceUrlError::Slashes);
    }
    if text.contains(['?', '/', '@', '#']) {
        return Err(IceUrlError::Transport);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or(IceUrlError::Host)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| IceUrlError::Host)?;
            (address, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(IceUrlError::Port)?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > LONGEST || !host.chars().all(in_names) {
        return Err(IceUrlError::Host);
    }
    match port.map(|port| (port, port.parse::<u16>())) {
        None => Ok(()),
        Some((text, Ok(port))) if port != 0 && text.bytes().all(|digit| digit.is_ascii_digit()) => Ok(()),
        Some(_) => Err(IceUrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_kinds_are_taken_in_all_their_forms() {
        for url in ["stun:call.example", "stun:call.example:3478", "stuns:192.0.2.1:5349", "stun:[2001:db8::1]:3478"] {
            assert_eq!(check_stun_url(url), Ok(()), "{url}");
        }
        for url in ["turn:call.example", "turn:[::1]?transport=tcp", "turns:call.example:443?transport=tcp"] {
            assert_eq!(check_turn_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        use IceUrlError::{Host, Port, Scheme, Slashes, Transport};
        for (url, wrong) in [
            ("call.example", Scheme("stun: or stuns:")),
            ("turn:call.example", Scheme("stun: or stuns:")),
            ("stun://call.example", Slashes),
            ("stun:", Host),
            ("stun:a b", Host),
            ("stun:[call]", Host),
            ("stun:[::1", Host),
            ("stun:2001:db8::1", Port),
            ("stun:[::1]3478", Port),
            ("stun:call.example:0", Port),
            ("stun:call.example:65536", Port),
            ("stun:call.example:+80", Port),
            ("stun:call.example:", Port),
            ("stun:call.example?transport=udp", Transport),
            ("stun:me@call.example", Transport),
        ] {
            assert_eq!(check_stun_url(url), Err(wrong), "{url}");
        }
        for (url, wrong) in [
            ("stun:call.example", Scheme("turn: or turns:")),
            ("turn:call.example?transport=tls", Transport),
            ("turn:call.example?", Transport),
            ("turns:?transport=tcp", Host),
            (&format!("turn:{}", "a".repeat(400)), Host),
        ] {
            assert_eq!(check_turn_url(url), Err(wrong), "{url}");
        }
    }
}
