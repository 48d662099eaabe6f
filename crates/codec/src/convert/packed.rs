//! Uncompressed camera formats.

use super::{ConvertError, check_rows, even, finish, planes};
use visavis_media::{I420, Size};
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPackedImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix, bgr_to_yuv420,
    rgb_to_yuv420, yuyv422_to_yuv420,
};

/// Order of the three bytes of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RgbOrder {
    /// Red first (V4L2's RGB3).
    Rgb,
    /// Blue first (V4L2's BGR3).
    Bgr,
}

/// YUYV 4:2:2 (YUY2), two bytes a pixel; chroma of two rows is averaged.
///
/// # Errors
/// [`ConvertError`].
pub fn yuyv_to_i420(data: &[u8], width: u32, height: u32, stride: Option<usize>) -> Result<I420, ConvertError> {
    let size = even(width, height)?;
    // Pixels share chroma in pairs, so a row of an odd width holds one byte pair more.
    let stride = stride.unwrap_or(width.next_multiple_of(2) as usize * 2);
    check_rows(data, 0, size.width() as usize * 2, size.height() as usize, stride)?;
    let source = YuvPackedImage { yuy: data, yuy_stride: to_u32(stride)?, width: size.width(), height: size.height() };
    // The crate wants whole rows, the last one too; a camera's last row may end with its pixels.
    let whole = stride * size.height() as usize;
    let padded;
    let source = if data.len() < whole {
        padded = [data, &vec![0; whole - data.len()]].concat();
        YuvPackedImage { yuy: &padded, ..source }
    } else {
        YuvPackedImage { yuy: &data[..whole], ..source }
    };
    convert(size, |target| yuyv422_to_yuv420(target, &source))
}

/// NV12: Y in full size, then Cb and Cr interleaved at half size, both with the same stride.
///
/// # Errors
/// [`ConvertError`].
pub fn nv12_to_i420(data: &[u8], width: u32, height: u32, stride: Option<usize>) -> Result<I420, ConvertError> {
    let size = even(width, height)?;
    let stride = stride.unwrap_or(width.next_multiple_of(2) as usize);
    let (w, h) = (size.width() as usize, size.height() as usize);
    let chroma_at = stride.saturating_mul(height as usize);
    check_rows(data, 0, w, h, stride)?;
    check_rows(data, chroma_at, w, h / 2, stride)?;
    let mut out = vec![0; size.i420_len()];
    let (y, u, v) = planes(&mut out, size);
    for (to, from) in y.chunks_exact_mut(w).zip(data.chunks(stride)) {
        to.copy_from_slice(&from[..w]);
    }
    let rows = u.chunks_exact_mut(w / 2).zip(v.chunks_exact_mut(w / 2)).zip(data[chroma_at..].chunks(stride));
    for ((u, v), from) in rows {
        for ((u, v), pair) in u.iter_mut().zip(v).zip(from[..w].chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
    }
    Ok(finish(size, out))
}

/// Red, green and blue, three bytes a pixel, full range.
///
/// # Errors
/// [`ConvertError`].
pub fn rgb_to_i420(
    data: &[u8],
    width: u32,
    height: u32,
    stride: Option<usize>,
    order: RgbOrder,
) -> Result<I420, ConvertError> {
    let size = even(width, height)?;
    let stride = stride.unwrap_or(width as usize * 3);
    check_rows(data, 0, size.width() as usize * 3, size.height() as usize, stride)?;
    let whole = stride * size.height() as usize;
    let padded;
    let data = if data.len() < whole {
        padded = [data, &vec![0; whole - data.len()]].concat();
        &padded[..]
    } else {
        &data[..whole]
    };
    let (stride, range, matrix, mode) =
        (to_u32(stride)?, YuvRange::Limited, YuvStandardMatrix::Bt601, YuvConversionMode::Balanced);
    convert(size, |target| match order {
        RgbOrder::Rgb => rgb_to_yuv420(target, data, stride, range, matrix, mode),
        RgbOrder::Bgr => bgr_to_yuv420(target, data, stride, range, matrix, mode),
    })
}

/// Grey, one byte a pixel, full range.
///
/// # Errors
/// [`ConvertError`].
pub fn gray_to_i420(data: &[u8], width: u32, height: u32, stride: Option<usize>) -> Result<I420, ConvertError> {
    let size = even(width, height)?;
    let stride = stride.unwrap_or(width as usize);
    let (w, h) = (size.width() as usize, size.height() as usize);
    check_rows(data, 0, w, h, stride)?;
    let mut out = vec![128; size.i420_len()];
    for (to, from) in out.chunks_exact_mut(w).take(h).zip(data.chunks(stride)) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = limited_luma(from);
        }
    }
    Ok(finish(size, out))
}

/// Full-range luma (0…255) to limited (16…235), rounded.
pub(super) fn limited_luma(full: u8) -> u8 {
    // 219/255 in 16 bits; the half for rounding.
    ((u32::from(full) * 56_284 + 32_768) >> 16) as u8 + 16
}

fn to_u32(stride: usize) -> Result<u32, ConvertError> {
    u32::try_from(stride).map_err(|_| ConvertError::Stride(stride))
}

fn convert(
    size: Size,
    run: impl FnOnce(&mut YuvPlanarImageMut<'_, u8>) -> Result<(), yuv::YuvError>,
) -> Result<I420, ConvertError> {
    let mut out = vec![0; size.i420_len()];
    let (y, u, v) = planes(&mut out, size);
    let mut target = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: size.width(),
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: size.width() / 2,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: size.width() / 2,
        width: size.width(),
        height: size.height(),
    };
    // Lengths were checked, so it cannot fail; an answer costs less than a panic would.
    run(&mut target).map_err(|_| ConvertError::Size { width: size.width(), height: size.height() })?;
    Ok(finish(size, out))
}
