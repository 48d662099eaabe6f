//! The room code: four words that people read out to each other, or six that they keep.
//!
//! A code of four words is used once: 40 random bits and a checksum of 4 bits in four words of the BIP-39 English list. A
//! lasting room's has six: 62 random bits and 4 of checksum, so that it can be guessed at for years. The checksum is the
//! first bits of the SHA-256 of the random ones, as bytes. The first two words find the room; the others prove, by the key
//! agreement in [`crate::pake`], that one was told.

use crate::words;
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use visavis_media::RoomId;
use zeroize::Zeroizing;

/// Bits that a word stands for.
const WORD_BITS: u32 = 11;
/// Bits of checksum at the end of a code.
const CHECK_BITS: u32 = 4;
/// Corrections offered for a code whose checksum fails.
const MOST_CORRECTIONS: usize = 4;
/// Words looked at in a text: more than a code has, so that the error can name the number.
const MOST_WORDS_READ: usize = 64;

/// Four or six words, checked: `velvet-canyon-orbit-zero`.
///
/// `Debug` is redacted, because a code in a log would let its reader into the room.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RoomCode {
    words: Words,
}

/// Places in the list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Words {
    /// Of a code that is used once.
    Four([u16; 4]),
    /// Of a lasting room.
    Six([u16; 6]),
}

