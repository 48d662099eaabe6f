//! Waiting: the code to read out, other ways to pass it on, and who can find us.

use super::{centred_column, centred_row};
use crate::command::UiCommand;
use crate::control::{Control, Situation};
use crate::icons::Icon;
use crate::theme::{Palette, Type, size, space};
use crate::view::View;
use crate::widgets::{Look, QrCode, announce, control_button, hint, own_tile, qr, text};
use egui::text::{LayoutJob, TextFormat};
use egui::{Align, Align2, Color32, Label, Sense, Spinner, Ui, Vec2, vec2};
use visavis_call::{Reach, Waiting};
use visavis_signaling::link;

/// Height of everything but the two pictures.
const AROUND_PICTURES: f32 = 290.0;

/// Height of the second line of six words.
const SECOND_LINE: f32 = 48.0;

/// The QR code of the newest link.
#[derive(Debug, Default)]
pub struct WaitingUi {
    qr: QrCode,
}

/// A link that leads another app in the local network here, where mDNS does not.
fn local_link(waiting: &Waiting) -> Option<String> {
    waiting.reach.iter().find_map(|reach| match reach {
        Reach::LocalNetwork { addresses } => link(&format!("ws://{}", addresses.first()?), &waiting.code),
        Reach::Server { .. } | Reach::Unreachable { .. } => None,
    })
}

impl WaitingUi {
    /// Controls whose shortcuts work here.
    pub const SHORTCUTS: [Control; 4] = [Control::Mute, Control::Video, Control::Cancel, Control::FullScreen];

    /// Draws the screen into all of `ui`.
    pub fn ui(&mut self, ui: &mut Ui, view: View<'_>, waiting: &Waiting) -> Option<UiCommand> {
        let code = waiting.code.to_string();
        let by_server = waiting.reach.iter().find_map(|reach| match reach {
            Reach::Server { link, .. } => link.clone(),
            Reach::LocalNetwork { .. } | Reach::Unreachable { .. } => None,
        });
        // The server inside this app serves apps, not browsers: its link is for pasting, not for a phone's camera.
        self.qr.update(by_server.as_deref().unwrap_or(&code));
        let link = by_server.or_else(|| local_link(waiting));
        let now = Situation { code: Some(code.clone()), link, ..Situation::of(view.state) };
        let area = ui.max_rect().shrink(space::XL);
        let notice = if waiting.notice.is_some() { 32.0 } else { 0.0 };
        // Six words take two lines.
        let notice = notice + if waiting.code.is_lasting() { SECOND_LINE } else { 0.0 };
        let picture =
            (area.height() - AROUND_PICTURES - notice).min((area.width() - space::L) * 0.36).clamp(96.0, 330.0);
        centred_column(ui, "waiting", area, Align::Center, |ui| self.contents(ui, view, waiting, &now, picture))
    }

    fn contents(
        &mut self,
        ui: &mut Ui,
        view: View<'_>,
        waiting: &Waiting,
        now: &Situation,
        picture: f32,
    ) -> Option<UiCommand> {
        let palette = Palette::of(ui);
        ui.spacing_mut().item_spacing.y = space::M;
        if let Some(notice) = &waiting.notice {
            let said = ui.label(text(notice, Type::Small).color(palette.warning));
            announce(ui, &said);
        }
        let lasting = waiting.code.is_lasting();
        let title = match lasting {
            true => "Your room: whoever has these six words may ask to be let in",
            false => "Read these four words to the other person",
        };
        ui.label(text(title, Type::Heading).color(palette.weak));
        ui.add(Label::new(code_job(&waiting.code.words(), palette)).selectable(true));
        let mut command = centred_row(ui, "copy", |ui| {
            let least = vec2(136.0, size::CONTROL);
            let code = control_button(ui, Control::CopyCode, now, Look::Plain, least);
            let link = control_button(ui, Control::CopyLink, now, Look::Plain, least).or(code);
            // One that is kept already is opened from the first screen.
            let offered = !lasting && view.settings.room.is_none();
            let kept = offered.then(|| control_button(ui, Control::Keep, now, Look::Plain, least)).flatten();
            kept.or(link)
        });
        ui.add_space(space::S);
        centred_row(ui, "pictures", |ui| {
            ui.spacing_mut().item_spacing.x = space::L;
            let (tile, _) = ui.allocate_exact_size(vec2(picture * 16.0 / 9.0, picture), Sense::hover());
            own_tile(ui, tile, view.own, view.state, view.settings);
            qr(ui, &self.qr, picture);
        });
        ui.add_space(space::XS);
        reach_ui(ui, &waiting.reach);
        ui.add_space(space::S);
        let cancelled = centred_row(ui, "cancel", |ui| {
            control_button(ui, Control::Cancel, now, Look::Plain, vec2(136.0, size::CONTROL))
        });
        command = cancelled.or(command);
        command
    }
}

