//! H.264 in RTP (RFC 6184, packetization-mode 1): access units to payloads and back.
//!
//! Payloads only; sequence numbers, timestamps and the marker bit are the caller's. Nothing here trusts a payload:
//! every length is checked, an access unit holds at most [`MAX_ACCESS_UNIT`] bytes, and errors are typed.

use crate::nal::{unit, unit_type, units};
use bytes::Bytes;

/// Largest access unit that a [`Depacketizer`] gathers, in bytes: many times a 1080p keyframe.
pub const MAX_ACCESS_UNIT: usize = 4 << 20;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// F and NRI bits of a NAL header (RFC 6184 §1.3).
const NRI_BITS: u8 = 0x60;
const FORBIDDEN_BIT: u8 = 0x80;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// FU indicator and FU header (§5.8).
const FU_HEADERS: usize = 2;

/// Cuts an Annex B access unit into RTP payloads of at most `max_payload` bytes (at least 8 are used).
///
/// Small neighbours (parameter sets) share a STAP-A (§5.7.1); what is too large goes into FU-As (§5.8) of nearly equal
/// size, so that no packet is a crumb; the rest are single NAL units (§5.6). The marker bit belongs on the last one.
/// Without NAL units in it there are no payloads.
pub fn packetize(annexb: &[u8], max_payload: usize) -> Vec<Bytes> {
    let max = max_payload.clamp(8, usize::from(u16::MAX));
    let mut payloads = Vec::with_capacity(annexb.len() / max + 2);
    let mut together: Vec<&[u8]> = Vec::new();
    let mut together_len = 1;
    for nal in units(annexb) {
        let in_stap = nal.len() + 2;
        if together_len + in_stap > max {
            flush(&mut together, &mut together_len, &mut payloads);
        }
        if nal.len() > max {
            fragment(nal, max, &mut payloads);
        } else if in_stap >= max {
            payloads.push(Bytes::copy_from_slice(nal));
        } else {
            together.push(nal);
            together_len += in_stap;
        }
    }
    flush(&mut together, &mut together_len, &mut payloads);
    payloads
}

fn flush(together: &mut Vec<&[u8]>, len: &mut usize, payloads: &mut Vec<Bytes>) {
    if let [only] = together[..] {
        payloads.push(Bytes::copy_from_slice(only));
    } else if !together.is_empty() {
        let importance = together.iter().map(|nal| nal[0] & NRI_BITS).max().unwrap_or(0);
        let mut payload = Vec::with_capacity(*len);
        payload.push(importance | unit::STAP_A);
        for nal in &*together {
            // Fits: a unit that would not is in no STAP-A, and no payload reaches 64 KiB.
            payload.extend_from_slice(&(nal.len() as u16).to_be_bytes());
            payload.extend_from_slice(nal);
        }
        payloads.push(Bytes::from(payload));
    }
    together.clear();
    *len = 1;
}

fn fragment(nal: &[u8], max: usize, payloads: &mut Vec<Bytes>) {
    let (header, body) = (nal[0], &nal[1..]);
    let count = body.len().div_ceil(max - FU_HEADERS);
    let size = body.len().div_ceil(count);
    let last = body.chunks(size).count() - 1;
    for (i, chunk) in body.chunks(size).enumerate() {
        let start = if i == 0 { FU_START } else { 0 };
        let end = if i == last { FU_END } else { 0 };
        let mut payload = Vec::with_capacity(FU_HEADERS + chunk.len());
        payload.extend_from_slice(&[header & (FORBIDDEN_BIT | NRI_BITS) | unit::FU_A, start | end | unit_type(header)]);
        payload.extend_from_slice(chunk);
        payloads.push(Bytes::from(payload));
    }
}

/// Whether a payload belongs to an access unit that a decoder can start with: it holds an IDR slice (its beginning,
/// where fragmented) or a sequence parameter set.
pub fn starts_keyframe(payload: &[u8]) -> bool {
    let starts = |header: u8| matches!(unit_type(header), unit::IDR | unit::SPS);
    match payload {
        [] => false,
        [header, rest @ ..] => match unit_type(*header) {
            unit::STAP_A => {
                let mut rest = rest;
                while let Some((nal, after)) = take_aggregated(rest) {
                    if starts(nal[0]) {
                        return true;
                    }
                    rest = after;
                }
                false
            }
            unit::FU_A => rest.first().is_some_and(|fu| fu & FU_START != 0 && starts(*fu)),
            _ => starts(*header),
        },
    }
}

/// The first NAL unit of a STAP-A's body and what follows it; `None` at the end or where a length is wrong.
fn take_aggregated(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 { None } else { rest.split_at_checked(length) }
}

