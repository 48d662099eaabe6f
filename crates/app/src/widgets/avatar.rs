//! Somebody without a picture: the initial of a name on a colour of its own.

use crate::icons::Icon;
use crate::theme::{AVATARS, Palette, Type};
use egui::{Align2, Painter, Pos2, Rect, Vec2};

/// The letter that stands for a name; `None` where a name has no letter or digit.
pub fn initial(name: &str) -> Option<String> {
    name.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().collect())
}

/// Paints the circle.
pub fn avatar(painter: &Painter, palette: &Palette, centre: Pos2, diameter: f32, name: &str) {
    // The same name always has the same colour; which one does not matter.
    let sum: usize = name.bytes().map(usize::from).sum();
    painter.circle_filled(centre, diameter / 2.0, AVATARS[sum % AVATARS.len()]);
    match initial(name) {
        Some(letter) => {
            let font = egui::FontId::new(diameter * 0.46, Type::Display.font().family);
            painter.text(centre, Align2::CENTER_CENTER, letter, font, palette.on_colour);
        }
        None => {
            let icon = Rect::from_center_size(centre, Vec2::splat(diameter * 0.5));
            Icon::Person.paint(painter, icon, palette.on_colour);
        }
    }
}

/// Says a name, or what to call somebody who gave none.
pub(crate) fn called(name: &str) -> &str {
    if name.trim().is_empty() { "The other side" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_is_the_first_letter_or_digit_in_upper_case() {
        assert_eq!(initial("ada").as_deref(), Some("A"));
        assert_eq!(initial("  «émile»").as_deref(), Some("É"));
        assert_eq!(initial("7 of 9").as_deref(), Some("7"));
        assert_eq!(initial("-_-"), None);
        assert_eq!(initial(""), None);
    }
}
