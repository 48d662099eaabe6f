//! Sealed messages: AES-256-GCM under one key per direction, a strictly increasing counter as nonce.
//!
//! What is sealed is bound to its room, sender, recipient, call and type; moved, replayed, reflected or touched, it does
//! not open. Which bytes exactly: the documents' page on formats, and the vectors in `tests/vectors.json`.

use crate::message::{Envelope, Kind};
use crate::pake::Share;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use visavis_media::{CallId, PeerId, RoomId};
use zeroize::Zeroizing;

/// Which way a key serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the newcomer to who was there.
    AToB,
    /// From who was there to the newcomer.
    BToA,
}

/// The key of a direction: HKDF-SHA-256 (RFC 5869) of the transcript's hash, no salt, the direction's name as info.
pub(crate) fn key(transcript: &[u8; 32], direction: Direction) -> Zeroizing<[u8; 32]> {
    let info: &[u8] = match direction {
        Direction::AToB => b"visavis/1 A->B",
        Direction::BToA => b"visavis/1 B->A",
    };
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, transcript)
        .expand(info, &mut key[..])
        .expect("HKDF-SHA-256 gives up to 8160 bytes, and 32 are asked for");
    key
}

/// Seals what we send. One per direction and pair of peers, never copied, so that no counter is used twice.
pub struct Sealer {
    cipher: Aes256Gcm,
    room: RoomId,
    last: u64,
}

impl Sealer {
    pub(crate) fn new(transcript: &[u8; 32], direction: Direction, room: RoomId) -> Self {
        Self { cipher: Aes256Gcm::new(&(*key(transcript, direction)).into()), room, last: 0 }
    }

