//! The field for a code or a link: it completes words, marks a mistyped one, and says what is wrong.

use super::{field, sentence, text};
use crate::theme::{Palette, Type};
use egui::emath::RectAlign;
use egui::text::{LayoutJob, TextFormat};
use egui::{CompletionPopup, CompletionQuery, Event, FontId, Galley, Key, Stroke, Suggestion, TextBuffer, Ui};
use std::sync::Arc;
use visavis_signaling::{Invitation, InvitationError, WordState, check_partial, complete};

/// A link is a few dozen characters; nobody types more.
const LONGEST: usize = 300;
/// Words of a code that is used once.
const WORDS: usize = 4;
/// Words of a lasting room's.
const MOST_WORDS: usize = 6;
/// Letters from which on words are proposed; before, there would be too many.
const LETTERS_TO_COMPLETE: usize = 2;
/// Words proposed at a time.
const MOST_PROPOSED: usize = 6;

/// What was typed, and what it means.
#[derive(Debug)]
pub struct JoinField {
    typed: String,
    judged: String,
    meaning: Result<Invitation, InvitationError>,
    /// Typing is over for the moment: the field was left, or the text came from the clipboard.
    settled: bool,
    /// A whole code or link that nobody has been told of yet.
    fresh: bool,
}

impl Default for JoinField {
    fn default() -> Self {
        Self { typed: String::new(), judged: String::new(), meaning: "".parse(), settled: false, fresh: false }
    }
}

fn is_link(text: &str) -> bool {
    text.contains([':', '/', '#'])
}

impl JoinField {
    /// What was typed, where it is a code or a link.
    pub fn invitation(&self) -> Option<&Invitation> {
        self.meaning.as_ref().ok()
    }

    /// Where the link that was typed leads, for reading.
    pub fn host(&self) -> Option<&str> {
        let server = self.invitation()?.server.as_deref()?;
        let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
        rest.split('/').next()
    }

    /// A code or link that has just become whole: what can be prepared for it, can be now.
    pub fn take_fresh(&mut self) -> Option<Invitation> {
        std::mem::take(&mut self.fresh).then(|| self.invitation().cloned()).flatten()
    }

    /// What is wrong with the text, once it is no longer a matter of typing on.
    pub fn problem(&self) -> Option<String> {
        let error = self.meaning.as_ref().err()?;
        if self.typed.trim().is_empty() {
            return None;
        }
        let words = if is_link(&self.typed) { Vec::new() } else { check_partial(&self.typed) };
        let mistyped = words.iter().any(|word| matches!(word.state, WordState::Unknown { .. }));
        // Behind the fourth word two more may follow; the fifth has the sixth behind it.
        let as_many = words.len() == WORDS || words.len() >= MOST_WORDS;
        let complete = as_many && !words.iter().any(|word| word.state == WordState::Prefix);
        (mistyped || complete || self.settled).then(|| sentence(&error.to_string()))
    }

    /// Shows the field; an invitation when Enter is pressed behind a whole one.
    pub fn ui(&mut self, ui: &mut Ui, width: f32) -> Option<Invitation> {
        let palette = Palette::of(ui);
        let mut layouter = |ui: &Ui, typed: &dyn TextBuffer, _wrap: f32| marked(ui, typed.as_str());
        let edit = field(&mut self.typed)
            .hint_text(text("Four or six words, or a link", Type::Body).color(palette.weak))
            .char_limit(LONGEST)
            .desired_width(width)
            .layouter(&mut layouter);
        let popup = CompletionPopup::new(ui.make_persistent_id("join field"))
            .word_boundary(|c| !c.is_alphanumeric())
            .align(RectAlign::BOTTOM_START);
        let output = popup.show(ui, edit, propose);
        let response = output.text_edit.response.response.accessible_name("Code or link");
        if self.typed != self.judged {
            self.judged.clone_from(&self.typed);
            self.meaning = self.typed.parse();
            self.fresh = true;
            self.settled = ui.input(|input| input.events.iter().any(|event| matches!(event, Event::Paste(_))));
        }
        if response.lost_focus() {
            self.settled = true;
            if output.accepted.is_none() && ui.input(|input| input.key_pressed(Key::Enter)) {
                return self.invitation().cloned();
            }
        }
        None
    }
}

