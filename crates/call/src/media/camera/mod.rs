//! The camera, its preview, and the call that looks through it.
//!
//! Opening and closing a device can take its time, so both happen on a thread of their own, one after the other. Which
//! camera and when is the rule in `policy.rs`; this is its thread, its clock and its hands.

mod mailbox;
mod policy;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;

use mailbox::Mailbox;
use policy::{Action, Attempt, CameraPolicy};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use visavis_capture::{Camera, CameraSpec, CameraState, CameraWish, Worker};
use visavis_media::{VideoFrame, slot};

/// A camera's thread that hangs is left behind after a second itself; what does not end then must not keep the app
/// from closing.
const CLOSE_LIMIT: Duration = Duration::from_millis(1500);

/// Where pictures go.
struct Outlets {
    preview: slot::Writer<VideoFrame>,
    call: Mutex<Option<slot::Writer<VideoFrame>>>,
    captured: AtomicU64,
}

impl Outlets {
    fn put(&self, frame: VideoFrame) {
        self.captured.fetch_add(1, Ordering::Relaxed);
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = call.as_ref() {
            call.put(frame.clone());
        }
        drop(call);
        self.preview.put(frame);
    }
}

/// What an opened camera gets: where its pictures go, and whom it tells how it fares.
struct Hands {
    outlets: Arc<Outlets>,
    mailbox: Arc<Mailbox>,
    attempt: Attempt,
}

impl Hands {
    fn tell(&self, state: CameraState) {
        self.mailbox.put(|mail| mail.report = Some((self.attempt, state)));
    }
}

/// See the module's text. Dropping it closes the camera.
pub(crate) struct CameraDeck {
    mailbox: Arc<Mailbox>,
    outlets: Arc<Outlets>,
    worker: Option<Worker>,
}

impl CameraDeck {
    /// Nothing is opened yet.
    pub(crate) fn new(
        wish: CameraWish,
        preview: slot::Writer<VideoFrame>,
        state: Arc<watch::Sender<CameraState>>,
    ) -> Self {
        Self::with(preview, state, move |spec, hands| {
            let (pictures, hands) = (hands.outlets.clone(), hands);
            Camera::open(spec, wish, move |frame| pictures.put(frame), move |state| hands.tell(state))
        })
    }

    /// The same, with cameras that are opened by `open` and closed by dropping what it returns.
    fn with<C: 'static>(
        preview: slot::Writer<VideoFrame>,
        state: Arc<watch::Sender<CameraState>>,
        open: impl FnMut(&CameraSpec, Hands) -> C + Send + 'static,
    ) -> Self {
        let outlets = Arc::new(Outlets { preview, call: Mutex::new(None), captured: AtomicU64::new(0) });
        let mailbox = Arc::new(Mailbox::default());
        let (inbox, pictures) = (mailbox.clone(), outlets.clone());
        let worker = Worker::spawn("camera-deck", move |_| run(&inbox, &pictures, &state, open));
        Self { mailbox, outlets, worker: Some(worker) }
    }

    /// Opens a camera instead of the one that is open, and keeps trying while it does not work.
    pub(crate) fn open(&self, spec: CameraSpec) {
        self.mailbox.put(|mail| mail.wish = Some(Some(spec)));
    }

    /// Closes the camera: its light goes out.
    pub(crate) fn close(&self) {
        self.mailbox.put(|mail| mail.wish = Some(None));
    }

    /// Lets a call look through it; the last one that asked does.
    pub(crate) fn attach(&self) -> slot::Reader<VideoFrame> {
        let (writer, reader) = slot::newest_wins();
        *self.outlets.call.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        reader
    }
}

impl Drop for CameraDeck {
    fn drop(&mut self) {
        self.mailbox.put(|mail| mail.over = true);
        if let Some(worker) = self.worker.take() {
            worker.join_within(CLOSE_LIMIT);
        }
    }
}

fn run<C>(
    mailbox: &Arc<Mailbox>,
    outlets: &Arc<Outlets>,
    state: &watch::Sender<CameraState>,
    mut open: impl FnMut(&CameraSpec, Hands) -> C,
) {
    let mut policy = CameraPolicy::default();
    let mut camera: Option<C> = None;
    loop {
        let mail = mailbox.take(policy.poll_timeout());
        if mail.over {
            return;
        }
        let now = Instant::now();
        if let Some((attempt, state)) = mail.report {
            policy.report(now, attempt, state);
        }
        if let Some(wish) = mail.wish {
            policy.want(now, wish);
        }
        policy.handle_timeout(now);
        let action = policy.poll_action();
        if action.is_some() {
            drop(camera.take());
        }
        // Only now: a camera that is said to be off is off.
        state.send_if_modified(|shown| {
            let changed = shown != policy.state();
            if changed {
                tracing::info!(state = policy.state().word(), "camera");
                shown.clone_from(policy.state());
            }
            changed
        });
        if let Some(Action::Open(attempt, spec)) = action
            // Closing took its time, and meanwhile something else is wanted: no light for nothing.
            && !mailbox.holds_wish()
        {
            let hands = Hands { outlets: outlets.clone(), mailbox: mailbox.clone(), attempt };
            camera = Some(open(&spec, hands));
        }
    }
}
