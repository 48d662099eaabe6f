//! The newest bandwidth estimate, written by the connection's task, read by the encoder's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use visavis_media::BitsPerSecond;

/// One number, shared. Relaxed order suffices: a reader that misses an update uses the one before for one more
/// picture.
#[derive(Clone, Debug)]
pub(crate) struct SharedTarget(Arc<AtomicU32>);

impl SharedTarget {
    pub(crate) fn new(start: BitsPerSecond) -> Self {
        Self(Arc::new(AtomicU32::new(start.0)))
    }

    pub(crate) fn set(&self, rate: BitsPerSecond) {
        self.0.store(rate.0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> BitsPerSecond {
        BitsPerSecond(self.0.load(Ordering::Relaxed))
    }
}
