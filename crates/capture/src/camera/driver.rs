//! nokhwa, with its faults worked around.
//!
//! - It lists frame intervals wrongly, and one odd interval left on the device makes every later open fail: on Linux
//!   formats are listed and set beforehand through V4L2 itself (`v4l.rs`), elsewhere through nokhwa.
//! - Its own choice of a format fails or ignores what it is asked for: formats are listed, the choice is ours, and
//!   exactly that one is asked for.
//! - Reading waits without a limit and its callback camera can deadlock: a plain camera is read in a thread of its own
//!   (`device.rs`), which is woken (`interrupt.rs`) or left behind where it does not end.
//! - It may list nodes that deliver no pictures, and its lists can panic: they are filtered and caught.

use super::library::{Driver, Library, Opened};
use super::{Wanted, convert, fault, fault::from_nokhwa};
use crate::format::{Format, PixelKind};
use crate::list::DeviceInfo;
use crate::{DeviceError, worker::panic_text};
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use nokhwa::{Buffer, Camera};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
#[cfg(not(target_os = "linux"))]
use visavis_media::Size;
use visavis_media::VideoFrame;

/// A driver that claims to be later than this is not believed.
const MAX_AGE: Duration = Duration::from_millis(500);

/// The library.
#[derive(Clone, Copy)]
pub(super) struct Nokhwa;

/// A camera as it is listed.
pub(super) struct Found {
    index: CameraIndex,
    info: DeviceInfo,
}

impl AsRef<DeviceInfo> for Found {
    fn as_ref(&self) -> &DeviceInfo {
        &self.info
    }
}

/// The cameras to choose from; none where there is none or listing fails.
pub(crate) fn list() -> Vec<DeviceInfo> {
    all().into_iter().map(|found| found.info).collect()
}

fn all() -> Vec<Found> {
    let listed = catch_unwind(|| nokhwa::query(ApiBackend::Auto));
    let mut cameras = match listed {
        Ok(Ok(cameras)) => cameras,
        Ok(Err(error)) => {
            tracing::debug!(%error, "cannot list cameras");
            Vec::new()
        }
        Err(panic) => {
            tracing::debug!(panic = panic_text(&*panic), "listing cameras panicked");
            Vec::new()
        }
    };
    cameras.sort_by_key(|camera| camera.index().as_index().unwrap_or(u32::MAX));
    let mut found: Vec<Found> = cameras.iter().filter_map(describe).collect();
    if let Some(first) = found.first_mut() {
        first.info.default = true;
    }
    found
}

#[cfg(target_os = "linux")]
fn describe(camera: &CameraInfo) -> Option<Found> {
    let index = camera.index().as_index().ok()?;
    let info = super::v4l::describe(index, &camera.human_name())?;
    Some(Found { index: CameraIndex::Index(index), info })
}

#[cfg(not(target_os = "linux"))]
fn describe(camera: &CameraInfo) -> Option<Found> {
    // The unique id of AVFoundation, or the symbolic link of Media Foundation.
    let id = if camera.misc().is_empty() { camera.index().as_string() } else { camera.misc() };
    let info = DeviceInfo { id, name: camera.human_name(), default: false };
    Some(Found { index: camera.index().clone(), info })
}

impl Library for Nokhwa {
    type Camera = Found;
    type Driver = OpenCamera;

    /// On macOS the person is asked first; elsewhere this says yes at once.
    fn allow(&self) -> Result<(), DeviceError> {
        let (tell, answer) = std::sync::mpsc::sync_channel(1);
        nokhwa::nokhwa_initialize(move |allowed| {
            let _ = tell.try_send(allowed);
        });
        // As long as the question may stand on the screen.
        match answer.recv_timeout(Duration::from_secs(60)) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(DeviceError::PermissionDenied),
        }
    }

    fn cameras(&self) -> Vec<Found> {
        all()
    }

    fn open(&self, Found { index, info }: &Found, wanted: Wanted) -> Result<OpenCamera, DeviceError> {
        let name = info.name.clone();
        let mut camera = open_in_format(index, wanted, &name)?;
        camera.open_stream().map_err(|error| from_nokhwa(&error, &name))?;
        let fps = camera.frame_rate() as f32;
        tracing::info!(camera = %name, format = %camera.camera_format(), "camera opened");
        Ok(OpenCamera { camera, name, fps })
    }

    #[cfg(target_os = "linux")]
    fn interrupt(&self, id: &str) {
        super::interrupt::stop_streams(id);
    }

    /// Only on Linux is there a way.
    #[cfg(not(target_os = "linux"))]
    fn interrupt(&self, _id: &str) {}
}

/// An open camera.
pub(super) struct OpenCamera {
    camera: Camera,
    name: String,
    fps: f32,
}

#[cfg(target_os = "linux")]
fn open_in_format(index: &CameraIndex, wanted: Wanted, name: &str) -> Result<Camera, DeviceError> {
    let number = index.as_index().map_err(|error| from_nokhwa(&error, name))?;
    let device = super::v4l::Device::open(number, name)?;
    let format = wanted.choose(device.formats(name)?)?;
    device.set(format, name)?;
    drop(device);
    Camera::new(index.clone(), exactly(format)).map_err(|error| from_nokhwa(&error, name))
}

