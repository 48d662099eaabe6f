//! Scaling: smaller by the mean of the area that a pixel covers, larger by linear interpolation.
//!
//! The mean neither aliases nor blurs more than it must, keeps flat areas exact, and is cheap. Both passes work in 16-bit
//! integers, so the compiler vectorizes the vertical one, which touches every source pixel.

use visavis_media::{I420, Size};

/// Weights of an axis sum to this, so that a row of intermediate values (255 · 256) just fits `u16`.
const ONE: u16 = 256;

/// Scales pictures; keeps its tables and buffers between pictures of the same size.
#[derive(Debug, Default)]
pub struct Scaler {
    plan: Option<Plan>,
    row: Vec<u16>,
}

#[derive(Debug)]
struct Plan {
    from: Size,
    to: Size,
    luma: [Axis; 2],
    chroma: [Axis; 2],
}

impl Scaler {
    /// Makes a scaler.
    pub fn new() -> Self {
        Self::default()
    }

    /// The picture at another size; the very same picture, shared, where the size is its own.
    ///
    /// The shape is the caller's business: see [`fit`].
    pub fn scale(&mut self, picture: &I420, to: Size) -> I420 {
        let from = picture.size();
        if from == to {
            return picture.clone();
        }
        let mut out = vec![0; to.i420_len()];
        let (y, chroma) = out.split_at_mut(to.pixels());
        let (u, v) = chroma.split_at_mut(to.pixels() / 4);
        if from.width() == 2 * to.width() && from.height() == 2 * to.height() {
            halve(picture.y(), from.width() as usize, y);
            halve(picture.u(), from.width() as usize / 2, u);
            halve(picture.v(), from.width() as usize / 2, v);
        } else {
            let plan = match self.plan.take() {
                Some(plan) if (plan.from, plan.to) == (from, to) => plan,
                _ => Plan::new(from, to),
            };
            scale_plane(picture.y(), &plan.luma, &mut self.row, y);
            scale_plane(picture.u(), &plan.chroma, &mut self.row, u);
            scale_plane(picture.v(), &plan.chroma, &mut self.row, v);
            self.plan = Some(plan);
        }
        I420::new(to, out).expect("the buffer was made for this size")
    }
}

/// The largest size of the same shape with at most `max_pixels` pixels and even sides; `size` itself where it fits.
pub fn fit(size: Size, max_pixels: usize) -> Size {
    if size.pixels() <= max_pixels {
        return size;
    }
    let factor = (max_pixels as f64 / size.pixels() as f64).sqrt();
    let side = |long: u32| ((f64::from(long) * factor / 2.0).round() as u32 * 2).max(2);
    let (mut w, mut h) = (side(size.width()), side(size.height()));
    // Rounding up may have gone a little too far.
    while w as usize * h as usize > max_pixels && (w > 2 || h > 2) {
        if w >= h { w -= 2 } else { h -= 2 }
    }
    Size::new(w, h).unwrap_or(size)
}

fn halve(from: &[u8], width: usize, to: &mut [u8]) {
    for (rows, to) in from.chunks_exact(2 * width).zip(to.chunks_exact_mut(width / 2)) {
        let (top, bottom) = rows.split_at(width);
        for ((a, b), to) in top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0).zip(to) {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            *to = ((sum + 2) >> 2) as u8;
        }
    }
}

impl Plan {
    fn new(from: Size, to: Size) -> Self {
        let axes = |shrink: u32| {
            [
                Axis::new((from.width() / shrink) as usize, (to.width() / shrink) as usize),
                Axis::new((from.height() / shrink) as usize, (to.height() / shrink) as usize),
            ]
        };
        Self { from, to, luma: axes(1), chroma: axes(2) }
    }
}

/// Which source samples make each target sample along one axis.
#[derive(Debug)]
struct Axis {
    from: usize,
    /// Source samples per target sample; the unused have weight 0.
    taps: usize,
    starts: Vec<u32>,
    weights: Vec<u16>,
}

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        let ratio = from as f64 / to as f64;
        let taps = if ratio > 1.0 { ratio.ceil() as usize + 1 } else { 2 }.min(from);
        let mut axis = Self { from, taps, starts: Vec::with_capacity(to), weights: Vec::with_capacity(to * taps) };
        for i in 0..to {
            let (first, last) = if ratio > 1.0 {
                (i as f64 * ratio, (i + 1) as f64 * ratio)
            } else {
                // A window one sample wide, about the centre.
                let centre = (i as f64 + 0.5) * ratio;
                (centre - 0.5, centre + 0.5)
            };
            let start = (first.floor().max(0.0) as usize).min(from - taps);
            let overlap = |tap: usize| {
                let pixel = (start + tap) as f64;
                // The outermost pixels stand for what lies beyond them.
                let low = if start + tap == 0 { f64::MIN } else { pixel };
                let high = if start + tap == from - 1 { f64::MAX } else { pixel + 1.0 };
                (last.min(high) - first.max(low)).max(0.0)
            };
            axis.starts.push(start as u32);
            // Rounding the running sum, not each weight, makes them sum to exactly `ONE`: nothing darkens.
            let (mut covered, mut given) = (0.0, 0);
            axis.weights.extend((0..taps).map(|tap| {
                covered += overlap(tap) / (last - first);
                let due = (covered * f64::from(ONE)).round() as u16;
                due - std::mem::replace(&mut given, due)
            }));
        }
        axis
    }
}

