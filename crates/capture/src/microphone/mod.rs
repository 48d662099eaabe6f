//! Microphones: real ones through cpal, and stand-ins driven by the clock.

mod clocked;
mod device;
mod intake;
mod tap;

use crate::{Counters, DeviceError, MicrophoneSpec, sound::signal::Loop, sound::wav};
use clocked::ClockedMicrophone;
use device::DeviceMicrophone;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;
use visavis_media::AudioFrame;

/// An open microphone; closed when dropped.
///
/// It is read every 10 ms, best at [`next_at`](Self::next_at), until it has nothing more, by the thread that processes sound.
pub struct Microphone {
    name: String,
    source: Source,
}

enum Source {
    Device(Box<DeviceMicrophone>),
    Clocked(ClockedMicrophone),
    None,
}

impl Microphone {
    /// Opens what `spec` names. May block for seconds: a sound server that hangs, a long file.
    ///
    /// # Errors
    /// [`DeviceError`] where there is no such device, it is in use, forbidden or of no use, or the file is not a WAV
    /// file of at most ten minutes.
    pub fn open(spec: &MicrophoneSpec) -> Result<Self, DeviceError> {
        let (name, source) = match spec {
            MicrophoneSpec::Default => return DeviceMicrophone::open(None).map(Self::from),
            MicrophoneSpec::Device(wanted) => return DeviceMicrophone::open(Some(wanted)).map(Self::from),
            MicrophoneSpec::Tone => ("Test tone".to_owned(), Self::clocked(Loop::tone())),
            MicrophoneSpec::Speech => ("Test speech".to_owned(), Self::clocked(Loop::speech())),
            MicrophoneSpec::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                (name, Source::Clocked(ClockedMicrophone::from_start(load(path)?, Instant::now())))
            }
            MicrophoneSpec::None => ("None".to_owned(), Source::None),
        };
        Ok(Self { name, source })
    }

    fn clocked(sound: Loop) -> Source {
        Source::Clocked(ClockedMicrophone::in_unix_time(sound, Instant::now()))
    }

    /// The next 10 ms, if they are there; never waits. `at` is when their first sample was captured.
    pub fn read(&mut self) -> Option<AudioFrame> {
        match &mut self.source {
            Source::Device(device) => device.read(),
            Source::Clocked(clocked) => clocked.read(Instant::now()),
            Source::None => None,
        }
    }

    /// When the next frame is expected to be there; it may be late. `None` where nothing is known.
    pub fn next_at(&self) -> Option<Instant> {
        match &self.source {
            Source::Device(device) => device.next_at(),
            Source::Clocked(clocked) => clocked.next_at(),
            Source::None => None,
        }
    }

    /// Its name, for reading.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device's id, as in [`list_devices`](crate::list_devices); `None` for stand-ins.
    pub fn id(&self) -> Option<&str> {
        match &self.source {
            Source::Device(device) => Some(device.id()),
            Source::Clocked(_) | Source::None => None,
        }
    }

    /// Hiccups so far.
    pub fn faults(&self) -> Counters {
        match &self.source {
            Source::Device(device) => device.faults(),
            Source::Clocked(clocked) => clocked.faults(),
            Source::None => Counters::default(),
        }
    }

    /// Why it has stopped working, if it has; it should then be dropped.
    pub fn failed(&self) -> Option<DeviceError> {
        match &self.source {
            Source::Device(device) => device.failed(),
            Source::Clocked(_) | Source::None => None,
        }
    }
}

impl From<DeviceMicrophone> for Microphone {
    fn from(device: DeviceMicrophone) -> Self {
        Self { name: device.name().to_owned(), source: Source::Device(Box::new(device)) }
    }
}

fn load(path: &Path) -> Result<Loop, DeviceError> {
    let failed = |why: String| DeviceError::File { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let sound = wav::load(BufReader::new(file)).map_err(|error| failed(error.to_string()))?;
    Loop::of(sound).ok_or_else(|| failed("it holds no sound".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_microphone_gives_no_sound_and_no_error() {
        let mut none = Microphone::open(&MicrophoneSpec::None).expect("nothing to open");
        assert!(none.read().is_none() && none.failed().is_none() && none.id().is_none());
    }

    #[test]
    fn a_file_that_is_none_says_which_and_why() {
        let missing = Microphone::open(&MicrophoneSpec::File("does/not/exist.wav".into())).err();
        assert!(matches!(missing, Some(DeviceError::File { path, .. }) if path.ends_with("exist.wav")));
    }

    #[test]
    fn a_microphone_may_be_sent_to_the_audio_thread() {
        fn sendable<T: Send>() {}
        sendable::<Microphone>();
    }
}
