//! Loudspeakers: real ones through cpal, and stand-ins driven by the clock.

mod appetite;
mod beat;
mod callback;
mod clocked;
mod device;
#[cfg(test)]
mod echo_tests;
mod feed;
mod lead;
mod margin;
#[cfg(test)]
mod simulated;

use crate::{Counters, DeviceError, SpeakerSpec};
use clocked::ClockedSpeaker;
use device::DeviceSpeaker;
use std::time::{Duration, Instant};
use visavis_media::FRAME_SAMPLES;

/// An open loudspeaker; closed when dropped.
///
/// The thread that processes sound asks every 10 ms how many frames it [`wants`](Self::wants) and writes as many, so
/// that the device's clock sets the pace and no more is queued than it takes.
pub struct Speaker {
    name: String,
    sink: Sink,
}

enum Sink {
    Device(Box<DeviceSpeaker>),
    Clocked(ClockedSpeaker),
}

impl Speaker {
    /// Opens what `spec` names. May block for seconds where a sound server hangs.
    ///
    /// # Errors
    /// [`DeviceError`] where there is no such device, it is in use, forbidden or of no use, or the file cannot be
    /// written.
    pub fn open(spec: &SpeakerSpec) -> Result<Self, DeviceError> {
        let (name, sink) = match spec {
            SpeakerSpec::Default => return DeviceSpeaker::open(None).map(Self::from),
            SpeakerSpec::Device(wanted) => return DeviceSpeaker::open(Some(wanted)).map(Self::from),
            SpeakerSpec::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                (name, ClockedSpeaker::into_file(path, Instant::now())?)
            }
            SpeakerSpec::None => ("None".to_owned(), ClockedSpeaker::into_nothing(Instant::now())),
        };
        Ok(Self { name, sink: Sink::Clocked(sink) })
    }

    /// How many 10 ms frames to write now.
    pub fn wants(&mut self) -> usize {
        match &mut self.sink {
            Sink::Device(device) => device.wants(),
            Sink::Clocked(clocked) => clocked.wants(Instant::now()),
        }
    }

    /// When it is best asked again; `None` where any moment of the next 10 ms is as good.
    pub fn ask_at(&self, now: Instant) -> Option<Instant> {
        match &self.sink {
            Sink::Device(device) => device.ask_at(now),
            Sink::Clocked(clocked) => Some(clocked.ask_at(now)),
        }
    }

    /// Queues 10 ms of sound; never waits. What finds no room is thrown away and counted as an overrun.
    pub fn write(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        match &mut self.sink {
            Sink::Device(device) => device.write(frame),
            Sink::Clocked(clocked) => clocked.write(frame, Instant::now()),
        }
    }

    /// When the first sample of a frame written now will be heard, by the device's own count and clock: moments of
    /// frames lie on a line that is as straight as that clock, but for the time in which it ran dry. In the past where
    /// it should be heard already.
    pub fn heard_at(&mut self) -> Instant {
        match &mut self.sink {
            Sink::Device(device) => device.heard_at(),
            Sink::Clocked(clocked) => clocked.heard_at(Instant::now()),
        }
    }

    /// How long it takes until a frame written now is heard, as [`heard_at`](Self::heard_at) says it.
    pub fn delay(&self) -> Duration {
        match &self.sink {
            Sink::Device(device) => device.delay(),
            Sink::Clocked(clocked) => clocked.delay(Instant::now()),
        }
    }

    /// Its name, for reading.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device's id, as in [`list_devices`](crate::list_devices); `None` for stand-ins.
    pub fn id(&self) -> Option<&str> {
        match &self.sink {
            Sink::Device(device) => Some(device.id()),
            Sink::Clocked(_) => None,
        }
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        match &self.sink {
            Sink::Device(device) => device.faults(),
            Sink::Clocked(clocked) => clocked.faults(),
        }
    }

    /// Why it has stopped working, if it has; it should then be dropped.
    pub fn failed(&self) -> Option<DeviceError> {
        match &self.sink {
            Sink::Device(device) => device.failed(),
            Sink::Clocked(clocked) => clocked.failed(),
        }
    }
}

impl From<DeviceSpeaker> for Speaker {
    fn from(device: DeviceSpeaker) -> Self {
        Self { name: device.name().to_owned(), sink: Sink::Device(Box::new(device)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_says_which_and_why() {
        let refused = Speaker::open(&SpeakerSpec::File("does/not/exist/x.wav".into())).err();
        assert!(matches!(refused, Some(DeviceError::File { path, .. }) if path.ends_with("x.wav")));
    }

    #[test]
    fn a_speaker_may_be_sent_to_the_audio_thread() {
        fn sendable<T: Send>() {}
        sendable::<Speaker>();
    }
}
