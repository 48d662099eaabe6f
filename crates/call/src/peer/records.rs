//! What a datagram holds, as far as it can be seen from outside: DTLS records (RFC 6347 §4.1), media, or neither.
//!
//! No keys, no state, nothing is believed: whatever does not parse is [`Record::Other`], and nothing after it is read.

/// Bytes before a record's content.
const RECORD_HEADER: usize = 13;
/// Bytes before a handshake message's content (RFC 6347 §4.2.2).
const MESSAGE_HEADER: usize = 12;
/// Shortest RTP or RTCP packet that can carry anything (RFC 3550).
const MEDIA_HEADER: usize = 8;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Where in one side's half of a handshake a record belongs; later ones compare greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place(u64);

impl Place {
    /// A change of keys comes after every message that can be read…
    const KEYS: Self = Self(u64::MAX - 1);
    /// …and one message comes after it: Finished.
    const FINISHED: Self = Self(u64::MAX);

    fn of_message(number: u16, offset: u32) -> Self {
        Self(u64::from(number) << 24 | u64::from(offset))
    }
}

/// One record of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// Part of a flight.
    Flight(Place),
    /// Application data under keys: its sender has finished the handshake.
    Application,
    /// An alert, or nothing that is known.
    Other,
}

/// Whether a datagram is DTLS, by its first byte (RFC 7983 §7).
pub(super) fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

/// Whether a datagram is SRTP or SRTCP, by its first byte (RFC 7983 §7).
pub(super) fn is_media(datagram: &[u8]) -> bool {
    datagram.len() >= MEDIA_HEADER && matches!(datagram.first(), Some(128..=191))
}

/// The records of a datagram, in order.
pub(super) fn records(mut datagram: &[u8]) -> impl Iterator<Item = Record> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let length = datagram.get(11..RECORD_HEADER).map_or(0, number);
        let Some((record, rest)) = datagram.split_at_checked(RECORD_HEADER + length) else {
            datagram = &[];
            return Some(Record::Other);
        };
        datagram = rest;
        Some(read(record))
    })
}

fn read(record: &[u8]) -> Record {
    let (header, content) = record.split_at(RECORD_HEADER);
    let plain = header[3..5] == [0, 0];
    match (header[0], plain) {
        (CHANGE_CIPHER_SPEC, true) => Record::Flight(Place::KEYS),
        (HANDSHAKE, true) => last_place(content).map_or(Record::Other, Record::Flight),
        (HANDSHAKE, false) => Record::Flight(Place::FINISHED),
        (APPLICATION_DATA, false) => Record::Application,
        _ => Record::Other,
    }
}

/// Of the last message, or piece of one, in a handshake record; there is seldom more than one.
fn last_place(mut content: &[u8]) -> Option<Place> {
    let mut place = None;
    while !content.is_empty() {
        let header = content.get(..MESSAGE_HEADER)?;
        let (offset, length) = (number(&header[6..9]), number(&header[9..12]));
        place = Some(Place::of_message(number(&header[4..6]) as u16, offset as u32));
        content = content.get(MESSAGE_HEADER + length..)?;
    }
    place
}

/// Big-endian; of at most three bytes here.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::peer) fn record(kind: u8, epoch: u16, content: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 0xfe, 0xfd];
        out.extend(epoch.to_be_bytes());
        out.extend([0; 6]);
        out.extend((content.len() as u16).to_be_bytes());
        out.extend(content);
        out
    }

    /// A handshake message with that number, or the piece of it that begins at `offset`.
    pub(in crate::peer) fn message(number: u16, offset: u8, size: u8) -> Vec<u8> {
        let mut content = vec![1, 0, 0, offset + size];
        content.extend(number.to_be_bytes());
        content.extend([0, 0, offset, 0, 0, size]);
        content.extend(vec![7; size.into()]);
        record(HANDSHAKE, 0, &content)
    }

    pub(in crate::peer) fn change_of_keys() -> Vec<u8> {
        record(CHANGE_CIPHER_SPEC, 0, &[1])
    }

    pub(in crate::peer) fn finished() -> Vec<u8> {
        record(HANDSHAKE, 1, &[9; 40])
    }

    pub(in crate::peer) fn application() -> Vec<u8> {
        record(APPLICATION_DATA, 1, &[3; 30])
    }

    pub(in crate::peer) fn alert() -> Vec<u8> {
        record(21, 0, &[1, 0])
    }

    fn places(datagram: &[u8]) -> Vec<Place> {
        records(datagram).filter_map(|r| if let Record::Flight(place) = r { Some(place) } else { None }).collect()
    }

    #[test]
    fn the_parts_of_a_flight_are_in_the_order_in_which_they_are_sent() {
        let whole = [message(1, 0, 9), message(2, 0, 5), message(2, 5, 5), change_of_keys(), finished()].concat();
        let places = places(&whole);
        assert_eq!(places.len(), 5);
        assert!(places.is_sorted() && places.windows(2).all(|w| w[0] != w[1]), "{places:?}");
    }

    #[test]
    fn alerts_and_data_are_no_part_of_a_flight() {
        let all = [alert(), application(), record(APPLICATION_DATA, 0, &[1]), record(24, 0, &[1])].concat();
        let kinds: Vec<_> = records(&all).collect();
        assert_eq!(kinds, [Record::Other, Record::Application, Record::Other, Record::Other]);
    }

    #[test]
    fn dtls_media_and_stun_are_told_apart_by_their_first_byte() {
        assert!(is_dtls(&message(0, 0, 1)) && !is_media(&message(0, 0, 1)));
        assert!(is_media(&[0x80; 12]) && !is_dtls(&[0x80; 12]));
        assert!(!is_dtls(&[0, 1, 0, 0]) && !is_media(&[0; 20]) && !is_dtls(&[]) && !is_media(&[0x80]));
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let whole = message(3, 0, 50);
        for end in 1..whole.len() {
            assert_eq!(records(&whole[..end]).collect::<Vec<_>>(), [Record::Other], "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 20u8..24) {
            let mut datagram = record(kind, 0, &bytes);
            datagram.extend(&bytes);
            prop_assert!(records(&datagram).count() <= datagram.len());
        }
    }
}
