//! When a seat is taken over though nothing is wrong: the TURN credentials that came with it end, and whoever waits long
//! needs ones that are still good when somebody comes.
//!
//! Each `resumed` brings new ones. The convention of time-limited credentials (coturn's `use-auth-secret`) is a user name
//! that begins with the Unix time at which they end, and a colon.

use crate::message::IceServer;
use std::time::Duration;

/// Not sooner than this after the last time: a server that hands out shorter ones is not dialled without end. Half of a
/// minute, which is the shortest that `visavis-server` gives.
const SOONEST: Duration = Duration::from_secs(30);
/// Not later than this, as this machine's clock and the server's may differ by hours; half of the usual day is longer.
const LATEST: Duration = Duration::from_secs(6 * 3600);

/// Bounds of the wait from one time to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    pub soonest: Duration,
    pub latest: Duration,
}

impl Default for Renewal {
    fn default() -> Self {
        Self { soonest: SOONEST, latest: LATEST }
    }
}

impl Renewal {
    /// How long what was handed out may stand: half of its time, by this machine's clock (`unix`: since 1970). `None`
    /// where it has no end.
    pub(super) fn wait(self, unix: Duration, servers: &[IceServer]) -> Option<Duration> {
        let left = servers.iter().filter_map(end).min()?.saturating_sub(unix);
        // Over before it began: the clocks differ, and nothing is known.
        let half = if left.is_zero() { self.latest } else { left / 2 };
        Some(half.clamp(self.soonest, self.latest))
    }
}

/// The Unix time at which a server's credentials end.
fn end(server: &IceServer) -> Option<Duration> {
    server.credential.as_ref()?;
    let (end, _) = server.username.as_ref()?.split_once(':')?;
    end.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(username: &str) -> IceServer {
        let urls = vec!["turn:turn.example".to_owned()];
        IceServer { urls, username: Some(username.to_owned()), credential: Some("x".to_owned()) }
    }

    fn wait(usernames: &[&str]) -> Option<u64> {
        let servers: Vec<_> = usernames.iter().map(|name| server(name)).collect();
        Renewal::default().wait(Duration::from_secs(1_700_000_000), &servers).map(|wait| wait.as_secs())
    }

    #[test]
    fn credentials_are_fetched_anew_at_half_of_their_time_within_bounds() {
        assert_eq!(wait(&["1700003600:ab"]), Some(1800));
        assert_eq!(wait(&["1700003600:ab", "ann", "1700001800:cd"]), Some(900), "the first to end counts");
        assert_eq!(wait(&["1700000001:ab"]), Some(30));
        assert_eq!(wait(&["1700086400:ab"]), Some(6 * 3600));
        assert_eq!(wait(&["18446744073709551615:ab"]), Some(6 * 3600));
    }

    #[test]
    fn of_clocks_that_differ_nothing_is_believed() {
        assert_eq!(wait(&["1600000000:ab"]), Some(6 * 3600));
    }

    #[test]
    fn what_has_no_end_is_not_fetched_again() {
        assert_eq!(wait(&[]), None);
        for name in ["ann", "1700003600", ":", "x:1700003600", "-5:a", "99999999999999999999:a"] {
            assert_eq!(wait(&[name]), None, "{name}");
        }
        let open = IceServer { credential: None, ..server("1700003600:ab") };
        assert_eq!(Renewal::default().wait(Duration::ZERO, &[open]), None);
    }
}
