//! What keeps people and places out of texts that others wrote: device names, words of drivers.

use crate::settings::Settings;
use visavis_call::{Phase, State};
use visavis_signaling::RoomCode;

/// What stands where something was left out.
const GAP: &str = "…";
/// Shorter parts of names would blot out half of every text.
const SHORTEST: usize = 3;
/// Characters that are kept of a text of others.
const LONGEST: usize = 120;

/// Knows who is in the call and what this machine's devices are called.
#[derive(Debug, Default)]
pub struct Mask {
    /// In lower case.
    hidden: Vec<String>,
    devices: Vec<String>,
}

impl Mask {
    /// Hides both people's names, the name of the account, the code, and the hosts in the settings.
    pub fn new(state: &State, settings: &Settings) -> Self {
        let mut texts = vec![settings.name.clone()];
        match &state.phase {
            Phase::Home => {}
            Phase::Waiting(waiting) => {
                texts.push(waiting.code.to_string());
                texts.extend(waiting.asks.iter().map(|asks| asks.name.clone()));
            }
            Phase::Joining { code, .. } | Phase::Connecting { code, .. } => texts.push(code.to_string()),
            Phase::Outside { code, owner, .. } => texts.extend([code.to_string(), owner.clone()]),
            Phase::InCall(call) => texts.push(call.peer.name.clone()),
            Phase::Ended(ended) => texts.push(ended.peer_name.clone()),
        }
        texts.extend(settings.room.iter().map(RoomCode::to_string));
        texts.extend(settings.servers.iter().cloned());
        for server in &settings.ice_servers {
            texts.extend(server.urls.iter().cloned());
            texts.extend([server.username.clone(), server.credential.clone()]);
        }
        texts.extend(["USER", "USERNAME", "LOGNAME"].into_iter().filter_map(|variable| std::env::var(variable).ok()));
        let lists = &state.devices;
        let devices = [&lists.cameras, &lists.microphones, &lists.speakers].into_iter().flatten();
        Self::of(&texts, devices.map(|device| device.name.clone()).collect())
    }

    fn of(texts: &[String], devices: Vec<String>) -> Self {
        let parts = texts.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let hidden = parts.filter(|part| part.chars().count() >= SHORTEST).map(str::to_lowercase).collect();
        Self { hidden, devices }
    }

    /// A device's name, where it is one of this machine's: a file that stands in for one may be called anything.
    pub fn device(&self, name: &str) -> String {
        if self.devices.iter().any(|device| device == name) { self.clean(name) } else { "a stand-in".into() }
    }

    /// A text of others without names, addresses, paths, and what ends like somebody's: "Ada's".
    pub fn clean(&self, text: &str) -> String {
        let text: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.split(' ').map(|word| if self.hides(word) { GAP } else { word }).collect::<Vec<_>>().join(" ")
    }

    fn hides(&self, word: &str) -> bool {
        let lower = word.to_lowercase();
        let named = lower.split(|c: char| !c.is_alphanumeric()).any(|part| self.hidden.iter().any(|name| name == part));
        let owned =
            ["'s", "’s"].iter().any(|end| lower.trim_end_matches(|c: char| c.is_ascii_punctuation()).ends_with(end));
        let place = word.contains(['\\', '@']) || word.matches(':').count() > 1 || is_ipv4(word) || is_path(word);
        named || owned || place
    }
}

/// Whether a slash does more than join two words, as in "GNU/Linux".
fn is_path(word: &str) -> bool {
    let mut parts = word.split('/');
    let joins =
        |part: Option<&str>, end: fn(&str) -> Option<char>| part.and_then(end).is_some_and(char::is_alphanumeric);
    match word.matches('/').count() {
        0 => false,
        1 => !(joins(parts.next(), |part| part.chars().last()) && joins(parts.next(), |part| part.chars().next())),
        _ => true,
    }
}

/// Whether four numbers joined by dots stand in a word.
fn is_ipv4(word: &str) -> bool {
    let numbers = word.split(|c: char| !c.is_ascii_digit() && c != '.');
    numbers.into_iter().any(|part| part.split('.').filter(|number| !number.is_empty()).count() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        Mask::of(&["Ada Lovelace".into(), "wss://calls.example".into()], vec!["Ada's AirPods Pro".into()])
    }

    #[test]
    fn people_and_hosts_are_left_out_and_products_stay() {
        assert_eq!(mask().device("Ada's AirPods Pro"), "… AirPods Pro");
        assert_eq!(mask().clean("AirPods von LOVELACE (2)"), "AirPods von … (2)");
        assert_eq!(mask().clean("Grace’s Headset"), "… Headset");
        assert_eq!(mask().clean("calls.example:443 refused"), "… refused");
        assert_eq!(mask().clean("HD Webcam C920, USB 2.0 at 30.5 fps"), "HD Webcam C920, USB 2.0 at 30.5 fps");
        assert_eq!(mask().clean("Debian GNU/Linux 12"), "Debian GNU/Linux 12");
    }

    #[test]
    fn addresses_and_paths_are_left_out() {
        for word in [
            "192.0.2.7",
            "192.0.2.7:7460",
            "(10.0.0.1)",
            "fe80::1",
            "2001:db8::7",
            "/home/ada/film.y4m",
            "/film.y4m",
            "~/film.y4m",
            "C:\\x",
            "a@b",
        ] {
            assert_eq!(mask().clean(&format!("open {word} failed")), "open … failed");
        }
        assert_eq!(mask().device("film.y4m"), "a stand-in");
    }

    #[test]
    fn a_text_of_others_stays_short_and_on_one_line() {
        let cleaned = mask().clean(&format!("a\nb\u{1b}{}", "x".repeat(10_000)));
        assert!(cleaned.chars().count() <= LONGEST && !cleaned.contains(char::is_control));
    }
}
