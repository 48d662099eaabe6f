//! Parity over pictures: packets from which lost ones are made again, without asking (in the manner of RFC 5109, 6865).
//!
//! Ours in both directions, and negotiated as a codec of our own name: FlexFEC-03, which the webrtc crate has and browsers
//! receive, is exclusive-or only, so that a burst in a small picture needs as many packets again; and as the crate makes it,
//! it covers header extensions, which change on the way. Here any packet of parity makes up for any lost packet of its
//! picture (`codec::erasure`). Towards browsers there is none: packets are asked for again, as ever.
//!
//! Parity travels under a number (SSRC) of its own, is paced and counted as pictures are, and never sent again.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use reader::ParityReader;
pub(super) use writer::ParityWriter;

use crate::interceptor::is_video;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc::interceptor::{Interceptor, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::time::Instant;

/// Bytes before the sum in a payload: SSRC, first number, count, which sum, time.
const HEADER: usize = 12;

/// What a packet of parity says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parity {
    /// The stream it protects.
    ssrc: u32,
    /// The number of the first of `count` packets.
    base: u16,
    count: usize,
    /// Which sum of them it is.
    index: usize,
    /// The RTP time of all of them.
    timestamp: u32,
    sum: Bytes,
}

impl Parity {
    fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEADER + self.sum.len());
        out.put_u32(self.ssrc);
        out.put_u16(self.base);
        out.put_u8(u8::try_from(self.count).unwrap_or(u8::MAX));
        out.put_u8(u8::try_from(self.index).unwrap_or(u8::MAX));
        out.put_u32(self.timestamp);
        out.put_slice(&self.sum);
        out.freeze()
    }

    /// `None` where it is cut off.
    fn read(mut payload: Bytes) -> Option<Self> {
        if payload.len() <= HEADER {
            return None;
        }
        let (ssrc, base) = (payload.get_u32(), payload.get_u16());
        let (count, index) = (usize::from(payload.get_u8()), usize::from(payload.get_u8()));
        Some(Self { ssrc, base, count, index, timestamp: payload.get_u32(), sum: payload })
    }
}

/// What parity covers of a packet: length, marker and payload type, payload. The rest of its header follows from the
/// parity's own, and extensions belong to one way over the path.
fn block(marker: bool, payload_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(3 + payload.len());
    block.put_u16(u16::try_from(payload.len()).unwrap_or(0));
    block.put_u8(u8::from(marker) << 7 | payload_type & 0x7F);
    block.put_slice(payload);
    block
}

/// A block taken apart: marker, payload type, payload; `None` where it is none.
fn opened(mut block: Vec<u8>) -> Option<(bool, u8, Bytes)> {
    let &[high, low, flags] = block.first_chunk()?;
    let end = 3 + usize::from(u16::from_be_bytes([high, low]));
    if end == 3 || end > block.len() {
        return None;
    }
    block.truncate(end);
    Some((flags & 0x80 != 0, flags & 0x7F, Bytes::from(block).slice(3..)))
}

/// An interceptor that is told of the stream of parity with each stream of pictures that leaves: so it is paced, and gets
/// transport-wide numbers, as those.
pub(super) struct AlongWith<T> {
    pub inner: T,
    pub ssrc: u32,
}

impl<T> AlongWith<T> {
    fn parity(&self, info: &StreamInfo) -> Option<StreamInfo> {
        is_video(info).then(|| StreamInfo { ssrc: self.ssrc, ..info.clone() })
    }
}

impl<T: Interceptor> Protocol<TaggedPacket, TaggedPacket, ()> for AlongWith<T> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.inner.handle_read(packet)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inner.poll_read()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.inner.handle_write(packet)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.inner.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.inner.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.inner.poll_timeout()
    }
}

impl<T: Interceptor> Interceptor for AlongWith<T> {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.inner.bind_local_stream(info);
        if let Some(parity) = self.parity(info) {
            self.inner.bind_local_stream(&parity);
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.inner.unbind_local_stream(info);
        if let Some(parity) = self.parity(info) {
            self.inner.unbind_local_stream(&parity);
        }
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.inner.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.inner.unbind_remote_stream(info);
    }
}
