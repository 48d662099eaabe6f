//! Which of a camera's formats to take: a pure rule.

use crate::CameraWish;
use std::cmp::Ordering;
use visavis_media::Size;

/// How a camera lays out its pixels, cheapest conversion to I420 first; grey comes last because it loses the colour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PixelKind {
    /// Luma plane, then interleaved chroma, 4:2:0.
    Nv12,
    /// Packed 4:2:2.
    Yuyv,
    /// Packed red, green, blue.
    Rgb,
    /// Packed blue, green, red.
    Bgr,
    /// A JPEG picture for each frame.
    Mjpeg,
    /// Luma alone.
    Gray,
}

/// One way in which a camera can deliver pictures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Format {
    /// Size of the pictures.
    pub size: Size,
    /// Pictures per second.
    pub fps: f32,
    /// Layout of the pixels.
    pub kind: PixelKind,
}

/// The best format for a wish: the smallest size that covers it (else the largest), the rate nearest to it, the
/// cheapest conversion, in this order.
///
/// A rate below half the wanted one counts only where nothing is faster: a sharp slide show is worse than a soft
/// moving picture. `None` where the list is empty.
pub fn choose_format(formats: &[Format], wish: CameraWish) -> Option<Format> {
    formats.iter().copied().min_by(|a, b| compare(a, b, wish))
}

fn compare(a: &Format, b: &Format, wish: CameraWish) -> Ordering {
    let slow = |f: &Format| f.fps < wish.fps / 2.0;
    let small = |f: &Format| f.size.width() < wish.size.width() || f.size.height() < wish.size.height();
    // Sizes that cover the wish are better the smaller they are, others the larger they are.
    let waste = |f: &Format| if small(f) { -(f.size.pixels() as i64) } else { f.size.pixels() as i64 };
    let off = |f: &Format| (f.fps - wish.fps).abs();
    slow(a)
        .cmp(&slow(b))
        .then(small(a).cmp(&small(b)))
        .then(waste(a).cmp(&waste(b)))
        .then(off(a).total_cmp(&off(b)))
        .then(b.fps.total_cmp(&a.fps))
        .then(a.kind.cmp(&b.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use PixelKind::{Gray, Mjpeg, Nv12, Rgb, Yuyv};

    fn format(size: &str, fps: f32, kind: PixelKind) -> Format {
        Format { size: size.parse().expect("a size"), fps, kind }
    }

    fn chosen(formats: &[Format], size: &str, fps: f32) -> Format {
        choose_format(formats, CameraWish { size: size.parse().expect("a size"), fps }).expect("one")
    }

    #[test]
    fn a_usual_webcam_gives_mjpeg_where_usb_is_too_slow_for_raw() {
        let webcam = [
            format("640x480", 30.0, Yuyv),
            format("1280x720", 10.0, Yuyv),
            format("1280x720", 30.0, Mjpeg),
            format("1920x1080", 30.0, Mjpeg),
            format("1920x1080", 5.0, Yuyv),
        ];
        assert_eq!(chosen(&webcam, "1280x720", 30.0), webcam[2]);
        assert_eq!(chosen(&webcam, "640x360", 30.0), webcam[0]);
        assert_eq!(chosen(&webcam, "3840x2160", 30.0), webcam[3]);
    }

    #[test]
    fn the_nearest_size_at_or_above_wins_over_a_larger_and_a_smaller_one() {
        let all = [format("640x360", 30.0, Nv12), format("1920x1080", 30.0, Nv12), format("1280x800", 30.0, Nv12)];
        assert_eq!(chosen(&all, "1280x720", 30.0), all[2]);
        assert_eq!(chosen(&all[..1], "1280x720", 30.0), all[0]);
    }

    #[test]
    fn the_nearest_rate_wins_and_the_higher_of_two_equally_near() {
        let all = [format("640x480", 15.0, Yuyv), format("640x480", 60.0, Yuyv), format("640x480", 25.0, Yuyv)];
        assert_eq!(chosen(&all, "640x480", 30.0), all[2]);
        assert_eq!(chosen(&all, "640x480", 20.0), all[2]);
        assert_eq!(chosen(&all, "640x480", 50.0), all[1]);
    }

    #[test]
    fn the_cheapest_conversion_decides_last_and_grey_only_where_there_is_no_colour() {
        let kinds = [Mjpeg, Gray, Rgb, Yuyv, Nv12].map(|kind| format("640x480", 30.0, kind));
        assert_eq!(chosen(&kinds, "640x480", 30.0).kind, Nv12);
        assert_eq!(chosen(&kinds[..3], "640x480", 30.0).kind, Rgb);
        assert_eq!(chosen(&kinds[1..2], "640x480", 30.0).kind, Gray);
    }

    #[test]
    fn a_slide_show_is_taken_only_where_nothing_moves_faster() {
        let all = [format("1280x720", 5.0, Yuyv), format("640x480", 30.0, Yuyv)];
        assert_eq!(chosen(&all, "1280x720", 30.0), all[1]);
        assert_eq!(chosen(&all[..1], "1280x720", 30.0), all[0]);
    }

    #[test]
    fn no_formats_give_none_and_broken_rates_do_no_harm() {
        assert_eq!(choose_format(&[], CameraWish::default()), None);
        let all = [format("640x480", f32::NAN, Yuyv), format("640x480", 30.0, Yuyv)];
        assert_eq!(chosen(&all, "640x480", 30.0), all[1]);
    }
}
