//! A camera's raw bytes to I420, without a detour over RGB.

use crate::format::PixelKind;
use visavis_codec::convert::{
    ConvertError, RgbOrder, gray_to_i420, mjpeg_to_i420, nv12_to_i420, rgb_to_i420, yuyv_to_i420,
};
use visavis_media::I420;

/// Converts one frame of `width` by `height`. Drivers hand out their whole buffer, which may be longer than the frame;
/// where it is longer by whole rows' worth, rows are padded.
pub(super) fn to_i420(kind: PixelKind, data: &[u8], width: u32, height: u32) -> Result<I420, ConvertError> {
    let stride = stride(kind, data.len(), width, height);
    match kind {
        PixelKind::Nv12 => nv12_to_i420(data, width, height, stride),
        PixelKind::Yuyv => yuyv_to_i420(data, width, height, stride),
        PixelKind::Gray => gray_to_i420(data, width, height, stride),
        PixelKind::Rgb => rgb_to_i420(data, width, height, stride, RgbOrder::Rgb),
        PixelKind::Bgr => rgb_to_i420(data, width, height, stride, RgbOrder::Bgr),
        PixelKind::Mjpeg => mjpeg_to_i420(data),
    }
}

/// Bytes from row to row where the driver pads them: nokhwa does not say, so the buffer's length must. Hardware pads
/// to powers of two from 16 to 256 bytes.
fn stride(kind: PixelKind, length: usize, width: u32, height: u32) -> Option<usize> {
    let (width, height) = (width as usize, height as usize);
    let (tight, rows) = match kind {
        PixelKind::Nv12 => (width, height + height.div_ceil(2)),
        PixelKind::Yuyv => (width.next_multiple_of(2) * 2, height),
        PixelKind::Gray => (width, height),
        PixelKind::Rgb | PixelKind::Bgr => (width * 3, height),
        PixelKind::Mjpeg => return None,
    };
    [16, 32, 64, 128, 256]
        .into_iter()
        .map(|unit| tight.next_multiple_of(unit))
        .find(|stride| *stride != tight && stride * rows == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_rows_are_told_from_a_long_buffer() {
        assert_eq!(stride(PixelKind::Yuyv, 640 * 2 * 480, 640, 480), None);
        assert_eq!(stride(PixelKind::Yuyv, 640 * 2 * 480 + 4096, 640, 480), None);
        assert_eq!(stride(PixelKind::Nv12, 384 * 240 * 3 / 2, 322, 240), Some(384));
        assert_eq!(stride(PixelKind::Rgb, 1024 * 180, 330, 180), Some(1024));
        assert_eq!(stride(PixelKind::Mjpeg, 12_345, 640, 480), None);
    }

    #[test]
    fn every_kind_gives_a_picture_or_an_error_never_a_panic() {
        use PixelKind::{Bgr, Gray, Mjpeg, Nv12, Rgb, Yuyv};
        for kind in [Nv12, Yuyv, Gray, Rgb, Bgr, Mjpeg] {
            for length in [0, 1, 100, 64 * 36 * 3] {
                let picture = to_i420(kind, &vec![128; length], 64, 36);
                assert_eq!(picture.is_ok(), length == 64 * 36 * 3 && kind != Mjpeg, "{kind:?} {length}");
            }
        }
    }
}
