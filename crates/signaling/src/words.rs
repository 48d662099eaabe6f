//! The BIP-39 English list as a dictionary: looking up, completing, guessing what was meant.

use bip39::Language;

/// Letters that suffice to name a word of the list: BIP-39 chose the words so.
const ENOUGH_LETTERS: usize = 4;

/// The word at this place of the list; `index` is taken modulo 2048, the length of the list.
pub(crate) fn word_at(index: u16) -> &'static str {
    Language::English.word_list()[usize::from(index) % 2048]
}

/// The word that `typed` names: itself, or the one word that starts with it where it has four letters or more.
///
/// Expects lower case.
pub(crate) fn find(typed: &str) -> Option<u16> {
    let list = Language::English.word_list();
    let at = list.partition_point(|word| *word < typed);
    let word = list.get(at)?;
    let named = *word == typed || (typed.len() >= ENOUGH_LETTERS && word.starts_with(typed));
    if named { u16::try_from(at).ok() } else { None }
}

/// Words that start with `prefix`, in the order of the list; none for an empty prefix.
///
/// Case and white space around it don't matter. For the field in which a code is typed.
pub fn complete(prefix: &str) -> Vec<&'static str> {
    let prefix = prefix.trim().to_lowercase();
    if prefix.is_empty() {
        return Vec::new();
    }
    let list = Language::English.word_list();
    let start = list.partition_point(|word| *word < prefix.as_str());
    list[start..].iter().take_while(|word| word.starts_with(&prefix)).copied().collect()
}

/// The word that was probably meant: the only one which one wrong, missing, added or swapped letter explains, or else
/// the one whose first four letters these are.
pub(crate) fn likely(typed: &str) -> Option<&'static str> {
    let mut near = neighbours(typed);
    match (near.next(), near.next()) {
        (Some(index), None) => Some(word_at(index)),
        (None, _) => find(typed.get(..ENOUGH_LETTERS)?).map(word_at),
        (Some(_), Some(_)) => None,
    }
}

/// Places of all words that one letter turns `typed` into; `typed` itself is not among them.
pub(crate) fn neighbours(typed: &str) -> impl Iterator<Item = u16> {
    (0..2048).filter(move |&index| one_letter_apart(typed.as_bytes(), word_at(index).as_bytes()))
}

/// Whether one letter replaced, added, left out, or swapped with its neighbour turns one text into the other.
fn one_letter_apart(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let same_start = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    match long.len() - short.len() {
        0 => match (&short[same_start..], &long[same_start..]) {
            ([x1, x2, x @ ..], [y1, y2, y @ ..]) if x1 == y2 && x2 == y1 => x == y,
            ([_, x @ ..], [_, y @ ..]) => x == y,
            (_, _) => false,
        },
        1 => short[same_start..] == long[same_start + 1..],
        2.. => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_letters_name_every_word_and_three_name_only_whole_words() {
        for index in 0..2048 {
            let word = word_at(index);
            assert_eq!(find(word), Some(index));
            assert_eq!(find(&word[..word.len().min(4)]), Some(index), "{word}");
        }
        assert_eq!(find("act").map(word_at), Some("act"));
        assert_eq!(find("vel"), None);
        assert_eq!(find("zzzz"), None);
    }

    #[test]
    fn a_prefix_is_completed_in_order() {
        assert_eq!(complete("velv"), ["velvet"]);
        assert_eq!(complete(" ZO"), ["zone", "zoo"]);
        assert!(complete("").is_empty());
        assert!(complete("qqq").is_empty());
    }

    #[test]
    fn one_letter_is_explained_two_are_not() {
        assert_eq!(likely("velwet"), Some("velvet"));
        assert_eq!(likely("vlvet"), Some("velvet"));
        assert_eq!(likely("vellvet"), Some("velvet"));
        assert_eq!(likely("evlvet"), Some("velvet"));
        assert_eq!(likely("velvette"), Some("velvet"), "the first four letters tell");
        assert_eq!(likely("xxxxxx"), None);
        assert_eq!(likely(""), None);
        assert_eq!(likely("é"), None);
    }

    #[test]
    fn several_possible_words_are_not_guessed_between() {
        // "bat" is no word of the list; bar, cat, fat, … all lie one letter away.
        assert!(neighbours("bat").count() > 1);
        assert_eq!(likely("bat"), None);
    }
}
