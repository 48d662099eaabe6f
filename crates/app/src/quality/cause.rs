//! Why a connection is not good, in words, and what can be done.

/// What makes a call worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The network carries no picture of ours.
    SoundOnly,
    /// Theirs carries none of theirs, as the other side says.
    TheirSoundOnly,
    /// The other side's sound has gaps, in parts of one.
    Gaps,
    /// Of what we send, this part is lost.
    LossOut,
    /// Of what the other side sends, this part is lost.
    LossIn,
    /// The other side's picture stands still for this part of the time.
    Freezes,
    /// Milliseconds there and back.
    Delay,
    /// Packets come so unevenly that sound waits this many milliseconds.
    Uneven,
    /// Our picture is smaller for want of bandwidth: it has this many kb/s.
    Upload,
    /// Our picture is smaller since this computer cannot encode a larger one.
    Computer,
}

impl Cause {
    /// All of them, those first that are to be named where several weigh the same.
    pub const ALL: [Self; 10] = [
        Self::SoundOnly,
        Self::TheirSoundOnly,
        Self::Gaps,
        Self::LossOut,
        Self::LossIn,
        Self::Freezes,
        Self::Delay,
        Self::Uneven,
        Self::Upload,
        Self::Computer,
    ];

    /// What happened, with an amount in the unit that the variant names: "High delay: 420 ms there and back".
    pub fn words(self, amount: f32) -> String {
        match self {
            Self::SoundOnly => "Only sound is sent: your upload carries under 60 kb/s".into(),
            Self::TheirSoundOnly => "Sound only: the other side's network is too slow for a picture".into(),
            Self::Gaps => format!("{} of the other side's sound is missing", percent(amount)),
            Self::LossOut => format!("{} of what you send is lost on the way", percent(amount)),
            Self::LossIn => format!("{} of what the other side sends is lost on the way", percent(amount)),
            Self::Freezes => "The other side's picture stands still at times".into(),
            Self::Delay => format!("High delay: {} ms there and back", tens(amount)),
            Self::Uneven => format!("Packets come unevenly: sound waits {} ms for late ones", tens(amount)),
            Self::Upload => format!("Your upload carries only {} kb/s: your picture is made smaller", tens(amount)),
            Self::Computer => "This computer cannot keep up: your picture is made smaller".into(),
        }
    }

    /// What can be done about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::SoundOnly => "Your picture comes back by itself. Stop other uploads, or go closer to the router.",
            Self::TheirSoundOnly => "Their picture comes back by itself; nothing on your side is in its way.",
            Self::Gaps | Self::LossIn | Self::LossOut => {
                "Try a cable, or a place closer to the router; it may also be the other side's network."
            }
            Self::Freezes => "Try a cable, or a place closer to the router. Without pictures, sound gets more room.",
            Self::Delay => "Stop large uploads and downloads; leave a moment before you answer.",
            Self::Uneven => "A cable instead of Wi-Fi helps; so does stopping large downloads.",
            Self::Upload => "Stop other uploads. The picture grows again by itself.",
            Self::Computer => "Close other programs. The picture grows again by itself.",
        }
    }
}

/// Whole percent, and never none: what is not there is not spoken of.
fn percent(part: f32) -> String {
    format!("{} %", (100.0 * part).round().max(1.0))
}

/// Two digits are enough for a person.
fn tens(amount: f32) -> f32 {
    (amount / 10.0).round() * 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_as_people_say_them() {
        assert_eq!(Cause::LossOut.words(0.0612), "6 % of what you send is lost on the way");
        assert_eq!(Cause::Gaps.words(0.001), "1 % of the other side's sound is missing");
        assert_eq!(Cause::Delay.words(418.3), "High delay: 420 ms there and back");
        assert!(Cause::Upload.words(304.0).starts_with("Your upload carries only 300 kb/s"));
    }

    #[test]
    fn every_cause_says_what_happened_on_one_line_and_what_to_do() {
        for cause in Cause::ALL {
            let words = cause.words(0.5);
            assert!(words.chars().count() <= 64 && !words.ends_with('.'), "{words}");
            assert!(cause.advice().ends_with('.') && cause.advice().len() <= 100, "{}", cause.advice());
        }
    }
}