/// Why payloads do not make an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DepacketizeError {
    /// A length inside a payload points past its end, or a payload is too short for its kind.
    #[error("the payload ends too early")]
    Truncated,
    /// A payload type that packetization-mode 1 does not have (§5.2).
    #[error("payload type {0} is not part of packetization-mode 1")]
    Unsupported(u8),
    /// The forbidden bit is set: somebody on the way knows the unit to be damaged (§1.3).
    #[error("the unit is marked as damaged")]
    Damaged,
    /// A fragment without its beginning, or a unit in the middle of another.
    #[error("fragments do not fit together")]
    Disordered,
    /// More than [`MAX_ACCESS_UNIT`] bytes.
    #[error("the access unit is too large")]
    TooLarge,
    /// `finish` without anything gathered.
    #[error("the access unit is empty")]
    Empty,
}

/// Gathers the payloads of one access unit, in order, into Annex B form.
///
/// After an error the unit is lost: further payloads answer the same error until [`finish`](Self::finish) or
/// [`reset`](Self::reset).
#[derive(Debug, Default)]
pub struct Depacketizer {
    data: Vec<u8>,
    in_fragment: bool,
    broken: Option<DepacketizeError>,
}

impl Depacketizer {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next payload. An empty one (bandwidth probing sends such) is passed over.
    ///
    /// # Errors
    /// [`DepacketizeError`]; the access unit is lost then.
    pub fn push(&mut self, payload: &[u8]) -> Result<(), DepacketizeError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.take(payload).inspect_err(|&error| {
            self.broken = Some(error);
            self.data.clear();
        })
    }

    /// The access unit, after its last payload. Begins the next one, also after an error.
    ///
    /// # Errors
    /// [`DepacketizeError`] where a payload was wrong, the last fragment is missing, or nothing came.
    pub fn finish(&mut self) -> Result<Bytes, DepacketizeError> {
        let (open, broken) = (self.in_fragment, self.broken);
        let data = std::mem::take(&mut self.data);
        self.reset();
        match broken {
            Some(error) => Err(error),
            None if open => Err(DepacketizeError::Disordered),
            None if data.is_empty() => Err(DepacketizeError::Empty),
            None => Ok(Bytes::from(data)),
        }
    }

    /// Forgets what was gathered.
    pub fn reset(&mut self) {
        self.data.clear();
        self.in_fragment = false;
        self.broken = None;
    }

    fn take(&mut self, payload: &[u8]) -> Result<(), DepacketizeError> {
        let Some((&header, body)) = payload.split_first() else { return Ok(()) };
        if header & FORBIDDEN_BIT != 0 {
            return Err(DepacketizeError::Damaged);
        }
        match unit_type(header) {
            unit::FU_A => self.take_fragment(header, body),
            _ if self.in_fragment => Err(DepacketizeError::Disordered),
            unit::STAP_A => {
                if body.is_empty() {
                    return Err(DepacketizeError::Truncated);
                }
                let mut rest = body;
                while !rest.is_empty() {
                    let (nal, after) = take_aggregated(rest).ok_or(DepacketizeError::Truncated)?;
                    self.append(&START_CODE, nal)?;
                    rest = after;
                }
                Ok(())
            }
            1..=23 => self.append(&START_CODE, payload),
            kind => Err(DepacketizeError::Unsupported(kind)),
        }
    }

    fn take_fragment(&mut self, indicator: u8, body: &[u8]) -> Result<(), DepacketizeError> {
        let Some((&fu, body)) = body.split_first() else { return Err(DepacketizeError::Truncated) };
        let (start, end) = (fu & FU_START != 0, fu & FU_END != 0);
        // A fragment that both begins and ends is not allowed (§5.8), but harmless and seen in the wild.
        if start == self.in_fragment {
            return Err(DepacketizeError::Disordered);
        }
        if !(1..=23).contains(&unit_type(fu)) {
            return Err(DepacketizeError::Unsupported(unit_type(fu)));
        }
        if start {
            let [a, b, c, d] = START_CODE;
            self.append(&[a, b, c, d, indicator & NRI_BITS | unit_type(fu)], body)?;
        } else {
            self.append(&[], body)?;
        }
        self.in_fragment = !end;
        Ok(())
    }

    fn append(&mut self, head: &[u8], body: &[u8]) -> Result<(), DepacketizeError> {
        if self.data.len() + head.len() + body.len() > MAX_ACCESS_UNIT {
            return Err(DepacketizeError::TooLarge);
        }
        self.data.extend_from_slice(head);
        self.data.extend_from_slice(body);
        Ok(())
    }
}
