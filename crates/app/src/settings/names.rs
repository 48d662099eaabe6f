//! A chosen sound device is known again by its name where its id has changed: in another socket, after an update.
//!
//! A name that two devices had at once tells neither from the other: by it none is known again, as the other one would
//! be remembered for good while the chosen one is only unplugged.

use super::{Change, Settings};
use visavis_capture::{DeviceInfo, DeviceLists, MicrophoneSpec, SpeakerSpec};

/// What is to be remembered of the devices that are there now; `None` where nothing is new.
pub fn known_again(settings: &Settings, devices: &DeviceLists) -> Option<Change> {
    let twins = &settings.twin_names;
    if let MicrophoneSpec::Device(chosen) = &settings.microphone {
        match look(chosen, &settings.microphone_name, twins, &devices.microphones) {
            Some(Seen::Called(name)) => return Some(Change::MicrophoneName(name)),
            Some(Seen::Twice(name)) => return Some(Change::TwinName(name)),
            Some(Seen::As(id)) => return Some(Change::Microphone(MicrophoneSpec::Device(id))),
            None => {}
        }
    }
    let SpeakerSpec::Device(chosen) = &settings.speaker else { return None };
    match look(chosen, &settings.speaker_name, twins, &devices.speakers)? {
        Seen::Called(name) => Some(Change::SpeakerName(name)),
        Seen::Twice(name) => Some(Change::TwinName(name)),
        Seen::As(id) => Some(Change::Speaker(SpeakerSpec::Device(id))),
    }
}

enum Seen {
    /// It is there, and its name is not remembered yet.
    Called(String),
    /// Two devices have its name.
    Twice(String),
    /// It is there under another id.
    As(String),
}

fn look(chosen: &str, name: &str, twins: &[String], devices: &[DeviceInfo]) -> Option<Seen> {
    let ambiguous = twins.iter().any(|twin| twin == name);
    if !ambiguous && !name.is_empty() && devices.iter().filter(|device| device.name == name).count() > 1 {
        return Some(Seen::Twice(name.to_owned()));
    }
    if let Some(there) = devices.iter().find(|device| device.id == chosen) {
        return (there.name != name).then(|| Seen::Called(there.name.clone()));
    }
    // Some people write a name in the place of an id: that needs no help.
    let named = |device: &&DeviceInfo| !name.is_empty() && device.name == name && device.name != chosen;
    devices.iter().find(named).filter(|_| !ambiguous).map(|there| Seen::As(there.id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn headset(id: &str) -> DeviceInfo {
        DeviceInfo { id: id.into(), name: "Jabra Evolve 65".into(), default: false }
    }

    /// Looks until nothing is new.
    fn sees(settings: &mut Settings, devices: &DeviceLists) -> usize {
        let mut changes = 0;
        while let Some(change) = known_again(settings, devices) {
            settings.apply(change);
            changes += 1;
            assert!(changes < 9, "it comes to rest");
        }
        changes
    }

    #[test]
    fn a_chosen_device_is_known_again_by_its_name_where_its_id_has_changed() {
        let mut settings = sample::settings();
        let chosen = MicrophoneSpec::Device("a:old".into());
        settings.apply(Change::Headset {
            microphone: Some(chosen.clone()),
            speaker: Some(SpeakerSpec::Device("a:old".into())),
        });
        let mut devices = sample::devices();
        assert_eq!(sees(&mut settings, &devices), 0, "it is not there");
        devices.microphones.push(headset("a:old"));
        devices.speakers.push(headset("a:old"));
        assert_eq!(sees(&mut settings, &devices), 2, "its names are remembered");
        assert_eq!(sees(&mut settings, &sample::devices()), 0);
        assert_eq!(settings.microphone, chosen, "it stays chosen while it is gone");
        let mut devices = sample::devices();
        devices.microphones.push(headset("a:new"));
        devices.speakers.push(headset("a:new"));
        assert_eq!(sees(&mut settings, &devices), 4, "under the new ids, and called as before");
        assert_eq!(settings.microphone, MicrophoneSpec::Device("a:new".into()));
        assert_eq!(settings.speaker, SpeakerSpec::Device("a:new".into()));
    }

    #[test]
    fn one_of_two_alike_stays_chosen_while_it_is_unplugged_also_after_the_next_start() {
        let mut settings = sample::settings();
        settings.apply(Change::Microphone(MicrophoneSpec::Device("a:1".into())));
        let with = |ids: &[&str]| {
            let mut devices = sample::devices();
            devices.microphones.extend(ids.iter().map(|id| headset(id)));
            devices
        };
        sees(&mut settings, &with(&["a:1", "a:2"]));
        let text = serde_json::to_string(&settings).expect("written");
        let mut settings: Settings = serde_json::from_str(&text).expect("read");
        for there in [&["a:2"][..], &["a:1"], &["a:3"], &["a:1", "a:2"], &["a:2"]] {
            assert_eq!(sees(&mut settings, &with(there)), 0, "{there:?}");
        }
        assert_eq!(settings.microphone, MicrophoneSpec::Device("a:1".into()));
    }

    #[test]
    fn the_id_counts_before_the_name_and_another_choice_forgets_the_name() {
        let mut settings = sample::settings();
        settings.apply(Change::Microphone(MicrophoneSpec::Device("a:2".into())));
        let mut devices = sample::devices();
        devices.microphones.extend([headset("a:1"), headset("a:2")]);
        sees(&mut settings, &devices);
        assert_eq!(settings.microphone, MicrophoneSpec::Device("a:2".into()));
        settings.apply(Change::Microphone(MicrophoneSpec::Device("a:gone".into())));
        assert_eq!(sees(&mut settings, &devices), 0);
        settings.apply(Change::Microphone(MicrophoneSpec::Default));
        assert_eq!(sees(&mut settings, &devices), 0);
    }
}
