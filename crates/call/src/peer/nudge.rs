//! Notices that the other side has begun ICE anew with what was agreed on ahead (see `session::ahead`).
//!
//! Its first check says so: a STUN binding request (RFC 8489) whose user name begins with the name of the generation that
//! we hold ready. That name is drawn by us and told over DTLS only, so nobody else can say it before; who repeats it
//! later only says what is true.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// A binding request, and the fixed part of what follows its length (RFC 8489 §5).
const REQUEST: [u8; 2] = [0, 1];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const USERNAME: u16 = 6;

/// See the module's text. One for each connection.
#[derive(Debug, Default)]
pub(crate) struct Nudge {
    /// The user name's beginning that is waited for.
    expected: Mutex<Vec<u8>>,
    /// Spares the look at each packet where nothing is.
    expecting: AtomicBool,
    seen: Notify,
}

impl Nudge {
    /// Waits for this generation from now on, or for none.
    pub(super) fn expect(&self, generation: Option<&str>) {
        let prefix = generation.map(|name| format!("{name}:").into_bytes()).unwrap_or_default();
        self.expecting.store(!prefix.is_empty(), Ordering::Relaxed);
        *self.expected.lock().unwrap_or_else(PoisonError::into_inner) = prefix;
    }

    /// Looks at a datagram that came.
    pub(super) fn look(&self, datagram: &[u8]) {
        if !self.expecting.load(Ordering::Relaxed) {
            return;
        }
        let Some(name) = user_name(datagram) else { return };
        if name.starts_with(&self.expected.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.expect(None);
            self.seen.notify_one();
        }
    }

    /// Waits until it came.
    pub(super) async fn seen(&self) {
        self.seen.notified().await;
    }
}

/// The user name of a binding request; `None` for everything else.
fn user_name(datagram: &[u8]) -> Option<&[u8]> {
    if datagram.get(..2)? != REQUEST || datagram.get(4..8)? != COOKIE {
        return None;
    }
    let mut rest = datagram.get(HEADER..)?;
    loop {
        let kind = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
        let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let value = rest.get(4..4 + length)?;
        if kind == USERNAME {
            return Some(value);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    fn request(name: &str) -> Vec<u8> {
        let mut message = [&REQUEST[..], &[0, 0], &COOKIE, &[7; 12]].concat();
        let mut put = |kind: u16, value: &[u8]| {
            message.extend(kind.to_be_bytes());
            message.extend((value.len() as u16).to_be_bytes());
            message.extend(value);
            message.resize(message.len().next_multiple_of(4), 0);
        };
        put(0x24, &[1, 2, 3, 4]);
        put(USERNAME, name.as_bytes());
        put(0x8028, &[0; 4]);
        message
    }

    #[test]
    fn the_first_check_of_the_generation_held_ready_is_noticed_once() {
        let nudge = Nudge::default();
        let seen = || nudge.seen().now_or_never().is_some();
        nudge.look(&request("next:theirs"));
        assert!(!seen(), "nothing is held ready");
        nudge.expect(Some("next"));
        for other in ["now:theirs", "nextone:theirs", "next", ""] {
            nudge.look(&request(other));
            assert!(!seen(), "{other}");
        }
        nudge.look(&request("next:theirs"));
        assert!(seen());
        nudge.look(&request("next:theirs"));
        assert!(!seen());
    }

    proptest! {
        #[test]
        fn no_datagram_is_too_odd(start in any::<bool>(), bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let head = if start { [&REQUEST[..], &[0, 0], &COOKIE, &[7; 12]].concat() } else { Vec::new() };
            let _ = user_name(&[head, bytes].concat());
        }
    }
}
