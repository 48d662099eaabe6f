//! Throws away the sound and picture that waited in a socket while this process slept.
//!
//! A machine that wakes up, or a process that was stopped, finds half a second of media in its sockets from when it fell
//! asleep. Shown and heard, it would be a burst of what is long over. Checks and keys (STUN, DTLS) are kept: they are
//! what the call resumes by.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A connection's sockets are asked many times a second: at the latest for the keep-alives of ICE, every 500 ms.
const SLEPT: Duration = Duration::from_secs(1);

/// How often this process slept, as the sockets of a connection notice it together: one alone may have been idle.
#[derive(Debug, Default)]
pub(super) struct Sleeps(Mutex<(Option<Instant>, u32)>);

impl Sleeps {
    /// One of the sockets is about to be asked; how often this process has slept until now.
    fn asked(&self, now: Instant) -> u32 {
        let (before, count) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if before.replace(now).is_some_and(|before| now.saturating_duration_since(before) >= SLEPT) {
            *count = count.wrapping_add(1);
        }
        *count
    }
}

/// What one socket is looked at with.
#[derive(Debug, Default)]
pub(super) struct Asleep {
    sleeps: Arc<Sleeps>,
    /// So many are over for this socket.
    over: u32,
    /// What is in the socket is from before.
    stale: bool,
}

impl Asleep {
    /// For a socket that was bound just now.
    pub(super) fn new(sleeps: Arc<Sleeps>, now: Instant) -> Self {
        let over = sleeps.asked(now);
        Self { sleeps, over, stale: false }
    }

    /// The socket is about to be asked.
    pub(super) fn asks(&mut self, now: Instant) {
        let count = self.sleeps.asked(now);
        self.stale |= std::mem::replace(&mut self.over, count) != count;
    }

    /// It had nothing more: what comes from here on is new.
    pub(super) fn is_empty(&mut self) {
        self.stale = false;
    }

    /// Whether a datagram is to be thrown away. RTP and RTCP begin with a byte from 128 to 191 (RFC 7983).
    pub(super) fn drops(&self, datagram: &[u8]) -> bool {
        self.stale && datagram.first().is_some_and(|first| (128..192).contains(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: [u8; 12] = [0x80; 12];
    const STUN: [u8; 20] = [0; 20];

    #[test]
    fn media_from_before_a_sleep_is_dropped_until_the_socket_is_empty() {
        let start = Instant::now();
        let mut asleep = Asleep::new(Arc::default(), start);
        assert!(!asleep.drops(&RTP));
        asleep.asks(start + Duration::from_millis(900));
        assert!(!asleep.drops(&RTP), "a busy machine is not asleep");
        for _ in 0..100 {
            asleep.asks(start + Duration::from_secs(11));
            assert!(asleep.drops(&RTP) && !asleep.drops(&STUN) && !asleep.drops(&[]));
        }
        asleep.is_empty();
        asleep.asks(start + Duration::from_secs(11));
        assert!(!asleep.drops(&RTP));
    }

    #[test]
    fn a_socket_that_was_idle_while_another_was_busy_has_not_slept_and_all_wake_together() {
        let (sleeps, start) = (Arc::new(Sleeps::default()), Instant::now());
        let [mut busy, mut idle] = [(); 2].map(|()| Asleep::new(sleeps.clone(), start));
        (1..100).for_each(|i| busy.asks(start + Duration::from_millis(100) * i));
        idle.asks(start + Duration::from_millis(9950));
        assert!(!idle.drops(&RTP));
        busy.asks(start + Duration::from_secs(20));
        idle.asks(start + Duration::from_secs(20));
        assert!(busy.drops(&RTP) && idle.drops(&RTP));
    }
}
