//! What a report says of devices: which kind was chosen, and how it fares.

use super::Mask;
use visavis_capture::{CameraSpec, CameraState, DeviceError, DeviceState, MicrophoneSpec, SpeakerSpec, WhyReplaced};

pub(super) fn camera_choice(spec: &CameraSpec) -> &'static str {
    match spec {
        CameraSpec::Default => "the default",
        CameraSpec::Device(_) => "a device",
        CameraSpec::Pattern(_) => "the test picture",
        CameraSpec::File(_) => "a file",
        CameraSpec::None => "none",
    }
}

pub(super) fn microphone_choice(spec: &MicrophoneSpec) -> &'static str {
    match spec {
        MicrophoneSpec::Default => "the default",
        MicrophoneSpec::Device(_) => "a device",
        MicrophoneSpec::Tone | MicrophoneSpec::Speech => "a test sound",
        MicrophoneSpec::File(_) => "a file",
        MicrophoneSpec::None => "none",
    }
}

pub(super) fn speaker_choice(spec: &SpeakerSpec) -> &'static str {
    match spec {
        SpeakerSpec::Default => "the default",
        SpeakerSpec::Device(_) => "a device",
        SpeakerSpec::File(_) => "a file",
        SpeakerSpec::None => "none",
    }
}

pub(super) fn camera_words(camera: &CameraState, mask: &Mask) -> String {
    match camera {
        CameraState::Off => "off".into(),
        CameraState::Opening => "opening".into(),
        CameraState::Running { name, size, fps } => format!("running: {}, {size}, {fps:.1} fps", mask.device(name)),
        CameraState::Failed(why) => failure_words(why, mask),
    }
}

pub(super) fn device_words(device: &DeviceState, mask: &Mask) -> String {
    match device {
        DeviceState::Off => "off".into(),
        DeviceState::Opening => "opening".into(),
        DeviceState::Running { name, instead_of: None } => format!("running: {}", mask.device(name)),
        DeviceState::Running { name, instead_of: Some(chosen) } => {
            let why = match &chosen.why {
                WhyReplaced::Away | WhyReplaced::Gone => "is gone".to_owned(),
                WhyReplaced::Failed(why) => failure_words(why, mask),
            };
            format!("running: {}, in place of one that {why}", mask.device(name))
        }
        DeviceState::Failed(why) => failure_words(why, mask),
    }
}

/// Kinds rather than sentences: those name devices as somebody wrote them, and paths.
fn failure_words(why: &DeviceError, mask: &Mask) -> String {
    match why {
        DeviceError::NotFound { .. } => "failed: not found".into(),
        DeviceError::Busy { .. } => "failed: busy".into(),
        DeviceError::PermissionDenied => "failed: not permitted".into(),
        DeviceError::Unplugged => "failed: unplugged".into(),
        DeviceError::NoDevice => "failed: no device".into(),
        DeviceError::UnsupportedFormat => "failed: no usable format".into(),
        DeviceError::File { .. } => "failed: file not usable".into(),
        DeviceError::Stalled => "failed: delivers nothing".into(),
        DeviceError::Other(said) => format!("failed: {}", mask.clean(said)),
    }
}
