//! A one-place slot in which the newest value wins.
//!
//! Raw pictures travel through it: a reader that is late sees the newest picture, never a queue of old ones.
//! Writing never waits. A slot never holds more than one value.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Wake = Box<dyn Fn() + Send + Sync>;

struct State<T> {
    value: Option<T>,
    writers: usize,
    reader: bool,
    replaced: u64,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    wake: Mutex<Option<Arc<Wake>>>,
}

impl<T> Shared<T> {
    // A panic while the lock is held cannot leave the state half changed: every section is a few assignments.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing end; clones write into the same place.
pub struct Writer<T>(Arc<Shared<T>>);

/// The reading end.
pub struct Reader<T>(Arc<Shared<T>>);

/// What a wait on a slot ended with.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// A value.
    Value(T),
    /// Nothing came in time.
    TimedOut,
    /// Every writer is gone and the slot is empty.
    Closed,
}

/// Makes a slot.
pub fn newest_wins<T>() -> (Writer<T>, Reader<T>) {
    let state = State { value: None, writers: 1, reader: true, replaced: 0 };
    let shared = Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new(), wake: Mutex::new(None) });
    (Writer(shared.clone()), Reader(shared))
}

impl<T> Writer<T> {
    /// Puts a value in the place of whatever lies there. Gives it back where the reader is gone.
    pub fn put(&self, value: T) -> Option<T> {
        {
            let mut state = self.0.lock();
            if !state.reader {
                return Some(value);
            }
            if state.value.replace(value).is_some() {
                state.replaced += 1;
            }
        }
        self.0.arrived.notify_one();
        let wake = self.0.wake.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(wake) = wake {
            wake();
        }
        None
    }

    /// How many values were replaced before anybody took them.
    pub fn replaced(&self) -> u64 {
        self.0.lock().replaced
    }

    /// Whether somebody can still read.
    pub fn has_reader(&self) -> bool {
        self.0.lock().reader
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        self.0.lock().writers += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.0.lock().writers -= 1;
        self.0.arrived.notify_one();
    }
}

impl<T> Reader<T> {
    /// Takes what lies there, without waiting.
    pub fn try_take(&self) -> Option<T> {
        self.0.lock().value.take()
    }

    /// How many values were replaced before anybody took them.
    pub fn replaced(&self) -> u64 {
        self.0.lock().replaced
    }

    /// Waits for a value until `deadline`.
    pub fn take_until(&self, deadline: Instant) -> Taken<T> {
        let mut state = self.0.lock();
        loop {
            if let Some(value) = state.value.take() {
                return Taken::Value(value);
            }
            if state.writers == 0 {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::TimedOut;
            }
            state = self.0.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a value for at most `limit`.
    pub fn take_for(&self, limit: Duration) -> Taken<T> {
        self.take_until(Instant::now() + limit)
    }

    /// Sets what is called, on the writer's thread, after each value; it must not block.
    pub fn on_arrival(&self, wake: impl Fn() + Send + Sync + 'static) {
        *self.0.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Box::new(wake)));
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader = false;
        state.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_newest_value_wins_and_replaced_ones_are_counted() {
        let (w, r) = newest_wins();
        for n in 0..3 {
            assert_eq!(w.put(n), None);
        }
        assert_eq!(r.try_take(), Some(2));
        assert_eq!((r.try_take(), w.replaced(), r.replaced()), (None, 2, 2));
    }

    #[test]
    fn a_reader_learns_that_all_writers_are_gone_after_the_last_value() {
        let (w, r) = newest_wins();
        let w2 = w.clone();
        drop(w);
        w2.put(7);
        drop(w2);
        assert_eq!(r.take_for(Duration::ZERO), Taken::Value(7));
        assert_eq!(r.take_for(Duration::from_secs(60)), Taken::Closed);
    }

    #[test]
    fn a_writer_gets_its_value_back_when_nobody_reads() {
        let (w, r) = newest_wins();
        drop(r);
        assert_eq!((w.put(1), w.has_reader()), (Some(1), false));
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let (_w, r) = newest_wins::<u8>();
        assert_eq!(r.take_until(Instant::now()), Taken::TimedOut);
    }

    #[test]
    fn every_value_wakes_the_reader() {
        let (w, r) = newest_wins();
        let woken = Arc::new(AtomicU32::new(0));
        let counter = woken.clone();
        r.on_arrival(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        w.put(1);
        w.put(2);
        assert_eq!(woken.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_waiting_reader_gets_a_value_from_another_thread() {
        let (w, r) = newest_wins();
        std::thread::scope(|scope| {
            scope.spawn(move || w.put(5));
            assert_eq!(r.take_for(Duration::from_secs(60)), Taken::Value(5));
        });
    }
}
