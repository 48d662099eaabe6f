//! From RTP packets to whole H.264 access units, in decoding order.
//!
//! A missing packet is waited for as long as a retransmission may take; then everything up to the next keyframe is
//! given up, because what depends on a lost picture would only smear. Where several answers have failed to come, a
//! keyframe is asked for beside the wait, and whichever is whole first goes on.

mod arrivals;
#[cfg(test)]
mod tests;

use crate::rate::{MAX_MISSING, RoundTrip, is_filler};
use arrivals::{Arrivals, Extent, Taken};
use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_codec::rtp_h264::{Depacketizer, starts_keyframe};
use visavis_media::RtpTicks;

/// Packets kept at most: some four seconds at 5 Mb/s.
const MAX_PACKETS: usize = 2048;

/// When as many requests for a packet should have been answered and it is still missing, a keyframe is asked for as
/// well: the next may be lost like those before it, and a picture that stands still is seen.
const ANSWERS: u32 = 4;
/// Not sooner than this, however short the path: a hiccup of the other side's machine is no loss.
const SOONEST_KEYFRAME: Duration = Duration::from_millis(200);
/// What came out of order by less than this, on a path that has not been measured, was overtaken and not sent again.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// A packet of the stream.
#[derive(Clone, Debug)]
pub(crate) struct VideoPacket {
    pub sequence: u16,
    pub ticks: RtpTicks,
    pub marker: bool,
    pub payload: Bytes,
    pub arrival: Instant,
}

/// A whole encoded picture.
#[derive(Clone, Debug)]
pub(crate) struct AssembledPicture {
    /// Annex B.
    pub data: Bytes,
    pub ticks: RtpTicks,
    pub keyframe: bool,
    pub first_packet: Instant,
    pub last_packet: Instant,
    /// Whether a packet of it came so late after ones that were sent later that it must have been sent again.
    pub repaired: bool,
}

/// See the module's text.
#[derive(Default)]
pub(crate) struct FrameAssembler {
    arrivals: Arrivals,
    /// First packet of the next picture; `None`: a keyframe must come first.
    next: Option<i64>,
    /// Time of the last picture that was whole.
    whole: Option<RtpTicks>,
    /// The missing packet that is waited for, and since when.
    gap: Option<(i64, Instant)>,
    /// How long: a retransmission that takes longer comes too late to be worth a picture that stands still.
    patience: Duration,
    /// And how long before a keyframe is asked for as well.
    hurry: Duration,
    /// What comes this late has been sent again.
    again: Duration,
    keyframe_wanted: bool,
    depacketizer: Option<Depacketizer>,
}

impl FrameAssembler {
    pub(crate) fn new() -> Self {
        let mut assembler = Self { depacketizer: Some(Depacketizer::new()), ..Self::default() };
        assembler.follow(&RoundTrip::default());
        assembler
    }

    /// Waits as long as this path is worth.
    pub(crate) fn follow(&mut self, path: &RoundTrip) {
        self.patience = path.patience();
        self.hurry = (path.answer_within() * ANSWERS).clamp(SOONEST_KEYFRAME, self.patience);
        self.again = path.shortest().map_or(OVERTAKEN, |trip| trip * 3 / 4);
    }

    /// Takes a packet; old and doubled ones are ignored.
    pub(crate) fn push(&mut self, packet: VideoPacket) {
        let (place, anew) = self.arrivals.place(packet.sequence);
        if anew {
            self.give_up();
        }
        if self.next.is_some_and(|next| place < next) || self.arrivals.contains(place) {
            return;
        }
        if self.next.is_none() && !self.keyframe_wanted && !starts_keyframe(&packet.payload) {
            self.keyframe_wanted |= !self.arrivals.continues(&packet);
        }
        self.arrivals.insert(place, packet, self.again);
        // More than the list of requests holds are not asked for: then there is nothing to wait for.
        let missing = self.next.map_or(0, |next| self.arrivals.missing_from(next));
        if self.arrivals.len() > MAX_PACKETS || missing > MAX_MISSING {
            self.give_up();
        }
    }

