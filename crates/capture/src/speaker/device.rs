//! A real loudspeaker: the audio thread fills a ring, the callback empties it.
//!
//! Here it is opened and closed; the audio thread's side is in `feed.rs`, the other one in `callback.rs`.

use super::callback::{Drain, build};
use super::feed::Feed;
use crate::sound::connection::Lane;
use crate::sound::fault::{Faults, open_error};
use crate::sound::host::{self, Direction};
use crate::sound::resample::{Frames, Resampler};
use crate::{Counters, DeviceError, Worker, list::DeviceInfo};
use cpal::Stream;
use cpal::traits::StreamTrait;
use rtrb::RingBuffer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::FRAME_SAMPLES;

/// What the ring can hold.
const RING: Duration = Duration::from_millis(400);
/// Callbacks whose moments wait to be read.
const MARKS: usize = 256;
/// A device that takes nothing for so long has failed.
const STALL: Duration = Duration::from_secs(4);
/// How long closing may take before it is left to itself.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// A cpal output stream and what goes into it.
pub(crate) struct DeviceSpeaker {
    info: DeviceInfo,
    stream: Option<(Stream, Lane)>,
    feed: Feed,
    faults: Arc<Faults>,
}

impl DeviceSpeaker {
    /// Opens the default loudspeaker or the one that `wanted` names.
    pub fn open(wanted: Option<&str>) -> Result<Self, DeviceError> {
        let found = host::find(Direction::Output, wanted)?;
        let layout = host::layout(&found, Direction::Output)?;
        let (channels, rate) = (usize::from(layout.config.channels), layout.config.sample_rate);
        let resampler = Resampler::new(rate, Frames::In).ok_or(DeviceError::UnsupportedFormat)?;
        let faults = Arc::new(Faults::default());
        let capacity = (RING.as_secs_f64() * f64::from(rate)) as usize;

        let mut rings = None;
        let stream = host::open_stream(layout, |layout| {
            let ((samples, from), (to, marks)) = (RingBuffer::new(capacity), RingBuffer::new(MARKS));
            rings = Some((samples, marks));
            build(&found.device, layout, Drain::new(from, channels, rate, to, faults.clone()), &faults)
        });
        let stream = stream.map_err(|error| open_error(&error, &found.info.name))?;
        stream.play().map_err(|error| open_error(&error, &found.info.name))?;
        let (samples, marks) = rings.ok_or(DeviceError::UnsupportedFormat)?;
        tracing::info!(device = %found.info.name, rate, channels, format = %layout.format, "loudspeaker opened");
        let feed = Feed::new(samples, marks, rate, resampler, faults.clone(), Instant::now());
        Ok(Self { info: found.info, stream: Some((stream, found.lane)), feed, faults })
    }

    /// Frames to write so that what it takes until it is asked again, and the margin, are queued.
    pub fn wants(&mut self) -> usize {
        self.feed.wants(Instant::now())
    }

    /// When it is best asked again, where that is known.
    pub fn ask_at(&self, now: Instant) -> Option<Instant> {
        self.feed.ask_at(now)
    }

    /// Queues a frame.
    pub fn write(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        self.feed.write(frame);
    }

    /// When the first sample of a frame written now will be heard.
    pub fn heard_at(&mut self) -> Instant {
        self.feed.heard_at(Instant::now())
    }

    /// How long until a frame written now is heard.
    pub fn delay(&self) -> Duration {
        self.feed.delay(Instant::now())
    }

    /// The device's id.
    pub fn id(&self) -> &str {
        &self.info.id
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        self.feed.faults()
    }

    /// Why the stream has ended, if it has.
    pub fn failed(&self) -> Option<DeviceError> {
        let stalled = || self.feed.stalled(Instant::now(), STALL).then_some(DeviceError::Stalled);
        self.faults.fatal(&self.info.name).or_else(stalled)
    }
}

impl Drop for DeviceSpeaker {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // A sound server that hangs must not take the audio thread with it.
        Worker::spawn("close speaker", move |_| drop(stream)).join_within(CLOSE_LIMIT);
    }
}
