//! Memory of pictures, used again once nobody looks at them.

use std::collections::VecDeque;
use visavis_media::I420;

/// Pictures that travel at the same time: at the encoder, in its slot, at the preview, and one to spare.
const KEPT: usize = 4;

/// Remembers the last pictures handed out; at 720p a new megabyte for each would cost page faults at every frame.
#[derive(Default)]
pub(crate) struct Pool(VecDeque<I420>);

impl Pool {
    /// A buffer to draw the next picture into: the oldest picture's where it is free, else an empty one.
    pub fn buffer(&mut self) -> Vec<u8> {
        if self.0.len() < KEPT {
            return Vec::new();
        }
        self.0.pop_front().and_then(I420::into_bytes).unwrap_or_default()
    }

    /// Remembers a picture that is handed out.
    pub fn lend(&mut self, picture: &I420) {
        self.0.push_back(picture.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_unless_somebody_still_looks_at_it() {
        let mut pool = Pool::default();
        let picture = |y| I420::filled("4x4".parse().expect("a size"), [y, 0, 0]);
        let held = picture(0);
        for y in 0..KEPT as u8 {
            assert!(pool.buffer().is_empty());
            pool.lend(&if y == 0 { held.clone() } else { picture(y) });
        }
        assert!(pool.buffer().is_empty(), "the first picture is still held");
        pool.lend(&picture(9));
        assert_eq!(pool.buffer()[0], 1);
    }
}
