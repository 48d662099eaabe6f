//! A real camera, watched: drivers hang, so no thread that others wait for ever calls one.
//!
//! The camera's own thread starts a second one, which alone talks to the driver, takes its pictures and hands them on.
//! If that one hangs, it is woken, and left behind where that does not help; it holds nothing of the caller's, and the
//! same camera is not touched again before it has ended (`left_behind.rs`).

use super::left_behind::{LeftBehind, Place};
use super::library::{self, Driver, Library, Opened};
use super::watchdog::{Limits, Watchdog};
use super::{Outlet, Wanted};
use crate::{CameraState, DeviceError, StopFlag, Worker, worker::panic_text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use visavis_media::VideoFrame;

/// How often the stop flag is looked at while no picture comes.
const LOOK: Duration = Duration::from_millis(20);
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
pub(super) fn run<L: Library + Clone + Send + 'static>(
    library: L,
    name: Option<&str>,
    wanted: Wanted,
    watched: (Limits, &'static LeftBehind),
    stop: &StopFlag,
    outlet: &mut Outlet<'_>,
) -> Result<(), DeviceError> {
    let (limits, left) = watched;
    let (tell, news) = sync_channel(ON_THE_WAY);
    let name = name.map(str::to_owned);
    let place = Place::default();
    let (at, waker) = (place.clone(), library.clone());
    let driver = Worker::spawn("camera driver", move |stop| {
        let captured = catch_unwind(AssertUnwindSafe(|| {
            let driver = library::open(&library, name.as_deref(), wanted, stop, (&at, left))?;
            capture(driver, stop, &tell)
        }));
        let failed = match captured {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => DeviceError::Other(format!("its driver crashed: {}", panic_text(&*panic))),
        };
        // Nobody may be there any more to hear it.
        let _ = tell.send(News::Failed(failed));
    });
    let ended = watch(&news, limits, stop, outlet);
    // Gone before the thread is waited for, so that it cannot wait for us.
    drop(news);
    close(driver, waker, limits, place, left);
    ended
}

/// Waits for the driver thread, wakes it, and leaves it behind, in this order.
fn close(driver: Worker, library: impl Library + Send + 'static, limits: Limits, place: Place, left: &LeftBehind) {
    let finished = driver.finished();
    driver.stop();
    let waker = (!finished.wait_for(limits.ask)).then(|| {
        let id = place.id();
        // On a thread, as the driver may hang in this, too.
        Worker::spawn("camera waker", move |_| id.iter().for_each(|id| library.interrupt(id)))
    });
    if !driver.join_within(limits.wake) {
        left.add(place, finished);
    }
    waker.into_iter().for_each(Worker::abandon);
}

/// Hands pictures on, as long as they come.
fn watch(news: &Receiver<News>, limits: Limits, stop: &StopFlag, outlet: &mut Outlet<'_>) -> Result<(), DeviceError> {
    let mut opened = None;
    let mut watchdog = Watchdog::new(limits, Instant::now());
    while !stop.is_set() {
        match news.recv_timeout(LOOK) {
            Ok(News::Opened(now)) => opened = Some(now),
            Ok(News::Frame(frame)) => {
                watchdog.feed(Instant::now());
                if let Some(Opened { name, fps }) = opened.take() {
                    (outlet.state)(CameraState::Running { name, size: frame.picture.size(), fps });
                }
                (outlet.frames)(frame);
            }
            Ok(News::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) if watchdog.barks(Instant::now()) => return Err(DeviceError::Stalled),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(DeviceError::Other("its thread ended".to_owned())),
        }
    }
    Ok(())
}

/// The driver thread: reads and converts until it is told to stop, or the camera fails.
fn capture(mut driver: impl Driver, stop: &StopFlag, tell: &SyncSender<News>) -> Result<(), DeviceError> {
    if stop.is_set() || tell.send(News::Opened(driver.opened())).is_err() {
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

#[cfg(test)]
mod tests {
    use super::super::CameraWish;
    use super::super::fake::{Fake, camera};
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(1);

    fn wanted() -> Wanted {
        Wanted { wish: CameraWish::default(), layout: None }
    }

    /// What became of a camera, its pictures, its states.
    type Seen = (Result<(), DeviceError>, usize, Vec<CameraState>);

    fn seen(work: impl FnOnce(&mut Outlet<'_>) -> Result<(), DeviceError>) -> Seen {
        let (mut frames, states) = (0, Mutex::new(Vec::new()));
        let mut outlet =
            Outlet { frames: &mut |_| frames += 1, state: &|state| states.lock().expect("one thread").push(state) };
        let ended = work(&mut outlet);
        (ended, frames, states.into_inner().expect("one thread"))
    }

    /// Runs the fake camera `name` until it fails by itself.
    fn run_fake(fake: &Fake, name: Option<&str>, limits: Limits, left: &'static LeftBehind) -> Seen {
        seen(|outlet| run(fake.clone(), name, wanted(), (limits, left), &StopFlag::new(), outlet))
    }

    fn left_behind() -> &'static LeftBehind {
        Box::leak(Box::new(LeftBehind::new()))
    }

    fn running(name: &str) -> CameraState {
        CameraState::Running { name: name.to_owned(), size: "4x2".parse().expect("a size"), fps: 25.0 }
    }

    #[test]
    fn a_camera_runs_from_its_first_picture_on_until_its_driver_fails() {
        let fake = Fake::with([camera("a", Ok(1)).ending_with(DeviceError::Unplugged)]);
        let limits = Limits { start: LONG, stall: LONG, ask: LONG, wake: LONG };
        let seen = run_fake(&fake, None, limits, left_behind());
        assert_eq!(seen, (Err(DeviceError::Unplugged), 1, vec![running("Camera a")]));
    }

    #[test]
    fn a_camera_that_only_fails_has_failed_after_some_tries() {
        let broken = DeviceError::Other("broken".to_owned());
        let fake = Fake::with([camera("a", Ok(0)).ending_with(broken.clone())]);
        let limits = Limits { start: LONG, stall: LONG, ask: LONG, wake: LONG };
        assert_eq!(run_fake(&fake, None, limits, left_behind()), (Err(broken), 0, Vec::new()));
    }

    #[test]
    fn a_driver_thread_that_dies_is_an_error() {
        let (tell, news) = sync_channel(1);
        drop(tell);
        let limits = Limits { start: LONG, stall: LONG, ask: LONG, wake: LONG };
        let (ended, ..) = seen(|outlet| watch(&news, limits, &StopFlag::new(), outlet));
        assert!(matches!(ended, Err(DeviceError::Other(_))));
    }

    #[test]
    fn a_camera_that_stops_delivering_has_stalled_and_is_left_alone_until_its_driver_lets_go() {
        let (fake, left) = (Fake::with([camera("a", Ok(1))]), left_behind());
        let limits = Limits { start: LONG, stall: SHORT, ask: SHORT, wake: SHORT };
        assert_eq!(run_fake(&fake, None, limits, left), (Err(DeviceError::Stalled), 1, vec![running("Camera a")]));
        for _ in 0..20 {
            assert_eq!(run_fake(&fake, None, limits, left), (Err(DeviceError::Stalled), 0, Vec::new()));
        }
        assert_eq!(fake.touched.load(Ordering::SeqCst), 1, "one thread hangs, and no other follows it");
        fake.release.set();
        let limit = Instant::now() + LONG;
        while run_fake(&fake, None, limits, left).1 == 0 {
            assert!(Instant::now() < limit, "it is taken again");
        }
    }

    #[test]
    fn a_camera_that_stops_delivering_is_woken_and_can_be_opened_anew() {
        let (fake, left) = (Fake::with([camera("a", Ok(1)).that_wakes()]), left_behind());
        let limits = Limits { start: LONG, stall: SHORT, ask: SHORT, wake: LONG };
        assert_eq!(run_fake(&fake, None, limits, left).0, Err(DeviceError::Stalled));
        assert!(!left.hold("a") && fake.release.is_set());
        assert_eq!(run_fake(&fake, None, limits, left).1, 1);
    }

    #[test]
    fn a_camera_that_hangs_while_it_is_opened_has_stalled_and_holds_up_no_other() {
        let fake = Fake::with([camera("a", Ok(1)).hanging_in_open(), camera("b", Ok(1))]);
        let (limits, left) = (Limits { start: SHORT, stall: LONG, ask: SHORT, wake: SHORT }, left_behind());
        assert_eq!(run_fake(&fake, Some("a"), limits, left).0, Err(DeviceError::Stalled));
        let patient = Limits { start: LONG, stall: SHORT, ask: LONG, wake: LONG };
        fake.release.set();
        assert_eq!(run_fake(&fake, Some("b"), patient, left).2, [running("Camera b")]);
    }

    #[test]
    fn a_camera_that_hangs_can_be_closed() {
        let fake = Fake::with([camera("a", Ok(0)).hanging_in_open()]);
        let (stop, limits) = (StopFlag::new(), Limits { start: LONG, stall: LONG, ask: SHORT, wake: SHORT });
        let (hanging, left) = (fake.touched.clone(), left_behind());
        let closing = stop.clone();
        let closer = Worker::spawn("closer", move |_| {
            while hanging.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            closing.set();
        });
        let ended = seen(|outlet| run(fake.clone(), None, wanted(), (limits, left), &stop, outlet));
        assert_eq!(ended, (Ok(()), 0, Vec::new()));
        assert!(left.hold("a"));
        drop(closer);
        fake.release.set();
    }
}
