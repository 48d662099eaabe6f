//! Reads the device lists again and again, on threads that have nothing else to do.
//!
//! No platform tells of changes reliably, and reading may block for as long as a sound server or a driver hangs. So
//! cameras and sound are read apart from each other and from everything else.

use super::audio_devices::DeviceNews;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use visavis_capture::{Worker, list_cameras, list_sound};

/// While a sound device is open: one that vanishes is to be replaced within a second.
const BUSY: Duration = Duration::from_millis(500);
/// While none is: a new one should appear in the list soon.
const AT_REST: Duration = Duration::from_secs(2);
/// Cameras.
const CAMERAS: Duration = Duration::from_secs(2);

/// How often sound devices are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// Not at all: nobody wants a real device or looks at the list.
    Never,
    /// Every two seconds.
    Slow,
    /// Twice a second.
    Quick,
}

/// The threads; they end on their own soon after it is dropped.
pub(super) struct DeviceLists {
    pace: SyncSender<Pace>,
    workers: Vec<Worker>,
}

impl DeviceLists {
    /// Nothing is listed before a [`Pace`] is set, but for cameras where `cameras` says so.
    pub(super) fn start(out: &SyncSender<DeviceNews>, cameras: bool) -> Self {
        let (pace, paces) = sync_channel(16);
        let to = out.clone();
        let mut workers = vec![Worker::spawn("sound-list", move |_| list_often(&paces, &to))];
        if cameras {
            let to = out.clone();
            workers.push(Worker::spawn("camera-list", move |stop| {
                while to.send(DeviceNews::Cameras(list_cameras())).is_ok() && !stop.wait_for(CAMERAS) {}
            }));
        }
        Self { pace, workers }
    }

    /// Sets the pace and lists at once. A thread that hangs learns of the last one that found room.
    pub(super) fn set(&self, pace: Pace) {
        let _ = self.pace.try_send(pace);
    }

    /// The threads, to be joined.
    pub(super) fn stop(self) -> Vec<Worker> {
        self.workers
    }
}

fn list_often(paces: &Receiver<Pace>, out: &SyncSender<DeviceNews>) {
    let mut pace = Pace::Never;
    loop {
        let told = match pace {
            Pace::Never => paces.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Pace::Slow => paces.recv_timeout(AT_REST),
            Pace::Quick => paces.recv_timeout(BUSY),
        };
        match told {
            Ok(new) => pace = paces.try_iter().last().unwrap_or(new),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if pace != Pace::Never && out.send(DeviceNews::Listed(list_sound())).is_err() {
            return;
        }
    }
}
