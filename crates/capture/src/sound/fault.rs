//! Faults that cross from the system's sound threads to ours without a lock.

use crate::{Counters, DeviceError};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Counters and the one fatal fault of a stream; written by callbacks, read by the audio thread.
#[derive(Default)]
pub(crate) struct Faults {
    underruns: AtomicU64,
    overruns: AtomicU64,
    fatal: AtomicU8,
}

/// Fatal faults as numbers: an atomic holds no text.
const BUSY: u8 = 1;
const DENIED: u8 = 2;
const UNPLUGGED: u8 = 3;
const FORMAT: u8 = 4;
const SERVER: u8 = 5;
const OTHER: u8 = 6;

impl Faults {
    /// The loudspeaker ran dry.
    pub fn underrun(&self) {
        self.underruns.fetch_add(1, Ordering::Relaxed);
    }

    /// Sound was thrown away.
    pub fn overrun(&self) {
        self.overruns.fetch_add(1, Ordering::Relaxed);
    }

    /// How often.
    pub fn counters(&self) -> Counters {
        Counters { underruns: self.underruns.load(Ordering::Relaxed), overruns: self.overruns.load(Ordering::Relaxed) }
    }

    /// What the system says about a running stream; called on its threads.
    pub fn stream_error(&self, kind: cpal::ErrorKind) {
        use cpal::ErrorKind as K;
        let fatal = match kind {
            K::Xrun => return self.underrun(),
            // The stream goes on: on another device, or with less priority.
            K::DeviceChanged | K::RealtimeDenied => return,
            K::DeviceBusy => BUSY,
            K::PermissionDenied => DENIED,
            K::DeviceNotAvailable => UNPLUGGED,
            K::UnsupportedConfig => FORMAT,
            K::StreamInvalidated | K::HostUnavailable => SERVER,
            _ => OTHER,
        };
        // The first one is the cause, later ones follow from it.
        let _ = self.fatal.compare_exchange(0, fatal, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Why the stream has ended, if it has.
    pub fn fatal(&self, name: &str) -> Option<DeviceError> {
        Some(match self.fatal.load(Ordering::Relaxed) {
            0 => return None,
            BUSY => DeviceError::Busy { name: name.to_owned() },
            DENIED => DeviceError::PermissionDenied,
            UNPLUGGED => DeviceError::Unplugged,
            FORMAT => DeviceError::UnsupportedFormat,
            SERVER => DeviceError::Other("the system's sound service ended".to_owned()),
            _ => DeviceError::Other("the sound driver reports an error".to_owned()),
        })
    }
}

/// What an error at opening means for the person.
pub(crate) fn open_error(error: &cpal::Error, name: &str) -> DeviceError {
    use cpal::ErrorKind as K;
    match error.kind() {
        K::DeviceBusy => DeviceError::Busy { name: name.to_owned() },
        K::PermissionDenied => DeviceError::PermissionDenied,
        K::DeviceNotAvailable => DeviceError::Unplugged,
        K::UnsupportedConfig | K::UnsupportedOperation | K::InvalidInput => DeviceError::UnsupportedFormat,
        _ => DeviceError::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fatal_fault_is_told_and_hiccups_are_counted() {
        let faults = Faults::default();
        faults.stream_error(cpal::ErrorKind::Xrun);
        faults.stream_error(cpal::ErrorKind::DeviceChanged);
        assert_eq!((faults.fatal("x"), faults.counters().underruns), (None, 1));
        faults.stream_error(cpal::ErrorKind::DeviceNotAvailable);
        faults.stream_error(cpal::ErrorKind::StreamInvalidated);
        assert_eq!(faults.fatal("x"), Some(DeviceError::Unplugged));
    }
}
