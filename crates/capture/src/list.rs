//! Which devices there are, and which one a name means.

use crate::{DeviceError, camera, sound::hardware, sound::host};

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

impl DeviceInfo {
    /// Whether both are parts of one thing, such as microphone and loudspeaker of a headset; as far as ids and names
    /// tell.
    pub fn belongs_with(&self, other: &Self) -> bool {
        hardware::same_thing(self, other)
    }

    /// Whether it is the loudspeaker of a screen, as far as id and name tell.
    pub fn is_screen(&self) -> bool {
        hardware::is_screen(self)
    }

    /// What to call the thing that this and `other` are parts of: "Jabra 65" of "Jabra 65 Mono" and "Jabra 65 Analog
    /// Stereo".
    pub fn name_with(&self, other: Option<&Self>) -> String {
        hardware::thing_name(&self.name, other.map(|other| other.name.as_str()))
    }
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

/// The sound devices of one direction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SoundDevices {
    /// Those to choose from.
    pub offered: Vec<DeviceInfo>,
    /// Those that nobody would choose from a list (monitors of loudspeakers, plug-ins): only an exact id means them.
    pub hidden: Vec<DeviceInfo>,
    /// Ids of those that the driver says are connected by Bluetooth; few drivers say so.
    pub wireless: Vec<String>,
    /// The id of the system's default where another device is marked as the default instead.
    pub passed_over: Option<String>,
}

impl SoundDevices {
    /// Whether a device is connected by Bluetooth, as far as the driver, its id and its name tell.
    pub fn is_bluetooth(&self, device: &DeviceInfo) -> bool {
        self.wireless.contains(&device.id) || hardware::is_bluetooth(device)
    }

    /// What to use when nothing is chosen: the system's default, or the first device where the system's default is
    /// one that nobody would choose. (Without a microphone some systems name a loudspeaker's monitor, and the other
    /// side would hear itself.)
    pub fn default_device(&self) -> Option<&DeviceInfo> {
        self.offered.iter().find(|device| device.default).or_else(|| self.offered.first())
    }

    /// Whether the system's default is this one, whatever is used in its place.
    pub fn is_systems_default(&self, id: &str) -> bool {
        match &self.passed_over {
            Some(passed_over) => passed_over == id,
            None => self.offered.iter().any(|device| device.default && device.id == id),
        }
    }

    /// The device that `wanted` means: an id, else a name, else a part of just one name, case ignored.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`], or what else to say where several would fit.
    pub fn find(&self, wanted: &str) -> Result<&DeviceInfo, DeviceError> {
        match self.hidden.iter().find(|device| device.id == wanted) {
            Some(hidden) => Ok(hidden),
            None => Ok(&self.offered[pick(&self.offered.iter(), wanted)?]),
        }
    }
}

/// The sound devices of both directions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SoundLists {
    /// Where sound comes from.
    pub microphones: SoundDevices,
    /// Where it goes to.
    pub speakers: SoundDevices,
}

/// Lists everything that is plugged in now; what is missing (no sound server, no camera) gives an empty list.
///
/// May block for seconds where a sound server hangs: not for a thread that draws. No platform reports all changes, so
/// ask about once a second and compare; an unplugged Pulse device shows in no other way.
pub fn list_devices() -> DeviceLists {
    let sound = list_sound().unwrap_or_else(|error| {
        tracing::debug!(%error, "cannot list sound devices");
        SoundLists::default()
    });
    DeviceLists { cameras: list_cameras(), microphones: sound.microphones.offered, speakers: sound.speakers.offered }
}

/// Lists the cameras; none where there is no camera system. May block where a driver hangs.
pub fn list_cameras() -> Vec<DeviceInfo> {
    camera::list()
}

/// Lists the sound devices; costs about a millisecond of waiting where the system is well.
///
/// Blocks for as long as a sound server hangs: for a thread that has nothing else to do.
///
/// # Errors
/// [`DeviceError`] where the sound system does not answer: then nothing is known, which is not the same as an empty
/// list.
pub fn list_sound() -> Result<SoundLists, DeviceError> {
    host::list()
}

/// The place of the device that `wanted` means, as when it is opened: an id, else a name, else a part of just one id or
/// name, case ignored. `None` where it means none, or several.
pub fn meant(devices: &[DeviceInfo], wanted: &str) -> Option<usize> {
    pick(&devices.iter(), wanted).ok()
}

/// Likewise, and says what is wrong where it means none.
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
    fn hidden_devices_are_meant_by_their_exact_id_alone() {
        let monitor = DeviceInfo { id: "a:2.monitor".to_owned(), name: "Monitor".to_owned(), default: true };
        let list = SoundDevices { offered: devices(), hidden: vec![monitor.clone()], ..SoundDevices::default() };
        assert_eq!(list.find("a:2.monitor"), Ok(&monitor));
        assert!(list.find("Monitor").is_err());
        assert_eq!(list.default_device(), Some(&devices()[0]), "a default that nobody would choose is not taken");
        let empty = SoundDevices { hidden: vec![monitor], ..SoundDevices::default() };
        assert_eq!(empty.default_device(), None);
    }

    #[test]
    fn what_fits_none_or_several_is_refused() {
        let all = devices();
        assert_eq!(pick(&all.iter(), "usb"), Err(DeviceError::NotFound { wanted: "usb".to_owned() }));
        assert!(matches!(pick(&all.iter(), "webcam"), Err(DeviceError::Other(why)) if why.contains("Pro")));
    }
}