/// Words for the one under the cursor; none in a link, and none once nothing is left to type.
fn propose(query: &CompletionQuery<'_>) -> Vec<Suggestion> {
    if is_link(query.text) || query.word.chars().count() < LETTERS_TO_COMPLETE {
        return Vec::new();
    }
    let words = complete(query.word);
    if words == [query.word.to_lowercase()] {
        return Vec::new();
    }
    let follows = query.text.chars().nth(query.word_range.end.0).is_some();
    // Behind the fourth the code may be whole, or go on: nothing is added that would have to be taken away again.
    let last = matches!(check_partial(query.text).len(), WORDS | MOST_WORDS..);
    let end = if follows || last { "" } else { "-" };
    let proposed = words.into_iter().take(MOST_PROPOSED);
    proposed.map(|word| Suggestion::new(format!("{word}{end}")).content(word)).collect()
}

/// The text with words that no code uses underlined.
fn marked(ui: &Ui, typed: &str) -> Arc<Galley> {
    let palette = Palette::of(ui);
    let font: FontId = Type::Body.font();
    let plain = TextFormat::simple(font.clone(), palette.text);
    let wrong = TextFormat {
        underline: Stroke::new(1.5, palette.danger_text),
        ..TextFormat::simple(font, palette.danger_text)
    };
    let mut job = LayoutJob::default();
    let mut done = 0;
    let words = if is_link(typed) { Vec::new() } else { check_partial(typed) };
    for word in words.into_iter().filter(|word| matches!(word.state, WordState::Unknown { .. })) {
        job.append(&typed[done..word.range.start], 0.0, plain.clone());
        job.append(&typed[word.range.clone()], 0.0, wrong.clone());
        done = word.range.end;
    }
    job.append(&typed[done..], 0.0, plain);
    ui.fonts_mut(|fonts| fonts.layout_job(job))
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::text::CharIndex;

    fn typed(text: &str, settled: bool) -> JoinField {
        JoinField { typed: text.into(), judged: text.into(), meaning: text.parse(), settled, fresh: false }
    }

    fn proposed(text: &str, word: &str) -> Vec<String> {
        let end = text.chars().count();
        let word_range = CharIndex(end - word.chars().count())..CharIndex(end);
        propose(&CompletionQuery { text, word, word_range }).into_iter().map(|s| s.insert).collect()
    }

    #[test]
    fn nothing_is_wrong_while_words_are_still_being_typed() {
        for text in ["", "v", "velv", "velvet-", "velvet-can", "velvet canyon orbit", "velvet canyon orbit ze"] {
            assert_eq!(typed(text, false).problem(), None, "{text}");
        }
        assert_eq!(typed("https://calls.exam", false).problem(), None);
    }

    #[test]
    fn a_mistyped_word_is_named_at_once() {
        let problem = typed("velvet-canyom-or", false).problem().expect("named");
        assert!(problem.contains("canyom") && problem.contains("canyon"), "{problem}");
    }

    #[test]
    fn four_words_that_do_not_belong_together_are_refused() {
        assert!(typed("velvet canyon orbit zero", false).problem().is_none());
        assert!(typed("velvet canyon zero orbit", false).problem().is_some());
        assert!(typed("velvet canyon orbit zero garden knock", false).problem().is_none());
        assert!(typed("velvet canyon orbit zero knock garden", false).problem().is_some());
        assert!(typed("velvet canyon orbit zero garden knock zoo", false).problem().is_some());
    }

    #[test]
    fn on_the_way_from_four_words_to_six_nothing_is_wrong() {
        for text in
            ["velvet canyon orbit zero g", "velvet canyon orbit zero garden", "velvet canyon orbit zero garden kn"]
        {
            assert_eq!(typed(text, false).problem(), None, "{text}");
        }
        assert!(typed("velvet canyon orbit zero garden", true).problem().expect("said").contains("six"));
    }

    #[test]
    fn what_is_left_half_typed_is_explained() {
        assert!(typed("velvet canyon", true).problem().expect("said").contains("four words"));
        assert!(typed("https://meet.example/abc", true).problem().expect("said").contains("meet.example"));
    }

    #[test]
    fn words_are_completed_and_joined_by_a_hyphen_until_the_last() {
        assert_eq!(proposed("velv", "velv"), ["velvet-"]);
        assert_eq!(proposed("velvet canyon orbit zer", "zer"), ["zero"]);
        assert!(proposed("velvet canyon orbit zero", "zero").is_empty());
        assert_eq!(proposed("velvet canyon orbit zero gard", "gard"), ["garden-"]);
        assert_eq!(proposed("velvet canyon orbit zero garden knoc", "knoc"), ["knock"]);
        assert!(proposed("v", "v").is_empty());
        assert!(proposed("https://velv", "velv").is_empty());
    }
}
