//! RTP timestamps of what is sent, from the moments of capture, never from accumulated durations.

use std::time::Instant;
use visavis_media::time::RtpStamper;
use visavis_media::{ClockRate, RtpTicks};

/// Sound whose capture moment strays this far from the count of samples begins a new count: 20 ms.
const RESYNC_TICKS: i32 = 960;
/// How slowly the count's distance from the capture moments is followed, in samples: 1.3 s. Capture moments of sound
/// jitter by a device's buffer, and sender reports must not.
const SLOWNESS: f64 = 64.0 * 960.0;

/// Stamps pictures: each has the time at which it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VideoClock {
    stamper: RtpStamper,
    last: Option<RtpTicks>,
}

impl VideoClock {
    /// `first` is the RTP time of the moment `epoch`.
    pub(crate) fn new(epoch: Instant, first: u32) -> Self {
        Self { stamper: RtpStamper::new(epoch, first, ClockRate::VIDEO), last: None }
    }

    /// The timestamp of a picture captured `at`. Two pictures never share one, or they would be taken for parts of
    /// one picture.
    pub(crate) fn stamp(&mut self, at: Instant) -> RtpTicks {
        let captured = self.stamper.stamp(at);
        let ticks = match self.last {
            Some(last) if captured.since(last) <= 0 => RtpTicks(last.0.wrapping_add(1)),
            _ => captured,
        };
        self.last = Some(ticks);
        ticks
    }
}

/// Stamps packets of sound, of any length: timestamps count samples while sound flows, as receivers expect (RFC 7587 §4.1),
/// and jump to the moment of capture after a pause or when the device's clock has strayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoundClock {
    stamper: RtpStamper,
    next: Option<RtpTicks>,
    /// Smoothed distance of the count from the capture moments, in ticks.
    offset: f64,
}

/// The timestamp of a packet of sound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoundStamp {
    pub ticks: RtpTicks,
    /// The RTP time of the packet's moment of capture, without that moment's jitter: what sender reports go by.
    pub captured: RtpTicks,
    /// Whether it begins a talk spurt (RFC 3551 §4.1).
    pub begins: bool,
}

impl SoundClock {
    /// `first` is the RTP time of the moment `epoch`.
    pub(crate) fn new(epoch: Instant, first: u32) -> Self {
        Self { stamper: RtpStamper::new(epoch, first, ClockRate::AUDIO), next: None, offset: 0.0 }
    }

    /// The timestamp of a packet of so many samples, the first of which was captured `at`.
    pub(crate) fn stamp(&mut self, at: Instant, samples: usize) -> SoundStamp {
        let captured = self.stamper.stamp(at);
        let counted = self.next.filter(|next| captured.since(*next).abs() < RESYNC_TICKS);
        let ticks = counted.unwrap_or(captured);
        self.next = Some(RtpTicks(ticks.0.wrapping_add(samples as u32)));
        match counted {
            Some(counted) => {
                self.offset += (f64::from(counted.since(captured)) - self.offset) * samples as f64 / SLOWNESS
            }
            None => self.offset = 0.0,
        }
        let captured = RtpTicks(captured.0.wrapping_add(self.offset.round() as i32 as u32));
        SoundStamp { ticks, captured, begins: counted.is_none() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Ticks between two RTP times, which may be more than 2³¹ apart, from the seconds that are expected.
    fn error(rate: ClockRate, first: u32, ticks: RtpTicks, after: Duration) -> i64 {
        i64::from(ticks.since(RtpTicks(first.wrapping_add(rate.ticks(after)))))
    }

    #[test]
    fn an_hour_of_pictures_with_jittered_captures_is_stamped_to_the_tick() {
        let (epoch, first) = (Instant::now(), u32::MAX - 90_000);
        let (mut clock, mut random) = (VideoClock::new(epoch, first), StdRng::seed_from_u64(1));
        for frame in 0..30 * 3600u64 {
            let due = Duration::from_nanos(frame * 1_000_000_000 / 30);
            let after = due + Duration::from_micros(random.random_range(0..12_000));
            let ticks = clock.stamp(epoch + after);
            assert!(error(ClockRate::VIDEO, first, ticks, after).abs() <= 1, "picture {frame}");
        }
    }

    #[test]
    fn an_hour_of_sound_is_stamped_to_the_tick_and_counts_samples_whatever_the_packets_hold() {
        let (epoch, first) = (Instant::now(), 77);
        let (mut clock, mut random) = (SoundClock::new(epoch, first), StdRng::seed_from_u64(4));
        let mut after = Duration::ZERO;
        while after < HOUR {
            let packet_ms = if random.random_bool(0.5) { 10 } else { 20 };
            let stamp = clock.stamp(epoch + after, packet_ms * 48);
            assert!(error(ClockRate::AUDIO, first, stamp.ticks, after).abs() <= 1, "after {after:?}");
            assert_eq!(stamp.begins, after.is_zero());
            after += Duration::from_millis(packet_ms as u64);
        }
    }

    #[test]
    fn a_device_whose_clock_is_off_never_strays_further_than_a_packet_and_reports_go_by_the_capture() {
        for packet_ms in [10, 20] {
            let (epoch, first) = (Instant::now(), 5);
            let (mut clock, mut random) = (SoundClock::new(epoch, first), StdRng::seed_from_u64(2));
            let mut begun = 0;
            for packet in 0u64.. {
                // 200 millionths too slow, and moments that jitter by a buffer of 10 ms.
                let true_time = Duration::from_nanos(packet * packet_ms * 1_000_200);
                if true_time > HOUR {
                    break;
                }
                let after = true_time + Duration::from_micros(random.random_range(0..10_000));
                let stamp = clock.stamp(epoch + after, packet_ms as usize * 48);
                begun += u32::from(stamp.begins);
                assert!(error(ClockRate::AUDIO, first, stamp.ticks, true_time).abs() <= 1440, "packet {packet}");
                // What a report says of this packet's samples: their moment of capture, within the jitter.
                let said = stamp.ticks.since(stamp.captured);
                let apart = f64::from(said) / 48_000.0 + after.as_secs_f64() - true_time.as_secs_f64();
                assert!((-0.006..0.016).contains(&apart), "packet {packet} of {packet_ms} ms: {apart} s");
            }
            assert!((20..100).contains(&begun), "{begun} new counts in an hour");
        }
    }

    #[test]
    fn after_a_pause_sound_has_the_time_of_its_capture() {
        let epoch = Instant::now();
        let mut clock = SoundClock::new(epoch, 0);
        clock.stamp(epoch, 960);
        let stamp = clock.stamp(epoch + Duration::from_secs(7), 960);
        assert_eq!((stamp.ticks, stamp.captured, stamp.begins), (RtpTicks(336_000), RtpTicks(336_000), true));
    }

    #[test]
    fn two_pictures_never_share_a_timestamp() {
        let epoch = Instant::now();
        let mut clock = VideoClock::new(epoch, 0);
        let stamps = [10_000, 10_000, 9_000, 10_050].map(|us| clock.stamp(epoch + Duration::from_micros(us)).0);
        assert_eq!(stamps, [900, 901, 902, 905]);
    }
}
