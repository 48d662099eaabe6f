//! Wakes a connection's own task before its time.
//!
//! webrtc 0.21 sends first, then looks at what happened, then sleeps. What such a happening makes it send (the first
//! DTLS message once ICE has found a path, SCTP's first once DTLS stands) would lie there until the next timer or
//! packet: 20 ms in a setup of 60. So our callbacks, which that same task runs, cut its next sleep short. So does whoever
//! gives it a candidate, which it would try with the next round of checks only.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Shared by the callbacks and the [`Wire`](super::wire::Wire) of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Wake(Arc<Notify>);

impl Wake {
    /// The sleep that is going on, or else the next one, ends at once.
    pub(super) fn up(&self) {
        self.0.notify_one();
    }

    /// Sleeps, unless woken.
    pub(super) async fn sleep(self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.0.notified() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn waking_ends_one_sleep_even_if_given_before_it() {
        let (wake, long) = (Wake::default(), Duration::from_secs(3600));
        assert!(wake.clone().sleep(long).now_or_never().is_none());
        wake.up();
        assert!(wake.clone().sleep(long).now_or_never().is_some());
        assert!(wake.sleep(long).now_or_never().is_none());
    }
}
