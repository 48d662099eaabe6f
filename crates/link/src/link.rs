//! One direction of a link: bottleneck with a drop-tail queue, then loss, then delay with jitter.

use crate::figures::Figures;
use crate::random::Random;
use crate::spec::{LinkChange, LinkSpec, TimedChange};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

/// Bytes that IPv4 and UDP add to a datagram: a link's rate counts them.
pub const IP_AND_UDP: usize = 28;

/// Packets on their way at most, beside those in the queue; what comes on top is dropped. A bound for memory: a second
/// of 2 Gb/s, or a minute of 30 Mb/s.
const MAX_UNDER_WAY: usize = 200_000;

/// Longest time that one packet may take; a datagram of 64 KiB takes half of it at the slowest rate.
const MAX_SERVICE_S: f64 = 10_000.0;

/// A packet at the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival<T> {
    /// When it is due there; never after the time that [`Link::poll`] was told.
    pub at: Instant,
    /// What was given to [`Link::push`].
    pub packet: T,
}

struct Waiting<T> {
    came: Instant,
    size: usize,
    packet: T,
}

struct UnderWay<T> {
    /// When it is due, and a number that keeps the order of those due at the same moment.
    due: Reverse<(Instant, u64)>,
    size: usize,
    packet: T,
}

impl<T> PartialEq for UnderWay<T> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<T> Eq for UnderWay<T> {}

impl<T> PartialOrd for UnderWay<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for UnderWay<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// See the module's text. Its time must not run backwards; where it does, it stands still.
pub struct Link<T> {
    spec: LinkSpec,
    /// Changes to come, the next one first.
    changes: VecDeque<(Instant, LinkChange)>,
    waiting: VecDeque<Waiting<T>>,
    waiting_bytes: usize,
    /// Bits of the first waiting packet that are still to be sent.
    head_bits: f64,
    served_until: Instant,
    losses: Random,
    jitters: Random,
    oddities: Random,
    in_burst: bool,
    /// The jitter drawn last, in seconds, and until when it holds.
    jitter_s: f64,
    jitter_until: Option<Instant>,
    last_due: Option<Instant>,
    count: u64,
    under_way: BinaryHeap<UnderWay<T>>,
    figures: Figures,
}

impl<T: Clone> Link<T> {
    /// A link as of `now`, with nothing on it.
    pub fn new(now: Instant, spec: LinkSpec, seed: u64) -> Self {
        Self {
            spec,
            changes: VecDeque::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            head_bits: 0.0,
            served_until: now,
            losses: Random::new(seed),
            jitters: Random::new(seed ^ 0xABCD_1234_5678),
            oddities: Random::new(seed ^ 0x5678_ABCD_1234),
            in_burst: false,
            jitter_s: 0.0,
            jitter_until: None,
            last_due: None,
            count: 0,
            under_way: BinaryHeap::new(),
            figures: Figures::new(now),
        }
    }

    /// The time of these changes begins, and figures begin anew. Changes that were to come are forgotten.
    pub fn start(&mut self, now: Instant, changes: &[TimedChange]) {
        self.advance(now);
        let mut timed: Vec<_> = changes.iter().map(|c| (now + c.after, c.change.clone())).collect();
        timed.sort_by_key(|(at, _)| *at);
        self.changes = timed.into();
        self.figures = Figures::new(now);
    }

    /// The link is another one from now on; what waits is sent at the new rate.
    pub fn change(&mut self, now: Instant, change: &LinkChange) {
        self.advance(now);
        self.spec = self.spec.changed(change);
    }

    /// The link as it is now.
    pub fn spec(&self) -> &LinkSpec {
        &self.spec
    }

    /// A packet comes to the bottleneck. `size`: bytes of the IP packet, see [`IP_AND_UDP`].
    pub fn push(&mut self, now: Instant, size: usize, packet: T) {
        self.advance(now);
        let bin = self.figures.bin(now);
        bin.in_packets += 1;
        bin.in_bytes += size as u64;
        if self.spec.rate_bps <= 0.0 {
            return self.leave(now, now, size, packet);
        }
        let bound =
            self.spec.queue_bytes.map_or(self.spec.rate_bps / 8.0 * self.spec.queue.as_secs_f64(), |b| b as f64);
        // Bytes that are still to be sent; where there are none, there is always room for one packet.
        let sent_of_head = self.waiting.front().map_or(0.0, |head| head.size as f64 - self.head_bits / 8.0);
        let backlog = self.waiting_bytes as f64 - sent_of_head;
        if !self.waiting.is_empty() && backlog + size as f64 > bound {
            self.figures.bin(now).queue_drops += 1;
            return;
        }
        if self.waiting.is_empty() {
            self.head_bits = size as f64 * 8.0;
        }
        self.waiting_bytes += size;
        self.waiting.push_back(Waiting { came: now, size, packet });
    }

