//! RFC 6184 payloads: round trips, and what a hostile peer may send.

mod common;

use bytes::Bytes;
use common::Random;
use proptest::prelude::*;
use visavis_codec::rtp_h264::{DepacketizeError, Depacketizer, MAX_ACCESS_UNIT, packetize, starts_keyframe};

/// A NAL unit of a type and length, without start codes in it.
fn nal(kind: u8, length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut unit = vec![0x60 | kind];
    unit.extend((1..length).map(|_| random.bits() as u8 | 1));
    unit
}

fn annexb(nals: &[Vec<u8>]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1][..], nal].concat()).collect()
}

fn gather(payloads: &[Bytes]) -> Result<Bytes, DepacketizeError> {
    let mut depacketizer = Depacketizer::new();
    for payload in payloads {
        depacketizer.push(payload)?;
    }
    depacketizer.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_access_unit_comes_back_and_no_payload_is_too_large(
        nals in prop::collection::vec((1u8..24, 1usize..5000, any::<u64>()), 1..12),
        max in 8usize..2000,
    ) {
        let nals: Vec<_> = nals.iter().map(|&(kind, length, seed)| nal(kind, length, seed)).collect();
        let unit = annexb(&nals);
        let payloads = packetize(&unit, max);
        prop_assert!(payloads.iter().all(|p| !p.is_empty() && p.len() <= max));
        prop_assert_eq!(gather(&payloads).expect("whole"), unit);
    }

    #[test]
    fn a_unit_without_its_first_or_last_fragment_is_refused(seed: u64, drop_first: bool) {
        let payloads = packetize(&annexb(&[nal(5, 4000, seed)]), 1000);
        let kept = if drop_first { &payloads[1..] } else { &payloads[..payloads.len() - 1] };
        prop_assert_eq!(gather(kept), Err(DepacketizeError::Disordered));
    }
}

#[test]
fn a_keyframe_travels_as_one_stap_a_and_even_fragments() {
    let unit = annexb(&[nal(7, 14, 1), nal(8, 4, 2), nal(5, 3001, 3)]);
    let payloads = packetize(&unit, 1200);
    assert_eq!(payloads[0][0], 0x60 | 24);
    assert_eq!(payloads[0].len(), 1 + 2 + 14 + 2 + 4);
    let sizes: Vec<usize> = payloads[1..].iter().map(Bytes::len).collect();
    assert_eq!(sizes, [1002, 1002, 1002]);
    let fu_headers: Vec<u8> = payloads[1..].iter().map(|p| p[1]).collect();
    assert_eq!(fu_headers, [0x80 | 5, 5, 0x40 | 5]);
    assert!(starts_keyframe(&payloads[0]) && starts_keyframe(&payloads[1]));
    assert!(!starts_keyframe(&payloads[2]));
}

#[test]
fn keyframes_are_told_from_other_payloads() {
    for (payload, starts) in [
        (&[][..], false),
        (&[0x65, 1], true),
        (&[0x67, 1], true),
        (&[0x68, 1], false),
        (&[0x41, 1], false),
        (&[0x78, 0, 1, 0x68, 0, 1, 0x67], true),
        (&[0x78, 0, 1, 0x41, 0, 9, 0x67], false),
        (&[0x78, 0, 0, 0, 1, 0x67], false),
        (&[0x7C], false),
        (&[0x7C, 0x85], true),
        (&[0x7C, 0x05], false),
    ] {
        assert_eq!(starts_keyframe(payload), starts, "{payload:x?}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    use DepacketizeError as E;
    let too_short = [&[0x78][..], &[0x78, 0], &[0x78, 0, 2, 1], &[0x78, 0, 0], &[0x7C], &[0x78, 0, 1, 9, 0, 5, 1]];
    for payload in too_short {
        assert_eq!(Depacketizer::new().push(payload), Err(E::Truncated), "{payload:x?}");
    }
    for (payload, error) in [
        (&[0x79, 0, 0, 0, 1, 9][..], E::Unsupported(25)),
        (&[0x7D, 0x85, 1], E::Unsupported(29)),
        (&[0x60, 1], E::Unsupported(0)),
        (&[0x7F, 1], E::Unsupported(31)),
        (&[0x7C, 0x80 | 28, 1], E::Unsupported(28)),
        (&[0xE5, 1], E::Damaged),
        (&[0x7C, 0x05, 1], E::Disordered),
        (&[0x7C, 0x45, 1], E::Disordered),
    ] {
        assert_eq!(Depacketizer::new().push(payload), Err(error), "{payload:x?}");
    }
    assert_eq!(Depacketizer::new().finish(), Err(E::Empty));
}

#[test]
fn an_error_spoils_its_access_unit_and_no_other() {
    let mut depacketizer = Depacketizer::new();
    depacketizer.push(&[0x7C, 0x85, 1]).expect("start");
    assert_eq!(depacketizer.push(&[0x41, 1]), Err(DepacketizeError::Disordered));
    assert_eq!(depacketizer.push(&[0x7C, 0x45, 1]), Err(DepacketizeError::Disordered));
    assert_eq!(depacketizer.finish(), Err(DepacketizeError::Disordered));
    depacketizer.push(&[]).expect("probing packets are passed over");
    depacketizer.push(&[0x41, 7]).expect("whole");
    assert_eq!(&depacketizer.finish().expect("next unit")[..], [0, 0, 0, 1, 0x41, 7]);
}

#[test]
fn memory_is_bounded() {
    let mut depacketizer = Depacketizer::new();
    depacketizer.push(&[0x7C, 0x85, 1]).expect("start");
    let mut fragment = vec![7; 60_000];
    fragment[..2].copy_from_slice(&[0x7C, 0x05]);
    let mut taken = 0;
    while depacketizer.push(&fragment).is_ok() {
        taken += fragment.len();
        assert!(taken <= MAX_ACCESS_UNIT);
    }
    assert_eq!(depacketizer.finish(), Err(DepacketizeError::TooLarge));
}

#[test]
fn a_hundred_thousand_garbage_payloads_do_no_harm() {
    let mut random = Random(6184);
    let mut depacketizer = Depacketizer::new();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..100_000 {
        let length = random.below(40);
        let mut payload = random.bytes(length);
        if let Some(header) = payload.first_mut() {
            // Half of them of the kinds that have structure inside.
            match random.below(4) {
                0 => *header = 0x78,
                1 => *header = 0x7C,
                _ => {}
            }
        }
        starts_keyframe(&payload);
        let pushed = depacketizer.push(&payload);
        if pushed.is_err() || random.below(3) == 0 {
            match depacketizer.finish() {
                Ok(unit) => {
                    assert!(unit.starts_with(&[0, 0, 0, 1]));
                    good += 1;
                }
                Err(_) => bad += 1,
            }
        }
        // Packetizing garbage must be as harmless.
        packetize(&payload, random.below(30));
    }
    assert!(good > 1000 && bad > 1000);
}
