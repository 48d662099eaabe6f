//! What a device's id and name tell of the thing that it is a part of; pure.
//!
//! No host says which microphone and which loudspeaker are one headset, and hardly one how it is connected. But ids are
//! made of the card's path or the Bluetooth address, and names of the product's.

use crate::DeviceInfo;

/// What a name has where the system calls the hands-free profile of a Bluetooth headset a device of its own.
const BLUETOOTH_WORDS: [&str; 4] = ["bluetooth", "hands-free", "hands free", "handsfree"];
/// Loudspeakers of screens: they come with every monitor, and nobody thinks of them as plugged in.
const SCREEN_WORDS: [&str; 2] = ["hdmi", "displayport"];

/// Whether it is connected by Bluetooth, as far as id and name tell.
pub(crate) fn is_bluetooth(device: &DeviceInfo) -> bool {
    let (host, id) = halves(&device.id);
    let addressed = host == "coreaudio" && bluetooth_address(id);
    id.starts_with("bluez_") || addressed || says(&device.name, &BLUETOOTH_WORDS)
}

/// Whether it is the loudspeaker of a screen.
pub(crate) fn is_screen(device: &DeviceInfo) -> bool {
    says(&device.name, &SCREEN_WORDS) || says(&device.id, &SCREEN_WORDS)
}

