//! Which pictures are encoded, and for which rate: what the encoder makes has to fit what the pacer lets out.
//!
//! openh264 makes more than it was told when pictures become hard, and less when they are easy. So what it made is
//! compared with what it was asked for, and the next wish is corrected; and while it (or the pacer) is ahead of the
//! rate by more than one picture's time, pictures are left out before they are encoded. Encoded ones never are.
//! Contains no I/O and reads no clock.

use super::target::SharedTarget;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// Bits that a packet has on the wire beside its payload: RTP with extension, SRTP's tag, UDP and IPv4.
const PACKET_BITS: f64 = 58.0 * 8.0;
/// Payload bits of a full packet.
const PAYLOAD_BITS: f64 = 1160.0 * 8.0;
/// The least that is asked of the encoder.
const LEAST: f64 = 16_000.0;
/// A picture may come this much before its time: cameras are not even.
const EARLY: f64 = 0.6;
/// What is owed is forgiven beyond this many pictures' time: what waits in the pacer counts by itself.
const DEBT: f64 = 3.0;
/// What was saved is kept up to this many pictures' time.
const SAVED: f64 = 0.5;
/// What is asked for on average, as a share of what pictures may take: a debt has to be paid of something.
const AIM: f64 = 0.98;
/// How far a wish is corrected, and how quickly, per picture. Never upward: an encoder that makes less than it may has an
/// easy picture, and more would be spent on refining all of it at once.
const CORRECTION: (f64, f64) = (0.6, 1.0);
const CORRECTS: f64 = 0.04;
/// For the same reason no more is asked for than this multiple of what it makes, over about so many pictures.
const AHEAD: f64 = 1.3;
const MADE: f64 = 1.0 / 15.0;
/// …but always this much, in bits per second: what a small picture takes at its best.
const ALWAYS: f64 = 150_000.0;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct PictureBudget {
    /// How far the encoder is ahead of its rate, in seconds; below zero where it has saved.
    debt_s: f64,
    last: Option<Instant>,
    correction: Option<f64>,
    /// What pictures take lately, in bits per second on the wire.
    made: Option<f64>,
}

/// What is to become of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// It is encoded.
    Encode,
    /// It comes sooner than the frame rate wants.
    Early,
    /// It is left out: too much has been made, or waits.
    LeftOut,
}

impl PictureBudget {
    /// Whether the picture captured at `at` is to be encoded, where pictures come every `interval` and what waits to
    /// leave takes `backlog`.
    pub(crate) fn due(&mut self, at: Instant, interval: Duration, backlog: Duration) -> Due {
        let since = self.last.map(|last| at.saturating_duration_since(last));
        if since.is_some_and(|since| since < interval.mul_f64(EARLY)) {
            return Due::Early;
        }
        let interval_s = interval.as_secs_f64();
        self.debt_s = (self.debt_s - since.unwrap_or(interval).as_secs_f64()).max(-SAVED * interval_s);
        self.last = Some(at);
        if self.debt_s > interval_s || backlog > interval { Due::LeftOut } else { Due::Encode }
    }

    /// What pictures may take on the wire: sound and repair go first.
    pub(crate) fn for_pictures(target: &SharedTarget) -> f64 {
        f64::from(target.get().0.saturating_sub(target.beside().0)).max(LEAST)
    }

    /// What to ask of an encoder, so that with headers and its habits it makes `wire` bits per second.
    pub(crate) fn wish(&self, wire: f64, fps: f32) -> BitsPerSecond {
        // Half a packet more per picture: the last one is seldom full.
        let wire = self.made.map_or(wire, |made| wire.min((made * AHEAD).max(ALWAYS)));
        let headers = 0.5 * PACKET_BITS * f64::from(fps);
        let payload = (wire - headers) / (1.0 + PACKET_BITS / PAYLOAD_BITS);
        BitsPerSecond((payload * self.correction.unwrap_or(1.0)).max(LEAST) as u32)
    }

