//! Which microphone is meant where none is chosen: a rule without I/O.
//!
//! A Bluetooth headset plays music until somebody opens its microphone: then it falls back to the sound of a telephone,
//! for every program. Systems make it the default microphone when it connects all the same. So it is passed over where
//! there is another one, unless a person chose it in the app.

use crate::SoundDevices;

/// Remembers which microphone was the default before a headset took its place.
#[derive(Debug, Default)]
pub struct DefaultMicrophone {
    before: Option<String>,
}

impl DefaultMicrophone {
    /// Marks in a list of microphones, as the system gave it, the one to use by default.
    pub fn mark(&mut self, microphones: &mut SoundDevices) {
        let Some(standing) = microphones.default_device() else { return };
        if !microphones.is_bluetooth(standing) {
            self.before = Some(standing.id.clone());
            return;
        }
        let separate = |id: Option<&String>| {
            let mut others = microphones.offered.iter().filter(|device| !microphones.is_bluetooth(device));
            others.find(|device| id.is_none_or(|id| *id == device.id)).map(|device| device.id.clone())
        };
        let before = self.before.as_ref().and_then(|before| separate(Some(before)));
        if let Some(instead) = before.or_else(|| separate(None)) {
            microphones.passed_over = Some(standing.id.clone());
            microphones.offered.iter_mut().for_each(|device| device.default = device.id == instead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceInfo;

    const HEADSET: &str = "bluez_source.A_B.handsfree_head_unit*";

    /// Microphones by id, the system's default with a star; the one that is used by default.
    fn used(rule: &mut DefaultMicrophone, ids: &[&str]) -> Option<String> {
        let device = |id: &&str| DeviceInfo {
            id: format!("pulseaudio:{}", id.trim_end_matches('*')),
            name: "A microphone".to_owned(),
            default: id.ends_with('*'),
        };
        let mut list = SoundDevices { offered: ids.iter().map(device).collect(), ..SoundDevices::default() };
        rule.mark(&mut list);
        assert!(list.offered.iter().filter(|device| device.default).count() <= 1);
        list.default_device().map(|device| device.id["pulseaudio:".len()..].to_owned())
    }

    #[test]
    fn the_systems_default_is_used_and_followed() {
        let mut rule = DefaultMicrophone::default();
        assert_eq!(used(&mut rule, &["a", "b*"]).as_deref(), Some("b"));
        assert_eq!(used(&mut rule, &["a*", "b"]).as_deref(), Some("a"));
        assert_eq!(used(&mut rule, &[]), None);
    }

    #[test]
    fn a_bluetooth_headset_that_becomes_the_default_leaves_the_microphone_that_was_it() {
        let mut rule = DefaultMicrophone::default();
        used(&mut rule, &["a", "b*"]);
        assert_eq!(used(&mut rule, &["a", "b", HEADSET]).as_deref(), Some("b"));
        assert_eq!(used(&mut rule, &["a", HEADSET]).as_deref(), Some("a"), "that one is gone, another is there");
    }

    #[test]
    fn a_bluetooth_headset_is_used_where_it_has_the_only_microphone() {
        let mut rule = DefaultMicrophone::default();
        let headset = HEADSET.trim_end_matches('*');
        assert_eq!(used(&mut rule, &[HEADSET]).as_deref(), Some(headset));
        assert_eq!(used(&mut rule, &[HEADSET, "bluez_source.C_D.hfp"]).as_deref(), Some(headset));
    }

    #[test]
    fn a_headset_that_only_comes_first_in_the_list_is_passed_over_too() {
        let mut rule = DefaultMicrophone::default();
        assert_eq!(used(&mut rule, &["bluez_source.A_B.hfp", "a"]).as_deref(), Some("a"));
    }

    #[test]
    fn what_the_driver_says_counts_where_id_and_name_tell_nothing() {
        let device = |id: &str, default| DeviceInfo { id: id.into(), name: "Headset".into(), default };
        let mut list = SoundDevices {
            offered: vec![device("wasapi:1", true), device("wasapi:2", false)],
            wireless: vec!["wasapi:1".into()],
            ..SoundDevices::default()
        };
        DefaultMicrophone::default().mark(&mut list);
        assert_eq!(list.default_device().map(|device| device.id.as_str()), Some("wasapi:2"));
        assert!(list.is_systems_default("wasapi:1") && !list.is_systems_default("wasapi:2"));
    }
}
