//! Which devices there are, and which one a name means.

use crate::{DeviceError, camera, sound::host};

/// A device to choose from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceInfo {
    /// What to store and to give to a spec; stays the same while the device is plugged in, mostly also afterwards.
    pub id: String,
    /// Its name, for reading.
    pub name: String,
    /// The system takes it when none is named.
    pub default: bool,
}

/// All devices to choose from; stand-ins are not listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeviceLists {
    /// Cameras.
    pub cameras: Vec<DeviceInfo>,
    /// Microphones.
    pub microphones: Vec<DeviceInfo>,
    /// Loudspeakers.
    pub speakers: Vec<DeviceInfo>,
}

/// Lists what is plugged in now; what is missing (no sound server, no camera) gives an empty list.
///
/// May block for seconds where a sound server hangs: not for a thread that draws. No platform reports all changes, so
/// ask about once a second and compare; an unplugged Pulse device shows in no other way.
pub fn list_devices() -> DeviceLists {
    DeviceLists {
        cameras: camera::list(),
        microphones: host::list(host::Direction::Input),
        speakers: host::list(host::Direction::Output),
    }
}

/// The place of the device that `wanted` means: an id, else a name, else a part of just one name, case ignored.
pub(crate) fn pick<'a>(
    devices: &(impl Iterator<Item = &'a DeviceInfo> + Clone),
    wanted: &str,
) -> Result<usize, DeviceError> {
    let exact = |same: &dyn Fn(&DeviceInfo) -> bool| devices.clone().position(same);
    if let Some(at) = exact(&|d| d.id == wanted).or_else(|| exact(&|d| d.name == wanted)) {
        return Ok(at);
    }
    let part = wanted.to_lowercase();
    let fits = |d: &DeviceInfo| d.name.to_lowercase().contains(&part) || d.id.to_lowercase().contains(&part);
    let mut fitting = devices.clone().enumerate().filter(|(_, d)| fits(d));
    match (fitting.next(), fitting.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some((_, a)), Some((_, b))) => {
            Err(DeviceError::Other(format!("`{wanted}` may mean {} or {}: give more of the name", a.name, b.name)))
        }
        (None, _) => Err(DeviceError::NotFound { wanted: wanted.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices() -> Vec<DeviceInfo> {
        [("a:1", "HD Webcam"), ("a:2", "HD Webcam Pro"), ("a:3", "Headset")]
            .map(|(id, name)| DeviceInfo { id: id.to_owned(), name: name.to_owned(), default: false })
            .to_vec()
    }

    #[test]
    fn ids_names_and_unique_parts_find_a_device() {
        let all = devices();
        for (wanted, at) in [("a:2", 1), ("HD Webcam", 0), ("head", 2), ("PRO", 1), ("a:3", 2)] {
            assert_eq!(pick(&all.iter(), wanted), Ok(at), "{wanted}");
        }
    }

    #[test]
    fn what_fits_none_or_several_is_refused() {
        let all = devices();
        assert_eq!(pick(&all.iter(), "usb"), Err(DeviceError::NotFound { wanted: "usb".to_owned() }));
        assert!(matches!(pick(&all.iter(), "webcam"), Err(DeviceError::Other(why)) if why.contains("Pro")));
    }
}