    /// The encoder made a picture of so many bytes.
    pub(crate) fn made(&mut self, bytes: usize, keyframe: bool, wire: f64, interval: Duration) {
        let bits = bytes as f64 * 8.0;
        let bits = bits + (bits / PAYLOAD_BITS).ceil() * PACKET_BITS;
        let interval_s = interval.as_secs_f64();
        self.debt_s = (self.debt_s + bits / wire).min((DEBT + 1.0) * interval_s);
        if !keyframe {
            let now = bits / interval_s;
            self.made = Some(self.made.map_or(wire, |made| made + MADE * (now - made)));
            let made = (bits / (AIM * wire * interval_s)).min(3.0);
            let corrected = self.correction.unwrap_or(1.0) * (1.0 + CORRECTS * (1.0 - made));
            self.correction = Some(corrected.clamp(CORRECTION.0, CORRECTION.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 30);

    /// What leaves per second, on the wire, of an encoder that makes `habit` times what it is asked for, and the share of
    /// the pictures that were left out.
    fn made(wire: f64, habit: impl Fn(u32) -> f64) -> (f64, f64) {
        let (begun, mut budget, mut bits, mut left_out) = (Instant::now(), PictureBudget::default(), 0.0, 0);
        for i in 0..900u32 {
            match budget.due(begun + INTERVAL * i, INTERVAL, Duration::ZERO) {
                Due::Encode => {
                    let asked = f64::from(budget.wish(wire, 30.0).0);
                    let bytes = (asked * habit(i) / 30.0 / 8.0) as usize;
                    budget.made(bytes, false, wire, INTERVAL);
                    bits += bytes as f64 * 8.0 + (bytes as f64 / 1160.0).ceil() * PACKET_BITS;
                }
                Due::LeftOut => left_out += 1,
                Due::Early => panic!("even pictures"),
            }
        }
        (bits / 30.0, f64::from(left_out) / 900.0)
    }

    #[test]
    fn an_encoder_that_makes_a_third_too_much_is_asked_for_less_and_leaves_nothing_out() {
        for wire in [1e5, 5e5, 2e6] {
            let (bits, left_out) = made(wire, |_| 1.33);
            assert!((0.93..1.07).contains(&(bits / wire)) && left_out < 0.03, "{wire}: {bits}, {left_out}");
        }
    }

    #[test]
    fn an_encoder_that_cannot_make_less_loses_pictures_and_not_the_rate() {
        let (bits, left_out) = made(5e5, |_| 3.0);
        assert!(bits < 1.1 * 5e5 && left_out > 0.3, "{bits}, {left_out}");
    }

    #[test]
    fn pictures_of_different_sizes_are_not_left_out() {
        let (bits, left_out) = made(1e6, |i| [0.6, 1.4, 1.0, 0.8, 1.2][i as usize % 5]);
        assert!((0.9..1.07).contains(&(bits / 1e6)) && left_out == 0.0, "{bits}, {left_out}");
    }

    #[test]
    fn an_encoder_with_an_easy_picture_is_not_asked_for_much_more_than_it_makes() {
        let (begun, mut budget) = (Instant::now(), PictureBudget::default());
        for i in 0..90 {
            budget.due(begun + INTERVAL * i, INTERVAL, Duration::ZERO);
            budget.made(2000, false, 2e6, INTERVAL);
        }
        let asked = f64::from(budget.wish(2e6, 30.0).0);
        assert!((500e3..700e3).contains(&asked), "{asked}");
        // A hard scene: what it makes grows, and what it may, within a second.
        for i in 90..120 {
            budget.due(begun + INTERVAL * i, INTERVAL, Duration::ZERO);
            budget.made((f64::from(budget.wish(2e6, 30.0).0) * 1.2 / 240.0) as usize, false, 2e6, INTERVAL);
        }
        assert!(budget.wish(2e6, 30.0).0 > 1_300_000, "{}", budget.wish(2e6, 30.0));
    }

    #[test]
    fn what_waits_in_the_pacer_stops_the_encoder() {
        let (begun, mut budget) = (Instant::now(), PictureBudget::default());
        assert_eq!(budget.due(begun, INTERVAL, INTERVAL * 2), Due::LeftOut);
        assert_eq!(budget.due(begun + INTERVAL, INTERVAL, INTERVAL / 2), Due::Encode);
        assert_eq!(budget.due(begun + INTERVAL * 5 / 4, INTERVAL, Duration::ZERO), Due::Early);
    }

    #[test]
    fn a_keyframe_is_no_habit() {
        let (begun, mut budget) = (Instant::now(), PictureBudget::default());
        budget.due(begun, INTERVAL, Duration::ZERO);
        budget.made(40_000, true, 1e6, INTERVAL);
        assert_eq!((budget.correction, budget.made), (None, None));
        let encoded = (1..10).find(|i| budget.due(begun + INTERVAL * *i, INTERVAL, Duration::ZERO) == Due::Encode);
        assert!(encoded.is_some_and(|i| i <= 4), "{encoded:?}");
    }
}
