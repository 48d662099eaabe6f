//! What a person or a script names as camera, microphone and loudspeaker.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which moving picture the synthetic camera draws.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Content {
    /// Still textures that sway a little, as somebody before a camera would.
    #[default]
    Cam,
    /// A detailed texture that pans, hard to encode.
    Pan,
}

/// Where pictures come from.
///
/// Text form: `default`, `pattern`, `pattern:pan`, `file:PATH.y4m`, `none`; anything else is a device id or a part of
/// a device's name that no other has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CameraSpec {
    /// The first camera of the system.
    #[default]
    Default,
    /// A camera by its id or a unique part of its name.
    Device(String),
    /// The synthetic camera.
    Pattern(Content),
    /// A YUV4MPEG2 file, looped.
    File(PathBuf),
    /// No camera.
    None,
}

/// Where sound comes from.
///
/// Text form: `default`, `tone`, `speech`, `file:PATH.wav`, `none`; anything else names a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum MicrophoneSpec {
    /// What the system uses by default.
    #[default]
    Default,
    /// A microphone by its id or a unique part of its name.
    Device(String),
    /// 440 Hz for 100 ms at every whole Unix second, so that delay can be measured.
    Tone,
    /// Continuous speech-like sound.
    Speech,
    /// A WAV file, looped.
    File(PathBuf),
    /// No microphone.
    None,
}

/// Where sound goes to.
///
/// Text form: `default`, `file:PATH.wav`, `none`; anything else names a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum SpeakerSpec {
    /// What the system uses by default.
    #[default]
    Default,
    /// A loudspeaker by its id or a unique part of its name.
    Device(String),
    /// What would be played is written to this WAV file in real time.
    File(PathBuf),
    /// No loudspeaker.
    None,
}

/// A text that names no source.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpecError {
    /// `file:` without a path.
    #[error("`file:` wants a path behind it")]
    NoPath,
    /// A pattern that does not exist.
    #[error("there is no pattern `{0}`; there are `pattern` and `pattern:pan`")]
    NoSuchPattern(String),
}

fn path(text: &str) -> Option<Result<PathBuf, SpecError>> {
    let path = text.strip_prefix("file:")?;
    Some(if path.is_empty() { Err(SpecError::NoPath) } else { Ok(PathBuf::from(path)) })
}

impl FromStr for CameraSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        if let Some(path) = path(text) {
            return path.map(Self::File);
        }
        Ok(match text {
            "" | "default" => Self::Default,
            "none" => Self::None,
            "pattern" | "pattern:cam" => Self::Pattern(Content::Cam),
            "pattern:pan" => Self::Pattern(Content::Pan),
            _ => match text.strip_prefix("pattern:") {
                Some(other) => return Err(SpecError::NoSuchPattern(other.to_owned())),
                None => Self::Device(text.to_owned()),
            },
        })
    }
}

impl fmt::Display for CameraSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Device(name) => f.write_str(name),
            Self::Pattern(Content::Cam) => f.write_str("pattern"),
            Self::Pattern(Content::Pan) => f.write_str("pattern:pan"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for MicrophoneSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        if let Some(path) = path(text) {
            return path.map(Self::File);
        }
        Ok(match text {
            "" | "default" => Self::Default,
            "none" => Self::None,
            "tone" => Self::Tone,
            "speech" => Self::Speech,
            _ => Self::Device(text.to_owned()),
        })
    }
}

impl fmt::Display for MicrophoneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Device(name) => f.write_str(name),
            Self::Tone => f.write_str("tone"),
            Self::Speech => f.write_str("speech"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for SpeakerSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        if let Some(path) = path(text) {
            return path.map(Self::File);
        }
        Ok(match text {
            "" | "default" => Self::Default,
            "none" => Self::None,
            _ => Self::Device(text.to_owned()),
        })
    }
}

impl fmt::Display for SpeakerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Device(name) => f.write_str(name),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_back_what_they_print() {
        for text in ["default", "pattern", "pattern:pan", "file:a b.y4m", "none", "/dev/video0", "HD Webcam"] {
            assert_eq!(text.parse::<CameraSpec>().expect("valid").to_string(), text);
        }
        for text in ["default", "tone", "speech", "file:x.wav", "none", "pulseaudio:mic"] {
            assert_eq!(text.parse::<MicrophoneSpec>().expect("valid").to_string(), text);
        }
        for text in ["default", "file:x.wav", "none", "pulseaudio:speaker"] {
            assert_eq!(text.parse::<SpeakerSpec>().expect("valid").to_string(), text);
        }
    }

    #[test]
    fn a_file_without_a_path_and_an_unknown_pattern_are_refused() {
        assert_eq!("file:".parse::<SpeakerSpec>(), Err(SpecError::NoPath));
        assert_eq!("pattern:x".parse::<CameraSpec>(), Err(SpecError::NoSuchPattern("x".into())));
    }

    #[test]
    fn an_empty_text_means_the_default() {
        assert_eq!("".parse::<CameraSpec>(), Ok(CameraSpec::Default));
        assert_eq!(" tone ".parse::<MicrophoneSpec>(), Ok(MicrophoneSpec::Tone));
    }
}
