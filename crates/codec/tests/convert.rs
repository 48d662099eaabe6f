//! Camera formats to I420 and back to RGBA, against the definition of BT.601.

mod common;

use common::{Random, scene, size};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use visavis_codec::convert::{
    ConvertError, RgbOrder, gray_to_i420, i420_to_rgba, mjpeg_to_i420, nv12_to_i420, rgb_to_i420, yuyv_to_i420,
};
use visavis_media::I420;

/// Limited-range BT.601 of a full-range colour, from the definition.
fn bt601([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|c| f64::from(c) / 255.0);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let (cb, cr) = ((b - y) / 1.772, (r - y) / 1.402);
    [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr].map(|v| v.round() as u8)
}

const COLOURS: [[u8; 3]; 8] =
    [[255; 3], [0; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [30, 160, 90], [200, 120, 40]];

/// Whether a flat picture has a colour, to `tolerance`.
fn assert_flat(picture: &I420, yuv: [u8; 3], tolerance: u8) {
    for (plane, want) in [picture.y(), picture.u(), picture.v()].into_iter().zip(yuv) {
        let worst = plane.iter().max_by_key(|s| s.abs_diff(want)).expect("not empty");
        assert!(worst.abs_diff(want) <= tolerance, "{worst} instead of {want}, first {}", plane[0]);
    }
}

#[test]
fn colours_of_rgb_and_bgr_pictures_are_right_to_one_step() {
    for colour in COLOURS {
        let rgb: Vec<u8> = colour.repeat(64 * 36);
        let bgr: Vec<u8> = rgb.chunks(3).flat_map(|c| [c[2], c[1], c[0]]).collect();
        let from_rgb = rgb_to_i420(&rgb, 64, 36, None, RgbOrder::Rgb).expect("whole");
        assert_flat(&from_rgb, bt601(colour), 1);
        let from_bgr = rgb_to_i420(&bgr, 64, 36, None, RgbOrder::Bgr).expect("whole");
        assert_eq!(from_rgb.as_bytes(), from_bgr.as_bytes());
    }
}

#[test]
fn a_colour_survives_the_way_to_the_window() {
    for colour in COLOURS {
        let [y, u, v] = bt601(colour);
        let rgba = i420_to_rgba(&I420::filled(size(66, 38), [y, u, v]));
        assert_eq!(rgba.len(), 66 * 38 * 4);
        for pixel in rgba.chunks(4) {
            assert_eq!(pixel[3], 255);
            for (got, want) in pixel.iter().zip(colour) {
                assert!(got.abs_diff(want) <= 3, "{pixel:?} instead of {colour:?}");
            }
        }
    }
}

#[test]
fn grey_is_converted_from_full_range() {
    let ramp: Vec<u8> = (0..=255).cycle().take(256 * 4).collect();
    let picture = gray_to_i420(&ramp, 256, 4, None).expect("whole");
    assert_eq!([picture.y()[0], picture.y()[128], picture.y()[255]], [16, 126, 235]);
    assert!(picture.u().iter().chain(picture.v()).all(|&c| c == 128));
}

/// Flat ones so that the codec's own losses don't hide an error.
#[test]
fn colours_of_jpeg_pictures_are_right_in_every_usual_subsampling() {
    let samplings =
        [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2, SamplingFactor::R_4_2_0, SamplingFactor::R_4_4_0];
    for sampling in samplings {
        for colour in COLOURS {
            let rgb: Vec<u8> = colour.repeat(80 * 60);
            let mut jpeg = Vec::new();
            let mut encoder = Encoder::new(&mut jpeg, 95);
            encoder.set_sampling_factor(sampling);
            encoder.encode(&rgb, 80, 60, ColorType::Rgb).expect("encodes");
            let picture = mjpeg_to_i420(&jpeg).expect("decodes");
            assert_eq!(picture.size(), size(80, 60));
            assert_flat(&picture, bt601(colour), 3);
        }
    }
}

#[test]
fn a_detailed_jpeg_picture_comes_out_as_it_went_in() {
    let source = scene(size(322, 182), 5);
    let rgb: Vec<u8> = i420_to_rgba(&source).chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 95);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_2);
    encoder.encode(&rgb, 322, 182, ColorType::Rgb).expect("encodes");
    let psnr = mjpeg_to_i420(&jpeg).expect("decodes").psnr_y(&source).expect("same size");
    println!("PSNR through JPEG: {psnr:.1} dB");
    assert!(psnr > 40.0);
}

#[test]
fn grey_odd_and_progressive_jpegs_are_decoded_and_others_refused() {
    let mut grey = Vec::new();
    Encoder::new(&mut grey, 95).encode(&[255; 41 * 31], 41, 31, ColorType::Luma).expect("encodes");
    let picture = mjpeg_to_i420(&grey).expect("grey");
    assert_eq!(picture.size(), size(40, 30));
    assert_flat(&picture, [235, 128, 128], 1);

    let mut progressive = Vec::new();
    let mut encoder = Encoder::new(&mut progressive, 95);
    encoder.set_progressive(true);
    encoder.encode(&[200; 41 * 31 * 3], 41, 31, ColorType::Rgb).expect("encodes");
    assert_flat(&mjpeg_to_i420(&progressive).expect("progressive"), bt601([200; 3]), 2);

    for sampling in [SamplingFactor::R_4_1_1, SamplingFactor::R_4_1_0] {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 95);
        encoder.set_sampling_factor(sampling);
        encoder.encode(&[200; 64 * 32 * 3], 64, 32, ColorType::Rgb).expect("encodes");
        assert!(matches!(mjpeg_to_i420(&jpeg), Err(ConvertError::Jpeg(_))));
    }

    let mut cmyk = Vec::new();
    Encoder::new(&mut cmyk, 95).encode(&[9; 32 * 32 * 4], 32, 32, ColorType::Cmyk).expect("encodes");
    assert!(matches!(mjpeg_to_i420(&cmyk), Err(ConvertError::Jpeg(_))));
}

