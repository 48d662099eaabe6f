//! What a datagram carries for the other side: itself, or what a TURN relay passes on in it (RFC 8656).
//!
//! Neither form is signed, and a relay passes a repeated one on like the first.

/// Send and Data indications (RFC 8656 §11).
const INDICATIONS: [[u8; 2]; 2] = [[0x00, 0x16], [0x00, 0x17]];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Bytes before the attributes of a STUN message.
const STUN_HEADER: usize = 20;
/// The attribute that holds what is passed on.
const DATA: [u8; 2] = [0x00, 0x13];

/// What is inside, or all of it where nothing is.
pub(super) fn carried(datagram: &[u8]) -> &[u8] {
    let inside = match datagram.first() {
        // ChannelData, as RFC 7983 §7 tells it.
        Some(64..=79) => value(datagram).map(|(inside, _)| inside),
        Some(0) => of_indication(datagram),
        _ => None,
    };
    inside.unwrap_or(datagram)
}

fn of_indication(message: &[u8]) -> Option<&[u8]> {
    let (header, mut attributes) = message.split_at_checked(STUN_HEADER)?;
    if !INDICATIONS.iter().any(|kind| header.starts_with(kind)) || header[4..8] != MAGIC_COOKIE {
        return None;
    }
    loop {
        let (inside, rest) = value(attributes)?;
        if attributes.starts_with(&DATA) {
            return Some(inside);
        }
        attributes = rest;
    }
}

/// Two bytes of number, two of length, and so much; with what comes after the padding to four bytes.
fn value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    let value = bytes.get(4..4 + length)?;
    Some((value, bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::peer) fn by_channel(inside: &[u8]) -> Vec<u8> {
        let length = (inside.len() as u16).to_be_bytes();
        [&[0x40, 0x01], &length[..], inside].concat()
    }

    pub(in crate::peer) fn by_indication(inside: &[u8]) -> Vec<u8> {
        let address = [0, 0x12, 0, 8, 0, 1, 1, 2, 3, 4, 5, 6];
        let mut data = [&DATA[..], &(inside.len() as u16).to_be_bytes()[..], inside].concat();
        data.resize(data.len().next_multiple_of(4), 0);
        let length = ((address.len() + data.len()) as u16).to_be_bytes();
        [&INDICATIONS[0][..], &length, &MAGIC_COOKIE, &[7; 12], &address, &data].concat()
    }

    #[test]
    fn what_a_relay_passes_on_is_found_in_either_form() {
        for inside in [&[22u8; 50][..], &[128; 33], &[]] {
            assert_eq!(carried(&by_channel(inside)), inside);
            assert_eq!(carried(&by_indication(inside)), inside);
        }
    }

    #[test]
    fn everything_else_carries_itself() {
        let request = [&[0, 1, 0, 0][..], &MAGIC_COOKIE, &[7; 12]].concat();
        for datagram in [&[22u8; 50][..], &[128; 33], &request, &[], &[0], &[64, 0, 0, 9, 1]] {
            assert_eq!(carried(datagram), datagram);
        }
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), first in 0u8..80) {
            let mut message = by_indication(&bytes);
            message[3] = first;
            carried(&message);
            message[0] = first;
            carried(&message);
            carried(&bytes);
        }
    }
}
