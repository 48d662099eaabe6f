//! What a camera driver's errors mean for the person.

use crate::DeviceError;
use nokhwa::NokhwaError;

/// nokhwa hands on the system's errors as text alone, so the text is what there is to read.
pub(super) fn from_nokhwa(error: &NokhwaError, name: &str) -> DeviceError {
    if matches!(error, NokhwaError::UnsupportedOperationError(_) | NokhwaError::NotImplementedError(_)) {
        return DeviceError::UnsupportedFormat;
    }
    from_text(&error.to_string(), name)
}

/// The same for text of any origin.
pub(super) fn from_text(text: &str, name: &str) -> DeviceError {
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["os error 16)", "busy", "in use", "lockforconfiguration"]) {
        DeviceError::Busy { name: name.to_owned() }
    } else if says(&["os error 13)", "os error 1)", "permission", "denied", "not authorized"]) {
        DeviceError::PermissionDenied
    } else if says(&["os error 19)", "os error 2)", "os error 6)", "no such device", "disconnected"]) {
        DeviceError::Unplugged
    } else if says(&["failed to fufill", "failed to fulfill", "rejected", "unsupported"]) {
        DeviceError::UnsupportedFormat
    } else {
        DeviceError::Other(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_errors_are_told_apart() {
        let of = |text: &str| from_text(text, "Cam");
        assert_eq!(of("Device or resource busy (os error 16)"), DeviceError::Busy { name: "Cam".to_owned() });
        assert_eq!(of("V4L2 Error: Permission denied (os error 13)"), DeviceError::PermissionDenied);
        assert_eq!(of("No such device (os error 19)"), DeviceError::Unplugged);
        assert_eq!(of("Failed to Fufill"), DeviceError::UnsupportedFormat);
        assert_eq!(of("Input/output error (os error 5)"), DeviceError::Other("Input/output error (os error 5)".into()));
        // A second stream of a camera in use is refused there, and not when the camera is opened.
        let stream = NokhwaError::OpenStreamError("Device or resource busy (os error 16)".to_owned());
        assert_eq!(from_nokhwa(&stream, "Cam"), DeviceError::Busy { name: "Cam".to_owned() });
        let read = NokhwaError::ReadFrameError("No such device (os error 19)".to_owned());
        assert_eq!(from_nokhwa(&read, "Cam"), DeviceError::Unplugged);
    }
}
