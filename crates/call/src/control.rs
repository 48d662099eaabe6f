//! What two apps tell each other over the `control` data channel: JSON, one message a text frame.

use serde::{Deserialize, Serialize};

/// Longest name that is sent or shown.
pub(crate) const MAX_NAME: usize = 64;
/// Longest line of chat that is sent or shown.
const MAX_CHAT: usize = 2000;
/// Longest name of a host, with a port; DNS allows 253 letters.
const MAX_HOST: usize = 260;

/// A message. Unknown ones are ignored, so that newer apps can say more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum ControlMessage {
    /// Who I am, and what I send: first, and whenever it changes.
    Hello {
        /// May be empty.
        name: String,
        muted: bool,
        #[serde(rename = "videoOn")]
        video_on: bool,
        /// There is a camera that works; apps that do not say it have one.
        #[serde(rename = "hasCamera", default = "yes")]
        has_camera: bool,
        /// There is a picture, and my network is too slow for it; apps that do not say it send theirs.
        #[serde(rename = "soundOnly", default)]
        sound_only: bool,
        /// I am a page in a browser; apps say nothing about it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        guest: bool,
        /// …which came from this host; empty where nothing is said about it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        page: String,
    },
    /// A line of text.
    Chat { text: String },
    /// I hang up.
    Bye {
        /// And may be back in a moment: a page that is closed cannot know whether it is being loaded again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A measurement: to be sent back as a pong.
    Ping { id: u64 },
    /// The answer to a ping.
    Pong { id: u64 },
    /// What I begin ICE anew with when this path breaks: an offer that is not to be answered now.
    Ahead {
        /// Which connection of the call it is about.
        #[serde(default)]
        connection: u32,
        sdp: String,
    },
    /// I hold yours of this ICE generation ready.
    AheadHeld { generation: String },
    /// From a newer app.
    #[serde(other)]
    Unknown,
}

impl ControlMessage {
    /// Reads a message and cleans its texts; `None` where it is not one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        Some(match serde_json::from_str(text).ok()? {
            Self::Hello { name, muted, video_on, has_camera, sound_only, guest, page } => {
                let (name, page) = (clean(&name, MAX_NAME), host(page));
                Self::Hello { name, muted, video_on, has_camera, sound_only, guest, page }
            }
            Self::Chat { text } => Self::Chat { text: clean(&text, MAX_CHAT) },
            other => other,
        })
    }

    /// As it is sent.
    pub(crate) fn write(&self) -> String {
        let cleaned = match self {
            Self::Hello { name, muted, video_on, has_camera, sound_only, guest, page } => Self::Hello {
                name: clean(name, MAX_NAME),
                muted: *muted,
                video_on: *video_on,
                has_camera: *has_camera,
                sound_only: *sound_only,
                guest: *guest,
                page: page.clone(),
            },
            Self::Chat { text } => Self::Chat { text: clean(text, MAX_CHAT) },
            other => other.clone(),
        };
        serde_json::to_string(&cleaned).expect("strings and numbers always serialize")
    }
}

/// A host, perhaps with a port, as browsers write them; empty where it is none.
fn host(text: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if text.len() <= MAX_HOST && text.chars().all(plain) { text } else { String::new() }
}

fn yes() -> bool {
    true
}

/// Without control and direction-changing characters, which could forge what stands beside them; cut to `limit`.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let bidi = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}');
    text.chars().filter(|c| !c.is_control() && !bidi(*c)).take(limit).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_lose_control_characters_and_length() {
        let name = format!("A\u{202e}nn\n{}", "x".repeat(200));
        let hello = ControlMessage::Hello {
            name,
            muted: true,
            video_on: false,
            has_camera: false,
            sound_only: true,
            guest: true,
            page: "calls.example:8443".to_owned(),
        };
        let Some(ControlMessage::Hello { name, muted, video_on, has_camera, sound_only, guest, page }) =
            ControlMessage::read(&hello.write())
        else {
            panic!("a hello")
        };
        assert!(name.starts_with("Annxx") && name.chars().count() == MAX_NAME);
        assert!(muted && !video_on && !has_camera && sound_only && guest);
        assert_eq!(page, "calls.example:8443");
    }

    #[test]
    fn what_is_no_host_is_not_taken_for_where_a_page_comes_from() {
        let says = |page: &str| {
            let hello = serde_json::json!({"type": "hello", "name": "", "muted": false, "videoOn": true, "page": page});
            match ControlMessage::read(&hello.to_string()) {
                Some(ControlMessage::Hello { page, .. }) => page,
                other => panic!("{other:?}"),
            }
        };
        for host in ["calls.example", "[2001:db8::1]:443", "xn--bcher-kva.example", ""] {
            assert_eq!(says(host), host);
        }
        for trick in ["calls.example, verified", "bücher.example", "a/b", "\u{202e}elpmaxe", &"a".repeat(261)] {
            assert_eq!(says(trick), "", "{trick}");
        }
    }

    #[test]
    fn an_app_that_says_nothing_about_its_camera_and_network_has_one_and_sends_its_picture() {
        let old = r#"{"type":"hello","name":"Ann","muted":false,"videoOn":false}"#;
        let read = ControlMessage::read(old);
        assert!(matches!(read, Some(ControlMessage::Hello { has_camera: true, sound_only: false, .. })), "{read:?}");
    }

    #[test]
    fn who_says_nothing_about_it_is_no_guest_and_does_not_come_back() {
        let read = ControlMessage::read(r#"{"type":"hello","name":"","muted":false,"videoOn":true}"#);
        assert!(matches!(read, Some(ControlMessage::Hello { guest: false, .. })), "{read:?}");
        assert_eq!(ControlMessage::read(r#"{"type":"bye"}"#), Some(ControlMessage::Bye { again: false }));
        assert_eq!(ControlMessage::read(r#"{"type":"bye","again":true}"#), Some(ControlMessage::Bye { again: true }));
        // As older apps and pages know it.
        assert_eq!(ControlMessage::Bye { again: false }.write(), r#"{"type":"bye"}"#);
    }

    #[test]
    fn messages_of_newer_apps_are_known_as_such() {
        assert_eq!(ControlMessage::read(r#"{"type":"wave","hand":1}"#), Some(ControlMessage::Unknown));
        assert_eq!(ControlMessage::read("[]"), None);
    }

    proptest! {
        #[test]
        fn anything_received_is_read_or_refused(text in "\\PC*") {
            let _ = ControlMessage::read(&text);
        }

        #[test]
        fn chat_reads_back(text in "[a-zA-Z0-9äöü ]{0,50}") {
            let read = ControlMessage::read(&ControlMessage::Chat { text: text.clone() }.write());
            prop_assert_eq!(read, Some(ControlMessage::Chat { text: text.trim().to_owned() }));
        }
    }
}
