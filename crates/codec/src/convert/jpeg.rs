//! Motion JPEG: each frame a JPEG picture, often without Huffman tables (the decoder knows the usual ones).

use super::packed::{gray_to_i420, limited_luma};
use super::{ConvertError, even, finish, planes};
use visavis_media::{I420, Size};
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;
use zune_jpeg::{JpegDecoder, SampleRatios};

/// Decodes a JPEG picture, colour or grey, up to [`Size::MAX_SIDE`] a side. Chroma may be full, halved in either
/// direction or in both, which is what cameras send.
///
/// # Errors
/// [`ConvertError::Jpeg`] where it is damaged or of another kind (CMYK, 4:1:1, lossless), [`ConvertError::Size`].
pub fn mjpeg_to_i420(jpeg: &[u8]) -> Result<I420, ConvertError> {
    let failed = |e: DecodeErrors| ConvertError::Jpeg(e.to_string());
    let side = Size::MAX_SIDE as usize;
    let options = DecoderOptions::default().set_max_width(side).set_max_height(side).set_strict_mode(false);
    let options = options.jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().map_err(failed)?;
    // The decoder (0.5.15) leaves rows of 4:1:1 and 4:1:0 undecoded at some sizes and reports success.
    if let Some(SampleRatios::Generic(h, v)) = decoder.info().map(|info| info.sample_ratio) {
        return Err(ConvertError::Jpeg(format!("chroma is subsampled by {h} times {v}")));
    }
    let grey = matches!(decoder.input_colorspace(), Some(ColorSpace::Luma));
    if grey {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    } else if !matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr)) {
        return Err(ConvertError::Jpeg(format!("colours are {:?}", decoder.input_colorspace())));
    }
    let pixels = decoder.decode().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| ConvertError::Jpeg("no header".to_owned()))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    if grey { gray_to_i420(&pixels, width, height, None) } else { interleaved_to_i420(&pixels, width, height) }
}

/// Full-range Y, Cb, Cr of each pixel, to I420 of limited range; chroma of four pixels is averaged.
fn interleaved_to_i420(pixels: &[u8], width: u32, height: u32) -> Result<I420, ConvertError> {
    let size = even(width, height)?;
    let (w, stride) = (size.width() as usize, width as usize * 3);
    super::check_rows(pixels, 0, stride, height as usize, stride)?;
    let luma: [u8; 256] = std::array::from_fn(|full| limited_luma(full as u8));
    let mut out = vec![0; size.i420_len()];
    let (y, u, v) = planes(&mut out, size);
    let targets = y.chunks_exact_mut(w * 2).zip(u.chunks_exact_mut(w / 2).zip(v.chunks_exact_mut(w / 2)));
    for (rows, (y, (u, v))) in pixels.chunks_exact(stride * 2).zip(targets) {
        let (top, bottom) = rows.split_at(stride);
        let (y_top, y_bottom) = y.split_at_mut(w);
        let blocks = top.chunks_exact(6).zip(bottom.chunks_exact(6));
        let y_blocks = y_top.chunks_exact_mut(2).zip(y_bottom.chunks_exact_mut(2));
        for (((a, b), (ya, yb)), (u, v)) in blocks.zip(y_blocks).zip(u.iter_mut().zip(v)) {
            (ya[0], ya[1], yb[0], yb[1]) =
                (luma[a[0] as usize], luma[a[3] as usize], luma[b[0] as usize], luma[b[3] as usize]);
            *u = limited_chroma(sum([a[1], a[4], b[1], b[4]]));
            *v = limited_chroma(sum([a[2], a[5], b[2], b[5]]));
        }
    }
    Ok(finish(size, out))
}

fn sum(samples: [u8; 4]) -> u32 {
    samples.into_iter().map(u32::from).sum()
}

/// Four full-range chroma samples to one of limited range: (mean − 128) · 224/255 + 128, rounded.
fn limited_chroma(sum: u32) -> u8 {
    // 224/255/4 in 18 bits. At sum = 512 the result is exactly 128: 128 − 128·224/255 = 15.561.
    ((sum * 57_569 + 4_079_166 + 131_072) >> 18) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chroma_and_luma_reach_exactly_the_limits_of_their_range() {
        assert_eq!([0, 128, 255].map(limited_luma), [16, 126, 235]);
        for sample in 0..=255u32 {
            let exact = (f64::from(sample) - 128.0) * 224.0 / 255.0 + 128.0;
            assert!((f64::from(limited_chroma(sample * 4)) - exact).abs() <= 0.501, "{sample}");
        }
        assert_eq!(limited_chroma(512), 128);
    }
}
