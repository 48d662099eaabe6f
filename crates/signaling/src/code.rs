//! The room code: four words that people read out to each other.
//!
//! 40 random bits and a checksum of 4 bits, the first bits of their SHA-256, in four words of the BIP-39 English list.
//! The first two words find the room; the last two prove, by the key agreement in [`crate::pake`], that one was told.

use crate::words;
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use visavis_media::RoomId;
use zeroize::Zeroizing;

/// How many words a code has.
const WORDS: usize = 4;
/// Bits that a word stands for.
const WORD_BITS: u32 = 11;
/// Bits of checksum at the end of a code.
const CHECK_BITS: u32 = 4;
/// Corrections offered for a code whose checksum fails.
const MOST_CORRECTIONS: usize = 4;
/// Words looked at in a text: more than a code has, so that the error can name the number.
const MOST_WORDS_READ: usize = 64;

/// Four words, checked: `velvet-canyon-orbit-zero`.
///
/// `Debug` is redacted, because a code in a log would let its reader into the room.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RoomCode {
    words: [u16; WORDS],
}

impl RoomCode {
    /// Draws a new code from the operating system's randomness.
    pub fn random() -> Self {
        Self::from_bits(rand::random::<u64>() >> (64 - 40))
    }

    /// The code of these 40 bits; higher bits are ignored.
    fn from_bits(bits: u64) -> Self {
        let bits = bits & ((1 << 40) - 1);
        let all = (bits << CHECK_BITS) | u64::from(checksum(bits));
        let word = |i: u32| ((all >> (WORD_BITS * (3 - i))) & 0x7ff) as u16;
        Self { words: [word(0), word(1), word(2), word(3)] }
    }

    /// The code of these words of the list, if their checksum holds.
    fn from_indices(words: [u16; WORDS]) -> Option<Self> {
        let all = words.iter().fold(0u64, |all, &word| (all << WORD_BITS) | u64::from(word));
        let code = Self::from_bits(all >> CHECK_BITS);
        (code.words == words).then_some(code)
    }

    /// The words, in order.
    pub fn words(&self) -> [&'static str; WORDS] {
        self.words.map(words::word_at)
    }

    /// The room's public name, made from the first two words; no secret.
    ///
    /// The first 16 bytes of SHA-256("visavis/1 room" ‖ 0x00 ‖ words 1 and 2 joined by `-`) in lower-case hex.
    pub fn room_id(&self) -> RoomId {
        let [first, second, _, _] = self.words();
        let digest = Sha256::digest(format!("visavis/1 room\0{first}-{second}"));
        RoomId::new(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// The secret part, words 3 and 4 joined by `-`.
    pub fn password(&self) -> Zeroizing<String> {
        let [_, _, third, fourth] = self.words();
        Zeroizing::new(format!("{third}-{fourth}"))
    }
}

/// The first 4 bits of the SHA-256 of the 5 bytes that a code stands for.
fn checksum(bits: u64) -> u8 {
    let bytes = bits.to_be_bytes();
    Sha256::digest(&bytes[3..])[0] >> (8 - CHECK_BITS)
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.words();
        write!(f, "{a}-{b}-{c}-{d}")
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomCode(…)")
    }
}

impl FromStr for RoomCode {
    type Err = CodeError;

    /// Reads a code as people type it: any case, words apart by anything that is neither letter nor digit, each word
    /// whole or by its first four letters or more.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let typed: Vec<_> = split(text).take(MOST_WORDS_READ).collect();
        let mut indices = Vec::with_capacity(typed.len());
        for (i, range) in typed.iter().enumerate() {
            let word = text[range.clone()].to_lowercase();
            match words::find(&word) {
                Some(index) => indices.push(index),
                None => {
                    let likely = words::likely(&word);
                    return Err(CodeError::UnknownWord { position: i + 1, word: shortened(&word), likely });
                }
            }
        }
        let words: [u16; WORDS] = indices.try_into().map_err(|_| CodeError::WordCount { found: typed.len() })?;
        Self::from_indices(words).ok_or_else(|| CodeError::Checksum { likely: corrections(words) })
    }
}

/// Codes whose checksum holds and that one letter in one word turns these words into.
fn corrections(typed: [u16; WORDS]) -> Vec<RoomCode> {
    let tries = (0..WORDS).flat_map(|place| {
        words::neighbours(words::word_at(typed[place])).map(move |instead| {
            let mut words = typed;
            words[place] = instead;
            words
        })
    });
    tries.filter_map(RoomCode::from_indices).take(MOST_CORRECTIONS).collect()
}

/// Where the words of a text stand.
fn split(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(char::is_alphanumeric)?;
        let length = text[start..].find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len() - start);
        rest = start + length;
        Some(start..rest)
    })
}

/// A word cut to what an error message can show.
fn shortened(word: &str) -> String {
    if word.chars().count() <= 20 { word.to_owned() } else { word.chars().take(19).chain(['…']).collect() }
}

/// Why a text is no room code; `Display` says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Too few or too many words.
    #[error("a code has four words; this has {found}")]
    WordCount {
        /// Words in the text, at most 64.
        found: usize,
    },
    /// A word is not in the list.
    #[error("word {position}, “{word}”, is not one that codes use{}", did_you_mean(*likely))]
    UnknownWord {
        /// Which, counted from 1.
        position: usize,
        /// As typed, in lower case, cut to 20 letters.
        word: String,
        /// What was probably meant, where one letter explains it.
        likely: Option<&'static str>,
    },
    /// All words are in the list, but they don't belong together.
    #[error("one of these words is wrong{}", did_you_mean(likely.first()))]
    Checksum {
        /// Codes one letter away, at most four.
        likely: Vec<RoomCode>,
    },
}

