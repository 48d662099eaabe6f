//! What somebody can make of us who asks for too much, or talks nonsense.

use super::wire::{AUDIO, End, Path, VIDEO, Wire, ms, rtp};
use super::{nacks, ours, quiet};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtc::interceptor::Packet;
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::shared::marshal::Unmarshal;
use std::time::Instant;
use visavis_media::BitsPerSecond;

#[test]
fn somebody_who_asks_for_everything_all_the_time_gets_half_our_rate_at_most() {
    let mut wire = quiet(Instant::now(), 1);
    let mut sequence = 0u16;
    while wire.ms() < 5000 {
        if wire.ms().is_multiple_of(10) {
            wire.a.write(wire.now, rtp(VIDEO, sequence, 0, true, vec![1; 1000].into()));
            sequence = sequence.wrapping_add(1);
        }
        let all: Vec<_> = (1..400).rev().map(|back| sequence.wrapping_sub(back)).collect();
        let nacks = nack_pairs_from_sequence_numbers(&all);
        wire.b.write(
            wire.now,
            Packet::Rtcp(vec![Box::new(TransportLayerNack { sender_ssrc: 9, media_ssrc: VIDEO, nacks })]),
        );
        wire.step();
    }
    let bytes = |(_, packet): &(Instant, Packet)| match packet {
        Packet::Rtp(rtp) if rtp.header.ssrc == VIDEO => rtp.payload.len() as f64,
        _ => 0.0,
    };
    let again = wire.a.sent.iter().map(bytes).sum::<f64>() - f64::from(sequence) * 1000.0;
    let half = 2_500_000.0 / 8.0 * 0.5;
    assert!(again <= half * 5.5 && again > half * 4.0, "{again} bytes again in 5 s");
}

/// Any reports at all about streams that exist and such that don't.
fn nonsense(random: &mut StdRng) -> Vec<Box<dyn rtc::rtcp::Packet>> {
    let media_ssrc = [VIDEO, AUDIO, AUDIO + 1, random.random()][random.random_range(0..4)];
    let sender_ssrc = random.random();
    match random.random_range(0..6) {
        0 => {
            let numbers: Vec<u16> = (0..random.random_range(1..300)).map(|_| random.random()).collect();
            let nacks = nack_pairs_from_sequence_numbers(&numbers);
            vec![Box::new(TransportLayerNack { sender_ssrc, media_ssrc, nacks })]
        }
        1 => {
            let report = ReceptionReport {
                ssrc: media_ssrc,
                fraction_lost: random.random(),
                total_lost: random.random_range(0..1 << 24),
                last_sequence_number: random.random(),
                jitter: random.random(),
                last_sender_report: random.random(),
                delay: random.random(),
            };
            vec![Box::new(ReceiverReport { ssrc: sender_ssrc, reports: vec![report; 20], ..Default::default() })]
        }
        2 => vec![Box::new(SenderReport {
            ssrc: media_ssrc,
            ntp_time: random.random(),
            rtp_time: random.random(),
            packet_count: random.random(),
            octet_count: random.random(),
            ..Default::default()
        })],
        3 => {
            // Bytes of transport-wide feedback: base, count, time, and chunks that do not belong together.
            let mut bytes = vec![0x8F, 205, 0, 0];
            (0..random.random_range(16..600)).for_each(|_| bytes.push(random.random()));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            let words = (bytes.len() / 4 - 1) as u16;
            bytes[2..4].copy_from_slice(&words.to_be_bytes());
            let parsed = TransportLayerCc::unmarshal(&mut &bytes[..]);
            parsed.map_or_else(|_| Vec::new(), |feedback| vec![Box::new(feedback) as Box<dyn rtc::rtcp::Packet>])
        }
        4 => vec![Box::new(PictureLossIndication { sender_ssrc, media_ssrc })],
        _ => {
            let entry = FirEntry { ssrc: media_ssrc, sequence_number: random.random() };
            vec![Box::new(FullIntraRequest { sender_ssrc, media_ssrc, fir: vec![entry; 50] })]
        }
    }
}

#[test]
fn nonsense_of_every_kind_ends_neither_the_call_nor_its_limits() {
    for seed in 0..4 {
        let begun = Instant::now();
        let path = || Path::new(ms(5), 0.02, seed);
        let mut wire = Wire::new(End::new(begun, ours), End::new(begun, ours), begun, path(), path());
        wire.a.shared.parity.negotiated(Some(119));
        let (mut random, mut sequence) = (StdRng::seed_from_u64(seed), 0u16);
        while wire.ms() < 3000 {
            if wire.ms().is_multiple_of(5) {
                wire.a.write(wire.now, rtp(VIDEO, sequence, u32::from(sequence) * 450, true, vec![1; 1000].into()));
                sequence = sequence.wrapping_add(1);
            }
            for _ in 0..3 {
                let all = nonsense(&mut random);
                if !all.is_empty() {
                    wire.b.write(wire.now, Packet::Rtcp(all));
                }
            }
            // …and packets from anywhere in the numbering, under known and unknown names and formats.
            let ssrc = [AUDIO + 1, VIDEO, random.random()][random.random_range(0..3)];
            let mut stray = rtp(ssrc, random.random(), random.random(), random.random(), vec![7; 40].into());
            if let Packet::Rtp(stray) = &mut stray {
                stray.header.payload_type = [111, 119, 63][random.random_range(0..3)];
            }
            wire.b.write(wire.now, stray);
            wire.step();
        }
        let target = wire.a.shared.target.get();
        assert_eq!(target, BitsPerSecond::kilo(2500), "the estimate stays within its limits");
        let video = |(_, p): &&(Instant, Packet)| matches!(p, Packet::Rtp(p) if p.header.ssrc == VIDEO);
        let (sent, most) = (wire.a.sent.iter().filter(video).count(), usize::from(sequence));
        assert!(sent <= most + most / 2 + 160, "{sent} packets for {most}");
        let asked = nacks(&wire.a).len();
        assert!(asked < 4 * 3000, "{asked} requests");
    }
}
