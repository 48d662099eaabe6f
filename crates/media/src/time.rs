//! Three kinds of time: `Instant` (a local moment), [`RtpTicks`] (a moment on the wire), `Duration`.
//!
//! RTP timestamps come from capture moments, never from accumulated durations, so that an hour of 30 Hz pictures
//! ends on the right tick. RTP time becomes an `Instant` again in one place, [`SenderClock`], from sender reports.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Ticks per second of an RTP stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockRate(pub u32);

impl ClockRate {
    /// 90 kHz (RFC 6184).
    pub const VIDEO: Self = Self(90_000);
    /// 48 kHz (RFC 7587).
    pub const AUDIO: Self = Self(48_000);

    /// The span of `ticks`.
    pub fn duration(self, ticks: u32) -> Duration {
        Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / u64::from(self.0))
    }

    /// Ticks of `span`, to the nearest, wrapped to 32 bits.
    pub fn ticks(self, span: Duration) -> u32 {
        let ticks = (span.as_nanos() * u128::from(self.0) + 500_000_000) / 1_000_000_000;
        ticks as u32
    }
}

/// A moment on the wire: an RTP timestamp (RFC 3550 §5.1), which wraps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RtpTicks(pub u32);

impl RtpTicks {
    /// Signed ticks from `earlier` to here: right as long as they are less than 2³¹ apart.
    pub fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// Gives the RTP timestamp of each capture moment of one outgoing stream.
#[derive(Clone, Copy, Debug)]
pub struct RtpStamper {
    epoch: Instant,
    first: u32,
    rate: ClockRate,
}

impl RtpStamper {
    /// `first` (random, RFC 3550 §5.1) is the timestamp of the moment `epoch`.
    pub fn new(epoch: Instant, first: u32, rate: ClockRate) -> Self {
        Self { epoch, first, rate }
    }

    /// The timestamp of `at`; right for moments before `epoch` too.
    pub fn stamp(&self, at: Instant) -> RtpTicks {
        RtpTicks(match at.checked_duration_since(self.epoch) {
            Some(after) => self.first.wrapping_add(self.rate.ticks(after)),
            None => self.first.wrapping_sub(self.rate.ticks(self.epoch.duration_since(at))),
        })
    }
}

/// A moment of a remote clock, as its sender reports give it: NTP time in 2⁻³² s since 1900 (RFC 3550 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NtpTime(pub u64);

impl NtpTime {
    const UNIX_OFFSET_S: u64 = 2_208_988_800;

    /// From Unix time.
    pub fn from_unix(unix: Duration) -> Self {
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        Self((unix.as_secs().wrapping_add(Self::UNIX_OFFSET_S) << 32) | fraction)
    }

    /// Seconds from `earlier` to here, negative where this is before.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0.wrapping_sub(earlier.0) as i64) as f64 / 4_294_967_296.0
    }
}

/// Turns RTP timestamps of one remote stream into that remote's wall clock.
///
/// Streams of one peer that are mapped by their own `SenderClock` share that wall clock and so can be
/// synchronized (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug)]
pub struct SenderClock {
    rate: ClockRate,
    report: Option<(NtpTime, RtpTicks)>,
}

impl SenderClock {
    /// A stream that no report has been seen of.
    pub fn new(rate: ClockRate) -> Self {
        Self { rate, report: None }
    }

    /// Takes a sender report's pair of times.
    pub fn on_sender_report(&mut self, ntp: NtpTime, rtp: RtpTicks) {
        self.report = Some((ntp, rtp));
    }

    /// When, by the sender's wall clock, the moment `ticks` was; `None` before the first report.
    pub fn remote_time(&self, ticks: RtpTicks) -> Option<NtpTime> {
        let (ntp, rtp) = self.report?;
        let delta = i64::from(ticks.since(rtp)) as i128;
        Some(NtpTime(ntp.0.wrapping_add(((delta << 32) / i128::from(self.rate.0)) as u64)))
    }
}

/// Pairs the local monotonic clock with Unix time, read once, so that both run alike for the life of a process.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    instant: Instant,
    unix: Duration,
}

impl WallClock {
    /// Pairs given readings of both clocks.
    pub fn new(instant: Instant, now: SystemTime) -> Self {
        Self { instant, unix: now.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// Unix time of a local moment.
    pub fn unix(&self, at: Instant) -> Duration {
        match at.checked_duration_since(self.instant) {
            Some(after) => self.unix + after,
            None => self.unix.saturating_sub(self.instant.duration_since(at)),
        }
    }

    /// Unix time of a local moment in milliseconds, with fractions.
    pub fn unix_ms(&self, at: Instant) -> f64 {
        self.unix(at).as_secs_f64() * 1000.0
    }

    /// The local moment of a Unix time, where it can be expressed.
    pub fn instant(&self, unix: Duration) -> Option<Instant> {
        match unix.checked_sub(self.unix) {
            Some(after) => self.instant.checked_add(after),
            None => self.instant.checked_sub(self.unix - unix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_hour_of_thirtieths_ends_on_the_right_tick() {
        let epoch = Instant::now();
        let stamper = RtpStamper::new(epoch, 7, ClockRate::VIDEO);
        let last = epoch + Duration::from_nanos(1_000_000_000 * 3600);
        assert_eq!(stamper.stamp(last).since(RtpTicks(7)), 3600 * 90_000);
    }

    #[test]
    fn a_capture_before_the_epoch_is_stamped_earlier() {
        let epoch = Instant::now() + Duration::from_secs(10);
        let stamper = RtpStamper::new(epoch, 0, ClockRate::AUDIO);
        assert_eq!(stamper.stamp(epoch - Duration::from_millis(10)).since(RtpTicks(0)), -480);
    }

    #[test]
    fn sender_reports_put_two_streams_on_one_clock() {
        let wall = NtpTime::from_unix(Duration::from_secs(1_000_000));
        let (mut audio, mut video) = (SenderClock::new(ClockRate::AUDIO), SenderClock::new(ClockRate::VIDEO));
        assert_eq!(audio.remote_time(RtpTicks(0)), None);
        audio.on_sender_report(wall, RtpTicks(u32::MAX - 10));
        video.on_sender_report(wall, RtpTicks(500));
        let a = audio.remote_time(RtpTicks(48_000 - 11)).expect("reported");
        let v = video.remote_time(RtpTicks(500 + 90_000)).expect("reported");
        assert!((a.seconds_since(wall) - 1.0).abs() < 1e-6 && v.seconds_since(a).abs() < 1e-6);
    }

    #[test]
    fn the_wall_clock_maps_both_ways() {
        let now = Instant::now();
        let wall = WallClock::new(now, UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let at = now + Duration::from_millis(1500);
        assert_eq!(wall.unix(at), Duration::from_millis(1_700_000_001_500));
        assert_eq!(wall.instant(wall.unix(at)), Some(at));
    }

    proptest! {
        #[test]
        fn hostile_reports_and_timestamps_never_panic(ntp: u64, rtp: u32, ticks: u32) {
            let mut clock = SenderClock::new(ClockRate::VIDEO);
            clock.on_sender_report(NtpTime(ntp), RtpTicks(rtp));
            prop_assert!(clock.remote_time(RtpTicks(ticks)).is_some());
        }

        #[test]
        fn ticks_and_durations_agree_to_a_tick(ms in 0u64..40_000_000) {
            let span = Duration::from_millis(ms);
            let back = ClockRate::VIDEO.duration(ClockRate::VIDEO.ticks(span));
            prop_assert!(span.abs_diff(back) < Duration::from_micros(12));
        }
    }
}
