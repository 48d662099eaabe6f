//! A real camera, watched: drivers hang, so no thread that others wait for ever calls one.
//!
//! The camera's own thread starts a second one, which alone talks to the driver, takes its pictures and hands them on.
//! If that one hangs, it is abandoned; it holds nothing of the caller's.

use super::driver::{self, Driver, Opened};
use super::{Outlet, Wanted};
use crate::{CameraState, DeviceError, StopFlag, Worker, worker::panic_text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use visavis_media::VideoFrame;

/// Until the first picture: opening, and webcams that take seconds to set their exposure.
const START_LIMIT: Duration = Duration::from_secs(8);
/// Between pictures afterwards; the slowest cameras, in the dark, give one a second.
const STALL_LIMIT: Duration = Duration::from_secs(4);
/// How often the stop flag is looked at while no picture comes.
const LOOK: Duration = Duration::from_millis(40);
/// A driver thread that has not ended by then is abandoned; it watches its flag from picture to picture.
const CLOSE_LIMIT: Duration = Duration::from_millis(250);
/// A camera that was closed a moment ago may still be in use: opening is tried again for this long.
const BUSY_PATIENCE: Duration = Duration::from_millis(1500);
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// Errors in a row, reading or converting, after which a camera has failed.
const MAX_ERRORS: u32 = 10;
/// Pictures on their way to the camera's thread, which only hands them on.
const ON_THE_WAY: usize = 2;

enum News {
    Opened(Opened),
    Frame(VideoFrame),
    Failed(DeviceError),
}

/// Runs the camera that `name` means until it is told to stop or the camera fails.
pub(super) fn run(
    name: Option<&str>,
    wanted: Wanted,
    stop: &StopFlag,
    outlet: &mut Outlet<'_>,
) -> Result<(), DeviceError> {
    let (tell, news) = sync_channel(ON_THE_WAY);
    let name = name.map(str::to_owned);
    let driver = Worker::spawn("camera driver", move |stop| {
        let captured = catch_unwind(AssertUnwindSafe(|| capture(name.as_deref(), wanted, stop, &tell)));
        let failed = match captured {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => DeviceError::Other(format!("its driver crashed: {}", panic_text(&*panic))),
        };
        // Nobody may be there any more to hear it.
        let _ = tell.send(News::Failed(failed));
    });
    let ended = watch(&news, stop, outlet);
    // Gone before the thread is waited for, so that it cannot wait for us.
    drop(news);
    driver.join_within(CLOSE_LIMIT);
    ended
}

/// Hands pictures on, as long as they come.
fn watch(news: &Receiver<News>, stop: &StopFlag, outlet: &mut Outlet<'_>) -> Result<(), DeviceError> {
    let mut opened = None;
    let mut limit = START_LIMIT;
    let mut last = Instant::now();
    while !stop.is_set() {
        match news.recv_timeout(LOOK) {
            Ok(News::Opened(now)) => opened = Some(now),
            Ok(News::Frame(frame)) => {
                (last, limit) = (Instant::now(), STALL_LIMIT);
                if let Some(Opened { name, fps }) = opened.take() {
                    (outlet.state)(CameraState::Running { name, size: frame.picture.size(), fps });
                }
                (outlet.frames)(frame);
            }
            Ok(News::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) if last.elapsed() > limit => return Err(DeviceError::Stalled),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(DeviceError::Other("its thread ended".to_owned())),
        }
    }
    Ok(())
}

/// The driver thread: opens, reads, converts.
fn capture(name: Option<&str>, wanted: Wanted, stop: &StopFlag, tell: &SyncSender<News>) -> Result<(), DeviceError> {
    let Some(mut driver) = open(name, wanted, stop)? else { return Ok(()) };
    if tell.send(News::Opened(driver.opened())).is_err() {
        return Ok(());
    }
    let mut errors = 0;
    while !stop.is_set() {
        let frame = match driver.next_frame() {
            Ok(frame) => frame,
            Err(error @ (DeviceError::Unplugged | DeviceError::PermissionDenied)) => return Err(error),
            Err(error) => {
                errors += 1;
                tracing::debug!(%error, errors, "camera frame lost");
                if errors >= MAX_ERRORS {
                    return Err(error);
                }
                continue;
            }
        };
        errors = 0;
        match tell.try_send(News::Frame(frame)) {
            // A full channel means that the receiver is late; it gets the next picture.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => break,
        }
    }
    Ok(())
}

/// Opens the camera, with patience while it is busy; `None` where it is told to stop meanwhile.
fn open(name: Option<&str>, wanted: Wanted, stop: &StopFlag) -> Result<Option<Driver>, DeviceError> {
    let since = Instant::now();
    loop {
        match driver::open(name, wanted) {
            Err(DeviceError::Busy { .. }) if since.elapsed() < BUSY_PATIENCE => {
                if stop.wait_for(BUSY_PAUSE) {
                    return Ok(None);
                }
            }
            opened => return opened.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use visavis_media::I420;

    fn frame() -> News {
        let picture = I420::filled("4x2".parse().expect("a size"), [1, 2, 3]);
        News::Frame(VideoFrame { picture, at: Instant::now() })
    }

    /// What `watch` says and shows of some news, after which the driver thread is gone.
    fn watched(all: Vec<News>) -> (Result<(), DeviceError>, usize, Vec<CameraState>) {
        let (tell, news) = sync_channel(10);
        all.into_iter().for_each(|one| tell.send(one).expect("room"));
        drop(tell);
        let (mut frames, states) = (0, Mutex::new(Vec::new()));
        let mut outlet =
            Outlet { frames: &mut |_| frames += 1, state: &|state| states.lock().expect("one thread").push(state) };
        let ended = watch(&news, &StopFlag::new(), &mut outlet);
        (ended, frames, states.into_inner().expect("one thread"))
    }

    #[test]
    fn a_camera_runs_from_its_first_picture_on_until_its_driver_fails() {
        let opened = News::Opened(Opened { name: "Cam".to_owned(), fps: 25.0 });
        let (ended, frames, states) = watched(vec![opened, frame(), frame(), News::Failed(DeviceError::Unplugged)]);
        assert_eq!((ended, frames), (Err(DeviceError::Unplugged), 2));
        let size = "4x2".parse().expect("a size");
        assert_eq!(states, [CameraState::Running { name: "Cam".to_owned(), size, fps: 25.0 }]);
    }

    #[test]
    fn a_driver_thread_that_dies_is_an_error() {
        let (ended, ..) = watched(Vec::new());
        assert!(matches!(ended, Err(DeviceError::Other(_))));
    }
}
