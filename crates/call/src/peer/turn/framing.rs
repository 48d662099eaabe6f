//! STUN messages and channel data on a stream (RFC 8656 §12.5, RFC 8489 §6.2.2): each says how long it is, and channel
//! data is padded to four bytes.

/// What webrtc's sockets take at once. A relay passes on what fits a datagram on its way to us; longer ones are
/// passed over.
const LONGEST: usize = 2000;
/// Before the attributes of a STUN message.
const STUN_HEADER: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const CHANNEL_HEADER: usize = 4;

/// No server of TURN speaks like this; what follows cannot be told apart any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what answers is no TURN server")]
pub(super) struct Garbage;

/// Finds the messages in what a stream brings, in whatever pieces. Holds less than one message beside the last piece.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    buffer: Vec<u8>,
    /// What is left of a message that is passed over.
    skip: usize,
    /// A STUN message has come. No server sends channel data before (RFC 8656 §12), but `HTTP` would read as such.
    begun: bool,
}

impl Deframer {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.buffer.extend(&bytes[skipped..]);
    }

    /// The next whole message, without padding; `None` until more has come.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Garbage> {
        loop {
            if !self.begun && self.buffer.first().is_some_and(|first| *first > 63) {
                return Err(Garbage);
            }
            let Some((length, with_padding)) = measure(&self.buffer)? else { return Ok(None) };
            self.begun = true;
            if length > LONGEST {
                let here = with_padding.min(self.buffer.len());
                self.skip = with_padding - here;
                self.buffer.drain(..here);
                continue;
            }
            if self.buffer.len() < with_padding {
                return Ok(None);
            }
            let mut message: Vec<u8> = self.buffer.drain(..with_padding).collect();
            message.truncate(length);
            return Ok(Some(message));
        }
    }
}

/// How long the message at the beginning is, without and with its padding; `None` where too little is there.
fn measure(bytes: &[u8]) -> Result<Option<(usize, usize)>, Garbage> {
    let Some(&[first, _, high, low]) = bytes.first_chunk() else {
        // The first byte tells, however slowly the others come.
        return if bytes.first().is_some_and(|first| *first > 79) { Err(Garbage) } else { Ok(None) };
    };
    let said = usize::from(u16::from_be_bytes([high, low]));
    match first {
        0..=63 => match bytes.get(4..8) {
            None => Ok(None),
            Some(cookie) if cookie == MAGIC_COOKIE && said % 4 == 0 => {
                Ok(Some((STUN_HEADER + said, STUN_HEADER + said)))
            }
            Some(_) => Err(Garbage),
        },
        64..=79 => Ok(Some((CHANNEL_HEADER + said, CHANNEL_HEADER + said.next_multiple_of(4)))),
        _ => Err(Garbage),
    }
}

/// A datagram for a TURN server as it goes over a stream; `None` where it is none.
pub(super) fn framed(datagram: &[u8]) -> Option<Vec<u8>> {
    let (length, with_padding) = measure(datagram).ok()??;
    let mut frame = datagram.get(..length)?.to_vec();
    frame.resize(with_padding, 0);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::super::super::relayed::tests::{by_channel, by_indication};
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    fn all(deframer: &mut Deframer) -> Result<Vec<Vec<u8>>, Garbage> {
        std::iter::from_fn(|| deframer.next().transpose()).collect()
    }

    fn mixed() -> Vec<Vec<u8>> {
        (0..60u8)
            .map(|i| if i % 3 == 0 { by_indication(&vec![i; usize::from(i)]) } else { by_channel(&vec![i; i.into()]) })
            .collect()
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_the_stream_cuts_them(piece in 1usize..300) {
            let (messages, mut deframer, mut out) = (mixed(), Deframer::default(), Vec::new());
            let wire = messages.iter().flat_map(|m| framed(m).expect("a message")).collect::<Vec<_>>();
            prop_assert_eq!(wire.len() % 4, 0);
            for piece in wire.chunks(piece) {
                deframer.push(piece);
                out.extend(all(&mut deframer).expect("messages"));
            }
            prop_assert_eq!(out, messages);
            prop_assert!(deframer.buffer.is_empty());
        }
    }

    #[test]
    fn channel_data_that_is_padded_already_is_not_padded_again_and_garbage_is_not_framed() {
        let padded = [&by_channel(&[7; 5])[..], &[0; 3]].concat();
        assert_eq!(framed(&padded), Some(padded.clone()));
        for bad in [&[][..], &[0x40], &[0x40, 1, 0, 9, 1], &[0; 20], &[22, 254, 253, 0, 0, 0, 0, 0], &[0x80; 40]] {
            assert_eq!(framed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over_without_being_kept() {
        let mut deframer = Deframer { begun: true, ..Deframer::default() };
        let long = framed(&by_channel(&vec![1; 65_535])).expect("a message");
        let wire = [long, framed(&by_channel(b"after")).expect("a message")].concat();
        let mut out = Vec::new();
        for piece in wire.chunks(1000) {
            deframer.push(piece);
            out.extend(all(&mut deframer).expect("messages"));
            assert!(deframer.buffer.len() <= LONGEST + 1000);
        }
        assert_eq!(out, [by_channel(b"after")]);
    }

    #[test]
    fn one_byte_at_a_time_holds_no_more_than_one_message() {
        let mut deframer = Deframer { begun: true, ..Deframer::default() };
        for byte in framed(&by_channel(&[1; LONGEST - CHANNEL_HEADER])).expect("a message") {
            assert_eq!(deframer.next(), Ok(None));
            deframer.push(&[byte]);
        }
        assert_eq!(deframer.next().expect("a message").map(|m| m.len()), Some(LONGEST));
        assert!(deframer.buffer.is_empty());
    }

    #[test]
    fn what_is_no_turn_is_told_by_its_first_bytes() {
        for bad in [&b"HTTP/1.1 400 Bad Request"[..], &[0x16, 3, 3, 0, 40, 2, 0, 0], &[0xff], &[0; 8]] {
            let mut deframer = Deframer::default();
            deframer.push(bad);
            assert_eq!(all(&mut deframer), Err(Garbage), "{bad:?}");
        }
    }

    #[test]
    fn chance_bytes_neither_panic_nor_fill_memory() {
        for seed in 0..300 {
            let (mut chance, mut deframer) = (SmallRng::seed_from_u64(seed), Deframer::default());
            let mut wire: Vec<u8> = mixed().concat();
            for _ in 0..seed % 20 {
                let at = chance.random_range(0..wire.len());
                wire[at] = chance.random();
            }
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(chance.random_range(1..=rest.len().min(700)));
                rest = after;
                deframer.push(piece);
                let sound = all(&mut deframer);
                assert!(deframer.buffer.len() <= LONGEST + 700);
                if sound.is_err() {
                    break;
                }
            }
        }
    }
}
