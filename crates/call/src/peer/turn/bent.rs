//! What holds for all that is sent to our sockets below ICE: streams and answers of TURN servers, what relays pass on, and
//! the DTLS records in it. No part of the app: the tests below ask it of bent messages, `fuzz/` of anything.

use super::super::flights::{Flights, Route};
use super::super::hello::ClientHello;
use super::super::records::records;
use super::super::relayed::{brought_like, carried};
use super::framing::{Deframer, Garbage, framed};
use super::relays::Relays;
use crate::check::stun::{Answer, Method, TransactionId, read};
use std::net::SocketAddr;
use std::time::Instant;

/// What a socket takes at once, as the webrtc crate reads it.
const DATAGRAM: usize = 2000;
/// In 15 s a flight is repeated some forty times.
const MOST_REPEATS: usize = 50;

/// Panics where anything does not hold. The first byte says how a stream is cut.
pub(crate) fn holds(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    streams_are_the_same_however_cut(bytes, usize::from(*piece) + 1);
    answers_are_heard_of_whom_was_asked(bytes);
    what_is_inside_is_within(bytes);
    flights_end(bytes);
}

fn streams_are_the_same_however_cut(bytes: &[u8], piece: usize) {
    let whole = read_stream([bytes]);
    assert_eq!(read_stream(bytes.chunks(piece)), whole);
    for message in whole.0 {
        assert!(message.len() <= DATAGRAM);
        let frame = framed(&message).expect("a message");
        assert!(frame.starts_with(&message) && frame.len().is_multiple_of(4) && frame.len() < message.len() + 4);
    }
}

fn read_stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<Garbage>) {
    let (mut deframer, mut messages) = (Deframer::default(), Vec::new());
    for piece in pieces {
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(garbage) => return (messages, Some(garbage)),
            }
        }
    }
    (messages, None)
}

fn address(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 3478).into()
}

fn answers_are_heard_of_whom_was_asked(datagram: &[u8]) {
    let Some(id) = datagram.get(8..20).and_then(|id| TransactionId::try_from(id).ok()) else { return };
    for method in [Method::Binding, Method::Allocate, Method::GiveBack] {
        assert!(read(datagram, method, &[!id[0]; 12]).is_none_or(|_| id == [!id[0]; 12]), "an answer to another");
    }
    let (relays, request) = (Relays::default(), [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &id].concat());
    relays.known("relay.example.org", &[address(1)]);
    relays.leaves(address(1), datagram);
    relays.leaves(address(1), &request);
    let granted = match read(datagram, Method::Allocate, &id) {
        Some(Answer::Granted { relayed, .. }) => relayed,
        Some(Answer::Refused { .. }) | None => None,
    };
    relays.came(address(2), datagram);
    assert_eq!(granted.and_then(|relayed| relays.through(relayed)), None, "a stranger's");
    relays.came(address(1), datagram);
    assert_eq!(granted.is_some(), granted.and_then(|relayed| relays.through(relayed)).is_some());
}

fn what_is_inside_is_within(datagram: &[u8]) {
    let inside = carried(datagram);
    assert!(datagram.as_ptr_range().start <= inside.as_ptr_range().start);
    assert!(inside.as_ptr_range().end <= datagram.as_ptr_range().end);
    if let Some(brought) = brought_like(datagram, b"inside") {
        assert_eq!(carried(&brought), b"inside");
    }
    assert!(records(inside).count() <= inside.len());
    if let Some(hello) = ClientHello::read(inside) {
        let first = hello.without_cookie();
        assert!(ClientHello::read(&first).is_some_and(|first| first.is_first()));
    }
}

fn flights_end(datagram: &[u8]) {
    let (mut flights, now) = (Flights::default(), Instant::now());
    let route = Route { local: address(3), remote: address(4) };
    flights.sent(now, route, datagram);
    for _ in 0..MOST_REPEATS {
        let Some(at) = flights.deadline() else { break };
        let repeat = flights.due(at).expect("something is due");
        assert!(repeat.route == route && repeat.datagrams == [datagram]);
        // Somebody plays it back to us.
        assert!(flights.received(at, route, datagram).is_none(), "it has just gone");
    }
    assert_eq!(flights.deadline(), None);
}

#[cfg(test)]
mod tests {
    use super::super::super::hello::tests::hello;
    use super::super::super::relayed::tests::{by_channel, by_indication};
    use super::*;
    use crate::check::stun::answer;
    use proptest::prelude::*;

    fn seeds() -> Vec<Vec<u8>> {
        let veiled = vec![0, 1, 0x32, 0x9a, 0xe7, 0x21, 0xc0, 0x4b];
        let granted =
            answer(0x0103, [7; 12], &[(0x0016, veiled.clone()), (0x0020, veiled), (0x000d, vec![0, 0, 2, 88])]);
        let error = (0x0009, b"\0\0\x04\x01Unauthorized".to_vec());
        let refused = answer(0x0113, [7; 12], &[error, (0x0014, b"realm".to_vec()), (0x0015, b"nonce".to_vec())]);
        let (first, second) = (hello(0, &[]), hello(1, &[9; 20]));
        let inside = [by_indication(&first), by_channel(&second), by_channel(&[0x80; 50])];
        let stream = [&granted[..], &refused[..]].into_iter().chain(inside.iter().map(Vec::as_slice));
        let stream = stream.filter_map(framed).collect::<Vec<_>>().concat();
        [vec![granted, refused, first, second, stream], inside.to_vec()].concat()
    }

    /// One of these after a few changes: parts cut out, doubled, or replaced.
    fn bent() -> impl Strategy<Value = Vec<u8>> {
        let odd = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..5),
            Just(vec![0xff; 2]),
            Just(vec![0; 4]),
            Just(vec![0x40, 0, 0xff, 0xff]),
            Just(vec![1; 3000]),
        ];
        let change = (any::<prop::sample::Index>(), 0usize..30, any::<bool>(), odd);
        (any::<u8>(), prop::sample::select(seeds()), proptest::collection::vec(change, 0..6)).prop_map(
            |(piece, mut bytes, changes)| {
                for (at, length, double, odd) in changes {
                    let from = at.index(bytes.len() + 1);
                    let part = bytes[from..(from + length).min(bytes.len())].to_vec();
                    let put = if double { part.repeat(2) } else { odd };
                    bytes.splice(from..from + part.len(), put);
                }
                [vec![piece], bytes].concat()
            },
        )
    }

    #[test]
    fn the_seeds_are_messages_that_mean_something() {
        let seeds = seeds();
        for seed in &seeds {
            holds(&[&[0][..], seed].concat());
        }
        assert!(matches!(read(&seeds[0], Method::Allocate, &[7; 12]), Some(Answer::Granted { relayed: Some(_), .. })));
        assert!(matches!(read(&seeds[1], Method::Allocate, &[7; 12]), Some(Answer::Refused { code: 401, .. })));
        assert_eq!(read_stream([&seeds[4][..]]).0.len(), 5);
        assert!(seeds[5..7].iter().all(|seed| ClientHello::read(carried(seed)).is_some()));
    }

    proptest! {
        #[test]
        fn bent_replies_are_read_within_bounds(bytes in bent()) {
            holds(&bytes);
        }
    }
}