    /// The next packet that is at the other end by now.
    pub fn poll(&mut self, now: Instant) -> Option<Arrival<T>> {
        self.advance(now);
        let first = self.under_way.peek()?;
        let Reverse((at, _)) = first.due;
        if at > now {
            return None;
        }
        let first = self.under_way.pop()?;
        let bin = self.figures.bin(now);
        bin.out_packets += 1;
        bin.out_bytes += first.size as u64;
        Some(Arrival { at, packet: first.packet })
    }

    /// When [`poll`](Self::poll) may have something, or the link changes; `None`: not before something is pushed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.under_way.peek().map(|first| first.due.0.0);
        // One more, as the service time is rounded to nanoseconds.
        let served = self.waiting.front().map(|_| self.served_until + self.head_time() + Duration::from_nanos(1));
        let change = self.changes.front().map(|(at, _)| *at);
        [arrival, served, change].into_iter().flatten().min()
    }

    /// What it carried since the start.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Time that the rest of the first waiting packet takes.
    fn head_time(&self) -> Duration {
        match self.spec.rate_bps > 0.0 {
            true => Duration::from_secs_f64((self.head_bits / self.spec.rate_bps).clamp(0.0, MAX_SERVICE_S)),
            false => Duration::ZERO,
        }
    }

    /// Lets time pass: changes at their moments, service between them.
    fn advance(&mut self, to: Instant) {
        while let Some((at, change)) = self.changes.pop_front_if(|(at, _)| *at <= to) {
            self.serve(at);
            self.spec = self.spec.changed(&change);
        }
        self.serve(to);
    }

    fn serve(&mut self, to: Instant) {
        let mut from = self.served_until;
        self.served_until = from.max(to);
        while let Some(head) = self.waiting.front() {
            let begun = from.max(head.came);
            let done = begun + self.head_time();
            if done > to {
                self.head_bits -= to.saturating_duration_since(begun).as_secs_f64() * self.spec.rate_bps;
                return;
            }
            from = done;
            let Some(sent) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= sent.size;
            self.head_bits = self.waiting.front().map_or(0.0, |head| head.size as f64 * 8.0);
            self.leave(done, sent.came, sent.size, sent.packet);
        }
    }

    /// A packet leaves the bottleneck.
    fn leave(&mut self, now: Instant, came: Instant, size: usize, packet: T) {
        let bin = self.figures.bin(now);
        bin.queue_max = bin.queue_max.max(now.saturating_duration_since(came));
        if self.is_lost() || self.under_way.len() >= MAX_UNDER_WAY {
            self.figures.bin(now).lost += 1;
            return;
        }
        let mut due = now + self.delay(now);
        if !self.spec.reorder {
            due = self.last_due.map_or(due, |last| due.max(last));
        }
        self.last_due = Some(due);
        if self.spec.late > 0.0 && self.oddities.draw() < self.spec.late {
            // Later ones are not held up by it.
            due += self.spec.late_by;
        }
        if self.spec.duplicate > 0.0 && self.oddities.draw() < self.spec.duplicate {
            self.send_off(due, size, packet.clone());
        }
        self.send_off(due, size, packet);
    }

    fn send_off(&mut self, due: Instant, size: usize, packet: T) {
        self.count += 1;
        self.under_way.push(UnderWay { due: Reverse((due, self.count)), size, packet });
    }

    fn is_lost(&mut self) -> bool {
        let mut lost = self.spec.loss > 0.0 && self.losses.draw() < self.spec.loss;
        if self.spec.burst_loss > 0.0 {
            // Gilbert-Elliott with a bad state that loses everything: left with `end` after each packet, entered so
            // often that the long-run share comes out.
            let end = 1.0 / self.spec.burst_length;
            let begin = self.spec.burst_loss * end / (1.0 - self.spec.burst_loss);
            let draw = self.losses.draw();
            self.in_burst = if self.in_burst { draw >= end } else { draw < begin };
            lost |= self.in_burst;
        }
        lost
    }

    fn delay(&mut self, now: Instant) -> Duration {
        if self.spec.jitter.is_zero() {
            return self.spec.delay;
        }
        if self.spec.reorder || self.jitter_until.is_none_or(|until| now >= until) {
            self.jitter_s = (self.jitters.draw() * 2.0 - 1.0) * self.spec.jitter.as_secs_f64();
            self.jitter_until = Some(now + self.spec.jitter_hold);
        }
        Duration::from_secs_f64((self.spec.delay.as_secs_f64() + self.jitter_s).max(0.0))
    }
}
