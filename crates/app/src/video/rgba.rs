//! I420 to RGBA on the CPU, for displays that take no shader of ours.

use egui::{Color32, ColorImage};
use visavis_media::I420;

/// Converts by ITU-R BT.601, limited range, in 16.16 fixed point.
pub(super) fn convert(picture: &I420) -> ColorImage {
    let (w, h) = (picture.size().width() as usize, picture.size().height() as usize);
    let mut pixels = Vec::with_capacity(w * h);
    for row in 0..h {
        let luma = &picture.y()[row * w..][..w];
        let chroma = row / 2 * (w / 2)..row / 2 * (w / 2) + w / 2;
        let (cb, cr) = (&picture.u()[chroma.clone()], &picture.v()[chroma]);
        for ((pair, &cb), &cr) in luma.chunks_exact(2).zip(cb).zip(cr) {
            let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
            let (red, green, blue) = (104_597 * cr, -25_675 * cb - 53_279 * cr, 132_201 * cb);
            for &y in pair {
                let y = 76_309 * (i32::from(y) - 16) + 0x8000;
                let channel = |offset: i32| ((y + offset) >> 16).clamp(0, 255) as u8;
                pixels.push(Color32::from_rgb(channel(red), channel(green), channel(blue)));
            }
        }
    }
    ColorImage::new([w, h], pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_media::Size;

    fn colour(yuv: [u8; 3]) -> Color32 {
        convert(&I420::filled(Size::new(4, 2).expect("even"), yuv)).pixels[5]
    }

    #[test]
    fn limited_range_black_and_white_become_full_range() {
        assert_eq!(colour([16, 128, 128]), Color32::BLACK);
        assert_eq!(colour([235, 128, 128]), Color32::WHITE);
        assert_eq!(colour([0, 128, 128]), Color32::BLACK);
    }

    #[test]
    fn the_primaries_of_bt_601_come_out_within_two_steps() {
        for (yuv, rgb) in [([81, 90, 240], [255, 0, 0]), ([145, 54, 34], [0, 255, 0]), ([41, 240, 110], [0, 0, 255])] {
            let got = colour(yuv);
            for (a, b) in [got.r(), got.g(), got.b()].into_iter().zip(rgb) {
                assert!(a.abs_diff(b) <= 2, "{yuv:?} became {got:?}");
            }
        }
    }

    #[test]
    fn every_pixel_is_there() {
        let image = convert(&I420::filled(Size::new(6, 4).expect("even"), [90, 128, 128]));
        assert_eq!((image.size, image.pixels.len()), ([6, 4], 24));
    }
}
