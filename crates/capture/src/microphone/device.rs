//! A real microphone: the callback (`tap`) fills a ring, the audio thread (`intake`) takes frames out of it.
//!
//! Here its stream is opened and closed.

use super::intake::Intake;
use super::tap::{build, tap};
use crate::sound::fault::{Faults, open_error};
use crate::sound::host::{self, Direction};
use crate::{Counters, DeviceError, Worker, list::DeviceInfo};
use cpal::Stream;
use cpal::traits::StreamTrait;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_media::AudioFrame;

/// A device that gives nothing for so long has failed; starting may take a second on Bluetooth.
const STALL: Duration = Duration::from_secs(4);
/// How long closing may take before it is left to itself.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// A cpal input stream and what comes out of it.
pub(crate) struct DeviceMicrophone {
    info: DeviceInfo,
    stream: Option<Stream>,
    intake: Intake,
    faults: Arc<Faults>,
}

impl DeviceMicrophone {
    /// Opens the default microphone or the one that `wanted` names.
    pub fn open(wanted: Option<&str>) -> Result<Self, DeviceError> {
        let found = host::find(Direction::Input, wanted)?;
        let layout = host::layout(&found, Direction::Input)?;
        let (channels, rate) = (usize::from(layout.config.channels), layout.config.sample_rate);
        let faults = Arc::new(Faults::default());

        let mut outlet = None;
        let opened = host::open_stream(layout, |layout| {
            let (tap, out) = tap(channels, rate, &faults);
            outlet = Some(out);
            build(&found.device, layout, tap, &faults)
        });
        let stream = opened.map_err(|error| open_error(&error, &found.info.name))?;
        stream.play().map_err(|error| open_error(&error, &found.info.name))?;
        let intake = outlet.and_then(|outlet| Intake::new(outlet, channels, rate, faults.clone(), Instant::now()));
        let intake = intake.ok_or(DeviceError::UnsupportedFormat)?;
        tracing::info!(device = %found.info.name, rate, channels, format = %layout.format, "microphone opened");
        Ok(Self { info: found.info, stream: Some(stream), intake, faults })
    }

    /// The next frame, if its samples are there.
    pub fn read(&mut self) -> Option<AudioFrame> {
        self.intake.read(Instant::now())
    }

    /// When its next callback should come; `None` before the first.
    pub fn next_at(&self) -> Option<Instant> {
        self.intake.next_at()
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
        self.faults.counters()
    }

    /// Why the stream has ended, if it has.
    pub fn failed(&self) -> Option<DeviceError> {
        let stalled = || (self.intake.silent_for(Instant::now()) > STALL).then_some(DeviceError::Stalled);
        self.faults.fatal(&self.info.name).or_else(stalled)
    }
}

impl Drop for DeviceMicrophone {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // A sound server that hangs must not take the audio thread with it.
        Worker::spawn("close microphone", move |_| drop(stream)).join_within(CLOSE_LIMIT);
    }
}
