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
        /// What was chosen and is not there now; it is taken back when it returns.
        instead_of: Option<String>,
    },
    /// It does not work.
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