#[cfg(not(target_os = "linux"))]
fn open_in_format(index: &CameraIndex, wanted: Wanted, name: &str) -> Result<Camera, DeviceError> {
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &ALL_KINDS);
    let mut camera = Camera::new(index.clone(), any).map_err(|error| from_nokhwa(&error, name))?;
    let listed = camera.compatible_camera_formats().map_err(|error| from_nokhwa(&error, name))?;
    let format = wanted.choose(listed.iter().filter_map(from_nokhwa_format).collect())?;
    camera.set_camera_requset(exactly(format)).map_err(|error| from_nokhwa(&error, name))?;
    Ok(camera)
}

#[cfg(not(target_os = "linux"))]
fn from_nokhwa_format(format: &CameraFormat) -> Option<Format> {
    let size = Size::new(format.width(), format.height()).ok()?;
    Some(Format { size, fps: format.frame_rate() as f32, kind: kind(format.format()) })
}

const ALL_KINDS: [FrameFormat; 6] = [
    FrameFormat::NV12,
    FrameFormat::YUYV,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
    FrameFormat::MJPEG,
    FrameFormat::GRAY,
];

fn exactly(format: Format) -> RequestedFormat<'static> {
    let resolution = Resolution::new(format.size.width(), format.size.height());
    let wanted = CameraFormat::new(resolution, frame_format(format.kind), format.fps.round() as u32);
    RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), &ALL_KINDS)
}

fn frame_format(kind: PixelKind) -> FrameFormat {
    match kind {
        PixelKind::Nv12 => FrameFormat::NV12,
        PixelKind::Yuyv => FrameFormat::YUYV,
        PixelKind::Rgb => FrameFormat::RAWRGB,
        PixelKind::Bgr => FrameFormat::RAWBGR,
        PixelKind::Mjpeg => FrameFormat::MJPEG,
        PixelKind::Gray => FrameFormat::GRAY,
    }
}

fn kind(format: FrameFormat) -> PixelKind {
    match format {
        FrameFormat::NV12 => PixelKind::Nv12,
        FrameFormat::YUYV => PixelKind::Yuyv,
        FrameFormat::RAWRGB => PixelKind::Rgb,
        FrameFormat::RAWBGR => PixelKind::Bgr,
        FrameFormat::MJPEG => PixelKind::Mjpeg,
        FrameFormat::GRAY => PixelKind::Gray,
    }
}

impl Driver for OpenCamera {
    fn opened(&self) -> Opened {
        Opened { name: self.name.clone(), fps: self.fps }
    }

    /// After an error the stream is opened anew: nokhwa's would hand the same buffer to the driver again and fail for
    /// ever.
    fn next_frame(&mut self) -> Result<VideoFrame, DeviceError> {
        let buffer = match self.camera.frame() {
            Ok(buffer) => buffer,
            Err(error) => {
                let error = from_nokhwa(&error, &self.name);
                if error != DeviceError::Unplugged {
                    let reopened = self.camera.stop_stream().and_then(|()| self.camera.open_stream());
                    reopened.map_err(|error| from_nokhwa(&error, &self.name))?;
                }
                return Err(error);
            }
        };
        let at = captured(&buffer);
        let resolution = buffer.resolution();
        let kind = kind(buffer.source_frame_format());
        let picture = convert::to_i420(kind, buffer.buffer(), resolution.width(), resolution.height())
            .map_err(|error| fault::from_text(&error.to_string(), &self.name))?;
        Ok(VideoFrame { picture, at })
    }
}

/// When the driver says that a picture was taken, on our clock.
fn captured(buffer: &Buffer) -> Instant {
    let now = Instant::now();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = buffer.capture_timestamp().and_then(|taken| unix.checked_sub(taken)).unwrap_or_default();
    if age > MAX_AGE { now } else { now.checked_sub(age).unwrap_or(now) }
}

impl Drop for OpenCamera {
    fn drop(&mut self) {
        // nokhwa's drop panics where the driver refuses to stop; the stream is stopped here, where that can be caught.
        let camera = &mut self.camera;
        if catch_unwind(AssertUnwindSafe(|| camera.stop_stream())).is_err() {
            tracing::debug!(camera = %self.name, "camera did not stop cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_media::Size;

    /// nokhwa's `Closest` wants the exact size, `HighestResolution` ignores the layouts, `None` takes the first.
    #[test]
    fn exactly_the_chosen_format_is_asked_for() {
        let of = |width, height, layout, fps| CameraFormat::new(Resolution::new(width, height), layout, fps);
        let wanted = of(640, 360, FrameFormat::YUYV, 25);
        let listed = [
            of(320, 180, FrameFormat::YUYV, 1),
            of(1920, 1080, FrameFormat::YUYV, 60),
            of(640, 360, FrameFormat::NV12, 25),
            of(640, 360, FrameFormat::YUYV, 30),
            wanted,
        ];
        let size = Size::new(640, 360).expect("a size");
        let asked = exactly(Format { size, fps: 25.0, kind: PixelKind::Yuyv });
        assert_eq!(asked.fulfill(&listed), Some(wanted));
    }
}
