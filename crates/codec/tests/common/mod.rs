//! Pictures and sounds made for the tests: the same ones on every run.
#![allow(dead_code, reason = "each test file uses its part")]

use visavis_media::{I420, Size};

/// A small generator (SplitMix64): what it gives depends on the seed alone.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// −1…1
    pub fn sample(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.bits() as u8).collect()
    }
}

pub fn size(w: u32, h: u32) -> Size {
    Size::new(w, h).expect("even")
}

/// Somebody before a wall: smooth shading, some texture, a large blob that moves, and a little sensor noise.
pub fn scene(size: Size, n: u32) -> I420 {
    let (w, h) = (size.width() as usize, size.height() as usize);
    let t = n as f32 / 30.0;
    let mut data = vec![0u8; size.i420_len()];
    let mut noise = Random(u64::from(n));
    let (cx, cy) = (0.5 + 0.12 * (t * 1.7).sin(), 0.55 + 0.05 * (t * 2.3).cos());
    let grain = noise.bytes(4096);
    for y in 0..h {
        let v = y as f32 / h as f32;
        for x in 0..w {
            let u = x as f32 / w as f32;
            let wall = 90.0 + 50.0 * u - 20.0 * v + 8.0 * ((u * 60.0).sin() * (v * 40.0).sin());
            let (dx, dy) = ((u - cx) / 0.16, (v - cy) / 0.33);
            let inside = dx * dx + dy * dy < 1.0;
            let value = if inside { 165.0 - 40.0 * dx + 12.0 * ((dx * 25.0).sin() + (dy * 31.0).cos()) } else { wall };
            data[y * w + x] = (value + f32::from(grain[(x * 7 + y * 131) % 4096] % 3)).clamp(16.0, 235.0) as u8;
        }
    }
    let (luma, cw, ch) = (w * h, w / 2, h / 2);
    for y in 0..ch {
        for x in 0..cw {
            let (dx, dy) = ((x as f32 / cw as f32 - cx) / 0.16, (y as f32 / ch as f32 - cy) / 0.33);
            let inside = dx * dx + dy * dy < 1.0;
            data[luma + y * cw + x] = if inside { 110 } else { 132 };
            data[luma + cw * ch + y * cw + x] = if inside { 150 } else { 124 };
        }
    }
    I420::new(size, data).expect("length")
}

/// What no encoder likes: new noise and a new brightness in every picture.
pub fn hard(size: Size, n: u32) -> I420 {
    let mut random = Random(u64::from(n) + 77);
    let base = (n * 97 % 160) as u8;
    let mut data = vec![0u8; size.i420_len()];
    let mut bits = 0u64;
    for (i, sample) in data.iter_mut().enumerate() {
        if i % 8 == 0 {
            bits = random.bits();
        }
        *sample = (base + (bits as u8 & 0x3F)).clamp(16, 235);
        bits >>= 8;
    }
    I420::new(size, data).expect("length")
}
