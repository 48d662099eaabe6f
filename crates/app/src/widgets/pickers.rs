//! Choosing camera, microphone and loudspeaker, and trying them.

use super::{Look, control_button, hint, meter, sentence, stand_in_words, text};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::settings::{Change, Settings};
use crate::theme::{Palette, Type, size, space};
use egui::{ComboBox, Sense, Ui, vec2};
use visavis_call::State;
use visavis_capture::{CameraState, DeviceError, DeviceInfo, DeviceState, meant};

/// What the pickers show.
#[derive(Clone, Copy)]
pub struct DevicePickers<'a> {
    /// What there is, and how it fares.
    pub state: &'a State,
    /// What was chosen.
    pub settings: &'a Settings,
    /// How wide they may be.
    pub width: f32,
    /// Say here, too, what is wrong with the camera: where no picture says it already.
    pub camera_words: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Camera,
    Microphone,
    Speaker,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Camera, Self::Microphone, Self::Speaker];

    fn label(self) -> &'static str {
        match self {
            Self::Camera => "Camera",
            Self::Microphone => "Microphone",
            Self::Speaker => "Loudspeaker",
        }
    }

    fn none(self) -> &'static str {
        match self {
            Self::Camera => "No camera",
            Self::Microphone => "No microphone",
            Self::Speaker => "No loudspeaker",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Camera => Icon::Camera,
            Self::Microphone => Icon::Microphone,
            Self::Speaker => Icon::Speaker,
        }
    }

    fn devices(self, state: &State) -> &[DeviceInfo] {
        match self {
            Self::Camera => &state.devices.cameras,
            Self::Microphone => &state.devices.microphones,
            Self::Speaker => &state.devices.speakers,
        }
    }

    fn failure(self, state: &State) -> Option<&DeviceError> {
        match self {
            Self::Camera => match &state.camera {
                CameraState::Failed(why) => Some(why),
                CameraState::Off | CameraState::Opening | CameraState::Running { .. } => None,
            },
            Self::Microphone => device_failure(&state.microphone),
            Self::Speaker => device_failure(&state.speaker),
        }
    }

    /// What works in place of what was chosen, in words.
    fn stand_in(self, state: &State) -> Option<String> {
        match self {
            Self::Camera => None,
            Self::Microphone => stand_in_words(&state.microphone),
            Self::Speaker => stand_in_words(&state.speaker),
        }
    }

    /// The choice as the command line would write it.
    fn chosen(self, settings: &Settings) -> String {
        match self {
            Self::Camera => settings.camera.to_string(),
            Self::Microphone => settings.microphone.to_string(),
            Self::Speaker => settings.speaker.to_string(),
        }
    }

    fn change(self, spec: &str) -> Change {
        // What is offered here can always be read back; should it ever not, the default does no harm.
        match self {
            Self::Camera => Change::Camera(spec.parse().unwrap_or_default()),
            Self::Microphone => Change::Microphone(spec.parse().unwrap_or_default()),
            Self::Speaker => Change::Speaker(spec.parse().unwrap_or_default()),
        }
    }
}

fn device_failure(device: &DeviceState) -> Option<&DeviceError> {
    match device {
        DeviceState::Failed(why) => Some(why),
        DeviceState::Off | DeviceState::Opening | DeviceState::Running { .. } => None,
    }
}

/// One line of a picker: the text form of the choice, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    spec: String,
    words: String,
}

/// Everything that can be chosen, and which of it is.
fn choices(kind: Kind, devices: &[DeviceInfo], chosen: &str) -> (Vec<Choice>, usize) {
    let choice = |spec: &str, words: String| Choice { spec: spec.to_owned(), words };
    let default = match devices.iter().find(|device| device.default) {
        // What tells devices apart comes first: the end is cut off where there is no room.
        Some(device) => format!("{} (default)", device.name),
        None => "Default".to_owned(),
    };
    let mut all = vec![choice("default", default)];
    all.extend(devices.iter().map(|device| choice(&device.id, device.name.clone())));
    all.push(choice("none", kind.none().to_owned()));
    let by_spec = all.iter().position(|choice| choice.spec == chosen);
    let by_meaning = || meant(devices, chosen).map(|at| at + 1);
    let selected = by_spec.or_else(by_meaning).unwrap_or_else(|| {
        all.push(choice(chosen, other_words(chosen)));
        all.len() - 1
    });
    (all, selected)
}

/// Words for what is no device of the list: a stand-in, or a device that is gone.
fn other_words(spec: &str) -> String {
    match spec {
        "pattern" => "Test picture".to_owned(),
        "pattern:pan" => "Test picture, panning".to_owned(),
        "tone" => "Test tone".to_owned(),
        "speech" => "Test speech".to_owned(),
        _ => match spec.strip_prefix("file:") {
            Some(path) => format!("File {}", path.rsplit(['/', '\\']).next().unwrap_or(path)),
            None => format!("{spec} (not there)"),
        },
    }
}

