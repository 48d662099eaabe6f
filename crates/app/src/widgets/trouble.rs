//! What is the matter with a device, in few words: for a call, where there is no room for sentences.

use crate::icons::Icon;
use visavis_call::State;
use visavis_capture::{CameraState, DeviceError, DeviceState, WhyReplaced};

/// Something about a device that a person in a call should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The device's picture.
    pub icon: Icon,
    /// A few words: "Camera: unplugged".
    pub words: String,
    /// The other side does not hear us, so it stays to be seen; the rest goes with the bars.
    pub stays: bool,
}

/// Everything that is the matter now. A device that was switched off on purpose is not asked.
pub fn troubles(state: &State) -> Vec<Trouble> {
    let mut found = Vec::new();
    if let (true, CameraState::Failed(why)) = (state.video_on, &state.camera) {
        found.push(Trouble { icon: Icon::CameraOff, words: format!("Camera: {}", few_words(why)), stays: false });
    }
    if state.microphone_silent && !state.muted {
        let words = "Your microphone is silent: check its switch".to_owned();
        found.push(Trouble { icon: Icon::MicrophoneOff, words, stays: true });
    }
    let sound =
        [("Microphone", Icon::MicrophoneOff, &state.microphone), ("Loudspeaker", Icon::Speaker, &state.speaker)];
    for (kind, icon, device) in sound {
        let words = match device {
            DeviceState::Failed(why) => Some(format!("{kind}: {}", few_words(why))),
            DeviceState::Off | DeviceState::Opening | DeviceState::Running { .. } => stand_in_words(device),
        };
        let stays = matches!(device, DeviceState::Failed(_)) && !(kind == "Microphone" && state.muted);
        found.extend(words.map(|words| Trouble { icon, words, stays }));
    }
    found
}

/// What a device stands in for, where it does.
pub fn stand_in_words(device: &DeviceState) -> Option<String> {
    match device {
        DeviceState::Running { name, instead_of: Some(chosen) } => {
            let of = &chosen.name;
            Some(match &chosen.why {
                WhyReplaced::Away => format!("{of} is gone; using {name} until it is back"),
                WhyReplaced::Gone => format!("{of} is gone; using {name}"),
                WhyReplaced::Failed(why) => format!("{of} {}; using {name}", fails(why)),
            })
        }
        DeviceState::Running { instead_of: None, .. } => None,
        DeviceState::Off | DeviceState::Opening | DeviceState::Failed(_) => None,
    }
}

/// What follows a device's name: "is in use by another program".
fn fails(why: &DeviceError) -> &'static str {
    match why {
        DeviceError::NotFound { .. } | DeviceError::NoDevice => "is not there",
        DeviceError::Busy { .. } => "is in use by another program",
        DeviceError::PermissionDenied => "is not allowed by the system",
        DeviceError::Unplugged => "was unplugged",
        DeviceError::UnsupportedFormat | DeviceError::File { .. } => "cannot be used",
        DeviceError::Stalled => "delivers nothing",
        DeviceError::Other(_) => "failed",
    }
}

fn few_words(why: &DeviceError) -> &'static str {
    match why {
        DeviceError::NotFound { .. } => "the chosen one is not there",
        DeviceError::Busy { .. } => "in use by another program",
        DeviceError::PermissionDenied => "not allowed by the system",
        DeviceError::Unplugged => "unplugged",
        DeviceError::NoDevice => "none found",
        DeviceError::UnsupportedFormat => "not usable, choose another one",
        DeviceError::File { .. } => "the file cannot be used",
        DeviceError::Stalled => "delivers nothing",
        DeviceError::Other(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use visavis_call::Phase;

    #[test]
    fn nothing_is_said_while_all_is_well_or_switched_off_on_purpose() {
        let mut state = sample::state(Phase::Home);
        assert_eq!(troubles(&state), []);
        (state.video_on, state.camera) = (false, CameraState::Failed(DeviceError::Unplugged));
        assert_eq!(troubles(&state), []);
    }

    #[test]
    fn a_microphone_that_fails_stays_to_be_seen_unless_one_is_muted_anyway() {
        let mut state = sample::state(Phase::Home);
        state.microphone = DeviceState::Failed(DeviceError::Unplugged);
        assert!(troubles(&state)[0].stays && troubles(&state)[0].words == "Microphone: unplugged");
        state.muted = true;
        assert!(!troubles(&state)[0].stays);
    }

    #[test]
    fn a_device_that_stands_in_names_both() {
        let busy = DeviceError::Busy { name: "a:headset".into() };
        for (why, words) in [
            (WhyReplaced::Away, "Headset is gone; using Built-in microphone until it is back"),
            (WhyReplaced::Gone, "Headset is gone; using Built-in microphone"),
            (WhyReplaced::Failed(busy), "Headset is in use by another program; using Built-in microphone"),
        ] {
            assert_eq!(stand_in_words(&sample::stand_in(why)).as_deref(), Some(words));
        }
    }
}
