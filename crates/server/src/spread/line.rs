//! What waits to be sent to other nodes: bounded, and never waited for.

use super::Node;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Parcels that wait for Redis, in number and in bytes. Beyond that the connections they are about are ended.
const PARCELS: usize = 8192;
const PARCEL_BYTES: usize = 16 * 1024 * 1024;
/// Parcels sent in one go.
const AT_ONCE: usize = 64;

/// Something for another node.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) to: Node,
    pub(crate) bytes: Vec<u8>,
}

/// Where parcels for other nodes are handed in.
#[derive(Debug)]
pub(crate) struct Line {
    parcels: mpsc::Sender<Parcel>,
    waiting: Arc<AtomicUsize>,
}

impl Line {
    /// Queues a parcel; false where too much waits already.
    pub(crate) fn send(&self, parcel: Parcel) -> bool {
        let bytes = parcel.bytes.len();
        let fits = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= PARCEL_BYTES;
        let sent = fits && self.parcels.try_send(parcel).is_ok();
        if !sent {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        sent
    }
}

/// The other end of a [`Line`].
#[derive(Debug)]
pub(super) struct Mail {
    parcels: mpsc::Receiver<Parcel>,
    waiting: Arc<AtomicUsize>,
}

/// Both ends; nothing waits.
pub(super) fn line() -> (Line, Mail) {
    let (sender, parcels) = mpsc::channel(PARCELS);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Line { parcels: sender, waiting: waiting.clone() }, Mail { parcels, waiting })
}

impl Mail {
    fn took(&self, parcel: Parcel) -> Parcel {
        self.waiting.fetch_sub(parcel.bytes.len(), Ordering::Relaxed);
        parcel
    }

    /// What waits, as far as it goes out at once; none for as long as nothing does.
    pub(super) async fn next(&mut self) -> Vec<Parcel> {
        match self.parcels.recv().await {
            Some(first) => self.with(first),
            None => std::future::pending().await,
        }
    }

    /// The same without waiting: perhaps nothing.
    pub(super) fn rest(&mut self) -> Vec<Parcel> {
        self.parcels.try_recv().map(|first| self.with(first)).unwrap_or_default()
    }

    fn with(&mut self, first: Parcel) -> Vec<Parcel> {
        let mut parcels = vec![self.took(first)];
        while parcels.len() < AT_ONCE
            && let Ok(parcel) = self.parcels.try_recv()
        {
            parcels.push(self.took(parcel));
        }
        parcels
    }

    /// What was meant for the connection before.
    pub(super) fn forget(&mut self) {
        while let Ok(parcel) = self.parcels.try_recv() {
            self.took(parcel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(bytes: usize) -> Parcel {
        Parcel { to: Node(1), bytes: vec![0; bytes] }
    }

    #[test]
    fn so_many_parcels_and_so_many_bytes_wait_and_no_more() {
        let (line, mut mail) = line();
        assert_eq!((0..PARCELS + 10).filter(|_| line.send(parcel(1))).count(), PARCELS);
        mail.forget();
        assert_eq!((0..1000).filter(|_| line.send(parcel(64 * 1024))).count(), PARCEL_BYTES / (64 * 1024));
        assert_eq!(mail.rest().len(), AT_ONCE);
        assert_eq!((0..1000).filter(|_| line.send(parcel(64 * 1024))).count(), AT_ONCE, "there is room again");
        mail.forget();
        assert!(mail.rest().is_empty());
    }
}
