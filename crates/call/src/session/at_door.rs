//! What is said at the door of a lasting room, as it is sealed: JSON in the place of a description.

use crate::control::{MAX_NAME, clean};
use serde::{Deserialize, Serialize};

/// What is said at the door of a lasting room (see [`super::door`]), or the description that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AtDoor {
    /// The owner's side, in `offer`: wait until you are let in.
    Hold(Who),
    /// The caller's, in `answer`: here I am.
    Knock(Who),
    /// The owner's side, in `offer`: you are not let in.
    Refused(Refusal),
    /// The owner's side, in `offer`: come in.
    Description(String),
}

/// Who somebody says they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    /// May be empty.
    #[serde(default)]
    pub name: String,
    /// A page in a browser.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
}

impl Who {
    fn cleaned(self) -> Self {
        Self { name: clean(&self.name, MAX_NAME), ..self }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Refusal {
    /// Nobody answered in time.
    Unanswered,
    /// Somebody else is at the door or in the call.
    Busy,
    /// Nobody is asked about for a moment, as somebody was just not let in. Older apps take it for `Declined`.
    Quiet,
    /// The owner does not want to; also what newer apps may say instead.
    #[serde(other)]
    Declined,
}

/// The same as it is sealed: one of the three. Anything else beside them is of newer apps.
#[derive(Default, Serialize, Deserialize)]
struct DoorBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Who>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    knock: Option<Who>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refusal>,
}

impl AtDoor {
    /// `None` where it is something else, most likely a description.
    pub(super) fn read(plain: &[u8]) -> Option<Self> {
        let DoorBody { hold, knock, refused } = serde_json::from_slice(plain).ok()?;
        let hold = hold.map(Who::cleaned).map(Self::Hold);
        hold.or(knock.map(Who::cleaned).map(Self::Knock)).or(refused.map(Self::Refused))
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let body = match self {
            Self::Hold(who) => DoorBody { hold: Some(who.clone().cleaned()), ..DoorBody::default() },
            Self::Knock(who) => DoorBody { knock: Some(who.clone().cleaned()), ..DoorBody::default() },
            Self::Refused(why) => DoorBody { refused: Some(*why), ..DoorBody::default() },
            // Descriptions are made by `Talk::describe`.
            Self::Description(_) => DoorBody::default(),
        };
        serde_json::to_vec(&body).expect("strings serialize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_reads_as_it_was_meant_and_as_the_vectors_have_it() {
        let who = |name: &str, guest| Who { name: name.into(), guest };
        for (said, text) in [
            (AtDoor::Hold(who("Bob", false)), r#"{"hold":{"name":"Bob"}}"#),
            (AtDoor::Knock(who("Ada", true)), r#"{"knock":{"name":"Ada","guest":true}}"#),
            (AtDoor::Refused(Refusal::Declined), r#"{"refused":"declined"}"#),
            (AtDoor::Refused(Refusal::Unanswered), r#"{"refused":"unanswered"}"#),
            (AtDoor::Refused(Refusal::Busy), r#"{"refused":"busy"}"#),
            (AtDoor::Refused(Refusal::Quiet), r#"{"refused":"quiet"}"#),
        ] {
            assert_eq!(String::from_utf8_lossy(&said.write()), text);
            assert_eq!(AtDoor::read(text.as_bytes()), Some(said));
        }
    }

    #[test]
    fn what_newer_apps_say_is_understood_as_far_as_it_goes() {
        assert_eq!(AtDoor::read(br#"{"refused":"on holiday"}"#), Some(AtDoor::Refused(Refusal::Declined)));
        let knock = br#"{"knock":{"name":"Ada","colour":"red"},"weather":1}"#;
        assert_eq!(AtDoor::read(knock), Some(AtDoor::Knock(Who { name: "Ada".into(), guest: false })));
        for none in [r#"{"sdp":"v=0"}"#, "{}", "[]", "", r#"{"hold":7}"#, r#"{"hold":null}"#] {
            assert_eq!(AtDoor::read(none.as_bytes()), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn names_are_bounded_and_clean_whatever_comes(name in "\\PC{0,300}|[\u{202a}-\u{202e}\n\t]{0,100}", guest: bool) {
            let body = serde_json::json!({"knock": {"name": name, "guest": guest}}).to_string();
            let Some(AtDoor::Knock(who)) = AtDoor::read(body.as_bytes()) else { panic!("a knock") };
            prop_assert!(who.name.chars().count() <= MAX_NAME && !who.name.contains(char::is_control));
            prop_assert_eq!(AtDoor::read(&AtDoor::Knock(who.clone()).write()), Some(AtDoor::Knock(who)));
        }

        #[test]
        fn anything_is_read_or_refused(text in "\\PC{0,80}|\\{\"(hold|knock|refused)\":[\\[\\]{}\":a-z0-9,]{0,30}") {
            let _ = AtDoor::read(text.as_bytes());
        }
    }
}
