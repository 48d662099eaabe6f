//! A microphone that is a clock and a table of sound.

use crate::clock::wall_clock;
use crate::{Counters, sound::signal::Loop};
use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES};

const FRAME_NS: u128 = FRAME_DURATION.as_nanos();
/// A reader that is later than this (a machine that slept) goes on with the present.
const MAX_BACKLOG: u64 = 20;

/// Gives a frame as soon as its 10 ms are over, as a device would.
pub(crate) struct ClockedMicrophone {
    sound: Loop,
    /// Number of the next frame, in 10 ms since the Unix epoch.
    next: u64,
    /// Frame in which the sound begins.
    origin: u64,
    overruns: u64,
}

impl ClockedMicrophone {
    /// A sound whose place in time is fixed by Unix time.
    pub fn in_unix_time(sound: Loop, now: Instant) -> Self {
        Self { sound, next: frame_at(now) + 1, origin: 0, overruns: 0 }
    }

    /// A sound that begins now.
    pub fn from_start(sound: Loop, now: Instant) -> Self {
        let next = frame_at(now) + 1;
        Self { sound, next, origin: next, overruns: 0 }
    }

    /// The next frame that is over at `now`.
    pub fn read(&mut self, now: Instant) -> Option<AudioFrame> {
        let current = frame_at(now);
        if current <= self.next {
            return None;
        }
        if current - self.next > MAX_BACKLOG {
            self.next = current - 1;
            self.overruns += 1;
        }
        let at = wall_clock().instant(Duration::from_nanos_u128(u128::from(self.next) * FRAME_NS)).unwrap_or(now);
        let mut frame = AudioFrame::silence(at);
        self.sound.fill((self.next - self.origin) * FRAME_SAMPLES as u64, &mut frame.samples);
        self.next += 1;
        Some(frame)
    }

    /// When the next frame is over.
    pub fn next_at(&self) -> Option<Instant> {
        wall_clock().instant(Duration::from_nanos_u128(u128::from(self.next + 1) * FRAME_NS))
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        Counters { underruns: 0, overruns: self.overruns }
    }
}

/// Number of the 10 ms in which a moment lies.
fn frame_at(now: Instant) -> u64 {
    (wall_clock().unix(now).as_nanos() / FRAME_NS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_media::SAMPLE_RATE;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn frames_come_every_10_ms_and_the_tone_begins_on_the_whole_second() {
        let start = Instant::now();
        let mut microphone = ClockedMicrophone::in_unix_time(Loop::tone(), start);
        let mut frames = Vec::new();
        for ms in 0..2000 {
            frames.extend(microphone.read(start + ms * MS));
        }
        assert!((197..=199).contains(&frames.len()), "{}", frames.len());
        assert!(frames.windows(2).all(|pair| pair[1].at - pair[0].at == FRAME_DURATION));
        let onset = frames.windows(2).position(|pair| pair[0].rms() == 0.0 && pair[1].rms() > 0.1).expect("a burst");
        let unix = wall_clock().unix(frames[onset + 1].at);
        assert!(unix.subsec_nanos() == 0, "{unix:?}");
    }

    #[test]
    fn a_frame_is_there_when_it_was_said_to_be_and_not_before() {
        let mut now = Instant::now();
        let mut microphone = ClockedMicrophone::in_unix_time(Loop::tone(), now);
        for _ in 0..100 {
            now = microphone.next_at().expect("a moment");
            assert!(microphone.read(now - MS / 1000).is_none());
            let frame = microphone.read(now).expect("a frame");
            assert_eq!(now - frame.at, FRAME_DURATION);
        }
    }

    #[test]
    fn a_reader_that_slept_goes_on_with_the_present() {
        let start = Instant::now();
        let mut microphone = ClockedMicrophone::in_unix_time(Loop::speech(), start);
        let late = start + 5000 * MS;
        let frame = microphone.read(late).expect("a frame");
        assert!(late - frame.at < 30 * MS && microphone.read(late).is_none());
        assert_eq!(microphone.faults().overruns, 1);
    }

    #[test]
    fn a_file_begins_when_it_is_opened() {
        let start = Instant::now();
        let sound: Vec<f32> = (0..SAMPLE_RATE).map(|i| i as f32 / 48_000.0).collect();
        let mut microphone = ClockedMicrophone::from_start(Loop::of(sound).expect("sound"), start);
        assert!(microphone.read(start).is_none());
        let frame = microphone.read(start + 30 * MS).expect("a frame");
        assert_eq!((frame.samples[0], frame.samples[479]), (0.0, 479.0 / 48_000.0));
        assert!(frame.at >= start && frame.at - start <= 10 * MS);
    }
}
