//! The H.264 encoder and decoder against each other and against bad input.

mod common;

use common::{Random, hard, scene, size};
use std::time::{Duration, Instant};
use visavis_codec::h264::{Decoded, EncodeError, EncoderSettings, VideoDecoder, VideoEncoder, contains_keyframe};
use visavis_media::{BitsPerSecond, EncodedVideo, I420, Size, VideoFrame};

/// An encoder with a hand-moved clock.
struct Bench {
    encoder: VideoEncoder,
    now: Instant,
    step: Duration,
}

impl Bench {
    fn new(size: Size, kbps: u32, fps: f32) -> Self {
        let settings = EncoderSettings { size, fps, bitrate: BitsPerSecond::kilo(kbps) };
        let encoder = VideoEncoder::new(settings).expect("encoder");
        Self { encoder, now: Instant::now(), step: Duration::from_secs_f32(1.0 / fps) }
    }

    fn encode(&mut self, picture: I420, keyframe: bool) -> EncodedVideo {
        self.now += self.step;
        let frame = VideoFrame { picture, at: self.now };
        self.encoder.encode(&frame, keyframe).expect("encodes").expect("no skipping")
    }

    /// Mean rate over `frames` moving pictures at `fps`, in kb/s.
    fn rate(&mut self, size: Size, from: u32, frames: u32, fps: f32) -> f32 {
        let bytes: usize = (from..from + frames).map(|n| self.encode(scene(size, n), false).data.len()).sum();
        bytes as f32 * 8.0 / 1000.0 / (frames as f32 / fps)
    }
}

fn picture(decoded: Decoded) -> I420 {
    match decoded {
        Decoded::Picture(picture) => picture,
        other => panic!("no picture but {other:?}"),
    }
}

#[test]
fn encoder_and_decoder_can_move_to_their_thread() {
    fn movable<T: Send>() {}
    movable::<VideoEncoder>();
    movable::<VideoDecoder>();
    movable::<visavis_codec::opus::OpusEncoder>();
    movable::<visavis_codec::opus::OpusDecoder>();
}

#[test]
fn a_decoder_that_warmed_up_still_waits_for_a_keyframe_of_the_stream() {
    let size = size(640, 360);
    let mut bench = Bench::new(size, 800, 30.0);
    let mut decoder = VideoDecoder::new().expect("decoder");
    decoder.warm_up(&bench.encoder.grey());
    assert_eq!((decoder.stats(), decoder.needs_keyframe()), (VideoDecoder::new().expect("decoder").stats(), true));
    let (keyframe, next) = (bench.encode(scene(size, 0), true), bench.encode(scene(size, 1), false));
    assert!(matches!(decoder.decode(&next.data), Decoded::NeedsKeyframe));
    picture(decoder.decode(&keyframe.data));
    picture(decoder.decode(&next.data));
    assert_eq!((decoder.stats().frames, decoder.stats().keyframes), (2, 1));
    // What is no picture at all warms nothing, and harms nothing.
    decoder.warm_up(&[0, 0, 1, 0x65, 1, 2, 3]);
    assert!(matches!(decoder.decode(&next.data), Decoded::NeedsKeyframe));
    picture(decoder.decode(&keyframe.data));
}

#[test]
fn a_moving_picture_survives_the_round_trip_at_call_rates() {
    let size = size(1280, 720);
    let mut bench = Bench::new(size, 1500, 30.0);
    let mut decoder = VideoDecoder::new().expect("decoder");
    let (mut worst, mut sum) = (f64::INFINITY, 0.0);
    for n in 0..60 {
        let source = scene(size, n);
        let encoded = bench.encode(source.clone(), false);
        assert_eq!((encoded.keyframe, encoded.at), (n == 0, bench.now));
        assert_eq!(contains_keyframe(&encoded.data), encoded.keyframe);
        let psnr = picture(decoder.decode(&encoded.data)).psnr_y(&source).expect("same size");
        worst = psnr.min(worst);
        sum += psnr;
    }
    println!("PSNR of 720p at 1.5 Mb/s: mean {:.1} dB, worst {worst:.1} dB", sum / 60.0);
    assert!(sum / 60.0 >= 44.0 && worst >= 41.0);
}

#[test]
fn keyframes_come_first_and_when_asked_for_and_never_else() {
    let size = size(320, 180);
    let mut bench = Bench::new(size, 200, 30.0);
    for n in 0..300 {
        let asked = n == 120 || n == 121;
        let encoded = bench.encode(hard(size, n), asked);
        assert_eq!(encoded.keyframe, asked || n == 0, "frame {n}");
    }
    let stats = bench.encoder.stats();
    assert_eq!((stats.frames, stats.keyframes, stats.skipped), (300, 3, 0));
}

#[test]
fn every_keyframe_carries_parameter_sets_of_constrained_baseline_level_3_1() {
    let size = size(1280, 720);
    let mut bench = Bench::new(size, 2500, 30.0);
    for n in 0..3 {
        let encoded = bench.encode(scene(size, n), n == 2);
        let types: Vec<u8> = nal_types(&encoded.data);
        assert_eq!(types, if n == 1 { vec![1] } else { vec![7, 8, 5] }, "frame {n}");
        if n != 1 {
            let sps = &encoded.data[4..8];
            assert_eq!(sps[1], 66, "baseline");
            assert_eq!(sps[2] & 0xC0, 0xC0, "constrained");
            assert_eq!(sps[3], 31, "level 3.1");
        }
    }
}