/// Shows a picker for each device, with the microphone's level under its own and a test beside the loudspeaker's.
pub fn pickers(ui: &mut Ui, what: DevicePickers<'_>) -> Option<UiCommand> {
    let mut command = None;
    for kind in Kind::ALL {
        command = picker(ui, kind, what).or(command);
    }
    command
}

fn picker(ui: &mut Ui, kind: Kind, what: DevicePickers<'_>) -> Option<UiCommand> {
    let palette = Palette::of(ui);
    let (choices, selected) = choices(kind, kind.devices(what.state), &kind.chosen(what.settings));
    let mut command = None;
    let indent = size::ICON + space::M;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        let (place, icon) = ui.allocate_exact_size(vec2(size::ICON, size::CONTROL), Sense::hover());
        icon.on_hover_text(kind.label());
        kind.icon().paint(ui.painter(), place, palette.weak);
        let beside = if kind == Kind::Speaker { TEST_WIDTH + space::M } else { 0.0 };
        let width = (what.width - indent - beside).max(80.0);
        ui.allocate_ui(vec2(width, size::CONTROL), |ui| {
            ui.set_max_width(width);
            let combo = ComboBox::from_id_salt(("device", kind.label()))
                .selected_text(text(choices[selected].words.clone(), Type::Body))
                .width(width)
                .truncate();
            let shown = combo.show_ui(ui, |ui| {
                for (i, choice) in choices.iter().enumerate() {
                    let label = text(choice.words.clone(), Type::Body);
                    if ui.selectable_label(i == selected, label).clicked() && i != selected {
                        command = Some(kind.change(&choice.spec).into());
                    }
                }
            });
            shown.response.accessible_name(kind.label());
        });
        if kind == Kind::Speaker {
            let now = Situation::of(what.state);
            let tested = control_button(ui, Control::TestSpeaker, &now, Look::Plain, vec2(TEST_WIDTH, size::CONTROL));
            command = tested.or(command.take());
        }
    });
    if kind == Kind::Microphone && kind.failure(what.state).is_none() {
        let level = what.state.microphone_level;
        indented(ui, indent, what.width, |ui| meter(ui, level, what.state.muted, ui.available_width()));
    }
    if kind == Kind::Microphone && what.state.microphone_silent {
        let words = "It is silent: not even noise comes from it. Check its switch, or choose another.";
        indented(ui, indent, what.width, |ui| ui.label(text(words, Type::Small).color(palette.danger_text)));
    }
    if let Some(words) = kind.stand_in(what.state) {
        indented(ui, indent, what.width, |ui| hint(ui, words));
    }
    let said_here = kind != Kind::Camera || (what.camera_words && what.state.video_on);
    if let Some(why) = kind.failure(what.state).filter(|_| said_here) {
        let words = sentence(&why.to_string());
        let colour = palette.danger_text;
        indented(ui, indent, what.width, |ui| ui.label(text(words, Type::Small).color(colour)));
    }
    command
}

/// Puts something under the picker rather than under its icon.
fn indented<R>(ui: &mut Ui, indent: f32, width: f32, add: impl FnOnce(&mut Ui) -> R) {
    let left = ui.cursor().min + vec2(indent, 0.0);
    let rect = egui::Rect::from_min_size(left, vec2(width - indent, 0.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(rect), add);
}

/// Room for the test button beside the loudspeaker.
const TEST_WIDTH: f32 = 92.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn devices() -> Vec<DeviceInfo> {
        let device = |id: &str, name: &str, default| DeviceInfo { id: id.into(), name: name.into(), default };
        vec![device("/dev/video0", "Built-in camera", true), device("/dev/video2", "HD Webcam C920", false)]
    }

    fn words(chosen: &str) -> String {
        let (choices, selected) = choices(Kind::Camera, &devices(), chosen);
        choices[selected].words.clone()
    }

    #[test]
    fn a_choice_is_found_by_its_id_or_a_part_of_id_or_name() {
        assert_eq!(words("default"), "Built-in camera (default)");
        assert_eq!(words("/dev/video2"), "HD Webcam C920");
        assert_eq!(words("c920"), "HD Webcam C920");
        assert_eq!(words("video2"), "HD Webcam C920");
        assert_eq!(words("none"), "No camera");
    }

    #[test]
    fn what_is_no_device_is_offered_as_long_as_it_is_chosen() {
        assert_eq!(words("pattern"), "Test picture");
        assert_eq!(words("file:/home/ada/film.y4m"), "File film.y4m");
        assert_eq!(words("Gone Cam"), "Gone Cam (not there)");
        assert_eq!(choices(Kind::Camera, &devices(), "default").0.len(), 4);
        assert_eq!(choices(Kind::Camera, &[], "pattern").0.len(), 3);
    }

    #[test]
    fn every_choice_means_what_it_says() {
        for choice in choices(Kind::Camera, &devices(), "pattern").0 {
            match Kind::Camera.change(&choice.spec) {
                Change::Camera(spec) => assert_eq!(spec.to_string(), choice.spec),
                other => panic!("{other:?}"),
            }
        }
    }
}