impl Words {
    fn as_slice(&self) -> &[u16] {
        match self {
            Self::Four(words) => words,
            Self::Six(words) => words,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [u16] {
        match self {
            Self::Four(words) => words,
            Self::Six(words) => words,
        }
    }

    /// As many as a code has, or none.
    fn of(indices: &[u16]) -> Option<Self> {
        let four = indices.try_into().ok().map(Self::Four);
        four.or_else(|| indices.try_into().ok().map(Self::Six))
    }
}

/// How many bits are random in a code of so many words.
const fn random_bits(words: u32) -> u32 {
    words * WORD_BITS - CHECK_BITS
}

impl RoomCode {
    /// Draws a new code of four words, to be used once, from the operating system's randomness.
    pub fn random() -> Self {
        Self::from_bits(rand::random())
    }

    /// Draws a new code of six words, for a room that stays.
    pub fn random_lasting() -> Self {
        Self::lasting_from_bits(rand::random())
    }

    /// The code of four words of these 40 bits; higher bits are ignored.
    fn from_bits(bits: u64) -> Self {
        let all = with_checksum(bits, 4);
        Self { words: Words::Four(std::array::from_fn(|i| word_of(all, 3 - i as u32))) }
    }

    /// The code of six words of these 62 bits; higher bits are ignored.
    fn lasting_from_bits(bits: u64) -> Self {
        let all = with_checksum(bits, 6);
        Self { words: Words::Six(std::array::from_fn(|i| word_of(all, 5 - i as u32))) }
    }

    /// The code of these words of the list, if their checksum holds.
    fn from_indices(words: Words) -> Option<Self> {
        let all = words.as_slice().iter().fold(0u128, |all, &word| (all << WORD_BITS) | u128::from(word));
        let bits = (all >> CHECK_BITS) as u64;
        let code = match words {
            Words::Four(_) => Self::from_bits(bits),
            Words::Six(_) => Self::lasting_from_bits(bits),
        };
        (code.words == words).then_some(code)
    }

    /// Whether it is that of a lasting room, whose owner lets each caller in.
    pub fn is_lasting(&self) -> bool {
        matches!(self.words, Words::Six(_))
    }

    /// The words, in order: four, or six of a lasting room.
    pub fn words(&self) -> Vec<&'static str> {
        self.words.as_slice().iter().map(|&index| words::word_at(index)).collect()
    }

    /// The room's public name, made from the first two words; no secret.
    ///
    /// The first 16 bytes of SHA-256("visavis/1 room" ‖ 0x00 ‖ words 1 and 2 joined by `-`) in lower-case hex.
    pub fn room_id(&self) -> RoomId {
        let finds = self.words()[..2].join("-");
        let digest = Sha256::digest(format!("visavis/1 room\0{finds}"));
        RoomId::new(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// The secret part, words 3 and 4 (of a lasting room: 3 to 6) joined by `-`.
    pub fn password(&self) -> Zeroizing<String> {
        Zeroizing::new(self.words()[2..].join("-"))
    }
}

/// The random bits of a code of so many words, and their checksum behind them: the first 4 bits of the SHA-256 of the
/// bytes that they are (5, or 8 of six words), big-endian, with zeros in front.
fn with_checksum(bits: u64, words: u32) -> u128 {
    let bits = bits & ((1 << random_bits(words)) - 1);
    let length = random_bits(words).div_ceil(8) as usize;
    let checksum = Sha256::digest(&bits.to_be_bytes()[8 - length..])[0] >> (8 - CHECK_BITS);
    (u128::from(bits) << CHECK_BITS) | u128::from(checksum)
}

/// A word's place in the list; counted from the last.
fn word_of(all: u128, from_last: u32) -> u16 {
    (all >> (WORD_BITS * from_last)) as u16 & 0x7ff
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join("-"))
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
        let words = Words::of(&indices).ok_or(CodeError::WordCount { found: typed.len() })?;
        Self::from_indices(words).ok_or_else(|| CodeError::Checksum { likely: corrections(words) })
    }
}

/// Codes whose checksum holds and that one letter in one word turns these words into.
fn corrections(typed: Words) -> Vec<RoomCode> {
    let tries = (0..typed.as_slice().len()).flat_map(|place| {
        words::neighbours(words::word_at(typed.as_slice()[place])).map(move |instead| {
            let mut words = typed;
            words.as_mut_slice()[place] = instead;
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
    #[error("a code has four words, or six; this has {found}")]
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
        let lasting = RoomCode::lasting_from_bits(0).to_string();
        assert_eq!(lasting, "abandon-abandon-abandon-abandon-abandon-access");
        for text in ["velvet-canyon-orbit-zero", "abandon-abandon-abandon-absurd", &lasting] {
            assert_eq!(text.parse::<RoomCode>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn six_words_are_a_lasting_room_which_two_find_and_four_prove() {
        for _ in 0..50 {
            let code = RoomCode::random_lasting();
            let text = code.to_string();
            let words: Vec<_> = text.split('-').collect();
            assert_eq!((words.len(), code.is_lasting()), (6, true));
            assert_eq!(*code.password(), words[2..].join("-"));
            // Found like a code of four words that begins as it does.
            let digest = Sha256::digest(format!("visavis/1 room\0{}-{}", words[0], words[1]));
            assert!(code.room_id().as_str().starts_with(&format!("{:02x}{:02x}", digest[0], digest[1])));
            assert!(words[..5].join(" ").parse::<RoomCode>().is_err(), "five words are none");
            assert_eq!(text.parse(), Ok(code));
        }
        assert!(!RoomCode::random().is_lasting());
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
        for count in [1, 2, 3, 5, 7] {
            let text = "zoo ".repeat(count);
            assert_eq!(text.parse::<RoomCode>(), Err(CodeError::WordCount { found: count }));
        }
        assert_eq!("zoo ".repeat(1000).parse::<RoomCode>(), Err(CodeError::WordCount { found: 64 }));
    }

    #[test]
    fn a_wrong_checksum_is_refused_with_codes_one_letter_away() {
        // Words one letter away from a word of a valid code: the checksum catches most, and proposes the right one.
        for draw in [RoomCode::from_bits, RoomCode::lasting_from_bits] {
            let (mut refused, mut proposed) = (0, 0);
            for bits in 0..400u64 {
                let code = draw(bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2);
                let Some(other) = words::neighbours(code.words()[1]).next() else { continue };
                let mut typed = code.words();
                typed[1] = words::word_at(other);
                if let Err(CodeError::Checksum { likely }) = typed.join(" ").parse::<RoomCode>() {
                    refused += 1;
                    proposed += usize::from(likely.contains(&code));
                }
            }
            assert!(refused > 50, "{refused}");
            assert!(proposed * 10 >= refused * 9, "{proposed} of {refused}");
        }
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
        assert_eq!(format!("{:?}", RoomCode::random_lasting()), "RoomCode(…)");
    }

    proptest! {
        #[test]
        fn every_code_survives_being_written_and_read(bits: u64, lasting: bool) {
            let code = if lasting { RoomCode::lasting_from_bits(bits) } else { RoomCode::from_bits(bits) };
            prop_assert_eq!(code.to_string().parse::<RoomCode>(), Ok(code.clone()));
            let short = code.words().into_iter().map(|word| word[..word.len().min(4)].to_uppercase());
            let short = short.collect::<Vec<_>>().join(" , ");
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