fn nal_types(annexb: &[u8]) -> Vec<u8> {
    annexb.windows(4).filter(|w| w[..3] == [0, 0, 1]).map(|w| w[3] & 31).collect()
}

#[test]
fn a_bitrate_change_takes_at_once_up_and_down() {
    let size = size(640, 360);
    let mut bench = Bench::new(size, 500, 30.0);
    bench.rate(size, 0, 30, 30.0);
    let mut from = 30;
    for kbps in [500, 1500, 250, 900, 150] {
        bench.encoder.set_rate(BitsPerSecond::kilo(kbps), 30.0).expect("taken");
        assert_eq!(bench.encoder.rate(), (BitsPerSecond::kilo(kbps), 30.0));
        bench.rate(size, from, 8, 30.0); // the turn itself
        let measured = bench.rate(size, from + 8, 82, 30.0);
        from += 90;
        println!("{kbps} kb/s: measured {measured:.0}");
        assert!((0.6..1.2).contains(&(measured / kbps as f32)), "{kbps} kb/s wanted, {measured} measured");
    }
    assert_eq!(bench.encoder.stats().keyframes, 1, "a change of rate makes no keyframe");
}

#[test]
fn a_frame_rate_change_takes() {
    let size = size(640, 360);
    let mut bench = Bench::new(size, 400, 30.0);
    bench.rate(size, 0, 60, 30.0);
    bench.encoder.set_rate(BitsPerSecond::kilo(400), 10.0).expect("taken");
    bench.step = Duration::from_millis(100);
    bench.rate(size, 60, 8, 10.0);
    let measured = bench.rate(size, 68, 60, 10.0);
    println!("400 kb/s at 10 fps: measured {measured:.0}");
    assert!((0.6..1.2).contains(&(measured / 400.0)), "{measured}");
}

#[test]
fn a_size_change_begins_with_a_keyframe_and_keeps_the_rate() {
    let (large, small) = (size(1280, 720), size(640, 360));
    let mut bench = Bench::new(large, 2500, 30.0);
    let mut decoder = VideoDecoder::new().expect("decoder");
    bench.rate(large, 0, 15, 30.0);
    bench.encoder.set_rate(BitsPerSecond::kilo(300), 30.0).expect("taken");
    let first = bench.encode(scene(small, 15), false);
    assert!(first.keyframe);
    assert_eq!(picture(decoder.decode(&first.data)).size(), small);
    println!("first keyframe after 2500 kb/s 720p to 300 kb/s 360p: {} bytes", first.data.len());
    // Four mean frames are its share; at the old rate it would be four times that.
    assert!(first.data.len() < 300_000 / 8 / 30 * 12, "{} bytes", first.data.len());
    let measured = bench.rate(small, 16, 90, 30.0);
    assert!((0.6..1.3).contains(&(measured / 300.0)), "{measured}");
    let back = bench.encode(scene(large, 120), false);
    assert!(back.keyframe && bench.encoder.size() == large);
    assert_eq!(bench.encoder.rate().0, BitsPerSecond::kilo(300));
    assert_eq!(picture(decoder.decode(&back.data)).size(), large);
}

#[test]
fn sizes_that_cannot_be_encoded_are_refused_and_disturb_nothing() {
    let mut bench = Bench::new(size(64, 48), 100, 30.0);
    bench.encode(scene(size(64, 48), 0), false);
    let tiny = VideoFrame { picture: I420::filled(size(8, 8), [90; 3]), at: bench.now };
    assert_eq!(bench.encoder.encode(&tiny, false).err(), Some(EncodeError::UnsupportedSize(size(8, 8))));
    assert!(!bench.encode(scene(size(64, 48), 1), false).keyframe);
    let settings = EncoderSettings { size: size(4096, 2160), fps: 30.0, bitrate: BitsPerSecond::kilo(500) };
    assert!(VideoEncoder::new(settings).is_err());
}

#[test]
fn odd_multiples_and_portrait_sizes_come_back_as_they_went_in() {
    for (w, h) in [(16, 16), (18, 30), (322, 182), (360, 640), (854, 480), (1920, 1080)] {
        let size = size(w, h);
        let mut bench = Bench::new(size, 3000, 30.0);
        let source = scene(size, 3);
        let encoded = bench.encode(source.clone(), false);
        let shown = picture(VideoDecoder::new().expect("decoder").decode(&encoded.data));
        assert_eq!(shown.size(), size);
        assert!(shown.psnr_y(&source).expect("same size") > 25.0, "{size}");
    }
}