/// Six words in one line would be wider than the window.
const MOST_IN_A_LINE: usize = 4;

/// The words in large type, hyphens in the background.
fn code_job(words: &[&str], palette: &Palette) -> LayoutJob {
    let line = if words.len() > MOST_IN_A_LINE { words.len().div_ceil(2) } else { words.len() };
    let format = |colour: Color32| TextFormat::simple(Type::Display.font(), colour);
    let mut job = LayoutJob { halign: Align::Center, ..LayoutJob::default() };
    for (i, word) in words.iter().enumerate() {
        job.append(word, 0.0, format(palette.text));
        if i + 1 < words.len() {
            let end = if (i + 1) % line == 0 { "-\n" } else { "-" };
            job.append(end, 0.0, format(palette.weak.gamma_multiply(0.6)));
        }
    }
    job
}

/// Who can find the room, a line each.
fn reach_ui(ui: &mut Ui, reach: &[Reach]) {
    ui.spacing_mut().item_spacing.y = space::XS;
    if reach.is_empty() {
        centred_row(ui, "opening", |ui| {
            let colour = Palette::of(ui).weak;
            ui.add(Spinner::new().size(14.0).color(colour));
            hint(ui, "Opening the room…");
        });
        return;
    }
    for (i, reach) in reach.iter().enumerate() {
        let (icon, words) = reach_words(reach);
        line(ui, i, icon, &words, matches!(reach, Reach::Unreachable { .. }));
    }
    if reach.iter().all(|reach| matches!(reach, Reach::LocalNetwork { .. })) {
        line(ui, reach.len(), Icon::Globe, "Over the Internet: name a server in the settings", false);
    }
}

fn line(ui: &mut Ui, number: usize, icon: Icon, words: &str, warn: bool) {
    let palette = Palette::of(ui);
    centred_row(ui, &format!("reach {number}"), |ui| {
        let (place, _) = ui.allocate_exact_size(Vec2::splat(16.0), Sense::hover());
        let place = Align2::CENTER_CENTER.align_size_within_rect(Vec2::splat(15.0), place);
        icon.paint(ui.painter(), place, if warn { palette.warning } else { palette.weak });
        let label = Label::new(text(words, Type::Small).color(palette.weak)).truncate();
        ui.add(label);
    });
}

/// A line about one way to find the room.
fn reach_words(reach: &Reach) -> (Icon, String) {
    match reach {
        Reach::LocalNetwork { addresses } if addresses.is_empty() => {
            (Icon::Network, "Found by anybody with the code on this machine".to_owned())
        }
        Reach::LocalNetwork { addresses } => {
            let shown = addresses.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(", ");
            (Icon::Network, format!("Found by anybody with the code in this network ({shown})"))
        }
        Reach::Server { host, .. } => (Icon::Globe, format!("Found by anybody with the code over {host}")),
        Reach::Unreachable { host, why } => (Icon::Warning, format!("{host} does not answer ({why}); still trying")),
    }
}
