//! The texture behind the test picture: value noise, made once for each content.
//!
//! Formulas, constants and rounding are those of the browser peer that Visavis is measured against, so that both
//! encode the very same picture: noise in `f64`, summed up in `f32`, cut to bytes.

use crate::Content;
use std::sync::OnceLock;

/// Width of the luma plane.
pub(crate) const WIDTH: usize = 2048;
/// Height of the luma plane.
pub(crate) const HEIGHT: usize = 1024;

/// A limited-range I420 texture, [`WIDTH`] by [`HEIGHT`].
pub(crate) struct Texture {
    /// Luma.
    pub y: Vec<u8>,
    /// Blue-difference chroma, half as wide and high.
    pub u: Vec<u8>,
    /// Red-difference chroma, half as wide and high.
    pub v: Vec<u8>,
}

/// The texture of a content; made at first use, in some 30 ms.
pub(crate) fn texture(content: Content) -> &'static Texture {
    static CAM: OnceLock<Texture> = OnceLock::new();
    static PAN: OnceLock<Texture> = OnceLock::new();
    match content {
        Content::Cam => CAM.get_or_init(|| make([(64, 60.0), (16, 30.0), (4, 10.0), (2, 3.0)], 30.0)),
        Content::Pan => PAN.get_or_init(|| make([(64, 60.0), (16, 35.0), (4, 18.0), (2, 8.0)], 50.0)),
    }
}

/// One octave of noise: random values on a grid, interpolated between, wrapping at the edges.
struct Octave {
    cell: usize,
    amplitude: f64,
    columns: usize,
    rows: usize,
    grid: Vec<f64>,
    /// The grid interpolated to the current row.
    line: Vec<f64>,
}

impl Octave {
    fn new(cell: usize, amplitude: f64, seed: u32) -> Self {
        let (columns, rows) = (WIDTH / cell, HEIGHT / cell);
        let grid = (0..rows).flat_map(|y| (0..columns).map(move |x| hash(x as u32, y as u32, seed))).collect();
        Self { cell, amplitude, columns, rows, grid, line: vec![0.0; columns + 1] }
    }

    /// Adds row `y` of the noise to `out`, which holds every `STEP`th pixel of that row.
    fn add_row<const STEP: usize>(&mut self, y: usize, out: &mut [f32]) {
        let above = y / self.cell;
        let below = (above + 1) % self.rows;
        let fraction = y as f64 / self.cell as f64 - above as f64;
        let row = |i: usize| &self.grid[i * self.columns..][..self.columns];
        for (mid, (a, b)) in self.line.iter_mut().zip(row(above).iter().zip(row(below))) {
            *mid = a * (1.0 - fraction) + b * fraction;
        }
        self.line[self.columns] = self.line[0];
        // A cell is a power of two wide, so that multiplying with its inverse is as exact as dividing by it.
        let (inverse, scale) = (1.0 / self.cell as f64, self.amplitude * 2.0);
        for (ends, pixels) in self.line.windows(2).zip(out.chunks_exact_mut(self.cell / STEP)) {
            let (left, slope) = (ends[0], ends[1] - ends[0]);
            for (k, pixel) in pixels.iter_mut().enumerate() {
                let noise = left + slope * (k * STEP) as f64 * inverse - 0.5;
                *pixel = (f64::from(*pixel) + scale * noise) as f32;
            }
        }
    }
}

/// A value in 0…1 from a grid point and a seed.
fn hash(x: u32, y: u32, seed: u32) -> f64 {
    let sum = x
        .wrapping_mul(374_761_393)
        .wrapping_add(y.wrapping_mul(668_265_263))
        .wrapping_add(seed.wrapping_mul(2_246_822_519));
    let mixed = (sum ^ (sum >> 13)).wrapping_mul(1_274_126_177);
    f64::from(mixed ^ (mixed >> 16)) / 4_294_967_295.0
}

fn make(luma: [(usize, f64); 4], chroma: f64) -> Texture {
    let mut seed = 0;
    let mut octaves = luma.map(|(cell, amplitude)| {
        seed += 1;
        Octave::new(cell, amplitude, seed)
    });
    let mut y_plane = Vec::with_capacity(WIDTH * HEIGHT);
    let mut line = vec![0.0f32; WIDTH];
    for y in 0..HEIGHT {
        line.fill(128.0);
        for octave in &mut octaves {
            octave.add_row::<1>(y, &mut line);
        }
        y_plane.extend(line.iter().map(|l| (16.0 + f64::from(l.clamp(0.0, 255.0)) * 219.0 / 255.0) as u8));
    }

    let mut octave = Octave::new(128, chroma, 9);
    let (mut u_plane, mut v_plane) = (Vec::with_capacity(WIDTH * HEIGHT / 4), Vec::with_capacity(WIDTH * HEIGHT / 4));
    let line = &mut line[..WIDTH / 2];
    for y in (0..HEIGHT).step_by(2) {
        line.fill(0.0);
        octave.add_row::<2>(y, line);
        u_plane.extend(line.iter().map(|c| (128.0 - f64::from(*c) * 0.5) as u8));
        v_plane.extend(line.iter().map(|c| (128.0 + f64::from(*c) * 0.5) as u8));
    }
    Texture { y: y_plane, u: u_plane, v: v_plane }
}
