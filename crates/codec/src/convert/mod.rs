//! What cameras give, to limited-range BT.601 [`I420`]; and I420 to RGBA for windows without shaders.
//!
//! No detour through RGB. `stride` is the length of a row in bytes, `None` where rows lie tightly. Odd sides lose their
//! last column or row. YUYV and NV12 are taken as limited range, which is what cameras send; RGB, grey and JPEG are
//! full range and are converted.

mod jpeg;
mod packed;

pub use jpeg::mjpeg_to_i420;
pub use packed::{RgbOrder, gray_to_i420, nv12_to_i420, rgb_to_i420, yuyv_to_i420};

use visavis_media::{I420, Size};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgba};

/// Why bytes are no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// No picture has this size.
    #[error("{width}x{height} is no picture size")]
    Size {
        /// As given.
        width: u32,
        /// As given.
        height: u32,
    },
    /// The bytes end too early: a frame that the camera did not finish.
    #[error("the picture has {got} bytes instead of {expected}")]
    TooShort {
        /// Bytes that the size takes.
        expected: usize,
        /// Bytes that were given.
        got: usize,
    },
    /// A row is said to be shorter than its pixels.
    #[error("rows of {0} bytes are too short")]
    Stride(usize),
    /// The JPEG cannot be decoded; the next one may.
    #[error("not a JPEG picture: {0}")]
    Jpeg(String),
}

/// Crops to even sides and checks the size.
fn even(width: u32, height: u32) -> Result<Size, ConvertError> {
    Size::new(width & !1, height & !1).map_err(|_| ConvertError::Size { width, height })
}

/// Checks that `rows` rows of `row` bytes, `stride` apart, lie in `data` from `offset` on; gives the stride.
fn check_rows(data: &[u8], offset: usize, row: usize, rows: usize, stride: usize) -> Result<(), ConvertError> {
    if stride < row {
        return Err(ConvertError::Stride(stride));
    }
    let expected = stride.saturating_mul(rows - 1).saturating_add(row).saturating_add(offset);
    if data.len() < expected { Err(ConvertError::TooShort { expected, got: data.len() }) } else { Ok(()) }
}

/// The three planes of an I420 buffer under construction.
fn planes(data: &mut [u8], size: Size) -> (&mut [u8], &mut [u8], &mut [u8]) {
    let (luma, chroma) = data.split_at_mut(size.pixels());
    let (u, v) = chroma.split_at_mut(size.pixels() / 4);
    (luma, u, v)
}

/// Takes a buffer that has the right length by construction.
fn finish(size: Size, data: Vec<u8>) -> I420 {
    I420::new(size, data).expect("the buffer was made for this size")
}

/// RGBA of a picture, 4 bytes a pixel, opaque.
pub fn i420_to_rgba(picture: &I420) -> Vec<u8> {
    let mut rgba = Vec::new();
    i420_to_rgba_into(picture, &mut rgba);
    rgba
}

/// As [`i420_to_rgba`], into a buffer that is used again; its length becomes 4 bytes a pixel.
pub fn i420_to_rgba_into(picture: &I420, rgba: &mut Vec<u8>) {
    let (w, h) = (picture.size().width(), picture.size().height());
    rgba.resize(picture.size().pixels() * 4, 255);
    let source = YuvPlanarImage {
        y_plane: picture.y(),
        y_stride: w,
        u_plane: picture.u(),
        u_stride: w / 2,
        v_plane: picture.v(),
        v_stride: w / 2,
        width: w,
        height: h,
    };
    yuv420_to_rgba(&source, rgba, w * 4, YuvRange::Limited, YuvStandardMatrix::Bt601)
        .expect("planes and buffer were made for this size");
}
