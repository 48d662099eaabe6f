//! How a device fares, as a front end shows it.

use crate::DeviceError;
use visavis_media::Size;

/// How the camera fares.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum CameraState {
    /// Closed, its light is out.
    #[default]
    Off,
    /// Being opened.
    Opening,
    /// Delivering pictures.
    Running {
        /// Its name, for reading.
        name: String,
        /// Size of its pictures.
        size: Size,
        /// Pictures per second that it promised.
        fps: f32,
    },
    /// It does not work.
    Failed(DeviceError),
}

impl CameraState {
    /// One word for it, for scripts and logs: `off`, `opening`, `running`, or what is wrong ([`DeviceError::word`]).
    pub fn word(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Opening => "opening",
            Self::Running { .. } => "running",
            Self::Failed(error) => error.word(),
        }
    }
}

/// How a microphone or loudspeaker fares.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum DeviceState {
    /// Closed.
    #[default]
    Off,
    /// Being opened.
    Opening,
    /// Working.
    Running {
        /// Its name, for reading.
        name: String,
        /// What it stands in for.
        instead_of: Option<Replaced>,
    },
    /// It does not work.
    Failed(DeviceError),
}

/// A device in the place of which another one is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// Its name, for reading.
    pub name: String,
    /// Why it is not used.
    pub why: WhyReplaced,
}

/// Why a device is not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WhyReplaced {
    /// It was chosen and is not there; it is taken back when it returns.
    Away,
    /// It was used as the system's default and is not there any more; said for a few seconds.
    Gone,
    /// It was chosen and is there, and does not work; it is tried again and again.
    Failed(DeviceError),
}

/// Hiccups since a sound device was opened; events, not samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// The loudspeaker ran dry (or the system said so).
    pub underruns: u64,
    /// Sound was thrown away because nobody took it in time.
    pub overruns: u64,
}
