//! What a datagram carries for the other side: itself, or what a TURN relay passes on in it (RFC 8656).
//!
//! Neither form is signed, and a relay passes a repeated one on like the first.

/// Send and Data indications (RFC 8656 §11).
const INDICATIONS: [[u8; 2]; 2] = [[0x00, 0x16], [0x00, 0x17]];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Bytes before the attributes of a STUN message.
const STUN_HEADER: usize = 20;
/// The attribute that holds what is passed on…
const DATA: [u8; 2] = [0x00, 0x13];
/// …and the one that says for whom, or from whom.
const PEER: [u8; 2] = [0x00, 0x12];

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

/// The datagram that would bring this from whoever a datagram is for, or came from: by the same relay, if by one.
/// `None` where that cannot be.
pub(super) fn brought_like(datagram: &[u8], inside: &[u8]) -> Option<Vec<u8>> {
    if carried(datagram).len() == datagram.len() {
        return Some(inside.to_vec());
    }
    let length = u16::try_from(inside.len()).ok()?.to_be_bytes();
    if datagram.first() != Some(&0) {
        return Some([&datagram[..2], &length, inside].concat());
    }
    let (header, mut attributes) = datagram.split_at_checked(STUN_HEADER)?;
    while !attributes.starts_with(&PEER) {
        attributes = value(attributes)?.1;
    }
    let peer = &attributes[..4 + value(attributes)?.0.len()];
    let data = [&DATA[..], &length, inside].concat();
    let padded = |bytes: &[u8]| [bytes, &[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()]].concat();
    let attributes = [padded(peer), padded(&data)].concat();
    // The rest of the header stays: an address of IPv6 is masked with it.
    let length = u16::try_from(attributes.len()).ok()?.to_be_bytes();
    Some([&INDICATIONS[1][..], &length, &header[4..], &attributes].concat())
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
    fn what_is_made_comes_by_the_same_relay_from_the_same_side() {
        let inside = [23u8; 33];
        assert_eq!(brought_like(&[22; 50], &inside), Some(inside.to_vec()));
        assert_eq!(brought_like(&by_channel(&[22; 50]), &inside), Some(by_channel(&inside)));
        let (sent, mut brought) = (by_indication(&[22; 50]), by_indication(&inside));
        brought[..2].copy_from_slice(&INDICATIONS[1]);
        assert_eq!(brought_like(&sent, &inside).as_ref(), Some(&brought));
        assert_eq!(brought_like(&brought, &inside), Some(brought));
        // Nobody is named.
        let nobody = [&INDICATIONS[0][..], &[0, 8], &MAGIC_COOKIE, &[7; 12], &DATA, &[0, 4], &[22; 4]].concat();
        assert_eq!((carried(&nobody), brought_like(&nobody, &inside)), (&[22; 4][..], None));
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
            let _ = (carried(&message), brought_like(&message, &bytes));
            message[0] = first;
            let _ = (carried(&message), brought_like(&message, &bytes));
            let _ = (carried(&bytes), brought_like(&bytes, &[1]));
        }
    }
}