/// The end of a message, with or without a proposal.
fn did_you_mean(likely: Option<impl fmt::Display>) -> String {
    match likely {
        Some(likely) => format!(": did you mean “{likely}”?"),
        None => ": compare it with the other side’s".to_owned(),
    }
}

/// A word of a text that may become a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialWord {
    /// Where it stands in the text, in bytes.
    pub range: Range<usize>,
    /// As typed.
    pub text: String,
    /// What it is.
    pub state: WordState,
}

/// What a word of a half-typed code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordState {
    /// A word of the list, whole or by four letters or more.
    Known(&'static str),
    /// The last word, still being typed: words of the list start so.
    Prefix,
    /// No word of the list.
    Unknown {
        /// What was probably meant, where one letter explains it.
        likely: Option<&'static str>,
    },
}

/// Judges each word of a text while it is being typed; the last one may be unfinished.
pub fn check_partial(text: &str) -> Vec<PartialWord> {
    let word = |range: Range<usize>| {
        let typed = text[range.clone()].to_lowercase();
        let state = match words::find(&typed) {
            Some(index) => WordState::Known(words::word_at(index)),
            None if range.end == text.len() && !words::complete(&typed).is_empty() => WordState::Prefix,
            None => WordState::Unknown { likely: words::likely(&typed) },
        };
        PartialWord { text: text[range.clone()].to_owned(), range, state }
    };
    split(text).take(MOST_WORDS_READ).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_codes_hold() {
        assert_eq!(RoomCode::from_bits(0).to_string(), "abandon-abandon-abandon-absurd");
        for text in ["velvet-canyon-orbit-zero", "abandon-abandon-abandon-absurd"] {
            assert_eq!(text.parse::<RoomCode>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code: RoomCode = "velvet-canyon-orbit-zero".parse().unwrap();
        for text in [
            "Velvet, Canyon, Orbit, Zero",
            "  velv cany\torbi zero\n",
            "VELVET–CANYON–ORBIT–ZERO.",
            "velve.canyo.orbi.zero",
        ] {
            assert_eq!(text.parse(), Ok(code.clone()), "{text}");
        }
    }

    #[test]
    fn a_mistyped_word_is_named_with_the_likely_one() {
        let error = "velvet canyon orbyt zero".parse::<RoomCode>().unwrap_err();
        assert_eq!(error, CodeError::UnknownWord { position: 3, word: "orbyt".into(), likely: Some("orbit") });
        assert_eq!(error.to_string(), "word 3, “orbyt”, is not one that codes use: did you mean “orbit”?");
        let error = "velvet canyon xyzzy zero".parse::<RoomCode>().unwrap_err();
        assert!(matches!(error, CodeError::UnknownWord { position: 3, likely: None, .. }));
    }

    #[test]
    fn the_number_of_words_is_named() {
        assert_eq!("".parse::<RoomCode>(), Err(CodeError::WordCount { found: 0 }));
        assert_eq!("velvet canyon orbit".parse::<RoomCode>(), Err(CodeError::WordCount { found: 3 }));
        assert_eq!("zoo ".repeat(1000).parse::<RoomCode>(), Err(CodeError::WordCount { found: 64 }));
    }

    #[test]
    fn a_wrong_checksum_is_refused_with_codes_one_letter_away() {
        // Words one letter away from a word of a valid code: the checksum catches most, and proposes the right one.
        let (mut refused, mut proposed) = (0, 0);
        for bits in 0..400u64 {
            let code = RoomCode::from_bits(bits * 2_654_435_761);
            let Some(other) = words::neighbours(words::word_at(code.words[1])).next() else { continue };
            let mut typed = code.words;
            typed[1] = other;
            let text = typed.map(words::word_at).join(" ");
            if let Err(CodeError::Checksum { likely }) = text.parse::<RoomCode>() {
                refused += 1;
                proposed += usize::from(likely.contains(&code));
            }
        }
        assert!(refused > 50, "{refused}");
        assert!(proposed * 10 >= refused * 9, "{proposed} of {refused}");
        assert!("zero orbit canyon velvet".parse::<RoomCode>().is_err());
    }

    #[test]
    fn half_typed_words_are_judged() {
        let states = |text| check_partial(text).into_iter().map(|w| w.state).collect::<Vec<_>>();
        assert_eq!(states("velvet ca"), [WordState::Known("velvet"), WordState::Prefix]);
        assert_eq!(states("velv ca "), [WordState::Known("velvet"), WordState::Unknown { likely: None }]);
        assert_eq!(states("velvit"), [WordState::Unknown { likely: Some("velvet") }]);
        assert_eq!(check_partial(" Ünï-zoo")[1].range, 7..10);
    }

    #[test]
    fn a_code_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", RoomCode::random()), "RoomCode(…)");
    }

    proptest! {
        #[test]
        fn every_code_survives_being_written_and_read(bits in 0u64..1 << 40) {
            let code = RoomCode::from_bits(bits);
            prop_assert_eq!(code.to_string().parse::<RoomCode>(), Ok(code.clone()));
            let short = code.words().map(|word| word[..word.len().min(4)].to_uppercase()).join(" , ");
            prop_assert_eq!(short.parse::<RoomCode>(), Ok(code));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,80}") {
            let _ = text.parse::<RoomCode>();
            for word in check_partial(&text) {
                prop_assert_eq!(&text[word.range.clone()], word.text.as_str());
            }
            let _ = words::complete(&text);
        }
    }
}
