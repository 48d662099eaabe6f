//! The colours of both themes.

use egui::{Color32, Theme, Ui};

/// The colours of one theme.
#[derive(Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// Cards, popups.
    pub surface: Color32,
    /// Buttons, fields.
    pub raised: Color32,
    /// The same under the pointer.
    pub hovered: Color32,
    /// Hairlines.
    pub line: Color32,
    /// Text.
    pub text: Color32,
    /// Text that explains.
    pub weak: Color32,
    /// The one thing to press.
    pub accent: Color32,
    /// The same under the pointer.
    pub accent_hovered: Color32,
    /// Links, focus rings, marks: the accent where it stands on the background.
    pub accent_text: Color32,
    /// What ends something.
    pub danger: Color32,
    /// The same under the pointer.
    pub danger_hovered: Color32,
    /// Errors in text.
    pub danger_text: Color32,
    /// All is well.
    pub good: Color32,
    /// Something needs attention.
    pub warning: Color32,
    /// Curves: ours, and what goes with it. They differ in brightness too, for those who see no colours.
    pub curves: [Color32; 2],
    /// Where a picture is not.
    pub picture: Color32,
    /// Text on `accent`, `danger` and pictures.
    pub on_colour: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Palette {
    /// For dark surroundings, and always for the call itself: a picture stands best on black.
    pub const DARK: Self = Self {
        background: rgb(0x111215),
        surface: rgb(0x1B1D21),
        raised: rgb(0x272A30),
        hovered: rgb(0x343840),
        line: rgb(0x30333A),
        text: rgb(0xF2F3F5),
        weak: rgb(0xA6ABB5),
        accent: rgb(0x2F6BE6),
        accent_hovered: rgb(0x437CF0),
        accent_text: rgb(0x7FAEFF),
        danger: rgb(0xD8383F),
        danger_hovered: rgb(0xE64B52),
        danger_text: rgb(0xFF8A8A),
        good: rgb(0x43C078),
        warning: rgb(0xF2B84B),
        curves: [rgb(0x7FAEFF), rgb(0xF5C98A)],
        picture: rgb(0x1F2126),
        on_colour: Color32::WHITE,
    };

    /// For bright surroundings.
    pub const LIGHT: Self = Self {
        background: rgb(0xF8F8FA),
        surface: rgb(0xFFFFFF),
        raised: rgb(0xEBECF0),
        hovered: rgb(0xDFE1E7),
        line: rgb(0xDCDEE4),
        text: rgb(0x121316),
        weak: rgb(0x545963),
        accent: rgb(0x225FDB),
        accent_hovered: rgb(0x2F6EEE),
        accent_text: rgb(0x1D57CC),
        danger: rgb(0xCF2B33),
        danger_hovered: rgb(0xDE3C44),
        danger_text: rgb(0xB41E26),
        good: rgb(0x177841),
        warning: rgb(0x9A6200),
        curves: [rgb(0x1D57CC), rgb(0x8A5200)],
        picture: rgb(0xE1E3E9),
        on_colour: Color32::WHITE,
    };

    /// The palette that a part of the window is drawn in.
    pub fn of(ui: &Ui) -> &'static Self {
        if ui.visuals().dark_mode { &Self::DARK } else { &Self::LIGHT }
    }

    /// The palette of a theme.
    pub fn for_theme(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dark => &Self::DARK,
            Theme::Light => &Self::LIGHT,
        }
    }
}

/// Grounds of initials; white stands well on each.
pub const AVATARS: [Color32; 6] =
    [rgb(0x4A5B8C), rgb(0x2F6F73), rgb(0x7A4B7E), rgb(0x8A5A36), rgb(0x4E6B3A), rgb(0x8C4555)];

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast ratio of WCAG 2.1.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |c: Color32| {
            let linear = |v: u8| {
                let v = f32::from(v) / 255.0;
                if v <= 0.03928 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b())
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn words_over_the_brightest_picture_can_be_read() {
        let veil = crate::theme::over_picture();
        let white = 255 - veil.a();
        let ground = Color32::from_rgb(white, white, white);
        assert!(contrast(Palette::DARK.text, ground) >= 4.5 && contrast(Palette::DARK.on_colour, ground) >= 4.5);
        assert!(contrast(ground.blend(Palette::DARK.on_colour.gamma_multiply(0.85)), ground) >= 4.5);
        // Icons and other marks need 3:1.
        assert!(contrast(Palette::DARK.warning, ground) >= 3.0);
    }

    #[test]
    fn text_can_be_read_in_both_themes() {
        for p in [Palette::DARK, Palette::LIGHT] {
            for ground in [p.background, p.surface, p.raised] {
                assert!(contrast(p.text, ground) >= 7.0, "text on {ground:?}");
                assert!(contrast(p.weak, ground) >= 4.5, "weak on {ground:?}");
            }
            for ground in [p.background, p.surface] {
                for text in [p.accent_text, p.danger_text, p.warning, p.good, p.curves[0], p.curves[1]] {
                    assert!(contrast(text, ground) >= 4.5, "{text:?} on {ground:?}");
                }
            }
            for ground in [p.accent, p.danger] {
                assert!(contrast(p.on_colour, ground) >= 4.5, "on {ground:?}");
            }
        }
    }
}
