//! The pairing of the monotonic clock with Unix time that every stand-in device uses.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};
use visavis_media::WallClock;

/// The one pairing of both clocks for the life of this process, so that strips, tones and reports agree.
pub fn wall_clock() -> WallClock {
    static CLOCK: OnceLock<WallClock> = OnceLock::new();
    *CLOCK.get_or_init(pair)
}

/// Reads both clocks several times and keeps the pair read closest together: a thread may lose the processor between
/// two readings, and the error would stay for the life of the process.
fn pair() -> WallClock {
    let mut best: Option<(Duration, WallClock)> = None;
    for _ in 0..8 {
        let before = Instant::now();
        let unix = SystemTime::now();
        let span = before.elapsed();
        if best.as_ref().is_none_or(|(least, _)| span < *least) {
            best = Some((span, WallClock::new(before + span / 2, unix)));
        }
    }
    best.map_or_else(|| WallClock::new(Instant::now(), SystemTime::now()), |(_, clock)| clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_pairing_is_made_once_and_close_to_the_system_clock() {
        let at = Instant::now();
        assert_eq!(wall_clock().unix(at), wall_clock().unix(at));
        let system = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        assert!(system.abs_diff(wall_clock().unix(Instant::now())) < Duration::from_secs(5));
    }
}
