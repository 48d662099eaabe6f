//! The synthetic camera's picture: a moving texture, a disc that moves differently, and the clock strip on top.
//!
//! Pure: the picture depends on content, size and Unix time alone. Below the strip it is byte for byte the picture
//! that the browser peer of the measurements draws at that time, at widths that are a multiple of 64 (elsewhere that
//! page misplaces colour by half a row; here it stays in place).

use crate::Content;
use crate::texture::{self, Texture, texture};
use std::f64::consts::PI;
use visavis_media::{I420, Size, strip};

/// Side of the square that the disc lies in.
const DISC: i64 = 320;
const DISC_RADIUS: i64 = 158;
/// Where in the texture the disc's square is taken from.
const DISC_FROM: (usize, usize) = (900, 300);

/// Draws the test picture at one size.
pub struct Pattern {
    content: Content,
    size: Size,
    texture: &'static Texture,
}

/// Where things are at one moment, all even so that luma and chroma move together.
struct Places {
    /// Upper left corner of the view in the texture.
    view: (usize, usize),
    /// Upper left corner of the disc in the picture.
    disc: (i64, i64),
}

impl Pattern {
    /// Prepares to draw; the first one of a content takes some 30 ms to make its texture.
    pub fn new(content: Content, size: Size) -> Self {
        Self { content, size, texture: texture(content) }
    }

    /// The picture at a Unix time in milliseconds; its strip shows the whole milliseconds.
    pub fn picture_at(&self, unix_ms: f64) -> I420 {
        let mut data = Vec::new();
        self.draw(unix_ms, &mut data);
        I420::new(self.size, data).unwrap_or_else(|_| I420::filled(self.size, [16, 128, 128]))
    }

    /// Draws the same picture into a buffer whose memory is reused.
    pub fn draw(&self, unix_ms: f64, buffer: &mut Vec<u8>) {
        buffer.resize(self.size.i420_len(), 0);
        let places = self.places(unix_ms);
        self.draw_view(&places, buffer);
        self.draw_disc(&places, buffer);
        strip::write(buffer, self.size, unix_ms.max(0.0) as u64);
    }

    fn places(&self, unix_ms: f64) -> Places {
        let s = (unix_ms / 1000.0) % 10_000.0;
        let sway = |period: f64| (2.0 * PI * s / period).sin();
        let (w, h) = (f64::from(self.size.width()), f64::from(self.size.height()));
        let [ax, ay, dx, dy] = match self.content {
            Content::Cam => [6.0, 4.0, 80.0, 30.0],
            Content::Pan => [160.0, 100.0, w / 4.0, h / 6.0],
        };
        let even = |x: f64| ((x / 2.0 + 0.5).floor() * 2.0) as i64;
        let view = (even(200.0 + ax * sway(7.0)) as usize, even(150.0 + ay * sway(5.0)) as usize);
        let disc = (even(w / 2.0 - 160.0 + dx * sway(3.0)), even(h / 2.0 - 160.0 + dy * sway(2.3)));
        Places { view, disc }
    }

    fn planes<'a>(&self, data: &'a mut [u8]) -> [&'a mut [u8]; 3] {
        let (y, chroma) = data.split_at_mut(self.size.pixels());
        let (u, v) = chroma.split_at_mut(self.size.pixels() / 4);
        [y, u, v]
    }

    fn draw_view(&self, places: &Places, data: &mut [u8]) {
        let width = self.size.width() as usize;
        let (x, y) = places.view;
        let [luma, u, v] = self.planes(data);
        for (row, out) in luma.chunks_exact_mut(width).enumerate() {
            copy_wrapped(out, &self.texture.y, (y + row) * texture::WIDTH + x);
        }
        for (out, plane) in [(u, &self.texture.u), (v, &self.texture.v)] {
            for (row, out) in out.chunks_exact_mut(width / 2).enumerate() {
                copy_wrapped(out, plane, (y / 2 + row) * (texture::WIDTH / 2) + x / 2);
            }
        }
    }

    fn draw_disc(&self, places: &Places, data: &mut [u8]) {
        let (width, height) = (i64::from(self.size.width()), i64::from(self.size.height()));
        let strip = strip::height(self.size) as i64;
        let u_plane = width * height;
        let v_plane = u_plane + u_plane / 4;
        for v in (0..DISC).step_by(2) {
            let from_middle = v - DISC / 2;
            let half = (DISC_RADIUS * DISC_RADIUS - from_middle * from_middle).max(0).isqrt() & !1;
            let (y, x) = (v + places.disc.1, places.disc.0 + DISC / 2 - half);
            if y < strip || y >= height || half == 0 {
                continue;
            }
            let (tx, ty) = (DISC_FROM.0 + (DISC / 2 - half) as usize, DISC_FROM.1 + v as usize);
            let n = half as usize;
            for line in 0..2 {
                put(data, (y + line as i64) * width + x, &self.texture.y[(ty + line) * texture::WIDTH + tx..][..2 * n]);
            }
            let (chroma, from) = (y / 2 * (width / 2) + x / 2, ty / 2 * (texture::WIDTH / 2) + tx / 2);
            put(data, u_plane + chroma, &self.texture.u[from..][..n]);
            put(data, v_plane + chroma, &self.texture.v[from..][..n]);
        }
    }
}

