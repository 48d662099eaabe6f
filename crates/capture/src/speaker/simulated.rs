//! A loudspeaker's device and the machine around it, in emulated time: a clock that runs wrong, callbacks that come late,
//! a sound thread that is held up.

use super::callback::Drain;
use super::feed::Feed;
use crate::sound::fault::Faults;
use crate::sound::resample::{Frames, Resampler};
use cpal::{OutputCallbackInfo, OutputStreamTimestamp, StreamInstant};
use rtrb::RingBuffer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::FRAME_SAMPLES;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    pub rate: u32,
    /// By how much its clock runs fast.
    pub ppm: f64,
    /// Samples it takes at once.
    pub period: usize,
    /// From the moment a callback is due to the moment its first sample is heard.
    pub latency_s: f64,
    /// How late a callback comes at most. Two of three come within a tenth of that.
    pub late_s: f64,
    /// Whether the system tells how much is left of its latency when a callback comes late. Others always say the same.
    pub knows_lateness: bool,
    /// By how much it errs in that, either way.
    pub error_s: f64,
    /// From this second on everything is heard so much later: the sound server ran dry, and says nothing of it.
    pub shift_at_s: f64,
    pub shift_s: f64,
    /// The sound thread is woken so late at most.
    pub wake_s: f64,
    /// It is held up so long…
    pub stall_s: f64,
    /// …once in so many seconds.
    pub stall_every_s: f64,
}

impl Device {
    /// One of 10 ms at 48 kHz, on a machine that is never held up.
    pub const USUAL: Self = Self {
        rate: 48_000,
        ppm: 0.0,
        period: 480,
        latency_s: 0.02,
        late_s: 0.004,
        knows_lateness: true,
        error_s: 0.0002,
        wake_s: 0.003,
        shift_at_s: 1e9,
        shift_s: 0.0,
        stall_s: 0.0,
        stall_every_s: 1e9,
    };
}

/// A frame that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// When, in seconds since the start.
    pub at_s: f64,
    /// When it should be heard, as the speaker said.
    pub said_s: f64,
    /// When its first sample was heard.
    pub truth_s: f64,
}

/// What came of it.
pub(super) struct Outcome {
    pub frames: Vec<Written>,
    /// What the device played, sample by sample; the first one was heard at `latency_s`.
    pub played: Vec<f32>,
    pub underruns: u64,
    /// How long frames waited until they were heard, on average in the second half.
    pub delay_s: f64,
}

/// SplitMix64 (Steele, Lea, Flood 2014), as numbers from 0 to 1.
pub(super) struct Random(pub u64);

impl Random {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mostly little, at times as much as `most`.
    pub fn late(&mut self, most: f64) -> f64 {
        let share = if self.unit() < 2.0 / 3.0 { 0.1 } else { 1.0 };
        self.unit() * share * most
    }
}

/// Plays what `sound` gives for each frame, for so long.
pub(super) fn play(device: Device, seconds: f64, mut sound: impl FnMut(usize) -> [f32; FRAME_SAMPLES]) -> Outcome {
    let start = Instant::now() + Duration::from_secs(1);
    let moment = |seconds: f64| start + Duration::from_secs_f64(seconds);
    let faults = Arc::new(Faults::default());
    let ((to, from), (told, marks)) = (RingBuffer::new(device.rate as usize * 2 / 5), RingBuffer::new(256));
    let mut drain = Drain::new(from, 1, device.rate, told, faults.clone());
    let resampler = Resampler::new(device.rate, Frames::In).expect("a valid rate");
    let resampling = resampler.delay().as_secs_f64();
    let mut feed = Feed::new(to, marks, device.rate, resampler, faults.clone(), start);

    let mut random = Random(7);
    let pace = f64::from(device.rate) * (1.0 + device.ppm * 1e-6);
    let (mut out, mut played) = (vec![0.0f32; device.period], Vec::new());
    // Which sample of the device a sample written has become: first of both, of each callback.
    let mut places: Vec<(u64, u64)> = Vec::new();
    let (mut frames, mut starts, mut written) = (Vec::new(), Vec::new(), 0u64);
    let (mut due, mut late, mut tick) = (0.0, 0.0, 0.0);
    let mut stall = device.stall_every_s;
    while tick < seconds {
        if due + late <= tick {
            // The device itself goes on; only what is written comes out later.
            let shift = if due >= device.shift_at_s { device.shift_s } else { 0.0 };
            let said = device.latency_s + shift - if device.knows_lateness { late } else { 0.0 };
            let said = (said + device.error_s * (2.0 * random.unit() - 1.0)).max(0.0);
            let (callback, playback) =
                (StreamInstant::new(9, 0), Duration::from_secs(9) + Duration::from_secs_f64(said));
            let playback = StreamInstant::new(playback.as_secs(), playback.subsec_nanos());
            places.push((drain.taken - drain.gaps, drain.taken));
            let info = OutputCallbackInfo::new(OutputStreamTimestamp { callback, playback });
            drain.fill(&mut out, &info, moment(due + late));
            played.extend_from_slice(&out);
            due = drain.taken as f64 / pace;
            late = random.late(device.late_s).min(0.9 * device.period as f64 / pace);
            continue;
        }
        let now = moment(tick);
        for _ in 0..feed.wants(now) {
            let said = feed.heard_at(now);
            let said_s =
                said.checked_duration_since(start).map_or_else(|| -(start - said).as_secs_f64(), |s| s.as_secs_f64());
            starts.push(written);
            frames.push(Written { at_s: tick, said_s, truth_s: f64::NAN });
            feed.write(&sound(frames.len() - 1));
            written = feed.written();
        }
        let next = feed.ask_at(now).map_or(tick + 0.01, |at| (at - start).as_secs_f64());
        tick = next + random.late(device.wake_s);
        if tick > stall {
            tick += device.stall_s;
            stall += device.stall_every_s;
        }
    }
    for (frame, first) in frames.iter_mut().zip(starts) {
        let (ring, taken) = places[places.partition_point(|(ring, _)| *ring <= first).saturating_sub(1)];
        // One that fell due in the gap of the last callback before it came out of the next.
        let due = taken as f64 / pace;
        let shift = if due >= device.shift_at_s { device.shift_s } else { 0.0 };
        frame.truth_s = device.latency_s + shift + due + (first - ring) as f64 / pace + resampling;
    }
    // What was not played any more has no truth.
    let end = device.latency_s + drain.taken as f64 / pace;
    frames.retain(|frame| frame.truth_s < end);
    let late = frames.iter().filter(|frame| frame.at_s > seconds / 2.0).map(|frame| frame.truth_s - frame.at_s);
    let (sum, n) = late.fold((0.0, 0), |(sum, n), late| (sum + late, n + 1));
    Outcome { frames, played, underruns: faults.counters().underruns, delay_s: sum / f64::from(n) }
}
