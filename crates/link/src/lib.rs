//! A network link as rules: what becomes of packets on a path with a bottleneck, a queue, delay, jitter and losses.
//!
//! No socket and no clock: a [`Link`] is told the time and handed packets, and hands them back when they are due. So
//! the same rules serve tests in emulated time, calls over real sockets in one process, and `bench/linkemu`, which
//! carries the packets of whole machines. Every draw comes from a seed: the same packets at the same moments fare the
//! same.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use visavis_link::Link;
//!
//! let begun = Instant::now();
//! let mut link = Link::new(begun, "rate=1M,queue=300,delay=25".parse()?, 1);
//! link.push(begun, 1250, "a packet");
//! // 10 000 bits take 10 ms at the bottleneck.
//! assert!(link.poll(begun + Duration::from_millis(34)).is_none());
//! let arrival = link.poll(begun + Duration::from_millis(36)).expect("it is there");
//! assert_eq!((arrival.packet, arrival.at), ("a packet", begun + Duration::from_millis(35)));
//! # Ok::<(), visavis_link::SpecError>(())
//! ```

mod figures;
mod link;
mod random;
mod spec;
#[cfg(test)]
mod tests;

pub use figures::{BIN, Bin, Figures};
pub use link::{Arrival, IP_AND_UDP, Link};
pub use spec::{LinkChange, LinkSpec, SpecError, TimedChange};