    /// The next whole picture that can be decoded.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<AssembledPicture> {
        loop {
            let start = match self.next {
                Some(next) => next,
                None => self.seek_keyframe()?,
            };
            match self.arrivals.extent(start) {
                Extent::Whole(end) => {
                    if let Some(picture) = self.assemble(start, end) {
                        return Some(picture);
                    }
                }
                Extent::Missing(missing) => {
                    if self.skip_filler(missing) {
                        continue;
                    }
                    let newest = self.arrivals.first_behind(missing)?.1.arrival;
                    let since = match self.gap {
                        Some((gap, since)) if gap == missing => since,
                        _ => newest,
                    };
                    self.gap = Some((missing, since));
                    if self.skip_to_keyframe(missing) {
                        continue;
                    }
                    if now.saturating_duration_since(since) < self.patience {
                        return None;
                    }
                    self.give_up();
                }
            }
        }
    }

    /// When [`FrameAssembler::poll`] should be called again though no packet came.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.gap.map(|(_, since)| since + self.patience)
    }

    /// When [`FrameAssembler::keyframe_wanted`] should be asked again though no packet came.
    pub(crate) fn keyframe_due(&self) -> Option<Instant> {
        self.gap.map(|(_, since)| since + self.hurry)
    }

    /// Whether nothing can be decoded before a keyframe comes, or a repair has been waited for so long that a keyframe
    /// may be sooner.
    pub(crate) fn keyframe_wanted(&self, now: Instant) -> bool {
        self.keyframe_wanted || self.keyframe_due().is_some_and(|due| due <= now)
    }

    /// The decoder lost its way: everything up to the next keyframe is given up.
    pub(crate) fn give_up(&mut self) {
        self.keyframe_wanted = true;
        (self.gap, self.whole) = (None, None);
        self.arrivals.forget_resent();
        let after = self.next.take();
        // A keyframe that has begun to arrive is kept.
        match self.arrivals.keyframe(after.map_or(i64::MIN, |a| a + 1)) {
            Some(keep) if self.arrivals.len() <= MAX_PACKETS => self.arrivals.drop_before(keep),
            _ => self.arrivals.clear(),
        }
    }

    /// Packets that never came, of all that were sent since the first that did.
    pub(crate) fn lost(&self) -> u64 {
        self.arrivals.lost()
    }

    /// A whole keyframe behind a gap ends the wait: nothing after it needs what is missing.
    fn skip_to_keyframe(&mut self, missing: i64) -> bool {
        let newest = self.arrivals.newest_keyframe(missing + 1);
        let whole = |start: &i64| matches!(self.arrivals.extent(*start), Extent::Whole(_));
        let Some(start) = newest.filter(whole) else { return false };
        self.go_on_with(start);
        self.gap = None;
        true
    }

    /// Between a whole picture and filler of its time is nothing but filler: what of that got lost is not waited for.
    fn skip_filler(&mut self, missing: i64) -> bool {
        let Some((place, behind)) = self.arrivals.first_behind(missing) else { return false };
        if self.whole != Some(behind.ticks) || !is_filler(&behind.payload) {
            return false;
        }
        self.arrivals.drop_before(place);
        (self.next, self.gap) = (Some(place), None);
        true
    }

    fn seek_keyframe(&mut self) -> Option<i64> {
        let start = self.arrivals.keyframe(i64::MIN)?;
        self.go_on_with(start);
        Some(start)
    }

    fn go_on_with(&mut self, keyframe: i64) {
        self.arrivals.drop_before(keyframe);
        (self.next, self.keyframe_wanted) = (Some(keyframe), false);
    }

    fn assemble(&mut self, start: i64, end: i64) -> Option<AssembledPicture> {
        let Taken { packets: picture, repaired } = self.arrivals.take(start, end);
        (self.next, self.gap) = (Some(end + 1), None);
        let first = picture.get(&start)?;
        let (ticks, keyframe) = (first.ticks, starts_keyframe(&first.payload));
        let first_packet = picture.values().map(|p| p.arrival).min()?;
        let last_packet = picture.values().map(|p| p.arrival).max()?;
        if picture.values().all(|p| is_filler(&p.payload)) {
            return None;
        }
        let depacketizer = self.depacketizer.get_or_insert_with(Depacketizer::new);
        depacketizer.reset();
        for packet in picture.values().filter(|p| !is_filler(&p.payload)) {
            if let Err(error) = depacketizer.push(&packet.payload) {
                tracing::debug!(%error, "broken picture");
                self.give_up();
                return None;
            }
        }
        match depacketizer.finish() {
            Ok(data) if !data.is_empty() => {
                self.whole = Some(ticks);
                Some(AssembledPicture { data, ticks, keyframe, first_packet, last_packet, repaired })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, "broken picture");
                self.give_up();
                None
            }
        }
    }
}
