//! Cameras: real ones through nokhwa, and stand-ins that draw or read a file.

mod convert;
mod device;
mod driver;
#[cfg(test)]
mod fake;
mod fault;
#[cfg(target_os = "linux")]
mod interrupt;
mod left_behind;
mod library;
mod pace;
mod pool;
mod synthetic;
#[cfg(target_os = "linux")]
mod v4l;
mod watchdog;

pub(crate) use driver::list;

use crate::format::{Format, PixelKind, choose_format};
use crate::{CameraSpec, CameraState, DeviceError, StopFlag, Worker};
use std::time::Duration;
use visavis_media::{Size, VideoFrame};

/// How long [`Camera`]'s drop waits for its thread. That thread never calls a driver itself, so it ends at once unless
/// the caller's own closures hold it up.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How real cameras are watched.
const WATCHED: (watchdog::Limits, &left_behind::LeftBehind) = (watchdog::LIMITS, &left_behind::LEFT_BEHIND);

/// What one would like a camera to deliver.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CameraWish {
    /// Size of the pictures. Stand-ins draw exactly this; a camera takes the nearest it has, at or above.
    pub size: Size,
    /// Pictures per second.
    pub fps: f32,
}

impl Default for CameraWish {
    /// 1280x720 at 30 pictures a second.
    fn default() -> Self {
        Self { size: Size::new(1280, 720).expect("1280x720 is a picture size"), fps: 30.0 }
    }
}

impl CameraWish {
    /// The wanted rate within what can be paced.
    fn rate(self) -> f32 {
        if self.fps.is_finite() { self.fps.clamp(1.0, 120.0) } else { 30.0 }
    }
}

/// What a real camera is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    wish: CameraWish,
    layout: Option<PixelKind>,
}

impl Wanted {
    /// The best of a camera's formats.
    fn choose(self, mut formats: Vec<Format>) -> Result<Format, DeviceError> {
        formats.retain(|format| self.layout.is_none_or(|layout| layout == format.kind));
        let wish = CameraWish { fps: self.wish.rate(), ..self.wish };
        choose_format(&formats, wish).ok_or(DeviceError::UnsupportedFormat)
    }
}

/// An open camera: delivers pictures from a thread of its own until it is dropped.
pub struct Camera {
    worker: Option<Worker>,
}

/// Where pictures and news go to.
struct Outlet<'a> {
    frames: &'a mut dyn FnMut(VideoFrame),
    state: &'a dyn Fn(CameraState),
}

impl Camera {
    /// Opens what `spec` names; returns at once.
    ///
    /// `frames` gets each picture with its moment of capture and must be quick: put it into a newest-wins slot.
    /// `state` gets `Opening`, then `Running` with the first picture, or `Failed`, after which nothing more comes; a
    /// camera that is stopped ends with `Off`. Both are called on the camera's thread, and never again after the
    /// camera was dropped. A camera without a source is `Off` at once.
    pub fn open(
        spec: &CameraSpec,
        wish: CameraWish,
        frames: impl FnMut(VideoFrame) + Send + 'static,
        state: impl Fn(CameraState) + Send + Sync + 'static,
    ) -> Self {
        Self::open_in(spec, wish, None, frames, state)
    }

    /// The same, with a real camera held to one layout of pixels: for trying out each that it has.
    pub fn open_in(
        spec: &CameraSpec,
        wish: CameraWish,
        layout: Option<PixelKind>,
        mut frames: impl FnMut(VideoFrame) + Send + 'static,
        state: impl Fn(CameraState) + Send + Sync + 'static,
    ) -> Self {
        if *spec == CameraSpec::None {
            state(CameraState::Off);
            return Self { worker: None };
        }
        let spec = spec.clone();
        let worker = Worker::spawn("camera", move |stop| {
            state(CameraState::Opening);
            let mut outlet = Outlet { frames: &mut frames, state: &state };
            match run(&spec, Wanted { wish, layout }, stop, &mut outlet) {
                Ok(()) => state(CameraState::Off),
                Err(error) => {
                    tracing::debug!(camera = %spec, %error, "camera failed");
                    state(CameraState::Failed(error));
                }
            }
        });
        Self { worker: Some(worker) }
    }

    /// Tells it to close, without waiting; drop it later.
    pub fn stop(&self) {
        if let Some(worker) = &self.worker {
            worker.stop();
        }
    }
}