#[test]
fn damaged_and_giant_jpegs_are_errors_or_pictures_and_never_more() {
    let source: Vec<u8> = Random(1).bytes(64 * 48 * 3);
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 80).encode(&source, 64, 48, ColorType::Rgb).expect("encodes");
    let mut random = Random(4);
    for _ in 0..3000 {
        let mut damaged = jpeg.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(damaged.len());
            match random.below(3) {
                0 => damaged[at] ^= 1 << random.below(8),
                1 => damaged.truncate(at.max(2)),
                _ => damaged[at] = random.bits() as u8,
            }
        }
        if let Ok(picture) = mjpeg_to_i420(&damaged) {
            assert!(picture.size().width() <= 4096 && picture.size().height() <= 4096);
        }
    }
    let header = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).expect("baseline");
    jpeg[header + 5..header + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(mjpeg_to_i420(&jpeg).is_err());
    assert!(mjpeg_to_i420(&[]).is_err());
}

#[test]
fn short_and_impossible_buffers_are_refused_by_name() {
    let bytes = vec![0; 10_000];
    assert_eq!(yuyv_to_i420(&bytes, 0, 10, None).err(), Some(ConvertError::Size { width: 0, height: 10 }));
    assert_eq!(nv12_to_i420(&bytes, 1, 1, None).err(), Some(ConvertError::Size { width: 1, height: 1 }));
    assert_eq!(yuyv_to_i420(&bytes, 64, 48, Some(100)).err(), Some(ConvertError::Stride(100)));
    assert_eq!(
        yuyv_to_i420(&bytes[..6143], 64, 48, None).err(),
        Some(ConvertError::TooShort { expected: 6144, got: 6143 })
    );
    for (w, h, stride) in [(64, 2000, None), (2, 48, Some(usize::MAX)), (4096, 4096, Some(usize::MAX / 2))] {
        assert!(yuyv_to_i420(&bytes, w, h, stride).is_err());
        assert!(nv12_to_i420(&bytes, w, h, stride).is_err());
        assert!(rgb_to_i420(&bytes, w, h, stride, RgbOrder::Rgb).is_err());
        assert!(gray_to_i420(&bytes, w, h, stride).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Each pixel has its own value, so a wrong row, column or plane shows. The last row need not be padded.
    #[test]
    fn every_sample_lands_in_its_place_with_any_stride_and_odd_sides(w in 2u32..70, h in 2u32..40, pad in 0usize..9) {
        let (width, height) = (w as usize, h as usize);
        let (ew, eh) = (width & !1, height & !1);
        let luma = |x: usize, y: usize| (x * 3 + y * 7) as u8;
        let cb = |x: usize, y: usize| (x / 2 * 5 + y / 2 * 11) as u8;
        let cr = |x: usize, y: usize| (x / 2 * 13 + y / 2 * 3 + 1) as u8;
        let check = |picture: &I420| {
            for y in 0..eh {
                for x in 0..ew {
                    prop_assert_eq!(picture.y()[y * ew + x], luma(x, y));
                    let chroma = y / 2 * (ew / 2) + x / 2;
                    prop_assert_eq!((picture.u()[chroma], picture.v()[chroma]), (cb(x, y), cr(x, y)));
                }
            }
            Ok(())
        };
        let full = width.next_multiple_of(2);

        let stride = full * 2 + pad;
        let mut yuyv = vec![0; stride * height];
        for y in 0..height {
            for x in 0..full {
                yuyv[y * stride + x * 2] = luma(x, y);
                yuyv[y * stride + x * 2 + 1] = if x % 2 == 0 { cb(x, y) } else { cr(x, y) };
            }
        }
        yuyv.truncate(stride * height - pad);
        check(&yuyv_to_i420(&yuyv, w, h, Some(stride)).expect("whole"))?;

        let stride = full + pad;
        let mut nv12 = vec![0; stride * (height + height.div_ceil(2))];
        for y in 0..height {
            for x in 0..full {
                nv12[y * stride + x] = luma(x, y);
                nv12[(height + y / 2) * stride + x] = if x % 2 == 0 { cb(x, y) } else { cr(x, y) };
            }
        }
        check(&nv12_to_i420(&nv12, w, h, Some(stride)).expect("whole"))?;
    }

    #[test]
    fn rgb_rows_lie_where_the_stride_says(w in 2u32..50, h in 2u32..20, pad in 0usize..7) {
        let stride = w as usize * 3 + pad;
        let mut rgb = vec![0u8; stride * h as usize];
        for row in 0..h as usize {
            rgb[row * stride..][..w as usize * 3].fill((row / 2 * 20) as u8);
        }
        rgb.truncate(stride * h as usize - pad);
        let picture = rgb_to_i420(&rgb, w, h, Some(stride), RgbOrder::Rgb).expect("whole");
        let width = w as usize & !1;
        for (row, samples) in picture.y().chunks(width).enumerate() {
            let want = bt601([(row / 2 * 20) as u8; 3])[0];
            prop_assert!(samples.iter().all(|&s| s.abs_diff(want) <= 1));
        }
    }
}
