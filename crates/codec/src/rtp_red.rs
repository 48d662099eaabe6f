//! RTP payload format for redundant sound (RFC 2198): the newest packet, and before it copies of earlier ones.
//!
//! A block's header has one bit that says whether another follows, seven of payload type, and for earlier packets 14
//! bits of how much earlier and 10 of length. Whatever comes from outside is bounded here.

use bytes::{BufMut, Bytes, BytesMut};

/// Earlier packets in one payload at most: what anybody sends (libwebrtc: two).
pub const MAX_EARLIER: usize = 8;
/// How much earlier a block can be, in RTP time: 341 ms of 48 kHz.
pub const MAX_OFFSET: u32 = (1 << 14) - 1;
/// Bytes of an earlier block at most.
pub const MAX_LENGTH: usize = (1 << 10) - 1;
/// Says that another block follows.
const FOLLOWS: u8 = 0x80;

/// A copy of an earlier packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// How much less its RTP timestamp is than the packet's that carries it.
    pub offset: u32,
    /// Its payload, never empty.
    pub payload: Bytes,
}

/// What a payload carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redundant {
    /// Earlier packets of the payload type asked for, oldest first as a rule.
    pub earlier: Vec<Earlier>,
    /// The newest.
    pub primary: Bytes,
}

/// Why a payload was not taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedError {
    /// It ends before what it announces.
    #[error("a redundant payload that is cut off")]
    CutOff,
    /// More than [`MAX_EARLIER`] earlier packets.
    #[error("a redundant payload of too many blocks")]
    TooMany,
    /// Its newest block is of another payload type.
    #[error("a redundant payload of another format")]
    OtherFormat,
}

/// Puts a packet and copies of earlier ones together. Copies that the format has no room for are left out, as are those
/// beyond [`MAX_EARLIER`]; the primary is always there.
pub fn pack(payload_type: u8, earlier: &[Earlier], primary: &[u8]) -> Bytes {
    let fits =
        |e: &&Earlier| (1..=MAX_OFFSET).contains(&e.offset) && !e.payload.is_empty() && e.payload.len() <= MAX_LENGTH;
    let earlier: Vec<_> = earlier.iter().filter(fits).take(MAX_EARLIER).collect();
    let length = earlier.iter().map(|e| 4 + e.payload.len()).sum::<usize>() + 1 + primary.len();
    let mut out = BytesMut::with_capacity(length);
    for e in &earlier {
        out.put_u8(FOLLOWS | payload_type & !FOLLOWS);
        let length = u32::try_from(e.payload.len()).unwrap_or(0);
        out.put_uint(u64::from(e.offset << 10 | length), 3);
    }
    out.put_u8(payload_type & !FOLLOWS);
    earlier.iter().for_each(|e| out.put_slice(&e.payload));
    out.put_slice(primary);
    out.freeze()
}

/// Takes a payload apart. Earlier blocks of other payload types, without bytes, or as old as the newest are left out.
///
/// # Errors
/// [`RedError`].
pub fn unpack(payload_type: u8, payload: &Bytes) -> Result<Redundant, RedError> {
    let (mut at, mut headers) = (0, Vec::new());
    loop {
        let first = *payload.get(at).ok_or(RedError::CutOff)?;
        if first & FOLLOWS == 0 {
            if first != payload_type {
                return Err(RedError::OtherFormat);
            }
            at += 1;
            break;
        }
        let &[a, b, c] = payload.get(at + 1..at + 4).ok_or(RedError::CutOff)? else { return Err(RedError::CutOff) };
        if headers.len() == MAX_EARLIER {
            return Err(RedError::TooMany);
        }
        let word = u32::from_be_bytes([0, a, b, c]);
        headers.push((first & !FOLLOWS, word >> 10, (word & MAX_LENGTH as u32) as usize));
        at += 4;
    }
    let mut earlier = Vec::with_capacity(headers.len());
    for (format, offset, length) in headers {
        let end = at + length;
        if end > payload.len() {
            return Err(RedError::CutOff);
        }
        if format == payload_type && offset > 0 && length > 0 {
            earlier.push(Earlier { offset, payload: payload.slice(at..end) });
        }
        at = end;
    }
    Ok(Redundant { earlier, primary: payload.slice(at..) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn earlier(offset: u32, payload: &'static [u8]) -> Earlier {
        Earlier { offset, payload: Bytes::from_static(payload) }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        let bytes = pack(111, &[earlier(960, b"ab")], b"cde");
        // F=1 PT=111, offset 960 (14 bits), length 2 (10 bits); F=0 PT=111; then both payloads.
        assert_eq!(&bytes[..], [0x80 | 111, 0x0F, 0x00, 0x02, 111, b'a', b'b', b'c', b'd', b'e']);
        let back = unpack(111, &bytes).expect("well formed");
        assert_eq!((back.earlier, &back.primary[..]), (vec![earlier(960, b"ab")], &b"cde"[..]));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_newest_is_always_there() {
        let long = Bytes::from(vec![1; MAX_LENGTH + 1]);
        let none =
            [earlier(0, b"a"), earlier(MAX_OFFSET + 1, b"b"), earlier(5, b""), Earlier { offset: 5, payload: long }];
        assert_eq!(&pack(111, &none, b"x")[..], [111, b'x']);
        let many = vec![earlier(960, b"a"); 20];
        assert_eq!(unpack(111, &pack(111, &many, b"x")).expect("well formed").earlier.len(), MAX_EARLIER);
    }

    #[test]
    fn blocks_of_another_format_are_not_handed_on() {
        let mut bytes = pack(111, &[earlier(960, b"ab"), earlier(1920, b"cd")], b"x").to_vec();
        bytes[0] = 0x80 | 5;
        assert_eq!(unpack(111, &bytes.clone().into()).expect("well formed").earlier, [earlier(1920, b"cd")]);
        bytes[8] = 5;
        assert_eq!(unpack(111, &bytes.into()), Err(RedError::OtherFormat));
    }

    #[test]
    fn cut_off_and_endless_payloads_are_errors() {
        let whole = pack(111, &[earlier(960, b"ab")], b"");
        for length in 0..whole.len() {
            assert_eq!(unpack(111, &whole.slice(..length)), Err(RedError::CutOff), "{length} bytes");
        }
        let endless = Bytes::from([0x80 | 111, 0, 4, 0].repeat(1000));
        assert_eq!(unpack(111, &endless), Err(RedError::TooMany));
    }

    proptest! {
        #[test]
        fn any_bytes_give_few_blocks_within_them(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
            let bytes = Bytes::from(bytes);
            if let Ok(found) = unpack(111, &bytes) {
                prop_assert!(found.earlier.len() <= MAX_EARLIER);
                let all = found.earlier.iter().map(|e| e.payload.len()).sum::<usize>() + found.primary.len();
                prop_assert!(all <= bytes.len());
            }
        }

        #[test]
        fn what_was_packed_comes_back(
            blocks in proptest::collection::vec((1..=MAX_OFFSET, proptest::collection::vec(any::<u8>(), 1..300)), 0..8),
            primary in proptest::collection::vec(any::<u8>(), 0..300),
            payload_type in 0u8..128,
        ) {
            let earlier: Vec<_> =
                blocks.into_iter().map(|(offset, bytes)| Earlier { offset, payload: bytes.into() }).collect();
            let back = unpack(payload_type, &pack(payload_type, &earlier, &primary)).expect("well formed");
            prop_assert_eq!(back, Redundant { earlier, primary: primary.into() });
        }
    }
}
