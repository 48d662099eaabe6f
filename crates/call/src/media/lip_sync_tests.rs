use super::*;
use proptest::prelude::*;
use std::time::UNIX_EPOCH;

const PICTURE: u32 = 11;
const SOUND: u32 = 22;

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

/// A sender whose streams begin at RTP times of their own, and a receiver 100 s later by another clock.
struct Call {
    here: Instant,
    lips: LipSync,
}

impl Call {
    fn new() -> Self {
        let mut lips = LipSync::default();
        lips.picture.begin(PICTURE);
        lips.sound.begin(SOUND);
        Self { here: Instant::now() + Duration::from_secs(100), lips }
    }

    fn at(&self, t: f64) -> Instant {
        self.here + ms(t)
    }

    fn ntp(t: f64) -> NtpTime {
        NtpTime::from_unix(Duration::from_secs(1_700_000_000) + ms(t))
    }

    fn picture(t: f64) -> RtpTicks {
        RtpTicks((u32::MAX - 90_000).wrapping_add((t * 90.0).round() as u32))
    }

    fn sound(t: f64) -> RtpTicks {
        RtpTicks(7_000u32.wrapping_add((t * 48.0).round() as u32))
    }

    fn report(&mut self, t: f64) {
        self.lips.report(PICTURE, Self::ntp(t), Self::picture(t));
        self.lips.report(SOUND, Self::ntp(t), Self::sound(t));
    }

    /// Half a minute in which pictures are seen and sound is heard so much after it was captured; the last offset.
    fn play(&mut self, from: f64, length: f64, seen: f64, heard: f64) -> Option<f64> {
        let mut offset = None;
        for tick in 0..(length / 10.0) as u32 {
            let t = from + f64::from(tick) * 10.0;
            self.lips.heard(Self::sound(t), self.at(t + heard - 6.5));
            if tick.is_multiple_of(3) {
                offset = self.lips.shown(Self::picture(t), self.at(t + seen));
            }
        }
        offset.map(|seconds| seconds * 1000.0)
    }
}

#[test]
fn before_both_streams_are_reported_on_nobody_waits() {
    let mut call = Call::new();
    assert_eq!(call.play(0.0, 2000.0, 10.0, 300.0), None);
    call.lips.report(SOUND, Call::ntp(2000.0), Call::sound(2000.0));
    assert_eq!(call.play(2000.0, 2000.0, 10.0, 300.0), None);
    assert_eq!(call.lips.picture_not_before(Call::picture(4000.0)), None);
    assert_eq!(call.lips.sound_wait(call.at(4000.0), Duration::ZERO), Duration::ZERO);
}

#[test]
fn the_offset_is_what_lies_between_seeing_and_hearing_the_same_moment() {
    for (seen, heard) in [(10.0, 60.0), (200.0, 60.0), (33.0, 33.0)] {
        let mut call = Call::new();
        call.report(0.0);
        let offset = call.play(0.0, 10_000.0, seen, heard).expect("known");
        assert!((offset - (heard - seen)).abs() < 0.5, "{offset}");
    }
}

#[test]
fn a_picture_waits_for_the_sound_only_as_far_as_somebody_would_notice() {
    let mut call = Call::new();
    call.report(0.0);
    call.play(0.0, 5000.0, 10.0, 90.0);
    let due = call.lips.picture_not_before(Call::picture(5000.0)).expect("known");
    let latency = (due - call.at(5000.0)).as_secs_f64() * 1000.0;
    assert!((latency - 53.0).abs() < 1.0, "{latency} ms after it was filmed");
}

/// The buffer follows what it is told, and the sound is heard accordingly.
fn sound_waits(seen: f64, heard: f64) -> (f64, f64) {
    let mut call = Call::new();
    call.report(0.0);
    let (mut wait, mut fastest) = (0.0f64, 0.0f64);
    for tenth in 0..300 {
        let t = f64::from(tenth) * 100.0;
        call.play(t, 100.0, seen, heard + wait);
        let told = call.lips.sound_wait(call.at(t + 100.0), ms(wait)).as_secs_f64() * 1000.0;
        fastest = fastest.max((told - wait).abs());
        wait = told;
    }
    (wait, fastest)
}

#[test]
fn sound_waits_for_a_late_picture_slowly_and_never_longer_than_a_tenth_of_a_second() {
    let cases =
        [(100.0, 60.0, 2.0, 27.0), (150.0, 60.0, 51.0, 77.0), (500.0, 60.0, 99.0, 100.1), (60.0, 100.0, 0.0, 0.1)];
    for (seen, heard, least, most) in cases {
        let (wait, fastest) = sound_waits(seen, heard);
        assert!((least..=most).contains(&wait), "{seen}, {heard}: {wait}");
        assert!(fastest < 2.5, "{fastest} ms in a tenth of a second");
    }
}

