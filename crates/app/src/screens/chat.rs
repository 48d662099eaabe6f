//! Messages beside a call.

use crate::command::UiCommand;
use crate::icons::Icon;
use crate::theme::{Palette, Type, size, space};
use crate::widgets::{Look, Round, field, hint, round, text};
use egui::{Align, CornerRadius, Frame, Key, Label, Layout, Margin, Rect, ScrollArea, Ui, UiBuilder, pos2};
use visavis_call::{ChatLine, Command};

/// Characters of one message.
const LONGEST: usize = 2000;
/// Messages drawn; older ones have scrolled out of anybody's mind.
const MOST_SHOWN: usize = 300;

/// What is being written, and how much was read.
#[derive(Debug, Default)]
pub struct ChatUi {
    draft: String,
    read: usize,
    focus: bool,
}

impl ChatUi {
    /// Puts the cursor into the field with the next frame.
    pub fn focus(&mut self) {
        self.focus = true;
    }

    /// How many of the other's messages have not been seen; seeing them is having the chat open.
    pub fn unread(&mut self, lines: &[ChatLine], open: bool) -> usize {
        if open || self.read > lines.len() {
            self.read = lines.len();
        }
        lines[self.read..].iter().filter(|line| !line.mine).count()
    }

    /// Draws the messages into `rect`.
    pub fn ui(&mut self, ui: &mut Ui, rect: Rect, name: &str, lines: &[ChatLine]) -> Option<UiCommand> {
        let palette = Palette::of(ui);
        ui.painter().rect_filled(rect, 0.0, palette.background);
        ui.painter().vline(rect.left(), rect.y_range(), egui::Stroke::new(1.0, palette.line));
        let inner = rect.shrink(space::L);
        let entry = Rect::from_min_max(pos2(inner.left(), inner.bottom() - size::CONTROL), inner.max);
        let above = Rect::from_min_max(inner.min, pos2(inner.right(), entry.top() - space::M));
        ui.scope_builder(UiBuilder::new().max_rect(above), |ui| {
            ui.label(text("Messages", Type::Heading).color(palette.text));
            ui.add_space(space::XS);
            if lines.is_empty() {
                hint(ui, format!("What you write here goes straight to {name}, encrypted, and is kept nowhere."));
            }
            ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true).show(ui, |ui| {
                for line in &lines[lines.len().saturating_sub(MOST_SHOWN)..] {
                    bubble(ui, line);
                }
            });
        });
        let layout = Layout::right_to_left(Align::Center);
        ui.scope_builder(UiBuilder::new().max_rect(entry).layout(layout), |ui| self.entry(ui)).inner
    }

    fn entry(&mut self, ui: &mut Ui) -> Option<UiCommand> {
        let weak = Palette::of(ui).weak;
        let ready = !self.draft.trim().is_empty();
        let look = if ready { Look::Primary } else { Look::Plain };
        let what = Round { icon: Icon::Send, label: "Send", look, diameter: size::CONTROL, on: None };
        let pressed = ui.add_enabled_ui(ready, |ui| round(ui, what)).inner.clicked();
        let edit = field(&mut self.draft)
            .hint_text(text("Message", Type::Body).color(weak))
            .char_limit(LONGEST)
            .desired_width(ui.available_width());
        let response = ui.add(edit).accessible_name("Message");
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if std::mem::take(&mut self.focus) || entered {
            response.request_focus();
        }
        if !(ready && (pressed || entered)) {
            return None;
        }
        Some(Command::Chat(std::mem::take(&mut self.draft).trim().to_owned()).into())
    }
}

/// One message: ours on the right, the other's on the left.
fn bubble(ui: &mut Ui, line: &ChatLine) {
    let palette = Palette::of(ui);
    let (align, fill, colour) = match line.mine {
        true => (Align::Max, palette.accent, palette.on_colour),
        false => (Align::Min, palette.raised, palette.text),
    };
    ui.with_layout(Layout::top_down(align), |ui| {
        ui.set_max_width(ui.available_width() - space::XS);
        let frame = Frame::new()
            .fill(fill)
            .corner_radius(CornerRadius::same(14))
            .inner_margin(Margin::symmetric(space::M as i8, space::S as i8));
        frame.show(ui, |ui| {
            ui.set_max_width((ui.available_width() * 0.85).max(40.0));
            ui.add(Label::new(text(&*line.text, Type::Body).color(colour)).wrap().selectable(true));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mine: &[bool]) -> Vec<ChatLine> {
        mine.iter().map(|&mine| ChatLine { mine, text: "x".into() }).collect()
    }

    #[test]
    fn only_the_others_new_messages_are_unread() {
        let mut chat = ChatUi::default();
        assert_eq!(chat.unread(&lines(&[false, true, false]), false), 2);
        assert_eq!(chat.unread(&lines(&[false, true, false]), true), 0);
        assert_eq!(chat.unread(&lines(&[false, true, false, true, false]), false), 1);
    }

    #[test]
    fn a_shorter_list_of_another_call_does_no_harm() {
        let mut chat = ChatUi { read: 7, ..ChatUi::default() };
        assert_eq!(chat.unread(&lines(&[false]), false), 0);
    }
}
