//! What is asked of a device library, and which camera a name means.
//!
//! The seam between what is ours (who waits for whom, what is tried when) and the library that talks to devices: tests
//! put cameras behind it that are busy, vanish or hang.

use super::Wanted;
use super::left_behind::{LeftBehind, Place};
use crate::list::{DeviceInfo, pick};
use crate::{DeviceError, StopFlag};
use visavis_media::VideoFrame;

/// A device library. Every call may block for as long as a driver likes.
pub(super) trait Library {
    /// A camera as it is listed.
    type Camera: AsRef<DeviceInfo>;
    /// An open camera.
    type Driver: Driver;

    /// Asks the system, and where it wants that the person, whether cameras may be used.
    fn allow(&self) -> Result<(), DeviceError>;

    /// The cameras that are there, the system's first choice first.
    fn cameras(&self) -> Vec<Self::Camera>;

    /// Opens one in the best of its formats.
    fn open(&self, camera: &Self::Camera, wanted: Wanted) -> Result<Self::Driver, DeviceError>;

    /// Wakes a thread of ours that waits for a picture of the camera with this id, where the system can.
    fn interrupt(&self, id: &str);
}

/// An open camera; dropping it closes the device.
pub(super) trait Driver {
    /// Name and rate.
    fn opened(&self) -> Opened;

    /// Waits for the next picture, without a limit.
    fn next_frame(&mut self) -> Result<VideoFrame, DeviceError>;
}

/// What is known of a camera once it is open.
pub(super) struct Opened {
    /// Its name, for reading.
    pub name: String,
    /// The rate it promised.
    pub fps: f32,
}

/// Opens the camera that `name` means; where none is named, the first that can be opened.
///
/// `place` follows from camera to camera, so that it is known where this thread hangs if it does. Cameras at which
/// another one hangs already are not touched, and none is once `stop` is set: the person may have been asked for long.
pub(super) fn open<L: Library>(
    library: &L,
    name: Option<&str>,
    wanted: Wanted,
    stop: &StopFlag,
    (place, left): (&Place, &LeftBehind),
) -> Result<L::Driver, DeviceError> {
    if left.hold_all() {
        return Err(DeviceError::Stalled);
    }
    library.allow()?;
    let cameras = library.cameras();
    let candidates = match name {
        Some(name) => {
            let at = find(&cameras, name)?;
            at..at + 1
        }
        None => 0..cameras.len(),
    };
    let mut failed = None;
    for camera in &cameras[candidates] {
        let DeviceInfo { id, name, .. } = camera.as_ref();
        let opened = if stop.is_set() || left.hold(id) {
            Err(DeviceError::Stalled)
        } else {
            place.enter(id);
            library.open(camera, wanted)
        };
        match opened {
            Ok(driver) => return Ok(driver),
            Err(error) => {
                tracing::debug!(camera = %name, %error, "camera not opened");
                failed.get_or_insert(error);
            }
        }
    }
    Err(failed.unwrap_or(DeviceError::NoDevice))
}

/// The place of the camera that `wanted` means.
fn find<C: AsRef<DeviceInfo>>(cameras: &[C], wanted: &str) -> Result<usize, DeviceError> {
    let infos = cameras.iter().map(AsRef::as_ref);
    // A path is an id and no part of a name: where /dev/video1 is away, /dev/video10 is another camera. One device has
    // several paths.
    if wanted.starts_with('/') {
        let real = |path: &str| std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let not_found = || DeviceError::NotFound { wanted: wanted.to_owned() };
        return infos.clone().position(|info| real(&info.id) == real(wanted)).ok_or_else(not_found);
    }
    pick(&infos, wanted)
}

#[cfg(test)]
mod tests {
    use super::super::CameraWish;
    use super::super::fake::{Fake, camera};
    use super::*;

    fn wanted() -> Wanted {
        Wanted { wish: CameraWish::default(), layout: None }
    }

    fn busy(name: &str) -> DeviceError {
        DeviceError::Busy { name: name.to_owned() }
    }

    /// The name of the camera that is opened.
    fn opened(fake: &Fake, name: Option<&str>, left: &LeftBehind) -> Result<String, DeviceError> {
        open(fake, name, wanted(), &StopFlag::new(), (&Place::default(), left)).map(|driver| driver.opened().name)
    }

    #[test]
    fn without_a_name_the_first_camera_that_can_be_opened_is_taken() {
        let left = LeftBehind::new();
        let fake = Fake::with([camera("a", Err(busy("A"))), camera("b", Ok(1))]);
        assert_eq!(opened(&fake, None, &left), Ok("Camera b".to_owned()));
        let fake = Fake::with([camera("a", Err(busy("A"))), camera("b", Err(DeviceError::PermissionDenied))]);
        assert_eq!(opened(&fake, None, &left), Err(busy("A")), "the first one's error is the one to mend");
        assert_eq!(opened(&Fake::with([]), None, &left), Err(DeviceError::NoDevice));
    }

    #[test]
    fn a_chosen_camera_is_never_replaced_by_another() {
        let left = LeftBehind::new();
        let fake = Fake::with([camera("a", Err(busy("A"))), camera("b", Ok(1))]);
        assert_eq!(opened(&fake, Some("Camera a"), &left), Err(busy("A")));
        let not_found = |wanted: &str| Err(DeviceError::NotFound { wanted: wanted.to_owned() });
        assert_eq!(opened(&fake, Some("Camera c"), &left), not_found("Camera c"));
        let fake = Fake::with([camera("/dev/video10", Ok(1))]);
        assert_eq!(opened(&fake, Some("/dev/video1"), &left), not_found("/dev/video1"));
        assert_eq!(opened(&fake, Some("/dev/video10"), &left), Ok("Camera /dev/video10".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_camera_is_found_by_any_of_its_paths() {
        let folder = tempfile::tempdir().expect("a folder");
        let (node, by_id) = (folder.path().join("video0"), folder.path().join("by-id"));
        std::fs::write(&node, "").expect("writable");
        std::os::unix::fs::symlink(&node, &by_id).expect("writable");
        let fake = Fake::with([camera("/other", Ok(1)), camera(by_id.to_str().expect("text"), Ok(1))]);
        for path in [&node, &by_id] {
            let found = opened(&fake, path.to_str(), &LeftBehind::new());
            assert!(found.is_ok_and(|name| name.ends_with("by-id")), "{path:?}");
        }
    }

    #[test]
    fn a_camera_at_which_a_thread_hangs_is_not_touched() {
        let (left, place, finished) = (LeftBehind::new(), Place::default(), StopFlag::new());
        place.enter("a");
        left.add(place, finished.clone());
        let fake = Fake::with([camera("a", Ok(1)), camera("b", Ok(1))]);
        assert_eq!(opened(&fake, Some("a"), &left), Err(DeviceError::Stalled));
        assert_eq!(opened(&fake, None, &left), Ok("Camera b".to_owned()));
        finished.set();
        assert_eq!(opened(&fake, Some("a"), &left), Ok("Camera a".to_owned()));
    }

    #[test]
    fn no_camera_is_touched_by_a_thread_that_is_told_to_stop() {
        let (fake, stop, place) = (Fake::with([camera("a", Ok(1))]), StopFlag::new(), Place::default());
        stop.set();
        let opened = open(&fake, None, wanted(), &stop, (&place, &LeftBehind::new()));
        assert!(opened.is_err() && fake.touched.load(std::sync::atomic::Ordering::SeqCst) == 0);
    }
}
