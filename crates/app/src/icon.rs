//! The app's icon, painted: two pictures that face each other, a large one and a small one, as in a call.
//!
//! `assets/visavis.svg` shows the same for desktops; `examples/paint_icon.rs` writes `assets/visavis.png` from here.

use egui::IconData;

/// Samples per pixel and direction, so that edges are smooth.
const SAMPLES: u32 = 4;
/// The drawing's own units per side.
const UNITS: f32 = 128.0;

/// Paints the icon in a square of this many pixels a side.
pub fn paint(side: u32) -> IconData {
    let mut rgba = Vec::with_capacity(side as usize * side as usize * 4);
    let scale = UNITS / (side * SAMPLES) as f32;
    for y in 0..side {
        for x in 0..side {
            let mut sum = [0.0; 4];
            for sample in 0..SAMPLES * SAMPLES {
                let at = [x * SAMPLES + sample % SAMPLES, y * SAMPLES + sample / SAMPLES];
                if let Some(colour) = colour(at.map(|v| (v as f32 + 0.5) * scale)) {
                    for (sum, channel) in sum.iter_mut().zip(colour) {
                        *sum += channel;
                    }
                    sum[3] += 1.0;
                }
            }
            let covered = sum[3].max(1.0);
            rgba.extend(sum[..3].iter().map(|channel| (channel / covered).round() as u8));
            rgba.push((255.0 * sum[3] / (SAMPLES * SAMPLES) as f32).round() as u8);
        }
    }
    IconData { rgba, width: side, height: side }
}

const WHITE: [f32; 3] = [255.0, 255.0, 255.0];

/// The colour of a point, `None` outside.
fn colour(at: [f32; 2]) -> Option<[f32; 3]> {
    let within = |centre: [f32; 2], half: [f32; 2], radius: f32| {
        let d = [0, 1].map(|i| ((at[i] - centre[i]).abs() - half[i] + radius).max(0.0));
        d[0].hypot(d[1]) <= radius
    };
    let disc = |centre: [f32; 2], radius: f32| (at[0] - centre[0]).hypot(at[1] - centre[1]) <= radius;
    if !within([64.0, 64.0], [60.0, 60.0], 27.0) {
        return None;
    }
    let depth = at[1] / UNITS;
    let ground = [68.0 - 36.0 * depth, 132.0 - 46.0 * depth, 246.0 - 50.0 * depth];
    let person = |head: [f32; 2], size: f32| {
        let shoulders = [head[0], head[1] + 2.55 * size];
        disc(head, size) || (at[1] <= shoulders[1] && disc(shoulders, 1.4 * size))
    };
    if within([91.0, 88.0], [21.0, 18.0], 8.0) {
        return Some(if person([91.0, 82.0], 6.0) { ground } else { WHITE });
    }
    if within([91.0, 88.0], [26.0, 23.0], 12.0) {
        return Some(ground);
    }
    if within([58.0, 60.0], [40.0, 32.0], 13.0) {
        return Some(if person([50.0, 51.0], 12.0) { ground } else { WHITE });
    }
    Some(ground)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_is_opaque_inside_and_clear_in_its_corners() {
        let icon = paint(64);
        assert_eq!(icon.rgba.len(), 64 * 64 * 4);
        assert_eq!(icon.rgba[3], 0);
        assert_eq!(icon.rgba[(32 * 64 + 32) * 4 + 3], 255);
    }
}
