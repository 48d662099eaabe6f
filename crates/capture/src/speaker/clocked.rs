//! A loudspeaker that is a clock: it plays into a WAV file, or into nothing, at the pace of a real one.

use crate::{Counters, DeviceError};
use hound::{SampleFormat, WavSpec, WavWriter};
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use visavis_media::{FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// Frames that are asked for ahead of time, as a device of 10 ms periods would have queued.
const TARGET: usize = 2;
const MAX_QUEUED: usize = 20;
/// It is best fed so long before the next frame begins: in the midst of a period, neither too early nor too late.
const LEAD: Duration = Duration::from_millis(5);
/// Silence written at most for a time in which nobody asked: a machine that slept makes no hour of it.
const MAX_GAP: u64 = 3000;
/// Frames between two times the file is brought up to date, header included: half a second is lost at most when the
/// process is killed.
const FLUSH_EVERY: u64 = 50;

/// Takes a frame every 10 ms of the clock; silence where there is none.
pub(crate) struct ClockedSpeaker {
    start: Instant,
    /// Frames played since the start.
    played: u64,
    queue: VecDeque<[f32; FRAME_SAMPLES]>,
    file: Option<Recording>,
    faults: Counters,
    /// Sound was coming when last looked at: silence after it is an underrun.
    sounding: bool,
}

struct Recording {
    path: PathBuf,
    writer: WavWriter<BufWriter<File>>,
    failed: Option<String>,
}

impl ClockedSpeaker {
    /// Plays into nothing.
    pub fn into_nothing(now: Instant) -> Self {
        let faults = Counters::default();
        Self { start: now, played: 0, queue: VecDeque::new(), file: None, faults, sounding: false }
    }

    /// Plays into a file: 48 kHz, mono, 16 bit.
    pub fn into_file(path: &Path, now: Instant) -> Result<Self, DeviceError> {
        let spec =
            WavSpec { channels: 1, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let failed = |error: hound::Error| DeviceError::File { path: path.to_owned(), why: error.to_string() };
        let mut writer = WavWriter::create(path, spec).map_err(failed)?;
        writer.flush().map_err(failed)?;
        let mut speaker = Self::into_nothing(now);
        speaker.file = Some(Recording { path: path.to_owned(), writer, failed: None });
        Ok(speaker)
    }

    /// Frames that are missing from the queue at `now`.
    pub fn wants(&mut self, now: Instant) -> usize {
        self.advance(now);
        TARGET.saturating_sub(self.queue.len())
    }

    /// Queues a frame.
    pub fn write(&mut self, frame: &[f32; FRAME_SAMPLES], now: Instant) {
        self.advance(now);
        if self.queue.len() < MAX_QUEUED {
            self.queue.push_back(*frame);
        } else {
            self.faults.overruns += 1;
        }
    }

    /// When a frame written at `now` begins to play; within the last 10 ms where it should play already.
    pub fn heard_at(&mut self, now: Instant) -> Instant {
        self.advance(now);
        self.next_begins()
    }

    /// How long until a frame written at `now` begins to play.
    pub fn delay(&self, now: Instant) -> Duration {
        self.next_begins().saturating_duration_since(now)
    }

    fn next_begins(&self) -> Instant {
        self.begins(self.played + self.queue.len() as u64)
    }

    /// When it is best asked again: in the middle of the next period.
    pub fn ask_at(&self, now: Instant) -> Instant {
        let periods = now.saturating_duration_since(self.start + LEAD).as_nanos() / FRAME_DURATION.as_nanos();
        self.begins(periods as u64 + 1) + LEAD
    }

    /// When a frame begins.
    fn begins(&self, frame: u64) -> Instant {
        self.start + FRAME_DURATION * u32::try_from(frame).unwrap_or(u32::MAX)
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        self.faults
    }

    /// Why the file cannot be written any more.
    pub fn failed(&self) -> Option<DeviceError> {
        let Recording { path, failed, .. } = self.file.as_ref()?;
        failed.clone().map(|why| DeviceError::File { path: path.clone(), why })
    }

    /// Plays what has fallen due.
    fn advance(&mut self, now: Instant) {
        let due = (now.saturating_duration_since(self.start).as_nanos() / FRAME_DURATION.as_nanos()) as u64;
        if due.saturating_sub(self.played) > MAX_GAP {
            let skipped = due - self.played - MAX_GAP;
            self.start += Duration::from_nanos(skipped * FRAME_DURATION.as_nanos() as u64);
            return self.advance(now);
        }
        while self.played < due {
            let frame = self.queue.pop_front();
            if frame.is_none() && self.sounding {
                self.faults.underruns += 1;
            }
            self.sounding = frame.is_some();
            self.played += 1;
            if let Some(file) = &mut self.file {
                file.write(&frame.unwrap_or([0.0; FRAME_SAMPLES]), self.played.is_multiple_of(FLUSH_EVERY));
            }
        }
    }
}

impl Drop for ClockedSpeaker {
    fn drop(&mut self) {
        self.advance(Instant::now());
    }
}

impl Recording {
    fn write(&mut self, frame: &[f32; FRAME_SAMPLES], flush: bool) {
        if self.failed.is_some() {
            return;
        }
        let sample =
            |s: &f32| if s.is_finite() { (s.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16 } else { 0 };
        let mut written = frame.iter().try_for_each(|s| self.writer.write_sample(sample(s)));
        if flush {
            written = written.and_then(|()| self.writer.flush());
        }
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "cannot write what is played");
            self.failed = Some(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn samples(path: &Path) -> Vec<i16> {
        hound::WavReader::open(path).expect("a WAV file").into_samples().map(|s| s.expect("whole")).collect()
    }

    #[test]
    fn it_takes_a_frame_every_10_ms_and_queues_20_ms() {
        let start = Instant::now();
        let mut speaker = ClockedSpeaker::into_nothing(start);
        let mut written = 0;
        for tick in 0..100 {
            for _ in 0..speaker.wants(start + tick * 10 * MS) {
                speaker.write(&[0.0; FRAME_SAMPLES], start + tick * 10 * MS);
                written += 1;
            }
            assert_eq!(speaker.delay(start + tick * 10 * MS), 20 * MS);
        }
        assert_eq!((written, speaker.faults()), (101, Counters::default()));
    }

    #[test]
    fn fed_in_the_middle_of_a_period_sound_begins_half_a_period_later() {
        let start = Instant::now();
        let (mut speaker, mut now) = (ClockedSpeaker::into_nothing(start), start + 2 * MS);
        for late in 0..50 {
            now = speaker.ask_at(now) + MS * (late % 4);
            assert_eq!(speaker.delay(now + MS), speaker.delay(now).saturating_sub(MS));
            for _ in 0..speaker.wants(now) {
                if late > 0 {
                    assert_eq!(speaker.delay(now), LEAD - MS * (late % 4));
                }
                speaker.write(&[0.0; FRAME_SAMPLES], now);
            }
        }
        assert_eq!(speaker.faults(), Counters::default());
    }

    #[test]
    fn the_moments_told_of_frames_are_those_at_which_they_play() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.wav");
        let start = Instant::now();
        let mut speaker = ClockedSpeaker::into_file(&path, start).expect("writable");
        let mut said = Vec::new();
        for tick in 0..100u32 {
            // Now and then nobody writes for 40 ms.
            let now = start + MS * (tick * 10 + tick % 7);
            for _ in 0..if tick % 30 < 26 { speaker.wants(now) } else { 0 } {
                said.push(speaker.heard_at(now));
                let number = said.len() as f32 / 1000.0;
                speaker.write(&[number; FRAME_SAMPLES], now);
            }
        }
        speaker.wants(start + 2000 * MS);
        drop(speaker);
        let sound = samples(&path);
        for (n, at) in said.iter().enumerate() {
            let frame = (at.duration_since(start).as_millis() / 10) as usize;
            let value = f32::from(sound[frame * FRAME_SAMPLES]) / 32767.0 * 1000.0;
            assert_eq!(value.round() as usize, n + 1);
        }
    }

    #[test]
    fn what_is_played_is_written_in_real_time_with_silence_in_the_gaps() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.wav");
        let start = Instant::now();
        let mut speaker = ClockedSpeaker::into_file(&path, start).expect("writable");
        speaker.write(&[0.5; FRAME_SAMPLES], start + 30 * MS);
        speaker.write(&[2.0; FRAME_SAMPLES], start + 30 * MS);
        assert_eq!(speaker.wants(start + 100 * MS), TARGET);
        assert_eq!(speaker.faults().underruns, 1);
        // Killed: nothing is finalized. The last flush stands.
        speaker.wants(start + 500 * MS);
        std::mem::forget(speaker);
        let sound = samples(&path);
        assert_eq!(sound.len(), 50 * FRAME_SAMPLES);
        let of = |frame: usize| sound[frame * FRAME_SAMPLES + 7];
        assert_eq!([of(2), of(3), of(4), of(5)], [0, 16384, 32767, 0]);
    }

    #[test]
    fn the_file_is_a_valid_one_from_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.wav");
        std::mem::forget(ClockedSpeaker::into_file(&path, Instant::now()).expect("writable"));
        assert!(samples(&path).is_empty());
    }

    #[test]
    fn too_much_is_thrown_away_and_a_long_sleep_is_cut_short() {
        let start = Instant::now();
        let mut speaker = ClockedSpeaker::into_nothing(start);
        (0..25).for_each(|_| speaker.write(&[0.0; FRAME_SAMPLES], start));
        assert_eq!(speaker.faults().overruns, 5);
        speaker.wants(start + Duration::from_secs(100_000));
        assert_eq!(speaker.played, MAX_GAP);
    }
}
