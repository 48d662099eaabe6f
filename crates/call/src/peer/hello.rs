//! The messages that a DTLS 1.2 handshake begins with, as bytes: ClientHello and HelloVerifyRequest (RFC 6347 §4.2.1,
//! §4.2.2).
//!
//! Only a datagram that is one record with one whole message in it is read; both are always sent so. Nothing is
//! believed: whatever is odd is no such message.

/// Bytes of a cookie as webrtc 0.21 draws it; RFC 6347 allows up to 255.
pub(super) const COOKIE: usize = 20;

/// What a server has a client say back, to see that its address is true. No secret.
pub(super) type Cookie = [u8; COOKIE];

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const VERIFY_REQUEST: u8 = 3;
/// As DTLS writes 1.2.
const VERSION: [u8; 2] = [0xfe, 0xfd];
/// Bytes of version and random.
const OPENING: usize = 34;

/// A datagram that is a ClientHello.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ClientHello<'a> {
    /// Which message of its sender it is.
    pub number: u16,
    /// Empty in the first one.
    pub cookie: &'a [u8],
    version: &'a [u8],
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> ClientHello<'a> {
    pub(super) fn read(datagram: &'a [u8]) -> Option<Self> {
        let Message { kind: CLIENT_HELLO, number, body } = Message::read(datagram)? else { return None };
        let session = OPENING + 1 + usize::from(*body.get(OPENING)?);
        let (before, rest) = body.split_at_checked(session)?;
        let (length, rest) = rest.split_first()?;
        let (cookie, after) = rest.split_at_checked(usize::from(*length))?;
        Some(Self { number, cookie, version: &datagram[1..3], before, after })
    }

    /// Whether it is its sender's first message, and tells no cookie.
    pub(super) fn is_first(&self) -> bool {
        self.number == 0 && self.cookie.is_empty()
    }

    /// The same hello as its sender would have said it at first: without the cookie, as message and record 0. All else
    /// must be alike in both (RFC 6347 §4.2.1).
    pub(super) fn without_cookie(&self) -> Vec<u8> {
        message(self.version, CLIENT_HELLO, &[self.before, &[0], self.after].concat())
    }
}

/// What a server asks with this cookie; its first message, in its first record.
pub(super) fn verify_request(cookie: &Cookie) -> Vec<u8> {
    message(&VERSION, VERIFY_REQUEST, &[&VERSION[..], &[COOKIE as u8], cookie].concat())
}

/// Whether a datagram is a HelloVerifyRequest.
pub(super) fn is_verify_request(datagram: &[u8]) -> bool {
    Message::read(datagram).is_some_and(|message| message.kind == VERIFY_REQUEST)
}

struct Message<'a> {
    kind: u8,
    number: u16,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(datagram: &'a [u8]) -> Option<Self> {
        let (record, content) = datagram.split_at_checked(13)?;
        let (header, body) = content.split_at_checked(12)?;
        let plain = record[0] == HANDSHAKE && record[3..5] == [0, 0];
        let alone = number(&record[11..13]) == content.len();
        let whole = number(&header[1..4]) == body.len() && header[6..9] == [0; 3] && header[9..12] == header[1..4];
        let number = u16::from_be_bytes([header[4], header[5]]);
        (plain && alone && whole).then_some(Self { kind: header[0], number, body })
    }
}

fn message(version: &[u8], kind: u8, body: &[u8]) -> Vec<u8> {
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let record = (body.len() as u16 + 12).to_be_bytes();
    // Epoch and number of the record, number of the message and where in it the piece begins are all 0.
    [&[HANDSHAKE], version, &[0; 8], &record, &[kind], length, &[0; 5], length, body].concat()
}

/// Big-endian; of at most three bytes here.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ClientHello as message and record of that number.
    pub(in crate::peer) fn hello(number: u8, cookie: &[u8]) -> Vec<u8> {
        let session = [3, 1, 2, 3];
        let body =
            [&VERSION[..], &[7; 32], &session, &[cookie.len() as u8], cookie, &[0, 2, 0xc0, 0x2b, 1, 0]].concat();
        let mut datagram = message(&VERSION, CLIENT_HELLO, &body);
        (datagram[10], datagram[18]) = (number, number);
        datagram
    }

    #[test]
    fn a_hello_with_cookie_becomes_the_one_that_would_have_come_before_it() {
        let (first, second) = (hello(0, &[]), hello(1, &[9; COOKIE]));
        let read = ClientHello::read(&second).expect("a hello");
        assert_eq!((read.number, read.cookie), (1, &[9; COOKIE][..]));
        assert_eq!(read.without_cookie(), first);
        let read = ClientHello::read(&first).expect("a hello");
        assert_eq!((read.number, read.cookie), (0, &[][..]));
    }

    #[test]
    fn a_verify_request_is_the_first_record_and_message_of_its_sender() {
        let datagram = verify_request(&[5; COOKIE]);
        assert!(is_verify_request(&datagram) && ClientHello::read(&datagram).is_none());
        assert_eq!(datagram[..13], [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 35]);
        assert_eq!(datagram[13..25], [3, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 23]);
        assert_eq!(datagram[25..], [&[0xfe, 0xfd, 20][..], &[5; COOKIE]].concat());
        assert!(!is_verify_request(&hello(0, &[])));
    }

    #[test]
    fn pieces_joined_sealed_and_cut_off_messages_are_passed_over() {
        let whole = hello(1, &[9; COOKIE]);
        for end in 0..whole.len() {
            assert_eq!(ClientHello::read(&whole[..end]), None, "{end} bytes");
        }
        // An epoch with keys, a piece that is not the first, one that is not the last, a cookie beyond the end.
        for (at, value) in [(4, 1), (21, 1), (24, 40), (63, 200)] {
            let mut odd = whole.clone();
            odd[at] = value;
            assert_eq!(ClientHello::read(&odd), None, "byte {at}");
        }
        assert_eq!(ClientHello::read(&[whole.clone(), whole].concat()), None);
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(body in proptest::collection::vec(any::<u8>(), 0..120), kind in 0u8..4) {
            let datagram = message(&VERSION, kind, &body);
            if let Some(hello) = ClientHello::read(&datagram) {
                prop_assert!(ClientHello::read(&hello.without_cookie()).is_some_and(|first| first.cookie.is_empty()));
            }
            let _ = (ClientHello::read(&body), is_verify_request(&body));
        }
    }
}