#[test]
fn a_lost_frame_is_noticed_and_only_a_keyframe_helps() {
    let size = size(320, 180);
    let mut bench = Bench::new(size, 400, 30.0);
    let mut decoder = VideoDecoder::new().expect("decoder");
    let units: Vec<_> = (0..12).map(|n| bench.encode(scene(size, n), n == 8)).collect();
    for (n, unit) in units.iter().enumerate() {
        if n == 4 {
            continue;
        }
        let decoded = decoder.decode(&unit.data);
        let waits = (5..8).contains(&n);
        assert_eq!(matches!(decoded, Decoded::NeedsKeyframe), waits, "frame {n}: {decoded:?}");
        assert_eq!(decoder.needs_keyframe(), waits);
        if let Decoded::Picture(shown) = decoded {
            assert!(shown.psnr_y(&scene(size, n as u32)).expect("same size") > 30.0, "frame {n} is smeared");
        }
    }
    let stats = decoder.stats();
    assert_eq!((stats.frames, stats.keyframes, stats.failures), (8, 2, 1));
}

#[test]
fn nothing_is_shown_before_the_first_keyframe_nor_of_parameter_sets_alone() {
    let size = size(320, 180);
    let mut bench = Bench::new(size, 400, 30.0);
    let mut decoder = VideoDecoder::new().expect("decoder");
    let key = bench.encode(scene(size, 0), false);
    let delta = bench.encode(scene(size, 1), false);
    assert!(matches!(decoder.decode(&delta.data), Decoded::NeedsKeyframe));
    let slice = key.data.windows(4).position(|w| w == [0, 0, 1, 0x65]).expect("IDR") - 1;
    assert!(matches!(decoder.decode(&key.data[..slice]), Decoded::Nothing));
    picture(decoder.decode(&key.data[slice..]));
    picture(decoder.decode(&delta.data));
}

#[test]
fn damaged_units_never_show_and_never_stop_the_next_keyframe() {
    let size = size(320, 180);
    let mut bench = Bench::new(size, 400, 30.0);
    let mut random = Random(5);
    let mut decoder = VideoDecoder::new().expect("decoder");
    for n in 0..120 {
        let key = bench.encode(scene(size, 3 * n), true);
        picture(decoder.decode(&key.data));
        let source = scene(size, 3 * n + 1);
        let mut cut = bench.encode(source.clone(), false).data.to_vec();
        cut.truncate(6 + random.below(cut.len() - 7));
        let decoded = decoder.decode(&cut);
        assert!(matches!(decoded, Decoded::NeedsKeyframe), "cut unit {n} to {} bytes: {decoded:?}", cut.len());
    }
}

#[test]
fn a_picture_too_large_for_us_is_refused_before_memory_is_spent() {
    // SPS of 16000x16000 in High profile syntax would be refused too; this is baseline: 1000x1000 macroblocks.
    let bits = "01000010 11000000 00011111 1 010 1 010 0 0000000001111101000 0000000001111101000 1 1 0 0 1";
    let bits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
    let mut unit = vec![0, 0, 0, 1, 0x67];
    unit.extend(bits.chunks(8).map(|c| c.iter().enumerate().fold(0, |b, (i, bit)| b | bit << (7 - i))));
    let mut decoder = VideoDecoder::new().expect("decoder");
    assert!(matches!(decoder.decode(&unit), Decoded::NeedsKeyframe));
    assert_eq!(decoder.stats().failures, 1);
}

/// 10⁵ inputs: pure garbage, garbage behind valid NAL headers, and real units with flipped, cut and repeated bytes.
#[test]
fn a_hundred_thousand_garbage_units_do_no_harm() {
    let small = size(64, 48);
    let mut bench = Bench::new(small, 200, 30.0);
    let real: Vec<_> = (0..8).map(|n| bench.encode(scene(small, n), n % 4 == 0).data).collect();
    let mut random = Random(2026);
    let mut decoder = VideoDecoder::new().expect("decoder");
    let mut shown = 0;
    for i in 0..100_000 {
        let mut unit = match i % 4 {
            0 => {
                let length = random.below(200);
                random.bytes(length)
            }
            1 => {
                let length = random.below(200);
                let mut unit = vec![0, 0, 0, 1, [0x67, 0x68, 0x65, 0x41, 0x61, 0x06][random.below(6)]];
                unit.extend(random.bytes(length));
                unit
            }
            _ => real[random.below(real.len())].to_vec(),
        };
        if i % 4 >= 2 && !unit.is_empty() {
            for _ in 0..=random.below(3) {
                let at = random.below(unit.len());
                match random.below(3) {
                    0 => unit[at] ^= 1 << random.below(8),
                    1 => unit.truncate(at.max(1)),
                    _ => unit.extend_from_within(at..),
                }
            }
        }
        match decoder.decode(&unit) {
            Decoded::Picture(picture) => {
                assert!(picture.size().pixels() <= 4096 * 4096);
                shown += 1;
            }
            Decoded::Nothing | Decoded::NeedsKeyframe => {}
        }
    }
    println!("{shown} of the damaged units still gave a picture");
    // And then it works as if nothing had been.
    let source = scene(small, 99);
    let key = bench.encode(source.clone(), true);
    let clean = picture(decoder.decode(&key.data));
    assert!(clean.psnr_y(&source).expect("same size") > 28.0);
}
