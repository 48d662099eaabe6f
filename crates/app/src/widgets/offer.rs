//! The word about a headset that was plugged in, with the two answers to it.

use super::{Look, Notice, Round, banner, button, notice, round};
use crate::command::UiCommand;
use crate::icons::Icon;
use crate::settings::Change;
use crate::theme::{size, space};
use egui::{Align, Layout, Pos2, Rect, Ui, UiBuilder, pos2, vec2};
use visavis_call::{Command, DeviceOffer};
use visavis_capture::{MicrophoneSpec, SpeakerSpec};

const USE: &str = "Use it";
const NOT_NOW: &str = "Not now";
/// Width of the button that takes it, beside a banner.
const TAKE_WIDTH: f32 = 92.0;

/// An offer as a card across the width that there is: for screens that make room for it.
pub fn offer_card(ui: &mut Ui, offer: &DeviceOffer) -> Option<UiCommand> {
    let pressed = notice(ui, Notice { icon: Icon::Headset, words: &words(offer), buttons: &[USE, NOT_NOW] })?;
    Some(if pressed == 0 { taken(offer) } else { Command::DismissOffer.into() })
}

/// An offer over a picture, its top edge centred at `top`, at most as wide as `most`; where it lies, and the answer.
pub fn offer_over(ui: &mut Ui, top: Pos2, offer: &DeviceOffer, most: f32) -> (Rect, Option<UiCommand>) {
    let beside = space::S + TAKE_WIDTH + space::XS + size::ROUND_SMALL;
    let said = banner(ui, top - vec2(beside / 2.0, 0.0), Icon::Headset, &words(offer), most - beside);
    let place = Rect::from_min_size(
        pos2(said.right() + space::S, said.center().y - size::ROUND_SMALL / 2.0),
        vec2(beside - space::S, size::ROUND_SMALL),
    );
    let layout = Layout::left_to_right(Align::Center);
    let mut inside = ui.new_child(UiBuilder::new().id_salt("offer").max_rect(place).layout(layout));
    inside.spacing_mut().item_spacing.x = space::XS;
    let take = button(&mut inside, None, USE, Look::Primary, vec2(TAKE_WIDTH, size::ROUND_SMALL));
    let take = take.on_hover_text(explanation(offer)).clicked();
    let diameter = size::ROUND_SMALL;
    let away = round(&mut inside, Round { icon: Icon::Close, label: NOT_NOW, look: Look::Plain, diameter, on: None });
    let answer = match (take, away.on_hover_text("It can be chosen under Devices").clicked()) {
        (true, _) => Some(taken(offer)),
        (false, true) => Some(Command::DismissOffer.into()),
        (false, false) => None,
    };
    (said.union(place), answer)
}

/// "Jabra Evolve 65 was connected", with a name that leaves room for the rest.
fn words(offer: &DeviceOffer) -> String {
    const MOST: usize = 40;
    match offer.name.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}… was connected", offer.name[..cut].trim_end()),
        None => format!("{} was connected", offer.name),
    }
}

fn explanation(offer: &DeviceOffer) -> &'static str {
    match (&offer.microphone, &offer.speaker) {
        (Some(_), None) => "Speak through it",
        (None, Some(_)) => "Listen through it; a microphone can be chosen under Devices",
        (Some(_), Some(_)) | (None, None) => "Speak and listen through it",
    }
}

fn taken(offer: &DeviceOffer) -> UiCommand {
    let microphone = offer.microphone.clone().map(MicrophoneSpec::Device);
    let speaker = offer.speaker.clone().map(SpeakerSpec::Device);
    Change::Headset { microphone, speaker }.into()
}
