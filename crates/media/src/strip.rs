//! The clock strip: a moment written into the top of a picture so that latency can be read from the decoded one.
//!
//! 32 equal blocks across the full width, most significant bit first, height width/32: 24 bits of Unix time in
//! milliseconds modulo 2²⁴, then a CRC-8 (polynomial 0x07, initial 0xFF) over those three bytes. 1 is Y 235, 0 is
//! Y 16, chroma 128.

use crate::{I420, Size};

const BLOCKS: usize = 32;
const WHITE: u8 = 235;
const BLACK: u8 = 16;
const THRESHOLD: u8 = 128;
/// Milliseconds after which the strip's count begins anew.
pub const WRAP_MS: u64 = 1 << 24;

fn crc8(ms: u32) -> u8 {
    ms.to_be_bytes()[1..]
        .iter()
        .fold(0xFF, |crc, byte| (0..8).fold(crc ^ byte, |c, _| if c & 0x80 != 0 { (c << 1) ^ 0x07 } else { c << 1 }))
}

/// Rows that the strip covers in a picture of this size: width/32, at least two.
pub fn height(size: Size) -> usize {
    (size.width() as usize / BLOCKS).max(2).min(size.height() as usize)
}

/// Writes `unix_ms` into the top of an I420 buffer of the given size; does nothing where the buffer is too short.
pub fn write(data: &mut [u8], size: Size, unix_ms: u64) {
    if data.len() < size.i420_len() {
        return;
    }
    let (w, rows) = (size.width() as usize, height(size));
    let ms = (unix_ms % WRAP_MS) as u32;
    let word = (ms << 8) | u32::from(crc8(ms));
    for (x, pixel) in data[..w].iter_mut().enumerate() {
        let block = x * BLOCKS / w;
        *pixel = if word >> (31 - block) & 1 == 1 { WHITE } else { BLACK };
    }
    for row in 1..rows {
        data.copy_within(0..w, row * w);
    }
    let (luma, chroma) = (size.pixels(), size.pixels() / 4);
    let neutral = w / 2 * rows.div_ceil(2);
    data[luma..luma + neutral].fill(128);
    data[luma + chroma..luma + chroma + neutral].fill(128);
}

/// Reads the strip of a picture at least 64 pixels wide: milliseconds modulo [`WRAP_MS`], or `None` where its CRC
/// fails.
pub fn read(picture: &I420) -> Option<u32> {
    let (w, size) = (picture.size().width() as usize, picture.size());
    if w < 64 {
        return None;
    }
    let row = &picture.y()[height(size) / 2 * w..][..w];
    let word = (0..BLOCKS).fold(0u32, |word, i| {
        let centre = (2 * i + 1) * w / (2 * BLOCKS);
        (word << 1) | u32::from(row[centre] > THRESHOLD)
    });
    let (ms, crc) = (word >> 8, word as u8);
    (crc8(ms) == crc).then_some(ms)
}

/// Full Unix time in milliseconds of a strip that was read at `now_ms`: the latest such moment that is not more than a
/// second ahead of now.
pub fn resolve(strip_ms: u32, now_ms: u64) -> u64 {
    let ahead = now_ms + 1000;
    let age = (ahead % WRAP_MS + WRAP_MS - u64::from(strip_ms)) % WRAP_MS;
    ahead - age
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_strip_reads_back_at_any_even_width_from_64(ms in 0..WRAP_MS, w in 32u32..1000, h in 2u32..60) {
            let size = Size::new(w * 2, h * 2).expect("even");
            let mut data = vec![77; size.i420_len()];
            write(&mut data, size, ms);
            prop_assert_eq!(read(&I420::new(size, data).expect("length")), (w * 2 >= 64).then_some(ms as u32));
        }

        #[test]
        fn the_full_time_is_found_again(now in 20_000_000u64..2_000_000_000_000, age in 0u64..16_000_000) {
            prop_assert_eq!(resolve(((now - age) % WRAP_MS) as u32, now), now - age);
        }
    }

    #[test]
    fn a_damaged_strip_is_ignored() {
        let size = Size::new(640, 360).expect("even");
        let mut data = vec![0; size.i420_len()];
        write(&mut data, size, 123_456);
        for row in 0..height(size) {
            for x in 0..20 {
                let i = row * 640 + x;
                data[i] = 251 - data[i];
            }
        }
        assert_eq!(read(&I420::new(size, data).expect("length")), None);
        assert_eq!(read(&I420::filled(size, [90, 128, 128])), None);
    }

    #[test]
    fn the_check_byte_is_the_one_of_the_format() {
        // CRC-8/0x07 with initial value 0xFF over "123" (0x31 0x32 0x33), computed by hand from the definition.
        let slow = b"123".iter().fold(0xFFu32, |c, b| {
            (0..8).fold(c ^ u32::from(*b), |c, _| if c & 0x80 != 0 { ((c << 1) ^ 0x107) & 0xFF } else { c << 1 })
        });
        assert_eq!(u32::from(crc8(0x31_32_33)), slow);
    }
}
