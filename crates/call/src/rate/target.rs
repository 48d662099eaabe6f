//! What the connection's task and the encoder's thread tell each other about the rate.

use super::probe::{Probe, Sent};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Bytes that a packet of RTP has on the wire beside those that the crate counts: SRTP's tag, UDP and IPv4. All rates
/// here are those of the wire, or small packets would seem cheaper than they are.
pub(crate) const WIRE_OVERHEAD: usize = 38;

/// The newest estimate and what follows from it, shared. Relaxed order suffices: a reader that misses an update uses
/// the one before for one more picture.
#[derive(Clone, Debug)]
pub(crate) struct SharedTarget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: AtomicU32,
    /// What leaves beside new pictures: sound, repair.
    beside: AtomicU32,
    /// How long the pacer needs for what waits in it, in milliseconds.
    backlog_ms: AtomicU32,
    /// Whether the other side has told what the path made of the first burst.
    tried: AtomicBool,
    /// Whether a queue of ours is being drained.
    congested: AtomicBool,
    probing: Mutex<Probing>,
}

#[derive(Debug, Default)]
struct Probing {
    wanted: Option<Probe>,
    sent: Option<Sent>,
    heard: Option<Instant>,
}

impl SharedTarget {
    pub(crate) fn new(start: BitsPerSecond) -> Self {
        let (target, beside, backlog_ms) = (AtomicU32::new(start.0), AtomicU32::new(0), AtomicU32::new(0));
        let (tried, congested, probing) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Shared { target, beside, backlog_ms, tried, congested, probing }))
    }

    /// What may leave in all, on the wire.
    pub(crate) fn set(&self, rate: BitsPerSecond) {
        self.0.target.store(rate.0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> BitsPerSecond {
        BitsPerSecond(self.0.target.load(Ordering::Relaxed))
    }

    /// What of it sound and repair take now.
    pub(crate) fn set_beside(&self, rate: BitsPerSecond) {
        self.0.beside.store(rate.0, Ordering::Relaxed);
    }

    pub(crate) fn beside(&self) -> BitsPerSecond {
        BitsPerSecond(self.0.beside.load(Ordering::Relaxed))
    }

    /// How long it takes at the target until everything that waits has left.
    pub(crate) fn set_backlog(&self, backlog: Duration) {
        self.0.backlog_ms.store(u32::try_from(backlog.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(crate) fn backlog(&self) -> Duration {
        Duration::from_millis(u64::from(self.0.backlog_ms.load(Ordering::Relaxed)))
    }

    /// From now on the target is more than a guess.
    pub(crate) fn set_tried(&self) {
        self.0.tried.store(true, Ordering::Relaxed);
    }

    /// Whether the path has been tried at all.
    pub(crate) fn tried(&self) -> bool {
        self.0.tried.load(Ordering::Relaxed)
    }

    /// Whether a queue stands that we fed: what is lost now is lost at its end.
    pub(crate) fn set_congested(&self, congested: bool) {
        self.0.congested.store(congested, Ordering::Relaxed);
    }

    pub(crate) fn congested(&self) -> bool {
        self.0.congested.load(Ordering::Relaxed)
    }

    fn probing<T>(&self, with: impl FnOnce(&mut Probing) -> T) -> T {
        with(&mut self.0.probing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The estimator wants the path tried.
    pub(crate) fn want_probe(&self, probe: Probe) {
        self.probing(|p| p.wanted = Some(probe));
    }

    /// Whether a probe is wanted that has not been made yet.
    pub(crate) fn probe_wanted(&self) -> bool {
        self.probing(|p| p.wanted.is_some())
    }

    /// Whoever makes the probe's packets takes the wish.
    pub(crate) fn take_probe(&self) -> Option<Probe> {
        self.probing(|p| p.wanted.take())
    }

    /// …and says which packets they are.
    pub(crate) fn probe_sent(&self, sent: Sent) {
        self.probing(|p| p.sent = Some(sent));
    }

    /// The newest probe's packets.
    pub(crate) fn sent_probe(&self) -> Option<Sent> {
        self.probing(|p| p.sent)
    }

    /// The other side has told the fate of everything that left until `departure`.
    pub(crate) fn set_heard(&self, departure: Instant) {
        self.probing(|p| p.heard = Some(p.heard.map_or(departure, |before| before.max(departure))));
    }

    pub(crate) fn heard(&self) -> Option<Instant> {
        self.probing(|p| p.heard)
    }
}
