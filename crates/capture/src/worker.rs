//! Threads: the one helper that starts them.
//!
//! Every thread has a name, logs its panic, can be told to stop and is joined. Only a thread that hangs inside a
//! driver may be abandoned, and then that is logged too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A flag that is set once and wakes whoever waits for it; clones share it.
#[derive(Clone, Default)]
pub struct StopFlag(Arc<Inner>);

#[derive(Default)]
struct Inner {
    set: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl StopFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it and wakes every waiter; setting it again does nothing.
    pub fn set(&self) {
        self.0.set.store(true, Ordering::Release);
        // A waiter that has just looked at the flag holds the lock until it sleeps, so it cannot miss this.
        drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify_all();
    }

    /// Whether it was set; costs one atomic load.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }

    /// Waits until it is set, at most until `deadline`; says whether it is set.
    pub fn wait_until(&self, deadline: Instant) -> bool {
        let mut guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_set() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            guard = self.0.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits until it is set, at most for `limit`; says whether it is set.
    pub fn wait_for(&self, limit: Duration) -> bool {
        self.wait_until(Instant::now() + limit)
    }
}

/// A named thread that is told to stop and joined when its handle is dropped.
pub struct Worker {
    name: String,
    stop: StopFlag,
    finished: StopFlag,
    thread: Option<JoinHandle<()>>,
}

/// Sets the flag even when the work panics.
struct Finish(StopFlag);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl Worker {
    /// Starts a thread that does `work`; the work should end soon after its flag is set.
    ///
    /// A panic in it is logged and ends the thread, nothing else. Where the system refuses another thread, that is
    /// logged and `work` is dropped undone, as if it had panicked at once: what it held is closed, and whoever waits
    /// for it notices.
    pub fn spawn(name: &str, work: impl FnOnce(&StopFlag) + Send + 'static) -> Self {
        let (stop, finished) = (StopFlag::new(), StopFlag::new());
        let (flag, finish) = (stop.clone(), Finish(finished.clone()));
        let label = name.to_owned();
        let body = move || {
            let _finish = finish;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&flag))) {
                tracing::error!(thread = %label, panic = panic_text(&*panic), "thread panicked");
            }
        };
        let thread = match thread::Builder::new().name(name.to_owned()).spawn(body) {
            Ok(thread) => Some(thread),
            Err(error) => {
                tracing::error!(thread = name, %error, "cannot start a thread");
                None
            }
        };
        Self { name: name.to_owned(), stop, finished, thread }
    }

    /// Tells the thread to end, without waiting for it.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// The flag that the thread watches.
    pub fn flag(&self) -> &StopFlag {
        &self.stop
    }

    /// Whether the work is done (or has panicked).
    pub fn is_finished(&self) -> bool {
        self.finished.is_set()
    }

    /// Set when the work is done (or has panicked), also where the thread is abandoned before that.
    pub fn finished(&self) -> StopFlag {
        self.finished.clone()
    }

    /// Tells the thread to end and waits for at most `limit`.
    ///
    /// A thread that is still busy then, inside a driver that hangs, is abandoned: it is not joined any more, and
    /// `false` comes back.
    pub fn join_within(mut self, limit: Duration) -> bool {
        self.stop();
        if self.finished.wait_for(limit) {
            return true;
        }
        tracing::warn!(thread = %self.name, "thread does not end; it is left behind");
        self.thread = None;
        false
    }

    /// Tells the thread to end and never joins it.
    pub fn abandon(mut self) {
        self.stop();
        self.thread = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A thread that drops its own handle cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                // Its panic was caught and logged inside.
                let _ = thread.join();
            }
        }
    }
}

/// What a panic said, as far as it is text.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn dropping_a_worker_wakes_and_joins_it() {
        let (done, told) = sync_channel(1);
        let worker = Worker::spawn("waits", move |stop| {
            assert!(stop.wait_for(LONG));
            done.send(()).expect("test is there");
        });
        drop(worker);
        told.try_recv().expect("the thread ended before drop returned");
    }

    #[test]
    fn a_panic_ends_only_its_thread() {
        let worker = Worker::spawn("panics", |_| panic!("on purpose"));
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn a_hung_thread_is_left_behind() {
        let release = StopFlag::new();
        let hung = release.clone();
        let worker = Worker::spawn("hangs", move |_| {
            hung.wait_for(LONG);
        });
        let finished = worker.finished();
        assert!(!worker.join_within(Duration::from_millis(1)));
        assert!(!finished.is_set());
        release.set();
        assert!(finished.wait_for(LONG));
    }

    #[test]
    fn waiting_for_a_flag_ends_at_the_deadline() {
        assert!(!StopFlag::new().wait_until(Instant::now()));
        let flag = StopFlag::new();
        flag.set();
        assert!(flag.is_set() && flag.wait_for(LONG));
    }
}
