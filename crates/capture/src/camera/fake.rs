//! Cameras for tests: busy ones, ones that fail, and ones that hang.

use super::Wanted;
use super::library::{Driver, Library, Opened};
use crate::list::DeviceInfo;
use crate::{DeviceError, StopFlag};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use visavis_media::{I420, VideoFrame};

/// A thread that hangs is let go after this long all the same, so that a failing test ends.
const HANG_LIMIT: Duration = Duration::from_secs(60);

/// A camera of the fake library.
#[derive(Clone)]
pub(super) struct FakeCamera {
    info: DeviceInfo,
    /// How many pictures it delivers before it ends in its way, or why it does not open.
    opens: Result<usize, DeviceError>,
    hangs_in_open: bool,
    /// Waiting for a picture can be interrupted.
    wakes: bool,
    /// What it ends with; without one it hangs.
    ends_with: Option<DeviceError>,
}

/// One that opens and hangs after some pictures, or does not open.
pub(super) fn camera(id: &str, opens: Result<usize, DeviceError>) -> FakeCamera {
    let info = DeviceInfo { id: id.to_owned(), name: format!("Camera {id}"), default: false };
    FakeCamera { info, opens, hangs_in_open: false, wakes: false, ends_with: None }
}

impl FakeCamera {
    /// The same, failing instead of hanging.
    pub fn ending_with(self, error: DeviceError) -> Self {
        Self { ends_with: Some(error), ..self }
    }

    /// The same, but waiting for a picture can be interrupted.
    pub fn that_wakes(self) -> Self {
        Self { wakes: true, ..self }
    }

    /// The same, hanging while it is opened.
    pub fn hanging_in_open(self) -> Self {
        Self { hangs_in_open: true, ..self }
    }
}

impl AsRef<DeviceInfo> for FakeCamera {
    fn as_ref(&self) -> &DeviceInfo {
        &self.info
    }
}

/// The library.
#[derive(Clone, Default)]
pub(super) struct Fake {
    cameras: Vec<FakeCamera>,
    /// Lets go whoever hangs.
    pub release: StopFlag,
    /// Cameras that were opened, or begun to be.
    pub touched: Arc<AtomicUsize>,
}

impl Fake {
    /// A library of these cameras.
    pub fn with(cameras: impl IntoIterator<Item = FakeCamera>) -> Self {
        Self { cameras: cameras.into_iter().collect(), ..Self::default() }
    }
}

impl Library for Fake {
    type Camera = FakeCamera;
    type Driver = FakeDriver;

    fn allow(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn cameras(&self) -> Vec<FakeCamera> {
        self.cameras.clone()
    }

    fn open(&self, camera: &FakeCamera, _: Wanted) -> Result<FakeDriver, DeviceError> {
        self.touched.fetch_add(1, Ordering::SeqCst);
        if camera.hangs_in_open {
            self.release.wait_for(HANG_LIMIT);
        }
        let pictures = camera.opens.clone()?;
        Ok(FakeDriver { camera: camera.clone(), pictures, release: self.release.clone() })
    }

    fn interrupt(&self, id: &str) {
        if self.cameras.iter().any(|camera| camera.wakes && camera.info.id == id) {
            self.release.set();
        }
    }
}

/// An open camera.
pub(super) struct FakeDriver {
    camera: FakeCamera,
    pictures: usize,
    release: StopFlag,
}

impl Driver for FakeDriver {
    fn opened(&self) -> Opened {
        Opened { name: self.camera.info.name.clone(), fps: 25.0 }
    }

    fn next_frame(&mut self) -> Result<VideoFrame, DeviceError> {
        if let Some(left) = self.pictures.checked_sub(1) {
            self.pictures = left;
            let picture = I420::filled("4x2".parse().expect("a size"), [1, 2, 3]);
            return Ok(VideoFrame { picture, at: Instant::now() });
        }
        if let Some(error) = &self.camera.ends_with {
            return Err(error.clone());
        }
        self.release.wait_for(HANG_LIMIT);
        Err(DeviceError::Unplugged)
    }
}
