//! What can be wrong with a device, in words for the person in front of it.

use std::path::PathBuf;

/// Why a camera, microphone or loudspeaker does not work; `Display` says what happened and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device has this id or name.
    #[error("there is no device `{wanted}`; plug it in or choose another one")]
    NotFound {
        /// What was asked for.
        wanted: String,
    },
    /// Another program holds the device.
    #[error("{name} is in use by another program; close that program or choose another device")]
    Busy {
        /// The device.
        name: String,
    },
    /// The system does not let us.
    #[error("the system does not allow the use of this device; allow it in the privacy settings, or join its group")]
    PermissionDenied,
    /// It was there and is gone.
    #[error("the device was unplugged; plug it in again or choose another one")]
    Unplugged,
    /// There is none at all.
    #[error("no device was found; plug one in")]
    NoDevice,
    /// It offers no format that we can read.
    #[error("the device offers no format that can be used; choose another one")]
    UnsupportedFormat,
    /// A file given in a device's place cannot be used.
    #[error("{}: {why}; choose another file", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was opened and delivers nothing any more.
    #[error("the device delivers nothing; unplug it and plug it in again, or choose another one")]
    Stalled,
    /// Anything else, in the driver's words.
    #[error("the device failed ({0}); try again or choose another one")]
    Other(String),
}

impl DeviceError {
    /// One word for it, for scripts and logs: names no device.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Busy { .. } => "busy",
            Self::PermissionDenied => "permission-denied",
            Self::Unplugged => "unplugged",
            Self::NoDevice => "no-device",
            Self::UnsupportedFormat => "unsupported-format",
            Self::File { .. } => "file",
            Self::Stalled => "stalled",
            Self::Other(_) => "other",
        }
    }
}
