//! The settings in use, and their way to the disk.

use super::{Change, Settings, known_again, save};
use std::path::PathBuf;
use std::time::Duration;
use visavis_capture::{DeviceLists, Worker};
use visavis_media::slot;

/// How long closing the app waits for the last write; a disk that takes longer keeps the old settings.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Settings in use, and the thread that writes them.
///
/// What the command line names holds for this run only: it is shown, but not saved unless a person changes it again.
pub struct Store {
    shown: Settings,
    saved: Settings,
    writing: Option<(slot::Writer<Settings>, Worker)>,
}

impl Store {
    /// `saved` as it lies in `folder`, `shown` with the command line's wishes in it. Without a folder nothing is saved.
    pub fn new(saved: Settings, shown: Settings, folder: Option<PathBuf>) -> Self {
        let writing = folder.map(|folder| {
            let (writer, reader) = slot::newest_wins::<Settings>();
            let work = move |_: &visavis_capture::StopFlag| {
                // Ends when the store is dropped, after the last settings were written.
                loop {
                    match reader.take_for(Duration::from_secs(3600)) {
                        slot::Taken::Value(settings) => {
                            if let Err(e) = save(&folder, &settings) {
                                tracing::warn!("settings are not saved: {e}");
                            }
                        }
                        slot::Taken::TimedOut => {}
                        slot::Taken::Closed => return,
                    }
                }
            };
            (writer, Worker::spawn("settings", work))
        });
        Self { shown, saved, writing }
    }

    /// The settings in use.
    pub fn shown(&self) -> &Settings {
        &self.shown
    }

    /// What is to be remembered of the devices that are there now; nothing of those that the command line named.
    pub fn known_again(&self, devices: &DeviceLists) -> Option<Change> {
        let chosen = |settings: &Settings| (settings.microphone.clone(), settings.speaker.clone());
        known_again(&self.saved, devices).filter(|_| chosen(&self.saved) == chosen(&self.shown))
    }

    /// Carries out a change and saves it, without waiting.
    pub fn apply(&mut self, change: Change) {
        self.saved.apply(change.clone());
        self.shown.apply(change);
        if let Some((writer, _)) = &self.writing {
            writer.put(self.saved.clone());
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some((writer, worker)) = self.writing.take() {
            drop(writer);
            worker.join_within(LAST_WRITE);
        }
    }
}