fn scale_plane(from: &[u8], [across, down]: &[Axis; 2], row: &mut Vec<u16>, to: &mut [u8]) {
    let width = across.from;
    row.resize(width, 0);
    let targets = to.chunks_exact_mut(across.starts.len());
    for ((to, &start), weights) in targets.zip(&down.starts).zip(down.weights.chunks_exact(down.taps)) {
        row.fill(0);
        for (source, &weight) in from[start as usize * width..].chunks_exact(width).zip(weights) {
            if weight > 0 {
                for (sum, &sample) in row.iter_mut().zip(source) {
                    *sum += weight * u16::from(sample);
                }
            }
        }
        match across.taps {
            1 => squeeze::<1>(row, across, to),
            2 => squeeze::<2>(row, across, to),
            3 => squeeze::<3>(row, across, to),
            4 => squeeze::<4>(row, across, to),
            5 => squeeze::<5>(row, across, to),
            taps => {
                for ((to, &start), weights) in to.iter_mut().zip(&across.starts).zip(across.weights.chunks_exact(taps))
                {
                    *to = weigh(&row[start as usize..], weights);
                }
            }
        }
    }
}

/// The horizontal pass with a number of taps that the compiler knows.
fn squeeze<const TAPS: usize>(row: &[u16], across: &Axis, to: &mut [u8]) {
    let weights = across.weights.as_chunks::<TAPS>().0;
    for ((to, &start), weights) in to.iter_mut().zip(&across.starts).zip(weights) {
        if let Some(window) = row.get(start as usize..).and_then(|rest| rest.first_chunk::<TAPS>()) {
            *to = weigh(window, weights);
        }
    }
}

fn weigh(samples: &[u16], weights: &[u16]) -> u8 {
    let sum: u32 = samples.iter().zip(weights).map(|(&s, &w)| u32::from(s) * u32::from(w)).sum();
    ((sum + (1 << 15)) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config() -> ProptestConfig {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
    }

    fn size(w: u32, h: u32) -> Size {
        Size::new(w, h).expect("even")
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn flat_pictures_stay_exactly_flat_at_any_size(w in 1u32..90, h in 1u32..90, tw in 1u32..90, th in 1u32..90, y: u8) {
            let flat = I420::filled(size(2 * w, 2 * h), [y, 255 - y, y / 2]);
            let scaled = Scaler::new().scale(&flat, size(2 * tw, 2 * th));
            prop_assert!(scaled.y().iter().all(|&s| s == y));
            prop_assert!(scaled.u().iter().all(|&s| s == 255 - y) && scaled.v().iter().all(|&s| s == y / 2));
        }

        #[test]
        fn a_fitting_size_is_even_within_the_limit_and_of_the_same_shape(w in 1u32..2049, h in 1u32..2049, max in 4usize..9_000_000) {
            let from = size(2 * w, 2 * h);
            let to = fit(from, max);
            prop_assert!(to.pixels() <= max && to.width() <= from.width() && to.height() <= from.height());
            if to != from && to.width().min(to.height()) > 40 {
                let shape = |s: Size| f64::from(s.width()) / f64::from(s.height());
                prop_assert!((shape(to) / shape(from) - 1.0).abs() < 0.06, "{from} to {to}");
            }
        }
    }

    #[test]
    fn the_usual_steps_are_met_exactly() {
        for (from, max, to) in [
            ((1280, 720), 640 * 360, (640, 360)),
            ((1280, 720), 960 * 540, (960, 540)),
            ((1280, 720), 320 * 180, (320, 180)),
            ((720, 1280), 640 * 360, (360, 640)),
            ((640, 480), 10_000_000, (640, 480)),
        ] {
            assert_eq!(fit(size(from.0, from.1), max), size(to.0, to.1));
        }
    }

    #[test]
    fn the_mean_of_a_gradient_is_kept() {
        let from = size(120, 60);
        let mut data = vec![128; from.i420_len()];
        for (i, sample) in data[..from.pixels()].iter_mut().enumerate() {
            *sample = (i % 120 * 2) as u8;
        }
        let picture = I420::new(from, data).expect("length");
        for to in [size(60, 30), size(90, 44), size(40, 20), size(22, 60), size(240, 120), size(30, 90)] {
            let scaled = Scaler::new().scale(&picture, to);
            let (w, step) = (to.width() as usize, 240.0 / f64::from(to.width()));
            for (x, &sample) in scaled.y()[..w].iter().enumerate() {
                let exact = ((x as f64 + 0.5) * step - 1.0).clamp(0.0, 238.0);
                assert!((f64::from(sample) - exact).abs() <= 1.6, "{to}: {sample} at {x} instead of {exact}");
            }
        }
    }

    #[test]
    fn fine_stripes_become_grey_and_not_moire() {
        let from = size(1280, 64);
        let mut data = vec![128; from.i420_len()];
        for (i, sample) in data[..from.pixels()].iter_mut().enumerate() {
            *sample = if i % 2 == 0 { 16 } else { 235 };
        }
        let picture = I420::new(from, data).expect("length");
        let scaled = Scaler::new().scale(&picture, size(640, 32));
        assert!(scaled.y().iter().all(|&s| s == 126), "{:?}", &scaled.y()[..8]);
        let third = Scaler::new().scale(&picture, size(426, 22));
        assert!(third.y().iter().all(|&s| (85..=170).contains(&s)));
    }

    #[test]
    fn one_scaler_serves_changing_sizes() {
        let mut scaler = Scaler::new();
        let grey = I420::filled(size(64, 48), [90, 91, 92]);
        for (w, h) in [(32, 24), (20, 16), (64, 48), (20, 16), (100, 2)] {
            let scaled = scaler.scale(&grey, size(w, h));
            assert_eq!((scaled.size(), scaled.y()[0]), (size(w, h), 90));
        }
    }
}