/// Fills `out` from a plane, beginning anew at its start where it ends.
fn copy_wrapped(out: &mut [u8], plane: &[u8], from: usize) {
    let mut from = from % plane.len();
    let mut out = out;
    while !out.is_empty() {
        let n = out.len().min(plane.len() - from);
        let (now, later) = out.split_at_mut(n);
        now.copy_from_slice(&plane[from..from + n]);
        (out, from) = (later, 0);
    }
}

/// Copies a row of the disc where it fits; a small picture cuts the disc off.
fn put(data: &mut [u8], at: i64, row: &[u8]) {
    let target = usize::try_from(at).ok().and_then(|at| data.get_mut(at..at + row.len()));
    if let Some(target) = target {
        target.copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fnv(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0x811C_9DC5, |hash, b| (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193))
    }

    /// FNV-1a hashes of the pictures that the JavaScript of the browser peer yields under Node.js.
    const GOLDEN: &[(Content, f64, &str, u32)] = &[
        (Content::Cam, 1700000000123.0, "1280x720", 0xBE10_D687),
        (Content::Cam, 1700000000623.5, "1280x720", 0x7975_5DFE),
        (Content::Cam, 1763800000000.25, "1280x720", 0x2747_3F7F),
        (Content::Cam, 1800000001999.0, "1280x720", 0x3907_7A85),
        (Content::Cam, 1700000000123.0, "640x360", 0xD79C_A065),
        (Content::Cam, 1700000000623.5, "640x360", 0x9582_843A),
        (Content::Cam, 1763800000000.25, "640x360", 0x59B9_65AD),
        (Content::Cam, 1800000001999.0, "640x360", 0xE115_5050),
        (Content::Cam, 1700000000123.0, "960x540", 0x2359_EB41),
        (Content::Cam, 1700000000623.5, "960x540", 0xDB28_EB4B),
        (Content::Cam, 1763800000000.25, "960x540", 0x5D73_291A),
        (Content::Cam, 1800000001999.0, "960x540", 0x880E_6D6A),
        (Content::Pan, 1700000000123.0, "1280x720", 0xBDD6_FF94),
        (Content::Pan, 1700000000623.5, "1280x720", 0x4636_E314),
        (Content::Pan, 1763800000000.25, "1280x720", 0xD569_9BD4),
        (Content::Pan, 1800000001999.0, "1280x720", 0x58B9_3CC1),
        (Content::Pan, 1700000000123.0, "640x360", 0x529B_2F87),
        (Content::Pan, 1700000000623.5, "640x360", 0xB92E_C530),
        (Content::Pan, 1763800000000.25, "640x360", 0xEBE2_5AD3),
        (Content::Pan, 1800000001999.0, "640x360", 0xF284_D1F8),
        (Content::Pan, 1700000000123.0, "960x540", 0xDD98_5B01),
        (Content::Pan, 1700000000623.5, "960x540", 0xACA9_7C8E),
        (Content::Pan, 1763800000000.25, "960x540", 0x6539_67D7),
        (Content::Pan, 1800000001999.0, "960x540", 0xC426_20BB),
    ];

    #[test]
    fn pictures_are_those_of_the_browser_peer_byte_for_byte() {
        for &(content, unix_ms, size, hash) in GOLDEN {
            let picture = Pattern::new(content, size.parse().expect("a size")).picture_at(unix_ms);
            assert_eq!(fnv(picture.as_bytes()), hash, "{content:?} {unix_ms} {size}");
        }
    }

    #[test]
    fn every_size_and_time_can_be_drawn_and_its_strip_read() {
        for size in ["64x36", "66x2", "128x64", "320x180", "478x270", "1000x562", "1920x1080", "3840x2160"] {
            for content in [Content::Cam, Content::Pan] {
                for unix_ms in [0.0, 1_700_000_000_123.9, 9_999_999.0, 9e15] {
                    let size = size.parse().expect("a size");
                    let picture = Pattern::new(content, size).picture_at(unix_ms);
                    let shown = strip::read(&picture).map(u64::from);
                    let readable = size.height() as usize > size.width() as usize / 64;
                    assert_eq!(shown, readable.then_some(unix_ms as u64 % strip::WRAP_MS), "{size} {unix_ms}");
                }
            }
        }
    }

    #[test]
    fn the_picture_moves() {
        let pattern = Pattern::new(Content::Cam, "640x360".parse().expect("a size"));
        let (a, b) = (pattern.picture_at(1_700_000_000_000.0), pattern.picture_at(1_700_000_000_500.0));
        assert!(a.psnr_y(&b).expect("same size") < 40.0);
    }
}
