//! Colours, spacing and type sizes; nothing else in the app names a number for any of these.

mod palette;

pub use palette::{AVATARS, Palette};

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme, Visuals, vec2};

/// Distances, in points.
pub mod space {
    /// Between an icon and its text.
    pub const XS: f32 = 4.0;
    /// Between things that belong together.
    pub const S: f32 = 8.0;
    /// Inside buttons, between rows.
    pub const M: f32 = 12.0;
    /// Between groups.
    pub const L: f32 = 16.0;
    /// Between blocks.
    pub const XL: f32 = 24.0;
    /// From the window's edge.
    pub const XXL: f32 = 32.0;
}

/// Sizes of controls, in points.
pub mod size {
    /// Height of buttons, fields and pickers.
    pub const CONTROL: f32 = 40.0;
    /// Height of the one button that a screen is about.
    pub const PRIMARY: f32 = 48.0;
    /// Diameter of the round buttons of a call.
    pub const ROUND: f32 = 52.0;
    /// Diameter of round buttons that stay in the background.
    pub const ROUND_SMALL: f32 = 40.0;
    /// Side of an icon in a button with text.
    pub const ICON: f32 = 18.0;
    /// Corner radius of buttons, fields and pickers.
    pub const RADIUS: u8 = 10;
    /// Corner radius of pictures and cards.
    pub const RADIUS_LARGE: u8 = 16;
    /// Width of the column that holds a screen's controls.
    pub const COLUMN: f32 = 340.0;
    /// Width of the chat beside a call.
    pub const CHAT: f32 = 320.0;
}

/// What lies under words and controls over a picture.
pub fn over_picture() -> Color32 {
    Color32::from_black_alpha(170)
}

/// The kinds of text, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The room code while one waits.
    Display,
    /// A screen's title.
    Title,
    /// A group's title, a name over a picture.
    Heading,
    /// Everything else.
    Body,
    /// What explains.
    Small,
    /// Digits that stand under one another.
    Digits,
    /// Numbers beside curves.
    Tiny,
}

impl Type {
    const ALL: [Self; 7] =
        [Self::Display, Self::Title, Self::Heading, Self::Body, Self::Small, Self::Digits, Self::Tiny];

    /// The text style by which egui knows it.
    pub fn style(self) -> TextStyle {
        match self {
            Self::Display => TextStyle::Name("display".into()),
            Self::Title => TextStyle::Heading,
            Self::Heading => TextStyle::Name("heading".into()),
            Self::Body => TextStyle::Body,
            Self::Small => TextStyle::Small,
            Self::Digits => TextStyle::Monospace,
            Self::Tiny => TextStyle::Name("tiny".into()),
        }
    }

    /// Family and size in points.
    pub fn font(self) -> FontId {
        let (points, family) = match self {
            Self::Display => (40.0, FontFamily::Proportional),
            Self::Title => (28.0, FontFamily::Proportional),
            Self::Heading => (18.0, FontFamily::Proportional),
            Self::Body => (15.5, FontFamily::Proportional),
            Self::Small => (13.5, FontFamily::Proportional),
            Self::Digits => (13.5, FontFamily::Monospace),
            Self::Tiny => (11.0, FontFamily::Proportional),
        };
        FontId::new(points, family)
    }
}

/// Sets fonts, colours and spacing of both themes.
pub fn install(ctx: &egui::Context) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.set_style_of(theme, style(theme));
    }
}

fn style(theme: Theme) -> Style {
    let mut style = Style { visuals: visuals(theme), animation_time: 0.12, ..Style::default() };
    style.text_styles = Type::ALL.iter().map(|kind| (kind.style(), kind.font())).collect();
    style.text_styles.insert(TextStyle::Button, Type::Body.font());
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(space::S, space::S);
    spacing.button_padding = vec2(space::M, space::S);
    spacing.interact_size = vec2(size::CONTROL, size::CONTROL);
    spacing.icon_width = 16.0;
    spacing.combo_height = 320.0;
    spacing.tooltip_width = 320.0;
    spacing.menu_margin = Margin::same(space::S as i8);
    style.interaction.tooltip_delay = 0.4;
    style.interaction.selectable_labels = false;
    style
}

fn visuals(theme: Theme) -> Visuals {
    let palette = Palette::for_theme(theme);
    let mut v = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let radius = CornerRadius::same(size::RADIUS);
    let none = Stroke::NONE;
    let w = &mut v.widgets;
    for (state, fill, stroke) in [
        (&mut w.noninteractive, palette.surface, Stroke::new(1.0, palette.line)),
        (&mut w.inactive, palette.raised, none),
        (&mut w.hovered, palette.hovered, none),
        (&mut w.active, palette.hovered, Stroke::new(2.0, palette.accent_text)),
        (&mut w.open, palette.hovered, none),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = stroke;
        state.fg_stroke = Stroke::new(1.5, palette.text);
        state.corner_radius = radius;
        state.expansion = 0.0;
    }
    v.weak_text_color = Some(palette.weak);
    v.selection.bg_fill = palette.accent.gamma_multiply(if theme == Theme::Dark { 0.55 } else { 0.25 });
    v.selection.stroke = Stroke::new(1.5, palette.text);
    v.hyperlink_color = palette.accent_text;
    v.extreme_bg_color = palette.raised;
    v.text_edit_bg_color = Some(palette.raised);
    v.faint_bg_color = palette.surface;
    v.warn_fg_color = palette.warning;
    v.error_fg_color = palette.danger_text;
    v.panel_fill = palette.background;
    v.window_fill = palette.surface;
    v.window_stroke = Stroke::new(1.0, palette.line);
    v.window_corner_radius = CornerRadius::same(size::RADIUS_LARGE);
    v.menu_corner_radius = CornerRadius::same(size::RADIUS);
    let shadow = Shadow { offset: [0, 8], blur: 28, spread: 0, color: Color32::from_black_alpha(90) };
    v.window_shadow = shadow;
    v.popup_shadow = shadow;
    v.text_cursor.stroke = Stroke::new(2.0, palette.accent_text);
    v
}
