//! Keeps the machine awake during a call.
//!
//! Asking the system may take a while, so a thread of its own asks. Where the system does not oblige, the call goes on
//! all the same.

use std::time::Duration;
use visavis_capture::Worker;
use visavis_media::slot;

/// How long closing the app waits for the system's answer.
const GIVE_UP: Duration = Duration::from_millis(500);

/// A wish to stay awake, granted or not.
pub struct Awake {
    wanted: bool,
    asking: Option<(slot::Writer<bool>, Worker)>,
}

impl Awake {
    /// Begins without the wish; asks nobody before it is there.
    pub fn new() -> Self {
        Self { wanted: false, asking: None }
    }

    /// Wishes to stay awake, or no longer; never waits.
    pub fn set(&mut self, wanted: bool) {
        if self.wanted == wanted {
            return;
        }
        self.wanted = wanted;
        let (writer, _) = self.asking.get_or_insert_with(|| {
            let (writer, reader) = slot::newest_wins();
            (writer, Worker::spawn("awake", move |_| hold(&reader)))
        });
        writer.put(wanted);
    }
}

impl Default for Awake {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some((writer, worker)) = self.asking.take() {
            drop(writer);
            worker.join_within(GIVE_UP);
        }
    }
}

fn hold(wishes: &slot::Reader<bool>) {
    let mut guard = None;
    loop {
        match wishes.take_for(Duration::from_secs(3600)) {
            slot::Taken::Value(true) => {
                let mut wish = keepawake::Builder::default();
                wish.display(true).idle(true).reason("A call is running").app_name("Visavis");
                guard = wish.create().map_err(|e| tracing::debug!("the machine may fall asleep: {e}")).ok();
            }
            slot::Taken::Value(false) => guard = None,
            slot::Taken::TimedOut => {}
            slot::Taken::Closed => break,
        }
    }
    drop(guard);
}