    /// Seals one message and puts it into its envelope; `pake` rides along unsealed, in the first offer.
    pub fn seal(
        &mut self,
        kind: Kind,
        from: &PeerId,
        to: &PeerId,
        call_id: &CallId,
        pake: Option<Share>,
        plain: &[u8],
    ) -> Envelope {
        self.last += 1;
        let aad = associated_data(&self.room, from, to, call_id, kind);
        let sealed = self
            .cipher
            .encrypt(&nonce(self.last).into(), Payload { msg: plain, aad: aad.as_bytes() })
            .expect("AES-GCM refuses only messages of more than 64 GiB");
        Envelope {
            room_id: self.room.clone(),
            from: from.clone(),
            to: to.clone(),
            call_id: call_id.clone(),
            pake,
            n: self.last,
            sealed: URL_SAFE_NO_PAD.encode(sealed),
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// Opens what we receive, and remembers the highest counter seen.
pub struct Opener {
    cipher: Aes256Gcm,
    room: RoomId,
    last: u64,
}

impl Opener {
    pub(crate) fn new(transcript: &[u8; 32], direction: Direction, room: RoomId) -> Self {
        Self { cipher: Aes256Gcm::new(&(*key(transcript, direction)).into()), room, last: 0 }
    }

    /// Opens one message.
    ///
    /// Nothing changes when it does not open: a forged counter cannot shut out the messages that follow.
    pub fn open(&mut self, kind: Kind, envelope: &Envelope) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if envelope.n <= self.last {
            return Err(OpenError::Replayed);
        }
        let ids = [envelope.from.as_str(), envelope.to.as_str(), envelope.call_id.as_str()];
        if envelope.room_id != self.room || ids.iter().any(|id| id.contains('|')) {
            // A `|` in an id would let one set of names pass for another.
            return Err(OpenError::Refused);
        }
        let body = URL_SAFE_NO_PAD.decode(&envelope.sealed).map_err(|_| OpenError::Refused)?;
        let aad = associated_data(&self.room, &envelope.from, &envelope.to, &envelope.call_id, kind);
        let plain = self
            .cipher
            .decrypt(&nonce(envelope.n).into(), Payload { msg: &body, aad: aad.as_bytes() })
            .map_err(|_| OpenError::Refused)?;
        self.last = envelope.n;
        Ok(Zeroizing::new(plain))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener(…)")
    }
}

/// Why a sealed message did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Its counter is not above the last one: a double, or an old message played back. To be ignored.
    #[error("this message, or a later one, was already received")]
    Replayed,
    /// It was sealed under another code, or for somebody else, or was changed on its way.
    #[error("the message does not open: the codes differ, or somebody changed it on its way")]
    Refused,
}

/// A counter as 96-bit big-endian nonce.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// What a sealed message is bound to.
fn associated_data(room: &RoomId, from: &PeerId, to: &PeerId, call: &CallId, kind: Kind) -> String {
    ["visavis/1", room.as_str(), from.as_str(), to.as_str(), call.as_str(), kind.as_str()].join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Pair {
        a: (Sealer, Opener),
        b: (Sealer, Opener),
    }

    fn pair(secret: u8) -> Pair {
        let hash = [secret; 32];
        let sealer = |direction| Sealer::new(&hash, direction, RoomId::new("room"));
        let opener = |direction| Opener::new(&hash, direction, RoomId::new("room"));
        Pair {
            a: (sealer(Direction::AToB), opener(Direction::BToA)),
            b: (sealer(Direction::BToA), opener(Direction::AToB)),
        }
    }

    fn seal(sealer: &mut Sealer, plain: &[u8]) -> Envelope {
        sealer.seal(Kind::Offer, &PeerId::new("a"), &PeerId::new("b"), &CallId::new("call"), None, plain)
    }

    #[test]
    fn what_is_sealed_opens_once_and_in_order() {
        let Pair { mut a, mut b } = pair(1);
        let [first, second, third] = [b"1", b"2", b"3"].map(|plain| seal(&mut a.0, plain));
        assert_eq!(b.1.open(Kind::Offer, &first).unwrap().as_slice(), b"1");
        assert_eq!(b.1.open(Kind::Offer, &first), Err(OpenError::Replayed));
        assert_eq!(b.1.open(Kind::Offer, &third).unwrap().as_slice(), b"3", "gaps are allowed");
        assert_eq!(b.1.open(Kind::Offer, &second), Err(OpenError::Replayed), "going back is not");
    }

    #[test]
    fn reflected_messages_are_refused() {
        let Pair { mut a, .. } = pair(1);
        let envelope = seal(&mut a.0, b"hello");
        assert_eq!(a.1.open(Kind::Offer, &envelope), Err(OpenError::Refused));
    }

    #[test]
    fn messages_under_another_code_are_refused() {
        let (mut ours, mut theirs) = (pair(1), pair(2));
        assert_eq!(ours.b.1.open(Kind::Offer, &seal(&mut theirs.a.0, b"hello")), Err(OpenError::Refused));
    }

    #[test]
    fn a_message_moved_to_other_names_call_room_type_or_counter_is_refused() {
        let Pair { mut a, mut b } = pair(1);
        let good = seal(&mut a.0, b"hello");
        let change = |f: fn(&mut Envelope)| {
            let mut e = good.clone();
            f(&mut e);
            e
        };
        let swapped = change(|e| std::mem::swap(&mut e.from, &mut e.to));
        let from = change(|e| e.from = PeerId::new("c"));
        let call = change(|e| e.call_id = CallId::new("call2"));
        let room = change(|e| e.room_id = RoomId::new("room2"));
        let later = change(|e| e.n += 1);
        let zero = change(|e| e.n = 0);
        for moved in [swapped, from, call, room, later] {
            assert_eq!(b.1.open(Kind::Offer, &moved), Err(OpenError::Refused));
        }
        assert_eq!(b.1.open(Kind::Offer, &zero), Err(OpenError::Replayed));
        assert_eq!(b.1.open(Kind::Answer, &good), Err(OpenError::Refused));
        assert!(b.1.open(Kind::Offer, &good).is_ok(), "what was refused left no trace");
    }

    #[test]
    fn ids_that_could_pass_for_others_are_refused() {
        let Pair { mut a, mut b } = pair(1);
        let (from, to, call) = (PeerId::new("a|b"), PeerId::new("c"), CallId::new("call"));
        let mut envelope = a.0.seal(Kind::Offer, &from, &to, &call, None, b"hello");
        envelope.from = PeerId::new("a");
        envelope.to = PeerId::new("b|c");
        assert_eq!(b.1.open(Kind::Offer, &envelope), Err(OpenError::Refused));
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let Pair { mut a, mut b } = pair(1);
        let good = seal(&mut a.0, b"a sealed offer");
        let bytes = URL_SAFE_NO_PAD.decode(&good.sealed).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let bad = Envelope { sealed: URL_SAFE_NO_PAD.encode(flipped), ..good.clone() };
            assert_eq!(b.1.open(Kind::Offer, &bad), Err(OpenError::Refused), "bit {bit}");
        }
        for bad in ["", "A", "!", "AAAA", &format!("{}=", good.sealed)] {
            let bad = Envelope { sealed: bad.into(), ..good.clone() };
            assert_eq!(b.1.open(Kind::Offer, &bad), Err(OpenError::Refused));
        }
        assert!(b.1.open(Kind::Offer, &good).is_ok());
    }

    proptest! {
        #[test]
        fn no_order_of_deliveries_opens_a_message_twice(order in prop::collection::vec(0usize..12, 0..60)) {
            let Pair { mut a, mut b } = pair(3);
            let sent: Vec<_> = (0u8..12).map(|i| seal(&mut a.0, &[i])).collect();
            let mut last = None;
            for i in order {
                match b.1.open(Kind::Offer, &sent[i]) {
                    Ok(plain) => {
                        prop_assert_eq!(plain[0] as usize, i);
                        prop_assert!(last < Some(i));
                        last = Some(i);
                    }
                    Err(error) => {
                        prop_assert_eq!(error, OpenError::Replayed);
                        prop_assert!(Some(i) <= last);
                    }
                }
            }
        }
    }
}