#[test]
fn sound_that_waits_in_vain_is_let_go() {
    let mut call = Call::new();
    call.report(0.0);
    call.lips.wait = 0.1;
    let mut wait = Duration::ZERO;
    for tenth in 0..100 {
        // No picture is seen any more.
        wait = call.lips.sound_wait(call.at(f64::from(tenth) * 100.0), ms(100.0));
    }
    assert_eq!(wait, Duration::ZERO);
}

#[test]
fn a_report_that_contradicts_all_before_is_believed_once_another_agrees() {
    let mut call = Call::new();
    call.report(0.0);
    call.play(0.0, 3000.0, 10.0, 60.0);
    let skewed = Call::ntp(3000.0 + 900.0);
    call.lips.report(SOUND, skewed, Call::sound(3000.0));
    let offset = call.play(3000.0, 3000.0, 10.0, 60.0).expect("known");
    assert!((offset - 50.0).abs() < 1.0, "one report alone: {offset}");
    call.report(6000.0);
    call.lips.report(SOUND, Call::ntp(7000.0 + 900.0), Call::sound(7000.0));
    call.lips.report(SOUND, Call::ntp(8000.0 + 900.0), Call::sound(8000.0));
    let offset = call.play(8000.0, 5000.0, 10.0, 60.0).expect("known");
    assert!((offset + 850.0).abs() < 5.0, "two that agree: {offset}");
}

#[test]
fn reports_of_other_streams_without_a_clock_or_of_another_day_move_nothing() {
    let mut call = Call::new();
    call.report(0.0);
    for i in 0..1000u32 {
        call.lips.report(1000 + i, Call::ntp(f64::from(i)), RtpTicks(i));
    }
    assert!(call.lips.reports.len() <= MAX_STREAMS + 1);
    call.lips.report(PICTURE, NtpTime(0), RtpTicks(5));
    call.lips.report(PICTURE, NtpTime::from_unix(UNIX_EPOCH.elapsed().unwrap_or_default()), RtpTicks(77));
    let offset = call.play(0.0, 3000.0, 10.0, 60.0).expect("known");
    assert!((offset - 50.0).abs() < 1.0, "{offset}");
    // Both streams lie about the same moment: too far apart to be of one.
    let mut call = Call::new();
    call.lips.report(PICTURE, Call::ntp(0.0), Call::picture(0.0));
    call.lips.report(SOUND, Call::ntp(50_000.0), Call::sound(0.0));
    assert_eq!(call.play(0.0, 3000.0, 10.0, 60.0), None);
    assert_eq!(call.lips.picture_not_before(Call::picture(3000.0)), None);
}

#[test]
fn reports_that_come_before_the_first_packet_count() {
    let mut call = Call::new();
    call.lips = LipSync::default();
    call.report(0.0);
    call.lips.picture.begin(PICTURE);
    call.lips.sound.begin(SOUND);
    assert!(call.play(0.0, 1000.0, 10.0, 60.0).is_some());
    call.lips.sound.begin(SOUND + 1);
    assert_eq!(call.play(1000.0, 5000.0, 10.0, 60.0), None, "another stream, of which nothing is known");
}

proptest! {
    #[test]
    fn whatever_reports_and_timestamps_say_waits_stay_within_their_limits(
        events in proptest::collection::vec((0u8..5, any::<u64>(), any::<u32>(), 0u64..1_000_000), 1..300),
    ) {
        let here = Instant::now();
        let mut lips = LipSync::default();
        for (kind, ntp, ticks, at) in events {
            let (ticks, at) = (RtpTicks(ticks), here + Duration::from_millis(at));
            match kind {
                0 => lips.report(if ntp % 2 == 0 { PICTURE } else { SOUND }, NtpTime(ntp), ticks),
                1 => {
                    let _ = lips.shown(ticks, at);
                }
                2 => lips.heard(ticks, at),
                3 => {
                    let _ = lips.picture_not_before(ticks);
                }
                _ => {
                    lips.picture.begin(PICTURE);
                    lips.sound.begin(SOUND);
                }
            }
            prop_assert!(lips.sound_wait(at, Duration::from_millis(ntp % 500)) <= Duration::from_millis(100));
            prop_assert!(lips.reports.len() <= MAX_STREAMS + 1);
        }
    }
}
