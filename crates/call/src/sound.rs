//! What a person sets of sound, beside which devices it goes through.

use serde::{Deserialize, Serialize};
use visavis_voice::processing::VoiceSettings;

/// How loud something is, in percent of how it came: 0 to 150.
///
/// ```
/// use visavis_call::Volume;
/// assert_eq!(Volume::percent(255), Volume::MOST);
/// assert_eq!((Volume::percent(0).factor(), Volume::FULL.factor()), (0.0, 1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub struct Volume(u8);

impl Volume {
    /// As it came.
    pub const FULL: Self = Self(100);
    /// As loud as can be set.
    pub const MOST: Self = Self(150);
    /// Not to be heard.
    pub const OFF: Self = Self(0);

    /// So many percent, or the most that there is.
    pub fn percent(percent: u8) -> Self {
        Self(percent.min(Self::MOST.0))
    }

    /// In percent.
    pub fn as_percent(self) -> u8 {
        self.0
    }

    /// What samples are multiplied with, 0 to 2.25. Half the percentage is a quarter: equal steps are to sound equal.
    pub fn factor(self) -> f32 {
        (f32::from(self.0) / 100.0).powi(2)
    }
}

impl From<u8> for Volume {
    fn from(percent: u8) -> Self {
        Self::percent(percent)
    }
}

impl From<Volume> for u8 {
    fn from(volume: Volume) -> Self {
        volume.0
    }
}

/// How sound is treated on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundChoices {
    /// What is done to the microphone's sound in a call.
    pub voice: VoiceSettings,
    /// How loud the other person is.
    pub other: Volume,
    /// How loud the sounds are that say how the call fares.
    pub chimes: Volume,
}

impl Default for SoundChoices {
    fn default() -> Self {
        Self { voice: VoiceSettings::default(), other: Volume::FULL, chimes: Volume::FULL }
    }
}

impl SoundChoices {
    /// Nothing is processed and nothing is added: for tests and measurements.
    pub const PLAIN: Self = Self { voice: VoiceSettings::OFF, other: Volume::FULL, chimes: Volume::OFF };
}
