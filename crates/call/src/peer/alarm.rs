//! Notices that a task of the webrtc crate panicked. The crate itself tells nobody, and the call would stand still for
//! ever.

use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// Rings once a watched task has panicked. Clones are of the same bell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarm(Arc<Notify>);

impl Alarm {
    /// Runs a task to its end; should it panic, the alarm rings before the panic goes on.
    pub(crate) async fn watch(self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let _rope = Rope(self.0);
        task.await;
    }

    /// Waits until it rings; at once, where it did before.
    pub(crate) async fn rings(&self) {
        self.0.notified().await;
    }
}

struct Rope(Arc<Notify>);

impl Drop for Rope {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn it_rings_for_a_panic_and_for_nothing_else() {
        let alarm = Alarm::default();
        tokio::spawn(alarm.clone().watch(Box::pin(async {}))).await.expect("a quiet end");
        let cut_off = tokio::spawn(alarm.clone().watch(Box::pin(std::future::pending())));
        cut_off.abort();
        assert!(cut_off.await.is_err_and(|e| e.is_cancelled()));
        assert!(alarm.rings().now_or_never().is_none());
        let panicked = tokio::spawn(alarm.clone().watch(Box::pin(async { panic!("on purpose") }))).await;
        assert!(panicked.is_err_and(|e| e.is_panic()));
        assert!(alarm.rings().now_or_never().is_some());
    }
}
