//! Pictures: 8-bit planar YCbCr 4:2:0 (I420), limited range, tightly packed.

use std::fmt;
use std::sync::Arc;

/// Width and height of a picture in pixels: both even, both 2…[`Size::MAX_SIDE`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    width: u32,
    height: u32,
}

/// A size that no picture can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{width}x{height} is no picture size: sides must be even and between 2 and {max}", max = Size::MAX_SIDE)]
pub struct SizeError {
    /// The width asked for.
    pub width: u32,
    /// The height asked for.
    pub height: u32,
}

impl Size {
    /// Longest side; bounds what a remote picture can make us allocate (24 MiB).
    pub const MAX_SIDE: u32 = 4096;

    /// Checks the sides.
    ///
    /// # Errors
    /// [`SizeError`] where a side is odd, zero or above [`Size::MAX_SIDE`].
    pub fn new(width: u32, height: u32) -> Result<Self, SizeError> {
        let fine = |side: u32| (2..=Self::MAX_SIDE).contains(&side) && side.is_multiple_of(2);
        if fine(width) && fine(height) { Ok(Self { width, height }) } else { Err(SizeError { width, height }) }
    }

    /// Pixels per row.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(self) -> u32 {
        self.height
    }

    /// Pixels in all.
    pub fn pixels(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Bytes of an I420 picture of this size.
    pub fn i420_len(self) -> usize {
        self.pixels() * 3 / 2
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    /// Reads `1280x720`.
    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        let (w, h) = sides.ok_or_else(|| format!("`{text}` is no size; write it like 1280x720"))?;
        Size::new(w, h).map_err(|e| e.to_string())
    }
}

/// Bytes that do not make a picture of the size that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {size} picture has {expected} bytes, not {got}")]
pub struct PictureError {
    /// The size named.
    pub size: Size,
    /// Bytes that it takes.
    pub expected: usize,
    /// Bytes that were given.
    pub got: usize,
}

/// A planar YCbCr 4:2:0 picture: Y in full size, then Cb and Cr at half size each way, rows tightly packed.
///
/// Lengths are checked once, at construction; cloning shares the pixels.
#[derive(Clone)]
pub struct I420 {
    size: Size,
    data: Arc<Vec<u8>>,
}

impl I420 {
    /// Takes Y, Cb and Cr planes that lie one behind the other.
    ///
    /// # Errors
    /// [`PictureError`] where `data` is not [`Size::i420_len`] bytes long.
    pub fn new(size: Size, data: Vec<u8>) -> Result<Self, PictureError> {
        let (expected, got) = (size.i420_len(), data.len());
        if expected == got {
            Ok(Self { size, data: Arc::new(data) })
        } else {
            Err(PictureError { size, expected, got })
        }
    }

    /// A picture of one colour, given as Y, Cb, Cr.
    pub fn filled(size: Size, [y, u, v]: [u8; 3]) -> Self {
        let mut data = vec![y; size.i420_len()];
        let (luma, chroma) = (size.pixels(), size.pixels() / 4);
        data[luma..luma + chroma].fill(u);
        data[luma + chroma..].fill(v);
        Self { size, data: Arc::new(data) }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Luma, `width` bytes a row.
    pub fn y(&self) -> &[u8] {
        &self.data[..self.size.pixels()]
    }

    /// Blue-difference chroma, `width / 2` bytes a row.
    pub fn u(&self) -> &[u8] {
        let luma = self.size.pixels();
        &self.data[luma..luma + luma / 4]
    }

    /// Red-difference chroma, `width / 2` bytes a row.
    pub fn v(&self) -> &[u8] {
        let luma = self.size.pixels();
        &self.data[luma + luma / 4..]
    }

    /// All three planes one behind the other.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }

    /// Takes the bytes back for reuse where nobody else holds the picture.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        Arc::try_unwrap(self.data).ok()
    }

    /// Peak signal-to-noise ratio of luma against another picture, in dB; infinite for equal pictures, `None` where
    /// the sizes differ.
    pub fn psnr_y(&self, other: &Self) -> Option<f64> {
        if self.size != other.size {
            return None;
        }
        let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
        let sum: u64 = self.y().iter().zip(other.y()).map(square).sum();
        let mse = sum as f64 / self.size.pixels() as f64;
        Some(if mse == 0.0 { f64::INFINITY } else { 10.0 * (255.0 * 255.0 / mse).log10() })
    }
}

impl fmt::Debug for I420 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I420({})", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_empty_and_giant_sizes_are_refused() {
        for (w, h) in [(0, 2), (3, 2), (2, 5), (4098, 2), (u32::MAX, u32::MAX)] {
            assert!(Size::new(w, h).is_err(), "{w}x{h}");
        }
        assert!(Size::new(4096, 2).is_ok());
    }

    #[test]
    fn a_picture_needs_exactly_its_bytes() {
        let size = Size::new(4, 2).expect("even");
        assert!(I420::new(size, vec![0; 12]).is_ok());
        assert_eq!(I420::new(size, vec![0; 11]).expect_err("short").expected, 12);
    }

    #[test]
    fn planes_lie_one_behind_the_other() {
        let p = I420::filled(Size::new(4, 4).expect("even"), [1, 2, 3]);
        assert_eq!((p.y().len(), p.u().len(), p.v().len()), (16, 4, 4));
        assert_eq!((p.y()[15], p.u()[0], p.v()[3]), (1, 2, 3));
    }

    #[test]
    fn psnr_of_a_difference_of_one_is_48_db() {
        let size = Size::new(4, 4).expect("even");
        let (a, b) = (I420::filled(size, [10, 128, 128]), I420::filled(size, [11, 128, 128]));
        assert!((a.psnr_y(&b).expect("same size") - 48.13).abs() < 0.01);
        assert_eq!(a.psnr_y(&a), Some(f64::INFINITY));
    }

    #[test]
    fn a_size_reads_back_what_it_prints() {
        assert_eq!("1280x720".parse::<Size>().expect("valid").to_string(), "1280x720");
        assert!("1280".parse::<Size>().is_err() && "1281x720".parse::<Size>().is_err());
    }
}