fn run(spec: &CameraSpec, wanted: Wanted, stop: &StopFlag, outlet: &mut Outlet<'_>) -> Result<(), DeviceError> {
    match spec {
        CameraSpec::Default => device::run(driver::Nokhwa, None, wanted, WATCHED, stop, outlet),
        CameraSpec::Device(name) => device::run(driver::Nokhwa, Some(name), wanted, WATCHED, stop, outlet),
        CameraSpec::Pattern(content) => {
            synthetic::run_pattern(*content, wanted.wish, stop, outlet);
            Ok(())
        }
        CameraSpec::File(path) => synthetic::run_file(path, stop, outlet),
        CameraSpec::None => Ok(()),
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.join_within(CLOSE_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::time::Instant;
    use visavis_media::{I420, strip};

    const LONG: Duration = Duration::from_secs(60);

    fn open(spec: &CameraSpec, wish: CameraWish) -> (Camera, Receiver<VideoFrame>, Receiver<CameraState>) {
        let ((put, frames), (tell, states)) = (sync_channel(1000), sync_channel(10));
        let camera =
            Camera::open(spec, wish, move |frame| drop(put.try_send(frame)), move |state| drop(tell.try_send(state)));
        (camera, frames, states)
    }

    fn wish(size: &str, fps: f32) -> CameraWish {
        CameraWish { size: size.parse().expect("a size"), fps }
    }

    #[test]
    fn the_pattern_runs_at_the_wanted_size_and_shows_its_moment_of_capture() {
        let (camera, frames, states) = open(&CameraSpec::Pattern(Content::Cam), wish("320x180", 60.0));
        let frame = frames.recv_timeout(LONG).expect("a picture");
        let unix_ms = crate::wall_clock().unix(frame.at).as_millis() as u64;
        assert_eq!(strip::read(&frame.picture).map(u64::from), Some(unix_ms % strip::WRAP_MS));
        drop(camera);
        let states: Vec<_> = states.try_iter().collect();
        let name = "Test picture".to_owned();
        let running = CameraState::Running { name, size: frame.picture.size(), fps: 60.0 };
        assert_eq!(states, [CameraState::Opening, running, CameraState::Off]);
    }

    #[test]
    fn nothing_comes_after_a_camera_was_dropped() {
        let (camera, frames, _states) = open(&CameraSpec::Pattern(Content::Cam), wish("64x36", 120.0));
        frames.recv_timeout(LONG).expect("a picture");
        let asked = Instant::now();
        drop(camera);
        assert!(asked.elapsed() < CLOSE_LIMIT);
        while frames.try_recv().is_ok() {}
        assert!(frames.recv_timeout(LONG).is_err(), "the closure is gone, and its channel closed");
    }

    #[test]
    fn a_file_plays_at_its_own_size_and_rate_and_a_missing_one_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("grey.y4m");
        let mut bytes = b"YUV4MPEG2 W4 H2 F100:1\nFRAME\n".to_vec();
        bytes.extend_from_slice(I420::filled("4x2".parse().expect("a size"), [90, 1, 2]).as_bytes());
        std::fs::write(&path, bytes).expect("writable");
        let (_camera, frames, states) = open(&CameraSpec::File(path), CameraWish::default());
        let grey = frames.recv_timeout(LONG).expect("a picture").picture;
        assert_eq!((grey.y()[7], grey.u()[0], grey.v()[1]), (90, 1, 2));
        assert_eq!(states.recv_timeout(LONG), Ok(CameraState::Opening));
        let running = states.recv_timeout(LONG).expect("a state");
        assert!(matches!(running, CameraState::Running { fps: 100.0, .. }), "{running:?}");

        let (_camera, _frames, states) = open(&CameraSpec::File("no/such.y4m".into()), CameraWish::default());
        assert_eq!(states.recv_timeout(LONG), Ok(CameraState::Opening));
        assert!(matches!(states.recv_timeout(LONG), Ok(CameraState::Failed(DeviceError::File { .. }))));
    }

    #[test]
    fn no_camera_is_off_at_once() {
        let (_camera, frames, states) = open(&CameraSpec::None, CameraWish::default());
        assert_eq!(states.try_iter().collect::<Vec<_>>(), [CameraState::Off]);
        assert!(frames.recv().is_err());
    }

    #[test]
    fn a_camera_that_is_not_there_is_not_found() {
        let (_camera, _frames, states) = open(&CameraSpec::Device("no such camera".to_owned()), CameraWish::default());
        assert_eq!(states.recv_timeout(LONG), Ok(CameraState::Opening));
        let wanted = "no such camera".to_owned();
        assert_eq!(states.recv_timeout(LONG), Ok(CameraState::Failed(DeviceError::NotFound { wanted })));
    }
}
