//! What the codecs cost on this machine: milliseconds per 720p picture, microseconds per 20 ms of sound.
//!
//! `cargo run --release --example codec_bench`

use std::f32::consts::TAU;
use std::hint::black_box;
use std::time::{Duration, Instant};
use visavis_codec::convert::{self, RgbOrder};
use visavis_codec::h264::{Decoded, EncoderSettings, VideoDecoder, VideoEncoder};
use visavis_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings, SAMPLES_20_MS};
use visavis_codec::rtp_h264::packetize;
use visavis_codec::scale::Scaler;
use visavis_media::{BitsPerSecond, I420, Size, VideoFrame};

const PICTURES: u32 = 120;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size = Size::new(1280, 720)?;
    let pictures: Vec<I420> = (0..PICTURES).map(|n| scene(size, n)).collect();
    video(size, &pictures)?;
    pixels(size, &pictures[0])?;
    sound()
}

fn video(size: Size, pictures: &[I420]) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let mut encoder = VideoEncoder::new(EncoderSettings { size, fps: 30.0, bitrate: BitsPerSecond::kilo(2000) })?;
    println!("H.264 encoder made and warm: {:.1} ms", ms(began.elapsed()));
    let mut decoder = VideoDecoder::new()?;
    let (mut encode, mut decode, mut psnr, mut bytes) = (Vec::new(), Vec::new(), 0.0, 0);
    for (n, picture) in (0u32..).zip(pictures) {
        let frame = VideoFrame { picture: picture.clone(), at: began + Duration::from_millis(33) * n };
        let started = Instant::now();
        let encoded = encoder.encode(&frame, false)?.ok_or("skipped")?;
        encode.push(started.elapsed());
        bytes += encoded.data.len();
        black_box(packetize(&encoded.data, 1200));
        let started = Instant::now();
        let Decoded::Picture(shown) = decoder.decode(&encoded.data) else { return Err("not decoded".into()) };
        decode.push(started.elapsed());
        psnr += shown.psnr_y(picture).unwrap_or(0.0);
    }
    let kbps = bytes as f64 * 8.0 / 1000.0 / (f64::from(PICTURES) / 30.0);
    println!("H.264 720p at {kbps:.0} kb/s: PSNR {:.1} dB", psnr / f64::from(PICTURES));
    println!("  encode: first {:.1} ms, {}", ms(encode[0]), spread(&mut encode[1..]));
    println!("  decode: first {:.1} ms, {}", ms(decode[0]), spread(&mut decode[1..]));
    let frame = VideoFrame { picture: pictures[0].clone(), at: began + Duration::from_secs(8) };
    let started = Instant::now();
    encoder.encode(&frame, true)?;
    println!("  keyframe asked for: {:.1} ms", ms(started.elapsed()));
    let half = scene(Size::new(640, 360)?, 0);
    let started = Instant::now();
    encoder.encode(&VideoFrame { picture: half, at: began + Duration::from_secs(9) }, false)?;
    println!("  first picture of a new size (640x360): {:.1} ms", ms(started.elapsed()));
    Ok(())
}

fn pixels(size: Size, picture: &I420) -> Result<(), Box<dyn std::error::Error>> {
    let (w, h) = (size.width(), size.height());
    let bytes: Vec<u8> = picture.as_bytes().iter().cycle().take(size.pixels() * 3).copied().collect();
    let mut scaler = Scaler::new();
    let (half, most) = (Size::new(640, 360)?, Size::new(960, 540)?);
    let mut rgba = Vec::new();
    let time = |name: &str, run: &mut dyn FnMut()| {
        let mut times: Vec<Duration> = (0..60)
            .map(|_| {
                let started = Instant::now();
                run();
                started.elapsed()
            })
            .collect();
        println!("{name}: {}", spread(&mut times));
    };
    time("YUYV 720p to I420", &mut || drop(black_box(convert::yuyv_to_i420(&bytes, w, h, None))));
    time("NV12 720p to I420", &mut || drop(black_box(convert::nv12_to_i420(&bytes, w, h, None))));
    time("RGB 720p to I420", &mut || drop(black_box(convert::rgb_to_i420(&bytes, w, h, None, RgbOrder::Rgb))));
    time("I420 720p to RGBA", &mut || convert::i420_to_rgba_into(picture, &mut rgba));
    time("720p to 640x360", &mut || drop(black_box(scaler.scale(picture, half))));
    time("720p to 960x540", &mut || drop(black_box(scaler.scale(picture, most))));
    let third = Size::new(426, 240)?;
    time("720p to 426x240", &mut || drop(black_box(scaler.scale(picture, third))));
    Ok(())
}

fn sound() -> Result<(), Box<dyn std::error::Error>> {
    let mut encoder = OpusEncoder::new(OpusSettings::default())?;
    let mut decoder = OpusDecoder::new()?;
    let (mut encode, mut decode, mut conceal, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut out = Vec::new();
    for n in 0..500 {
        let samples: [f32; SAMPLES_20_MS] = std::array::from_fn(|i| voice(n * SAMPLES_20_MS + i));
        let started = Instant::now();
        let packet = encoder.encode(&samples)?;
        encode.push(started.elapsed());
        bytes += packet.len();
        out.clear();
        let started = Instant::now();
        if n % 10 == 9 {
            decoder.conceal(SAMPLES_20_MS, &mut out)?;
            conceal.push(started.elapsed());
        } else {
            decoder.decode(&packet, &mut out)?;
            decode.push(started.elapsed());
        }
    }
    println!("Opus, {:.0} kb/s", bytes as f64 * 8.0 / 1000.0 / 10.0);
    println!("  encode 20 ms: {}", spread(&mut encode));
    println!("  decode 20 ms: {}", spread(&mut decode));
    println!("  conceal 20 ms: {}", spread(&mut conceal));
    Ok(())
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |q: f64| ms(times[((times.len() - 1) as f64 * q) as usize]);
    format!("p50 {:.3} ms, p95 {:.3} ms, max {:.3} ms", at(0.5), at(0.95), at(1.0))
}

/// A textured background and a large blob that moves over it.
fn scene(size: Size, n: u32) -> I420 {
    let (w, h) = (size.width() as usize, size.height() as usize);
    let mut data = vec![128u8; size.i420_len()];
    let cx = 0.5 + 0.15 * (n as f32 / 18.0).sin();
    for (i, sample) in data[..w * h].iter_mut().enumerate() {
        let (x, y) = ((i % w) as f32 / w as f32, (i / w) as f32 / h as f32);
        let (dx, dy) = ((x - cx) / 0.16, (y - 0.55) / 0.33);
        let wall = 100.0 + 40.0 * x + 15.0 * ((x * 200.0).sin() * (y * 130.0).sin());
        let body = 160.0 - 40.0 * dx + 20.0 * (dx * 40.0).sin() * (dy * 37.0).cos();
        let noise = ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(n.wrapping_mul(97_531)) >> 29) as f32;
        *sample = (if dx * dx + dy * dy < 1.0 { body } else { wall } + noise) as u8;
    }
    I420::new(size, data).expect("length")
}

fn voice(i: usize) -> f32 {
    let t = i as f32 / 48_000.0;
    let loud = 0.5 + 0.5 * (t * TAU * 4.0).sin();
    (1..12).map(|k| (t * TAU * 120.0 * k as f32).sin() / k as f32).sum::<f32>() * 0.2 * loud
}