/// Whether both are parts of one thing, such as the microphone and the loudspeaker of a headset, or one of them under
/// two profiles.
pub(crate) fn same_thing(a: &DeviceInfo, b: &DeviceInfo) -> bool {
    let ((a_host, a_id), (b_host, b_id)) = (halves(&a.id), halves(&b.id));
    if a_host != b_host {
        return false;
    }
    match (card(a_host, a_id), card(b_host, b_id)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.name == b.name || product(&a.name).is_some_and(|a| product(&b.name) == Some(a)),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// What to call the thing that these are parts of: what their names have in common, without what the system adds for
/// each direction ("Analog Stereo").
pub(crate) fn thing_name(a: &str, b: Option<&str>) -> String {
    let Some(b) = b else { return product(a).unwrap_or(a).to_owned() };
    if let Some(both) = product(a).filter(|product_a| product(b) == Some(product_a)) {
        return both.to_owned();
    }
    let common = a.split_whitespace().zip(b.split_whitespace()).take_while(|(a, b)| a == b).map(|(word, _)| word);
    let common = common.collect::<Vec<_>>().join(" ");
    if common.is_empty() { a.to_owned() } else { common }
}

fn halves(id: &str) -> (&str, &str) {
    id.split_once(':').unwrap_or(("", id))
}

fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// The part of an id that all devices of one card have.
fn card(host: &str, id: &str) -> Option<String> {
    let after = |prefixes: &[&str]| prefixes.iter().find_map(|prefix| id.strip_prefix(prefix));
    if let Some(rest) = after(&["bluez_source.", "bluez_sink.", "bluez_input.", "bluez_output."]) {
        // The address, which is written in two ways.
        return rest.split('.').next().map(|address| address.replace([':', '-'], "_"));
    }
    if let Some(rest) = after(&["alsa_input.", "alsa_output."]) {
        // The path of the card, the profile, and a number where there would be two of the same name.
        let (path, last) = rest.rsplit_once('.')?;
        let path = if last.bytes().all(|b| b.is_ascii_digit()) { path.rsplit_once('.')?.0 } else { path };
        return Some(path.to_owned());
    }
    match host {
        "alsa" => id.split_once("CARD=").map(|(_, rest)| rest.split(',').next().unwrap_or(rest).to_owned()),
        "coreaudio" if bluetooth_address(id) => id.get(..ADDRESS).map(str::to_owned),
        // "AppleUSBAudioEngine:Maker:Product:Place:1,2": the interfaces come last.
        "coreaudio" => {
            let (path, last) = id.rsplit_once(':')?;
            last.bytes().all(|b| b.is_ascii_digit() || b == b',').then(|| path.to_owned())
        }
        _ => None,
    }
}

/// Length of an address such as "A0-B1-C2-D3-E4-F5".
const ADDRESS: usize = 17;

fn bluetooth_address(id: &str) -> bool {
    let digit = |(i, b): (usize, u8)| if i % 3 == 2 { matches!(b, b'-' | b':' | b'_') } else { b.is_ascii_hexdigit() };
    id.len() >= ADDRESS && id.bytes().take(ADDRESS).enumerate().all(digit)
}

/// "Jabra Evolve 65" of "Headset Microphone (Jabra Evolve 65)": so Windows calls devices.
fn product(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once('(')?;
    rest.strip_suffix(')').filter(|product| !product.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn device(id: &str, name: &str) -> DeviceInfo {
        DeviceInfo { id: id.to_owned(), name: name.to_owned(), default: false }
    }

    fn same(a: &str, b: &str) -> bool {
        same_thing(&device(a, "A"), &device(b, "B"))
    }

    #[test]
    fn bluetooth_is_told_by_id_or_name() {
        for id in ["pulseaudio:bluez_source.AA_BB_CC_DD_EE_FF.handsfree_head_unit", "coreaudio:A0-B1-C2-D3-E4-F5:input"]
        {
            assert!(is_bluetooth(&device(id, "WH-1000XM4")), "{id}");
        }
        assert!(is_bluetooth(&device("wasapi:{0.0.1}", "Headset (WH-1000XM4 Hands-Free AG Audio)")));
        for id in ["pulseaudio:alsa_input.usb-Jabra-00.mono-fallback", "alsa:default", "coreaudio:BuiltInMicrophone"] {
            assert!(!is_bluetooth(&device(id, "Headset")), "{id}");
        }
    }

    #[test]
    fn the_parts_of_a_card_belong_together_and_those_of_another_do_not() {
        for (a, b) in [
            ("pulseaudio:alsa_input.usb-Jabra-00.mono-fallback", "pulseaudio:alsa_output.usb-Jabra-00.analog-stereo"),
            ("pulseaudio:alsa_input.usb-J-00.2.mono-fallback", "pulseaudio:alsa_output.usb-J-00.2.analog-stereo.2"),
            ("pulseaudio:bluez_source.A_B.hfp", "pulseaudio:bluez_sink.A_B.a2dp_sink"),
            ("pulseaudio:bluez_input.A:B", "pulseaudio:bluez_output.A_B.1"),
            ("alsa:plughw:CARD=Headset,DEV=0", "alsa:plughw:CARD=Headset,DEV=1"),
            ("coreaudio:A0-B1-C2-D3-E4-F5:input", "coreaudio:A0-B1-C2-D3-E4-F5:output"),
            ("coreaudio:AppleUSBAudioEngine:Maker:Thing:14100:1", "coreaudio:AppleUSBAudioEngine:Maker:Thing:14100:2"),
        ] {
            assert!(same(a, b), "{a} and {b}");
        }
        for (a, b) in [
            ("pulseaudio:alsa_input.usb-Jabra-00.mono-fallback", "pulseaudio:alsa_output.pci-0000.analog-stereo"),
            ("pulseaudio:bluez_source.A_B.hfp", "pulseaudio:bluez_sink.A_C.a2dp_sink"),
            ("alsa:plughw:CARD=PCH,DEV=0", "alsa:plughw:CARD=Headset,DEV=0"),
            ("pulseaudio:mic", "pulseaudio:alsa_input.usb-Jabra-00.mono-fallback"),
            ("alsa:default", "pulseaudio:default"),
        ] {
            assert!(!same(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn where_ids_tell_nothing_names_do() {
        let part = |name| device(&format!("wasapi:{{{name}}}"), name);
        assert!(same_thing(&part("Headset Microphone (Jabra)"), &part("Headset Earphone (Jabra)")));
        assert!(!same_thing(&part("Headset Microphone (Jabra)"), &part("Speakers (Realtek)")));
        assert!(same_thing(&device("pulseaudio:x", "Mixer"), &device("pulseaudio:y", "Mixer")));
    }

    #[test]
    fn a_thing_is_called_by_what_its_parts_have_in_common() {
        assert_eq!(thing_name("Jabra 65 Mono", Some("Jabra 65 Analog Stereo")), "Jabra 65");
        assert_eq!(thing_name("Headset Microphone (Jabra)", Some("Headset Earphone (Jabra)")), "Jabra");
        assert_eq!(thing_name("Jabra 65 Mono", None), "Jabra 65 Mono");
        assert_eq!(thing_name("Mono", Some("Stereo")), "Mono");
    }

    proptest! {
        #[test]
        fn whatever_a_driver_calls_its_devices_it_is_the_same_as_itself(
            host in "(pulseaudio|alsa|coreaudio|wasapi)?:?", id in any::<String>(), name in any::<String>(),
        ) {
            let device = device(&format!("{host}{id}"), &name);
            prop_assert!(same_thing(&device, &device));
            let _ = (is_bluetooth(&device), is_screen(&device), thing_name(&name, Some(&id)));
        }
    }
}
